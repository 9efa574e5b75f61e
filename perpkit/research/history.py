"""Settled funding as it was published: of a dataset, or of one Parquet file of settlements."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import polars as pl

from perpkit.arrays import B8, F64, I64
from perpkit.config import check_config
from perpkit.dataset import Dataset, read_dataset, read_settlements
from perpkit.errors import DataError, RequestError
from perpkit.market.loop import is_compiled
from perpkit.rulebook import CoinTerms, venue_names
from perpkit.tape import form
from perpkit.tape.grid import times_ns
from perpkit.tape.settlements import LATEST_NS, settlements
from perpkit.units import HOUR_NS, stamp

INTERVALS: Final = (1, 2, 3, 4, 6, 8, 12, 24)  # hours; a venue settles at fixed times of the day
_RUN: Final = 3  # so many equal distances in a row show an interval, and not a gap,
_LONG_RUN: Final = 12  # or so many between rows that stand closer: gaps may repeat by chance
CORE: Final = "hyperliquid"  # venue of a coin whose name has no prefix


class Settled(NamedTuple):
    """Settlements of one coin, ascending; (R,) each."""

    time_ns: I64  # nominal: the full hour that the stamp was snapped to
    hours: I64  # of the interval that was settled
    funding: F64
    premium: F64  # NaN where it was not published

    def take(self, which: B8) -> Settled:
        """Only these settlements."""
        return Settled(
            self.time_ns[which], self.hours[which], self.funding[which], self.premium[which]
        )


class StampFault(NamedTuple):
    """Stamps of a coin that name no settlement, or one that another row settles otherwise."""

    coin: str
    what: str
    first_ns: int
    rows: int


@dataclass(frozen=True, slots=True)
class History:
    """Settled funding by coin, in the order of the source.

    `formed` says that nothing was recorded and perpkit formed the rates itself. `coins` name venue
    and terms, where a dataset or a prefix such as ``xyz:`` tells them. Faulty rows are left out of
    `settled` and told in `faults`; `repeated` counts those left out because another row says the
    same of the same hour.
    """

    name: str
    file: str
    formed: bool
    settled: Mapping[str, Settled]
    coins: Mapping[str, CoinTerms]
    faults: tuple[StampFault, ...]
    repeated: int
    dataset: Dataset | None

    def refuse_faults(self) -> None:
        """Raise a DataError on the first fault of a stamp."""
        for fault in self.faults:
            raise DataError(
                f"{self.file}: {fault.coin} {fault.what} in {fault.rows} rows, first "
                f"{stamp(fault.first_ns)}; correct the stamps, or remove these rows"
            )


def read_history(
    path: Path | str,
    venue: str | None = None,
    interval_hours: int | None = None,
    *,
    form_absent: bool = True,
) -> History:
    """Read the settled funding of a dataset folder or of one Parquet file.

    Parameters
    ----------
    path : a dataset, or a Parquet file with ``time, coin, funding`` and ``premium``
    venue : whose terms hold for the coins of a file; none: by the coin's prefix
    interval_hours : time between settlements; none: as the stamps show
    form_absent : form the rates of a dataset that brings external prices and records none

    Raises
    ------
    DataError, RequestError
        If there is nothing to read, or the stamps show no interval.
    """
    path = Path(path)
    if interval_hours is not None and interval_hours not in INTERVALS:
        raise RequestError(
            f"interval {interval_hours} h does not divide a day; write one of "
            f"{', '.join(map(str, INTERVALS))}"
        )
    if path.is_file():
        frame, repeated = read_settlements(path)
        return history_of_file(path.name, frame, repeated, venue, interval_hours)
    refuse_venue(venue)
    return history_of_dataset(read_dataset(path), interval_hours, form_absent=form_absent)


def refuse_venue(venue: str | None) -> None:
    """Refuse a venue that is stated for a dataset.

    Raises
    ------
    RequestError
        If there is one.
    """
    if venue is not None:
        raise RequestError("a venue is stated for a file only; a dataset names it for each perp")


def history_of_file(
    name: str,
    frame: pl.DataFrame,
    repeated: int,
    venue: str | None = None,
    interval_hours: int | None = None,
) -> History:
    """The history of a file's settlements, read and sorted; see :func:`read_history`."""
    names = frame["coin"].unique(maintain_order=True).to_list()
    coins = {coin: CoinTerms(coin, venue or _venue_of(coin), {}) for coin in names}
    return _history(_Source(name, name, repeated), frame, coins, interval_hours)


def history_of_dataset(
    dataset: Dataset, interval_hours: int | None = None, *, form_absent: bool = True
) -> History:
    """The history of a dataset that is read; see :func:`read_history`."""
    metas = dataset.perps_meta.values()
    coins = {meta.coin: CoinTerms(meta.coin, meta.venue, meta.terms) for meta in metas}
    frame, file = settlements(dataset)
    formed = form_absent and frame.is_empty() and dataset.prices == "external"
    if formed:
        frame, file = _formed(dataset), "perpkit's own formula"
    source = _Source(dataset.name, file, 0, dataset, formed)
    return _history(source, frame, coins, interval_hours)


class _Source(NamedTuple):
    """Where rows come from."""

    name: str
    file: str
    repeated: int
    dataset: Dataset | None = None
    formed: bool = False


