"""Typefaces for synthesis: which characters each face can draw, and which face to take for a text."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.random import Generator
from PIL import ImageFont, features

from signboard.errors import DataError

from .lexicon import CHARACTERS, DEVANAGARI, DEVANAGARI_DIGITS, DIGITS, LATIN_LETTERS

_INDEX_NAME = ".signboard-fonts.json"
_INDEX_VERSION = 7
_SUFFIXES = {".ttf", ".otf", ".woff2"}
# Faces in which words of capitals alone are hard to read, and faces that real signs show seldom.
_HANDS = (
    "greatvibes", "sacramento", "dancingscript", "satisfy", "yellowtail", "pacifico", "kaushan", "cookie", "damion",
    "norican", "playball", "marckscript", "courgette", "grandhotel", "leckerli", "oleoscript", "lobster", "pinyon",
    "allura", "unifraktur", "pirata", "merienda", "caveat", "alexbrush", "arizonia", "badscript", "birthstone",
    "charmonman", "clickerscript", "condiment", "dynalight", "engagement", "euphoriascript", "felipa", "grechenfuemen",
    "italianno", "lilyscript", "mrdafoe", "niconne", "parisienne", "petitformal", "redressed", "rochester",
    "rougescript", "sarina", "seaweedscript", "sevillana", "smooch", "tangerine", "vampiroone", "vibur", "waterbrush",
    "yesteryear",
)  # fmt: skip
_RARE = (
    "tiny5", "micro5", "doto", "bitcount", "sixtyfour", "pixelify",
    "monoton", "bungeeshade", "bungeeinline", "pressstart", "vastshadow", "pirata", "silkscreen", "dotgothic", "vt323",
    "wallpoet", "rocksalt", "sacramento", "greatvibes", "cinzeldecorative", "rye", "mono", "cousine", "courier",
    "inconsolata", "limelight", "faster", "sixcaps", "amatic", "stencil", "modak", "asset", "cabinsketch", "diplomata",
    "emilyscandy", "grenzegotisch", "griffy", "hennypenny", "jersey1", "londrinashadow", "mysteryquest",
    "ruslan", "sevillana", "smokum", "spirax", "swanky", "tangerine", "uncialantiqua",
)  # fmt: skip
# Latin families like those that most signs are lettered in; most of the others are for show.
_COMMON = (
    "anton", "archivo", "arimo", "arvo", "barlow", "bebasneue", "bitter", "dosis", "ebgaramond",
    "encodesanscondensed", "exo2", "firasans", "fjallaone", "francoisone", "heebo", "inter", "josefinsans", "jost",
    "lato", "leaguegothic", "leaguespartan", "librebaskerville", "librefranklin", "merriweather", "montserrat",
    "nunito", "opensans", "oswald", "overpass", "passionone", "playfairdisplay", "ptsans", "ptserif", "publicsans",
    "raleway", "roboto", "robotocondensed", "robotoslab", "rokkitt", "saira", "sourcesans3", "tinos", "titilliumweb",
    "ubuntu", "urbanist", "worksans", "yanonekaffeesatz", "zillaslab",
)  # fmt: skip
# Small capitals and the like that `_inspect` does not recognise by shape.
_UNICASE = (
    "amaticsc", "cinzel", "monoton", "marcellussc", "rocksalt", "playfairdisplaysc", "alegreyasc", "matesc",
    "bodonimodasc", "girassol", "walterturncoat", "shojumaru", "uncialantiqua", "creepster", "barrio", "tradewinds",
    "unicaone", "metalmania",
)  # fmt: skip

# Pixels to the em of faces that are drawn on a coarse grid, as rows of lamps show them.
_GRIDS = {"Tiny5": 8, "PressStart2P": 8, "Silkscreen": 8, "Jersey15": 27}

# Faces whose Devanagari has glyphs drawn wrong, seen on a sheet of conjuncts.
_DEFECTIVE = frozenset({"Samanata", "samanata", "Alkatra", "Dekko", "Kurale", "FreeSans", "FreeSerif"})
# Faces that draw 5 where ५ is asked for; their Devanagari files alone do not tell, having no 5 to compare with.
_ARABIC_DIGITS = frozenset({"Hind", "Khand", "Poppins", "Rajdhani", "Rozha", "Sarpanch", "Teko"})


@dataclass(frozen=True, slots=True)
class Face:
    """One font file.

    Attributes:
        path: the file.
        family: folder or family name, the unit of sampling.
        weight: CSS weight, 100 to 900.
        chars: the characters of `lexicon.CHARACTERS` that it draws with ink.
        unicase: small letters look like capitals, so labels are upper case.
        hand: a joined hand in which words of capitals only are hard to read.
        frequency: relative weight of the family in sampling.
    """

    path: str
    family: str
    weight: int
    chars: frozenset[str]
    unicase: bool = False
    hand: bool = False
    frequency: float = 1.0


@lru_cache(maxsize=1500)
def open_font(path: str, size: int) -> ImageFont.FreeTypeFont:
    """A face at `size` pixels per em, shaped by raqm; cached."""
    return ImageFont.truetype(path, size, layout_engine=ImageFont.Layout.RAQM)


def _bitmap(font: ImageFont.FreeTypeFont, char: str) -> np.ndarray | None:
    mask = font.getmask(char, mode="L")
    if mask.size[0] == 0 or mask.size[1] == 0 or mask.getbbox() is None:
        return None
    return np.asarray(mask, dtype=np.uint8).reshape(mask.size[1], mask.size[0])


def _same_shape(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union of two glyphs brought to one box."""
    import cv2

    first, second = (cv2.resize(m, (32, 32), interpolation=cv2.INTER_AREA) > 110 for m in (a, b))
    return float((first & second).sum() / max(1, (first | second).sum()))


