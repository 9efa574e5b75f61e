"""A portfolio as a user meets it on the command line and in a notebook."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import perpkit

Command = Callable[..., Any]
BOTH = """\
[carry]
strategy = "funding_carry"
capital_share = 0.5
params = {lookback_hours = 24}

[quick]
strategy = "funding_carry"
capital_share = 0.25
params = {lookback_hours = 12}
"""


@pytest.fixture
def both(work: Path) -> Path:
    (work / "both.toml").write_text(BOTH, encoding="utf-8")
    return work


def test_a_run_tells_what_each_member_made(inside: Command, both: Path, month: Path) -> None:
    ran = inside(
        *("backtest", "both.toml", "--data", month, "--pure-python", "--to", "2025-10-20"),
        *("--set", "carry.enter_apr=0.05", "--out", "out"),
        cwd=both,
    )
    assert (ran.code, "Where it came from" in ran.out) == (0, True)
    table = ran.out.partition("By member\n")[2].partition("\n\n")[0].splitlines()
    assert [line.split()[0] for line in table] == ["member", "carry", "quick", "crossing"]
    summary = json.loads((both / "out" / "summary.json").read_text())
    manifest = json.loads((both / "out" / "manifest.json").read_text())
    told = pl.read_parquet(both / "out" / "attribution.parquet")
    for member, line in zip(summary["members"], table[1:], strict=False):
        own = told.filter(strategy=member["name"])["usd"].sum()
        assert member["net_usd"] == pytest.approx(own, abs=1e-9)
        assert f"{own:,.2f}" in line
    assert sum(m["net_usd"] for m in summary["members"]) == pytest.approx(
        summary["metrics"]["net_pnl_usd"]["value"], abs=1e-6
    )
    members = manifest["strategy"]["members"]
    assert [(n, m["capital_share"]) for n, m in members.items()] == [
        ("carry", 0.5),
        ("quick", 0.25),
    ]
    assert members["carry"]["params"]["enter_apr"] == 0.05
    assert "crossing" in [assumed["name"] for assumed in manifest["assumptions"]]


def test_a_parameter_of_a_member_that_is_not_there(inside: Command, both: Path) -> None:
    ran = inside("backtest", "both.toml", "--set", "carry.entr_apr=1", cwd=both)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("perpkit: --set carry.entr_apr=1: no setting carry.entr_apr: ")
    assert ran.err.endswith("did you mean carry.enter_apr?\n")


def test_help_and_show_tell_the_parameters_of_the_members(inside: Command, both: Path) -> None:
    for words in (("backtest", "both.toml", "--help"), ("strategy", "show", "both.toml")):
        ran = inside(*words, cwd=both)
        assert ran.code == 0
        assert re.search(r"carry\.lookback_hours +24 ", ran.out)
        assert re.search(r"quick\.lookback_hours +12 ", ran.out)
    shown = json.loads(inside("strategy", "show", "both.toml", "--json", cwd=both).out)
    assert shown["kind"] == "portfolio"
    assert [m["capital_share"] for m in shown["members"]] == [0.5, 0.25]


def test_a_portfolio_is_not_checked_as_one_strategy(inside: Command, both: Path) -> None:
    ran = inside("strategy", "check", "both.toml", cwd=both)
    assert (ran.code, ran.out) == (4, "")
    assert "both.toml: is a portfolio" in ran.err


def test_shares_over_one_are_refused(inside: Command, both: Path) -> None:
    (both / "both.toml").write_text(BOTH.replace("0.25", "0.6"), encoding="utf-8")
    ran = inside("backtest", "both.toml", cwd=both)
    assert (ran.code, ran.out) == (4, "")
    assert ran.err == (
        "perpkit: both.toml: the shares of capital add up to 1.1; they may add up to 1 at most\n"
    )


def test_a_notebook_shows_the_members(both: Path, month: Path) -> None:
    result = perpkit.backtest(
        both / "both.toml", month, config={"end": "2025-10-16"}, pure_python=True
    )
    page = result._repr_html_()
    assert "By member" in page
    assert ">quick<" in page
    plain = perpkit.backtest("cash", month, config={"end": "2025-10-16"}, pure_python=True)
    assert "By member" not in plain._repr_html_()
