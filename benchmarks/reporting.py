"""What a report takes beyond its backtest, how large it is, and how soon a browser shows it."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import NamedTuple

from perpkit.config import RunConfig, check_config
from perpkit.report.chromium import Browser, find
from perpkit.report.page import page
from perpkit.report.reading import run_of
from perpkit.run import demo, run
from perpkit.sources.simulated.output import simulate
from perpkit.sources.simulated.world import Request
from perpkit.strategy.load import Strategy, load

START = datetime(2023, 1, 2, tzinfo=UTC)  # the session tables end five years later
AGAINST = ("cash", "spot_hold")  # as the command plays them for a report
# A chart is drawn where there is an SVG in its place.
IN_SIGHT = """new Promise((done) => {
  const there = (plot) => plot.offsetParent && plot.getBoundingClientRect().top < innerHeight;
  const look = () => ([...document.querySelectorAll(".plot")].filter(there)
    .every((plot) => plot.querySelector("svg.main-svg")) ? done() : setTimeout(look, 5));
  look();
})"""
ALL = """new Promise((done) => {
  const look = () => (document.documentElement.dataset.drawn ? done() : setTimeout(look, 5));
  look();
})"""


class Reporting(NamedTuple):
    """Medians over several rounds, seconds on the wall."""

    what: str
    rounds: int
    backtest: float  # without a report, nothing written
    beyond: float  # the strategies beside it, the page, and writing it
    least: float
    most: float
    mb: float
    opened: float | None  # until every chart in sight is drawn; None without a Chromium
    drawn: float | None  # until every chart of the page is


def measure(rounds: int) -> list[Reporting]:
    """A year of the demo, three years of 16 coins, five years of 4."""
    made = [_measured("demo, a year", demo(), rounds)]
    for coins, years in ((16, 3), (4, 5)):
        days = round(365.25 * years)
        names = tuple(f"S{n:02d}" for n in range(coins))
        request = Request(stocks=names, days=days, start=START)
        with tempfile.TemporaryDirectory() as top:
            simulate(request, Path(top) / "made")
            what = f"{coins} coins, {years} years"
            made.append(_measured(what, Path(top) / "made", rounds))
    return made


def _measured(what: str, data: Path, rounds: int) -> Reporting:
    config = check_config({"data": str(data)})
    strategy, against = load("funding_carry"), tuple(map(load, AGAINST))
    backtests, beyond = [], []
    run(strategy, config, against=against)  # compiled and in the system's memory from here on
    with tempfile.TemporaryDirectory() as top:
        file = Path(top) / "report.html"
        for _ in range(rounds):
            begun = time.perf_counter()
            run(strategy, config)
            backtests.append(time.perf_counter() - begun)
            beyond.append(_reported(strategy, against, config, file) - backtests[-1])
        size = file.stat().st_size / 1e6
        opened = _opened(file, rounds)
    spread = (min(beyond), max(beyond))
    return Reporting(what, rounds, median(backtests), median(beyond), *spread, size, *opened)


def _reported(
    strategy: Strategy, against: Sequence[Strategy], config: RunConfig, file: Path
) -> float:
    begun = time.perf_counter()
    result = run(strategy, config, against=against)
    file.write_text(page(run_of(result)), encoding="utf-8")
    return time.perf_counter() - begun


def _opened(file: Path, rounds: int) -> tuple[float | None, float | None]:
    """Seconds from the request to the charts, each in a browser that has opened nothing yet."""
    path = find()
    if path is None:
        return None, None
    took: dict[str, list[float]] = {"": [], "all": []}
    for query, seconds in took.items():
        for _ in range(rounds):
            with Browser(path) as browser:
                browser.size(1280, 900)
                begun = time.perf_counter()
                browser.open(file, query)
                browser.run(ALL if query else IN_SIGHT)
                seconds.append(time.perf_counter() - begun)
    return median(took[""]), median(took["all"])
