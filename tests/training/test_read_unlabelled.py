"""The shipped networks label photos: what is sure becomes a word, all else don't-care; the set can be trained on."""

from __future__ import annotations

import json
import runpy
import shutil
import sys
from pathlib import Path

import pytest
from PIL import Image

from signboard.reading import Word
from signboard.recognition.charset import DEFAULT_CHARACTERS, Charset
from signboard.training.adapters import load_scenes
from signboard.training.pseudo_labels import agreed

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "data" / "samples" / "road.jpg"


def _run(*arguments: str | Path) -> int:
    return int(runpy.run_path(str(ROOT / "scripts" / "read_unlabelled.py"))["main"]([str(a) for a in arguments]))


def test_a_folder_of_photos_becomes_a_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photos = tmp_path / "photos" / "नया"
    photos.mkdir(parents=True)
    shutil.copy(SAMPLE, photos / "road.jpg")
    Image.new("RGB", (300, 200), "gray").save(photos / "nothing.png")
    (photos / "broken.jpg").write_bytes(b"not a photo")
    assert _run(tmp_path / "photos", "--output", tmp_path / "out", "--min-confidence", "0.9") == 0
    (scene,) = load_scenes(tmp_path / "out", "train")
    assert scene.image == photos / "road.jpg"
    assert (scene.width, scene.height) == Image.open(SAMPLE).size
    words = [word for word in scene.words if not word.ignore]
    assert words and all(word.text and len(word.text) >= 3 for word in words)
    said = capsys.readouterr()
    assert said.out.startswith(f"{len(words)} words: ")
    assert "left out: " in said.err and "broken.jpg" in said.err


def test_a_labelled_set_gives_its_words_without_text_alone(tmp_path: Path) -> None:
    _run(SAMPLE.parent, "--output", tmp_path / "all", "--min-confidence", "0.9")
    scene = next(s for s in load_scenes(tmp_path / "all") if s.image == SAMPLE)
    known = [word for word in scene.words if not word.ignore]
    rows = [
        {"polygon": word.polygon.tolist(), "text": "" if i else word.text, "ignore": False}
        for i, word in enumerate(known)
    ]
    folder = tmp_path / "set"
    folder.mkdir()
    row = {"image": str(SAMPLE), "width": scene.width, "height": scene.height, "words": rows}
    (folder / "labels.jsonl").write_text(json.dumps(row, ensure_ascii=False) + "\n", encoding="utf-8")
    assert _run(folder, "--output", tmp_path / "out") == 0
    (made,) = load_scenes(tmp_path / "out", "train")
    found = [word.text for word in made.words if not word.ignore]
    assert found and set(found) <= {word.text for word in known[1:]}
    assert len(made.words) == len(known)  # the word whose text was known is don't-care here


@pytest.mark.parametrize(
    ("ours", "sure", "text", "confidence", "label"),
    [
        ("LIGHT", 0.3, "LIGHT", 0.9, "LIGHT"),
        ("Light", 0.95, "LIGHT", 0.9, "Light"),  # the surer one's case
        ("LIGHT", 0.3, "LIGHT", 0.7, None),
        ("TO", 0.3, "TO", 0.9, None),  # short and unsure
        ("TO", 0.6, "TO", 0.9, "TO"),
        ("TIF PING", 0.9, "TIFPING", 0.9, None),  # one word or two?
        ("SCANLEY", 0.5, "STANLEY", 0.99, "STANLEY"),
        ("SCANLEY", 0.5, "STANLEY", 0.97, None),
        ("MOON", 0.5, "STANLEY", 0.99, None),
        ("STANLEY ST", 0.5, "STANLEYST.", 0.99, None),
        ("KAMALA", 0.97, "KAMLA", 0.99, None),  # sure of it ourselves
        ("A1234", 0.6, "A1334", 0.99, None),  # no word tells which digit it is
        ("LIGHT", 0.7, "LIGHT\u3002", 0.95, "LIGHT"),  # a mark that cannot be learned
        ("STANLEY", 0.5, "STANLEY\u8857", 0.99, None),
        ("NO TO ALL OF", 0.9, "NO TO ALL OF", 0.9, None),  # four words
        ("", 0.0, "A", 0.99, None),
        ("LIGHT", 0.9, "", 0.0, None),
        ("LIGHT", 0.9, "-", 0.99, None),
    ],
)
def test_two_readings_make_a_label(ours: str, sure: float, text: str, confidence: float, label: str | None) -> None:
    word = Word(ours, ((0, 0), (9, 0), (9, 3), (0, 3)), sure, 1.0, "latin")
    assert agreed(word, text, confidence, Charset(DEFAULT_CHARACTERS)) == label