def _history(
    source: _Source, frame: pl.DataFrame, coins: Mapping[str, CoinTerms], interval: int | None
) -> History:
    settled: dict[str, Settled] = {}
    faults: list[StampFault] = []
    repeated = source.repeated
    for coin in coins:
        own = frame.filter((pl.col("coin") == coin) & pl.col("funding").is_not_null())
        if own.height:
            made = _of_coin(coin, own, source.file, interval)
            settled[coin] = made.settled
            faults += made.faults
            repeated += made.repeated
    return History(
        source.name,
        source.file,
        source.formed,
        settled,
        coins,
        tuple(faults),
        repeated,
        source.dataset,
    )


def _venue_of(coin: str) -> str:
    """Venue of a coin by its name: a builder's prefix, else the core dex."""
    prefix, colon, _ = coin.partition(":")
    return prefix if colon else CORE


def venue_known(venue: str) -> bool:
    """Whether the rulebook has terms of a venue."""
    return venue in venue_names()


def _formed(dataset: Dataset) -> pl.DataFrame:
    """Rates and premiums that perpkit settles where a dataset brings external prices alone."""
    config = check_config({"funding": "formula"})
    alone = replace(dataset, tokens_meta={}, tokens=dataset.tokens.clear())
    market = form(alone, config, pure_python=not is_compiled())
    tape = market.tape
    rows, coins = np.nonzero(tape.due & ~np.isnan(tape.funding))
    return pl.DataFrame(
        {
            "time": tape.time_ns[rows] // 1_000_000,
            "coin": np.array(market.names.coins)[coins],
            "funding": tape.funding[rows, coins],
            "premium": tape.premium[rows, coins],
        }
    ).with_columns(pl.col("time").cast(pl.Datetime("ms", "UTC")))


# --------------------------------------------------------------------------- stamps


class _Made(NamedTuple):
    settled: Settled
    faults: list[StampFault]
    repeated: int


def _of_coin(coin: str, own: pl.DataFrame, file: str, interval: int | None) -> _Made:
    own = own.sort("time")
    at = times_ns(own)
    late = at % HOUR_NS
    faults = []
    if (off := np.flatnonzero(late > LATEST_NS)).size:
        what = "is settled more than ten minutes past the hour"
        faults.append(StampFault(coin, what, int(at[off[0]]), off.size))
    on_time = late <= LATEST_NS
    nominal = (at - late)[on_time]
    funding = own["funding"].to_numpy()[on_time]
    premium = own["premium"].cast(pl.Float64).fill_null(float("nan")).to_numpy()[on_time]
    first = np.concatenate([[True], np.diff(nominal) != 0])[: len(nominal)]
    before = np.maximum.accumulate(np.where(first, np.arange(len(first)), 0))
    alike = (funding == funding[before]) & (
        (premium == premium[before]) | (np.isnan(premium) & np.isnan(premium[before]))
    )
    if (unlike := np.flatnonzero(~first & ~alike)).size:
        what = "has two settlements that differ"
        faults.append(StampFault(coin, what, int(nominal[unlike[0]]), unlike.size))
    nominal, funding, premium = nominal[first], funding[first], premium[first]
    known = len(nominal) == 0 or interval is not None
    hours = np.full(len(nominal), interval or 1) if known else intervals(nominal)
    if hours is None:
        raise DataError(
            f"{file}: the stamps of {coin} show no interval, as no two are 1 to 24 hours apart; "
            "state it with --interval-hours"
        )
    settled = Settled(nominal, hours.astype(np.int64), funding, premium)
    return _Made(settled, faults, int((~first & alike).sum()))


def intervals(time_ns: I64) -> I64 | None:
    """Hours that each settlement covers, from the stamps alone; None where they do not show it.

    A distance that repeats three times running is an interval, twelve times where shorter ones
    come before and after. Any other is a gap, whose row settles as the rows after it do.

    Parameters
    ----------
    time_ns : (R,) full hours, ascending, none twice

    Examples
    --------
    >>> intervals(np.array([0, 8, 16, 24, 25, 26, 27, 30, 31]) * HOUR_NS)
    array([8, 8, 8, 8, 1, 1, 1, 1, 1])
    """
    apart = np.diff(time_ns) // HOUR_NS
    legal = np.isin(apart, INTERVALS)
    if not legal.any():
        return None
    starts = np.flatnonzero(np.concatenate([[True], np.diff(apart) != 0]))
    length = np.diff(np.concatenate([starts, [len(apart)]]))
    runs = np.repeat(length, length)
    shortest = np.where(legal, apart, INTERVALS[-1] + 1)
    before = np.minimum.accumulate(shortest)
    after = np.minimum.accumulate(shortest[::-1])[::-1]
    between = (before < apart) & (after < apart)
    sure = legal & (runs >= np.where(between, _LONG_RUN, _RUN))
    if not sure.any():
        return np.full(len(time_ns), apart[legal].min())
    places = np.flatnonzero(sure)
    # A settlement's own distance is the one before it; the first has none.
    mine = np.arange(len(time_ns)) - 1
    following = np.searchsorted(places, mine)
    taken: I64 = apart[places[np.minimum(following, len(places) - 1)]]
    return taken
