"""Limits on orders as the dataset and the rulebook tell them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from perpkit.config import RunConfig, check_config
from perpkit.dataset import read_dataset
from perpkit.errors import DataError, PerpkitError, RequestError
from perpkit.play import replay_of
from perpkit.tape import Market, form, settings_of

LATE = pl.col("time").dt.hour() >= 8
NVDA = pl.col("coin") == "xyz:NVDA"
CAPS = {"oi_cap": True, "terms": {"oi_cap_usd": 20_000_000}}


@pytest.fixture(autouse=True)
def without_events(tiny_dataset: Path) -> None:
    for table in ("actions", "shocks"):
        (tiny_dataset / f"{table}.parquet").unlink()


def rewrite(folder: Path, *columns: pl.Expr) -> None:
    path = folder / "perps.parquet"
    pl.read_parquet(path).with_columns(*columns).write_parquet(path)


def formed(folder: Path, **settings: object) -> Market:
    return form(read_dataset(folder), check_config(settings), pure_python=True)


def refusal(folder: Path, **settings: object) -> str:
    with pytest.raises(PerpkitError) as caught:
        formed(folder, **settings)
    return str(caught.value)


def interest(folder: Path, units: object) -> None:
    rewrite(folder, pl.lit(units).cast(pl.Float64).alias("open_interest"))


def test_without_the_setting_there_are_no_caps(tiny_dataset: Path) -> None:
    assert formed(tiny_dataset).tape.capped.shape == (6, 0)


def test_open_interest_at_the_mark_reaches_the_cap(tiny_dataset: Path) -> None:
    """100,000 units: NVDA from 180 is 18 million and more, AAPL from 300 is 30 million."""
    tape = formed(tiny_dataset, **CAPS).tape
    assert tape.capped.tolist() == [[False, True]] * 6
    cap = 18_054_000  # the mark grows by 0.18 an hour: at 180.54 from the fourth hour on
    tape = formed(tiny_dataset, oi_cap=True, terms={"oi_cap_usd": cap}).tape
    assert tape.capped[:, 0].tolist() == [False] * 3 + [True] * 3
    assert replay_of(tape).capped.shape == (6, 2), "the book reads them"


def test_a_cap_of_one_coin_and_none_of_the_other(tiny_dataset: Path) -> None:
    terms = {"oi_cap_usd": "none", "xyz:NVDA": {"oi_cap_usd": 1}}
    tape = formed(tiny_dataset, oi_cap=True, terms=terms).tape
    assert tape.capped.tolist() == [[True, False]] * 6


def test_the_cap_of_the_day_is_named_among_the_terms(tiny_dataset: Path) -> None:
    """The rulebook has a dated cap of xyz:NVDA in May and none in August."""
    early = pl.col("time").dt.offset_by("-3mo")
    for table in ("perps", "funding", "tokens"):
        path = tiny_dataset / f"{table}.parquet"
        pl.read_parquet(path).with_columns(early).write_parquet(path)
    market = formed(tiny_dataset, coins=["xyz:NVDA"], oi_cap=True)
    used = [u for u in market.resolved.used if u.key == "oi_cap_usd"]
    assert used, "the cap is named among the terms used"
    assert all(u.needed for u in used)
    caps = {float(u.value) for u in used}
    assert set(market.resolved.oi_cap_usd[:, 0].tolist()) <= caps


def test_an_unknown_cap_is_refused_by_name(tiny_dataset: Path) -> None:
    told = refusal(tiny_dataset, oi_cap=True, terms={"oi_cap_usd": "unknown"})
    assert told.startswith("xyz: oi_cap_usd of xyz:NVDA (and of xyz:AAPL) is unknown on 2026-08-12")
    assert "set terms" in told or "write terms.oi_cap_usd" in told


def test_open_interest_that_is_not_recorded_is_refused(tiny_dataset: Path) -> None:
    some = pl.when(NVDA & LATE).then(None).otherwise(pl.col("open_interest"))
    rewrite(tiny_dataset, some.alias("open_interest"))
    assert refusal(tiny_dataset, **CAPS) == (
        "tiny/perps.parquet: open_interest of xyz:NVDA is not recorded in 3 hours, first "
        "2026-08-12 08:00Z, and oi_cap needs it in each; add it, leave the coin out with coins, "
        "or leave oi_cap out"
    )
    assert formed(tiny_dataset, coins=["xyz:AAPL"], **CAPS).tape.capped.all()
    interest(tiny_dataset, None)
    assert "is not recorded in 6 hours, first 2026-08-12 05:00Z" in refusal(tiny_dataset, **CAPS)
    formed(tiny_dataset)


def test_open_interest_of_an_hour_without_prices_is_carried(tiny_dataset: Path) -> None:
    path = tiny_dataset / "perps.parquet"
    gone = NVDA & (pl.col("time").dt.hour() == 7)
    pl.read_parquet(path).filter(~gone).write_parquet(path)
    tape = formed(tiny_dataset, oi_cap=True, terms={"oi_cap_usd": 18_000_000}).tape
    assert tape.stale[2, 0]
    assert tape.capped[:, 0].all()


def test_a_formed_mark_decides_on_the_cap(tiny_dataset: Path) -> None:
    """Prices made by perpkit: the cap is laid where the mark is known."""
    rewrite(
        tiny_dataset,
        pl.col("oracle_px").alias("external_px"),
        pl.lit(None, pl.Float64).alias("oracle_px"),
        pl.lit(None, pl.Float64).alias("mark_px"),
        pl.lit(None, pl.Float64).alias("mark_high_px"),
        pl.lit(None, pl.Float64).alias("mark_low_px"),
    )
    path = tiny_dataset / "dataset.toml"
    path.write_text(path.read_text().replace('"onchain"', '"external"'))
    tape = formed(tiny_dataset, **CAPS, coins=["xyz:NVDA"]).tape
    cap = float(1e5 * tape.mark_px[3, 0])
    terms = {"oi_cap_usd": cap}
    tape = formed(tiny_dataset, coins=["xyz:NVDA"], oi_cap=True, terms=terms).tape
    assert tape.capped[:, 0].tolist() == (1e5 * tape.mark_px[:, 0] >= cap).tolist()
    assert tape.capped[3, 0]
    assert not tape.capped.all()


# --------------------------------------------------------------------------- order limits


def test_the_largest_order_is_a_term_of_every_coin(tiny_dataset: Path) -> None:
    assert np.isnan(formed(tiny_dataset).terms["max_order_usd"]).all()
    assert (formed(tiny_dataset, max_order_usd=5_000).terms["max_order_usd"] == 5_000).all()


def test_a_largest_order_below_the_smallest_is_refused(tiny_dataset: Path) -> None:
    with pytest.raises(RequestError, match=r"max_order_usd = 5 is below the smallest order of xyz"):
        formed(tiny_dataset, max_order_usd=5)


@pytest.mark.parametrize("setting", ["impact_coefficient", "max_volume_frac"])
def test_a_volume_that_is_never_recorded_is_refused(tiny_dataset: Path, setting: str) -> None:
    none = pl.when(NVDA).then(None).otherwise(pl.col("day_ntl_vlm")).alias("day_ntl_vlm")
    rewrite(tiny_dataset, none)
    with pytest.raises(DataError, match=rf"no day_ntl_vlm of xyz:NVDA is recorded, and {setting}"):
        formed(tiny_dataset, **{setting: 0.5})
    formed(tiny_dataset, **{setting: 0.5}, coins=["xyz:AAPL"])
    formed(tiny_dataset)


def test_limits_reach_the_loop() -> None:
    told = settings_of(RunConfig(impact_coefficient=0.7, max_volume_frac=0.05))
    assert (told.impact_coefficient, told.max_volume_frac) == (0.7, 0.05)
    free = settings_of(RunConfig())
    assert (free.impact_coefficient, free.max_volume_frac) == (0.0, np.inf)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"impact_coefficient": -1.0}, "impact_coefficient was -1.0"),
        ({"max_volume_frac": 0.0}, "max_volume_frac was 0.0"),
        ({"max_volume_frac": 1.5}, "max_volume_frac was 1.5"),
        ({"max_order_usd": 0.0}, "max_order_usd was 0.0"),
        ({"oi_cap": "often"}, "oi_cap was 'often'"),
    ],
)
def test_impossible_limits_are_refused_by_name(settings: dict[str, object], says: str) -> None:
    with pytest.raises(RequestError, match=says):
        check_config(settings)
