"""Follows words from frame to frame and gives each sign once, with the text that its frames agree on.

A word of a new frame belongs to the word of earlier frames that lies where the camera's motion takes it and says about
the same. Words that are lost (behind a bus, out of the picture) are remembered for a while and found again by text and
place. Which words make a sign is decided by the frames, too: those that stand in one sign in most of them.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from signboard.geometry import bounding_quad, text_quad, text_size
from signboard.pipeline.layout import arrange
from signboard.reading import Polygon, Reading, Sign, Word
from signboard.script import script_of
from signboard.video.motion import STILL, Motion, Transform, move
from signboard.voting import contained, elect, plain, similarity

# Two places are the same when they share this much of their union, or of the smaller one when one is cut by the border.
_SAME_PLACE, _SAME_PART = 0.35, 0.5
# Texts this alike may be one word read twice; at the same place less will do, blur and distance change what is read.
_ALIKE, _ALIKE_HERE = 0.6, 0.3
# A reading below this confidence says little: the place alone decides.
_DOUBTFUL = 0.6
# Words found again elsewhere than expected: so many heights off at once, and so many more a second they were lost.
_OFF, _OFF_A_SECOND = 1.0, 1.5
_FARTHEST = 0.3  # of the picture's diagonal
# What moves by itself (on a bus, or nearer than the rest) is looked for this many of its widths around, from one frame
# to the next; once its speed is known it is expected further on.
_OWN_MOTION = 1.25
_HEIGHT_RATIO = 0.5  # between sightings of a word
# Between their shapes, width over height: a smaller one is a piece of the word, or holds the word beside it, too.
_SHAPE_RATIO = 0.65
_STEADY = 2.0  # seconds
# Fewer characters than this are no proof that it is the same word elsewhere.
_TELLING = 3
# The border cuts words that come nearer to it than this share of the picture's longer side.
_BORDER = 0.004
# A word is real when its confidences add up to this, and this share of the frames that showed its place had it.
_LEAST_SUPPORT, _LEAST_SHARE = 0.8, 0.3
# The end of a word's time: frames in which it was no longer found count for so many seconds.
_AFTERMATH = 1.6
# A word is another reading of what a better-supported word says when that one took its place this often.
_REPLACED = 0.5
# Sightings kept of a word; from there on every second one is dropped, the best kept.
_SIGHTINGS = 256
# Different texts kept of a word.
_TEXTS = 64


@dataclasses.dataclass(frozen=True, slots=True)
class Sighting:
    """A sign on one frame.

    Attributes:
        frame, time: the frame's number, and its seconds.
        until: seconds up to which the picture stayed the same.
        polygon: the sign's, pixels of the frame.
    """

    frame: int
    time: float
    until: float
    polygon: Polygon


@dataclasses.dataclass(frozen=True, slots=True)
class FollowedSign:
    """A sign of a video.

    Attributes:
        sign: lines and words with the texts that the frames agree on; polygons in pixels of the best frame.
        frame, time: number and seconds of the frame that shows it best.
        first, last: seconds when it was first and last seen.
        seen: frames it was read on.
        track: where it was, by time, thinned out when there are hundreds.
        votes: for each word of `sign.lines`, what the frames read and with how much weight, the heaviest first.
    """

    sign: Sign
    frame: int
    time: float
    first: float
    last: float
    seen: int
    track: tuple[Sighting, ...]
    votes: tuple[tuple[tuple[str, float], ...], ...]

    @property
    def order(self) -> tuple[float, float, float, str]:
        """What signs are sorted by: when they were first seen, then from top to bottom, then from left to right."""
        left, top = self.sign.polygon[0]
        return self.first, top, left, self.sign.text

    @property
    def confidence(self) -> float:
        """Mean confidence of its words."""
        words = [word for line in self.sign.lines for word in line.words]
        return sum(word.confidence for word in words) / len(words)


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """A word on a frame."""

    frame: int
    time: float
    until: float  # seconds up to which the picture stayed the same
    word: Word
    quad: NDArray[np.float64]  # (4, 2) pixels
    height: float
    shape: float  # width over height
    cut: bool  # by the picture's border


class _Track:
    """A word through the frames."""

    def __init__(self, number: int, seen: _Seen) -> None:
        self.number = number
        self.place = seen.quad  # where it is expected on the frame in hand, (4, 2) pixels
        self.raw = seen.quad  # where it was on the frame it was last seen on
        self.height = seen.height
        self.sightings: list[_Seen] = []
        self.count = 0  # frames it was seen on, those included on which it was cut
        self.whole = 0  # frames that showed all of it
        self.support = 0.0  # sum of confidences of whole sightings
        self.missed = 0  # frames that showed its place while it lived and on which it was not found
        self.votes: defaultdict[str, float] = defaultdict(float)
        self.cut_votes: defaultdict[str, float] = defaultdict(float)
        self.strayed = 0.0  # sum of distances between where it was expected and found, in heights
        self.sure = True  # whether the camera's motion is known since it was last seen
        self.speed = np.zeros(2)  # of its own, beside the camera's, pixels a second
        self.add(seen)

    @property
    def text(self) -> str:
        """What it says as far as is known now."""
        votes = self.votes or self.cut_votes
        return min(votes.items(), key=lambda vote: (-vote[1], vote[0]))[0]

    @property
    def last(self) -> _Seen:
        return self.sightings[-1]

    @property
    def until(self) -> float:
        """Seconds when it was last seen."""
        return self.last.until

    @property
    def doubtful(self) -> bool:
        return self.support < _DOUBTFUL * max(self.whole, 1)

    def add(self, seen: _Seen) -> None:
        """One more sighting."""
        if self.count:
            off = seen.quad.mean(axis=0) - self.place.mean(axis=0)
            self.strayed += float(np.linalg.norm(off)) / seen.height
            gap = seen.time - self.until
            own = self.speed + (off / gap if gap > 0 else 0.0)
            # Letters found a little higher or lower are no motion, and nor is a place that was a guess.
            steady = (
                self.sure and not seen.cut and gap <= _STEADY and bool(np.linalg.norm(own) * gap > 0.5 * seen.height)
            )
            self.speed = own if steady else np.zeros(2)
        self.count += 1
        if not (seen.cut and self.whole):  # else it is expected where all of it would be
            self.place = self.raw = seen.quad
            self.height = seen.height
        self.sure = True
        # Larger letters are better read than their confidence says.
        weight = seen.word.confidence**2 * seen.height**0.5 + 1e-6
        if seen.cut:
            self.cut_votes[seen.word.text] += weight
        else:
            self.votes[seen.word.text] += weight
            self.whole += 1
            self.support += seen.word.confidence
        self.sightings.append(seen)
        for votes in (self.votes, self.cut_votes):
            if len(votes) > _TEXTS:
                del votes[min(votes, key=lambda text: (votes[text], text))]
        if len(self.sightings) > _SIGHTINGS:
            best = max(self.sightings[:-1], key=lambda s: (not s.cut, s.word.confidence))
            self.sightings = [s for i, s in enumerate(self.sightings) if i % 2 == 0 or s is best]


class Follower:
    """Takes the readings of a video's frames in order, gives its signs. Memory is that of the signs in sight.

    Args:
        memory: seconds that a sign is remembered after it was last seen; found again in that time it is the same.
    """

    def __init__(self, *, memory: float = 20.0) -> None:
        self._memory = memory
        self._tracks: dict[int, _Track] = {}
        self._numbers = itertools.count()
        self._now = 0.0
        self._time = 0.0  # of the last frame
        self._newest: dict[int, _Track] = {}  # those seen on the last frame
        self._moves: dict[int, Transform] = {}  # by frame, the transform from it to the first
        self._together: defaultdict[tuple[int, int], int] = defaultdict(int)  # frames with both words in one sign
        self._both: defaultdict[tuple[int, int], int] = defaultdict(int)  # frames with both words
        self._replaced: defaultdict[tuple[int, int], int] = defaultdict(
            int
        )  # frames with the second in the first's place
        self._last_move = np.eye(3)

    def extend(self, until: float) -> None:
        """Says that the last frame's picture stayed the same up to this time, seconds."""
        self._now = max(self._now, until)
        for track in self._newest.values():
            track.sightings[-1] = dataclasses.replace(track.last, until=max(track.until, until))

    def add(self, reading: Reading, *, frame: int, time: float, motion: Motion = STILL) -> list[FollowedSign]:
        """Takes the reading of the next frame; gives the signs whose time is over.

        Args:
            reading: polygons in pixels of the frame.
            frame, time: its number and its seconds, both rising.
            motion: of the camera since the frame before.
        """
        self._now = max(self._now, time)
        self._last_move = self._last_move @ np.linalg.inv(motion.matrix)
        self._moves[frame] = self._last_move
        if len(self._moves) > 4 * _SIGHTINGS:
            kept = {seen.frame for track in self._tracks.values() for seen in track.sightings}
            self._moves = {
                number: matrix for number, matrix in self._moves.items() if number in kept or number == frame
            }
        size = (reading.width, reading.height)
        seen = [
            (_seen(word, frame, time, size), number)
            for number, sign in enumerate(reading.signs)
            for line in sign.lines
            for word in line.words
            if word.text
        ]
        words = [word for word, _ in seen]
        passed = time - self._time
        self._time = time
        for track in self._tracks.values():
            track.place = move(track.place, motion.matrix)
            track.speed = motion.matrix[:2, :2] @ track.speed
            if time - track.until <= _STEADY:
                track.place = track.place + track.speed * passed
            track.height *= float(np.sqrt(abs(np.linalg.det(motion.matrix[:2, :2]))))
            track.sure = track.sure and motion.sure
        if not motion.sure:
            self._correct(words)
        pairs = self._match(words, time, float(np.hypot(*size)))
        found: dict[int, int] = {}  # word, track
        for i, word in enumerate(words):
            if i in pairs:
                self._tracks[pairs[i]].add(word)
                found[i] = pairs[i]
            else:
                track = _Track(next(self._numbers), word)
                self._tracks[track.number] = track
                found[i] = track.number
        self._count(found, words, [number for _, number in seen], size, time)
        self._newest = {number: self._tracks[number] for number in found.values()}
        return self._over()

    def finish(self) -> list[FollowedSign]:
        """The signs that are left when the video has ended."""
        signs = self._give(list(self._components()))
        self._tracks.clear()
        return signs

    # Which word is which ------------------------------------------------------------------------------------------

    def _correct(self, words: Sequence[_Seen]) -> None:
        """Where the camera's motion is a guess, words that are found again tell it: all expectations move along."""
        lost = [track for track in self._tracks.values() if track.number in self._newest]
        before, after = [], []
        for track in lost:
            key = plain(track.text)
            if len(key) < _TELLING or sum(plain(other.text) == key for other in lost) > 1:
                continue
            same = [word for word in words if similarity(word.word.text, key) >= 0.8]
            if len(same) == 1 and _ratio(same[0].height, track.height) >= _HEIGHT_RATIO:
                before.append(track.place)
                after.append(same[0].quad)
        if not before:
            return
        matrix = _fit(np.concatenate(before), np.concatenate(after), affine=False)
        for track in self._tracks.values():
            track.place = move(track.place, matrix)
            track.sure = track.sure or track in lost

    def _match(self, words: Sequence[_Seen], time: float, diagonal: float) -> dict[int, int]:
        """The track of each word that has one, by the word's index: the likeliest pairs first, each once."""
        tracks = list(self._tracks.values())
        if not tracks or not words:
            return {}
        centres = np.array([track.place.mean(axis=0) for track in tracks])  # (t, 2)
        raw = np.array([track.raw.mean(axis=0) for track in tracks])
        spans = np.array([np.ptp(track.place, axis=0).max() for track in tracks])
        limits = np.array([self._tolerance(track, time, diagonal) for track in tracks])
        scored: list[tuple[float, int, int]] = []
        for i, word in enumerate(words):
            centre = word.quad.mean(axis=0)
            reach = limits + (spans + np.ptp(word.quad, axis=0).max()) / 2
            off = np.linalg.norm(centres - centre, axis=1)
            near = (off <= reach) | (np.linalg.norm(raw - centre, axis=1) <= spans / 2)
            for j in np.flatnonzero(near):
                score = _affinity(
                    tracks[j], word, float(off[j]), float(limits[j]), newest=tracks[j].number in self._newest
                )
                if score is not None:
                    scored.append((-score, tracks[j].number, i))
        pairs: dict[int, int] = {}
        taken: set[int] = set()
        for _, number, i in sorted(scored):
            if i not in pairs and number not in taken:
                pairs[i] = number
                taken.add(number)
        return pairs

    def _tolerance(self, track: _Track, time: float, diagonal: float) -> float:
        """How far from its place a word may be found that says the same, pixels."""
        telling = len(plain(track.text)) >= _TELLING
        gap = max(time - track.until, 0.0) if telling else 0.0
        if not track.sure and telling:
            return diagonal
        near = track.height * (_OFF + _OFF_A_SECOND * gap)
        if telling and track.number in self._newest:
            near = max(near, _OWN_MOTION * float(np.ptp(track.place, axis=0).max()))
        return min(near, max(_FARTHEST * diagonal, track.height))

    def _count(
        self, found: dict[int, int], words: Sequence[_Seen], signs: Sequence[int], size: tuple[int, int], time: float
    ) -> None:
        """Who stands with whom, who was missed, and who took whose place."""
        for i, j in itertools.combinations(sorted(found, key=lambda i: found[i]), 2):
            pair = (found[i], found[j])
            self._both[pair] += 1
            self._together[pair] += signs[i] == signs[j]
        seen = set(found.values())
        for track in self._tracks.values():
            if track.number in seen or not track.sure or not _inside(track.place, size):
                continue
            if time - track.until <= _AFTERMATH:
                track.missed += 1
            for i, number in found.items():
                if _shares(track.place, words[i].quad)[1] >= 0.6:
                    self._replaced[track.number, number] += 1

    # From words to signs ------------------------------------------------------------------------------------------

    def _components(self) -> Iterator[list[_Track]]:
        """The words of each sign, dead or alive."""
        owner = {number: number for number in self._tracks}

        def root(number: int) -> int:
            while owner[number] != number:
                owner[number] = owner[owner[number]]
                number = owner[number]
            return number

        for (a, b), count in self._together.items():
            if a in owner and b in owner and 2 * count > self._both[a, b]:
                low, high = sorted((root(a), root(b)))
                owner[high] = low
        groups: defaultdict[int, list[_Track]] = defaultdict(list)
        for number, track in self._tracks.items():
            groups[root(number)].append(track)
        yield from groups.values()

    def _over(self) -> list[FollowedSign]:
        """Signs none of whose words can come back any more; they are forgotten."""
        oldest = self._now - self._memory
        if all(track.until >= oldest for track in self._tracks.values()):
            return []
        over = [group for group in self._components() if all(track.until < oldest for track in group)]
        signs = self._give(over)
        for track in itertools.chain.from_iterable(over):
            del self._tracks[track.number]
        for table in (self._together, self._both, self._replaced):
            for pair in [pair for pair in table if pair[0] not in self._tracks and pair[1] not in self._tracks]:
                del table[pair]
        return signs

    def _give(self, groups: Iterable[Sequence[_Track]]) -> list[FollowedSign]:
        signs = []
        for group in groups:
            kept = [track for track in group if self._is_real(track)]
            kept = [track for track in kept if not self._said_again(track, kept)]
            if kept:
                signs.append(self._sign(kept))
        return sorted(signs, key=lambda sign: sign.order)

    def _said_again(self, track: _Track, sign: Sequence[_Track]) -> bool:
        """Whether a word is another one of its sign, which was lost sight of: it says the same, was seen whole at
        most half as often, and never on one frame with it. Words that a sign has twice are seen together.
        """
        key = plain(track.text)
        return any(
            plain(other.text) == key
            and 2 * track.whole <= other.whole
            and not self._both.get((min(track.number, other.number), max(track.number, other.number)))
            for other in sign
            if other is not track
        )

    def _is_real(self, track: _Track) -> bool:
        """Whether a word is no mistake of a frame or two, no half of another word, and no second reading of it."""
        if track.support < _LEAST_SUPPORT:
            return False
        if track.count < _LEAST_SHARE * (track.count + track.missed):
            return False
        for (number, other), times in self._replaced.items():
            rival = self._tracks.get(other)
            if number != track.number or rival is None or times < _REPLACED * track.count:
                continue
            if (rival.support, -rival.number) <= (track.support, -track.number):
                continue
            alike = max(
                similarity(track.text, rival.text),
                contained(track.text, rival.text),
                contained(rival.text, track.text),
            )
            at_rest = track.strayed <= 0.5 * track.count
            if alike >= _ALIKE or (at_rest and (track.count == 1 or track.doubtful or track.count <= rival.count / 3)):
                return False
        return True

    def _sign(self, tracks: Sequence[_Track]) -> FollowedSign:
        """The sign of these words."""
        texts = {track.number: elect(track.votes) for track in tracks}
        scores: defaultdict[int, float] = defaultdict(float)
        times: dict[int, float] = {}
        for track in tracks:
            for seen in track.sightings:
                times[seen.frame] = min(times.get(seen.frame, seen.time), seen.time)
                right = 1.0 if seen.word.text == texts[track.number] else 0.5
                scores[seen.frame] += 0.0 if seen.cut else right * seen.word.confidence
        frame = max(scores, key=lambda number: (round(scores[number], 6), -number))
        words = {track.number: self._word(track, texts[track.number], frame) for track in tracks}
        lines = [line for sign in arrange(list(words.values())) for line in sign.lines]
        corners = np.concatenate([np.asarray(line.polygon, np.float64) for line in lines])
        polygon = lines[0].polygon if len(lines) == 1 else _polygon(bounding_quad(corners.astype(np.float32)))
        sign = Sign(tuple(lines), polygon)
        places = {number: text_quad(np.asarray(word.polygon, np.float32)) for number, word in words.items()}
        number_of = {id(word): number for number, word in words.items()}
        votes = tuple(
            _ranked(next(track.votes for track in tracks if track.number == number_of[id(word)]))
            for line in lines
            for word in line.words
        )
        return FollowedSign(
            sign=sign,
            frame=frame,
            time=round(times[frame], 3),
            first=round(min(track.sightings[0].time for track in tracks), 3),
            last=round(max(track.until for track in tracks), 3),
            seen=max(track.count for track in tracks),
            track=_track(tracks, places, polygon),
            votes=votes,
        )

    def _word(self, track: _Track, text: str, frame: int) -> Word:
        """The word as it would stand on a frame: seen there, or carried there from the nearest frame it was seen on."""
        # Of the sightings that say the text, or else of all.
        said = [seen for seen in track.sightings if seen.word.text == text and not seen.cut] or track.sightings
        best = max(said, key=lambda seen: (seen.word.confidence, -seen.frame))
        here = [seen for seen in track.sightings if seen.frame == frame and not seen.cut]
        if here:
            polygon = here[0].word.polygon
        else:
            whole = [seen for seen in track.sightings if not seen.cut] or track.sightings
            near = min(whole, key=lambda seen: (abs(seen.frame - frame), seen.frame))
            matrix = np.linalg.inv(self._moves[frame]) @ self._moves[near.frame]
            polygon = _polygon(move(np.asarray(near.word.polygon), matrix))
        return Word(text, polygon, best.word.confidence, best.word.detection_score, script_of(text), best.word.rotation)


