"""Damaged files and metadata at random give a photo or one clear error. More of it: scripts/fuzz_photos.py."""

from __future__ import annotations

import json
import random
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from signboard.checks.damaged_files import SIDE, encoded, mutated, seeds
from signboard.checks.odd_metadata import METADATA_KINDS, tiff_tables, with_metadata
from signboard.checks.opening import Outcomes, cases, check, check_cases

SEEDS: dict[str, bytes] = seeds()
FORMATS = ("baseline.jpg", "pair.mpo", "rgb.png", "lossy.webp", "plain.tif", "rgb.bmp", "animated.gif", "plain.avif",
           "binary.ppm", "plain.jp2", "icon.ico", "packed.tga")  # fmt: skip
EACH = 25

pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning"),  # Pillow's, of odd EXIF
    pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning"),
]


@pytest.mark.parametrize("name", FORMATS)
def test_changed_bytes(name: str) -> None:
    """Always the same 25 changes of a format, 300 in all."""
    if name not in SEEDS:
        pytest.skip("this Pillow writes no such file")
    rng = random.Random(f"{name} 18")
    outcomes = set()
    for _ in range(EACH):
        other = SEEDS[rng.choice(list(SEEDS))]
        outcomes.add(check(mutated(SEEDS[name], rng, other), name))
    assert len(outcomes) > 1  # the changes do matter


@pytest.mark.parametrize("name", FORMATS)
def test_every_length(name: str) -> None:
    if name not in SEEDS:
        pytest.skip("this Pillow writes no such file")
    data = SEEDS[name]
    for size in [*range(0, 64, 5), *range(64, len(data), len(data) // 12)]:
        check(data[:size], name)
    assert check(data, name) == "read"


values = st.one_of(st.binary(max_size=40), st.sampled_from([b"\xff" * 24, bytes(24), b"2024:03:09 11:37:08\0"]))


def entries(*tags: int) -> st.SearchStrategy[list[tuple[int, int, int, bytes]]]:
    """Entries of a table: any of `tags`, in any type (also such as do not exist), with any number of any values."""
    entry = st.tuples(
        st.sampled_from(tags), st.integers(0, 18), st.one_of(st.integers(0, 12), st.just(0xFFFFFFFF)), values
    )
    return st.lists(entry, max_size=6).map(lambda table: sorted({e[0]: e for e in table}.values()))


tables = st.tuples(
    entries(0x0100, 0x0101, 0x010F, 0x0112, 0x011A, 0x0128, 0x0132, 0x02BC), entries(0x9003, 0x9011, 0x927C, 0xA002),
    entries(*range(12), 16, 17, 29),
)  # fmt: skip


@pytest.mark.parametrize("kind", [kind for kind in METADATA_KINDS if kind in Image.SAVE or kind == "JPEG"])
@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(metadata=tables, seed=st.integers(0, 2**32))
def test_metadata_never_cost_a_photo(kind: str, metadata: tuple[Any, ...], seed: int) -> None:
    block = tiff_tables([list(table) for table in metadata])
    assert check(with_metadata(kind, block, random.Random(seed)), "a.jpg", must_read=True) == "read"


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1)), min_size=6, max_size=6),
    st.sampled_from(["N", "S", "", "X"]), st.sampled_from(["E", "W", "", "9"]),
)  # fmt: skip
def test_positions_of_any_numbers_are_on_the_globe_or_none(
    rationals: list[tuple[int, int]], north: str, east: str
) -> None:
    packed = [struct.pack("<II", *rational) for rational in rationals]
    gps = [
        (1, 2, 2, north.encode() + b"\0"), (2, 5, 3, b"".join(packed[:3])), (3, 2, 2, east.encode() + b"\0"),
        (4, 5, 3, b"".join(packed[3:])), (6, 5, 1, packed[0]), (7, 5, 3, b"".join(packed[:3])), (17, 5, 1, packed[1]),
    ]  # fmt: skip
    block = tiff_tables([[], [], gps])
    assert check(with_metadata("JPEG", block, random.Random(1)), "a.jpg", must_read=True) == "read"


def test_cases_are_the_same_for_a_seed_and_half_of_them_must_be_read() -> None:
    first, again, other = (list(cases(seed, 20, SEEDS)) for seed in (5, 5, 6))
    assert first == again != other
    assert [must_read for _, _, must_read in first] == [False, True] * 10


def test_a_check_finds_a_photo_with_other_pixels_and_one_that_cannot_be_read() -> None:
    black = encoded(Image.new("RGB", SIDE), "PNG")
    assert check(black, "a.png") == "read"
    with pytest.raises(AssertionError, match="other pixels"):
        check(black, "a.png", must_read=True)
    with pytest.raises(AssertionError, match="not read"):
        check(b"no photo", "a.png", must_read=True)


def test_what_fails_is_kept_and_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = check_cases(3, 6, tmp_path)
    assert good.bad == 0 and good.counts.total() == 6 and good.memory > 0 and not list(tmp_path.iterdir())

    def fails(data: bytes, name: str, **options: Any) -> str:
        raise ValueError(name)

    monkeypatch.setattr("signboard.checks.opening.check", fails)
    bad = check_cases(3, 4, tmp_path)
    assert bad.bad == 4 and len(list(tmp_path.glob("seed3-*"))) == 4
    good.add(Outcomes(**json.loads(json.dumps(vars(bad)))))  # as it comes from another process
    assert good.bad == 4 and good.counts.total() == 6
