"""One run of the book over a formed market, in chunks."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from perpkit.arrays import (
    ACCOUNT,
    F64,
    Book,
    Door,
    Event,
    Ledger,
    Out,
    Past,
    Replay,
    Rows,
    Tape,
    Target,
    View,
)
from perpkit.book.loop import compiled, run_hours
from perpkit.book.view import past_until
from perpkit.config import RunConfig
from perpkit.errors import DataError, PerpkitError, StrategyError
from perpkit.layout import blank, readonly
from perpkit.strategy.door import Plan, compiled_entry, plain_entry, plan_of
from perpkit.strategy.load import Strategy, place_of
from perpkit.strategy.params import params_record
from perpkit.strategy.seating import Shared, left_behind, seat
from perpkit.strategy.subbooks import BAD, Bytes, carve
from perpkit.strategy.wording import written_at
from perpkit.tape import Market, settings_of
from perpkit.tape.collateral import place_collateral
from perpkit.tape.instruments import Instruments
from perpkit.units import stamp

Progress = Callable[[int, int], None]  # rows played, rows in all

# Hyperliquid documentation, trading/portfolio-margin: liquidatable above 0.95, 20 USDC on top.
PORTFOLIO_COUNTED, PORTFOLIO_BUFFER_USD = 0.95, 20.0

_PLAYED_TWICE = 100_000  # hours times perps: ten seconds uncompiled
SLOW_CHUNK = 256  # rows between two reports of a run in plain Python
_FIRST_CHUNK = 1_024  # rows after which the first report is made
_REPORT_S = 0.1  # between two reports, and so before Ctrl-C is heard


class Kept(NamedTuple):
    """The ledger rows by column; see :class:`perpkit.arrays.Rows`."""

    position: F64  # (T, M), like the next two
    liquidation_px: F64
    funding_usd: F64
    units: F64  # (T, K)
    pledged: F64  # (T, C, K), hours last in memory
    transit_usd: F64  # (T, A)
    equity_usd: F64  # (T,)
    cash_usd: F64  # (T, A), like the next three
    value_usd: F64
    initial_usd: F64
    maintenance_usd: F64


def columns_of(rows: Rows) -> Kept:
    """The columns of the ledger rows, as views."""
    columns = {name: getattr(rows, name) for name in Kept._fields if hasattr(rows, name)}
    columns["pledged"] = rows.pledged.transpose(2, 0, 1)
    return Kept(**columns, **{name: rows.account[name] for name in ACCOUNT.names or ()})


class Played(NamedTuple):
    """What the book loop left behind."""

    rows: Kept
    fills: Any  # records of arrays.FILL
    payments: Any  # records of arrays.PAYMENT
    events: Any  # records of arrays.EVENT
    shared: Shared | None = None  # of a portfolio


@dataclass(slots=True)
class Stage:
    """Everything a run's loop reads and writes; the caller of the loop owns it."""

    market: Market
    tape: Replay  # of the market, read-only
    book: Book
    ledger: Ledger
    door: Door


def replay_of(tape: Tape) -> Replay:
    """What the book reads of a formed tape, not to be written to."""
    return readonly(Replay(*(getattr(tape, name) for name in Replay._fields)))


