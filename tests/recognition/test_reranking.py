"""What several looks at an unsure crop say of each text, and which text they are taken to show."""

from __future__ import annotations

import json
import math
import runpy
import shutil
from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from signboard.errors import WeightsError
from signboard.recognition import Charset, Recognizer
from signboard.recognition.ctc import ctc_loss
from signboard.recognition.language import LanguageModel
from signboard.recognition.reranking import (
    NAMES,
    Candidates,
    Features,
    Look,
    Reranker,
    candidates,
    from_card,
    log_probabilities,
)
from signboard.training.adapters import WordSample
from signboard.training.metrics import score_word
from signboard.training.reranking import Example, examples, fit_reranker
from signboard.weights import WEIGHTS_FOLDER, load_card

CHARSET = Charset()


@pytest.fixture(scope="module")
def language() -> LanguageModel:
    return LanguageModel.load()


def _frames(*seen: dict[str, float]) -> NDArray[np.float32]:
    """(T, C): a frame of each of the characters with these probabilities, the rest blank, and a blank behind it."""
    rows = np.zeros((2 * len(seen), len(CHARSET)), np.float32)
    rows[1::2, 0] = 1.0
    for row, some in zip(rows[::2], seen, strict=True):
        for character, p in some.items():
            row[CHARSET.encode(character)[0]] = p
        row[0] = 1.0 - sum(some.values())
    return rows


def _features(**some: float) -> Features:
    return Features(**{**dict.fromkeys(NAMES, 0.0), **some})


def _blurred(text: str) -> NDArray[np.uint8]:
    """A crop (40, 150, 3) that is hard to read."""
    crop = np.full((40, 150, 3), 200, np.uint8)
    cv2.putText(crop, text, (8, 30), cv2.FONT_HERSHEY_SIMPLEX, 1.0, (60, 60, 60), 2)
    return cv2.GaussianBlur(crop, (0, 0), 6.0).astype(np.uint8)


def test_log_probabilities_are_those_of_ctc() -> None:
    frames = np.random.default_rng(0).dirichlet(np.ones(len(CHARSET)), size=12).astype(np.float32)
    texts = ["STAR", "की", "O", "ALL"]
    found = log_probabilities(frames, texts, CHARSET)
    for text, value in zip(texts, found, strict=True):
        classes = torch.tensor(CHARSET.encode(text))
        logits = torch.log(torch.from_numpy(frames))[None]
        loss = ctc_loss(logits, classes, torch.tensor([len(classes)])).item()
        assert value == pytest.approx(max(-loss * len(classes), -60.0), rel=1e-4)
    # No alignment: more letters than frames.
    assert log_probabilities(frames, ["A" * 30], CHARSET) == pytest.approx([-60.0])


def test_looks_speak_for_texts_that_they_do_not_read(language: LanguageModel) -> None:
    clear = _frames({"S": 0.9}, {"T": 0.9}, {"A": 0.9}, {"R": 0.5, "P": 0.4})
    turned = _frames({"S": 0.9}, {"T": 0.9}, {"A": 0.9}, {"P": 0.5, "R": 0.4})
    looks = [Look(clear, "STAR", 0.4, (("Star", 0.2), ("STAP", 0.1))), Look(turned, "STAP", 0.3, (), True)]
    found = candidates("STAR", looks, CHARSET, language)
    assert found.texts == ("STAR", "STAP") and found.own == 0
    rows = [Features(*row) for row in found.features.tolist()]
    assert (rows[0].best, rows[0].as_cut, rows[1].best, rows[1].as_cut) == (0.4, 0.4, 0.3, 0.0)
    assert rows[0].agreeing == rows[1].agreeing == 0.0  # a look more, not a further reading of one
    assert rows[0].fit_as_cut == pytest.approx(math.log(0.9**3 * 0.5) / 4, abs=1e-4)
    # Both looks count for both texts, the better fit and the worse one.
    both = (math.log(0.9**3 * 0.5) + math.log(0.9**3 * 0.4)) / 8
    assert rows[0].fit == pytest.approx(both, abs=1e-4) and rows[1].fit == pytest.approx(both, abs=1e-4)
    assert rows[0].spelling > rows[1].spelling
    assert rows[0].length == pytest.approx(0.4) and rows[0].longer == rows[0].single == 0.0


