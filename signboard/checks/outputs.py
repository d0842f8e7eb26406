"""Which photos an output holds, read without the code that wrote it: a function a format."""

from __future__ import annotations

import collections
import csv
import html
import json
import re
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

Photos = collections.Counter[tuple[str, int]]
"""How often each photo (source, page) is in an output."""


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


__all__ = ["FORMATS", "Photos"]
