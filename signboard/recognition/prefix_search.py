"""The search of `rescoring`, one crop after the other, on a tree of the prefixes that it meets.

What a character costs behind a prefix depends on little: what the model knows there, the nature of the last character
and the case of the one before. These are the prefix's state, a number, and what was once worked out in a state is kept.
All that is kept is flat: Python's garbage collector would walk through objects again and again.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from heapq import heappushpop
from operator import itemgetter
from typing import Any

from signboard.recognition.language import (
    BITS,
    EMPTY_WORD,
    END,
    Contexts,
    LanguageModel,
    SearchOptions,
    joins,
    longer_word,
)
from signboard.recognition.search_steps import LETTER_AND_DIGIT, TINY, Candidate, Frame, Steps, kind_of, log_of

_MOST_KNOWN = 50_000  # moves from state to state that are kept, about 800 bytes each with all that belongs to them
_CLASS_BITS = 16

# One character more in a state: the state behind it; the log probability of the character, for letters with what their
# case or being a digit costs; that part of it, which is no matter of letters and stays out of comparisons with words;
# and what is owed (see `_Prefix`), NaN: as before.
_Move = tuple[int, float, float, float]


class _Prefix:
    """A prefix of a reading: a node of the tree of those that the search has met."""

    __slots__ = (
        "begun", "blank", "bonus", "characters", "factor", "frame", "last", "letter", "log_p", "most", "next_letter",
        "number", "owed", "parent", "state", "total", "word",
    )  # fmt: skip

    def __init__(
        self,
        number: int,
        parent: _Prefix | None,
        last: int,
        state: int,
        characters: int,
        word: int,
        log_p: float,
        begun: float,
        owed: float,
        factor: float,
        most: float,
    ) -> None:
        self.number = number  # of this search
        self.parent = parent
        self.last = last  # class of the last character
        self.state = state
        self.characters = characters
        self.word = word  # `language.word_code` of the present word; 0: it holds what is no letter
        self.log_p = log_p  # of all characters, by the model
        self.begun = begun  # what `log_p` was where the present word began
        self.owed = owed  # what a letter costs behind a mark that was cheap because the text might have ended there
        self.factor = factor  # what the model makes of the network's probability
        self.most = most  # that it can make of it with a letter more
        self.bonus: float | None = None  # see `PrefixSearch._word_bonus`; None: not asked yet
        self.frame = -1  # the last one in which the prefix was among the best before it
        # The network's probability up to here, ending in a blank, in `last`, and both; then with the frame at hand.
        self.blank = self.letter = self.total = self.next_letter = 0.0


class _Characters:
    """What the search has to know of the network's classes, in tables."""

    def __init__(self, model: LanguageModel, characters: Sequence[str]) -> None:
        self.symbols = [-1, *(model.symbol_of(c) for c in characters)]
        self.joins = [False, *(joins(c) for c in characters)]
        self.upper = [False, *(c.isupper() for c in characters)]
        self.lower = [False, *(c.islower() for c in characters)]
        self.digit = [False, *(c.isdecimal() for c in characters)]
        self.kinds = [0, *(kind_of(c) for c in characters)]
        # Whether a character may be one of a listed word's.
        self.spelling = [s >= 0 and not d for s, d in zip(self.symbols, self.digit, strict=True)]
        self.space = characters.index(" ") + 1 if " " in characters else -1
        # The first class of the same nature as each.
        natures = list(zip(self.joins, self.upper, self.lower, self.kinds, strict=True))
        self.nature = [natures.index(nature) for nature in natures]