def test_texts_without_letters_are_no_candidates(language: LanguageModel) -> None:
    found = candidates("", [Look(_frames({"A": 0.1}), "", 0.0), Look(_frames({"-": 0.9}), "-", 0.9)], CHARSET, language)
    assert found.texts == () and found.features.shape == (0, len(NAMES))
    assert Reranker(_features(best=1.0), 0.0).best(found) == (None, 0.0)
    found = candidates("", [Look(_frames({"A": 0.9}), "A", 0.5)], CHARSET, language)
    assert found.texts == ("A",) and found.own is None and found.features[0, NAMES.index("single")] == 1.0


def test_another_text_must_be_likelier_by_a_little() -> None:
    features = np.zeros((2, len(NAMES)))
    features[:, 0] = 0.5, 0.7
    # Scores of 0.5 and 0.7, then of 1 and 1.4; "none of them" has 0.
    assert Reranker(_features(best=1.0), 0.0).best(Candidates(("A", "B"), features, 0))[0] == 0
    chosen, probability = Reranker(_features(best=2.0), 0.0).best(Candidates(("A", "B"), features, 0))
    assert chosen == 1
    assert probability == pytest.approx(math.exp(1.4) / (math.exp(1.4) + math.exp(1.0) + 1.0))
    assert Reranker(_features(best=1.0), 0.0).best(Candidates(("A", "B"), features))[0] == 1
    assert Reranker(_features(best=1.0), 500.0).best(Candidates(("A", "B"), features))[1] < 1e-100


def test_cards_keep_the_model_and_damaged_ones_are_named() -> None:
    model = Reranker(_features(best=2.0, spelling=0.5), -1.0)
    card = {"reranker": model.to_card()}
    assert from_card(card) == model and from_card({}) is None
    with pytest.raises(WeightsError, match="spelling"):
        from_card({"reranker": {k: v for k, v in card["reranker"].items() if k != "spelling"}})
    for damaged in ({**card["reranker"], "none": "much"}, {**card["reranker"], "none": math.nan}):
        with pytest.raises(WeightsError, match="reranker"):
            from_card({"reranker": damaged})
    with pytest.raises(WeightsError, match="unknown"):
        from_card({"reranker": {**card["reranker"], "more": 1.0}})
    shipped = from_card(load_card(WEIGHTS_FOLDER / "recognizer.json", "recognizer"))
    assert shipped is not None and shipped.weights.best > 0 < shipped.weights.spelling


def test_fitting_finds_what_tells_right_texts_from_others() -> None:
    generator = np.random.default_rng(1)
    truth = Reranker(_features(best=6.0, fit=2.0), 4.0)
    data = []
    for _ in range(1500):
        features = np.zeros((4, len(NAMES)))
        features[:, NAMES.index("best")] = generator.random(4)
        features[:, NAMES.index("fit")] = -generator.random(4)
        features[:, NAMES.index("length")] = generator.random(4)  # means nothing
        scores = np.append(features @ np.array([asdict(truth.weights)[name] for name in NAMES]), truth.none)
        right = generator.choice(5, p=np.exp(scores) / np.exp(scores).sum())
        data.append(Example(Candidates(tuple("ABCD"), features), tuple(k == right for k in range(4))))
    found = fit_reranker(data, decay=1e-5)
    assert found.weights.best == pytest.approx(6.0, abs=1.0) and found.weights.fit == pytest.approx(2.0, abs=1.0)
    assert found.none == pytest.approx(4.0, abs=1.0) and abs(found.weights.length) < 0.7
    # Its probabilities are as often right as they say.
    chosen = [(found.best(example.candidates), example.right) for example in data]
    assert np.mean([p for (_, p), _ in chosen]) == pytest.approx(
        np.mean([r[k] for (k, _), r in chosen if k is not None]), abs=0.03
    )