def _seen(word: Word, frame: int, time: float, size: tuple[int, int]) -> _Seen:
    points = np.asarray(word.polygon, np.float64)
    quad = text_quad(points.astype(np.float32)).astype(np.float64)
    border = _BORDER * max(size)
    cut = bool((points < border).any() or (points > np.array(size) - border).any())
    wide, tall = (max(side, 1.0) for side in text_size(quad.astype(np.float32)))
    return _Seen(frame, time, time, word, quad, tall, wide / tall, cut)


def _affinity(track: _Track, word: _Seen, off: float, limit: float, *, newest: bool) -> float | None:
    """How likely it is that this is the same word, 0 to about 2; None where it is not.

    Args:
        off: distance between the track's expected place and the word, pixels.
        limit: how far off it may be.
    """
    union, smaller = _shares(track.place, word.quad)
    text = word.word.text
    alike = max(similarity(track.text, text), similarity(track.last.word.text, text))
    if word.cut or track.last.cut:
        # Part of the word is all that can be seen.
        part = max(contained(text, track.text), contained(track.text, text))
        if smaller >= _SAME_PART and max(part, alike) >= _ALIKE:
            return smaller + part
    elif _ratio(word.shape, track.last.shape) < _SHAPE_RATIO:
        return None
    bonus = 0.2 if newest else 0.0
    if union >= _SAME_PLACE and (
        alike >= _ALIKE_HERE or word.word.confidence < _DOUBTFUL or (track.count < 3 and track.doubtful)
    ):
        return union + alike + bonus
    if alike < _ALIKE or _ratio(word.height, track.height) < _HEIGHT_RATIO:
        return None
    if off <= limit:
        return alike + bonus - 0.5 * off / limit
    # What moved across the picture may have been taken for the camera: back in its old place it is the same.
    return alike - 0.3 if _shares(track.raw, word.quad)[0] >= _SAME_PLACE else None


