"""The summary of a run in the terminal, 60 to 100 columns."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

from rich.console import Console
from rich.text import Text

from perpkit.ledger import CAUSES
from perpkit.run import Result

WIDTH = 100
_LEAST = 60  # narrower terminals break the lines themselves
_TWO_COLUMNS = 99  # what two columns of headline numbers take
_BAR = 20
_BEFORE_BAR = 48  # columns of a cause's numbers, and the bar's axis
_LABEL = 22
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
_COSTS = ("fees", "slippage", "interest", "transfer", "settlement")


def print_summary(result: Result, out: Path | None) -> None:
    """Print the summary of a run on standard output: 100 columns, fewer in a narrower terminal.

    ``NO_COLOR`` leaves out every style.
    """
    console = Console(highlight=False, color_system=None if os.environ.get("NO_COLOR") else "auto")
    width = max(_LEAST, min(console.width, WIDTH)) if console.is_terminal else WIDTH
    for line in _lines(result, out, width):
        console.print(line, soft_wrap=True)  # the lines are wrapped already, a path never is


def _lines(result: Result, out: Path | None, width: int) -> Iterator[Text]:
    yield from _title(result, width)
    yield Text()
    yield from _headline(result, width)
    yield Text()
    yield Text("Where it came from", style="bold")
    yield from _attribution(result, min(_BAR, (width - _BEFORE_BAR) // 2))
    yield Text()
    if result.funding_checks:
        yield Text("Recorded funding against the formula", style="bold")
        yield from _funding_checks(result)
        yield Text()
    if result.warnings:
        yield Text("Warnings", style="bold")
        for warning in result.warnings:
            yield from _wrapped("  ! ", warning, width, "yellow")
        yield Text()
    yield Text("Assumed", style="bold")
    yield from _assumed(result, width)
    if out is not None:
        yield Text()
        yield Text.assemble("Files  ", (str(out), "bold"))


def _title(result: Result, width: int) -> Iterator[Text]:
    made = result.manifest
    first, last = made["span"]
    coins = _count(made["instruments"]["coins"], "perp")
    tokens = _count(made["instruments"]["tokens"], "token")
    whole = Text.assemble(
        (result.strategy, "bold"),
        " on ",
        (made["dataset"]["name"], "bold"),
        f", {first} to {last}, {coins} and {tokens}",
    )
    for line in whole.wrap(Console(width=width), width):
        line.rstrip()
        yield line


def _count(names: list[str], noun: str) -> str:
    return f"{len(names)} {noun}{'' if len(names) == 1 else 's'}"


def _wrapped(bullet: str, text: str, width: int, style: str) -> Iterator[Text]:
    """A text under a bullet, its further lines indented as far."""
    for n, line in enumerate(textwrap.wrap(text, width - len(bullet)) or [""]):
        yield Text.assemble((bullet if n == 0 else " " * len(bullet), style), line)


# --------------------------------------------------------------------------- numbers


def percent(value: float | str | None) -> str:
    """A fraction as a percentage.

    >>> percent(0.0339)
    '3.39%'
    """
    return "n/a" if value is None or isinstance(value, str) else f"{value:.2%}"


def plain(value: float | str | None) -> str:
    """A number with thousands, to two digits.

    >>> plain(103385.106)
    '103,385.11'
    """
    return "n/a" if value is None or isinstance(value, str) else f"{value:,.2f}"


def _headline(result: Result, width: int) -> Iterator[Text]:
    found = result.summary
    spent = sum(float(found[f"{cause}_usd"] or 0.0) for cause in _COSTS)
    bound = int(result.facts["oracle_hours_bound"] or 0)
    free = percent(result.manifest["config"]["risk_free_apr"])
    left = [
        ("Final equity", plain(found["final_equity_usd"]), "USD"),
        ("Total return", percent(found["total_return_frac"]), ""),
        ("Max drawdown", percent(found["max_drawdown_frac"]), ""),
        ("Worst margin ratio", plain(found["worst_margin_ratio"]), "1 is liquidation"),
        ("Costs", plain(spent), _share(found["cost_drag_frac"])),
        ("Oracle held back", f"{bound:,}", "coin-hours"),
    ]
    right = [
        ("Net APR on all capital", percent(found["net_apr"]), ""),
        (f"Over {free} risk-free", percent(found["excess_apr"]), ""),
        ("Funding APR on notional", percent(found["funding_yield_apr"]), ""),
        ("Time in market", percent(found["time_in_market_frac"]), ""),
        ("Turnover a year", plain(found["turnover"]), "x equity"),
        ("Largest oracle lag", percent(result.facts["oracle_largest_lag_frac"]), ""),
    ]
    inside, rates = result.facts["oracle_hours_internal"], result.facts["rates_by_formula"]
    if inside:
        left.append(("Priced by own book", f"{inside:,}", "coin-hours"))
    if rates:
        right.append(("Funding by formula", f"{rates:,}", "rates"))
    if width < _TWO_COLUMNS:
        for cell in left + right:
            yield _cells((*cell, 23, 12, 0))
        return
    for ours, theirs in zip_longest(left, right, fillvalue=("", "", "")):
        yield _cells((*ours, 19, 12, 22), (*theirs, 23, 10, 0))


def _share(drag: float | str | None) -> str:
    """Costs as a share of funding, in whole percents where two digits more would not fit."""
    if drag is None or isinstance(drag, str):
        return "USD"
    shown = percent(drag) if 0.0 <= drag < 1.0 else f"{drag:.0%}"
    return f"USD, {shown} of funding"


def _cells(*cells: tuple[str, str, str, int, int, int]) -> Text:
    line = Text("  ")
    for label, value, note, wide, number, rest in cells:
        line.append(f"{label:<{wide}}", "dim")
        line.append(f"{value:>{number}}", "bold")
        line.append(f" {note:<{rest}} ", "dim")
    line.rstrip()
    return line


def _attribution(result: Result, longest: int) -> Iterator[Text]:
    capital = float(result.manifest["config"]["capital"])
    found = {c: float(result.summary[f"{c}_usd"] or 0.0) for c in CAUSES}
    largest = max(abs(x) for x in found.values())
    for cause, value in found.items():
        if value != 0.0:
            width = max(1, round(longest * abs(value) / largest))
            bar = ("+" if value > 0.0 else "-") * width
            line = Text(_money(_NAMES[cause], value, capital))
            line.append(f"   {'' if value > 0.0 else bar:>{longest}}", "red")
            line.append("|", "dim")
            line.append(bar if value > 0.0 else "", "green")
            yield line
    net = sum(found.values())
    yield Text(_money("net", net, capital), style="bold")


def _money(name: str, usd: float, capital: float) -> str:
    return f"  {name:<18}{usd:>14,.2f}{usd / capital:>10.2%}"


def _funding_checks(result: Result) -> Iterator[Text]:
    """One line a coin: how many rates are the formula's, and what its rates would have changed."""
    yield Text(f"  {'coin':<14}{'settled':>9}{'exact':>9}{'worst error':>13}{'USD':>12}", "dim")
    for check in result.funding_checks:
        worst = "n/a" if check.worst_error is None else f"{check.worst_error:.1e}"
        yield Text(
            f"  {check.coin:<14}{check.settlements:>9,}{percent(check.exact_frac):>9}"
            f"{worst:>13}{round(check.difference_usd, 2) + 0.0:>+12,.2f}"
        )


