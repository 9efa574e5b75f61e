"""Round trips of the pair, from flat to flat, and what was traded."""

from __future__ import annotations

from math import sqrt
from typing import Final, NamedTuple

import numpy as np
import polars as pl

from perpkit.arrays import B8, F64, I64
from perpkit.codes import Reason
from perpkit.metrics.numbers import Value, largest, longest_run, mean, ratio, smallest
from perpkit.metrics.reading import Run, add_up, codes, floats
from perpkit.units import HOUR_MS, HOURS_PER_YEAR

# Why a fill is none of a trade.
NO_TRADES: Final = (Reason.ACTION, Reason.SETTLEMENT, Reason.SHOCK)


class Trades(NamedTuple):
    """Round trips by strategy, underlying and entry; and the one each attribution entry is of."""

    entry_row: I64
    exit_row: I64  # -1 while open
    pnl_usd: F64
    of_booked: I64  # -1 for none

    @property
    def closed(self) -> B8:
        """Which have ended."""
        return self.exit_row >= 0


def _holding(run: Run) -> B8:
    """(T, S * U): is anything of the pair held at the end of the row."""
    held, names = run.held, run.names
    mine = names.paired[held.instrument]
    column = held.strategy[mine] * len(names.underlyings) + names.underlying[held.instrument[mine]]
    holding = np.zeros((run.time_ms.size, run.strategies * len(names.underlyings)), np.bool_)
    holding[held.row[mine], column] = True
    return holding


def round_trips(run: Run) -> Trades:
    """Find the trades and add up what is attributed to each."""
    holding = _holding(run)
    before = np.vstack((np.zeros_like(holding[:1]), holding[:-1]))
    entries = holding & ~before
    column, entry_row = np.nonzero(entries.T)
    per_column = entries.sum(axis=0)
    offset = np.cumsum(per_column) - per_column
    number = np.cumsum(entries, axis=0)  # of the latest trade of each column, from 1
    exit_row = np.full(column.size, -1, np.int64)
    gone, left = np.nonzero(before & ~holding)
    exit_row[offset[left] + number[gone, left] - 1] = gone

    booked, names = run.booked, run.names
    of_booked = np.full(booked.row.size, -1, np.int64)
    mine = np.flatnonzero(names.paired[booked.instrument] & (booked.strategy >= 0))
    place = booked.strategy[mine] * len(names.underlyings)
    place += names.underlying[booked.instrument[mine]]
    latest = number[booked.row[mine], place]
    of_booked[mine] = np.where(latest > 0, offset[place] + latest - 1, -1)
    part = of_booked >= 0
    pnl = add_up(of_booked[part], booked.usd[part], column.size)
    return Trades(entry_row, exit_row, pnl, of_booked)


def score(pnl: F64) -> dict[str, Value]:
    """Judge the P&L of trades, in the order of their ends."""
    wins, losses = pnl[pnl > 0.0], pnl[pnl < 0.0]
    mean_win, mean_loss = mean(wins), mean(losses)
    won = ratio(float(wins.size), float(pnl.size))
    payoff = ratio(mean_win, None if mean_loss is None else -mean_loss)
    spread = float(pnl.std(ddof=1)) if pnl.size > 1 and np.ptp(pnl) > 0.0 else None
    edge = ratio(mean(pnl), spread)
    odds = None if won is None else ratio(1.0 - won, payoff)
    return {
        "trades": int(pnl.size),
        "win_rate_frac": won,
        "profit_factor": ratio(float(wins.sum()), -float(losses.sum())),
        "expectancy_usd": mean(pnl),
        "mean_win_usd": mean_win,
        "mean_loss_usd": mean_loss,
        "payoff_ratio": payoff,
        "best_trade_usd": largest(pnl),
        "worst_trade_usd": smallest(pnl),
        "win_streak": longest_run(pnl > 0.0) if pnl.size else None,
        "loss_streak": longest_run(pnl < 0.0) if pnl.size else None,
        "sqn": None if edge is None else edge * sqrt(pnl.size),
        "kelly_frac": None if won is None or odds is None else won - odds,
    }


def trade_metrics(run: Run, trades: Trades) -> dict[str, Value]:
    """Group trade."""
    closed = np.flatnonzero(trades.closed)
    closed = closed[np.argsort(trades.exit_row[closed], kind="stable")]
    lasted = run.time_ms[trades.exit_row[closed]] - run.time_ms[trades.entry_row[closed]]
    return {
        **score(trades.pnl_usd[closed]),
        "open_trades": int(trades.exit_row.size - closed.size),
        "mean_holding_hours": mean(lasted / HOUR_MS),
        "longest_holding_hours": largest(lasted / HOUR_MS),
    }


def because(fills: pl.DataFrame, *reasons: Reason) -> B8:
    """Which fills were done for one of some reasons."""
    told = fills["reason"].cast(pl.String).is_in([reason.name.lower() for reason in reasons])
    return np.asarray(told.to_numpy(), np.bool_)


def at_market(fills: pl.DataFrame) -> B8:
    """Which fills were done with somebody else: not within a portfolio, between its members."""
    return np.asarray((fills["way"].cast(pl.String) != "cross").to_numpy(), np.bool_)


def volume(run: Run, fills: pl.DataFrame) -> F64:
    """(I + 1,) USD traded in each instrument.

    Units that a split makes, a market that is settled for it, a trade that is undone and what an
    incident takes change hands without a trade; what crosses within a portfolio does not leave it.
    """
    usd = floats(fills["size"]) * floats(fills["px"])
    return by_instrument(run, fills, usd, ~because(fills, *NO_TRADES) & at_market(fills))


def by_instrument(run: Run, fills: pl.DataFrame, usd: F64, which: B8) -> F64:
    """(I + 1,) sum of some fills of each instrument."""
    instrument = codes(fills["instrument"], run.names.instruments)
    mine = which & (instrument >= 0)
    return add_up(instrument[mine], usd[mine], run.names.paired.size)


def activity_metrics(run: Run, fills: pl.DataFrame) -> dict[str, Value]:
    """Group activity."""
    traded, hours = float(volume(run, fills).sum()), run.total_hours
    mean_equity = ratio(float(run.equity_usd @ run.hours), hours)
    turnover = ratio(traded * HOURS_PER_YEAR, None if mean_equity is None else mean_equity * hours)
    whole = run.equity_usd > 0.0
    geared = np.where(run.gross_usd > 0.0, np.inf, 0.0)
    np.divide(run.gross_usd, run.equity_usd, out=geared, where=whole)
    exposed = _holding(run).any(axis=1)
    return {
        "fills": int(at_market(fills).sum()),
        "volume_usd": traded,
        "turnover": turnover,
        "return_on_volume_frac": ratio(run.net_usd, traded),
        "exposure_frac": ratio(float(run.hours[exposed].sum()), hours),
        "max_gross_over_equity": float(geared.max()),
    }
