"""The search of `rescoring`, one crop after the other, on a tree of the prefixes that it meets."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from heapq import heappushpop
from typing import Any

from signboard.recognition.language import BITS, END, Contexts, LanguageModel, SearchOptions, joins
from signboard.recognition.search_steps import LETTER_AND_DIGIT, TINY, Candidate, Frame, Steps, kind_of, log_of

_MOST_KNOWN = 100_000  # answers of the model that are kept


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
        self.most: tuple[float, ...] = ()  # see `PrefixSearch._most`
        self.children: dict[int, _Prefix] = {}
        self.frame = -1  # the last one in which the prefix was met
        self.blank = self.letter = 0.0  # the network's probability up to here, ending in a blank or in `last`
        self.next_blank = self.next_letter = 0.0  # the same with the frame that is being looked at


class PrefixSearch:
    """The search. Safe to share between threads.

    Args:
        characters: of the network's classes from 1 on.
    """

    def __init__(self, model: LanguageModel, characters: Sequence[str], options: SearchOptions) -> None:
        self.model = model
        self.options = options
        self._known: dict[int, tuple[float, Contexts]] = {}  # what the model said
        self.symbols = [-1, *(model.symbol_of(c) for c in characters)]
        self._log_unknown = log_of(options.unknown)
        self._log_mark = log_of(options.mark)
        self._log_random = math.log(self.options.random)
        self._joins = [False, *(joins(c) for c in characters)]
        self._upper = [False, *(c.isupper() for c in characters)]
        self._lower = [False, *(c.islower() for c in characters)]
        self._space = characters.index(" ") + 1 if " " in characters else -1
        self._log_switch = log_of(options.switch)
        self._log_digit = math.log(self.options.digit)
        self._log_case = log_of(options.case)
        self._digit = [False, *(c.isdecimal() for c in characters)]
        self._kinds = [0, *(kind_of(c) for c in characters)]
        # What a character costs whatever the model says: 0 for marks, 1 letters, 2 digits, 3 upper, 4 lower case.
        self._class = [
            (2 if d else 3 if u else 4 if w else 1) if j else 0
            for j, d, u, w in zip(self._joins, self._digit, self._upper, self._lower, strict=True)
        ]

    def run(self, steps: Steps) -> list[list[Candidate]]:
        """The likeliest readings of each crop, best first, in the crops' order."""
        results: list[list[Candidate]] = [[]] * len(steps.order)
        for column, crop in enumerate(steps.order.tolist()):
            results[crop] = self._search(steps.of(column), float(steps.log_left_out[column]))
        if len(self._known) > _MOST_KNOWN:
            self._known = {}
        return results

    def _search(self, frames: Iterable[Frame], log_left_out: float) -> list[Candidate]:
        """The likeliest readings of a crop, best first."""
        o = self.options
        root = _Prefix(None, 0, -1, self.model.start, 0, 0.0, 0.0, 1.0)
        root.blank = 1.0
        beams = [root]
        gain = math.exp(o.length)  # the most that a letter can add to a score
        reach = o.spread / gain
        classes = self._class
        log_scale = log_left_out  # of what the probabilities of all prefixes were divided by, lest they vanish
        for frame, (ended, blank, chars) in enumerate(frames):
            here = dict(chars)
            if ended:
                for prefix in beams:
                    prefix.blank += prefix.letter
                    prefix.letter = 0.0
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
                        bound = q * most[classes[c]]
                        if bound >= kept[0]:
                            offers.append((bound, q, c, prefix))
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
                log_scale += math.log(_SMALL)
                for prefix in beams:
                    prefix.blank /= _SMALL
                    prefix.letter /= _SMALL
        return self._candidates(beams, math.exp(log_scale))

    def _step(self, contexts: Contexts, symbol: int) -> tuple[float, Contexts]:
        """`LanguageModel.step`, remembered."""
        key = contexts[-1][0] << BITS | symbol if contexts else symbol
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = self.model.step(contexts, symbol)
        return known

    def _extend(self, prefix: _Prefix, c: int) -> _Prefix:
        """The prefix with one more character, scored by the model."""
        o, model = self.options, self.model
        symbol = self.symbols[c]
        if symbol < 0:
            log_p, contexts = math.log(o.random), model.start
        else:
            log_p, contexts = self._step(prefix.contexts, symbol)
        owed = 0.0
        if self._joins[c]:
            if self._kinds[c] ^ self._kinds[prefix.last] in LETTER_AND_DIGIT:
                # A code: the model may take what follows for the beginning of another word.
                anew, after = self._step(model.start, symbol) if symbol >= 0 else (-math.inf, contexts)
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
        return self._step(prefix.contexts, END)[0] if self._joins[prefix.last] else 0.0

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
        by_letters = prefix.log_p - prefix.begun + self._step(prefix.contexts, END)[0]
        whole = self.model.word(reversed(symbols))
        known = math.exp(min(whole - by_letters, 50.0)) if whole is not None else 0.0
        return math.log(self.options.word * known + max(1.0 - self.options.word, TINY))

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
            share, seen = score / total, min(1.0, seen * scale)
            each = seen ** (1 / len(classes)) if classes else 0.0
            found.append(Candidate(classes, seen, share, (share * each) ** self.options.doubt))
        return sorted(found, key=lambda candidate: (-candidate.share, candidate.classes))


_SMALL = 1e-60


def _first(offer: tuple[float, float, int, _Prefix]) -> float:
    return offer[0]


def _first_of_pair(pair: tuple[float, _Prefix]) -> float:
    return pair[0]


__all__ = ["PrefixSearch"]
