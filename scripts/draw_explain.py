"""Draw the pictures of docs/explain.md with the shipped networks: `python scripts/draw_explain.py --fonts fonts`.

Two sample signs of data/samples and sixty synthetic scenes are looked at, so that the pictures may be passed on. Run it
again after either network was trained, and check what the page says of each picture.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from signboard.explain import layer_filters, load_subject, occlude, receptive_fields, strongest_patches
from signboard.geometry import ImageArray
from signboard.photo import load_photo
from signboard.progress import tracked
from signboard.synthesis import FontLibrary, Synthesizer

ROOT = Path(__file__).resolve().parents[1]
SAMPLES = ROOT / "data" / "samples"
SCENES, SCENE_SIDE = 60, 640
# Channels of the shipped detector that `scripts/neurons.py` names on real signs, and what for: see docs/explain.md.
NEURONS = {"edges": ("backbone.relu", (27, 18, 12, 29)), "signs": ("backbone.layer2", (61, 49, 58, 34, 19))}
LENSES = ("receptive-field", "filters", "activations", "occlusion")


def scenes(fonts: Path) -> Iterator[tuple[str, ImageArray]]:
    """Synthetic street scenes with signs, (name, (H, W, 3) uint8 RGB)."""
    made = Synthesizer(FontLibrary.from_folder(fonts), seed=1)
    for number in tracked(range(SCENES), "scenes"):
        yield f"scene {number}", made.scene(number, SCENE_SIDE).image


def draw(lens: str, fonts: Path) -> Iterator[tuple[str, ImageArray]]:
    """(name, picture (H, W, 3) uint8) of one lens."""
    detector = load_subject("detector", size=(960, 960) if lens == "activations" else None)
    if lens == "receptive-field":
        shop = load_photo(str(SAMPLES / "shop.jpg")).pixels
        yield lens, receptive_fields(detector, shop, point=(640, 440)).render()
    elif lens == "filters":
        yield lens, layer_filters(detector, layers=["backbone.conv1"]).render()
    elif lens == "activations":
        for name, (layer, channels) in NEURONS.items():
            found = strongest_patches(detector, scenes(fonts), layers=[layer], neurons=channels)
            yield f"{lens}-{name}", found.render()
    else:
        shop = load_photo(str(SAMPLES / "shop.jpg")).pixels
        yield f"{lens}-word", occlude(load_subject("recognizer"), shop[285:425, 490:780].copy()).render()
        station = load_photo(str(SAMPLES / "station.jpg")).pixels
        found = occlude(load_subject("detector", size=(512, 512)), station, point=(750, 380))
        yield f"{lens}-detector", found.render()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--fonts", type=Path, default=Path("fonts"), help="folder of typefaces (scripts/fetch_fonts.py)"
    )
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "explain")
    parser.add_argument("--lens", choices=LENSES, action="append", help="again for more; all by default")
    options = parser.parse_args(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    for lens in options.lens or LENSES:
        for name, picture in draw(lens, options.fonts):
            image = Image.fromarray(picture)
            image.thumbnail((1400, 1400))
            path = options.output / f"{name}.jpg"
            image.save(path, quality=82, optimize=True)
            print(path)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
