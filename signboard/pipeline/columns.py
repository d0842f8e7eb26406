"""Boards of several columns: which pieces of text are its cells, and whether it is read down or across.

Rows that stand level and columns that begin, end or are centred below one another make a table, however far apart its
columns are. A column of figures belongs to the names beside it, so such a table is read row by row; columns of words
alone are read one after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np

# All lengths are in heights of the taller of the texts compared.
_ALIGNED = 0.6  # how far the edges or the middles of a column's cells may lie apart ...
_ALIGNED_TIGHT = 0.35  # ... and the left or right edges where the columns are no further apart than words
_TIGHT = 1.5
_GUTTER = 0.6  # least free space between two columns
_FAR = 30.0  # most, for three rows or more ...
_FAR_TWO = 12.0  # ... and for two
_PITCH = 6.0  # from a row's middle to that of the next, at most ...
_PITCH_TWO = 3.5  # ... in tables of two rows
_SIZE_RATIO = 0.5  # heads are larger than what stands below them
_MORE_ROWS = 1.6  # a cell without a neighbour belongs to its column at up to so many row distances from the table
_FIGURES = 0.6  # of a column's cells hold figures: it is one of figures


@dataclass(frozen=True, slots=True)
class Piece:
    """Words that stand close together on a line, in a frame along the text: x along it, y down.

    Attributes:
        low, high: (x, y) of the box around it, pixels.
        height: pixels, of the text.
        text: what it says.
        starts, ends: x where each of its words begins and ends.
    """

    low: tuple[float, float]
    high: tuple[float, float]
    height: float
    text: str
    starts: tuple[float, ...]
    ends: tuple[float, ...]

    @property
    def middle(self) -> float:
        """y halfway down."""
        return (self.low[1] + self.high[1]) / 2

    def part(self, begin: int, end: int) -> Piece:
        """Its words from `begin` up to `end` (excluded) as a piece."""
        words = self.text.split(" ")
        text = " ".join(words[begin:end]) if len(words) == len(self.starts) else self.text
        low, high = (min(self.starts[begin:end]), self.low[1]), (max(self.ends[begin:end]), self.high[1])
        return Piece(low, high, self.height, text, self.starts[begin:end], self.ends[begin:end])


class Part(NamedTuple):
    """Words from `begin` up to `end` (excluded) of the piece `piece`."""

    piece: int
    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class Table:
    """Lines of a board of columns, in reading order: each the parts that stand on it, from left to right.

    `across`: each line is a whole row of the table; else the lines of a column follow each other.
    """

    lines: tuple[tuple[Part, ...], ...]
    across: bool


def tables(pieces: Sequence[Piece]) -> list[Table]:
    """The tables among pieces of text of one direction. No piece is in two; most photos have none.

    The result depends on what the pieces are, not on their order, as long as no two are the same.
    """
    pairs = _beside(pieces)
    if len(pairs) < 2:
        return []
    found = []
    taken: set[int] = set()
    for columns in sorted(_columns(pieces, pairs), key=lambda columns: -sum(map(len, columns))):
        columns = [[i for i in column if i not in taken] for column in columns]
        if all(len(column) > 1 for column in columns):
            cells = _adopted(pieces, columns, taken)
            taken |= {part.piece for column in cells for part in column}
            found.append(_table(pieces, cells))
    return found


# Pairs and columns ---------------------------------------------------------------------------------------------------


def _beside(pieces: Sequence[Piece]) -> list[tuple[int, int]]:
    """(piece, the next one to its right on its row), only where each is the other's nearest."""
    if len(pieces) < 4:
        return []
    low, high = np.array([p.low for p in pieces]), np.array([p.high for p in pieces])
    height = np.array([p.height for p in pieces])
    middle = (low[:, 1] + high[:, 1]) / 2
    after = np.full(len(pieces), -1)
    before = np.full(len(pieces), -1)
    right, left = np.full(len(pieces), np.inf), np.full(len(pieces), np.inf)
    for i in range(len(pieces)):
        taller = np.maximum(height, height[i])
        level = (np.abs(middle - middle[i]) < 0.5 * taller) & (middle > low[i, 1]) & (middle < high[i, 1])
        level &= (low[:, 1] < middle[i]) & (middle[i] < high[:, 1])
        gap = low[:, 0] - high[i, 0]
        ok = level & (gap > -0.3 * taller)
        ok[i] = False
        for j in np.flatnonzero(ok).tolist():
            if gap[j] < right[i]:
                right[i], after[i] = gap[j], j
            if gap[j] < left[j]:
                left[j], before[j] = gap[j], i
    return [
        (i, int(j))
        for i, j in enumerate(after.tolist())
        if j >= 0
        and before[j] == i
        and min(height[i], height[j]) > _SIZE_RATIO * max(height[i], height[j])
        and right[i] < _FAR * max(height[i], height[j])
    ]


