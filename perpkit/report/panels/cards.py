"""Headline: what the run made, what it cost, and how near its end it came."""

from __future__ import annotations

import math

import numpy as np
import polars as pl

from perpkit.headline import COSTS, percent, plain
from perpkit.report.chart import numbers, times
from perpkit.report.panel import Card, Cards, Panel
from perpkit.report.reading import Run
from perpkit.report.said import clock, count, instant, lasted, signed
from perpkit.report.worst import fall, forced
from perpkit.units import HOURS_PER_YEAR

_STRAINED = 0.5  # as `margin_strained_hours` has it
_NEAR = 0.1  # a move against a position that a stock makes in a day
_SHORT_H = 90 * 24.0  # a rate a year from less says little
# What the lead names, each with its causes.
_PARTS = {
    "funding": ("funding",),
    "yield": ("yield",),
    "dividends": ("dividend",),
    "price moves": ("perp_price", "token_price"),
    "costs": COSTS,
    "liquidation": ("liquidation",),
    "bad debt left to the venue": ("bad_debt",),
}


def panel(run: Run) -> Panel:
    """The run in one sentence and nine numbers."""
    makes = (_apr, _excess, _final, _drawdown, _margin, _at_work, _in_market, _drag, _break_even)
    cards = Cards([make(run) for make in makes])
    return Panel("headline", "What it made, and at what risk", [cards], _lead(run))


def _told(run: Run, name: str) -> float:
    return run.metric(name) or 0.0


def _spent(run: Run) -> float:
    """USD paid for trading and holding, positive."""
    return 0.0 - sum(_told(run, f"{cause}_usd") for cause in COSTS)


def _free(run: Run) -> float:
    return float(run.manifest["config"]["risk_free_apr"])


def _tone(value: float | None) -> str:
    if value is None or value == 0.0:
        return ""
    return "gain" if value > 0.0 else "loss"


def _lead(run: Run) -> str:
    """What was earned, by what, and what came nearest to ending it."""
    net, hours, apr = _told(run, "net_pnl_usd"), _told(run, "period_hours"), run.metric("net_apr")
    verb = "Earned" if net > 0.0 else "Lost" if net < 0.0 else "Made"
    told = f"{verb} {plain(abs(net))} USD in {lasted(hours)}"
    if apr is not None:
        excess = apr - _free(run)
        side = "over" if excess >= 0.0 else "under"
        told += f" ({percent(apr)} a year on {plain(run.capital)} USD, "
        told += f"{abs(excess) * 100:.2f} points {side} T-bills at {percent(_free(run))})"
    usd = {name: sum(_told(run, f"{c}_usd") for c in of) for name, of in _PARTS.items()}
    if (better := _told(run, "slippage_usd")) > 0.0:
        usd |= {"costs": usd["costs"] - better, "fills better than the mark": better}
    parts = [f"{name} {signed(value)}" for name, value in usd.items() if value != 0.0]
    made = f": {', '.join(parts)}" if parts else ""
    return f"{told}{made}; {_nearest(run)}."


def _nearest(run: Run) -> str:
    """What ended it, or came nearest to."""
    if run.frames["fills"].is_empty() and run.frames["positions"].is_empty():
        return "nothing was traded, so nothing was at risk"
    events = forced(run)
    if not events.is_empty():
        return _closed(run, events)
    ratio, away = run.metric("worst_margin_ratio"), run.metric("min_liquidation_distance_frac")
    if not ratio:
        return "no position was on margin, so nothing could be liquidated"
    reached = f"the margin ratio reached {plain(ratio)}, where 1 is liquidation"
    if away is None:
        return f"nothing was liquidated, and {reached}"
    metrics = run.summary["metrics"]
    coin = metrics["min_liquidation_distance_coin"]["value"]
    at = clock(str(metrics["min_liquidation_distance_at"]["value"]))
    where = f"{coin} on {at} was {percent(away)} from its liquidation price"
    near = ratio > _STRAINED or away < _NEAR
    begun = "it was nearly killed when" if near else "it was never near its end:"
    return f"{begun} {where}, and {reached}"


def _closed(run: Run, events: pl.DataFrame) -> str:
    """What was closed by force: the first of it, how often, and what that left."""
    first = events.row(0, named=True)
    what = first["instrument"] or first["account"]
    kinds = dict(events["kind"].cast(pl.String).value_counts(sort=True).iter_rows())
    times_ = ", ".join(f"{kind.replace('_', ' ')} {n:,}" for kind, n in kinds.items())
    told = f"it was closed by force ({times_}), first {what} on {first['time']:%Y-%m-%d %H:%M}"
    naked = run.metric("naked_after_close_hours")
    return f"{told}, and stood unhedged for {lasted(naked)} after it" if naked else told


