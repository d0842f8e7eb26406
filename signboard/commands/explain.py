"""`signboard explain`: looks inside a network, four ways; each writes arrays, a picture and a manifest."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from signboard.errors import ConfigError, PhotoError, SignboardError

if TYPE_CHECKING:
    from signboard.explain.result import Result
    from signboard.explain.subject import Subject
    from signboard.geometry import ImageArray

# Hundreds of forwards: the detector is shown less than it reads, and each word is still some 20 pixels high.
OCCLUSION_SIDE = "512"

app = typer.Typer(
    help="Look inside a network: what its units see, look for, fire at and need. Writes .npz, .png and .json.",
    no_args_is_help=True,
)

Photos = Annotated[
    list[str], typer.Argument(metavar="PHOTO...", help="Photos; for the recogniser crops of words.", show_default=False)
]
Model = Annotated[
    str, typer.Option(help="detector, recognizer, or an architecture such as resnet18 (random weights without --card).")
]
Card = Annotated[
    Path | None, typer.Option(help="Card (.json) of other weights than the shipped ones.", show_default=False)
]
Form = Annotated[
    str | None,
    typer.Option(help="Of an architecture: paper, course, torchvision, narrow, features, text.", show_default="paper"),
]
Size = Annotated[
    str | None,
    typer.Option(help="Picture shown to the network: one side, or HEIGHTxWIDTH; for the detector the longer side."),
]
Device = Annotated[str, typer.Option(help="cpu or cuda.")]
Layers = Annotated[
    list[str] | None, typer.Option("--layer", help="A layer by name; give it again for more.", show_default="a few")
]
Output = Annotated[Path, typer.Option("--output", "-o", help="Folder for the results.")]
Crop = Annotated[
    str | None, typer.Option(help="Only this part of the photo: X0,Y0,X1,Y1 in its pixels.", show_default=False)
]


@contextmanager
def _usage_errors() -> Iterator[None]:
    """An error that is the caller's fault is one line and exit code 2."""
    try:
        yield
    except SignboardError as error:
        print(f"signboard explain: {error}", file=sys.stderr)
        raise typer.Exit(2) from None


@contextmanager
def _bar(unit: str) -> Iterator[Callable[[int, int], None]]:
    """What shows how many of how many are done, on a terminal; the bar is gone when the body is left."""
    from signboard.progress import Progress

    bar = Progress(1, unit=unit)

    def progress(done: int, total: int) -> None:
        bar.total = total
        bar.to(done)

    try:
        yield progress
    finally:
        bar.clear()


def _numbers(text: str, option: str, count: int, form: str) -> tuple[float, ...]:
    try:
        values = tuple(float(part) for part in text.split(","))
    except ValueError:
        values = ()
    if len(values) != count:
        raise ConfigError(f"{option} {text!r}: give {form}")
    return values


def _pair(text: str | None, option: str) -> tuple[int, int] | None:
    """ "16" or "8x16" as (height, width)."""
    if text is None:
        return None
    sides = text.lower().split("x")
    if len(sides) > 2 or not all(side.isdecimal() and int(side) > 0 for side in sides):
        raise ConfigError(f"{option} {text!r} is no size: give one side (16) or HEIGHTxWIDTH (8x16), in pixels")
    return int(sides[0]), int(sides[-1])


def _subject(model: str, card: Path | None, form: str | None, size: str | None, device: str) -> Subject:
    from signboard.explain import load_subject

    return load_subject(model, card=card, form=form, size=_pair(size, "--size"), device=device)


def _open(path: str, crop: str | None) -> ImageArray:
    from signboard.photo import load_photo

    pixels: ImageArray = load_photo(path).pixels
    if crop is None:
        return pixels
    x0, y0, x1, y1 = (round(v) for v in _numbers(crop, "--crop", 4, "X0,Y0,X1,Y1 in pixels of the photo"))
    height, width = pixels.shape[:2]
    if not (0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height):
        raise ConfigError(f"--crop {crop!r} does not lie inside the photo of {width} x {height}: {path}")
    return pixels[y0:y1, x0:x1].copy()


