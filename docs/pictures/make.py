"""``python docs/pictures/make.py [FOLDER]``: the pictures of docs/, drawn from perpkit's own rules.

Writes SVG files, here by default. They carry their own paper, so that they can be read on a light
and on a dark page. tests/docs/test_pictures.py draws them again and compares.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np

from perpkit.arrays import Phase
from perpkit.market.funding import settled_rate
from perpkit.market.oracle import within_steps
from perpkit.market.update import ewma_gain
from perpkit.rulebook import open_rulebook
from perpkit.sessions import session_hours
from perpkit.units import HOUR_NS, HOURS_PER_YEAR, apr, to_ns

HERE = Path(__file__).parent
WIDTH, HEIGHT = 760, 400
LEFT, RIGHT, TOP, BOTTOM = 64, 24, 58, 52
Points = Iterable[tuple[float, float]]

STYLE = """
  text { font: 13px system-ui, "Segoe UI", Helvetica, Arial, sans-serif; fill: #1f2328; }
  .title { font-size: 15px; font-weight: 600; }
  .faint { fill: #59636e; }
  .paper { fill: #ffffff; stroke: #d1d9e0; }
  .grid { stroke: #e3e8ed; }
  .zero { stroke: #8b949e; }
  .line { fill: none; stroke-width: 2.5; stroke-linejoin: round; stroke-linecap: round; }
  .a { stroke: #0b62c4; } .fill-a { fill: #0b62c4; }
  .b { stroke: #b34700; } .fill-b { fill: #b34700; }
  .c { stroke: #1a7f37; } .fill-c { fill: #1a7f37; }
  .wash { opacity: 0.12; }
  .soft { opacity: 0.45; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; }
    .faint { fill: #9aa5b1; }
    .paper { fill: #0d1117; stroke: #30363d; }
    .grid { stroke: #262c34; }
    .zero { stroke: #6e7681; }
    .a { stroke: #58a6ff; } .fill-a { fill: #58a6ff; }
    .b { stroke: #f0883e; } .fill-b { fill: #f0883e; }
    .c { stroke: #56d364; } .fill-c { fill: #56d364; }
    .wash { opacity: 0.2; }
  }
"""


class Axis(NamedTuple):
    """One axis: its range, where it is marked, and how."""

    low: float
    high: float
    ticks: Sequence[float]
    label: str
    text: Callable[[float], str] = "{:g}".format


class Plot:
    """A picture in the making: its elements in the order they are painted."""

    def __init__(self, title: str, told: str, x: Axis, y: Axis, bottom: int = BOTTOM) -> None:
        self.x, self.y, self.bottom = x, y, HEIGHT - bottom
        self.parts = [
            f"<title>{title}</title>",
            f"<desc>{told}</desc>",
            f"<style>{STYLE}</style>",
            f'<rect class="paper" x="0.5" y="0.5" width="{WIDTH - 1}" height="{HEIGHT - 1}"/>',
            f'<text class="title" x="{LEFT}" y="28">{title}</text>',
        ]

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Where a point of the axes lies on the paper."""
        across = (x - self.x.low) / (self.x.high - self.x.low)
        up = (y - self.y.low) / (self.y.high - self.y.low)
        return LEFT + across * (WIDTH - LEFT - RIGHT), self.bottom - up * (self.bottom - TOP)

    def axes(self) -> None:
        """Grid, marks and names of both axes."""
        for tick in self.y.ticks:
            x, y = self.at(self.x.low, tick)
            kind = "zero" if tick == 0 else "grid"
            self.parts.append(f'<path class="{kind}" d="M{x:.1f} {y:.1f}H{WIDTH - RIGHT}"/>')
            self.text(x - 8, y + 4, self.y.text(tick), "faint", "end")
        for tick in self.x.ticks:
            x, y = self.at(tick, self.y.low)
            self.parts.append(f'<path class="grid" d="M{x:.1f} {y:.1f}v-5"/>')
            self.text(x, y + 18, self.x.text(tick), "faint", "middle")
        self.text(LEFT, TOP - 10, self.y.label, "faint")
        self.text(WIDTH - RIGHT, self.bottom + 38, self.x.label, "faint", "end")

    def text(self, x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> None:
        """Words at a place of the paper."""
        self.parts.append(
            f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{words}</text>'
        )

    def note(self, x: float, y: float, words: str, colour: str = "", anchor: str = "start") -> None:
        """Words beside a point of the axes."""
        across, down = self.at(x, y)
        self.text(across, down, words, f"fill-{colour}" if colour else "faint", anchor)

    def line(self, points: Points, colour: str, dashes: str = "", kind: str = "") -> None:
        """A line through points of the axes."""
        path = " ".join("{:.1f},{:.1f}".format(*self.at(*point)) for point in points)
        dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
        self.parts.append(f'<polyline class="line {colour} {kind}"{dashed} points="{path}"/>')

    def band(self, x: tuple[float, float], y: tuple[float, float], kind: str) -> None:
        """A rectangle of the axes."""
        (left, low), (right, high) = self.at(x[0], y[0]), self.at(x[1], y[1])
        self.parts.append(
            f'<rect class="{kind}" x="{left:.1f}" y="{high:.1f}" width="{right - left:.1f}" '
            f'height="{low - high:.1f}"/>'
        )

    def dot(self, x: float, y: float, colour: str) -> None:
        """A point of the axes."""
        across, down = self.at(x, y)
        self.parts.append(
            f'<circle class="fill-{colour}" cx="{across:.1f}" cy="{down:.1f}" r="4"/>'
        )

    def svg(self) -> str:
        """The file."""
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" '
            f'viewBox="0 0 {WIDTH} {HEIGHT}" role="img">'
        )
        return "\n".join([head, *self.parts, "</svg>"]) + "\n"


def percent(value: float) -> str:
    """Axis marks in percent."""
    return f"{value:.0%}".replace("-", "−")


def signed(value: float) -> str:
    """Axis marks with a typographic minus."""
    return f"{value:g}".replace("-", "−")


# --------------------------------------------------------------------------- funding


def funding_terms(venue: str, coin: str) -> SimpleNamespace:
    """Terms of the funding formula on 1 September 2026."""
    keys = ("interest_8h", "clamp_8h", "funding_multiplier", "interval_hours", "cap_1h")
    told = open_rulebook().venue(venue)
    now = to_ns(datetime(2026, 9, 1, tzinfo=UTC))
    return SimpleNamespace(**{key: told.at(key, now, coin).value for key in keys})


def flat_zone() -> str:
    """Annual rate against the hour's premium, core and xyz."""
    plot = Plot(
        "What a year pays at an average premium",
        "Annual funding rate against premium: flat from −4 to +6 bp on core and from −2 to +4 bp "
        "on xyz, rising on both sides.",
        Axis(-10, 14, range(-10, 15, 2), "average premium, bp", signed),
        Axis(-0.8, 1.0, [-0.8, -0.4, 0, 0.4, 0.8], "funding, APR", percent),
    )
    venues = (
        ("core", "b", funding_terms("hyperliquid", "BTC")),
        ("xyz", "a", funding_terms("xyz", "xyz:NVDA")),
    )
    for _, colour, term in venues:
        zone = [1e4 * (term.interest_8h + side * term.clamp_8h) for side in (-1, 1)]
        plot.band((zone[0], zone[1]), (-0.8, 1.0), f"fill-{colour} wash")
    plot.axes()
    premiums = np.arange(-100, 141) / 10
    for name, colour, term in venues:
        rates = [apr(settled_rate(bp / 1e4, term)) for bp in premiums]
        plot.line([(x, y) for x, y in zip(premiums, rates, strict=True) if y >= -0.8], colour)
        plot.note(13.8, rates[-1] + 0.05, name, colour, "end")
    for y, (name, colour, term) in zip((-0.5, -0.62), venues, strict=True):
        low, high = (round(1e4 * (term.interest_8h + side * term.clamp_8h)) for side in (-1, 1))
        pays = f"{apr(settled_rate(0.0, term)):.3%}"
        plot.note(13.8, y, f"{name}: −{-low} to +{high} bp pays {pays}", colour, "end")
    return plot.svg()


def _corners(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Both ends of every jump of a line of steps."""
    return [p for a, b in pairwise(points) if a[1] != b[1] for p in (a, b)]


def spike() -> str:
    """A week at 40% on a base of 10.95%, and its trailing means."""
    base = apr(settled_rate(0.0, funding_terms("hyperliquid", "BTC")))
    rate = np.full(100 * 24, base / HOURS_PER_YEAR)
    rate[40 * 24 : 47 * 24] = 0.4 / HOURS_PER_YEAR
    total = np.concatenate([[0.0], np.cumsum(rate)])
    plot = Plot(
        "A week at 40%, and what the averages show of it",
        "Hourly funding rate with a spike of seven days; the 7-day mean reaches it, the 30-day "
        "mean reaches 17.7% and stays there until the spike leaves its window.",
        Axis(-5, 45, range(0, 46, 7), "days since the spike began"),
        Axis(0, 0.45, [0, 0.1, 0.2, 0.3, 0.4], "funding, APR", percent),
    )
    plot.axes()
    days = np.arange(35 * 24, 85 * 24 + 1)
    paid = [(d / 24 - 40, apr(rate[min(d, len(rate) - 1)])) for d in days]
    plot.line([paid[0], *_corners(paid), paid[-1]], "c", "2 5")
    means = {}
    for window, colour in ((7, "a"), (30, "b")):
        mean = [apr((total[d] - total[d - window * 24]) / (window * 24)) for d in days]
        plot.line(list(zip(days / 24 - 40, mean, strict=True))[::6], colour)
        means[window] = max(mean)
    plot.note(7.4, 0.41, "paid in the hour", "c")
    plot.note(12.2, 0.25, "mean of 7 days", "a")
    plot.note(20.5, means[30] + 0.012, f"mean of 30 days, {means[30]:.1%}", "b")
    return plot.svg()


# --------------------------------------------------------------------------- oracle


def updates_to(gap: float, step: float) -> int:
    """Limited updates until the oracle is at a price away by so much."""
    target, n = 1.0 + gap, 0
    while not math.isclose(within_steps(target, 1.0, step, n), target, rel_tol=1e-12):
        n += 1
    return n


def steps() -> str:
    """The oracle after a gap of 15%, update by update, on two clocks."""
    plot = Plot(
        "A gap of 15%: the same updates on two clocks",
        "Oracle after a gap of plus or minus 15% by 1% and by 0.5% an update: 15, 17, 29 and 33 "
        "updates, which are 45 to 99 seconds live and 15 to 33 hours at one update an hour.",
        Axis(0, 35, range(3, 34, 3), ""),
        Axis(
            -0.18,
            0.18,
            [-0.15, -0.1, -0.05, 0, 0.05, 0.1, 0.15],
            "oracle against its price before",
            percent,
        ),
        bottom=80,
    )
    plot.axes()
    for row, (words, unit) in enumerate((("updates", ""), ("live", " s"), ("replayed", " h"))):
        down = plot.bottom + 18 + 20 * row
        plot.text(8, down, words, "faint")
        for tick in plot.x.ticks if row else ():
            across = plot.at(tick, 0)[0]
            plot.text(across, down, f"{tick * (3 if row == 1 else 1):g}{unit}", "faint", "middle")
    for gap in (0.15, -0.15):
        for step, colour in ((0.01, "a"), (0.005, "b")):
            arrives = updates_to(gap, step)
            plot.line(
                [(n, within_steps(1 + gap, 1.0, step, n) - 1) for n in range(arrives + 1)], colour
            )
            plot.dot(arrives, gap, colour)
            below = 0.018 if gap > 0 else -0.025
            plot.note(arrives, gap + below, f"{arrives} updates", colour, "middle")
    plot.note(5.2, 0.09, "1% an update", "a", "end")
    plot.note(14.5, 0.05, "0.5% an update", "b")
    return plot.svg()


def closed() -> str:
    """The gap between oracle and book that is left, hour after hour."""
    plot = Plot(
        "How fast an oracle without an external price follows its book",
        "Share of a gap that is left after so many hours, for time constants of 8 h, 1 h and half "
        "an hour: 88.2%, 36.8% and 13.5% after the first hour.",
        Axis(0, 12, range(0, 13, 2), "hours since the close"),
        Axis(0, 1, [0, 0.25, 0.5, 0.75, 1], "gap that is left", percent),
    )
    plot.axes()
    places = ((8.0, "c", 4.1, 0.66), (1.0, "b", 1.35, 0.33), (0.5, "a", 2.9, 0.12))
    for tau, colour, x, y in places:
        stays = 1.0 - ewma_gain(3.0, tau, 0.1)
        plot.line([(n / 1200, stays**n) for n in range(0, 12 * 1200 + 1, 100)], colour)
        plot.dot(1, stays**1200, colour)
        when = {8.0: "at first", 1.0: "from 21 Nov 2025", 0.5: "since 30 Apr 2026"}[tau]
        plot.note(x, y, f"τ {tau:g} h, {when}: {stays**1200:.1%} after an hour", colour)
    return plot.svg()


def sessions() -> str:
    """The week of Thanksgiving 2026: external price and cash session in three sessions."""
    start_ns = to_ns(datetime(2026, 11, 23, tzinfo=UTC))
    time_ns = start_ns + HOUR_NS // 60 * np.arange(7 * 24 * 60, dtype=np.int64)
    plot = Plot(
        "External prices in the week of Thanksgiving 2026",
        "Timeline of a week in UTC. US stocks close on Wednesday evening for the holiday and on "
        "Friday at 13:00 New York; index futures stop for hours; Korean stocks keep their days.",
        Axis(0, 7, range(8), ""),
        Axis(0, 3, [], ""),
        bottom=66,
    )
    for day in range(8):
        x, bottom = plot.at(day, 0)
        plot.parts.append(f'<path class="grid" d="M{x:.1f} {TOP}V{bottom:.1f}"/>')
    for day, name in enumerate(
        ("Mon 23", "Tue 24", "Wed 25", "Thu 26", "Fri 27", "Sat 28", "Sun 29")
    ):
        plot.text(plot.at(day + 0.5, 0)[0], plot.bottom + 18, name, "faint", "middle")
    rows = (("us_24_5", "a"), ("us_index_futures", "b"), ("korea", "c"))
    for row, (session, colour) in enumerate(rows):
        phase = session_hours(time_ns, session).phase
        low = 2.12 - row
        plot.note(0.04, low + 0.62, session, colour)
        for value, kind in ((Phase.EXTENDED, "soft"), (Phase.CASH, "")):
            turns = np.flatnonzero(np.diff(np.concatenate([[0], phase == value, [0]])))
            for begin, end in turns.reshape(-1, 2) / (24 * 60):
                plot.band((begin, end), (low, low + 0.52), f"fill-{colour} {kind}".strip())
    plot.note(3.1, 2.36, "Thanksgiving", "a")
    plot.note(4.85, 2.36, "closed at 13:00 New York", "a")
    told = "UTC · pale: external price · full: cash session · empty: the perp’s own book"
    plot.text(LEFT, HEIGHT - 16, told, "faint")
    return plot.svg()


PICTURES: dict[str, Callable[[], str]] = {
    "flat-zone.svg": flat_zone,
    "spike.svg": spike,
    "steps.svg": steps,
    "closed.svg": closed,
    "sessions.svg": sessions,
}


def main(folder: Path = HERE) -> None:
    """Draw every picture into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, draw in PICTURES.items():
        (folder / name).write_text(draw(), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
