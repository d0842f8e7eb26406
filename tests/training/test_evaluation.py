"""Scoring of functions that find or read words, on pictures made here; and the two scripts around it."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from signboard.errors import DataError, PhotoError
from signboard.training import peer_systems, peers
from signboard.training.adapters import SceneSample, SceneWord, WordSample, load_scenes
from signboard.training.evaluation import (
    ReadWord,
    detection_table,
    end_to_end_table,
    is_word_set,
    markdown_table,
    mistakes_json,
    report_json,
    scene_crops,
    score_detection,
    score_photos,
    score_words,
    word_table,
)

SCRIPTS = Path(__file__).parents[2] / "scripts"


def box(left: float, top: float, width: float, height: float) -> np.ndarray:
    right, bottom = left + width, top + height
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]], dtype=np.float32)


def script(name: str) -> ModuleType:
    """A script as a module."""
    spec = importlib.util.spec_from_file_location(f"scripts_{name}", SCRIPTS / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def scene(tmp_path: Path) -> SceneSample:
    """A photo of 100x60 with four words: read, unknown, ignored, and one in Devanagari."""
    pixels = np.zeros((60, 100, 3), np.uint8)
    pixels[5:15, 10:40] = (255, 0, 0)
    file = tmp_path / "a.png"
    Image.fromarray(pixels).save(file)
    words = (
        SceneWord(box(10, 5, 30, 10), "Shop", False, None),
        SceneWord(box(50, 5, 30, 10), None, False, None),
        SceneWord(box(10, 25, 30, 10), None, True, None),
        SceneWord(box(50, 25, 30, 10), "होटल", False, "devanagari"),
    )
    return SceneSample(file, 100, 60, words, "word", "val", "made")


def test_detection(scene: SceneSample) -> None:
    seen: list[tuple[int, ...]] = []

    def detect(photos: list[np.ndarray]) -> list[SimpleNamespace]:
        seen.extend(photo.shape for photo in photos)
        return [SimpleNamespace(polygons=[box(10, 5, 30, 10), box(12, 26, 20, 5), box(0, 50, 9, 9)]) for _ in photos]

    report = score_detection(detect, [scene, scene, scene], batch_size=2, source="made")
    assert seen == [(60, 100, 3)] * 3
    assert (report.detection.matched, report.detection.truths, report.detection.detections) == (3, 9, 6)
    assert "| made | 3 | 9 | 50.0 % | 33.3 % | 40.0 % |" in detection_table([report])
    with pytest.raises(ValueError, match="1 results came out"):
        score_detection(lambda photos: [SimpleNamespace(polygons=[])], [scene, scene], batch_size=2)
    with pytest.raises(DataError, match="no photos"):
        score_detection(detect, [])


def test_photos(scene: SceneSample) -> None:
    words = [
        ReadWord(box(10, 5, 30, 10), "shop", 0.9),
        ReadWord(box(50, 5, 30, 10), "guess", 0.8),
        ReadWord(box(50, 25, 14, 10), "हो", 0.7),
        ReadWord(box(66, 25, 14, 10), "टल", 0.6),
    ]
    report = score_photos(lambda sample: words, [scene], source="made")
    assert report.end_to_end is not None and report.bag_of_words is not None
    assert (report.end_to_end.matched, report.end_to_end.truths, report.end_to_end.detections) == (1, 2, 3)
    assert (report.detection.matched, report.detection.truths, report.detection.detections) == (2, 3, 4)
    assert (report.bag_of_words.matched, report.bag_of_words.detections) == (1, 3)
    assert report.by_script == {"devanagari": (1, 0, 0), "latin": (1, 1, 1)}
    assert [(row["kind"], row["truth"], row["read"]) for row in mistakes_json(report)] == [
        ("split", "होटल", "हो टल"),
        ("false", "", "हो"),
        ("false", "", "टल"),
    ]
    json.dumps(report_json(report))
    assert "| made | 1 | 3 | 57.1 % | 2 | 33.3 % | 50.0 % | 40.0 % | 40.0 % |" in end_to_end_table([report])


def test_merged_missed_and_misread(scene: SceneSample) -> None:
    merged = score_photos(lambda sample: [ReadWord(box(10, 5, 70, 30), "all")], [scene])
    assert [mistake.kind for mistake in merged.mistakes] == ["merged", "merged", "false"]
    misread = score_photos(lambda sample: [ReadWord(box(10, 5, 30, 10), "Stop")], [scene])
    assert [(mistake.kind, mistake.truth) for mistake in misread.mistakes] == [("misread", "Shop"), ("missed", "होटल")]


def test_line_sets_give_detection_only(scene: SceneSample) -> None:
    lines = SceneSample(scene.image, 100, 60, scene.words, "line", "val", "lines")
    report = score_photos(lambda sample: [], [lines], source="lines")
    assert report.end_to_end is None and report.bag_of_words is None
    assert end_to_end_table([report]).endswith("| lines | 1 | 3 | 0.0 % | – | – | – | – | – |")


def test_scene_crops(scene: SceneSample) -> None:
    (first, labelled), (_, second) = scene_crops([scene])
    assert first.shape == (10, 30, 3)
    assert (first[1:-1, 1:-1] == (255, 0, 0)).all()
    assert (labelled.text, second.text, second.script) == ("Shop", "होटल", "devanagari")


def test_words(tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    Image.new("RGB", (30, 10)).save(file)
    texts = ["Shop", "होटल", "!", "20"]
    samples = [WordSample(file, text, None, "val", True, "made") for text in texts]
    readings = {"Shop": ("SHOP", 0.9), "होटल": ("होटला", 0.9), "!": ("?", 0.1), "20": ("20", 0.5)}
    answers = iter(texts)
    sizes: list[int] = []

    def read(crops: list[np.ndarray]) -> list[tuple[str, float]]:
        sizes.append(len(crops))
        return [readings[next(answers)] for _ in crops]

    report = score_words(read, samples, batch_size=3, source="made")
    assert sizes == [3, 1]
    assert (report.total.words, report.total.skipped, report.total.correct, report.total.exact) == (3, 1, 2, 1)
    assert {name: score.accuracy for name, score in report.by_script.items()} == {
        "devanagari": 0,
        "digits": 1,
        "latin": 1,
    }
    assert [(mistake.truth, mistake.read) for mistake in report.mistakes] == [("होटल", "होटला")]
    assert report.calibration_error == pytest.approx(2 / 3 * (0.9 - 0.5) + 1 / 3 * 0.5)
    table = word_table([report])
    assert "| made | all | 3 | 66.7 % | 33.3 % | 40.0 % | 43.3 % |" in table  # 4 edits over 10 characters
    assert "| made | devanagari | 1 | 0.0 % | 0.0 % | 25.0 % | – |" in table
    json.dumps(report_json(report))
    with pytest.raises(ValueError, match="4 crops went in, 0 readings came out"):
        score_words(lambda crops: [], samples)
    with pytest.raises(DataError, match="no words"):
        score_words(read, [])


def test_kind_of_set(tmp_path: Path) -> None:
    labels = tmp_path / "labels.jsonl"
    labels.write_text('\n{"image": "a.png", "text": "x"}\n')
    assert is_word_set(tmp_path) and is_word_set(labels)
    labels.write_text('{"image": "a.png", "words": []}\n')
    assert not is_word_set(tmp_path)
    labels.write_text("{")
    with pytest.raises(DataError, match="not valid JSON"):
        is_word_set(tmp_path)
    with pytest.raises(DataError, match="no such file"):
        is_word_set(tmp_path / "nowhere")


def test_markdown_table_keeps_its_columns() -> None:
    assert markdown_table(("a", "b"), [("x|y", 1)]) == "| a | b |\n| --- | ---: |\n| x\\|y | 1 |"


def write_set(folder: Path, scene: SceneSample) -> Path:
    (folder / "labels.jsonl").write_text(
        json.dumps(
            {
                "image": scene.image.name,
                "width": 100,
                "height": 60,
                "split": "val",
                "words": [
                    {"polygon": word.polygon.tolist(), "text": word.text or "", "ignore": word.ignore}
                    for word in scene.words
                ],
            }
        )
    )
    return folder


def test_evaluate_script(
    tmp_path: Path, scene: SceneSample, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    evaluate = script("evaluate")
    folder = write_set(tmp_path, scene)
    found = SimpleNamespace(polygons=[word.polygon for word in load_scenes(folder)[0].words])
    reading = SimpleNamespace(
        width=100,
        height=60,
        words=[SimpleNamespace(polygon=((10, 5), (40, 5), (40, 15), (10, 15)), text="shop", confidence=0.5)],
    )
    monkeypatch.setattr(evaluate, "_detector", lambda *a: SimpleNamespace(detect=lambda photos: [found] * len(photos)))
    monkeypatch.setattr(evaluate, "_reader", lambda *a: SimpleNamespace(read=lambda path: reading))
    recognizer = SimpleNamespace(read_crops=lambda crops: [("होटल", 0.5)] * len(crops))
    monkeypatch.setattr(evaluate, "_recognizer", lambda *a: recognizer)
    out, mistakes = tmp_path / "out.json", tmp_path / "mistakes.jsonl"
    command = ["all", "--set", str(folder), "--split", "val", "--json", str(out), "--mistakes", str(mistakes)]
    assert evaluate.main(command) == 0
    tables = capsys.readouterr().out
    name = tmp_path.name
    assert f"| {name} val | 1 | 3 | 100.0 % | 100.0 % | 100.0 % |" in tables
    assert f"| {name} val | 1 | 3 | 50.0 % | 2 | 100.0 % | 50.0 % | 66.7 % |" in tables
    assert f"| {name} val | all | 2 | 50.0 % |" in tables
    figures = json.loads(out.read_text(encoding="utf-8"))
    assert figures["end_to_end"][0]["end_to_end"]["recall"] == 0.5
    assert figures["command"].startswith("scripts/evaluate.py all --set")
    kinds = [json.loads(line)["kind"] for line in mistakes.read_text(encoding="utf-8").splitlines()]
    assert sorted(kinds) == ["misread", "missed"]
    reading.width = 50
    assert evaluate.main(["end-to-end", "--set", str(folder)]) == 1
    assert "read at 50x60, labelled at 100x60" in capsys.readouterr().err

    def broken(path: Path) -> None:
        raise PhotoError("a.png: truncated image")

    monkeypatch.setattr(evaluate, "_reader", lambda *a: SimpleNamespace(read=broken))
    assert evaluate.main(["end-to-end", "--set", str(folder)]) == 1
    assert capsys.readouterr().err == "a.png: truncated image\n"


def test_evaluate_script_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    evaluate = script("evaluate")
    assert evaluate.main(["all", "--set", str(tmp_path / "nowhere")]) == 1
    assert capsys.readouterr().err.count("\n") == 1
    Image.new("RGB", (30, 10)).save(tmp_path / "a.png")
    (tmp_path / "labels.jsonl").write_text('{"image": "a.png", "text": "x"}\n')
    assert evaluate.main(["detection", "--set", str(tmp_path)]) == 1
    assert "needs photos" in capsys.readouterr().err


def test_split_line() -> None:
    pieces = peers.split_line(box(0, 0, 80, 10), " Bus  Stop ")
    assert [text for _, text in pieces] == ["Bus", "Stop"]
    np.testing.assert_allclose(pieces[0][0], box(0, 0, 30, 10))
    np.testing.assert_allclose(pieces[1][0], box(40, 0, 40, 10))
    assert len(peers.split_line(box(0, 0, 80, 10), "Bus")) == 1


def test_compare_with_a_worker(
    tmp_path: Path, scene: SceneSample, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    compare = script("compare")
    folder = write_set(tmp_path, scene)
    # A worker that stands in for a system that returns one line, prints to stdout, and fails on crops.
    stand_in = tmp_path / "worker.py"
    stand_in.write_text(
        """
