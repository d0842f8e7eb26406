"""Readers of labelled data: this project's labels.jsonl and the public sets' own formats, as one pair of dataclasses.

Every function fails early: a missing file, a malformed row or an empty polygon is a `DataError` that names the file
and the line, before a training step or a score could hide it.
"""

from __future__ import annotations

import functools
import io
import json
import math
import os
import re
import unicodedata
import warnings
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import shapely
from PIL import Image, ImageOps, UnidentifiedImageError

from signboard.errors import DataError
from signboard.image_files import kind_of_file

SCENE_FORMS = ("auto", "jsonl", "icdar", "svt")
WORD_FORMS = ("auto", "jsonl", "icdar", "iiit5k", "svt", "lmdb")
SPLITS = ("train", "val", "test")
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif")
DONT_CARE_TEXT = "###"  # how the ICDAR sets mark a region that must not count

# Names under which sets list the scripts this project reads; anything else keeps its own name in lower case.
_SCRIPTS = {
    "deva": "devanagari",
    "devanagari": "devanagari",
    "hindi": "devanagari",
    "marathi": "devanagari",
    "sanskrit": "devanagari",
    "nepali": "devanagari",
    "latn": "latin",
    "latin": "latin",
    "english": "latin",
}


@dataclass(frozen=True, slots=True)
class SceneWord:
    """One labelled region of a photo.

    Attributes:
        polygon: (N, 2) float32, N >= 3, pixels of the upright image, clockwise (y down), not closed. It starts at the
            text's top-left corner wherever the source says which corner that is.
        text: NFC, or None for a real word whose text is unknown (good for the detector, not for the recogniser).
        ignore: a don't-care region: neither a hit nor a miss counts there.
        script: "latin", "devanagari", another script's name in lower case, or None when the source does not say.
    """

    polygon: np.ndarray
    text: str | None
    ignore: bool
    script: str | None


@dataclass(frozen=True, slots=True)
class SceneSample:
    """One labelled photo. `level` is "word" or "line" (what one polygon covers); width and height are pixels."""

    image: Path
    width: int
    height: int
    words: tuple[SceneWord, ...]
    level: str
    split: str
    source: str


@dataclass(frozen=True, slots=True)
class LmdbImage:
    """An encoded image inside an LMDB folder: `key` is its record, e.g. "image-000000001"."""

    path: Path
    key: str

    def __str__(self) -> str:
        return f"{self.path}:{self.key}"


@dataclass(frozen=True, slots=True)
class WordSample:
    """One labelled word (or line) crop.

    Attributes:
        image: the crop's file, the photo it is cut from (then `box` is set), or a record of an LMDB.
        text: NFC, never empty.
        script: as in `SceneWord`.
        split: "train", "val" or "test".
        sure: False where the person who wrote the label marked it as hard to read.
        source: the set's name.
        box: (left, top, right, bottom) pixels to cut out of `image`, or None for the whole image.
    """

    image: Path | LmdbImage
    text: str
    script: str | None
    split: str
    sure: bool
    source: str
    box: tuple[float, float, float, float] | None = None


def read_rgb(sample: SceneSample | WordSample) -> np.ndarray:
    """The pixels of a sample, (H, W, 3) uint8 RGB, EXIF-upright, cut to `box` where there is one.

    Raises:
        DataError: the file is missing or no image, or a photo's size is not the one its labels were made for.
    """
    where = sample.image
    try:
        stream = io.BytesIO(_lmdb_value(where)) if isinstance(where, LmdbImage) else where
        with Image.open(stream) as opened:
            upright = ImageOps.exif_transpose(opened)
            if isinstance(sample, WordSample) and sample.box is not None:
                left, top, right, bottom = sample.box
                upright = upright.crop(
                    (
                        max(math.floor(left), 0),
                        max(math.floor(top), 0),
                        min(math.ceil(right), upright.width),
                        min(math.ceil(bottom), upright.height),
                    )
                )
            pixels = np.array(upright.convert("RGB"))
    except FileNotFoundError:
        raise DataError(f"{where}: no such image; is the set complete?") from None
    except Exception as error:  # decoders raise whatever comes up in damaged files
        what = " ".join(f"{type(error).__name__}: {error}".split())
        raise DataError(f"{where}: cannot be decoded ({what}); fetch the set again") from None
    if pixels.size == 0:
        raise DataError(f"{where}: the crop is empty; check the box {getattr(sample, 'box', None)}")
    if isinstance(sample, SceneSample) and pixels.shape[:2] != (sample.height, sample.width):
        height, width = pixels.shape[:2]
        raise DataError(
            f"{where}: is {width}x{height} but its labels are for {sample.width}x{sample.height}; "
            "resize the image or the polygons"
        )
    return pixels


