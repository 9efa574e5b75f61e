"""A simulation from its request to its tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

import polars as pl

from perpkit.dataset.schema import ACTIONS
from perpkit.errors import RequestError
from perpkit.rulebook import load_venue
from perpkit.sources.simulated.books import perp_frames, place
from perpkit.sources.simulated.events import Event, lay_events
from perpkit.sources.simulated.hours import Hours, datetimes, lay_hours
from perpkit.sources.simulated.parameters import Values
from perpkit.sources.simulated.path import Action, lay_path
from perpkit.sources.simulated.path import Path as Prices
from perpkit.sources.simulated.premium import draw_premium
from perpkit.sources.simulated.realpath import follow, read_bars
from perpkit.sources.simulated.scenarios import Scenario, read_scenario, shock_frame
from perpkit.sources.simulated.stocks import Stock, make_stocks
from perpkit.sources.simulated.tokens import Quote, bill_frame, draw_quotes, token_frames
from perpkit.sources.simulated.truth import Truth, draw_truth
from perpkit.units import stamp, to_ns

START: Final = datetime(2025, 11, 1, tzinfo=UTC)
_MOST_DAYS: Final = 3_650


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be simulated.

    Attributes
    ----------
    scenario : str
        A shipped scenario, or the path of a TOML file.
    stocks : tuple[str, ...]
    days : int
    seed : int
    start : datetime
        First row, a full hour; without a zone it is UTC.
    venues : tuple[str, ...]
        Where each stock has a perp.
    changed : mapping of parameters in place of the scenario's
    real_path : Path | None
        Hourly bars to take the true price from.
    """

    scenario: str = "base"
    stocks: tuple[str, ...] = ("NVDA", "TSLA")
    days: int = 365
    seed: int = 7
    start: datetime = START
    venues: tuple[str, ...] = ("baseline",)
    changed: Mapping[str, float] = field(default_factory=dict)
    real_path: Path | None = None


class World(NamedTuple):
    """Everything that a simulation drew."""

    request: Request
    scenario: Scenario
    values: Values
    hours: Hours
    stocks: tuple[Stock, ...]
    truth: Truth
    prices: Prices
    quote: Quote
    events: tuple[Event, ...]


class Tables(NamedTuple):
    """A dataset's tables; `actions` and `shocks` may be empty."""

    perps: pl.DataFrame
    tokens: pl.DataFrame
    actions: pl.DataFrame
    shocks: pl.DataFrame


def make_world(request: Request) -> World:
    """Draw all that a request asks for.

    Raises
    ------
    RequestError
        If the request is not understood.
    DataError
        If the hours are outside the tables of days, or bars are wrong or lacking.
    """
    _check(request)
    scenario = read_scenario(request.scenario)
    values = Values({**scenario.changed, **request.changed}, f"scenario {scenario.name}")
    seed, tickers = request.seed, list(request.stocks)
    stocks = make_stocks(tickers, scenario.stocks, values, seed)
    hours = lay_hours(to_ns(request.start), 24 * request.days)
    events = lay_events(scenario.events, hours, tickers, f"scenario {scenario.name}")
    truth = draw_truth(hours, stocks, values, seed)
    if request.real_path is not None:
        # Its own dividends and earnings are in a recorded price already.
        truth, first = follow(truth, hours, read_bars(request.real_path, tickers), tickers)
        stocks = tuple(
            stock._replace(start_px=px, dividend_yield=0.0)
            for stock, px in zip(stocks, first, strict=True)
        )
    prices = lay_path(hours, stocks, truth, events, values, seed)
    quote = draw_quotes(hours, stocks, prices, events, values, seed)
    return World(request, scenario, values, hours, stocks, truth, prices, quote, events)


def make_tables(world: World) -> Tables:
    """The tables of a simulation, rows by instrument and hour."""
    hours, stocks, values, seed = world.hours, world.stocks, world.values, world.request.seed
    perps: list[pl.DataFrame] = []
    for venue in world.request.venues:
        premium = draw_premium(
            hours, stocks, venue, world.truth.earnings, world.events, values, seed
        )
        perps += perp_frames(hours, stocks, world.prices, venue, premium, values, seed)
    tokens = token_frames(hours, stocks, world.prices, world.quote, values, seed)
    tickers = [stock.ticker for stock in stocks]
    return Tables(
        pl.concat(perps),
        pl.concat([*tokens, bill_frame(hours, values, seed)]),
        _action_frame(world.prices.actions, world),
        shock_frame(world.scenario, hours, tickers, world.request.venues),
    )


def _check(request: Request) -> None:
    if not 1 <= request.days <= _MOST_DAYS:
        raise RequestError(f"--days was {request.days}; write 1 to {_MOST_DAYS:,}")
    if request.seed < 0:
        raise RequestError(f"--seed was {request.seed}; write a whole number, 0 or more")
    if to_ns(request.start) % 3_600_000_000_000:
        raise RequestError(f"--start was {request.start}; write a full hour")
    if not request.venues:
        raise RequestError("no venue is named; write --venues baseline")
    if len(set(request.venues)) < len(request.venues):
        raise RequestError(f"--venues {','.join(request.venues)} names one twice; name each once")
    for venue in request.venues:
        place(venue)
        since_ns = load_venue(venue).dates()[0]
        if to_ns(request.start) < since_ns:
            raise RequestError(
                f"--start was {stamp(to_ns(request.start))}, before the terms of {venue}, which "
                f"begin at {stamp(since_ns)}; choose a later one, or --venues baseline"
            )


def _action_frame(actions: tuple[Action, ...], world: World) -> pl.DataFrame:
    """Dividends and splits, as of the row that shows them."""
    rows = sorted(actions, key=lambda one: (world.stocks[one.stock].ticker, one.row, one.kind))
    withheld = [world.values.withholding_frac if x.kind == "dividend" else None for x in rows]
    columns = {
        "underlying": [world.stocks[one.stock].ticker for one in rows],
        "kind": [one.kind for one in rows],
        "amount": [one.amount for one in rows],
        "withholding_frac": withheld,
    }
    schema = {name: ACTIONS.columns[name].dtype for name in columns}
    time = datetimes(world.hours.time_ns[[one.row for one in rows]])
    return pl.DataFrame(columns, schema=schema).insert_column(0, time)
