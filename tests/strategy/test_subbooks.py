"""Several strategies in one book: by hand, against plain runs, and random ones that must add up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

import perpkit
from perpkit.codes import CAUSES
from perpkit.run import Result

from .twovenues import COINS, HOURS, SETTINGS, TOKEN, at, write_market

# One file for all members: what it asks for is its parameters'.
STEPS = """\
from perpkit.strategy import field


class Params:
    which: int = field(0, ge=0, le=2)
    row: int = field(2)
    units: float = field(0.0)
    until: int = field(1_000)


def decide(t, past, book, p, mine, target):
    units = p.units if t == p.row else 0.0
    if t == p.row or t == p.until:
        if p.which < 2:
            target.perps[p.which] = units
        else:
            target.tokens[0] = units
"""
# Sizes by its own equity and position, and remembers.
SIZING = """\
from perpkit.strategy import equity_usd, field, lots


class Params:
    share: float = field(0.3)
    every: int = field(7, ge=1)


class Memory:
    calls: int


def decide(t, past, book, p, mine, target):
    for m in range(len(book.perps)):
        mine[m].calls += 1
        perp = book.perps[m]
        if mine[m].calls % p.every == 0 and perp.mark_px > 0.0:
            units = lots(p.share * equity_usd(book) / perp.mark_px, perp.lots_per_unit)
            target.perps[m] = units if perp.position <= 0.0 else -units
"""
RANDOM = """\
import numpy as np

from perpkit.strategy import field


class Params:
    draw: int = field(0)
    most: float = field(40.0)


def targets(tape, p):
    rng = np.random.default_rng(p.draw)
    rows, coins = len(tape.past.time_ns), len(tape.coins)
    made = rng.integers(-10, 11, (rows, coins + len(tape.tokens))) / 10.0 * p.most
    made[:, coins:] = np.abs(made[:, coins:])
    made[rng.random(made.shape) < 0.8] = np.nan
    return made
"""
MEMBER = '[{name}]\nstrategy = "{file}"\ncapital_share = {share}\nparams = {{{params}}}\n'
FLAT = np.full(HOURS, 100.0)


def portfolio(folder: Path, *members: tuple[str, str, float, dict[str, Any]]) -> Path:
    """A portfolio's file, beside the strategies it may name."""
    for name, text in (("steps", STEPS), ("sizing", SIZING), ("dice", RANDOM)):
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
    made = folder / "both.toml"
    made.write_text(
        "".join(
            MEMBER.format(
                name=name,
                file=f"{file}.py",
                share=share,
                params=", ".join(f"{key} = {value!r}" for key, value in params.items()),
            )
            for name, file, share, params in members
        ),
        encoding="utf-8",
    )
    return made


def played(file: Path, data: Path, pure: bool = True, **config: Any) -> Result:
    return perpkit.backtest(file, data, config=SETTINGS | config, pure_python=pure)


def caused(result: Result, strategy: str, cause: str) -> float:
    own = result.frames["attribution"].filter(strategy=strategy, cause=cause)
    return float(own["usd"].sum())


def signed(fills: pl.DataFrame) -> pl.DataFrame:
    side = pl.when(pl.col("side") == "buy").then(1.0).otherwise(-1.0)
    return fills.with_columns(size=side * pl.col("size"))


def check_sums(result: Result) -> None:
    """What holds of every portfolio."""
    equity, told = result.frames["equity"], result.frames["attribution"]
    by_cause = told.group_by("time", "cause").agg(pl.col("usd").sum())
    for cause in CAUSES:
        own = by_cause.filter(cause=cause).select("time", "usd")
        both = equity.select("time", "equity_usd", f"{cause}_usd").join(own, "time", how="left")
        off = (both["usd"].fill_null(0.0) - both[f"{cause}_usd"]).abs()
        scale = np.maximum(both["equity_usd"].to_numpy(), 1_000.0)
        assert float((off / scale).max()) < 1e-9, cause
    fills = signed(result.frames["fills"])
    crosses = fills.filter(way="cross")
    summed = crosses.group_by("time", "instrument").agg(pl.col("size").sum())
    assert summed["size"].abs().max() is None or summed["size"].abs().max() < 1e-9
    assert crosses["fee_usd"].sum() == 0.0
    assert crosses["slippage_usd"].abs().sum() == 0.0
    assert float(told.filter(strategy="crossing")["usd"].min() or 0.0) >= -1e-9


