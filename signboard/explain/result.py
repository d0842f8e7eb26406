"""What every look inside gives: arrays, one picture, and a manifest that says what they are."""

from __future__ import annotations

import io
import json
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from signboard.errors import ConfigError
from signboard.geometry import ImageArray


class Result(ABC):
    """Base of the results: subclasses are frozen dataclasses.

    Attributes:
        stem: of the three files that `save` writes.
    """

    stem: ClassVar[str]

    @abstractmethod
    def arrays(self) -> dict[str, NDArray[Any]]:
        """Everything measured, by name."""

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """Plain JSON values: the model, the settings, what each array's axes are."""

    @abstractmethod
    def render(self) -> ImageArray:
        """One picture, (H, W, 3) uint8 RGB."""

    def save(self, folder: str | Path) -> list[Path]:
        """Writes `stem`.npz (the arrays), `stem`.png (the picture) and `stem`.json (the manifest); returns the paths.

        Raises:
            ConfigError: the folder cannot be made or written.
        """
        folder = Path(folder)
        arrays = self.arrays()
        manifest = {
            "kind": self.stem,
            **self.describe(),
            "files": {"arrays": f"{self.stem}.npz", "picture": f"{self.stem}.png"},
            "arrays": {name: {"shape": list(a.shape), "dtype": str(a.dtype)} for name, a in arrays.items()},
        }
        packed, drawn = io.BytesIO(), io.BytesIO()
        np.savez_compressed(packed, **arrays)  # type: ignore[arg-type]
        Image.fromarray(self.render()).save(drawn, format="PNG")
        text = json.dumps(manifest, ensure_ascii=False, indent=2, allow_nan=False) + "\n"
        files = {".npz": packed.getvalue(), ".png": drawn.getvalue(), ".json": text.encode("utf-8")}
        paths = []
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for suffix, content in files.items():
                path = folder / f"{self.stem}{suffix}"
                path.write_bytes(content)
                paths.append(path)
        except OSError as error:
            raise ConfigError(f"{folder}: cannot be written, {error.strerror or error}") from None
        return paths
