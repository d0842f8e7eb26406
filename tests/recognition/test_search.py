"""The two forms of the search equal a plain one; so do lookups, paths and frames of many against one by one."""

from __future__ import annotations

import math
import pickle
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from signboard.recognition import Charset, LanguageModel
from signboard.recognition.array_search import ArraySearch
from signboard.recognition.ctc import Frames, Paths
from signboard.recognition.language import END, HashTable, SearchOptions, code, joins
from signboard.recognition.prefix_search import PrefixSearch
from signboard.recognition.rescoring import Rescorer
from signboard.recognition.search_steps import LETTER_AND_DIGIT, TRIED, Steps, kind_of
from signboard.training.language_task import LanguageConfig, fold_text, make

CHARSET = Charset()
WORDS = ("hotel", "open", "oven", "royal", "opera", "hot", "tel", "शर्मा", "शक्ति", "हिन्दी", "9876543210", "98-76", "१२३")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> LanguageModel:
    path = tmp_path_factory.mktemp("language") / "language.json"
    make(LanguageConfig(ngrams=100000), path, {fold_text(w): 10.0 + i for i, w in enumerate(WORDS)})
    return LanguageModel.load(path)


class Plain:
    """The search by its definition: all prefixes of a frame with all characters, the whole score of each anew."""

    def __init__(self, model: LanguageModel, options: SearchOptions) -> None:
        self.model, self.o = model, options

    def log_p(self, text: str) -> tuple[float, float]:
        """The model's log probability of a prefix, and the same if the text ends there."""
        model, o = self.model, self.o
        total = begun = owed = 0.0
        contexts, spelt = model.start, []  # symbols of the present word; None in it: no matter of letters

        def end(i: int) -> float:
            return model.step(contexts, END)[0] if i > 0 and joins(text[i - 1]) else 0.0

        def bonus(i: int) -> float:
            if not spelt or None in spelt:
                return 0.0
            whole = model.word(spelt)
            known = 0.0 if whole is None else math.exp(min(whole - (total - begun + end(i)), 50.0))
            return math.log(o.word * known + 1 - o.word)

        for i, c in enumerate(text):
            symbol, last = model.symbol_of(c), text[i - 1] if i else ""
            p, after = model.step(contexts, symbol) if symbol >= 0 else (math.log(o.random), model.start)
            if joins(c):
                if last and kind_of(c) ^ kind_of(last) in LETTER_AND_DIGIT and symbol >= 0:
                    anew, behind = model.step(model.start, symbol)
                    anew += end(i) + math.log(o.switch)
                    if anew > p:
                        p, after = anew, behind
                aside = owed
                before = text[i - 2] if i > 1 else ""
                if (c.isupper() and last.islower()) or (c.islower() and last.isupper() and before.isupper()):
                    aside += math.log(o.case)
                total += p + aside + (math.log(o.digit) if c.isdecimal() else 0.0)
                begun, owed = begun + aside, 0.0
                spelt.append(None if c.isdecimal() or symbol < 0 else symbol)
                contexts = after
            else:
                cheap = end(i) + math.log(o.mark)
                if c == " ":
                    owed = 0.0
                elif last and joins(last):
                    owed = min(p - cheap, 0.0)
                total += max(p, cheap) + bonus(i)
                begun, contexts, spelt = total, model.start, []
        return total, total + bonus(len(text)) + end(len(text))

    def score(self, seen: float, text: str, *, ends: bool = False) -> float:
        o = self.o
        log_p = max(self.log_p(text)[ends], math.log(o.unknown) + len(text) * math.log(o.random))
        return seen * math.exp(o.weight * log_p + o.length * len(text))

    def search(self, rows: np.ndarray) -> list[tuple[str, float]]:
        """(text, share), the likeliest first; texts that differ in case are apart."""
        o = self.o
        beams: dict[str, list[float]] = {"": [1.0, 0.0]}
        for row in rows.astype(np.float64):
            likely = np.argsort(-row[1:], kind="stable")[:TRIED] + 1
            chars = {CHARSET.characters[k - 1]: float(row[k]) for k in likely if row[k] >= o.least}
            blank = max(float(row[0]), 1e-12)
            if chars and max(chars.values()) >= o.clear:
                chars, blank = dict([max(chars.items(), key=lambda item: item[1])]), 1e-12
            after: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
            for text, (by_blank, by_letter) in beams.items():
                after[text][0] += (by_blank + by_letter) * blank
                after[text][1] += by_letter * chars.get(text[-1:], 0.0)
                for c, p in chars.items():
                    after[text + c][1] += (by_blank if text.endswith(c) else by_blank + by_letter) * p
            ranked = sorted(((self.score(sum(v), t), t) for t, v in after.items()), reverse=True)[: o.beam]
            beams = {t: after[t] for s, t in ranked if s >= ranked[0][0] * o.spread}
        ends = {t: self.score(sum(v), t, ends=True) for t, v in beams.items()}
        total = sum(ends.values())
        return sorted(((t, s / total) for t, s in ends.items()), key=lambda item: -item[1])


