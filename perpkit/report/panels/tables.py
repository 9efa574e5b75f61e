"""The result by month, by instrument and by strategy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from perpkit.arrays import F64, I64
from perpkit.codes import CAUSES
from perpkit.headline import COSTS
from perpkit.metrics.reading import add_up, floats, milliseconds
from perpkit.metrics.returns import monthly_rows, returns
from perpkit.report.causes import (
    WIDE,
    Sums,
    added_up,
    by_hour,
    cause_cells,
    cause_columns,
    total_cells,
)
from perpkit.report.fills import priced, summed
from perpkit.report.holdings import holdings, mean_equity
from perpkit.report.panel import Cell, Choice, Column, Panel, Part, Table, Text
from perpkit.report.reading import Run
from perpkit.report.said import bp, rate, usd, whole
from perpkit.units import HOURS_PER_YEAR

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_SHOWN = 13
_CROSSING = "crossing"  # the attribution's row of what strategies saved by trading with one another
# Columns of the table of instruments, that add up to the net: name, what is in it, its causes.
_GROUPS = (
    ("price", "moves of mark and fair price", ("perp_price", "token_price")),
    ("funding", "received is positive", ("funding",)),
    ("income", "yield and dividends", ("yield", "dividend")),
    ("costs", "fees, slippage, interest, transfers, settlement", COSTS),
    ("forced", "liquidation, and bad debt that the venue bore", ("liquidation", "bad_debt")),
)
_Rows = list[list[str | Cell]]


def panel(run: Run) -> Panel:
    """Tables by month, instrument and strategy."""
    title = "By month, instrument and strategy"
    if run.frames["equity"].height < 2:
        return Panel(
            "tables", title, empty="The run is one hour long: there is no return to split."
        )
    causes = list(by_hour(run))
    months: dict[str, Sequence[Table]] = {"Returns by month": [_returns(run)]}
    if causes:
        months["USD by month and cause"] = [_monthly_usd(run, causes)]
    parts: list[Part] = [Choice("By month", months)]
    if causes:
        sums, trades = added_up(run), priced(run).filter("traded")
        parts += [_by_instrument(run, sums, trades), _by_strategy(run, sums, trades, causes)]
    else:
        parts.append(Text("Nothing was held: there is nothing to tell of instruments."))
    return Panel("tables", title, parts, _lead(run))


def _lead(run: Run) -> str:
    time_ms, closes, made = _months(run)
    if not made.size:
        return "Equity was gone in the first month."
    won = int((made > 0.0).sum())
    best, worst = int(made.argmax()), int(made.argmin())
    name = [_name(month) for month in _of(time_ms, closes[1:])]
    if not made.any():
        return "No month gained or lost."
    return (
        f"{won} of {made.size} months gained; the best was {name[best]} with {made[best]:+.2%}, "
        f"the worst {name[worst]} with {made[worst]:+.2%}."
    )


def _of(time_ms: I64, rows: I64) -> I64:
    """Month of each closing row, counted from January 1970; 00:00 of the first closes a month."""
    return (time_ms[rows] - 1).astype("datetime64[ms]").astype("datetime64[M]").astype(np.int64)


def _name(month: int) -> str:
    return f"{_MONTHS[month % 12]} {1970 + month // 12}"


def _months(run: Run) -> tuple[I64, I64, F64]:
    """Times, the rows that close months, and the return of each, as the metrics have them."""
    frame = run.frames["equity"]
    time_ms = milliseconds(frame["time"])
    closes = monthly_rows(time_ms)
    made = returns(floats(frame["equity_usd"])[closes])
    return time_ms, closes[: made.size + 1], made


def _returns(run: Run) -> Table:
    """A row a year, a column a month."""
    time_ms, closes, made = _months(run)
    months = _of(time_ms, closes[1:])
    rows: _Rows = []
    for year in np.unique(months // 12).tolist():
        mine = months // 12 == year
        told = dict(zip((months[mine] % 12).tolist(), made[mine].tolist(), strict=True))
        cells = [_return(told.get(n)) for n in range(12)]
        rows.append([str(1970 + year), _return(float(np.prod(1.0 + made[mine]) - 1.0)), *cells])
    months_of = [Column(name, number=True) for name in _MONTHS]
    columns = [Column("year"), Column("year's", number=True, about="compounded"), *months_of]
    caption = "Return by calendar month, UTC; the first and the last month may be partial"
    return Table(columns, rows, caption)


def _return(value: float | None) -> Cell:
    if value is None:
        return Cell("", None)
    told = f"{value:+.2%}"
    return Cell("0.00%" if told.strip("+-") == "0.00%" else told, value)


def _monthly_usd(run: Run, causes: list[str]) -> Table:
    """A row a month, the latest last; the fills of the first row belong to the first month."""
    frame = run.frames["equity"]
    time_ms = milliseconds(frame["time"])
    months = _of(time_ms, np.arange(len(time_ms)))
    months[0] = months[1]
    since = int(months[0])
    size = int(months[-1]) - since + 1
    sums = np.column_stack(
        [add_up(months - since, floats(frame[f"{cause}_usd"]), size) for cause in CAUSES]
    )
    rows: _Rows = [[Cell("all", None), *total_cells(run, causes)]]
    for n in np.unique(months - since).tolist():
        rows.append([Cell(_name(since + n), since + n), *cause_cells(sums[n], causes)])
    columns = [Column("month"), *cause_columns(causes)]
    return Table(columns, rows, "USD by month and cause", _SHOWN)


def _by_instrument(run: Run, sums: Sums, trades: pl.DataFrame) -> Table:
    """What each instrument earned, for how much of it held and traded."""
    held = holdings(run, trades)
    causes = sums.usd.sum(axis=0)
    of = run.underlyings
    blank = [""] if of else []
    hours, equity = run.metric("period_hours") or 0.0, mean_equity(run)
    groups = [
        (name, about, part)
        for name, about, of in _GROUPS
        if (part := causes[:, [CAUSES.index(c) for c in of]].sum(axis=1)).any()
    ]
    cost = dict(summed(trades, "instrument").select("instrument", "cost_frac").iter_rows())
    rows: _Rows = [_all_instruments(run, trades, groups)]
    for i in np.argsort(-np.abs(causes.sum(axis=1)), kind="stable").tolist():
        name = sums.instruments[i]
        if not causes[i].any() and not (name and held.usd_hours[i] + held.volume_usd[i]):
            continue
        told = [usd(float(causes[i].sum())), *(usd(float(part[i])) for _, _, part in groups)]
        if not name:
            rows.append([WIDE, *blank, *told, *[Cell("", None)] * 6])
            continue
        on, notional_hours = float(held.hours[i]), float(held.usd_hours[i])
        funding = float(causes[i, CAUSES.index("funding")])
        paid = name in run.coins and notional_hours > 0.0
        volume = float(held.volume_usd[i])
        turned = volume / equity * HOURS_PER_YEAR / hours if equity and hours else None
        rows.append(
            [
                name,
                *([of[name]] if of else ()),
                *told,
                rate(funding / notional_hours * HOURS_PER_YEAR if paid else None, ""),
                whole(notional_hours / on if on else None, "not held"),
                rate(on / hours if hours else None),
                whole(volume),
                Cell("n/a", None) if turned is None else Cell(f"{turned:,.2f}", turned),
                bp(cost.get(name), "not traded"),
            ]
        )
    caption = "Each instrument: what it made, what was held of it and what was traded"
    return Table(_instrument_columns(groups, of), rows, caption, _SHOWN)


def _instrument_columns(
    groups: Sequence[tuple[str, str, F64]], of: Mapping[str, str]
) -> list[Column]:
    return [
        Column("instrument"),
        *([Column("underlying")] if of else ()),
        Column("net", "USD", number=True),
        *(Column(name, "USD", number=True, about=about) for name, about, _ in groups),
        Column("funding APR", number=True, about="on the notional held"),
        Column("mean holding", "USD", number=True, about="while it was held"),
        Column("held", number=True, about="share of the run's hours"),
        Column("volume", "USD", number=True, about="of trades"),
        Column("turnover a year", "x equity", number=True),
        Column("cost", "bp", number=True, about="fees less slippage of its trades, of the volume"),
    ]


def _all_instruments(
    run: Run, trades: pl.DataFrame, groups: Sequence[tuple[str, str, F64]]
) -> list[str | Cell]:
    """The run as a whole, from its summary."""
    apr, turnover = run.metric("funding_yield_apr"), run.metric("turnover")
    every = [run.metric(f"{cause}_usd") or 0.0 for cause in CAUSES]
    told = [usd(sum(every)), *(usd(float(part.sum())) for _, _, part in groups)]
    told += [rate(apr, ""), Cell("", None), rate(run.metric("exposure_frac"))]
    told += [whole(run.metric("volume_usd"))]
    told += [Cell("n/a" if turnover is None else f"{turnover:,.2f}", None)]
    cost, volume = trades.select(pl.col("cost_usd", "usd").sum()).row(0)
    told += [bp(cost / volume if volume else None, "")]
    blank = [""] if run.underlyings else []
    return [Cell("all", None), *blank, *(Cell(cell.text, None) for cell in told)]


def _by_strategy(run: Run, sums: Sums, trades: pl.DataFrame, causes: list[str]) -> Table:
    """A row a strategy, with its trades."""
    traded = {row["strategy"]: row for row in summed(trades, "strategy").to_dicts()}
    made = sums.usd.sum(axis=1)
    rows: _Rows = []
    if len(sums.strategies) > 1:
        fills, volume = (sum(row[name] for row in traded.values()) for name in ("fills", "usd"))
        told = [Cell(f"{fills:,}", None), Cell(whole(volume).text, None)]
        rows.append([Cell("all", None), *total_cells(run, causes), *told])
    for n in np.argsort(-np.abs(made.sum(axis=1)), kind="stable").tolist():
        name = sums.strategies[n]
        row = traded.get(name)
        fills = Cell(f"{row['fills']:,}", row["fills"]) if row else Cell("", None)
        volume = whole(row["usd"]) if row else Cell("", None)
        rows.append([name, *cause_cells(made[n], causes), fills, volume])
    caption = "USD by strategy and cause"
    if _CROSSING in sums.strategies:
        caption += f"; {_CROSSING} is what the strategies saved by trading with one another"
    counts = [Column("trades", number=True), Column("volume", "USD", number=True)]
    return Table([Column("strategy"), *cause_columns(causes), *counts], rows, caption, _SHOWN)
