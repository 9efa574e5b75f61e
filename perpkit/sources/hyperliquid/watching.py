"""Records perps from now on: what no history can be asked for is polled and laid on the hour."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

from perpkit.dataset.store import Store
from perpkit.errors import DataError, RequestError
from perpkit.rulebook import open_rulebook
from perpkit.sources.hyperliquid import pending as unfinished
from perpkit.sources.hyperliquid.client import Client
from perpkit.sources.hyperliquid.commit import committing
from perpkit.sources.hyperliquid.contexts import Cells, hour_of, poll
from perpkit.sources.hyperliquid.describe import described
from perpkit.sources.hyperliquid.fetch import skew_notes
from perpkit.sources.hyperliquid.filling import LATE_MS
from perpkit.sources.hyperliquid.history import settlements
from perpkit.sources.hyperliquid.markets import Market, read_markets
from perpkit.sources.hyperliquid.pending import Hour
from perpkit.sources.hyperliquid.plan import last_hour
from perpkit.sources.hyperliquid.rules import keep_terms
from perpkit.sources.hyperliquid.tables import funding_rows, nominal_hour
from perpkit.units import HOUR_MS, MINUTE_MS, stamp

EVERY_S: Final = 30.0
_BEFORE_HOUR_S: Final = 2.0  # one poll lies so near before each hour, however seldom they are
_AGAIN_MS: Final = 5 * MINUTE_MS  # until a settlement that is not there yet is asked for again
_LOST_MS: Final = 24 * HOUR_MS  # from when on it is not waited for

_T = TypeVar("_T")


class Pace(NamedTuple):
    """How often to poll, and for how long."""

    every_s: float = EVERY_S
    polls: int | None = None  # None: until Ctrl-C


_PACE: Final = Pace()


@dataclass(slots=True)
class Watched:
    """What was recorded."""

    polls: int = 0
    failed: int = 0
    rows: int = 0
    last_hour_ms: int | None = None


class Watching:
    """Polls some perps into a dataset.

    Parameters
    ----------
    client : asks the API
    coins : perps by name
    folder : of the dataset
    say : told of each hour that was saved and of what went wrong
    """

    def __init__(
        self, client: Client, coins: Sequence[str], folder: Path, say: Callable[[str], None]
    ) -> None:
        self._client, self._coins, self._folder, self._say = client, tuple(coins), folder, say
        self._store = Store(folder)
        self._markets: list[Market] = []
        self._ask_from_ms: dict[str, int] = {}
        self._ended: set[str] = set()
        self.watched = Watched()
        self.pending = unfinished.Pending()

    def start(self) -> None:
        """Find the perps and make the folder ready.

        Raises
        ------
        RequestError, DataError
            If a perp is not there or no longer traded, the API does not answer, or the folder
            cannot be written.
        """
        self._markets = self._read_markets()
        for market in self._markets:
            if market.delisted:
                raise RequestError(
                    f"--coins: {market.coin} is delisted, there is nothing to watch; fetch its "
                    "history with perpkit data fetch"
                )
        with committing(self._store):  # refuses a folder that is not to be written to
            described(self._folder, self._markets)
        self.pending = unfinished.load(self._folder)
        self._keep_terms()
        for note in skew_notes(self._client):
            self._say(note)

    def tick(self) -> None:
        """Poll once, save the hours that have ended, and settlements that are due."""
        self.watched.polls += 1
        for dex in dict.fromkeys(market.dex for market in self._markets):
            seen = self._tried(partial(poll, self._client, dex))
            if seen is not None:
                self._see(dex, seen, self._client.told_ms())
        unfinished.keep(self._folder, self.pending)
        self._settle(self._client.server_ms())

    def _see(self, dex: str, seen: dict[str, Cells], now_ms: int) -> None:
        hour_ms = hour_of(now_ms)
        ended = self.pending.ended(hour_ms, self._coins)
        if ended:
            self._save(ended)
        for market in self._markets:
            if market.dex != dex:
                continue
            if market.coin in seen:
                self.pending.see(market.coin, hour_ms, now_ms, seen[market.coin])
            elif market.coin not in self._ended:
                self._ended.add(market.coin)
                self._say(f"{market.coin} is no longer traded; its rows so far are saved")

    def _save(self, ended: dict[str, Hour]) -> None:
        ours = [market for market in self._markets if market.coin in ended]
        # Recorded contexts win over a row that a fetch formed of the hour's trades.
        with committing(self._store, replace=True, patience=None) as writer:
            writer.add("perps", unfinished.rows(ended))
            text = described(self._folder, ours)
            if text is not None:
                writer.describe(text)
        for coin, hour in ended.items():
            del self.pending.hours[coin]
            self.watched.rows += 1
            self.watched.last_hour_ms = hour.hour_ms
            self._say(f"{stamp(hour.hour_ms * 1_000_000)} {coin}: saved, {hour.polls:,} polls")
        markets = self._tried(self._read_markets)
        if markets is not None:
            self._markets = markets
            self._keep_terms()

    def _settle(self, now_ms: int) -> None:
        last_ms = last_hour(now_ms)
        for coin in self._coins:
            # None: no poll of it has been seen yet.
            first_ms = self.pending.settle_from_ms.get(coin, now_ms)
            if first_ms > last_ms or now_ms < self._ask_from_ms.get(coin, 0):
                continue
            until_ms = min(last_ms + LATE_MS, now_ms)
            found = self._tried(partial(settlements, self._client, coin, first_ms, until_ms))
            next_ms = first_ms
            if found:
                with committing(self._store, patience=None) as writer:
                    writer.add("funding", funding_rows(coin, found))
                next_ms = nominal_hour(found[-1].time_ms) + HOUR_MS
            self.pending.settle_from_ms[coin] = max(next_ms, last_ms - _LOST_MS)
            self._ask_from_ms[coin] = now_ms + _AGAIN_MS if next_ms <= last_ms else 0
            unfinished.keep(self._folder, self.pending)

    def _read_markets(self) -> list[Market]:
        return read_markets(self._client, self._coins, open_rulebook(dataset=self._folder))

    def _keep_terms(self) -> None:
        for change in keep_terms(self._folder, self._markets, self._client.server_ms()):
            self._say(change)

    def _tried(self, ask: Callable[[], _T]) -> _T | None:
        """What an answer says, or None: a failing server ends no watch."""
        try:
            return ask()
        except DataError as error:
            self.watched.failed += 1
            self._say(str(error))
            return None


def watch(
    watching: Watching,
    client: Client,
    pace: Pace = _PACE,
    sleep: Callable[[float], None] = time.sleep,
) -> Watched:
    """Poll until the number of polls is reached, or for ever.

    Raises
    ------
    RequestError, DataError
        As `Watching.start`; or if the folder cannot be written, or contradicts what was seen.
    """
    if not pace.every_s > 0:  # NaN too
        raise RequestError(f"--every {pace.every_s:g} is no pause; write seconds, such as 30")
    watching.start()
    while True:
        watching.tick()
        if pace.polls is not None and watching.watched.polls >= pace.polls:
            return watching.watched
        sleep(pause_s(client.server_ms(), pace.every_s))


def pause_s(now_ms: int, every_s: float) -> float:
    """Seconds until the next poll: the pace, or less so that one lies just before the hour.

    >>> pause_s(3_590_000, 30.0), pause_s(3_599_000, 30.0), pause_s(0, 30.0)
    (8.0, 30.0, 30.0)
    """
    to_hour_s = (HOUR_MS - now_ms % HOUR_MS) / 1_000 - _BEFORE_HOUR_S
    return to_hour_s if 0 < to_hour_s < every_s else every_s
