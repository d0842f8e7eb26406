"""The load on a server: what is sent, what counts as the right answer, and who is asked when, with fakes."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from signboard.benchmarking import serving
from signboard.errors import DataError, PhotoError
from signboard.pipeline.layout import arrange
from signboard.reading import Reading, Word


class Reads:
    """Reads the size of a photo; what is none is an error."""

    def read(self, photo: bytes) -> Reading:
        try:
            with Image.open(io.BytesIO(photo)) as opened:
                opened.load()
                width, height = opened.size
        except OSError:
            raise PhotoError("no photo") from None
        box = ((1.0, 1.0), (9.0, 1.0), (9.0, 5.0), (1.0, 5.0))
        return Reading("", width, height, arrange([Word(f"{width}", box, 0.9, 0.9, "latin")]))

    def read_many(self, photos: Sequence[bytes]) -> Iterator[Reading]:
        return (self.read(photo) for photo in photos)


class Server:
    """Answers with the rows of `expected_rows`; counts requests, and who was asked."""

    def __init__(self, rows: dict[bytes, Any], wrong: Sequence[int] = ()) -> None:
        self._rows, self._wrong = rows, wrong
        self.requests: list[int] = []
        self._lock = threading.Lock()

    def read(self, photos: Sequence[bytes]) -> list[Any]:
        with self._lock:
            number = len(self.requests)
            self.requests.append(len(photos))
        rows = [self._rows[photo] for photo in photos]
        return [row | {"width": row["width"] + 1} for row in rows] if number in self._wrong else rows


@pytest.fixture
def photos(tmp_path: Path) -> list[bytes]:
    for name in ("a.png", "b.jpg"):
        Image.effect_noise((60, 40), 50).save(tmp_path / name)
    return serving.pictures(tmp_path, (48, 32), 5)


def test_pictures_have_one_size_and_differ(photos: list[bytes], tmp_path: Path) -> None:
    assert len(set(photos)) == len(photos) == 5
    assert {Image.open(io.BytesIO(photo)).size for photo in photos} == {(48, 32)}
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="empty: no photos"):
        serving.pictures(tmp_path / "empty", (48, 32), 5)


def test_every_tenth_photo_is_broken(photos: list[bytes]) -> None:
    sent = serving.with_broken(photos, 40)
    rows = serving.expected_rows(Reads(), sent)
    assert [number for number, photo in enumerate(sent) if rows[photo]["error"]] == [9, 19, 29, 39]
    assert len({sent[number] for number in (9, 19, 29, 39)}) == 4


def test_load_tells_wrong_answers_from_right_ones(photos: list[bytes]) -> None:
    sent = serving.with_broken(photos, 30)
    rows = serving.expected_rows(Reads(), sent)
    figures = serving.load([Server(rows)] * 3, sent, rows, lambda: 512.4, every=10)
    assert figures["wrong"] == [] and figures["photos"] == 30 and figures["broken"] == 3 and figures["clients"] == 3
    assert figures["memory_MiB_after"] == {10: 512, 20: 512, 30: 512}
    assert 0 <= figures["p50"] <= figures["p95"] <= figures["longest"]
    assert serving.load([Server(rows, wrong=[4, 11])], sent, rows, lambda: 0.0)["wrong"] == [4, 11]


def test_a_row_is_the_same_but_for_rounding(photos: list[bytes]) -> None:
    row = serving.expected_rows(Reads(), photos)[photos[0]]

    def changed(**values: Any) -> dict[str, Any]:
        word = row["signs"][0]["lines"][0]["words"][0] | values
        return row | {"signs": [{"lines": [{"words": [word]}]}]}

    box = [[2.0, 1.0], [9.0, 1.0], [9.0, 5.0], [1.0, 5.0]]
    assert serving.same(changed(confidence=0.91, polygon=box), row)
    assert not serving.same(changed(confidence=0.8), row)
    assert not serving.same(changed(text="49"), row)
    assert not serving.same(changed(polygon=[[9.0, 1.0], *box[1:]]), row)
    assert not serving.same(row | {"signs": []}, row)
    assert not serving.same(row | {"error": "late"}, row)


def test_every_job_is_taken_once() -> None:
    taken: list[int] = []
    serving.side_by_side([Server({})] * 4, range(100), lambda client, job: taken.append(job))
    assert sorted(taken) == list(range(100))


def test_latency_and_throughput_ask_in_turn(photos: list[bytes]) -> None:
    asked: list[str] = []

    class Noted(Reads):
        def read(self, photo: bytes) -> Reading:
            asked.append("reader")
            return super().read(photo)

    class NotedServer(Server):
        def read(self, photos: Sequence[bytes]) -> list[Any]:
            asked.append("server")
            return super().read(photos)

    rows = serving.expected_rows(Reads(), photos)
    busy = iter(range(1000))
    figures = serving.latency(Noted(), NotedServer(rows), photos, lambda: float(next(busy)), rounds=2)
    assert asked == ["reader", "server"] * len(photos) * 3
    assert figures["answer_over_Reader.read"] > 0 and figures["processor_time_of_both"] > 1
    server = Server(rows)
    found = serving.throughput(Reads(), [server], photos, rounds=2)
    assert server.requests == [*[1] * 5, 4, 1] * 3
    assert set(found["throughput_over_read_many"]) == {"clients, a photo a request", "clients, four photos a request"}
