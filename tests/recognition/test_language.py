"""The language model: sums to one, knows its words; the search is exact without it and weighs readings with it."""

from __future__ import annotations

import itertools
import json
import math
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from signboard.errors import ConfigError, WeightsError
from signboard.recognition import Charset, LanguageModel, Recognizer, RecognizerConfig, RecognizerNetwork
from signboard.recognition.language import END, HashTable, SearchOptions, code, fold
from signboard.recognition.rescoring import Rescorer
from signboard.training.config import load_config
from signboard.training.language_task import LanguageConfig, fold_text, make
from signboard.training.language_tuning import Seen, outcome, tune
from signboard.weights import WEIGHTS_FOLDER

CONFIGS = Path(__file__).parents[2] / "configs"
OPTIONS = SearchOptions(weight=0.7, length=1.75, unknown=0.03)


@pytest.fixture(scope="module")
def card(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model of a few words, saved as a run saves it."""
    words = {"hotel": 50.0, "open": 60.0, "oven": 5.0, "royal": 40.0, "9876543210": 40.0, "98-76": 9.0, "opera": 8.0}
    words |= {"शर्मा": 30.0, "शक्ति": 30.0, "हिन्दी": 30.0, "१२३": 20.0, "tel-98": 3.0}
    path = tmp_path_factory.mktemp("language") / "language.json"
    make(LanguageConfig(ngrams=100000), path, {fold_text(w): weight for w, weight in words.items()})
    return path


@pytest.fixture(scope="module")
def model(card: Path) -> LanguageModel:
    return LanguageModel.load(card)


def frames(charset: Charset, *columns: dict[str, float], gap: bool = True) -> np.ndarray:
    """(T, C) probabilities: one frame a column, the rest of each on the blank; a blank frame between two."""
    rows = []
    for column in columns:
        row = np.zeros(len(charset), np.float32)
        for c, p in column.items():
            row[charset.characters.index(c) + 1] = p
        row[0] = 1 - row.sum()
        rows += [row, np.eye(1, len(charset), dtype=np.float32)[0]] if gap else [row]
    return np.array(rows)


def read(model: LanguageModel, probabilities: np.ndarray, options: SearchOptions = OPTIONS) -> str:
    charset = Charset()
    return charset.decode(Rescorer(model, charset.characters, options).search(probabilities)[0].classes)


def test_a_table_finds_all_it_was_given_and_nearly_nothing_else() -> None:
    codes = [code([i % 200, i // 200 % 200, i % 7]) for i in range(5000)]
    codes = sorted(set(codes))
    values = np.arange(len(codes), dtype=np.uint8)[:, None]
    table = pickle.loads(pickle.dumps(HashTable.build(codes, values)))
    assert all(table.column(0)[table.find(c)] == v for c, v in zip(codes, values[:, 0], strict=True))
    assert sum(table.find(code([201, i % 250, i // 250])) >= 0 for i in range(5000)) < 20


def test_probabilities_sum_to_one_after_any_context(model: LanguageModel) -> None:
    for context in ("", "h", "hote", "98", "op", "zz", "शर", "ho-te"):
        state = model.start
        for c in context:
            state = model.step(state, model.symbol_of(c))[1]
        total = sum(math.exp(model.step(state, s)[0]) for s in range(1, len(model.symbols) + 2))
        assert total == pytest.approx(1.0, abs=0.06), context  # logarithms are stored in steps of 1/16


def test_letters_of_known_words_are_likelier_and_digits_are_alike(model: LanguageModel) -> None:
    def log_p(text: str) -> float:
        state, total = model.start, 0.0
        for c in text:
            p, state = model.step(state, model.symbol_of(c))
            total += p
        return total + model.step(state, END)[0]

    assert log_p("hotel") > log_p("hotle") + 3 and log_p("hotel") > log_p("h0tel") + 3
    assert log_p("HOTEL") == log_p("hotel")
    assert log_p("9876543210") == log_p("1111111111") > log_p("11111l1111") + 3
    assert fold("७") == fold("१") != fold("7")
    assert model.word([model.symbol_of(c) for c in "royal"]) is not None
    assert model.word([model.symbol_of(c) for c in "royan"]) is None


def test_without_the_model_the_search_is_exact(model: LanguageModel) -> None:
    """Against the sum over all alignments of every string, by enumeration of all paths."""
    charset = Charset("ab")
    rng = np.random.default_rng(0)
    options = SearchOptions(weight=0, length=0, beam=1000, least=0, spread=0, clear=2)
    for _ in range(5):
        p = rng.dirichlet(np.ones(3), 5).astype(np.float32)
        exact: dict[tuple[int, ...], float] = {}
        for path in itertools.product(range(3), repeat=5):
            text = tuple(c for c, _ in itertools.groupby(path) if c)
            exact[text] = exact.get(text, 0.0) + math.prod(float(p[t, c]) for t, c in enumerate(path))
        found = Rescorer(model, charset.characters, options).search(p)
        assert {c.classes for c in found} == set(exact)
        for candidate in found:
            assert candidate.seen == pytest.approx(exact[candidate.classes], rel=1e-4)
            assert candidate.share == pytest.approx(exact[candidate.classes], rel=1e-4)
        assert found[0].classes == max(exact, key=lambda text: exact[text])


def test_a_known_word_is_preferred_where_the_network_is_torn(model: LanguageModel) -> None:
    torn = frames(Charset(), {"Q": 0.55, "O": 0.4}, {"P": 0.9}, {"E": 0.5, "F": 0.45}, {"N": 0.9})
    assert read(model, torn, SearchOptions(weight=0, length=0)) == "QPEN"
    assert read(model, torn) == "OPEN"


def test_the_network_alone_decides_case_and_which_digit(model: LanguageModel) -> None:
    assert read(model, frames(Charset(), {"O": 0.6, "o": 0.3}, {"p": 0.9}, {"e": 0.6, "c": 0.4}, {"n": 0.8})) == "Open"
    number = frames(Charset(), *[{d: 0.6, "3": 0.35} for d in "98765"])
    assert read(model, number) == "98765"


@pytest.mark.parametrize(
    ("columns", "plain", "wanted"),
    [
        ([{"9": 0.9}, {"8": 0.9}, {"7": 0.9}, {"O": 0.6, "0": 0.35}, {"5": 0.9}, {"4": 0.9}], "987O54", "987054"),
        ([{"9": 0.9}, {"8": 0.9}, {"l": 0.55, "1": 0.4}, {"6": 0.9}, {"S": 0.5, "5": 0.45}], "98l6S", "98165"),
        ([{"१": 0.9}, {"2": 0.5, "२": 0.45}, {"३": 0.9}], "१2३", "१२३"),
        ([{"h": 0.9}, {"0": 0.5, "o": 0.45}, {"t": 0.9}, {"e": 0.9}, {"l": 0.9}], "h0tel", "hotel"),
        ([{"H": 0.9}, {"O": 0.9}, {"ा": 0.5, "T": 0.4}, {"E": 0.9}, {"L": 0.9}], "HOाEL", "HOTEL"),
    ],
)
def test_words_and_numbers_come_out_whole(
    model: LanguageModel, columns: list[dict[str, float]], plain: str, wanted: str
) -> None:
    probabilities = frames(Charset(), *columns)
    assert read(model, probabilities, SearchOptions(weight=0, length=0)) == plain
    assert read(model, probabilities) == wanted


def test_a_digit_that_the_network_does_not_see_is_not_invented(model: LanguageModel) -> None:
    probabilities = frames(Charset(), {"9": 0.98}, {"8": 0.98}, {"O": 0.98, "0": 0.0005}, {"5": 0.98})
    assert read(model, probabilities) == "98O5"


def test_strange_strings_stay_as_the_network_reads_them(model: LanguageModel) -> None:
    for text in ("XK7Q", "MH12AB", "qzx", "झठढ", "B-204"):
        probabilities = frames(Charset(), *[{c: 0.97, "o": 0.02} for c in text])
        assert read(model, probabilities) == text


def test_devanagari_is_weighed_in_visual_order(model: LanguageModel) -> None:
    probabilities = frames(Charset(), {"श": 0.9}, {"ि": 0.9}, {"क": 0.9}, {"्": 0.45, "ं": 0.5}, {"त": 0.5, "न": 0.5})
    assert read(model, probabilities) == "शक्ति"


def test_only_doubtful_readings_are_searched(model: LanguageModel) -> None:
    charset = Charset()
    rescorer = Rescorer(model, charset.characters, SearchOptions(sure=0.9, sure_mixed=0.99))
    word, mixed, dashed = (charset.encode(text) for text in ("QPEN", "987O54", "B-204"))
    assert rescorer.doubtful(word, 0.89) and not rescorer.doubtful(word, 0.91)
    assert rescorer.doubtful(mixed, 0.98) and not rescorer.doubtful(mixed, 0.995)
    assert not rescorer.doubtful(dashed, 0.95) and not rescorer.doubtful([], 0.0)


def test_confidence_needs_both_the_model_and_the_network(model: LanguageModel) -> None:
    charset = Charset()
    rescorer = Rescorer(model, charset.characters, OPTIONS)
    clear = rescorer.search(frames(charset, {"O": 0.9, "Q": 0.05}, {"P": 0.95}, {"E": 0.95}, {"N": 0.95}))[0]
    faint = rescorer.search(frames(charset, {"O": 0.2, "Q": 0.2}, {"P": 0.2}, {"E": 0.2}, {"N": 0.2}))[0]
    torn = rescorer.search(frames(charset, {"X": 0.5, "K": 0.5}, {"Z": 0.95}, {"J": 0.95}))[0]
    assert 0.85 < clear.confidence <= 1
    assert faint.confidence < 0.4 and torn.confidence < 0.7
    everything = rescorer.search(frames(charset, {"O": 0.5, "o": 0.45, "Q": 0.05}, {"P": 0.9}, {"E": 0.9}, {"N": 0.9}))
    assert sum(c.share for c in everything) == pytest.approx(1.0)
    assert everything[0].share > 0.9  # O and o are one reading


def test_long_and_flat_input_does_not_vanish(model: LanguageModel) -> None:
    charset = Charset()
    flat = np.full((256, len(charset)), 1 / len(charset), np.float32)
    found = Rescorer(model, charset.characters, OPTIONS).search(flat)
    assert found and all(math.isfinite(c.share) and 0 <= c.confidence <= 1 for c in found)
    assert Rescorer(model, charset.characters, OPTIONS).search(flat[:0])[0].classes == ()


def test_crops_together_equal_crops_alone_with_the_model(card: Path, model: LanguageModel) -> None:
    torch.manual_seed(0)
    network = RecognizerNetwork(RecognizerConfig(width=0.125, mixer=32, mixer_layers=1))
    with torch.no_grad():
        network.head.weight.mul_(6)  # an untrained network is too flat to emit anything
    recognizer = Recognizer(network, language=model)
    rng = np.random.default_rng(0)
    crops = [rng.integers(0, 256, (int(h), int(w), 3), dtype=np.uint8) for h, w in rng.integers(10, 90, (8, 2))]
    together = recognizer.read_crops(crops)
    assert any(text for text, _ in together)
    assert together == recognizer.read_crops(crops)
    for a, crop in zip(together, crops, strict=True):
        b = recognizer.read_crops([crop])[0]
        assert a[0] == b[0] and a[1] == pytest.approx(b[1], abs=1e-3)
        assert 0 <= a[1] <= 1 and (a[0] == "") == (a[1] == 0.0)
    rows = recognizer.frames(crops)
    assert all(r.shape[1] == len(recognizer.charset) and np.allclose(r.sum(1), 1, atol=1e-3) for r in rows)


def test_a_damaged_model_is_named(card: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no such card"):
        LanguageModel.load(tmp_path / "none.json")
    content = json.loads(card.read_text(encoding="utf-8"))
    (tmp_path / "language.safetensors").write_bytes(card.with_suffix(".safetensors").read_bytes())
    broken = tmp_path / "language.json"
    for change, message in (
        ({"sha256": "0"}, "damaged"),
        ({"inference": {"wait": 1}}, "do not fit"),
        ({"config": {"order": 6}}, "do not fit"),
        ({"config": {"symbols": "ab", "order": 6}}, "2 symbols"),
    ):
        broken.write_text(json.dumps({**content, **change}), encoding="utf-8")
        with pytest.raises(WeightsError, match=message):
            LanguageModel.load(broken)


def test_tuning_finds_that_the_model_helps(model: LanguageModel) -> None:
    recognizer = Recognizer(RecognizerNetwork(RecognizerConfig(width=0.125, mixer=32, mixer_layers=1)))
    torn = frames(recognizer.charset, {"Q": 0.55, "O": 0.4}, {"P": 0.9}, {"E": 0.5, "F": 0.45}, {"N": 0.9})
    words = [Seen("open", torn, "QPEN", 0.2, recognizer.charset.encode("QPEN"))]
    start = SearchOptions(weight=0.0, length=0.0)
    best = tune(model, recognizer, [words], start)
    assert best.weight > 0
    result = outcome(Rescorer(model, recognizer.charset.characters, best), recognizer, words)
    assert (result.before, result.after, result.mended, result.broken, result.searched) == (0, 1, 1, 0, 1)


def test_an_unknown_config_key_is_named(tmp_path: Path) -> None:
    path = tmp_path / "language.yaml"
    path.write_text("orders: 3\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="orders"):
        load_config(LanguageConfig, path)
    path.write_text("order: many\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"order: .*integer"):
        load_config(LanguageConfig, path)
    assert load_config(LanguageConfig, CONFIGS / "language.yaml").order == 6


@pytest.mark.skipif(not (WEIGHTS_FOLDER / "language.json").is_file(), reason="no language model is shipped")
def test_the_shipped_model_knows_signs_and_can_be_switched_off() -> None:
    model = LanguageModel.load()
    assert (WEIGHTS_FOLDER / "language.safetensors").stat().st_size <= 3 * 2**20
    torn = frames(Charset(), *[{a: 0.5, b: 0.45} for a, b in zip("RFSTAUPANT", "BEZIAURANI", strict=True)])
    assert read(model, torn, model.options) == "RESTAURANT"
    torn = frames(Charset(), {"भ": 0.45, "म": 0.5}, {"ं": 0.45}, {"ड": 0.45, "ङ": 0.5}, {"ा": 0.9}, {"र": 0.9})
    assert read(model, torn, model.options) == "भंडार"
    shy = frames(Charset(), {"T": 0.9}, {"E": 0.9}, {"A": 0.9}, {".": 0.6, "r": 0.2})
    assert read(model, shy, model.options) == "TEA."
    for text in ("walk2fame", "Dream95", "24x7", "MH12AB4567", "B-204", "NH-24", "XKQJ", "10:30", "₹450/-"):
        strange = frames(Charset(), *[{c: 0.97, "o": 0.015, "s": 0.01} for c in text])
        assert read(model, strange, model.options) == text
    assert Recognizer.load().language is not None
    assert Recognizer.load(language=False).language is None