# --------------------------------------------------------------------------- assumptions


def _assumed(result: Result, width: int) -> Iterator[Text]:
    """One line a choice and one a venue's terms; the manifest has them whole, with sources."""
    terms = [t for t in result.manifest["terms"] if t["needed"] and t["confidence"] == "assumed"]
    of_terms = {f"{t['scope']} {t['key']}" for t in terms}
    for name, value, why in result.assumptions:
        if name not in of_terms:
            if len(name) > _LABEL and " " in name:  # as of many tokens: named whole, on more lines
                label, _, named = name.partition(" ")
                yield from _wrapped(f"  {label:<{_LABEL + 1}}", f"{named}: {value}", width, "dim")
                continue
            both = f"{value}, {why}"
            shown = both if len(both) <= width - _LABEL - 3 else value
            text = textwrap.shorten(shown, width - _LABEL - 3, placeholder=" ...")
            yield Text.assemble((f"  {name:<{_LABEL + 1}}", "dim"), text)
    for scope in dict.fromkeys(t["scope"] for t in terms):
        said = dict.fromkeys(f"{t['key']} {t['value']}" for t in terms if t["scope"] == scope)
        label, text = f"terms of {scope}", ", ".join(said)
        if len(label) > _LABEL:
            label, text = "terms", f"of {scope}: {text}"
        yield from _wrapped(f"  {label:<{_LABEL + 1}}", text, width, "dim")