class _Moves:
    """What characters cost in the states that searches meet. Not to be shared between threads."""

    def __init__(self, model: LanguageModel, characters: _Characters, options: SearchOptions) -> None:
        self._model = model
        self._characters = characters
        self._log_random = math.log(options.random)
        self._log_mark, self._log_switch = log_of(options.mark), log_of(options.switch)
        self._log_digit, self._log_case = math.log(options.digit), log_of(options.case)
        self.known: dict[int, _Move] = {}  # by `key`
        self._steps: dict[int, tuple[float, Contexts]] = {}  # what the model said
        self._numbers: dict[int, int] = {}  # of states
        self._states: list[tuple[Contexts, int, bool]] = []  # what the model knows, nature, whether two capitals end it
        self.start = self._state(model.start, 0, False)

    @staticmethod
    def key(number: int, c: int) -> int:
        """The number that stands for a character behind a state or prefix."""
        return number << _CLASS_BITS | c

    def __call__(self, state: int, c: int) -> _Move:
        """What the character `c` costs in a state that it was not asked in before."""
        t, model = self._characters, self._model
        contexts, last, capitals = self._states[state]
        symbol = t.symbols[c]
        log_p, after = (self._log_random, model.start) if symbol < 0 else self._step(contexts, symbol)
        aside = owed = 0.0
        if t.joins[c]:
            if symbol >= 0 and t.kinds[c] ^ t.kinds[last] in LETTER_AND_DIGIT:
                # A code: the model may take what follows for the beginning of another word.
                anew, behind = self._step(model.start, symbol)
                anew += self.end(state) + self._log_switch
                if anew > log_p:
                    log_p, after = anew, behind
            if (t.upper[c] and t.lower[last]) or (t.lower[c] and capitals):
                aside = self._log_case
            log_p += aside + (self._log_digit if t.digit[c] else 0.0)
        else:
            cheap = self.end(state) + self._log_mark
            if c != t.space:
                owed = min(log_p - cheap, 0.0) if t.joins[last] else math.nan
            log_p, after = max(log_p, cheap), model.start
        move = (self._state(after, c, t.upper[c] and t.upper[last]), log_p, aside, owed)
        self.known[self.key(state, c)] = move
        return move

    def end(self, state: int) -> float:
        """The log probability that the text ends in a state; behind a mark it may at no cost."""
        contexts, last, _ = self._states[state]
        return self._step(contexts, END)[0] if self._characters.joins[last] else 0.0

    def _step(self, contexts: Contexts, symbol: int) -> tuple[float, Contexts]:
        key = contexts[-1][0] << BITS | symbol if contexts else symbol
        known = self._steps.get(key)
        if known is None:
            known = self._steps[key] = self._model.step(contexts, symbol)
        return known

    def _state(self, contexts: Contexts, last: int, capitals: bool) -> int:
        nature = self._characters.nature[last]
        key = self.key(contexts[-1][0] if contexts else 0, 2 * nature + capitals)
        number = self._numbers.setdefault(key, len(self._states))
        if number == len(self._states):
            self._states.append((contexts, nature, capitals))
        return number


