"""What a hedge of NVDA costs that is entered on a Saturday, and what waiting costs, as told."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import perpkit
from perpkit.research import breakeven_days

pytestmark = pytest.mark.shared

PAGE = Path(__file__).resolve().parents[1] / "docs" / "ways.md"
USD = 10_000.0
ENTER = '''
"""Enter one hedged position at an hour, in one token or half in each of two."""
from perpkit.strategy import field


class Params:
    hour: int = field(0, ge=0, le=1000, unit="h", help="hour of the entry")
    usd: float = field(10000.0, ge=0, unit="USD", help="size")
    both: int = field(0, ge=0, le=1, help="half in each token")


class Memory:
    on: bool


def decide(t, past, book, p, mine, target):
    if t != p.hour:
        return
    units = int(p.usd / past.mark_px[-1, 0] * 1000.0) / 1000.0
    k = book.perps[0].token
    target.perps[0] = -units
    target.tokens[k] = units / 2.0 if p.both == 1 else units
    if p.both == 1:
        target.tokens[1 - k] = units / 2.0
'''
BROKER = {"pairs": {"xyz:NVDA": "NVDA.RH"}}
POOL = {"token_way": {"NVDAB": "dex"}, "token_fee_frac": 0.0025}
CASES: dict[str, dict[str, Any]] = {
    "`NVDA.RH`, waits": BROKER,
    "`NVDA.RH`, frozen": BROKER | {"trade_frozen_quotes": True},
    "`NVDAB`": POOL | {"pairs": {"xyz:NVDA": "NVDAB"}},
    "half of each": POOL | BROKER | {"tokens": ["NVDAB"], "pair": "each"},
}


@pytest.fixture(scope="module")
def entered(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Decided on Saturday 04:00 UTC, hours after quotes froze, and held to Tuesday 20:00."""
    file = tmp_path_factory.mktemp("strategies") / "enter.py"
    file.write_text(ENTER, encoding="utf-8")
    span = {"start": datetime(2026, 8, 14, 18, tzinfo=UTC), "coins": ["xyz:NVDA"]}
    span["end"] = datetime(2026, 8, 18, 20, tzinfo=UTC)
    return {
        name: perpkit.backtest(
            file,
            data=shared_data / "xyz-2026-08",
            params={"hour": 10, "usd": USD, "both": int("tokens" in config)},
            config={**span, **config},
            pure_python=True,
        )
        for name, config in CASES.items()
    }


def told(result: perpkit.Result) -> list[str]:
    """Hours of the fills, and costs and funding in basis points of the notional."""
    equity, fills = result.frames["equity"], result.frames["fills"]
    hours = dict.fromkeys(time.strftime("%A %H:%M") for time in fills["time"])
    bp = {c: float(equity[f"{c}_usd"].sum()) / USD * 1e4 for c in ("slippage", "fees", "funding")}
    return [", ".join(hours), *(f"{value:.1f}" for value in bp.values())]


def test_the_page_tells_what_was_played(entered: dict[str, Any]) -> None:
    text = PAGE.read_text(encoding="utf-8").partition("## A weekend entry")[2]
    rows = [
        [c.strip() for c in row.split("|")[1:-1]] for row in re.findall(r"^\|.*\|$", text, re.M)
    ]
    assert rows[2:] == [[name, *told(entered[name])] for name in CASES]


def test_the_days_of_carry_that_the_page_tells(entered: dict[str, Any]) -> None:
    words = " ".join(PAGE.read_text(encoding="utf-8").split())
    found = {n: [float(x) for x in told(result)[1:]] for n, result in entered.items()}
    cost = [-sum(found[name][:2]) for name in list(CASES)[1:]]
    days = [round(breakeven_days(bp / 1e4, 0.05475)) for bp in cost]
    assert f"a year that is {days[0]}, {days[1]} and {days[2]} days of carry" in words
    assert all(f"{round(bp)} bp" in words for bp in cost)


def test_waiting_costs_the_funding_of_the_hours_waited(entered: dict[str, Any]) -> None:
    first, late = (
        entered[name].frames["equity"] for name in ("`NVDA.RH`, frozen", "`NVDA.RH`, waits")
    )
    fills = entered["`NVDA.RH`, waits"].frames["fills"]
    opened = fills["time"][0]
    waited = first.filter(first["time"] <= opened)["funding_usd"].sum()
    assert late["funding_usd"].sum() == pytest.approx(first["funding_usd"].sum() - waited)
    assert 2.0 < waited < 3.0


def test_a_pool_fills_at_its_product(entered: dict[str, Any], shared_data: Path) -> None:
    import polars as pl

    fill = entered["`NVDAB`"].frames["fills"].row(0, named=True)
    quotes = pl.read_parquet(shared_data / "xyz-2026-08" / "tokens.parquet")
    own = quotes.filter((quotes["token"] == "NVDAB") & (quotes["time"] == fill["time"]))
    mid, liquidity = own["bid_px"][0], own["liquidity_usd"][0]
    tokens, dollars = liquidity / 2 / mid, liquidity / 2
    paid = tokens * dollars / (tokens - fill["size"]) - dollars
    assert fill["px"] == pytest.approx(paid / fill["size"])
    assert (fill["way"], fill["settlement_id"]) == ("dex", None)
