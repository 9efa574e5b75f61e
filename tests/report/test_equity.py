"""Equity against T-bills and other strategies: the lines are the frames', recomputed plainly."""

from __future__ import annotations

from datetime import timedelta

import pytest

from perpkit.report.panel import Chart, Text
from perpkit.report.panels.equity import panel
from perpkit.report.reading import Run

from .hand import BEGUN, EVIL, at, made, parts, played, trace, unpacked, words

EQUITY = [1_000.0, 1_100.0, 990.0, 1_050.0, 1_020.0]


def against(name: str, path: list[float]) -> list[dict[str, object]]:
    return [{"hour": h, "strategy": name, "equity_usd": usd} for h, usd in enumerate(path)]


def chart(run: Run) -> Chart:
    (found,) = parts(panel(run), Chart)
    return found


def test_the_lines_are_equity_the_others_and_what_lies_between() -> None:
    other = [1_000.0, 1_010.0, 1_020.0, 1_030.0, 1_040.0]
    run = made(EQUITY, free=0.1, against=against("spot_hold", other))
    found = chart(run)
    bills = [1_000.0 * (1 + 0.1 * h / 8_760) for h in range(5)]
    assert unpacked(trace(found, "made")["y"]) == pytest.approx(EQUITY, abs=1e-3)
    assert unpacked(trace(found, "T-bills at 10.00%")["y"]) == pytest.approx(bills, abs=1e-3)
    assert unpacked(trace(found, "spot_hold")["y"]) == pytest.approx(other, abs=1e-3)
    over = [(own - its) / 1_000.0 for own, its in zip(EQUITY, other, strict=True)]
    assert unpacked(trace(found, "over spot_hold")["y"]) == pytest.approx(over, abs=1e-7)
    depth = [0.0, 0.0, -0.1, 1_050 / 1_100 - 1, 1_020 / 1_100 - 1]
    assert unpacked(trace(found, "drawdown")["y"]) == pytest.approx(depth, abs=1e-7)
    assert trace(found, "drawdown")["yaxis"] == "y3"
    hours = [1_000 * (at(h).timestamp()) for h in range(5)]
    assert unpacked(trace(found, "made")["x"]) == hours


def test_the_worst_drawdown_is_marked_where_it_is() -> None:
    mark = trace(chart(made(EQUITY)), "worst drawdown")
    assert unpacked(mark["x"]) == [1_000 * (BEGUN + timedelta(hours=2)).timestamp()]
    assert unpacked(mark["y"]) == [pytest.approx(-0.1)]
    assert mark["yaxis"] == "y3"
    names = [t["name"] for t in chart(made([1_000.0, 1_001.0])).figure["data"]]
    assert "worst drawdown" not in names


def test_the_lead_compares_the_ends() -> None:
    run = made(EQUITY, free=0.0, against=against("spot_hold", [*EQUITY[:4], 1_030.5]))
    lead = panel(run).lead
    assert "Ended at 1,020.00 USD: 20.00 more than T-bills at 0.00%" in lead
    assert "10.50 less than spot_hold" in lead
    assert "lowest 2026-01-30 02:00, 3 h from the peak, not regained" in lead
    alike = made([1_000.0] * 3, free=0.0)
    assert panel(alike).lead.startswith("Ended at 1,000.00 USD: as much as T-bills at 0.00%;")


def test_no_two_lines_look_alike() -> None:
    run = made(EQUITY, against=[*against("a", EQUITY), *against("b", EQUITY)])
    shown = [t for t in chart(run).figure["data"] if t.get("yaxis", "y") == "y"]
    looks = [(t["line"]["color"], t["line"].get("dash")) for t in shown]
    assert len(looks) == 4
    assert len({dash for _, dash in looks}) == 4
    assert len(set(looks)) == 4


def test_what_was_closed_by_force_is_marked_on_the_line() -> None:
    events = [
        {"hour": 1, "kind": "topped", "instrument": "v:AAA", "account": "v"},
        {"hour": 2, "kind": "liquidation", "instrument": EVIL, "account": "v", "detail": "x"},
        {"hour": 3, "kind": "bad_debt", "instrument": "", "account": "v", "detail": "y"},
    ]
    found = chart(made(EQUITY, events=events))
    closed, debt = trace(found, "liquidated"), trace(found, "bad debt")
    assert unpacked(closed["y"]) == [990.0]
    assert EVIL in closed["text"][0]
    assert unpacked(debt["y"]) == [1_050.0]
    assert "v: y" in debt["text"][0]
    assert closed["marker"]["symbol"] != debt["marker"]["symbol"]


def test_a_run_of_a_year_keeps_its_extremes_in_few_points() -> None:
    equity = [1_000.0 + (h % 97) for h in range(9_000)]
    equity[4_321] = 400.0
    found = chart(made(equity))
    drawn = unpacked(trace(found, "made")["y"])
    assert len(drawn) < 2_500
    assert min(drawn) == 400.0
    assert "the least and the most" in found.note


def test_without_benchmarks_it_says_so_and_an_hour_is_empty() -> None:
    (said,) = parts(panel(made(EQUITY)), Text)
    assert "No benchmark was played" in said.text
    assert "one hour long" in panel(made([1_000.0])).empty


def test_the_played_run_stands_against_cash_and_spot() -> None:
    run = played()
    found = chart(run)
    assert set(unpacked(trace(found, "cash")["y"])) == {100_000.0}
    hours = run.summary["metrics"]["period_hours"]["value"]
    bills = 100_000.0 * (1.0 + 0.0375 * hours / 8_760)
    assert unpacked(trace(found, "T-bills at 3.75%")["y"])[-1] == pytest.approx(bills, abs=0.005)
    final = run.summary["metrics"]["final_equity_usd"]["value"]
    assert unpacked(trace(found, run.strategy)["y"])[-1] == final
    assert f"{final:,.2f} USD" in panel(run).lead
    assert not parts(panel(run), Text)


def test_a_name_goes_through_as_it_is() -> None:
    assert EVIL in words(panel(made(EQUITY, strategy=EVIL)))


def test_spot_hold_without_a_token_is_no_benchmark() -> None:
    for tokens in ((), ("AAAx",)):
        run = made(EQUITY, tokens=tokens, against=against("spot_hold", [1_000.0] * 5))
        assert ("spot_hold had no token to hold" in chart(run).note) is not bool(tokens)
