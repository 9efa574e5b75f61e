"""Attribution and carry: where the money came from and what it cost."""

from __future__ import annotations

import numpy as np
import polars as pl

from perpkit.arrays import B8, F64
from perpkit.codes import CAUSES, Reason
from perpkit.metrics.numbers import Value, positive, ratio, times
from perpkit.metrics.reading import Run, add_up, floats
from perpkit.metrics.trades import Trades, because, by_instrument, volume
from perpkit.units import HOURS_PER_YEAR


def worst_gap(left: F64, right: F64, equity: F64) -> float | None:
    """Largest difference of two series after the first row, over the equity of the row before."""
    base = np.abs(equity[:-1])
    known = base > 0.0
    gap = np.abs(left[1:] - right[1:])
    return float((gap[known] / base[known]).max()) if known.any() else None


def attribution_metrics(run: Run) -> dict[str, Value]:
    """Group attribution."""
    causes = np.sum([run.causes_usd[c] for c in CAUSES], axis=0)
    booked = add_up(run.booked.row, run.booked.usd, run.time_ms.size)
    change = np.diff(run.equity_usd, prepend=run.context.capital_usd)
    return {
        **{f"{cause}_usd": float(run.causes_usd[cause].sum()) for cause in CAUSES},
        "identity_error_frac": worst_gap(change, causes, run.equity_usd),
        "attribution_error_frac": worst_gap(booked, causes, run.equity_usd),
    }


def deltas(run: Run) -> F64:
    """(T, U): signed notional of all that is held on an underlying."""
    held, rows, columns = run.net, run.time_ms.size, len(run.names.underlyings)
    keys = held.row * columns + run.names.underlying[held.instrument]
    return add_up(keys, held.value_usd, rows * columns).reshape(rows, columns)


def residual_delta(run: Run) -> float | None:
    """P&L of the delta left open, at the oracle price."""
    names = run.names
    paired = np.unique(names.underlying[names.paired])
    if not names.paired[run.net.instrument].any():
        return None
    delta, price = deltas(run)[:-1, paired], run.oracle_px[:, paired]
    move = price[1:] / price[:-1] - 1.0
    return float((delta * np.where(np.isfinite(move), move, 0.0)).sum())


def notional_hours(run: Run, which: B8) -> float:
    """Σ |position · price| · hours of some instruments."""
    held = run.net
    mine = which[held.instrument]
    return float(np.abs(held.value_usd[mine]) @ run.hours[held.row[mine]])


def booked_usd(run: Run, which: B8, *causes: str) -> float:
    """Sum of what these causes book on some instruments."""
    booked = run.booked
    mine = booked.of(*causes) & which[booked.instrument]
    return float(booked.usd[mine].sum())


def dividend_net(run: Run) -> float | None:
    """Dividends and the funding of the same underlying in the same row."""
    booked, names = run.booked, run.names
    key = booked.row * len(names.underlyings) + names.underlying[booked.instrument]
    dividend = booked.of("dividend") & names.paired[booked.instrument]
    if not dividend.any():
        return None
    funding = booked.of("funding") & names.paired[booked.instrument]
    same = funding & np.isin(key, np.unique(key[dividend]))
    return float(booked.usd[dividend | same].sum())


def break_even_days(run: Run, fills: pl.DataFrame) -> float | None:
    """Days of mean funding that pay for getting in and out of both legs.

    What settling costs is friction of a trade. What the price did to a trade that was undone is
    not: it gives back what was gained or lost under way. Nor is what an incident took. A trade
    that was undone brought nobody in or out, but what it cost was paid.
    """
    is_perp = run.names.is_perp
    undone = because(fills, Reason.SETTLEMENT)
    usd = floats(fills["size"]) * floats(fills["px"])
    stood = volume(run, fills) - by_instrument(run, fills, usd, undone)
    priced = because(fills, Reason.SETTLEMENT, Reason.SHOCK)
    by_price = by_instrument(run, fills, floats(fills["slippage_usd"]), priced)
    cost: float | None = 0.0
    for which in (is_perp, run.names.paired & ~is_perp):
        booked = booked_usd(run, which, "fees", "slippage", "settlement")
        leg = ratio(float(by_price[which].sum()) - booked, float(stood[which].sum()))
        if leg is not None and cost is not None:
            cost += 2.0 * leg
        elif which is is_perp:
            cost = None  # no perp was traded: there is no round trip
    per_hour = ratio(float(run.causes_usd["funding"].sum()), notional_hours(run, is_perp))
    days = ratio(cost, None if per_hour is None else positive(per_hour))
    return times(days, 1.0 / 24.0)


def _collateral(run: Run) -> dict[str, Value]:
    alone = run.names.alone
    if not alone[run.net.instrument].any():
        return dict.fromkeys(
            ("collateral_price_usd", "collateral_yield_usd", "collateral_yield_apr")
        )
    earned = booked_usd(run, alone, "yield")
    return {
        "collateral_price_usd": booked_usd(run, alone, "token_price"),
        "collateral_yield_usd": earned,
        "collateral_yield_apr": times(ratio(earned, notional_hours(run, alone)), HOURS_PER_YEAR),
    }


def _basis(run: Run, trades: Trades) -> dict[str, Value]:
    total = float(run.causes_usd["perp_price"].sum() + run.causes_usd["token_price"].sum())
    found: dict[str, Value] = {"basis_usd": total if run.net.row.size else None}
    if not trades.exit_row.size:
        return {**found, "basis_closed_usd": None, "basis_open_usd": None}
    mine = (trades.of_booked >= 0) & run.booked.of("perp_price", "token_price")
    ended = trades.closed[trades.of_booked[mine]]
    usd = run.booked.usd[mine]
    return {
        **found,
        "basis_closed_usd": float(usd[ended].sum()),
        "basis_open_usd": float(usd[~ended].sum()),
    }


def carry_metrics(
    run: Run, trades: Trades, funding: pl.DataFrame, fills: pl.DataFrame
) -> dict[str, Value]:
    """Group carry."""
    on_capital = ratio(run.net_usd * HOURS_PER_YEAR, run.context.capital_usd * run.total_hours)
    paired = run.names.paired
    traded = float(volume(run, fills)[paired].sum())
    slipped = booked_usd(run, paired, "slippage") if traded > 0.0 else None
    costs = sum(
        float(run.causes_usd[c].sum())
        for c in ("fees", "slippage", "interest", "transfer", "settlement")
    )
    received = float(np.maximum(floats(funding["payment_usd"]), 0.0).sum())
    return {
        "net_apr": on_capital,
        "excess_apr": None if on_capital is None else on_capital - run.context.risk_free_apr,
        **_basis(run, trades),
        **_collateral(run),
        "hedge_slippage_usd": slipped,
        "hedge_slippage_frac": ratio(slipped, traded),
        "residual_delta_usd": residual_delta(run),
        "dividend_net_usd": dividend_net(run),
        "cost_drag_frac": ratio(-costs, received),
        "break_even_days": break_even_days(run, fills),
    }
