"""Videos against what they show: each sign once, texts right, how fast; words of photos that a camera moves over."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from signboard.photo import load_photo
from signboard.synthesis.street_videos import KINDS, SIZE, MadeVideo, camera_path, make, row_of_boards, texts
from signboard.synthesis.videos import make_video
from signboard.training.adapters import SceneSample
from signboard.training.evaluation import markdown_table
from signboard.video import FollowedSign, follow, open_source
from signboard.voting import plain, similarity


@dataclass(frozen=True)
class SignScore:
    """Counts over videos: signs there are, found exactly once, with the right text, and found that are not there."""

    signs: int = 0
    once: int = 0
    right: int = 0
    extra: int = 0
    notes: tuple[str, ...] = ()

    def __add__(self, other: SignScore) -> SignScore:
        return SignScore(
            self.signs + other.signs,
            self.once + other.once,
            self.right + other.right,
            self.extra + other.extra,
            self.notes + other.notes,
        )


def score_signs(made: MadeVideo, found: Sequence[str]) -> SignScore:
    """The counts of one video: each of its signs belongs to at most one that was found, the likest first."""
    pairs = sorted(
        ((similarity(sign, text), i, j) for i, sign in enumerate(made.signs) for j, text in enumerate(found)),
        reverse=True,
    )
    of: dict[int, int] = {}
    for alike, i, j in pairs:
        if alike >= 0.5 and i not in of and j not in of.values():
            of[i] = j
    extra = [text for j, text in enumerate(found) if j not in of.values()]
    once = right = 0
    notes = []
    for i, sign in enumerate(made.signs):
        doubles = [text for text in extra if similarity(sign, text) >= 0.5]
        once += i in of and not doubles
        if i not in of:
            notes.append(f"{made.kind}: missed {sign!r}")
        elif plain(found[of[i]]) != plain(sign):
            notes.append(f"{made.kind}: {sign!r} read as {found[of[i]]!r}")
        else:
            right += 1
    notes += [f"{made.kind}: extra {text!r}" for text in extra]
    return SignScore(len(made.signs), once, right, len(extra), tuple(notes))


def sign_table(scores: dict[str, SignScore]) -> str:
    """A row for each kind of video, one for all, and below the table what went wrong."""
    total = sum(scores.values(), SignScore())
    share = 100 / max(total.signs, 1)
    rows: list[tuple[object, ...]] = [(kind, s.signs, s.once, s.right, s.extra) for kind, s in scores.items()]
    rows.append(("all", total.signs, f"{share * total.once:.1f} %", f"{share * total.right:.1f} %", total.extra))
    return "\n".join([markdown_table(("kind", "signs", "exactly once", "text right", "extra"), rows), *total.notes])


def read_video(reader: Any, path: Path, **options: Any) -> tuple[list[FollowedSign], float, float]:
    """(signs, seconds it took, seconds of video); `options` as for `follow`."""
    source = open_source(str(path))
    begin = time.perf_counter()
    signs = list(follow(reader, source, **options))
    spent = time.perf_counter() - begin
    source.close()
    if (fault := source.fault()) is not None:
        raise RuntimeError(f"{path}: {fault}")
    return signs, spent, source.duration or 0.0


def measure_signs(reader: Any, videos: int, seed: int, keep: Path | None = None) -> dict[str, SignScore]:
    """The scores by kind of so many videos of drawn boards; they are kept in a folder if one is given."""
    rng = np.random.default_rng(seed)
    scores: dict[str, SignScore] = {}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(videos):
            made = make(KINDS[number % len(KINDS)], keep or Path(folder), rng)
            signs, _, _ = read_video(reader, made.path)
            found = score_signs(made, [sign.sign.text for sign in signs])
            scores[made.kind] = scores.get(made.kind, SignScore()) + found
            if keep is None:
                made.path.unlink()
    return scores


@dataclass(frozen=True)
class WordCount:
    """Words of photos that a camera moved over.

    Attributes:
        labelled: that the photos have by their labels.
        still, moving: of those, that were read on the photo at the video's size, and on the video.
        doubled: read on the video more often than they are there, by the labels and by the photo.
        lost, new: labelled words that the video lacks, and those of the video that nobody else has.
    """

    labelled: int = 0
    still: int = 0
    moving: int = 0
    doubled: int = 0
    lost: tuple[str, ...] = field(default=(), compare=False)
    new: tuple[str, ...] = field(default=(), compare=False)

    def __add__(self, other: WordCount) -> WordCount:
        return WordCount(
            self.labelled + other.labelled,
            self.still + other.still,
            self.moving + other.moving,
            self.doubled + other.doubled,
        )

    def __str__(self) -> str:
        share = 100 / max(self.labelled, 1)
        return (
            f"{self.labelled} words; read on the photo at {SIZE[0]} x {SIZE[1]} {share * self.still:.1f} %, on the "
            f"video {share * self.moving:.1f} %; {self.doubled} words of the videos more often than they are there"
        )


def count_words(labelled: Sequence[str], still: Sequence[str], moving: Sequence[str]) -> WordCount:
    """Compares the words of a photo's labels, of the photo as it was read, and of its video; case and marks aside."""
    truth, photo, video = (Counter(filter(None, map(plain, words))) for words in (labelled, still, moving))
    return WordCount(
        truth.total(),
        (photo & truth).total(),
        (video & truth).total(),
        sum(max(0, video[text] - max(count, photo[text])) for text, count in truth.items()),
        tuple(sorted(truth - video)),
        tuple(sorted(video - truth - photo)),
    )


