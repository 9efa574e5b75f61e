"""Trades and costs: counts, volumes and costs against sums made by hand and the summary."""

from __future__ import annotations

from typing import Any

import pytest

from perpkit.report.panel import Chart, Table
from perpkit.report.panels.trades import panel
from perpkit.report.reading import Run

from .hand import EVIL, cards, keys, made, parts, played, texts, trace, unpacked, words


def fill(
    hour: int, instrument: str, usd: float, fee: float, slip: float, **more: Any
) -> dict[str, Any]:
    """A fill of that worth at a price of 10."""
    told = {"way": "book", "side": "sell", "reason": "target", "strategy": "made", "account": "v"}
    sums = {"size": usd / 10.0, "px": 10.0, "fee_usd": fee, "slippage_usd": slip}
    return {"hour": hour, "instrument": instrument, **told, **sums, **more}


FILLS = [
    fill(1, "v:AAA", 1_000.0, 0.5, -0.5),
    fill(1, "AAAx", 1_000.0, 0.0, -2.0, way="quote", side="buy"),
    fill(2, "v:AAA", 500.0, 0.25, 0.25),
    fill(3, "v:AAA", 400.0, 0.2, -40.0, reason="liquidation", side="buy"),
    fill(3, "AAAx", 300.0, 0.0, -3.0, way="quote", reason="settlement"),
    fill(4, "AAAx", 0.0, 0.0, 0.0, way="venue", reason="action", px=0.0, size=7.0),
]


def small(**metrics: Any) -> Run:
    told = {"fills": 6.0, "volume_usd": 2_900.0, "turnover": 12.3, "trades": 0.0, **metrics}
    return made([1_000.0] * 6, metrics=told, fills=FILLS)


def tables(run: Run) -> list[Table]:
    return parts(panel(run), Table)


def test_every_fill_stands_under_its_way_and_reason() -> None:
    table = tables(small())[0]
    told = list(zip(*(texts(table, c) for c in ("way", "reason", "price booked as")), strict=True))
    assert told == [
        ("book", "target", "slippage"),
        ("quote", "target", "slippage"),
        ("book", "liquidation", "liquidation"),
        ("quote", "settlement", "settlement"),
        ("venue", "action", "perp price"),
    ]
    assert keys(table, "fills") == [2, 1, 1, 1, 1]
    assert keys(table, "volume") == [1_500.0, 1_000.0, 400.0, 300.0, 0.0]
    assert keys(table, "slippage") == [0.25, 2.0, 40.0, 3.0, 0.0]
    assert texts(table, "volume")[0] == "1,500"
    (cost, of_it) = ([row[n] for row in table.rows] for n in (-2, -1))
    assert [cell.text for cell in cost] == ["1.00", "2.00", "40.20", "3.00", "\N{EN DASH}"]
    assert [cell.text for cell in of_it] == ["6.67", "20.00", "1,005.00", "100.00", "no price"]


def test_trades_by_instrument_leave_out_what_is_no_trade() -> None:
    table = tables(small())[1]
    assert texts(table, "instrument") == ["all", "v:AAA", "AAAx"]
    assert keys(table, "volume")[1:] == [1_900.0, 1_000.0]
    assert texts(table, "volume")[0] == "2,900"
    assert [row[-1].text for row in table.rows] == ["148.97", "216.84", "20.00"]  # type: ignore[union-attr]


def test_the_largest_and_the_costliest_fills() -> None:
    largest, costliest = tables(small())[2:]
    assert keys(largest, "worth") == [1_000.0, 1_000.0, 500.0, 400.0, 300.0, 0.0]
    cost = [row[-2].key for row in costliest.rows]  # type: ignore[union-attr]
    assert cost == [40.2, 3.0, 2.0, 1.0, 0.0, 0.0]
    assert texts(costliest, "time")[0] == "2026-01-30 03:00"
    assert texts(costliest, "reason")[0] == "liquidation"
    assert texts(costliest, "size")[0] == "40"
    many = made(
        [1_000.0] * 60,
        metrics={"fills": 50.0},
        fills=[fill(h, "v:AAA", 100.0 + h, 0.1, -0.1) for h in range(50)],
    )
    assert all(len(table.rows) == 20 for table in tables(many)[2:])
    assert keys(tables(many)[2], "worth")[0] == 149.0


def test_the_lead_says_what_was_traded_and_what_it_cost() -> None:
    assert panel(small()).lead == (
        "4 trades moved 2,900 USD, 12.3 times the equity a year, at a cost of 43.20 USD or "
        "148.97 bp of it."
    )


