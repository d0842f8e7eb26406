"""New words from the letters of real ones.

Labelled photos hold a few thousand words, which a network soon knows by heart. A trained recogniser tells where the
letters of a word stand, so that the word can be cut between them, and parts of it be shown alone or in another order:
real letters, in words that no list holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from signboard.geometry import FloatArray, ImageArray, grow_quad, rectify, text_size
from signboard.recognition.charset import Charset
from signboard.recognition.recognizer import Recognizer
from signboard.script import script_of
from signboard.synthesis.lexicon import clusters
from signboard.training.crops import KEEP_ROWS, Crop

# Surroundings that stay above, below and beside a word, and the least width of a part, as shares of the text's height.
_ROOM, _LEAST = 0.1, 0.12
_TOGETHER = 256  # crops read at once
_MOST_LETTERS = 12
# Devanagari hangs from a line that joins its letters: gaps are looked for below this share of the strip's rows.
_BELOW_HEADLINE = 0.42
_LEAST_ROWS = 16  # of a made word, so that its narrowest letters keep a column


def with_cuts(crops: Sequence[Crop], recognizer: Recognizer) -> list[Crop]:
    """`crops` with the places where their letters part (`Crop.cuts`), where `recognizer` reads what the label says.

    Words of fewer than three letters and texts with spaces stay whole.
    """
    result = list(crops)
    known = recognizer.charset
    fit = [
        i
        for i, crop in enumerate(crops)
        if " " not in crop.text and len(clusters(crop.text)) > 2 and not known.missing(crop.text)
    ]
    for start in range(0, len(fit), _TOGETHER):
        part = fit[start : start + _TOGETHER]
        strips = [strip_of(crops[i], recognizer.height) for i in part]
        for i, strip, frames in zip(part, strips, recognizer.frames(strips), strict=True):
            cuts = letter_cuts(strip, frames.argmax(axis=1), crops[i].text, known)
            result[i] = replace(crops[i], cuts=cuts)
    return result


def strip_of(crop: Crop, rows: int) -> ImageArray:
    """The word of `crop` and a little around it, straightened, (rows, W, 3) uint8."""
    _, height = text_size(crop.quad)
    return rectify(crop.image, grow_quad(crop.quad, _ROOM * height), rows)


def letter_cuts(strip: ImageArray, best: NDArray[np.int64], text: str, charset: Charset) -> tuple[float, ...]:
    """Where the letters of a word part, as shares of the strip's width from left to right: one fewer than letters.

    A letter is what `clusters` makes of the text: in Devanagari a syllable. Between the frames in which two letters are
    read, the emptiest column is taken.

    Args:
        strip: (rows, W, 3) uint8, the word straightened.
        best: (T,) the most probable class of each frame of the strip.

    Returns:
        nothing where the frames do not spell `text`, or two letters stand too close together.
    """
    starts = np.flatnonzero(np.diff(best, prepend=-1))
    ends = np.append(starts[1:], len(best))
    shown = best[starts] != 0
    starts, ends, classes = starts[shown], ends[shown], best[starts[shown]]
    if classes.tolist() != charset.encode(text):
        return ()
    sizes = [len(charset.encode(letter)) for letter in clusters(text)]
    if sum(sizes) != len(classes):
        return ()
    body = strip[round(_BELOW_HEADLINE * len(strip)) :] if script_of(text) == "devanagari" else strip
    ink = body.astype(np.float32).std(axis=0).sum(axis=1)  # of each column
    ink = np.convolve(np.pad(ink, 1, mode="edge"), np.ones(3) / 3, mode="valid")
    width = strip.shape[1]
    per_frame = width / len(best)
    cuts = []
    for index in np.cumsum(sizes)[:-1]:
        # From the middle of the last frame of one letter to the middle of the first frame of the next.
        left, right = (ends[index - 1] - 0.5) * per_frame, (starts[index] + 0.5) * per_frame
        columns = np.arange(int(np.ceil(left + 0.2 * (right - left))), int(right - 0.2 * (right - left)) + 1)
        columns = columns[(columns > 0) & (columns < width)]
        if len(columns) == 0:
            return ()
        off_centre = np.abs(columns - 0.5 * (left + right)) / max(right - left, 1.0)
        cuts.append(float(columns[np.argmin((ink[columns] + 1.0) * (1.0 + off_centre))]) / width)
    height = strip.shape[0] / (1 + 2 * _ROOM)
    edges = [_ROOM * height / width, *cuts, 1.0 - _ROOM * height / width]
    if min(b - a for a, b in pairwise(edges)) * width < _LEAST * height:
        return ()
    return tuple(cuts)


def recombine(crop: Crop, rng: np.random.Generator) -> Crop:
    """A part of a word with cuts (`with_cuts`), or several parts of it side by side in any order, as a crop of its own.

    Raises:
        ValueError: the crop has no cuts.
    """
    if not crop.cuts:
        raise ValueError("a crop without cuts cannot be taken apart")
    letters = clusters(crop.text)
    count = len(letters)
    if rng.random() < 0.4:
        length = int(rng.integers(2, count))
        begin = int(rng.integers(count - length + 1))
        runs = [(begin, begin + length)]
    else:
        runs, wanted = [], int(rng.integers(2, min(count + 2, _MOST_LETTERS) + 1))
        while wanted > 0:
            # Only the first part has the word's first letter and only the last one its last letter: beside those is
            # room, which in the middle of a word would look like a space.
            lowest, highest = min(len(runs), 1), count - 1
            length = min(int(rng.integers(1, 4)), wanted, highest - lowest)
            wanted -= length
            highest += wanted == 0
            begin = int(rng.integers(lowest, highest - length + 1))
            runs.append((begin, begin + length))
    height = text_size(crop.quad)[1]
    rows = int(np.clip(round((1 + 2 * _ROOM) * height), _LEAST_ROWS, KEEP_ROWS))
    strip = strip_of(crop, rows)
    edges = [round(share * strip.shape[1]) for share in (0.0, *crop.cuts, 1.0)]
    image = np.concatenate([strip[:, edges[a] : edges[b]] for a, b in runs], axis=1)
    room = _ROOM / (1 + 2 * _ROOM) * rows
    x0 = room if runs[0][0] == 0 else 0.0
    x1 = image.shape[1] - (room if runs[-1][1] == count else 0.0)
    quad: FloatArray = np.array([[x0, room], [x1, room], [x1, rows - room], [x0, rows - room]], np.float32)
    text = "".join("".join(letters[a:b]) for a, b in runs)
    return Crop(np.ascontiguousarray(image), quad, text, script_of(text))
