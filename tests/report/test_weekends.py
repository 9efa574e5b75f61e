"""The weekend panel: closures, what the perp foretold of them, and what the run made."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import polars as pl
import pytest

import perpkit
from perpkit.report.closures import closures, fit
from perpkit.report.hours import grid
from perpkit.report.panel import Chart, Panel, Table, Text
from perpkit.report.panels.weekends import panel
from perpkit.report.reading import Run, run_of

from .markets import hour, market, rows, run_with, table, trace, unpacked

A, B = "xyz:A", "xyz:B"
NASTY = "xyz:<script>alert(1)</script>"
HOURS = 60


def phases(*closed: tuple[int, int], hours: int = HOURS) -> list[str]:
    """Extended but for these rows."""
    return [
        "closed" if any(begin <= row < end for begin, end in closed) else "extended"
        for row in range(hours)
    ]


def steps(*told: tuple[int, float], hours: int = HOURS) -> list[float]:
    """A price that holds from each of these rows on."""
    return [[px for begin, px in told if begin <= row][-1] for row in range(hours)]


def ms(row: int) -> float:
    return hour(row).timestamp() * 1000


def texts(made: Panel) -> str:
    return " ".join(part.text for part in made.parts if isinstance(part, Text))


def charts(made: Panel) -> list[Chart]:
    return [part for part in made.parts if isinstance(part, Chart)]


# Closed from row 10 to row 34; the close's price is that of row 10, the first new one row 36's.
ONE = {
    "phase": phases((10, 34)),
    "external_px": steps((0, 90.0), (10, 100.0), (36, 103.0)),
    "mark_px": steps((0, 90.0), (20, 101.0), (33, 102.0), (34, 102.9)),
}


def test_a_closure_has_its_close_its_forecast_and_its_reopening() -> None:
    (row,) = table(panel(run_with(market(HOURS, {A: ONE}))), "By coin")
    assert (row["Close"], row["Close price"]) == (ms(10), 100.0)
    # not the mark of row 34, the instant of the opening, in which the price to come may show
    assert (row["Forecast at"], row["Forecast"]) == (ms(33), 102.0)
    assert (row["Reopening"], row["Reopening price"]) == (ms(36), 103.0)
    assert (row["Gap"], row["Foretold"]) == (pytest.approx(0.03), pytest.approx(0.02))
    assert row["Error"] == pytest.approx(0.01)
    assert row["Right sign"] == 1.0
    assert row["Held"] == 0.0


def test_what_is_shorter_than_twenty_hours_or_cut_off_is_left_out() -> None:
    short = {**ONE, "phase": phases((10, 29))}
    assert panel(run_with(market(HOURS, {A: short}))).empty == (
        "No session of the run's perps was closed for 20 hours or more."
    )
    for cut in ((0, 24), (36, 60)):
        made = panel(run_with(market(HOURS, {A: {**ONE, "phase": phases(cut)}})))
        assert made.empty.startswith("No closure of 20 hours or more lies whole")
    both = panel(run_with(market(HOURS, {A: ONE, B: {**ONE, "phase": phases((36, 60))}})))
    assert "1 closure is left out: the run begins or ends in it" in texts(both)
    # a price that does not come is not made up
    silent = {**ONE, "external_px": steps((0, 100.0))}
    assert "lies whole" in panel(run_with(market(HOURS, {A: silent}))).empty


def test_without_external_prices_the_oracle_stands_in_an_hour_after_the_opening() -> None:
    oracle = steps((0, 90.0), (10, 100.0), (11, 101.0), (34, 104.0), (35, 105.0))
    own = {"phase": ONE["phase"], "mark_px": ONE["mark_px"], "oracle_px": oracle}
    made = panel(run_with(market(HOURS, {A: own})))
    (row,) = table(made, "By coin")
    assert (row["Close price"], row["Reopening price"]) == (100.0, 105.0)
    assert row["Reopening"] == ms(35)
    assert "the venue's oracle" in texts(made)
    assert "the venue's oracle" not in texts(panel(run_with(market(HOURS, {A: ONE}))))


def test_one_weekend_has_no_chart() -> None:
    made = panel(run_with(market(HOURS, {A: ONE, B: ONE})))
    assert not charts(made)
    assert "One weekend proves nothing" in texts(made)
    assert made.lead == (
        "Before 2 of 2 reopenings the perp had the right sign, and it foretold 88.89% of the gap; "
        "nothing was held over 1 weekend."
    )


# --------------------------------------------------------------------------- two weekends


def two(second: Sequence[tuple[int, int]] = ((70, 100),)) -> pl.DataFrame:
    """Both coins closed from row 10 to 34, and again; their second opening may differ."""
    hours = 120
    price = steps((0, 100.0), (36, 103.0), (101, 100.0), hours=hours)
    late = steps((0, 100.0), (36, 99.0), (101, 101.0), (103, 102.0), hours=hours)
    mark = steps((0, 100.0), (33, 102.0), (37, 103.0), (99, 101.0), (102, 100.0), hours=hours)
    return market(
        hours,
        {
            A: {
                "phase": phases((10, 34), (70, 100), hours=hours),
                "external_px": price,
                "mark_px": mark,
            },
            B: {
                "phase": phases((10, 34), *second, hours=hours),
                "external_px": late,
                "mark_px": mark,
            },
        },
    )


def books() -> dict[str, list[float]]:
    """10 USD of funding an hour, 1 USD of price an hour, and a fee in rows 10 and 36."""
    fees = [-5.0 if row in (10, 36) else 0.0 for row in range(120)]
    equity = np.cumsum([10.0 + 1.0 + fee for fee in fees])
    return {
        "funding_usd": [10.0] * 120,
        "perp_price_usd": [3.0] * 120,
        "token_price_usd": [-2.0] * 120,
        "fees_usd": fees,
        "equity_usd": (1000.0 + equity).tolist(),
    }


def test_a_weekend_is_what_the_run_made_after_its_close_until_its_reopening() -> None:
    """From row 10 to row 36: 26 rows, of which only the second fee is one."""
    held = rows("positions", [(hour(33), "x", A, -1.0, -102.0)])
    booked = rows(
        "attribution",
        [
            (hour(10), A, "fees", -5.0),
            (hour(11), A, "funding", 7.0),
            (hour(36), A, "perp_price", -2.0),
            (hour(37), A, "funding", 9.0),
            (hour(36), B, "funding", 4.0),
            (hour(36), "Ax", "token_price", 2.0),
        ],
    )
    made = panel(run_with(two(), equity=books(), positions=held, attribution=booked))
    late, early = table(made, "By weekend")
    assert (early["Close"], early["Reopening"]) == (ms(10), ms(36))
    assert early["Funding"] == pytest.approx(260.0)
    assert early["P&L"] == pytest.approx(26 * 11.0 - 5.0)
    assert early["Mean gap"] == pytest.approx(0.01)
    assert early["Largest gap"] == pytest.approx(0.03)
    assert early["Right sign"] == 0.5
    assert (late["Close"], late["Reopening"]) == (ms(70), ms(101))
    assert late["P&L"] == pytest.approx(31 * 11.0)
    bar = charts(made)[1]
    told = {
        n: unpacked(trace(bar, n)["y"]) for n in ("funding", "prices", "costs and other", "net")
    }
    assert told["funding"] == pytest.approx([260.0, 310.0])
    assert told["prices"] == pytest.approx([26.0, 31.0])
    assert told["costs and other"] == pytest.approx([-5.0, 0.0])
    assert told["net"] == pytest.approx([281.0, 341.0])
    assert list(unpacked(trace(bar, "net")["x"])) == [ms(36), ms(101)]
    own = {(row["Coin"], row["Close"]): row for row in table(made, "By coin")}
    first = own[A, ms(10)]
    assert (first["Held"], first["Funding"], first["P&L of the perp"]) == (-102.0, 7.0, 5.0)
    assert own[B, ms(10)]["P&L of the perp"] == 4.0
    assert "brought the run 622.00 USD, with 570.00 USD of funding in it." in made.lead


def test_closures_that_overlap_are_one_weekend() -> None:
    apart = closures(grid(two(), "coin"))
    assert apart.count == 2
    assert sorted(apart.weekend.tolist()) == [0, 0, 1, 1]
    # coin B closes while A is still closed, and reopens after it
    together = closures(grid(two(second=((76, 102),)), "coin"))
    assert together.count == 2
    made = panel(run_with(two(second=((76, 102),)), equity=books()))
    late = table(made, "By weekend")[0]
    assert (late["Close"], late["Reopening"]) == (ms(70), ms(102))
    assert late["Closed"] == 30.0


def test_the_scatter_has_its_points_its_line_and_its_caution() -> None:
    made = panel(run_with(two()))
    scatter = charts(made)[0]
    points = trace(scatter, "not held")
    assert sorted(points["text"]) == [
        "xyz:A, 2026-06-02",
        "xyz:A, 2026-06-05",
        "xyz:B, 2026-06-02",
        "xyz:B, 2026-06-05",
    ]
    assert unpacked(points["x"])[:2] == pytest.approx([0.02, 101.0 / 103.0 - 1.0])
    assert unpacked(points["y"])[:2] == pytest.approx([0.03, 100.0 / 103.0 - 1.0])
    assert not scatter.linked
    assert "4 closures of 2 weekends and holidays" in scatter.note
    assert "few weekends prove little" in scatter.note
    diagonal = trace(scatter, "gap = foretold")
    assert list(unpacked(diagonal["x"])) == list(unpacked(diagonal["y"]))
    assert "Nothing was held over a weekend" in texts(made)


def test_forecasts_are_judged_against_none() -> None:
    gap = np.array([0.01, -0.02, 0.03, 0.0])
    perfect = fit(gap, gap)
    assert perfect.foretold_frac == pytest.approx(1.0)
    assert (perfect.hits, perfect.signed) == (3, 3)
    assert (perfect.slope, perfect.r2) == (pytest.approx(1.0), pytest.approx(1.0))
    assert fit(0.0 * gap, gap).foretold_frac == pytest.approx(0.0)
    assert fit(0.0 * gap, gap).slope is None
    assert fit(-gap, gap).foretold_frac == pytest.approx(-3.0)
    assert (fit(-gap, gap).hits, fit(-gap, gap).slope) == (0, pytest.approx(-1.0))
    half = fit(0.5 * gap + 0.01, gap)
    slope, constant = np.polyfit(0.5 * gap + 0.01, gap, 1)
    assert (half.slope, half.constant) == (pytest.approx(slope), pytest.approx(constant))
    assert fit(gap[:2], gap[:2]).slope is None
    assert fit(gap[:0], gap[:0]).foretold_frac is None


def test_a_name_is_text() -> None:
    made = panel(run_with(market(HOURS, {NASTY: ONE})))
    assert table(made, "By coin")[0]["Coin"] == NASTY
    assert "no perp" in panel(run_with(market(2, {A: {}}).clear())).empty
    assert panel(run_with(market(1, {A: {}}))).empty


@pytest.fixture(scope="module")
def demo() -> Run:
    return run_of(perpkit.backtest("funding_carry", config={"end": "2026-01-20"}))


def test_weekends_of_the_demo_add_up_to_its_attribution(demo: Run) -> None:
    """P&L by weekend is the equity's; that of the perps is what is booked on them."""
    made = panel(demo)
    equity = demo.frames["equity"].select("time", "equity_usd")
    at = dict(equity.with_columns(pl.col("time").dt.epoch("ms")).iter_rows())
    for row in table(made, "By weekend"):
        change = at[int(row["Reopening"])] - at[int(row["Close"])]
        assert row["P&L"] == pytest.approx(change)
    booked = demo.frames["attribution"].with_columns(pl.col("time").dt.epoch("ms"))
    for row in table(made, "By coin")[:20]:
        own = booked.filter(
            pl.col("time").is_between(row["Close"], row["Reopening"], closed="right"),
            pl.col("instrument") == row["Coin"],
        )
        assert row["P&L of the perp"] == pytest.approx(own["usd"].sum())
    sizes = [
        p.figure if isinstance(p, Chart) else p.rows
        for p in made.parts
        if isinstance(p, (Chart, Table))
    ]
    assert len(json.dumps(sizes)) < 150_000
