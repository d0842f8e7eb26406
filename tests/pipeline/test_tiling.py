"""Large photos in regions: the regions cover the photo, every word comes once and whole, and small text is found."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from signboard import Reader
from signboard.detection import Detections, Detector
from signboard.detection.detector import network_size, resize_for_network
from signboard.geometry import ImageArray, overlap_share
from signboard.output.annotate import FONT_PATH
from signboard.pipeline.mending import STEPS
from signboard.pipeline.mending.verification import Verifier
from signboard.pipeline.tiling import Found, Region, merge, regions
from signboard.recognition import Recognizer
from signboard.recognition.recognizer import CropReading

SIDE = 256
LEAST = 5  # rows of the network's picture that the fake detector must see of a word

Bar = tuple[int, int, int, int]  # left, top, right, bottom


class BarDetector(Detector):
    """Finds dark bars on white as the real one finds words: on a picture of its own size, not when they are too small.

    It is easily fooled at a region's edge: what it sees of a bar there is a bar to it.
    """

    def __init__(self) -> None:
        self.side = SIDE
        self.card, self.box_threshold = {}, 0.5
        self.seen = 0

    def detect(self, photos: Sequence[ImageArray], **_: object) -> list[Detections]:
        return [self._bars(photo) for photo in photos]

    def _bars(self, photo: ImageArray) -> Detections:
        self.seen += 1
        size = network_size(*photo.shape[:2], side=self.side)
        small = resize_for_network(photo, size)
        dark = (small.min(axis=2) < 128).astype(np.uint8)
        _, _, boxes, _ = cv2.connectedComponentsWithStats(dark)
        scale = np.array([photo.shape[1] / size[1], photo.shape[0] / size[0]], np.float32)
        polygons = []
        for x, y, w, h, _ in boxes[1:]:
            if h >= LEAST:
                corners = np.array([[x, y], [x + w, y], [x + w, y + h], [x, y + h]], np.float32)
                polygons.append(corners * scale)
        return Detections(polygons, [0.9] * len(polygons))


class ColourReader(Recognizer):
    """Reads a bar's colour, which is different for each, in the middle of its crop."""

    def __init__(self) -> None:
        self.height = 32
        self.card: dict[str, Any] = {}
        self.language = None

    def read_lines(self, crops: Sequence[ImageArray]) -> list[CropReading]:
        return [CropReading("-".join(map(str, crop[16, crop.shape[1] // 2])), 0.9) for crop in crops]


def board(bars: Sequence[Bar], width: int, height: int) -> ImageArray:
    """Bars on white, each in a dark colour of its own."""
    picture = np.full((height, width, 3), 255, np.uint8)
    for number, (left, top, right, bottom) in enumerate(bars):
        picture[top:bottom, left:right] = (20, number // 100, 2 * (number % 100 % 50))
        picture[top:bottom, left:right, 0] = 20 + number % 50
    return picture


def read(bars: Sequence[Bar], width: int, height: int, *, tile: bool = True) -> tuple[list[Bar], Reader]:
    """The boxes of what is found, rounded, in the bars' order."""
    reader = Reader(device="cpu", detector=BarDetector(), recognizer=ColourReader(), without=STEPS, tile=tile)
    reading = reader.read(board(bars, width, height))
    found = []
    for word in reading.words:
        points = np.array(word.polygon)
        found.append(tuple(np.round([*points.min(axis=0), *points.max(axis=0)]).astype(int).tolist()))
    return sorted(found), reader


def near(found: Sequence[Bar], bars: Sequence[Bar], slack: int) -> None:
    """Every bar is found once, to within `slack` pixels, and nothing else."""
    assert len(found) == len(bars), (found, bars)
    for bar in bars:
        assert sum(max(abs(a - b) for a, b in zip(bar, box, strict=True)) <= slack for box in found) == 1, (bar, found)


@pytest.mark.parametrize(
    ("height", "width"), [(1500, 6000), (1280, 1281), (1600, 1601), (3000, 4000), (500, 20_000), (9000, 700)]
)
def test_regions_cover_the_photo_and_overlap(height: int, width: int) -> None:
    levels = regions(height, width, 1280)
    assert levels[-1] == [Region(0, 0, width, height)]
    assert len(levels) == 1 or max(height, width) > 1.25 * 1280
    for number, level in enumerate(levels[:-1]):
        size = 1280 * 2**number
        assert len({(r.width, r.height) for r in level}) == 1  # so that they share batches
        covered = np.zeros((height // 10 + 1, width // 10 + 1), bool)
        for r in level:
            assert 0 <= r.left < r.right <= width and 0 <= r.top < r.bottom <= height
            assert r.width <= size and r.height <= size
            covered[r.top // 10 : -(-r.bottom // 10), r.left // 10 : -(-r.right // 10)] = True
        assert covered[: height // 10, : width // 10].all()
        columns = sorted({(r.left, r.right) for r in level})
        assert all(a[1] - b[0] >= 0.25 * size for a, b in itertools.pairwise(columns))


def test_small_photos_are_read_as_ever() -> None:
    bars = [(20, 20, 120, 40), (150, 100, 280, 130)]
    found, reader = read(bars, 300, 200)
    near(found, bars, 2)
    assert isinstance(reader.detector, BarDetector) and reader.detector.seen == 1


def test_every_word_comes_once_wherever_the_seams_are() -> None:
    width, height = 2400, 600
    bars = [(x + 31 * row % 90, 12 + 30 * row, x + 31 * row % 90 + 55, 20 + 30 * row) for row in range(18)
            for x in range(10, width - 160, 83)]  # fmt: skip
    found, _ = read(bars, width, height)
    near(found, bars, 2)
    assert len(bars) > 450
    without, _ = read(bars, width, height, tile=False)
    assert len(without) == 0  # eight rows are less than one of the network's picture: only the regions show them


def test_words_of_every_size_come_once() -> None:
    bars = [
        (30, 30, 1900, 330),  # larger than any small region
        (30, 360, 700, 420),
        (750, 350, 1700, 470),
        (100, 480, 160, 487),
        (900, 500, 1000, 512),
        (1200, 500, 1960, 540),
    ]
    found, _ = read(bars, 2000, 560)
    near(found, bars, 12)


@pytest.mark.parametrize("start", range(60, 240, 17))
def test_a_word_longer_than_the_overlap_is_joined(start: int) -> None:
    # Seen at full size alone, and longer than what neighbouring regions share: it is whole nowhere.
    bars = [(start, 40, start + 420, 47), (start, 70, start + 40, 77)]
    found, _ = read(bars, 1200, 120)
    near(found, bars, 3)


def test_lines_that_a_seam_runs_through_stay_apart() -> None:
    bars = [(100 + 70 * column, y, 155 + 70 * column, y + 7) for column in range(12) for y in range(150, 330, 11)]
    found, _ = read(bars, 1000, 520)
    near(found, bars, 2)


def test_text_that_runs_down_is_joined_too() -> None:
    def piece(top: float, bottom: float, region: Region) -> Found:
        return Found(np.array([[50, top], [70, top], [70, bottom], [50, bottom]], np.float32), 0.8, region, 1.0)

    parts = [piece(100, 256, Region(0, 0, 256, 256)), piece(192, 448, Region(0, 192, 256, 448)),
             piece(384, 500, Region(0, 384, 256, 640))]  # fmt: skip
    for order in (parts, parts[::-1], [parts[1], parts[0], parts[2]]):
        ((polygon, score),) = merge(order, 640, 256)
        assert polygon.tolist() == [[50, 100], [70, 100], [70, 500], [50, 500]] and score == 0.8


def test_slanted_words_are_joined_along_their_slant() -> None:
    turn = np.array([[np.cos(0.2), np.sin(0.2)], [-np.sin(0.2), np.cos(0.2)]])

    def piece(left: float, right: float, region: Region) -> Found:
        flat = np.array([[left, 20], [right, 20], [right, 40], [left, 40]])
        return Found((flat @ turn).astype(np.float32), 0.8, region, 1.0)

    whole = piece(20, 420, Region(0, 0, 640, 256)).polygon
    parts = [piece(20, 256, Region(0, 0, 256, 256)), piece(200, 420, Region(192, 0, 448, 256))]
    ((polygon, _),) = merge(parts, 256, 640)
    assert np.allclose(polygon, whole, atol=1.0)


def test_crumbs_inside_a_large_word_are_dropped_but_small_text_beside_it_stays() -> None:
    whole = Region(0, 0, 1000, 400)
    small = Region(0, 0, 256, 256)

    def quad(left: float, top: float, right: float, bottom: float, region: Region, scale: float) -> Found:
        corners = np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32)
        return Found(corners, 0.9, region, scale)

    word = quad(20, 20, 900, 180, whole, 0.256)  # 41 pixels high where it was seen
    crumb = quad(60, 60, 120, 92, small, 1.0)  # a stroke of a letter, of the best size
    beside = quad(60, 200, 120, 220, small, 1.0)
    for order in ([word, crumb, beside], [beside, crumb, word]):
        found = {tuple(polygon[0].tolist()) for polygon, _ in merge(order, 400, 1000)}
        assert found == {(20, 20), (60, 200)}
    # Lines of small text that looked like one word from afar: the lines count.
    blob = quad(20, 20, 600, 56, whole, 0.256)
    lines = [quad(20, 20, 200, 36, small, 1.0), quad(20, 40, 200, 56, small, 1.0)]
    assert len(merge([blob, *lines], 400, 1000)) == 2


def test_shared_area() -> None:
    square = np.array([[0, 0], [10, 0], [10, 10], [0, 10]], np.float32)
    assert overlap_share(square, square + 5) == pytest.approx(0.25, abs=0.01)
    assert overlap_share(square, square + 20) == 0
    assert overlap_share(square, square * 0.5) == pytest.approx(1.0, abs=0.01)
    assert overlap_share(square, np.zeros((4, 2), np.float32)) == 0
    bent = np.array([[0, 0], [30, 0], [30, 30], [20, 30], [20, 10], [0, 10]], np.float32)
    assert overlap_share(bent, np.array([[0, 15], [15, 15], [15, 30], [0, 30]], np.float32)) == 0  # in its hollow


def test_many_photos_are_tiled_too(tmp_path: Path) -> None:
    bars = [(x, 40, x + 40, 48) for x in range(20, 1500, 71)]
    paths = []
    for number in range(3):
        paths.append(tmp_path / f"{number}.png")
        Image.fromarray(board(bars[: 5 * number + 3], 1600, 200)).save(paths[-1])
    reader = Reader(device="cpu", detector=BarDetector(), recognizer=ColourReader(), without=STEPS, tile=True)
    for size in ("auto", 2):
        readings = list(reader.read_many(paths, batch_size=size))  # type: ignore[arg-type]
        assert [len(reading.words) for reading in readings] == [3, 8, 13]
        assert all(len({word.text for word in reading.words}) == len(reading.words) for reading in readings)


def test_places_that_may_be_words_are_looked_for_in_regions_too() -> None:
    class Doubting(BarDetector):
        """Is sure of every second bar of a picture, and says of all of them that their right halves may be bars."""

        asked: ClassVar[list[dict[str, object]]] = []

        def detect(self, photos: Sequence[ImageArray], **options: object) -> list[Detections]:
            self.asked.append(options)
            results = []
            for found in super().detect(photos):
                halves = [polygon * [1, 1] + [30, 0] for polygon in found.polygons]
                scores = [0.9 if int(polygon[0, 1]) % 100 < 50 else 0.4 for polygon in found.polygons]
                results.append(Detections([*found.polygons, *halves], [*scores, *[0.35] * len(halves)]))
            return results

    bars = [(x, y, x + 60, y + 22) for y in (20, 70, 120, 170) for x in range(10, 1900, 100)]
    reader = Reader(
        device="cpu", detector=Doubting(), recognizer=ColourReader(), without=STEPS, tile=True,
        verifier=Verifier(0.3, 100.0, 0.0, 0.0, 0.0, 0.0),
    )  # fmt: skip
    words = reader.read(board(bars, 2000, 220)).words
    sure = [word for word in words if word.detection_score == 0.9]
    assert len(Doubting.asked) > 2
    assert all((o["box_threshold"], o["candidates"]) == (0.5, 0.3) for o in Doubting.asked)
    assert len(sure) == len(bars) / 2 and len(words) >= len(bars)


def test_a_photo_whose_text_is_too_small_gets_a_warning() -> None:
    def warnings(bars: Sequence[Bar], width: int, tile: bool = False) -> tuple[str, ...]:
        reader = Reader(device="cpu", detector=BarDetector(), recognizer=ColourReader(), without=STEPS, tile=tile)
        reading = reader.read(board(bars, width, 200))
        assert len(reading.words) == len(bars)
        return reading.warnings

    small = [(x, 40, x + 60, 62) for x in range(20, 700, 90)]  # 22 rows: 7 of the network's picture
    large = [(20 + 180 * i, 20, 160 + 180 * i, 100) for i in range(3)]  # 25 rows of it
    (warning,) = warnings(small, 800)
    assert warning.startswith("text may be too small: the photo was shrunk 3.1 times") and "--tile" in warning
    assert "under about 50 pixels" in warning  # 16 rows of the network's picture
    assert warnings(large, 800) == ()
    assert len(warnings([*large, (600, 20, 700, 42)], 800)) == 1
    assert warnings(small, 800, tile=True) == ()
    # Nothing found is no reason to warn, unless the photo was shrunk so much that hardly anything could be; then what
    # was found says nothing either. Small text that was not shrunk is as large as it will ever be.
    assert warnings([], 800) == ()
    assert len(warnings([], 1200)) == len(warnings([(20, 20, 900, 180)], 1200)) == 1
    assert warnings([(20, 20, 90, 30)], 250) == ()


@pytest.mark.slow
def test_a_wide_board_with_the_shipped_weights() -> None:
    texts = ["PLATFORM", "TICKET", "OFFICE", "WATER", "STATION", "MASTER", "PARKING", "EXIT", "POLICE", "HOTEL"]
    picture = Image.new("RGB", (3000, 500), (235, 225, 200))
    pen = ImageDraw.Draw(picture)
    font = ImageFont.truetype(str(FONT_PATH), 30)
    for number in range(24):
        place = (60 + 490 * (number % 6), 70 + 110 * (number // 6))
        pen.text(place, texts[number % len(texts)], font=font, fill=(30, 30, 60))
    tiled = Reader(device="cpu", tile=True).read(np.asarray(picture))
    plain = Reader(device="cpu").read(np.asarray(picture))
    right = [word for word in tiled.words if word.text.upper() in texts]
    assert len(right) >= 20 and len(right) >= sum(word.text.upper() in texts for word in plain.words)
    polygons = [np.array(word.polygon, np.float32) for word in tiled.words]
    assert all(overlap_share(a, b) < 0.5 for i, a in enumerate(polygons) for b in polygons[:i])
