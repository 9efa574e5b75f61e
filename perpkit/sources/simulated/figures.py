"""Figures that a market is compared by; the same code measures recorded and simulated prices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import polars as pl

from perpkit.arrays import B8, F64, I64
from perpkit.units import HOURS_PER_YEAR

_SATURDAY, _SUNDAY = 6, 7
_SHORT_NIGHT_HOURS: Final = 20.0  # from one close to the next open; a weekend is longer than 60
_WEEKEND_HOURS: Final = 60.0
_CLEAR_LEAN_FRAC: Final = 0.01


def funding_figures(rows: pl.DataFrame, baseline_1h: float) -> dict[str, float]:
    """Funding by day of the UTC week, and the share of hours off the baseline.

    Parameters
    ----------
    rows : columns `time`, `coin` and `funding`, one row a coin and hour
    baseline_1h : the rate of an hour in which the premium is within the clamp
    """
    day, rate = rows["time"].dt.weekday().to_numpy(), rows["funding"].to_numpy()
    return {
        "funding_weekday_apr": float(rate[day < _SATURDAY].mean()) * HOURS_PER_YEAR,
        "funding_saturday_apr": float(rate[day == _SATURDAY].mean()) * HOURS_PER_YEAR,
        "funding_sunday_apr": float(rate[day == _SUNDAY].mean()) * HOURS_PER_YEAR,
        "off_baseline_share": float((np.abs(rate - baseline_1h) > 1e-9).mean()),
    }


def premium_figures(rows: pl.DataFrame) -> dict[str, float]:
    """How far and how long premiums stray, the median coin's: `time`, `coin`, `premium`."""
    parts = [part.sort("time")["premium"].to_numpy() for part in rows.partition_by("coin")]
    phi = [float(np.corrcoef(x[1:], x[:-1])[0, 1]) for x in parts]
    return {
        "premium_phi": float(np.median(phi)),
        "premium_sd_bp": float(np.median([x.std() for x in parts])) * 1e4,
    }


def session_figures(opens: F64, closes: F64, rests: F64) -> dict[str, float]:
    """Moves of cash sessions, nights and weekends.

    Parameters
    ----------
    opens, closes : (D, S) USD, of each cash session
    rests : (D,) hours from the close before to each open; the first is not used
    """
    cash = np.log(closes / opens)
    gaps = np.abs(np.log(opens[1:] / closes[:-1]))
    night, weekend = gaps[rests[1:] < _SHORT_NIGHT_HOURS], gaps[rests[1:] > _WEEKEND_HOURS]
    return {
        "cash_vol_frac": float(cash.std()),
        "night_median_frac": float(np.median(night)),
        "night_p90_frac": float(np.quantile(night, 0.9)),
        "weekend_median_frac": float(np.median(weekend)),
    }


def reopening_figures(external: F64, mid: F64, shut: B8, spell_hours: I64) -> dict[str, float]:
    """What a weekend's book missed of the first external price, and how often it went right.

    Parameters
    ----------
    external, mid : (T, S) USD
    shut : (T,)
    spell_hours : (T,) hours that the market has been shut, 0 while open
    """
    last = np.flatnonzero(shut[:-1] & ~shut[1:] & (spell_hours[:-1] >= 40))
    error = np.abs(external[last + 1] / mid[last] - 1.0)
    move, lean = external[last + 1] / external[last] - 1.0, mid[last] / external[last] - 1.0
    clear = np.abs(lean) > _CLEAR_LEAN_FRAC
    return {
        "reopen_error_median_frac": float(np.median(error)),
        "reopen_error_p90_frac": float(np.quantile(error, 0.9)),
        "direction_share": float(((move > 0.0) == (lean > 0.0))[clear].mean()),
    }


def hours_shut(shut: B8) -> I64:
    """Hours that the market has been shut at each row, 1 in the first; (T,)."""
    rows = np.arange(len(shut), dtype=np.int64)
    last_open = np.maximum.accumulate(np.where(shut, -1, rows))
    made: I64 = np.where(shut, rows - last_open, 0)
    return made


def wide(rows: pl.DataFrame, column: str, names: Sequence[str], key: str = "coin") -> F64:
    """A column of several instruments side by side, (T, S)."""
    return np.stack([rows.filter(pl.col(key) == name)[column].to_numpy() for name in names], 1)
