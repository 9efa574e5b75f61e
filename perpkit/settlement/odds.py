"""Every ending of a path, with how likely it is: the whole tree, not a sample of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from perpkit.codes import State
from perpkit.delivery import Delivery
from perpkit.errors import RequestError
from perpkit.settlement.cost import MEAN_MOVE, Costs, cost_fracs
from perpkit.settlement.table import FINAL, Time, options, usual

if TYPE_CHECKING:
    from perpkit.settlement.machine import Trade

_Way = tuple[float, tuple[str, ...], tuple[State, ...], Time]


class Ending(NamedTuple):
    """One way through the table: the events in their order, and where they end."""

    prob: float
    events: tuple[str, ...]
    state: State
    time: Time


def endings(path: Delivery, side: str = "buy") -> tuple[Ending, ...]:
    """Every way that can happen, in the order of the table; their probabilities sum to 1.

    >>> [(e.events, e.state.name) for e in endings(Delivery(mode="atomic"))]
    [(('settled',), 'SETTLED')]
    """
    made: list[Ending] = []
    open_ways: list[_Way] = [(1.0, (), (State.AGREED,), Time())]
    while open_ways:
        prob, events, seen, time = open_ways.pop()
        if seen[-1] in FINAL:
            made.append(Ending(prob, events, seen[-1], time))
            continue
        for option in reversed(options(path, side, seen)):
            done = option.transition
            if option.prob > 0.0:
                way = (*events, done.event), (*seen, done.end), time.plus(done, path)
                open_ways.append((prob * option.prob, *way))
    return tuple(made)


def with_fails(path: Delivery, side: str, fails: Sequence[str]) -> tuple[str, ...]:
    """Events in which these go wrong, each as soon as it can, and nothing else does.

    >>> with_fails(Delivery(mode="coordinated"), "buy", ["no_answer"])
    ('locked', 'lock_attested', 'no_answer', 'absent')

    Raises
    ------
    RequestError
        If one of them cannot happen, or not after those before it.
    """
    left, events, could = list(fails), [], []
    seen: tuple[State, ...] = (State.AGREED,)
    while seen[-1] not in FINAL:
        able = options(path, side, seen)
        could += [option.transition.event for option in able]
        wrong = [option for option in able if left and option.transition.event == left[0]]
        done = (wrong[0] if wrong else usual(able)).transition
        left = left[1:] if wrong else left
        events.append(done.event)
        seen = (*seen, done.end)
    if left:
        raise RequestError(
            f"settlement: {left[0]} does not happen on this way; what can is "
            f"{', '.join(dict.fromkeys(could))}"
        )
    return tuple(events)


def on_time(path: Delivery, side: str = "buy") -> Ending:
    """The way on which nothing goes wrong."""
    events: tuple[str, ...] = ()
    seen: tuple[State, ...] = (State.AGREED,)
    time = Time()
    while seen[-1] not in FINAL:
        done = usual(options(path, side, seen)).transition
        events, seen, time = (*events, done.event), (*seen, done.end), time.plus(done, path)
    return Ending(1.0, events, seen[-1], time)


def late_hours(path: Delivery, side: str, state: State, time: Time) -> float:
    """Hours in which the trade was no position though it was meant to be one.

    What settles was late by the hours beyond those of :func:`on_time`; what does not settle was
    never a position.
    """
    if state != State.SETTLED:
        return time.clock_hours
    return max(time.clock_hours - on_time(path, side).time.clock_hours, 0.0)


def mean_costs(trade: Trade, path: Delivery) -> Costs:
    """Means of the parts of a trade's cost, USD: every ending by its probability."""
    total = Costs(0.0, 0.0, 0.0, 0.0)
    for end in endings(path, trade.side):
        late = late_hours(path, trade.side, end.state, end.time)
        moved = MEAN_MOVE * trade.sigma_day_frac * math.sqrt(late / 24.0)
        part = cost_fracs(path, end.state, end.time, late, moved).times(end.prob * trade.value_usd)
        total = Costs(*(a + b for a, b in zip(total, part, strict=True)))
    return total
