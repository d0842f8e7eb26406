"""The transliteration network and what stands around it: decoding, batching, digits, dots, weights and their card."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import unicodedata
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from signboard.errors import ConfigError, SignboardError, WeightsError
from signboard.training.transliteration_network import TransliterationConfig, TransliterationNet
from signboard.translation import Transliterator, romanize, to_iso15919
from signboard.translation.transliteration import (
    DEVANAGARI,
    LATIN,
    WEIGHTS,
    default_transliterator,
    encode_words,
    spelling_net,
)

WORDS = ["प्रवेश", "निषेध", "शर्मा", "मिष्ठान", "भंडार", "रेलवे", "स्टेशन", "अ", "छठ", "पोलायकलां", "विश्वविद्यालय"]


@pytest.fixture(scope="module")
def model() -> Transliterator:
    return default_transliterator()


@pytest.mark.parametrize(
    ("word", "spelling"),
    [("रेलवे", "railway"), ("दिल्ली", "dilli"), ("शर्मा", "sharma"), ("स्टेशन", "station"), ("ऑफिस", "office"), ("ॐ", "om")],
)
def test_known_words(model: Transliterator, word: str, spelling: str) -> None:
    assert model.transliterate_words([word]) == [spelling]


def test_batch_equals_one_by_one(model: Transliterator) -> None:
    """Padding and the words beside it must not change a word's spelling."""
    assert model.transliterate_words(WORDS) == [model.transliterate_words([w])[0] for w in WORDS]


def _arrays(net: TransliterationNet) -> partial[np.ndarray]:
    weights = {name: value.detach().numpy() for name, value in net.state_dict().items()}
    return partial(spelling_net, weights, net.config.slots)


