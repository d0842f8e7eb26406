"""Sign characters: letters, digits and aksharas as signs letter them, for training classifiers without a download.

A picture depends on nothing but (seed, split, class, number). Training and validation draw with different families of
typefaces, so that a validation error is one on shapes that were never seen.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.random import Generator

from signboard.errors import DataError
from signboard.geometry import FloatArray, ImageArray
from signboard.synthesis import Face, FontLibrary
from signboard.synthesis.degrade import camera, light
from signboard.synthesis.lettering import board_colors, contrast, letters_for, paint, sample_style, set_words
from signboard.synthesis.words import ground, vary_shape

_CONSONANTS = "कखगघङचछजझञटठडढणतथदधनपफबभमयरलवशषसह"
# All capitals, and the small letters that are no smaller copy of their capital (the 47 classes of EMNIST "balanced",
# Cohen et al. 2017, with the digits). 0 and O, 1 and I stay apart, though some faces draw them alike.
SETS: dict[str, tuple[str, ...]] = {
    "letters": tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZabdefghnqrt"),
    "digits": tuple("0123456789"),
    "aksharas": (*"अआइईउऊऋएऐओऔ", *_CONSONANTS, "क्ष", "त्र", "ज्ञ", "श्र"),
    "devanagari_digits": tuple("०१२३४५६७८९"),
    # Syllables: common consonants with each of the common vowel signs.
    "syllables": tuple(c + sign for c in "कगजतदनपबमरलवसह" for sign in ("ा", "ि", "ी", "ु", "े", "ो", "ं")),
}
_EM = 42  # pixels per em that letters are set at, before they are brought to a picture's size


def split_families(fonts: FontLibrary, share: float, seed: int) -> tuple[frozenset[str], frozenset[str]]:
    """Families for training and for validation, disjoint.

    `share` of the families with Devanagari and of those without go to validation; of a single one nothing does.
    """
    native = fonts.families("devanagari")
    validation: set[str] = set()
    everything: set[str] = set()
    for names in (native, [n for n in fonts.families("latin") if n not in native]):
        order = np.random.default_rng([seed, 41]).permutation(len(names))
        count = min(max(1, round(share * len(names))), max(len(names) - 1, 0))
        validation |= {names[i] for i in order[:count]}
        everything |= set(names)
    return frozenset(everything - validation), frozenset(validation)


class CharacterPainter:
    """Draws sign characters with the typefaces of some families.

    Args:
        fonts: all typefaces.
        families: those that are used.
        scale: range of the longer side of a letter's ink, as a share of the picture's side.
    """

    def __init__(self, fonts: FontLibrary, families: frozenset[str], scale: tuple[float, float]) -> None:
        self.scale = scale
        self._groups: dict[str, list[Face]] = {}
        for face in fonts.faces:
            if face.family in families:
                self._groups.setdefault(face.family, []).append(face)
        self._fitting: dict[str, list[list[Face]]] = {}

    def faces(self, text: str) -> list[list[Face]]:
        """The faces that can draw `text`, a list a family. Small letters are not drawn by faces of capitals alone."""
        if text not in self._fitting:
            small = text != text.upper()
            needed = frozenset(text)
            groups = (
                [face for face in faces if needed <= face.chars and not (small and face.unicase)]
                for faces in self._groups.values()
            )
            self._fitting[text] = [group for group in groups if group]
        return self._fitting[text]

    def draw(self, rng: Generator, text: str, size: int) -> tuple[ImageArray, FloatArray]:
        """A picture (size, size, 3) uint8 of `text`, and the box of its ink.

        Returns:
            picture, and (4,) float32 x0, y0, x1, y1 as fractions of the picture's side.

        Raises:
            DataError: no face draws the text.
        """
        groups = self.faces(text)
        if not groups:
            raise DataError(f"characters: no typeface can draw {text!r}; add typefaces or leave its set out")
        native = "\u0900" <= text[0] <= "\u097f"
        for _ in range(8):
            group = groups[int(rng.integers(len(groups)))]
            line = set_words([[(text, group[int(rng.integers(len(group)))])]], _EM, gap=0.0)
            if line is not None:
                break
        else:
            raise DataError(f"characters: {text!r} comes out without ink; add typefaces or leave its set out")
        mask = vary_shape(rng, line, _EM, devanagari=native).mask
        height, width = mask.shape
        side = max(round(max(height, width) / rng.uniform(*self.scale)), height + 2, width + 2)
        # Anywhere in the picture, the middle more often than the edges.
        x = round((side - width) * float(rng.beta(2.5, 2.5)))
        y = round((side - height) * float(rng.beta(2.5, 2.5)))
        canvas = np.zeros((side, side), np.uint8)
        canvas[y : y + height, x : x + width] = mask
        board, fill = board_colors(rng)
        if contrast(board, fill) < 55:
            fill = letters_for(rng, board)
        style = sample_style(rng, board, fill, plain=0.6)
        picture = paint(ground(rng, board, side, side), canvas, style, float(height), rng)
        if rng.random() < 0.3:
            picture = light(picture, rng)
        shrink = size < side
        picture = cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA if shrink else cv2.INTER_LINEAR)
        picture = camera(picture.astype(np.uint8, copy=False), rng, height * size / side, hard=0.35)
        box = np.array([x, y, x + width, y + height], np.float32) / side
        return np.ascontiguousarray(picture), box
