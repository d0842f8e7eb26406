"""Where frames come from: video files, streams, cameras and folders of pictures, each frame with its time."""

from __future__ import annotations

import contextlib
import os
import re
import time
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from signboard.errors import PhotoError, SignboardError
from signboard.geometry import ImageArray
from signboard.photo import load_photo, printable
from signboard.video.names import is_camera, is_live

# The picture endings of a sequence; what a camera or ffmpeg writes.
_PICTURES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})
# A stream that breaks off is opened again so many times in a row, after so many seconds.
_RECONNECTS, _RECONNECT_AFTER = 3, 1.0
_STREAM_TIMEOUT = 10_000  # milliseconds
# A file has lost its end when so much of what it promised is missing: a share, and seconds.
_SHORT, _SHORT_SECONDS = 0.9, 1.0


class VideoError(SignboardError):
    """A video that cannot be read: missing, empty, not a video, damaged, a stream that does not answer."""


class FrameSource(Protocol):
    """Frames one after the other. `grab` goes on to the next, `retrieve` gives its pixels; skipped ones cost less.

    Attributes:
        name: as it stands in the results.
        live: whether frames come as they happen: a camera, a stream. What is not taken in time is lost.
        rate: frames a second, as far as it is known; 25 otherwise.
        duration: seconds, None when it is not known.
        size: (width, height) of the frames in pixels; (0, 0) before the first was retrieved.
    """

    name: str
    live: bool
    rate: float
    duration: float | None
    size: tuple[int, int]

    def grab(self) -> float | None:
        """The time of the next frame in seconds from the first, always rising; None at the end."""

    def retrieve(self) -> ImageArray | None:
        """(H, W, 3) uint8 RGB of the frame that was grabbed, upright; None when it is damaged."""

    def fault(self) -> str | None:
        """After the end: what is wrong with the source, in one line; None when all of it was read."""

    def close(self) -> None:
        """Lets go of it."""


def open_source(name: str, *, sequence: bool = False, rate: float | None = None) -> FrameSource:
    """Opens a video by its name: a path, rtsp://..., a camera's number, or with `sequence` a folder of pictures.

    Args:
        rate: frames a second of a sequence, 25 by default; for files it stands in only where they do not say.

    Raises:
        VideoError: it cannot be read; the message begins with the name.
    """
    if sequence:
        return PictureSequence(name, rate or 25.0)
    return Capture(name, live=is_live(name), rate=rate)


class Capture:
    """A video file, a stream or a camera, decoded by OpenCV (FFmpeg; cameras by the system's own interface).

    Frames are timed by the file's own time stamps, so that variable frame rates and lost frames are right. Where time
    stamps are missing or run backwards the frame rate counts on.
    """

    def __init__(self, name: str, *, live: bool, rate: float | None = None) -> None:
        """Opens it.

        Raises:
            VideoError: it cannot be opened, or no frame of it can be decoded.
        """
        self.name, self.live = name, live
        self.size = (0, 0)
        self._shown = printable(name)
        if not live:
            _check_file(name, self._shown)
        self._capture = self._open()
        told = float(self._capture.get(cv2.CAP_PROP_FPS))
        self.rate = told if np.isfinite(told) and 1.0 <= told <= 1000.0 else (rate or 25.0)
        frames = float(self._capture.get(cv2.CAP_PROP_FRAME_COUNT))
        self._promised = frames if not live and np.isfinite(frames) and frames > 0 else 0.0
        self.duration = self._promised / self.rate if self._promised else None
        self._grabbed, self._last, self._first = 0, -1.0, 0.0
        self._started = time.monotonic()
        self._lost: str | None = None
        self._damaged = 0

    def _open(self) -> cv2.VideoCapture:
        # A file must not make the decoder open other files or addresses (a playlist that is called walk.mp4 would).
        os.environ["OPENCV_FFMPEG_CAPTURE_OPTIONS"] = "rtsp_transport;tcp" if self.live else "protocol_whitelist;file"
        os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # what matters comes as an error of ours
        level = cv2.utils.logging.getLogLevel()
        cv2.utils.logging.setLogLevel(0)
        try:
            if self.live and is_camera(self.name):
                capture = cv2.VideoCapture(int(self.name))
            elif self.live:
                limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, _STREAM_TIMEOUT, cv2.CAP_PROP_READ_TIMEOUT_MSEC]
                capture = cv2.VideoCapture(self.name, cv2.CAP_FFMPEG, [*limits, _STREAM_TIMEOUT])
            else:
                capture = cv2.VideoCapture(self.name, cv2.CAP_FFMPEG)
        except cv2.error as error:
            raise VideoError(f"{self._shown}: cannot be opened, {error.err}") from None
        finally:
            cv2.utils.logging.setLogLevel(level)
        if not capture.isOpened():
            capture.release()
            kind = "camera" if is_camera(self.name) else "stream" if self.live else None
            why = f"no such {kind}, or it does not answer" if kind else "not a video that can be opened, or damaged"
            raise VideoError(f"{self._shown}: {why}")
        return capture

    def grab(self) -> float | None:
        while not self._capture.grab():
            if not self.live or not self._reconnect():
                return None
        if self.live:
            now = time.monotonic() - self._started
        else:
            now = float(self._capture.get(cv2.CAP_PROP_POS_MSEC)) / 1000.0
            if self._grabbed == 0:
                self._first = now if np.isfinite(now) else 0.0
            now -= self._first
        if not np.isfinite(now) or now <= self._last:
            now = self._last + 1.0 / self.rate if self._grabbed else 0.0
        self._grabbed, self._last = self._grabbed + 1, now
        return now

    def _reconnect(self) -> bool:
        if is_camera(self.name):
            self._lost = "the camera stopped"
            return False
        for _ in range(_RECONNECTS):
            time.sleep(_RECONNECT_AFTER)
            self._capture.release()
            with contextlib.suppress(VideoError):
                self._capture = self._open()
                return True
        self._lost = "the stream broke off"
        return False

    def retrieve(self) -> ImageArray | None:
        ok, pixels = self._capture.retrieve()
        if not ok or pixels is None or pixels.ndim != 3:
            self._damaged += 1
            return None
        self.size = (pixels.shape[1], pixels.shape[0])
        return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB))

    def fault(self) -> str | None:
        if self._lost is not None:
            return self._lost
        if self._grabbed == 0:
            return "no frame of it can be decoded"
        got = self._last + 1.0 / self.rate
        if (
            self.duration is not None
            and self._grabbed < _SHORT * self._promised
            and got < min(_SHORT * self.duration, self.duration - _SHORT_SECONDS)
        ):
            return f"damaged, it ends after {got:.1f} of {self.duration:.1f} s"
        if self._damaged > 0.5 * self._grabbed:
            return "damaged, most of its frames cannot be decoded"
        return None

    def close(self) -> None:
        self._capture.release()