def _shares(a: NDArray[np.float64], b: NDArray[np.float64]) -> tuple[float, float]:
    """The common area of two quads (4, 2), over that of both together and over the smaller one's."""
    if (a.max(axis=0) < b.min(axis=0)).any() or (b.max(axis=0) < a.min(axis=0)).any():
        return 0.0, 0.0
    first, second = cv2.convexHull(a.astype(np.float32)), cv2.convexHull(b.astype(np.float32))
    common = float(cv2.intersectConvexConvex(first, second)[0])
    sizes = float(cv2.contourArea(first)), float(cv2.contourArea(second))
    return common / max(sum(sizes) - common, 1e-6), common / max(min(sizes), 1e-6)


def _ratio(a: float, b: float) -> float:
    return min(a, b) / max(a, b, 1e-6)


def _inside(quad: NDArray[np.float64], size: tuple[int, int]) -> bool:
    return bool((quad >= 0).all() and (quad <= np.array(size)).all())


def _fit(before: NDArray[np.float64], after: NDArray[np.float64], *, affine: bool) -> Transform:
    """The transform that takes points (n, 2) to others, n >= 4, with least squared error: affine or a similarity."""
    n = len(before)
    x, y, zero, one = before[:, 0], before[:, 1], np.zeros(n), np.ones(n)
    matrix = np.eye(3)
    if affine:
        solved, *_ = np.linalg.lstsq(np.stack([x, y, one], axis=1), after, rcond=None)
        matrix[:2] = solved.T
        return matrix
    rows = np.concatenate([np.stack([x, -y, one, zero], axis=1), np.stack([y, x, zero, one], axis=1)])
    (a, b, c, d), *_ = np.linalg.lstsq(rows, np.concatenate([after[:, 0], after[:, 1]]), rcond=None)
    matrix[:2] = [[a, -b, c], [b, a, d]]
    return matrix