def test_examples_are_the_unsure_crops_with_their_right_texts_marked() -> None:
    recognizer = Recognizer.load(precision="fp32")
    crop = _blurred("MEMORY")
    (found,) = recognizer.candidates([crop])
    assert found is not None and len(found.texts) > 1
    word = found.texts[-1]
    labelled = [(crop, WordSample(Path("a.png"), label, None, "val", True, "")) for label in (word.upper(), "--")]
    (example,) = examples(recognizer, labelled)  # a label without letters is no example
    assert [text for text, right in zip(example.candidates.texts, example.right, strict=True) if right] == [word]


def test_the_script_writes_the_recognisers_card(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    crop = _blurred("MEMORY")
    Image.fromarray(crop).save(tmp_path / "a.png")
    Image.fromarray(np.full_like(crop, 200)).save(tmp_path / "b.png")
    (found,) = Recognizer.load(precision="fp32").candidates([crop])
    assert found is not None
    pictures = {"one": ["a", "a"], "two": ["a", "a"], "none": ["b"]}
    texts = {"one": [found.texts[-1], "zzzz"], "two": [found.texts[0], "zzzz"], "none": ["STOP"]}
    sets = []
    for name in pictures:
        rows = [
            {"image": str(tmp_path / f"{picture}.png"), "text": text, "split": "val"}
            for picture, text in zip(pictures[name], texts[name], strict=True)
        ]
        (tmp_path / name).mkdir()
        (tmp_path / name / "labels.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n", encoding="utf-8")
        sets.append(str(tmp_path / name))
    for name in ("recognizer.json", "recognizer.safetensors"):
        shutil.copy(WEIGHTS_FOLDER / name, tmp_path / name)
    card = tmp_path / "recognizer.json"
    before = load_card(card, "recognizer")
    main = runpy.run_path(str(Path(__file__).parents[2] / "scripts" / "fit_reranker.py"))["main"]
    common = ["--weights", str(card), "--split", "val", "--precision", "fp32", "--set"]
    assert main([*common, *sets[:2], "--left-out", "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert f"{sets[0]}: 2 words, 2 unsure, the right text among the candidates of 1" in said
    assert f"{sets[1]}: " in said and "fitted to the other sets" in said
    assert load_card(card, "recognizer") == before
    assert main([*common, *sets[:2]]) == 0
    after = load_card(card, "recognizer")
    made = from_card(after)
    assert made is not None and made != from_card(before)
    assert {k: v for k, v in after.items() if k != "reranker"} == {k: v for k, v in before.items() if k != "reranker"}
    capsys.readouterr()
    # Nothing to learn from is an error, and the card stays.
    assert main([*common, sets[2]]) == 1
    assert "error: " in capsys.readouterr().err
    assert main([*common, str(tmp_path / "missing")]) == 1
    assert "missing" in capsys.readouterr().err
    assert load_card(card, "recognizer") == after


def test_unsure_crops_are_read_alike_alone_and_in_company() -> None:
    recognizer = Recognizer.load(precision="fp32")
    generator = np.random.default_rng(3)
    crops = [generator.integers(0, 256, (30, 60 + 10 * k, 3), np.uint8) for k in range(3)]
    together = recognizer.read_crops(crops)
    assert together == [recognizer.read_crops([crop])[0] for crop in crops]
    some = recognizer.candidates(crops)
    assert len(some) == 3
    for found, (text, confidence) in zip(some, together, strict=True):
        assert 0.0 <= confidence <= 1.0
        if found is not None and found.texts and text:
            assert any(score_word(text, other).correct for other in found.texts)