def script_name(name: str | None) -> str | None:
    """One name for each script: "deva", "hindi", "marathi" become "devanagari", "english" becomes "latin"."""
    if name is None or not name.strip():
        return None
    key = name.strip().lower()
    return _SCRIPTS.get(key, key)


def clean_polygon(points: Any, where: str) -> np.ndarray:
    """Check a labelled polygon and bring it into the project's form.

    A last point that repeats the first (hand-drawn sets close their outlines, often a few pixels off) is dropped,
    a self-crossing outline is replaced by its hull, and the order becomes clockwise with the first point kept.

    Args:
        points: N pairs of x, y in pixels.
        where: "file:line", for the error.

    Returns:
        (N, 2) float32, N >= 3, clockwise (y down), not closed.

    Raises:
        DataError: fewer than three points, zero area, or numbers that are not finite.
    """
    try:
        polygon = np.asarray(points, dtype=np.float64)
    except (TypeError, ValueError):
        raise DataError(f"{where}: polygon is not a list of [x, y] numbers: {str(points)[:60]}") from None
    if polygon.ndim != 2 or polygon.shape[1:] != (2,) or not np.isfinite(polygon).all():
        raise DataError(f"{where}: polygon is not a list of finite [x, y] pairs: {str(points)[:60]}")
    while len(polygon) > 1 and np.array_equal(polygon[0], polygon[-1]):
        polygon = polygon[:-1]
    if len(polygon) < 3:
        raise DataError(f"{where}: polygon has {len(polygon)} distinct points, at least 3 are needed")
    # A closing click near the start adds a short edge, which often crosses the first one.
    edges = np.linalg.norm(np.roll(polygon, -1, axis=0) - polygon, axis=1)
    near = len(polygon) > 4 and edges[-1] < 0.15 * np.median(edges)
    simple = _is_simple(polygon)
    if len(polygon) > 4 and (near or not simple) and _is_simple(polygon[:-1]):
        polygon = polygon[:-1]
    elif not simple and len(polygon) > 3:
        polygon = cv2.convexHull(polygon.astype(np.float32))[:, 0].astype(np.float64)
    area = _signed_area(polygon) if len(polygon) >= 3 else 0.0
    if abs(area) < 1e-6:
        raise DataError(f"{where}: polygon has no area: {str(points)[:60]}")
    if area < 0:
        polygon = np.roll(polygon[::-1], 1, axis=0)  # the other way round, same first point
    return polygon.astype(np.float32)


def reading_start(polygon: np.ndarray, text: str | None) -> np.ndarray:
    """Turn a quad's order so that it starts at the text's top-left where the label plainly says otherwise.

    Sets whose quads were recovered from masks or drawn from any corner start anywhere. A quad is turned when, by its
    order, its text would stand on its head, or would run up or down along the shorter side, or is a single character
    on its side. Vertical words along the longer side are kept: sets that mark the top-left mean it. Other polygons are
    returned as they are.

    Args:
        polygon: (4, 2) float32, pixels, clockwise.
        text: what it says, None when unknown.
    """
    if len(polygon) != 4:
        return polygon
    along = (polygon[1] - polygon[0]) + (polygon[2] - polygon[3])  # twice the mean reading direction
    across = (polygon[3] - polygon[0]) + (polygon[2] - polygon[1])
    if along[0] >= abs(along[1]):
        return polygon
    upside_down = -along[0] > abs(along[1])
    short_side = np.hypot(*along) < np.hypot(*across)
    single = text is not None and len(text) == 1
    if not (upside_down or short_side or single):
        return polygon
    turns = [np.roll(polygon, -start, axis=0) for start in range(4)]
    return max(turns, key=lambda turn: float((turn[1] - turn[0] + turn[2] - turn[3])[0]))


