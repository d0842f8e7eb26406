"""A character language model, and the search that weighs it against what the recogniser saw.

The model works in the network's order (see `charset.to_visual`), on symbols: letters without case, one symbol for all
digits 0-9, one for all Devanagari digits, every other character as itself. So it knows which letters follow each other
and what numbers look like; which digit it is, and the letters' case, the network alone decides.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from heapq import heappushpop
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from signboard.errors import WeightsError
from signboard.recognition.charset import to_visual
from signboard.script import is_devanagari
from signboard.weights import WEIGHTS_FOLDER, load_card, load_state

BOUNDARY, END = 0, 1  # symbols: what stands before a word, what stands behind the last one
STEP = 1 / 16  # nats; logarithms are stored as bytes, -STEP each
DIGIT, NATIVE_DIGIT = "0", "०"
_MASK = (1 << 64) - 1
_MIX = 0x9E3779B97F4A7C15
_BITS = 8  # of a symbol


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
        value = value << _BITS | symbol
    return value


def spread(value: int) -> int:
    """A 64-bit hash of a code: multiplicative, with the high bits folded in (Knuth, TAOCP 3, 6.4)."""
    value = (value ^ value >> 29) * _MIX & _MASK
    return value ^ value >> 32


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
        self._prints = np.ascontiguousarray(prints).data
        self._values = [np.ascontiguousarray(values[:, k]).data for k in range(values.shape[1])]
        self._slots = len(prints)

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
        slot, mark = h % self._slots, (h >> 48) or 1
        prints = self._prints
        while (found := prints[slot]) != 0:
            if found == mark:
                return slot
            slot = slot + 1 if slot + 1 < self._slots else 0
        return -1

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


# What is known after some symbols: the stored contexts that end there, as (code, length, backoff in nats) from the
# shortest to the longest.
Contexts = tuple[tuple[int, int, float], ...]


class LanguageModel:
    """Probabilities of words, letter by letter. Immutable but for a cache; safe to share between threads.

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
        if len(unigram) != len(symbols) + 2 or len(symbols) + 2 > 1 << _BITS:
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
        self._cache: dict[int, tuple[float, Contexts]] = {}
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
        key = contexts[-1][0] << _BITS | symbol if contexts else symbol
        known = self._cache.get(key)
        if known is not None:
            return known
        find, scores, backoffs = self.ngrams.find, self.ngrams.column(0), self.ngrams.column(1)
        log_p = self._unigram[symbol]
        after: list[tuple[int, int, float]] = []
        slot = find(1 << _BITS | symbol)
        if slot >= 0 and backoffs[slot] != NOT_A_CONTEXT:
            after.append((1 << _BITS | symbol, 1, -STEP * backoffs[slot]))
        for context, length, backoff in contexts:
            value = context << _BITS | symbol
            slot = find(value)
            if slot < 0:
                log_p += backoff
                continue
            log_p = -STEP * scores[slot]
            if length + 1 < self.order and backoffs[slot] != NOT_A_CONTEXT:
                after.append((value, length + 1, -STEP * backoffs[slot]))
        if len(self._cache) > 50000:
            self._cache.clear()
        result = self._cache[key] = (log_p, tuple(after))
        return result

    def word(self, symbols: Iterable[int]) -> float | None:
        """The log probability of a whole word; None for an unknown one."""
        slot = self.words.find(word_code(symbols))
        return None if slot < 0 else -STEP * self.words.column(0)[slot]

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
    value = 0xCBF29CE484222325
    for symbol in symbols:
        value = (value ^ symbol) * 0x100000001B3 & _MASK
    return value


class _Prefix:
    """A prefix of a reading: a node of the tree of those that the search has met."""

    __slots__ = (
        "begun", "blank", "characters", "children", "contexts", "factor", "frame", "last", "letter", "log_p", "most",
        "next_blank", "next_letter", "owed", "parent", "symbol",
    )  # fmt: skip

    def __init__(
        self,
        parent: _Prefix | None,
        last: int,
        symbol: int,
        contexts: Contexts,
        characters: int,
        log_p: float,
        begun: float,
        factor: float,
    ) -> None:
        self.parent = parent
        self.last = last  # class of the last character
        self.symbol = symbol
        self.contexts = contexts
        self.characters = characters
        self.log_p = log_p  # of all characters, by the model
        self.begun = begun  # what `log_p` was where the present word began
        self.owed = 0.0  # what a letter costs behind a mark that was cheap because the text might have ended there
        self.factor = factor  # what the model makes of the network's probability
        self.most: tuple[float, ...] = ()  # see `Rescorer._most`
        self.children: dict[int, _Prefix] = {}
        self.frame = -1  # the last one in which the prefix was met
        self.blank = self.letter = 0.0  # the network's probability up to here, ending in a blank or in `last`
        self.next_blank = self.next_letter = 0.0  # the same with the frame that is being looked at


