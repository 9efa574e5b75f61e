"""The demo dataset is what its README says, judged by code that shares none with what made it."""

from __future__ import annotations

import math
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest

from perpkit.sources.simulated.demo import main

from .plain_demo import COINS, DEMO

FIRST, HOURS = datetime(2025, 10, 13, tzinfo=UTC), 8760
NEW_YORK = ZoneInfo("America/New_York")
TABLES = ("perps", "tokens", "actions")


@pytest.fixture(scope="module")
def perps() -> pl.DataFrame:
    return pl.read_parquet(DEMO / "perps.parquet")


@pytest.fixture(scope="module")
def tokens() -> pl.DataFrame:
    return pl.read_parquet(DEMO / "tokens.parquet")


def coin(perps: pl.DataFrame, name: str) -> pl.DataFrame:
    return perps.filter(pl.col("coin") == name)


def walk(prices: list[float], step: float, updates: int) -> list[float]:
    """The oracle that follows a price by so many limited updates an hour, from its last value."""
    oracle = [prices[0]]
    for px in prices[1:]:
        low, high = oracle[-1] * (1 - step) ** updates, oracle[-1] * (1 + step) ** updates
        oracle.append(low if px < low else high if px > high else px)
    return oracle


def funding(rows: pl.DataFrame) -> np.ndarray:
    """Hourly rates of the plain rule: interest 1 bp and clamp 5 bp per 8 h, one-sided premium."""
    oracle = walk(rows["external_px"].to_list(), 0.01, 1)
    rates = []
    for o, bid, ask in zip(
        oracle, rows["impact_bid_px"].to_list(), rows["impact_ask_px"].to_list(), strict=True
    ):
        p = (max(bid - o, 0) - max(o - ask, 0)) / o
        rates.append((p + min(max(0.0001 - p, -0.0005), 0.0005)) / 8)
    return np.array(rates)


def test_small_and_complete() -> None:
    names = sorted(path.name for path in DEMO.iterdir())
    assert names == [
        "README.md",
        "actions.parquet",
        "dataset.toml",
        "perps.parquet",
        "tokens.parquet",
    ]
    assert sum(path.stat().st_size for path in DEMO.iterdir()) < 2_000_000


def test_made_again_it_is_the_same(tmp_path: Path) -> None:
    assert main(["--out", str(tmp_path / "again")]) == 0
    for table in TABLES:
        again, shipped = (
            pl.read_parquet(f / f"{table}.parquet") for f in (tmp_path / "again", DEMO)
        )
        assert again.equals(shipped), table
    for name in ("dataset.toml", "README.md"):
        assert (tmp_path / "again" / name).read_bytes() == (DEMO / name).read_bytes()


def test_description() -> None:
    told = tomllib.loads((DEMO / "dataset.toml").read_text(encoding="utf-8"))
    assert (told["schema"], told["name"], told["prices"]) == (1, "demo", "external")
    assert (told["licence"], "seed" in told["source"]) == ("MIT", True)
    assert tuple(told["perps"])[:4] == COINS
    assert [perp["venue"] for perp in told["perps"].values()] == ["baseline"] * 4 + ["xyz"] * 4
    stocks = {perp["underlying"] for perp in told["perps"].values()}
    kinds = {name: token["kind"] for name, token in told["tokens"].items()}
    assert kinds.pop("TBILL") == "treasury"
    assert {told["tokens"][name]["underlying"] for name in kinds} == stocks
    assert {t["multiplier"] for t in told["tokens"].values()} == {1.0, 0.1}


@pytest.mark.parametrize(("table", "key", "count"), [("perps", "coin", 8), ("tokens", "token", 5)])
def test_every_hour_once(table: str, key: str, count: int) -> None:
    rows = pl.read_parquet(DEMO / f"{table}.parquet")
    assert rows.schema["time"] == pl.Datetime("ms", "UTC")
    grid = [FIRST + timedelta(hours=h) for h in range(HOURS)]
    parts = rows.partition_by(key)
    assert len(parts) == count
    for part in parts:
        assert part["time"].to_list() == grid
        for name, kind in part.schema.items():
            assert part[name].null_count() == 0
            assert not kind.is_float() or (part[name].is_finite() & (part[name] > 0)).all(), name


