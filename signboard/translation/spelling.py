"""Latin spellings of words that the glossary lacks: places, English words by their sound, names; which are alike."""

from __future__ import annotations

import itertools
import math
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher
from functools import cache, lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from signboard.errors import DataError
from signboard.translation.glossary import fold
from signboard.translation.grammar import TABLES, upper_first, word_set
from signboard.translation.result import Part
from signboard.translation.transliteration import WORD, Spelling, clean

PLACES = Path(__file__).with_name("places.tsv")
#: English words, their sounds and how common they are; its first lines hold the licence and the costs of the channel.
LOANWORDS = Path(__file__).with_name("loanwords.tsv")
#: One sign for each sound as Hindi writes it.
HINDI_SOUNDS = "kKgGcCjzJTQDXtxdqnpfbBmyrRlvsSh@aiIuUeEoOA&M"
_SOUNDS: dict[str, str] = dict(pair.split("=") for pair in TABLES["sounds"].split())
_FAMILY = {sound: group[0] for group in TABLES["families"].split() for sound in group}
# A consonant that has its own vowel, as no sign, virama or end follows.
_OPEN = re.compile("([क-हळ]़?)(?=[अ-औक-हळँं])")
# Letters that English words in Hindi spelling do not have, and those that only they have.
_NATIVE, _FOREIGN = set("घझढधभणङळऋृः"), set("ॉऑॅऍ")
#: From this probability a word is taken for English that is written by its sound.
LOANWORD = 0.5
#: From this one its Latin spelling is the English one, too.
_SURELY = 0.8
#: From this similarity a Latin line counts as the English of a Hindi one.
SAME = 0.6
_LATIN_WORD = re.compile(r"[a-z]+|[0-9]+")
# The score at which a word of so many sounds is as likely a loanword as not: the longer, the less can it be chance.
_NEEDED = (9.0, 9.0, 2.9, 2.0, 0.9, -0.5, -1.3, -1.9, -2.5, -3.0)


def latin(word: str, spelling: Spelling) -> Spelling:
    """A word in Latin letters, lower case: grammar and English words as people write them, else as spelled."""
    if word in TABLES["latin"]:
        return Spelling(TABLES["latin"][word], 1.0)
    english, chance = loanword(word, spelling.text)
    return Spelling(english, chance) if chance > _SURELY and not word.endswith("ों") else spelling


def name(text: str, spelled: Mapping[str, Spelling], foreign: bool = True) -> Part:
    """English for a word of a phrase: a place, a loanword (if it may be `foreign`), or its spelling with a capital."""
    if place := places().get(fold(text)):
        return Part(text, place, "place", 0.9)
    words = WORD.findall(text)
    if len(words) == 1 and foreign:
        english, chance = loanword(text, spelled[words[0]].text)
        if chance > LOANWORD:
            return Part(text, english, "loanword", round(chance, 3))
    english = WORD.sub(lambda m: upper_first(spelled[m.group()].text), text)
    sure = 0.9 * min((spelled[word].confidence for word in words), default=0.0)
    # A lone virama or nukta has no sound.
    return Part(text, english, "transliterated", round(sure, 3)) if english else Part(text, text, "kept", 0.0)


@lru_cache(1 << 14)
def loanword(word: str, spelling: str) -> tuple[str, float]:
    """The English word that a Hindi spelling stands for, and the probability that it is one; "" and 0 for none.

    Args:
        word: in Devanagari.
    """
    found = default_loanwords().nearest(word, 6)
    scored = [(score + 3 * SequenceMatcher(None, spelling, english).ratio() ** 2, english) for english, score in found]
    score, english = max(scored, default=(-99.0, ""))
    length = len(sounds(word).replace("@", ""))
    needed = _NEEDED[min(length, len(_NEEDED) - 1)] - 1.5 * bool(_FOREIGN & set(word))
    return english, 1 / (1 + math.exp(-2 * (score - needed)))


def sounds(word: str) -> str:
    """The word as `HINDI_SOUNDS`; "" when it holds letters that have no sound there."""
    letters = re.findall("[^\u093c]\u093c?|\u093c", _OPEN.sub(r"\1@", clean(word)))
    return "".join(_SOUNDS[c] for c in letters) if _SOUNDS.keys() >= set(letters) else ""


