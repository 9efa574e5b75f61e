"""All terms that settled rates allow, by exact arithmetic.

The formula (Hyperliquid documentation, trading/funding and HIP-3 deployer actions) before the cap,
with y = 8 / hours * rate, a = m c and b = m I, reads

    y = clip(b, m P - a, m P + a)

A published row says that P and the rate lie within half a unit of their last decimal. The right
side rises with P and is continuous, so a row holds exactly when

    m P_lo - a <= y_hi  and  (b <= y_hi or m P_lo + a <= y_hi)
    m P_hi + a >= y_lo  and  (b >= y_lo or m P_hi - a >= y_lo)

For a given b that is a convex polygon in the plane of (m, a), and it changes only where b passes a
``y_lo`` or ``y_hi``. So the values of b are searched by halving: a range of them is dropped as soon
as its rows that lie surely above or surely below contradict one another. Polygons are cut by the
worst constraint, found in floats, until every vertex satisfies every row; cuts and doubtful
comparisons are made in integers and fractions.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Final, NamedTuple

import numpy as np

from perpkit.arrays import F64, I64

# Rates and premiums are integers of half a unit of 1e-10; times 3, so that 8 / hours is whole too.
PER_ONE: Final = 60_000_000_000
FREE: Final = 10**15  # an upper end that binds nothing
MOST_M: Final = 10  # legal terms: multiplier 0 to 10, clamp 0 to 1, interest -1 to 1
_SURE: Final = 1e-2  # of a unit; floats err by less than 1e-3 of one at legal terms
_EFFORT: Final = 40

Point = tuple[Fraction, Fraction]  # (m, a)
Polygon = list[Point]


class Span(NamedTuple):
    """Lowest and highest possible value."""

    low: Fraction
    high: Fraction

    @property
    def width(self) -> Fraction:
        """How much it leaves open."""
        return self.high - self.low

    def within(self, other: Span) -> bool:
        """Whether the other holds all of it."""
        return other.low <= self.low and self.high <= other.high

    def union(self, other: Span) -> Span:
        """The smallest that holds both."""
        return Span(min(self.low, other.low), max(self.high, other.high))


class Rows(NamedTuple):
    """Ends of what each row allows, in units of 1 / PER_ONE; (R,) int64 each."""

    p_lo: I64
    p_hi: I64
    y_lo: I64
    y_hi: I64

    def take(self, which: I64) -> Rows:
        """Only these rows."""
        return Rows(*(ends[which] for ends in self))


@dataclass(frozen=True, slots=True)
class Feasible:
    """The box around all terms that fit some rows.

    `multiplier`, `clamp_8h`, `interest_8h` and `baseline_8h` (multiplier times interest) are
    fractions, not units. Each span holds every value that some fitting terms have. Its ends are
    such values too, but for the legal limits of the interest, and where `exact` is false.
    """

    multiplier: Span
    clamp_8h: Span
    interest_8h: Span
    baseline_8h: Span
    exact: bool
    inner: tuple[float, float, float]  # m, a, b of one fit, in units


class _Node(NamedTuple):
    """A range of thresholds for b, the polygon that its sure rows leave, and its box."""

    first: int
    last: int
    polygon: Polygon
    box: tuple[Span, Span, Span, Span]


def feasible(
    rows: Rows, within: Feasible | None = None, effort: int = _EFFORT, used: set[int] | None = None
) -> Feasible | None:
    """All terms that fit every row, or None where there are none.

    Parameters
    ----------
    rows : (R,) ends of rows
    within : what some of these rows allow; the search starts from it
    effort : ranges of the baseline to halve before an outer box is good enough
    used : receives the indices of the rows that cut; where None is returned they contradict
        one another

    Returns
    -------
    Feasible or None; None is certain, and so is that a fit exists
    """
    search = _Search(rows, within, set() if used is None else used)
    return search.run(effort)


class _Search:
    """Branch and bound over the baseline b."""

    def __init__(self, rows: Rows, within: Feasible | None, used: set[int]) -> None:
        self.used = used
        self.cuts = _Cuts(rows, used)
        most = MOST_M * PER_ONE
        low, high = -most, most
        m, c = Span(Fraction(0), Fraction(MOST_M)), Span(Fraction(0), Fraction(1))
        if within is not None:
            m, c = within.multiplier, within.clamp_8h
            low = int(within.baseline_8h.low * PER_ONE // 1)
            high = int(-(-within.baseline_8h.high * PER_ONE // 1))
        inner = np.concatenate([rows.y_lo, rows.y_hi])
        inner = inner[(inner > low) & (inner < high)]
        self.b = np.unique(np.concatenate([inner, np.array([low, high], np.int64)]))
        self.polygon = _wedge(m, c)
        self.hint = self._hint(rows)
        self.found: tuple[Span, Span, Span, Span] | None = None
        self.inner = (0.0, 0.0, 0.0)
        self.exact = True

    def _hint(self, rows: Rows) -> tuple[int, int]:
        """Thresholds around the commonest rate, which is often the baseline."""
        values, counts = np.unique(rows.y_lo, return_counts=True)
        y = int(values[np.argmax(counts)])
        width = int((rows.y_hi - rows.y_lo).min())
        first, last = np.searchsorted(self.b, [y - width, y + 2 * width])
        return int(first), int(min(last, len(self.b) - 1))

    def run(self, effort: int) -> Feasible | None:
        """Search until nothing open can widen the box."""
        nodes = self._node(0, len(self.b) - 1, self.polygon)
        while nodes:
            node = nodes.pop(self._next(nodes))
            if self._known(node):
                continue
            if node.first == node.last:
                self._add(node)
            elif effort <= 0 and self.found is not None:
                self._add(node)
                self.exact = False
            else:
                effort -= 1
                cut = self._split(node)
                nodes += self._node(node.first, cut, node.polygon)
                nodes += self._node(cut + 1, node.last, node.polygon)
        if self.found is None:
            return None
        return _legal_box(self.found, self.exact, self.inner)

    def _node(self, first: int, last: int, polygon: Polygon) -> list[_Node]:
        b = Span(Fraction(int(self.b[first])), Fraction(int(self.b[last])))
        polygon = self.cuts.trim(polygon, int(b.low), int(b.high))
        if not polygon:
            return []
        return [_Node(first, last, polygon, _box(polygon, b))]

    def _next(self, nodes: list[_Node]) -> int:
        """Towards a first fit, then towards the ends of b, then what could widen the box most."""
        order = range(len(nodes))
        if self.found is None:
            first, last = self.hint
            return min(order, key=lambda n: (not first <= nodes[n].first <= last, -n))
        lowest = min(order, key=lambda n: nodes[n].first)
        if nodes[lowest].box[3].low < self.found[3].low:
            return lowest
        highest = max(order, key=lambda n: nodes[n].last)
        if nodes[highest].box[3].high > self.found[3].high:
            return highest
        return max(order, key=lambda n: nodes[n].last - nodes[n].first)

    def _known(self, node: _Node) -> bool:
        if self.found is None:
            return False
        return all(new.within(old) for new, old in zip(node.box, self.found, strict=True))

    def _split(self, node: _Node) -> int:
        first, last = self.hint
        if node.first < first <= node.last:
            return first - 1
        if node.first <= last < node.last and node.first >= first:
            return last
        return (node.first + node.last) // 2

    def _add(self, node: _Node) -> None:
        if self.found is None:
            count = len(node.polygon)
            m = float(sum(v[0] for v in node.polygon) / count)
            self.inner = (m, float(sum(v[1] for v in node.polygon) / count), float(node.box[3].low))
            self.found = node.box
            return
        m_, c_, i_, b_ = (old.union(new) for old, new in zip(self.found, node.box, strict=True))
        self.found = (m_, c_, i_, b_)


# --------------------------------------------------------------------------- polygons


def _wedge(m: Span, c: Span) -> Polygon:
    """Where multiplier and clamp lie in two spans."""
    low, high = c.low * PER_ONE, c.high * PER_ONE
    corners = [(m.low, m.low * low), (m.high, m.high * low),
               (m.high, m.high * high), (m.low, m.low * high)]  # fmt: skip
    return list(dict.fromkeys(corners))


def _cut(polygon: Polygon, line: tuple[int, int, int | Fraction]) -> Polygon:
    """What of a convex polygon lies where ``x m + z a <= most``; it may be a segment or a point."""
    x, z, most = line
    over = [x * m + z * a - most for m, a in polygon]
    if all(o <= 0 for o in over):
        return polygon
    kept: Polygon = []
    for n, (point, o) in enumerate(zip(polygon, over, strict=True)):
        before, was = polygon[n - 1], over[n - 1]
        if (o > 0) != (was > 0) and o != 0 and was != 0:
            share = was / (was - o)
            kept.append(
                (
                    before[0] + share * (point[0] - before[0]),
                    before[1] + share * (point[1] - before[1]),
                )
            )
        if o <= 0:
            kept.append(point)
    return list(dict.fromkeys(kept))


def _box(polygon: Polygon, b: Span) -> tuple[Span, Span, Span, Span]:
    """Multiplier, clamp, interest and baseline that a polygon and a range of b allow."""
    m = Span(min(v[0] for v in polygon), max(v[0] for v in polygon))
    ratios = [v[1] / v[0] / PER_ONE for v in polygon if v[0]]
    # Without a multiplier nothing is paid, whatever clamp and interest are.
    c = Span(min(ratios), max(ratios)) if ratios else Span(Fraction(0), Fraction(1))
    if m.low == 0:
        return m, c, Span(Fraction(-1), Fraction(1)), b
    low = b.low / (m.low if b.low < 0 else m.high) / PER_ONE
    high = b.high / (m.low if b.high > 0 else m.high) / PER_ONE
    return m, c, Span(*(max(min(x, Fraction(1)), Fraction(-1)) for x in (low, high))), b


def _legal_box(
    found: tuple[Span, Span, Span, Span], exact: bool, inner: tuple[float, float, float]
) -> Feasible:
    """The box cut to |interest| at most 1, which bounds m from below and b on both sides."""
    m, c, i, b = found
    least = Fraction(0) if b.low <= 0 <= b.high else min(abs(b.low), abs(b.high))
    m = Span(max(m.low, least / PER_ONE), m.high)
    baseline = Span(max(b.low / PER_ONE, -m.high), min(b.high / PER_ONE, m.high))
    return Feasible(m, c, i, baseline, exact, inner)


class _Cuts:
    """The rows as constraints on (m, a): ``slope m + side a <= most``."""

    def __init__(self, rows: Rows, used: set[int]) -> None:
        self.used = used
        count = len(rows.p_lo)
        by_hi = np.argsort(rows.y_hi, kind="stable")
        by_lo = np.argsort(rows.y_lo, kind="stable")
        index = np.arange(count)
        self.y_hi, self.y_lo = rows.y_hi[by_hi], rows.y_lo[by_lo]
        # Every row, both ways; then rows surely below and surely above the baseline.
        self.families = (
            (rows.p_lo, -1, rows.y_hi, index),
            (-rows.p_hi, -1, -rows.y_lo, index),
            (rows.p_lo[by_hi], 1, self.y_hi, by_hi),
            (-rows.p_hi[by_lo], 1, -self.y_lo, by_lo),
        )
        self.floats = [(s.astype(np.float64), most.astype(np.float64))
                       for s, _, most, _ in self.families]  # fmt: skip

    def trim(self, polygon: Polygon, b_low: int, b_high: int) -> Polygon:
        """What of a polygon satisfies every row that binds for all b of a range."""
        below = int(np.searchsorted(self.y_hi, b_low, side="left"))
        above = int(np.searchsorted(self.y_lo, b_high, side="right"))
        parts = [slice(None), slice(None), slice(0, below), slice(above, None)]
        made: set[tuple[int, int]] = set()
        while polygon:
            lines = self._broken(polygon, parts, made)
            if not lines:
                return polygon
            for family, row in lines:
                made.add((family, row))
                slope, side, most, name = self.families[family]
                cut = _cut(polygon, (int(slope[row]), side, int(most[row])))
                if cut != polygon:
                    self.used.add(int(name[row]))
                polygon = cut
        return polygon

    def _broken(
        self, polygon: Polygon, parts: list[slice], made: set[tuple[int, int]]
    ) -> list[tuple[int, int]]:
        """The worst broken constraint of each family at each vertex, else any that is broken."""
        m = np.array([float(v[0]) for v in polygon])[:, None]
        a = np.array([float(v[1]) for v in polygon])[:, None]
        sure: dict[tuple[int, int], None] = {}
        doubtful: list[tuple[int, int, int]] = []
        for family, part in enumerate(parts):
            slope, most = self.floats[family]
            over: F64 = m * slope[part] + (self.families[family][1] * a - most[part])
            if not over.shape[1]:
                continue
            first = part.start or 0
            worst = np.argmax(over, axis=1)
            for vertex, row in enumerate(worst):
                if over[vertex, row] > _SURE:
                    sure[family, first + int(row)] = None
            if not sure:
                at = np.nonzero(over > -_SURE)
                doubtful += [(int(v), family, first + int(r)) for v, r in zip(*at, strict=True)]
        if sure:
            return list(sure)
        for vertex, family, row in doubtful:
            if (family, row) in made:
                continue
            slope_, side, most_, _ = self.families[family]
            m_, a_ = polygon[vertex]
            if int(slope_[row]) * m_ + side * a_ > int(most_[row]):
                return [(family, row)]
        return []
