"""Number words of 1 to 99, and numbers of several words with what they count."""

from __future__ import annotations

import pytest

from signboard.translation import translate
from signboard.translation.glossary import default_glossary
from signboard.translation.numerals import read_numeral


def test_every_number_below_a_hundred_is_known() -> None:
    glossary = default_glossary()
    words = [entry.hindi for entry in glossary.entries if entry.part_of_speech == "number"]
    numerals = [read_numeral([word], glossary) for word in words]
    values = {numeral[1] for numeral in numerals if numeral is not None}
    assert set(range(1, 101)) <= values


@pytest.mark.parametrize(
    ("words", "value", "length"),
    [
        ("पाँच सौ", 500, 2),
        ("दो हज़ार पच्चीस", 2025, 3),
        ("एक लाख पचास हजार", 150_000, 4),
        ("साढ़े तीन सौ", 350, 3),
        ("सवा सौ", 125, 2),
        ("पौने दो", 1.75, 2),
        ("डेढ़ करोड़", 15_000_000, 2),
        ("दो सौ करोड़", 2_000_000_000, 3),
        ("एक दो तीन", 1, 1),
        ("उनहत्तर रुपये", 69, 1),
    ],
)
def test_values(words: str, value: float, length: int) -> None:
    assert read_numeral(words.split(), default_glossary()) == (length, value)


@pytest.mark.parametrize("words", ["साढ़े", "पौने", "दुकान", "निवासी", "साढ़े दुकान"])
def test_what_is_no_number(words: str) -> None:
    assert read_numeral(words.split(), default_glossary()) is None


@pytest.mark.parametrize(
    ("hindi", "english"),
    [
        ("चालीस रुपये", "forty rupees"),
        ("पाँच सौ रुपये", "Rs 500"),
        ("डेढ़ लाख रुपये", "Rs 1.5 lakh"),
        ("ढाई किलो", "2.5 kg"),
        ("सुबह साढ़े नौ बजे से शाम पाँच बजे तक", "9:30 am to 5 pm"),
        ("साढ़े नौ से पौने पांच बजे", "9:30 to 4:45"),
        ("दस हजार रुपये जुर्माना", "Rs 10000 fine"),
        ("अस्सी घाट", "Assi Ghat"),
    ],
)
def test_numbers_with_what_they_count(hindi: str, english: str) -> None:
    assert translate(hindi).english == english


@pytest.mark.parametrize(
    ("hindi", "words"),
    [("50 लीटर", "50 litre"), ("100 ग्राम", "100 gram"), ("10 मीटर आगे", "10 metre"), ("5 किलो चावल", "5 kg")],
)
def test_measures_stay_what_they_are(hindi: str, words: str) -> None:
    assert translate(hindi).english.startswith(words)
