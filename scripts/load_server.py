"""Load a server with photos: are all answers right and their own, how long do they take, does memory stay flat?

    python scripts/load_server.py load [--photos DIR] [--clients 8] [--count 400] [--json out.json]
    python scripts/load_server.py figures [--photos DIR] [--rounds 3] [--json out.json]

load     clients that each send one photo after another, every tenth of them broken. Every answer is compared with what
         `Reader.read` says of the same photo: its text, its places and its confidences.
figures  answers for one photo on loopback beside `Reader.read`, photo by photo in turn, in seconds and in processor
         seconds; and photos a second of several clients beside `read_many`. The server is a process of its own that
         sleeps while the reader is timed.

Without --photos the sample signs of data/samples are used, each at several sizes. Photos are sent at --size pixels, as
JPEG. The server is started and stopped by this script. Figures need an idle machine.
"""

from __future__ import annotations

import argparse
import io
import itertools
import json
import os
import platform
import random
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from PIL import Image

SAMPLES = Path(__file__).parents[1] / "data" / "samples"
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
OPTIONS = "translate=true"
MIB = 1 << 20


def pictures(folder: Path | None, size: tuple[int, int], most: int) -> list[bytes]:
    """At most so many photos as JPEGs of one size."""
    paths = sorted(path for path in (folder or SAMPLES).rglob("*") if path.suffix.lower() in SUFFIXES)
    if not paths:
        raise SystemExit(f"no photos in {folder or SAMPLES}")
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


def memory(process: int) -> float:
    """MiB that a process has in memory."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / MIB


def same(row: dict[str, Any], expected: dict[str, Any]) -> bool:
    """Whether a row is that of the photo: the same words at the same places, and as sure of them.

    Photos that are read together share passes of the networks, whose rounding depends on the shape of the batch.
    """
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


def close(word: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two words are the same but for rounding."""
    corners = zip(
        itertools.chain.from_iterable(word["polygon"]), itertools.chain.from_iterable(other["polygon"]), strict=True
    )
    return (
        word["text"] == other["text"]
        and abs(word["confidence"] - other["confidence"]) < 0.05
        and all(abs(a - b) < 3 for a, b in corners)
    )


