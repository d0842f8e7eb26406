"""Which words of a phrase that mean something are names in it: विकास शर्मा, प्रकाश स्टोर, गाय घाट, माँ काली."""

from __future__ import annotations

from collections.abc import Sequence

from signboard.translation.units import Unit

#: After these a word that may be a name is one: चंदन नगर.
_SETTLEMENTS = {
    "नगर", "विहार", "पुरम", "पुरी", "गंज", "बाग", "कॉलोनी", "एन्क्लेव", "कुंज", "चौक", "मार्ग", "पथ", "नदी", "वन", "धाम",
    "अपार्टमेंट", "भवन", "पार्क", "गार्डन", "पैलेस", "सदन", "निवास", "टावर", "प्लाजा",
}  # fmt: skip
#: Before a noun of these kinds, too: प्रकाश स्टोर.
_NAMED = {"shop", "trade", "food", "school", "hospital", "bank", "road", "facility", "railway", "religion"}
#: Ends of the names of quarters: what stands before them is a name whatever it means.
_QUARTERS = {"घाट", "टोला", "गंज", "पुरी", "विहार", "पुरम", "बाग", "कुंज", "पेठ", "खेड़ा", "सराय"}
#: Rather adjectives: names only at the beginning.
_ADJECTIVES = {"लाल", "सुंदर", "विशाल", "उत्तम", "नवीन"}
_THINGS = {"noun", "adjective", "either"}


def mark_names(units: Sequence[Unit]) -> None:
    """Turns units that are names here into units without a meaning, which are spelled."""
    for i, unit in enumerate(units):
        before = units[i - 1] if i else None
        after = units[i + 1] if i + 1 < len(units) else None
        if before is not None and before.lemma == "मां" and unit.kind in _THINGS:
            _name(unit)
        elif i == 0 and after is not None and after.lemma in _QUARTERS and unit.kind in _THINGS:
            _name(unit)
            _name(units[1])
        elif unit.kind == "either":
            person = any(
                u is not None and (u.kind in ("unknown", "title") or u.domain == "name") for u in (before, after)
            )
            place = (
                unit.lemma != "लाल"
                and (i == 0 or unit.lemma not in _ADJECTIVES)
                and after is not None
                and after.kind == "noun"
                and (after.domain in _NAMED or after.lemma in _SETTLEMENTS)
            )
            if person or place:
                _name(unit)
            elif unit.lemma in _ADJECTIVES:
                unit.kind = "adjective"


def _name(unit: Unit) -> None:
    unit.kind, unit.match, unit.english, unit.named = "unknown", None, "", True