# --------------------------------------------------------------------------- by hand


def test_a_part_crosses_and_the_rest_goes_to_the_book(tmp_path: Path) -> None:
    """100 USD throughout; fee 0.1%, half-spread and slippage 0.1%; a buys 30, b sells 10.

    In row 3 ten units cross at 100, and twenty are bought at 100.10: fee 0.1001 a unit. b sells
    alone at 99.90, with a fee of 0.0999 a unit; a would have paid for its ten as for the others.
    """
    data = write_market(tmp_path / "data", FLAT, 0.0001)
    a = {"which": 0, "row": 2, "units": 30.0}
    b = {"which": 0, "row": 2, "units": -10.0}
    result = played(portfolio(tmp_path, ("a", "steps", 0.5, a), ("b", "steps", 0.3, b)), data)
    check_sums(result)
    fills = signed(result.frames["fills"])
    rows = fills.select("strategy", "way", "size", "px").rows()
    assert rows == [
        ("a", "book", 20.0, pytest.approx(100.1)),
        ("a", "cross", 10.0, 100.0),
        ("b", "cross", -10.0, 100.0),
    ]
    assert set(fills["time"]) == {at(3)}
    assert set(fills["decided_at"]) == {at(2)}
    assert caused(result, "a", "fees") == pytest.approx(-30 * 0.1001)
    assert caused(result, "b", "fees") == pytest.approx(-10 * 0.0999)
    assert caused(result, "a", "slippage") == pytest.approx(-3.0)
    assert caused(result, "b", "slippage") == pytest.approx(-1.0)
    assert caused(result, "crossing", "fees") == pytest.approx(10 * 0.1001 + 10 * 0.0999)
    assert caused(result, "crossing", "slippage") == pytest.approx(2.0)
    # 0.01% of 3,000 and of 1,000 USD, from row 4 to row 95.
    assert caused(result, "a", "funding") == pytest.approx(-0.3 * 92)
    assert caused(result, "b", "funding") == pytest.approx(0.1 * 92)
    assert result.summary["volume_usd"] == pytest.approx(20 * 100.1)
    assert result.summary["fills"] == 1
    held = result.frames["positions"].filter(pl.col("time") == at(10))
    assert dict(held.select("strategy", "position").rows()) == {"a": 30.0, "b": -10.0}


def test_opposite_members_never_reach_the_market(tmp_path: Path) -> None:
    px = 100.0 + np.sin(np.arange(HOURS))
    data = write_market(tmp_path / "data", px, 0.0002)
    up = {"which": 1, "row": 5, "units": 12.0, "until": 60}
    result = played(
        portfolio(
            tmp_path, ("up", "steps", 0.5, up), ("down", "steps", 0.5, up | {"units": -12.0})
        ),
        data,
    )
    check_sums(result)
    assert set(result.frames["fills"]["way"]) == {"cross"}
    assert set(result.frames["equity"]["equity_usd"]) == {100_000.0}
    assert (result.summary["fills"], result.summary["volume_usd"]) == (0, 0.0)
    assert result.frames["funding"].is_empty()
    for cause in ("perp_price", "funding"):
        assert caused(result, "up", cause) == pytest.approx(-caused(result, "down", cause))
        assert caused(result, "up", cause) != 0.0
    # What both would have paid, each in a run of its own.
    for cause in ("fees", "slippage"):
        alone = 0.0
        for units in (12.0, -12.0):
            own = portfolio(tmp_path, ("one", "steps", 0.5, up | {"units": units}))
            alone += played(own, data).summary[f"{cause}_usd"]
        assert caused(result, "crossing", cause) == pytest.approx(-alone, rel=1e-12)


def test_tokens_cross_at_their_fair_price_where_they_are_quoted(tmp_path: Path) -> None:
    data = write_market(tmp_path / "data", FLAT)
    buy = {"which": 2, "row": 2, "units": 50.0}
    first = ("first", "steps", 0.4, buy | {"until": 20})
    result = played(
        portfolio(tmp_path, first, ("second", "steps", 0.4, buy | {"row": 20, "units": 30.0})), data
    )
    check_sums(result)
    late = signed(result.frames["fills"]).filter(pl.col("time") > at(10))
    assert late.select("strategy", "way", "size").rows() == [
        ("first", "quote", -20.0),
        ("first", "cross", -30.0),
        ("second", "cross", 30.0),
    ]
    assert set(late.filter(way="cross")["px"]) == {100.0}
    assert caused(result, "crossing", "fees") > 0.0


