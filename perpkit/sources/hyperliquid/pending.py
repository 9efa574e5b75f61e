"""The polls of an hour that has not ended, kept in a file so that no kill loses them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import polars as pl

from perpkit.dataset.parts import WATCH_FILE
from perpkit.dataset.schema import PERPS, TIME
from perpkit.errors import DataError
from perpkit.sources.hyperliquid.contexts import CHAIN, Cells

FILE: Final = WATCH_FILE
_SCHEMA: Final = 1


@dataclass(slots=True)
class Hour:
    """What was seen of a perp in the hour that ends at `hour_ms`."""

    hour_ms: int
    observed_ms: int
    cells: Cells  # of the last poll
    high_px: float  # of the mark over the polls, which is a lower bound of its true range
    low_px: float
    polls: int

    def see(self, observed_ms: int, cells: Cells) -> None:
        """Take a later poll in."""
        self.observed_ms, self.cells, self.polls = observed_ms, cells, self.polls + 1
        self.high_px = max(self.high_px, cells["mark_px"])
        self.low_px = min(self.low_px, cells["mark_px"])


@dataclass(slots=True)
class Pending:
    """The unfinished hour of each perp, and from which hour on its settlements are to be asked."""

    hours: dict[str, Hour] = field(default_factory=dict)
    settle_from_ms: dict[str, int] = field(default_factory=dict)

    def see(self, coin: str, hour_ms: int, observed_ms: int, cells: Cells) -> None:
        """Take a poll in; an hour before it must have been taken out.

        One of an earlier hour comes from a server whose clock is behind, and is dropped.
        """
        if coin in self.hours:
            if hour_ms == self.hours[coin].hour_ms:
                self.hours[coin].see(observed_ms, cells)
        else:
            mark = cells["mark_px"]
            self.hours[coin] = Hour(hour_ms, observed_ms, cells, mark, mark, 1)
        self.settle_from_ms.setdefault(coin, hour_ms)

    def ended(self, hour_ms: int, coins: Iterable[str]) -> dict[str, Hour]:
        """Hours of these perps before this one."""
        mine = {coin: self.hours[coin] for coin in coins if coin in self.hours}
        return {coin: hour for coin, hour in mine.items() if hour.hour_ms < hour_ms}


def load(folder: Path) -> Pending:
    """Read what an earlier run kept; nothing where there is none.

    Raises
    ------
    DataError
        If the file is not one of these.
    """
    path = folder / FILE
    if not path.is_file():
        return Pending()
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        known = {_SCHEMA: Hour}[told["schema"]]
        hours = {coin: known(**hour) for coin, hour in told["hours"].items()}
        return Pending(hours, dict(told["settle_from_ms"]))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"{path} cannot be read; remove it, which loses the polls of one unfinished hour"
        ) from error


def keep(folder: Path, pending: Pending) -> None:
    """Write the file anew, at once."""
    told: dict[str, Any] = {"schema": _SCHEMA, **asdict(pending)}
    beside = folder / f"{FILE}.new"
    beside.write_text(json.dumps(told, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    beside.replace(folder / FILE)


def rows(hours: dict[str, Hour]) -> pl.DataFrame:
    """Rows of ``perps`` for ended hours; the last poll is the hour's, `observed` says when."""
    made = [
        {
            "time": hour.hour_ms,
            "coin": coin,
            **hour.cells,
            "mark_high_px": hour.high_px,
            "mark_low_px": hour.low_px,
            "oracle_source": CHAIN,
            "observed": hour.observed_ms,
        }
        for coin, hour in hours.items()
    ]
    times = ("time", "observed")
    schema = {n: pl.Int64() if n in times else dtype for n, dtype in PERPS.dtypes.items()}
    return pl.DataFrame(made, schema=schema).with_columns(pl.col(*times).cast(TIME))
