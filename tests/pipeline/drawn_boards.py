"""Boards of one, two and more columns drawn with Pillow, with what they say in the order it should be read."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field
from importlib.resources import files

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from signboard.reading import Word

FONT = str(files("signboard.output") / "fonts" / "Mukta-SemiBold.ttf")

NAMES = [
    "Dr. Mehta", "Dr. Verma", "Dr. Iyer", "Dr. Khan", "Dr. Bose", "Dr. Rao", "Mrs. Gupta", "Adv. Kulkarni",
    "Dr. S. K. Mishra", "Prof. Das", "Dr. Venkataraman", "CA Jain",
]  # fmt: skip
ROOMS = ["101", "102", "203", "305", "311", "12", "G-4", "B-204", "Room 7", "1", "418", "220"]
DISHES = [
    "Masala Dosa", "Idli", "Tea", "Coffee", "Veg Thali", "Paneer Tikka", "Poha", "Samosa", "Butter Naan", "Lassi",
    "Jeera Rice", "Dal Fry",
]  # fmt: skip
PRICES = ["60", "Rs 40", "₹120", "15.00", "₹ 25", "180/-", "35", "1,250", "₹95", "20", "140", "110"]
HOURS = ["10 AM", "9 - 5", "24 Hrs", "11:30", "8 AM - 9 PM", "10:15", "7 PM", "6:45", "12 - 4", "9:00", "2 PM", "5:30"]
PLACES = [
    "Reception", "Pharmacy", "Blood Bank", "Surgery", "Cardiology", "Eye Clinic", "X-Ray", "Laboratory", "Canteen",
    "Intensive Care", "Billing", "Waiting Hall", "Orthopaedics", "ENT", "Radiology", "Library", "Accounts", "Records",
]  # fmt: skip
HINDI_PLACES = [
    "पूछताछ", "दवाखाना", "रक्त कोष", "शल्य चिकित्सा", "हृदय रोग", "नेत्र रोग", "प्रयोगशाला", "भोजनालय", "लेखा शाखा",
    "पुस्तकालय", "प्रतीक्षालय", "महिला वार्ड", "बाल रोग", "दंत चिकित्सा", "शौचालय", "कार्यालय", "सभागार", "मुख्य द्वार",
]  # fmt: skip
HINDI_NAMES = [
    "डॉ. शर्मा", "डॉ. वर्मा", "डॉ. मिश्रा", "श्रीमती गुप्ता", "डॉ. सिंह", "डॉ. यादव", "डॉ. पाण्डेय",
    "डॉ. राव", "डॉ. खान", "डॉ. जैन", "डॉ. दास", "डॉ. बोस",
]  # fmt: skip
HINDI_ROOMS = ["१०१", "१०२", "२०३", "३०५", "३११", "१२", "कक्ष ७", "४१८", "५", "२२०", "६", "११४"]
HEADS = ["Ground Floor", "First Floor", "Second Floor"]
HINDI_HEADS = ["भूतल", "पहली मंजिल", "दूसरी मंजिल"]
TITLES = ["CITY HOSPITAL", "DIRECTORY", "शहर अस्पताल", "MENU CARD", "सूचना पट्ट"]

KINDS = ("single", "two_columns", "directory", "prices", "three_columns", "two_directories", "hindi", "hindi_directory")


@dataclass(frozen=True)
class Spacing:
    """How a board is set: lengths in heights of the type, but `size`, pixels of its em."""

    size: int = 44
    pitch: float = 2.0
    gutter: float = 6.0
    right: bool = False  # figures end below one another
    wander: float = 0.0  # how far boxes miss the ink, as detected ones do


@dataclass
class Board:
    """Cells placed on a board."""

    across: bool
    title: str | None
    columns: list[list[str]]
    spacing: Spacing
    words: list[Word] = field(default_factory=list)
    drawn: list[tuple[float, float, str]] = field(default_factory=list)  # (x, y of the baseline, a word)
    extent: tuple[int, int] = (0, 0)

    @property
    def lines(self) -> list[str]:
        """What the board says, a cell each, in the order in which it is read."""
        title = [self.title] if self.title else []
        groups = [self.columns]
        if not self.across:
            groups = [[column] for column in self.columns]
        elif len(self.columns) == 4:
            groups = [self.columns[:2], self.columns[2:]]
        for group in groups:
            for row in range(max(map(len, group))):
                title += [column[row] for column in group if row < len(column)]
        return title

    @property
    def text(self) -> str:
        return " ".join(self.lines)

    def image(
        self, ink: tuple[int, int, int] = (255, 255, 255), ground: tuple[int, int, int] = (10, 70, 40)
    ) -> Image.Image:
        """The board as a picture."""
        picture = Image.new("RGB", self.extent, ground)
        draw = ImageDraw.Draw(picture)
        font = ImageFont.truetype(FONT, self.spacing.size)
        for x, y, word in self.drawn:
            draw.text((x, y), word, (255, 255, 255), font, anchor="ls")
        return picture


def board(kind: str, rng: random.Random, spacing: Spacing) -> Board:
    """A board of one of `KINDS` with random cells, set with `spacing`."""
    count = rng.randint(3, 7)

    def some(texts: list[str], number: int = count) -> list[str]:
        return rng.sample(texts, number)

    def pairs(names: list[str], figures: list[str]) -> list[list[str]]:
        return [some(names), some(figures)]

    across = kind in ("directory", "prices", "two_directories", "hindi_directory")
    if kind == "single":
        columns = [some(PLACES)]
    elif kind in ("two_columns", "three_columns", "hindi"):
        number = 3 if kind == "three_columns" else 2
        texts, heads = (HINDI_PLACES, HINDI_HEADS) if kind == "hindi" and rng.random() < 0.6 else (PLACES, HEADS)
        cells = rng.sample(texts, 6 * number)
        columns = [cells[6 * k : 6 * k + min(6, count - rng.randint(0, 1))] for k in range(number)]
        if kind == "hindi" and rng.random() < 0.4:  # the same in both languages
            columns = [some(PLACES), some(HINDI_PLACES)]
        elif rng.random() < 0.6:
            columns = [[head, *column] for head, column in zip(heads, columns, strict=False)]
    elif kind == "hindi_directory":
        columns = pairs(HINDI_NAMES, HINDI_ROOMS)
    elif kind == "prices":
        columns = pairs(DISHES, PRICES)
    else:
        columns = pairs(NAMES, HOURS if rng.random() < 0.4 else ROOMS)
        if kind == "two_directories":
            columns += [some(NAMES, count), some(ROOMS, count)]
    title = rng.choice(TITLES) if rng.random() < 0.5 else None
    return place(Board(across, title, columns, spacing), rng)


def place(made: Board, rng: random.Random) -> Board:
    """Fill in where each word of the board stands."""
    spacing = made.spacing
    font = ImageFont.truetype(FONT, spacing.size)
    height = font.getbbox("H", anchor="ls")[3] - font.getbbox("H", anchor="ls")[1]
    x, pitch = 2.0 * height, spacing.pitch * height
    top = 3.0 * height + (1.2 * pitch + height if made.title else 0.0)
    right = 0.0
    for number, column in enumerate(made.columns):
        width = max(font.getlength(cell) for cell in column)
        for row, cell in enumerate(column):
            flush = spacing.right and number % 2 == 1 and made.across
            _write(made, cell, x + (width - font.getlength(cell) if flush else 0.0), top + row * pitch, rng)
        right = x + width
        x += width + spacing.gutter * height
    if made.title:
        _write(made, made.title, max((right - font.getlength(made.title)) / 2, height), 3.0 * height, rng)
        right = max(right, font.getlength(made.title) + 2 * height)
    rows = max(map(len, made.columns))
    made.extent = (round(right + 2 * height), round(top + rows * pitch + 2 * height))
    return made


def _write(made: Board, text: str, x: float, y: float, rng: random.Random) -> None:
    font = ImageFont.truetype(FONT, made.spacing.size)
    for word in text.split():
        left, top, right, bottom = font.getbbox(word, anchor="ls")
        height = font.getbbox("H", anchor="ls")[3] - font.getbbox("H", anchor="ls")[1]
        edges = [x + left, y + top, x + right, y + bottom]
        edges = [edge + sign * height * 0.05 for edge, sign in zip(edges, (-1, -1, 1, 1), strict=True)]
        a, b, c, d = edges
        corners = ((a, b), (c, b), (c, d), (a, d))
        by = made.spacing.wander * height
        polygon = tuple((u + rng.uniform(-by, by), v + rng.uniform(-by, by)) for u, v in corners)
        made.words.append(Word(word, polygon, 0.9, 0.9, "latin"))
        made.drawn.append((x, y, word))
        x += font.getlength(word + " ")


def seen_from(words: list[Word], angle: float, lean: float) -> list[Word]:
    """Words of a board that is turned by `angle` degrees, and whose far side is smaller by the share `lean`."""
    points = np.array([point for word in words for point in word.polygon])
    width = float(points[:, 0].max())
    cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))

    def move(x: float, y: float) -> tuple[float, float]:
        by = 1 + lean * x / max(width, 1.0)
        x, y = x / by, y / by
        return x * cos - y * sin, x * sin + y * cos

    return [
        Word(w.text, tuple(move(*point) for point in w.polygon), w.confidence, w.detection_score, w.script)
        for w in words
    ]
