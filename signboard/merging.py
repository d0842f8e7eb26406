"""Puts readings of one sign, from several photos or videos, together: by place, by bearing and by what they say.

Pure functions over plain records. The result does not depend on the order of the input.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from signboard.reading import Reading
from signboard.voting import elect, plain, similarity

EARTH = 6_371_008.8
"""Mean radius, metres (IUGG)."""

# Words of two readings are the same word when they are this alike.
_SAME_WORD = 0.7
# A word belongs to the sign when this share of its readings has it.
_SUPPORTED = 0.34
# Bearings place a sign where they cross at this angle at least, and no further away than this.
_LEAST_CROSSING, _FARTHEST = math.radians(15), 150.0


@dataclasses.dataclass(frozen=True, slots=True)
class Observation:
    """One reading of a sign.

    Attributes:
        source: the photo or video.
        sign: number of the sign on it, from 1.
        lines: its lines of words, each (text, confidence).
        latitude, longitude: of the camera, degrees; None when they are not known.
        bearing: which way the camera looked, degrees clockwise from north; None when it is not known.
        time: ISO 8601, or None.
        span: (first, last) seconds in its video; None on a photo.
        romanized, translation: of the whole sign, or None.
    """

    source: str
    sign: int
    lines: tuple[tuple[tuple[str, float], ...], ...]
    latitude: float | None = None
    longitude: float | None = None
    bearing: float | None = None
    time: str | None = None
    span: tuple[float, float] | None = None
    romanized: str | None = None
    translation: str | None = None

    @property
    def text(self) -> str:
        """What it says, a line a line."""
        return "\n".join(" ".join(text for text, _ in line) for line in self.lines)

    @property
    def words(self) -> tuple[tuple[str, float], ...]:
        """All words, (text, confidence)."""
        return tuple(word for line in self.lines for word in line)

    @property
    def confidence(self) -> float:
        """Mean confidence of its words."""
        return sum(confidence for _, confidence in self.words) / len(self.words)

    @property
    def key(self) -> tuple[Any, ...]:
        """What the order of observations is decided by; equal for the same observation given twice."""
        return (
            self.source, self.sign, self.lines, self.span or (), self.latitude is not None,
            self.latitude or 0.0, self.longitude or 0.0, -1.0 if self.bearing is None else self.bearing,
            self.time or "", self.romanized or "", self.translation or "",
        )  # fmt: skip


@dataclasses.dataclass(frozen=True, slots=True)
class MergedSign:
    """One sign, from all of its readings.

    Attributes:
        text: what most readings say, word by word.
        observations: the readings, ordered by source.
        votes: texts of the readings, each with the sum of their confidences, the heaviest first.
        latitude, longitude: where it is, degrees; None when no reading has a position.
        placed: "bearings" when lines of sight cross at the position, "cameras" when it is the middle of the cameras.
        romanized, translation: of the reading that is nearest to `text`.
    """

    text: str
    observations: tuple[Observation, ...]
    votes: tuple[tuple[str, float], ...]
    latitude: float | None
    longitude: float | None
    placed: str | None
    romanized: str | None
    translation: str | None

    @property
    def confidence(self) -> float:
        """Mean confidence of its readings."""
        return sum(observation.confidence for observation in self.observations) / len(self.observations)


def observations(reading: Reading) -> Iterator[Observation]:
    """The signs with text of a photo's reading, or of a row of a video."""
    gps = reading.metadata.get("gps") or {}
    video = reading.metadata.get("video") or {}
    span = (float(video["first"]), float(video["last"])) if "first" in video and "last" in video else None
    for number, sign in enumerate(reading.signs, start=1):
        lines = tuple(
            tuple((word.text, float(word.confidence)) for word in line.words if word.text) for line in sign.lines
        )
        lines = tuple(line for line in lines if line)
        if not lines:
            continue
        yield Observation(
            source=reading.source if reading.page == 1 else f"{reading.source}#{reading.page}",
            sign=int(video.get("sign", number)),
            lines=lines,
            latitude=gps.get("latitude"),
            longitude=gps.get("longitude"),
            bearing=gps.get("bearing"),
            time=reading.metadata.get("time"),
            span=span,
            romanized="\n".join(line.romanized for line in sign.lines if line.romanized) or None,
            translation="\n".join(line.translation for line in sign.lines if line.translation) or None,
        )


