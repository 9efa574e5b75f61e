"""What a strategy answered hour by hour, recorded in a run and asked for again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final, NamedTuple, NoReturn

import numpy as np

from perpkit.arrays import F64, Past, Target, View
from perpkit.book.view import past_until
from perpkit.errors import PerpkitError, StrategyError
from perpkit.layout import blank
from perpkit.play import Played, play, replay_of
from perpkit.research.strategy_check.grounds import Ground
from perpkit.strategy.door import Entry, Plan, plain_entry, plan_of
from perpkit.strategy.load import Strategy, place_of
from perpkit.strategy.params import bind, params_record

# A NaN of its own: what still holds it after decide was not written to.
UNTOUCHED: Final = np.array([0x7FF8_0000_5EED_0001], np.uint64).view(np.float64)[0]


class Answer(NamedTuple):
    """What a strategy left behind in one hour."""

    perps: F64
    tokens: F64
    memory: Any  # as bytes

    def targets(self) -> F64:
        """Targets of all instruments, perps first."""
        return np.concatenate((self.perps, self.tokens))

    def same(self, other: Answer) -> bool:
        """Whether another is equal to the last bit."""
        return all(a.tobytes() == b.tobytes() for a, b in zip(self, other, strict=True))


class Step(NamedTuple):
    """One hour of a recorded run."""

    view: View  # what the strategy was shown of the account
    answer: Answer


class Trace(NamedTuple):
    """A recorded run."""

    strategy: Strategy
    ground: Ground
    values: dict[str, Any]  # of the parameters
    steps: list[Step]  # none for a plan
    plan: F64  # (T, M + K); no row where the strategy decides
    played: Played

    @property
    def names(self) -> tuple[str, ...]:
        """Instruments in the order of the targets."""
        return self.ground.market.names.coins + self.ground.market.names.tokens

    @property
    def decisions(self) -> int:
        """Targets that were written, other than NaN."""
        if self.strategy.decide is None:
            return int(np.isfinite(self.plan).sum())
        return sum(int(np.isfinite(step.answer.targets()).sum()) for step in self.steps)

    @property
    def past(self) -> Past:
        """All rows that the strategy could see."""
        return whole_past(self.ground)


def whole_past(ground: Ground) -> Past:
    """Every row of a market as a strategy sees it."""
    return past_until(replay_of(ground.market.tape), ground.hours - 1)


def plan_on(ground: Ground, past: Past) -> Plan:
    """What ``targets`` is told of a market, with rows of our own."""
    names = ground.market.names
    return Plan(past, names.coins, names.tokens, tuple(int(k) for k in names.perp_token))


def planned(strategy: Strategy, told: Plan, values: dict[str, Any]) -> F64:
    """What ``targets`` plans; where data is missing it may well divide by zero."""
    with np.errstate(all="ignore"):
        return plan_of(strategy, told, values)


def record(strategy: Strategy, ground: Ground, **params: Any) -> Trace:
    """Play a strategy uncompiled and note what it answered.

    Raises
    ------
    StrategyError
        If it raises, or asks for what cannot be.
    """
    values = bind(strategy.parameters, params, strategy.name)
    steps: list[Step] = []
    plan = np.zeros((0, 0))
    played_as = strategy
    if strategy.decide is None:
        plan = planned(strategy, plan_on(ground, whole_past(ground)), values)
        played_as = replace(strategy, targets=lambda *_: plan)
    else:
        user = strategy.decide

        def noting(t: int, past: Past, book: View, p: Any, mine: Any, target: Target) -> None:
            view = View(*(part.copy() for part in book))
            target.perps[:] = target.tokens[:] = UNTOUCHED
            user(t, past, book, p, mine, target)
            steps.append(Step(view, _answer(target, mine.view(np.uint8))))

        played_as = replace(strategy, decide=noting)
    played = play(ground.market, ground.config, played_as, values, pure_python=True)
    return Trace(strategy, ground, values, steps, plan, played)


def _answer(target: Target, memory: Any) -> Answer:
    return Answer(target.perps.copy(), target.tokens.copy(), np.asarray(memory).copy())


def ask(
    strategy: Strategy,
    values: Mapping[str, Any],
    pasts: Iterable[Past],
    views: Iterable[View],
    entry: Entry | None = None,
) -> Iterator[Answer]:
    """Ask ``decide`` hour by hour, its memory its own, with a market and an account of our own.

    Parameters
    ----------
    strategy, values : whom to ask, and the parameters
    pasts, views : what it is shown in each hour
    entry : how to reach it; none: uncompiled

    Raises
    ------
    StrategyError
        If it raises.
    """
    entry = entry or plain_entry(strategy)
    params = params_record(strategy.parameters, values)
    memory: Any = None
    target = blank(Target, M=0, K=0)
    for t, (past, view) in enumerate(zip(pasts, views, strict=True)):
        if memory is None:
            memory = np.zeros(len(view.perps), strategy.memory).view(np.uint8)
            target = blank(Target, M=len(view.perps), K=len(view.tokens))
        target.perps[:] = target.tokens[:] = UNTOUCHED
        shown = View(*(part.copy() for part in view))
        try:
            with np.errstate(all="ignore"):
                entry(t, past, shown, params, memory, target)
        except Exception as e:  # whatever the strategy raises
            _refuse(e, strategy)
        yield _answer(target, memory)


def _refuse(error: Exception, strategy: Strategy) -> NoReturn:
    if isinstance(error, PerpkitError):
        raise error
    raise StrategyError(
        f"{place_of(error, strategy.sources) or strategy.file.name}: decide raised "
        f"{type(error).__name__}: {error}"
    ) from error


def columns_of(past: Past) -> Iterator[tuple[str, Any]]:
    """Each column with its name."""
    return zip(Past._fields, past, strict=True)


def past_of(columns: Iterable[Any]) -> Past:
    """The market made of columns in the order of its fields."""
    return Past(*columns)


def slices(past: Past) -> Iterator[Past]:
    """The market as each hour knows it, not to be written to."""
    views = []
    for column in past:
        view = column.view()
        view.flags.writeable = False
        views.append(view)
    for t in range(len(past.time_ns)):
        yield past_of(view[: t + 1] for view in views)
