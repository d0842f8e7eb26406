"""What texts are numbers, and which readings of their pieces together, and of what is beside them, are believed."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

# How sure readings must be: of the same digits; of others; of a comma that was read as a digit.
_LEAST, _LEAST_OTHER, _LEAST_COMMA = 0.5, 0.8, 0.95
# ... of the same number with a sign of currency or a stroke and a dash.
_LEAST_SIGN = 0.55
# ... with a digit that was cut off: always; where the number itself is sure; how much less sure than the number.
_LEAST_CUT, _SURE_CUT, _LESS_CUT = 0.7, 0.9, 0.05
_TOUCHING = 0.15  # so near, in heights, digits are one number without a mark between them, too

_DEVANAGARI_DIGITS = "०१२३४५६७८९"
_TO_DEVANAGARI = str.maketrans("0123456789OoQ", _DEVANAGARI_DIGITS + "०००")
TO_LATIN = str.maketrans(_DEVANAGARI_DIGITS + "OoQlI|।", "0123456789" + "000" + "1111")
_ZEROS = frozenset("0०OoQ")
_DASHES = "-–—"
CURRENCY = "₹$€£"
# A piece of a number: digits, what is taken for digits, and marks.
_PIECE = re.compile(rf"[0-9०-९OoQlI|।.,:;/'\-–—{CURRENCY}]+")
# Thousands in threes, or in twos as India sets them.
_GROUPED = re.compile(r"\d{1,3}(?:,\d{3})+|\d{1,2}(?:,\d{2})*,\d{3}")
NUMBER = re.compile(rf"[{CURRENCY}]?(?:{_GROUPED.pattern}|\d+)(?:\.\d{{1,2}})?(?:/-)?")
_DATE = re.compile(r"\d{1,2}([-/.])\d{1,2}\1(?:\d\d)?\d\d")
# A point where a comma would do as well, and the other way round: 1.550, 7.85,000, 12,50.
_DOUBTFUL = re.compile(r"\d\.\d{3}(?!\d)|\d\.\d+,\d|\d,\d{1,2}(?![\d,])")


def digits_of(text: str) -> str:
    """The digits of `text` as 0-9, letters that look like digits taken for them."""
    return "".join(c for c in text.translate(TO_LATIN) if c.isdecimal())


def is_piece(text: str) -> bool:
    """Whether `text` may be a piece of a number: ₹, 4, 999, १२, or OOO."""
    return _PIECE.fullmatch(text) is not None


def is_sure_piece(text: str) -> bool:
    """Whether `text` may be a piece of a number, and holds a digit."""
    return is_piece(text) and any(c.isdecimal() for c in text)


def is_zeros(text: str) -> bool:
    """Whether `text` is a row of zeros, which reads the same upside down."""
    return bool(text) and set(text) <= _ZEROS


def in_one_script(text: str, devanagari: bool) -> str:
    """A piece of a number with all its digits in one script; letters that look like zeros and ones become digits."""
    return text.translate(TO_LATIN).translate(_TO_DEVANAGARI) if devanagari else text.translate(TO_LATIN)


def in_devanagari(text: str) -> bool:
    """Whether most digits of `text` are Devanagari."""
    native = sum("०" <= c <= "९" for c in text)
    return 2 * native > sum(c.isdecimal() for c in text)


def is_doubtful(text: str) -> bool:
    """Whether a point of the number `text` would do as well as a comma, or the other way round: 1.550, 12,50."""
    return _DOUBTFUL.search(text.translate(TO_LATIN)) is not None


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
    if len(parts) == 2 and parts[0] in CURRENCY:
        parts = [parts[0] + parts[1]]  # a space behind the sign parts no number
    before, behind, whole = digits_of(first), digits_of(second), digits_of(reading)
    if whole == before + behind:
        one = before and behind and len(parts) == 1 and _GROUPED.search(parts[0].translate(TO_LATIN))
        if confidence < (_LEAST if gap < _TOUCHING or one else _LEAST_OTHER):
            return False
        if len(parts) > 1:  # they stay apart; the reading may know their script better
            return len(parts) == 2 and digits_of(parts[0]) == before and in_devanagari(reading)
        mark = re.search(r"\d[^\d]+\d", _after(reading, len(before)))
        return mark is not None or gap < _TOUCHING or not before or not behind
    if reading.endswith(",") and not before and whole and behind.startswith(whole):
        return confidence >= _LEAST_COMMA and len(behind) == len(whole) + 1  # ₹ and 2, whose comma was read as a 1
    plain = reading.translate(TO_LATIN)
    if lacks_middle(first, second) and _DATE.fullmatch(plain):
        return confidence >= _LEAST_OTHER and whole.startswith(before) and whole.endswith(behind)
    # A digit between them was missed, or the first one's comma was taken for a digit.
    more = len(whole) - len(before) - len(behind)
    grouped = any(_GROUPED.search(part.translate(TO_LATIN)) for part in parts)
    return (
        confidence >= _LEAST_OTHER
        and grouped
        and whole.endswith(behind)
        and ((1 <= more <= 2 and whole.startswith(before)) or (-1 <= more <= 0 and whole[:1] == before[:1]))
    )


def _after(text: str, count: int) -> str:
    """`text` as 0-9 from its digit number `count` on, that one included; from its beginning where there is none."""
    plain = text.translate(TO_LATIN)
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
        return confidence >= _LEAST_OTHER and _without_one_comma(reading, pieces)
    ends = np.cumsum([len(some) for some in digits])
    return all(
        gap < 0 or end == 0 or not _after(reading, int(end))[1:2].isdecimal()
        for gap, end in zip(gaps, ends, strict=False)
    )


def _without_one_comma(reading: str, pieces: Sequence[str]) -> bool:
    """Whether a number with commas is what pieces say together, one of which has a 1 for its comma: ₹ 21 50,000."""
    plain = "".join(reading.translate(TO_LATIN).split())
    if not NUMBER.fullmatch(plain) or not _GROUPED.search(plain):
        return False
    texts = [piece.translate(TO_LATIN) for piece in pieces]
    return any(
        text.endswith("1") and "".join([*texts[:i], text[:-1] + ",", *texts[i + 1 :]]) == plain
        for i, text in enumerate(texts[:-1])
    )


def lost_before(text: str) -> bool:
    """Whether a digit and a comma may have been lost before `text`: 650, 50,000."""
    plain = text.translate(TO_LATIN)
    return re.fullmatch(r",?\d{2,3}(?:,\d{2,3})*,\d{3}(?:/-)?|,?\d{3}(?:/-)?", plain) is not None


def may_lack(first: str, second: str) -> bool:
    """Whether a digit or a dash between two pieces may have been missed: ₹ and 650, 2 and 000, 19-07 and 2002."""
    if lost_before(second) and len(digits_of(first)) <= 2:
        return True
    return any(_DATE.fullmatch(f"{first}{dash}{second}".translate(TO_LATIN)) for dash in "-/.")


def accepts_instead(reading: str, confidence: float, first: tuple[str, float], second: tuple[str, float]) -> bool:
    """Whether the reading of two pieces as one is to be believed that says other digits than the unsure one of them.

    Args:
        first, second: text and confidence of each piece.
    """
    plain = "".join(reading.split())
    (weak, least), sure = (first, second[0]) if first[1] <= second[1] else (second, first[0])
    same = plain.endswith(sure) if weak == first[0] else plain.startswith(sure)
    return same and _shape(plain) == _shape(first[0] + second[0]) and confidence >= max(_LEAST, least)


def lacks_middle(first: str, second: str) -> bool:
    """Whether the month between two pieces of a date may have been missed: 08- and -2016."""
    texts = [text.translate(TO_LATIN).strip("-/.") for text in (first, second)]
    return re.fullmatch(r"\d{1,2}", texts[0]) is not None and re.fullmatch(r"(?:19|20)\d\d", texts[1]) is not None


def lost_behind(text: str) -> bool:
    """Whether something may have been lost behind `text`: zeros behind 12, or the dash behind 50/."""
    return re.fullmatch(rf"[{CURRENCY}]?[\d,]*\d[,/]", text.translate(TO_LATIN)) is not None


def accepts_longer(reading: str, confidence: float, text: str, before: bool) -> bool:
    """Whether `reading` is the number `text` with what was lost before it, or behind it."""
    plain, old = reading.translate(TO_LATIN).strip(), text.translate(TO_LATIN).strip(",")
    if before and "".join(plain.split()) == f"+{old}":
        return confidence >= _LEAST_OTHER
    if confidence < _LEAST_OTHER or NUMBER.fullmatch(plain) is None or len(plain) <= len(old):
        return False
    if old.endswith("/"):
        return not before and plain == f"{old}-"
    return plain.endswith(f",{old}") if before else plain.startswith(f"{old},")


def may_have_signs(text: str) -> bool:
    """Whether `text` is a number of two digits or more that a sign may stand before, or a stroke and a dash behind."""
    return re.fullmatch(rf"[{CURRENCY}+]?\d[\d,.:/-]*\d(?:/-?)?", text.translate(TO_LATIN)) is not None


def accepts_beside(reading: str, confidence: float, text: str, before: bool, known: float = 1.0) -> bool:
    """Whether `reading` is the number `text` with what stands beside it: a sign before it, /- or a digit behind it.

    Args:
        reading, confidence: of the number together with what stands before it, or else behind it.
        known: the confidence of the number alone.
    """
    plain, old = "".join(reading.translate(TO_LATIN).split()), text.translate(TO_LATIN)
    if before:
        if plain[1:] == old and plain[0] in CURRENCY:
            return confidence >= _LEAST_SIGN
        more = plain.removesuffix(old)
    else:
        if plain in (f"{old}/-", f"{old}-") and plain.endswith("/-"):
            return confidence >= _LEAST_SIGN
        more = plain.removeprefix(old)
    cut = len(plain) == len(old) + 1 and len(more) == 1 and reading.strip()[0 if before else -1].isdecimal()
    return cut and " " not in reading and confidence >= max(_LEAST_CUT, min(_SURE_CUT, known - _LESS_CUT))


def most_agreed_number(text: str, confidence: float, others: Sequence[tuple[str, float]]) -> tuple[str, float]:
    """(text, confidence) of a number that was looked at several times: the digits that have most confidence in all.

    Args:
        text, confidence: its reading.
        others: readings by the other looks; those with other marks, or another count of digits, do not count.
    """
    looks = [(text, confidence), *(other for other in others if _shape(other[0]) == _shape(text))]
    total: dict[str, float] = {}
    for said, sure in looks:
        total[said] = total.get(said, 0.0) + sure
    best = max(total, key=lambda said: total[said])
    return best, confidence if best == text else total[best] / sum(said == best for said, _ in looks)


def _shape(text: str) -> str:
    return "".join("0" if c.isdecimal() else c for c in text)


__all__ = [
    "CURRENCY", "NUMBER", "TO_LATIN", "accepts_beside", "accepts_chain", "accepts_instead", "accepts_longer",
    "accepts_number", "digits_of", "in_devanagari", "in_one_script", "is_doubtful", "is_piece",
    "is_sure_piece", "is_zeros", "lacks_middle", "lost_before", "lost_behind", "may_have_signs", "may_lack",
    "most_agreed_number",
]  # fmt: skip
