"""Videos made of the sample signs, and of real photos where they are, read by the networks that are shipped."""

from __future__ import annotations

import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from signboard import Reader
from signboard.photo import load_photo
from signboard.synthesis.videos import View, make_video, paste, wall
from signboard.video import FollowedSign, follow, open_source
from signboard.voting import plain

ROOT = Path(__file__).parents[2]
SAMPLES = {
    "road": "महात्मा गांधी मार्ग\nMahatma Gandhi Road",
    "shop": "शर्मा मिष्ठान भंडार\nSHARMA SWEETS\nPhone 98765 43210",
    "station": "नई दिल्ली\nNEW DELHI",
}
DATA = Path(os.environ.get("SIGNBOARD_DATA", ROOT.parent / "shared" / "data"))
PHOTOS = DATA / "scenes" / "marathi_hindi_boards"
SIZE = (800, 450)


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader(device="cpu")


def signs_of(reader: Reader, path: Path) -> list[FollowedSign]:
    source = open_source(str(path))
    signs = list(follow(reader, source))
    source.close()
    assert source.fault() is None
    return signs


@pytest.mark.slow
def test_each_sample_sign_once_on_the_way_there_and_back(reader: Reader, tmp_path: Path) -> None:
    scene = wall(2760, 600)
    for number, name in enumerate(SAMPLES):
        photo = load_photo(ROOT / "data" / "samples" / f"{name}.jpg").pixels
        board = photo[200:760, 120:1160]
        paste(scene, np.asarray(cv2.resize(board, (620, 334), interpolation=cv2.INTER_AREA)), 60 + 1000 * number, 120)
    y = 287.0
    points: list[tuple[float, View]] = [
        (0, (370, y, 1.1, 0)), (4, (2370, y, 1.1, 2)), (5, (2370, y, 1.25, 0)), (7, (1370, y, 1.0, -1)),
    ]  # fmt: skip
    path = make_video(tmp_path / "pan.mp4", scene, points, size=SIZE, rate=12, shake=2, blurred=0.25, noise=2)
    signs = signs_of(reader, path)
    assert [sign.sign.text for sign in signs] == list(SAMPLES.values())
    assert signs[1].first < 2.5 and signs[1].last > 6.5  # it left the picture and came back


@pytest.mark.slow
@pytest.mark.data
def test_words_of_real_photos_come_as_often_as_they_are_there(reader: Reader, tmp_path: Path) -> None:
    if not PHOTOS.is_dir():
        pytest.skip(f"needs the photos of {PHOTOS}")
    rows = [json.loads(line) for line in (PHOTOS / "labels.jsonl").read_text(encoding="utf-8").splitlines()]
    right = total = 0
    for row in rows[1:13:4]:
        pixels = load_photo(PHOTOS / row["image"]).pixels
        height, width = pixels.shape[:2]
        whole = min(SIZE[0] / width, SIZE[1] / height)
        x, y = width / 2, height / 2
        points: list[tuple[float, View]] = [
            (0, (x, y, 0.95 * whole, 0)),
            (2, (x, y, 1.2 * whole, 2)),
            (4, (x, y, whole, 0)),
        ]
        signs = signs_of(
            reader, make_video(tmp_path / "a.mp4", pixels, points, size=SIZE, rate=12, shake=1.5, blurred=0.2, noise=2)
        )
        read = [plain(word.text) for sign in signs for line in sign.sign.lines for word in line.words]
        still = [plain(word.text) for word in reader.read(cv2.resize(pixels, None, fx=whole, fy=whole)).words]
        labels = [plain(word["text"]) for word in row["words"] if word["text"] and not word["ignore"]]
        for text in set(labels):
            total += min(still.count(text), labels.count(text))
            right += min(read.count(text), still.count(text), labels.count(text))
            assert read.count(text) <= max(still.count(text), labels.count(text)), f"{row['image']}: {text}"
    assert total > 8 and right >= 0.95 * total
