"""What signs say: well-formed text in known characters, the scripts asked for, whole aksharas."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import numpy as np
import pytest

from signboard.errors import DataError
from signboard.recognition.charset import Charset
from signboard.synthesis import Lexicon
from signboard.synthesis.lexicon import (
    CHARACTERS,
    DEFAULT_FOLDER,
    clusters,
    normalize,
    printable,
    read_list,
    read_pairs,
    script_of,
)


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("राष्ट्रीय", ["रा", "ष्ट्री", "य"]),
        ("निःशुल्क", ["निः", "शु", "ल्क"]),
        ("हिन्दी।", ["हि", "न्दी", "।"]),
        ("क़िला", ["क़ि", "ला"]),
        ("वाऱ्या", ["वा", "ऱ्या"]),
        ("ॐ", ["ॐ"]),
        ("Rs.5", ["R", "s", ".", "5"]),
    ],
)
def test_clusters_keep_aksharas_whole(text: str, pieces: list[str]) -> None:
    assert clusters(normalize(text)) == [normalize(piece) for piece in pieces]


def test_clusters_lose_nothing(lexicon: Lexicon) -> None:
    rng = np.random.default_rng(0)
    for script in ("devanagari", "latin", "mixed"):
        for _ in range(300):
            word = lexicon.word(rng, script)
            assert "".join(clusters(word)) == word


@pytest.mark.parametrize("text", ["ाक", "कि्", "क््क", "कंः", "", "-", "ा", "日本", "का\u200dर", "अा"])
def test_malformed_text_is_not_printable(text: str) -> None:
    assert not printable(text)


@pytest.mark.parametrize("text", ["श्री", "डॉ.", "कुआँ", "पाइप", "दुःख", "&", "ॐ", "₹500/-", "ALL", "क़िला", "वाङ्मय"])
def test_real_words_are_printable(text: str) -> None:
    assert printable(normalize(text))


def test_recogniser_knows_all_characters() -> None:
    assert not Charset().missing("".join(sorted(CHARACTERS)))


@pytest.mark.parametrize("path", sorted(DEFAULT_FOLDER.glob("*.txt")), ids=lambda path: path.stem)
def test_lists_hold_printable_words_in_one_script(path: Path) -> None:
    entries = read_list(path)
    assert len(entries) >= 100
    words = [word for entry in entries for word in entry.split()]
    assert [word for word in words if not CHARACTERS.issuperset(word)] == []
    hindi = path.stem.startswith(("hindi", "marathi"))
    share = np.mean([script_of(word) == ("devanagari" if hindi else "latin") for word in words])
    assert share > 0.97


@pytest.mark.parametrize("name", ["places.tsv", "bilingual.tsv"])
def test_pairs_are_hindi_and_english(name: str) -> None:
    for hindi, english in read_pairs(DEFAULT_FOLDER / name):
        assert script_of(hindi) == "devanagari" and script_of(english) == "latin"


@pytest.mark.parametrize("script", ["devanagari", "latin", "digits", "mixed"])
def test_words_are_in_the_script_asked_for(lexicon: Lexicon, script: str) -> None:
    rng = np.random.default_rng(1)
    words = [lexicon.word(rng, script) for _ in range(400)]
    assert all(printable(word) and " " not in word and word == unicodedata.normalize("NFC", word) for word in words)
    assert np.mean([script_of(word) == script for word in words]) > 0.9
    assert len(set(words)) > 250


def test_boards_hold_lines_of_words(lexicon: Lexicon) -> None:
    rng = np.random.default_rng(2)
    for _ in range(60):
        lines = lexicon.board(rng)
        assert lines and all(line.strip() == line and line for line in lines)


def test_board_scripts_follow_the_share(lexicon: Lexicon) -> None:
    rng = np.random.default_rng(2)
    for share, script in ((0.0, "devanagari"), (1.0, "latin")):
        lines = [lexicon.board(rng, share)[0] for _ in range(80)]
        assert np.mean([script_of(line) == script for line in lines]) < 0.1


def test_extra_words_are_drawn(lexicon: Lexicon, tmp_path: Path) -> None:
    extra = tmp_path / "extra.txt"
    extra.write_text("झकझकपुर; Zyxwvut\n# comment\n", encoding="utf-8")
    mixed = Lexicon(extra_words=[extra], extra_share=0.5)
    rng = np.random.default_rng(0)
    hindi = [mixed.word(rng, "devanagari") for _ in range(200)]
    latin = [mixed.word(rng, "latin").lower() for _ in range(200)]
    assert 60 < hindi.count("झकझकपुर") < 140
    assert 60 < latin.count("zyxwvut") < 140


def test_missing_lists_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"hindi_trades\.txt"):
        Lexicon(tmp_path)
