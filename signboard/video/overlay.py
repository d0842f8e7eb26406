"""Draws the signs on every frame of a video: outlines that move with the picture, and what the signs say."""

from __future__ import annotations

import bisect
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, features

from signboard.geometry import ImageArray
from signboard.output.annotate import FONT_PATH, drawable
from signboard.output.sink import OutputError
from signboard.video.following import FollowedSign, Sighting
from signboard.video.motion import Transform, move
from signboard.video.source import FrameSource

CODECS = {".mp4": "mp4v", ".m4v": "mp4v", ".mov": "mp4v", ".mkv": "mp4v", ".webm": "VP80", ".avi": "MJPG"}
"""What annotated videos are encoded with, by their ending."""

_LINE, _PLATE, _INK, _SECOND_INK = (0, 200, 90), (255, 255, 255, 225), (0, 0, 0, 255), (10, 40, 110, 255)
_LETTERS = 1 / 34  # height of letters, of the frame's height
_LONGEST_GAP = 1.6  # seconds between sightings over which a sign is still drawn
_EDGE = 0.3  # seconds that it is drawn before the first and after the last
_FASTEST = 120.0  # frames a second


def annotate_video(
    source: FrameSource,
    target: Path,
    signs: Sequence[FollowedSign],
    motions: Sequence[tuple[int, float, Transform]],
    *,
    progress: Callable[[float], None] | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> None:
    """Writes a copy of a video with its signs drawn on it, without sound, at a constant frame rate.

    Args:
        source: the video, opened anew.
        motions: what `pick_frames` noted of it: (index, time, transform from this frame to the first).
        progress: called with the seconds that are done.
        stopped: asked before each frame; once it says so the unfinished copy is thrown away.

    Raises:
        OutputError: it cannot be written.
    """
    rate = min(source.rate, _FASTEST)
    part = target.with_name(f"{target.stem}.part{target.suffix}")
    paths = [_Path(sign, motions) for sign in signs]
    labels: list[ImageArray] | None = None
    writer: cv2.VideoWriter | None = None
    size = (0, 0)
    written = 0
    index = -1
    times = [time for _, time, _ in motions]
    try:
        while (now := source.grab()) is not None:
            index += 1
            if stopped():
                return
            due = round(now * rate) + 1  # frames that the copy should have by now: as many as its constant rate wants
            if due <= written:
                continue
            pixels = source.retrieve()
            if pixels is None:
                continue
            # Video codecs want even sides.
            pixels = np.ascontiguousarray(pixels[: pixels.shape[0] // 2 * 2, : pixels.shape[1] // 2 * 2])
            if writer is None or labels is None:
                size = (pixels.shape[1], pixels.shape[0])
                writer = _writer(part, target, rate, size)
                labels = [_label(sign, size[1]) for sign in signs]
            at = motions[max(bisect.bisect_right(times, now + 1e-6) - 1, 0)][2] if motions else np.eye(3)
            _draw(pixels, [(path.at(now, at), label) for path, label in zip(paths, labels, strict=True)])
            frame = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
            while written < due:
                writer.write(frame)
                written += 1
            if progress is not None:
                progress(now)
        if writer is not None:
            writer.release()
            writer = None
            part.replace(target)
    except OSError as error:
        raise OutputError(f"{target}: cannot be written, {error.strerror}") from None
    finally:
        if writer is not None:
            writer.release()
        part.unlink(missing_ok=True)


def _writer(part: Path, target: Path, rate: float, size: tuple[int, int]) -> cv2.VideoWriter:
    code = cv2.VideoWriter.fourcc(*CODECS[target.suffix.lower()])
    writer = cv2.VideoWriter(str(part), cv2.CAP_FFMPEG, code, rate, size)
    if not writer.isOpened():
        raise OutputError(
            f"{target}: cannot be written, the folder does not exist or this ending is not supported here"
        )
    return writer


class _Path:
    """Where a sign is at any time: between sightings it goes with the camera's motion, so that it does not shake."""

    def __init__(self, sign: FollowedSign, motions: Sequence[tuple[int, float, Transform]]) -> None:
        index_of = [index for index, _, _ in motions]
        self._times: list[float] = []
        self._untils: list[float] = []
        self._places: list[NDArray[np.float64]] = []  # in pixels of the first frame
        for sighting in sign.track:
            self._times.append(sighting.time)
            self._untils.append(sighting.until)
            self._places.append(move(np.asarray(sighting.polygon, np.float64), _motion_at(motions, index_of, sighting)))

    def at(self, time: float, to_first: Transform) -> NDArray[np.float64] | None:
        """The polygon (n, 2) at a time, in pixels of the frame whose transform to the first one is given."""
        if not self._times:
            return None
        after = bisect.bisect_right(self._times, time)
        before = after - 1
        place: NDArray[np.float64] | None
        if before < 0:
            place = self._places[0] if self._times[0] - time <= _EDGE else None
        elif after == len(self._times):
            place = self._places[-1] if time - self._untils[-1] <= _EDGE else None
        elif time > self._untils[before] and self._times[after] - self._untils[before] > _LONGEST_GAP:
            near_end = time - self._untils[before] <= _EDGE
            near_start = self._times[after] - time <= _EDGE
            place = self._places[before] if near_end else self._places[after] if near_start else None
        else:
            share = (time - self._times[before]) / (self._times[after] - self._times[before])
            place = (1 - share) * self._places[before] + share * self._places[after]
        return None if place is None else move(place, np.asarray(np.linalg.inv(to_first), np.float64))


def _motion_at(
    motions: Sequence[tuple[int, float, Transform]], index_of: Sequence[int], sighting: Sighting
) -> Transform:
    found = bisect.bisect_right(index_of, sighting.frame) - 1
    return motions[found][2] if found >= 0 else np.eye(3)


def _label(sign: FollowedSign, height: int) -> ImageArray:
    """(h, w, 4) uint8: the sign's lines on a plate, under each its English or its Latin letters."""
    size = max(12, round(height * _LETTERS))
    engine = ImageFont.Layout.RAQM if features.check("raqm") else ImageFont.Layout.BASIC
    font = ImageFont.truetype(str(FONT_PATH), size, layout_engine=engine)
    rows = []
    for line in sign.sign.lines:
        rows.append((drawable(line.text), _INK))
        said = drawable(line.translation or line.romanized or "")
        rows += [(said, _SECOND_INK)] if said else []
    rows = [row for row in rows if row[0]]
    step, pad = round(1.3 * size), round(0.3 * size)
    wide = max((font.getlength(text) for text, _ in rows), default=0.0)
    plate = Image.new("RGBA", (max(1, int(wide) + 2 * pad), max(1, step * len(rows) + pad)), _PLATE)
    pen = ImageDraw.Draw(plate)
    for number, (text, ink) in enumerate(rows):
        pen.text((pad, pad / 2 + step * (number + 0.5)), text, font=font, fill=ink, anchor="lm")
    return np.asarray(plate)


def _draw(pixels: ImageArray, signs: Sequence[tuple[NDArray[np.float64] | None, ImageArray]]) -> None:
    """Outlines and labels onto a frame (H, W, 3), in place; labels keep clear of each other."""
    height, width = pixels.shape[:2]
    stroke = max(2, round(height / 300))
    shown = [
        (polygon, label)
        for polygon, label in signs
        if polygon is not None and (polygon.max(axis=0) > 0).all() and (polygon.min(axis=0) < (width, height)).all()
    ]
    for polygon, _ in shown:
        points = np.round((polygon - 0.5) * 16).astype(np.int32)
        cv2.polylines(pixels, [points], True, _LINE, stroke, cv2.LINE_AA, shift=4)
    taken: list[tuple[int, int, int, int]] = []
    for polygon, label in shown:
        label = label[:height, :width]
        tall, wide = label.shape[:2]
        left, top = polygon.min(axis=0)
        bottom = polygon.max(axis=0)[1]
        x = int(np.clip(left, 0, width - wide))
        places = (top - tall - stroke, bottom + stroke, top - 2 * tall, bottom + 1.2 * tall)
        rows = [int(np.clip(y, 0, height - tall)) for y in places if -tall < y < height] or [0]
        free = (y for y in rows if not any(_overlap((x, y, x + wide, y + tall), box) for box in taken))
        y = next(free, rows[0])
        taken.append((x, y, x + wide, y + tall))
        under = pixels[y : y + tall, x : x + wide]
        share = label[..., 3:].astype(np.uint16)
        under[:] = (label[..., :3] * share + under * (255 - share) + 127) // 255


def _overlap(a: tuple[int, int, int, int], b: tuple[int, int, int, int]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
