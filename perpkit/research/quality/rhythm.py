"""Whether prices rest when their market does, or some hours before or after."""

from __future__ import annotations

from typing import Final

import numpy as np

from perpkit.arrays import B8, I64, Phase
from perpkit.errors import DataError
from perpkit.sessions import session_hours
from perpkit.units import HOUR_NS

FARTHEST: Final = 14  # hours: no clock on earth is further from UTC
_SESSION: Final = "us_24_5"
_LEAST: Final = 48  # changes of a price that show when it changes
_SHARE: Final = 0.7  # of the hours beyond each close, those in which the price moved
_FEWEST: Final = 5  # hours of movement that would fall into shut hours
_CASH_ONLY: Final = 0.02  # of the changes, those out of the cash session of a price that follows it
_RESTS: Final = 0.5  # of the shut hours, the most in which a price that rests there may move
_SAME: Final = 0.02  # of what is gained, by which two shifts that do as well may differ
_LAGS: Final = sorted(range(-FARTHEST, FARTHEST + 1), key=abs)
_CLEAR: Final = 0.1  # of the changes, those that a slip puts there


def hours_late(hour: I64, changed: B8) -> list[int]:
    """Hours by which a US stock's price may be later than the week of its market.

    Parameters
    ----------
    hour : (R,) full hours since the epoch, ascending
    changed : (R,) whether the price of that hour is another than that of the hour before

    Returns
    -------
    The shifts under which least falls into shut hours: weekends and holidays, or, for a price that
    changes in cash sessions alone, all that is outside them. More than one where the price rests
    longer than its market; none where it fits as it is, or shows nothing
    """
    moves = hour[changed]
    if len(moves) < _LEAST:
        return []
    first, last = int(hour[0]) - FARTHEST - 1, int(hour[-1]) + FARTHEST + 1
    try:
        phase = session_hours(np.arange(first, last + 1) * HOUR_NS, _SESSION).phase
    except DataError:  # outside the calendars nothing is known to be shut
        return []
    shut = np.append(True, (phase[1:] == Phase.CLOSED) & (phase[:-1] == Phase.CLOSED))
    calm = np.append(True, (phase[1:] != Phase.CASH) & (phase[:-1] != Phase.CASH))
    in_calm = {lag: int(calm[moves - lag - first].sum()) for lag in _LAGS}
    if min(in_calm.values()) <= _CASH_ONLY * len(moves):
        return _least(in_calm) if in_calm[0] >= _CLEAR * len(moves) else []
    in_shut = {lag: int(shut[moves - lag - first].sum()) for lag in _LAGS}
    best = _least(in_shut)
    if not best or in_shut[best[0]] > _RESTS * shut[hour - best[0] - first].sum():
        return []  # it moves in shut hours too, as a price that is made at all hours
    within = shut[hour[0] - first : hour[-1] - first + 1]
    closes = int((np.diff(within.astype(np.int8)) == 1).sum())
    gained = in_shut[0] - in_shut[best[0]]
    return best if gained >= max(_SHARE * abs(best[0]) * closes, _FEWEST) and closes else []


def _least(count: dict[int, int]) -> list[int]:
    """The shifts that do about as well as the best, the nearest first; none if no shift does."""
    low = min(count.values())
    near = [lag for lag in _LAGS if count[lag] <= low + _SAME * (count[0] - low)]
    return [] if 0 in near else near
