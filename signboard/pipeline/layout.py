"""Groups words into lines and lines into signs, in reading order. Pure geometry on NumPy arrays.

All of it happens in the words' own directions, so a sign that hangs askew or a photo that lies on its side is grouped
like an upright one. Lengths are compared with the height of the text, never with pixels.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from signboard.pipeline.columns import Piece, tables
from signboard.reading import Line, Polygon, Sign, Word

# Words of a line: their ends lie at most this far apart, in heights of the taller. Word spaces are 0.25 to 0.5,
# boards letter-space them up to about 1, and two columns are rarely nearer than 2.
_WORD_GAP = 1.5
_WORD_OVERLAP = -0.6  # the detector's boxes of neighbours run into each other a little
_SIZE_RATIO = 0.45  # "an" has half the height of "Ag" in the same size of type
_SIDE_OVERLAP = 0.5  # of the smaller word's height, where the two words meet
_STRAIGHT_TURN = math.radians(20)
_CURVED_TURN = math.radians(45)  # between the ends of neighbours on an arch
_CURVED_GAP = 0.8

# Boards of several columns: words further apart than this may be cells of two columns; how far the directions of the
# cells may differ.
_CELL_GAP = 0.6
_TABLE_TURN = math.radians(10)
_SLOPE_ERROR = 0.15  # of a word's ends, in heights
_SLOPE_SPREAD = 0.2  # how steep rows of a board seen from the side are, against the rest

# Lines of a sign.
_LINE_GAP = 1.2  # between the lines' edges, in heights of the taller one ...
_LINE_GAP_SMALL = 3.0  # ... and at most this many heights of the smaller one
_LINE_SIZE_RATIO = 0.15  # a shop's name against its address
_LINE_TURN = math.radians(18)
_EXTENT_OVERLAP = 0.25  # of the shorter line's length
_COLUMN_GAP = 2.5  # between the ends of lines side by side

_STATIONS = 5  # cross-sections along a curved word
_BLOCK = 256  # rows of the pair tables at a time: memory stays at a few MB for thousands of words


@dataclass(frozen=True, slots=True)
class _Strokes:
    """Words as strokes: where each begins and ends, which way it runs there, and how tall it is. n words."""

    start: np.ndarray  # (n, 2) pixels, middle of the left edge
    end: np.ndarray  # (n, 2) pixels, middle of the right edge
    start_turn: np.ndarray  # (n,) radians, direction of the baseline at the left edge
    end_turn: np.ndarray  # (n,) radians, at the right edge
    turn: np.ndarray  # (n,) radians, from left to right edge
    start_height: np.ndarray  # (n,) pixels
    end_height: np.ndarray  # (n,) pixels
    height: np.ndarray  # (n,) pixels, typical


def arrange(words: Sequence[Word]) -> tuple[Sign, ...]:
    """Words of one photo, in any order, as signs of lines of words, in reading order.

    The result does not depend on the order of `words`, and every word comes back exactly once, unchanged. The
    polygons of lines and signs are rectangles along the text, clockwise from its top-left, in pixels of the photo.
    """
    if not words:
        return ()
    # A canonical order first: everything after this line may break ties by index.
    ordered = sorted(words, key=lambda word: (word.polygon, word.text, word.confidence, word.detection_score))
    strokes = _strokes(ordered)
    chains = _chain(strokes)
    found, chains = _part_tables(ordered, strokes, chains)
    lines = [_line([ordered[index] for index in chain], strokes, chain) for chain in chains]
    groups = _group_lines(lines, [table for table, _ in found])
    # Rows are read from top to bottom as other lines are; columns must be kept whole.
    blocks = [table for table, across in found if not across]
    everything = _mean_turn((line.turn for line in lines), (line.length for line in lines))
    signs = [_sign(lines, group, [block for block in blocks if block[0] in group]) for group in groups]
    order = _reading_order([_box(polygon, everything) for _, polygon in signs])
    return tuple(Sign(tuple(line.line for line in signs[i][0]), signs[i][1]) for i in order)


# Words to strokes ----------------------------------------------------------------------------------------------------


def _strokes(words: Sequence[Word]) -> _Strokes:
    rows = [_stroke(np.asarray(word.polygon, dtype=np.float64)) for word in words]
    table = np.array(rows)  # (n, 10)
    strokes = _Strokes(
        start=table[:, 0:2],
        end=table[:, 2:4],
        start_turn=table[:, 4],
        end_turn=table[:, 5],
        turn=table[:, 6],
        start_height=table[:, 7],
        end_height=table[:, 8],
        height=table[:, 9],
    )
    return _turn_stubs(words, strokes)


def _stroke(polygon: np.ndarray) -> tuple[float, ...]:
    """(x, y) start, (x, y) end, start turn, end turn, turn, start height, end height, height of one word polygon."""
    if len(polygon) == 4:
        start, end = (polygon[0] + polygon[3]) / 2, (polygon[1] + polygon[2]) / 2
        along = end - start
        turn = math.atan2(along[1], along[0]) if along.any() else 0.0
        # Across the baseline, not along the slanted side: a sheared quad is no taller than an upright one.
        across = np.array([-math.sin(turn), math.cos(turn)])
        heights = [max(float(abs((polygon[3] - polygon[0]) @ across)), 1e-3)]
        heights.append(max(float(abs((polygon[2] - polygon[1]) @ across)), 1e-3))
        return (*start, *end, turn, turn, turn, heights[0], heights[1], sum(heights) / 2)
    turn = _polygon_turn(polygon)
    return _curved_stroke(polygon, turn)


def _polygon_turn(polygon: np.ndarray) -> float:
    """Direction of the text in a polygon that starts at its top-left: the side of the smallest rectangle around it
    that makes the first point its top-left corner."""
    hull = _hull(polygon)
    if len(hull) < 2:
        return 0.0
    edges = np.diff(np.vstack([hull, hull[:1]]), axis=0)
    turns = np.arctan2(edges[:, 1], edges[:, 0]) % (math.pi / 2)
    best: tuple[float, float] | None = None
    for turn in sorted(set(turns.tolist())):
        low, high = _extent(hull, turn)
        area = float(np.prod(high - low))
        if best is None or area < best[0] - 1e-9:
            best = (area, turn)
    assert best is not None
    choices = []
    for quarter in range(4):
        turn = best[1] + quarter * math.pi / 2
        low, high = _extent(hull, turn)
        first = _frame(polygon[:1], turn)[0]
        # Relative to the rectangle's own sides, so that a long thin word is judged fairly.
        offset = (first - low) / np.maximum(high - low, 1e-6)
        choices.append((round(float(offset.sum()), 6), -float((high - low)[0]), quarter, turn))
    return min(choices)[3]


def _curved_stroke(polygon: np.ndarray, turn: float) -> tuple[float, ...]:
    """The stroke of a polygon with any number of points, from its cross-sections at stations along `turn`."""
    points = _frame(polygon, turn)
    low, high = points[:, 0].min(), points[:, 0].max()
    width = max(float(high - low), 1e-3)
    # The outermost stations sit a little inside: the ends of a detected polygon are round.
    stations = low + width * np.linspace(0.04, 0.96, _STATIONS)
    closed = np.vstack([points, points[:1]])
    x0, x1 = closed[:-1, 0], closed[1:, 0]
    y0, y1 = closed[:-1, 1], closed[1:, 1]
    middles, heights = [], []
    for station in stations:
        crosses = (np.minimum(x0, x1) <= station) & (station < np.maximum(x0, x1))
        if not crosses.any():
            continue
        share = (station - x0[crosses]) / (x1[crosses] - x0[crosses])
        ys = y0[crosses] + share * (y1[crosses] - y0[crosses])
        middles.append((station, (ys.min() + ys.max()) / 2))
        heights.append(max(float(ys.max() - ys.min()), 1e-3))
    if len(middles) < 2:
        middle = float(points[:, 1].mean())
        tall = max(float(np.ptp(points[:, 1])), 1e-3)
        middles, heights = [(float(low), middle), (float(high), middle)], [tall, tall]
    line = np.array(middles)
    first, last = line[1] - line[0], line[-1] - line[-2]
    start_turn, end_turn = math.atan2(first[1], first[0]), math.atan2(last[1], last[0])
    # Carry the centre line on to the edges, along its own direction there.
    start = line[0] - first * (line[0, 0] - low) / max(first[0], 1e-6)
    end = line[-1] + last * (high - line[-1, 0]) / max(last[0], 1e-6)
    # A cross-section of a sloping part is longer than the text is tall.
    start_height, end_height = heights[0] * math.cos(start_turn), heights[-1] * math.cos(end_turn)
    corners = _unframe(np.array([start, end]), turn)
    chord = end - start
    return (
        *corners[0],
        *corners[1],
        turn + start_turn,
        turn + end_turn,
        turn + math.atan2(chord[1], chord[0]),
        max(start_height, 1e-3),
        max(end_height, 1e-3),
        float(np.median(heights)),
    )


def _turn_stubs(words: Sequence[Word], strokes: _Strokes) -> _Strokes:
    """Give short words ("1", "I", "&") the direction of the nearest long one when they stand a quarter turn off.

    A box about as tall as it is wide, or a single upright stroke, does not show which way its text runs.
    """
    lengths = np.linalg.norm(strokes.end - strokes.start, axis=1)
    # One letter is a stub whatever its box looks like; two letters never run this long.
    longest = np.array([math.inf if len(word.text) == 1 else 2.2 if len(word.text) == 2 else 1.6 for word in words])
    stub = np.array([len(word.text) <= 2 for word in words]) & (lengths < longest * strokes.height)
    long = np.flatnonzero(~stub & (lengths >= 1.6 * strokes.height))
    if not stub.any() or len(long) == 0:
        return strokes
    table = {name: getattr(strokes, name).copy() for name in _Strokes.__slots__}
    centers = (strokes.start + strokes.end) / 2
    for index in np.flatnonzero(stub).tolist():
        # Distance to the nearer end of each long word, in its heights.
        away = np.minimum(
            np.linalg.norm(strokes.start[long] - centers[index], axis=1),
            np.linalg.norm(strokes.end[long] - centers[index], axis=1),
        )
        away = away / strokes.height[long]
        near = int(long[int(np.argmin(np.round(away, 6)))])
        off = float(_turn_between(strokes.turn[index], strokes.turn[near]))
        quarters = round(off / (math.pi / 2))
        if away.min() > 3 or quarters == 0 or abs(off - quarters * math.pi / 2) > _STRAIGHT_TURN:
            continue
        turn = float(strokes.turn[index] + quarters * math.pi / 2)
        polygon = np.asarray(words[index].polygon, dtype=np.float64)
        low, high = _extent(polygon, turn)
        middle, tall = (low[1] + high[1]) / 2, max(float(high[1] - low[1]), 1e-3)
        ends = _unframe(np.array([[low[0], middle], [high[0], middle]]), turn)
        table["start"][index], table["end"][index] = ends
        for name in ("start_turn", "end_turn", "turn"):
            table[name][index] = turn
        for name in ("start_height", "end_height", "height"):
            table[name][index] = tall
    return _Strokes(**table)


# Words to lines ------------------------------------------------------------------------------------------------------


def _chain(strokes: _Strokes) -> list[list[int]]:
    """Indices of words line by line, each line from its first word to its last.

    Every ordered pair gets a cost when the second word can follow the first; the cheapest pairs are joined first, a
    word having at most one before and one after it, so that a line never forks.
    """
    count = len(strokes.height)
    pairs: list[tuple[float, int, int]] = []
    for begin in range(0, count, _BLOCK):
        rows = slice(begin, min(begin + _BLOCK, count))
        pairs += _followers(strokes, rows)
    pairs.sort()
    after, before = [-1] * count, [-1] * count
    owner = list(range(count))
    for _, first, second in pairs:
        # The last test keeps text on a ring from biting its own tail.
        if after[first] < 0 and before[second] < 0 and _root(owner, first) != _root(owner, second):
            after[first], before[second] = second, first
            owner[_root(owner, first)] = _root(owner, second)
    chains = []
    for index in range(count):
        if before[index] < 0:
            chain = [index]
            while after[chain[-1]] >= 0:
                chain.append(after[chain[-1]])
            chains.append(chain)
    return chains


def _followers(s: _Strokes, rows: slice) -> list[tuple[float, int, int]]:
    """(cost, word of `rows`, word that can follow it) for all words."""
    # (r, 1) against (n,) gives (r, n) tables; only the few pairs that are near each other are looked at closely.
    hop_x = s.start[None, :, 0] - s.end[rows, None, 0]
    hop_y = s.start[None, :, 1] - s.end[rows, None, 1]
    reach = 2 * np.maximum(s.end_height[rows, None], s.start_height[None, :])  # the limits below allow 1.8
    first, second = np.nonzero(hop_x * hop_x + hop_y * hop_y < reach * reach)
    first += rows.start
    # (p,) from here on
    hop = s.start[second] - s.end[first]
    turn_off = _turn_between(s.end_turn[first], s.start_turn[second])
    middle_turn = s.end_turn[first] + turn_off / 2
    cos, sin = np.cos(middle_turn), np.sin(middle_turn)
    left, right = s.end_height[first], s.start_height[second]
    taller, smaller = np.maximum(left, right), np.minimum(left, right)
    gap = (hop[:, 0] * cos + hop[:, 1] * sin) / taller
    drop = np.abs(hop[:, 1] * cos - hop[:, 0] * sin) / taller
    # Both words' sides as intervals across the baseline, where they meet.
    shared = np.minimum((left + right) / 2 - drop * taller, smaller) / smaller
    turned = np.abs(turn_off)
    ahead = np.abs(_turn_between(s.turn[first], s.turn[second]))
    centers = (s.start[second] + s.end[second] - s.start[first] - s.end[first]) / 2
    onward = centers[:, 0] * cos + centers[:, 1] * sin > 0
    allowed = (
        (first != second)
        & onward
        & (gap > _WORD_OVERLAP)
        & (gap < np.where(turned > _STRAIGHT_TURN, _CURVED_GAP, _WORD_GAP))
        & (turned < _CURVED_TURN)
        & (ahead < 2 * _CURVED_TURN)
        & (smaller / taller > _SIZE_RATIO)
        & (shared > _SIDE_OVERLAP)
    )
    # Rounded, so that the same picture lying on its side is not decided by the last bit.
    cost = np.round(np.abs(gap) + 2 * drop + turned + 0.5 * (1 - smaller / taller), 6)
    return list(zip(cost[allowed].tolist(), first[allowed].tolist(), second[allowed].tolist(), strict=True))


# Tables --------------------------------------------------------------------------------------------------------------


def _part_tables(
    words: Sequence[Word], strokes: _Strokes, chains: list[list[int]]
) -> tuple[list[tuple[list[int], bool]], list[list[int]]]:
    """(tables, lines): the chains with the boards of several columns among them put in order (see `columns`).

    A table is its lines, by their places, as they are read, and whether each is a whole row of it.
    """
    pieces = [piece for chain in chains for piece in _at_wide_gaps(strokes, chain)]
    owner = {word: number for number, chain in enumerate(chains) for word in chain}
    whole = np.array([_turn_of(strokes, piece) for piece in pieces])
    lengths = np.array([float(np.linalg.norm(strokes.end[p[-1]] - strokes.start[p[0]])) for p in pieces])
    left = set(range(len(pieces)))
    found: list[tuple[list[list[int]], bool]] = []
    while len(left) >= 4:  # those of one direction together, the direction of the longest first
        longest = max(left, key=lambda i: (round(float(lengths[i]), 3), -i))
        alike = sorted(i for i in left if abs(_turn_between(whole[longest], whole[i])) < _TABLE_TURN)
        left -= set(alike)
        turn = _mean_turn(whole[alike], lengths[alike])
        level = _Levels([word for i in alike for word in pieces[i]], strokes, turn)
        for table in tables([_piece(words, pieces[i], float(strokes.height[pieces[i]].mean()), level) for i in alike]):
            lines = [[word for p, a, b in line for word in pieces[alike[p]][a:b]] for line in table.lines]
            found.append((lines, table.across))
    if not found:
        return [], chains
    taken = {word for lines, _ in found for line in lines for word in line}
    touched = {owner[word] for word in taken}
    parted: list[list[int]] = [chain for number, chain in enumerate(chains) if number not in touched]
    for number in sorted(touched):  # what is left of a line that a table was taken out of
        rest: list[list[int]] = [[]]
        for word in chains[number]:
            if word in taken:
                rest.append([])
            else:
                rest[-1].append(word)
        parted += [chain for chain in rest if chain]
    blocks = []
    for lines, across in found:
        blocks.append((list(range(len(parted), len(parted) + len(lines))), across))
        parted += lines
    return blocks, parted


def _at_wide_gaps(strokes: _Strokes, chain: list[int]) -> list[list[int]]:
    """A line parted where it may run from one column into the next."""
    parts = [chain[:1]]
    for first, second in pairwise(chain):
        gap = float(np.linalg.norm(strokes.start[second] - strokes.end[first]))
        if gap > _CELL_GAP * max(strokes.end_height[first], strokes.start_height[second]):
            parts.append([])
        parts[-1].append(second)
    return parts


def _turn_of(strokes: _Strokes, chain: list[int]) -> float:
    if len(chain) == 1:
        return float(strokes.turn[chain[0]])
    along = strokes.end[chain[-1]] - strokes.start[chain[0]]
    return math.atan2(along[1], along[0])


class _Levels:
    """A frame along the text in which rows are level even where they run together in the distance.

    How steep the text is, is a linear function of the place, fitted to all words (least squares, longer words count
    more, small values are likelier); heights are followed along it to the middle of the board.
    """

    def __init__(self, words: list[int], strokes: _Strokes, turn: float) -> None:
        self.turn = turn
        start, end = _frame(strokes.start[words], turn), _frame(strokes.end[words], turn)
        middles = (start + end) / 2  # (n, 2)
        self.origin = (middles.min(axis=0) + middles.max(axis=0)) / 2
        self.size = max(float(np.ptp(middles, axis=0).max()), 1.0)
        along = np.maximum(end[:, 0] - start[:, 0], 1e-3)
        sure = along / (_SLOPE_ERROR * strokes.height[words])
        terms = np.column_stack([np.ones(len(words)), (middles - self.origin) / self.size]) * sure[:, None]
        slopes = (end[:, 1] - start[:, 1]) / along * sure
        self.slope = np.linalg.solve(terms.T @ terms + np.eye(3) / _SLOPE_SPREAD**2, terms.T @ slopes)

    def box(self, polygon: Polygon) -> tuple[np.ndarray, np.ndarray]:
        """Lowest and highest (along, level) of a word."""
        low, high = _box(polygon, self.turn)
        x, y = (low + high) / 2 - self.origin
        steps = 8
        risen = 0.0
        for step in range(steps):  # Euler's method, from the word to the board's middle
            at = np.array([1.0, x * (1 - (step + 0.5) / steps) / self.size, (y + risen) / self.size])
            risen -= float(self.slope @ at) * x / steps
        return low + np.array([0.0, risen]), high + np.array([0.0, risen])


def _piece(words: Sequence[Word], chain: list[int], height: float, level: _Levels) -> Piece:
    boxes = [level.box(words[i].polygon) for i in chain]
    low, high = np.min([box[0] for box in boxes], axis=0), np.max([box[1] for box in boxes], axis=0)
    return Piece(
        low=(float(low[0]), float(low[1])),
        high=(float(high[0]), float(high[1])),
        height=height,
        text=" ".join(words[i].text for i in chain),
        starts=tuple(float(box[0][0]) for box in boxes),
        ends=tuple(float(box[1][0]) for box in boxes),
    )


# Lines to signs ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _LineShape:
    """A line with the figures that grouping needs."""

    line: Line
    turn: float  # radians
    height: float  # pixels, of the text
    length: float  # pixels
    points: np.ndarray  # (p, 2) pixels, all points of its words


def _line(words: list[Word], strokes: _Strokes, chain: list[int]) -> _LineShape:
    turn = _turn_of(strokes, chain)
    points = np.array([point for word in words for point in word.polygon], dtype=np.float64)
    lengths = np.linalg.norm(strokes.end[chain] - strokes.start[chain], axis=1)
    height = float(np.average(strokes.height[chain], weights=np.maximum(lengths, 1e-3)))
    box = _extent(points, turn)
    return _LineShape(Line(tuple(words), _rectangle(points, turn)), turn, height, float((box[1] - box[0])[0]), points)


def _group_lines(lines: list[_LineShape], tables: list[list[int]]) -> list[list[int]]:
    """Indices of the lines of each sign: lines that are near each other, alike in direction, one above the other.

    The lines of a table are one sign wherever they stand.
    """
    count = len(lines)
    owner = list(range(count))
    for table in tables:
        for index in table:
            owner[index] = table[0]
    turns = np.array([line.turn for line in lines])
    heights = np.array([line.height for line in lines])
    for index, line in enumerate(lines):
        if index + 1 == count:
            break
        others = np.arange(index + 1, count)
        similar = np.abs(_turn_between(line.turn, turns[others])) < _LINE_TURN
        ratio = np.minimum(heights[others], line.height) / np.maximum(heights[others], line.height)
        for other in others[similar & (ratio > _LINE_SIZE_RATIO)].tolist():
            if _root(owner, index) != _root(owner, other) and _same_sign(line, lines[other]):
                owner[_root(owner, other)] = _root(owner, index)
    groups: dict[int, list[int]] = {}
    for index in range(count):
        groups.setdefault(_root(owner, index), []).append(index)
    return list(groups.values())


def _same_sign(a: _LineShape, b: _LineShape) -> bool:
    """Whether two lines of like direction stand close enough, above each other or side by side."""
    turn = _mean_turn((a.turn, b.turn), (a.length, b.length))
    (a_low, a_high), (b_low, b_high) = _extent(a.points, turn), _extent(b.points, turn)
    taller, smaller = max(a.height, b.height), min(a.height, b.height)
    space = np.maximum(a_low, b_low) - np.minimum(a_high, b_high)  # (along, across); negative where they overlap
    shorter = max(min(float(a_high[0] - a_low[0]), float(b_high[0] - b_low[0])), 1e-6)
    if -space[0] >= _EXTENT_OVERLAP * shorter:
        return bool(space[1] < min(_LINE_GAP * taller, _LINE_GAP_SMALL * smaller))
    beside = -space[1] >= 0.5 * smaller and smaller / taller > 0.5
    return bool(beside and space[0] < _COLUMN_GAP * taller)


def _sign(lines: list[_LineShape], group: list[int], tables: list[list[int]]) -> tuple[list[_LineShape], Polygon]:
    """The lines `group` of one sign in reading order, each table's as they are in it, and the rectangle around them."""
    turn = _mean_turn((lines[i].turn for i in group), (lines[i].length for i in group))
    in_table = {i for table in tables for i in table}
    blocks = [[i] for i in group if i not in in_table] + tables
    order = _reading_order([_extent(np.concatenate([lines[i].points for i in block]), turn) for block in blocks])
    points = np.concatenate([lines[i].points for i in group])
    return [lines[i] for number in order for i in blocks[number]], _rectangle(points, turn)