def merge_signs(
    found: Iterable[Observation], *, distance: float = 40.0, bearing: float = 100.0, alike: float = 0.75
) -> list[MergedSign]:
    """Readings of the same sign put together, in the order of their first readings.

    Two groups of readings are put together when all of their cameras stood within `distance` of each other, all of
    their bearings, where known, are within `bearing` of each other, and what the groups say is alike. The likest and
    nearest go first. Two signs of one photo, or two that a video shows at the same time, are never put together.
    Readings without a position stay by themselves.

    Args:
        distance: metres.
        bearing: degrees, 0 to 180; 180 leaves bearings out.
        alike: 0 to 1, see `likeness`.
    """
    unique: dict[tuple[Any, ...], Observation] = {}
    for observation in found:
        unique.setdefault(observation.key, observation)
    ordered = [unique[key] for key in sorted(unique)]
    groups: list[list[int]] = [[i] for i in range(len(ordered))]
    owner = list(range(len(ordered)))
    texts = [observation.lines for observation in ordered]
    places = _places(ordered)
    pairs = sorted(
        (-score, round(gap, 3), i, j)
        for i, j, gap in _near(places, distance)
        if _may_be_one(ordered[i], ordered[j], bearing) and (score := likeness(texts[i], texts[j])) >= alike
    )
    for _, _, i, j in pairs:
        a, b = sorted((owner[i], owner[j]))
        if a == b:
            continue
        fits = all(
            float(np.linalg.norm(places[m] - places[n])) <= distance and _may_be_one(ordered[m], ordered[n], bearing)
            for m, n in itertools.product(groups[a], groups[b])
        )
        if not fits or likeness(texts[a], texts[b]) < alike:
            continue
        groups[a] = sorted(groups[a] + groups[b])
        for n in groups[b]:
            owner[n] = a
        groups[b] = []
        texts[a] = vote([ordered[n] for n in groups[a]])
    return [_merged([ordered[n] for n in group]) for group in groups if group]


def likeness(a: Sequence[Sequence[tuple[str, float]]], b: Sequence[Sequence[tuple[str, float]]]) -> float:
    """0 to 1: how alike two signs' lines of words are. A part of two words or more is like the whole sign."""
    first, second = ([plain(text) for line in lines for text, _ in line] for lines in (a, b))
    whole = similarity(" ".join(first), " ".join(second))
    few, many = sorted((first, second), key=lambda words: (len(words), words))
    if len(few) < 2 or whole >= 0.95:
        return whole
    left = list(many)
    total = 0.0
    for word in few:
        best = max(left, key=lambda other: (similarity(word, other), other), default="")
        score = similarity(word, best)
        if score >= _SAME_WORD:
            left.remove(best)
            total += score
    return max(whole, 0.98 * total / len(few))


def vote(group: Sequence[Observation]) -> tuple[tuple[tuple[str, float], ...], ...]:
    """The lines of words that readings of one sign agree on, each word with its mean confidence.

    The reading that has most of what the others have gives the lines; each of its words is then voted on by the words
    of the others that are alike, weighed by their confidence. Words that few of the readings have are left out.
    """
    if len(group) == 1:
        return group[0].lines
    tallies = [[_ballots(word, group) for word, _ in reading.words] for reading in group]

    def value(number: int) -> tuple[float, float, int]:
        support = sum(len(ballots) / len(group) - _SUPPORTED for ballots in tallies[number])
        return round(support, 9), round(group[number].confidence, 9), -number

    best = max(range(len(group)), key=value)
    ballots = iter(tallies[best])
    lines = []
    for line in group[best].lines:
        words = []
        for _ in line:
            cast = next(ballots)
            if len(cast) / len(group) < _SUPPORTED:
                continue
            weights: defaultdict[str, float] = defaultdict(float)
            for text, confidence in cast:
                weights[text] += confidence
            words.append((elect(weights), sum(confidence for _, confidence in cast) / len(cast)))
        if words:
            lines.append(tuple(words))
    return tuple(lines) or group[best].lines


def _ballots(word: str, group: Sequence[Observation]) -> list[tuple[str, float]]:
    """The word that each reading has for `word`, as far as it has one."""
    ballots = []
    for reading in group:
        best = max(reading.words, key=lambda other: (similarity(word, other[0]), other[1], other[0]))
        if similarity(word, best[0]) >= _SAME_WORD:
            ballots.append(best)
    return ballots


