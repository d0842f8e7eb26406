"""Readings of one sign from several photos become one, different signs stay apart, whatever the order of the input."""

from __future__ import annotations

import dataclasses
import json
import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from signboard.cli import app
from signboard.merging import EARTH, MergedSign, Observation, likeness, merge_signs, observations, vote
from signboard.output import jsonl
from signboard.pipeline.layout import arrange
from signboard.reading import Reading, Word
from signboard.script import script_of
from signboard.voting import contained, elect, plain, similarity

LATITUDE, LONGITUDE = 28.6, 77.2


def seen(
    text: str,
    source: str,
    *,
    east: float | None = 0.0,
    north: float = 0.0,
    bearing: float | None = None,
    confidence: float = 0.9,
    sign: int = 1,
    span: tuple[float, float] | None = None,
    at: tuple[float, float] = (LATITUDE, LONGITUDE),
) -> Observation:
    """A reading of a camera so many metres from a place."""
    metre = math.degrees(1 / EARTH)
    lines = tuple(tuple((word, confidence) for word in line.split()) for line in text.split("\n"))
    latitude = None if east is None else at[0] + north * metre
    longitude = None if east is None else at[1] + east * metre / math.cos(math.radians(at[0]))
    return Observation(source, sign, lines, latitude, longitude, bearing, span=span)


def texts(signs: list[MergedSign]) -> list[str]:
    return sorted(sign.text for sign in signs)


def test_photos_of_one_sign_are_one() -> None:
    found = [seen("CITY HOSPITAL", "a.jpg"), seen("CITY HOSP1TAL", "b.jpg", east=12, confidence=0.5),
             seen("CITY HOSPITAL", "c.jpg", east=20)]  # fmt: skip
    (sign,) = merge_signs(found)
    assert sign.text == "CITY HOSPITAL" and [o.source for o in sign.observations] == ["a.jpg", "b.jpg", "c.jpg"]
    assert sign.votes == (("CITY HOSPITAL", 1.8), ("CITY HOSP1TAL", 0.5))
    assert sign.placed == "cameras" and sign.latitude == pytest.approx(LATITUDE)
    east = (sign.longitude - LONGITUDE) * math.radians(1) * EARTH * math.cos(math.radians(28.6))
    assert east == pytest.approx(32 / 3, abs=0.01)


def test_far_other_or_unlike_signs_stay_apart() -> None:
    assert len(merge_signs([seen("BANK", "a.jpg"), seen("BANK", "b.jpg", east=60)])) == 2
    assert len(merge_signs([seen("BANK", "a.jpg"), seen("BANK", "b.jpg", east=60)], distance=70)) == 1
    assert len(merge_signs([seen("BANK", "a.jpg"), seen("HOTEL", "b.jpg")])) == 2
    assert len(merge_signs([seen("HOTEL", "a.jpg"), seen("MOTEL", "b.jpg")], alike=0.9)) == 2


def test_two_signs_of_one_photo_are_two() -> None:
    found = [seen("SALE", "a.jpg", sign=1), seen("SALE", "a.jpg", sign=2), seen("SALE", "b.jpg", sign=1)]
    assert [len(sign.observations) for sign in merge_signs(found)] == [2, 1]


def test_a_video_may_show_a_sign_twice_but_not_at_once() -> None:
    apart = [seen("BANK", "a.mp4", sign=1, span=(1, 5)), seen("BANK", "a.mp4", sign=2, span=(90, 95))]
    assert len(merge_signs(apart)) == 1
    at_once = [seen("BANK", "a.mp4", sign=1, span=(1, 5)), seen("BANK", "a.mp4", sign=2, span=(4, 9))]
    assert len(merge_signs(at_once)) == 2


