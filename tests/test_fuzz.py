"""Damaged files and metadata at random give a photo or one clear error. More of it: scripts/fuzz_photos.py."""

from __future__ import annotations

import random
import struct
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from scripts_of import script

fuzz = script("fuzz_photos")
SEEDS: dict[str, bytes] = fuzz.seeds()
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
        outcomes.add(fuzz.check(fuzz.mutated(SEEDS[name], rng, other), name))
    assert len(outcomes) > 1  # the changes do matter


@pytest.mark.parametrize("name", FORMATS)
def test_every_length(name: str) -> None:
    if name not in SEEDS:
        pytest.skip("this Pillow writes no such file")
    data = SEEDS[name]
    for size in [*range(0, 64, 5), *range(64, len(data), len(data) // 12)]:
        fuzz.check(data[:size], name)
    assert fuzz.check(data, name) == "read"


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


@pytest.mark.parametrize("kind", [kind for kind in fuzz.METADATA_KINDS if kind in Image.SAVE or kind == "JPEG"])
@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(metadata=tables, seed=st.integers(0, 2**32))
def test_metadata_never_cost_a_photo(kind: str, metadata: tuple[Any, ...], seed: int) -> None:
    block = fuzz.tiff_tables([list(table) for table in metadata])
    assert fuzz.check(fuzz.with_metadata(kind, block, random.Random(seed)), "a.jpg", must_read=True) == "read"


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
    block = fuzz.tiff_tables([[], [], gps])
    assert fuzz.check(fuzz.with_metadata("JPEG", block, random.Random(1)), "a.jpg", must_read=True) == "read"
