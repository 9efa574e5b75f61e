"""The summary of a run in the terminal, 60 to 100 columns."""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

from rich.console import Console
from rich.text import Text

from perpkit.export import REPORT
from perpkit.headline import (
    CHECK_COLUMNS,
    PART_COLUMNS,
    Cause,
    assumed,
    assumed_terms,
    attribution,
    check_row,
    headline,
    part_row,
    parts,
    span,
)
from perpkit.report.over_time import over_time
from perpkit.report.spark import ASCII, marks_for
from perpkit.result import Result

WIDTH = 100
_LEAST = 60  # narrower terminals break the lines themselves
_TWO_COLUMNS = 99  # what two columns of headline numbers take
_BAR = 20
_BEFORE_BAR = 48  # columns of a cause's numbers, and the bar's axis
_LABEL = 22


def print_summary(result: Result, out: Path | None, report: bool = False) -> None:
    """Print the summary of a run on standard output: 100 columns, fewer in a narrower terminal.

    Charts are of block characters where the terminal shows them, else ASCII, as in a pipe.
    ``NO_COLOR`` leaves out every style.
    """
    console = Console(highlight=False, color_system=None if os.environ.get("NO_COLOR") else "auto")
    width = max(_LEAST, min(console.width, WIDTH)) if sys.stdout.isatty() else WIDTH
    lines = _lines(result, out, width, marks_for(sys.stdout))
    for line in (*lines, *_report(out if report else None)):
        console.print(line, soft_wrap=True)  # the lines are wrapped already, a path never is


def _lines(result: Result, out: Path | None, width: int, marks: str = ASCII) -> Iterator[Text]:
    yield from _title(result, width)
    yield Text()
    yield from _headline(result, width)
    yield Text()
    yield from over_time(result, width, marks)
    yield Text()
    yield Text("Where it came from", style="bold")
    yield from _attribution(result, min(_BAR, (width - _BEFORE_BAR) // 2))
    yield Text()
    if parts(result):
        yield Text("By member", style="bold")
        yield from _parts(result)
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


def _report(out: Path | None) -> Iterator[Text]:
    if out is not None:
        yield Text.assemble("Report ", (str(out / REPORT), "bold"))


def _title(result: Result, width: int) -> Iterator[Text]:
    dataset = result.manifest["dataset"]["name"]
    whole = Text.assemble((result.strategy, "bold"), " on ", (dataset, "bold"), f", {span(result)}")
    for line in whole.wrap(Console(width=width), width):
        line.rstrip()
        yield line


def _wrapped(bullet: str, text: str, width: int, style: str) -> Iterator[Text]:
    """A text under a bullet, its further lines indented as far."""
    for n, line in enumerate(textwrap.wrap(text, width - len(bullet)) or [""]):
        yield Text.assemble((bullet if n == 0 else " " * len(bullet), style), line)


# --------------------------------------------------------------------------- numbers


def _headline(result: Result, width: int) -> Iterator[Text]:
    left, right = headline(result)
    if width < _TWO_COLUMNS:
        for cell in left + right:
            yield _cells((*cell, 23, 12, 0))
        return
    for ours, theirs in zip_longest(left, right, fillvalue=("", "", "")):
        yield _cells((*ours, 19, 12, 22), (*theirs, 23, 10, 0))


def _cells(*cells: tuple[str, str, str, int, int, int]) -> Text:
    line = Text("  ")
    for label, value, note, wide, number, rest in cells:
        line.append(f"{label:<{wide}}", "dim")
        line.append(f"{value:>{number}}", "bold")
        line.append(f" {note:<{rest}} ", "dim")
    line.rstrip()
    return line


def _attribution(result: Result, longest: int) -> Iterator[Text]:
    causes, net = attribution(result)
    largest = max((abs(cause.usd) for cause in causes), default=0.0)
    for cause in causes:
        width = max(1, round(longest * abs(cause.usd) / largest))
        bar = ("+" if cause.usd > 0.0 else "-") * width
        line = Text(_money(cause))
        line.append(f"   {'' if cause.usd > 0.0 else bar:>{longest}}", "red")
        line.append("|", "dim")
        line.append(bar if cause.usd > 0.0 else "", "cyan")
        yield line
    yield Text(_money(net), style="bold")


def _money(cause: Cause) -> str:
    return f"  {cause.name:<18}{cause.usd:>14,.2f}{cause.of_capital:>10.2%}"


def _parts(result: Result) -> Iterator[Text]:
    """One line a member of a portfolio, then what nobody's was and what crossing saved."""
    capital = float(result.manifest["config"]["capital"])
    rows = [part_row(part, capital) for part in parts(result)]
    # What is 0 in every line says nothing.
    shown = [n for n in range(len(PART_COLUMNS)) if n < 2 or any(r[n] != "0.00" for r in rows)]
    wide = [max(len(row[n]) for row in (PART_COLUMNS, *rows)) for n in range(len(PART_COLUMNS))]
    for number, row in enumerate((PART_COLUMNS, *rows)):
        first, *others = (
            f"{row[n]:<{wide[n]}}" if n == 0 else f"{row[n]:>{wide[n]}}" for n in shown
        )
        yield Text(f"  {first}  {'  '.join(others)}".rstrip(), "dim" if number == 0 else "")


def _funding_checks(result: Result) -> Iterator[Text]:
    """One line a coin: how many rates are the formula's, and what its rates would have changed."""
    yield Text(_check(*CHECK_COLUMNS), "dim")
    for check in result.funding_checks:
        yield Text(_check(*check_row(check)))


def _check(coin: str, settled: str, exact: str, worst: str, usd: str) -> str:
    return f"  {coin:<14}{settled:>9}{exact:>9}{worst:>13}{usd:>12}"


# --------------------------------------------------------------------------- assumptions


def _assumed(result: Result, width: int) -> Iterator[Text]:
    """One line a choice and one a venue's terms; the manifest has them whole, with sources."""
    for name, value, why in assumed(result):
        if len(name) > _LABEL and " " in name:  # as of many tokens: named whole, on more lines
            label, _, named = name.partition(" ")
            yield from _wrapped(f"  {label:<{_LABEL + 1}}", f"{named}: {value}", width, "dim")
            continue
        both = f"{value}, {why}"
        shown = both if len(both) <= width - _LABEL - 3 else value
        text = textwrap.shorten(shown, width - _LABEL - 3, placeholder=" ...")
        yield Text.assemble((f"  {name:<{_LABEL + 1}}", "dim"), text)
    for scope, text in assumed_terms(result):
        label, said = f"terms of {scope}", text
        if len(label) > _LABEL:
            label, said = "terms", f"of {scope}: {text}"
        yield from _wrapped(f"  {label:<{_LABEL + 1}}", said, width, "dim")