def _columns(pieces: Sequence[Piece], pairs: list[tuple[int, int]]) -> list[list[list[int]]]:
    """For each table its columns from left to right, each the pieces in it from top to bottom."""
    column = list(range(len(pieces)))  # union-find: pieces of one column
    agreeing: list[tuple[tuple[int, int], tuple[int, int]]] = []
    ordered = sorted(pairs, key=lambda pair: pieces[pair[0]].middle)
    for index, upper in enumerate(ordered):
        for lower in ordered[index + 1 :]:
            if pieces[lower[0]].middle - pieces[upper[0]].middle > _PITCH * _tallest(pieces, (*upper, *lower)):
                break
            if _agree(pieces, upper, lower):
                agreeing.append((upper, lower))
    for upper, lower in agreeing:
        for a, b in zip(upper, lower, strict=True):
            _join(column, a, b)
    # A column's neighbour to the right: tables are chains of columns.
    table = list(range(len(pieces)))
    linked = {pair for both in agreeing for pair in both}
    for i, j in linked:
        _join(table, _root(column, i), _root(column, j))
    members: dict[int, dict[int, set[int]]] = {}
    for i in sorted({piece for pair in linked for piece in pair}):
        root = _root(column, i)
        members.setdefault(_root(table, root), {}).setdefault(root, set()).add(i)
    found = []
    for parts in members.values():
        columns = [sorted(part, key=lambda i: (pieces[i].middle, i)) for part in parts.values()]
        columns.sort(key=lambda part: float(np.median([pieces[i].low[0] for i in part])))
        if _is_table(pieces, columns):
            found.append(columns)
    return found


def _agree(pieces: Sequence[Piece], upper: tuple[int, int], lower: tuple[int, int]) -> bool:
    """Whether two pairs are rows of one table: their cells stand below one another, with a gutter between them."""
    (a, b), (c, d) = [[pieces[i] for i in pair] for pair in (upper, lower)]
    tall = max(a.height, b.height, c.height, d.height)
    gutter = (max(a.high[0], c.high[0]), min(b.low[0], d.low[0]))
    if gutter[1] - gutter[0] < _GUTTER * min(tall, max(c.height, d.height)):
        return False
    if c.middle - a.middle < 0.6 * tall or not (_alike(a, c) and _alike(b, d)):
        return False
    if gutter[1] - gutter[0] < _TIGHT * tall:
        if min(_edges(b, d)) > _ALIGNED_TIGHT * tall or abs(a.low[0] - c.low[0]) > _ALIGNED_TIGHT * tall:
            return False
    elif _off(a, c) > _ALIGNED * tall or _off(b, d) > _ALIGNED * tall:
        return False
    # No headline between them that runs over both columns.
    return not any(
        a.middle + 0.5 * tall < p.middle < c.middle - 0.5 * tall and p.low[0] < gutter[0] and p.high[0] > gutter[1]
        for p in pieces
    )


