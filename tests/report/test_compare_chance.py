"""Whether runs are told apart: the arithmetic against hand and simulation, and what is claimed."""

from __future__ import annotations

import math

import numpy as np
import pytest

from perpkit.report.compare import panels_of
from perpkit.report.compare.apart import (
    ENOUGH_DAYS,
    Apart,
    Daily,
    apart,
    common_days,
    lag_of,
    long_run_variance,
    student,
)
from perpkit.report.compare.chance import sentence
from perpkit.report.panel import Chart, Panel, Table
from perpkit.report.reading import Run

from .small import column, every, hourly, small, traces, unpacked

DAY_MS = 86_400_000


def daily(away: np.ndarray, base: float = 0.0) -> Daily:
    first = np.full(len(away), base)
    return Daily(np.arange(1, len(away) + 1) * DAY_MS, first, first + away)


def drawn(days: int, mean: float, seed: int, hang: float = 0.0) -> np.ndarray:
    """Differences of a given mean; each hangs on the day before."""
    rng = np.random.default_rng(seed)
    made, last = np.empty(days), 0.0
    for n in range(days):
        last = hang * last + rng.normal(0.0, 0.001)
        made[n] = mean + last
    return made


# --------------------------------------------------------------------------- arithmetic


def test_days_are_between_the_midnights_that_both_have() -> None:
    hours = np.arange(0, 24 * 5 + 6) * 3_600_000
    a = 1000.0 * 1.01 ** (hours / DAY_MS)
    late = hours[30:]  # begins on the second day at 06:00
    b = 500.0 * 1.02 ** (late / DAY_MS)
    told = common_days((hours, a), (late, b))
    assert told.time_ms.tolist() == [3 * DAY_MS, 4 * DAY_MS, 5 * DAY_MS]
    assert told.first == pytest.approx([0.01] * 3)
    assert told.away == pytest.approx([0.01] * 3)


def test_days_end_where_a_run_has_lost_everything() -> None:
    hours = np.arange(0, 24 * 4 + 1) * 3_600_000
    a = np.full(len(hours), 1000.0)
    b = np.where(hours < 2 * DAY_MS, 1000.0, 0.0)
    told = common_days((hours, a), (hours, b))
    assert told.other.tolist() == [0.0, -1.0]


def test_variance_without_lag_is_the_plain_one() -> None:
    x = drawn(50, 0.0, 1)
    assert long_run_variance(x, 0) == pytest.approx(np.var(x, ddof=1))


def test_variance_with_a_lag_by_hand() -> None:
    x = np.array([1.0, 2.0, 4.0, 1.0])
    away = x - 2.0
    g0, g1, g2 = 6.0, -1.0 * 0 + 0 * 2 + 2 * -1, -1.0 * 2 + 0 * -1
    assert float(away @ away) == g0
    expected = (g0 + 2 * (2 / 3) * g1 + 2 * (1 / 3) * g2) / 3
    assert long_run_variance(x, 2) == pytest.approx(expected)


def test_the_lag_reaches_over_a_week_where_there_are_days_for_it() -> None:
    assert [lag_of(n) for n in (1, 8, 20, 28, 365, 5000)] == [1, 2, 6, 7, 25, 92]


@pytest.mark.parametrize(
    ("level", "freedom", "table"),
    [
        (0.975, 5, 2.571),
        (0.975, 10, 2.228),
        (0.975, 30, 2.042),
        (0.99, 5, 3.365),
        (0.99, 60, 2.390),
    ],
)
def test_quantiles_are_those_of_the_tables(level: float, freedom: float, table: float) -> None:
    assert student(level, freedom) == pytest.approx(table, abs=0.015)


@pytest.mark.parametrize("hang", [0.0, 0.5])
def test_intervals_hold_as_often_as_they_say(hang: float) -> None:
    # 400 runs that differ by nothing: too many claims would show, hanging together or not.
    wrong = sum(
        bool(one and one.told)
        for one in (apart(daily(drawn(120, 0.0, seed, hang))) for seed in range(400))
    )
    assert wrong / 400 < 0.09
    # Days taken for independent ones claim far more where they hang together.
    naive = 0
    for seed in range(400):
        x = drawn(120, 0.0, seed, 0.5)
        naive += abs(x.mean()) > 1.98 * x.std(ddof=1) / math.sqrt(120)
    assert naive / 400 > 0.2


def test_a_true_difference_is_found() -> None:
    one = apart(daily(drawn(365, 0.0003, 3)))
    assert one is not None
    assert one.told
    assert one.low_apr is not None
    assert one.high_apr is not None
    assert one.low_apr < 0.0003 * 365 < one.high_apr
    assert one.t == pytest.approx(one.apr / (one.error_apr or 0.0))


def test_more_comparisons_widen_the_interval() -> None:
    x = daily(drawn(200, 0.0001, 5))
    one, four = apart(x), apart(x, 4)
    assert one is not None
    assert four is not None
    assert (four.low_apr or 0.0) < (one.low_apr or 0.0)
    assert (four.high_apr or 0.0) > (one.high_apr or 0.0)


