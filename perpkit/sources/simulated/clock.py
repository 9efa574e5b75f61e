"""The hours of a scenario, and the random streams of what happens in them."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import polars as pl

from perpkit.arrays import B8, F64, I64
from perpkit.sources.simulated.scenario import Gap, Scenario
from perpkit.units import HOUR_NS, to_ns

NEW_YORK: Final = "America/New_York"

# Share of a day's variance by the New York hour at which a row ends, 1 to 24: assumed, cash session
# three quarters of it with the usual smile, overnight 6%.
DAY_SHARE: Final = np.array(
    [0.0075] * 4
    + [0.015, 0.015, 0.015, 0.02, 0.04]
    + [0.20, 0.12, 0.08, 0.07, 0.07, 0.09, 0.12]
    + [0.05, 0.02, 0.0075, 0.0075]
    + [0.0075] * 4
)


class Calendar(NamedTuple):
    """The clock of a scenario, one entry a row.

    Attributes
    ----------
    time_ns : (T,) int64
    is_open : (T,) bool
        Sunday to Friday 20:00 New York.
    et_hour : (T,) int64
        New York hour of the row, 0 to 23.
    hours_to_reopen : (T,) float64
        0 when open.
    spell : (T,) int64
        Which closed spell the row lies in, from 0; -1 when open.
    """

    time_ns: I64
    is_open: B8
    et_hour: I64
    hours_to_reopen: F64
    spell: I64


def calendar(scenario: Scenario) -> Calendar:
    """List the hours of a scenario and where the US week stands in each."""
    start_ns, end_ns = to_ns(scenario.start), to_ns(scenario.end)
    time_ns = start_ns + HOUR_NS * np.arange((end_ns - start_ns) // HOUR_NS + 1, dtype=np.int64)
    beyond = time_ns[-1] + HOUR_NS * np.arange(1, 72, dtype=np.int64)  # past the next Sunday
    local = _new_york(np.concatenate([time_ns, beyond]))
    et_hour = local.dt.hour().cast(pl.Int64).to_numpy()
    # A week without holidays: the fictional stocks have none.
    since_monday = (local.dt.weekday().cast(pl.Int64).to_numpy() - 1) * 24 + et_hour
    closed = (since_monday >= 4 * 24 + 20) & (since_monday < 6 * 24 + 20)
    rows = np.arange(len(closed))
    opens = np.minimum.accumulate(np.where(closed, len(rows), rows)[::-1])[::-1]
    hours_to_reopen = (opens - rows)[: len(time_ns)].astype(np.float64)
    et_hour, is_open = et_hour[: len(time_ns)], ~closed[: len(time_ns)]
    begins = ~is_open & np.concatenate(([True], is_open[:-1]))
    spell = np.where(is_open, -1, np.cumsum(begins) - 1)
    return Calendar(time_ns, is_open, et_hour, hours_to_reopen, spell)


def _new_york(time_ns: I64) -> pl.Series:
    moments = pl.Series(time_ns // 1_000_000).cast(pl.Datetime("ms", "UTC"))
    return moments.dt.convert_time_zone(NEW_YORK)


def datetimes(clock: Calendar) -> pl.Series:
    """The ``time`` column of one instrument."""
    return pl.Series(clock.time_ns // 1_000_000).cast(pl.Datetime("ms", "UTC"))


def gap_row(clock: Calendar, gap: Gap) -> int:
    """Find the last open row before the weekend of a gap's Friday."""
    day_end = to_ns(gap.day) + 24 * HOUR_NS
    after = int(np.searchsorted(clock.time_ns, day_end))
    return after + int(np.argmin(clock.is_open[after:])) - 1


def draws(scenario: Scenario, *stream: int) -> np.random.Generator:
    """Give each purpose a stream of its own, so that a change in one moves no other."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([scenario.seed, *stream])))


def autoregressive(noise: F64, phi: float) -> F64:
    """Unit-variance AR(1) of unit noise. Shape kept, (T,).

    >>> autoregressive(np.array([1.0, 0.0]), 0.5)
    array([1. , 0.5])
    """
    out = np.empty_like(noise)
    last = float(noise[0])
    fresh = (1.0 - phi * phi) ** 0.5
    out[0] = last
    for t in range(1, noise.size):
        last = phi * last + fresh * float(noise[t])
        out[t] = last
    return out


def rounded(values: F64, digits: int) -> F64:
    """Round what is stored: what a machine's exp and log do in the last bit must not show."""
    out: F64 = np.round(values, digits)
    return out
