"""The demo dataset says what its README says, judged by code that shares none with what made it."""

from __future__ import annotations

import math
import tomllib
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from perpkit.sources import simulated
from perpkit.sources.simulated.__main__ import main
from perpkit.sources.simulated.perp import step_limited

DEMO = Path(__file__).parent.parent / "data" / "demo"
COINS = ("sim:ORCA", "sim:FALC", "sim:LYNX", "sim:HAWK")
FIRST, HOURS = datetime(2025, 9, 1, tzinfo=UTC), 8760


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


def is_closed(moment: datetime) -> bool:
    """Friday 20:00 to Sunday 20:00 in New York."""
    local = moment.astimezone(ZoneInfo("America/New_York"))
    day, hour = local.weekday(), local.hour
    return day == 5 or (day == 4 and hour >= 20) or (day == 6 and hour < 20)


CLOSED = np.array([is_closed(FIRST + timedelta(hours=h)) for h in range(HOURS)])


def test_small_and_complete() -> None:
    names = sorted(path.name for path in DEMO.iterdir())
    assert names == ["README.md", "dataset.toml", "perps.parquet", "tokens.parquet"]
    assert sum(path.stat().st_size for path in DEMO.iterdir()) < 3_000_000


def test_made_again_it_is_the_same(
    tmp_path: Path, perps: pl.DataFrame, tokens: pl.DataFrame
) -> None:
    assert main(["--out", str(tmp_path / "again")]) == 0
    again = tmp_path / "again"
    assert_frame_equal(pl.read_parquet(again / "perps.parquet"), perps, check_exact=True)
    assert_frame_equal(pl.read_parquet(again / "tokens.parquet"), tokens, check_exact=True)
    for name in ("dataset.toml", "README.md"):
        assert (again / name).read_bytes() == (DEMO / name).read_bytes()


def test_another_seed_is_another_year(perps: pl.DataFrame) -> None:
    other, _ = simulated.frames(simulated.Scenario(seed=1))
    assert not other["mid_px"].equals(perps["mid_px"])


def test_description() -> None:
    told = tomllib.loads((DEMO / "dataset.toml").read_text(encoding="utf-8"))
    assert (told["schema"], told["name"], told["prices"]) == (1, "demo", "external")
    assert (told["licence"], "seed" in told["source"]) == ("MIT", True)
    assert tuple(told["perps"]) == COINS
    assert {perp["venue"] for perp in told["perps"].values()} == {"baseline"}
    stocks = {perp["underlying"] for perp in told["perps"].values()}
    kinds = {name: token["kind"] for name, token in told["tokens"].items()}
    assert kinds.pop("TBILL") == "treasury"
    assert set(kinds.values()) == {"equity"}
    assert {told["tokens"][name]["underlying"] for name in kinds} == stocks
    assert told["tokens"]["TBILL"]["underlying"] == "USD-TBILL"
    assert {t["multiplier"] for t in told["tokens"].values()} == {1.0, 0.1}


@pytest.mark.parametrize(("table", "key", "count"), [("perps", "coin", 4), ("tokens", "token", 5)])
def test_every_hour_once(table: str, key: str, count: int) -> None:
    rows = pl.read_parquet(DEMO / f"{table}.parquet")
    assert rows.schema["time"] == pl.Datetime("ms", "UTC")
    grid = [FIRST + timedelta(hours=h) for h in range(HOURS)]
    parts = rows.partition_by(key)
    assert len(parts) == count
    for part in parts:
        assert part["time"].to_list() == grid


def test_prices_are_numbers_above_zero_and_in_order(
    perps: pl.DataFrame, tokens: pl.DataFrame
) -> None:
    for rows, nullable in ((perps, ()), (tokens, ("nav_px",))):
        for name, kind in rows.schema.items():
            values = rows[name].drop_nulls() if name in nullable else rows[name]
            assert values.null_count() == 0
            if kind.is_float():
                assert values.is_finite().all(), name
                assert (values > 0).all(), name
    book = perps.select(
        pl.col("impact_bid_px") < pl.col("mid_px"), pl.col("mid_px") < pl.col("impact_ask_px")
    )
    assert all(book[name].all() for name in book.columns)
    assert (tokens["bid_px"] < tokens["ask_px"]).all()


@pytest.mark.parametrize(
    ("name", "friday", "move", "rows_to_arrive"),
    [
        ("sim:FALC", date(2026, 1, 30), 1.15, 15),
        ("sim:HAWK", date(2026, 4, 24), 0.85, 17),
    ],
)
def test_gap_crawls(
    perps: pl.DataFrame, name: str, friday: date, move: float, rows_to_arrive: int
) -> None:
    rows = coin(perps, name)
    external = rows["external_px"].to_list()
    at = datetime(friday.year, friday.month, friday.day, 19, tzinfo=ZoneInfo("America/New_York"))
    gap = rows["time"].to_list().index(at.astimezone(UTC))
    assert external[gap] == pytest.approx(external[gap - 1] * move, rel=1e-12)
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
    assert abs(funding(rows)[gap : gap + 48].sum()) < 0.03


@pytest.mark.parametrize("name", COINS)
def test_limit_binds_rarely_at_one_update_and_never_at_1200(perps: pl.DataFrame, name: str) -> None:
    external = coin(perps, name)["external_px"].to_list()
    assert walk(external, 0.01, 1200) == external
    lags = sum(o != px for o, px in zip(walk(external, 0.01, 1), external, strict=True))
    assert 10 < lags < 0.015 * HOURS


