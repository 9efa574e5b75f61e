"""What the result is put down to: lines, waterfall and tables add up to the summary."""

from __future__ import annotations

from typing import Any

import pytest

from perpkit.codes import CAUSES
from perpkit.report.causes import LOOKS
from perpkit.report.panel import Chart, Choice, Table
from perpkit.report.panels.attribution import panel
from perpkit.report.reading import Run

from .hand import EVIL, keys, made, parts, played, texts, trace, unpacked, words

BOOKED: list[dict[str, Any]] = [
    {"hour": 1, "instrument": "v:AAA", "cause": "fees", "usd": -2.0},
    {"hour": 1, "instrument": "v:AAA", "cause": "perp_price", "usd": -50.0},
    {"hour": 1, "instrument": "AAAx", "cause": "token_price", "usd": 54.0},
    {"hour": 2, "instrument": "v:AAA", "cause": "funding", "usd": 8.0},
    {"hour": 2, "instrument": "v:BBB", "cause": "funding", "usd": -1.0},
    {"hour": 3, "instrument": "", "cause": "interest", "usd": -0.5},
]


def small(**more: Any) -> Run:
    told = [{"strategy": "made", "account": "v", **row} for row in BOOKED]
    return made(
        [1_000.0, 1_002.0, 1_009.0, 1_008.5], coins=["v:AAA", "v:BBB"], attribution=told, **more
    )


def charts(run: Run) -> list[Chart]:
    return parts(panel(run), Chart)


def tables(run: Run) -> list[Table]:
    return parts(panel(run), Table)


def test_each_cause_is_added_up_over_time() -> None:
    found = charts(small())[0]
    assert unpacked(trace(found, "funding")["y"]) == [0.0, 0.0, 7.0, 7.0]
    assert unpacked(trace(found, "price moves, both legs")["y"]) == [0.0, 4.0, 4.0, 4.0]
    assert unpacked(trace(found, "token price")["y"]) == [0.0, 54.0, 54.0, 54.0]
    assert unpacked(trace(found, "net")["y"]) == [0.0, 2.0, 9.0, 8.5]
    assert trace(found, "token price")["visible"] == "legendonly"
    assert trace(found, "funding")["visible"] is True
    names = [t["name"] for t in found.figure["data"]]
    assert "yield" not in names


def test_one_leg_alone_is_drawn_as_it_is() -> None:
    booked = [
        {"hour": 1, "strategy": "s", "instrument": "v:AAA", "cause": "perp_price", "usd": 3.0}
    ]
    run = made([1_000.0, 1_003.0], attribution=booked)
    found = charts(run)
    assert trace(found[0], "perp price")["visible"] is True
    assert "both legs" not in words(panel(run))
    assert len(found) == 2


@pytest.mark.parametrize("place", [1, 2], ids=["netted", "every cause"])
def test_the_waterfall_leads_from_capital_to_final_equity(place: int) -> None:
    run = small()
    (fall,) = charts(run)[place].figure["data"]
    assert fall["x"][0] == 1_000.0
    assert fall["x"][-1] == run.metric("final_equity_usd") == 1_008.5
    assert sum(fall["x"][:-1]) == pytest.approx(1_008.5, abs=1e-9)
    assert fall["measure"] == ["absolute", *["relative"] * (len(fall["x"]) - 2), "total"]
    steps = fall["x"][1:-1]
    assert steps == sorted(steps, reverse=True)
    assert fall["y"][0] == "capital<br>1,000.00"
    assert fall["y"][-1] == "final equity<br>1,008.50"
    low, high = charts(run)[place].figure["layout"]["xaxis"]["range"]
    assert low < 1_000.0
    assert high > 1_008.5
    assert f"begins at {low:,.2f} USD, not at 0" in charts(run)[place].note


def test_the_tables_add_up_by_underlying_and_by_instrument() -> None:
    run = small(underlyings={"v:AAA": "AAA", "v:BBB": "BBB", "AAAx": "AAA"})
    by_underlying, by_instrument = tables(run)
    assert texts(by_underlying, "underlying") == ["all", "AAA", "BBB", "account as a whole"]
    assert keys(by_underlying, "net")[1:] == [10.0, -1.0, -0.5]
    assert texts(by_instrument, "instrument")[0] == "all"
    net = dict(zip(texts(by_instrument, "instrument"), keys(by_instrument, "net"), strict=True))
    assert net == {
        "all": None,
        "v:AAA": -44.0,
        "AAAx": 54.0,
        "v:BBB": -1.0,
        "account as a whole": -0.5,
    }
    assert texts(by_instrument, "net")[0] == "8.50"
    assert texts(by_instrument, "funding")[0] == "7.00"


def test_a_run_that_does_not_tell_its_underlyings_has_its_instruments() -> None:
    (only,) = tables(small(underlyings={}))
    assert only.columns[0].name == "instrument"


def test_the_played_run_adds_up_to_its_summary_to_a_cent() -> None:
    run = played()
    told = {name: entry["value"] for name, entry in run.summary["metrics"].items()}
    for table in tables(run):
        for cause in ("perp price", "token price", "funding", "fees", "slippage"):
            each = sum(key for key in keys(table, cause) if key is not None)
            assert each == pytest.approx(told[f"{cause.replace(' ', '_')}_usd"], abs=0.005)
        assert sum(k for k in keys(table, "net") if k is not None) == pytest.approx(
            told["net_pnl_usd"], abs=0.005
        )
        assert texts(table, "net")[0] == f"{told['net_pnl_usd']:,.2f}"
    for chart in charts(run)[1:]:
        (fall,) = chart.figure["data"]
        assert sum(fall["x"][:-1]) == pytest.approx(told["final_equity_usd"], abs=0.005)
    net = unpacked(trace(charts(run)[0], "net")["y"])
    assert net[-1] == pytest.approx(told["net_pnl_usd"], abs=0.005)


def test_the_lead_names_what_earned_and_what_cost_most() -> None:
    assert panel(small()).lead == (
        "Funding earned most, +7.00 USD, fees cost most, -2.00 USD; together the causes made "
        "+8.50 USD."
    )


def test_a_run_that_held_nothing_is_empty() -> None:
    assert "Nothing was held" in panel(made([1_000.0, 1_000.0])).empty


def test_no_two_causes_look_alike() -> None:
    assert set(CAUSES) <= set(LOOKS)
    assert len(set(LOOKS.values())) == len(LOOKS)


def test_a_coin_goes_through_as_it_is() -> None:
    booked = [{"hour": 1, "strategy": "s", "instrument": EVIL, "cause": "funding", "usd": 3.0}]
    run = made(
        [1_000.0, 1_003.0], coins=[EVIL], tokens=[], underlyings={EVIL: EVIL}, attribution=booked
    )
    assert all(EVIL in texts(table, table.columns[0].name) for table in tables(run))
    assert [choice.label for choice in parts(panel(run), Choice)] == ["Causes by"]
    assert len(parts(panel(small()), Choice)) == 2
