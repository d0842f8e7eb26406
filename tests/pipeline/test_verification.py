"""What is a word, by both networks: the model, its card, the reader that uses it, fitting it, the script."""

from __future__ import annotations

import json
import math
import runpy
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from signboard import Reader
from signboard.detection import Detector, DetectorConfig, DetectorNetwork
from signboard.errors import DataError, WeightsError
from signboard.pipeline.mending.step import mend_words
from signboard.pipeline.mending.verification import RejectNonWords, Verifier, from_cards, length_terms
from signboard.pipeline.words import ReadWord
from signboard.recognition import Recognizer, RecognizerConfig, RecognizerNetwork
from signboard.training.adapters import load_scenes
from signboard.training.verification import Place, accept_all, fit_verifier, places
from signboard.weights import WEIGHTS_FOLDER, load_card

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "data" / "samples" / "road.jpg"
MODEL = Verifier(candidates=0.6, bias=-10.0, score=12.0, confidence=4.0, single=-3.0, double=-1.0)


def test_both_networks_and_the_length_count() -> None:
    assert MODEL.probability("road", 0.5, 0.7) == pytest.approx(1 / (1 + math.exp(-0.4)))
    assert MODEL.probability("ro", 0.5, 0.7) == pytest.approx(1 / (1 + math.exp(0.6)))
    assert MODEL.accepts("road", 0.5, 0.7) and not MODEL.accepts("ro", 0.5, 0.7) and not MODEL.accepts("r", 0.5, 0.7)
    assert MODEL.accepts("r", 0.9, 0.8)  # letters that stand alone are words where both are sure


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("", (1, 0)),
        ("!", (1, 0)),
        ("m.", (1, 0)),
        ("5", (1, 0)),
        ("GO", (0, 1)),
        ("की", (0, 1)),
        ("में", (0, 0)),
        ("₹20", (0, 1)),
    ],
)
def test_letters_digits_and_their_signs_are_counted(text: str, terms: tuple[int, int]) -> None:
    assert length_terms(text) == terms


def test_a_sign_before_a_number_is_a_word_if_the_number_is() -> None:
    def left(*words: tuple[str, float, float, float]) -> list[str]:
        quads = [np.array([[x, 0], [x + 30, 0], [x + 30, 40], [x, 40]], np.float32) for *_, x in words]
        some = [ReadWord(text, c, quad, 0, score) for (text, c, score, _), quad in zip(words, quads, strict=True)]
        (kept,) = mend_words([RejectNonWords(0.2, MODEL)], [np.zeros((8, 8, 3), np.uint8)], [some], lambda crops: [])
        return [word.text for word in kept]

    assert left(("₹", 0.6, 0.8, 0), ("450", 0.9, 0.8, 40)) == ["₹", "450"]
    assert left(("₹", 0.6, 0.8, 0), ("450", 0.9, 0.8, 200)) == ["450"]  # too far away
    assert left(("₹", 0.4, 0.8, 0), ("450", 0.9, 0.8, 40)) == ["450"]  # a guess
    assert left(("r", 0.6, 0.8, 0), ("450", 0.9, 0.8, 40)) == ["450"]
    assert left(("₹", 0.6, 0.8, 0), ("450", 0.3, 0.5, 40)) == []


def test_among_guesses_short_words_must_be_surer() -> None:
    def left(*words: tuple[str, float, float]) -> list[str]:
        quad = np.zeros((4, 2), np.float32)
        (kept,) = mend_words(
            [RejectNonWords(0.2, MODEL)],
            [np.zeros((9, 9, 3), np.uint8)],
            [[ReadWord(text, confidence, quad, score=score) for text, confidence, score in words]],
            lambda crops: [],
        )
        return [word.text for word in kept]

    leaves = [("S", 0.4, 0.6), ("890", 0.3, 0.6), ("8", 0.2, 0.6)]
    assert MODEL.probability("172", 0.98, 0.6) < 0.87 < MODEL.probability("172", 0.98, 0.7)
    assert left(*leaves, ("172", 0.98, 0.6)) == []
    assert left(*leaves, ("172", 0.98, 0.7)) == ["172"]
    assert left(*leaves, ("HOTEL", 0.98, 0.6)) == ["HOTEL"]
    assert left(("172", 0.98, 0.6), ("S", 0.4, 0.6)) == ["172"]  # too few to tell


def test_a_card_names_the_detector_it_is_for() -> None:
    recognizer = {"verifier": MODEL.to_card({"sha256": "abc"})}
    assert from_cards({"sha256": "abc"}, recognizer) == MODEL
    assert from_cards({"sha256": "other"}, recognizer) is None
    assert from_cards({}, recognizer) is None
    assert from_cards({}, {}) is None


@pytest.mark.parametrize(
    ("damage", "named"),
    [({"double": None}, "double"), ({"detector": None}, "detector"), ({"score": "nan"}, "finite"), (None, "verifier")],
)
def test_a_damaged_section_is_an_error(damage: dict[str, str | None] | None, named: str) -> None:
    section: Any = {**MODEL.to_card({"sha256": "abc"}), **(damage or {})}
    section = {name: value for name, value in section.items() if value is not None} if damage else [1]
    with pytest.raises(WeightsError, match=named):
        from_cards({"sha256": "abc"}, {"verifier": section})


