"""Drawn pictures of every kind, and the score of what a reader makes of them."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image, ImageChops

from signboard.checks.lettering import COLOURS, Drawn, Lettering, card
from signboard.checks.numbers import numbers
from signboard.checks.walls import walls
from signboard.geometry import ImageArray

KINDS = ("numbers", "walls", "upside-down", "words")
BOARDS = (
    ("POLICE STATION", "पुलिस थाना", "Sector 12"), ("CITY HOSPITAL", "शहर अस्पताल"), ("EXIT", "निकास"),
    ("MAIN STREET",), ("Sharma Sweets", "शर्मा मिष्ठान"), ("NO PARKING",), ("Platform 4", "प्लेटफार्म ४"),
    ("Ticket Counter", "टिकट खिड़की"), ("WELCOME TO AGRA", "आगरा में स्वागत है"), ("Books & Stationery",),
    ("Delhi 45 km", "Jaipur 210 km"),
)  # fmt: skip
SINGLE = ("EXIT", "42", "STOP", "Hotel", "OPEN", "निकास", "MUSEUM", "Bakery", "दवाखाना", "24", "Library", "METRO")


def boards_to_turn(fonts: Path, seed: int) -> Iterator[Drawn]:
    """Each of `BOARDS`, upright."""
    for i, lines in enumerate(BOARDS):
        rng = random.Random(f"{seed} {i}")
        faces = ("Mukta-devanagari-700", "NotoSansDevanagari-devanagari-700", "Laila-devanagari-500")
        ink, ground = COLOURS[i % len(COLOURS)]
        picture = card(
            Lettering(fonts, faces[i % 3], rng.choice([48, 60, 76])), lines, ink, ground, rng.randint(90, 160)
        )
        yield Drawn(picture, " ".join(lines), "board")


def tight_words(fonts: Path) -> Iterator[Drawn]:
    """Each of `SINGLE` in three typefaces, cut at its ink."""
    for i, text in enumerate(SINGLE):
        for k, name in enumerate(("NotoSansDevanagari-devanagari-700", "Mukta-devanagari-400", "Laila-devanagari-500")):
            face = Lettering(fonts, name, (200, 80, 120)[k])
            ink, ground = COLOURS[(i + k) % len(COLOURS)]
            picture = card(face, [text], ink, ground, margin=face.size)
            picture = picture.crop(ImageChops.difference(picture, Image.new("RGB", picture.size, ground)).getbbox())
            yield Drawn(picture, text, f"{name} {text}")


def pictures(name: str, fonts: Path, seed: int, count: int) -> Iterator[Drawn]:
    """The pictures of one of `KINDS`.

    Args:
        fonts: folder of typefaces, see `Lettering`.
        count: pictures of each number and script; a third of it of each wall. Boards and words are always the same.
    """
    if name == "numbers":
        return numbers(fonts, seed, count)
    if name == "walls":
        return walls(seed, max(1, count // 3))
    if name == "words":
        return tight_words(fonts)
    upright = list(boards_to_turn(fonts, seed))
    turned = [
        Drawn(d.picture.rotate(angle, expand=True), d.text, f"turned by {angle}")
        for angle in (180, 90, 270)
        for d in upright
    ]
    return iter([*upright, *turned])


def is_right(name: str, drawn: Drawn, text: str) -> bool:
    """Whether what was read is what was drawn; spaces in numbers and the order of boards on their side do not count."""
    if name == "numbers":
        return "".join(text.split()) == "".join(drawn.text.split())
    if name == "upside-down":
        return Counter(text.split()) == Counter(drawn.text.split())
    return text == drawn.text


@dataclass
class Score:
    """How many pictures were read right.

    Attributes:
        right, of: pictures, by what they are an example of.
        mistakes: an entry for each that was not, ready for JSON.
    """

    right: Counter[str] = field(default_factory=Counter)
    of: Counter[str] = field(default_factory=Counter)
    mistakes: list[dict[str, str]] = field(default_factory=list)

    def table(self, name: str) -> str:
        """Rows of a Markdown table: name, about, right, of."""
        rows = [f"| {name} | {about} | {self.right[about]} | {self.of[about]} |" for about in self.of]
        return "\n".join([*rows, f"| {name} | all | {self.right.total()} | {self.of.total()} |"])


def score(name: str, drawn: Iterable[Drawn], read: Callable[[ImageArray], str]) -> Score:
    """What `read` makes of pictures of one of `KINDS`.

    Args:
        read: the text on a picture (H, W, 3) uint8 RGB.
    """
    result = Score()
    for picture in drawn:
        about = " ".join(picture.about.split()[:2]) if name == "numbers" else picture.about
        about = name if name == "words" else about
        text = " ".join(read(np.asarray(picture.picture)).split())
        result.of[about] += 1
        if is_right(name, picture, text):
            result.right[about] += 1
        else:
            result.mistakes.append({"kind": name, "about": picture.about, "drawn": picture.text, "read": text})
    return result


__all__ = ["KINDS", "Score", "boards_to_turn", "is_right", "pictures", "score", "tight_words"]
