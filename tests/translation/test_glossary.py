"""The glossary file is well formed, every entry can be met, variant spellings and inflections meet the same entry."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from signboard.errors import DataError
from signboard.translation.glossary import (
    GLOSSARY,
    HEADER,
    LONGEST,
    Glossary,
    default_glossary,
    fold,
    read_glossary,
)
from signboard.translation.grammar import gerund, inflect, participle, plural
from signboard.translation.units import split


@pytest.fixture(scope="module")
def glossary() -> Glossary:
    return default_glossary()


def test_file_is_nfc_unique_and_large_enough(glossary: Glossary) -> None:
    text = GLOSSARY.read_text(encoding="utf-8")
    assert unicodedata.is_normalized("NFC", text)
    assert "\u200c" not in text and "\u200d" not in text
    hindi = [entry.hindi for entry in glossary.entries]
    assert len(set(hindi)) == len(hindi) >= 600
    assert all(
        entry.english == entry.english.strip() and entry.hindi == entry.hindi.strip() for entry in glossary.entries
    )


def test_every_entry_is_reachable(glossary: Glossary) -> None:
    """By itself, and as a text of its own after the text has been cut into pieces."""
    for entry in glossary.entries:
        match = glossary.lookup(entry.hindi)
        assert match is not None and match.entry is entry, entry
        assert len(entry.hindi.split()) <= LONGEST, entry


def test_every_entry_is_found_in_running_text(glossary: Glossary) -> None:
    lost = []
    for entry in glossary.entries:
        (units,) = (piece for piece in split(entry.hindi, glossary) if isinstance(piece, list))
        # Another entry with the same key (के लिये, के लिए) or the same words is as good when its English is the same.
        if len(units) != 1 or units[0].english != entry.english:
            lost.append((entry.hindi, [unit.english for unit in units]))
    assert lost == []


def test_first_look_phrases_are_not_simply_copied(glossary: Glossary) -> None:
    """A check on ourselves: most of the phrases that measure the translator must not be entries of the glossary."""
    rows = (Path(__file__).parent / "sign_phrases.tsv").read_text(encoding="utf-8").splitlines()
    phrases = {row.split("\t")[0] for row in rows if not row.startswith("#")}
    assert len(phrases) == 150
    entries = {entry.hindi for entry in glossary.entries}
    assert len(phrases & entries) < 50


@pytest.mark.parametrize(
    ("variant", "entry"),
    [
        ("हिन्दी", "हिंदी"),
        ("केन्द्र", "केंद्र"),
        ("मन्दिर", "मंदिर"),
        ("भण्डार", "भंडार"),
        ("कम्पनी", "कंपनी"),
        ("यहां", "यहाँ"),
        ("यहॉ", "यहाँ"),
        ("सडक", "सड़क"),
        ("गाडी", "गाड़ी"),
        ("बाज़ार", "बाजार"),
        ("नयी", "नई"),
        ("औषधालय", "औषधालय"),
        ("पूलिस", "पुलिस"),
        ("महीला", "महिला"),
        ("थोक एवं फुटकर विक्रेता", "थोक व फुटकर विक्रेता"),
        ("कि0मी0", "कि0मी0"),
        ("दुकानें", "दुकान"),
        ("दुकानों", "दुकान"),
        ("पेड़ों", "पेड़"),
        ("पेड़े", "पेड़ा"),
        ("मिठाइयों", "मिठाई"),
        ("कुत्ते", "कुत्ता"),
        ("कुत्तों", "कुत्ता"),
        ("बड़ी", "बड़ा"),
        ("चलायें", "चलाना"),
        ("चलाइए", "चलाना"),
        ("करें", "करना"),
        ("कीजिये", "करना"),
        ("खड़ी करें", "खड़ा करना"),
        ("बनाये जाते", "बनाना"),
        ("खेल रहे", "खेलना"),
    ],
)
def test_variants_and_inflections_meet_the_entry(glossary: Glossary, variant: str, entry: str) -> None:
    match = glossary.lookup(variant)
    if entry == "कि0मी0":  # signs' zeros for dots are put right before the look-up
        assert match is None
        return
    assert match is not None and match.entry.hindi == entry


@pytest.mark.parametrize("word", ["बीना", "टीना", "दीन", "शर्मिला", "रॉबर्ट", "झ", ""])
def test_names_are_not_taken_for_common_words(glossary: Glossary, word: str) -> None:
    assert glossary.lookup(word) is None


def test_confidence_falls_with_distance(glossary: Glossary) -> None:
    exact, folded, loose = (glossary.lookup(w) for w in ("मंदिर", "मन्दिर", "मंदीर"))
    assert exact is not None and folded is not None and loose is not None
    assert exact.entry is folded.entry is loose.entry
    assert exact.confidence > folded.confidence > loose.confidence


def test_fold_is_idempotent(glossary: Glossary) -> None:
    for entry in glossary.entries:
        assert fold(fold(entry.hindi)) == fold(entry.hindi)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("सड़क\troad\tnoun", "four fields"),
        ("सड़क\troad\tthing\troad", "part of speech"),
        ("सड़क\troad\tnoun\tmars", "domain"),
        ("सड़क\troad\tnoun\troad\nसड़क\troad\tnoun\troad", "twice"),
        ("\u095c\troad\tnoun\troad", "NFC"),
    ],
)
def test_bad_files_are_named_with_their_line(tmp_path: Path, line: str, complaint: str) -> None:
    path = tmp_path / "bad.tsv"
    path.write_text("\t".join(HEADER) + "\n" + line + "\n", encoding="utf-8")
    with pytest.raises(DataError, match=rf"bad\.tsv:[23]: .*{complaint}"):
        read_glossary(path)
    with pytest.raises(DataError, match="cannot read"):
        read_glossary(tmp_path / "missing.tsv")


def test_english_forms() -> None:
    assert [gerund(v) for v in ("smoke", "stop", "take photos", "lie", "be", "park")] == [
        "smoking", "stopping", "taking photos", "lying", "being", "parking",
    ]  # fmt: skip
    assert [participle(v) for v in ("make", "carry", "repair punctures", "use", "take", "stop")] == [
        "made", "carried", "repaired punctures", "used", "taken", "stopped",
    ]  # fmt: skip
    assert [plural(n) for n in ("shop", "sweet shop", "woman", "bus", "city", "jewellery", "sweets", "way", "box")] == [
        "shops", "sweet shops", "women", "buses", "cities", "jewellery", "sweets", "ways", "boxes",
    ]  # fmt: skip
    assert [inflect(v, "+3") for v in ("go", "carry", "be", "open")] == ["goes", "carries", "is", "opens"]