def _apr(run: Run) -> Card:
    apr, hours = run.metric("net_apr"), _told(run, "period_hours")
    label = "Net APR on all capital"
    if apr is None:
        return Card(label, "n/a", "the run is one hour long")
    scaled = ", scaled up to a year" if hours < _SHORT_H else ""
    note = f"simple, on {plain(run.capital)} USD for {lasted(hours)}{scaled}"
    if spared := _told(run, "bad_debt_usd"):
        own = apr - spared / run.capital * HOURS_PER_YEAR / hours
        note += f"; {percent(own)} without the debt that the venue bore"
        return Card(label, percent(apr), note, "warn" if own < 0.0 < apr else _tone(apr))
    return Card(label, percent(apr), note, _tone(apr))


def _excess(run: Run) -> Card:
    excess, free = run.metric("excess_apr"), percent(_free(run))
    if excess is None:
        return Card("Excess over T-bills", "n/a", "the run is one hour long")
    side = "above" if excess >= 0.0 else "below"
    return Card("Excess over T-bills", percent(excess), f"{side} {free} a year", _tone(excess))


def _final(run: Run) -> Card:
    final, total = run.metric("final_equity_usd"), run.metric("total_return_frac")
    note, spared = f"USD; total return {percent(total)}", _told(run, "bad_debt_usd")
    if spared:
        note += f"; {plain(spared)} of it is debt that the venue bore"
    return Card("Final equity", plain(final), note, _tone(total))


def _drawdown(run: Run) -> Card:
    worst, found = run.metric("max_drawdown_frac"), fall(run)
    if found is None:
        return Card("Worst drawdown", percent(worst), "equity never fell below its peak")
    total = _told(run, "total_return_frac")
    more = "; more than the run earned" if -found.frac > total else ""
    return Card("Worst drawdown", percent(worst), found.told() + more, "warn" if more else "")


def _margin(run: Run) -> Card:
    ratio, label = run.metric("worst_margin_ratio"), "Worst margin ratio"
    if not ratio:
        return Card(label, plain(ratio), "no margin was used; 1 is liquidation")
    strained = lasted(_told(run, "margin_strained_hours"))
    note = f"{_when(run)}; 1 is liquidation; {strained} above {_STRAINED:g}"
    if not math.isfinite(ratio):
        return Card(label, "inf", f"{note}; nothing was left to cover the margin", "loss")
    return Card(label, plain(ratio), note, "loss" if ratio >= 1.0 else _warned(ratio))


def _warned(ratio: float) -> str:
    return "warn" if ratio > _STRAINED else ""


def _when(run: Run) -> str:
    """When the margin ratio was worst: a forced close happens inside its hour."""
    closed = forced(run).filter(
        pl.col("kind").cast(pl.String).is_in(["liquidation", "backstop", "partial"])
    )
    ratios = numbers(run.frames["equity"]["margin_ratio"])
    if not closed.is_empty() and np.nanmax(ratios) < 1.0:
        return f"closed by force on {closed['time'][0]:%Y-%m-%d %H:%M}"
    return f"on {instant(times(run.frames['equity']['time'])[np.nanargmax(ratios)])}"


def _at_work(run: Run) -> Card:
    share, most = run.metric("margin_capital_frac"), run.metric("max_gross_over_equity")
    label = "Capital at work in margin"
    if share is None:
        return Card(label, "n/a", "the run is one hour long")
    held = "nothing was held" if not most else f"holdings up to {plain(most)} x equity"
    return Card(label, percent(share), f"share of equity, on average; {held}")


def _in_market(run: Run) -> Card:
    share = run.metric("time_in_market_frac")
    note = "no perp was held" if not share else f"{count(_told(run, 'fills'), 'fill')}"
    return Card("Time in market", percent(share), note)


def _drag(run: Run) -> Card:
    drag, spent = run.metric("cost_drag_frac"), _spent(run)
    if drag is None:
        return Card("Cost drag", "n/a", f"no funding was received; costs {plain(spent)} USD")
    if spent < 0.0:
        better = plain(_told(run, "slippage_usd"))
        return Card("Cost drag", percent(drag), f"no cost: fills {better} USD better than the mark")
    more = drag > 1.0
    note = f"costs {plain(spent)} USD, of all funding received"
    more_than = "; more than it" if more else ""
    return Card("Cost drag", percent(drag), note + more_than, "warn" if more else "")


def _break_even(run: Run) -> Card:
    days, label = run.metric("break_even_days"), "Break-even"
    if days is not None:
        note = "of mean funding pay for getting in and out of both legs"
        if days < 0.0:
            note = "getting in and out of both legs brought more than it cost"
        return Card(label, f"{days:,.1f} days", note)
    fills = run.frames["fills"].filter(pl.col("instrument").cast(pl.String).is_in(run.coins))
    why = "no perp was traded" if fills.is_empty() else "funding did not pay on average"
    return Card(label, "n/a", why)
