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

from signboard.device_pictures import pixels_of
from signboard.geometry import FloatArray, ImageArray, grow_quad, grow_sides, text_size
from signboard.pipeline.mending.fragments import confirmed, next_on_line
from signboard.pipeline.mending.number_marks import ROWS, fraction_parts, ink_reach, look, marked, shows_dash
from signboard.pipeline.mending.number_text import (
    CURRENCY,
    TO_LATIN,
    accepts_beside,
    accepts_chain,
    accepts_instead,
    accepts_longer,
    accepts_number,
    digits_of,
    in_devanagari,
    in_one_script,
    is_piece,
    is_sure_piece,
    is_zeros,
    lacks_middle,
    lost_before,
    lost_behind,
    may_have_signs,
    may_lack,
    most_agreed_number,
)
from signboard.pipeline.mending.orientation import main_rotation, turned_to
from signboard.pipeline.mending.step import Mending
from signboard.pipeline.words import ReadWord, cut_out, split_at_spaces
from signboard.recognition.recognizer import CropReading

# In heights of the text: how far pieces of a number may run into each other, how far they may stand apart, and how far
# where a digit or a dash between them was missed, or the month of a date.
_OVERLAP, _NEAR, _FAR, _FARTHEST = -0.8, 0.75, 1.9, 3.4
_OFF = 0.6  # in heights, how far one may stand above the other
_ALIKE = 2.1  # how much their heights may differ: ०, and १, with a mark below the line
_STRAIGHT = 1.4  # the rectangle around a number is at most so many times as high as its digits
_DASH_OVERLAP, _DASH_GAP = -0.2, 0.7  # times may stand so near; from the second gap on a dash is a word of its own
# A sign stands so near a number, may differ so much from its height, and is sure by itself from this confidence on;
# other words below the last one are guesses.
_NEIGHBOUR, _ALIKE_SIGN, _SURE_SIGN, _GUESSED = 0.9, 2.5, 0.9, 0.6
# Numbers less sure than this are read again with so much around them, in heights.
_UNSURE, _MARGINS = 0.8, (0.12, 0.2)
_ROUNDS = 3
# How far before a number a lost digit with its comma is looked for, and behind a comma three zeros, behind a stroke a
# dash: ५०/-
_LOST_BEFORE, _LOST_BEHIND, _LOST_DASH = 1.5, 3.0, 0.9
_LEAST_DASH = 0.3  # how sure the reading of a dash between times must be
_DASHES = "-–—"
# Ends of times between which a dash stands: 7:30 AM - 9:30 PM, Mon - Sat.
_TIME = re.compile(
    r"\d+(?:[:.]\d\d)?|[ap]\.?m\.?|noon|hrs?\.?|बजे|(?:mon|tue|wed|thu|fri|sat|sun)[a-z.]*|"
    r"(?:सोम|मंगल|बुध|गुरु|शुक्र|शनि|रवि)(?:वार)?",
    re.IGNORECASE,
)
_HALF = re.compile(r"[ap]\.?m\.?|hrs?\.?|noon|बजे", re.IGNORECASE)  # belongs to the time before it
_FRACTIONS = {
    ("1", "2"): "½", ("1", "4"): "¼", ("3", "4"): "¾", ("1", "3"): "⅓", ("2", "3"): "⅔",
}  # fmt: skip
# What a fraction in one character is read as: 12, V2, 1/2, %.
_LIKE_FRACTION = re.compile(r"[0-9०-९]{0,2}[1-3lIVvYyX/4%|।]{1,2}[/|]?[234zZ]?|%|[0-9]{0,2}[Y½]")
_UNITS = re.compile(
    r"(?:km|kms|kg|kgs|mile|miles|hour|hours|hr|hrs|kilo|litre|ltr|l|inch|price|plate)\.?|किमी\.?|कि\.?मी\.?|मील|किलो|घंटा",
    re.IGNORECASE,
)


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
        quads = [_level(word) if is_sure_piece(word.text) or word.text in CURRENCY else None for word in words]
        words = [w if q is None else replace(w, polygon=q) for w, q in zip(words, quads, strict=True)]
        way = main_rotation([word for word in words if not is_zeros(word.text)])
        words = [turned_to(w, way) if w.rotation == (way + 180) % 360 and is_zeros(w.text) else w for w in words]
        words = yield from self._chains(picture, words)
        words = yield from self._pieces(picture, words)
        words = yield from self._lost_groups(picture, words)
        words = yield from self._beside(picture, words, before=True)
        words = yield from self._beside(picture, words, before=False)
        words = yield from self._fractions(picture, words)
        words = yield from self._dashes(picture, words)
        words = yield from self._looked_at_again(picture, words)
        return [marked(picture, word) for word in words]

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
                joined += _as_sure(split_at_spaces(whole, reading.gaps), pieces)
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
                one, other = (first.text, first.confidence), (second.text, second.confidence)
                if accepts_number(reading.text, reading.confidence, first.text, second.text, gap) or (
                    gap < _NEAR and accepts_instead(reading.text, reading.confidence, one, other)
                ):
                    score = max(first.score, second.score)
                    whole = ReadWord(reading.text, reading.confidence, quad, first.rotation, score)
                    joined += _as_sure(split_at_spaces(whole, reading.gaps), [first, second])
                    gone |= {i, j}
                elif new_pair := confirmed(reading, first, second, gap):
                    joined += new_pair
                    gone |= {i, j}
                elif in_devanagari(first.text) != in_devanagari(second.text):
                    # Zeros beside digits of the other script.
                    native = in_devanagari(first.text) or in_devanagari(second.text)
                    for k in (i, j):
                        if native and is_zeros(words[k].text):
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
        for a, b, gap in next_on_line(quads, least=_OVERLAP, most=_FARTHEST, alike=_ALIKE, off=_OFF):
            i, j = which[a], which[b]
            sure = is_sure_piece(words[i].text) or is_sure_piece(words[j].text)
            lacks = (gap < _FAR and may_lack(words[i].text, words[j].text)) or lacks_middle(
                words[i].text, words[j].text
            )
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
        taken: set[int] = set()
        readings = yield [cut_out(picture, quad, self.height) for _, _, quad in jobs]
        for (i, before, quad), reading in zip(jobs, readings, strict=True):
            if accepts_longer(reading.text, reading.confidence, words[i].text, before):
                text = "".join(reading.text.split())
                result[i] = replace(words[i], text=text, confidence=reading.confidence, polygon=quad)
                taken |= {k for k in _on(words, quad) if k != i and words[k].text in reading.text}
        return [word for i, word in enumerate(result) if i not in taken]

    @staticmethod
    def _may_lack_plus(words: list[ReadWord], i: int) -> bool:
        """Whether a word is or begins with the 91 of a phone number whose + was missed."""
        plain = words[i].text.translate(TO_LATIN)
        if not re.fullmatch(r"91(?:\d{5}|\d{10})?", plain):
            return False
        if len(plain) == 12:
            return True
        quads = [word.polygon for word in words if len(word.polygon) == 4]
        texts = [word.text for word in words if len(word.polygon) == 4]
        own = next(k for k, quad in enumerate(quads) if quad is words[i].polygon)
        pairs = next_on_line(quads, least=_OVERLAP, most=_FAR, alike=_ALIKE)
        return any(a == own and is_piece(texts[b]) and len(digits_of(texts[b])) >= 5 for a, b, _ in pairs)

    def _fractions(self, picture: ImageArray, words: list[ReadWord]) -> Mending:
        found = []
        for i, word in enumerate(words):
            if len(word.polygon) == 4 and _LIKE_FRACTION.fullmatch(word.text) and _before_unit(words, i):
                parts = fraction_parts(look(picture, word.polygon))
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
            if fraction is None and digits_of(lower) == "2":
                fraction = "½"  # whatever its upper figure is taken for: there are no other halves
            elif fraction is None and digits_of(lower) == "4" and upper in ("1", "l", "I", "|", "।", ""):
                fraction = "¼"
            if fraction is not None:
                # Whole numbers before it keep their digits.
                whole = digits_of(words[i].text)[:-2] if left > 0.5 * ROWS else ""
                sure = max(words[i].confidence, min(reading.confidence for reading in read))
                result[i] = replace(words[i], text=whole + fraction, confidence=sure)
        return result

    def _dashes(self, picture: ImageArray, words: list[ReadWord]) -> Mending:
        """The dashes between times and days, where they were not found, or belong to the box of one of the two."""
        which = [i for i, word in enumerate(words) if len(word.polygon) == 4 and _TIME.fullmatch(word.text)]
        quads = [words[i].polygon for i in which]
        pairs: list[tuple[int, int, FloatArray]] = []
        result = list(words)
        for a, b, gap in next_on_line(quads, least=_DASH_OVERLAP, most=2.6, alike=1.6):
            i, j = which[a], which[b]
            between = [k for k in _between(words, i, j) if words[k].text]
            if words[i].rotation == words[j].rotation and not between and not _HALF.fullmatch(words[j].text):
                near = gap < _DASH_GAP
                pairs.append((i, j, _quad_around(quads[a], quads[b]) if near else _gap_between(quads[a], quads[b])))
            elif len(between) == 1 and words[k := between[0]].text in _DASHES:
                # A dash alone may be anything, one between times is sure.
                result[k] = replace(words[k], score=max(word.score for word in (words[i], words[j], words[k])))
        if not pairs:
            return result
        gone: set[int] = set()
        crops = [cut_out(picture, quad, self.height) for _, _, quad in pairs]
        for (i, j, quad), crop, reading in zip(pairs, crops, (yield crops), strict=True):
            score = max(words[i].score, words[j].score)
            whole = ReadWord(reading.text.strip(), reading.confidence, quad, words[i].rotation, score)
            if whole.text in _DASHES and whole.text and reading.confidence >= _LEAST_DASH:
                result.append(whole)
            elif len(whole.text) <= 1 and not whole.text.isalnum() and shows_dash(pixels_of(crop)):
                sure = min(words[i].confidence, words[j].confidence)
                result.append(replace(whole, text="-", confidence=sure))
            elif gone.isdisjoint((i, j)) and _dashed(whole.text, words[i].text, words[j].text):
                result += _as_sure(split_at_spaces(whole, reading.gaps), [words[i], words[j]])
                gone |= {i, j}
        return [word for k, word in enumerate(result) if k not in gone]

    def _beside(self, picture: ImageArray, words: list[ReadWord], before: bool) -> Mending:
        """What stands before a number, or behind it, and was not found, or says nothing by itself: ₹ and /-."""
        which = [i for i, word in enumerate(words) if len(word.polygon) == 4]
        quads = [words[i].polygon for i in which]
        pairs = next_on_line(quads, least=_OVERLAP, most=_NEIGHBOUR, alike=_ALIKE_SIGN, off=_OFF)
        neighbours = {which[b]: which[a] for a, b, _ in pairs} if before else {which[a]: which[b] for a, b, _ in pairs}
        jobs: list[tuple[int, int | None, FloatArray]] = []
        for i in which:
            word, k = words[i], neighbours.get(i)
            whole = word.text[:1] in CURRENCY + "+" if before else word.text.endswith("-")
            if whole or not may_have_signs(word.text):
                continue
            if k is not None:
                if _says_little(words[k]):
                    first, second = (k, i) if before else (i, k)
                    jobs.append((i, k, _quad_around(words[first].polygon, words[second].polygon)))
            elif reach := ink_reach(picture, word.polygon, before):
                more = (reach + 0.05) * text_size(word.polygon)[1]
                sides = (more, 0.0) if before else (0.0, more)
                jobs.append((i, None, grow_sides(word.polygon, sides[0], 0, sides[1], 0)))
        if not jobs:
            return words
        gone: set[int] = set()
        found: list[ReadWord] = []
        readings = yield [cut_out(picture, quad, self.height) for _, _, quad in jobs]
        for (i, k, quad), reading in zip(jobs, readings, strict=True):
            word = words[i]
            if not accepts_beside(reading.text, reading.confidence, word.text, before, word.confidence):
                continue
            whole_word = ReadWord(reading.text, reading.confidence, quad, word.rotation, word.score)
            found += _as_sure(split_at_spaces(whole_word, reading.gaps), [word])
            gone |= {i} if k is None else {i, k}
            gone |= {k for k in _on(words, quad) if words[k].text in reading.text}
        return [word for i, word in enumerate(words) if i not in gone] + found

    def _looked_at_again(self, picture: ImageArray, words: list[ReadWord]) -> Mending:
        """Unsure numbers are read again with more around them; what most looks say counts."""
        which = [
            i
            for i, word in enumerate(words)
            if len(word.polygon) == 4 and word.confidence < _UNSURE and is_sure_piece(word.text) and len(word.text) > 1
        ]
        if not which:
            return words
        grown = [grow_quad(words[i].polygon, by * text_size(words[i].polygon)[1]) for i in which for by in _MARGINS]
        readings = iter((yield [cut_out(picture, quad, self.height, margin=0.0) for quad in grown]))
        result = list(words)
        for i in which:
            looks = [next(readings) for _ in _MARGINS]
            text, sure = most_agreed_number(
                words[i].text, words[i].confidence, [(look.text, look.confidence) for look in looks]
            )
            result[i] = replace(words[i], text=text, confidence=sure)
        return result


