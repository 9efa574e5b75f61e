"""Where a split shows in recorded prices and multipliers, and what is restated there.

The announced time of a split is when tokens stop; the hour in which a perp, or a token's recorded
multiplier, changes its units is the one in which its numbers do.
"""

from __future__ import annotations

import math

import numpy as np

from perpkit.arrays import B8, F64, I64, Action, Tape
from perpkit.dataset import Dataset
from perpkit.errors import DataError
from perpkit.tape.prices import Prices
from perpkit.units import HOUR_NS, stamp

# From the stage before a split to the one after it lie at most two days (Chainlink's guide to
# tokenized equities, schema v10: T-2 to T+2), and a weekend may lie between.
REACH_HOURS = 96
# A stock dividend of less than 1 for 2 cannot be told from a move of the price.
CLEAR = math.log(1.5)


def jump(px: F64, ratio: float, rows: range) -> int | None:
    """First of some rows at which a price moves more like a split than like a price; None for none.

    >>> jump(np.array([100.0, 99.0, 9.8]), 10.0, range(1, 3))
    2
    """
    want = -math.log(ratio)
    for t in rows:
        with np.errstate(all="ignore"):
            step = float(np.log(px[t] / px[t - 1])) if t > 0 else math.nan
        if abs(step - want) < abs(step):
            return t
    return None


def perp_row(px: F64, ratio: float, at: int, time_ns: I64, what: str) -> int:
    """Row at which a perp's prices are in new units, the number of rows where none is.

    Parameters
    ----------
    px : (T,) its recorded prices
    at : first row at or after the split's time
    what : the perp, for the sentence

    Raises
    ------
    DataError
        If its prices do not change units within the reach of a split.
    """
    if abs(math.log(ratio)) < CLEAR:
        return at
    end = min(at + REACH_HOURS, len(px))
    found = jump(px, ratio, range(at, end))
    if found is None and end == at + REACH_HOURS:
        raise DataError(
            f"actions.parquet: the prices of {what} do not change by a split of {ratio:g} within "
            f"{REACH_HOURS} hours of {stamp(int(time_ns[at]))}; correct its time (the last hour in "
            "old units, or later) or its amount, or record prices as the venue had them, unadjusted"
        )
    return len(px) if found is None else found


def align(multiplier: F64, ratio: float, at: int, row: int, what: str) -> None:
    """Let a recorded multiplier change where the price it is multiplied by does.

    Between the two price x multiplier would be wrong by the split, in either order.

    Raises
    ------
    DataError
        If the multiplier shows no such change.
    """
    near = range(max(at - REACH_HOURS, 1), min(at + REACH_HOURS, len(multiplier)))
    found = jump(1.0 / multiplier, ratio, near)
    if found is None and row < len(multiplier):
        raise DataError(
            f"tokens.parquet: the multiplier of {what} does not change by its split of {ratio:g}; "
            "record it from the split on, or leave the column out: it is then formed"
        )
    if found is not None and found < row:
        multiplier[found:row] /= ratio
    elif found is not None:
        multiplier[row:found] *= ratio


def rows_of(hours: float, row: int, time_ns: I64) -> int:
    """First row so many hours after another; the number of rows where there is none."""
    after = int(time_ns[row]) + math.ceil(hours * HOUR_NS) if row < len(time_ns) else 0
    return int(np.searchsorted(time_ns, after, side="left")) if after else len(time_ns)


def recorded_px(dataset: Dataset, prices: Prices) -> tuple[F64, F64]:
    """(T, M) recorded prices that show a split, and those of the underlying."""
    if dataset.prices == "external":
        return prices.external_px, prices.external_px
    return prices.mark_px, prices.oracle_px


def restated_before(tape: Tape) -> tuple[F64, F64]:
    """Marks and fair prices of the hour before in the units of each hour, (T, M) and (T, K)."""
    mark = np.vstack([tape.mark_px[:1], tape.mark_px[:-1]])
    fair = np.vstack([tape.fair_px[:1], tape.fair_px[:-1]])
    perps = mark.shape[1]
    of_units = tape.action_kind != Action.CASH
    for n in np.flatnonzero(of_units):
        row, i, ratio = tape.action_row[n], tape.action_instrument[n], tape.action_value[n]
        if i < perps:
            mark[row, i] /= ratio
        else:
            fair[row, i - perps] /= ratio
    return mark, fair


def units_of(tape: Tape) -> F64:
    """(T, M) what a unit of each perp in the first hour has become."""
    made = np.ones_like(tape.mark_px)
    for n in np.flatnonzero(tape.action_kind != Action.CASH):
        if tape.action_instrument[n] < made.shape[1]:
            made[tape.action_row[n] :, tape.action_instrument[n]] *= tape.action_value[n]
    return made


def premiums(tape: Tape, perp: I64) -> F64:
    """(T, K) price of a token over its underlying x multiplier, less 1; NaN without a live quote.

    ``perp`` (K,) prices the underlying, -1 for none: then over the token's NAV.
    """
    made = np.full_like(tape.fair_px, np.nan)
    for k, m in enumerate(perp.tolist()):
        px = tape.nav_px[:, k] if m < 0 else tape.oracle_px[:, m] * tape.multiplier[:, k]
        with np.errstate(all="ignore"):
            made[:, k] = np.where(tape.live[:, k], tape.fair_px[:, k] / px - 1.0, np.nan)
    return made


def restated_extremes(tape: Tape, told: F64) -> F64:
    """Recorded highs or lows, in the hour of a split in the units that the hour ends with.

    An hour may begin in old units and end in new ones: an extreme nearer to the old price is one.
    """
    made = told.copy()
    perps = tape.mark_px.shape[1]
    for n in np.flatnonzero((tape.action_kind != Action.CASH) & (tape.action_instrument < perps)):
        place = (tape.action_row[n], tape.action_instrument[n])
        ratio, mark = float(tape.action_value[n]), float(tape.mark_px[place])
        away = abs(math.log(made[place] / mark))
        if abs(math.log(made[place] / (mark * ratio))) < away:
            made[place] /= ratio
    return made


def priced_from(row: int, closed: B8) -> int:
    """First row from one on in which an underlying is priced; the number of rows for none."""
    later = np.flatnonzero(~closed[row:])
    return row + int(later[0]) if later.size else len(closed)