def random_rows(rng: np.random.Generator) -> np.ndarray:
    """(T, C) probabilities like a network's: letters of a word with rivals, blanks between them, some frames alike."""
    word = str(rng.choice(WORDS))
    rows = []
    for c in word:
        row = np.zeros(len(CHARSET))
        for rival in rng.choice(list("oO0hHtTeElL1Ppnv9- .'शकर१२"), int(rng.integers(0, 6)), replace=False):
            row[CHARSET.characters.index(rival) + 1] = rng.uniform(0, 0.5)
        row[CHARSET.characters.index(c) + 1] += rng.uniform(0.1, 3)
        row[0] = rng.uniform(0, 1)
        rows += [row / row.sum()] * int(rng.integers(1, 3))
        if rng.random() < 0.6:
            rows += [np.eye(1, len(CHARSET))[0]] * int(rng.integers(1, 3))
    return np.array(rows, np.float32)


@pytest.mark.parametrize("beam", [4, 14])
def test_both_forms_find_what_a_plain_search_finds(model: LanguageModel, beam: int) -> None:
    rng = np.random.default_rng(beam)
    options = SearchOptions(weight=0.8, length=2.5, word=0.85, beam=beam, clear=0.97, spread=3e-3)
    crops = [random_rows(rng) for _ in range(30)]
    steps = Steps(crops, options.least, options.clear)
    many = ArraySearch(model, CHARSET.characters, options).run(steps)
    few = PrefixSearch(model, CHARSET.characters, options).run(steps)
    changed = 0
    for rows, a, b in zip(crops, many, few, strict=True):
        assert [c.classes for c in a] == [c.classes for c in b]
        assert [c.share for c in a] == pytest.approx([c.share for c in b], rel=1e-6)
        assert [c.seen for c in a] == pytest.approx([c.seen for c in b], rel=1e-6)
        assert [c.confidence for c in a] == pytest.approx([c.confidence for c in b], rel=1e-6)
        found = Plain(model, options).search(rows)
        folded: dict[str, float] = defaultdict(float)
        for text, share in found:
            folded["".join(c if c.isdecimal() else c.lower() for c in text)] += share
        best = "".join(CHARSET.characters[k - 1] for k in a[0].classes)
        assert a[0].share == pytest.approx(max(folded.values()), rel=2e-3)
        assert best == next(t for t, _ in found if t.lower() == best.lower())
        path = rows.argmax(axis=1)
        changed += a[0].classes != tuple(path[(np.diff(path, prepend=-1) != 0) & (path != 0)])
    assert changed >= 5  # the model had something to say


def test_crops_together_are_found_as_crops_alone(model: LanguageModel) -> None:
    rng = np.random.default_rng(3)
    crops = [random_rows(rng) for _ in range(20)] + [np.zeros((0, len(CHARSET)), np.float32), np.eye(5, len(CHARSET))]
    rescorer = pickle.loads(pickle.dumps(Rescorer(model, CHARSET.characters)))
    together = rescorer.search_all(crops)
    for crop, found in zip(crops, together, strict=True):
        alone = rescorer.search(crop)
        assert [c.classes for c in found] == [c.classes for c in alone]
        assert [c.confidence for c in found] == pytest.approx([c.confidence for c in alone], rel=1e-6)
    assert rescorer.search_all([]) == []


