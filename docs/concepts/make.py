"""``python docs/concepts/make.py [FOLDER]``: the pictures of docs/concepts.md.

The steps of the hour are read from docs/hour.md, the weekend and the year are played on the demo.
tests/docs/test_pictures.py draws them again and compares.
"""

from __future__ import annotations

import re
import runpy
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from itertools import accumulate, pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np

import perpkit
from perpkit.arrays import F64, Phase
from perpkit.config import check_config
from perpkit.ledger import CAUSES
from perpkit.run import open_dataset
from perpkit.tape import complete, lay
from perpkit.units import apr, to_ns

HERE = Path(__file__).parent
STYLE = runpy.run_path(str(HERE.parent / "pictures" / "make.py"), run_name="pictures")["STYLE"]
WIDTH = 760
EXTRA = """  .box { fill: none; stroke: #8b949e; stroke-width: 1.2; }
  .edge { fill: none; stroke-width: 1.8; }
  .name { font-weight: 600; }
  .small { font-size: 12px; }
  .words { paint-order: stroke; stroke: #ffffff; stroke-width: 5px; stroke-linejoin: round; }
  .fill-tip { fill: #59636e; }
  .tip { stroke: #59636e; }
  @media (prefers-color-scheme: dark) { .words { stroke: #0d1117; }
    .box { stroke: #6e7681; } .tip { stroke: #9aa5b1; } .fill-tip { fill: #9aa5b1; } }
"""
Point = tuple[float, float]


class Sheet:
    """A picture in the making: its elements in the order they are painted."""

    def __init__(self, title: str, told: str, height: int) -> None:
        self.height = height
        self.parts = [
            f"<title>{title}</title>",
            f"<desc>{told}</desc>",
            f"<style>{STYLE}{EXTRA}</style>",
            f'<rect class="paper" x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1}"/>',
            f'<text class="title" x="28" y="32">{title}</text>',
        ]

    def text(self, x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> None:
        """Words at a place of the paper."""
        self.parts.append(
            f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{words}</text>'
        )

    def rect(self, x: float, y: float, wide: float, high: float, kind: str) -> None:
        """A rectangle, its corners rounded where it is a box."""
        round_ = ' rx="6"' if "box" in kind else ""
        self.parts.append(
            f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{wide:.1f}" height="{high:.1f}"'
            f"{round_}/>"
        )

    def line(self, points: Iterable[Point], kind: str) -> None:
        """A line through points of the paper."""
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self.parts.append(f'<polyline class="line {kind}" points="{path}"/>')

    def arrow(self, points: list[Point], colour: str = "tip") -> None:
        """A line with a head at its last point, which is reached along an axis."""
        (x0, y0), (x, y) = points[-2:]
        across, down = (x > x0) - (x < x0), (y > y0) - (y < y0)
        if across and down:
            raise ValueError("an arrow arrives along an axis")
        path = "L".join(f"{px:.1f} {py:.1f}" for px, py in points)
        self.parts.append(f'<path class="edge {colour}" d="M{path}"/>')
        back = (x - 9 * across, y - 9 * down)
        wings = [(back[0] + 4 * s * down, back[1] + 4 * s * across) for s in (1, -1)]
        corners = " ".join(f"{px:.1f},{py:.1f}" for px, py in [(x, y), *wings])
        self.parts.append(f'<polygon class="fill-{colour}" points="{corners}"/>')

    def svg(self) -> str:
        """The file."""
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{self.height}" '
            f'viewBox="0 0 {WIDTH} {self.height}" role="img">'
        )
        return "\n".join([head, *self.parts, "</svg>"]) + "\n"


# --------------------------------------------------------------------------- the pair


def book() -> str:
    """The wallet and a margin account, what lies in them, and what moves."""
    sheet = Sheet(
        "Two legs, one book",
        "The wallet holds cash and tokens, the margin account of a venue holds cash and the short "
        "perp. Cash moves between them and takes time. When the stock rises the tokens gain on "
        "paper and the short loses cash.",
        402,
    )
    sheet.rect(28, 62, 262, 158, "box")
    sheet.rect(470, 62, 262, 158, "box")
    held = (
        (
            44,
            "Wallet",
            ("cash", "+ 10 tokens, at the fair price", "bills and stablecoins, with yield"),
        ),
        (
            486,
            "Margin account of a venue",
            ("cash", "− 10 of the perp, at the mark", "pledged tokens, less a haircut"),
        ),
    )
    for x, name, lines in held:
        sheet.text(x, 88, name, "name")
        for n, words in enumerate(lines):
            sheet.text(x, 120 + 28 * n, words)
    sheet.arrow([(290, 106), (470, 106)])
    sheet.text(380, 97, "top-up, on a call", "small", "middle")
    sheet.arrow([(470, 176), (290, 176)])
    sheet.text(380, 167, "sweep, what is spare", "small", "middle")
    sheet.text(380, 136, "hours and a cost", "small faint", "middle")
    sheet.arrow([(110, 262), (110, 220)])
    sheet.arrow([(208, 220), (208, 262)])
    sheet.text(159, 280, "quotes, pools, issuers, in their hours", "small", "middle")
    sheet.arrow([(552, 262), (552, 220)])
    sheet.arrow([(650, 220), (650, 262)])
    sheet.text(601, 280, "funding, fees, liquidation", "small", "middle")
    sheet.rect(28, 306, 704, 76, "fill-a wash")
    sheet.text(44, 333, "The stock rises by 10%:", "name")
    sheet.text(222, 333, "10 tokens gain a tenth, on paper;", "fill-c")
    sheet.text(222, 361, "the short loses as much, in margin, now.", "fill-b")
    sheet.text(716, 333, "equity: hardly moved", "", "end")
    sheet.text(716, 361, "margin ratio: up", "fill-b name", "end")
    return sheet.svg()


