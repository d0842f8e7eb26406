"""From words to the result: lines and signs, and what the Hindi ones say in English."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from signboard.photo import Photo, printable
from signboard.pipeline.layout import arrange
from signboard.pipeline.words import ReadWord
from signboard.reading import Alternative, Line, Reading, Sign, Word
from signboard.recognition import script_of


def to_word(
    word: ReadWord,
    scale: float = 1.0,
    alternatives: tuple[Alternative, ...] = (),
    *,
    size: tuple[int, int] | None = None,
) -> Word:
    """`word` as users get it: plain numbers, in pixels of the EXIF-upright original.

    Args:
        scale: pixels of the picture that was read over pixels of the original.
        alternatives: what it may say instead.
        size: (width, height) of the original, beyond which no corner shall lie: letters are looked for past its edge,
            too. None: corners lie where the word's do.
    """
    polygon = word.polygon / scale
    if size is not None:
        polygon = np.clip(polygon, 0.0, size)
    return Word(
        word.text,
        tuple((round(float(x), 1), round(float(y), 1)) for x, y in polygon),
        round(word.confidence, 4),
        round(word.score, 4),
        script_of(word.text),
        word.rotation,
        alternatives,
    )


def to_reading(
    photo: Photo,
    words: Sequence[ReadWord],
    *,
    warnings: tuple[str, ...] = (),
    translate: bool = False,
    alternatives: Sequence[tuple[Alternative, ...]] | None = None,
) -> Reading:
    """The result for a photo with these words.

    Args:
        words: polygons in pixels of `photo.pixels`.
        translate: whether Hindi lines are said in Latin letters and in English, too.
        alternatives: what each of `words` may say instead.
    """
    others = alternatives if alternatives is not None else [()] * len(words)
    size = (photo.width, photo.height)
    signs = arrange([to_word(word, photo.scale, some, size=size) for word, some in zip(words, others, strict=True)])
    return Reading(
        source=printable(photo.source),
        width=photo.width,
        height=photo.height,
        signs=_translated(signs) if translate else signs,
        warnings=(*photo.warnings, *warnings),
        metadata=photo.metadata,
        page=photo.page,
    )


def _translated(signs: tuple[Sign, ...]) -> tuple[Sign, ...]:
    """`signs` with `romanized` and `translation` filled in for the lines that hold Hindi."""
    from signboard.translation import translate_lines

    result = []
    for sign in signs:
        lines: list[Line] = []
        for line, said in zip(sign.lines, translate_lines([line.text for line in sign.lines]), strict=True):
            lines.append(
                replace(line, romanized=said.romanized, translation=said.english) if said is not None else line
            )
        result.append(replace(sign, lines=tuple(lines)))
    return tuple(result)


__all__ = ["to_reading", "to_word"]
