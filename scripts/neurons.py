"""Which neurons of the detector answer to headlines, to Devanagari, to text, to what is no text: on labelled signs.

    python scripts/neurons.py --set DIR --layer backbone.layer1 [--split val] [--limit 100] [--size 960]

The set must label words with their script. `signboard explain activations --layer LAYER --neurons 3,17` then shows what
fires the channels that this table names.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from signboard.errors import SignboardError
from signboard.explain import load_subject
from signboard.explain.selectivity import REGIONS, LabelledPhoto, selectivity
from signboard.progress import tracked
from signboard.training.adapters import SceneSample, load_scenes, read_rgb
from signboard.training.evaluation import markdown_table

KINDS = {
    "headlines": ["devanagari upper"],
    "Devanagari": ["devanagari upper", "devanagari lower"],
    "Latin": ["latin upper", "latin lower"],
    "lower parts": ["devanagari lower", "latin lower"],
    "text": list(REGIONS[:4]),
    "no text": ["background"],
}


def photos(samples: Sequence[SceneSample]) -> Iterator[LabelledPhoto]:
    """The photos and their words; don't-care regions count as words of no script."""
    for sample in tracked(samples):
        yield read_rgb(sample), [(w.polygon, "" if w.ignore else w.script or "") for w in sample.words]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", type=Path, required=True, help="folder of labelled photos")
    parser.add_argument("--split", choices=("train", "val", "test"))
    parser.add_argument("--layer", default="backbone.layer1")
    parser.add_argument("--limit", type=int, default=100, help="photos (default 100)")
    parser.add_argument("--size", type=int, default=960, help="longer side, pixels (default 960)")
    parser.add_argument("--top", type=int, default=3, help="channels of each kind (default 3)")
    parser.add_argument("--card", type=Path, help="of another detector than the shipped one")
    options = parser.parse_args(arguments)
    try:
        samples = load_scenes(options.set, options.split)[: options.limit]
        subject = load_subject("detector", card=options.card, size=(options.size, options.size))
        found = selectivity(subject, photos(samples), options.layer)
    except SignboardError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    rows = []
    for kind, regions in KINDS.items():
        ratio = found.ratio(regions)
        for channel in np.argsort(-ratio)[: options.top]:
            means = [f"{value:.3f}" for value in found.means[channel]]
            rows.append((kind, int(channel), f"{ratio[channel]:.2f}", *means))
    print(f"{options.layer} on {len(samples)} photos of {options.set.name}; units: {found.units.tolist()}\n")
    print(markdown_table(("answers to", "channel", "inside / outside", *REGIONS), rows))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
