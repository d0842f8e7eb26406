"""What walls say: rows of windows read as 888888 or OOOO, railings as llllll, all over a photo.

Signs hardly ever repeat one character five times, or two of them in turn four times; where they do, it is a number.
And where there are signs, some word on one of them is nearly always read for sure: a photo on which all is guessed
shows bars, leaves and the like, that the language model bent into words.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence

from signboard.geometry import FloatArray, ImageArray
from signboard.pipeline.mending.fragments import next_on_line
from signboard.pipeline.mending.step import Mending
from signboard.pipeline.words import ReadWord

# Characters that stand for one shape: a ring, an upright stroke, a wedge.
_ALIKE = {"O": "0OoQDCce8B०८ठ°()", "l": "1lIi|।॥LJTtfr!:'", "V": "VvYyUuWw"}
_SHAPES = {c: shape for shape, chars in _ALIKE.items() for c in chars}
_LONG = 5  # characters of a run
_MOSTLY = 0.8  # of a run's characters are alike
_IN_TURN = 8  # characters of two that alternate
_UNSURE, _SURE = 0.6, 0.8  # less sure, letters of one shape are no word; this sure, 10111 is a number
_CERTAIN, _ALONE = 0.995, 0.9  # of one letter or digit, where all else is guessed, and where nothing else is
_EVERYWHERE = 8  # places, most of which say one shape
_MANY = 12  # ... or the same few letters
_ALL_OVER = 4  # words of a photo from which on they are looked at together ...
_FEW = 0.85  # ... and the share that two shapes have of what all of them say
_GUESSED_FEW, _GUESSED = 0.5, 0.6  # a photo without a surer word says nothing; the second, if it has that many words
_BESIDE = 2.0  # heights between III and the word that it belongs to
_RINGS, _BARS = re.compile(r"[0Oo०]{3,4}"), re.compile(r"[1lI|।]{2,4}|([^\Ww])\1{2,3}", re.IGNORECASE)
_AMOUNT = re.compile(r"[^\d]*\d{1,3}(?:,\d{2,3})+[^\d]*|[^\d]*\d{2,}/-")
_NUMBER = re.compile(r"[^\w]*\d{2,8}[^\w]*")


def shapes_of(text: str) -> str:
    """The letters and digits of `text`, those that look alike on a wall as one; of marks alone, the marks."""
    return "".join(_SHAPES.get(c, c) for c in _kept(text))


def _kept(text: str) -> str:
    return "".join(c for c in text if unicodedata.category(c)[0] in "LMN" or c in "|।") or text.replace(" ", "")


def is_run(text: str, confidence: float) -> bool:
    """Whether `text` is a long run of one shape, or of two in turn, and no number that may be right."""
    kept, shapes = _kept(text), shapes_of(text)
    if len(shapes) < _LONG or _AMOUNT.fullmatch(text):
        return False
    if _NUMBER.fullmatch(text) and confidence >= _SURE and len(set(shapes)) > 1:
        return False
    if len(set(shapes)) == 1 and shapes[0] in _ALIKE and confidence < _UNSURE:
        return True  # TITILL
    if Counter(kept.casefold()).most_common(1)[0][1] >= _MOSTLY * len(kept):
        return True
    if not _is_poor(text):
        return False
    turns = sum(a == b for a, b in zip(shapes, shapes[2:], strict=False))
    in_turn = len(shapes) >= _IN_TURN and turns >= 0.85 * (len(shapes) - 2)
    return in_turn or Counter(shapes).most_common(1)[0][1] >= _MOSTLY * len(shapes)


def _is_poor(text: str) -> bool:
    """Whether `text` is made of so few different characters as no word of its length is."""
    kept = _kept(text).casefold()
    return len(set(kept)) <= max(2, len(kept) // 3)


def _is_drawn_out(text: str) -> bool:
    """Whether one character goes on and on: word lists hold such words (sooooooo), signs do not."""
    kept = _kept(text).casefold()
    return re.search(rf"(.)\1{{{_LONG - 1}}}", kept) is not None


def _is_short_run(text: str, confidence: float) -> bool:
    return bool(_RINGS.fullmatch(text) or (confidence < _SURE and _BARS.fullmatch(text)))


def _tells(text: str, confidence: float, certain: float) -> bool:
    """Whether `text` is more than the one letter that leaves and corners are read as, or that one for `certain`."""
    said = _kept(text).casefold()
    several = len(said) > 1 and said.strip("0o०").isalnum()
    return len(set(said)) > 1 or confidence >= (_SURE if several else certain)


def wall_words(
    words: Sequence[tuple[str, float, FloatArray]], is_word: Callable[[str], bool] = lambda text: False
) -> set[int]:
    """Which words of a photo are none, but windows, tiles or bars: their places in `words`.

    Args:
        words: (text, confidence, polygon (N, 2) in pixels) each.
        is_word: whether a text is a known word (`LanguageModel.is_word`); such are kept, unless all say the same.
    """
    runs = {
        i
        for i, (text, confidence, _) in enumerate(words)
        if is_run(text, confidence) and (_is_drawn_out(text) or not is_word(text))
    }
    short = {i for i, (text, confidence, _) in enumerate(words) if _is_short_run(text, confidence)}
    rest = [i for i in range(len(words)) if i not in runs and i not in short]
    if short or runs:
        level = [i for i, (_, _, polygon) in enumerate(words) if len(polygon) == 4]
        pairs = next_on_line([words[i][2] for i in level], least=-0.6, most=_BESIDE, alike=2.0)
        beside = {frozenset((level[a], level[b])) for a, b, _ in pairs}
        short = {i for i in short if not any(frozenset((i, k)) in beside for k in rest)}
        # The second half of a telephone number: 84637 00088.
        numbers = [k for k in rest if _NUMBER.fullmatch(words[k][0]) and words[k][1] >= _SURE]
        halves = {i for i in runs if _NUMBER.fullmatch(words[i][0]) and words[i][1] >= _SURE}
        runs -= {i for i in halves if any(frozenset((i, k)) in beside for k in numbers)}
    found = runs | short
    if len(words) >= _ALL_OVER:
        said = [shapes_of(text) for text, _, _ in words]
        most = {shape for shape, _ in Counter("".join(said)).most_common(2)}
        few = sum(c in most for text in said for c in text)
        others = [i for i in rest if not set(said[i]) <= most and words[i][1] >= _SURE]
        if most <= set(_ALIKE) and few >= _FEW * sum(map(len, said)) and not others:
            found |= set(range(len(words)))
        ((one, _),) = Counter("".join(said)).most_common(1) or [("", 0)]
        same = [i for i, text in enumerate(said) if set(text) == {one}]
        sure = [i for i in rest if i not in same and words[i][1] >= _SURE]
        alike = one in _ALIKE or all(len(said[i]) == 1 for i in same)  # A A A: the wires of a fence
        if alike and len(words) >= _EVERYWHERE and len(same) >= _MOSTLY * len(words) and not sure:
            found |= set(range(len(words)))  # V all over, some of them read as Van
    found |= _one_text_all_over(words, is_word)
    if 2 * len(found) > len(words) and len(found) >= 3:
        # A wall: what else was read on it must be sure, and say more than its shapes.
        found |= {i for i in rest if words[i][1] < _SURE or len(set(shapes_of(words[i][0]))) < 2}
    certain = _ALONE if len(words) == 1 else _CERTAIN
    told = [i for i in rest if i not in found and _tells(words[i][0], words[i][1], certain)]
    surest = max((words[i][1] for i in told), default=0.0)
    if surest < (_GUESSED if len(words) >= _ALL_OVER else _GUESSED_FEW):
        found = set(range(len(words)))
    return found


def _one_text_all_over(words: Sequence[tuple[str, float, FloatArray]], is_word: Callable[[str], bool]) -> set[int]:
    """All words of a photo, if nearly all are the same two or three letters: EO EO EO, the fans of a house; else none.

    Prices and short words, of which a shelf may be full, are kept: 99, NEW.
    """
    said = [_kept(text).casefold() for text, _, _ in words]
    ((one, count),) = Counter(said).most_common(1) or [("", 0)]
    if count < max(_MANY, _MOSTLY * len(words)) or any(c.isdecimal() for c in one):
        return set()
    others = [confidence for text, (_, confidence, _) in zip(said, words, strict=True) if text != one]
    if max(others, default=0.0) >= _SURE or not 2 <= len(one) <= 3:
        return set()
    known = len(one) == 3 and any(is_word(text) for (text, _, _), kept in zip(words, said, strict=True) if kept == one)
    return set() if known else set(range(len(words)))


class RejectRepetition:
    """Leaves out what walls, windows, fences and tiles were read as.

    Args:
        is_word: as for `wall_words`.
    """

    name = "repetition"

    def __init__(self, is_word: Callable[[str], bool]) -> None:
        self.is_word = is_word

    def mend(self, picture: ImageArray, words: list[ReadWord]) -> Mending:
        """See `MendingStep`."""
        yield from ()  # nothing is read again
        found = wall_words([(word.text, word.confidence, word.polygon) for word in words], self.is_word)
        return [word for i, word in enumerate(words) if i not in found]


__all__ = ["RejectRepetition", "is_run", "shapes_of", "wall_words"]
