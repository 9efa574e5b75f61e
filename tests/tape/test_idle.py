"""What is told of tokens and would do nothing is refused by name, and what wakes it is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from perpkit.config import check_config
from perpkit.dataset import read_dataset
from perpkit.errors import RequestError
from perpkit.tape import form

NVDA: dict[str, Any] = {"coins": ["xyz:NVDA"]}
SEQUENTIAL = {"mode": "sequential"}
PLEDGED: dict[str, Any] = {
    "collateral": {"USTB": {"apr": 0.04, "share": 0.5}},
    "terms": {"collateral": "USDC, USTB"},
}
# What a run's file may say once for all its runs.
COSTS = {
    **dict.fromkeys(("token_half_spread_frac", "token_fee_frac", "token_friction_frac"), 0.001),
    "token_min_order_usd": 10.0,
    "max_quote_spread_frac": 0.01,
    "max_frozen_hours": 3,
    "trade_frozen_quotes": False,
}
WINDOW = {
    **dict.fromkeys(("mint_session", "redeem_session"), "24/5"),
    **dict.fromkeys(("mint_fee_frac", "redeem_fee_frac", "mint_min_usd", "redeem_min_usd"), 0.0),
    **dict.fromkeys(("mint_delay_hours", "redeem_delay_hours"), 0.0),
    "inventory_usd": "none",
}


@pytest.fixture
def tiny(tiny_dataset: Path) -> Path:
    (tiny_dataset / "actions.parquet").unlink()
    return tiny_dataset


def formed(folder: Path, **told: Any) -> Any:
    return form(read_dataset(folder), check_config({**NVDA, **told}), pure_python=True)


def pledge(**told: Any) -> dict[str, Any]:
    own = {"apr": 0.04, **told}
    return {"collateral": {"USTB": own}, "terms": {"collateral": "USDC, USTB"}}


@pytest.mark.parametrize(
    ("told", "says", "wakes"),
    [
        (
            {"ways": {"NVDAon": {"mint_fee_frac": 0.0}}},
            "ways: NVDAon takes its quote, and the terms of its issuer do nothing; set token_way",
            {"token_way": {"NVDAon": "cheapest"}},
        ),
        (
            {"max_pool_frac": 0.5},
            "max_pool_frac was 0.5 and does nothing: no token of the run is traded against a pool",
            {"token_way": {"NVDAon": "dex"}},
        ),
        (
            {"settlement": SEQUENTIAL, "token_settlement": {"NVDAon": SEQUENTIAL}},
            "settlement does nothing: every token of the run has a path of its own",
            {"token_settlement": {}},
        ),
        (
            {"after_revoke": "sell", "shocks": "ignore"},
            'after_revoke does nothing: shocks = "ignore", so that nobody is revoked; set shocks',
            {"shocks": "play"},
        ),
        (
            {"locked_margin": "counted"},
            "locked_margin does nothing: the run pledges no token; set collateral.TOKEN.share",
            PLEDGED,
        ),
        *(
            (
                {**setting, "token_way": {"NVDAon": "issuer"}, "ways": {"NVDAon": WINDOW}},
                f"{next(iter(setting))} does nothing: no token of the run ",
                {"token_way": {"NVDAon": "quote"}, "ways": {}},
            )
            for setting in ({"trade_frozen_quotes": True}, {"token_half_spread_frac": 0.001})
        ),
        *(
            (
                pledge(**{name: value}),
                f"collateral.USTB.{name} does nothing: nothing of it is pledged; set its share",
                pledge(**{name: value, "share": 0.5}),
            )
            for name, value in {
                "accounts": ["xyz"],
                "haircut_frac": 0.05,
                "haircut_on": "both",
                "mirrored": True,
            }.items()
        ),
    ],
)
def test_what_would_do_nothing_is_refused(
    tiny: Path, told: dict[str, Any], says: str, wakes: dict[str, Any]
) -> None:
    with pytest.raises(RequestError, match=f"^{says}") as caught:
        formed(tiny, **told)
    assert "\n" not in str(caught.value)
    formed(tiny, **{**told, **wakes})


@pytest.mark.parametrize("way", ["quote", "dex"])
def test_terms_of_an_issuer_that_another_way_passes_by(tiny: Path, way: str) -> None:
    told = {"ways": {"NVDAon": {"mint_fee_frac": 0.0}}, "token_way": {"NVDAon": way}}
    with pytest.raises(RequestError, match=f'^ways: NVDAon has token_way = "{way}", and'):
        formed(tiny, **told)


def test_a_frozen_quote_is_no_price_of_a_pool(tiny: Path) -> None:
    told = {"trade_frozen_quotes": True, "token_way": {"NVDAon": "dex"}}
    with pytest.raises(RequestError, match=r"^trade_frozen_quotes does nothing: no token of the"):
        formed(tiny, **told)
    formed(tiny, token_half_spread_frac=0.001, token_way={"NVDAon": "dex"})


def test_a_treasury_has_no_terms_among_the_ways(tiny: Path) -> None:
    told = {"tokens": ["USDY"], "multiplier": {"USDY": 1.0}, "token_way": {"USDY": "cheapest"}}
    formed(tiny, **told)
    with pytest.raises(RequestError, match=r"^ways: USDY is treasury, whose redemption is a "):
        formed(tiny, ways={"USDY": {"mint_fee_frac": 0.0}}, **told)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("token_way", "dex"),
        ("ways", {"mint_fee_frac": 0.0}),
        ("cross_chain_gap_frac", 0.01),
        ("token_session", "cash"),
        ("multiplier", 1.0),
    ],
)
def test_a_token_that_is_not_there(tiny: Path, setting: str, value: Any) -> None:
    # USDY is a token of the dataset, and none of the run.
    with pytest.raises(RequestError, match=f"^{setting}: USDY is no token of this run: there is"):
        formed(tiny, **{setting: {"USDY": value}})


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("max_pool_frac", 0.5),
        ("settlement", SEQUENTIAL),
        ("after_revoke", "sell"),
        ("locked_margin", "counted"),
        ("pause_hours", 2.0),
        ("pause_above_frac", 0.02),
    ],
)
def test_a_run_without_a_token(tiny: Path, setting: str, value: Any) -> None:
    about = tiny / "dataset.toml"
    head, _ = about.read_text(encoding="utf-8").split("[tokens.", 1)
    about.write_text(head, encoding="utf-8")
    (tiny / "tokens.parquet").unlink()
    formed(tiny, **COSTS)
    with pytest.raises(RequestError, match=f"^{setting} does nothing: the run has no token; name"):
        formed(tiny, **{setting: value})
    with pytest.raises(RequestError, match=r"^trade_frozen_quotes does nothing: no token of the"):
        formed(tiny, trade_frozen_quotes=True)
    with pytest.raises(RequestError, match=r"^multiplier: USDY is no token of this run: "):
        formed(tiny, multiplier={"USDY": 1.0})


def test_what_is_off_may_be_said(tiny: Path) -> None:
    formed(tiny, **pledge(mirrored=False, wallet_share=0.5))
    formed(tiny, trade_frozen_quotes=False, token_way={"NVDAon": "dex"})


def test_the_smallest_order_stands_in_for_an_issuer_that_is_silent(tiny: Path) -> None:
    with pytest.raises(RequestError, match=r"^token_min_order_usd does nothing: every issuer"):
        formed(tiny, token_min_order_usd=25.0)
    about = tiny / "dataset.toml"
    about.write_text(about.read_text(encoding="utf-8").replace("ondo", "binance"), encoding="utf-8")
    told = {"token_min_order_usd": 25.0, "token_fee_frac": 0.0, "token_session": {"NVDAon": "24/7"}}
    assert formed(tiny, **told).tokens.min_order_usd.tolist() == [25.0]


def test_a_token_that_is_formed_has_its_issuers_hours(tiny: Path) -> None:
    with pytest.raises(RequestError, match=r"^token_session: USTB is formed from a rate and is "):
        formed(tiny, **PLEDGED, token_session={"USTB": "24/7"})
    assert formed(tiny, **PLEDGED, token_session={"NVDAon": "cash"}).names.tokens[1] == "USTB"