class Loanwords:
    """The dictionary, looked up by sound. Immutable after construction."""

    def __init__(self, path: Path = LOANWORDS) -> None:
        """Reads the file that `scripts/make_loanwords.py` wrote.

        Raises:
            DataError: it is missing or not such a file.
        """
        try:
            lines = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()]
            costs = {row[1]: row[2] for row in lines if row[0] == "#cost"}
            self.english_sounds = alphabet = costs.pop("sounds")
            # Rows: sounds of English, the last for "nothing"; columns: sounds of Hindi, the last for "nothing".
            self.costs = np.array([costs[sound].split() for sound in (*alphabet, "+")], dtype=np.float32)
            likeliest = self.costs[:-1, :-1].argmin(1)
            families = {s: _FAMILY.get(HINDI_SOUNDS[k], "a") for s, k in zip(alphabet, likeliest, strict=True)}
            groups: dict[tuple[str, int], list[list[str]]] = defaultdict(list)
            for row in lines:
                if row[0][0] != "#":
                    groups[families[row[1][0]], len(row[1])].append(row)
            number = np.zeros(128, np.int16)
            number[[ord(sound) for sound in alphabet]] = range(len(alphabet))
            self._groups = {}
            for key, group in groups.items():
                words, said, common = zip(*group, strict=True)
                codes = np.frombuffer("".join(said).encode("ascii"), np.uint8).reshape(len(group), -1)
                self._groups[key] = number[codes].T.copy(), np.array(common, np.float32), words
        except (OSError, KeyError, ValueError, IndexError) as error:
            raise DataError(f"{path}: not a list of loanwords: {error}; install the package again") from error

    def nearest(self, word: str, count: int = 1) -> list[tuple[str, float]]:
        """The likeliest English words for a Hindi spelling, best first, each with its score: higher is surer.

        The score is the log-likelihood of spelling and word. None for what cannot be a loanword.
        """
        said = sounds(word)
        if len(said) < 2 or set(word) & _NATIVE:
            return []
        hindi = np.array([HINDI_SOUNDS.index(s) for s in said])
        found: list[tuple[float, str]] = []
        plain = len(said.replace("@", ""))
        for length in range(max(1, plain - 1), len(said) + 2):
            key = (_FAMILY.get(said[0], "a"), length)
            if key in self._groups:
                codes, common, words = self._groups[key]
                score = 0.35 * (common - 4) - _distance(codes, hindi, self.costs) / len(said) ** 0.5
                top = np.argpartition(score, -min(count, len(score)))[-min(count, len(score)) :]
                found += [(float(score[k]), words[k]) for k in top]
        best = {english: likely for likely, english in sorted(found)}
        return sorted(best.items(), key=lambda item: item[1], reverse=True)[:count]


def _distance(words: NDArray[np.int16], hindi: NDArray[np.int64], costs: NDArray[np.float32]) -> NDArray[np.float32]:
    """Weighted edit distance of each column of `words` (L, K) to one word (H,): (K,) costs."""
    # Counted less the insertions of all Hindi letters so far, so that one more insertion costs nothing.
    insert, dropped = costs[-1, hindi], costs[:, -1]
    change = (costs[:, hindi] - insert).T
    row = np.zeros((len(hindi) + 1, words.shape[1]), np.float32)
    for letter in words:
        new = row + dropped[letter]
        np.minimum(new[1:], row[:-1] + change[:, letter], out=new[1:])
        for before, here in itertools.pairwise(new):
            np.minimum(before, here, out=here)
        row = new
    return row[-1] + insert.sum()


@cache
def default_loanwords() -> Loanwords:
    """The packaged list, read once on first use."""
    return Loanwords()


@cache
def places() -> dict[str, str]:
    """The English spelling of known places, by the folded Hindi; the file is read once on first use."""
    rows = (line.split("\t") for line in PLACES.read_text(encoding="utf-8").splitlines() if not line.startswith("#"))
    return {fold(hindi): english for hindi, english in rows}


def _skeleton(word: str) -> str:
    """Consonants as they sound, for spellings that differ in vowels: kashmere, kashmiri."""
    for old, new in (("w", "v"), ("ck", "k"), ("c", "k"), ("q", "k"), ("z", "j"), ("f", "ph")):
        word = word.replace(old, new)
    return re.sub(r"(.)\1+", r"\1", re.sub("[aeiouyh]", "", word))


def alike(a: str, b: str) -> bool:
    """Whether two lower-case words are spellings of one."""
    bones, others = _skeleton(a), _skeleton(b)
    if a == b or a.isdigit() or b.isdigit() or (a[0] != b[0] and bones[:1] != others[:1]):
        return a == b
    close = min(len(a), len(b)) >= 3 and SequenceMatcher(None, a, b).ratio() >= 0.75
    return close or (len(bones) >= 2 and bones == others)


def similarity(sayings: Sequence[tuple[str, str]], said: str) -> float:
    """How far a Latin line says what a Hindi line says: 0 nothing, 1 all of it and nothing else.

    Args:
        sayings: for each piece of the Hindi line its English and its Latin spelling; either may be "".
        said: the Latin line.

    Returns:
        Harmonic mean of the share of the Hindi pieces found in the Latin line and the share of its words explained.
    """
    words = _strong(said)
    explained: set[int] = set()
    found = total = 0.0
    for pair in sayings:
        scored = []
        for mine in map(_strong, pair):
            hits = {i: w for w in mine for i, other in enumerate(words) if alike(w, other)}
            scored.append((len(set(hits.values())) / max(len(set(mine)), 1), hits))
        share, best = max(scored, key=lambda score: score[0])
        weight = max(len(_LATIN_WORD.findall(saying.lower())) for saying in pair)
        total, found = total + weight, found + weight * share
        explained |= best.keys()
    recall, precision = found / max(total, 1), len(explained) / max(len(words), 1)
    return 2 * recall * precision / (recall + precision) if recall and precision else 0.0


def _strong(text: str) -> list[str]:
    """The words that prove something: those that are not too common in English."""
    return [word for word in _LATIN_WORD.findall(text.lower()) if word not in word_set("weak", "english")]