def _alike(a: Piece, b: Piece) -> bool:
    return min(a.height, b.height) > _SIZE_RATIO * max(a.height, b.height)


def _edges(a: Piece, b: Piece) -> tuple[float, float]:
    return abs(a.low[0] - b.low[0]), abs(a.high[0] - b.high[0])


def _off(a: Piece, b: Piece) -> float:
    """How far two cells of a column are out of line, by the edge or the middle that fits best."""
    return min(*_edges(a, b), abs(a.low[0] + a.high[0] - b.low[0] - b.high[0]) / 2)


def _is_table(pieces: Sequence[Piece], columns: list[list[int]]) -> bool:
    if len(columns) < 2 or min(map(len, columns)) < 2:
        return False
    rows = min(len(column) for column in columns) + len(columns) - 2  # three columns show as much as three rows
    tall = float(np.median([pieces[i].height for column in columns for i in column]))
    gutters = [
        min(pieces[i].low[0] for i in right) - max(pieces[i].high[0] for i in left) for left, right in pairwise(columns)
    ]
    if min(gutters) < 0:
        return False
    tight = min(gutters) < _TIGHT * tall
    if rows == 2:
        pitch = max(pieces[column[1]].middle - pieces[column[0]].middle for column in columns)
        return not tight and max(gutters) < _FAR_TWO * tall and pitch < _PITCH_TWO * tall
    # Letters far apart stand below one another by chance.
    return not tight or all(np.median([len(pieces[i].text) for i in column]) > 1 for column in columns)


# Cells ---------------------------------------------------------------------------------------------------------------


def _adopted(pieces: Sequence[Piece], columns: list[list[int]], taken: set[int]) -> list[list[Part]]:
    """The cells of each column, with those that have no neighbour, or run into it.

    Columns end at different heights, but begin at the same; what stands above them is a title.
    """
    cells = [[_whole(pieces, i) for i in column] for column in columns]
    members = {i for column in columns for i in column}
    middles = sorted(pieces[i].middle for i in members)
    tall = float(np.median([pieces[i].height for i in members]))
    steps = [b - a for a, b in pairwise(middles) if b - a > 0.6 * tall]
    pitch = float(np.median(steps)) if steps else 2 * tall
    top, bottom = middles[0], middles[-1]
    waiting = [i for i in range(len(pieces)) if i not in members and i not in taken]
    grown = True
    while grown:
        grown = False
        for i in list(waiting):
            piece = pieces[i]
            if not top - 0.5 * tall < piece.middle < bottom + _MORE_ROWS * pitch:
                continue
            if not _SIZE_RATIO * tall < piece.height < tall / _SIZE_RATIO:
                continue
            parts = _fit(pieces, i, columns, tall, inside=piece.middle < bottom + 0.5 * tall)
            if parts is not None:
                for column, part in parts:
                    cells[column].append(part)
                waiting.remove(i)
                bottom, grown = max(bottom, piece.middle), True
    return cells


def _fit(
    pieces: Sequence[Piece], i: int, columns: list[list[int]], tall: float, *, inside: bool
) -> list[tuple[int, Part]] | None:
    """(column, part) of the piece `i`, which is no member yet; None where it does not fit.

    `inside`: it is on the table's own height, where a piece may also be two cells that nearly touch.
    """
    piece = pieces[i]
    left = [min(pieces[k].low[0] for k in column) for column in columns]
    right = [max(pieces[k].high[0] for k in column) for column in columns]
    aligned = [min(_off(piece, pieces[k]) for k in column) <= _ALIGNED * tall for column in columns]
    for c in range(len(columns)):
        free_left = c == 0 or piece.low[0] > right[c - 1]
        free_right = c + 1 == len(columns) or piece.high[0] < left[c + 1]
        within = left[c] - _ALIGNED * tall <= piece.low[0] and piece.high[0] <= right[c] + _ALIGNED * tall
        if free_left and free_right and (aligned[c] or (inside and within)):
            return [(c, _whole(pieces, i))]
    if not inside or len(piece.starts) < 2:
        return None
    for c in range(len(columns) - 1):
        if piece.low[0] < left[c] - _ALIGNED * tall or piece.high[0] > right[c + 1] + _ALIGNED * tall:
            continue
        for k in range(1, len(piece.starts)):
            second = piece.part(k, len(piece.starts))
            off = min(min(_edges(second, pieces[m])) for m in columns[c + 1])
            if off <= _ALIGNED_TIGHT * tall and second.low[0] > right[c] - 3 * tall:
                return [(c, Part(i, 0, k)), (c + 1, Part(i, k, len(piece.starts)))]
    return None