def _found(inputs: list[str]) -> list[str]:
    """The photos that were named, folders opened; what is missing comes too, and fails when it is opened.

    Raises:
        ConfigError: folders only, and no photo in them.
    """
    from signboard.commands.inputs import find_photos

    paths = [item.path for item in find_photos(inputs)]
    if not paths:
        raise ConfigError(f"no photos in {', '.join(inputs)}")
    return paths


def _each(inputs: list[str], crop: str | None, output: Path, look: Callable[[ImageArray], Result]) -> None:
    """One result a photo; a photo that cannot be opened is one line, and exit code 1 at the end.

    One photo's files go into `output`, those of several each into a folder of the photo's name inside it.
    """
    paths = _found(inputs)
    used: set[str] = set()
    failed = 0
    for path in paths:
        try:
            pixels = _open(path, crop)
        except PhotoError as error:
            print(f"signboard explain: {error}", file=sys.stderr)
            failed += 1
            continue
        folder = output
        if len(paths) > 1:
            stem = name = Path(path).stem
            number = 1
            while name in used:
                number += 1
                name = f"{stem}-{number}"
            used.add(name)
            folder = output / name
        _written(look(pixels).save(folder))
    if failed:
        raise typer.Exit(1)


def _written(paths: list[Path]) -> None:
    for path in paths:
        print(path)


@app.command("receptive-field")
def receptive_field_command(
    photos: Photos,
    model: Model = "detector",
    card: Card = None,
    form: Form = None,
    size: Size = None,
    crop: Crop = None,
    layer: Layers = None,
    at: Annotated[
        str | None, typer.Option(help="X,Y in pixels of the photo: whose units to take.", show_default="the middle")
    ] = None,
    unit: Annotated[
        str | None, typer.Option(help="ROW,COLUMN of a unit of the one --layer, instead of --at.", show_default=False)
    ] = None,
    channel: Annotated[
        int | None, typer.Option(min=0, help="Effective field of one channel.", show_default="all channels")
    ] = None,
    draws: Annotated[int, typer.Option(min=1, help="Backward passes a layer for all channels.")] = 4,
    device: Device = "cpu",
    output: Output = Path("explain"),
) -> None:
    """What a unit of each layer can see (theory), and how much each pixel counts (gradients, Luo et al. 2016)."""
    from signboard.explain import receptive_fields

    with _usage_errors():
        point = None if at is None else _numbers(at, "--at", 2, "X,Y in pixels of the photo")
        place = None if unit is None else _numbers(unit, "--unit", 2, "ROW,COLUMN")
        subject = _subject(model, card, form, size, device)

        def look(pixels: ImageArray) -> Result:
            with _bar("layers") as progress:
                return receptive_fields(
                    subject,
                    pixels,
                    layers=layer or (),
                    point=None if point is None else (point[0], point[1]),
                    unit=None if place is None else (int(place[0]), int(place[1])),
                    channel=channel,
                    draws=draws,
                    progress=progress,
                )

        _each(photos, crop, output, look)


@app.command("filters")
def filters_command(
    model: Model = "detector",
    card: Card = None,
    form: Form = None,
    layer: Layers = None,
    trials: Annotated[
        int, typer.Option(min=1, help="Random unit-length patches to compare each filter's best patch with.")
    ] = 256,
    output: Output = Path("explain"),
) -> None:
    """The filters: the first layer's as images, deeper ones as tiles, and the patch w/|w| that fires each most."""
    from signboard.explain import layer_filters

    with _usage_errors():
        subject = _subject(model, card, form, None, "cpu")
        _written(layer_filters(subject, layers=layer or (), trials=trials).save(output))