def test_shares_of_days_and_weeks_and_their_correlation() -> None:
    first = np.array([0.01, -0.01] * 7)
    away = np.array([0.001] * 6 + [-0.01] + [0.0] * 6 + [0.002])
    one = apart(Daily(np.arange(14) * DAY_MS, first, first + away))
    assert one is not None
    assert (one.days, one.weeks) == (14, 2)
    assert one.ahead == pytest.approx(7 / 14)
    assert one.behind == pytest.approx(1 / 14)
    assert one.weeks_ahead == 0.5
    assert one.correlation == pytest.approx(np.corrcoef(first, first + away)[0, 1])
    assert (one.best, one.worst) == pytest.approx((0.002, -0.01))
    assert one.low_apr is None, "fourteen days bear no interval"


def test_rounding_is_no_difference() -> None:
    one = apart(daily(np.full(40, 1e-15), 0.01))
    assert one is not None
    assert (one.ahead, one.behind, one.mean) == (0.0, 0.0, 0.0)


# --------------------------------------------------------------------------- what is claimed


def told(away: np.ndarray, comparisons: int = 1) -> str:
    return sentence("a", "b", apart(daily(away), comparisons))


def test_few_days_are_what_happened_and_no_more() -> None:
    words = told(np.full(ENOUGH_DAYS - 1, 0.001) + drawn(ENOUGH_DAYS - 1, 0.0, 1) / 10)
    assert "29 common days" in words
    assert "no more" in words
    assert "a year" not in words
    assert "told apart from zero" not in words


def test_a_short_clear_difference_is_of_its_time() -> None:
    words = told(drawn(60, 0.002, 2))
    assert "told apart from zero" in words
    assert "60 days are one stretch of one market" in words
    assert "one stretch" not in told(drawn(365, 0.002, 2))


def test_chance_is_called_chance() -> None:
    words = told(drawn(100, 0.00005, 11))
    assert "not told apart from zero" in words
    assert "days to be seen" in words or "century" in words


def test_equal_returns_and_no_days_are_said() -> None:
    assert "returned the same on each of 30 common days" in told(np.zeros(30))
    assert "no whole day in common" in sentence("a", "b", None)


def test_the_needed_days_are_those_at_which_it_would_show() -> None:
    one = apart(daily(drawn(100, 0.00005, 11)))
    assert one is not None
    assert one.needed_days is not None
    assert one.error_apr is not None
    assert one.high_apr is not None
    wide = (one.high_apr - one.apr) / one.error_apr
    error_then = one.error_apr * math.sqrt(one.days / one.needed_days)
    assert wide * error_then == pytest.approx(abs(one.apr))


# --------------------------------------------------------------------------- the panel


def run(name: str, returns: np.ndarray) -> Run:
    """A run whose equity moves at midnight."""
    closes = 1000.0 * np.cumprod(np.concatenate(([1.0], 1.0 + returns)))
    equity = np.repeat(closes, 24)[: 24 * len(returns) + 1].tolist()
    return small(len(equity), name=name, equity=hourly(len(equity), equity_usd=equity))


def difference(*runs: Run) -> Panel:
    return next(panel for panel in panels_of(runs) if panel.key == "compared-difference")


def test_the_panel_adds_the_differences_up_within_the_band_of_chance() -> None:
    away = drawn(40, 0.001, 4)
    panel = difference(run("a", np.zeros(40)), run("b", away))
    shown = traces(every(panel, Chart)[0])
    assert unpacked(shown["b less a"]["y"])[0] == 0.0
    assert unpacked(shown["b less a"]["y"])[-1] == pytest.approx(away.sum(), rel=1e-5)
    band = unpacked(shown["chance alone"]["y"])
    larger = max(long_run_variance(away, lag) for lag in (7, 9))
    assert band[-1] == pytest.approx(1.96 * math.sqrt(40 * larger), rel=1e-3)
    assert unpacked(shown["chance alone, below"]["y"]) == [-v for v in band]
    table = every(panel, Table)[0]
    values = dict(zip(column(table, "statistic"), column(table, "b"), strict=True))
    assert values["days"] == 40
    assert values["mean, bp a day"] == pytest.approx(away.mean() * 1e4)
    assert values["mean, a year"] == pytest.approx(away.mean() * 365)
    assert values["correlation"] is None


def test_runs_of_hours_have_no_day_in_common() -> None:
    short = [small(10, name=name, equity=hourly(10, equity_usd=1000.0)) for name in "ab"]
    assert "no whole day in common" in difference(*short).empty


def test_several_runs_are_each_set_against_the_first() -> None:
    runs = [run(name, drawn(30, 0.0, seed)) for seed, name in enumerate("abc")]
    panel = difference(*runs)
    assert [c.name for c in every(panel, Table)[0].columns][2:] == ["b", "c"]
    assert "2 comparisons" in every(panel, type(panel.parts[-1]))[-1].text
    assert list(traces(every(panel, Chart)[0])) == ["b less a", "c less a"]


def test_an_apart_without_an_interval_is_not_told() -> None:
    one = apart(daily(np.full(5, 0.01)))
    assert isinstance(one, Apart)
    assert not one.told