@pytest.mark.parametrize("name", COINS)
def test_external_price_rests_on_weekends_and_moves_otherwise(
    perps: pl.DataFrame, name: str
) -> None:
    external = coin(perps, name)["external_px"].to_numpy()
    moved = external[1:] != external[:-1]
    assert not moved[CLOSED[1:]].any()
    assert moved[~CLOSED[1:]].mean() > 0.9


def test_book_moves_on_weekends(perps: pl.DataFrame) -> None:
    mid = coin(perps, "sim:ORCA")["mid_px"].to_numpy()
    assert (mid[1:] != mid[:-1])[CLOSED[1:]].mean() > 0.95


def test_impact_spreads(perps: pl.DataFrame) -> None:
    for name in COINS:
        rows = coin(perps, name)
        width = rows["impact_ask_px"] - rows["impact_bid_px"]
        half = (width / rows["mid_px"] * 5e3).to_numpy()
        assert half[~CLOSED].min() > 0.9
        assert half[~CLOSED].max() < 4.1
        assert half[CLOSED].min() > 2.9
        assert half[CLOSED].max() < 10.1


def test_reopening_error_is_of_the_measured_size(perps: pl.DataFrame) -> None:
    last = np.flatnonzero(CLOSED[:-1] & ~CLOSED[1:])
    error = []
    for name in COINS:
        rows = coin(perps, name)
        external, mid = rows["external_px"].to_numpy(), rows["mid_px"].to_numpy()
        error.append(np.abs(external[last + 1] / mid[last] - 1))
    assert len(last) == 52
    assert 0.0045 < np.median(error) < 0.0055  # 0.498% on 17 NVDA weekends
    assert 0.0080 < np.quantile(error, 0.9) < 0.0100  # 0.897%


def test_weekend_book_knows_something(perps: pl.DataFrame) -> None:
    last = np.flatnonzero(CLOSED[:-1] & ~CLOSED[1:])
    hits, moves = 0, 0
    for name in COINS:
        rows = coin(perps, name)
        external, mid = rows["external_px"].to_numpy(), rows["mid_px"].to_numpy()
        move, lean = external[last + 1] / external[last] - 1, mid[last] / external[last] - 1
        hits += int(((move > 0) == (lean > 0))[np.abs(move) > 0.01].sum())
        moves += int((np.abs(move) > 0.01).sum())
    assert moves > 20
    assert hits / moves > 0.8


def test_funding_is_of_a_plausible_size(perps: pl.DataFrame) -> None:
    rates = np.stack([funding(coin(perps, name)) for name in COINS])
    local = [FIRST + timedelta(hours=h) for h in range(HOURS)]
    week = np.array([moment.weekday() < 5 for moment in local])
    apr = rates.mean(axis=1) * 8760
    off = np.abs(rates - 0.0000125) > 1e-12
    assert 0.08 < rates[:, week].mean() * 8760 < 0.12
    assert -0.02 < rates[:, ~week].mean() * 8760 < 0.06
    assert 0.40 < off.mean() < 0.55
    assert apr.argmax() == COINS.index("sim:FALC")
    assert apr.argmin() == COINS.index("sim:LYNX")
    assert (apr > 0).all()
    assert apr.max() < 0.20
    weeks = rates[:, : 52 * 168].reshape(4, 52, 168).sum(axis=2)
    below = (weeks < 0).sum(axis=1)
    assert below.min() >= 2
    assert below.max() <= 26
    # A quarter in which shorts pay.
    spring = np.array([4 <= moment.month <= 6 for moment in local])
    assert rates[COINS.index("sim:LYNX"), spring].mean() < 0


def test_token_quotes_freeze_without_being_halted(
    perps: pl.DataFrame, tokens: pl.DataFrame
) -> None:
    assert not tokens["halted"].any()
    widest = []
    for name in COINS:
        quote = tokens.filter(pl.col("token") == name.removeprefix("sim:") + "x")
        bid, ask = quote["bid_px"].to_numpy(), quote["ask_px"].to_numpy()
        changed = (bid[1:] != bid[:-1]) | (ask[1:] != ask[:-1])
        assert not changed[CLOSED[1:] & CLOSED[:-1]].any()
        still = ~changed & ~CLOSED[1:]
        assert still.mean() < 0.01
        assert not (still[1:] & still[:-1]).any(), "never two open hours without a new quote"

        width = (ask / bid - 1) * 1e4
        assert width[~CLOSED].min() > 1.0
        assert width[~CLOSED].max() < 12.0
        widest.append(np.median(width[CLOSED]))

        share = 0.1 if name == "sim:HAWK" else 1.0
        fair = coin(perps, name)["external_px"].to_numpy() * share
        assert np.abs((bid + ask) / 2 / fair - 1)[~CLOSED].max() < 0.0025
    assert min(widest) < 2
    assert 300 < max(widest) <= 1000


def test_treasury_grows_day_and_night(tokens: pl.DataFrame) -> None:
    quote = tokens.filter(pl.col("token") == "TBILL")
    nav = quote["nav_px"].to_numpy()
    hours = np.arange(HOURS)
    assert np.abs(nav - nav[0] * (1 + 0.0375 * hours / 8760)).max() < 1e-6
    assert np.abs(quote["bid_px"].to_numpy() / nav - 0.9999).max() < 1e-7
    assert np.abs(quote["ask_px"].to_numpy() / nav - 1.0001).max() < 1e-7
    assert tokens.filter(pl.col("token") != "TBILL")["nav_px"].is_null().all()


def test_step_limit_of_the_script_is_the_walk(perps: pl.DataFrame) -> None:
    for name in COINS:
        external = coin(perps, name)["external_px"]
        made = step_limited(external.to_numpy())
        assert made.tolist() == walk(external.to_list(), 0.01, 1)
