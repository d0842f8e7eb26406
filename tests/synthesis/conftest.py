"""A small font folder made of the face that is shipped and of the machine's own, and one lexicon for all tests."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import signboard
from signboard.synthesis import FontLibrary, Lexicon, Synthesizer

_SYSTEM = (
    "truetype/lohit-devanagari/Lohit-Devanagari.ttf",
    "truetype/dejavu/DejaVuSans-Bold.ttf",
    "truetype/dejavu/DejaVuSerif.ttf",
    "truetype/freefont/FreeSans.ttf",
)


@pytest.fixture(scope="session")
def font_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    files = sorted(Path(signboard.__file__).parent.rglob("*.ttf"))
    files += [path for name in _SYSTEM if (path := Path("/usr/share/fonts") / name).exists()]
    if not files:
        pytest.skip("no typeface found: neither in the package nor in /usr/share/fonts")
    folder = tmp_path_factory.mktemp("typefaces")
    for path in files:
        shutil.copyfile(path, folder / path.name)
    return folder


@pytest.fixture(scope="session")
def fonts(font_folder: Path) -> FontLibrary:
    library = FontLibrary.from_folder(font_folder)
    if not library.families("devanagari") or not library.families("latin"):
        pytest.skip("no face with both scripts: install fonts-lohit-deva and fonts-dejavu")
    return library


@pytest.fixture(scope="session")
def lexicon() -> Lexicon:
    pytest.importorskip("wordfreq")
    return Lexicon()


@pytest.fixture(scope="session")
def synthesizer(fonts: FontLibrary, lexicon: Lexicon) -> Synthesizer:
    return Synthesizer(fonts, lexicon, seed=3)
