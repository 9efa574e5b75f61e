"""W2 with tokens as they are really held, against W2 with all of it absent, in turns.

On: every token by its pool, its issuer or its quote, the cheapest that is open; trades that settle
over business days or in hours, and fail as US trades do; dividends in cash and in the multiplier,
debited to shorts; a split of every stock, half of the perps restated and half settled; a pause
after it, and a freeze. The threshold is 1.3 times; it is told and not held, as the machine decides.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import numpy as np

from benchmarks.driver import Driver
from benchmarks.timing import Row, rows_of, timed_driver
from benchmarks.workloads import HOURS, MARKETS, Workload, workload
from perpkit.arrays import F64, Action, Event, Lock, Reason, Tape, Tokens, Way
from perpkit.config import check_config
from perpkit.layout import blank, layout
from perpkit.play import Played
from perpkit.tape import Market
from perpkit.tape.redemption import in_session
from perpkit.tape.settling import lay_settlement
from perpkit.tape.splits import restated_before
from perpkit.tape.ways import rows_until
from perpkit.units import HOUR_NS

THRESHOLD: Final = 1.3
QUARTER: Final = 2_190  # hours between two dividends
DIVIDEND_FRAC: Final = 0.004  # of the price, a quarter
RATIO: Final = 2.0
PAUSE: Final = 24
DELAY: Final = 4  # hours until the issuer delivers, or pays
WEEK_NS: Final = 7 * 24 * HOUR_NS
_QUOTE, _DEX, _ISSUER = (1 << way for way in (Way.QUOTE, Way.DEX, Way.ISSUER))
_WAYS: Final = (_QUOTE | _ISSUER, _DEX | _ISSUER, _DEX)  # in turns, as `cheapest` gives them


def _split_row(m: int) -> int:
    """When a stock splits: another hour for each."""
    return 5_000 + 311 * m


def _actions() -> list[tuple[int, int, Action, float]]:
    """Row, instrument, kind and value; a dividend's is its share of the price as yet."""
    made: list[tuple[int, int, Action, float]] = []
    for m in range(MARKETS):
        perp = Action.SPLIT if m % 2 else Action.SETTLE
        made += [(_split_row(m), m, perp, RATIO), (_split_row(m), MARKETS + m, Action.SPLIT, RATIO)]
        for row in range(QUARTER + 7 * m, HOURS, QUARTER):
            made.append((row, m, Action.CASH, DIVIDEND_FRAC))
            if m % 4 < 2:  # the others reinvest it
                made.append((row, MARKETS + m, Action.CASH, 0.7 * DIVIDEND_FRAC))
    return sorted(made, key=lambda one: one[:2])


