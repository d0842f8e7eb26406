"""Crops for the recogniser: pairs of neighbouring words, boxes around words, words left out for validation."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

import signboard
from signboard.errors import ConfigError, DataError
from signboard.geometry import grow_sides, text_size
from signboard.recognition.charset import DEFAULT_CHARACTERS, Charset
from signboard.synthesis import WordCrop
from signboard.training.adapters import SceneWord
from signboard.training.config import CutData, RecognizerTrainConfig
from signboard.training.crops import leaning_box, neighbours
from signboard.training.recognizer_task import RecognizerTask, WordBatches, is_foreign, words_held_back


def _box(x: float, y: float, width: float, height: float) -> np.ndarray:
    return np.array([[x, y], [x + width, y], [x + width, y + height], [x, y + height]], np.float32)


def test_neighbours_of_one_line_become_pairs() -> None:
    words = [
        (_box(10, 10, 60, 20), "नई"),
        (_box(78, 11, 80, 20), "दिल्ली"),  # 8 pixels behind it
        (_box(200, 10, 50, 20), "far"),  # more than a letter's height away
        (_box(10, 34, 60, 20), "below"),
        (_box(74, 30, 60, 44), "big"),  # near, but of another size
    ]
    pairs = neighbours(words)
    assert [text for _, text in pairs] == ["नई दिल्ली"]
    np.testing.assert_array_equal(pairs[0][0], [[10, 10], [158, 11], [158, 31], [10, 30]])


def test_pairs_follow_the_slant_of_the_line() -> None:
    turn = np.array([[0.8, -0.6], [0.6, 0.8]], np.float32)
    words = [(_box(10, 10, 60, 20) @ turn.T, "ROUTE"), (_box(76, 10, 40, 20) @ turn.T, "66")]
    (pair,) = neighbours(words)
    assert pair[1] == "ROUTE 66"
    np.testing.assert_allclose(pair[0] @ turn, _box(10, 10, 106, 20), atol=1e-4)
    # On the slant's own level they are not one line.
    apart = [(words[0][0], "ROUTE"), (words[1][0] + np.array([0, -40], np.float32), "66")]
    assert neighbours(apart) == []


def test_what_is_wider_than_a_crop_is_no_pair() -> None:
    assert neighbours([(_box(0, 0, 100, 20), "a"), (_box(104, 0, 100, 20), "b")]) == []


def test_the_box_around_a_leaning_word_holds_it_and_grows_no_higher_than_asked() -> None:
    word = np.array([[10, 10], [110, 10], [110, 30], [10, 30]], np.float32)
    box = leaning_box(word, 0.1)
    along, down = box[1] - box[0], box[3] - box[0]
    assert text_size(box)[0] == pytest.approx(100 * math.cos(0.1) + 20 * math.sin(0.1), rel=1e-4)
    assert text_size(box)[1] == pytest.approx(100 * math.sin(0.1) + 20 * math.cos(0.1), rel=1e-4)
    assert float(along @ down) == pytest.approx(0, abs=0.01)
    for corner in word:
        assert cv2.pointPolygonTest(box[:, None], tuple(map(float, corner)), True) > -1e-3
    steep = leaning_box(word, -0.6)
    assert text_size(steep)[1] <= 2 * 20 + 1e-3 and steep[0, 1] > steep[1, 1]  # its top edge rises to the right


def test_sides_move_outwards_by_what_is_asked() -> None:
    word = np.array([[10, 10], [50, 10], [50, 30], [10, 30]], np.float32)
    np.testing.assert_allclose(grow_sides(word, 1, 2, 3, 4), [[9, 8], [53, 8], [53, 34], [9, 34]], atol=1e-5)


def test_words_whose_crops_are_for_validation_are_left_out(tmp_path: Path) -> None:
    photos, crops = tmp_path / "photos", tmp_path / "crops"
    for folder in (photos, crops):
        folder.mkdir()
        cv2.imwrite(str(folder / "a.png"), np.zeros((40, 80, 3), np.uint8))
    words = [
        {"polygon": [[x, 5], [x + 15, 5], [x + 15, 20], [x, 20]], "text": text, "ignore": text == "###"}
        for x, text in ((2, "one"), (20, "###"), (40, "two"), (60, "three"))
    ]
    row = {"image": "a.png", "width": 80, "height": 40, "level": "word", "split": "train", "words": words}
    (photos / "labels.jsonl").write_text(json.dumps(row) + "\n")
    rows = [
        {"image": "a.png", "text": text, "split": split}
        for text, split in (("one", "train"), ("two", "val"), ("three", "train"))
    ]
    (crops / "labels.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    item = CutData(path=photos, crops=crops)
    held_back = words_held_back(item)
    assert [polygon[0] for _, polygon in held_back] == [(40.0, 5.0)]
    (crops / "labels.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows[1:]))
    with pytest.raises(DataError, match=r"crop 1 reads 'two', that word of a\.png 'one'"):
        words_held_back(item)
    (crops / "labels.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows[:2]))
    with pytest.raises(DataError, match="2 crops, but"):
        words_held_back(item)


def test_words_in_other_scripts_become_crops_without_text() -> None:
    charset = Charset(DEFAULT_CHARACTERS)

    class Made:
        def foreign_crop(self, index: int) -> WordCrop:
            return WordCrop(np.full((30, 60, 3), index % 255, np.uint8), "", "other")

    config = RecognizerTrainConfig(output=Path("unused"), steps=1, batch_size=8, height=32, max_width=96, seed=5)
    source = WordBatches([], config, charset, 2, Made(), 0.0, 1.0)
    for batch in source.pool(0):
        assert batch["text"] == [""] * 8 and batch["length"].tolist() == [0] * 8 and len(batch["target"]) == 0
        assert batch["image"].shape[:2] == (8, 32)


def test_crops_on_which_nothing_is_written_have_no_text() -> None:
    config = RecognizerTrainConfig(output=Path("unused"), steps=1, batch_size=8, height=32, max_width=96, seed=5)
    source = WordBatches([], config, Charset(DEFAULT_CHARACTERS), 2, negatives=1.0)
    again = WordBatches([], config, Charset(DEFAULT_CHARACTERS), 2, negatives=1.0)
    for batch, same in zip(source.pool(0), again.pool(0), strict=True):
        assert batch["text"] == [""] * 8 and len(batch["target"]) == 0
        assert torch.equal(batch["image"], same["image"]) and batch["image"].float().std() > 1


@pytest.mark.parametrize(
    ("script", "text", "foreign"),
    [
        ("telugu", "\u0c28\u0c17\u0c30", True),
        ("bengali", None, True),
        ("other", "&", False),  # covered by the charset: it can be read
        ("latin", None, False),
        (None, None, False),
    ],
)
def test_which_words_are_foreign(script: str | None, text: str | None, foreign: bool) -> None:
    assert is_foreign(SceneWord(_box(0, 0, 9, 9), text, False, script), Charset(DEFAULT_CHARACTERS)) is foreign


def test_a_run_with_other_scripts_says_what_it_trains_on(tmp_path: Path) -> None:
    pytest.importorskip("wordfreq")
    words, photos, fonts = tmp_path / "words", tmp_path / "photos", tmp_path / "fonts"
    for folder in (words, photos, fonts):
        folder.mkdir()
        if folder != fonts:
            Image.new("RGB", (60, 30), "gray").save(folder / "a.png")
    (words / "labels.jsonl").write_text('{"image": "a.png", "text": "shop", "split": "train"}\n')
    region = {"polygon": _box(5, 5, 40, 20).tolist(), "text": "", "script": "Telugu"}
    row = {"image": "a.png", "width": 60, "height": 30, "split": "train"}
    row["words"] = [{**region, "ignore": False}, {**region, "ignore": True}]
    (photos / "labels.jsonl").write_text(json.dumps(row) + "\n")
    settings = {
        "output": tmp_path / "out", "steps": 1, "batch_size": 2, "width": 0.125, "mixer": 32, "foreign": 0.5,
        "data": [{"path": words}], "scenes": [{"path": photos}],
    }  # fmt: skip
    with pytest.raises(ConfigError, match="live_synthesis and foreign need the folder of typefaces"):
        RecognizerTask(RecognizerTrainConfig(**settings))
    face = next((Path(signboard.__file__).parent / "output" / "fonts").glob("*.ttf"))
    shutil.copyfile(face, fonts / "Some-tamil-400-normal.ttf")
    task = RecognizerTask(RecognizerTrainConfig(**settings, fonts=fonts))
    assert task.trained_on == [
        {"name": "words", "words": 1, "weight": 1.0},
        {"name": "words in other scripts (cut from photos)", "words": 1, "weight": 0.25},
        {"name": "synthesis in other scripts, without a text", "weight": 0.25},
    ]