def _joins(font: ImageFont.FreeTypeFont) -> bool:
    """True when reph and rakar are drawn as one piece with their consonant; some faces lack those glyphs."""
    base, reph, rakar = _bitmap(font, "क"), _bitmap(font, "र्क"), _bitmap(font, "ट्र")
    plain, other = _bitmap(font, "ट"), _bitmap(font, "त्र")
    if base is None or reph is None or rakar is None or plain is None or other is None:
        return False
    if reph.shape[1] > 1.3 * base.shape[1] or rakar.shape[1] > 1.45 * plain.shape[1]:
        return False
    return not (rakar.shape == plain.shape and np.array_equal(rakar, plain)) and _same_shape(rakar, other) < 0.95


def _inspect(path: Path) -> dict[str, object] | None:
    """What the index stores of one file, or None when it is of no use."""
    from fontTools.ttLib import TTFont, TTLibError

    try:
        with TTFont(path, lazy=True) as font:
            cmap = set(font.getBestCmap() or {})
            os2 = font["OS/2"].usWeightClass if "OS/2" in font else 400
            names = font["name"]
            family = names.getBestFamilyName() or path.stem
            shaped = "GSUB" in font
        font = ImageFont.truetype(str(path), 40, layout_engine=ImageFont.Layout.RAQM)
    except (TTLibError, OSError, KeyError, AttributeError, AssertionError):
        return None
    if 0x20 not in cmap:  # words are set one by one, but a face without a space is often a broken subset
        spaced = any("\u0900" <= chr(c) <= "\u097f" for c in cmap)
        if not spaced:
            return None
    wanted = [c for c in sorted(CHARACTERS) if ord(c) in cmap and c != " "]
    chars = set()
    notdef = _bitmap(font, "\U000f1234")
    for char in wanted:
        probe = f"क{char}" if char in DEVANAGARI and 0x093A <= ord(char) <= 0x094F and char not in "ऽ" else char
        glyph = _bitmap(font, probe)
        if glyph is None or (notdef is not None and glyph.shape == notdef.shape and np.array_equal(glyph, notdef)):
            continue
        chars.add(char)
    if "क" in chars and (not shaped or not _joins(font) or str(family).split()[0] in _DEFECTIVE):
        chars -= set(DEVANAGARI)
    if str(family).split()[0] in _ARABIC_DIGITS:
        chars -= set(DEVANAGARI_DIGITS)
    for native, arabic in zip("२४५६९", "24569", strict=True):
        first, second = _bitmap(font, native), _bitmap(font, arabic)
        both = native in chars and arabic in chars and first is not None and second is not None
        if both and _same_shape(first, second) > 0.85:  # type: ignore[arg-type]
            chars -= set(DEVANAGARI_DIGITS)
    latin = set(LATIN_LETTERS) <= chars
    if not latin and not {"क", "म", "ि", "्"} <= chars and "₹" not in chars:
        return None
    unicase = False
    if latin:
        scores = []
        for small, capital in ("aA", "eE", "gG", "rR", "dD", "tT"):
            first, second = _bitmap(font, small), _bitmap(font, capital)
            if first is not None and second is not None:
                scores.append(_same_shape(first, second))
        unicase = bool(scores) and float(np.median(scores)) > 0.8
    return {
        "family": str(family),
        "weight": int(os2),
        "chars": "".join(sorted(chars)),
        "unicase": unicase,
    }