def set_up(
    market: Market, config: RunConfig, params: Any, memory: np.dtype[Any], plan: F64 | None = None
) -> Stage:
    """The state before the first hour.

    Parameters
    ----------
    params : the strategy's parameters as bytes
    memory : record layout of the strategy's memory
    plan : (T, M + K) total units, of a strategy that decides nothing
    """
    names = market.names
    coins, tokens, accounts = len(names.coins), len(names.tokens), len(names.accounts)
    hours = len(market.tape.time_ns)
    redeeming = market.tape.redeemable.shape[1]
    pledges = market.pledges
    # Up to the last account with a pledge: isolated positions come after all that can have one.
    holding = np.flatnonzero(pledges.share.any(axis=1)) if pledges is not None else np.zeros(0)
    pledged = int(holding[-1]) + 1 if holding.size else 0
    if config.portfolio_margin:  # a rule of every account, with a pledge or without
        pledged = int((names.account_parent < 0).sum())
    late = max(market.tape.mint_rows.shape[1], market.tape.settle_rows.shape[1])
    book = blank(Book, M=coins, K=tokens, A=accounts, W=redeeming, C=pledged, H=late)
    # The run's own copy; the market's is shared by every run.
    columns: Iterator[tuple[Any, Any]] = zip(book.tokens, market.tokens, strict=True)
    for own, shared in columns:
        own[:] = shared
    book.tokens.target[:] = np.nan
    book.perps.target[:] = np.nan
    book.perps.liquidation_px[:] = np.nan
    book.perps.account[:] = names.perp_account
    book.perps.token[:] = names.perp_token
    book.accounts.is_margin[1:] = True
    book.accounts.parent[:] = names.account_parent
    book.accounts.strict[:] = names.account_strict
    book.accounts.counted_frac[:] = 1.0
    book.accounts.lent_usd[:] = config.portfolio_cap_usd if config.portfolio_margin else np.inf
    venues = np.flatnonzero(names.account_parent[1:] < 0) + 1
    if config.portfolio_margin:  # of the venues' accounts, not of isolated positions
        book.accounts.counted_frac[venues] = PORTFOLIO_COUNTED
        book.accounts.buffer_usd[venues] = PORTFOLIO_BUFFER_USD
    book.accounts.cash_usd[0] = config.capital * (1.0 - config.margin_share)
    book.accounts.cash_usd[venues] = config.capital * config.margin_share / len(venues)
    if market.tape.cash_px.shape[1]:  # so much USD, in what each account settles in
        book.accounts.cash_usd[:] /= market.tape.cash_px[0]
    book.pending.due_row[:] = -1
    book.pending.redeem_row[:] = -1
    book.pending.leg_row[:] = -1
    if pledges is not None:
        place_collateral(pledges, market.tape, names.tokens, book)
    instruments = coins + tokens
    rows = blank(Rows, T=hours, M=coins, K=tokens, A=accounts, C=pledged)
    out = blank(
        Out,
        fills=max(8_192, 12 * instruments + 4 * pledged * tokens),
        payments=max(65_536, 6 * (instruments + accounts)),
        events=max(8_192, 15 * instruments + 8 * accounts + 3 * pledged * tokens),
        three=3,
    )
    view = _view(names)
    target = blank(Target, M=coins, K=tokens)
    told = np.zeros((0, instruments)) if plan is None else plan
    door = Door(view, target, told, params, np.zeros(coins, memory).view(np.uint8))
    return Stage(market, replay_of(market.tape), book, Ledger(rows, out), door)


def _view(names: Instruments) -> View:
    """What a strategy is shown of the account, with what holds for the whole run."""
    view = blank(View, M=len(names.coins), K=len(names.tokens), A=len(names.accounts))
    # A strategy sizes by the account that pays: of an isolated position its venue's.
    parent = names.account_parent[names.perp_account]
    view.perps.account[:] = np.where(parent < 0, names.perp_account, parent)
    view.perps.token[:] = names.perp_token
    view.perps.underlying[:] = names.perp_underlying
    view.tokens.underlying[:] = names.token_underlying
    view.perps.split_factor[:] = 1.0
    view.tokens.split_factor[:] = 1.0
    return view


def play(
    market: Market,
    config: RunConfig,
    strategy: Strategy,
    values: Mapping[str, Any],
    *,
    pure_python: bool = False,
    progress: Progress | None = None,
) -> Played:
    """Play a strategy over a market.

    Parameters
    ----------
    values : the strategy's parameters, bound
    pure_python : run loop and strategy uncompiled; the numbers are the same
    progress : called after each chunk; where it is given, chunks are as many hours as are played
        in a tenth of a second, at most `chunk_rows`

    Raises
    ------
    StrategyError
        If the strategy cannot be compiled, raises, or asks for what cannot be.
    DataError
        If a settlement is due on a position and its rate is not known.
    """
    try:
        return _play(market, config, strategy, values, pure_python, progress)
    except StrategyError as e:
        rows, coins = market.tape.mark_px.shape
        # Compiled code does not know its lines; the same run uncompiled does, where it is short.
        raised = strategy.decide is not None and isinstance(e.__cause__, Exception)
        if raised and not pure_python and rows * coins <= _PLAYED_TWICE:
            _play(market, config, strategy, values, True, None)
        raise


