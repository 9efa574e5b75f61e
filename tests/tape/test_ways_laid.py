"""The ways of a run's tokens: what is laid of pools and issuers, and what is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest

from perpkit.arrays import Phase, Tape, Tokens, Way
from perpkit.assumptions import assumptions
from perpkit.config import check_config
from perpkit.dataset import read_dataset
from perpkit.errors import DataError, RequestError
from perpkit.layout import blank
from perpkit.tape import Market, form
from perpkit.tape.ways import form_navs, rows_until

START = datetime(2026, 8, 12, 5, tzinfo=UTC)
QUOTE, DEX, ISSUER = (1 << way for way in (Way.QUOTE, Way.DEX, Way.ISSUER))
TERMS = {
    "mint_session": "24/7",
    "redeem_session": "24/5",
    "mint_fee_frac": 0.001,
    "redeem_fee_frac": 0.002,
    "mint_min_usd": 5.0,
    "redeem_min_usd": 7.0,
    "mint_delay_hours": 1.5,
    "redeem_delay_hours": 0.0,
    "inventory_usd": 1e6,
}


@pytest.fixture
def tiny(tiny_dataset: Path) -> Path:
    (tiny_dataset / "actions.parquet").unlink()
    return tiny_dataset


def formed(folder: Path, **config: Any) -> Market:
    told = {"coins": ["xyz:NVDA"], "tokens": ["NVDAon"], **config}
    if "USDY" in told["tokens"]:
        told["multiplier"] = {"USDY": 1.0}
    return form(read_dataset(folder), check_config(told), pure_python=True)


def shocked(folder: Path, *rows: tuple[int, str, float]) -> None:
    """Shocks of NVDAon: hours after the start, kind and value."""
    hours, kinds, values = zip(*rows, strict=True)
    pl.DataFrame(
        {
            "time": pl.Series(
                [START + timedelta(hours=h) for h in hours], dtype=pl.Datetime("ms", "UTC")
            ),
            "kind": kinds,
            "instrument": "NVDAon",
            "value": values,
        }
    ).write_parquet(folder / "shocks.parquet")


# --------------------------------------------------------------------------- which


def test_by_default_a_token_takes_its_quote_alone(tiny: Path) -> None:
    market = formed(tiny)
    assert market.tokens.ways.tolist() == [QUOTE]
    assert market.tape.liquidity_usd.shape == market.tape.mint_rows.shape == (6, 0)
    assert market.tokens.inventory_usd.tolist() == [np.inf]


@pytest.mark.parametrize(
    ("way", "told", "ways"),
    [
        ("quote", {}, QUOTE),
        ("dex", {}, DEX),
        ("issuer", TERMS, ISSUER),
        ("cheapest", {}, DEX),  # the quote is the pool's, and the issuer's terms are not known
        ("cheapest", TERMS, DEX | ISSUER),
    ],
)
def test_a_named_way(tiny: Path, way: str, told: dict[str, Any], ways: int) -> None:
    market = formed(tiny, token_way={"NVDAon": way}, ways={"NVDAon": told} if told else {})
    assert market.tokens.ways.tolist() == [ways]
    assert market.tape.liquidity_usd.shape[1] == (1 if ways & DEX else 0)
    assert market.tape.mint_rows.shape[1] == (1 if ways & ISSUER else 0)


def test_without_liquidity_the_cheapest_is_the_quote(tiny: Path) -> None:
    rows = pl.read_parquet(tiny / "tokens.parquet").drop("liquidity_usd")
    rows.write_parquet(tiny / "tokens.parquet")
    assert formed(tiny, token_way={"NVDAon": "cheapest"}).tokens.ways.tolist() == [QUOTE]
    with pytest.raises(DataError, match="no liquidity_usd is recorded of NVDAon, which token_way"):
        formed(tiny, token_way={"NVDAon": "dex"})


def test_liquidity_is_that_of_its_hour(tiny: Path) -> None:
    path = tiny / "tokens.parquet"
    third = pl.col("time") == START + timedelta(hours=3)
    some = pl.when(third).then(None).otherwise(pl.col("liquidity_usd"))
    pl.read_parquet(path).with_columns(some.alias("liquidity_usd")).write_parquet(path)
    told = formed(tiny, token_way={"NVDAon": "dex"}, tokens=["NVDAon", "USDY"]).tape.liquidity_usd
    assert told[:, 0].tolist()[:3] == [50_000.0] * 3
    assert np.isnan(told[3, 0])
    assert np.isnan(told[:, 1]).all()


def test_a_mid_needs_no_half_spread_against_its_pool(tiny: Path) -> None:
    path = tiny / "tokens.parquet"
    mid = pl.read_parquet(path).with_columns(ask_px=pl.col("bid_px"))
    mid.write_parquet(path)
    with pytest.raises(DataError, match=r"a mid and no price to trade at.*token_way\.NVDAon=dex"):
        formed(tiny)
    assert formed(tiny, token_way={"NVDAon": "dex"}).tokens.ways.tolist() == [DEX]


@pytest.mark.parametrize("setting", ["token_way", "ways", "cross_chain_gap_frac"])
def test_a_way_of_a_token_that_is_not_there_is_refused(tiny: Path, setting: str) -> None:
    value: dict[str, Any] = {"token_way": "dex", "ways": TERMS, "cross_chain_gap_frac": 0.01}
    with pytest.raises(RequestError, match=f"^{setting}: NVDAxx is no token of this run"):
        formed(tiny, **{setting: {"NVDAxx": value[setting]}})


@pytest.mark.parametrize("key", TERMS)
def test_an_unknown_term_of_the_issuer_is_asked_for(tiny: Path, key: str) -> None:
    # Of an issuer that says nothing of its window.
    path = tiny / "dataset.toml"
    path.write_text(path.read_text(encoding="utf-8").replace("ondo", "binance"), encoding="utf-8")
    told = {name: value for name, value in TERMS.items() if name != key}
    config = {"token_way": {"NVDAon": "issuer"}, "ways": {"NVDAon": told}, "token_fee_frac": 0.0}
    config["token_session"] = {"NVDAon": "24/7"}
    with pytest.raises(DataError, match=f"{key} of NVDAon is unknown.*ways.NVDAon.{key}=VALUE"):
        formed(tiny, **config)


def test_a_treasury_has_a_window_of_its_own(tiny: Path) -> None:
    with pytest.raises(
        RequestError, match="USDY is treasury, which its issuer takes back by redeem"
    ):
        formed(tiny, tokens=["NVDAon", "USDY"], token_way={"USDY": "issuer"})


def test_a_misspelt_term_is_answered_with_the_nearest() -> None:
    with pytest.raises(
        RequestError, match=r"no setting ways\.NVDAon\.mint_fee: did you mean mint_fee_"
    ):
        check_config({"ways": {"NVDAon": {"mint_fee": 0.1}}})


# --------------------------------------------------------------------------- terms


def test_terms_and_hours_of_an_issuer_are_laid(tiny: Path) -> None:
    market = formed(
        tiny, token_way={"NVDAon": "issuer"}, ways={"NVDAon": TERMS},
        token_friction_frac=0.02, cross_chain_gap_frac={"NVDAon": 0.01},
    )  # fmt: skip
    tokens = market.tokens
    assert tokens.mint_fee_frac.tolist() == [0.001]
    assert tokens.redeem_fee_frac.tolist() == [0.002]
    assert (tokens.mint_min_usd[0], tokens.redeem_min_usd[0]) == (5.0, 7.0)
    assert tokens.inventory_usd.tolist() == [1e6]
    assert tokens.friction_frac.tolist() == [0.03]
    # An hour and a half are two rows; what is not delivered in the run is beyond its last row.
    assert market.tape.mint_rows[:, 0].tolist() == [2, 2, 2, 2, 8, 7]
    assert market.tape.buyback_rows[:, 0].tolist() == [0] * 6


def test_any_inventory(tiny: Path) -> None:
    told = {"NVDAon": {**TERMS, "inventory_usd": "none"}}
    market = formed(tiny, token_way={"NVDAon": "issuer"}, ways=told)
    assert market.tokens.inventory_usd.tolist() == [np.inf]


def test_a_halt_of_redemptions_leaves_minting_open_and_a_freeze_does_not(tiny: Path) -> None:
    shocked(tiny, (1, "redemption_halt", 1.0), (2, "redemption_halt", 0.0), (4, "freeze", 1.0))
    told = {**TERMS, "mint_delay_hours": 0.0}
    tape = formed(tiny, token_way={"NVDAon": "issuer"}, ways={"NVDAon": told}).tape
    assert tape.buyback_rows[:, 0].tolist() == [0, -1, 0, 0, -1, -1]
    assert tape.mint_rows[:, 0].tolist() == [0, 0, 0, 0, -1, -1]


def test_delivery_waits_for_the_issuer_to_open() -> None:
    opened = np.array([True, True, False, False, True, True])
    assert rows_until(opened, 0).tolist() == [0, 0, -1, -1, 0, 0]
    assert rows_until(opened, 1).tolist() == [1, 3, -1, -1, 1, 7]
    assert rows_until(opened, 3).tolist() == [4, 3, -1, -1, 8, 7]


# --------------------------------------------------------------------------- NAV


def test_a_nav_that_is_not_recorded_is_the_share_by_the_multiplier(tiny: Path) -> None:
    way = {"token_way": {"NVDAon": "issuer"}, "ways": {"NVDAon": TERMS}}
    market = formed(tiny, multiplier={"NVDAon": 0.1}, **way)
    assert market.tape.nav_px[:, 0].tolist() == pytest.approx([18.0] * 6)
    path = tiny / "tokens.parquet"
    pl.read_parquet(path).with_columns(nav_px=pl.lit(181.0)).write_parquet(path)
    assert formed(tiny, **way).tape.nav_px[:, 0].tolist() == [181.0] * 6


def test_an_oracle_of_its_own_book_makes_no_nav() -> None:
    tape = blank(Tape, T=4, M=1, K=1, U=1, N=0, X=0, Y=0)
    tape.oracle_px[:], tape.multiplier[:], tape.nav_px[:] = 100.0, 2.0, np.nan
    tape.phase[:, 0] = [Phase.CASH, Phase.EXTENDED, Phase.CLOSED, Phase.CASH]
    tape.stale[3, 0] = True
    tokens = blank(Tokens, K=1)
    tokens.ways[:] = ISSUER
    names: Any = SimpleNamespace(token_perp=[0], perp_underlying=[0])
    form_navs(tape, tokens, names)
    assert tape.nav_px[:2, 0].tolist() == [200.0, 200.0]
    assert np.isnan(tape.nav_px[2:, 0]).all()
    formed_px = tape._replace(external_px=np.full((4, 1), 90.0))
    formed_px.nav_px[:] = np.nan
    form_navs(formed_px, tokens, names)
    assert formed_px.nav_px[:3, 0].tolist() == [180.0] * 3


# --------------------------------------------------------------------------- what is said


def test_the_result_says_which_ways_are_open(tiny: Path) -> None:
    def said(**config: Any) -> dict[str, tuple[str, str]]:
        told = {"coins": ["xyz:NVDA"], "tokens": ["NVDAon"], **config}
        config_ = check_config(told)
        made = assumptions(formed(tiny, **config), config_)
        return {
            a.name: (a.value, a.why)
            for a in made
            if a.name.startswith(("token_way", "NAV", "ways"))
        }

    assert said() == {}
    value, why = said(token_way={"NVDAon": "cheapest"})["token_way NVDAon"]
    assert value == "dex"
    assert why.startswith("its issuer's window is not known: ")
    assert "inventory_usd" in why
    told = said(token_way={"NVDAon": "issuer"}, ways={"NVDAon": TERMS})
    assert told["ways NVDAon"][0].startswith("mint_session 24/7, redeem_session 24/5, mint_fee_")
    assert told["token_way NVDAon"][0] == "issuer"
    assert "a short waits until its tokens are delivered" in told["token_way NVDAon"][1]
    assert told["NAV of NVDAon"] == (
        "oracle of xyz:NVDA by the multiplier", "in hours with an external price; none recorded",
    )  # fmt: skip