# --------------------------------------------------------------------------- against plain runs


@pytest.mark.parametrize("file", ["steps", "sizing", "dice"])
def test_one_member_with_all_the_capital_is_the_plain_run(tmp_path: Path, file: str) -> None:
    rng = np.random.default_rng(5)
    px = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.01, HOURS)))
    data = write_market(tmp_path / "data", px, rng.normal(0.0, 1e-4, HOURS))
    params = {"units": 10.0} if file == "steps" else {}
    own = played(portfolio(tmp_path, ("all", file, 1.0, params)), data)
    plain = perpkit.backtest(
        tmp_path / f"{file}.py", data, params=params, config=SETTINGS, pure_python=True
    )
    assert plain.frames["fills"].height > 0
    for name in ("equity", "accounts", "funding", "events"):
        assert_frame_equal(own.frames[name], plain.frames[name], check_exact=True)
    for name in ("fills", "positions", "attribution"):
        a, b = (r.frames[name].drop("strategy") for r in (own, plain))
        assert_frame_equal(a, b, abs_tol=1e-9, rel_tol=1e-12)
    assert set(own.frames["attribution"]["strategy"]) == {"all"}


def test_equal_members_are_halves_of_the_plain_run(tmp_path: Path) -> None:
    data = write_market(tmp_path / "data", 100.0 + np.cos(np.arange(HOURS)), 0.0001)
    half = ("sizing", 0.5, {})
    both = played(portfolio(tmp_path, ("a", *half), ("b", *half)), data)
    check_sums(both)
    plain = perpkit.backtest(tmp_path / "sizing.py", data, config=SETTINGS, pure_python=True)
    a, b = (both.frames["positions"].filter(strategy=n).drop("strategy") for n in "ab")
    assert a.height > 100
    assert_frame_equal(a, b)
    # Each rounds to lots of 0.1 on its own: the halves miss the whole by a lot at most.
    gap = both.frames["equity"]["equity_usd"] - plain.frames["equity"]["equity_usd"]
    assert float(gap.abs().max()) < 1.0


def test_compiled_members_give_the_same_numbers(tmp_path: Path) -> None:
    rng = np.random.default_rng(8)
    px = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.01, HOURS)))
    px[50:] /= 2.0
    data = write_market(tmp_path / "data", px, 1e-4, ((50, "split", 2.0),))
    file = portfolio(
        tmp_path,
        ("a", "sizing", 0.4, {}),
        ("b", "steps", 0.2, {"which": 1, "units": -33.0}),
        ("c", "dice", 0.3, {"draw": 3}),
    )
    plain, compiled = played(file, data), played(file, data, pure=False, chunk_rows=31)
    check_sums(plain)
    assert plain.frames["fills"].filter(way="cross").height > 0
    for name, frame in plain.frames.items():
        assert_frame_equal(frame, compiled.frames[name], check_exact=True)


def test_members_see_their_own_part_of_the_account(tmp_path: Path) -> None:
    """Each writes what it sees into its target of the token, in thousandths of a unit."""
    data = write_market(tmp_path / "data", FLAT)
    file = portfolio(tmp_path, ("a", "steps", 0.6, {"units": 20.0}), ("b", "look", 0.3, {}))
    look = "def decide(t, past, book, p, mine, target):\n    if t > 3:\n"
    look += "        target.tokens[0] = (book.accounts[0].equity_usd\n"
    look += "            + book.accounts[1].equity_usd + book.accounts[2].equity_usd) / 1e3\n"
    look += "        if book.perps[0].position != 0.0 or book.perps[0].entry_px != 0.0:\n"
    look += "            raise ValueError('somebody else is shown')\n"
    (tmp_path / "look.py").write_text(look, encoding="utf-8")
    result = played(file, data)
    check_sums(result)
    units = result.frames["positions"].filter(instrument=TOKEN)
    assert set(units["strategy"]) == {"b"}
    # 30% of the capital; a's fees and slippage are its own.
    assert units["position"][0] == pytest.approx(30.0, rel=1e-12)


# --------------------------------------------------------------------------- random ones


