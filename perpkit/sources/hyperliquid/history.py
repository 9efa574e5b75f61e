"""Pages through a span of settlements or of candles until it is whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, Protocol, TypeVar

from perpkit.errors import DataError
from perpkit.sources.hyperliquid import answers
from perpkit.units import HOUR_MS, stamp

PAGE_ROWS: Final = 500  # of fundingHistory
_LATE_MS: Final = 600_000  # stamps of settlements lie so far behind their hour
_DEEPEST: Final = 2_000  # pages of one span, which is 40 times what a year takes


class Asks(Protocol):
    """What is needed of a client."""

    def ask(self, body: dict[str, Any], most_rows: int = 0) -> Any:
        """Ask, and wait for the answer."""


class Settlement(NamedTuple):
    """A settled rate and the average premium that it was formed from."""

    time_ms: int
    funding: float
    premium: float | None


class Candle(NamedTuple):
    """An hour of trades; the close is the last price before ``time_ms`` plus one hour."""

    time_ms: int  # start
    close: float
    high: float
    low: float
    trades: int


_Row = TypeVar("_Row", Settlement, Candle)


def settlements(client: Asks, coin: str, from_ms: int, to_ms: int) -> list[Settlement]:
    """Settlements from one instant to another, both included, ascending.

    Raises
    ------
    DataError
        If an answer is no page of settlements, contradicts another one, or makes no progress.
    """

    def page(low_ms: int, high_ms: int) -> list[Settlement]:
        body = {"type": "fundingHistory", "coin": coin, "startTime": low_ms, "endTime": high_ms}
        told = answers.rows(client.ask(body, PAGE_ROWS), "settlements")
        return [_settlement(row, coin) for row in told]

    return _whole(f"fundingHistory of {coin}", page, from_ms, to_ms)


def candles(client: Asks, coin: str, from_ms: int, to_ms: int) -> list[Candle]:
    """Hourly candles begun from one instant to another, both included, ascending; errors as there.

    The API keeps the latest 5,000 of them and answers an older span with nothing.
    """

    def page(low_ms: int, high_ms: int) -> list[Candle]:
        span = {"coin": coin, "interval": "1h", "startTime": low_ms, "endTime": high_ms}
        hours = (high_ms - low_ms) // HOUR_MS + 1
        told = answers.rows(client.ask({"type": "candleSnapshot", "req": span}, hours), "candles")
        return [_candle(row, coin) for row in told]

    return _whole(f"candleSnapshot of {coin}", page, from_ms, to_ms)


def _whole(
    what: str, page: Callable[[int, int], list[_Row]], from_ms: int, to_ms: int
) -> list[_Row]:
    """Ask for a span, then for what an answer left open before its first row and after its last.

    Bounds are inclusive on the wire, so the row at a bound comes again and says that the next page
    joins. Nothing is taken for granted of the rows' order, nor of which end a cut page keeps.
    """
    found: dict[int, _Row] = {}
    todo = [(from_ms, to_ms)] if from_ms <= to_ms else []
    for _ in range(_DEEPEST):
        if not todo:
            return [found[time_ms] for time_ms in sorted(found)]
        low, high = todo.pop()
        rows = page(low, high)
        within = [row for row in rows if low <= row.time_ms <= high]
        fresh = {row.time_ms for row in within} - found.keys()
        for row in within:
            if found.setdefault(row.time_ms, row) != row:
                raise DataError(
                    f"{what} tells two different things of {stamp(row.time_ms * 1_000_000)}; "
                    "run the same command again, and check --base-url where it persists"
                )
        if not fresh:
            if rows and (not within or len(rows) >= PAGE_ROWS):
                raise _no_progress(what, low, high)
            continue
        if high - max(fresh) > HOUR_MS:
            todo.append((max(fresh), high))
        if min(fresh) - low > HOUR_MS + _LATE_MS:
            todo.append((low, min(fresh)))
    raise _no_progress(what, from_ms, to_ms)


def _no_progress(what: str, low_ms: int, high_ms: int) -> DataError:
    first, last = stamp(low_ms * 1_000_000), stamp(high_ms * 1_000_000)
    return DataError(
        f"{what} from {first} to {last} is answered with rows that do not go on; check --base-url, "
        "and run the same command again later"
    )


def _settlement(row: Mapping[str, Any], coin: str) -> Settlement:
    _check_name(row, "coin", coin)
    premium = None if row.get("premium") is None else answers.rate(row, "premium")
    return Settlement(answers.moment(row, "time"), answers.rate(row, "fundingRate"), premium)


def _candle(row: Mapping[str, Any], coin: str) -> Candle:
    _check_name(row, "s", coin)
    _check_name(row, "i", "1h")
    start = answers.moment(row, "t")
    if start % HOUR_MS or answers.moment(row, "T") != start + HOUR_MS - 1:
        raise answers.fault(f"as candle from {start}", row.get("T"))
    first, close, high, low = (answers.positive(row, key) for key in "ochl")
    if not low <= min(first, close) <= max(first, close) <= high:
        raise answers.fault("as candle", (first, high, low, close))
    return Candle(start, close, high, low, answers.moment(row, "n"))


def _check_name(row: Mapping[str, Any], key: str, expected: str) -> None:
    if row.get(key) != expected:
        raise answers.fault(f"as {key} where {expected} was asked for", row.get(key))