def _whole(pieces: Sequence[Piece], i: int) -> Part:
    return Part(i, 0, len(pieces[i].starts))


# Reading order -------------------------------------------------------------------------------------------------------


def _table(pieces: Sequence[Piece], cells: list[list[Part]]) -> Table:
    figures = [_share(pieces, column, _is_figure) >= _FIGURES for column in cells]
    bare = any(_share(pieces, column, _is_number) >= _FIGURES for column in cells)
    blocks = _blocks(cells, figures, bare)
    lines = [line for block in blocks for line in _rows(pieces, [part for column in block for part in column])]
    return Table(tuple(lines), len(blocks) == 1)


def _blocks(cells: list[list[Part]], figures: list[bool], bare: bool) -> list[list[list[Part]]]:
    """Columns that are read together, row by row: all of them, or name and figure twice, or each on its own.

    `bare`: whether one of the columns holds mostly digits; two of Ward 1, Ward 2 are names.
    """
    if not any(figures) or (all(figures) and not bare):
        return [[column] for column in cells]
    count = len(cells)
    if count > 2 and count % 2 == 0 and figures in ([False, True] * (count // 2), [True, False] * (count // 2)):
        return [cells[k : k + 2] for k in range(0, count, 2)]
    return [cells]


def _share(pieces: Sequence[Piece], column: list[Part], of: Callable[[str], bool]) -> float:
    """The share of a column's cells whose text is such."""
    return sum(of(pieces[part.piece].part(part.begin, part.end).text) for part in column) / len(column)


def _is_figure(text: str) -> bool:
    """Whether it is a figure with little beside it: 101, Rs 50, 10 AM - 5 PM, B-204."""
    digits = sum(c.isdecimal() for c in text)
    letters = sum(c.isalpha() for c in text)
    return digits > 0 and letters <= max(6, 2 * digits)


def _is_number(text: str) -> bool:
    return 2 * sum(c.isdecimal() for c in text) >= sum(c.isalnum() for c in text) > 0


def _rows(pieces: Sequence[Piece], parts: list[Part]) -> list[tuple[Part, ...]]:
    """Parts row by row, from left to right."""
    boxes = {part: pieces[part.piece].part(part.begin, part.end) for part in parts}
    rows: list[list[Part]] = []
    for part in sorted(parts, key=lambda part: (boxes[part].middle, boxes[part].low[0], part)):
        box = boxes[part]
        for row in rows[-2:]:
            level = float(np.mean([boxes[other].middle for other in row]))
            if abs(box.middle - level) < 0.5 * max(box.height, *(boxes[other].height for other in row), 0.0):
                row.append(part)
                break
        else:
            rows.append([part])
    return [tuple(sorted(row, key=lambda part: (boxes[part].low[0], part))) for row in rows]


def _tallest(pieces: Sequence[Piece], which: Sequence[int]) -> float:
    return max(pieces[i].height for i in which)


def _root(owner: list[int], index: int) -> int:
    while owner[index] != index:
        owner[index] = owner[owner[index]]
        index = owner[index]
    return index


def _join(owner: list[int], a: int, b: int) -> None:
    owner[_root(owner, a)] = _root(owner, b)


__all__ = ["Part", "Piece", "Table", "tables"]
