"""The result frames as arrays: rows, instruments, strategies and causes become numbers once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import polars as pl

from perpkit.arrays import B8, F64, I64, Phase
from perpkit.codes import CAUSES
from perpkit.errors import DataError
from perpkit.tape import WALLET
from perpkit.units import HOUR_MS

NOTHING = 1e-12  # of the positions that a sum is of: rounding


class Context(NamedTuple):
    """What the metrics need to know of a run beside its frames."""

    capital_usd: float
    risk_free_apr: float
    perps: tuple[str, ...]  # coins
    tokens: tuple[str, ...]
    available: pl.DataFrame  # time, coin, funding, oracle_px: every settlement of the traded coins
    phase: pl.DataFrame  # time, underlying, phase (0 closed, 1 extended, 2 cash)
    underlying_of: Mapping[str, str]


class Names(NamedTuple):
    """Instruments, perps first, and their underlyings, in the order of first use."""

    instruments: tuple[str, ...]
    perps: int
    underlyings: tuple[str, ...]
    underlying: I64  # (I + 1,) index into underlyings; the last stands for "account-wide"
    is_perp: B8  # (I + 1,)
    paired: B8  # (I + 1,) the underlying has a perp
    alone: B8  # (I + 1,) a token whose underlying has none


class Held(NamedTuple):
    """The positions frame, one entry a row of it."""

    row: I64
    instrument: I64
    strategy: I64
    position: F64
    px: F64
    value_usd: F64  # signed notional
    liquidation_px: F64  # NaN for none
    in_margin: B8  # in a margin account: every perp, and tokens that are pledged


class Booked(NamedTuple):
    """The attribution frame, one entry a row of it."""

    row: I64
    instrument: I64  # I: account-wide
    strategy: I64
    cause: I64
    usd: F64

    def of(self, *causes: str) -> B8:
        """Which entries are of these causes."""
        wanted = np.array([cause in causes for cause in CAUSES], np.bool_)
        return wanted[self.cause]


class Run(NamedTuple):
    """One run as arrays; T rows, I instruments, U underlyings, S strategies."""

    context: Context
    names: Names
    time_ms: I64  # (T,)
    hours: F64  # (T,) until the next row, 0 at the last
    equity_usd: F64  # (T,)
    gross_usd: F64
    net_delta_usd: F64
    margin_ratio: F64
    margin_usd: F64  # (T,) margin value of all margin accounts
    causes_usd: dict[str, F64]
    strategies: int
    held: Held  # of every strategy
    net: Held  # of the book: what opposite positions of a portfolio's members leave of each other
    booked: Booked
    rate: F64  # (T, M) funding of each settlement, NaN where there is none
    oracle_px: F64  # (T, U) of the underlying's first perp, NaN where unknown
    closed: B8  # (T, U)

    @property
    def total_hours(self) -> float:
        """Calendar hours of the run."""
        return float(self.time_ms[-1] - self.time_ms[0]) / HOUR_MS

    @property
    def path_usd(self) -> F64:
        """Equity from the capital on: fills of the first row already cost (delay 0)."""
        capital = self.context.capital_usd
        if self.equity_usd[0] == capital:
            return self.equity_usd
        return np.concatenate(([capital], self.equity_usd))

    @property
    def net_usd(self) -> float:
        """P&L of the run."""
        return float(self.equity_usd[-1] - self.context.capital_usd)


def milliseconds(column: pl.Series) -> I64:
    """Instants as milliseconds since the epoch."""
    return column.dt.epoch("ms").to_numpy().astype(np.int64, copy=False)


def floats(column: pl.Series) -> F64:
    """Numbers with null as NaN."""
    if column.dtype != pl.Float64:
        column = column.cast(pl.Float64)
    return column.to_numpy()


def codes(column: pl.Series, known: Sequence[str]) -> I64:
    """Index of each text in ``known``, -1 where it is not there."""
    coded = column.cast(pl.Enum(list(known)), strict=False).to_physical().cast(pl.Int64)
    return coded.fill_null(-1).to_numpy()


def instant_of(run: Run, row: int) -> str:
    """Write the time of a row as the summary does."""
    return f"{np.datetime_as_string(run.time_ms[row].astype('datetime64[ms]'), 's')}Z"


def rows_of(column: pl.Series, time_ms: I64) -> I64:
    """Row of each instant, -1 where no row has it."""
    instant, last = milliseconds(column), time_ms.size - 1
    row = np.clip((instant - time_ms[0]) // HOUR_MS, 0, last)  # right where no hour is missing
    if time_ms[last] - time_ms[0] != last * HOUR_MS:
        row = np.minimum(np.searchsorted(time_ms, instant), last)
    return np.where(time_ms[row] == instant, row, -1)


def add_up(keys: I64, usd: F64, size: int) -> F64:
    """Sum of USD at each key."""
    return np.bincount(keys, usd, minlength=size).astype(np.float64, copy=False)


def number(context: Context) -> Names:
    """Give instruments and underlyings their numbers; a token without one is its own."""
    instruments = (*context.perps, *context.tokens)
    of = [context.underlying_of.get(i, i) for i in instruments]
    underlyings = tuple(dict.fromkeys(of))
    place = {u: n for n, u in enumerate(underlyings)}
    perps = len(context.perps)
    paired = np.array([*(u in set(of[:perps]) for u in of), False], np.bool_)
    alone = ~paired
    alone[-1] = False
    return Names(
        instruments,
        perps,
        underlyings,
        np.array([*(place[u] for u in of), 0], np.int64),
        np.arange(len(of) + 1) < perps,
        paired,
        alone,
    )


def _offered(context: Context, time_ms: I64) -> tuple[F64, F64]:
    """Funding rates and oracle prices of all settlements, (T, M), NaN where there is none."""
    shape = (time_ms.size, len(context.perps))
    row, coin = rows_of(context.available["time"], time_ms), context.available["coin"]
    column = codes(coin, context.perps)
    known = (row >= 0) & (column >= 0)
    keys = (row * shape[1] + column)[known]
    rate, price = np.full(shape, np.nan), np.full(shape, np.nan)
    rate.flat[keys] = floats(context.available["funding"])[known]
    price.flat[keys] = floats(context.available["oracle_px"])[known]
    return rate, price


def _oracle(settled_px: F64, names: Names, time_ms: I64) -> F64:
    prices = np.full((time_ms.size, len(names.underlyings)), np.nan)
    for m in reversed(range(names.perps)):  # the first perp has the last word
        known = np.isfinite(settled_px[:, m])
        if known.any():
            line = settled_px[known, m]
            if not known.all():
                line = np.interp(time_ms, time_ms[known], line, left=np.nan, right=np.nan)
            prices[:, names.underlying[m]] = line
    return prices


def _closed(context: Context, names: Names, time_ms: I64) -> B8:
    closed = np.zeros((time_ms.size, len(names.underlyings)), np.bool_)
    shut = context.phase.filter(pl.col("phase") == int(Phase.CLOSED))
    row = rows_of(shut["time"], time_ms)
    underlying = codes(shut["underlying"], names.underlyings)
    known = (row >= 0) & (underlying >= 0)
    closed[row[known], underlying[known]] = True
    return closed


def found_all(found: I64, column: pl.Series, what: str) -> I64:
    """Codes or rows of a column, if all of it was found."""
    lost = np.flatnonzero(found < 0)
    if lost.size:
        raise DataError(
            f"The result frames do not agree: {lost.size} rows of {what} are unknown, the first is "
            f"{column[int(lost[0])]}; run the backtest again."
        )
    return found


def _held(positions: pl.DataFrame, names: Names, strategies: list[str], time_ms: I64) -> Held:
    time, coin = positions["time"], positions["instrument"]
    return Held(
        found_all(rows_of(time, time_ms), time, "positions.time"),
        found_all(codes(coin, names.instruments), coin, "positions.instrument"),
        codes(positions["strategy"], strategies),
        floats(positions["position"]),
        floats(positions["px"]),
        floats(positions["value_usd"]),
        floats(positions["liquidation_px"]),
        _is_margin(positions),
    )


def netted(positions: pl.DataFrame) -> pl.DataFrame:
    """One row an hour, account and instrument, whoever holds it; none where nothing is left."""
    if positions["strategy"].n_unique() < 2:
        return positions
    own = ["time", "account", "instrument"]
    summed = positions.group_by(own, maintain_order=True).agg(
        pl.col("strategy").first(),
        pl.col("position", "value_usd").sum(),
        pl.col("position").abs().sum().alias("size"),
        pl.col("px", "liquidation_px", "liquidation_distance_frac", "premium_frac").first(),
    )
    left = pl.col("position").abs() > NOTHING * pl.col("size")
    return summed.filter(left).select(positions.columns)


def _is_margin(frame: pl.DataFrame) -> B8:
    """Which rows of a frame are of a margin account."""
    return np.asarray((frame["account"].cast(pl.String) != WALLET).to_numpy(), np.bool_)


def _margin(accounts: pl.DataFrame, time_ms: I64) -> F64:
    """(T,) margin value of all margin accounts."""
    own = accounts.filter(pl.col("account").cast(pl.String) != WALLET)
    row = found_all(rows_of(own["time"], time_ms), own["time"], "accounts.time")
    return add_up(row, floats(own["margin_value_usd"]), time_ms.size)


def _booked(attribution: pl.DataFrame, names: Names, strategies: list[str], time_ms: I64) -> Booked:
    time, coin, cause = (attribution[n] for n in ("time", "instrument", "cause"))
    return Booked(
        found_all(rows_of(time, time_ms), time, "attribution.time"),
        found_all(codes(coin, (*names.instruments, "")), coin, "attribution.instrument"),
        codes(attribution["strategy"], strategies),
        found_all(codes(cause, CAUSES), cause, "attribution.cause"),
        floats(attribution["usd"]),
    )


def read(frames: Mapping[str, pl.DataFrame], context: Context) -> Run:
    """All that the metrics share, read once."""
    equity, positions = frames["equity"], frames["positions"]
    time_ms = milliseconds(equity["time"])
    names = number(context)
    rate, settled_px = _offered(context, time_ms)
    strategies = positions["strategy"].unique(maintain_order=True).cast(pl.String).to_list()
    return Run(
        context,
        names,
        time_ms,
        np.append(np.diff(time_ms) / HOUR_MS, 0.0),
        floats(equity["equity_usd"]),
        floats(equity["gross_usd"]),
        floats(equity["net_delta_usd"]),
        floats(equity["margin_ratio"]),
        _margin(frames["accounts"], time_ms),
        {cause: floats(equity[f"{cause}_usd"]) for cause in CAUSES},
        len(strategies),
        _held(positions, names, strategies, time_ms),
        _held(netted(positions), names, strategies, time_ms),
        _booked(frames["attribution"], names, strategies, time_ms),
        rate,
        _oracle(settled_px, names, time_ms),
        _closed(context, names, time_ms),
    )
