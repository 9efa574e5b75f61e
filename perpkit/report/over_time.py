"""How a run went: equity, drawdown, funding and margin as small charts over the same hours."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import polars as pl
from rich.text import Text

from perpkit.arrays import F64
from perpkit.metrics.drawdown import drawdowns
from perpkit.report.spark import LEAST, Shown, draw, extremes, finite, height, hits, thinned
from perpkit.result import Result

_LABEL = 14  # columns of a label and its margin
_DATES = 22  # columns that the first and the last day take
_CLOSED = ("liquidation", "partial", "backstop")


class Series(NamedTuple):
    """One chart.

    Attributes
    ----------
    style : how it is coloured, so that one chart is told from the next
    label, note : what it shows, and in which unit
    values : (T,) one an hour
    text : a value as it is written beside the chart
    rows : height of the chart
    scale : values at the foot and the top
    shown : which of a column's hours
    still : what is said where no value is other than 0
    """

    style: str
    label: str
    note: str
    values: F64
    text: Callable[[float], str]
    rows: int
    scale: tuple[float, float]
    shown: Shown
    still: str


def usd(value: float) -> str:
    """Dollars as short as a chart's margin wants them.

    >>> usd(102464.9), usd(-2_500_000.0), usd(3.2e12)
    ('102,464.90', '-2,500,000', '3.2e+12')
    """
    if abs(value) >= 1e9:
        return f"{value:.3g}"
    return f"{value:,.2f}" if abs(value) < 1e6 else f"{value:,.0f}"


def _frac(value: float) -> str:
    return f"{value + 0.0:.2%}"


def _ratio(value: float) -> str:
    return f"{value + 0.0:.2f}"


def series_of(result: Result) -> list[Series]:
    """What is charted of a result; all of it (T,), T the hours of the frame ``equity``."""
    frame = result.frames["equity"]
    equity = frame["equity_usd"].to_numpy()
    funding = frame["funding_usd"].to_numpy().cumsum()
    depth, ratio = drawdowns(equity), margin_ratio(frame, result.frames["events"])
    of_funding = finite(np.append(funding, 0.0))
    no_fall, no_flow = "never below an earlier peak", "none was paid or received"
    idle = "no position needed margin"
    deep = 0.0, finite(depth)[0]  # the deeper the higher
    return [
        Series("cyan", "Equity", "USD", equity, usd, 3, finite(equity), "far", ""),
        Series("yellow", "Drawdown", "from peak", depth, _frac, 2, deep, "low", no_fall),
        Series("cyan", "Funding", "USD, summed", funding, usd, 3, of_funding, "far", no_flow),
        Series("yellow", "Margin ratio", "full at 1", ratio, _ratio, 2, (0.0, 1.0), "high", idle),
    ]


def margin_ratio(equity: pl.DataFrame, events: pl.DataFrame) -> F64:
    """(T,) margin ratio of the worst account: 0 is without positions, 1 is liquidation.

    Rows are written after the close, so that the ratio which caused it stands in none of them: in
    an hour of a forced close it is 1 at least.
    """
    ratio: F64 = equity["margin_ratio"].to_numpy().copy()
    forced = events.filter(pl.col("kind").cast(pl.String).is_in(_CLOSED))["time"]
    time_ms, at_ms = (x.dt.epoch("ms").to_numpy() for x in (equity["time"], forced))
    rows = hits(time_ms, at_ms)
    ratio[rows] = np.fmax(ratio[rows], 1.0)
    return ratio


# --------------------------------------------------------------------------- lines


def over_time(result: Result, width: int, marks: str) -> Iterator[Text]:
    """The charts as lines of at most `width` columns, one line for what never moved.

    Beside a chart stand its highest and its lowest value, and the last one at its height.
    """
    charts = series_of(result)
    ends = [extremes(one.values) for one in charts]
    told = [[one.text(value) for value in end] for one, end in zip(charts, ends, strict=True)]
    left = max(len("range"), *(len(text) for row in told for text in row[:2]))
    right = max(len(row[2]) for row in told)
    columns = max(LEAST, width - _LABEL - left - right - 4)
    yield _head(result, left, columns, right)
    for one, end, texts in zip(charts, ends, told, strict=True):
        if end[0] == end[1] or math.isnan(end[0]):
            yield _label(one.label).append(f" {_unmoved(one, end[0], texts[0])}")
        else:
            yield from _chart(one, end, (left, columns), marks)


def _head(result: Result, left: int, columns: int, right: int) -> Text:
    first, last = result.manifest["span"]
    days = f"{first[:10]} to {last[:10]}" if columns < _DATES else ""
    line = Text().append("Over time".ljust(_LABEL), "bold")
    if days:
        return line.append(days, "dim")
    if columns < len(first) + len(last) + 2:
        first, last = first[:10], last[:10]
    dates = f"{first}{last:>{columns - len(first)}}"
    return line.append(f"{'range':>{left}}  {dates}  {'last':>{right}}", "dim")


def _label(text: str) -> Text:
    return Text().append(f"  {text:<{_LABEL - 2}}", "dim")


def _unmoved(one: Series, value: float, text: str) -> str:
    """What is said in place of a chart that would be one flat line."""
    if math.isnan(value):
        return "n/a in every hour"
    return one.still if value == 0.0 and one.still else f"{text} in every hour"


def _chart(
    one: Series, end: tuple[float, float, float], wide: tuple[int, int], marks: str
) -> Iterator[Text]:
    least, most, last = end
    left, columns = wide
    if one.scale[0] > one.scale[1]:
        least, most = most, least
    row = (height(last, one.scale, one.rows * len(marks)) - 1) // len(marks)
    beside = {0: most, one.rows - 1: least}
    drawn = draw(thinned(one.values, columns, one.shown), one.scale, marks, one.rows)
    for n, text in enumerate(drawn):
        line = _label((one.label, one.note)[n] if n < 2 else "")
        line.append(f"{one.text(beside[n]) if n in beside else '':>{left}}  ")
        line.append(text, one.style)
        line.append(f"  {one.text(last)}" if n == one.rows - 1 - row else "", "bold")
        line.rstrip()
        yield line