def test_a_reader_keeps_what_the_model_keeps() -> None:
    torch.manual_seed(1)
    network = DetectorNetwork(DetectorConfig(width=0.125, neck=16))
    recognizer_network = RecognizerNetwork(RecognizerConfig(width=0.125, mixer=32, mixer_layers=1))

    def reader(model: Verifier | None, **options: Any) -> Reader:
        section = {} if model is None else {"verifier": model.to_card({"sha256": "abc"})}
        detector = Detector(network, side=160, threshold=0.12, box_threshold=0.9, card={"sha256": "abc"})
        untrained = Recognizer(recognizer_network, card=section)
        return Reader(detector=detector, recognizer=untrained, without=["repetition"], **options)

    rng = np.random.default_rng(0)
    photo = rng.integers(0, 256, (120, 160, 3), dtype=np.uint8)
    words = reader(accept_all(0.0)).read(photo).words
    assert words and not reader(None).read(photo).words  # by the detector's own threshold there are none
    # Whoever says a threshold gets it.
    assert not reader(accept_all(0.0), detection_threshold=0.95).read(photo).words
    assert len(reader(None, detection_threshold=0.0).read(photo).words) == len(words)
    assert not reader(Verifier(0.0, -10.0, 0.0, 0.0, 0.0, 0.0)).read(photo).words
    scores = sorted({word.detection_score for word in words})
    middle = (scores[len(scores) // 2 - 1] + scores[len(scores) // 2]) / 2
    surer = reader(Verifier(0.0, -1e5 * middle, 1e5, 0.0, 0.0, 0.0)).read(photo).words
    assert {w.polygon for w in surer} == {w.polygon for w in words if w.detection_score >= middle}


def _places(count: int, seed: int) -> list[Place]:
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        text, confidence, score = "street"[: rng.integers(1, 7)], rng.uniform(0, 1), rng.uniform(0.5, 1)
        found.append(Place(text, confidence, score, bool(rng.uniform() < MODEL.probability(text, confidence, score))))
    return found


def test_a_fit_finds_the_model_that_made_the_places() -> None:
    found = fit_verifier([_places(30000, 0)], 0.6)
    assert found.candidates == 0.6
    for name in ("bias", "score", "confidence", "single", "double"):
        assert getattr(found, name) == pytest.approx(getattr(MODEL, name), rel=0.1, abs=0.1), name


def test_every_set_counts_the_same() -> None:
    few, many = _places(2000, 1), [Place(p.text, p.confidence, p.score, False) for p in _places(20000, 2)]
    both = fit_verifier([few, many], 0.5)
    mean = np.mean([both.probability(p.text, p.confidence, p.score) for p in few])
    assert 0.25 * np.mean([p.word for p in few]) < mean < 0.75 * np.mean([p.word for p in few])


def test_nothing_to_tell_apart_is_an_error() -> None:
    with pytest.raises(DataError, match="both"):
        fit_verifier([[Place("road", 0.9, 0.9, True)] * 5, []], 0.5)


@pytest.mark.parametrize(("level", "width"), [("line", None), ("word", 999)])
def test_labels_that_say_nothing_of_words_are_an_error(tmp_path: Path, level: str, width: int | None) -> None:
    size = Image.open(SAMPLE).size
    word = {"polygon": [[0, 0], [9, 0], [9, 9], [0, 9]], "text": "a", "ignore": False}
    row = {"image": str(SAMPLE), "width": width or size[0], "height": size[1], "level": level, "words": [word]}
    (tmp_path / "labels.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    with pytest.raises(DataError, match=SAMPLE.name):
        places(Reader(verifier=accept_all(0.6)), load_scenes(tmp_path))


def test_the_script_writes_the_recognisers_card(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = Reader(verifier=accept_all(0.6)).read(SAMPLE).words
    rows = [{"polygon": word.polygon, "text": word.text, "ignore": False} for word in words[::2]]
    width, height = Image.open(SAMPLE).size
    row = {"image": str(SAMPLE), "width": width, "height": height, "split": "train", "words": rows}
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "labels.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    for name in ("recognizer.json", "recognizer.safetensors"):
        shutil.copy(WEIGHTS_FOLDER / name, tmp_path / name)
    main = runpy.run_path(str(ROOT / "scripts" / "fit_verifier.py"))["main"]
    card = tmp_path / "recognizer.json"
    common = ["--set", str(tmp_path / "set"), "--weights-recognizer", str(card)]
    assert main([*common, "--candidates", "0.6"]) == 0
    assert f"{len(words)} places, {len(rows)} of them words" in capsys.readouterr().out
    before, after = load_card(WEIGHTS_FOLDER / "recognizer.json", "recognizer"), load_card(card, "recognizer")
    assert after["sha256"] == before["sha256"]
    made = from_cards(load_card(WEIGHTS_FOLDER / "detector.json", "detector"), after)
    assert made is not None and made.candidates == 0.6
    assert {k: v for k, v in after.items() if k != "verifier"} == {k: v for k, v in before.items() if k != "verifier"}
    assert main([*common, "--split", "val"]) == 1
    assert "error: " in capsys.readouterr().err
