"""Whose a fill, a restatement or a loss is: each rule by a case that no other rule would give."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from perpkit.run import Result

from .test_subbooks import FLAT, caused, check_sums, played, portfolio, signed
from .twovenues import COINS, HOURS, TOKEN, at, write_market

XYZ, OKX = range(2)  # the coins; the first is paired with the token
LOOK = """\
def decide(t, past, book, p, mine, target):
    if t == 50:
        equity = 0.0
        for a in range(len(book.accounts)):
            equity += book.accounts[a].equity_usd
        target.tokens[0] = equity / 1e3
"""
PAIR = """\
from perpkit.strategy import field


class Params:
    row: int = field(2)
    until: int = field(1_000)
    units: float = field(20.0)


def decide(t, past, book, p, mine, target):
    if t == p.row or t == p.until:
        units = p.units if t == p.row else 0.0
        target.perps[0] = -units
        target.tokens[0] = units
"""


def held(result: Result, row: int) -> dict[tuple[str, str], float]:
    """Units by member and instrument at the end of a row."""
    own = result.frames["positions"].filter(pl.col("time") == at(row))
    return {(s, i): u for s, i, u in own.select("strategy", "instrument", "position").rows()}


def two(folder: Path, data: Path, a: dict[str, Any], b: dict[str, Any], **config: Any) -> Result:
    """The run of two members."""
    result = played(
        portfolio(folder, ("a", "steps", 0.5, a), ("b", "steps", 0.4, b)), data, **config
    )
    check_sums(result)
    return result


def test_a_split_restates_each_member_whatever_the_net(tmp_path: Path) -> None:
    px = np.where(np.arange(HOURS) < 50, 100.0, 50.0)
    data = write_market(tmp_path / "data", px, 0.0, ((50, "split", 2.0),))
    result = two(tmp_path, data, {"which": OKX, "units": 30.0}, {"which": OKX, "units": -10.0})
    coin = COINS[OKX]
    assert held(result, 49) == {("a", coin): 30.0, ("b", coin): -10.0}
    assert held(result, 50) == {("a", coin): 60.0, ("b", coin): -20.0}
    new = signed(result.frames["fills"]).filter(reason="action")
    assert new.select("strategy", "size").rows() == [("a", 30.0), ("b", -10.0)]
    assert caused(result, "a", "perp_price") == pytest.approx(0.0, abs=1e-9)


def test_a_forced_close_is_of_those_on_its_side_and_withdraws_every_target(tmp_path: Path) -> None:
    """Half of the net of 20 is closed against the long, who is not bought back by the other's."""
    data = write_market(tmp_path / "data", FLAT, 0.0, (), ((30, "adl", COINS[OKX], 0.5),))
    a, b = {"which": OKX, "units": 30.0}, {"which": OKX, "units": -10.0, "until": 40}
    result = two(tmp_path, data, a, b)
    assert held(result, 35) == {("a", COINS[OKX]): 20.0, ("b", COINS[OKX]): -10.0}
    assert held(result, 60) == {("a", COINS[OKX]): 20.0}
    forced = result.frames["fills"].filter(reason="adl")
    assert forced.select("strategy", "side", "size").rows() == [("a", "sell", 10.0)]


def test_what_a_member_pays_is_not_its_neighbours(tmp_path: Path) -> None:
    """One moves with price and funding and pays for fills; the other has its 40% still."""
    px = np.where(np.arange(HOURS) < 20, 100.0, 103.0)
    data = write_market(tmp_path / "data", px, 0.001)
    (tmp_path / "look.py").write_text(LOOK, encoding="utf-8")
    busy = ("a", "steps", 0.5, {"which": XYZ, "units": 200.0, "until": 45})
    result = played(portfolio(tmp_path, busy, ("b", "look", 0.4, {})), data)
    check_sums(result)
    for cause in ("funding", "perp_price", "fees", "slippage"):
        assert abs(caused(result, "a", cause)) > 10.0
    assert held(result, 60) == {("b", TOKEN): pytest.approx(40.0, rel=1e-12)}


def test_a_debt_is_of_whom_was_liquidated(tmp_path: Path) -> None:
    px = np.where(np.arange(HOURS) < 30, 100.0, 30.0)
    data = write_market(tmp_path / "data", px)
    result = two(
        tmp_path,
        data,
        {"which": XYZ, "row": 2, "units": 150.0},
        {"which": OKX, "row": 2, "units": 1.0},
        capital=10_000.0,
    )
    assert "liquidation" in set(result.frames["fills"]["reason"])
    assert held(result, 29)["a", COINS[XYZ]] == 150.0
    assert caused(result, "a", "bad_debt") > 100.0
    assert (caused(result, "b", "bad_debt"), caused(result, "", "bad_debt")) == (0.0, 0.0)


def test_nothing_crosses_on_a_coin_that_may_not_be_entered(tmp_path: Path) -> None:
    px = np.where(np.arange(HOURS) < 30, 100.0, 60.0)
    data = write_market(tmp_path / "data", px)
    members = [
        ("long", "steps", 0.4, {"which": XYZ, "row": 2, "units": 200.0}),
        ("up", "steps", 0.3, {"which": XYZ, "row": 50, "units": 5.0}),
        ("down", "steps", 0.3, {"which": XYZ, "row": 50, "units": -5.0}),
    ]
    data_of = {"capital": 10_000.0}
    result = played(portfolio(tmp_path, *members), data, **data_of)
    check_sums(result)
    assert "liquidation" in set(result.frames["fills"]["reason"])
    assert result.frames["fills"].filter(way="cross").is_empty()
    free = played(portfolio(tmp_path, *members), data, after_liquidation="resume", **data_of)
    assert free.frames["fills"].filter(way="cross").height == 2


@pytest.mark.parametrize("pair", ["together", "each"])
def test_a_hedge_crosses_in_both_legs_or_in_neither(tmp_path: Path, pair: str) -> None:
    """The token's quote is dead in rows 20 to 29; the pair is asked for in row 22."""
    data = write_market(tmp_path / "data", FLAT)
    tokens = pl.read_parquet(data / "tokens.parquet").with_row_index("row")
    halted = pl.col("row").is_between(20, 29)
    tokens.with_columns(halted=halted).drop("row").write_parquet(data / "tokens.parquet")
    (tmp_path / "pair.py").write_text(PAIR, encoding="utf-8")
    alone = {"which": XYZ, "row": 22, "units": 20.0}
    members = (("hedged", "pair", 0.5, {"row": 22}), ("alone", "steps", 0.4, alone))
    result = played(portfolio(tmp_path, *members), data, pair=pair)
    check_sums(result)
    crossed = result.frames["fills"].filter(way="cross")
    assert set(crossed["instrument"]) == {COINS[XYZ]}
    assert set(crossed["time"]) == {at(30 if pair == "together" else 23)}
    assert held(result, 30)["hedged", TOKEN] == 20.0
