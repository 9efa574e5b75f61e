"""The worst of a run: its deepest fall, and what was closed by force."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import polars as pl

from perpkit.metrics.drawdown import drawdowns
from perpkit.report.chart import numbers, times
from perpkit.report.reading import Run
from perpkit.report.said import between, instant

# Events in which a position or an account was closed, in part or whole, without the strategy.
FORCED: Final = ("liquidation", "backstop", "partial", "adl", "venue_failed", "bad_debt")


class Fall(NamedTuple):
    """The drawdown that goes deepest: its rows of the equity frame."""

    frac: float  # < 0
    peak: int
    lowest: int
    regained: int | None  # None: not by the end
    time_ms: np.ndarray[tuple[int], np.dtype[np.int64]]

    @property
    def lowest_at(self) -> str:
        """When it was deepest."""
        return instant(self.time_ms[self.lowest])

    def told(self) -> str:
        """When it was deepest, and how long it lasted."""
        end = len(self.time_ms) - 1 if self.regained is None else self.regained
        spell = between(self.time_ms[self.peak], self.time_ms[end])
        until = ", not regained" if self.regained is None else " until regained"
        return f"lowest {self.lowest_at}; {spell} from the peak{until}"


def fall(run: Run) -> Fall | None:
    """The deepest drawdown of equity; None where equity never fell below its peak."""
    frame = run.frames["equity"]
    equity = numbers(frame["equity_usd"])
    depth = drawdowns(equity)
    lowest = int(np.argmin(depth))
    if not depth[lowest] < 0.0:
        return None
    peak = int(np.flatnonzero(depth[:lowest] == 0.0)[-1])
    after = np.flatnonzero(depth[lowest:] == 0.0)
    regained = lowest + int(after[0]) if after.size else None
    return Fall(float(depth[lowest]), peak, lowest, regained, times(frame["time"]))


def forced(run: Run) -> pl.DataFrame:
    """Events in which something was closed by force, in their order."""
    events = run.frames["events"]
    return events.filter(pl.col("kind").cast(pl.String).is_in(FORCED))
