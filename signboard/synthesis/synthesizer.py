"""The door to synthesis: an endless, indexable source of labelled crops and scenes."""

from __future__ import annotations

import numpy as np

from signboard.errors import DataError

from .fonts import FontLibrary
from .foreign import ForeignWords
from .lexicon import Lexicon
from .scenes import Scene, render_onto, render_scene
from .words import CropOptions, WordCrop, render_crop


class Synthesizer:
    """Makes labelled word crops and scenes; each sample depends on nothing but (seed, index) and the arguments.

    Args:
        fonts: the typefaces to use.
        lexicon: where texts come from; None: `Lexicon()`.
        seed: of all samples.
        devanagari: 0 to 1, share of words in Devanagari.
        options: how often effects occur in word crops.
        foreign: words of other scripts, for `foreign_crop`.
    """

    def __init__(
        self,
        fonts: FontLibrary,
        lexicon: Lexicon | None = None,
        *,
        seed: int = 0,
        devanagari: float = 0.5,
        options: CropOptions | None = None,
        foreign: ForeignWords | None = None,
    ) -> None:
        self.fonts = fonts
        self.lexicon = lexicon if lexicon is not None else Lexicon()
        self.seed = seed
        self.devanagari = devanagari
        self.options = options or CropOptions()
        self.foreign = foreign

    def crop(self, index: int) -> WordCrop:
        """Word crop number `index` >= 0 of this seed."""
        rng = np.random.default_rng([self.seed, index])
        return render_crop(rng, self.fonts, self.lexicon, devanagari=self.devanagari, options=self.options)

    def foreign_crop(self, index: int) -> WordCrop:
        """Crop number `index` >= 0 of this seed with a word in a script that is not read: its text is empty.

        Raises:
            DataError: the synthesizer has no words of other scripts.
        """
        if self.foreign is None:
            raise DataError("words in other scripts need their typefaces: pass `foreign`")
        rng = np.random.default_rng([self.seed, index, 3])
        return render_crop(
            rng, self.fonts, self.lexicon, devanagari=self.devanagari, options=self.options, foreign=self.foreign
        )

    def scene(self, index: int, size: int = 640) -> Scene:
        """Scene number `index` >= 0 of this seed, `size` x `size` pixels."""
        rng = np.random.default_rng([self.seed, index, 1])
        return render_scene(rng, self.fonts, self.lexicon, size=size, devanagari=self.devanagari)

    def onto(self, photo: np.ndarray, taken: list[tuple[float, float, float, float]], index: int) -> Scene:
        """Signs number `index` >= 0 of this seed, set into a real photo.

        Args:
            photo: (size, size, 3) uint8 RGB.
            taken: boxes (x0, y0, x1, y1), pixels, that stay clear.

        Returns:
            the new picture, and the new words only.
        """
        rng = np.random.default_rng([self.seed, index, 2])
        return render_onto(rng, self.fonts, self.lexicon, photo, taken, devanagari=self.devanagari)
