"""Made-up readings that the tests of the formats share."""

from __future__ import annotations

from signboard.reading import Line, Reading, Sign, Word

Box = tuple[float, float, float, float]


def quad(left: float, top: float, right: float, bottom: float) -> tuple[tuple[float, float], ...]:
    return ((left, top), (right, top), (right, bottom), (left, bottom))


def reading(source: str = "photos/थाना 1.jpg") -> Reading:
    """Two signs; Hindi with its translation, English, a number, a word that could not be read, and a private place."""
    hindi = Line(
        (
            Word("पुलिस", quad(100, 50, 220.123, 100), 0.98765, 0.9, "devanagari"),
            Word("थाना", quad(240, 52, 330, 101), 0.41, 0.8, "devanagari"),
        ),
        quad(100, 50, 330, 101),
        romanized="pulis thana",
        translation="Police station",
    )
    english = Line(
        (
            Word('Police & "Station"', quad(100, 120, 330, 160), 0.9, 0.7, "latin"),
            Word("", quad(340, 120, 360, 160), 0.0, 0.3, "other"),
        ),
        quad(100, 120, 360, 160),
    )
    phone = Line((Word("011-2345", quad(500, 300, 640.5, 340), 1.0, 1.0, "digits", 90),), quad(500, 300, 640.5, 340))
    return Reading(
        source,
        800,
        600,
        (Sign((hindi, english), quad(100, 50, 360, 160)), Sign((phone,), phone.polygon)),
        warnings=("text may be too small",),
        metadata={
            "gps": {"latitude": 28.6139, "longitude": 77.209, "altitude": 216.0, "bearing": 90.0},
            "time": "2024-03-09T06:07:08Z",
        },
    )


def empty(source: str = "photos/wall.jpg") -> Reading:
    return Reading(source, 640, 480)


def failed(source: str = "photos/<broken>.jpg") -> Reading:
    return Reading(source, 0, 0, error=f"{source}: truncated image, image file is truncated")


NAMES = ("a\"b'c&<d>.jpg", "two\nlines.jpg", "-- >.jpg", "bytes\udcff.jpg", "फ़ोटो,क.jpg", "u\u2028v\x85w\x01.jpg")
"""File names that have broken programs."""
