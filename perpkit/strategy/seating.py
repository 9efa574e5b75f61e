"""From a market to the sub-books of a run: what they are laid out with, and what they leave."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from perpkit.arrays import F64, I64, Action, Shock
from perpkit.config import RunConfig
from perpkit.errors import RequestError, StrategyError
from perpkit.strategy.door import Plan, plan_of
from perpkit.strategy.load import Strategy
from perpkit.strategy.params import params_record
from perpkit.strategy.subbooks import (
    ACCOUNTS,
    FAILED,
    FILLS,
    HOURS,
    LOCKED,
    MEMBERS,
    PAIR,
    PERPS,
    SETTLED,
    SPLIT,
    TOKENS,
    Bytes,
    Sub,
    Turns,
    carve,
    lay_out,
)
from perpkit.tape import Market

NOBODY = ""  # the strategy of what no member manages


class Shared(NamedTuple):
    """What a portfolio's run left behind, beside what the book did; R = members and nobody."""

    names: tuple[str, ...]  # (R,)
    share: F64  # (R,) of the capital
    held: F64  # (T, R, I) units at the end of each row
    crossed: F64  # (T, R, I) units that changed hands within the book
    decided: I64  # (T, R, I) and the rows at which they were asked for
    shares: F64  # (fills, R) units of each fill
    turns: Turns


def check_portfolio(strategy: Strategy, config: RunConfig) -> None:
    """Refuse a run whose clock a portfolio cannot follow.

    Raises
    ------
    RequestError
        If orders fill in the row of their decision.
    """
    if strategy.members and config.fill_delay_hours == 0:
        raise RequestError(
            f"{strategy.file.name}: a portfolio shares out each hour's fills before its members "
            "decide; leave fill_delay_hours at 1"
        )


def shares_of(strategy: Strategy) -> F64:
    """(R,) shares of the capital; the last is of nobody."""
    told = [member.share for member in strategy.members]
    rest = 1.0 - sum(told)
    return np.array([*told, rest if rest > 1e-9 else 0.0])


def seat(
    market: Market, config: RunConfig, strategy: Strategy, values: Mapping[str, Any], told: Any
) -> Bytes:
    """Lay out the sub-books of a run.

    Parameters
    ----------
    values : bound parameters, each named MEMBER.PARAMETER
    told : the most fills that are kept at once, and what plans read

    Raises
    ------
    StrategyError
        If a plan raises, or returns another shape.
    """
    fills, plan = told
    names = market.names
    sizes = {
        MEMBERS: len(strategy.members),
        PERPS: len(names.coins),
        TOKENS: len(names.tokens),
        ACCOUNTS: len(names.accounts),
        HOURS: len(market.tape.time_ns),
        FILLS: fills,
        PAIR: int(config.pair == "together"),
    }
    members = [
        (
            _params(member.strategy, _own(values, member.name), plan, strategy, member.name),
            member.strategy.memory.itemsize * len(names.coins),
        )
        for member in strategy.members
    ]
    turns = turns_of(market)
    return lay_out(sizes, members, (shares_of(strategy), turns, _open(market, config, turns)))


def _own(values: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Parameters of one member, by their own names."""
    head = f"{name}."
    return {key[len(head) :]: value for key, value in values.items() if key.startswith(head)}


def _params(
    strategy: Strategy, values: dict[str, Any], plan: Plan, whole: Strategy, name: str
) -> NDArray[np.uint8]:
    if strategy.decide is not None:
        return np.asarray(params_record(strategy.parameters, values), np.uint8)
    made = plan_of(strategy, plan, values)
    bad = np.isinf(made)
    bad[:, len(plan.coins) :] |= made[:, len(plan.coins) :] < 0.0
    if bad.any():
        row, column = (int(n[0]) for n in np.nonzero(bad))
        instrument = (*plan.coins, *plan.tokens)[column]
        raise StrategyError(
            f"{whole.file.name}: [{name}] {strategy.file.name}: target of {instrument} was "
            f"{made[row, column]} in row {row}; a target is a finite number of units, and a "
            "token's is not negative"
        )
    return made.reshape(-1).view(np.uint8)


def turns_of(market: Market) -> Turns:
    """Splits, settled markets, failed venues and locks, by row."""
    tape, names = market.tape, market.names
    made: list[tuple[int, int, int, float]] = []
    kinds = {int(Action.SPLIT): SPLIT, int(Action.SETTLE): SETTLED}
    for n in np.flatnonzero(tape.action_kind != Action.CASH):
        kind = kinds[int(tape.action_kind[n])]
        made.append(
            (int(tape.action_row[n]), int(tape.action_instrument[n]), kind, tape.action_value[n])
        )
    for n in np.flatnonzero(tape.shock_kind == Shock.VENUE_FAILURE):
        account = int(tape.shock_account[n])
        parent = names.account_parent[names.perp_account]
        lost = np.flatnonzero((names.perp_account == account) | (parent == account))
        made += [(int(tape.shock_row[n]), int(m), FAILED, 0.0) for m in lost]
    if tape.lock.shape[1]:
        before = np.vstack([np.zeros_like(tape.lock[:1]), tape.lock[:-1]])
        for row, k in zip(*np.nonzero(tape.lock > before), strict=True):
            made.append((int(row), len(names.coins) + int(k), LOCKED, float(tape.lock[row, k])))
    made.sort(key=lambda turn: turn[0])
    return Turns(
        np.array([turn[0] for turn in made], np.int64),
        np.array([turn[1] for turn in made], np.int64),
        np.array([turn[2] for turn in made], np.int64),
        np.array([turn[3] for turn in made], np.float64),
    )


def _open(market: Market, config: RunConfig, turns: Turns) -> NDArray[np.uint8]:
    """(T, I) where orders may cross: what has a price of the row that one could trade at."""
    tape = market.tape
    perps = ~tape.stale & ~np.isnan(tape.mark_px)
    tokens = tape.live.copy()
    if config.trade_frozen_quotes:
        tokens |= ~tape.halted & ~tape.token_stale
    tokens &= ~np.isnan(tape.fair_px)
    if tape.lock.shape[1]:
        tokens &= tape.lock == 0
    made = np.hstack([perps, tokens])
    for n in np.flatnonzero(turns.kind == FAILED):
        made[turns.row[n] :, turns.instrument[n]] = False
    return np.ascontiguousarray(made).astype(np.uint8)


def left_behind(strategy: Strategy, market: Market, told: Bytes, shares: F64) -> Shared:
    """What the sub-books tell of a run that is over."""
    sub: Sub = carve(told.params, told.memory)
    books, every = sub.held.shape
    hours = len(market.tape.time_ns)
    return Shared(
        (*(member.name for member in strategy.members), NOBODY),
        sub.share.copy(),
        sub.booked.reshape(hours, books, every),
        sub.crossed.reshape(hours, books, every),
        sub.decided.reshape(hours, books, every),
        shares,
        turns_of(market),
    )
