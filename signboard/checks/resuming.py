"""Runs that are killed at random moments and go on with --resume: every photo must be in the output exactly once.

The runs are processes of `python -m signboard.checks.resuming`: the program, with a reader that knows no networks.
It opens the photos for real and "reads" their names.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from PIL import Image

from signboard.checks.outputs import FORMATS


def make_photos(folder: Path, count: int) -> set[tuple[str, int]]:
    """Small photos of every kind in `folder`; (source, page) of all of them.

    Good ones, some without text, some that cannot be opened, and a TIFF of three pages.
    """
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
    command = [sys.executable, "-m", "signboard.checks.resuming", "run", str(photos)]
    command += [*(a.format(target) for a in arguments), *more]
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
    """Run `signboard` with this reader, on the arguments of the process."""
    from signboard.cli import app
    from signboard.commands import readers

    readers.make_reader = _Names  # type: ignore[assignment]
    app(sys.argv[1:], prog_name="signboard")


if __name__ == "__main__":
    main()

__all__ = ["killed_and_resumed", "make_photos"]