def measure_photos(reader: Any, scenes: Sequence[SceneSample], seed: int) -> Iterator[tuple[str, WordCount]]:
    """The name and the words of each labelled photo, over which a camera moves as a video."""
    rng = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as folder:
        for scene in scenes:
            pixels = load_photo(scene.image).pixels
            scale = min(1.0, 1600 / max(pixels.shape[:2]))
            pixels = np.asarray(cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))
            height, width = pixels.shape[:2]
            path = make_video(
                Path(folder) / "photo.mp4", pixels, camera_path(width, height, rng), size=SIZE, shake=1.5, blurred=0.2,
                noise=2, seed=int(rng.integers(1 << 30)),
            )  # fmt: skip
            signs, _, _ = read_video(reader, path)
            whole = min(1.0, SIZE[0] / width, SIZE[1] / height)
            frame = cv2.resize(pixels, None, fx=whole, fy=whole, interpolation=cv2.INTER_AREA)
            still = [word.text for word in reader.read(np.asarray(frame)).words]
            moving = [word.text for sign in signs for line in sign.sign.lines for word in line.words]
            labelled = [word.text for word in scene.words if word.text and not word.ignore]
            yield Path(scene.image).name, count_words(labelled, still, moving)


@dataclass(frozen=True)
class Pace:
    """One round of reading a video: seconds of video, frames that were read, seconds by the clock and of processors."""

    video: float
    frames: int
    wall: float
    cpu: float

    def __str__(self) -> str:
        return (
            f"{self.video:.1f} s of video, {self.frames} frames read, {self.wall:.2f} s ({self.cpu:.2f} s of processor "
            f"time): {self.video / self.wall:.2f} x real time"
        )


def measure_speed(reader: Any, seconds: float, rounds: int, seed: int) -> Iterator[Pace]:
    """Reads a pan along boards of 1280 x 720 at 25 frames a second, after a round that warms everything up."""
    rng = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as folder:
        scene, middles = row_of_boards(rng, texts(rng, 6), 1000)
        points = [(0.0, (middles[0], 650.0, 0.9, 0.0)), (seconds, (middles[-1], 650.0, 0.9, 0.0))]
        path = make_video(Path(folder) / "pan.mp4", scene, points, size=SIZE, shake=2, blurred=0.2, noise=2)
        frames: list[int] = []
        for number in range(rounds + 1):
            frames.clear()
            busy = time.process_time()
            _, spent, length = read_video(reader, path, progress=lambda _, count: frames.append(count))
            if number:
                yield Pace(length, frames[-1] if frames else 0, spent, time.process_time() - busy)