@pytest.mark.parametrize(
    ("name", "friday", "move", "rows_to_arrive"),
    [
        ("sim:FALC", datetime(2026, 1, 30, 20, tzinfo=NEW_YORK), 1.15, 15),
        ("sim:HAWK", datetime(2026, 4, 24, 20, tzinfo=NEW_YORK), 0.85, 17),
    ],
)
def test_gap_crawls(
    perps: pl.DataFrame, name: str, friday: datetime, move: float, rows_to_arrive: int
) -> None:
    rows = coin(perps, name)
    external = rows["external_px"].to_list()
    gap = rows["time"].to_list().index(friday.astimezone(UTC))
    assert external[gap] == pytest.approx(external[gap - 1] * move, rel=1e-4)
    assert set(external[gap : gap + 49]) == {external[gap]}, "frozen for the whole weekend"
    assert external[gap + 49] != external[gap]

    oracle = walk(external, 0.01, 1)
    assert oracle[gap - 1] == external[gap - 1], "no earlier crawl is under way"
    arrived = next(n for n in range(1, 60) if oracle[gap + n - 1] == external[gap])
    step = math.log(1.01) if move > 1 else math.log(0.99)
    assert arrived == rows_to_arrive == math.ceil(math.log(move) / step)

    mid = rows["mid_px"].to_list()
    lean = [abs(mid[t] / oracle[t] - 1) for t in range(gap, gap + rows_to_arrive)]
    assert 0.01 < max(lean) < 0.03
    assert 0.005 < abs(funding(rows)[gap : gap + 48].sum()) < 0.04


@pytest.mark.parametrize("name", COINS)
def test_limit_binds_rarely_at_one_update_and_never_at_1200(perps: pl.DataFrame, name: str) -> None:
    external = coin(perps, name)["external_px"].to_list()
    assert walk(external, 0.01, 1200) == external
    lags = sum(o != px for o, px in zip(walk(external, 0.01, 1), external, strict=True))
    assert 10 < lags < 0.03 * HOURS


def test_funding_has_regimes(perps: pl.DataFrame) -> None:
    rates = np.stack([funding(coin(perps, name)) for name in COINS])
    local = [FIRST + timedelta(hours=h) for h in range(HOURS)]
    apr = rates.mean(axis=1) * 8760
    assert 0.04 < apr.mean() < 0.16
    assert apr.argmax() == COINS.index("sim:FALC")
    off = np.abs(rates - 0.0000125) > 1e-12
    assert 0.25 < off.mean() < 0.55
    weeks = rates[:, : 52 * 168].reshape(4, 52, 168).sum(axis=2)
    assert (weeks < 0).sum(axis=1).min() >= 2
    # A quarter in which shorts pay.
    spring = np.array([4 <= moment.month <= 6 for moment in local])
    lynx = rates[COINS.index("sim:LYNX")]
    assert lynx[spring].mean() < 0.0 < lynx[~spring].mean()


def test_dividends_fall_on_evenings_and_lower_the_price(
    perps: pl.DataFrame, tokens: pl.DataFrame
) -> None:
    paid = pl.read_parquet(DEMO / "actions.parquet")
    assert set(paid["kind"]) == {"dividend"}
    assert set(paid["underlying"]) == {"ORCA", "LYNX", "HAWK"}
    for row in paid.iter_rows(named=True):
        assert row["time"].astimezone(NEW_YORK).hour == 20
        quote = tokens.filter(pl.col("token") == row["underlying"] + "x")
        at = quote["time"].to_list().index(row["time"])
        before, after = quote["multiplier"][at - 1 : at + 1].to_list()
        px = coin(perps, "sim:" + row["underlying"])["external_px"][at]
        net = row["amount"] * (1.0 - row["withholding_frac"])
        assert after / before == pytest.approx(1.0 + net / px, rel=1e-7)


def test_both_venues_have_the_same_shares(perps: pl.DataFrame) -> None:
    for name in COINS:
        other = coin(perps, name.replace("sim:", "xyz:"))
        assert other["external_px"].equals(coin(perps, name)["external_px"])
        apart = (other["mid_px"] / coin(perps, name)["mid_px"] - 1).to_numpy()
        assert 0.0002 < np.abs(apart).mean() < 0.01


def test_weekend_quotes_freeze_without_being_halted(tokens: pl.DataFrame) -> None:
    widest = []
    for name in COINS:
        quote = tokens.filter(pl.col("token") == name.removeprefix("sim:") + "x")
        local = [moment.astimezone(NEW_YORK) for moment in quote["time"].to_list()]
        saturday = np.array([moment.weekday() == 5 for moment in local])
        bid, ask = quote["bid_px"].to_numpy(), quote["ask_px"].to_numpy()
        changed = (bid[1:] != bid[:-1]) | (ask[1:] != ask[:-1])
        assert not changed[saturday[1:] & saturday[:-1]].any()
        assert quote["halted"].to_numpy()[saturday].mean() < 0.05
        widest.append(float(np.median((ask / bid - 1)[saturday])) * 1e4)
    assert min(widest) < 3
    assert 300 < max(widest) <= 1500
