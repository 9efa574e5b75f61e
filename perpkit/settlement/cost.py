"""What a settlement costs, in its parts, and the closed form of its mean."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

from perpkit.codes import State
from perpkit.delivery import Delivery
from perpkit.settlement.table import Time
from perpkit.units import HOURS_PER_YEAR

# Mean of the absolute value of a normal variable, in standard deviations.
MEAN_MOVE: Final = math.sqrt(2.0 / math.pi)


class Costs(NamedTuple):
    """USD, or fractions of the value; what was paid is positive."""

    fee: float
    penalty: float
    capital: float
    price: float

    @property
    def total(self) -> float:
        """All parts together."""
        return sum(self)

    def times(self, factor: float) -> Costs:
        """Each part scaled."""
        return Costs(*(part * factor for part in self))


def cost_fracs(
    path: Delivery, state: State, time: Time, late_hours: float, move_sd: float
) -> Costs:
    """Costs of one ending, fractions of the value.

    Parameters
    ----------
    path, state, time : the path, the state it ended in, and how long that took
    late_hours : hours in which the trade was no position though it was meant to be one
    move_sd : move of the price in these hours, as a fraction; its sign does not matter, for one
        side or the other it went the wrong way
    """
    charged = path.fee_frac if state != State.CANCELLED else 0.0
    return Costs(
        charged,
        path.penalty_frac_day * time.fail_days,
        path.capital_apr * time.clock_hours / HOURS_PER_YEAR,
        abs(move_sd) if late_hours > 0.0 else 0.0,
    )


def expected_cost(
    fail_prob: float,
    days: float,
    sigma_day_frac: float,
    *,
    penalty_frac_day: float = 0.0,
    capital_apr: float = 0.0,
    settle_days: float = 0.0,
) -> float:
    """Mean cost of a sequential trade whose fails last so many days, fraction of its value.

    ``p · (E|move| · √days + penalty · days + r · days / 365) + r · settle_days / 365``: the price
    moves by ``√(2/π)`` standard deviations in the mean, and the capital is idle until the end.

    >>> round(expected_cost(0.02, 1, 0.025) * 1e4, 2)  # bp
    3.99
    """
    a_day = HOURS_PER_YEAR / 24.0
    moved = MEAN_MOVE * sigma_day_frac * math.sqrt(days)
    failed = moved + penalty_frac_day * days + capital_apr * days / a_day
    return fail_prob * failed + capital_apr * settle_days / a_day
