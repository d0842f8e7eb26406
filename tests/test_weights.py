"""The weights inside the package: the ones on their cards, small, and able to read signs of both scripts."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from signboard.errors import WeightsError
from signboard.pipeline.mending.verification import from_cards
from signboard.reader import Reader
from signboard.weights import WEIGHTS_FOLDER, load_card, load_state, save_weights, sha256

ROOT = Path(__file__).parents[1]
CARDS = sorted(WEIGHTS_FOLDER.glob("*.json"))


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader(device="cpu")


def test_both_stages_ship() -> None:
    assert {"detector.json", "recognizer.json"} <= {p.name for p in CARDS}


@pytest.mark.parametrize("path", CARDS, ids=lambda p: p.stem)
def test_weights_match_their_card(path: Path) -> None:
    card = json.loads(path.read_text(encoding="utf-8"))
    file = path.with_name(card["file"])
    assert file.suffix == ".safetensors" and sha256(file) == card["sha256"]
    assert card["licence"] and card["figures"] and card["trained_on"]


def test_the_weights_are_small_and_none_is_a_pickle() -> None:
    files = [p for p in WEIGHTS_FOLDER.iterdir() if p.suffix not in (".py", ".json") and p.is_file()]
    assert {p.suffix for p in files} == {".safetensors"}
    assert sum(p.stat().st_size for p in files) < 60 * 2**20


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("station", "नई दिल्ली NEW DELHI"),
        ("shop", "शर्मा मिष्ठान भंडार SHARMA SWEETS Phone 98765 43210"),
        ("road", "महात्मा गांधी मार्ग Mahatma Gandhi Road"),
    ],
)
def test_a_rendered_sign_in_both_scripts_is_read(reader: Reader, name: str, wanted: str) -> None:
    reading = reader.read(ROOT / "data" / "samples" / f"{name}.jpg")
    found = iter([w.text for w in reading.words])
    assert all(word in found for word in wanted.split()), reading.text  # all of them, in this order


def test_reading_opens_no_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    assert Reader(device="cpu", translate=True).read(ROOT / "data" / "samples" / "station.jpg").words


def test_the_shipped_verifier_is_for_the_shipped_detector() -> None:
    detector, recognizer = (load_card(WEIGHTS_FOLDER / f"{kind}.json", kind) for kind in ("detector", "recognizer"))
    verifier = from_cards(detector, recognizer)
    assert verifier is not None and verifier.candidates < detector["inference"]["box_threshold"]
    assert verifier.accepts("station", 0.9, 0.7) and not verifier.accepts("", 0.9, 0.7)


def test_what_is_too_large_for_fp16_stays_float32_and_what_is_not_finite_is_refused(tmp_path: Path) -> None:
    state = {"small": torch.tensor([1.5, -2.0]), "wide": torch.tensor([1e6, 0.25]), "count": torch.tensor([3])}
    path = save_weights(tmp_path / "w.json", state, {"kind": "detector"})
    assert {k: v.dtype for k, v in load_file(path.with_suffix(".safetensors")).items()} == {
        "small": torch.float16, "wide": torch.float32, "count": torch.int64
    }  # fmt: skip
    loaded = load_state(path, load_card(path, "detector"))
    assert all(torch.equal(loaded[name], value) for name, value in state.items())
    with pytest.raises(WeightsError, match=r"w\.safetensors: tensor bad is not finite"):
        save_weights(path, {"bad": torch.tensor([float("nan")])}, {"kind": "detector"})
    assert load_card(path, "detector")["sha256"] == sha256(path.with_suffix(".safetensors"))
