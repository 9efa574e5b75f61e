"""Collateral: where cash and Treasury tokens lay, what they earned, what margin asked for."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import polars as pl

from perpkit.arrays import F64, I64
from perpkit.headline import percent
from perpkit.report.chart import Trace, figure, line, numbers, times
from perpkit.report.grid import names_of, sums, totals
from perpkit.report.panel import Cell, Chart, Choice, Column, Panel, Table
from perpkit.report.reading import Run
from perpkit.report.thin import thin

KEY, TITLE = "collateral", "Collateral"
WALLET = "wallet"
ACCOUNTS = 5  # with a chart of their own; the sum of all is the first
POINTS = 500
LOOKS = (("margin value", "@1", "solid"), ("initial", "@3", "dash"), ("maintenance", "@2", "dot"))
SMALL = 0.005  # USD: less is rounding


class _Held(NamedTuple):
    """Where money lay: USD, one row an hour of the run."""

    time_ms: I64
    tokens: list[str]
    pledged: F64  # (T, K)
    free: F64  # (T, K)
    wallet: F64
    margin: F64
    moving: F64
    equity: F64


def panel(run: Run) -> Panel:
    """Cash and tokens by place, margin value against what was asked for, and what was earned."""
    held = _read(run)
    accounts = run.frames["accounts"].filter(pl.col("account") != WALLET)
    needed = bool((accounts["initial_usd"] > 0.0).any())
    if not held.tokens and not needed:
        return Panel(
            KEY,
            TITLE,
            empty="All capital was cash and no perp was ever held: there was no token as "
            "collateral, and no margin to meet.",
        )
    parts: list[Chart | Choice | Table] = [_places(held)]
    if needed:
        parts.append(_margins(accounts, held.time_ms))
    if held.tokens:
        parts.append(_table(held, run))
    return Panel(KEY, TITLE, parts, lead=_lead(held, run))


def _read(run: Run) -> _Held:
    equity, accounts, positions = (run.frames[f] for f in ("equity", "accounts", "positions"))
    axis = times(equity["time"])
    config = run.manifest["config"]
    told = {*config["collateral"], config["sweep_token"]}
    names = set(run.tokens)
    pledged = positions.filter((pl.col("account") != WALLET) & pl.col("instrument").is_in(names))
    tokens = [
        name
        for name in names_of(positions["instrument"])
        if name in names and (name in told or name in set(pledged["instrument"]))
    ]
    mine = positions.filter(pl.col("instrument").is_in(tokens))
    apart = pl.col("account") != WALLET
    own = totals(accounts.filter(~apart), axis, "cash_usd")
    margin = totals(accounts.filter(apart), axis, "cash_usd")
    moving = numbers(equity["cash_usd"]) - own - margin
    moving[np.abs(moving) < SMALL] = 0.0
    return _Held(
        axis,
        tokens,
        sums(mine.filter(apart), axis, "instrument", "value_usd", tokens),
        sums(mine.filter(~apart), axis, "instrument", "value_usd", tokens),
        own,
        margin,
        moving,
        numbers(equity["equity_usd"]),
    )


# --------------------------------------------------------------------------- what it says


def _lead(held: _Held, run: Run) -> str:
    idle = float(np.mean(held.wallet))
    of_equity = idle / float(np.mean(held.equity))
    told = (
        f"On average {idle:,.0f} USD lay as cash in the wallet ({of_equity:.1%} of equity) and "
        f"{np.mean(held.margin):,.0f} USD in margin accounts."
    )
    if not held.tokens:
        return (
            "All collateral was cash: no token was pledged, held for it or swept into, so it "
            f"earned nothing and had no haircut. {told}"
        )
    both = held.pledged + held.free
    parts = [
        f"{name} {both[:, k].mean():,.0f} USD, of it pledged {held.pledged[:, k].mean():,.0f}"
        for k, name in enumerate(held.tokens)
    ]
    earned = sum(_of_cause(run, name, "yield") for name in held.tokens)
    made = f"Tokens as collateral, on average: {'; '.join(parts)}. They earned {earned:,.2f} USD"
    rate = run.metric("collateral_yield_apr")
    made += "" if rate is None else f" ({percent(rate)} a year on those without a perp)"
    on_pledged = run.metric("pledged_yield_usd")
    made += "" if on_pledged is None else f", {on_pledged:,.2f} of it while pledged"
    owed = run.metric("interest_usd") or 0.0
    if owed < 0.0:
        told += f" Cash that was owed cost {-owed:,.2f} USD."
    return f"{made}. {told}"


def _of_cause(run: Run, token: str, cause: str) -> float:
    booked = run.frames["attribution"].filter(
        (pl.col("instrument") == token) & (pl.col("cause") == cause)
    )
    return float(booked["usd"].sum())


def _haircut(run: Run, token: str) -> tuple[float | None, str]:
    """What of a token is no margin, and whose word that is."""
    own = run.manifest["config"]["collateral"].get(token, {}).get("haircut_frac")
    if own is not None:
        return float(own), "this run's setting"
    for choice in run.manifest["assumptions"]:
        if choice["name"] == f"{token} haircut_frac":
            return float(choice["value"]), f"assumed: {choice['why']}"
    return None, "the rulebook's"


# --------------------------------------------------------------------------- what it shows


def _places(held: _Held) -> Chart:
    """Stacked: cash by place, tokens by place; what is owed below zero."""
    areas: dict[str, F64] = {
        "cash in the wallet": held.wallet,
        "cash in margin accounts": np.maximum(held.margin, 0.0),
        "cash under way": held.moving,
    }
    for k, name in enumerate(held.tokens):
        areas[f"{name} pledged"] = held.pledged[:, k]
        areas[f"{name} in the wallet"] = held.free[:, k]
    areas = {name: usd for name, usd in areas.items() if np.any(np.abs(usd) > SMALL)}
    owed = np.minimum(held.margin, 0.0)
    kept = thin(*areas.values(), owed, points=max(POINTS, 8 * len(areas)))
    dashes = ("solid", "dash", "dot", "dashdot")
    traces: list[Trace] = []
    for n, (name, usd) in enumerate(areas.items()):
        more: dict[str, Any] = {"hover": ",.0f", "unit": " USD", "stackgroup": "held"}
        more["line"] = {"shape": "hv", "width": 1, "dash": dashes[n % len(dashes)]}
        traces.append(line(name, held.time_ms[kept], usd[kept], f"@{n % 8 + 1}", **more))
    if owed.any():
        more = {"hover": ",.0f", "unit": " USD", "fill": "tozeroy"}
        more["line"] = {"shape": "hv", "dash": "dot"}
        traces.append(line("cash owed", held.time_ms[kept], owed[kept], "@loss", **more))
    return Chart(
        figure(traces, y="USD", fmt="~s", hovermode="x unified"),
        "Cash by place, and tokens held as collateral, pledged and free",
        height=320,
        note="Tokens at fair price, before any haircut; tokens that hedge a perp are not in it. "
        "Under way: between accounts, from issuers, of sales.",
    )


def _margins(accounts: pl.DataFrame, axis: I64) -> Chart | Choice:
    """Margin value against initial and maintenance, of all accounts and of the largest."""
    most = accounts.group_by("account", maintain_order=True).agg(pl.col("initial_usd").max())
    most = most.filter(pl.col("initial_usd") > 0.0).sort("initial_usd", descending=True)
    largest = most["account"].head(ACCOUNTS).to_list()
    columns = ("margin_value_usd", "initial_usd", "maintenance_usd")
    told = {name: accounts.filter(pl.col("account") == name) for name in largest}
    if most.height > 1:
        told = {"all margin accounts": accounts, **told}
    charts = [
        _margin(name, [totals(mine, axis, c) for c in columns], axis) for name, mine in told.items()
    ]
    parts = {name: [chart] for name, chart in zip(told, charts, strict=True)}
    return Choice("account", parts) if len(parts) > 1 else charts[0]


def _margin(name: str, told: list[F64], axis: I64) -> Chart:
    kept = thin(*told, points=POINTS)
    traces = [
        line(
            what,
            axis[kept],
            usd[kept],
            colour,
            hover=",.0f",
            unit=" USD",
            line={"shape": "hv", "dash": dash},
        )
        for usd, (what, colour, dash) in zip(told, LOOKS, strict=True)
    ]
    return Chart(
        figure(traces, y="USD", fmt="~s", yaxis={"rangemode": "tozero"}),
        f"Margin value of {name} against initial and maintenance margin",
        height=260,
        note="Margin value: cash, unrealised profit, and pledged tokens less haircut. Below "
        "initial nothing is opened; below maintenance the account is closed.",
    )


def _table(held: _Held, run: Run) -> Table:
    rows: list[list[str | Cell]] = []
    for k, name in enumerate(held.tokens):
        pledged, free = held.pledged[:, k], held.free[:, k]
        haircut, whose = _haircut(run, name)
        earned, moved = _of_cause(run, name, "yield"), _of_cause(run, name, "token_price")
        rows.append(
            [
                name,
                *(_usd(v) for v in (pledged.mean(), pledged.max(), free.mean())),
                _usd(pledged[-1] + free[-1]),
                Cell(f"{earned:,.2f}", earned),
                Cell(f"{moved:+,.2f}", moved),
                Cell(percent(haircut), haircut),
                whose,
            ]
        )
    return Table(
        [
            Column("token"),
            Column("pledged", "USD", number=True, about="mean of all hours"),
            Column("most pledged", "USD", number=True),
            Column("free", "USD", number=True, about="in the wallet, mean of all hours"),
            Column("at the end", "USD", number=True, about="pledged and free"),
            Column("yield", "USD", number=True, about="cause yield of the attribution"),
            Column("price", "USD", number=True, about="cause token_price of the attribution"),
            Column("haircut", number=True, about="share of its value that is no margin"),
            Column("haircut by", wide=True),
        ],
        rows,
        caption="Tokens held as collateral",
    )


def _usd(value: float) -> Cell:
    return Cell(f"{value:,.0f}", float(value))