def _tensors(words: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
    ids, lengths = encode_words(words)
    return torch.from_numpy(ids), torch.from_numpy(lengths)


def test_arrays_equal_the_trained_network_and_padding_does_not_reach_the_output() -> None:
    torch.manual_seed(0)
    net = TransliterationNet(TransliterationConfig(8, 8, 3, 8)).eval()
    with torch.inference_mode():
        alone = net(*_tensors(["छठ"]))
        beside = net(*_tensors(["छठ", "विश्वविद्यालय"]))
    assert torch.allclose(alone[0], beside[0, : alone.shape[1]], atol=1e-5)
    assert np.allclose(_arrays(net)(*encode_words(["छठ", "विश्वविद्यालय"])), beside.numpy(), atol=1e-5)


def test_gradient_reaches_the_first_layer_and_a_batch_is_learned() -> None:
    torch.manual_seed(0)
    net = TransliterationNet(TransliterationConfig(16, 24, 3, 24, dropout=0.0))
    words, targets = ["रेल", "बस", "सड़क"], ["rail", "bas", "sadak"]
    optimizer = torch.optim.Adam(net.parameters(), lr=3e-2)
    ids, lengths = _tensors(words)
    flat = torch.tensor([1 + LATIN.index(c) for t in targets for c in t])
    for step in range(60):
        log_probs = net(ids, lengths).transpose(0, 1)
        loss = torch.nn.functional.ctc_loss(log_probs, flat, lengths * 3, torch.tensor([len(t) for t in targets]))
        optimizer.zero_grad()
        loss.backward()
        if step == 0:
            gradient = net.embedding.weight.grad
            assert gradient is not None and gradient.abs().sum() > 0
        optimizer.step()
    assert Transliterator(_arrays(net)).transliterate_words(words) == targets


def test_n_best(model: Transliterator) -> None:
    spellings = model.n_best("दिल्ली", 5)
    assert len(spellings) == 5 == len({s.text for s in spellings})
    assert [s.confidence for s in spellings] == sorted((s.confidence for s in spellings), reverse=True)
    assert sum(s.confidence for s in spellings) <= 1 + 1e-6
    assert spellings[0].text == "dilli"
    assert model.n_best("ॐ")[0].text == "om" and model.n_best("") == [] and model.n_best("abc") == []
    with pytest.raises(ConfigError, match="at least 1"):
        model.n_best("दिल्ली", 0)


def test_prefix_beam_sums_paths(model: Transliterator) -> None:
    """The likeliest spelling's probability equals the CTC forward sum that the loss computes."""
    best = model.n_best("स्टेशन", 1, beam=64)[0]
    ids, lengths = encode_words(["स्टेशन"])
    log_probs = torch.from_numpy(model._net(ids, lengths)).transpose(0, 1)
    target = torch.tensor([1 + LATIN.index(c) for c in best.text])
    loss = torch.nn.functional.ctc_loss(
        log_probs, target, torch.tensor([log_probs.shape[0]]), torch.tensor([len(best.text)]), reduction="sum"
    )
    assert best.confidence == pytest.approx(float((-loss).exp()), rel=1e-3)


@pytest.mark.parametrize(
    ("text", "latin"),
    [
        ("", ""),
        ("Hello, 12", "Hello, 12"),
        ("९८७६५", "98765"),
        ("पाकिस्तान پاکستان 😀", "pakistan پاکستان 😀"),
        ("डॉ. शर्मा", "dr. sharma"),
        ("डॉ० शर्मा", "dr. sharma"),
        ("एल.आई.सी. रोड", "L.I.C. road"),
        ("बी.ए.", "B.A."),
        ("एम.डी", "M.D"),
        ("कि.मी.", "ki.mi."),
        ("बी", "bi"),
        ("शर्मा।", "sharma."),
        ("ज़िला", "zila"),
        ("OPEN स्टेशन", "OPEN station"),
    ],
)
def test_romanize(text: str, latin: str) -> None:
    assert romanize(text) == latin


def test_spelling_variants_of_one_letter_agree(model: Transliterator) -> None:
    composed, decomposed = "\u095bिला", unicodedata.normalize("NFD", "\u095bिला")
    assert model.transliterate_words([composed]) == model.transliterate_words([decomposed])
    assert model.transliterate_words(["क्\u200dषमा"]) == model.transliterate_words(["क्षमा"])
    assert model.transliterate_words(["क" * 10_000])[0].isalpha()
    assert model.transliterate_words(["्", "", "abc", "़"]) == ["", "", "", ""]


def test_every_letter_of_the_block_is_harmless(model: Transliterator) -> None:
    for code in range(0x0900, 0x0980):
        (spelling,) = model.transliterate_words([chr(code)])
        assert set(spelling) <= set(LATIN)


def test_iso15919() -> None:
    pytest.importorskip("indic_transliteration", reason="needs the extra translate")
    assert to_iso15919("प्रवेश निषेध") == "pravēśa niṣēdha"
    assert to_iso15919("Delhi 12") == "Delhi 12"


# Weights ------------------------------------------------------------------------------------------------------------


def test_packaged_weights_are_small_fp16_and_carry_their_card() -> None:
    from safetensors.torch import load_file

    assert WEIGHTS.stat().st_size < 6 * 2**20
    assert {tensor.dtype for tensor in load_file(str(WEIGHTS)).values()} == {torch.float16}
    card = json.loads(WEIGHTS.with_suffix(".json").read_text(encoding="utf-8"))
    assert card["characters_in"] == DEVANAGARI and "CC BY-SA 4.0" in card["data_licence"]
    assert card["figures"]["attested_share"] >= 0.75 and card["figures"]["cer_nearest"] <= 0.06


def test_weights_errors(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no such card"):
        Transliterator.load(tmp_path / "none.safetensors")
    path = tmp_path / "t.safetensors"
    shutil.copy(WEIGHTS, path)
    card = {**json.loads(WEIGHTS.with_suffix(".json").read_text(encoding="utf-8")), "file": path.name}

    def refused(message: str, **changes: object) -> None:
        path.with_suffix(".json").write_text(json.dumps({**card, **changes}), encoding="utf-8")
        with pytest.raises(WeightsError, match=message):
            Transliterator.load(path)

    refused("checksum", sha256="0")
    refused("other characters", characters_in="abc")
    refused("do not fit", architecture={**card["architecture"], "hidden": 8})
    refused("do not fit", architecture={"layers": 3})
    path.write_bytes(path.read_bytes()[:1000])
    refused("checksum")


# The command and the training script --------------------------------------------------------------------------------


def test_command() -> None:
    from typer.testing import CliRunner

    from signboard.cli import app

    runner = CliRunner()
    result = runner.invoke(app, ["translate", "प्रवेश निषेध"])
    assert (result.exit_code, result.stdout) == (0, "No entry\tpravesh nishedh\n")
    result = runner.invoke(app, ["translate", "--json", "--n-best", "2", "शर्मा"])
    record = json.loads(result.stdout)
    assert record["english"] == "Sharma" and record["parts"][0]["source"] == "glossary"
    assert record["spellings"]["शर्मा"][0]["text"] == "sharma"
    assert runner.invoke(app, ["translate", "-"], input="नई दिल्ली\nOK\n").stdout == "New Delhi\tnai dilli\nOK\tOK\n"
    assert runner.invoke(app, ["translate", " "]).exit_code == 2
    columns = runner.invoke(app, ["translate", "प्रवेश\tनिषेध\nOK"]).stdout
    assert columns.count("\t") == columns.count("\n") == 1


@pytest.mark.parametrize("text", ["प्रवेश निषेध", "پاکستان", "😀 दिल्ली"])
@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "utf-8"])
def test_command_writes_and_reads_utf8_whatever_the_locale(encoding: str, text: str) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    for arguments, given in ((["--json", text], ""), (["--json", "-"], text)):
        command = [sys.executable, "-m", "signboard.cli", "translate", *arguments]
        done = subprocess.run(command, input=given.encode(), capture_output=True, env=environment)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout.decode("utf-8"))["text"] == text


