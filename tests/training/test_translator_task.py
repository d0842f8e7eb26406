"""The translator's training: pairs into examples, a vocabulary, a short run that learns, figures and calibration."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path
from runpy import run_path

import pytest

pytest.importorskip("pydantic", reason="needs the extra train")

from signboard.errors import DataError
from signboard.training.config import load_config
from signboard.training.sign_phrases import in_dev
from signboard.training.translator_task import (
    FILES,
    Example,
    TranslatorConfig,
    batches,
    calibrate,
    capitalised,
    choose_vocabulary,
    examples_of,
    gather,
    measure,
    parted,
    prepare,
    save,
    sign_outcomes,
    train,
)
from signboard.translation.speaker import CARD, SPECIAL, Speaker

CONFIG = Path(__file__).parents[2] / "configs" / "translator.yaml"
PAIRS = [
    ("मोहन की दुकान", "Mohan's shop", "composed"),
    ("यहाँ न बैठें", "do not sit here", "composed"),
    ("दुकान 5 रुपये", "shop for Rs 5", "composed"),
    ("आगरा", "Agra", "po_names"),
]


def _config(**changes: object) -> TranslatorConfig:
    small = {"channels": 32, "inner": 48, "encoder_layers": 1, "decoder_layers": 1, "spellings": 400, "glosses": 200}
    few = {"fewest": 1, "batch_size": 4, "warmup_steps": 5, "dropout": 0.0, "learning_rate": 0.005}
    return load_config(TranslatorConfig, CONFIG).model_copy(update={**small, **few, **changes})


def _ready(config: TranslatorConfig) -> tuple[list[Example], list[str]]:
    examples = examples_of(PAIRS)
    vocabulary = choose_vocabulary(examples, config)
    return prepare(examples, vocabulary, config.network(len(vocabulary))), vocabulary


def test_a_short_run_learns_and_is_measured(tmp_path: Path) -> None:
    config = _config(epochs=120)
    ready, vocabulary = _ready(config)
    assert [e.hindi for e in ready] == [hindi for hindi, _, _ in PAIRS]
    net = train(config, ready, ready, vocabulary, tmp_path / "run.json")
    save(net, config, vocabulary, tmp_path / "t.json", {"calibration": (1.0, 0.0)})
    figures, outcomes = measure(Speaker.load(tmp_path / "t.json"), ready)
    assert figures["all"] == {"phrases": 4, "chrf": 100.0, "exact": 1.0}
    assert figures["composed"]["phrases"] == 3
    assert all(right and sure <= 0 for sure, right, _ in outcomes)


def test_the_run_ends_by_steps_or_by_the_clock(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = _config(minutes=1e-9)
    ready, vocabulary = _ready(config)
    train(config, ready, ready, vocabulary, tmp_path / "run.json")
    assert "done: 0 phrases" in capsys.readouterr().out
    train(config, ready, ready, vocabulary, tmp_path / "run.json", steps=3)
    assert "done: 12 phrases" in capsys.readouterr().out
    with pytest.raises(DataError, match="no pair"):
        train(config, [], ready, vocabulary, tmp_path / "run.json")


def test_numbers_that_cannot_be_copied_and_unknown_words_are_left_out() -> None:
    config = _config()
    examples = examples_of([*PAIRS, ("दुकान 7", "shop seven", "composed"), ("दुकान; बैंक", "shop; bank", "composed")])
    assert len(examples) == 5  # of the last, two clauses, nothing is made
    vocabulary = choose_vocabulary(examples, config)
    assert vocabulary[: len(SPECIAL)] == list(SPECIAL)
    assert "दुकान 7" not in {e.hindi for e in prepare(examples, vocabulary, config.network(len(vocabulary)))}
    assert prepare(examples, SPECIAL, config.network(len(SPECIAL))) == [e for e in examples if e.hindi == "आगरा"]


def test_batches_hold_every_example_once() -> None:
    ready, _ = _ready(_config())
    found = [e.hindi for batch in batches(ready * 3, 5, random.Random(0)) for e in batch]
    assert sorted(found) == sorted(e.hindi for e in ready * 3)


def test_no_text_is_in_both_parts() -> None:
    many = [
        Example(f"दुकान{chr(0x915 + i)}{chr(0x915 + j)}", "x", "app_strings", [], [])
        for i in range(30)
        for j in range(9)
    ]
    train_on, dev = parted(many)
    assert dev and not {e.hindi for e in train_on} & {e.hindi for e in dev}
    assert len(train_on) == FILES["app_strings"] * sum(not in_dev(e.hindi) for e in many)


def test_gather_reads_files_and_composes(tmp_path: Path) -> None:
    for name in (*FILES, "indian_names", "railway_stations", "local_bodies_lgd"):
        (tmp_path / f"{name}.tsv").write_text("कमला\tKamla\n", encoding="utf-8")
    (tmp_path / "railway_stations.tsv").write_text("आगरा\tAGRA\tAG\tAgra\tUP\tuts\t1\n", encoding="utf-8")
    examples = gather(_config(composed=40), tmp_path)
    assert {e.kind for e in examples} == {*FILES, "composed"}
    assert sum(e.kind == "composed" for e in examples) > 30
    (tmp_path / "tatoeba_hin_eng.tsv").unlink()
    with pytest.raises(DataError, match="tatoeba"):
        gather(_config(), tmp_path)


def test_calibration_gives_the_share_of_right_phrases() -> None:
    outcomes = [(-1.0, i < 30, i % 2 == 0) for i in range(100)] + [(-0.1, i < 80, i % 2 == 0) for i in range(100)]
    scale, shift = calibrate(outcomes)
    for sure, share in ((-1.0, 0.3), (-0.1, 0.8)):
        assert abs(1 / (1 + math.exp(-(scale * sure + shift))) - share) < 0.02


def test_composed_phrases_weigh_as_much_as_all_others() -> None:
    rows = [(-0.5, True, True)] * 900 + [(-0.5, False, False)] * 100
    scale, shift = calibrate([*rows, (-9.0, False, True), (-9.0, False, False)])
    assert abs(1 / (1 + math.exp(-(scale * -0.5 + shift))) - 0.5) < 0.03


def test_capitals_are_those_inside_sentences() -> None:
    rows = [
        ("आगरा", "go to Agra", "composed"),
        ("दिल्ली", "The Red Fort", "app_strings"),
        ("आगरा", "Georgia", "po_names"),
    ]
    examples = [Example(h, e, kind, [], []) for h, e, kind in rows]
    assert capitalised(["agra", "red", "georgia", "go", "shop"], examples) == ["Agra", "red", "Georgia", "go", "shop"]


def test_outcomes_of_signs_are_of_phrases_that_the_network_speaks() -> None:
    rows = [
        ("गुप्ता जनरल स्टोर", "Gupta General Store"),
        ("गुप्ता जनरल स्टोर", "Gupta's shop / Gupta general store"),
        ("गुप्ता जनरल स्टोर", "Something else"),
        ("प्रवेश निषेध", "No entry"),  # one entry of the glossary
        ("दुकान। बैंक आगे है।", "Shop. Bank ahead."),  # two phrases
    ]
    outcomes = sign_outcomes(Speaker.load(), rows)
    assert [right for _, right, _ in outcomes] == [True, True, False]
    assert all(log_probability <= 0 for log_probability, _, _ in outcomes)


def test_the_shipped_calibration_is_what_the_script_finds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    card = tmp_path / "translator.json"
    for file in (CARD, CARD.with_suffix(".safetensors")):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    files = sorted((Path(__file__).parents[1] / "translation").glob("sign_phrases*.tsv"))
    script = run_path(str(CONFIG.parents[1] / "scripts" / "train_translator.py"))
    script["refit"](card, files)
    shipped, found = (json.loads(path.read_text(encoding="utf-8")) for path in (CARD, card))
    assert found["calibration"] == pytest.approx(shipped["calibration"], rel=0.1)
    assert f"{found['calibrated_on'].split()[0]} phrases" in capsys.readouterr().out