import sys
from signboard.training import peer_systems

class Fake:
    def __init__(self, threads, options):
        self.version = f"Fake {threads}"
    def read(self, pixels):
        print("noise")
        assert pixels.shape == (60, 100, 3)
        return [([[10, 5], [40, 5], [40, 15], [10, 15]], "Shop", 0.9)]
    def read_crop(self, pixels):
        raise ValueError("no crops")

class Missing:
    def __init__(self, threads, options):
        raise ImportError("not here")

peer_systems.SYSTEMS.update(tesseract=Fake, easyocr=Missing)
peer_systems.work(sys.argv[1], int(sys.argv[2]), {})
"""
    )
    monkeypatch.setattr(peer_systems, "__file__", str(stand_in))
    out = tmp_path / "out.json"
    command = ["--set", str(folder), "--systems", "tesseract", "--threads", "1", "--json", str(out)]
    assert compare.main(command) == 0
    printed = capsys.readouterr()
    assert f"| {tmp_path.name} | Fake 1 | 1 | 50.0 % | 66.7 % | 66.7 % | 2 | 0.0 % |" in printed.out
    assert "tesseract: 2 failed, the first: ValueError: no crops" in printed.err
    (result,) = json.loads(out.read_text(encoding="utf-8"))
    assert result["failed"] == 2 and result["seconds_a_photo"] >= 0
    # A system that is not there is named and left out; none at all, or no set, is a failure.
    assert compare.main([*command, "--systems", "easyocr,tesseract"]) == 0
    assert "easyocr: left out, ImportError: not here" in capsys.readouterr().err
    assert compare.main([*command, "--systems", "easyocr"]) == 1
    assert compare.main(["--set", str(tmp_path / "nowhere"), "--systems", "tesseract"]) == 1
