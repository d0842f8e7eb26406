"""The fallback's English: order of clauses, prohibitions, hours, agreement; which words are names."""

from __future__ import annotations

import pytest

from signboard.translation.gloss import agreeing, gloss
from signboard.translation.glossary import default_glossary
from signboard.translation.units import Unit, mark_names, split


def _units(hindi: str) -> list[Unit]:
    (units,) = (piece for piece in split(hindi, default_glossary()) if isinstance(piece, list))
    mark_names(units)
    for i, unit in enumerate(units):
        unit.english = agreeing(units, i) if unit.kind != "unknown" else "Name"
    return units


@pytest.mark.parametrize(
    ("hindi", "english"),
    [
        ("यहाँ गाड़ी लगाना मना है", "parking here is prohibited"),
        ("ट्रकों का प्रवेश निषेध", "no trucks entry"),
        ("दीवार पर थूकना सख्त मना है", "spitting on wall is strictly prohibited"),
        ("कृपया पुल पर न रुकें", "please do not stop on bridge"),
        ("आगे सड़क बंद है", "road closed ahead"),
        ("यहाँ घड़ियां रिपेयर की जाती हैं", "watches are repaired here"),
        ("हेलमेट न पहनने पर जुर्माना", "fine for not wearing a helmet"),
        ("सुबह 9 बजे से शाम 6 बजे तक", "9 am to 6 pm"),
        ("शाम 4 से 6 बजे", "4 to 6 pm"),
        ("प्लेटफार्म टिकट 10 रुपये", "platform ticket 10 rupees"),
        ("नियम तोड़ने वालों पर जुर्माना", "fine for breaking rules"),
        ("पोलायकलां की दुकान", "Name shop"),
        ("कार्यालय का रंग", "office colour"),
        ("महिला वकील", "women's lawyer"),
        ("बंदरों से सावधान रहें", "beware of monkeys"),
        ("बच्चों को सड़क पर न खेलने दें", "do not let children play on road"),
        ("बुधवार को अवकाश", "holiday on Wednesday"),
    ],
)
def test_words_in_english_order(hindi: str, english: str) -> None:
    assert gloss(_units(hindi)) == english


@pytest.mark.parametrize(
    ("hindi", "names"),
    [
        ("विकास शर्मा", ["विकास"]),
        ("विकास स्टोर", ["विकास"]),
        ("विकास विभाग", []),
        ("गाय घाट", ["गाय", "घाट"]),
        ("माँ काली", ["काली"]),
        ("लाल मिर्च", []),
    ],
)
def test_words_that_are_names(hindi: str, names: list[str]) -> None:
    assert [unit.text for unit in _units(hindi) if unit.named] == names