def _track(tracks: Sequence[_Track], places: dict[int, NDArray[np.float32]], polygon: Polygon) -> tuple[Sighting, ...]:
    """The sign's polygon on every frame that showed one of its words whole."""
    frames: defaultdict[int, list[tuple[int, _Seen]]] = defaultdict(list)
    for track in tracks:
        for seen in track.sightings:
            if not seen.cut:
                frames[seen.frame].append((track.number, seen))
    result = []
    for frame, found in sorted(frames.items()):
        before = np.concatenate([places[number] for number, _ in found]).astype(np.float64)
        after = np.concatenate([seen.quad for _, seen in found])
        matrix = _fit(before, after, affine=len(found) > 1)
        first = found[0][1]
        place = _polygon(move(np.asarray(polygon), matrix))
        result.append(Sighting(frame, round(first.time, 3), round(first.until, 3), place))
    return tuple(result)


def _ranked(votes: dict[str, float]) -> tuple[tuple[str, float], ...]:
    total = sum(votes.values())
    ranked = sorted(votes.items(), key=lambda vote: (-vote[1], vote[0]))
    return tuple((text, round(weight / total, 4)) for text, weight in ranked[:8])


def _polygon(points: NDArray[np.floating]) -> Polygon:
    return tuple((round(float(x), 2), round(float(y), 2)) for x, y in points)
