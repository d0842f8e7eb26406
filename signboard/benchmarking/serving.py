"""A server under load: are all answers right and their own, how long do they take, does its memory stay flat?"""

from __future__ import annotations

import io
import itertools
import json
import random
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Protocol, TypeVar
from urllib.parse import urlsplit

from PIL import Image

from signboard.benchmarking.timing import in_turn, timed
from signboard.errors import DataError, PhotoError
from signboard.training.adapters import IMAGE_SUFFIXES

Row = dict[str, Any]
Job = TypeVar("Job")
OPTIONS = "translate=true"
CONFIDENCE, PIXELS = 0.05, 3.0
"""Photos that are read together share passes of the networks, whose rounding depends on the shape of the batch: by so
much may a word's confidence, and a corner of its polygon, differ from what it is alone."""


class AnswersPhotos(Protocol):
    """What photos are sent to: `Client`."""

    def read(self, photos: Sequence[bytes]) -> list[Row]:
        """A row a photo, in their order."""


# What is sent --------------------------------------------------------------------------------------------------------


def pictures(folder: Path, size: tuple[int, int], most: int) -> list[bytes]:
    """At most so many photos of a folder as JPEGs of one size (width, height).

    Raises:
        DataError: there are none.
    """
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES)
    if not paths:
        raise DataError(f"{folder}: no photos")
    random.Random(0).shuffle(paths)
    made = []
    for number, path in zip(range(most), itertools.cycle(paths), strict=False):
        with Image.open(path) as opened:
            picture = opened.convert("RGB").resize(size)
        # Those that come again are others: shifted by some pixels.
        picture = picture.transform(size, Image.Transform.AFFINE, (1, 0, 3 * (number // len(paths)), 0, 1, 0))
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=90)
        made.append(buffer.getvalue())
    return made


def broken(number: int, photo: bytes) -> bytes:
    """A file that cannot be read, of one of several kinds."""
    return [b"", b"no photo at all", photo[: len(photo) // 3], b"\x89PNG\r\n\x1a\n" + photo[:100]][number % 4]


def with_broken(good: Sequence[bytes], count: int, every: int = 10) -> list[bytes]:
    """So many photos to send, the good ones over and over; each of number `every` is broken."""
    photos = [good[number % len(good)] for number in range(count)]
    return [
        broken(number // every, photo) if number % every == every - 1 else photo for number, photo in enumerate(photos)
    ]


# Who sends it --------------------------------------------------------------------------------------------------------


class Client:
    """One connection to a server, kept open."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._connection = HTTPConnection(parts.hostname or "", parts.port, timeout=600)
        self._used = time.monotonic()

    def read(self, photos: Sequence[bytes]) -> list[dict[str, Any]]:
        """The rows of the photos; waits and tries again when the server is too busy."""
        if len(photos) == 1:
            body, kind = photos[0], "image/jpeg"
        else:
            mark = b"--a-line-that-no-photo-holds"
            head = b'\r\nContent-Disposition: form-data; name="photo"; filename="a.jpg"\r\n\r\n'
            body = b"".join(mark + head + photo + b"\r\n" for photo in photos) + mark + b"--\r\n"
            kind = f"multipart/form-data; boundary={mark[2:].decode()}"
        if time.monotonic() - self._used > 5:  # the server closes connections that are not used
            self._connection.close()
        while True:
            self._connection.request("POST", f"/v1/read?{OPTIONS}", body, {"Content-Type": kind})
            answer = self._connection.getresponse()
            data = answer.read()
            self._used = time.monotonic()
            if answer.status == 503:
                time.sleep(float(answer.headers["Retry-After"]))
                continue
            value = json.loads(data)
            if "readings" not in value:
                return [{"error": value["detail"], "signs": []} for _ in photos]
            return value["readings"]  # type: ignore[no-any-return]


@contextmanager
def server(*options: str) -> Iterator[tuple[int, str]]:
    """A server in a process of its own, once it is ready: its process id and address."""
    command = [sys.executable, "-m", "signboard.cli", "serve", "--port", "0", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().split()[1]
            parts = urlsplit(url)
            while True:
                connection = HTTPConnection(parts.hostname or "", parts.port, timeout=60)
                connection.request("GET", "/v1/health")
                if connection.getresponse().status == 200:
                    break
                time.sleep(0.1)
            yield process.pid, url
        finally:
            process.terminate()
            process.wait(30)


def side_by_side(
    clients: Sequence[AnswersPhotos], jobs: Iterable[Job], work: Callable[[AnswersPhotos, Job], object]
) -> None:
    """All clients take jobs, each the next when its last is done, until none are left."""
    left = iter(jobs)
    lock = threading.Lock()

    def run(client: AnswersPhotos) -> None:
        while True:
            with lock:
                job = next(left, None)
            if job is None:
                return
            work(client, job)

    with ThreadPoolExecutor(len(clients)) as pool:
        list(pool.map(run, clients))


# What comes back -----------------------------------------------------------------------------------------------------


def expected_rows(reader: Any, photos: Iterable[bytes]) -> dict[bytes, Row]:
    """What a reader says of each photo, by the photo."""
    from signboard.output.jsonl import to_dict
    from signboard.reading import Reading

    rows: dict[bytes, Row] = {}
    for photo in dict.fromkeys(photos):
        try:
            rows[photo] = to_dict(reader.read(photo))
        except PhotoError as error:
            rows[photo] = to_dict(Reading("", 0, 0, error=str(error)))
    return rows


def same(row: Row, expected: Row) -> bool:
    """Whether a row is that of the photo: the same words at the same places, and as sure of them, but for rounding."""
    if expected["error"] is not None:
        return row["error"] is not None and row["signs"] == []
    mine, wanted = (
        [word for sign in one["signs"] for line in sign["lines"] for word in line["words"]] for one in (row, expected)
    )
    return (
        row["error"] is None
        and (row["width"], row["height"]) == (expected["width"], expected["height"])
        and len(mine) == len(wanted)
        and all(close(word, other) for word, other in zip(mine, wanted, strict=True))
    )


def close(word: Row, other: Row) -> bool:
    """Whether two words are the same but for rounding."""
    corners = zip(
        itertools.chain.from_iterable(word["polygon"]), itertools.chain.from_iterable(other["polygon"]), strict=True
    )
    return (
        word["text"] == other["text"]
        and abs(word["confidence"] - other["confidence"]) < CONFIDENCE
        and all(abs(a - b) < PIXELS for a, b in corners)
    )


def load(
    clients: Sequence[AnswersPhotos],
    sent: Sequence[bytes],
    expected: Mapping[bytes, Row],
    memory: Callable[[], float],
    *,
    every: int = 50,
) -> dict[str, Any]:
    """Sends photos one by one with all clients and compares each answer with what is expected of it.

    Args:
        expected: the row of each photo.
        memory: MiB that the server has; asked after each `every` answers.
    """
    lock = threading.Lock()
    wrong: list[int] = []
    seconds: list[float] = []
    sizes: dict[int, int] = {}

    def ask(client: AnswersPhotos, job: tuple[int, bytes]) -> None:
        number, photo = job
        begin = time.perf_counter()
        (row,) = client.read([photo])
        took = time.perf_counter() - begin
        with lock:
            seconds.append(took)
            if not same(row, expected[photo]):
                wrong.append(number)
            if len(seconds) % every == 0:
                sizes[len(seconds)] = round(memory())

    took = timed(lambda: side_by_side(clients, enumerate(sent), ask))
    ordered = sorted(seconds)
    return {
        "photos": len(sent),
        "broken": sum(expected[photo]["error"] is not None for photo in sent),
        "clients": len(clients),
        "wrong": sorted(wrong),
        "photos_a_second": round(len(sent) / took, 2),
        "p50": round(statistics.median(ordered), 3),
        "p95": round(ordered[int(0.95 * len(ordered))], 3),
        "longest": round(ordered[-1], 3),
        "memory_MiB_after": sizes,
    }


# How long it takes ---------------------------------------------------------------------------------------------------


def latency(
    reader: Any, client: AnswersPhotos, photos: Sequence[bytes], processor: Callable[[], float], rounds: int
) -> dict[str, Any]:
    """Answers beside `Reader.read`, photo by photo in turn, after a round to warm both up.

    Args:
        processor: processor seconds of the server until now. Those of an answer are the server's and this process's,
            which is its client.
    """
    pairs: list[tuple[float, float, float, float]] = []
    for number in range(rounds + 1):
        for photo in photos:
            before = time.process_time()
            alone = timed(lambda photo=photo: reader.read(photo))  # type: ignore[misc]
            middle, busy = time.process_time(), processor()
            answered = timed(lambda photo=photo: client.read([photo]))  # type: ignore[misc]
            cost = time.process_time() - middle + processor() - busy
            if number:
                pairs.append((alone, answered, middle - before, cost))
    return {
        "milliseconds_Reader.read": round(1000 * statistics.median(pair[0] for pair in pairs), 1),
        "milliseconds_answer": round(1000 * statistics.median(pair[1] for pair in pairs), 1),
        "answer_over_Reader.read": round(statistics.median(pair[1] / pair[0] for pair in pairs), 3),
        "processor_time_of_both": round(sum(pair[3] for pair in pairs) / max(sum(pair[2] for pair in pairs), 1e-9), 3),
    }


def throughput(reader: Any, clients: Sequence[AnswersPhotos], photos: Sequence[bytes], rounds: int) -> dict[str, Any]:
    """Photos a second of several clients beside `read_many`, in turn, after a round in which kernels are compiled."""

    def spread(each: int) -> None:
        requests = [photos[start : start + each] for start in range(0, len(photos), each)]
        side_by_side(clients, requests, lambda client, request: client.read(request))

    ways: dict[str, Callable[[], object]] = {
        "read_many": lambda: list(reader.read_many(photos)),
        "clients, a photo a request": lambda: spread(1),
        "clients, four photos a request": lambda: spread(4),
    }
    in_turn(ways, 1)
    taken = in_turn(ways, rounds)
    best = {name: statistics.median(values) / len(photos) for name, values in taken.items()}
    return {
        "milliseconds_a_photo": {name: round(1000 * value, 1) for name, value in best.items()},
        "throughput_over_read_many": {
            name: round(best["read_many"] / best[name], 3) for name in best if name.startswith("clients")
        },
    }


def processor_seconds(process: int) -> float:
    """Seconds that all threads of a process have computed."""
    tasks = Path(f"/proc/{process}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9
