"""The summary of a run in the terminal, 100 columns."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from perpkit.ledger import CAUSES
from perpkit.run import Result

WIDTH = 100
_BAR = 30
_NAMES = {
    "perp_price": "perp price",
    "token_price": "token price",
    "funding": "funding",
    "yield": "yield",
    "dividend": "dividends",
    "fees": "fees",
    "slippage": "slippage",
    "interest": "interest",
    "transfer": "transfers",
    "settlement": "settlement",
    "liquidation": "liquidation",
    "bad_debt": "bad debt (venue's)",
}


def print_summary(result: Result, out: Path | None) -> None:
    """Print the summary of a run on standard output: 100 columns, fewer in a narrower terminal."""
    console = Console(highlight=False)
    if not console.is_terminal or console.width > WIDTH:
        console = Console(highlight=False, width=WIDTH)
    console.print(Group(*_parts(result, out)))


def _parts(result: Result, out: Path | None) -> list[RenderableType]:
    parts: list[RenderableType] = [_title(result), Text(), _headline(result), Text()]
    parts += [_heading("Where it came from"), _attribution(result), Text()]
    if result.warnings:
        parts += [_heading("Warnings"), *(_bullet(w, "yellow") for w in result.warnings), Text()]
    parts += [_heading("Assumed"), _assumed(result), Text()]
    if out is not None:
        parts.append(Text.assemble("Files  ", (str(out), "bold")))
    return parts


def _heading(text: str) -> Text:
    return Text(text, style="bold")


def _bullet(text: str, style: str) -> Padding:
    line = Table.grid(padding=(0, 1))
    line.add_column(width=1)
    line.add_column()
    line.add_row(Text("!", style=style), Text(text))
    return Padding(line, (0, 0, 0, 2))


def _title(result: Result) -> Text:
    made = result.manifest
    first, last = made["span"]
    coins, tokens = len(made["instruments"]["coins"]), len(made["instruments"]["tokens"])
    return Text.assemble(
        (result.strategy, "bold"),
        " on ",
        (made["dataset"]["name"], "bold"),
        f"   {first} to {last}   {coins} perps, {tokens} tokens",
    )


# --------------------------------------------------------------------------- numbers


def percent(value: float | str | None) -> str:
    """A fraction as a percentage, signed where negative."""
    return "–" if value is None or isinstance(value, str) else f"{value:.2%}"


def usd(value: float | str | None) -> str:
    """Dollars with thousands and cents."""
    return "–" if value is None or isinstance(value, str) else f"{value:,.2f}"


def plain(value: float | str | None) -> str:
    """A number to two digits."""
    return "–" if value is None or isinstance(value, str) else f"{value:,.2f}"


Shown = tuple[str, str, Callable[[float | int | str | None], str], str]

_LEFT: tuple[Shown, ...] = (
    ("Final equity", "final_equity_usd", usd, "USD"),
    ("Total return", "total_return_frac", percent, ""),
    ("Max drawdown", "max_drawdown_frac", percent, ""),
    ("Worst margin ratio", "worst_margin_ratio", plain, "1 is liquidation"),
    ("Fees and slippage", "cost_drag_frac", percent, "of gross funding"),
)
_RIGHT: tuple[Shown, ...] = (
    ("Net APR on all capital", "net_apr", percent, ""),
    ("Over the risk-free rate", "excess_apr", percent, "APR"),
    ("Funding on notional", "funding_yield_apr", percent, "APR"),
    ("Time in market", "time_in_market_frac", percent, ""),
    ("Turnover", "turnover", plain, "× capital"),
)


def _headline(result: Result) -> RenderableType:
    table = Table.grid(padding=(0, 2), expand=False)
    for _ in range(2):
        table.add_column(style="dim", min_width=20)
        table.add_column(justify="right", style="bold", min_width=11)
        table.add_column(style="dim", min_width=12)
    for left, right in zip(_LEFT, _RIGHT, strict=True):
        table.add_row(*_cells(result, left), *_cells(result, right))
    return Padding(table, (0, 0, 0, 2))


def _cells(result: Result, shown: Shown) -> tuple[str, str, str]:
    label, metric, form, unit = shown
    return label, form(result.summary[metric]), unit


def _attribution(result: Result) -> RenderableType:
    capital = float(result.manifest["config"]["capital"])
    found = {c: float(result.summary[f"{c}_usd"] or 0.0) for c in CAUSES}
    largest = max((abs(x) for x in found.values()), default=0.0)
    table = Table.grid(padding=(0, 2))
    table.add_column(min_width=18)
    table.add_column(justify="right", min_width=14)
    table.add_column(justify="right", min_width=9, style="dim")
    table.add_column()
    for cause, value in found.items():
        if value != 0.0:
            width = max(1, round(_BAR * abs(value) / largest))
            style = "green" if value > 0.0 else "red"
            bar = Text(("+" if value > 0.0 else "-") * width, style=style)
            table.add_row(_NAMES[cause], usd(value), percent(value / capital), bar)
    net = sum(found.values())
    table.add_row(Text("net", style="bold"), Text(usd(net), style="bold"), percent(net / capital))
    return Padding(table, (0, 0, 0, 2))


def _assumed(result: Result) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(ratio=1)
    for assumption in result.assumptions:
        table.add_row(assumption.name, Text(assumption.value))
    return Padding(table, (0, 0, 0, 2))
