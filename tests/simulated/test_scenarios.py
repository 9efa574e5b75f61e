"""Every scenario runs through the built-in carry, and shows there what it is for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import perpkit
from perpkit.errors import RequestError
from perpkit.run import Result
from perpkit.sources.simulated.events import row_of
from perpkit.sources.simulated.hours import lay_hours
from perpkit.sources.simulated.output import simulate
from perpkit.sources.simulated.scenarios import read_scenario, scenario_names, settings_of
from perpkit.units import to_ns

from .conftest import SMALL, START

NAMES = (
    *("base", "bull", "bear", "earnings-gap", "weekend-shock", "funding-flip", "crowding"),
    *("oracle-outage", "wrong-print", "depeg", "redemption-halt", "venue-failure"),
    *("issuer-insolvency", "settlement-fail", "cross-chain-gap", "adl-cascade", "split-week"),
)
# Enters at once and stays, so that what happens finds a position.
STEADY = {"enter_apr": -5.0, "exit_apr": -9.0, "lookback_hours": 24, "gate": False}
XYZ = ("wrong-print",)  # a print shows in a mark that follows the oracle
Play = Callable[..., Result]


@pytest.fixture(scope="module")
def play(tmp_path_factory: pytest.TempPathFactory) -> Play:
    """Play the carry on a scenario's data, with the settings of any scenario."""
    top = tmp_path_factory.mktemp("scenarios")

    @cache
    def data(scenario: str, venue: str) -> Path:
        folder = top / f"{scenario}-{venue}"
        simulate(replace(SMALL, scenario=scenario, venues=(venue,)), folder)
        return folder

    def run(scenario: str, like: str | None = None, **more: Any) -> Result:
        shown = read_scenario(like or scenario)
        config = settings_of(shown, SMALL.stocks) | more
        if shown.rules:
            (top / config["rulebook"]).write_text(shown.rules, encoding="utf-8")
            config["rulebook"] = top / config["rulebook"]
        venue = "xyz" if shown.name in XYZ else "baseline"
        return perpkit.backtest(
            "funding_carry", data(scenario, venue), config=config, params=STEADY
        )

    return run


def number(result: Result, name: str) -> float:
    value = result.summary[name]
    assert isinstance(value, int | float)
    return float(value)


def events(result: Result, kind: str) -> int:
    return len(result.frames["events"].filter(pl.col("kind") == kind))


def both(play: Play, scenario: str, name: str) -> tuple[float, float]:
    """A number of the scenario, and of `base` with its settings."""
    return number(play(scenario), name), number(play("base", scenario), name)


def test_every_scenario_of_the_list_is_there() -> None:
    assert scenario_names() == ["base", *sorted(NAMES[1:])]
    for name in NAMES:
        told = read_scenario(name)
        assert told.title, name
        assert told.says, name
        assert name == "base" or told.watch, name


@pytest.mark.parametrize("name", NAMES)
def test_it_runs_and_its_causes_explain_equity(play: Play, name: str) -> None:
    result = play(name)
    assert number(result, "identity_error_frac") < 1e-9
    assert len(result.frames["fills"]) >= 2


def test_bull_and_bear_pay_and_cost(play: Play) -> None:
    base = number(play("base"), "funding_usd")
    assert number(play("bull"), "funding_usd") > base + 100.0
    assert number(play("bear"), "funding_usd") < base - 100.0


@pytest.mark.parametrize("name", ["earnings-gap", "weekend-shock", "wrong-print"])
def test_a_leap_liquidates_a_thin_margin(play: Play, name: str) -> None:
    told = read_scenario(name)
    hit = lay_hours(to_ns(SMALL.start), 24 * SMALL.days)
    begun = START + timedelta(hours=row_of(told.events[0]["at"], hit, name))
    soon = pl.col("time").is_between(begun, begun + timedelta(hours=60))
    here, base = (
        run.frames["events"].filter(soon & (pl.col("kind") == "liquidation"))
        for run in (play(name), play("base", name))
    )
    assert len(base) == 0
    assert len(here) >= 1


def test_funding_flip_turns_in_the_middle(play: Play) -> None:
    rows = play("funding-flip").frames["funding"]["payment_usd"]
    half = len(rows) // 2
    assert rows[:half].sum() > 0.0 > rows[half:].sum()


