"""Which words of a phrase that mean something are names in it: विकास शर्मा, प्रकाश स्टोर, गाय घाट, माँ काली."""

from __future__ import annotations

from collections.abc import Sequence

from signboard.translation.units import Unit

#: Before a noun of these kinds a word that may be a name is one: प्रकाश स्टोर, चंदन नगर.
_NAMED = {"shop", "trade", "food", "school", "hospital", "bank", "road", "facility", "railway", "religion", "place"}
#: Ends of the names of quarters: what stands before them is a name whatever it means.
_QUARTERS = {"घाट", "टोला", "गंज", "पुरी", "विहार", "पुरम", "बाग", "कुंज", "पेठ", "खेड़ा", "सराय"}
#: Rather adjectives: names only at the beginning, लाल not even there.
_ADJECTIVES = {"लाल", "सुंदर", "विशाल", "उत्तम", "नवीन"}


def mark_names(units: Sequence[Unit]) -> None:
    """Turns units that are names here into units without a meaning, which are spelled."""
    for i, (before, unit, after) in enumerate(zip((None, *units), units, (*units[1:], None), strict=False)):
        thing = unit.kind in ("noun", "adjective", "either")
        quarter = i == 0 and thing and after is not None and after.lemma in _QUARTERS
        named = quarter or (thing and before is not None and before.lemma == "मां")
        if unit.kind == "either":
            beside = [u for u in (before, after) if u is not None]
            person = any(u.kind in ("unknown", "title") or u.domain == "name" for u in beside)
            place = after is not None and after.kind == "noun" and after.domain in _NAMED
            describes = unit.lemma in _ADJECTIVES and (i > 0 or unit.lemma == "लाल")
            named = named or person or (place and not describes)
        for name in (unit, units[1]) if quarter else (unit,) if named else ():
            name.kind, name.match, name.english, name.named = "unknown", None, "", True
