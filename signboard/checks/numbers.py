"""Drawn numbers in digits of both scripts: prices, phone numbers, PINs, times, number plates, dates, distances."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

from signboard.checks.lettering import COLOURS, Drawn, Lettering, card

LATIN = (
    "Roboto-latin-400", "Roboto-latin-700", "Lato-latin-700", "PTSerif-latin-400", "RobotoSlab-latin-700",
    "Oswald-latin-400", "Montserrat-latin-700", "OpenSans-latin-400", "BarlowCondensed-latin-700", "Ubuntu-latin-700",
)  # fmt: skip
# Faces that have both scripts and draw Devanagari digits.
DEVANAGARI = (
    "Mukta-devanagari-400", "Mukta-devanagari-700", "NotoSansDevanagari-devanagari-400",
    "NotoSansDevanagari-devanagari-700", "TiroDevanagariHindi-devanagari-400", "Baloo2-devanagari-500",
    "Lohit-Devanagari", "NotoSerifDevanagari-Bold", "Laila-devanagari-500", "Martel-devanagari-700",
    "Kalam-devanagari-400",
)  # fmt: skip
_DIGITS = str.maketrans("0123456789", "०१२३४५६७८९")
# Pixels of a line of text.
SIZES = (40, 44, 56, 68, 80)
KINDS = ("price", "phone", "pin", "time", "plate", "date", "distance")
_LATIN_ONLY = ("plate", "time", "distance")


def _grouped(value: int) -> str:
    """With commas as India sets them: 1,00,000."""
    text = str(value)
    head, tail = text[:-3], text[-3:]
    parts: list[str] = []
    while head:
        parts.insert(0, head[-2:])
        head = head[:-2]
    return ",".join([*parts, tail])


def number(kind: str, rng: random.Random) -> str:
    """A number of one of `KINDS` as signs write it, in Latin digits.

    Raises:
        ValueError: there is no such kind.
    """
    if kind == "price":
        value = rng.choice(
            [rng.randint(10, 999), 50 * rng.randint(20, 199), 500 * rng.randint(20, 199), 5000 * rng.randint(20, 999)]
        )
        text = _grouped(value) if rng.random() < 0.8 else f"{rng.randint(5, 250)}.{rng.choice(['00', '50', '75'])}"
        sign = rng.choice(["₹ ", "₹", "", ""])
        return sign + text + ("/-" if rng.random() < 0.15 and "." not in text else "")
    if kind == "phone":
        d = [rng.choice("6789"), *(rng.choice("0123456789") for _ in range(9))]
        text = "".join(d)
        return rng.choice(
            [text, f"{text[:5]} {text[5:]}", f"+91 {text[:5]} {text[5:]}", f"{text[:5]}-{text[5:]}",
             f"011-{rng.randint(22000000, 29999999)}", f"0522 {rng.randint(2200000, 2999999)}"]
        )  # fmt: skip
    if kind == "pin":
        text = f"{rng.randint(110001, 855999)}"
        return text if rng.random() < 0.6 else f"{text[:3]} {text[3:]}"
    if kind == "time":

        def hour(half: str) -> str:
            return f"{rng.randint(1, 12)}:{rng.choice(['00', '15', '30', '45'])}{half}"

        return rng.choice([hour(""), hour(" AM"), f"{hour(' AM')} - {hour(' PM')}", f"{hour('')} - {hour('')}"])
    if kind == "plate":
        state = rng.choice(["DL", "MH", "UP", "KA", "HR", "RJ"])
        letters = "".join(rng.choice("ABCDEFGHJKLMNPRSTUVWXYZ") for _ in range(2))
        return f"{state} {rng.randint(10, 99)} {letters} {rng.randint(1000, 9999)}"
    if kind == "date":
        return rng.choice("/-.").join(
            [f"{rng.randint(1, 28):02}", f"{rng.randint(1, 12):02}", str(rng.randint(1995, 2030))]
        )
    if kind == "distance":
        return rng.choice(
            [
                "½ km",
                f"{rng.randint(1, 250)} km",
                f"{rng.randint(1, 20)}.{rng.randint(1, 9)} km",
                f"{50 * rng.randint(1, 18)} m",
            ]
        )
    raise ValueError(f"no kind of number {kind!r}")


def numbers(fonts: Path, seed: int, count: int) -> Iterator[Drawn]:
    """`count` numbers of each kind in Latin, and of those that are written so also in Devanagari digits.

    Args:
        fonts: see `Lettering`.
    """
    for script, faces in (("latin", LATIN), ("devanagari", DEVANAGARI)):
        for kind in KINDS:
            if script == "devanagari" and kind in _LATIN_ONLY:
                continue
            rng = random.Random(f"{seed} {script} {kind}")
            for i in range(count):
                text = number(kind, rng)
                text = text.translate(_DIGITS) if script == "devanagari" else text
                size = rng.choice(SIZES)
                face = Lettering(fonts, faces[i % len(faces)], size)
                ink, ground = COLOURS[i % len(COLOURS)]
                yield Drawn(card(face, [text], ink, ground), text, f"{kind} {script} {faces[i % len(faces)]} {size}")


__all__ = ["DEVANAGARI", "KINDS", "LATIN", "number", "numbers"]