class PrefixSearch:
    """The search. Safe to share between threads.

    Args:
        characters: of the network's classes from 1 on.
    """

    def __init__(self, model: LanguageModel, characters: Sequence[str], options: SearchOptions) -> None:
        self.model = model
        self.options = options
        self._characters = _Characters(model, characters)
        self._log_unknown, self._log_random = log_of(options.unknown), math.log(options.random)
        self._spare: list[_Moves] = []  # each run has one to itself

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_spare": []}

    def run(self, steps: Steps) -> list[list[Candidate]]:
        """The likeliest readings of each crop, best first, in the crops' order."""
        results: list[list[Candidate]] = [[]] * len(steps.order)
        try:
            moves = self._spare.pop()
        except IndexError:
            moves = _Moves(self.model, self._characters, self.options)
        for column, crop in enumerate(steps.order.tolist()):
            results[crop] = self._search(moves, steps.of(column), float(steps.log_left_out[column]))
        if len(moves.known) < _MOST_KNOWN:
            self._spare.append(moves)
        return results

    def _search(self, moves: _Moves, frames: Iterable[Frame], log_left_out: float) -> list[Candidate]:
        """The likeliest readings of a crop, best first."""
        o, exp, are_letters, known = self.options, math.exp, self._characters.joins, moves.known
        weight, length, spread = o.weight, o.length, o.spread
        log_unknown, log_random = self._log_unknown, self._log_random
        root = _Prefix(0, None, 0, moves.start, 0, EMPTY_WORD, 0.0, 0.0, 0.0, 1.0, self._factor(0.0, 1))
        root.blank = 1.0
        beam = [root]
        tree: dict[int, _Prefix] = {}  # by `_Moves.key`
        log_scale = log_left_out  # of what the probabilities of all prefixes were divided by, lest they vanish
        for frame, (ended, blank, chars) in enumerate(frames):
            here = dict(chars)
            for prefix in beam:
                if ended:
                    prefix.blank += prefix.letter
                    prefix.letter = 0.0
                prefix.total = prefix.blank + prefix.letter
                prefix.frame = frame
            kept = [0.0] * o.beam  # a heap of the best scores so far
            best = 0.0
            ranked: list[tuple[Any, ...]] = []
            for prefix in beam:
                last, parent = prefix.last, prefix.parent
                prefix.next_letter = 0.0
                if last in here:
                    prefix.next_letter = prefix.letter * here[last]
                    if parent is not None and parent.frame == frame:
                        # It is there already: it takes what the one before its last character gives to it anew.
                        prefix.next_letter += (parent.blank if last == parent.last else parent.total) * here[last]
                score = (prefix.total * blank + prefix.next_letter) * prefix.factor
                heappushpop(kept, score)
                if score > best:
                    best = score
                ranked.append((score, prefix))
            bar = max(kept[0], best * spread, TINY)
            offers: list[tuple[float, float, int, _Prefix]] = []  # (at most this score, q, c, prefix)
            for prefix in beam:
                # The model can only take from a letter's score, but for the length; to a mark's the word list may add.
                most, last, first_key = prefix.most, prefix.last, prefix.number << _CLASS_BITS
                least = bar / (prefix.total * most)
                for c, p in chars:
                    if p >= least or not are_letters[c]:
                        child = tree.get(first_key | c)
                        q = (prefix.blank if c == last else prefix.total) * p
                        if child is None:
                            offers.append((q * most if are_letters[c] else math.inf, q, c, prefix))
                        elif child.frame != frame:
                            offers.append((q * child.factor, q, c, prefix))
            # The most promising first, until none can be among the best any more.
            offers.sort(key=_first, reverse=True)
            for bound, q, c, prefix in offers:
                if bound < bar:
                    break
                child = tree.get(prefix.number << _CLASS_BITS | c)
                if child is not None:
                    score = bound
                    offer: tuple[Any, ...] = (score, child, q)
                else:
                    move = known.get(prefix.state << _CLASS_BITS | c) or moves(prefix.state, c)
                    count = prefix.characters + 1
                    log_p = prefix.log_p + move[1]
                    log_p += prefix.owed if are_letters[c] else self._word_bonus(prefix, moves)
                    random = log_unknown + count * log_random
                    factor = exp(weight * (log_p if log_p > random else random) + length * count)
                    score = q * factor
                    offer = (score, prefix, q, c, move, log_p, factor)
                if score >= bar:
                    ranked.append(offer)
                    heappushpop(kept, score)
                    if score > best:
                        best = score
                    bar = max(kept[0], best * spread)
            ranked.sort(key=_first, reverse=True)
            bar = max(best * spread, TINY)
            beam = []
            for score, prefix, *new in ranked[: o.beam]:
                if score < bar:
                    break
                if not new:
                    prefix.blank, prefix.letter = prefix.total * blank, prefix.next_letter
                else:
                    if len(new) > 1:
                        prefix = self._child(tree, prefix, *new[1:])
                    prefix.blank, prefix.letter = 0.0, new[0]
                beam.append(prefix)
            if best < _SMALL:
                log_scale += math.log(_SMALL)
                for prefix in beam:
                    prefix.blank /= _SMALL
                    prefix.letter /= _SMALL
        return self._candidates(moves, beam, math.exp(log_scale))

    def _child(
        self, tree: dict[int, _Prefix], prefix: _Prefix, c: int, move: _Move, log_p: float, factor: float
    ) -> _Prefix:
        """The prefix with one more character, put into the tree."""
        t = self._characters
        state, _, aside, owed = move
        if t.joins[c]:
            begun = prefix.begun + prefix.owed + aside
            word = t.spelling[c] and prefix.word and longer_word(prefix.word, t.symbols[c])
        else:
            begun, word = log_p, EMPTY_WORD
            if owed != owed:
                owed = prefix.owed
        count = prefix.characters + 1
        most = self._factor(log_p + owed, count + 1)
        child = _Prefix(len(tree) + 1, prefix, c, state, count, word, log_p, begun, owed, factor, most)
        tree[_Moves.key(prefix.number, c)] = child
        return child

    def _factor(self, log_p: float, characters: int) -> float:
        o = self.options
        return math.exp(
            o.weight * max(log_p, self._log_unknown + characters * self._log_random) + o.length * characters
        )

    def _word_bonus(self, prefix: _Prefix, moves: _Moves) -> float:
        """What the word list adds, in nats, to the n-grams' log probability of the word that ends here."""
        if prefix.bonus is None:
            prefix.bonus = self._asked_bonus(prefix, moves)
        return prefix.bonus

    def _asked_bonus(self, prefix: _Prefix, moves: _Moves) -> float:
        if not prefix.word or not self._characters.joins[prefix.last]:
            return 0.0
        by_letters = prefix.log_p - prefix.begun + moves.end(prefix.state)
        whole = self.model.listed(prefix.word)
        known = math.exp(min(whole - by_letters, 50.0)) if whole is not None else 0.0
        return math.log(self.options.word * known + max(1.0 - self.options.word, TINY))

    def _candidates(self, moves: _Moves, beam: list[_Prefix], scale: float) -> list[Candidate]:
        t = self._characters
        groups: dict[tuple[int, ...], list[Any]] = {}
        for prefix in beam:
            seen = prefix.blank + prefix.letter
            log_p = prefix.log_p + self._word_bonus(prefix, moves) + moves.end(prefix.state)
            score = seen * self._factor(log_p, prefix.characters)
            classes, symbols, node = [], [], prefix
            while node.parent is not None:
                classes.append(node.last)
                # Digits share a symbol but are no variants of each other.
                symbol = t.symbols[node.last]
                symbols.append(symbol if symbol >= 0 and not t.digit[node.last] else -1 - node.last)
                node = node.parent
            group = groups.setdefault(tuple(symbols), [0.0, 0.0, 0.0, ()])
            group[0] += score
            group[2] += seen
            if score > group[1]:
                group[1], group[3] = score, tuple(reversed(classes))
        total = sum(group[0] for group in groups.values()) or 1.0
        found = []
        for score, _, seen, classes in groups.values():
            share, seen = score / total, min(1.0, seen * scale)
            each = seen ** (1 / len(classes)) if classes else 0.0
            found.append(Candidate(classes, seen, share, (share * each) ** self.options.doubt))
        return sorted(found, key=lambda candidate: (-candidate.share, candidate.classes))


_SMALL = 1e-60
_first = itemgetter(0)


__all__ = ["PrefixSearch"]