@dataclass(frozen=True, slots=True)
class Candidate:
    """A reading that the search ends with.

    Attributes:
        classes: of its characters, in the network's order.
        seen: its probability by the network alone, over all alignments.
        share: 0 to 1, its part of the scores of all candidates, readings that differ in case alone taken together.
        confidence: 0 to 1: `share`, times what the network gives each character (the geometric mean of `seen`), to the
            power of `SearchOptions.doubt`. Letters that were hardly seen give none, however well they make a word.
    """

    classes: tuple[int, ...]
    seen: float
    share: float
    confidence: float


class Rescorer:
    """Prefix beam search (Hannun et al. 2014, "First-pass large vocabulary continuous speech recognition") with a
    `LanguageModel`: the score of a reading is P(network) * P(model) ** weight * e ** (length * characters).

    Args:
        characters: of the network's classes from 1 on.
    """

    def __init__(self, model: LanguageModel, characters: Sequence[str], options: SearchOptions | None = None) -> None:
        self.model = model
        self.options = options or model.options
        self.symbols = [-1, *(model.symbol_of(c) for c in characters)]
        self._log_unknown = math.log(max(self.options.unknown, 1e-30))
        self._log_mark = math.log(max(self.options.mark, 1e-30))
        self._log_random = math.log(self.options.random)
        self._joins = [False, *(joins(c) for c in characters)]
        self._upper = [False, *(c.isupper() for c in characters)]
        self._lower = [False, *(c.islower() for c in characters)]
        self._space = characters.index(" ") + 1 if " " in characters else -1
        self._log_switch = math.log(max(self.options.switch, 1e-30))
        self._log_digit = math.log(self.options.digit)
        self._log_case = math.log(max(self.options.case, 1e-30))
        self._digit = [False, *(c.isdecimal() for c in characters)]
        self._kinds = [0, *(_kind(c) for c in characters)]
        # What a character costs whatever the model says: 0 for marks, 1 letters, 2 digits, 3 upper, 4 lower case.
        self._class = [
            (2 if d else 3 if u else 4 if w else 1) if j else 0
            for j, d, u, w in zip(self._joins, self._digit, self._upper, self._lower, strict=True)
        ]

    def doubtful(self, classes: Sequence[int], confidence: float) -> bool:
        """Whether a reading is worth a search: it is unsure, or a little unsure and a word in it mixes kinds."""
        if not classes:
            return False
        if confidence < self.options.sure:
            return True
        return confidence < self.options.sure_mixed and self._mixed(classes)

    def _mixed(self, classes: Sequence[int]) -> bool:
        kinds = 0
        for c in classes:
            kinds = kinds | self._kinds[c] if self._joins[c] else 0
            if kinds & (kinds - 1):
                return True
        return False

    def search(self, probabilities: NDArray[np.float32]) -> list[Candidate]:
        """The likeliest readings, best first; never empty, the empty reading may be among them.

        Args:
            probabilities: (T, C) of each class in each frame, class 0 the blank.
        """
        o = self.options
        root = _Prefix(None, 0, -1, self.model.start, 0, 0.0, 0.0, 1.0)
        root.blank = 1.0
        beams = [root]
        gain = math.exp(o.length)  # the most that a letter can add to a score
        reach = o.spread / gain
        classes = self._class
        scale = 1.0  # what the probabilities of all prefixes were multiplied with, lest they vanish
        for frame, (blank, chars) in enumerate(_frames(probabilities, o.least, o.clear)):
            here = dict(chars)
            # The model can only take from a score, but for the length and, between words, the word list.
            floor = (
                reach * max(b.factor * (b.blank + b.letter) for b in beams) * max(blank, chars[0][1] if chars else 0)
            )
            met: list[_Prefix] = []
            kept = [0.0] * o.beam  # a heap of the best scores so far, none of which can fall any more
            offers: list[tuple[float, float, int, _Prefix]] = []
            for prefix in beams:
                p_blank, p_letter, factor, last = prefix.blank, prefix.letter, prefix.factor, prefix.last
                total = p_blank + p_letter
                if prefix.frame != frame:
                    prefix.frame = frame
                    prefix.next_letter = 0.0
                    met.append(prefix)
                prefix.next_blank = total * blank
                if p_letter and last in here:
                    prefix.next_letter += p_letter * here[last]
                heappushpop(kept, (prefix.next_blank + prefix.next_letter) * factor)
                least = floor / (total * factor)
                children = prefix.children
                most = prefix.most
                if not most:
                    most = prefix.most = self._most(prefix)
                for c, p in chars:
                    if p < least:
                        break
                    q = (p_blank if c == last else total) * p
                    child = children.get(c)
                    if child is None:
                        offers.append((q * most[classes[c]], q, c, prefix))
                    elif child.frame != frame:
                        child.frame = frame
                        child.next_blank = 0.0
                        child.next_letter = q
                        met.append(child)
                    else:
                        child.next_letter += q
            # New prefixes, the most promising first, until none can be among the best any more.
            offers.sort(key=_first, reverse=True)
            for bound, q, c, prefix in offers:
                if bound < kept[0]:
                    break
                child = self._extend(prefix, c)
                child.frame = frame
                child.next_blank = 0.0
                child.next_letter = q
                met.append(child)
                heappushpop(kept, q * child.factor)
            bar = kept[0]
            ranked = []
            for prefix in met:
                blank, letter = prefix.blank, prefix.letter = prefix.next_blank, prefix.next_letter
                score = (blank + letter) * prefix.factor
                if score >= bar:
                    ranked.append((score, prefix))
            ranked.sort(key=_first_of_pair, reverse=True)
            best = ranked[0][0]
            bar = max(best * o.spread, 1e-300)
            beams = [prefix for score, prefix in ranked[: o.beam] if score >= bar]
            if best < _SMALL:
                scale /= _SMALL
                for prefix in beams:
                    prefix.blank /= _SMALL
                    prefix.letter /= _SMALL
        return self._candidates(beams, scale)

    def _extend(self, prefix: _Prefix, c: int) -> _Prefix:
        """The prefix with one more character, scored by the model."""
        o, model = self.options, self.model
        symbol = self.symbols[c]
        if symbol < 0:
            log_p, contexts = math.log(o.random), model.start
        else:
            log_p, contexts = model.step(prefix.contexts, symbol)
        owed = 0.0
        if self._joins[c]:
            if self._kinds[c] ^ self._kinds[prefix.last] in _LETTER_AND_DIGIT:
                # A code: the model may take what follows for the beginning of another word.
                anew, after = model.step(model.start, symbol) if symbol >= 0 else (-math.inf, contexts)
                anew += self._end(prefix) + self._log_switch
                if anew > log_p:
                    log_p, contexts = anew, after
            # What is no matter of letters stays out of the comparison with the word list.
            aside = prefix.owed
            if self._upper[c]:
                aside += self._log_case * self._lower[prefix.last]
            elif self._lower[c] and self._upper[prefix.last] and prefix.parent is not None:
                aside += self._log_case * self._upper[prefix.parent.last]
            log_p += prefix.log_p + aside + (self._log_digit if self._digit[c] else 0.0)
            begun = prefix.begun + aside
        else:
            cheap = self._end(prefix) + self._log_mark
            if c != self._space:
                owed = min(log_p - cheap, 0.0) if self._joins[prefix.last] else prefix.owed
            log_p = max(log_p, cheap)
            log_p += prefix.log_p + self._word_bonus(prefix)
            begun, contexts = log_p, model.start
        count = prefix.characters + 1
        child = _Prefix(prefix, c, symbol, contexts, count, log_p, begun, self._factor(log_p, count))
        child.owed = owed
        prefix.children[c] = child
        return child

    def _end(self, prefix: _Prefix) -> float:
        """The log probability that the text ends here; behind a mark it may at no cost."""
        return self.model.step(prefix.contexts, END)[0] if self._joins[prefix.last] else 0.0

    def _most(self, prefix: _Prefix) -> tuple[float, ...]:
        """The most that `_Prefix.factor` can be with one more character, of each of the classes in `_class`.

        The model can only take from a score, but for marks, where the word list may add to it.
        """
        log_p, count, last = prefix.log_p + prefix.owed, prefix.characters + 1, prefix.last
        plain = upper = lower = self._factor(log_p, count)
        if self._lower[last]:
            upper = self._factor(log_p + self._log_case, count)
        elif self._upper[last] and prefix.parent is not None and self._upper[prefix.parent.last]:
            lower = self._factor(log_p + self._log_case, count)
        return math.inf, plain, self._factor(log_p + self._log_digit, count), upper, lower

    def _factor(self, log_p: float, characters: int) -> float:
        o = self.options
        return math.exp(
            o.weight * max(log_p, self._log_unknown + characters * self._log_random) + o.length * characters
        )

    def _word_bonus(self, prefix: _Prefix) -> float:
        """What the word list adds, in nats, to the n-grams' log probability of the word that ends here."""
        symbols = []
        node: _Prefix | None = prefix
        while node is not None and node.parent is not None and self._joins[node.last]:
            if self._digit[node.last] or node.symbol < 0:
                return 0.0
            symbols.append(node.symbol)
            node = node.parent
        if not symbols:
            return 0.0
        by_letters = prefix.log_p - prefix.begun + self.model.step(prefix.contexts, END)[0]
        whole = self.model.word(reversed(symbols))
        known = math.exp(min(whole - by_letters, 50.0)) if whole is not None else 0.0
        return math.log(self.options.word * known + 1.0 - self.options.word)

    def _candidates(self, beams: list[_Prefix], scale: float) -> list[Candidate]:
        groups: dict[tuple[int, ...], list[Any]] = {}
        for prefix in beams:
            seen = prefix.blank + prefix.letter
            log_p = prefix.log_p + self._word_bonus(prefix) + self._end(prefix)
            score = seen * self._factor(log_p, prefix.characters)
            classes, symbols, node = [], [], prefix
            while node.parent is not None:
                classes.append(node.last)
                # Digits share a symbol but are no variants of each other.
                symbols.append(node.symbol if node.symbol >= 0 and not self._digit[node.last] else -1 - node.last)
                node = node.parent
            group = groups.setdefault(tuple(symbols), [0.0, 0.0, 0.0, ()])
            group[0] += score
            group[2] += seen
            if score > group[1]:
                group[1], group[3] = score, tuple(reversed(classes))
        total = sum(group[0] for group in groups.values()) or 1.0
        found = []
        for score, _, seen, classes in groups.values():
            share, seen = score / total, min(1.0, seen / scale)
            each = seen ** (1 / len(classes)) if classes else 0.0
            found.append(Candidate(classes, seen, share, (share * each) ** self.options.doubt))
        return sorted(found, key=lambda candidate: (-candidate.share, candidate.classes))


