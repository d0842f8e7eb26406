"""What reads outputs back finds photos that are missing or stand twice; otherwise killing runs would check nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from signboard.checks import resuming
from signboard.checks.outputs import FORMATS

OUTPUTS = {
    "jsonl": "".join(json.dumps({"source": s, "page": p}) + "\n" for s, p in [("a", 1), ("b", 2), ("b", 2)]),
    "csv": "source,page,word,words\na,1,1,2\na,1,2,2\nb,2,1,1\nb,2,1,1\n",
    "text": "== a ==\nEXIT\n\n== b, page 2 ==\nNO\n== b, page 2 ==\n",
    "html": """<p data-source="&quot;a&quot;"></p><i data-source='x' data-source="[&quot;b&quot;, 2]"></i>"""
    """<i data-source="[&quot;b&quot;, 2]"></i></html>\n""",
    "geojson": json.dumps({"features": [{"properties": {"source": "a"}}, {"properties": {"source": "b", "page": 2}}],
                           "empty": [["b", 2]]}),
}  # fmt: skip


@pytest.mark.parametrize("name", OUTPUTS)
def test_photos_are_counted_with_those_that_stand_twice(name: str, tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_text(OUTPUTS[name], encoding="utf-8")
    assert FORMATS[name][1](path) == {("a", 1): 1, ("b", 2): 2}


def test_a_row_of_csv_that_lacks_its_last_word_is_not_counted(tmp_path: Path) -> None:
    (path := tmp_path / "out.csv").write_text("source,page,word,words\na,1,1,2\n", encoding="utf-8")
    assert FORMATS["csv"][1](path).total() == 0


def test_an_id_that_stands_twice_is_found(tmp_path: Path) -> None:
    page = '<html><p id="page_1" data-source="&quot;a&quot;"/>{}</html>'
    (path := tmp_path / "out.hocr").write_text(page.format(""), encoding="utf-8")
    assert FORMATS["hocr"][1](path) == {("a", 1): 1}
    path.write_text(page.format('<p id="page_1"/>'), encoding="utf-8")
    with pytest.raises(AssertionError, match="twice"):
        FORMATS["hocr"][1](path)


def test_photos_of_every_kind_are_made(tmp_path: Path) -> None:
    expected = resuming.make_photos(tmp_path / "photos", 12)
    files = {str(path) for path in (tmp_path / "photos").rglob("*") if path.is_file()}
    assert {source for source, _ in expected} == files and len(expected) == len(files) + 2  # a TIFF of three pages
    broken = [path for path in files if " cut" in path]
    assert len(broken) == 3
    for path in set(files) - set(broken):
        with Image.open(path) as image:
            image.load()