def test_signs_across_the_street_are_told_by_bearing() -> None:
    found = [seen("PARKING", "a.jpg", bearing=350), seen("PARKING", "b.jpg", bearing=20, east=5),
             seen("PARKING", "c.jpg", bearing=170), seen("PARKING", "d.jpg", east=500)]  # fmt: skip
    assert sorted(len(sign.observations) for sign in merge_signs(found)) == [1, 1, 2]
    assert sorted(len(sign.observations) for sign in merge_signs(found, bearing=180)) == [1, 3]
    near = [seen("PARKING", "a.jpg", bearing=350), seen("PARKING", "b.jpg")]
    assert len(merge_signs(near)) == 1  # one that does not know its bearing


def test_a_street_of_the_same_signs_is_no_chain() -> None:
    found = [seen("STOP", f"{number:02}.jpg", east=30 * number) for number in range(12)]
    signs = merge_signs(found)
    assert len(signs) == 6
    for sign in signs:
        assert max(o.longitude for o in sign.observations) - min(o.longitude for o in sign.observations) < 4.2e-4


def test_part_of_a_sign_belongs_to_it() -> None:
    whole, part = "SHARMA SWEETS\nPhone 98765 43210", "SHARMA SWEETS"
    (sign,) = merge_signs([seen(part, "a.jpg"), seen(whole, "b.jpg"), seen(whole, "c.jpg")])
    assert sign.text == whole
    assert likeness(((("ROAD", 0.9),),), ((("MAHATMA", 0.9), ("GANDHI", 0.9), ("ROAD", 0.9)),)) < 0.75  # fmt: skip


def test_each_word_is_voted_on() -> None:
    group = [seen("CITY HOSPTAL\nOPEN", "a", confidence=0.6), seen("C1TY HOSPITAL\nOPEN 24", "b", confidence=0.7),
             seen("CITY HOSPITAL\nOPEN 24 xq", "c", confidence=0.5)]  # fmt: skip
    assert [[text for text, _ in line] for line in vote(group)] == [["CITY", "HOSPITAL"], ["OPEN", "24"]]


def test_lines_of_sight_place_a_sign() -> None:
    # The sign hangs 20 m north of the first camera.
    angle = math.degrees(math.atan2(-15, 20)) % 360
    found = [seen("BANK", "a.jpg", bearing=0), seen("BANK", "b.jpg", east=15, bearing=angle)]
    (sign,) = merge_signs(found)
    assert sign.placed == "bearings"
    assert (sign.latitude - LATITUDE) * math.radians(1) * EARTH == pytest.approx(20, abs=0.05)
    assert sign.longitude == pytest.approx(LONGITUDE, abs=1e-6)
    (sign,) = merge_signs([seen("BANK", "a.jpg", bearing=0), seen("BANK", "b.jpg", east=15, bearing=5)])
    assert sign.placed == "cameras"  # hardly crossing
    (sign,) = merge_signs([seen("BANK", "a.jpg", bearing=0), seen("BANK", "b.jpg", east=15, bearing=60)])
    assert sign.placed == "cameras"  # crossing behind them


def test_without_a_position_nothing_is_put_together() -> None:
    signs = merge_signs([seen("BANK", "a.jpg", east=None), seen("BANK", "b.jpg", east=None), seen("BANK", "c.jpg")])
    assert len(signs) == 3 and signs[0].latitude is None and signs[0].placed is None


@pytest.mark.parametrize("at", [(0.0, 179.99999), (89.9999, 30.0), (-89.9999, -120.0)])
def test_the_date_line_and_the_poles(at: tuple[float, float]) -> None:
    found = [seen("BANK", "a.jpg", at=at), seen("BANK", "b.jpg", north=-3, at=at)]
    if at[0] == 0:
        found[1] = Observation("b.jpg", 1, found[1].lines, 0.0, -179.99999)
    (sign,) = merge_signs(found)
    assert sign.latitude is not None and abs(sign.latitude) <= 90 and abs(sign.longitude or 0) <= 180
    if at[0] == 0:
        assert abs(sign.longitude or 0) > 179.9999


