"""Which frames of a video are read: of every half second the sharpest, and none that shows what was read already."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import cv2
import numpy as np

from signboard.geometry import ImageArray
from signboard.video.motion import STILL, Motion, Transform, estimate_motion, halved, move, shrunk
from signboard.video.source import FrameSource

READ_SIDE = 2560
"""Frames are read at no more than this longer side, pixels: letters keep more pixels than are needed to read them."""

# Frames that are compared with each other for each one that is chosen. To look at a frame takes longer than to decode
# it: fewer will do where one of them is nearly as sharp as those chosen before, and the camera moves so little
# (share of the frame's side, from one to the next) that a longer step is followed as surely.
_CANDIDATES, _LEAST_CANDIDATES = 4, 2
_SHARP_ENOUGH = 0.9
_FADES = 0.9  # what is asked for falls by this with each frame that is chosen for want of a sharper one
_SLOW = 0.03
# The longer side, at most, of the grey copy that sharpness is measured on.
_SHARP_SIDE = 960
# A frame shows nothing new when, the camera's motion taken out, no part of it differs by more than this from the last
# one that was chosen (grey levels, mean over a part), the camera has moved by less than this share of the frame's side,
# and it is not much sharper.
_CHANGE, _PARTS = 9.0, 12
_MOVED = 0.01
_SHARPER = 1.5
# One that shows nothing new is read all the same after so many seconds.
_LONGEST = 5.0


@dataclasses.dataclass(eq=False, slots=True)
class Pick:
    """A frame that was chosen to be read.

    Attributes:
        index: its number in the source, from 0.
        time: seconds from the source's first frame.
        pixels: (H, W, 3) uint8 RGB, at most `READ_SIDE`; None once it has been read.
        width, height: of the frame in the source, pixels.
        motion: of the camera since the pick before, in the source's pixels.
        until: nothing changed up to this time.
    """

    index: int
    time: float
    pixels: ImageArray | None
    width: int
    height: int
    motion: Motion
    until: float


@dataclasses.dataclass(eq=False, slots=True)
class _Candidate:
    index: int
    time: float
    pixels: ImageArray
    grey: ImageArray
    sharpness: float
    since: Motion  # the last pick
    doubts: int  # camera motions before it that were not sure


def sharpness(grey: ImageArray) -> float:
    """The variance of the Laplacian of a grey picture (h, w): high where edges are crisp, low in motion blur.

    Source: Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy", ICPR 2000.
    """
    _, deviation = cv2.meanStdDev(cv2.Laplacian(grey, cv2.CV_16S))
    return float(deviation[0, 0] ** 2)


def pick_frames(
    source: FrameSource, *, rate: float = 2.0, motions: list[tuple[int, float, Transform]] | None = None
) -> Iterator[Pick]:
    """The frames of a source that are worth reading, as they come: at most one in memory besides the one in hand.

    Of each span of 1 / `rate` seconds the sharpest of two to four frames is taken, and left out when it shows nothing
    new.
    The `until` of a pick may still grow while the next one is waited for.

    Args:
        rate: frames chosen a second, at most.
        motions: filled with (index, time, transform from this frame to the first) of every frame of the source, which
            takes longer: only every few frames are looked at otherwise.
    """
    best: _Candidate | None = None
    window = 0
    due = 0.0
    index = -1
    grey: ImageArray | None = None  # of the last frame that was looked at
    since = STILL  # the camera's motion from the last pick to that frame
    last: Pick | None = None
    last_grey: ImageArray | None = None
    last_sharpness = 0.0
    level = 0.0  # the sharpness of frames chosen before, fading
    to_first = np.eye(3)
    doubts = 0
    looked = 0  # candidates of this window
    slow = False  # whether the camera moved little from the last frame that was looked at

    def chosen(candidate: _Candidate) -> Iterator[Pick]:
        nonlocal last, last_grey, last_sharpness, level, since
        level = max(candidate.sharpness, _FADES * level)
        scale = max(candidate.pixels.shape[:2]) / max(candidate.grey.shape)
        if (
            last is not None
            and last_grey is not None
            and candidate.time - last.time < _LONGEST
            and candidate.sharpness < _SHARPER * last_sharpness
            and _unchanged(last_grey, candidate.grey, candidate.since, scale)
        ):
            last.until = candidate.time
            return
        height, width = candidate.pixels.shape[:2]
        # What was seen after this candidate is counted from it on.
        since = Motion(since.matrix @ np.linalg.inv(candidate.since.matrix), doubts == candidate.doubts)
        last, last_grey, last_sharpness = (
            Pick(candidate.index, candidate.time, _readable(candidate.pixels), width, height, candidate.since,
                 candidate.time),
            candidate.grey,
            candidate.sharpness,
        )  # fmt: skip
        yield last

    while (now := source.grab()) is not None:
        index += 1
        if motions is None and now + 1e-6 < due:
            continue
        pixels = source.retrieve()
        if pixels is None:
            continue
        fine = halved(np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)), _SHARP_SIDE)
        seen = shrunk(fine)
        if grey is not None:
            step = estimate_motion(grey, seen, max(pixels.shape[:2]) / max(seen.shape))
            since = since.then(step)
            slow = step.sure and _shift(step, pixels.shape) <= _SLOW * max(pixels.shape)
            doubts += not step.sure
            to_first = to_first @ np.linalg.inv(step.matrix)
        grey = seen
        if motions is not None:
            motions.append((index, now, to_first))
            if now + 1e-6 < due:
                continue
        due = max(due + 1.0 / (rate * _CANDIDATES), now - 0.5 / (rate * _CANDIDATES))
        if int(now * rate + 1e-6) != window and best is not None:
            yield from chosen(best)
            best, looked = None, 0
        window = int(now * rate + 1e-6)
        sharp = sharpness(fine)
        looked += 1
        if best is None or sharp > best.sharpness:
            best = _Candidate(index, now, pixels, seen, sharp, since, doubts)
        if looked >= _LEAST_CANDIDATES and slow and best.sharpness >= _SHARP_ENOUGH * level > 0.0:
            due = max(due, (window + 1) / rate)
    if best is not None:
        yield from chosen(best)


def _unchanged(before: ImageArray, after: ImageArray, motion: Motion, scale: float) -> bool:
    """Whether the later grey copy (h, w) shows what the earlier one did, from nearly the same place."""
    if not motion.sure or before.shape != after.shape:
        return False
    height, width = after.shape
    if _shift(motion, (height * scale, width * scale)) > _MOVED * scale * max(width, height):
        return False
    matrix = motion.matrix[:2].copy()
    matrix[:, 2] /= scale
    laid = cv2.warpAffine(before, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
    parts = cv2.resize(cv2.absdiff(laid, after), (_PARTS, _PARTS), interpolation=cv2.INTER_AREA)
    return float(parts.max()) < _CHANGE


def _shift(motion: Motion, shape: Sequence[float]) -> float:
    """How far a motion moves the corners of a frame of this (height, width) at most, pixels."""
    height, width = shape[:2]
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float64)
    return float(np.abs(move(corners, motion.matrix) - corners).max())


def _readable(pixels: ImageArray) -> ImageArray:
    scale = READ_SIDE / max(pixels.shape[:2])
    if scale >= 1:
        return pixels
    return np.asarray(cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))
