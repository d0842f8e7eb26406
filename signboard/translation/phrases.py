"""What the phrase network is given and what it may say: units as numbers, and the words that are no words."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import lru_cache

from signboard.translation.glossary import DOMAINS, PARTS_OF_SPEECH, fold
from signboard.translation.units import KEPT, Unit

#: First words of every output vocabulary. COPY stands for "a unit": its index says which.
PAD, OPEN, CLOSE, COPY = 0, 1, 2, 3
#: What may follow a copied unit: plural, gerund, participle, third person, and the words behind ~ in the glossary.
FORMS = ("+s", "+ing", "+ed", "+3", "~")
SPECIAL = ("<pad>", "<open>", "<close>", "<copy>", *FORMS)
KINDS = ("", *sorted(PARTS_OF_SPEECH), "unknown", "number", "latin", "letters")
DOMAIN_NAMES = ("", *sorted(DOMAINS))
_VERBS = ("infinitive", "imperative", "habitual", "progressive", "will", "passive", "future", "after")
GRAMMAR = ("", "base", "plural", "oblique", *_VERBS)
#: Most units of one phrase, and most words of its English.
MOST_UNITS, MOST_WORDS = 32, 40


@dataclass(frozen=True, slots=True)
class PhraseConfig:
    """Sizes of the network.

    Attributes:
        vocabulary: English words it can say itself, the special ones included.
        channels: width of every layer; a multiple of `heads`.
        heads: attention heads.
        inner: width inside the feed-forward layers.
        encoder_layers, decoder_layers: transformer layers over the units, and over the English words.
        spellings: rows of the table for pieces of Hindi spelling; pieces share rows by their hash.
        glosses: rows of the table for the words of the glossary's English, likewise.
        dropout: share of activations dropped while training.
    """

    vocabulary: int
    channels: int = 256
    heads: int = 4
    inner: int = 768
    encoder_layers: int = 3
    decoder_layers: int = 2
    spellings: int = 12000
    glosses: int = 6000
    dropout: float = 0.1


Features = tuple[tuple[int, ...], tuple[int, ...], tuple[int, int, int, int]]


def features(unit: Unit, config: PhraseConfig) -> Features:
    """Hashed pieces of the unit's spelling, hashed words of its English, and its tags; see `PhraseBatch`."""
    kept = unit.kind in KEPT
    spelling = () if kept else _pieces(fold(unit.text), config.spellings)
    gloss = () if kept else _words(unit.english.lower(), config.glosses)
    return spelling, gloss, (
        KINDS.index(unit.kind), DOMAIN_NAMES.index(unit.domain), GRAMMAR.index(unit.form), int(unit.negative)
    )  # fmt: skip


@lru_cache(1 << 16)
def _pieces(text: str, rows: int) -> tuple[int, ...]:
    found = set()
    for word in text.split():
        marked = f"<{word}>"
        found.add(marked)
        found.update(marked[i : i + n] for n in (3, 4) for i in range(len(marked) - n + 1))
        found.add(f"${word[-2:]}")
    return tuple(sorted(zlib.crc32(piece.encode()) % rows for piece in found))


@lru_cache(1 << 16)
def _words(text: str, rows: int) -> tuple[int, ...]:
    return tuple(zlib.crc32(word.encode()) % rows for word in text.split())
