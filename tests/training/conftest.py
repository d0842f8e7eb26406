"""Pictures for the tests of training: two classes of squares in ImageNet's layout."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image


def square(label: int, number: int, size: int = 20) -> np.ndarray:
    """A bright square, left for class 0, right for class 1, in front of a little noise."""
    image = np.random.default_rng([label, number]).integers(0, 60, (size, size, 3), dtype=np.uint8)
    x = 2 if label == 0 else size - 9
    image[6:14, x : x + 7] = 220
    return image


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes of squares in ImageNet's layout, eight for training and two for validation, with boxes."""
    root = tmp_path / "set"
    for part, count in (("train", 8), ("val", 2)):
        rows = ["picture,x0,y0,x1,y1"]
        for label, name in enumerate(("left", "right")):
            (root / part / name).mkdir(parents=True)
            for number in range(count):
                Image.fromarray(square(label, number)).save(root / part / name / f"{number}.png")
                x = 2 if label == 0 else 11
                rows.append(f"{name}/{number}.png,{x},6,{x + 7},14")
        (root / part / "boxes.csv").write_text("\n".join(rows) + "\n")
    return root