def load(arguments: argparse.Namespace) -> dict[str, Any]:
    """Eight clients, 400 photos, every tenth broken."""
    from signboard.memory import settle_memory

    settle_memory()
    from signboard.errors import PhotoError
    from signboard.output.jsonl import to_dict
    from signboard.reader import Reader
    from signboard.reading import Reading

    good = pictures(arguments.photos, arguments.size, arguments.different)
    sent = [
        broken(n // 10, good[n % len(good)]) if n % 10 == 9 else good[n % len(good)] for n in range(arguments.count)
    ]
    print(f"{len(sent)} photos, {len(good)} of them different; what Reader.read says of each:", file=sys.stderr)
    reader = Reader(translate=True)
    expected: dict[bytes, dict[str, Any]] = {}
    for photo in dict.fromkeys(sent):
        try:
            expected[photo] = to_dict(reader.read(photo))
        except PhotoError as error:
            expected[photo] = to_dict(Reading("", 0, 0, error=str(error)))
    del reader
    jobs = iter(enumerate(sent))
    lock = threading.Lock()
    wrong: list[int] = []
    seconds: list[float] = []
    sizes: list[tuple[int, float]] = []

    def client(url: str, process: int) -> None:
        mine = Client(url)
        while True:
            with lock:
                number, photo = next(jobs, (-1, b""))
            if number < 0:
                return
            begin = time.perf_counter()
            (row,) = mine.read([photo])
            took = time.perf_counter() - begin
            with lock:
                seconds.append(took)
                if not same(row, expected[photo]):
                    wrong.append(number)
                if len(seconds) % 50 == 0:
                    print(f"{len(seconds)} answered, {len(wrong)} wrong", file=sys.stderr, flush=True)
                    sizes.append((len(seconds), round(memory(process))))

    with server(*arguments.server) as (process, url):
        begin = time.perf_counter()
        clients = [threading.Thread(target=client, args=(url, process)) for _ in range(arguments.clients)]
        for thread in clients:
            thread.start()
        for thread in clients:
            thread.join()
        took = time.perf_counter() - begin
    ordered = sorted(seconds)
    return {
        "photos": len(sent),
        "broken": sum(row["error"] is not None for row in map(expected.__getitem__, sent)),
        "clients": arguments.clients,
        "wrong": sorted(wrong),
        "photos_a_second": round(len(sent) / took, 2),
        "p50": round(statistics.median(ordered), 3),
        "p95": round(ordered[int(0.95 * len(ordered))], 3),
        "longest": round(ordered[-1], 3),
        "memory_MiB_after": dict(sizes),
    }


def figures(arguments: argparse.Namespace) -> dict[str, Any]:
    """Latency beside `Reader.read`, throughput beside `read_many`."""
    from signboard.memory import settle_memory

    settle_memory()
    from signboard.reader import Reader

    photos = pictures(arguments.photos, arguments.size, arguments.different)
    reader = Reader(translate=True)
    with server(*arguments.server) as (process, url):
        one = Client(url)
        several = [Client(url) for _ in range(arguments.clients)]
        ways: dict[str, Callable[[], float]] = {
            "read_many": lambda: timed(lambda: list(reader.read_many(photos))),
            "clients, a photo a request": lambda: timed(lambda: spread(several, photos, 1)),
            "clients, four photos a request": lambda: timed(lambda: spread(several, photos, 4)),
        }
        in_turn(reader, one, process, photos)  # both have compiled their kernels then
        pairs = [pair for _ in range(arguments.rounds) for pair in in_turn(reader, one, process, photos)]
        result: dict[str, Any] = {
            "photos": len(photos),
            "clients": arguments.clients,
            "milliseconds_Reader.read": round(1000 * statistics.median(pair[0] for pair in pairs), 1),
            "milliseconds_answer": round(1000 * statistics.median(pair[1] for pair in pairs), 1),
            "answer_over_Reader.read": round(statistics.median(pair[1] / pair[0] for pair in pairs), 3),
            "processor_time_of_both": round(sum(pair[3] for pair in pairs) / sum(pair[2] for pair in pairs), 3),
        }
        print(json.dumps(result), file=sys.stderr, flush=True)
        for run in ways.values():  # kernels are compiled for each shape of batch once
            run()
        taken: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(arguments.rounds):
            for name, run in ways.items():
                taken[name].append(run() / len(photos))
                print(f"{name}: {1000 * taken[name][-1]:.1f} ms a photo", file=sys.stderr, flush=True)
    best = {name: statistics.median(values) for name, values in taken.items()}
    return result | {
        "milliseconds_a_photo": {name: round(1000 * value, 1) for name, value in best.items()},
        "throughput_over_read_many": {
            name: round(best["read_many"] / best[name], 3) for name in best if name.startswith("clients")
        },
    }


def in_turn(
    reader: Any, client: Client, process: int, photos: Sequence[bytes]
) -> list[tuple[float, float, float, float]]:
    """Each photo by the reader and by the server: seconds of both, and processor seconds of both.

    Processor seconds of an answer are those of the server and of this process, which is its client.
    """
    pairs = []
    for photo in photos:
        before = time.process_time()
        alone = timed(lambda photo=photo: reader.read(photo))  # type: ignore[misc]
        middle, busy = time.process_time(), processor_seconds(process)
        answered = timed(lambda photo=photo: client.read([photo]))  # type: ignore[misc]
        cost = time.process_time() - middle + processor_seconds(process) - busy
        pairs.append((alone, answered, middle - before, cost))
    return pairs


def processor_seconds(process: int) -> float:
    """Seconds that all threads of a process have computed."""
    tasks = Path(f"/proc/{process}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def timed(work: Callable[[], object]) -> float:
    """Seconds that it takes."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def spread(clients: Sequence[Client], photos: Sequence[bytes], each: int) -> None:
    """All clients send requests of `each` photos, one after another, until all are answered."""
    requests = [photos[start : start + each] for start in range(0, len(photos), each)]
    jobs = iter(requests)
    lock = threading.Lock()

    def run(client: Client) -> None:
        while True:
            with lock:
                job = next(jobs, None)
            if job is None:
                return
            client.read(job)

    with ThreadPoolExecutor(len(clients)) as pool:
        list(pool.map(run, clients))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("part", choices=("load", "figures"))
    parser.add_argument("--photos", type=Path, help="a folder of photos; the sample signs by default")
    parser.add_argument("--size", type=lambda text: tuple(map(int, text.split("x"))), default=(1280, 720))
    parser.add_argument("--different", type=int, default=40, help="how many different photos")
    parser.add_argument("--count", type=int, default=400, help="photos that are sent")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="also write the result to this file")
    parser.add_argument(
        "--server", nargs=argparse.REMAINDER, default=[], help="options for signboard serve, after all others"
    )
    arguments = parser.parse_args()
    result = {"load": load, "figures": figures}[arguments.part](arguments)
    result["machine"] = f"{platform.processor() or platform.machine()}, {len(os.sched_getaffinity(0))} cores"
    text = json.dumps(result, indent=1)
    print(text)
    if arguments.json:
        arguments.json.write_text(text + "\n")
    if result.get("wrong"):
        sys.exit(1)


if __name__ == "__main__":
    main()