def wild(folder: Path, seed: int) -> Result:
    """Three random members over a market with a split, a failing venue and calls it cannot meet."""
    rng = np.random.default_rng(seed)
    px = 100.0 * np.exp(np.cumsum(rng.normal(0.0, (0.02, 0.04)[seed % 2], HOURS)))
    actions: tuple[tuple[float, str, float], ...] = ((20, "dividend", 0.4),)
    if seed % 2:
        actions += ((50, "split", 2.0),)
        px[50:] /= 2.0
    shocks = [(33, "adl", COINS[seed % 2], 0.5), (60, "forced_transfer", TOKEN, 0.25)]
    if seed % 3 == 0:
        shocks.append((75, "venue_failure", "okx", 0.5))
    if seed % 3 == 1:
        shocks += [(40, "pause", TOKEN, 1.0), (46, "pause", TOKEN, 0.0)]
    data = write_market(folder / "data", px, rng.normal(0.0, 3e-4, HOURS), actions, tuple(shocks))
    most = (40.0, 2_000.0)[seed % 2]  # the second is more than margin bears
    members = [(f"m{n}", "dice", 0.3, {"draw": 10 * seed + n, "most": most}) for n in range(3)]
    more: dict[str, Any] = {"after_liquidation": "resume"} if seed % 4 == 1 else {}
    if seed % 4 == 2:  # tokens that are delivered later, or not at all
        more["settlement"] = {"mode": "coordinated", "lock_fail_prob": 0.5}
    return played(
        portfolio(folder, *members),
        data,
        capital=30_000.0,
        pair=("together", "each")[seed % 2],
        margin_share=(0.6, 0.95)[seed % 2],
        **more,
    )


@pytest.mark.parametrize("seed", range(12))
def test_random_members_always_add_up(tmp_path: Path, seed: int) -> None:
    result = wild(tmp_path, seed)
    check_sums(result)
    fills, held = signed(result.frames["fills"]), result.frames["positions"]
    assert fills.filter(way="cross").height > 3
    assert held["strategy"].n_unique() >= 3
    undone = fills.filter(reason="settlement")["settlement_id"]
    assert (undone.len() > 0) == (seed % 4 == 2)  # and they go back to whom they were for
    whole = fills.filter(pl.col("settlement_id").is_in(undone.implode()))
    left = whole.group_by("settlement_id", "strategy").agg(pl.col("size").sum())["size"].abs()
    assert left.max() is None or left.max() < 1e-9
    # The book's own position is the sum of its fills but those that stayed within.
    book = fills.filter(pl.col("way") != "cross").group_by("instrument").agg(pl.col("size").sum())
    last = held.filter(pl.col("time") == held["time"].max()).filter(pl.col("time") == at(HOURS - 1))
    net = dict(last.group_by("instrument").agg(pl.col("position").sum()).rows())
    for instrument, units in book.rows():
        assert net.get(instrument, 0.0) == pytest.approx(units, abs=1e-6)


def test_the_random_runs_meet_what_they_are_for(tmp_path: Path) -> None:
    reasons: set[str] = set()
    for seed in range(4):
        (tmp_path / str(seed)).mkdir()
        reasons |= set(wild(tmp_path / str(seed), seed).frames["fills"]["reason"])
    assert reasons >= {"target", "liquidation", "adl", "shock", "action", "settlement"}


@pytest.mark.parametrize("coin", [0, 1])
def test_a_split_restates_members_that_are_opposite(tmp_path: Path, coin: int) -> None:
    """The venues do not even see them; of the one the market is settled, of the other restated."""
    px = np.where(np.arange(HOURS) < 50, 100.0, 50.0)
    data = write_market(tmp_path / "data", px, 0.0001, ((50, "split", 2.0),))
    up = {"which": coin, "row": 5, "units": 12.0}
    result = played(
        portfolio(
            tmp_path, ("up", "steps", 0.5, up), ("down", "steps", 0.5, up | {"units": -12.0})
        ),
        data,
    )
    check_sums(result)
    coins = result.manifest["instruments"]["coins"]
    after = result.frames["positions"].filter(pl.col("time") == at(60))
    restated = coins[coin] == "okx:ACME"
    assert dict(after.select("strategy", "position").rows()) == (
        {"up": 24.0, "down": -24.0} if restated else {}
    )
    assert caused(result, "up", "perp_price") == pytest.approx(0.0, abs=1e-9)
    assert set(result.frames["equity"]["equity_usd"]) == {100_000.0}
