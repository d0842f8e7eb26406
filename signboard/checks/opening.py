"""Opening damaged photos: each must give a photo or one clear error, in bounded time and memory."""

from __future__ import annotations

import collections
import contextlib
import faulthandler
import json
import random
import resource
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from signboard.checks.damaged_files import SIDE, mutated, seeds
from signboard.checks.odd_metadata import METADATA_KINDS, exif_block, with_metadata
from signboard.errors import PhotoError
from signboard.output.jsonl import dumps
from signboard.photo import Page, load_photo
from signboard.reading import Reading

_MOST_SECONDS = 20.0  # for one small file


def check(data: bytes, name: str, *, must_read: bool = False, page: int | None = None) -> str:
    """Opens `data` and checks what comes: "read", or the first words of the error.

    Raises:
        AssertionError: neither a sound photo nor one clear line.
    """
    try:
        photo = load_photo(data, name=name, decode_side=64)
    except PhotoError as error:
        message = str(error)
        assert message.startswith(name) and "\n" not in message and message.isprintable(), message
        assert not must_read, f"not read: {message}"
        return message.removeprefix(f"{name}: ").split(",")[0][:40]
    height, width = photo.pixels.shape[:2]
    assert photo.pixels.dtype == np.uint8 and photo.pixels.shape[2] == 3 and min(height, width) >= 1
    assert abs(width - photo.width * photo.scale) <= 1 and abs(height - photo.height * photo.scale) <= 1
    gps = photo.metadata.get("gps")
    if gps is not None:
        assert -90 <= gps["latitude"] <= 90 and -180 <= gps["longitude"] <= 180
        assert 0 <= gps.get("bearing", 0) < 360
    row = dumps(Reading(name, photo.width, photo.height, metadata=photo.metadata), position=True)
    assert json.loads(row)["metadata"] == photo.metadata
    if must_read:
        assert sorted((width, height)) == sorted(SIDE)
        flat = photo.pixels.reshape(-1, 3).astype(int)
        blue, white = (np.abs(flat - color).max(axis=1) < 40 for color in ((20, 60, 160), (240, 240, 235)))
        assert blue.mean() > 0.3 and white.mean() > 0.4, "other pixels than were saved"
    return "read"


def cases(seed: int, count: int, formats: dict[str, bytes]) -> Iterator[tuple[str, bytes, bool]]:
    """(name, file, whether it must be read) of `count` cases, always the same for a seed."""
    rng = random.Random(seed)
    names = list(formats)
    kinds = [kind for kind in METADATA_KINDS if kind in Image.SAVE]
    for number in range(count):
        if number % 2:
            kind = kinds[number // 2 % len(kinds)]
            yield f"metadata.{kind.lower()}", with_metadata(kind, exif_block(rng), rng), True
        else:
            name = names[number // 2 % len(names)]
            yield name, mutated(formats[name], rng, formats[rng.choice(names)]), False


@dataclass
class Outcomes:
    """What came of some cases.

    Attributes:
        counts: cases, by "read" or the first words of the error.
        bad: cases that gave neither a sound photo nor one clear error.
        memory: the most that the process held, KiB.
    """

    counts: collections.Counter[str] = field(default_factory=collections.Counter)
    bad: int = 0
    memory: int = 0

    def add(self, other: Outcomes) -> None:
        """Counts the cases of another process, too."""
        self.counts.update(other.counts)
        self.bad += other.bad
        self.memory = max(self.memory, other.memory)


def check_cases(seed: int, count: int, folder: Path) -> Outcomes:
    """Checks some cases in this process.

    What is being opened lies in the file now-SEED of `folder`, for the case that this process dies: a decoder that
    takes too long ends it. Files of bad cases are kept there.
    """
    faulthandler.enable()
    warnings.simplefilter("ignore")
    found = Outcomes()
    now, page_file = folder / f"now-{seed}", folder / f"page-{seed}.tif"
    for number, (name, data, must_read) in enumerate(cases(seed, count, seeds())):
        now.write_bytes(data)
        faulthandler.dump_traceback_later(_MOST_SECONDS, exit=True)
        try:
            outcome = check(data, name, must_read=must_read)
            found.counts["whole pictures read" if must_read else outcome] += 1
        except Exception as error:
            found.bad += 1
            (folder / f"seed{seed}-{number}-{name}").write_bytes(data)
            print(f"seed {seed}, case {number}, {name}: {type(error).__name__}: {error}", file=sys.stderr)
        if not must_read and name.endswith(".tif"):
            # Pages behind the first one, too; a file in memory has no pages of its own.
            page_file.write_bytes(data)
            with contextlib.suppress(PhotoError):
                load_photo(Page(str(page_file), 2))
        faulthandler.cancel_dump_traceback_later()
    now.unlink(missing_ok=True)
    page_file.unlink(missing_ok=True)
    found.memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return found


__all__ = ["Outcomes", "cases", "check", "check_cases"]
