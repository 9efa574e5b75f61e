"""Positions: stacked by side, the rest as one, and the numbers of its table and sentence."""

from __future__ import annotations

from typing import Any

import pytest

from perpkit.report.panel import Chart, Table
from perpkit.report.panels.positions import panel

from .small import EVIL, at, column, every, hourly, small, texts, traces, unpacked


def held(instrument: str, usd: list[float], account: str = "v") -> list[dict[str, Any]]:
    """What was held of an instrument, by the hour; 0 has no row."""
    return [
        {"h": h, "instrument": instrument, "account": account, "value_usd": value}
        for h, value in enumerate(usd)
        if value
    ]


def hedge(**more: Any) -> Any:
    rows = [
        *held("v:AAA", [0, -100, -110, 0]),
        *held("AAAx", [0, 60, 60, 50], "wallet"),
        *held("AAAx", [0, 41, 40, 0]),  # pledged: the same token, elsewhere
    ]
    equity = hourly(
        4,
        equity_usd=[1000.0, 1000.0, 500.0, 400.0],
        gross_usd=[0.0, 201.0, 210.0, 50.0],
        net_delta_usd=[0.0, 1.0, -10.0, 50.0],
    )
    metrics = {"exposure_frac": 0.75, "max_gross_over_equity": 0.42, **more}
    return small(4, metrics, positions=rows, equity=equity)


def test_a_side_is_stacked_over_accounts() -> None:
    stack = every(panel(hedge()), Chart)[0]
    drawn = traces(stack)
    assert unpacked(drawn["AAAx long"]["y"]) == [0, 101, 100, 50]
    assert unpacked(drawn["v:AAA short"]["y"]) == [0, -100, -110, 0]
    assert drawn["AAAx long"]["stackgroup"] != drawn["v:AAA short"]["stackgroup"]
    assert unpacked(drawn["AAAx long"]["x"])[1] == at(1).timestamp() * 1000
    assert set(drawn) == {"AAAx long", "v:AAA short"}


def test_an_instrument_that_turns_is_on_both_sides() -> None:
    run = small(3, positions=held("v:AAA", [5, -7, 0]), equity=hourly(3))
    drawn = traces(every(panel(run), Chart)[0])
    assert unpacked(drawn["v:AAA long"]["y"]) == [5, 0, 0]
    assert unpacked(drawn["v:AAA short"]["y"]) == [0, -7, 0]


def test_many_instruments_are_the_largest_and_the_rest() -> None:
    rows = [row for k in range(16) for row in held(f"v:{k}", [-10.0 * (k + 1)] * 2)]
    chart = every(panel(small(2, positions=rows)), Chart)[0]
    drawn = traces(chart)
    assert list(drawn) == [
        "v:15 short",
        "v:14 short",
        "v:13 short",
        "v:12 short",
        "12 others short",
    ]
    assert unpacked(drawn["12 others short"]["y"]) == [-sum(10.0 * (k + 1) for k in range(12))] * 2
    assert "4 largest" in chart.note


def test_five_are_all_named() -> None:
    rows = [row for k in range(5) for row in held(f"v:{k}", [-10.0])]
    assert len(traces(every(panel(small(1, positions=rows)), Chart)[0])) == 5


def test_delta_and_leverage_over_equity() -> None:
    _, delta, leverage = every(panel(hedge()), Chart)
    assert unpacked(traces(delta)["net delta"]["y"]) == [0, 1, -10, 50]
    assert unpacked(traces(delta)["share of equity"]["y"]) == pytest.approx(
        [0, 0.001, -0.02, 0.125]
    )
    assert unpacked(traces(leverage)["gross / equity"]["y"]) == pytest.approx(
        [0, 0.201, 0.42, 0.125]
    )


def test_nothing_is_divided_by_equity_that_is_gone() -> None:
    equity = hourly(2, equity_usd=[1000.0, 0.0], gross_usd=[10.0, 10.0], net_delta_usd=[10.0, 10.0])
    run = small(2, positions=held("AAAx", [10.0, 10.0]), equity=equity)
    drawn = unpacked(traces(every(panel(run), Chart)[2])["gross / equity"]["y"])
    assert drawn[0] == pytest.approx(0.01)
    assert drawn[1] != drawn[1]


def test_the_table_tells_hours_means_and_extremes() -> None:
    table = every(panel(hedge()), Table)[0]
    assert column(table, "instrument") == ["AAAx", "v:AAA"]
    assert column(table, "kind") == ["token", "perp"]
    assert column(table, "held") == [3, 2]
    assert column(table, "mean size") == pytest.approx([251 / 3, 105])
    assert column(table, "largest") == [101, -110]
    assert texts(table, "on") == ["2026-03-02 01:00", "2026-03-02 02:00"]
    assert column(table, "at the end") == [50, 0]


def test_the_sentence_says_the_summarys_numbers_and_the_furthest_delta() -> None:
    lead = panel(hedge()).lead
    assert "75.00% of the time" in lead
    assert "0.42 times equity" in lead
    assert "210 USD on 2026-03-02 02:00" in lead
    assert "+12.50% (+50 USD) on 2026-03-02 03:00" in lead
    assert "without the hedge" not in lead
    assert "7 hours went by without the hedge" in panel(hedge(naked_after_close_hours=7.0)).lead


def test_without_a_position_it_says_so() -> None:
    told = panel(small(3))
    assert not told.parts
    assert "Nothing was ever held" in told.empty


def test_a_name_is_text() -> None:
    told = panel(small(1, positions=held(EVIL, [3.0])))
    assert column(every(told, Table)[0], "instrument") == [EVIL]
    assert f"{EVIL} long" in traces(every(told, Chart)[0])
