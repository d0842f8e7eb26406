"""How much the language model counts for one recogniser: words to try it on, the choice of options, the comparison."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from signboard.errors import DataError
from signboard.recognition import Recognizer
from signboard.recognition.ctc import Frames, collapse, greedy_decode
from signboard.recognition.language import LanguageModel, SearchOptions
from signboard.recognition.rescoring import Rescorer
from signboard.training.language_task import LanguageConfig
from signboard.training.metrics import normalize_text

# What --tune tries for each option, round after round, the others held fast.
GRID: dict[str, tuple[float, ...]] = {
    "weight": (0.4, 0.5, 0.6, 0.7, 0.8, 0.95),
    "length": (0.75, 1.0, 1.25, 1.5, 1.75, 2.0, 2.5),
    "unknown": (0.003, 0.01, 0.03, 0.1),
    "word": (0.3, 0.6, 0.85),
}

Crops = list[tuple[NDArray[np.uint8], str]]  # pixels (H, W, 3) and what they say


def labelled(entry: str) -> Crops:
    """Words of a set given as "path split"; for photos, cut along their labels."""
    from signboard.training.adapters import load_scenes, load_words, read_rgb
    from signboard.training.evaluation import is_word_set, scene_crops

    path, _, split = entry.partition(" ")
    if is_word_set(path):
        return [(read_rgb(sample), sample.text) for sample in load_words(path, split or None)]
    return [(pixels, sample.text) for pixels, sample in scene_crops(load_scenes(path, split or None))]


def synthetic(settings: LanguageConfig, fonts: Path, script: str, count: int, seed: int) -> Crops:
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


def tuning_sets(config: LanguageConfig, recognizer: Recognizer, fonts: Path) -> list[list[Seen]]:
    """What the network makes of the words that `tune` is to choose on, a list a set.

    Raises:
        DataError: a set is missing or malformed, or `fonts` has no typefaces.
    """
    crops = [labelled(entry) for entry in config.tune_on]
    for number, script in enumerate(("devanagari", "latin")):
        crops.append(synthetic(config, fonts, script, config.tune_crops, config.tune_seed + number))
    return [look(recognizer, part) for part in crops]


def report_sets(config: LanguageConfig, fonts: Path) -> Iterator[tuple[str, Crops]]:
    """(name, words) of the sets to report on, and of words that no model can know.

    Raises:
        DataError: a set is missing or malformed, or `fonts` has no typefaces.
    """
    strange = synthetic(config, fonts, "strange", config.tune_crops, config.tune_seed + 2)
    for entry in config.report_on:
        yield Path(entry.split(" ")[0]).name, labelled(entry)
    yield "numbers, codes, random strings", strange


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
                options = replace(best, **{name: value})  # type: ignore[arg-type]
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
    model: LanguageModel, recognizer: Recognizer, sets: Iterable[tuple[str, Crops]], show: bool
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
