"""English words are found by their Hindi sound; names and Hindi words are left alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from signboard.errors import DataError
from signboard.translation.spelling import LOANWORD, Loanwords, default_loanwords, loanword, places, sounds
from signboard.translation.transliteration import default_transliterator


@pytest.mark.parametrize(
    ("word", "said"),
    [("सेन्टर", "senT@r"), ("बड़ा", "b@Ra"), ("फ़ोन", "fon"), ("ऑफिस", "Afis"), ("अंडा", "@MDa"), ("12", ""), ("", "")],
)
def test_sounds(word: str, said: str) -> None:
    assert sounds(word) == said


@pytest.mark.parametrize(
    ("word", "english"),
    [
        ("डैशबोर्ड", "dashboard"),
        ("नोटिफिकेशन", "notification"),
        ("प्रोफाइल", "profile"),
        ("अलर्ट", "alert"),
        ("हाइलाइट", "highlight"),
        ("असाइनमेंट", "assignment"),
        ("क्वार्टर", "quarter"),
        ("ऑर्डर", "order"),
    ],
)
def test_english_words(word: str, english: str) -> None:
    found, chance = loanword(word, default_transliterator().transliterate_words([word])[0])
    assert (found, chance > LOANWORD) == (english, True)


@pytest.mark.parametrize("word", ["रामेश्वर", "ज्योतिर्लिंग", "हेमलता", "महाकालेश्वर", "कोलकाता", "साथी", "शिव", "ा", "क"])
def test_hindi_words_and_names_are_no_english(word: str) -> None:
    assert loanword(word, default_transliterator().transliterate_words([word])[0])[1] < LOANWORD


def test_nearest_is_sorted_and_without_repeats() -> None:
    found = default_loanwords().nearest("टैग", 5)
    assert found[0][0] == "tag"
    assert [score for _, score in found] == sorted((score for _, score in found), reverse=True)
    assert len(dict(found)) == len(found) == 5


def test_places() -> None:
    assert places()["यादगिर"] == "Yadgir"


def test_a_damaged_list_is_named(tmp_path: Path) -> None:
    path = tmp_path / "words.tsv"
    path.write_text("tag\ttag\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"words\.tsv"):
        Loanwords(path)
