"""Panels of a played run in which margin is called, trades fail and a short is liquidated."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

import perpkit
from perpkit.report.panel import Chart, Table
from perpkit.report.panels import assumptions, collateral, manifest, margin, positions, settlement
from perpkit.report.reading import Run, run_of
from perpkit.sources.simulated.output import simulate
from perpkit.sources.simulated.world import Request

from .small import cards, column, every, traces, unpacked

WORLD = """\
title = "a leap"
says = "The first stock leaps on an evening."

[[events]]
what = "jump"
stock = "first"
at = { share = 0.5, row = "evening" }
size = 0.35
"""
USTB = Path(__file__).parents[2] / "docs" / "squeeze" / "ustb.toml"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Forty days of two shares, with thin margin, half of it in Treasury tokens."""
    folder = tmp_path_factory.mktemp("hard")
    (folder / "leap.toml").write_text(WORLD, encoding="utf-8")
    start = datetime(2026, 3, 2, tzinfo=UTC)
    told = Request(
        str(folder / "leap.toml"),
        stocks=("NVDA", "TSLA"),
        days=40,
        seed=11,
        start=start,
        venues=("xyz",),
    )
    simulate(told, folder / "data")
    late = {"mode": "sequential", "fail_prob": 0.5, "retry_fail_prob": 1.0}
    config = {
        "margin_share": 0.1,
        "topup_at_ratio": 0.4,
        "topup_to_ratio": 0.2,
        "transfer_hours": 3,
        "redeem": True,
        "rulebook": str(USTB),
        "collateral": {"USTB": {"share": 0.5, "wallet_share": 0.6, "apr": 0.0375}},
        "terms": {"collateral": "USDC, USTB"},
        "token_settlement": {"TSLAx": late},
        "seed": 5,
    }
    params = {
        "enter_apr": 0.0,
        "exit_apr": -2.0,
        "notional_usd": 18_000.0,
        "max_gross_frac": 0.9,
        "lookback_hours": 24,
        "hold_hours": 8_000,
    }
    return run_of(
        perpkit.backtest("funding_carry", folder / "data", config=config, params=params), "hard"
    )


def kinds(run: Run) -> dict[str, int]:
    return dict(run.frames["events"].group_by("kind").len().iter_rows())


def test_the_run_is_as_hard_as_these_tests_need(run: Run) -> None:
    told = kinds(run)
    assert told["liquidation"] >= 1
    assert told["transfer_sent"] >= 1
    assert told["unwound"] >= 1
    assert told["redeem_sent"] >= 1


def test_margin_says_what_the_summary_says(run: Run) -> None:
    panel = margin.panel(run)
    accounts, events = every(panel, Table)
    assert max(column(accounts, "worst ratio")) == run.metric("worst_margin_ratio")
    assert min(column(accounts, "nearest")) == run.metric("min_liquidation_distance_frac")
    closed = [kinds(run).get(kind, 0) for kind in ("liquidation", "partial", "backstop")]
    assert sum(column(accounts, "forced closes")) == sum(closed)
    assert column(events, "event").count("liquidated") == kinds(run)["liquidation"]
    assert panel.lead.startswith("Liquidated: ")


def test_positions_add_up_to_what_the_equity_frame_says(run: Run) -> None:
    stack = traces(every(positions.panel(run), Chart)[0])
    gross = sum(abs(unpacked(trace["y"])[-1]) for trace in stack.values())
    assert gross == pytest.approx(run.frames["equity"]["gross_usd"][-1], rel=1e-5)


def test_every_transfer_redemption_and_trade_is_in_the_table(run: Run) -> None:
    table = every(settlement.panel(run), Table)[0]
    told, found = kinds(run), column(table, "what")
    assert found.count("transfer") == told["transfer_sent"]
    assert found.count("redemption") == told["redeem_sent"]
    assert found.count("trade") == told["settlement_sent"]
    ended = column(table, "outcome")
    assert ended.count("undone") == told["unwound"]
    assert ended.count("settled") == told.get("settled", 0)
    fills = run.frames["fills"].filter(pl.col("settlement_id").is_not_null())
    ids = [told for told in column(table, "id") if told is not None]
    assert sorted(ids) == sorted(fills["settlement_id"].unique().to_list())


def test_places_of_money_add_up_to_equity_less_the_hedge(run: Run) -> None:
    drawn = traces(every(collateral.panel(run), Chart)[0])
    last = {name: unpacked(trace["y"])[-1] for name, trace in drawn.items()}
    tokens = sum(value for name, value in last.items() if name.startswith("USTB"))
    end = run.frames["positions"].filter(pl.col("time") == run.frames["equity"]["time"][-1])
    held = end.filter(pl.col("instrument") == "USTB")["value_usd"].sum()
    assert tokens == pytest.approx(held, rel=1e-5)
    cash = sum(value for name, value in last.items() if name.startswith("cash"))
    assert cash == pytest.approx(run.frames["equity"]["cash_usd"][-1], rel=1e-5)
    table = every(collateral.panel(run), Table)[0]
    assert column(table, "yield") == [pytest.approx(run.metric("collateral_yield_usd"))]
    assert column(table, "haircut") == [0.05]


def test_every_term_assumption_and_setting_is_told(run: Run) -> None:
    told = cards(assumptions.panel(run))
    terms = sum(int(card.value) for name, card in told.items() if name.startswith("Terms"))
    assert terms == len(run.manifest["terms"])
    assert int(told["Warnings"].value) == len(run.manifest["warnings"])
    assert "13 settings differ" in manifest.panel(run).lead