def _dashed(text: str, first: str, second: str) -> bool:
    """Whether `text` is two times with a dash between them, and spaces around it or not."""
    return "".join(text.split()) in {f"{first}{dash}{second}" for dash in _DASHES}


def _says_little(word: ReadWord) -> bool:
    """Whether a word beside a number may be a sign that was misread: a single character, or few unsure ones."""
    if any(c.isdecimal() for c in word.text) or len(word.text) > 3:
        return False
    if word.text in CURRENCY:
        return word.confidence < _SURE_SIGN
    return len(word.text) == 1 or word.confidence < _GUESSED


def _as_sure(words: list[ReadWord], pieces: Sequence[ReadWord]) -> list[ReadWord]:
    """Words of a reading of several pieces, those that say what a piece says as sure as that."""
    sure = {piece.text: piece.confidence for piece in pieces}
    return [replace(word, confidence=max(word.confidence, sure.get(word.text, 0.0))) for word in words]


def _level(word: ReadWord) -> FloatArray | None:
    """The quad (4, 2) of a word that is straight enough for one, though its polygon may have more points."""
    if len(word.polygon) == 4:
        return word.polygon
    half = len(word.polygon) // 2
    ends = np.stack([word.polygon[0], word.polygon[half - 1], word.polygon[half], word.polygon[-1]])
    quad = _quad_around(((ends[[0, 1, 1, 0]] + ends[[3, 2, 2, 3]]) / 2).astype(np.float32), word.polygon)
    return quad if text_size(quad)[1] < _STRAIGHT * text_size(word.polygon)[1] else None


def _quad_around(first: FloatArray, second: FloatArray) -> FloatArray:
    """The rectangle along two quads (4, 2) and around both, so that no mark below the line is cut off.

    The longer one says more of its direction: short ones may lie askew.
    """
    along = first[1] - first[0] + first[2] - first[3] + second[1] - second[0] + second[2] - second[3]
    right = along / max(float(np.linalg.norm(along)), 1e-6)
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
    return [k for k in _on(words, _gap_between(words[i].polygon, words[j].polygon)) if k not in (i, j)]


def _on(words: list[ReadWord], quad: FloatArray) -> list[int]:
    """The words whose middle lies on a quad (4, 2)."""
    contour = quad.reshape(-1, 1, 2)
    middles = [tuple(float(v) for v in word.polygon.mean(axis=0)) for word in words]
    return [k for k, middle in enumerate(middles) if cv2.pointPolygonTest(contour, middle, False) >= 0]


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


__all__ = ["JoinNumbers"]