def _play(
    market: Market,
    config: RunConfig,
    strategy: Strategy,
    values: Mapping[str, Any],
    pure_python: bool,
    progress: Progress | None,
) -> Played:
    plan = None
    if strategy.decide is None:
        plan = plan_of(strategy, _plan(market), dict(values))
    # A portfolio's own are laid out beside the stage.
    params = params_record(() if strategy.members else strategy.parameters, values)
    stage = set_up(market, config, params, strategy.memory, plan)
    seats = _seat(stage, config, strategy, values) if strategy.members else None
    entry = plain_entry(strategy) if pure_python else compiled_entry(strategy)
    loop: Callable[..., int] = run_hours if pure_python else compiled()
    hours = len(market.tape.time_ns)
    kept: list[list[Any]] = [[], [], [], []]
    settings = settings_of(config, market.names)
    chunk = min(config.chunk_rows, SLOW_CHUNK) if pure_python else config.chunk_rows
    row, pace = 0, chunk if progress is None else min(chunk, _FIRST_CHUNK)
    while row < hours:
        begun_s, last = time.perf_counter(), min(row + pace, hours)
        begun, row = row, _step(stage, strategy, loop, (entry, settings, row, last))
        if row == begun:
            raise AssertionError(f"the buffers do not hold the hour of row {row}")
        _refuse_events(stage, strategy)
        out = stage.ledger.out
        for n, buffer in enumerate((out.fills, out.payments, out.events)):
            kept[n].append(np.asarray(buffer[: out.used[n]]).copy())
        if seats is not None:
            kept[3].append(carve(*seats).shares[: out.used[0]].copy())
        out.used[:] = 0
        if progress is not None:
            progress(row, hours)
            took_s = max(time.perf_counter() - begun_s, 1e-6)
            pace = min(max(int((row - begun) * _REPORT_S / took_s), 1), chunk)
    fills, payments, events = (np.concatenate(x) for x in kept[:3])
    shared = None
    if seats is not None:
        shared = left_behind(strategy, market, seats, np.concatenate(kept[3]))
    return Played(columns_of(stage.ledger.rows), fills, payments, events, shared)


def _seat(stage: Stage, config: RunConfig, strategy: Strategy, values: Mapping[str, Any]) -> Bytes:
    """Let the door pass a portfolio's sub-books, and the book write its fills among them."""
    ledger, market = stage.ledger, stage.market
    told = (len(ledger.out.fills), _plan(market))
    seats = seat(market, config, strategy, values, told)
    sub = carve(*seats)
    out = ledger.out._replace(fills=sub.fills.view(np.recarray), used=sub.used)
    stage.ledger = ledger._replace(out=out)
    stage.door = stage.door._replace(params=seats.params, memory=seats.memory)
    return seats


def _step(stage: Stage, strategy: Strategy, loop: Callable[..., int], call: Any) -> int:
    entry, settings, first, last = call
    market = stage.market
    try:
        with np.errstate(all="ignore"):
            return int(
                loop(
                    entry,
                    stage.tape,
                    market.terms,
                    stage.book,
                    stage.ledger,
                    settings,
                    stage.door,
                    first,
                    last,
                )
            )
    except PerpkitError:
        raise
    except Exception as e:
        raise StrategyError(_of_decide(e, strategy)) from e


def _of_decide(error: Exception, strategy: Strategy) -> str:
    place = place_of(error, strategy.sources)
    told = f"decide raised {type(error).__name__}: {error}"
    if not place:
        return f"{strategy.file.name}: {told}; run it uncompiled, --pure-python names the line"
    return f"{place}: {told}"


def _place(strategy: Strategy, of_a_perp: bool) -> str:
    """The file that asks for units, with its line where there is but one that can."""
    line = None
    if strategy.decide is not None:
        line = written_at(strategy.decide, "perps" if of_a_perp else "tokens")
    return strategy.file.name if line is None else f"{strategy.file.name}:{line}"


def _refuse_events(stage: Stage, strategy: Strategy) -> None:
    """End the run on an event that no number could follow from."""
    market = stage.market
    out = stage.ledger.out
    for event in out.events[: out.used[2]]:
        name = market.names.name(int(event["instrument"]))
        when = stamp(int(market.tape.time_ns[event["row"]]))
        if event["kind"] == Event.FUNDING_MISSING:
            raise DataError(
                f"{market.dataset.folder.name}: funding of {name} is not recorded at {when}, "
                "where it settles on a position; add the row, or set funding=formula"
            )
        if event["kind"] == Event.BAD_TARGET:
            asked = strategy
            if strategy.members:  # the one that asked for it
                number = int(carve(stage.door.params, stage.door.memory).state[BAD]) - 1
                asked = strategy.members[number].strategy
            place = _place(asked, int(event["instrument"]) < len(market.names.coins))
            raise StrategyError(
                f"{place}: target of {name} was {float(event['usd'])} at {when}; a "
                "target is a finite number of units, and a token's is not negative"
            )


def _plan(market: Market) -> Plan:
    names = market.names
    past: Past = past_until(replay_of(market.tape), len(market.tape.time_ns) - 1)
    return Plan(past, names.coins, names.tokens, tuple(int(k) for k in names.perp_token))