def _check_file(name: str, shown: str) -> None:
    path = Path(name)
    try:
        if path.is_dir():
            raise VideoError(f"{shown}: is a folder; --sequence reads a folder of frames as a video")
        size = path.stat().st_size
        with path.open("rb"):
            pass
    except FileNotFoundError:
        raise VideoError(f"{shown}: no such file") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise VideoError(f"{shown}: cannot be read, {reason[:1].lower()}{reason[1:]}") from None
    if path.is_file() and size == 0:
        raise VideoError(f"{shown}: empty file")


class PictureSequence:
    """A folder of pictures as the frames of a video, in the order of the numbers in their names.

    A picture's time follows from its number, so that missing ones leave a gap; without numbers they count one by one.
    A picture that cannot be opened is left out. All frames are brought to the size of the first.
    """

    def __init__(self, name: str, rate: float) -> None:
        """Lists the folder.

        Args:
            rate: pictures a second.

        Raises:
            VideoError: no such folder, or no pictures in it.
        """
        self.name, self.live, self.rate = name, False, rate
        shown = printable(name)
        try:
            found = [
                path
                for path in Path(name).iterdir()
                if path.suffix.lower() in _PICTURES and not path.name.startswith(".")
            ]
        except NotADirectoryError:
            raise VideoError(f"{shown}: is no folder, which --sequence needs") from None
        except OSError as error:
            reason = "no such folder" if isinstance(error, FileNotFoundError) else f"cannot be read, {error.strerror}"
            raise VideoError(f"{shown}: {reason}") from None
        if not found:
            raise VideoError(f"{shown}: no pictures in this folder")
        numbers = {path: re.findall(r"\d+", path.stem) for path in found}
        if all(numbers.values()) and len({int(n[-1]) for n in numbers.values()}) == len(found):
            ordered = sorted((int(numbers[path][-1]), path) for path in found)
            self._frames = [((number - ordered[0][0]) / rate, path) for number, path in ordered]
        else:
            self._frames = [(index / rate, path) for index, path in enumerate(sorted(found))]
        self.duration: float | None = self._frames[-1][0] + 1.0 / rate
        self._next = 0
        self.size = (0, 0)
        self._bad: list[str] = []
        self._asked = 0

    def grab(self) -> float | None:
        if self._next == len(self._frames):
            return None
        self._next += 1
        return self._frames[self._next - 1][0]

    def retrieve(self) -> ImageArray | None:
        self._asked += 1
        try:
            pixels = load_photo(self._frames[self._next - 1][1]).pixels
        except PhotoError as error:
            self._bad.append(str(error))
            return None
        if self.size == (0, 0):
            self.size = (pixels.shape[1], pixels.shape[0])
        if (pixels.shape[1], pixels.shape[0]) != self.size:
            pixels = np.asarray(cv2.resize(pixels, self.size, interpolation=cv2.INTER_AREA))
        return pixels

    def fault(self) -> str | None:
        if not self._bad:
            return None
        return f"{len(self._bad)} of {self._asked} frames cannot be opened, the first: {self._bad[0]}"

    def close(self) -> None:
        pass