def test_costs_are_added_up_over_time() -> None:
    booked = [
        {"hour": 1, "strategy": "s", "instrument": "v:AAA", "cause": "fees", "usd": -2.0},
        {"hour": 2, "strategy": "s", "instrument": "v:AAA", "cause": "slippage", "usd": -3.0},
        {"hour": 2, "strategy": "s", "instrument": "v:AAA", "cause": "funding", "usd": 9.0},
        {"hour": 3, "strategy": "s", "instrument": "", "cause": "transfer", "usd": -1.0},
    ]
    run = made([1_000.0] * 4, fills=FILLS[:1], attribution=booked)
    found = parts(panel(run), Chart)[0]
    assert unpacked(trace(found, "all costs")["y"]) == [0.0, 2.0, 5.0, 6.0]
    assert unpacked(trace(found, "transfers")["y"]) == [0.0, 0.0, 0.0, 1.0]
    assert [t["name"] for t in found.figure["data"]] == [
        "all costs",
        "fees",
        "slippage",
        "transfers",
    ]


def test_the_histogram_counts_each_trade_once_by_what_it_cost() -> None:
    (found,) = (c for c in parts(panel(small()), Chart) if "basis points" in c.label)
    perps, tokens = trace(found, "perps"), trace(found, "tokens")
    assert sum(unpacked(perps["y"])) == 3  # with the liquidation
    assert sum(unpacked(tokens["y"])) == 1  # the undone trade and the split are none
    assert perps["marker"]["pattern"] != tokens["marker"]["pattern"]
    assert "15.00 bp" in found.note  # the median of 0, 10, 20 and 1005
    many = [fill(1, "v:AAA", 100.0, 0.1, 0.0)] * 40 + [fill(1, "v:AAA", 100.0, 9.0, 0.0)]
    (far,) = (c for c in parts(panel(made([1.0] * 3, fills=many)), Chart) if "basis" in c.label)
    drawn = trace(far, "perps")
    assert unpacked(drawn["y"])[-1] == 1  # what lies beyond stands in the last bar
    assert sum(unpacked(drawn["y"])) == 41
    assert unpacked(drawn["x"])[-1] < 11.0
    alike = made([1_000.0] * 3, fills=[fill(1, "v:AAA", 100.0, 0.085, 0.0)] * 2)
    (one,) = (c for c in parts(panel(alike), Chart) if "basis points" in c.label)
    drawn = trace(one, "perps")
    told = dict(zip(unpacked(drawn["x"]), unpacked(drawn["y"]), strict=True))
    assert [x for x, y in told.items() if y] == [pytest.approx(8.5, abs=0.02)]


def test_the_cards_are_the_summary_and_leave_out_what_is_undefined() -> None:
    run = played()
    told = {name: entry["value"] for name, entry in run.summary["metrics"].items()}
    found = cards(panel(run))
    assert found["Fills"].value == f"{told['fills']:,}"
    assert f"{told['volume_usd']:,.0f} USD" in found["Fills"].note
    assert found["Turnover a year"].value == f"{told['turnover']:,.2f}"
    assert found["Fees"].value == f"{told['fees_usd']:,.2f}"
    assert found["Slippage"].value == f"{told['slippage_usd']:,.2f}"
    assert found["Won"].value == f"{told['win_rate_frac']:.2%}"
    assert f"{told['expectancy_usd']:+,.2f} USD" in found["Won"].note
    assert found["Round trips"].value == f"{told['trades']:,}"
    assert "Won" not in cards(panel(small()))
    assert "Mean hold" not in cards(panel(small()))


def test_the_played_run_adds_up_to_its_summary_to_a_cent() -> None:
    run = played()
    told = {name: entry["value"] for name, entry in run.summary["metrics"].items()}
    by_way, by_instrument, *_ = tables(run)
    for table in (by_way, by_instrument):
        sums = {
            c: sum(k for k in keys(table, c) if k is not None)
            for c in ("volume", "fees", "slippage", "fills")
        }
        assert sums["volume"] == pytest.approx(told["volume_usd"], abs=0.005)
        assert sums["fees"] == pytest.approx(-told["fees_usd"], abs=0.005)
        assert sums["slippage"] == pytest.approx(-told["slippage_usd"], abs=0.005)
        assert sums["fills"] == told["fills"]
    final = unpacked(trace(parts(panel(run), Chart)[0], "all costs")["y"])[-1]
    assert final == pytest.approx(-told["fees_usd"] - told["slippage_usd"], abs=0.005)


def test_fills_that_gained_on_the_mark_are_said_to() -> None:
    run = made(
        [1_000.0] * 2, metrics={"volume_usd": 100.0}, fills=[fill(1, "v:AAA", 100.0, 0.0, 1.0)]
    )
    assert "gained on the mark 1.00 USD or 100.00 bp" in panel(run).lead


def test_without_a_fill_it_says_why_and_names_go_through() -> None:
    assert "Nothing was traded" in panel(made([1_000.0] * 2)).empty
    assert EVIL in words(panel(made([1_000.0] * 2, fills=[fill(1, EVIL, 100.0, 0.1, 0.0)])))


def test_only_what_has_no_price_makes_no_histogram() -> None:
    run = made([1_000.0] * 5, metrics={"volume_usd": 0.0}, fills=FILLS[-1:])
    assert parts(panel(run), Chart) == []
    assert panel(run).lead == "0 trades moved 0 USD."
