"""Kills runs at random moments and lets --resume go on: in the end every photo must be in the output exactly once.

    python scripts/fuzz_resume.py --kills 10

Each format in turn, with a reader that knows no networks: it opens the photos for real and "reads" their names. The
photos are good ones, some without text, some that cannot be opened, and a TIFF of three pages.
"""

from __future__ import annotations

import argparse
import collections
import csv
import html
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from PIL import Image

Photos = collections.Counter[tuple[str, int]]
"""How often each photo (source, page) is in an output."""


# What is in an output, read without this program's own code -----------------------------------------------------------


def _jsonl(path: Path) -> Photos:
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return collections.Counter((row["source"], row["page"]) for row in rows)


def _csv(path: Path) -> Photos:
    photos: Photos = collections.Counter()
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            assert int(row["word"]) <= int(row["words"])
            photos[row["source"], int(row["page"])] += row["word"] == row["words"]
    return photos


def _text(path: Path) -> Photos:
    titles = re.findall(r"^== (.*?)(?:, page (\d+))? ==$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return collections.Counter((name, int(page or 1)) for name, page in titles)


def _attributes(text: str) -> Photos:
    values = [json.loads(html.unescape(value)) for value in re.findall(r'data-source="(.*?)"', text)]
    return collections.Counter((value, 1) if isinstance(value, str) else tuple(value) for value in values)


def _hocr(path: Path) -> Photos:
    ElementTree.parse(path)
    numbers = re.findall(r'id="(\w+)"', path.read_text(encoding="utf-8"))
    assert len(numbers) == len(set(numbers)), "an id stands twice"
    return _attributes(path.read_text(encoding="utf-8"))


def _html(path: Path) -> Photos:
    text = path.read_text(encoding="utf-8")
    assert text.endswith("</html>\n")
    return _attributes(text)


def _alto(path: Path) -> Photos:
    photos: Photos = collections.Counter()
    namespace = "{http://www.loc.gov/standards/alto/ns-v4#}"
    for file in path.rglob("*.xml"):
        root = ElementTree.parse(file).getroot()
        page = root.find(f".//{namespace}Page")
        assert page is not None
        photos[root.findtext(f".//{namespace}fileName") or "", int(page.get("PHYSICAL_IMG_NR", "0"))] += 1
    return photos


def _geojson(path: Path) -> Photos:
    collection = json.loads(path.read_text(encoding="utf-8"))
    # These photos have one sign each.
    photos = [(row["properties"]["source"], row["properties"].get("page", 1)) for row in collection["features"]]
    photos += [(entry, 1) if isinstance(entry, str) else tuple(entry) for entry in collection.get("empty", [])]
    return collections.Counter(photos)


def _parquet(path: Path) -> Photos:
    from pyarrow import parquet

    assert not list(path.parent.glob("*.part"))
    rows = parquet.read_table(path, columns=["source", "page"]).to_pylist()
    return collections.Counter((row["source"], row["page"]) for row in rows)


def _pictures(path: Path) -> Photos:
    return collections.Counter((str(file.relative_to(path)), 1) for file in path.rglob("*") if file.is_file())


FORMATS: dict[str, tuple[list[str], Callable[[Path], Photos]]] = {
    "jsonl": (["--output", "{}/out.jsonl"], _jsonl),
    "csv": (["--output", "{}/out.csv"], _csv),
    "text": (["--output", "{}/out.txt"], _text),
    "hocr": (["--output", "{}/out.hocr"], _hocr),
    "alto": (["--output", "{}/out", "--format", "alto"], _alto),
    "geojson": (["--output", "{}/out.geojson"], _geojson),
    "parquet": (["--output", "{}/out.parquet"], _parquet),
    "html": (["--html", "{}/out.html", "--json"], _html),
    "pictures": (["--annotate", "{}/out", "--output", "{}/rows.jsonl"], _pictures),
}
"""By name: how `signboard run` is asked for the format, and what reads "out" or "out.*" back."""


# Runs -----------------------------------------------------------------------------------------------------------------


def make_photos(folder: Path, count: int) -> set[tuple[str, int]]:
    """Small photos of every kind in `folder`; (source, page) of all of them."""
    folder.mkdir(parents=True)
    expected = set()
    for number in range(count):
        name = f"{number:03}{('', ' wall', ' cut', '-b')[number % 4]}.{('jpg', 'png')[number % 2]}"
        path = folder / f"part {number % 3}" / name
        path.parent.mkdir(exist_ok=True)
        if " cut" in name:
            path.write_bytes(b"\xff\xd8\xff\xe0 no photo")
        else:
            Image.new("RGB", (40, 30), (90, 120, 150)).save(path)
        expected.add((str(path), 1))
    for part in range(3):
        # One name in several folders, and with two endings in each.
        for name in ("gate.jpg", "gate.png"):
            path = folder / f"part {part}" / name
            Image.new("RGB", (40, 30), (20 * part, 90, 90)).save(path)
            expected.add((str(path), 1))
    page = Image.new("L", (40, 30), 200)
    page.save(folder / "part 1" / "pages.tif", save_all=True, append_images=[page.copy(), page.copy()])
    return expected | {(str(folder / "part 1" / "pages.tif"), number) for number in (1, 2, 3)}


def _start(photos: Path, target: Path, arguments: Iterable[str], *more: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, __file__, "--child", "run", str(photos), *(a.format(target) for a in arguments), *more]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def _drawn(expected: set[tuple[str, int]], photos: Path) -> set[tuple[str, int]]:
    """The annotated pictures that these photos give."""
    names = set()
    for source, page in expected:
        path = Path(source).relative_to(photos)
        if " cut" not in path.name:
            names.add((str(path.with_name(f"pages-page{page}.jpg") if path.suffix == ".tif" else path), 1))
    return names


def killed_and_resumed(name: str, folder: Path, *, count: int, kills: int, rng: random.Random) -> tuple[int, int]:
    """Runs a format, kills it again and again, lets it finish, and checks what is there.

    Returns:
        (kills in the middle of a run, photos).

    Raises:
        AssertionError: a photo is missing or stands there twice, or the last run failed.
    """
    arguments, read_back = FORMATS[name]
    photos, target = folder / "photos", folder / "target"
    expected = make_photos(photos, count)
    target.mkdir()
    whole = folder / "whole"
    whole.mkdir()
    begin = time.monotonic()
    first = _start(photos, whole, arguments)
    errors = first.communicate(timeout=600)[1].decode()
    assert first.returncode == 1, errors  # some cannot be opened
    seconds = time.monotonic() - begin
    middle = 0
    for _ in range(kills):
        run = _start(photos, target, arguments, "--resume")
        time.sleep(rng.uniform(0.1, 1.0) * seconds)
        middle += run.poll() is None
        run.kill()
        run.communicate()
    last = _start(photos, target, arguments, "--resume")
    errors = last.communicate(timeout=600)[1].decode()
    assert last.returncode in (0, 1) and "Traceback" not in errors, errors
    wanted = _drawn(expected, photos) if name == "pictures" else expected
    for place in (whole, target):
        (output,) = [path for path in place.iterdir() if path.name.split(".")[0] == "out"]
        found = read_back(output)
        twice = [photo for photo, times in found.items() if times > 1]
        assert set(found) == wanted and not twice, (name, place, wanted ^ set(found), twice)
    return middle, len(expected)


class _Names:
    """A reader of file names, slow enough to be killed in the middle."""

    def __init__(self, **options: Any) -> None:
        pass

    def read_many(self, photos: Iterable[Any], **options: Any) -> Iterator[Any]:
        from signboard.errors import PhotoError
        from signboard.photo import load_photo
        from signboard.pipeline.layout import arrange
        from signboard.reading import Reading, Word

        for source in photos:
            path = os.fspath(source)
            time.sleep(0.004)
            try:
                photo = load_photo(source)
            except PhotoError as error:
                yield Reading(path, 0, 0, error=str(error))
                continue
            polygon = ((2.0, 2.0), (30.0, 2.0), (30.0, 12.0), (2.0, 12.0))
            words = [] if "wall" in path else [Word(Path(path).stem, polygon, 0.9, 0.9, "latin")]
            yield Reading(path, photo.width, photo.height, arrange(words))


def main() -> None:
    if sys.argv[1:2] == ["--child"]:
        from signboard.cli import app
        from signboard.commands import readers

        readers.make_reader = _Names
        app(sys.argv[2:], prog_name="signboard")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=10, help="of each format")
    parser.add_argument("--count", type=int, default=80, help="photos")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--formats", nargs="+", choices=FORMATS, default=list(FORMATS))
    args = parser.parse_args()
    rng = random.Random(args.seed)
    failed = 0
    for name in args.formats:
        with tempfile.TemporaryDirectory() as folder:
            try:
                middle, photos = killed_and_resumed(name, Path(folder), count=args.count, kills=args.kills, rng=rng)
            except AssertionError as error:
                failed += 1
                print(f"{name:10} FAILED: {error}")
            else:
                print(f"{name:10} {args.kills} kills, {middle} in the middle of a run; {photos} photos, each once")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
