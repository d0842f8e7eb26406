"""Numbers: pieces of one on a line are read together, in the script of their neighbours, with the marks that part them.

A thousands comma parts what the detector finds; a single digit before it is easily missed, and rows of zeros look like
letters. Read as a whole, a number says what it is.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from signboard.geometry import FloatArray, ImageArray, grow_sides, rectify, text_size
from signboard.pipeline.mending.fragments import confirmed, next_on_line
from signboard.pipeline.mending.orientation import main_rotation, turned_to
from signboard.pipeline.mending.step import Mending
from signboard.pipeline.words import ReadWord, cut_out, split_at_spaces
from signboard.recognition.recognizer import CropReading

# In heights of the text: how far pieces of a number may run into each other, how far they may stand apart, and how far
# where a digit or a dash between them was missed.
_OVERLAP, _NEAR, _FAR = -0.8, 0.75, 1.9
_OFF = 0.6  # in heights, how far one may stand above the other
_ALIKE = 1.9  # how much their heights may differ: ०, and १, with a mark below the line
_STRAIGHT = 1.4  # the rectangle around a number is at most so many times as high as its digits
_TOUCHING = 0.15  # so near, digits are one number without a mark between them, too
_DASH_GAP = 0.7  # from this gap on a dash is a word of its own
_ROUNDS = 3
# How far before a number a lost digit with its comma is looked for, and behind a comma three zeros, behind a stroke a
# dash: ५०/-
_LOST_BEFORE, _LOST_BEHIND, _LOST_DASH = 1.5, 3.0, 0.9
# How sure readings must be: of the same digits; of others; of a dash.
_LEAST, _LEAST_OTHER, _LEAST_COMMA, _LEAST_DASH = 0.5, 0.8, 0.95, 0.3

_ROWS = 64  # of a crop that marks are looked at in
_DESCENDS = 0.07  # of the digits' height, below the line that they stand on: a comma does
_SLENDER = 1.35  # times as high as wide: a comma is

_DEVANAGARI_DIGITS = "०१२३४५६७८९"
_TO_DEVANAGARI = str.maketrans("0123456789OoQ", _DEVANAGARI_DIGITS + "०००")
_TO_LATIN = str.maketrans(_DEVANAGARI_DIGITS + "OoQlI|।", "0123456789" + "000" + "1111")
_ZEROS = frozenset("0०OoQ")
_DASHES = "-–—"
_CURRENCY = "₹$€£"
# A piece of a number: digits, what is taken for digits, and marks.
_PIECE = re.compile(rf"[0-9०-९OoQlI|।.,:;/'\-–—{_CURRENCY}]+")
# Thousands in threes, or in twos as India sets them.
_GROUPED = re.compile(r"\d{1,3}(?:,\d{3})+|\d{1,2}(?:,\d{2})*,\d{3}")
_NUMBER = re.compile(rf"[{_CURRENCY}]?(?:{_GROUPED.pattern}|\d+)(?:\.\d{{1,2}})?(?:/-)?")
# A point where a comma would do as well, and the other way round: 1.550, 12,50.
_DOUBTFUL = re.compile(r"\d\.\d{3}(?!\d)|\d,\d{1,2}(?![\d,])")
_DATE = re.compile(r"\d{1,2}([-/.])\d{1,2}\1(?:\d\d)?\d\d")
# Ends of times between which a dash stands: 7:30 AM - 9:30 PM, Mon - Sat.
_TIME = re.compile(
    r"\d+(?:[:.]\d\d)?|[ap]\.?m\.?|noon|hrs?\.?|बजे|(?:mon|tue|wed|thu|fri|sat|sun)[a-z.]*|"
    r"(?:सोम|मंगल|बुध|गुरु|शुक्र|शनि|रवि)(?:वार)?",
    re.IGNORECASE,
)
_FRACTIONS = {
    ("1", "2"): "½", ("1", "4"): "¼", ("3", "4"): "¾", ("1", "3"): "⅓", ("2", "3"): "⅔",
}  # fmt: skip
# What a fraction in one character is read as: 12, V2, 1/2, %.
_LIKE_FRACTION = re.compile(r"[0-9०-९]{0,2}[1-3lIVvYyX/4%|।]{1,2}[/|]?[234zZ]?|%|[0-9]{0,2}[Y½]")
_UNITS = re.compile(
    r"(?:km|kms|kg|kgs|mile|miles|hour|hours|hr|hrs|kilo|litre|ltr|l|inch|price|plate)\.?|किमी\.?|कि\.?मी\.?|मील|किलो|घंटा",
    re.IGNORECASE,
)


def digits_of(text: str) -> str:
    """The digits of `text` as 0-9, letters that look like digits taken for them."""
    return "".join(c for c in text.translate(_TO_LATIN) if c.isdecimal())


def is_piece(text: str) -> bool:
    """Whether `text` may be a piece of a number: ₹, 4, 999, १२, or OOO."""
    return _PIECE.fullmatch(text) is not None


def _sure_piece(text: str) -> bool:
    return is_piece(text) and any(c.isdecimal() for c in text)


def _zeros(text: str) -> bool:
    """Whether `text` is a row of zeros, which reads the same upside down."""
    return bool(text) and set(text) <= _ZEROS


def in_one_script(text: str, devanagari: bool) -> str:
    """A piece of a number with all its digits in one script; letters that look like zeros and ones become digits."""
    return text.translate(_TO_LATIN).translate(_TO_DEVANAGARI) if devanagari else text.translate(_TO_LATIN)


def in_devanagari(text: str) -> bool:
    """Whether most digits of `text` are Devanagari."""
    native = sum("०" <= c <= "९" for c in text)
    return 2 * native > sum(c.isdecimal() for c in text)


def accepts_number(reading: str, confidence: float, first: str, second: str, gap: float) -> bool:
    """Whether the reading of two neighbouring pieces of a number as one is to be believed, and not the pieces.

    Args:
        reading, confidence: of both together.
        first, second: what the pieces say.
        gap: between them, in heights.
    """
    parts = reading.split(" ")
    if not parts or not all(is_piece(part) for part in parts) or reading == f"{first} {second}":
        return False
    if gap < 0 and reading in _overlaid(first, second):
        return confidence >= _LEAST
    before, behind, whole = digits_of(first), digits_of(second), digits_of(reading)
    if whole == before + behind:
        one = before and behind and len(parts) == 1 and _GROUPED.search(parts[0].translate(_TO_LATIN))
        if confidence < (_LEAST if gap < _TOUCHING or one else _LEAST_OTHER):
            return False
        if len(parts) > 1:  # they stay apart; the reading may know their script better
            return len(parts) == 2 and digits_of(parts[0]) == before and in_devanagari(reading)
        mark = re.search(r"\d[^\d]+\d", _after(reading, len(before)))
        return mark is not None or gap < _TOUCHING or not before or not behind
    if reading.endswith(",") and not before and whole and behind.startswith(whole):
        return confidence >= _LEAST_COMMA and len(behind) == len(whole) + 1  # ₹ and 2, whose comma was read as a 1
    # A digit between them was missed, or the first one's comma was taken for a digit.
    more = len(whole) - len(before) - len(behind)
    grouped = any(_GROUPED.search(part.translate(_TO_LATIN)) for part in parts)
    return (
        confidence >= _LEAST_OTHER
        and grouped
        and whole.endswith(behind)
        and ((1 <= more <= 2 and whole.startswith(before)) or (-1 <= more <= 0 and whole[:1] == before[:1]))
    )


def _after(text: str, count: int) -> str:
    """`text` as 0-9 from its digit number `count` on, that one included; from its beginning where there is none."""
    plain = text.translate(_TO_LATIN)
    places = [i for i, c in enumerate(plain) if c.isdecimal()]
    return plain[places[count - 1] :] if 0 < count <= len(places) else plain


def _overlaid(first: str, second: str) -> set[str]:
    """Two pieces as one, with what ends the first and begins the second taken once: 19/04/ and 4/2000."""
    most = min(len(first), len(second))
    return {first + second[k:] for k in range(1, most) if first.endswith(second[:k])}


def accepts_chain(reading: str, confidence: float, pieces: Sequence[str], gaps: Sequence[float]) -> bool:
    """Whether the reading of three or more pieces on a line as one is to be believed, and not the pieces.

    All together say better than two of them which script they are in; the digits must be those of the pieces.

    Args:
        gaps: between each piece and the next, in heights: unless they overlap, a mark or a space must part the digits.
    """
    parts = reading.split(" ")
    digits = [digits_of(piece) for piece in pieces]
    if confidence < _LEAST or len(parts) >= len(pieces) or not all(map(is_piece, parts)):
        return False
    if digits_of(reading) != "".join(digits):
        return False
    ends = np.cumsum([len(some) for some in digits])
    return all(
        gap < 0 or end == 0 or not _after(reading, int(end))[1:2].isdecimal()
        for gap, end in zip(gaps, ends, strict=False)
    )


def lost_before(text: str) -> bool:
    """Whether a digit and a comma may have been lost before `text`: 650, 50,000."""
    plain = text.translate(_TO_LATIN)
    return re.fullmatch(r",?\d{2,3}(?:,\d{2,3})*,\d{3}(?:/-)?|,?\d{3}(?:/-)?", plain) is not None


def may_lack(first: str, second: str) -> bool:
    """Whether a digit or a dash between two pieces may have been missed: ₹ and 650, 2 and 000, 19-07 and 2002."""
    if lost_before(second) and len(digits_of(first)) <= 2:
        return True
    return any(_DATE.fullmatch(f"{first}{dash}{second}".translate(_TO_LATIN)) for dash in "-/.")


def lost_behind(text: str) -> bool:
    """Whether something may have been lost behind `text`: zeros behind 12, or the dash behind 50/."""
    return re.fullmatch(rf"[{_CURRENCY}]?[\d,]*\d[,/]", text.translate(_TO_LATIN)) is not None


def accepts_longer(reading: str, confidence: float, text: str, before: bool) -> bool:
    """Whether `reading` is the number `text` with what was lost before it, or behind it."""
    plain, old = reading.translate(_TO_LATIN).strip(), text.translate(_TO_LATIN).strip(",")
    if before and "".join(plain.split()) == f"+{old}":
        return confidence >= _LEAST_OTHER
    if confidence < _LEAST_OTHER or _NUMBER.fullmatch(plain) is None or len(plain) <= len(old):
        return False
    if old.endswith("/"):
        return not before and plain == f"{old}-"
    return plain.endswith(f",{old}") if before else plain.startswith(f"{old},")


# Marks ---------------------------------------------------------------------------------------------------------------


def ink(crop: ImageArray) -> NDArray[np.uint8]:
    """(H, W) 1 where a crop (H, W, 3) of text has ink: the side of Otsu's threshold that its border is not on."""
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)
    _, bright = cv2.threshold(grey, 0, 1, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    border = np.concatenate([bright[0], bright[-1], bright[:, 0], bright[:, -1]])
    return (1 - bright if border.mean() > 0.5 else bright).astype(np.uint8)


def marks_of(crop: ImageArray) -> list[str]:
    """ "," or "." for each small mark low on the line of a crop (H, W, 3) of one number, from left to right."""
    count, _, stats, _ = cv2.connectedComponentsWithStats(ink(crop), connectivity=8)
    boxes = [tuple(int(v) for v in row[:4]) for row in stats[1:count] if row[cv2.CC_STAT_AREA] >= 4]
    if not boxes:
        return []
    tallest = max(height for _, _, _, height in boxes)
    digits = [box for box in boxes if box[3] > 0.6 * tallest]
    height = float(np.median([box[3] for box in digits]))
    middle = float(np.median([box[1] + box[3] / 2 for box in digits]))
    foot = float(np.median([box[1] + box[3] for box in digits]))
    found = []
    for _, y, width, tall in sorted(boxes):
        if tall < 0.55 * height and width < 0.45 * height and y > middle and tall > 0.06 * height:
            descends = (y + tall - foot) / height > _DESCENDS
            found.append("," if descends or tall > _SLENDER * width else ".")
    return found


def with_marks(text: str, marks: list[str]) -> str:
    """A number whose commas and points are those that its picture shows.

    Only where it could be both: 1.550 or 12,50; and only if there are as many marks as in the text.
    """
    doubtful = _DOUBTFUL.search(text.translate(_TO_LATIN))
    places = [i for i, c in enumerate(text) if c in ".,"]
    if not doubtful or len(places) != len(marks) or len(places) > 3:
        return text
    letters = list(text)
    for i, mark in zip(places, marks, strict=True):
        letters[i] = mark
    new = "".join(letters)
    return new if _NUMBER.fullmatch(new.translate(_TO_LATIN)) else text


def fraction_parts(crop: ImageArray) -> tuple[int, ImageArray, ImageArray] | None:
    """Where a fraction in one character ends a crop (H, W, 3): (its left edge, the upper figure, the lower one).

    The upper one stands left of a stroke that slants, its foot above the line; the lower one right of it, its head far
    below the top. None where the crop ends with no such thing.
    """
    black = ink(crop)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(black, connectivity=8)
    boxes = [(i, *(int(v) for v in stats[i, :4])) for i in range(1, count) if stats[i, cv2.CC_STAT_AREA] >= 6]
    if not boxes:
        return None
    top, foot = min(b[2] for b in boxes), max(b[2] + b[4] for b in boxes)
    height = foot - top
    lower = [b for b in boxes if b[2] > top + 0.28 * height and b[4] > 0.3 * height]
    strokes = [b for b in boxes if b[4] > 0.6 * height and b not in lower]
    if not lower or not strokes:
        return None
    last = max(lower, key=lambda b: b[1])
    stroke = max(strokes, key=lambda b: b[1])
    upper = [b for b in boxes if b[2] + b[4] < top + 0.72 * height and b[4] > 0.3 * height and b[1] < stroke[1]]
    if stroke[1] >= last[1] or max(b[1] + b[3] for b in boxes) > last[1] + last[3] + 0.1 * height:
        return None
    if not upper and stroke[1] == min(b[1] for b in boxes):  # it touches the stroke
        part = labels[stroke[2] : stroke[2] + stroke[4], stroke[1] : stroke[1] + stroke[3]] == stroke[0]
        xs = np.flatnonzero(part[-2:].any(axis=0))
        slope = (part.shape[1] - float(xs.mean())) / part.shape[0]
        rows, columns = np.indices(part.shape)
        edge = float(xs.mean()) + (part.shape[0] - rows) * slope - 1.6 * len(xs)
        labels[stroke[2] : stroke[2] + stroke[4], stroke[1] : stroke[1] + stroke[3]][part & (columns < edge)] = count
        ys, xs = np.nonzero(labels == count)
        if len(ys) < 6 or ys.max() > top + 0.72 * height:
            return None
        upper = [(count, int(xs.min()), int(ys.min()), int(np.ptp(xs)) + 1, int(np.ptp(ys)) + 1)]
    if not upper:
        return None
    first = max(upper, key=lambda b: b[1])

    def alone(box: tuple[int, ...]) -> ImageArray:
        i, x, y, width, tall = box
        edge = max(3, tall // 5)
        part = np.full((tall + 2 * edge, width + 2 * edge, 3), 255, np.uint8)
        part[edge : edge + tall, edge : edge + width][labels[y : y + tall, x : x + width] == i] = 0
        return part

    return first[1], alone(first), alone(last)


# The step ------------------------------------------------------------------------------------------------------------


class JoinNumbers:
    """Numbers that were found in pieces, put together; digits in one script; commas, dashes and fractions restored.

    Args:
        height: rows of a crop, pixels.
    """

    name = "numbers"

    def __init__(self, height: int) -> None:
        self.height = height

    def mend(self, picture: ImageArray, words: list[ReadWord]) -> Mending:
        """See `MendingStep`. A number has the highest of its pieces' detection scores."""
        if not any(any(c.isdecimal() for c in word.text) for word in words):
            return words
        quads = [_level(word) if _sure_piece(word.text) or word.text in _CURRENCY else None for word in words]
        words = [w if q is None else replace(w, polygon=q) for w, q in zip(words, quads, strict=True)]
        way = main_rotation([word for word in words if not _zeros(word.text)])
        words = [turned_to(w, way) if w.rotation == (way + 180) % 360 and _zeros(w.text) else w for w in words]
        words = yield from self._chains(picture, words)
        words = yield from self._pieces(picture, words)
        words = yield from self._lost_groups(picture, words)
        words = yield from self._fractions(picture, words)
        words = yield from self._dashes(picture, words)
        return [self._marked(picture, word) for word in words]

    def _chains(self, picture: ImageArray, words: list[ReadWord]) -> Mending:
        """Three or more pieces that follow one another closely, read as one."""
        behind = {i: (j, gap) for i, j, gap, _ in self._neighbours(words) if gap < _NEAR}
        chains = []
        for i in sorted(set(behind) - {j for j, _ in behind.values()}):
            chain = [i]
            while chain[-1] in behind and behind[chain[-1]][0] not in chain:
                chain.append(behind[chain[-1]][0])
            if len(chain) > 2:
                chains.append(chain)
        if not chains:
            return words
        quads = [functools.reduce(_quad_around, [words[i].polygon for i in chain]) for chain in chains]
        gone: set[int] = set()
        joined: list[ReadWord] = []
        readings = yield [cut_out(picture, quad, self.height) for quad in quads]
        for chain, quad, reading in zip(chains, quads, readings, strict=True):
            pieces, gaps = [words[i] for i in chain], [behind[i][1] for i in chain[:-1]]
            texts = [word.text for word in pieces]
            if gone.isdisjoint(chain) and accepts_chain(reading.text, reading.confidence, texts, gaps):
                score = max(word.score for word in pieces)
                whole = ReadWord(reading.text, reading.confidence, quad, pieces[0].rotation, score)
                joined += split_at_spaces(whole, reading.gaps)
                gone |= set(chain)
        return [word for i, word in enumerate(words) if i not in gone] + joined

    def _pieces(self, picture: ImageArray, words: list[ReadWord]) -> Mending:
        readings: dict[bytes, CropReading] = {}
        for _ in range(_ROUNDS):
            pairs = self._neighbours(words)
            new = {quad.tobytes(): quad for _, _, _, quad in pairs if quad.tobytes() not in readings}
            if new:
                crops = [cut_out(picture, quad, self.height) for quad in new.values()]
                readings |= zip(new, (yield crops), strict=True)
            gone: set[int] = set()
            joined: list[ReadWord] = []
            for i, j, gap, quad in pairs:
                reading, first, second = readings[quad.tobytes()], words[i], words[j]
                if i in gone or j in gone:
                    continue
                if accepts_number(reading.text, reading.confidence, first.text, second.text, gap):
                    score = max(first.score, second.score)
                    whole = ReadWord(reading.text, reading.confidence, quad, first.rotation, score)
                    joined += split_at_spaces(whole, reading.gaps)
                    gone |= {i, j}
                elif new_pair := confirmed(reading, first, second, gap):
                    joined += new_pair
                    gone |= {i, j}
                elif in_devanagari(first.text) != in_devanagari(second.text):
                    # Zeros beside digits of the other script.
                    native = in_devanagari(first.text) or in_devanagari(second.text)
                    for k in (i, j):
                        if native and _zeros(words[k].text):
                            joined.append(replace(words[k], text=in_one_script(words[k].text, True)))
                            gone.add(k)
            if not joined:
                break
            words = [word for i, word in enumerate(words) if i not in gone] + joined
        return words

    def _neighbours(self, words: list[ReadWord]) -> list[tuple[int, int, float, FloatArray]]:
        """(piece, its neighbour, their gap, the quad around both), the nearest first."""
        which = [i for i, word in enumerate(words) if len(word.polygon) == 4 and is_piece(word.text)]
        quads = [words[i].polygon for i in which]
        pairs = []
        for a, b, gap in next_on_line(quads, least=_OVERLAP, most=_FAR, alike=_ALIKE, off=_OFF):
            i, j = which[a], which[b]
            sure = _sure_piece(words[i].text) or _sure_piece(words[j].text)
            lacks = may_lack(words[i].text, words[j].text)
            if sure and words[i].rotation == words[j].rotation and (gap < _NEAR or lacks):
                pairs.append((i, j, gap, _quad_around(quads[a], quads[b])))
        return sorted(pairs, key=lambda pair: pair[2])

    def _lost_groups(self, picture: ImageArray, words: list[ReadWord]) -> Mending:
        jobs: list[tuple[int, bool, FloatArray]] = []
        for i, word in enumerate(words):
            if len(word.polygon) != 4:
                continue
            height = text_size(word.polygon)[1]
            if (lost_before(word.text) or self._may_lack_plus(words, i)) and not _beside(words, i, before=True):
                jobs.append((i, True, grow_sides(word.polygon, _LOST_BEFORE * height, 0, 0, 0.1 * height)))
            if lost_behind(word.text) and not _beside(words, i, before=False):
                reach = _LOST_DASH if word.text.endswith("/") else _LOST_BEHIND
                jobs.append((i, False, grow_sides(word.polygon, 0, 0, reach * height, 0)))
        jobs = [job for job in jobs if _inside(job[2], picture)]
        if not jobs:
            return words
        result = list(words)
        readings = yield [cut_out(picture, quad, self.height) for _, _, quad in jobs]
        for (i, before, quad), reading in zip(jobs, readings, strict=True):
            if accepts_longer(reading.text, reading.confidence, words[i].text, before):
                text = "".join(reading.text.split())
                result[i] = replace(words[i], text=text, confidence=reading.confidence, polygon=quad)
        return result

    @staticmethod
    def _may_lack_plus(words: list[ReadWord], i: int) -> bool:
        """Whether a word is the 91 before a phone number whose + was missed."""
        if words[i].text.translate(_TO_LATIN) != "91":
            return False
        quads = [word.polygon for word in words if len(word.polygon) == 4]
        texts = [word.text for word in words if len(word.polygon) == 4]
        own = next(k for k, quad in enumerate(quads) if quad is words[i].polygon)
        pairs = next_on_line(quads, least=_OVERLAP, most=_FAR, alike=_ALIKE)
        return any(a == own and is_piece(texts[b]) and len(digits_of(texts[b])) >= 5 for a, b, _ in pairs)

    def _fractions(self, picture: ImageArray, words: list[ReadWord]) -> Mending:
        found = []
        for i, word in enumerate(words):
            if len(word.polygon) == 4 and _LIKE_FRACTION.fullmatch(word.text) and _before_unit(words, i):
                parts = fraction_parts(_look(picture, word.polygon))
                if parts is not None:
                    found.append((i, parts))
        if not found:
            return words
        readings = iter((yield [crop for _, (_, upper, lower) in found for crop in (upper, lower)]))
        result = list(words)
        for i, (left, _, _) in found:
            read = next(readings), next(readings)
            upper, lower = (reading.text for reading in read)
            fraction = _FRACTIONS.get((digits_of(upper), digits_of(lower)))
            if fraction is None and digits_of(lower) in ("2", "4"):
                fraction = {"2": "½", "4": "¼"}[digits_of(lower)] if upper in ("1", "l", "I", "|", "।", "") else None
            if fraction is not None:
                # Whole numbers before it keep their digits.
                whole = digits_of(words[i].text)[:-2] if left > 0.5 * _ROWS else ""
                sure = max(words[i].confidence, min(reading.confidence for reading in read))
                result[i] = replace(words[i], text=whole + fraction, confidence=sure)
        return result

    def _dashes(self, picture: ImageArray, words: list[ReadWord]) -> Mending:
        which = [i for i, word in enumerate(words) if len(word.polygon) == 4 and _TIME.fullmatch(word.text)]
        quads = [words[i].polygon for i in which]
        pairs = []
        result = list(words)
        for a, b, gap in next_on_line(quads, least=_DASH_GAP, most=2.6, alike=1.6):
            i, j = which[a], which[b]
            between = _between(words, i, j)
            if words[i].rotation == words[j].rotation and not between:
                pairs.append((i, j, gap, _gap_between(quads[a], quads[b])))
            elif len(between) == 1 and words[k := between[0]].text in _DASHES and words[k].text:
                # A dash alone may be anything, one between times is sure.
                result[k] = replace(words[k], score=max(word.score for word in (words[i], words[j], words[k])))
        if not pairs:
            return result
        readings = yield [cut_out(picture, quad, self.height) for _, _, _, quad in pairs]
        for (i, j, _, quad), reading in zip(pairs, readings, strict=True):
            if reading.text.strip() in _DASHES and reading.text and reading.confidence >= _LEAST_DASH:
                score = max(words[i].score, words[j].score)
                result.append(ReadWord(reading.text.strip(), reading.confidence, quad, words[i].rotation, score))
        return result

    def _marked(self, picture: ImageArray, word: ReadWord) -> ReadWord:
        """A number with the commas and points that its picture shows."""
        if len(word.polygon) != 4 or not _sure_piece(word.text):
            return word
        if in_devanagari(word.text) or any(c in "OoQ" for c in word.text):
            word = replace(word, text=in_one_script(word.text, in_devanagari(word.text)))
        if _DOUBTFUL.search(word.text.translate(_TO_LATIN)) is None:
            return word
        return replace(word, text=with_marks(word.text, marks_of(_look(picture, word.polygon))))


def _level(word: ReadWord) -> FloatArray | None:
    """The quad (4, 2) of a word that is straight enough for one, though its polygon may have more points."""
    if len(word.polygon) == 4:
        return word.polygon
    half = len(word.polygon) // 2
    ends = np.stack([word.polygon[0], word.polygon[half - 1], word.polygon[half], word.polygon[-1]])
    quad = _quad_around(((ends[[0, 1, 1, 0]] + ends[[3, 2, 2, 3]]) / 2).astype(np.float32), word.polygon)
    return quad if text_size(quad)[1] < _STRAIGHT * text_size(word.polygon)[1] else None


def _look(picture: ImageArray, quad: FloatArray) -> ImageArray:
    """A word cut out with room for what hangs below the line."""
    height = text_size(quad)[1]
    return rectify(picture, grow_sides(quad, 0.08 * height, 0.1 * height, 0.08 * height, 0.2 * height), _ROWS)


def _quad_around(first: FloatArray, second: FloatArray) -> FloatArray:
    """The rectangle along `first` around two quads (4, 2), so that no mark below the line is cut off."""
    right = (first[1] - first[0]) / max(float(np.linalg.norm(first[1] - first[0])), 1e-6)
    down = np.array([-right[1], right[0]])
    points = np.concatenate([first, second])
    x, y = points @ right, points @ down
    corners = [(x.min(), y.min()), (x.max(), y.min()), (x.max(), y.max()), (x.min(), y.max())]
    return np.array([a * right + b * down for a, b in corners], np.float32)


def _gap_between(first: FloatArray, second: FloatArray) -> FloatArray:
    """The quad (4, 2) from the right side of `first` to the left side of `second`."""
    return np.stack([first[1], second[0], second[3], first[2]]).astype(np.float32)


def _beside(words: list[ReadWord], i: int, *, before: bool) -> bool:
    """Whether there is a word so near before the word `i`, or behind it, that nothing was lost there."""
    quads = [word.polygon for word in words if len(word.polygon) == 4]
    own = next(k for k, quad in enumerate(quads) if quad is words[i].polygon)
    reach = 0.9 if before else 1.5
    pairs = next_on_line(quads, least=_OVERLAP, most=reach, alike=2.5)
    return any((b if before else a) == own for a, b, _ in pairs)


def _between(words: list[ReadWord], i: int, j: int) -> list[int]:
    """The words whose middle lies between two on a line."""
    box = _gap_between(words[i].polygon, words[j].polygon)
    contour = box.reshape(-1, 1, 2)
    return [
        k
        for k, word in enumerate(words)
        if k not in (i, j)
        and cv2.pointPolygonTest(contour, tuple(float(v) for v in word.polygon.mean(axis=0)), False) >= 0
    ]


def _before_unit(words: list[ReadWord], i: int) -> bool:
    """Whether the next word on the line is a unit: a fraction is read as 12 or V2, and 12 km is no fraction's sight."""
    which = [k for k, word in enumerate(words) if len(word.polygon) == 4]
    pairs = next_on_line([words[k].polygon for k in which], least=_OVERLAP, most=1.5, alike=2.0)
    behind = [words[which[b]].text for a, b, _ in pairs if which[a] == i]
    return not behind or any(_UNITS.fullmatch(text) for text in behind)


def _inside(quad: FloatArray, picture: ImageArray) -> bool:
    """Whether most of a quad lies on the picture."""
    height, width = picture.shape[:2]
    middle = quad.mean(axis=0)
    return bool(0 <= middle[0] < width and 0 <= middle[1] < height)


__all__ = [
    "JoinNumbers", "accepts_chain", "accepts_longer", "accepts_number", "digits_of", "fraction_parts", "in_devanagari",
    "in_one_script", "ink", "is_piece", "lost_before", "lost_behind", "marks_of", "may_lack", "with_marks",
]  # fmt: skip
