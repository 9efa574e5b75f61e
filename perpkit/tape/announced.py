"""What is announced of an underlying, laid on the clock: its next dividend, its next report.

An hour knows what was announced by then and nothing else. An action whose row does not say when it
was announced is never told: it is known when it takes effect, and is past then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

import numpy as np
import polars as pl

from perpkit.arrays import F64, I64, Phase, Tape
from perpkit.dataset import Dataset
from perpkit.dataset.schema import EARNINGS
from perpkit.tape.instruments import Instruments
from perpkit.tape.splits import priced_from
from perpkit.units import HOUR_NS, to_ns

DIVIDEND: Final = "dividend"
SPLIT: Final = "split"


class Ahead(NamedTuple):
    """One thing to come, as it is laid."""

    underlying: int
    kind: str
    due_ns: int  # the full hour from its time on, which is counted down to
    first: int  # row from which it is known
    last: int  # row in which it takes effect, and is no longer to come
    row: dict[str, Any]  # of the dataset's table


def ahead_of(dataset: Dataset, tape: Tape, names: Instruments) -> Iterator[Ahead]:
    """Dividends and reports that a row of the run knows of, by time."""
    time_ns = tape.time_ns
    for row in dataset.actions.sort("time", "kind").to_dicts():
        kind, underlying = str(row["kind"]), str(row["underlying"])
        if kind not in (DIVIDEND, EARNINGS) or underlying not in names.underlyings:
            continue
        u, at_ns = names.underlyings.index(underlying), to_ns(row["time"])
        due_ns = -(-at_ns // HOUR_NS) * HOUR_NS
        effective = int(np.searchsorted(time_ns, at_ns, side="left"))
        if kind == DIVIDEND:
            effective = priced_from(effective, tape.phase[:, u] == Phase.CLOSED)
        if at_ns > time_ns[0] and row["announced"] is not None:
            known = int(np.searchsorted(time_ns, to_ns(row["announced"]), side="left"))
            if known < effective:
                yield Ahead(u, kind, due_ns, known, effective, row)


def lay_announced(
    tape: Tape,
    dataset: Dataset,
    names: Instruments,
    pair_usd: Callable[[int, dict[str, Any]], float],
) -> None:
    """Fill the tape's columns of what is to come; its clock and its phases are laid already.

    Parameters
    ----------
    tape : its columns hold inf, and 0 USD
    pair_usd : what a dividend brings a pair of a perp ``m``, USD a unit; NaN where unknown
    """
    for one in ahead_of(dataset, tape, names):
        rows = slice(one.first, one.last)
        hours = _hours_to(one, tape, rows)
        if one.kind == EARNINGS:
            column = tape.hours_to_earnings[rows, one.underlying]
            np.minimum(column, hours, out=column)
            continue
        column = tape.hours_to_ex_dividend[rows, one.underlying]
        nearer, same = hours < column, hours == column
        shares = _shares_at(one, dataset, tape.time_ns[rows])
        for m in np.flatnonzero(names.perp_underlying == one.underlying).tolist():
            usd, told = pair_usd(m, one.row) * shares, tape.pair_dividend_usd[rows, m]
            told[:] = np.where(nearer, usd, np.where(same, told + usd, told))
        np.minimum(column, hours, out=column)


def _shares_at(one: Ahead, dataset: Dataset, time_ns: I64) -> F64:
    """What a share of each hour is when the dividend is paid: a dividend is told of a share then.

    A split before it, announced or not, changes the number written down for the dividend and what
    a share of today has of it not at all: it is the announced amount that is shown.
    """
    made = np.ones(len(time_ns))
    for row in dataset.actions.filter(pl.col("kind") == SPLIT).to_dicts():
        at_ns = to_ns(row["time"])
        if str(row["underlying"]) == str(one.row["underlying"]) and at_ns <= to_ns(one.row["time"]):
            made[time_ns < at_ns] *= float(row["amount"])
    return made


def _hours_to(one: Ahead, tape: Tape, rows: slice) -> F64:
    """Hours to it, 0 from its hour until the one in which it takes effect."""
    hours: F64 = np.maximum((one.due_ns - tape.time_ns[rows]) / HOUR_NS, 0.0)
    return hours
