"""One trade, settled on its own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from perpkit.codes import State
from perpkit.delivery import Delivery
from perpkit.errors import RequestError
from perpkit.settlement.cost import MEAN_MOVE, Costs, cost_fracs
from perpkit.settlement.odds import late_hours
from perpkit.settlement.table import (
    FINAL,
    HOLDERS,
    LABEL,
    Holder,
    Move,
    Option,
    Time,
    named,
    options,
    usual,
)

Draws = np.random.Generator | Sequence[str]


@dataclass(frozen=True, slots=True)
class Trade:
    """A trade as one party made it; ``side`` is that party's."""

    side: Literal["buy", "sell"]
    units: float
    px: float  # USD a unit
    sigma_day_frac: float = 0.0  # standard deviation of the price over a day

    def __post_init__(self) -> None:
        bad = self.side not in ("buy", "sell") or not self.sigma_day_frac >= 0.0
        if bad or not (0.0 < self.units * self.px < math.inf and self.px > 0.0):
            raise RequestError(
                f"a trade was {self}; side is buy or sell, units and px are above 0, "
                "sigma_day_frac is not below 0"
            )

    @property
    def value_usd(self) -> float:
        """Cash of the trade."""
        return self.units * self.px


class Holding(NamedTuple):
    """What one holder has of the trade."""

    units: float
    cash_usd: float


class Step(NamedTuple):
    """One line of the log: when, the state entered, by what, who acted and what moved."""

    hours: float
    state: State
    event: str
    actor: str
    moves: tuple[Move, ...]

    def __str__(self) -> str:
        moved = ", ".join(f"{m.what} {m.giver}->{m.taker}" for m in self.moves)
        where = f"{LABEL[self.state]} {self.state.name}"
        told = f"{self.hours:6.2f}h {where:<21} {self.event:<17} {self.actor:<11} {moved}"
        return told.rstrip()


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a trade ended and what it took; a business day counts as 24 hours."""

    log: tuple[Step, ...]
    state: State
    hours: float
    costs: Costs  # USD
    idle_usd_hours: float  # the party's own leg, committed from the agreement to the end
    exposed_usd_hours: float  # what it had given without having the counter-leg
    holdings: dict[Holder, Holding]

    @property
    def settled(self) -> bool:
        """Whether both legs were made; else neither was, in the end."""
        return self.state == State.SETTLED

    @property
    def cost_usd(self) -> float:
        """All costs."""
        return self.costs.total

    def __str__(self) -> str:
        parts = zip(Costs._fields, self.costs, strict=True)
        named_usd = ", ".join(f"{name} {usd:,.2f}" for name, usd in parts)
        how = "settled" if self.settled else "not settled"
        idle = f"idle {self.idle_usd_hours:,.0f} USD-hours"
        exposed = f"exposed {self.exposed_usd_hours:,.0f} USD-hours"
        end = f"{how} after {self.hours:.2f} h, {idle}, {exposed}"
        return "\n".join([*map(str, self.log), end, f"cost {self.cost_usd:,.2f} USD: {named_usd}"])


def settle(
    trade: Trade, path: Delivery, draws: Draws = (), *, move_frac: float | None = None
) -> Outcome:
    """Settle one trade.

    Parameters
    ----------
    trade : what was agreed
    path : how it settles
    draws : a generator, which draws what happens; or names of events in their order, after which
        nothing goes wrong any more
    move_frac : move of the price while the trade is late; none: drawn from a generator as a normal
        variable, else its mean absolute value

    Raises
    ------
    RequestError
        If a named event cannot happen where it is named, or no state is left for it.
    """
    log, time, exposed, held = _walked(trade, path, draws)
    state = log[-1].state
    late = late_hours(path, trade.side, state, time)
    if move_frac is None:
        rng = draws if isinstance(draws, np.random.Generator) else None
        deviations = MEAN_MOVE if rng is None else float(rng.standard_normal())
        move_frac = deviations * trade.sigma_day_frac * math.sqrt(late / 24.0)
    return Outcome(
        log=tuple(log),
        state=state,
        hours=time.clock_hours,
        costs=cost_fracs(path, state, time, late, move_frac).times(trade.value_usd),
        idle_usd_hours=trade.value_usd * time.clock_hours,
        exposed_usd_hours=exposed,
        holdings={who: Holding(has["units"], has["cash"]) for who, has in held.items()},
    )


_Held = dict[Holder, dict[str, float]]


def _walked(trade: Trade, path: Delivery, draws: Draws) -> tuple[list[Step], Time, float, _Held]:
    """The log of a trade up to its end, its time, the exposure of its party, and who has what."""
    script = [] if isinstance(draws, np.random.Generator) else list(draws)
    log, held = [Step(0.0, State.AGREED, "agreed", "both", ())], _begin(trade)
    own: Holder = "buyer" if trade.side == "buy" else "seller"
    time, exposed = Time(), 0.0
    while log[-1].state not in FINAL:
        able = options(path, trade.side, [step.state for step in log])
        if isinstance(draws, np.random.Generator):
            done = _drawn(able, draws).transition
        else:
            done = (named(script.pop(0), able) if script else usual(able)).transition
        after = time.plus(done, path)
        exposed += _given(own, trade, held) * (after.clock_hours - time.clock_hours)
        time = after
        for move in done.moves:
            _transfer(move, held)
        log.append(Step(time.clock_hours, done.end, done.event, done.actor, done.moves))
    if script:
        end = log[-1].state
        raise RequestError(
            f"settlement: {script[0]} cannot happen, the trade ended in {LABEL[end]} {end.name}; "
            "leave it out"
        )
    return log, time, exposed, held


def _begin(trade: Trade) -> _Held:
    held: _Held = {who: {"units": 0.0, "cash": 0.0} for who in HOLDERS}
    held["seller"]["units"] = trade.units
    held["buyer"]["cash"] = trade.value_usd
    return held


def _transfer(move: Move, held: _Held) -> None:
    """Pass a whole leg on; a table that passes on what is not there is a bug."""
    amount = held[move.giver][move.what]
    if amount <= 0.0:
        raise AssertionError(f"{move.giver} has no {move.what} to give to {move.taker}")
    held[move.giver][move.what] = 0.0
    held[move.taker][move.what] += amount


def _given(own: Holder, trade: Trade, held: _Held) -> float:
    """By how much a party has less than before the trade, USD; with the counter-leg: nothing."""
    has = held[own]["units"] * trade.px + held[own]["cash"]
    return max(trade.value_usd - has, 0.0)


def _drawn(able: Sequence[Option], rng: np.random.Generator) -> Option:
    at, total = rng.random(), 0.0
    for option in able:
        total += option.prob
        if at < total:
            return option
    return max(able, key=lambda option: option.prob)  # rounding left a gap below 1
