"""Typefaces: what they can draw, the index file, and the choice of faces for a text."""

from __future__ import annotations

import json
import pickle
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from signboard.errors import DataError
from signboard.synthesis import Face, FontLibrary
from signboard.synthesis.fonts import _GRIDS, _face, open_font
from signboard.synthesis.lettering import set_words
from signboard.synthesis.lexicon import LATIN_LETTERS


def test_chosen_runs_cover_the_text(fonts: FontLibrary) -> None:
    rng = np.random.default_rng(0)
    for text in ("SHARMA", "विद्यालय", "मो.98765", "WAIT-गीता", "१२३"):
        for _ in range(10):
            runs = fonts.runs(rng, text)
            assert runs is not None
            assert "".join(part for part, _ in runs) == text
            assert all(set(part) <= face.chars for part, face in runs)


def test_text_that_no_face_draws_gives_none(fonts: FontLibrary) -> None:
    assert fonts.runs(np.random.default_rng(0), "日本") is None


def test_glyphs_that_are_promised_have_ink(fonts: FontLibrary) -> None:
    for face in fonts.faces:
        font = open_font(face.path, 40)
        empty = font.getmask("\U000f1234", mode="L")
        for char in sorted(face.chars - {" "})[::7]:
            mask = font.getmask(char, mode="L")
            assert mask.getbbox() is not None, (face.path, char)
            assert bytes(mask) != bytes(empty), (face.path, char)


def test_devanagari_is_shaped(fonts: FontLibrary) -> None:
    """A conjunct is narrower than its parts with a visible virama: raqm is at work and the face joins."""
    for face in fonts.faces:
        if "क" in face.chars:
            font = open_font(face.path, 40)
            assert font.getlength("र्क") < font.getlength("क") * 1.3
            assert font.getlength("ट्र") < font.getlength("टर")


def test_index_is_read_again_and_follows_changes(font_folder: Path, fonts: FontLibrary) -> None:
    index = font_folder / ".signboard-fonts.json"
    saved = json.loads(index.read_text(encoding="utf-8"))
    name = sorted(saved["faces"])[0]
    saved["faces"][name]["weight"] = 123
    index.write_text(json.dumps(saved), encoding="utf-8")
    again = FontLibrary.from_folder(font_folder)
    assert any(face.weight == 123 for face in again.faces)
    saved["stamps"][name] = [1, 1]  # the file changed since: it is looked at again
    index.write_text(json.dumps(saved), encoding="utf-8")
    fresh = FontLibrary.from_folder(font_folder)
    assert {face.path: face.weight for face in fresh.faces} == {face.path: face.weight for face in fonts.faces}


def test_library_can_be_pickled(fonts: FontLibrary) -> None:
    copy = pickle.loads(pickle.dumps(fonts))
    assert copy.faces == fonts.faces
    assert copy.families("latin") == fonts.families("latin")


def test_faces_on_a_grid_are_found_by_their_family(fonts: FontLibrary, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    assert fonts.grid_face(rng, "EXIT") is None
    source = next(face.path for face in fonts.faces if set("EXIT") <= face.chars)
    (tmp_path / "Tiny5").mkdir()
    shutil.copyfile(source, tmp_path / "Tiny5" / "Tiny5-latin-400-normal.ttf")
    found = FontLibrary.from_folder(tmp_path).grid_face(rng, "EXIT")
    assert found is not None and found[0].family == "Tiny5" and found[1] == 8.0
    assert FontLibrary.from_folder(tmp_path).grid_face(rng, "EXIT\u4e00") is None


def test_grid_faces_fill_whole_squares() -> None:
    folder = Path(__file__).resolve().parents[2] / "fonts"
    files = [path for family in _GRIDS for path in sorted((folder / family).glob("*-latin-[0-9]*.ttf"))]
    if not files:
        pytest.skip("needs the faces that scripts/fetch_fonts.py installs into fonts/")
    for path in files:
        face = Face(str(path), path.parent.name, 400, frozenset())
        for pitch in (3, 4, 5):
            text = set_words([[("HAMBURGE245", face)]], pitch * _GRIDS[face.family], gap=0.0)
            assert text is not None
            rows, columns = (-(-side // pitch) for side in text.mask.shape)
            mask = np.zeros((rows * pitch, columns * pitch))
            mask[: text.mask.shape[0], : text.mask.shape[1]] = text.mask / 255
            cover = mask.reshape(rows, pitch, columns, pitch).mean(axis=(1, 3))
            partly = ((cover > 0.25) & (cover < 0.75)).sum()
            assert partly < 0.05 * (cover > 0.25).sum(), (path.name, pitch)


def test_empty_folder_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="fetch_fonts"):
        FontLibrary.from_folder(tmp_path)


def test_a_broken_font_is_left_out(tmp_path: Path, font_folder: Path) -> None:
    good = sorted(font_folder.glob("*.ttf"))[0]
    (tmp_path / good.name).write_bytes(good.read_bytes())
    (tmp_path / "broken.ttf").write_bytes(good.read_bytes()[:200])
    (tmp_path / "empty.ttf").write_bytes(b"")
    library = FontLibrary.from_folder(tmp_path)
    assert [Path(face.path).name for face in library.faces] == [good.name]


def test_what_signs_are_mostly_lettered_in_is_drawn_most() -> None:
    record = {"weight": 400, "chars": "".join(sorted(LATIN_LETTERS)), "unicase": False}
    files = ("Arimo/Arimo-latin-400-normal.ttf", "Chango/Chango-latin-400-normal.ttf", "Rye/Rye-latin-400-normal.ttf")
    library = FontLibrary(tuple(_face(Path("fonts"), file, {**record, "family": "x"}) for file in files))
    rng = np.random.default_rng(0)
    chosen = Counter(face.family for _ in range(630) if (face := library.choose(rng, "Shop")) is not None)
    assert [family for family, _ in chosen.most_common()] == ["Arimo", "Chango", "Rye"]
    assert chosen["Arimo"] == pytest.approx(500, abs=40) and chosen["Rye"] == pytest.approx(30, abs=20)
