"""The funding panel: rates a year, the hour of the week, and what was received."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest

import perpkit
from perpkit.report.panel import Chart, Choice, Text
from perpkit.report.panels.funding import panel
from perpkit.report.reading import Run, run_of

from .markets import hour, market, rows, run_with, table, trace, unpacked

NASTY = "xyz:<script>alert(1)</script>"
A, B = "xyz:A", "xyz:B"


def term(coin: str, key: str, value: float, from_row: int = -1000) -> dict[str, object]:
    begun = int(hour(from_row).timestamp()) * 10**9
    return {"coins": [coin], "key": key, "value": value, "from_ns": begun}


def charts(run: Run, coin: str) -> tuple[Chart, Chart]:
    choice = panel(run).parts[0]
    assert isinstance(choice, Choice)
    over_time, by_hour = choice.parts[coin]
    assert isinstance(over_time, Chart)
    assert isinstance(by_hour, Chart)
    return over_time, by_hour


def test_rates_are_simple_rates_of_a_year_and_coins_weigh_the_same() -> None:
    run = run_with(market(4, {A: {"funding": 0.0001}, B: {"funding": [0.0, 0.0, 0.0002, 0.0]}}))
    own = unpacked(trace(charts(run, A)[0], "hourly")["y"])
    assert own == pytest.approx([0.876] * 4)
    every = unpacked(trace(charts(run, "all coins")[0], "hourly")["y"])
    assert every == pytest.approx([0.438, 0.438, 1.314, 0.438])
    told = {row["Coin"]: row for row in table(panel(run), "Funding by coin")}
    assert told[A]["Mean funding"] == pytest.approx(0.876)
    assert told[B]["Mean funding"] == pytest.approx(0.438)
    assert told[B]["Positive"] == pytest.approx(0.25)


def test_a_rate_of_eight_hours_counts_for_eight() -> None:
    eight = [0.0008 if row % 8 == 0 else None for row in range(17)]
    run = run_with(market(17, {A: {"funding": eight}}), terms=[term(A, "interval_hours", 8)])
    assert unpacked(trace(charts(run, A)[0], "hourly")["y"]) == pytest.approx([0.876] * 3)
    spaced = run_with(market(17, {A: {"funding": eight}}))  # no terms: the rates' own spacing
    assert table(panel(spaced), "Funding by coin")[0]["Mean funding"] == pytest.approx(0.876)


def test_means_over_seven_days_wait_until_nine_tenths_are_there() -> None:
    rate = np.arange(400) * 1e-6
    run = run_with(market(400, {A: {"funding": rate}}))
    week = unpacked(trace(charts(run, A)[0], "7-day mean")["y"])
    assert np.isnan(week[:151]).all()  # 151 hours are not nine tenths of 168, 152 are
    assert week[151] == pytest.approx(rate[:152].mean() * 8760)
    assert week[399] == pytest.approx(rate[232:].mean() * 8760)
    assert "30-day mean" not in [t["name"] for t in charts(run, A)[0].figure["data"]]


def test_a_short_run_has_no_mean_and_says_so() -> None:
    chart, by_hour = charts(run_with(market(24, {A: {"funding": 1e-5}})), A)
    assert "too short for a mean over 7 days" in chart.note
    assert "over 1 week, too few for a habit" in by_hour.note


def test_the_baseline_steps_where_the_terms_change() -> None:
    terms = [
        term(A, "interest_8h", 0.0001),
        term(A, "funding_multiplier", 1.0),
        term(A, "funding_multiplier", 0.5, from_row=10),
    ]
    chart = charts(run_with(market(20, {A: {"funding": 1e-5}}), terms=terms), A)[0]
    line = trace(chart, "baseline")
    assert unpacked(line["y"]) == pytest.approx([0.1095, 0.05475, 0.05475])
    assert unpacked(line["x"])[1] == hour(10).timestamp() * 1000
    assert line["line"]["shape"] == "hv"
    without = charts(run_with(market(20, {A: {"funding": 1e-5}})), A)[0]
    assert "baseline" not in without.note


def test_hours_of_the_week_begin_on_monday_and_tell_median_and_quartiles() -> None:
    rate = np.zeros(168 * 5)
    rate[5::168] = np.array([1.0, 2.0, 3.0, 4.0, 10.0]) * 1e-6
    closed = ["closed" if row % 168 >= 120 else "cash" for row in range(168 * 5)]
    run = run_with(market(168 * 5, {A: {"funding": rate, "phase": closed}}))
    chart = charts(run, A)[1]
    for name, value in (("lower quartile", 2.0), ("median", 3.0), ("upper quartile", 4.0)):
        line = unpacked(trace(chart, name)["y"])
        assert len(line) == 168
        assert line[5] == pytest.approx(value * 1e-6 * 8760)
        assert np.count_nonzero(line) == 1
    assert trace(chart, "median")["x0"] == 345_600_000  # Monday, 5 January 1970
    shaded = unpacked(trace(chart, "closed session")["x"])
    assert list(shaded - 345_600_000) == [120 * 3_600_000, 168 * 3_600_000]


def test_flips_are_changes_of_sign_and_zero_is_none() -> None:
    rate = [1e-5, 0.0, 2e-5, -1e-5, 0.0, -1e-5, 1e-5]
    assert table(panel(run_with(market(7, {A: {"funding": rate}}))), "Funding")[0]["Flips"] == 2.0


def test_received_is_set_against_shorts_of_the_mean_size() -> None:
    """Held from row 2 to row 4 at 200 and 400 USD: 300 on average; every later rate counts."""
    prices = market(6, {A: {"funding": [9e-3, 1e-3, 2e-3, 1e-3, -1e-3, 3e-3]}})
    held = rows("positions", [(hour(2), "v", A, -2.0, -200.0), (hour(3), "v", A, -4.0, -400.0)])
    paid = rows(
        "funding",
        [
            (hour(3), A, "v", -2.0, 100.0, 1e-3, 0.2),
            (hour(4), A, "v", -4.0, 100.0, -1e-3, -0.4),
        ],
    )
    metrics = {"settlements_held": 2, "funding_usd": -0.2, "funding_capture_frac": -0.2 / 1.8}
    made = panel(run_with(prices, metrics=metrics, positions=held, funding=paid))
    (row,) = table(made, "Funding by coin")
    assert row["Held"] == 2.0
    assert row["Mean notional"] == pytest.approx(300.0)
    assert row["Received"] == pytest.approx(-0.2)
    assert row["Available"] == pytest.approx(300.0 * 6e-3)
    assert row["Captured"] == pytest.approx(-0.2 / 1.8)
    assert made.lead == (
        "Funding cost 0.20 USD, against 1.80 USD that shorts of the same coins and mean size "
        "would have received, held throughout."
    )
    chart = made.parts[1]
    assert isinstance(chart, Chart)
    always = unpacked(trace(chart, "same shorts, always held")["y"])
    assert always == pytest.approx(np.cumsum([0.0, 0.3, 0.6, 0.3, -0.3, 0.9]))
    assert unpacked(trace(chart, "same shorts, same hours")["y"])[-1] == pytest.approx(0.0)


def test_nothing_held_and_nothing_settled_are_said() -> None:
    made = panel(run_with(market(5, {A: {"funding": 1e-5}})))
    assert any(isinstance(p, Text) and "Nothing was held" in p.text for p in made.parts)
    assert made.lead.startswith("No position was held")
    none = panel(run_with(market(5, {A: {"funding": None}})))
    assert none.empty == "No funding was settled in the hours of the run."
    assert panel(run_with(market(1, {A: {"funding": 1e-5}}))).parts  # one hour


def test_a_name_is_text() -> None:
    made = panel(run_with(market(3, {NASTY: {"funding": 1e-5}})))
    choice = made.parts[0]
    assert isinstance(choice, Choice)
    assert list(choice.parts) == [NASTY]
    assert table(made, "Funding by coin")[0]["Coin"] == NASTY


@pytest.fixture(scope="module")
def demo() -> Run:
    return run_of(perpkit.backtest("funding_carry", config={"end": "2026-01-20"}))


def test_the_numbers_are_those_of_the_summary(demo: Run) -> None:
    made = panel(demo)
    told = pl.DataFrame(table(made, "Funding by coin"))
    received = told["Received"].sum()
    assert received == pytest.approx(demo.metric("funding_usd"))
    assert received / told["Available"].sum() == pytest.approx(demo.metric("funding_capture_frac"))
    share = f"{demo.metric('funding_capture_frac'):.2%}"
    assert made.lead.startswith(f"Funding brought {received:,.2f} USD: {share} of what shorts")
    chart = made.parts[1]
    assert isinstance(chart, Chart)
    got, there = (
        float(unpacked(trace(chart, name)["y"])[-1])
        for name in ("received", "same shorts, same hours")
    )
    share = demo.metric("funding_capture_held_frac")
    assert got / there == pytest.approx(share, rel=1e-5)  # told in single precision


def test_the_page_stays_small(demo: Run) -> None:
    assert len(json.dumps([p.figure for p in made_charts(demo)])) < 300_000


def made_charts(run: Run) -> list[Chart]:
    choice, *rest = panel(run).parts
    assert isinstance(choice, Choice)
    inner = [part for parts in choice.parts.values() for part in parts]
    return [part for part in (*inner, *rest) if isinstance(part, Chart)]
