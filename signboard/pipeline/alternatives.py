"""What words may say instead: further readings for search engines and for people who correct."""

from __future__ import annotations

from collections.abc import Sequence

from signboard.geometry import ImageArray
from signboard.pipeline.words import ReadWord, cut_out
from signboard.reading import Alternative
from signboard.recognition import Recognizer


def alternatives(
    picture: ImageArray, words: Sequence[ReadWord], recognizer: Recognizer, count: int
) -> list[tuple[Alternative, ...]]:
    """Up to `count` other texts of each word, in the order of `words`, the likeliest first.

    Args:
        picture: (H, W, 3) uint8 RGB on which the words were read.
    """
    crops = [cut_out(picture, word.polygon, recognizer.height) for word in words]
    return [
        tuple(Alternative(text, round(confidence, 4)) for text, confidence in some if text != word.text)[:count]
        for word, some in zip(words, recognizer.n_best(crops, count + 1), strict=True)
    ]


__all__ = ["alternatives"]