def load_scenes(path: str | Path, split: str | None = None, form: str = "auto") -> list[SceneSample]:
    """Read a set of labelled photos.

    Args:
        path: a folder with labels.jsonl (or that file), a folder with ICDAR 2013 / 2015 gt_*.txt files beside or
            below which the images lie, or the XML file of Street View Text.
        split: keep only "train", "val" or "test". Forms that store no split take it from the folder's name, else
            from this argument, else "train".
        form: "jsonl", "icdar", "svt", or "auto" to look.

    Raises:
        DataError: nothing to read, a malformed row, an empty polygon or a missing image, with file and line.
    """
    path = _existing(path)
    _check_split(split)
    found = _scene_form(path) if form == "auto" else form
    if found == "jsonl":
        samples = list(_scenes_jsonl(_labels_file(path)))
    elif found == "icdar":
        samples = list(_scenes_icdar(path, _split_of(path, split)))
    elif found == "svt":
        samples = list(_scenes_svt(path, _split_of(path, split)))
    else:
        raise DataError(f"{path}: unknown form {form!r} for photos; use one of {', '.join(SCENE_FORMS)}")
    return _of_split(samples, split, path)


def load_words(path: str | Path, split: str | None = None, form: str = "auto") -> list[WordSample]:
    """Read a set of labelled word crops.

    Args:
        path: a folder with labels.jsonl (or that file); an LMDB folder (num-samples, image-%09d, label-%09d); a list
            of `file, "text"` or `file text` rows (ICDAR word sets, IIIT5K as text); traindata.mat or testdata.mat of
            IIIT5K (needs SciPy); the XML file of Street View Text.
        split: keep only "train", "val" or "test"; as in `load_scenes` for forms that store none.
        form: "jsonl", "icdar", "iiit5k", "svt", "lmdb", or "auto" to look.

    Raises:
        DataError: nothing to read, a malformed row, an empty text or a missing image, with file and line.
    """
    path = _existing(path)
    _check_split(split)
    found = _word_form(path) if form == "auto" else form
    if found == "jsonl":
        samples = list(_words_jsonl(_labels_file(path)))
    elif found == "lmdb":
        samples = list(_words_lmdb(path, _split_of(path, split)))
    elif found == "svt":
        samples = list(_words_svt(path, _split_of(path, split)))
    elif found in ("icdar", "iiit5k"):
        listing = _word_list(path)
        reader = _words_mat if listing.suffix.lower() == ".mat" else _words_list
        samples = list(reader(listing, _split_of(listing, split)))
    else:
        raise DataError(f"{path}: unknown form {form!r} for words; use one of {', '.join(WORD_FORMS)}")
    return _of_split(samples, split, path)


# ---- labels.jsonl ----------------------------------------------------------------------------------------------