def test_a_second_system_that_cannot_be_had_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "labels.jsonl").write_text("")
    python = str(tmp_path / "no python")
    assert _run(tmp_path, "--output", tmp_path / "out", "--agree", "rapidocr", "--python", python) == 1
    assert f"error: {python}: cannot be started" in capsys.readouterr().err
    python = sys.executable  # in which the system is not
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "rapidocr.py").write_text("raise ImportError('not here')")
    assert _run(tmp_path, "--output", tmp_path / "out", "--agree", "rapidocr", "--python", python) == 1
    assert "error: rapidocr: ImportError: not here" in capsys.readouterr().err
    assert _run(SAMPLE.parent, "--output", tmp_path / "out", "--agree", "rapidocr") == 1
    assert "samples: no labels.jsonl" in capsys.readouterr().err
    assert _run(SAMPLE.parent, "--output", tmp_path / "out", "--dont-care") == 1
    assert "--dont-care: needs --agree" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    assert _run(tmp_path, "--output", tmp_path, "--agree", "rapidocr") == 1
    assert f"{tmp_path}: is an input, too" in capsys.readouterr().err
    assert _run(tmp_path, "--output", tmp_path / "out", "--agree", "rapidocr", "--min-length", "2") == 1
    assert "--min-length: --agree has a rule of its own" in capsys.readouterr().err


def test_what_a_second_system_reads_alike_becomes_a_label(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photo = Image.open(SAMPLE)
    _run(SAMPLE.parent, "--output", tmp_path / "all", "--min-confidence", "0.9")
    scene = next(s for s in load_scenes(tmp_path / "all") if s.image == SAMPLE)
    sure = [word for word in scene.words if not word.ignore]
    rows = [{"polygon": word.polygon.tolist(), "text": "", "ignore": i == 0} for i, word in enumerate(sure)]
    row = {"image": str(SAMPLE), "width": photo.width, "height": photo.height, "words": rows}
    (tmp_path / "labels.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    # A stand-in for the second system: it reads the crops' texts from a list, and dies after them.
    (tmp_path / "rapidocr.py").write_text(
        f"""
import os
from types import SimpleNamespace
TEXTS = {[word.text for word in sure[1:]]!r}
class RapidOCR:
    def __init__(self, params): pass
    def __call__(self, pixels, use_det, use_cls, use_rec):
        if not TEXTS: os._exit(3)
        return SimpleNamespace(txts=[TEXTS.pop(0)], scores=[0.9])
"""
    )
    (tmp_path / "rapidocr-1.0.dist-info").mkdir()
    (tmp_path / "rapidocr-1.0.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: rapidocr\nVersion: 1.0\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert _run(tmp_path, "--output", tmp_path / "out", "--agree", "rapidocr") == 0
    (made,) = load_scenes(tmp_path / "out", "train")
    assert sorted(word.text or "" for word in made.words if not word.ignore) == sorted(w.text or "" for w in sure[1:])
    before = (tmp_path / "out" / "labels.jsonl").read_text(encoding="utf-8")
    # One word more than the second system lives for: an error, and the earlier labels are still there.
    assert _run(tmp_path, "--output", tmp_path / "out", "--agree", "rapidocr", "--dont-care") == 1
    assert (tmp_path / "out" / "labels.jsonl").read_text(encoding="utf-8") == before


def test_an_empty_folder_is_an_error_that_names_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "none").mkdir()
    assert _run(tmp_path / "none", "--output", tmp_path / "out") == 1
    assert "none: no labels.jsonl and no photos" in capsys.readouterr().err