# --------------------------------------------------------------------------- the clock


def steps_of_the_hour() -> list[str]:
    """The headings of the nine steps, as docs/hour.md has them."""
    page = (HERE.parent / "hour.md").read_text(encoding="utf-8")
    found = re.findall(r"^\*\*(\d)\. (.+?)\.\*\*", page, re.MULTILINE)
    if [number for number, _ in found] != list("123456789"):
        raise ValueError("docs/hour.md does not number nine steps")
    return [words for _, words in found]


def hour() -> str:
    """Two rows, the nine steps of each, and what passes from one to the other."""
    sheet = Sheet(
        "Two rows of a run",
        "Each row plays nine steps in one order. What the strategy decides in step 9 of the row of "
        "14:00 is filled in step 6 of the row of 15:00; funding in step 4 is paid on what was held "
        "since the row before.",
        392,
    )
    names, top, down = steps_of_the_hour(), 96, 29
    wide, left, right = 288, 28, 444
    for x, word in ((left, "Row t, 14:00"), (right, "Row t + 1, 15:00")):
        sheet.text(x, 74, word, "name")
        for n, name in enumerate(names):
            y = top + n * down
            own = {3: "fill-c wash", 5: "fill-a wash", 8: "fill-a wash"}.get(n)
            if own:
                sheet.rect(x, y - 2, wide, 24, own)
            sheet.text(x + 8, y + 15, f"{n + 1}  {name}", "small")
    decide, fill, paid = (top + n * down + 10 for n in (8, 5, 3))
    sheet.arrow([(left + wide, decide), (334, decide), (334, fill), (right, fill)], "a")
    sheet.text(342, decide - 30, "decided from all", "small fill-a words")
    sheet.text(342, decide - 14, "that is known", "small fill-a words")
    sheet.text(342, decide + 2, "at 14:00", "small fill-a words")
    sheet.arrow([(left + wide + 10, paid), (right, paid)], "c")
    sheet.text(left + wide + 10, paid - 24, "paid on what was", "small fill-c")
    sheet.text(left + wide + 10, paid - 8, "held since 14:00", "small fill-c")
    sheet.text(
        left, 376, "With fill_delay_hours = 1, the default. No row sees a later one.", "small faint"
    )
    return sheet.svg()


# --------------------------------------------------------------------------- a weekend


class Panel(NamedTuple):
    """Axes on a part of the paper."""

    top: float
    bottom: float
    low: float
    high: float
    hours: int

    def at(self, hour: float, value: float) -> Point:
        """Where a value of an hour lies on the paper."""
        across = 64 + hour / self.hours * (WIDTH - 64 - 24)
        up = (value - self.low) / (self.high - self.low)
        return across, self.bottom - up * (self.bottom - self.top)


def stairs(panel: Panel, values: F64) -> list[Point]:
    """Corners of a line that holds each row's value for its hour."""
    points = []
    for t, value in enumerate(values[:-1]):
        points += [panel.at(t, value), panel.at(t + 1, value)]
    return [points[0], *(p for a, b in pairwise(points) for p in (b,) if a != b)]


