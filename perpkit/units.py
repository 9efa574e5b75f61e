"""Units, signs and the few conversions between them.

Suffixes say the unit: ``_px`` USD per unit, ``_usd``, ``_frac`` (0.05, never 5), ``_1h`` / ``_8h``
/ ``_apr`` rates, ``_ns`` / ``_ms`` instants, ``_hours`` durations. Cash flows are seen from the
account: + is received. A positive funding rate means that longs pay shorts.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

HOUR_NS: Final = 3_600_000_000_000
HOUR_MS: Final = 3_600_000
MINUTE_MS: Final = 60_000
HOURS_PER_YEAR: Final = 8_760


def apr(rate_1h: float) -> float:
    """Simple annual rate of an hourly rate, 8,760 hours a year.

    >>> round(apr(0.0001 / 8), 4)
    0.1095
    """
    return rate_1h * HOURS_PER_YEAR


def apy(rate_1h: float) -> float:
    """Annual rate of an hourly rate compounded each hour.

    >>> round(apy(0.0001 / 8), 4)
    0.1157
    """
    return float((1.0 + rate_1h) ** HOURS_PER_YEAR - 1.0)


def instant(ns: int) -> datetime:
    """The UTC moment of an instant in nanoseconds since the epoch."""
    return datetime.fromtimestamp(ns / 1e9, tz=UTC)


def stamp(ns: int) -> str:
    """An instant as people read it, to the minute, UTC.

    >>> stamp(1_786_500_000_000_000_000)
    '2026-08-12 02:00Z'
    """
    return instant(ns).strftime("%Y-%m-%d %H:%MZ")


def to_ns(moment: datetime) -> int:
    """Nanoseconds since the epoch; a moment without a zone is read as UTC.

    >>> to_ns(datetime(1970, 1, 1, 1))
    3600000000000
    """
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1_000_000) * 1_000
