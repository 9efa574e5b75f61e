"""docs/strategies/: a page a shipped strategy, its parameters, its tables and the runs behind."""

from __future__ import annotations

import re
import runpy
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import perpkit
from perpkit.strategy.load import load

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "strategies"
SHIPPED = sorted(file.stem for file in (ROOT / "strategies").glob("*.py"))
POOL = {"pairs": {"xyz:NVDA": "NVDAB"}, "token_way": {"NVDAB": "dex"}, "token_fee_frac": 0.0025}


@pytest.fixture(scope="module")
def script() -> SimpleNamespace:
    return SimpleNamespace(**runpy.run_path(str(FOLDER / "make.py"), run_name="strategies"))


def rows_after(page: str, head: str) -> list[list[str]]:
    """Cells of the table whose first line begins so."""
    text = (FOLDER / f"{page}.md").read_text(encoding="utf-8")
    found = re.search(rf"^{re.escape(head)}.*\n\|.*\n((?:\|.*\n)+)", text, re.MULTILINE)
    lines = found[1].splitlines() if found else []
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]


@pytest.mark.parametrize("name", SHIPPED)
def test_the_page_tells_every_parameter_and_its_default(name: str) -> None:
    told = [row[:2] for row in rows_after(name, "| parameter | default |")]
    known = load(str(ROOT / "strategies" / f"{name}.py")).parameters
    assert told == [[f"`{p.name}`", str(p.default).lower()] for p in known]


# --------------------------------------------------------------------------- simulated years


@pytest.mark.parametrize("page", ["weekend_basis.md", "funding_carry.md"])
def test_tables_are_those_of_the_runs(script: SimpleNamespace, page: str) -> None:
    text = (FOLDER / page).read_text(encoding="utf-8")
    assert set(re.findall(r"<!-- made: (\w+) -->", text)) == set(script.MADE[page])
    assert script.filled(page, text, script.read()) == text, "run docs/strategies/make.py --tables"


def test_every_run_is_kept(script: SimpleNamespace) -> None:
    wanted = {
        (y, s, p) for y, told in script.YEARS.items() for s in script.SEEDS for p in told.plays
    }
    assert set(script.read()) == wanted
    assert len(script.SEEDS) >= 30


def test_the_prose_is_what_the_runs_say(script: SimpleNamespace) -> None:
    rows = script.read()
    weekends = script.years_of(script.WEEKEND)
    for year in weekends:
        sunday, monday = (script.of(rows, year, play, "worst_usd") for play in script.WEEKEND)
        assert 1.8 < min(monday) / min(sunday) < 2.2  # "twice"
        for play in script.WEEKEND:
            lost, trades = (sum(script.of(rows, year, play, c)) for c in ("lost", "trades"))
            assert 0.45 < lost / trades < 0.56  # "about half"
            price = [script.median(script.of(rows, year, play, c)) for c in script.CAUSES]
            assert abs(price[1]) == min(map(abs, price))  # funding, "the smallest part"
            gained = sum(net > 0 for net in script.of(rows, year, play))
            low, high = {"base": (0, 14), "weekends -20 bp": (16, 30)}.get(year, (13, 17))
            assert low <= gained <= high
    for year in script.years_of(script.CARRY):
        assert min(script.minus(rows, year, "carry", "cash")) > 0
        assert min(script.minus(rows, year, "carry", "one rate")) > 0  # "no seed"
    bills = script.CAPITAL * script.BILL_APR
    assert sum(n < bills for n in script.of(rows, "funding-flip", "carry")) == 15  # "half"
    assert 22 <= sum(n < bills for n in script.of(rows, "base", "carry")) <= 23  # "three of four"


@pytest.mark.parametrize(("year", "seed"), [("weekends -20 bp", 3), ("funding-flip", 8)])
def test_a_year_played_again_is_what_was_kept(
    script: SimpleNamespace, tmp_path: Path, year: str, seed: int
) -> None:
    kept = script.read()
    for play, row in script.played(year, seed, tmp_path / "year"):
        # A cent and a little, for what rounds the other way elsewhere.
        assert row == pytest.approx(kept[year, seed, play], abs=0.021), play


# --------------------------------------------------------------------------- the recorded weekend


@pytest.mark.shared
def test_the_recorded_weekend_is_as_told(shared_data: Path) -> None:
    made = [
        [trade, leave, *recorded(shared_data / "xyz-2026-08", trade, leave)]
        for trade in ("fade", "hedged")
        for leave in ("Sunday 20:00", "Monday 09:30")
    ]
    assert rows_after("weekend_basis", "| trade | exit | prices |") == made


def recorded(data: Path, trade: str, leave: str) -> list[str]:
    config: dict[str, Any] = {"coins": ["xyz:NVDA"], "end": datetime(2026, 8, 18, tzinfo=UTC)}
    params = {"enter_frac": 0.001, "exit_at_cash_open": leave.startswith("Monday")}
    if trade == "hedged":
        config, params = config | POOL, params | {"fade": False, "gate": False}
    run = perpkit.backtest("weekend_basis", data, params=params, config=config, pure_python=True)
    if trade == "hedged":
        gated = params | {"gate": True}
        kept = perpkit.backtest(
            "weekend_basis", data, params=gated, config=config, pure_python=True
        )
        assert kept.summary["fills"] == 0
    told = run.summary
    names = ("funding_usd", "fees_usd", "slippage_usd", "net_pnl_usd")
    values = [told["perp_price_usd"] + told["token_price_usd"], *(told[n] for n in names)]
    return [f"{value:.2f}".replace("-", "−") for value in values]