def test_crowding_pays_in_few_hours(play: Play) -> None:
    here, base = both(play, "crowding", "funding_usd")
    assert here > base + 300.0


def test_an_oracle_that_stands_still(play: Play) -> None:
    facts, base = play("oracle-outage").facts, play("base").facts
    assert facts["stale_perp_hours"] == 2 * 8
    assert base["stale_perp_hours"] == 0


def test_a_depeg_takes_cash_and_gives_it_back(play: Play) -> None:
    here, base = both(play, "depeg", "max_drawdown_frac")
    assert here < base - 0.05
    here, base = both(play, "depeg", "net_pnl_usd")
    assert here == pytest.approx(base, abs=200.0)


def test_bills_that_cannot_be_redeemed(play: Play) -> None:
    halted, free = play("redemption-halt"), play("redemption-halt", shocks="ignore")
    assert (events(halted, "redeem_refused") >= 1, events(halted, "redeem_sent")) == (True, 0)
    assert (events(free, "redeem_refused"), events(free, "redeem_sent") >= 1) == (0, True)
    assert number(halted, "worst_margin_ratio") > number(free, "worst_margin_ratio")


def test_a_venue_and_an_issuer_that_fail(play: Play) -> None:
    assert number(play("base"), "settlement_usd") == 0.0
    assert number(play("venue-failure"), "settlement_usd") < -10_000.0
    insolvent = play("issuer-insolvency")
    assert number(insolvent, "settlement_usd") < -3_000.0
    assert events(insolvent, "forced_transfer") == 2
    assert number(insolvent, "token_price_usd") < number(play("base"), "token_price_usd") - 3_000.0


def test_settlement_fails_by_the_settings_of_the_run(play: Play) -> None:
    result = play("settlement-fail")
    assert events(result, "settlement_sent") > 0
    assert events(result, "leg_waits") + events(result, "unwound") > 0


def test_another_chain_costs(play: Play) -> None:
    here = number(play("cross-chain-gap"), "slippage_usd")
    assert here < number(play("base"), "slippage_usd") - 300.0
    seen, usual = (
        run.frames["equity"]["token_price_usd"].cum_sum()
        for run in (play("cross-chain-gap"), play("base", "cross-chain-gap"))
    )
    assert (seen - usual).abs().max() > 100.0, "the tokens leave what they stand for"


def test_a_crash_closes_the_shorts(play: Play) -> None:
    here, base = both(play, "adl-cascade", "adls")
    assert (here, base) == (4, 0)


def test_split_week_settles_the_market_and_pays_a_dividend(play: Play) -> None:
    result = play("split-week")
    assert events(result, "market_settled") == 1
    again = result.frames["fills"].filter(pl.col("instrument") == "sim:NVDA").sort("time")
    ratio = again["px"].shift(1) / again["px"]
    assert ratio.max() == pytest.approx(10.0, rel=0.05), "it opens in new units"
    equity = result.frames["equity"]
    worst = equity.select(pl.col("equity_usd").pct_change().abs().max()).item()
    assert worst < 0.02, "a split is worth nothing"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("set = 3", "set was 3; write a table, [set]"),
        ("events = 3", "events was 3; write tables, [[events]]"),
        ("shocks = [1]", "shocks was [1]; write tables, [[shocks]]"),
        ("[stocks]\nNVDA = 3", "stocks.NVDA was 3; write [stocks.NVDA]"),
        ("[stocks.NVDA]\nscale = 'x'", "stocks.NVDA: scale was 'x'; write a number"),
        ("[[events]]\nwhat = 'jump'\nsize = 'x'", "event 1: size was 'x'; write a number"),
        ("[[events]]\nat = { share = 'half' }", "event 1: at: share was 'half'; write a number"),
        ("[[shocks]]\nkind = 'adl'\nvalue = nan", "shock 1: value was nan; write a number"),
        ("[[shocks]]\nvalue = 1", "shock 1: kind was None; write kind = "),
    ],
)
def test_a_file_of_other_forms_is_refused(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "mine.toml").write_text(text, encoding="utf-8")
    with pytest.raises(RequestError) as caught:
        read_scenario(str(tmp_path / "mine.toml"))
    assert says in str(caught.value)
