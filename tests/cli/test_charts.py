"""Charts of characters: heights, spikes, gaps, characters by terminal, and what never moved."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import perpkit
from perpkit.report import terminal
from perpkit.report.over_time import margin_ratio, over_time, series_of
from perpkit.report.spark import ASCII, BLOCKS, draw, extremes, finite, marks_for, thinned
from perpkit.result import Frames, Result


class Stream:
    """A standard output."""

    def __init__(self, *, terminal: bool = True, encoding: str = "utf-8") -> None:
        self.encoding, self._terminal = encoding, terminal

    def isatty(self) -> bool:
        return self._terminal


# --------------------------------------------------------------------------- characters


@pytest.mark.parametrize(
    ("stream", "env", "marks"),
    [
        (Stream(), {"TERM": "xterm", "LANG": "en_US.UTF-8"}, BLOCKS),
        (Stream(), {"TERM": "xterm", "LANG": "de_DE.UTF-8", "NO_COLOR": "1"}, BLOCKS),
        (Stream(), {"TERM": "xterm"}, BLOCKS),
        (Stream(), {"TERM": "xterm", "LC_CTYPE": "C.UTF-8"}, BLOCKS),  # none told, as Python has it
        (Stream(), {"TERM": "xterm", "LC_ALL": "C.UTF-8", "LANG": "C"}, BLOCKS),
        (Stream(), {"TERM": "xterm", "LC_CTYPE": "C.UTF-8", "LANG": "C"}, ASCII),
        (Stream(), {"TERM": "xterm", "LC_ALL": "C", "LANG": "en_US.UTF-8"}, ASCII),
        (Stream(), {"TERM": "xterm", "LANG": "POSIX"}, ASCII),
        (Stream(), {"TERM": "dumb", "LANG": "en_US.UTF-8"}, ASCII),
        (Stream(encoding="cp1252"), {"TERM": "xterm"}, ASCII),
        (Stream(encoding="iso8859-1"), {"TERM": "xterm", "LANG": "de_DE"}, ASCII),
        (Stream(terminal=False), {"TERM": "xterm", "LANG": "en_US.UTF-8"}, ASCII),
        (Stream(terminal=False), {"FORCE_COLOR": "1", "LANG": "en_US.UTF-8"}, ASCII),
    ],
)
def test_characters_are_those_that_the_terminal_shows(
    monkeypatch: pytest.MonkeyPatch, stream: Stream, env: dict[str, str], marks: str
) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    assert marks_for(stream, env) == marks


@pytest.mark.parametrize(("env", "marks"), [({}, ASCII), ({"WT_SESSION": "1"}, BLOCKS)])
def test_the_old_console_of_windows_gets_ascii(
    monkeypatch: pytest.MonkeyPatch, env: dict[str, str], marks: str
) -> None:
    monkeypatch.setattr("sys.platform", "win32")
    assert marks_for(Stream(), env) == marks


# --------------------------------------------------------------------------- drawing


def test_a_column_is_as_high_as_its_value() -> None:
    ramp = np.arange(16.0)
    assert draw(ramp, (0.0, 15.0), BLOCKS, 2) == ["        ▁▂▃▄▅▆▇█", "▁▂▃▄▅▆▇█████████"]
    assert draw(ramp[:6], (0.0, 5.0), ASCII, 2) == ["   .:|", ".:||||"]


def test_nothing_stands_beyond_the_scale_and_a_gap_is_blank() -> None:
    values = np.array([-math.inf, -5.0, 0.0, math.nan, 1.0, 7.0, math.inf])
    assert draw(values, (0.0, 1.0), ASCII, 1) == ["... |||"]
    assert draw(values, (0.0, 1.0), ASCII, 2) == ["    |||", "... |||"]


def test_a_scale_may_be_upside_down_or_of_one_value() -> None:
    assert draw(np.array([0.0, -0.5, -1.0]), (0.0, -1.0), ASCII, 1) == [".:|"]
    assert draw(np.array([2.0, 2.0, math.inf]), (2.0, 2.0), ASCII, 1) == ["..|"]


@pytest.mark.parametrize("hours", [57, 100, 8_760, 26_283])
@pytest.mark.parametrize("at", [0.0, 0.31, 0.77, 1.0])
def test_no_spike_of_one_hour_is_lost(hours: int, at: float) -> None:
    values = 100.0 + np.sin(np.arange(hours) / 50.0)
    row = round(at * (hours - 1))
    for spike, shown in ((500.0, "far"), (-500.0, "far"), (500.0, "high"), (-500.0, "low")):
        spiky = values.copy()
        spiky[row] = spike
        made = thinned(spiky, 56, shown)  # type: ignore[arg-type]
        column = int(np.flatnonzero(made == spike)[0])
        assert abs(column - row * 56 / hours) <= 1.0


def test_columns_are_of_their_own_hours() -> None:
    made = thinned(np.arange(1_000.0), 10, "high")
    assert made.tolist() == [99.0 + 100.0 * n for n in range(10)]
    assert thinned(np.arange(1_000.0), 10, "low").tolist() == [100.0 * n for n in range(10)]


def test_few_hours_are_as_wide_as_many() -> None:
    assert thinned(np.array([1.0, 2.0]), 6, "far").tolist() == [1.0, 1.0, 1.0, 2.0, 2.0, 2.0]
    assert thinned(np.array([3.0]), 4, "far").tolist() == [3.0] * 4


def test_what_is_not_known_is_a_gap_and_no_extreme() -> None:
    values = np.array([1.0, math.nan, math.nan, 4.0])
    assert np.isnan(thinned(values, 4, "far")).tolist() == [False, True, True, False]
    assert extremes(values) == (1.0, 4.0, 4.0)
    assert all(math.isnan(end) for end in extremes(np.array([math.nan])))
    assert finite(np.array([math.nan, math.inf])) == (0.0, 0.0)


# --------------------------------------------------------------------------- of a run


@pytest.fixture(scope="module")
def result(month: Path) -> Result:
    return perpkit.backtest("funding_carry", month, params={"lookback_hours": 24})


@pytest.fixture(scope="module")
def idle(month: Path) -> Result:
    return perpkit.backtest("cash", month)


def lines(result: Result, width: int = 100, marks: str = ASCII) -> list[str]:
    return [line.plain for line in over_time(result, width, marks)]


def with_equity(result: Result, **columns: object) -> Result:
    made = result.frames["equity"].with_columns(**columns)  # type: ignore[arg-type]
    return replace(result, frames=Frames({**result.frames, "equity": made}))


def test_a_chart_says_its_range_its_last_value_and_its_days(result: Result) -> None:
    equity = result.frames["equity"]["equity_usd"]
    summary = result.summary
    together = "\n".join(lines(result))
    for number in (
        f"{equity.max():,.2f}",
        f"{equity.min():,.2f}",
        f"{summary['final_equity_usd']:,.2f}",
        f"{summary['max_drawdown_frac']:.2%}",
        f"{summary['funding_usd']:,.2f}",
        f"{summary['worst_margin_ratio']:.2f}",
        "2025-10-13 00:00Z",
        "2025-11-11 23:00Z",
    ):
        assert number in together, number


@pytest.mark.parametrize("width", [60, 61, 72, 80, 99, 100])
@pytest.mark.parametrize("marks", [ASCII, BLOCKS])
def test_charts_keep_the_width_and_share_their_hours(
    result: Result, width: int, marks: str
) -> None:
    made = lines(result, width, marks)
    assert max(map(len, made)) <= width
    assert all(line == line.rstrip() for line in made)
    assert marks == ASCII or not set("".join(made)) & set("|")
    assert set("".join(made)) <= {*map(chr, range(32, 127)), *marks}
    first = made[0].index("2025-10-13")
    for series in series_of(result):
        at = next(n for n, line in enumerate(made) if line.startswith(f"  {series.label}"))
        foot = made[at + series.rows - 1]
        assert set(foot[first : first + 22]) <= set(marks), "every hour stands on the foot"
        assert foot[first - 1] == " "


def test_money_of_any_size_fits(result: Result) -> None:
    for scale in (1e-6, 1e3, 1e6, 1e12):
        money = {name: pl.col(name) * scale for name in ("equity_usd", "funding_usd")}
        made = with_equity(result, **money)
        assert max(map(len, lines(made, 60))) <= 60


def test_a_run_that_never_traded_says_so(idle: Result) -> None:
    assert lines(idle)[1:] == [
        "  Equity       100,000.00 in every hour",
        "  Drawdown     never below an earlier peak",
        "  Funding      none was paid or received",
        "  Margin ratio no position needed margin",
    ]


def test_a_run_of_one_hour(idle: Result, result: Result) -> None:
    for whole in (idle, result):
        frames = {name: frame.head(1) for name, frame in whole.frames.items()}
        made = lines(replace(whole, frames=Frames(frames)))
        assert len(made) == 5
        assert "in every hour" in made[1]


def test_what_is_not_known_is_said(result: Result) -> None:
    unknown = with_equity(result, margin_ratio=pl.lit(math.nan))
    assert lines(unknown)[-1].endswith("n/a in every hour")
    beyond = with_equity(result, margin_ratio=pl.lit(math.inf))
    assert lines(beyond)[-1].endswith("inf in every hour")
    gap = pl.when(pl.int_range(pl.len()) < 360).then(math.nan).otherwise(pl.col("margin_ratio"))
    foot = lines(with_equity(result, margin_ratio=gap))[-1]
    assert foot[26:50].strip() == ""
    assert foot[60:].strip("0123456789. :|") == ""


def test_a_bankrupt_run_falls_to_its_foot(result: Result) -> None:
    hour = pl.int_range(pl.len())
    lost = with_equity(
        result,
        equity_usd=pl.when(hour < 300).then(pl.col("equity_usd")).otherwise(0.0),
        margin_ratio=pl.when(hour < 300).then(pl.col("margin_ratio")).otherwise(math.inf),
    )
    made = lines(lost)
    assert any(line.endswith("  -100.00%") for line in made)
    assert any(line.endswith("|  inf") for line in made)
    assert made[3].split()[0] == "0.00"


def test_a_forced_close_is_at_the_full_ratio(result: Result) -> None:
    equity, events = result.frames["equity"], result.frames["events"]
    assert margin_ratio(equity, events.head(0)).max() < 1.0
    one = dict.fromkeys(events.columns) | {"time": equity["time"][100], "kind": "liquidation"}
    forced = pl.DataFrame([one], schema=events.schema)
    ratio = margin_ratio(equity, forced)
    assert np.flatnonzero(ratio >= 1.0).tolist() == [100]


def test_the_summary_has_the_charts(result: Result) -> None:
    made = [line.plain for line in terminal._lines(result, None, 100, BLOCKS)]
    where = made.index(next(line for line in made if line.startswith("Over time")))
    assert made[where - 1] == ""
    rows = sum(series.rows for series in series_of(result))
    assert made.index("Where it came from") == where + rows + 2


def test_two_runs_draw_the_same(result: Result, month: Path) -> None:
    again = perpkit.backtest("funding_carry", month, params={"lookback_hours": 24})
    assert lines(again) == lines(result)