def _merged(group: Sequence[Observation]) -> MergedSign:
    lines = vote(group)
    text = "\n".join(" ".join(word for word, _ in line) for line in lines)
    votes: defaultdict[str, float] = defaultdict(float)
    for observation in group:
        votes[observation.text] += observation.confidence
    nearest = max(group, key=lambda o: (similarity(o.text, text), o.confidence, o.source, o.sign))
    latitude, longitude, placed = _position(group)
    return MergedSign(
        text=text,
        observations=tuple(group),
        votes=tuple(sorted(((t, round(w, 4)) for t, w in votes.items()), key=lambda vote: (-vote[1], vote[0]))),
        latitude=latitude,
        longitude=longitude,
        placed=placed,
        romanized=nearest.romanized,
        translation=nearest.translation,
    )


# Places --------------------------------------------------------------------------------------------------------------


def _places(found: Sequence[Observation]) -> NDArray[np.float64]:
    """(n, 3) metres from the middle of the earth; NaN without a position. Neither poles nor the date line matter."""
    degrees = np.array(
        [
            (math.nan, math.nan) if o.latitude is None or o.longitude is None else (o.latitude, o.longitude)
            for o in found
        ],
        np.float64,
    ).reshape(-1, 2)
    latitude, longitude = np.radians(degrees).T
    return EARTH * np.stack(
        [np.cos(latitude) * np.cos(longitude), np.cos(latitude) * np.sin(longitude), np.sin(latitude)], axis=1
    )


def _near(places: NDArray[np.float64], distance: float) -> Iterator[tuple[int, int, float]]:
    """Pairs (i < j, metres) of places that are at most so far apart, found in a grid of cubes."""
    cells: defaultdict[tuple[int, int, int], list[int]] = defaultdict(list)
    side = max(distance, 0.1)
    for i, place in enumerate(places):
        if np.isfinite(place).all():
            x, y, z = np.floor(place / side).astype(int).tolist()
            cells[x, y, z].append(i)
    around = list(itertools.product((-1, 0, 1), repeat=3))
    for (x, y, z), members in cells.items():
        near = np.array([j for dx, dy, dz in around for j in cells.get((x + dx, y + dy, z + dz), ())])
        for i in members:
            gaps = np.linalg.norm(places[near] - places[i], axis=1)
            for j, gap in zip(near[gaps <= distance].tolist(), gaps[gaps <= distance].tolist(), strict=True):
                if i < j:
                    yield i, j, gap


def _may_be_one(a: Observation, b: Observation, bearing: float) -> bool:
    if a.source == b.source and (
        a.span is None or b.span is None or (a.span[0] <= b.span[1] and b.span[0] <= a.span[1])
    ):
        return False
    if a.bearing is None or b.bearing is None:
        return True
    return abs((a.bearing - b.bearing + 180) % 360 - 180) <= bearing


def _position(group: Sequence[Observation]) -> tuple[float | None, float | None, str | None]:
    """Where the sign is: where lines of sight cross, else in the middle of the cameras."""
    known = [(o.latitude, o.longitude, o.bearing) for o in group if o.latitude is not None and o.longitude is not None]
    if not known:
        return None, None, None
    # East and north in metres from the first camera.
    south, west, _ = known[0]
    shrink = max(math.cos(math.radians(south)), 1e-6)
    metres = math.radians(1) * EARTH
    cameras = np.array([(((lon - west + 180) % 360 - 180) * shrink, lat - south) for lat, lon, _ in known]) * metres
    crossing = _crossing([(camera, b) for camera, (_, _, b) in zip(cameras, known, strict=True) if b is not None])
    east, north = (cameras.mean(axis=0) if crossing is None else crossing).tolist()
    longitude = (west + east / metres / shrink + 180) % 360 - 180
    return round(south + north / metres, 7), round(longitude, 7), "cameras" if crossing is None else "bearings"


def _crossing(sights: Sequence[tuple[NDArray[np.float64], float]]) -> NDArray[np.float64] | None:
    """The point (east, north) nearest to all lines of sight, in metres; None when they hardly cross or it is not ahead.

    Least squares over the distances to the lines (Traa, "Least-Squares Intersection of Lines", 2013).
    """
    if len(sights) < 2:
        return None
    angles = np.radians([bearing for _, bearing in sights])
    ways = np.stack([np.sin(angles), np.cos(angles)], axis=1)
    spread = max(abs(math.remainder(a - b, math.pi)) for a, b in itertools.combinations(angles.tolist(), 2))
    if spread < _LEAST_CROSSING:
        return None
    across = np.eye(2) - ways[:, :, None] * ways[:, None, :]  # (n, 2, 2)
    starts = np.array([start for start, _ in sights])
    point = np.linalg.solve(across.sum(axis=0), np.einsum("nij,nj->i", across, starts))
    ahead = np.einsum("ni,ni->n", point - starts, ways)
    return point if ((ahead > 0) & (ahead <= _FARTHEST)).all() else None