def test_the_order_of_the_input_is_nothing_and_repeats_count_once() -> None:
    rng = np.random.default_rng(2)
    words = ["BANK", "HOTEL", "STATE BANK", "HOTE1", "CITY HOSPITAL", "C1TY HOSPITAL", "अस्पताल", "अस्पतल"]
    found = [
        seen(str(rng.choice(words)), f"{n}.jpg", east=float(rng.uniform(0, 120)), north=float(rng.uniform(0, 60)),
             bearing=float(rng.uniform(0, 360)) if n % 3 else None, confidence=round(float(rng.uniform(0.4, 1)), 2))
        for n in range(60)
    ]  # fmt: skip
    first = merge_signs(found)
    assert 8 < len(first) < 60
    for _ in range(5):
        again = [found[i] for i in rng.permutation(len(found))] + [found[int(rng.integers(60))]]
        assert merge_signs(again) == first
    assert sum(len(sign.observations) for sign in first) == 60


def test_nothing_is_lost_in_a_large_survey() -> None:
    rng = np.random.default_rng(0)
    found = [seen(f"SHOP {n // 3}", f"{n}.jpg", east=n // 3 * 7.0, north=float(rng.uniform(0, 5))) for n in range(1500)]
    signs = merge_signs(found, distance=6, alike=0.95)
    assert len(signs) == 500 and all(len(sign.observations) == 3 for sign in signs)


# The command ----------------------------------------------------------------------------------------------------------


def photo(
    source: str, *signs: str, gps: tuple[float, float] | None = (LATITUDE, LONGITUDE), **metadata: Any
) -> Reading:
    words = []
    for number, text in enumerate(signs):
        for place, part in enumerate(text.split()):
            x, y = 50.0 + 130 * place, 50.0 + 300 * number
            quad = ((x, y), (x + 100, y), (x + 100, y + 30), (x, y + 30))
            words.append(Word(part, quad, 0.9, 0.9, script_of(part)))
    if gps is not None:
        metadata["gps"] = {"latitude": gps[0], "longitude": gps[1]}
    return Reading(source, 1000, 1000, arrange(words), metadata=metadata)


def write(path: Path, *readings: Reading) -> Path:
    path.write_text("".join(jsonl.dumps(reading, position=True) + "\n" for reading in readings), encoding="utf-8")
    return path


def call(*arguments: str | Path) -> Any:
    return CliRunner().invoke(app, ["merge", *map(str, arguments)], catch_exceptions=False)


def test_files_are_merged_into_features(tmp_path: Path) -> None:
    first = write(tmp_path / "a.jsonl", photo("1.jpg", "CITY HOSPITAL", "EXIT"), photo("bad.jpg", gps=None),
                  photo("2.jpg", "CITY HOSPITAL", time="2026-05-01T10:00:00Z"))  # fmt: skip
    second = write(tmp_path / "b.jsonl", photo("3.jpg", "CITY HOSPITAL", gps=None))
    result = call(first, second, "--output", tmp_path / "out.geojson")
    assert result.exit_code == 0
    assert result.stderr == "4 readings, 3 signs; 1 of them have no position and stay by themselves\n"
    features = json.loads((tmp_path / "out.geojson").read_text(encoding="utf-8"))["features"]
    (hospital,) = [f for f in features if f["properties"]["readings"] == 2]
    assert hospital["geometry"] == {"type": "Point", "coordinates": [LONGITUDE, LATITUDE]}
    assert hospital["properties"]["votes"] == [{"text": "CITY HOSPITAL", "weight": 1.8}]
    assert [s["source"] for s in hospital["properties"]["sources"]] == ["1.jpg", "2.jpg"]
    assert hospital["properties"]["first_time"] == "2026-05-01T10:00:00Z"
    assert [f["geometry"] for f in features if f["properties"]["sources"][0]["source"] == "3.jpg"] == [None]
    again = call(second, first)
    assert again.stdout == (tmp_path / "out.geojson").read_text(encoding="utf-8")


def test_json_lines_and_options(tmp_path: Path) -> None:
    near = (LATITUDE + 0.001, LONGITUDE)  # 111 m
    source = write(tmp_path / "a.jsonl", photo("1.jpg", "BANK"), photo("2.jpg", "BANK", gps=near))
    assert len(call(source, "--format", "jsonl").stdout.splitlines()) == 2
    (line,) = call(source, "--format", "jsonl", "--distance", "120", "--quiet").stdout.splitlines()
    row = json.loads(line)
    assert row["schema"] == "signboard-merged/1" and row["readings"] == 2 and row["text"] == "BANK"
    assert row["latitude"] == pytest.approx(LATITUDE + 0.0005) and row["scripts"] == ["latin"]


def test_rows_of_videos_are_understood() -> None:
    video = {"sign": 3, "signs": 5, "first": 1.5, "last": 4.0}
    (found,) = observations(photo("walk.mp4", "HOTEL PARK", video=video))
    assert (found.sign, found.span, found.text) == (3, (1.5, 4.0), "HOTEL PARK")
    assert list(observations(photo("wall.mp4", video={"sign": 0, "signs": 0}))) == []


def test_what_is_wrong_is_said(tmp_path: Path) -> None:
    source = write(tmp_path / "a.jsonl", photo("1.jpg", "BANK"))
    (tmp_path / "bad.jsonl").write_text('{"schema":"other"}\n')
    for arguments, code, named in (
        ((tmp_path / "none.jsonl",), 2, "no such file"),
        ((source, "-o", source), 2, "another file"),
        ((source, "-o", tmp_path / "a.csv"), 2, "a.csv"),
        ((source, "--format", "csv"), 2, "csv"),
        ((tmp_path / "bad.jsonl",), 1, "line 1"),
        ((source, "-o", tmp_path / "bad.jsonl" / "a.geojson"), 2, "bad.jsonl"),
    ):
        result = call(*arguments)
        assert result.exit_code == code and named in result.stderr, arguments
    (tmp_path / "old.geojson").write_text("mine")
    assert call(source, "-o", tmp_path / "old.geojson").exit_code == 2
    assert (tmp_path / "old.geojson").read_text() == "mine"
    assert call(source, "-o", tmp_path / "old.geojson", "--overwrite").exit_code == 0
    far = dataclasses.replace(photo("1.jpg", "BANK"), metadata={"gps": {"latitude": "x", "longitude": 1}})
    damaged = write(tmp_path / "far.jsonl", far)
    assert call(damaged).exit_code == 1 and "far.jsonl: line 1" in call(damaged).stderr
    assert call(source, "-o", os.devnull, "--format", "jsonl").exit_code == 0
    empty = write(tmp_path / "empty.jsonl")
    assert json.loads(call(empty).stdout) == {"type": "FeatureCollection", "features": []}


# Texts ----------------------------------------------------------------------------------------------------------------


def test_similarity() -> None:
    assert similarity("Hotel!", "HOTEL") == 1.0 and similarity("HOTEL", "BANK") < 0.3
    assert similarity("अस्पताल", "अस्पतल") > 0.85 and similarity("", "") == 1.0 and similarity("→", "HOTEL") == 0.0
    for a, b in (("PARKING", "BARKING DOG"), ("नगर", "नागर"), ("a", "")):
        assert similarity(a, b) == similarity(b, a)
    assert contained("TEL", "HOTEL") == 1.0 and contained("HOTEL", "TEL") == 0.6 and contained("", "x") == 0.0
    assert plain("  ＡＢ-c ") == "ab c" and plain("→") == "→"


def test_elect() -> None:
    assert elect({"HOTEL": 1.0}) == "HOTEL"
    assert elect({"HOTEL": 1.0, "HOTE1": 0.9, "BANK": 0.8}) == "HOTEL"
    # Every reading has another mistake: the one nearest to all.
    assert elect({"HOSPITAL": 0.5, "HOSPITAI": 0.5, "H0SPITAL": 0.5, "zzzz": 0.6}) == "HOSPITAL"
    votes = {"AB": 1.0, "BA": 1.0, "CD": 1.0}
    assert elect(votes) == elect(dict(reversed(votes.items())))
