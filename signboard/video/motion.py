"""How the camera moved between two frames: a similarity transform of the picture, from small grey copies of it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from signboard.geometry import ImageArray

Transform = NDArray[np.float64]
"""(3, 3) float64, homogeneous: takes pixels of one frame to pixels of another."""

SIDE = 480
"""Longer side of the grey copies that motion is estimated on, pixels."""

_CORNERS, _CELLS, _CORNERS_A_CELL = 600, (8, 5), 5
_LEAST_POINTS = 12
_LEAST_INLIERS = 0.3
_RANSAC_PIXELS = 1.5
# Steps of each corner at each size of the picture, at most, and the shift in pixels from which on it has settled.
_FLOW_STEPS = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 10, 0.01)
# Two frames of one scene have one sharp peak in their phase correlation; of different scenes, none.
_LEAST_PEAK = 0.12
_LEAST_SCALE, _LARGEST_SCALE = 0.6, 1.7


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """A camera motion: `matrix` takes pixels of the earlier frame to the later one. Not `sure`: it is a guess."""

    matrix: Transform
    sure: bool

    def then(self, later: Motion) -> Motion:
        """This motion and `later` behind it."""
        return Motion(later.matrix @ self.matrix, self.sure and later.sure)


STILL = Motion(np.eye(3), True)


def small_grey(pixels: ImageArray) -> ImageArray:
    """(h, w) uint8 copy of a frame (H, W, 3) RGB with a longer side of `SIDE`, for `estimate_motion`."""
    return shrunk(halved(np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)), 2 * SIDE))


def halved(grey: ImageArray, side: int) -> ImageArray:
    """A grey picture (h, w) halved until its longer side is at most `side`: the cheapest way to make it smaller."""
    while max(grey.shape) > side:
        size = (max(1, grey.shape[1] // 2), max(1, grey.shape[0] // 2))
        grey = np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA))
    return grey


def shrunk(grey: ImageArray) -> ImageArray:
    """A grey picture (h, w) with a longer side of `SIDE` at most."""
    scale = SIDE / max(grey.shape)
    if scale >= 1:
        return grey
    size = (max(1, round(grey.shape[1] * scale)), max(1, round(grey.shape[0] * scale)))
    return np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA))


def estimate_motion(before: ImageArray, after: ImageArray, scale: float) -> Motion:
    """The motion between two grey copies (h, w) of one size.

    Corners are followed by pyramidal optical flow (Bouguet 2001, after Lucas and Kanade 1981) and the similarity that
    most of them agree on is taken (RANSAC). Where too few agree, phase correlation gives a shift; where that has no
    clear peak either, the frames are taken to be at rest and the result is not sure.

    Args:
        scale: pixels of the frame for a pixel of the copies.
    """
    if before.shape != after.shape:
        return Motion(np.eye(3), False)
    found = _by_flow(before, after)
    if found is None:
        found = _by_phase(before, after)
    if found is None:
        return Motion(np.eye(3), False)
    matrix = np.eye(3)
    matrix[:2] = found
    matrix[:2, 2] = scale * (found[:, 2] + 0.5 * (1 - found[:, :2].sum(axis=1)))  # pixel centres are at a half
    return Motion(matrix, True)


def _by_flow(before: ImageArray, after: ImageArray) -> Transform | None:
    corners = _corners(before)
    if len(corners) < _LEAST_POINTS:
        return None
    moved, status, _ = cv2.calcOpticalFlowPyrLK(
        before, after, corners, None, winSize=(21, 21), maxLevel=4, criteria=_FLOW_STEPS
    )  # type: ignore[call-overload]
    kept = status.reshape(-1) == 1
    if kept.sum() < max(_LEAST_POINTS, 0.3 * len(corners)):
        return None
    matrix, inliers = cv2.estimateAffinePartial2D(corners[kept], moved[kept], ransacReprojThreshold=_RANSAC_PIXELS)
    if matrix is None or inliers.mean() < _LEAST_INLIERS or inliers.sum() < _LEAST_POINTS:
        return None
    size = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    return np.asarray(matrix, np.float64) if _LEAST_SCALE <= size <= _LARGEST_SCALE else None


def _corners(picture: ImageArray) -> NDArray[np.float32]:
    """(n, 1, 2) corners, the best of every part of the picture: a bus has more than the street behind it.

    They are looked for at half the size, which takes a quarter of the time: flow needs texture, not the very corner.
    """
    small = cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    found = cv2.goodFeaturesToTrack(small, _CORNERS, 0.004, 4)
    if found is None:
        return np.empty((0, 1, 2), np.float32)
    found = 2 * found + 0.5  # pixel centres
    height, width = picture.shape
    columns, rows = _CELLS
    across, down = (found[:, 0] * (columns / width, rows / height)).astype(int).T
    cell = down * columns + across
    # The best come first: the place of each among those of its cell.
    order = np.argsort(cell, kind="stable")
    starts = np.searchsorted(cell[order], cell[order])
    rank = np.empty(len(cell), int)
    rank[order] = np.arange(len(cell)) - starts
    return np.asarray(found[rank < _CORNERS_A_CELL], np.float32)


def _by_phase(before: ImageArray, after: ImageArray) -> Transform | None:
    height, width = before.shape
    window = cv2.createHanningWindow((width, height), cv2.CV_32F)
    shift, peak = cv2.phaseCorrelate(before.astype(np.float32), after.astype(np.float32), window)
    if peak < _LEAST_PEAK:
        return None
    return np.array([[1.0, 0.0, shift[0]], [0.0, 1.0, shift[1]]])


def move(points: NDArray[np.floating], matrix: Transform) -> NDArray[np.float64]:
    """`points` (..., 2) taken through `matrix`."""
    points = np.asarray(points, np.float64)
    return np.asarray(points @ matrix[:2, :2].T + matrix[:2, 2])