def _reading_order(boxes: list[tuple[np.ndarray, np.ndarray]]) -> list[int]:
    """Indices of boxes (low, high in a frame along the text) row by row, each row from left to right.

    A box belongs to the row above it when its middle lies within that row's first box and the other way round.
    """
    remaining = sorted(range(len(boxes)), key=lambda i: (_middle(boxes[i]), round(float(boxes[i][0][0]), 3), i))
    order: list[int] = []
    while remaining:
        top = remaining[0]
        low, high = boxes[top][0][1], boxes[top][1][1]
        row = [
            i
            for i in remaining
            if i == top or (low < _middle(boxes[i]) < high and boxes[i][0][1] < _middle(boxes[top]) < boxes[i][1][1])
        ]
        order += sorted(row, key=lambda i: (round(float(boxes[i][0][0]), 3), _middle(boxes[i]), i))
        remaining = [i for i in remaining if i not in row]
    return order


def _middle(box: tuple[np.ndarray, np.ndarray]) -> float:
    return round(float(box[0][1] + box[1][1]) / 2, 3)


# Geometry ------------------------------------------------------------------------------------------------------------


def _frame(points: np.ndarray, turn: float) -> np.ndarray:
    """(n, 2) points as (along, across) for text that runs in direction `turn`; across grows downwards."""
    cos, sin = math.cos(turn), math.sin(turn)
    return points @ np.array([[cos, -sin], [sin, cos]])


