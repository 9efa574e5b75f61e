"""Fetches the history of perps into a dataset, so that it can go on after whatever ended it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from perpkit.dataset.store import Store
from perpkit.errors import RequestError
from perpkit.rulebook import open_rulebook
from perpkit.sources.hyperliquid.client import Client
from perpkit.sources.hyperliquid.commit import committing
from perpkit.sources.hyperliquid.filling import Fetched, Filling, Progress
from perpkit.sources.hyperliquid.markets import read_markets
from perpkit.sources.hyperliquid.plan import CANDLES_KEPT, Span, last_hour
from perpkit.sources.hyperliquid.rules import keep_terms
from perpkit.units import HOUR_MS, stamp

_SKEW_S: Final = 120

Stage = Callable[[str], None]


class Wanted(NamedTuple):
    """What to fetch: coins, and the first and the last instant."""

    coins: tuple[str, ...]
    from_ms: int
    to_ms: int | None = None  # None: up to now
    trade_range: bool = False


class Report(NamedTuple):
    """What a fetch did: perp by perp, and sentences on what is worth saying."""

    coins: list[Fetched]
    notes: list[str]


def fetch(
    client: Client,
    wanted: Wanted,
    folder: Path,
    stage: Stage = lambda _: None,
    progress: Progress = lambda _done, _whole: None,
) -> Report:
    """Bring the history of some perps into a dataset folder.

    What the folder holds already is not asked for again. Each window is committed whole, so
    whatever ends the process leaves a dataset that the next run goes on with.

    Parameters
    ----------
    client : asks the API
    wanted : coins and span
    folder : of the dataset, made where it is not there
    stage, progress : told what is under way, and how many windows of how many are done

    Raises
    ------
    RequestError
        If a coin is not there, the span is empty, or the folder cannot be written.
    DataError
        If the API does not answer, or answers what contradicts itself or the folder.
    """
    stage("asking for perps and terms")
    markets = read_markets(client, wanted.coins, open_rulebook(dataset=folder))
    now_ms = client.server_ms()
    span = _span(wanted, now_ms)
    report = Report([], skew_notes(client))
    store = Store(folder)
    with committing(store):  # refuses a folder that is not to be written to, and tidies up
        report.notes.extend(keep_terms(folder, markets, now_ms))
    for market in markets:
        stage(f"fetching {market.coin}")
        filling = Filling(client, store, market, span, now_ms, trade_range=wanted.trade_range)
        fetched = filling.fill(progress)
        report.coins.append(fetched)
        report.notes.extend(_notes(fetched))
    return report


def skew_notes(client: Client) -> list[str]:
    """Say that this machine's clock is wrong, where the server's differs by minutes."""
    skew = client.skew_s
    if skew is None or abs(skew) < _SKEW_S:
        return []
    way = "ahead of" if skew > 0 else "behind"
    told = f"this machine's clock is {abs(skew):,.0f} s {way} the server's"
    return [f"{told}, whose time was used; set the clock"]


def _span(wanted: Wanted, now_ms: int) -> Span:
    last = last_hour(now_ms)
    if wanted.to_ms is not None:
        last = min(last, wanted.to_ms // HOUR_MS * HOUR_MS)
    first = -(-wanted.from_ms // HOUR_MS) * HOUR_MS
    if wanted.to_ms is not None and wanted.to_ms < wanted.from_ms:
        raise RequestError(
            f"--to {_stamp(wanted.to_ms)} is before --from {_stamp(wanted.from_ms)}; exchange them"
        )
    if first > last:
        raise RequestError(
            f"--from {_stamp(first)} is later than the last whole hour to be had, {_stamp(last)}; "
            "start earlier"
        )
    return Span(first, last)


def _notes(made: Fetched) -> Iterator[str]:
    coin, first = made.coin, made.span.first_ms
    funding, price = made.first_funding_ms, made.first_price_ms
    if funding is None:
        yield f"{coin}: no settlement in the span, it was not listed then"
    elif funding > first:
        yield f"{coin}: nothing was settled before {_stamp(funding)}, it was not listed then"
    listed = first if funding is None else max(first, funding)
    if price is None:
        yield (
            f"{coin}: no price can be had, the API keeps the latest {CANDLES_KEPT:,} hourly "
            "candles; this perp has funding alone, which no backtest can play"
        )
    elif price > listed + HOUR_MS:
        yield (
            f"{coin}: prices before {_stamp(price)} are out of reach, the API keeps the latest "
            f"{CANDLES_KEPT:,} hourly candles; start the backtest there, or import older prices"
        )
    if made.ended_ms is not None:
        yield f"{coin}: it is delisted, its last settlement is of {_stamp(made.ended_ms)}"
    if made.gaps:
        yield f"{coin}: {_hours(made.gaps)} no settlement"
    if made.untraded:
        yield f"{coin}: {_hours(made.untraded)} no trade, so no price"
    if made.without_premium:
        yield f"{coin}: {_hours(made.without_premium)} no premium, so no price"
    if made.unranged:
        yield (
            f"{coin}: --trade-range changes no hour that was there: {made.unranged:,} of them keep "
            "no range; fetch into a new folder to have it"
        )


def _hours(count: int) -> str:
    return "1 hour has" if count == 1 else f"{count:,} hours have"


def _stamp(ms: int) -> str:
    return stamp(ms * 1_000_000)