# What kinds (see `_kind`) differ by from a letter to a digit of the same script, or back.
_LETTER_AND_DIGIT = frozenset({1 ^ 4, 2 ^ 8})
_SMALL = 1e-60


def _first(offer: tuple[float, float, int, _Prefix]) -> float:
    return offer[0]


def _first_of_pair(pair: tuple[float, _Prefix]) -> float:
    return pair[0]


def _second(pair: tuple[int, float]) -> float:
    return pair[1]


def _kind(character: str) -> int:
    """One bit for Latin letters, Devanagari, digits 0-9 and Devanagari digits; 0 for others."""
    if character.isdecimal():
        return 4 if character < "\u0900" else 8
    if "\u0900" <= character <= "\u097f":
        return 2
    return 1 if character.isalpha() else 0


def _frames(
    probabilities: NDArray[np.float32], least: float, clear: float
) -> list[tuple[float, list[tuple[int, float]]]]:
    """(probability of the blank, [(class, probability)] of the likelier characters) of each frame.

    Frames that hold nothing but the blank follow each other often; the first of a run stands for all.
    """
    frames = []
    rows, columns = np.nonzero(probabilities[:, 1:] >= least)
    values = probabilities[rows, columns + 1].tolist()
    chars: list[list[tuple[int, float]]] = [[] for _ in range(len(probabilities))]
    for row, column, value in zip(rows.tolist(), columns.tolist(), values, strict=True):
        chars[row].append((column + 1, value))
    empty = False
    for blank, here in zip(probabilities[:, 0].tolist(), chars, strict=True):
        if here or not empty:
            here.sort(key=_second, reverse=True)
            if here and here[0][1] >= clear:
                blank, here = 0.0, here[:1]
            frames.append((max(blank, 1e-12), here))
        empty = not here
    return frames