def _unframe(points: np.ndarray, turn: float) -> np.ndarray:
    """The inverse of `_frame`."""
    return _frame(points, -turn)


def _extent(points: np.ndarray, turn: float) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest (along, across) of the points."""
    framed = _frame(points, turn)
    return framed.min(axis=0), framed.max(axis=0)


def _box(polygon: Polygon, turn: float) -> tuple[np.ndarray, np.ndarray]:
    return _extent(np.asarray(polygon, dtype=np.float64), turn)


def _rectangle(points: np.ndarray, turn: float) -> Polygon:
    """The rectangle along `turn` around the points, clockwise from the text's top-left, as plain floats."""
    (left, top), (right, bottom) = _extent(points, turn)
    corners = _unframe(np.array([[left, top], [right, top], [right, bottom], [left, bottom]]), turn)
    return tuple((float(x), float(y)) for x, y in corners)


def _turn_between(a: np.ndarray | float, b: np.ndarray | float) -> np.ndarray:
    """b - a in radians, between -pi and pi."""
    return (np.asarray(b) - np.asarray(a) + math.pi) % (2 * math.pi) - math.pi


def _mean_turn(turns: Iterable[float], weights: Iterable[float]) -> float:
    """Mean direction, each counted by its weight; 0 when they cancel out."""
    angles, sizes = np.array(list(turns)), np.array(list(weights)) + 1e-6
    x, y = float((np.cos(angles) * sizes).sum()), float((np.sin(angles) * sizes).sum())
    return math.atan2(y, x) if math.hypot(x, y) > 1e-3 * float(sizes.sum()) else 0.0


def _root(owner: list[int], index: int) -> int:
    while owner[index] != index:
        owner[index] = owner[owner[index]]
        index = owner[index]
    return index


def _hull(points: np.ndarray) -> np.ndarray:
    """Convex hull of (n, 2) points (Andrew's monotone chain)."""
    ordered = sorted(set(map(tuple, points.tolist())))
    if len(ordered) < 3:
        return np.array(ordered)
    chains = []
    for run in (ordered, ordered[::-1]):
        chain: list[tuple[float, ...]] = []
        for x, y in run:
            while len(chain) > 1 and _cross(chain[-2], chain[-1], (x, y)) <= 0:
                chain.pop()
            chain.append((x, y))
        chains += chain[:-1]
    return np.array(chains)


def _cross(o: tuple[float, ...], a: tuple[float, ...], b: tuple[float, ...]) -> float:
    return (a[0] - o[0]) * (b[1] - o[1]) - (a[1] - o[1]) * (b[0] - o[0])
