"""A character language model: what words and numbers look like. `rescoring` weighs it against what was seen.

The model works in the network's order (see `charset.to_visual`), on symbols: letters without case, one symbol for all
digits 0-9, one for all Devanagari digits, every other character as itself. So it knows which letters follow each other
and what numbers look like; which digit it is, and the letters' case, the network alone decides.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from signboard.errors import WeightsError
from signboard.recognition.charset import to_visual
from signboard.script import is_devanagari
from signboard.weights import WEIGHTS_FOLDER, load_card, load_state

BOUNDARY, END = 0, 1  # symbols: what stands before a word, what stands behind the last one
_UNKNOWN = 10.0  # nats that a character costs which the model does not know, where only spelling counts
STEP = 1 / 16  # nats; logarithms are stored as bytes, -STEP each
DIGIT, NATIVE_DIGIT = "0", "०"
BITS = 8  # of a symbol
FNV_START, FNV_PRIME = -0x340D631B7BDDDCDB, 0x100000001B3  # of hashes of whole words, as signed 64-bit numbers
_MASK = (1 << 64) - 1
EMPTY_WORD = FNV_START & _MASK  # the `word_code` of no symbols
_MIX = 0x9E3779B97F4A7C15
_WINDOW = 48  # slots of a table that are looked at together


def fold(character: str) -> str:
    """The symbol of a character: lower case, 0 for 0-9, ० for ०-९."""
    if "0" <= character <= "9":
        return DIGIT
    if "\u0966" <= character <= "\u096f":
        return NATIVE_DIGIT
    lower = character.lower()
    return lower if len(lower) == 1 else character


def joins(character: str) -> bool:
    """Whether a character is part of a word: letters, marks, digits and the apostrophe. Others set words apart."""
    return character.isalnum() or character in "'’" or "\u0900" <= character <= "\u0963"


def code(symbols: Iterable[int]) -> int:
    """The number that stands for a sequence of symbols, none of the first ones lost: its length is part of it."""
    value = 1
    for symbol in symbols:
        value = value << BITS | symbol
    return value


def spread(value: int) -> int:
    """A 64-bit hash of a code: multiplicative, with the high bits folded in (Knuth, TAOCP 3, 6.4)."""
    value = (value ^ value >> 29) * _MIX & _MASK
    return value ^ value >> 32


_AHEAD = np.arange(_WINDOW)


class HashTable:
    """Codes -> bytes, by open addressing; 16 bits of the hash stand for the code, so one in some 20,000 unknown codes
    is taken for a known one.

    Args:
        prints: (S,) uint16, 0 where a slot is free.
        values: (S, K) uint8.
    """

    def __init__(self, prints: NDArray[np.uint16], values: NDArray[np.uint8]) -> None:
        self.prints = prints
        self.values = values
        # Memory views give plain integers, several times as fast as NumPy's scalars.
        self._values = [np.ascontiguousarray(values[:, k]).data for k in range(values.shape[1])]
        self._slots = len(prints)
        self._wrapped = np.concatenate([prints, np.resize(prints, _WINDOW)])
        # The next free slot from each one on; behind the last slot those from the first on follow once more.
        free = np.flatnonzero(prints == 0)
        free = np.append(free, free[:1] + self._slots)
        self._ends = free[np.searchsorted(free, np.arange(self._slots))].astype(np.int32).data
        self._bytes = np.concatenate([prints, prints[: free[0]]]).astype("<u2").tobytes()

    def __reduce__(self) -> tuple[type[HashTable], tuple[NDArray[np.uint16], NDArray[np.uint8]]]:
        return HashTable, (self.prints, self.values)  # memory views do not travel between processes

    @classmethod
    def build(cls, codes: Sequence[int], values: NDArray[np.uint8], load: float = 0.85) -> HashTable:
        """A table of `codes`, each once, with their rows of `values` (N, K)."""
        slots = max(8, math.ceil(len(codes) / load))
        prints = np.zeros(slots, np.uint16)
        table = np.zeros((slots, values.shape[1]), np.uint8)
        for value, row in zip(codes, values, strict=True):
            h = spread(value)
            slot, mark = h % slots, (h >> 48) or 1
            while prints[slot]:
                slot = slot + 1 if slot + 1 < slots else 0
            prints[slot] = mark
            table[slot] = row
        return cls(prints, table)

    def find(self, value: int) -> int:
        """The slot of a code, or -1."""
        h = spread(value)
        slot = h % self._slots
        mark = ((h >> 48) or 1).to_bytes(2, "little")
        # All between the slot and the next free one; found at an odd place, it is of two neighbours.
        start, end = 2 * slot, 2 * self._ends[slot]
        while (at := self._bytes.find(mark, start, end)) & 1:
            if at < 0:
                return -1
            start = at + 1
        return (at >> 1) % self._slots

    def find_many(self, values: NDArray[np.int64]) -> NDArray[np.int64]:
        """`find` of many codes at once, of any shape; codes as signed 64-bit numbers."""
        h = values.ravel().astype(np.uint64)
        h = (h ^ h >> np.uint64(29)) * np.uint64(_MIX)
        h ^= h >> np.uint64(32)
        slots = (h % np.uint64(self._slots)).astype(np.int64)
        marks = np.maximum(h >> np.uint64(48), np.uint64(1)).astype(np.uint16)
        result = np.full(len(h), -1, np.int64)
        left = np.arange(len(h))
        while len(left):
            window = self._wrapped[slots[:, None] + _AHEAD]
            ours = window == marks[:, None]
            stop = ours | (window == 0)
            at = stop.argmax(axis=1)
            rows = np.arange(len(left))
            hit = ours[rows, at]
            result[left[hit]] = (slots[hit] + at[hit]) % self._slots
            on = np.flatnonzero(~stop[rows, at])
            left, marks, slots = left[on], marks[on], (slots[on] + _WINDOW) % self._slots
        return result.reshape(values.shape)

    def column(self, k: int) -> memoryview:
        """Column `k` of the values, by slot."""
        return self._values[k]


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """How much the model weighs, and how far the search looks; chosen by `scripts/train_language.py --tune`.

    Attributes:
        weight: exponent of the model's probability beside the network's.
        length: nats for each character, against the model's liking for short words.
        word: 0 to 1, share of the word list in the probability of a whole word; the n-grams have the rest.
        unknown: 0 to 1, share of a model of random strings, so that codes are not bent into words.
        random: probability of each character of such a string.
        mark: probability of each mark where a word may end or has not begun: the word lists have few of them.
        switch: probability that digits follow letters, or letters digits, where a word or number may end.
        digit: probability of each digit where the model expects one. Above 1/10: or digits would seem unlikely beside
            letters, the case of which costs nothing.
        case: probability of a case that the letters before do not lead to: "TEAr", "tEA".
        beam: prefixes kept at each frame.
        least: characters less probable than this in a frame are not tried there.
        clear: a character of at least this probability in a frame is taken as it is, whatever the model says.
        spread: prefixes that score less than this share of the best are dropped.
        doubt: exponent that makes confidence mean the share of words that are right.
        sure: readings of more confidence are not looked at.
        sure_mixed: the same for readings whose words mix scripts, or digits with letters.
        hopeless: nor are readings of less evidence (see `ctc.Paths`). Of 1755 searches on validation photos that left
            out 16 %, which took 35 % of the time; 8 of them would have ended with a confidence of 0.35 or more.
    """

    weight: float = 0.7
    length: float = 1.75
    word: float = 0.6
    unknown: float = 0.03
    random: float = 0.02
    mark: float = 0.03
    switch: float = 0.03
    digit: float = 0.3
    case: float = 0.1
    beam: int = 10
    least: float = 1e-3
    clear: float = 0.97
    spread: float = 3e-3
    doubt: float = 0.7
    sure: float = 0.95
    sure_mixed: float = 0.995
    hopeless: float = -2.2


# What is known after some symbols: the stored contexts that end there, as (code, length, backoff in nats) from the
# shortest to the longest.
Contexts = tuple[tuple[int, int, float], ...]


class LanguageModel:
    """Probabilities of words, letter by letter. Immutable; safe to share between threads.

    A backoff model (Katz 1987): the longest stored n-gram gives the probability of a symbol, and each longer context
    that does not know the symbol gives a factor. After a character that is not part of a word the context starts anew.

    Args:
        symbols: what the model is_word, in the order of its symbols from 2 on.
        order: symbols of the longest n-gram.
        unigram: (S,) uint8, -log probability of each symbol in `STEP`s.
        ngrams: codes of n-grams of two and more symbols -> -log probability, -log backoff factor.
        words: codes of whole words -> -log probability.
        options: how much it counts; the card's.
        card: the card of the file, kept for whoever asks.
    """

    def __init__(
        self,
        symbols: str,
        order: int,
        unigram: NDArray[np.uint8],
        ngrams: HashTable,
        words: HashTable,
        *,
        options: SearchOptions | None = None,
        card: dict[str, Any] | None = None,
    ) -> None:
        if len(unigram) != len(symbols) + 2 or len(symbols) + 2 >= 1 << BITS:
            raise WeightsError(f"the language model has {len(symbols)} symbols and {len(unigram)} probabilities")
        self.symbols = symbols
        self.order = order
        self.unigram = unigram
        self.ngrams = ngrams
        self.words = words
        self.options = options or SearchOptions()
        self.card = card or {}
        self.index = {s: i + 2 for i, s in enumerate(symbols)}
        self._unigram = [-STEP * float(v) for v in unigram]
        self.start: Contexts = self._contexts_of_start()

    @classmethod
    def load(cls, card_path: str | Path | None = None) -> LanguageModel:
        """The model whose card is at `card_path`, the shipped one by default.

        Raises:
            WeightsError: card or table missing or damaged.
        """
        path = Path(card_path) if card_path is not None else WEIGHTS_FOLDER / "language.json"
        card = load_card(path, "language")
        state = {name: tensor.numpy() for name, tensor in load_state(path, card).items()}
        try:
            tables = [
                HashTable(state[f"{name}.prints"].view(np.uint16), state[f"{name}.values"])
                for name in ("ngrams", "words")
            ]
            symbols, order = card["config"]["symbols"], int(card["config"]["order"])
            options = SearchOptions(**card.get("inference", {}))
            return cls(symbols, order, state["unigram"], *tables, options=options, card=card)
        except (KeyError, TypeError, ValueError) as error:
            raise WeightsError(f"{path}: the tables do not fit the card ({error})") from None

    def _contexts_of_start(self) -> Contexts:
        slot = self.ngrams.find(code([BOUNDARY]))
        backoff = -STEP * self.ngrams.column(1)[slot] if slot >= 0 else 0.0
        return ((code([BOUNDARY]), 1, backoff),)

    def step(self, contexts: Contexts, symbol: int) -> tuple[float, Contexts]:
        """The log probability of `symbol` after `contexts`, and the contexts after it."""
        find, scores, backoffs = self.ngrams.find, self.ngrams.column(0), self.ngrams.column(1)
        log_p = self._unigram[symbol]
        after: list[tuple[int, int, float]] = []
        slot = find(1 << BITS | symbol)
        if slot >= 0 and backoffs[slot] != NOT_A_CONTEXT:
            after.append((1 << BITS | symbol, 1, -STEP * backoffs[slot]))
        for context, length, backoff in contexts:
            value = context << BITS | symbol
            slot = find(value)
            if slot < 0:
                log_p += backoff
                continue
            log_p = -STEP * scores[slot]
            if length + 1 < self.order and backoffs[slot] != NOT_A_CONTEXT:
                after.append((value, length + 1, -STEP * backoffs[slot]))
        return log_p, tuple(after)

    def word(self, symbols: Iterable[int]) -> float | None:
        """The log probability of a whole word; None for an unknown one."""
        return self.listed(word_code(symbols))

    def listed(self, value: int) -> float | None:
        """`word`, of the word with this `word_code`."""
        slot = self.words.find(value)
        return None if slot < 0 else -STEP * self.words.column(0)[slot]

    def spelling(self, text: str) -> float:
        """The log probability of a character of `text`, on average; one that the model does not know costs -10."""
        total, count, contexts = 0.0, 0, self.start
        for character in to_visual(text):
            symbol = self.symbol_of(character)
            if symbol < 0:
                log_p, contexts = -_UNKNOWN, self.start
            else:
                log_p, contexts = self.step(contexts, symbol)
            total, count = total + log_p, count + 1
        return total / max(count, 1)

    def is_word(self, text: str) -> bool:
        """Whether the word list has `text`, marks around it and case left aside. Single letters are no words."""
        symbols = self._word_symbols(text)
        return bool(symbols) and self.word(symbols) is not None

    def lacks_letter(self, text: str) -> tuple[bool, bool]:
        """Whether `text`, of three letters or more and itself no word, becomes one with a letter more: before it,
        behind it."""
        symbols = self._word_symbols(text)
        if len(symbols) < 3 or self.word(symbols) is not None:
            return False, False
        native = is_devanagari(next(c for c in text if joins(c)))
        more = [s for letter, s in self.index.items() if joins(letter) and is_devanagari(letter) == native]
        before = any(self.word([s, *symbols]) is not None for s in more)
        return before, any(self.word([*symbols, s]) is not None for s in more)

    def _word_symbols(self, text: str) -> list[int]:
        """The symbols of a word of two letters or more, marks around it left out; nothing if it is something else."""
        inside = [i for i, character in enumerate(text) if joins(character)]
        letters = text[inside[0] : inside[-1] + 1] if inside else ""
        if len(letters) < 2 or not all(joins(c) and not c.isdecimal() for c in letters):
            return []
        symbols = [self.symbol_of(c) for c in to_visual(letters)]
        return symbols if min(symbols) >= 0 else []

    def symbol_of(self, character: str) -> int:
        """The symbol of a character; -1 for one that the model does not know."""
        return self.index.get(fold(character), -1)


NOT_A_CONTEXT = 255  # in the backoff column: the n-gram is the start of no longer one


def word_code(symbols: Iterable[int]) -> int:
    """The number that stands for a whole word of any length (FNV-1a)."""
    value = EMPTY_WORD
    for symbol in symbols:
        value = longer_word(value, symbol)
    return value


def longer_word(value: int, symbol: int) -> int:
    """The code of a word with one symbol more."""
    return (value ^ symbol) * FNV_PRIME & _MASK