def weekend() -> str:
    """One weekend of the demo: external price, oracle, mark, and the funding between them."""
    coin = "xyz:ORCA"
    begin, end = (datetime(2026, 4, day, 12, tzinfo=UTC) for day in (24, 27))
    config = check_config({"coins": [coin]})
    tape = complete(lay(open_dataset(config), config), config).tape
    own = (tape.time_ns >= to_ns(begin)) & (tape.time_ns <= to_ns(end))
    external, oracle, mark, funding = (
        np.asarray(column)[own, 0]
        for column in (tape.external_px, tape.oracle_px, tape.mark_px, tape.funding)
    )
    shut = np.flatnonzero(np.asarray(tape.phase)[own, 0] == Phase.CLOSED)
    hours = len(oracle) - 1
    sheet = Sheet(
        "A weekend of a perp: its oracle follows its own book",
        "External price, oracle and mark of xyz:ORCA of the demo from Friday noon to Monday noon. "
        "While the market is closed the external price stands, the oracle follows the mark, and "
        "funding leaves its baseline; on Sunday evening the oracle returns to the external price.",
        474,
    )
    prices = Panel(84, 282, 160, 166, hours)
    rates = Panel(338, 426, -0.4, 0.8, hours)
    for panel in (prices, rates):
        (left, top), (right, bottom) = (
            panel.at(shut[0], panel.high),
            panel.at(shut[-1] + 1, panel.low),
        )
        sheet.rect(left, top, right - left, bottom - top, "fill-b wash")
    _grid(sheet, prices, [160, 162, 164, 166], "USD", "{:.0f}")
    _grid(sheet, rates, [-0.4, 0, 0.4, 0.8], "funding, APR", "{:.0%}")
    for day, name in enumerate(("Sat 25 April", "Sun 26", "Mon 27")):
        x, y = rates.at(12 + 24 * day, rates.low)
        sheet.parts.append(f'<path class="grid" d="M{x:.1f} {y:.1f}v6"/>')
        sheet.text(x, y + 20, f"{name}, 00:00", "faint small", "middle")
    sheet.line(stairs(prices, external), "c")
    sheet.line([prices.at(t, px) for t, px in enumerate(mark)], "b")
    sheet.line([prices.at(t, px) for t, px in enumerate(oracle)], "a")
    sheet.line(stairs(rates, np.array([apr(rate) for rate in funding])), "a")
    x, y = prices.at(17, 165.2)
    sheet.text(x, y, "no external price", "fill-b")
    sheet.text(*prices.at(37, 160.15), "last external price", "fill-c words")
    sheet.text(*prices.at(46, 163.35), "mark", "fill-b words", "end")
    sheet.text(*prices.at(52, 161.6), "oracle", "fill-a words")
    sheet.text(
        WIDTH - 24, 462, "UTC · formed by perpkit from external price and book", "faint", "end"
    )
    return sheet.svg()


def _grid(sheet: Sheet, panel: Panel, ticks: list[float], label: str, form: str) -> None:
    """Lines and marks of the upright axis."""
    for tick in ticks:
        x, y = panel.at(0, tick)
        kind = "zero" if tick == 0 else "grid"
        sheet.parts.append(f'<path class="{kind}" d="M{x:.1f} {y:.1f}H{WIDTH - 24}"/>')
        sheet.text(x - 8, y + 4, form.format(tick).replace("-", "−"), "faint small", "end")
    sheet.text(64, panel.top - 12, label, "faint")


# --------------------------------------------------------------------------- causes


def causes() -> str:
    """What a year's change of equity is made of, cause by cause."""
    run = perpkit.backtest("funding_carry")
    made = [(cause, float(run.summary[f"{cause}_usd"])) for cause in CAUSES]
    told = [(cause, usd) for cause, usd in made if usd != 0.0]
    net = float(run.summary["net_pnl_usd"])
    sheet = Sheet(
        "Where a year came from: funding_carry on the demo",
        "Bars from top to bottom, each beginning where the one before ended: the causes of the "
        f"year's change of equity add up to {net:,.2f} USD.",
        88 + 34 * (len(told) + 1),
    )
    ends = list(accumulate((usd for _, usd in told), initial=0.0))
    low, high = min(ends), max(ends)
    scale = (WIDTH - 150 - 150) / (high - low)

    def across(usd: float) -> float:
        return 150 + (usd - low) * scale

    bottom = 62 + 34 * (len(told) + 1)
    sheet.parts.append(f'<path class="zero" d="M{across(0):.1f} 58V{bottom}"/>')
    for n, ((cause, usd), (begin, end)) in enumerate(zip(told, pairwise(ends), strict=True)):
        y = 66 + 34 * n
        left, right = sorted((across(begin), across(end)))
        sheet.rect(left, y, max(right - left, 1.0), 20, "fill-c" if usd > 0 else "fill-b")
        sheet.parts.append(f'<path class="grid" d="M{across(end):.1f} {y + 20}v14"/>')
        sheet.text(138, y + 15, cause.replace("_", " "), "", "end")
        sheet.text(WIDTH - 28, y + 15, f"{usd:+,.2f}".replace("-", "−"), "", "end")
    y = 66 + 34 * len(told)
    left, right = sorted((across(0.0), across(net)))
    sheet.rect(left, y, right - left, 20, "fill-a")
    sheet.text(138, y + 15, "equity", "name", "end")
    sheet.text(WIDTH - 28, y + 15, f"{net:+,.2f} USD".replace("-", "−"), "name", "end")
    return sheet.svg()


PICTURES: dict[str, Callable[[], str]] = {
    "book.svg": book,
    "hour.svg": hour,
    "weekend.svg": weekend,
    "causes.svg": causes,
}


def main(folder: Path = HERE) -> None:
    """Draw every picture into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, draw in PICTURES.items():
        (folder / name).write_text(draw(), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
