"""How long a carry must be held before it has paid for its own friction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final

from perpkit.errors import RequestError

DAYS_PER_YEAR: Final = 365  # 8,760 hours
# Friction of a tokenized stock there and back: 1% at best, 2 to 5% reported (CoinFound, "dual-track
# era of on-chain US stocks", March 2026, section 8.1; it names no data).
FRICTIONS: Final = (0.01, 0.02, 0.05)
# NVDA on trade.xyz as realised over 14 days to 20 April 2026 (harmonixfi/hip3-agent), the baseline
# of trade.xyz since 19 December 2025, that of Hyperliquid's own markets, and a spike.
CARRIES: Final = (0.0285, 0.05475, 0.1095, 0.40)
_MOST_APR: Final = 10.0


@dataclass(frozen=True, slots=True)
class Breakeven:
    """One friction against one carry."""

    friction_frac: float
    carry_apr: float
    days: float


def breakeven_days(friction_frac: float, carry_apr: float) -> float:
    """Days after which carry has earned the friction back.

    Parameters
    ----------
    friction_frac : cost of entry and exit, all legs, fraction of the notional
    carry_apr : what the notional earns a year, simple, after what it pays

    Raises
    ------
    RequestError
        If friction is not in [0, 1), or carry is not above 0 and at most 10 (1,000% a year).

    Examples
    --------
    >>> round(breakeven_days(0.02, 0.05475))
    133
    """
    if not 0.0 <= friction_frac < 1.0:
        raise RequestError(
            f"friction was {friction_frac:g}: it is a fraction of the notional in [0, 1); write "
            "0.05 or 5% for five in a hundred"
        )
    if not 0.0 < carry_apr <= _MOST_APR:
        raise RequestError(
            f"carry was {carry_apr:g}: it is a rate a year above 0 and at most {_MOST_APR:g}, as "
            "nothing else earns friction back; write 0.4 or 40% for forty in a hundred"
        )
    return friction_frac / carry_apr * DAYS_PER_YEAR


def breakeven(
    frictions: Sequence[float] = FRICTIONS, carries: Sequence[float] = CARRIES
) -> list[Breakeven]:
    """Every friction against every carry, in the order given; errors as ``breakeven_days``."""
    return [Breakeven(f, c, breakeven_days(f, c)) for f, c in product(frictions, carries)]
