"""The search of `rescoring` on arrays of crops x prefixes x characters, for many crops at once.

Python is left with the steps, not with crops, prefixes or characters.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from signboard.recognition.language import (
    BITS,
    END,
    FNV_PRIME,
    FNV_START,
    NOT_A_CONTEXT,
    STEP,
    LanguageModel,
    SearchOptions,
    joins,
)
from signboard.recognition.search_steps import LETTER_AND_DIGIT, TINY, Candidate, Integers, Steps, kind_of, log_of

Floats = NDArray[np.float64]

_ANSWERS = 1 << 15  # of the model that are kept at most
_MOST_STATES = 100_000  # of the model that are remembered from search to search, about 200 bytes each
_RENEWED = 8  # steps after which probabilities are brought back to about 1, lest they vanish
_HUGE = 1e300
_UNKNOWN = (1 << BITS) - 1  # the symbol of characters that the model does not know
_MIX = 0x5851F42D4C957F2D  # makes hashes of prefixes, which are odd
_NO_PARENT = 2


class _Transitions:
    """What the model says of symbols in the states that searches meet, the latest answers kept.

    A state is what is known after some symbols: the stored contexts that end there (see `LanguageModel`).

    Args:
        unknown: the log probability of a character that the model does not know; behind it the context starts anew.
    """

    def __init__(self, model: LanguageModel, unknown: float) -> None:
        self._model = model
        self._unknown = unknown
        self._levels = model.order - 1
        self._numbers: dict[int, int] = {}  # the longest context's code -> the state's number
        self._lengths = np.arange(1, model.order)
        every = np.arange(1 << BITS)
        self._alone = model.ngrams.find_many(1 << BITS | every)  # where each symbol is stored as a context
        self._unigram = np.zeros(1 << BITS, np.uint8)
        self._unigram[: len(model.unigram)] = model.unigram
        self._codes = np.zeros((4096, self._levels), np.int64)  # of contexts of 1, 2, ... symbols; 0: not stored
        self._backoffs = np.zeros((4096, self._levels))
        # Answers, each at a place that its question's hash says; a new one takes the place of an older one.
        self._questions = np.full(_ANSWERS, -1, np.int64)
        self._log_p, self._after = np.zeros(_ANSWERS), np.zeros(_ANSWERS, np.int64)
        codes, backoffs = np.zeros((1, self._levels), np.int64), np.zeros((1, self._levels))
        for context, length, backoff in model.start:
            codes[0, length - 1], backoffs[0, length - 1] = context, backoff
        self.start = int(self._states(codes, backoffs)[0])

    def __len__(self) -> int:
        """How many states were met."""
        return len(self._numbers)

    def __call__(self, states: Integers, symbols: Integers) -> tuple[Floats, Integers]:
        """The log probability of each symbol in each state (P,), and the states after them."""
        questions = states << BITS | symbols
        places = (questions * _MIX >> 40) & _ANSWERS - 1
        log_p, after = self._log_p[places], self._after[places]
        missing = np.flatnonzero(self._questions[places] != questions)
        if len(missing):
            log_p[missing], after[missing] = self._asked(states[missing], symbols[missing])
            places = places[missing]
            self._questions[places] = questions[missing]
            self._log_p[places], self._after[places] = log_p[missing], after[missing]
        return log_p, after

    def _asked(self, states: Integers, symbols: Integers) -> tuple[Floats, Integers]:
        ngrams, levels = self._model.ngrams, self._levels
        known = self._codes[states]  # (P, levels)
        keys = np.empty((len(states), levels + 1), np.int64)
        keys[:, 0], keys[:, 1:] = 1 << BITS | symbols, known << BITS | symbols[:, None]
        slots = np.full(keys.shape, -1, np.int64)
        slots[:, 0] = self._alone[symbols]
        row, level = np.nonzero(known)
        slots[row, level + 1] = ngrams.find_many(keys[row, level + 1])
        found = slots >= 0
        scores, stored = ngrams.values[slots, 0], ngrams.values[slots, 1]
        # The longest n-gram that is found says, and each longer context that is stored takes something off.
        found[:, 0] = True
        scores[:, 0] = self._unigram[symbols]
        longest = levels - found[:, ::-1].argmax(axis=1)
        log_p = scores[np.arange(len(states)), longest] * -STEP
        log_p += (self._backoffs[states] * (self._lengths > longest[:, None])).sum(axis=1)
        longer = (slots >= 0)[:, :levels] & (stored != NOT_A_CONTEXT)[:, :levels]
        after = self._states(keys[:, :levels] * longer, stored[:, :levels] * longer * -STEP)
        strange = symbols == _UNKNOWN
        log_p[strange], after[strange] = self._unknown, self.start
        return log_p, after

    def _states(self, codes: Integers, backoffs: Floats) -> Integers:
        """The numbers of states with these contexts (P, levels), new ones where they are met for the first time."""
        numbers, before = self._numbers, len(self._numbers)
        found = [numbers.setdefault(key, len(numbers)) for key in codes.max(axis=1).tolist()]
        result = np.array(found, np.int64)
        if len(numbers) > before:
            while len(numbers) > len(self._codes):
                self._codes = np.concatenate([self._codes, np.zeros_like(self._codes)])
                self._backoffs = np.concatenate([self._backoffs, np.zeros_like(self._backoffs)])
            new = result >= before
            self._codes[result[new]], self._backoffs[result[new]] = codes[new], backoffs[new]
        return result


# Values of prefixes, each an array (crops, prefixes), one behind the other in two arrays: floats and integers.
(
    _BLANK,  # the network's probability up to here, ending in a blank
    _LETTER,  # ... or in the last character
    _LOG_P,  # of all characters, by the model
    _BEGUN,  # what that was where the present word began
    _OWED,  # what a letter costs behind a mark that was cheap because the text might have ended there
    _FACTOR,  # what the model makes of the network's probability
    _END,  # log probability that the text ends here, by the model; NaN: not asked yet
    _BONUS,  # what the word list adds, in nats, to a word that ends here; NaN: not asked yet
) = range(8)
(
    _LAST,  # class of the last character
    _KIND,  # see `_Characters`
    _STATE,  # of the model
    _COUNT,  # characters
    _WORD,  # hash of the present word's symbols; 0: it holds what is no letter
    _HASH,  # stands for the prefix,
    _PARENT,  # for the prefix without its last character,
    _FOLDED,  # and for the prefix without the case of letters
    _TRACE,  # the prefix's place among all that were ever kept; -1: the empty one
) = range(9)


class _Characters:
    """What the search has to know of the network's classes, in tables.

    Characters of like nature are one sort. A prefix's kind is twice the sort of its last character, plus one where the
    one before that is a capital.
    """

    def __init__(self, model: LanguageModel, characters: Sequence[str], options: SearchOptions) -> None:
        log_case, log_digit = log_of(options.case), math.log(options.digit)
        nature = [(False, False, False, False, 0)]
        nature += [(joins(c), c.isupper(), c.islower(), c.isdecimal(), kind_of(c)) for c in characters]
        sorts = sorted(set(nature))
        self.sort = np.array([sorts.index(n) for n in nature], np.int64)
        self.joins = np.array([joined for joined, *_ in sorts])
        self.digit = np.array([digit for _, _, _, digit, _ in sorts])
        self.log_digit = np.where(self.digit & self.joins, log_digit, 0.0)
        # What characters cost whatever the model says: 0 for marks, 1 letters, 2 digits, 3 upper, 4 lower case.
        self.price = np.array(
            [(2 if d else 3 if u else 4 if w else 1) if j else 0 for j, u, w, d, _ in sorts], np.int64
        )
        count = len(sorts)
        self.case = np.zeros((2 * count, count))  # of a character of a sort behind a prefix of a kind
        self.switch = np.zeros(
            (2 * count, count), bool
        )  # whether it is a digit behind a letter, or a letter behind one
        self.kind = np.zeros((2 * count, count), np.int64)  # of the prefix with it
        self.prices = np.zeros((2 * count, 5))
        self.joined = np.repeat(self.joins, 2)  # whether a prefix of a kind ends within a word
        for number, (_, upper, lower, _, bits) in enumerate(sorts):
            for capital in (0, 1):
                here = 2 * number + capital
                self.prices[here, 2:] = log_digit, log_case * lower, log_case * (upper and capital and not lower)
                for other, (joined, up, low, _, other_bits) in enumerate(sorts):
                    self.kind[here, other] = 2 * other + upper
                    if joined:
                        self.case[here, other] = log_case * ((up and lower) or (low and upper and capital))
                        self.switch[here, other] = bits ^ other_bits in LETTER_AND_DIGIT
        self.start = 2 * int(self.sort[0])
        symbols = [-1, *(model.symbol_of(c) for c in characters)]
        self.symbol = np.array([s if s >= 0 else _UNKNOWN for s in symbols], np.int64)
        # Digits share a symbol but are no variants of each other.
        apart = (self.symbol == _UNKNOWN) | self.digit[self.sort]
        self.folded = np.where(apart, 1000 + np.arange(len(symbols)), self.symbol)
        self.space = characters.index(" ") + 1 if " " in characters else -1


class ArraySearch:
    """The search of many crops at once, step by step. Safe to share between threads.

    Args:
        characters: of the network's classes from 1 on.
    """

    def __init__(self, model: LanguageModel, characters: Sequence[str], options: SearchOptions) -> None:
        self._model = model
        self._options = options
        self._characters = _Characters(model, characters, options)
        self._spare: list[_Transitions] = []  # each run has one to itself

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_spare": []}

    def run(self, steps: Steps) -> list[list[Candidate]]:
        """The likeliest readings of each crop, best first, in the crops' order."""
        try:
            transitions = self._spare.pop()
        except IndexError:
            transitions = _Transitions(self._model, math.log(self._options.random))
        results = _Run(self._options, self._characters, self._model, transitions, steps).run()
        if len(transitions) < _MOST_STATES:
            self._spare.append(transitions)
        return results


