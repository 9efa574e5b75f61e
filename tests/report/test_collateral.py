"""Collateral: where money lay, margin value against what was asked for, and what tokens earned."""

from __future__ import annotations

from typing import Any

import pytest

from perpkit.report.panel import Chart, Choice, Table
from perpkit.report.panels.collateral import panel
from perpkit.report.reading import Run

from .small import EVIL, column, every, hourly, small, texts, traces, unpacked


def account(name: str, cash: list[float], needs: list[float] | None = None) -> list[dict[str, Any]]:
    asked = needs or [0.0] * len(cash)
    return [
        {
            "h": h,
            "account": name,
            "cash_usd": usd,
            "margin_value_usd": usd + 5.0,
            "initial_usd": want,
            "maintenance_usd": want / 2,
        }
        for h, (usd, want) in enumerate(zip(cash, asked, strict=True))
    ]


def token(name: str, where: str, usd: list[float]) -> list[dict[str, Any]]:
    return [
        {"h": h, "instrument": name, "account": where, "value_usd": value}
        for h, value in enumerate(usd)
    ]


def with_tokens(**told: Any) -> Run:
    """BILL pledged and free, AAAx as a hedge, 40 USD under way in the second hour."""
    config = {"capital": 1000.0, "collateral": {"BILL": {"haircut_frac": None}}}
    assumed = [{"name": "BILL haircut_frac", "value": "0.05", "why": "the harsh end"}]
    return small(
        2,
        {
            "collateral_yield_apr": 0.0375,
            "pledged_yield_usd": 0.5,
            "interest_usd": -1.25,
            "max_gross_over_equity": 1.0,
        },
        manifest={"config": {**config, "sweep_token": None}, "assumptions": assumed, **told},
        equity=hourly(2, equity_usd=1000.0, cash_usd=[300.0, 300.0]),
        accounts=[
            *account("wallet", [200.0, 160.0]),
            *account("v", [100.0, 120.0], [50.0, 60.0]),
            *account("w", [0.0, -20.0], [10.0, 10.0]),
        ],
        positions=[
            *token("BILL", "wallet", [400.0, 300.0]),
            *token("BILL", "v", [100.0, 200.0]),
            *token("AAAx", "wallet", [100.0, 100.0]),
        ],
        attribution=[
            {"h": 1, "instrument": "BILL", "cause": "yield", "usd": 2.5},
            {"h": 1, "instrument": "BILL", "cause": "token_price", "usd": -0.25},
            {"h": 1, "instrument": "AAAx", "cause": "yield", "usd": 9.0},
        ],
    )


def test_money_by_place_adds_up_to_cash_and_tokens() -> None:
    drawn = traces(every(panel(with_tokens()), Chart)[0])
    assert unpacked(drawn["cash in the wallet"]["y"]) == [200, 160]
    assert unpacked(drawn["cash in margin accounts"]["y"]) == [100, 100]
    assert unpacked(drawn["cash under way"]["y"]) == [0, 40]
    assert unpacked(drawn["BILL pledged"]["y"]) == [100, 200]
    assert unpacked(drawn["BILL in the wallet"]["y"]) == [400, 300]
    assert len(drawn) == 5, "the token of a hedge is no collateral"


def test_cash_that_is_owed_is_below_zero() -> None:
    run = small(
        1,
        equity=hourly(1, cash_usd=[80.0]),
        accounts=[*account("wallet", [100.0]), *account("v", [-20.0], [5.0])],
    )
    drawn = traces(every(panel(run), Chart)[0])
    assert unpacked(drawn["cash owed"]["y"]) == [-20]
    assert "cash in margin accounts" not in drawn
    assert "cash under way" not in drawn


def test_margin_value_against_what_was_asked_for() -> None:
    choice = every(panel(with_tokens()), Choice)[0]
    assert list(choice.parts) == ["all margin accounts", "v", "w"]
    drawn = traces(choice.parts["all margin accounts"][0])
    assert unpacked(drawn["margin value"]["y"]) == [110, 110]
    assert unpacked(drawn["initial"]["y"]) == [60, 70]
    assert unpacked(drawn["maintenance"]["y"]) == [30, 35]
    assert unpacked(traces(choice.parts["v"][0])["initial"]["y"]) == [50, 60]


def test_the_table_tells_what_tokens_earned_and_whose_haircut_it_is() -> None:
    table = every(panel(with_tokens()), Table)[0]
    assert column(table, "token") == ["BILL"]
    for name, value in {
        "pledged": 150.0,
        "most pledged": 200.0,
        "free": 350.0,
        "at the end": 500.0,
        "yield": 2.5,
        "price": -0.25,
        "haircut": 0.05,
    }.items():
        assert column(table, name) == [value], name
    assert texts(table, "haircut") == ["5.00%"]
    assert column(table, "haircut by") == ["assumed: the harsh end"]


def test_a_haircut_of_the_run_is_its_own() -> None:
    config = {"collateral": {"BILL": {"haircut_frac": 0.2}}, "sweep_token": None}
    table = every(panel(with_tokens(config=config)), Table)[0]
    assert column(table, "haircut") == [0.2]
    assert column(table, "haircut by") == ["this run's setting"]


def test_the_sentence_says_what_was_earned_and_what_lay_idle() -> None:
    lead = panel(with_tokens()).lead
    assert "BILL 500 USD, of it pledged 150" in lead
    assert (
        "earned 2.50 USD (3.75% a year on those without a perp), 0.50 of it while pledged" in lead
    )
    assert "180 USD lay as cash in the wallet (18.0% of equity) and 100 USD in margin" in lead
    assert "Cash that was owed cost 1.25 USD" in lead


def test_a_token_that_cash_is_swept_into_is_collateral() -> None:
    config = {"collateral": {}, "sweep_token": "BILL"}
    run = small(
        1,
        manifest={"config": config},
        accounts=account("wallet", [10.0]),
        positions=token("BILL", "wallet", [990.0]),
    )
    assert column(every(panel(run), Table)[0], "free") == [990.0]


def test_all_cash_is_said() -> None:
    run = small(
        2,
        equity=hourly(2, cash_usd=[150.0, 150.0]),
        accounts=[*account("wallet", [100.0] * 2), *account("v", [50.0] * 2, [1.0, 1.0])],
        positions=token("AAAx", "wallet", [100.0, 100.0]),
    )
    told = panel(run)
    assert told.lead.startswith("All collateral was cash: no token was pledged")
    assert not every(told, Table)
    assert len(every(told, Chart)) == 2


def test_without_a_perp_it_says_why_it_is_empty() -> None:
    told = panel(small(2, accounts=[*account("wallet", [1.0] * 2), *account("v", [1.0] * 2)]))
    assert not told.parts
    assert "no margin to meet" in told.empty


def test_names_are_text() -> None:
    instruments = {"coins": [], "tokens": [EVIL], "accounts": ["wallet", "v"]}
    run = small(
        1,
        manifest={"instruments": instruments},
        equity=hourly(1, cash_usd=[2.0]),
        accounts=[*account("wallet", [1.0]), *account("v", [1.0], [1.0])],
        positions=token(EVIL, "v", [3.0]),
    )
    told = panel(run)
    assert column(every(told, Table)[0], "token") == [EVIL]
    assert f"{EVIL} pledged" in traces(every(told, Chart)[0])
    assert column(every(told, Table)[0], "haircut by") == ["the rulebook's"]
    assert column(every(told, Table)[0], "haircut") == [None]
    assert column(every(told, Table)[0], "pledged") == [pytest.approx(3.0)]