def test_command_needs_no_torch() -> None:
    """It takes longer to import than all the rest."""
    code = (
        "import sys; from signboard.cli import app\n"
        "try: app(['translate', 'यहाँ पोलायकलां की दुकान 5'])\n"
        "finally: assert 'torch' not in sys.modules"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0


CONFIG = Path(__file__).resolve().parents[2] / "configs" / "transliterator.yaml"


def test_training(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    task = pytest.importorskip("signboard.training.transliterator_task", reason="needs the extra train")
    from signboard.training.config import load_config

    lexicon = tmp_path / "train.tsv"
    lexicon.write_text("rail\tरेल\t3\nbas\tबस\t2\n", encoding="utf-8")
    config = load_config(task.TransliteratorConfig, CONFIG, ["epochs=200", "embedding=24", "hidden=24", "channels=24"])
    rows = task.load_lexicon(lexicon)
    net = task.train(config.model_copy(update={"dropout": 0.0, "warmup_steps": 5}), rows)
    task.save(net, config, tmp_path / "w.json", {"words": 2, "words_per_second": 1})
    model = Transliterator.load(tmp_path / "w.safetensors")
    assert model.card["figures"] == {"words": 2}
    figures = task.evaluate(model, rows)
    assert figures["words"] == figures["attested"] == 2 and figures["cer_nearest"] == 0
    assert "| 2 |" in task.table(figures)


def test_training_errors(tmp_path: Path) -> None:
    task = pytest.importorskip("signboard.training.transliterator_task", reason="needs the extra train")
    from signboard.training.config import load_config

    bad = tmp_path / "bad.yaml"
    bad.write_text("epoch: 3\n", encoding="utf-8")
    with pytest.raises(SignboardError, match="epoch"):
        load_config(task.TransliteratorConfig, bad)
    rows = tmp_path / "bad.tsv"
    rows.write_text("rail\tरेल\n", encoding="utf-8")
    with pytest.raises(SignboardError, match=r"bad\.tsv:1"):
        task.load_lexicon(rows)
    with pytest.raises(SignboardError, match="no such file"):
        task.load_lexicon(tmp_path / "none.tsv")


@pytest.mark.data
def test_dev_figures() -> None:
    task = pytest.importorskip("signboard.training.transliterator_task", reason="needs the extra train")
    dev = CONFIG.parents[2] / "shared" / "data" / "lexicon" / "hindi_romanized_dev.tsv"
    if not dev.is_file():
        pytest.skip(f"{dev} is not here")
    figures = task.evaluate(default_transliterator(), task.load_lexicon(dev))
    assert figures["attested_share"] >= 0.75 and figures["cer_nearest"] <= 0.06