def _rows(file: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """The JSON objects of a file, each with "file:line"."""
    try:
        lines = file.read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise DataError(f"{file}: is not UTF-8 ({error.reason} at byte {error.start})") from None
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        where = f"{file}:{number}"
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise DataError(f"{where}: not valid JSON ({error.msg}, column {error.colno})") from None
        if not isinstance(row, dict):
            raise DataError(f"{where}: a row must be a JSON object")
        yield where, row


def _field(row: dict[str, Any], key: str, kind: type | tuple[type, ...], where: str) -> Any:
    if key not in row:
        raise DataError(f"{where}: the row has no {key!r}")
    value = row[key]
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise DataError(f"{where}: {key!r} has the wrong type ({type(value).__name__})")
    return value


def _image_file(folder: Path, name: str, where: str) -> Path:
    image = folder / name
    if not image.is_file():
        raise DataError(f"{where}: image {image} is missing")
    if kind_of_file(image) is None:  # now, not in the middle of a training run
        raise DataError(f"{where}: image {image} is empty or no picture")
    return image


def _row_split(row: dict[str, Any], where: str) -> str:
    split = row.get("split", "train")
    if split not in SPLITS:
        raise DataError(f"{where}: split {split!r} is none of {', '.join(SPLITS)}")
    return split


def _scenes_jsonl(file: Path) -> Iterator[SceneSample]:
    for where, row in _rows(file):
        words = []
        for index, word in enumerate(_field(row, "words", list, where)):
            spot = f"{where} word {index}"
            if not isinstance(word, dict):
                raise DataError(f"{spot}: must be a JSON object")
            text = _text(word.get("text") or "", spot)
            ignore = _field(word, "ignore", bool, spot) if "ignore" in word else text == DONT_CARE_TEXT
            known = text if text and text != DONT_CARE_TEXT else None
            polygon = reading_start(clean_polygon(_field(word, "polygon", list, spot), spot), known)
            words.append(SceneWord(polygon, known, ignore, script_name(word.get("script"))))
        level = row.get("level", "word")
        if level not in ("word", "line"):
            raise DataError(f"{where}: level {level!r} is neither 'word' nor 'line'")
        width, height = (int(_field(row, key, (int, float), where)) for key in ("width", "height"))
        if width < 1 or height < 1:
            raise DataError(f"{where}: width and height must be positive, not {width}x{height}")
        yield SceneSample(
            image=_image_file(file.parent, _field(row, "image", str, where), where),
            width=width,
            height=height,
            words=tuple(words),
            level=level,
            split=_row_split(row, where),
            source=file.parent.name,
        )


def _words_jsonl(file: Path) -> Iterator[WordSample]:
    for where, row in _rows(file):
        if "words" in row:
            raise DataError(f"{where}: this is a set of photos; load it with load_scenes")
        text = _text(_field(row, "text", str, where), where)
        if not text:
            raise DataError(f"{where}: the text is empty; a word crop needs one")
        yield WordSample(
            image=_image_file(file.parent, _field(row, "image", str, where), where),
            text=text,
            script=script_name(row.get("script")),
            split=_row_split(row, where),
            sure=bool(row.get("sure", True)),
            source=file.parent.name,
        )


# ---- ICDAR 2013 / 2015 -----------------------------------------------------------------------------------------

_NUMBER = r"\s*(-?\d+(?:\.\d+)?)\s*"


def _scenes_icdar(path: Path, split: str) -> Iterator[SceneSample]:
    """One gt_<image>.txt a photo: `left, top, right, bottom, "text"` (2013, commas or spaces) or eight numbers and
    the text (2015). The separator inside a text is the text's own."""
    root = path if path.is_dir() else path.parent
    files = sorted(root.rglob("gt_*.txt"), key=_natural) if path.is_dir() else [path]
    images = _images_by_stem(root)
    for file in files:
        stem = file.stem.removeprefix("gt_")
        if stem not in images and path.is_dir():
            raise DataError(f"{file}: no image named {stem}.* under {root}")
        image = images.get(stem) or _images_by_stem(root.parent).get(stem)
        if image is None:
            raise DataError(f"{file}: no image named {stem}.* beside it")
        words = []
        for where, line in _text_lines(file):
            numbers, text = _icdar_row(line, where)
            if len(numbers) == 4:
                left, top, right, bottom = numbers
                points = [[left, top], [right, top], [right, bottom], [left, bottom]]
            else:
                points = [numbers[index : index + 2] for index in range(0, 8, 2)]
            text = _text(text, where)
            ignore = text == DONT_CARE_TEXT
            known = None if ignore else text or None
            words.append(SceneWord(reading_start(clean_polygon(points, where), known), known, ignore, None))
        width, height = _image_size(image)
        yield SceneSample(image, width, height, tuple(words), "word", split, root.name)


def _icdar_row(line: str, where: str) -> tuple[list[float], str]:
    for count in (8, 4):
        for separator in (",", r"[\s]"):
            match = re.match(separator.join([_NUMBER] * count) + rf"(?:{separator}\s*(.*))?$", line)
            if match:
                text = (match.group(count + 1) or "").strip()
                if len(text) >= 2 and text[0] == text[-1] == '"' and count == 4:
                    text = text[1:-1]
                return [float(number) for number in match.groups()[:count]], text
    raise DataError(f"{where}: expected 4 or 8 numbers and a text, got {line[:60]!r}")


# ---- lists of words: ICDAR word sets, IIIT5K -------------------------------------------------------------------


def _word_list(path: Path) -> Path:
    """The list inside a folder (gt.txt and the like), or the file itself."""
    if path.is_file():
        return path
    for name in ("gt.txt", "labels.txt", "gt_train.txt", "gt_test.txt", "coords.txt", "traindata.mat", "testdata.mat"):
        if (path / name).is_file() and name != "coords.txt":
            return path / name
    found = sorted(file for file in path.glob("*.txt") if "lexicon" not in file.name and "coords" not in file.name)
    if len(found) == 1:
        return found[0]
    raise DataError(f"{path}: no single list of words (gt.txt, traindata.mat) found; name the file itself")


def _words_list(file: Path, split: str) -> Iterator[WordSample]:
    """Rows `file, "text"` (ICDAR, a backslash escapes a quote) or `file<tab or space>text`."""
    for where, line in _text_lines(file):
        match = re.match(r'(.+?\.\w{3,4})(?:\s*,\s*"(.*)"|\s*,\s*(.+)|\s+(.+))\s*$', line)
        if not match:
            raise DataError(f'{where}: expected `file, "text"` or `file text`, got {line[:60]!r}')
        name, quoted, plain, spaced = match.groups()
        raw = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else plain or spaced or ""
        text = _text(raw, where)
        if not text:
            raise DataError(f"{where}: the text is empty; a word crop needs one")
        if text == DONT_CARE_TEXT:
            continue
        image = _image_file(file.parent, name, where)
        yield WordSample(image, text, None, split, True, file.parent.name)


def _words_mat(file: Path, split: str) -> Iterator[WordSample]:
    """IIIT5K's MATLAB struct array: ImgName, GroundTruth, lexicons."""
    try:
        from scipy.io import loadmat
    except ImportError:
        raise DataError(f"{file}: reading .mat files needs SciPy; install it with `pip install scipy`") from None
    content = loadmat(str(file), squeeze_me=True, struct_as_record=False)
    records = content.get(file.stem)
    if records is None:
        raise DataError(f"{file}: holds no table named {file.stem!r}; is it IIIT5K's own file?")
    for number, record in enumerate(np.atleast_1d(records), 1):
        where = f"{file}:{number}"
        try:
            name, text = str(record.ImgName), _text(str(record.GroundTruth), where)
        except AttributeError:
            raise DataError(f"{where}: has no ImgName or GroundTruth; is it IIIT5K's own file?") from None
        if not text:
            raise DataError(f"{where}: the text is empty; a word crop needs one")
        yield WordSample(_image_file(file.parent, name, where), text, None, split, True, file.parent.name)


# ---- Street View Text ------------------------------------------------------------------------------------------


def _svt_boxes(path: Path) -> Iterator[tuple[str, Path, list[tuple[tuple[float, float, float, float], str]]]]:
    file = path if path.is_file() else _only(path, "*.xml")
    try:
        tree = ElementTree.parse(file)
    except ElementTree.ParseError as error:
        raise DataError(f"{file}: not valid XML ({error})") from None
    for number, node in enumerate(tree.getroot().iter("image"), 1):
        where = f"{file} image {number}"
        name = node.findtext("imageName")
        if not name:
            raise DataError(f"{where}: has no imageName")
        boxes = []
        for rectangle in node.iter("taggedRectangle"):
            try:
                x, y, width, height = (float(rectangle.attrib[key]) for key in ("x", "y", "width", "height"))
            except (KeyError, ValueError):
                raise DataError(f"{where} ({name}): a taggedRectangle lacks x, y, width or height") from None
            text = _text(rectangle.findtext("tag") or "", where)
            boxes.append(((x, y, x + width, y + height), text))
        yield where, _image_file(file.parent, name.strip(), where), boxes


def _scenes_svt(path: Path, split: str) -> Iterator[SceneSample]:
    source = path.parent.name if path.is_file() else path.name
    for where, image, boxes in _svt_boxes(path):
        words = tuple(
            SceneWord(clean_polygon([[a, b], [c, b], [c, d], [a, d]], where), text or None, False, "latin")
            for (a, b, c, d), text in boxes
        )
        width, height = _image_size(image)
        yield SceneSample(image, width, height, words, "word", split, source)


def _words_svt(path: Path, split: str) -> Iterator[WordSample]:
    source = path.parent.name if path.is_file() else path.name
    for where, image, boxes in _svt_boxes(path):
        for box, text in boxes:
            if not text:
                raise DataError(f"{where}: a taggedRectangle has no text")
            if box[2] <= box[0] or box[3] <= box[1]:
                raise DataError(f"{where}: the box of {text!r} has no area")
            yield WordSample(image, text, "latin", split, True, source, box)


# ---- LMDB ------------------------------------------------------------------------------------------------------


@functools.lru_cache(maxsize=16)
def _lmdb_open(path: Path, process: int) -> Any:
    # `process` is in the key because an environment must not be used across a fork.
    try:
        import lmdb
    except ImportError:
        raise DataError(f"{path}: reading LMDB sets needs lmdb; install it with `pip install lmdb`") from None
    try:
        return lmdb.open(str(path), readonly=True, lock=False, readahead=False, meminit=False, max_readers=64)
    except lmdb.Error as error:
        raise DataError(f"{path}: cannot be opened as LMDB ({error})") from None


def _lmdb_value(image: LmdbImage) -> bytes:
    with _lmdb_open(image.path, os.getpid()).begin() as transaction:
        value = transaction.get(image.key.encode())
    if value is None:
        raise DataError(f"{image}: no such record")
    return bytes(value)


def _words_lmdb(path: Path, split: str) -> Iterator[WordSample]:
    folder = path if path.is_dir() else path.parent
    with _lmdb_open(folder, os.getpid()).begin() as transaction:
        try:
            count = int(transaction.get(b"num-samples"))
        except (TypeError, ValueError):
            raise DataError(f"{folder}: has no num-samples record; is it a word set?") from None
        for number in range(1, count + 1):
            where = f"{folder}:label-{number:09d}"
            label = transaction.get(f"label-{number:09d}".encode())
            if label is None or transaction.get(f"image-{number:09d}".encode()) is None:
                raise DataError(f"{where}: the record or its image is missing")
            try:
                text = _text(bytes(label).decode("utf-8"), where)
            except UnicodeDecodeError:
                raise DataError(f"{where}: the label is not UTF-8") from None
            if not text:
                raise DataError(f"{where}: the text is empty; a word crop needs one")
            yield WordSample(LmdbImage(folder, f"image-{number:09d}"), text, None, split, True, folder.name)


# ---- small helpers ---------------------------------------------------------------------------------------------


def _existing(path: str | Path) -> Path:
    path = Path(path)
    if not path.exists():
        raise DataError(f"{path}: no such file or folder; see data/README.md for where to put data sets")
    return path


def _labels_file(path: Path) -> Path:
    file = path / "labels.jsonl" if path.is_dir() else path
    if not file.is_file():
        raise DataError(f"{path}: holds no labels.jsonl")
    return file


def _scene_form(path: Path) -> str:
    if path.is_file():
        by_suffix = {".jsonl": "jsonl", ".xml": "svt", ".txt": "icdar"}
        if path.suffix.lower() in by_suffix:
            return by_suffix[path.suffix.lower()]
    elif (path / "labels.jsonl").is_file():
        return "jsonl"
    elif next(path.rglob("gt_*.txt"), None) is not None:
        return "icdar"
    elif next(path.glob("*.xml"), None) is not None:
        return "svt"
    raise DataError(f"{path}: no labels.jsonl, gt_*.txt or .xml labels found")


def _word_form(path: Path) -> str:
    if path.is_file():
        by_suffix = {".jsonl": "jsonl", ".xml": "svt", ".txt": "icdar", ".mat": "iiit5k", ".mdb": "lmdb"}
        if path.suffix.lower() in by_suffix:
            return by_suffix[path.suffix.lower()]
    elif (path / "labels.jsonl").is_file():
        return "jsonl"
    elif (path / "data.mdb").is_file():
        return "lmdb"
    elif next(path.glob("*.txt"), None) is not None or next(path.glob("*data.mat"), None) is not None:
        return "icdar"
    elif next(path.glob("*.xml"), None) is not None:
        return "svt"
    raise DataError(f"{path}: no labels.jsonl, data.mdb, list of words (.txt, .mat) or .xml labels found")


def _only(folder: Path, pattern: str) -> Path:
    found = sorted(folder.glob(pattern))
    if len(found) != 1:
        names = ", ".join(file.name for file in found) or "none"
        raise DataError(f"{folder}: expected one {pattern} file, found {names}; name the file itself")
    return found[0]


def _check_split(split: str | None) -> None:
    if split is not None and split not in SPLITS:
        raise DataError(f"unknown split {split!r}; use one of {', '.join(SPLITS)}")


def _split_of(path: Path, asked: str | None) -> str:
    """The split of a set that stores none: named by the file or its folder ("test", "val..."), else the asked one."""
    for name in (path.stem.lower(), path.parent.name.lower() if path.is_file() else ""):
        for split in SPLITS:
            if split in re.split(r"[^a-z]+", name.replace("data", "")) or (split == "val" and "validation" in name):
                return split
    return asked or "train"


def _of_split(samples: list[Any], split: str | None, path: Path) -> list[Any]:
    if not samples:
        raise DataError(f"{path}: the labels are empty")
    kept = [sample for sample in samples if split is None or sample.split == split]
    if not kept:
        there = ", ".join(sorted({sample.split for sample in samples}))
        raise DataError(f"{path}: has no {split!r} split, only {there}")
    return kept


def _text(text: str, where: str) -> str:
    if not isinstance(text, str):
        raise DataError(f"{where}: 'text' has the wrong type ({type(text).__name__})")
    return unicodedata.normalize("NFC", text).strip()


def _text_lines(file: Path) -> Iterator[tuple[str, str]]:
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise DataError(f"{file}: is not UTF-8 ({error.reason} at byte {error.start})") from None
    for number, line in enumerate(lines, 1):
        if line.strip():
            yield f"{file}:{number}", line.strip()


def _natural(path: Path) -> list[tuple[int, int | str]]:
    """Sort key under which img_2 comes before img_10."""
    parts: Iterable[str] = re.split(r"(\d+)", str(path))
    return [(0, int(part)) if part.isdigit() else (1, part) for part in parts]


def _images_by_stem(root: Path) -> dict[str, Path]:
    return {file.stem: file for file in sorted(root.rglob("*")) if file.suffix.lower() in IMAGE_SUFFIXES}


def _image_size(file: Path) -> tuple[int, int]:
    """(width, height) of the upright image, from its header."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(file) as opened:
                width, height = opened.size
                turned = opened.getexif().get(0x0112, 1) in (5, 6, 7, 8)
    except (UnidentifiedImageError, OSError) as error:
        raise DataError(f"{file}: cannot be opened as an image ({error})") from None
    return (height, width) if turned else (width, height)


def _signed_area(polygon: np.ndarray) -> float:
    """Shoelace area; positive for clockwise with y down."""
    x, y = polygon[:, 0], polygon[:, 1]
    return float(0.5 * np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y))


def _is_simple(polygon: np.ndarray) -> bool:
    """Whether the outline neither crosses nor touches itself."""
    return bool(shapely.is_valid(shapely.Polygon(polygon)))