def _multiplier() -> F64:
    """(T, K) what a token that reinvests dividends has become."""
    hour, grown = np.arange(HOURS)[:, None], 1.0 + 0.7 * DIVIDEND_FRAC
    paid = np.maximum((hour - 7 * np.arange(MARKETS)) // QUARTER, 0)
    return np.where(np.arange(MARKETS) % 4 < 2, 1.0, grown**paid)


def _lay_prices(tape: Tape, calm: Tape) -> None:
    """Prices in the units of their hour, a token's by its multiplier, and NAVs in market hours."""
    split = np.arange(HOURS)[:, None] >= [_split_row(m) for m in range(MARKETS)]
    units = np.where(split, RATIO, 1.0)
    tape.multiplier[:] = _multiplier()
    for name in ("oracle_px", "mark_px"):
        getattr(tape, name)[:] = getattr(calm, name) / units
    for name in ("bid_px", "ask_px", "fair_px"):
        getattr(tape, name)[:] = getattr(calm, name) * tape.multiplier / units
    opened = in_session(tape.time_ns, "24/5", "")
    tape.nav_px[:] = np.where(opened[:, None], tape.oracle_px * tape.multiplier, np.nan)
    tape.start_px[:], tape.token_start_px[:] = restated_before(tape)
    tape.high_px[:] = np.fmax(tape.start_px, tape.mark_px)
    tape.low_px[:] = np.fmin(tape.start_px, tape.mark_px)
    rows = rows_until(opened, DELAY)[:, None]
    tape.mint_rows[:], tape.buyback_rows[:] = rows, rows


def _lay_halts(tape: Tape) -> None:
    """A pause after each split, and a freeze half a year after it."""
    for k in range(MARKETS):
        row = _split_row(k)
        for first in (row, row + 4_380):
            tape.halted[first : first + PAUSE, k] = True
        tape.lock[row + 4_380 : row + 4_380 + PAUSE, k] = Lock.ALL
    for name in ("quoted", "live"):
        getattr(tape, name)[tape.halted] = False
    for name in ("mint_rows", "buyback_rows"):
        getattr(tape, name)[tape.halted] = -1


def _tape(calm: Tape) -> Tape:
    """The same hours with pools, issuers, actions and locks."""
    acted, sizes = _actions(), {"M": MARKETS, "K": MARKETS, "U": MARKETS, "X": 0, "Y": 0}
    tokens = dict.fromkeys("RLOB", MARKETS)
    made = blank(Tape, T=HOURS, N=len(acted), V=MARKETS, **sizes, **tokens)
    for name in layout(Tape):
        if getattr(calm, name).size:
            getattr(made, name)[:] = getattr(calm, name)
    made.time_ns[:] += WEEK_NS  # the tables of sessions begin within the first day
    columns = zip(*acted, strict=True)
    for name, column in zip(("row", "instrument", "kind", "value"), columns, strict=True):
        getattr(made, f"action_{name}")[:] = column
    made.liquidity_usd[:] = 5e8
    _lay_prices(made, calm)
    _lay_halts(made)
    cash = made.action_kind == Action.CASH
    row, stock = made.action_row[cash], made.action_instrument[cash] % MARKETS
    made.action_value[cash] *= made.oracle_px[row, stock]
    return made


def _market(calm: Market, config: Any) -> Market:
    tokens = blank(Tokens, K=MARKETS)
    for own, shared in zip(tokens, calm.tokens, strict=True):
        own[:] = shared
    tokens.ways[:] = np.resize(_WAYS, MARKETS)
    tokens.mint_fee_frac[:] = tokens.redeem_fee_frac[:] = 1e-4
    tokens.mint_min_usd[:] = tokens.redeem_min_usd[:] = 1_000.0
    tokens.inventory_usd[:] = 1e6
    tokens.drawn_day[:] = -1
    tape = lay_settlement(_tape(calm.tape), config, calm.names)
    return replace(calm, tape=tape, tokens=tokens)


def held() -> Workload:
    """W2 with tokens as they are held."""
    calm = workload("W2", MARKETS)
    days = {token: {"mode": "sequential"} for token in calm.market.names.tokens[::2]}
    told: dict[str, Any] = {
        "capital": calm.config.capital,
        "margin_share": 0.5,
        "settlement": {"mode": "coordinated"},
        "token_settlement": days,
    }
    config = check_config(told)
    return calm._replace(name="W2 tokens", market=_market(calm.market, config), config=config)


def refuse_idle(played: Played) -> None:
    """Refuse to time what did not happen."""
    wanted = {
        "reasons of fills": (played.fills["reason"], (Reason.ACTION, Reason.SETTLEMENT)),
        "ways": (played.fills["way"], tuple(Way)),
        "events": (
            played.events["kind"],
            (Event.SPLIT, Event.MARKET_SETTLED, Event.SETTLED, Event.UNWOUND, Event.LOCKED),
        ),
    }
    for what, (told, codes) in wanted.items():
        absent = [code.name for code in codes if not (told == code).any()]
        assert not absent, f"W2 tokens: {what}: nothing was {', '.join(absent)}"


def measure(rounds: int) -> list[Row]:
    """Both in turns, with a ledger and for equity alone; the ratio is to the same with it off."""
    off, on = Driver(workload("W2", MARKETS)), Driver(held())
    refuse_idle(on.run(on.prepare(on.work.values, ledger=True)))
    engines = {}
    for what, ledger in (("ledger", True), ("equity", False)):
        engines[f"off, {what}"] = (timed_driver(off, ledger=ledger), "")
        engines[f"on, {what}"] = (timed_driver(on, ledger=ledger), f"off, {what}")
    return rows_of("W2", off.work.cells, engines, rounds, f"threshold {THRESHOLD:g}")