class _Run:
    """One search of the readings of some crops."""

    def __init__(
        self,
        options: SearchOptions,
        characters: _Characters,
        model: LanguageModel,
        transitions: _Transitions,
        steps: Steps,
    ) -> None:
        self.options = options
        self.characters = characters
        self.words = model.words
        self.model = transitions
        self.steps = steps
        self.log_unknown, self.log_random = log_of(options.unknown), math.log(options.random)
        self.log_mark, self.log_switch = log_of(options.mark), log_of(options.switch)
        crops = len(steps.order)
        self.floats = np.zeros((8, crops, 1))
        self.floats[[_BLANK, _FACTOR]] = 1.0
        self.floats[[_END, _BONUS]] = np.nan
        self.integers = np.zeros((9, crops, 1), np.int64)
        for name, value in (
            (_KIND, characters.start), (_STATE, transitions.start), (_HASH, 1), (_PARENT, _NO_PARENT), (_FOLDED, 1),
            (_TRACE, -1),
        ):  # fmt: skip
            self.integers[name] = value
        self.log_scale = steps.log_left_out.copy()  # of what the probabilities of each crop were divided by
        self.parents: list[Integers] = []  # of all prefixes that were ever kept, the place of the one before the last
        self.lasts: list[Integers] = []  # character, and that character's class
        self.kept = 0

    def run(self) -> list[list[Candidate]]:
        """The readings of each crop."""
        crops, beam = len(self.steps.order), self.options.beam
        ends = np.zeros((8, crops, beam)), np.zeros((9, crops, beam), np.int64)

        def finish(first: int) -> None:
            _, count, width = self.floats.shape
            ends[0][:, first:count, :width] = self.floats[:, first:]
            ends[1][:, first:count, :width] = self.integers[:, first:]
            self.floats, self.integers = self.floats[:, :first], self.integers[:, :first]

        for step, active in enumerate(self.steps.active.tolist()):
            if active < self.floats.shape[1]:
                finish(active)
            self._advance(step)
            if step % _RENEWED == _RENEWED - 1:
                most = (self.floats[_BLANK] + self.floats[_LETTER]).max(axis=1)
                self.floats[:2] /= most[:, None]
                self.log_scale[:active] += np.log(most)
        finish(0)
        self.floats, self.integers = ends
        return self._candidates()

    def _advance(self, step: int) -> None:
        """Take the next frame of all crops that have one."""
        o, floats, integers = self.options, self.floats, self.integers
        crops, width = floats.shape[1:]
        classes, probability = self.steps.classes[step, :crops], self.steps.probability[step, :crops]
        tried = int((probability > 0.0).any(axis=0).sum())
        classes, probability = classes[:, :tried], probability[:, :tried]
        blank, letter, factor = floats[_BLANK], floats[_LETTER], floats[_FACTOR]
        total = blank + letter
        ended = self.steps.ended[step, :crops, None]
        blank, letter = np.where(ended, total, blank), np.where(ended, 0.0, letter)
        same = integers[_LAST][:, :, None] == classes[:, None]  # (crops, prefixes, characters)
        longer = np.where(same, blank[:, :, None], total[:, :, None]) * probability[:, None]
        letter = letter * (same * probability[:, None]).sum(axis=2)
        blank = total * self.steps.blank[step, :crops, None]
        # A prefix that is there already takes what the one before its last character would give to it anew.
        crop, child, parent = np.nonzero(integers[_PARENT][:, :, None] == integers[_HASH][:, None])
        if len(crop):
            its = classes[crop] == integers[_LAST][crop, child][:, None]
            letter[crop, child] += (longer[crop, parent] * its).sum(axis=1)
            pair, character = np.nonzero(its)
            longer[crop[pair], parent[pair], character] = 0.0
        floats[_BLANK], floats[_LETTER] = blank, letter
        stay = (blank + letter) * factor
        bar = stay.max(axis=1) * o.spread
        if width == o.beam:
            bar = np.maximum(bar, stay.min(axis=1))
        price = self.characters.price[self.characters.sort[classes]]
        most = np.take_along_axis(self._most(), np.broadcast_to(price[:, None], longer.shape), axis=2)
        crop, parent, character = np.nonzero((longer * most >= bar[:, None, None]) & (longer > 0.0))
        new, new_integers = self._extended(crop, parent, classes[crop, character])
        new[_LETTER] = longer[crop, parent, character]
        self._keep_best(stay, bar, crop, new, new_integers)

    def _most(self) -> Floats:
        """(crops, prefixes, 5) the most that `_FACTOR` can be with one more character, by `_Characters.price`.

        The model can only take from a score, but for marks, where the word list may add to it.
        """
        log_p = (self.floats[_LOG_P] + self.floats[_OWED])[:, :, None] + self.characters.prices[self.integers[_KIND]]
        most = self._factor(log_p, self.integers[_COUNT][:, :, None] + 1)
        most[:, :, 0] = _HUGE
        return most

    def _factor(self, log_p: Floats, count: Integers) -> Floats:
        o = self.options
        factor: Floats = np.exp(
            o.weight * np.maximum(log_p, self.log_unknown + count * self.log_random) + o.length * count
        )
        return factor

    def _extended(self, crop: Integers, parent: Integers, last: Integers) -> tuple[Floats, Integers]:
        """The values of prefixes with one more character each, `_LETTER` left to the caller."""
        c = self.characters
        sort, symbol = c.sort[last], c.symbol[last]
        joined = c.joins[sort]
        kind = self.integers[_KIND][crop, parent]
        switch = c.switch[kind, sort]
        self._ask(crop, parent, ~joined | switch)
        floats, integers = self.floats[:, crop, parent], self.integers[:, crop, parent]
        log_p, state = self.model(integers[_STATE], symbol)
        if switch.any():
            # A code: the model may take what follows for the beginning of another word.
            anew, after = self.model(np.full_like(symbol, self.model.start), symbol)
            anew += floats[_END] + self.log_switch
            better = switch & (anew > log_p)
            log_p, state = np.where(better, anew, log_p), np.where(better, after, state)
        # What is no matter of letters stays out of the comparison with the word list.
        aside = floats[_OWED] + c.case[kind, sort]
        begun = floats[_BEGUN] + aside
        within = c.joined[kind]
        word = np.where(within, integers[_WORD], FNV_START)
        spoilt = (word == 0) | c.digit[sort] | (symbol == _UNKNOWN)
        word = np.where(spoilt, 0, (word ^ symbol) * FNV_PRIME)
        owed = np.zeros(len(last))
        whole = floats[_LOG_P] + aside + log_p + c.log_digit[sort]
        if not joined.all():
            cheap = floats[_END] + self.log_mark
            owed = np.where(within, np.minimum(log_p - cheap, 0.0), floats[_OWED])
            owed[joined | (last == c.space)] = 0.0
            marked = np.maximum(log_p, cheap) + floats[_LOG_P] + floats[_BONUS]
            whole, begun = np.where(joined, whole, marked), np.where(joined, begun, marked)
            state = np.where(joined, state, self.model.start)
        new, new_integers = np.zeros((8, len(last))), np.empty((9, len(last)), np.int64)
        count = integers[_COUNT] + 1
        new[_LOG_P], new[_BEGUN], new[_OWED], new[_FACTOR] = whole, begun, owed, self._factor(whole, count)
        new[[_END, _BONUS]] = np.nan
        new_integers[_LAST], new_integers[_KIND], new_integers[_STATE] = last, c.kind[kind, sort], state
        new_integers[_COUNT], new_integers[_WORD] = count, word
        new_integers[_HASH], new_integers[_PARENT] = (integers[_HASH] + last) * _MIX | 1, integers[_HASH]
        new_integers[_FOLDED], new_integers[_TRACE] = (integers[_FOLDED] + c.folded[last]) * _MIX | 1, integers[_TRACE]
        return new, new_integers

    def _ask(self, crop: Integers, prefix: Integers, which: NDArray[np.bool_]) -> None:
        """Fill in `_END` and `_BONUS` of these prefixes where they were not asked before."""
        asked = np.zeros(self.floats.shape[1:], bool)
        asked[crop[which], prefix[which]] = True
        crop, prefix = np.nonzero(asked & np.isnan(self.floats[_END]))
        if not len(crop):
            return
        floats, integers = self.floats[:, crop, prefix], self.integers[:, crop, prefix]
        within = self.characters.joined[integers[_KIND]]
        end = np.where(within, self.model(integers[_STATE], np.full(len(crop), END))[0], 0.0)
        slots = np.where(within & (integers[_WORD] != 0), self.words.find_many(integers[_WORD]), -1)
        listed = -STEP * self.words.values[slots, 0].astype(np.float64)
        known = np.exp(np.minimum(listed - (floats[_LOG_P] - floats[_BEGUN] + end), 50.0))
        bonus = np.log(np.where(slots >= 0, self.options.word * known, 0.0) + max(1.0 - self.options.word, TINY))
        self.floats[_END][crop, prefix] = end
        self.floats[_BONUS][crop, prefix] = np.where(within & (integers[_WORD] != 0), bonus, 0.0)

    def _keep_best(self, stay: Floats, bar: Floats, crop: Integers, new: Floats, new_integers: Integers) -> None:
        """Keep the best of the prefixes that there are and of the longer ones, of each crop."""
        o = self.options
        crops, width = stay.shape
        score = np.concatenate([stay.ravel(), new[_LETTER] * new[_FACTOR]])
        crop = np.concatenate([np.repeat(np.arange(crops), width), crop])
        likely = np.flatnonzero((score >= bar[crop]) & (score > 0.0))
        likely = likely[np.lexsort((-score[likely], crop[likely]))]
        score, crop = score[likely], crop[likely]
        counts = np.bincount(crop, minlength=crops)
        first = np.cumsum(counts) - counts
        rank = np.arange(len(crop)) - first[crop]
        keep = (rank < o.beam) & (score >= np.maximum(score[first] * o.spread, TINY)[crop])
        likely, crop, rank = likely[keep], crop[keep], rank[keep]
        integers = np.concatenate([self.integers.reshape(9, -1), new_integers], axis=1)[:, likely]
        grown = np.flatnonzero(likely >= crops * width)
        self.parents.append(integers[_TRACE, grown])
        self.lasts.append(integers[_LAST, grown])
        integers[_TRACE, grown] = np.arange(self.kept, self.kept + len(grown))
        self.kept += len(grown)
        floats = np.concatenate([self.floats.reshape(8, -1), new], axis=1)[:, likely]
        width = int(rank.max()) + 1
        self.floats, self.integers = np.zeros((8, crops, width)), np.zeros((9, crops, width), np.int64)
        self.integers[_PARENT] = _NO_PARENT
        self.floats[:, crop, rank], self.integers[:, crop, rank] = floats, integers

    def _candidates(self) -> list[list[Candidate]]:
        """The readings of each crop, from the prefixes that are left."""
        seen = self.floats[_BLANK] + self.floats[_LETTER]
        there = seen > 0.0
        crop, prefix = np.nonzero(there)
        self._ask(crop, prefix, np.ones(len(crop), bool))
        log_p = self.floats[_LOG_P] + np.where(there, self.floats[_BONUS] + self.floats[_END], 0.0)
        score = np.where(there, seen * self._factor(log_p, self.integers[_COUNT]), 0.0)
        # Readings that differ in case alone are one.
        folded = self.integers[_FOLDED]
        alike = (folded[:, :, None] == folded[:, None]) & there[:, :, None] & there[:, None]
        total = np.maximum(score.sum(axis=1, keepdims=True), TINY)
        share = (alike * score[:, None]).sum(axis=2) / total
        seen = (alike * seen[:, None]).sum(axis=2) * np.exp(self.log_scale)[:, None]
        earlier = np.arange(score.shape[1])
        better = (score[:, None] > score[:, :, None]) | (
            (score[:, None] == score[:, :, None]) & (earlier[None] < earlier[:, None])
        )
        crop, prefix = np.nonzero(there & ~(alike & better).any(axis=2))
        texts = self._traced(self.integers[_TRACE][crop, prefix])
        results: list[list[Candidate]] = [[] for _ in self.steps.order]
        order = self.steps.order[crop].tolist()
        values = zip(order, texts, seen[crop, prefix].tolist(), share[crop, prefix].tolist(), strict=True)
        for i, classes, by_network, part in values:
            by_network = min(1.0, by_network)
            each = by_network ** (1 / len(classes)) if classes else 0.0
            results[i].append(Candidate(classes, by_network, part, (part * each) ** self.options.doubt))
        for found in results:
            found.sort(key=lambda candidate: (-candidate.share, candidate.classes))
        return results

    def _traced(self, places: Integers) -> list[tuple[int, ...]]:
        """The classes of the characters of prefixes, by their `_TRACE`."""
        parents = np.concatenate([*self.parents, [-1]])  # the last one stands for the empty prefix
        lasts = np.concatenate([*self.lasts, [0]])
        columns = []
        while (places >= 0).any():
            columns.append(lasts[places])
            places = parents[places]
        rows = np.stack(columns[::-1], axis=1).tolist() if columns else [[] for _ in places]
        return [tuple(c for c in row if c) for row in rows]


__all__ = ["ArraySearch"]
