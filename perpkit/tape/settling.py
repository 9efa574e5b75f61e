"""How each trade of a token would settle, drawn for every hour before the loops begin."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

import numpy as np

from perpkit.arrays import B8, F64, I64, Tape
from perpkit.codes import State
from perpkit.config import RunConfig
from perpkit.delivery import Delivery
from perpkit.errors import RequestError, nearest
from perpkit.sessions.spans import spans
from perpkit.settlement import Ending, endings
from perpkit.tape.instruments import Instruments
from perpkit.units import HOUR_NS, HOURS_PER_YEAR

_WORDS_AN_HOUR = 4  # of the generator: what one of its counts makes


class Drawn(NamedTuple):
    """How the trades of one token end, (T,) each; see :class:`perpkit.arrays.Tape`."""

    rows: I64
    end: I64
    cost_frac: F64
    state: I64


class Asked(NamedTuple):
    """When an issuer takes a token back, and rows from the request to its payment, (T,) each."""

    open: B8
    rows: I64


def path_of(token: str, config: RunConfig) -> Delivery:
    """The path that trades of a token settle on."""
    return config.token_settlement.get(token, config.settlement)


def is_certain(path: Delivery) -> bool:
    """Whether every trade settles within its hour, at no cost of its own: the book as it is."""
    free = path.compliance_fail_prob == 0.0 and path.fee_frac == 0.0
    return path.mode == "atomic" and free and path.finality_hours < 1.0


def lay_settlement(tape: Tape, config: RunConfig, names: Instruments) -> Tape:
    """The tape with the ending of a trade of each token in each hour.

    What is drawn depends on the seed, the token's name and the hour alone: not on prices, on the
    strategy, on other tokens or on where the tape begins and ends. Redemptions of a token with a
    path of its own take that path once the issuer pays; one that is unwound is asked for again.

    Raises
    ------
    RequestError
        If a path is told of a token that the run does not have.
    DataError
        If business days are counted beyond the calendar.
    """
    for token in config.token_settlement:
        if token not in names.tokens:
            raise RequestError(
                f"token_settlement: the run has no token {token}: {nearest(token, names.tokens)}"
            )
    if all(is_certain(path_of(token, config)) for token in names.tokens):
        return tape
    time_ns = tape.time_ns
    drawn = [draw(path_of(token, config), config.seed, token, time_ns) for token in names.tokens]
    rows, end, cost, state = (np.column_stack(column) for column in zip(*drawn, strict=True))
    made = tape._replace(
        settle_rows=rows,
        settle_end=end.astype(np.int8),
        settle_cost_frac=cost,
        redeem_cost_frac=np.zeros_like(cost),
        settle_state=state.astype(np.int8),
    )
    if not tape.redeem_rows.shape[1]:
        return made
    later, costs = tape.redeem_rows.copy(), np.zeros_like(cost)
    for k, token in enumerate(names.tokens):
        if token in config.token_settlement:
            asked = Asked(tape.redeemable[:, k], tape.redeem_rows[:, k])
            own = Drawn(rows[:, k], end[:, k], cost[:, k], state[:, k])
            later[:, k], costs[:, k] = until_settled(asked, own)
    return made._replace(redeem_rows=later, redeem_cost_frac=costs)


def draw(path: Delivery, seed: int, token: str, time_ns: I64) -> Drawn:
    """The ending of a trade of a token in each hour.

    Every ending of the path has a share of the numbers between 0 and 1, and each hour one number.
    """
    ways = endings(path)
    upto = np.cumsum([way.prob for way in ways])
    chances = _chances(seed, token, time_ns)
    at = np.minimum(np.searchsorted(upto, chances, side="right"), len(ways) - 1)
    settled = np.array([way.state == State.SETTLED for way in ways])[at]
    took_ns = _end_ns(path, ways, at, time_ns) - time_ns
    hours = took_ns / HOUR_NS
    # Within its hour a settled trade is whole before the next row. What is undone takes a row: the
    # strategy sees it gone.
    rows = np.where(hours < 1.0, np.where(settled, 0, 1), -(-took_ns // HOUR_NS))
    failed = np.array([way.time.fail_days for way in ways])[at]
    charged = np.array([way.state != State.CANCELLED for way in ways])[at]
    cost = path.fee_frac * charged + path.penalty_frac_day * failed
    cost = cost + path.capital_apr * np.where(rows > 0, hours, 0.0) / HOURS_PER_YEAR
    state = np.array([int(way.state) for way in ways])[at]
    return Drawn(rows.astype(np.int64), np.where(settled, 0, 1), cost, state)


def _chances(seed: int, token: str, time_ns: I64) -> F64:
    """A number in [0, 1) for each hour, of a generator that counts the hours since 1970."""
    key = hashlib.sha256(f"{seed}/{token}".encode()).digest()[:16]
    hour = time_ns // HOUR_NS
    count = int(hour[-1] - hour[0]) + 1
    generator = np.random.Philox(key=np.frombuffer(key, np.uint64), counter=int(hour[0]))
    words = generator.random_raw(_WORDS_AN_HOUR * count)[::_WORDS_AN_HOUR]
    made: F64 = (words >> np.uint64(11))[hour - hour[0]] * 2.0**-53
    return made


def _end_ns(path: Delivery, ways: tuple[Ending, ...], at: I64, time_ns: I64) -> I64:
    """When each trade ends: days are closes of the US market, counted from the trade's own.

    A trade after a close, at a weekend or on a holiday is one of the next business day.
    """
    later = np.round(np.array([way.time.hours for way in ways]) * HOUR_NS).astype(np.int64)[at]
    if path.mode != "sequential":
        return time_ns + later
    closes = spans("us_cash", time_ns).closes_ns
    own = np.searchsorted(closes, time_ns, side="left")
    days = np.array([way.time.days for way in ways])[at]
    # The calendar reaches two weeks beyond the tape; what ends after that ends after the tape.
    made: I64 = closes[np.minimum(own + days, len(closes) - 1)] + later
    return made


def until_settled(asked: Asked, path: Drawn) -> tuple[I64, F64]:
    """Rows from a request to its cash where the issuer's payment settles on a path, and its cost.

    What is undone is asked for again, in the issuer's next hour and with its delay. The cost is a
    fraction of what is paid, of all attempts together.
    """
    hours = len(asked.rows)
    begun, open_rows = np.arange(hours), np.flatnonzero(asked.open)
    at, cost, waiting = begun + asked.rows, np.zeros(hours), np.ones(hours, np.bool_)
    while (waiting := waiting & (at < hours)).any():
        now = at[waiting]
        cost[waiting] += path.cost_frac[now]
        undone = path.end[now] == 1
        ends = now + np.maximum(path.rows[now], undone)
        again = np.append(open_rows, hours)[np.searchsorted(open_rows, ends[undone], side="left")]
        # Beyond the tape nothing is known: it is paid after it.
        delay = np.where(again < hours, asked.rows[np.minimum(again, hours - 1)], 0)
        ends[undone] = again + delay
        at[waiting] = ends
        waiting[waiting] = undone
    made: I64 = at - begun
    return made, cost