@app.command("activations")
def activations_command(
    photos: Annotated[list[str], typer.Argument(metavar="FOLDER...", help="Folders or photos.", show_default=False)],
    model: Model = "detector",
    card: Card = None,
    form: Form = None,
    size: Size = None,
    layer: Layers = None,
    neurons: Annotated[
        str | None, typer.Option(help="Channels of each layer, e.g. 0,5,7.", show_default="six, spread evenly")
    ] = None,
    top: Annotated[int, typer.Option(min=1, max=64, help="Patches a neuron.")] = 9,
    per_photo: Annotated[int, typer.Option("--per-photo", min=1, help="At most so many from one photo.")] = 1,
    device: Device = "cpu",
    output: Output = Path("explain"),
) -> None:
    """The patches of a folder of photos that fire neurons most, cut out by their receptive fields."""
    from signboard.explain import strongest_patches
    from signboard.progress import tracked

    with _usage_errors():
        wanted: list[int] = []
        if neurons is not None:
            parts = neurons.split(",")
            if not all(part.strip().isdecimal() for part in parts):
                raise ConfigError(f"--neurons {neurons!r}: give channel numbers such as 0,5,7")
            wanted = [int(part) for part in parts]
        paths = _found(photos)
        subject = _subject(model, card, form, size, device)
        failed = 0

        def opened() -> Iterator[tuple[str, ImageArray]]:
            nonlocal failed
            for path in tracked(paths):
                try:
                    yield path, _open(path, None)
                except PhotoError as error:
                    print(f"signboard explain: {error}", file=sys.stderr)
                    failed += 1

        result = strongest_patches(subject, opened(), layers=layer or (), neurons=wanted, top=top, per_photo=per_photo)
        _written(result.save(output))
    if failed:
        raise typer.Exit(1)


@app.command("occlusion")
def occlusion_command(
    photos: Photos,
    model: Model = "detector",
    card: Card = None,
    form: Form = None,
    size: Size = None,
    crop: Crop = None,
    patch: Annotated[
        str | None, typer.Option(help="Patch, one side or HEIGHTxWIDTH, pixels of the network's input.")
    ] = None,
    stride: Annotated[str | None, typer.Option(help="Its steps, likewise.", show_default="half the patch")] = None,
    fill: Annotated[str, typer.Option(help="Its grey level 0 to 255, or mean for the picture's mean colour.")] = "128",
    batch: Annotated[int | None, typer.Option(min=1, help="Occlusions in one forward.")] = None,
    full: Annotated[
        bool, typer.Option("--full", help="Try every place; else those between only where the output moved.")
    ] = False,
    target: Annotated[
        int | None, typer.Option("--class", min=0, help="A classifier's class.", show_default="the likeliest")
    ] = None,
    text: Annotated[
        str | None, typer.Option(help="The recogniser's word.", show_default="what it reads, letter by letter")
    ] = None,
    at: Annotated[
        str | None, typer.Option(help="X,Y: the detector's word there.", show_default="the surest word")
    ] = None,
    polygon: Annotated[
        str | None, typer.Option(help="X,Y,X,Y,X,Y,...: take the detector's score inside it.", show_default=False)
    ] = None,
    device: Device = "cpu",
    output: Output = Path("explain"),
) -> None:
    """Where covering the photo with a patch makes the output drop: class, word (and letters) or text score."""
    from signboard.explain import occlude

    with _usage_errors():
        point = None if at is None else _numbers(at, "--at", 2, "X,Y in pixels of the photo")
        level: int | str = int(fill) if fill.isdecimal() else fill
        options: dict[str, Any] = {
            "patch": _pair(patch, "--patch"),
            "stride": _pair(stride, "--stride"),
            "fill": level,
            "batch": batch,
            "full": full,
            "target": target,
            "text": text,
            "polygon": _polygon(polygon),
            "point": point,
        }
        subject = _subject(model, card, form, size or (OCCLUSION_SIDE if model == "detector" else None), device)

        def look(pixels: ImageArray) -> Result:
            with _bar("places") as progress:
                return occlude(subject, pixels, progress=progress, **options)

        _each(photos, crop, output, look)


def _polygon(text: str | None) -> Any:
    """ "X,Y,X,Y,X,Y" as (N, 2) float32, or None."""
    if text is None:
        return None
    import numpy as np

    parts = text.split(",")
    if len(parts) < 6 or len(parts) % 2:
        raise ConfigError(f"--polygon {text!r}: give at least three points X,Y,X,Y,X,Y in pixels of the photo")
    return np.array(_numbers(text, "--polygon", len(parts), "numbers X,Y,..."), np.float32).reshape(-1, 2)