def test_many_codes_are_found_as_one_by_one() -> None:
    rng = np.random.default_rng(0)
    codes = list({code(symbols) for symbols in rng.integers(2, 200, (3000, 4)).tolist()})
    table = HashTable.build(codes, np.zeros((len(codes), 1), np.uint8))
    asked = np.array([*codes, *(code(symbols) for symbols in rng.integers(2, 200, (3000, 5)).tolist())])
    assert table.find_many(asked.reshape(2, -1)).ravel().tolist() == [table.find(int(value)) for value in asked]
    small = HashTable.build([5, 6, 7], np.zeros((3, 1), np.uint8))
    assert min(small.find(v) for v in (5, 6, 7)) >= 0 and small.find_many(np.array([5, 6, 7])).min() >= 0


def random_frames(rng: np.random.Generator, count: int, length: int) -> Frames:
    best = rng.choice([0, 0, 0, 3, 4, 5], (count, length)).astype(np.int64)
    second = (best + rng.integers(1, 4, best.shape)) % 6
    p = rng.uniform(0.4, 1, best.shape).astype(np.float32)
    return Frames(best, p, second, (rng.uniform(0, 1, best.shape) * (1 - p)).astype(np.float32))


def test_paths_by_their_definition_and_together_as_alone() -> None:
    rng = np.random.default_rng(1)
    batches = [random_frames(rng, int(n), int(t)) for n, t in ((3, 9), (1, 4), (5, 12))]
    paths = Paths.of(Frames.together(batches))
    rows = [(f, row) for f in batches for row in range(len(f.best))]
    for number, (f, row) in enumerate(rows):
        best, p = f.best[row].tolist(), f.probability[row].tolist()
        characters: list[tuple[int, float]] = []
        for t, c in enumerate(best):
            if c and (t == 0 or best[t - 1] != c):
                characters.append((c, p[t]))
            elif c:
                characters[-1] = (c, max(characters[-1][1], p[t]))
        assert paths.classes[number] == [c for c, _ in characters]
        if not characters:
            assert paths.confidence[number] == 0 and paths.evidence[number] == -np.inf
            continue
        lost = 0.0
        inked = [t for t, c in enumerate(best) if c]
        for t, c in enumerate(best):
            around = {best[max((k for k in inked if k < t), default=inked[0])]}
            around |= {best[min((k for k in inked if k > t), default=inked[-1])]}
            if c == 0 and f.second[row, t] not in {0, *around}:
                lost = max(lost, float(f.second_probability[row, t]))
        peaks = math.prod(q for _, q in characters)
        assert paths.confidence[number] == pytest.approx(peaks * (1 - lost), rel=1e-5)
        logs = math.log(peaks) + sum(map(math.log, p))
        assert paths.evidence[number] == pytest.approx(logs / max(len(characters), 2), rel=1e-5)
    assert Paths.of(random_frames(rng, 2, 0)).classes == [[], []]


def test_next_to_nothing_is_not_searched(model: LanguageModel, tmp_path: Path) -> None:
    rescorer = Rescorer(model, CHARSET.characters, SearchOptions(hopeless=-2.0))
    best = np.array([[3, 0, 4, 0], [3, 0, 4, 0], [3, 0, 4, 0], [0, 0, 0, 0]])
    p = np.array([[0.9, 0.9, 0.7, 0.9], [0.2, 0.3, 0.2, 0.3], [1, 1, 1, 1], [0.5, 0.5, 0.5, 0.5]], np.float32)
    paths = Paths.of(Frames(best, p, np.zeros_like(best), np.zeros_like(p)))
    assert rescorer.which(paths) == [0]  # the second is hopeless, the third is sure, the last one says nothing