def _face(root: Path, relative: str, record: dict[str, object]) -> Face:
    key = relative.lower().replace(" ", "").replace("-", "")
    parts = Path(relative).parts
    family = parts[0] if len(parts) > 1 and not parts[0].startswith("debian") else str(record["family"])
    for name in ("debian-noto", "Noto"):
        if parts[0].startswith(name):
            family = str(record["family"])
    return Face(
        path=str(root / relative),
        family=family,
        weight=int(record["weight"]),  # type: ignore[call-overload]
        chars=frozenset(str(record["chars"])) | {" "},
        unicase=bool(record["unicase"]) or any(name in key for name in _UNICASE),
        hand=any(name in key for name in _HANDS),
        frequency=0.3 if any(name in key for name in _RARE) else 5.0 if family.lower() in _COMMON else 1.0,
    )


@dataclass(frozen=True)
class FontLibrary:
    """A fixed set of faces with quick sampling. Cheap to pickle: fonts are opened where they are drawn.

    Attributes:
        faces: all usable faces, sorted by path, so that sampling is reproducible.
    """

    faces: tuple[Face, ...]
    _groups: dict[str, tuple[tuple[tuple[Face, ...], ...], np.ndarray]] = field(default_factory=dict, repr=False)
    _rupees: tuple[Face, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        for script, probe in (("latin", set(LATIN_LETTERS)), ("devanagari", {"क", "ि", "्"}), ("digits", set(DIGITS))):
            families: dict[str, list[Face]] = {}
            for face in self.faces:
                if probe <= face.chars:
                    families.setdefault(face.family, []).append(face)
            groups = tuple(tuple(families[name]) for name in sorted(families))
            weights = np.cumsum([group[0].frequency for group in groups]) if groups else np.zeros(0)
            self._groups[script] = (groups, weights)
        object.__setattr__(self, "_rupees", tuple(face for face in self.faces if "₹" in face.chars))

    @classmethod
    def from_folder(cls, folder: Path | str, *, cache: bool = True) -> FontLibrary:
        """All usable TTF, OTF and WOFF2 files under `folder`, searched recursively.

        The first call looks at every glyph (seconds to minutes) and writes an index file beside the fonts, which later
        calls read as long as the files are the same ones.

        Raises:
            DataError: the folder holds no usable face, or Pillow lacks raqm.
        """
        root = Path(folder)
        if not features.check("raqm"):
            raise DataError("Pillow was built without raqm, which shapes Devanagari: install Pillow from its wheel")
        files = sorted(p for p in root.rglob("*") if p.suffix.lower() in _SUFFIXES)
        if not files:
            raise DataError(f"{root}: no TTF, OTF or WOFF2 file; run scripts/fetch_fonts.py {root}")
        stamps = {str(p.relative_to(root)): [p.stat().st_size, int(p.stat().st_mtime)] for p in files}
        index = root / _INDEX_NAME
        known: dict[str, dict[str, object] | None] = {}
        try:
            saved = json.loads(index.read_text(encoding="utf-8"))
            if saved["version"] == _INDEX_VERSION:
                known = {
                    name: row for name, row in saved["faces"].items() if saved["stamps"].get(name) == stamps.get(name)
                }
        except (OSError, ValueError, KeyError, AttributeError):
            pass
        fresh = [name for name in stamps if name not in known]
        for name in fresh:
            known[name] = _inspect(root / name)
        if fresh and cache:
            try:
                temporary = index.with_suffix(f".{os.getpid()}.tmp")
                temporary.write_text(
                    json.dumps({"version": _INDEX_VERSION, "stamps": stamps, "faces": known}), encoding="utf-8"
                )
                temporary.replace(index)
            except OSError:
                pass  # a read-only font folder only costs the scan again
        records = ((name, known[name]) for name in sorted(stamps))
        faces = tuple(_face(root, name, record) for name, record in records if record is not None)
        if not faces:
            raise DataError(f"{root}: no face has Latin or Devanagari letters")
        return cls(faces)

    def families(self, script: str) -> list[str]:
        """Names of the families that can draw "latin", "devanagari" or "digits"."""
        return [group[0].family for group in self._groups[script][0]]

    def without(self, families: Sequence[str]) -> FontLibrary:
        """The library less the named families."""
        return FontLibrary(tuple(face for face in self.faces if face.family not in set(families)))

    def grid_face(self, rng: Generator, text: str) -> tuple[Face, int] | None:
        """A face on a coarse grid that draws every character of `text`, as capitals, too, and its grid's squares to the
        em; or None."""
        needed = frozenset(text + text.upper()) - {" "}
        fitting = [face for face in self.faces if face.family in _GRIDS and needed <= face.chars]
        if not fitting:
            return None
        face = fitting[int(rng.integers(len(fitting)))]
        return face, _GRIDS[face.family]

    def choose(self, rng: Generator, text: str, *, near: Face | None = None) -> Face | None:
        """A face that draws every character of `text`, or None. `near` asks for a similar weight."""
        needed = frozenset(text) - {" "}
        devanagari = any("\u0900" <= c <= "\u097f" for c in needed)
        groups, cumulative = self._groups["devanagari" if devanagari else "latin"]
        if not groups:
            return None
        capitals = text.isupper() and len(text) > 2
        for attempt in range(40):
            group = groups[int(np.searchsorted(cumulative, rng.random() * cumulative[-1], side="right"))]
            fitting = [face for face in group if needed <= face.chars]
            if not fitting or (capitals and fitting[0].hand):
                continue
            if near is not None and attempt < 10:
                fitting = [face for face in fitting if abs(face.weight - near.weight) <= 200] or fitting
            # Signs are mostly bold: two draws, the heavier one wins more often than not.
            first, second = (fitting[int(i)] for i in rng.integers(0, len(fitting), 2))
            return max((first, second), key=lambda face: face.weight) if rng.random() < 0.65 else first
        for group in groups:
            for face in group:
                if needed <= face.chars:
                    return face
        return None

    def runs(self, rng: Generator, text: str, *, face: Face | None = None) -> list[tuple[str, Face]] | None:
        """`text` split into runs with a face each: one run if a face covers all, else Devanagari and the rest apart.

        `face` is tried first. None when some character cannot be drawn by any face.
        """
        needed = frozenset(text) - {" "}
        if face is not None and needed <= face.chars and not (face.hand and text.isupper() and len(text) > 2):
            return [(text, face)]
        devanagari = "".join(c for c in needed if "\u0900" <= c <= "\u097f")
        rest = "".join(needed - set(devanagari) - {"₹"})
        if not devanagari or not rest or rng.random() < 0.4:
            whole = self.choose(rng, text, near=face) if "₹" not in needed or rng.random() < 0.2 else None
            if whole is not None:
                return [(text, whole)]
        native = self.choose(rng, devanagari, near=face) if devanagari else None
        other = self.choose(rng, rest, near=native or face) if rest else native
        if (devanagari and native is None) or other is None:
            return None
        rupee = next((f for f in (other, native) if f is not None and "₹" in f.chars), None)
        if "₹" in needed and rupee is None:
            if not self._rupees:
                return None
            near = [f for f in self._rupees if abs(f.weight - other.weight) <= 200] or list(self._rupees)
            rupee = near[int(rng.integers(len(near)))]
        result: list[tuple[str, Face]] = []
        for char in text:
            target = rupee if char == "₹" else native if native and "\u0900" <= char <= "\u097f" else other
            assert target is not None
            if result and (result[-1][1] is target or char == " "):
                result[-1] = (result[-1][0] + char, result[-1][1])
            else:
                result.append((char, target))
        return result
