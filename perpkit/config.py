"""The settings of a run, and what they may be."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from perpkit.delivery import Delivery
from perpkit.errors import RequestError, nearest
from perpkit.told import Frac, Holder, IssuerTerms, Pledge

Hours = Annotated[int, Field(ge=1, le=8_760)]
Leverage = Annotated[float, Field(ge=1.0)]


# The tables of tables, for what is misspelt in them.
_TABLES: dict[str, type[BaseModel]] = {
    "collateral": Pledge,
    "ways": IssuerTerms,
    "holder": Holder,
    "settlement": Delivery,
    "token_settlement": Delivery,
}


class RunConfig(BaseModel):
    """Every choice of a run; field descriptions are the documentation of the run file."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    data: Path | None = Field(None, description="dataset folder; none: the shipped demo")
    start: datetime | None = Field(None, description="first hour, UTC")
    end: datetime | None = Field(None, description="last hour, UTC")
    capital: float = Field(100_000.0, gt=0.0, description="USD at the start")
    margin_share: float = Field(
        1 / 3, gt=0.0, lt=1.0, description="share of capital that starts in the margin accounts"
    )
    coins: tuple[str, ...] | None = Field(None, description="perps to trade; none: all")
    pairs: dict[str, str] = Field(
        {}, description="token of each perp; default the first of its underlying in the dataset"
    )
    tokens: tuple[str, ...] = Field((), description="further tokens the strategy may hold")
    fill_delay_hours: Literal[0, 1] = Field(1, description="rows between decision and fill")
    pair: Literal["together", "each"] = Field(
        "together", description="whether both legs of a hedge are cut to the smaller"
    )
    liquidity: Literal["taker", "maker"] = Field("taker", description="fee schedule of perp fills")
    leverage: Leverage | dict[str, Leverage] | None = Field(
        None,
        description="leverage of the initial margin, of all coins or by coin; none: the coin's "
        "highest",
    )
    margin_mode: Literal["cross", "isolated"] | None = Field(
        None,
        description="how positions are margined where the venue leaves the choice; none: cross "
        "where it is allowed throughout the run",
    )
    unified: tuple[str, ...] = Field(
        (), description="venues that share one margin account, as a unified account on Hyperliquid"
    )
    portfolio_margin: bool = Field(
        False,
        description="margin accounts as Hyperliquid's portfolio margin: pledged tokens lend by "
        "their haircut, half of it counts against liquidation",
    )
    portfolio_cap_usd: float = Field(
        1_000_000.0, gt=0.0, description="most that an account may borrow in portfolio margin"
    )
    # Two live carry tests of about 2,450 USD a leg lost 4.07 and 2.10 USD to slippage over four
    # fills each (harmonixfi/hip3-agent, 27 to 30 March 2026): 2 to 4 bp a fill.
    half_spread_frac: Frac = Field(0.0002, description="perp half-spread, fraction of the mid")
    slippage_frac: Frac = Field(0.0002, description="perp impact beyond the half-spread")
    impact_coefficient: float = Field(
        0.0,
        ge=0.0,
        description="further impact of a perp order, times sqrt(order / volume of 24 hours)",
    )
    max_volume_frac: float | None = Field(
        None,
        gt=0.0,
        le=1.0,
        description="largest increase of a perp, share of an hour's mean volume; none: any",
    )
    max_order_usd: float | None = Field(
        None, gt=0.0, description="largest increase of a perp in an hour, USD; none: any"
    )
    oi_cap: bool = Field(
        False,
        description="only reduce while recorded open interest is at `oi_cap_usd` of the rulebook",
    )
    token_half_spread_frac: Frac | None = Field(
        None, description="half-spread of tokens quoted as a mid (bid = ask)"
    )
    token_fee_frac: Frac | None = Field(
        None, description="fee of a token trade; none: the issuer's"
    )
    token_min_order_usd: float = Field(
        10.0, ge=0.0, description="smallest token order where the issuer publishes none"
    )
    token_session: dict[str, Literal["24/7", "24/5", "cash"]] = Field(
        {}, description="when a token is quoted; default the issuer's"
    )
    token_way: dict[str, Literal["cheapest", "quote", "dex", "issuer"]] = Field(
        {},
        description="how a token is traded: at its quote (the default), against its pool, with its "
        "issuer, or `cheapest`: the best of those that are known and open; where liquidity is "
        "recorded the quote is the pool's",
    )
    ways: dict[str, IssuerTerms] = Field(
        {}, description="terms of a token's issuer, a table each; see ways.md"
    )
    max_pool_frac: float = Field(
        0.5, gt=0.0, lt=1.0, description="largest purchase from a pool, share of its tokens"
    )
    # CoinFound, "dual-track era of on-chain US stocks", March 2026, section 8.1, without a source
    # of its own: friction of 2 to 5% in all, gaps between chains of 1 to 3%.
    token_friction_frac: Frac = Field(
        0.0, description="further cost of every token trade, fraction of its price"
    )
    cross_chain_gap_frac: dict[str, Frac] = Field(
        {},
        description="by token: what its price is worse by where it is needed on another chain than "
        "it is quoted on; 1 to 3% is reported",
    )
    multiplier: dict[str, Annotated[float, Field(gt=0.0)]] = Field(
        {}, description="underlying units a token; wins over what the dataset says"
    )
    trade_frozen_quotes: bool = Field(False, description="trade at quotes that are not live")
    max_quote_spread_frac: Frac = Field(0.005, description="widest spread of a live quote")
    max_frozen_hours: int = Field(2, ge=1, le=168, description="longest a live quote stands still")
    max_stale_hours: int = Field(3, ge=0, le=168, description="longest a price is carried")
    funding: Literal["recorded", "formula", "both"] | None = Field(
        None,
        description="`recorded`: a missing rate is an error; `formula`: fills in what is not "
        "recorded; `both`: as recorded, and says what the formula makes of it; none: recorded, but "
        "formula for external prices without a record",
    )
    shocks: Literal["play", "ignore"] = Field(
        "play", description="whether the incidents of the dataset happen"
    )
    after_revoke: Literal["locked", "redeem", "sell"] = Field(
        "locked",
        description="what the holder may still do with a token after an incident `revoke`: "
        "nothing; redeem it; also sell it to others",
    )
    locked_margin: Literal["none", "counted"] = Field(
        "none",
        description="whether pledged tokens that are frozen or paused count as margin meanwhile",
    )
    margin_paths: Literal["own_worst", "joint"] = Field(
        "own_worst",
        description="cross accounts are tested with every leg at its own extreme, or with all "
        "prices at their highs, at their lows, or at their marks",
    )
    liq_fill: Literal["extreme", "trigger"] = Field(
        "extreme", description="price at which a liquidation is done"
    )
    after_liquidation: Literal["stop", "resume"] = Field(
        "stop", description="whether a liquidated coin may be entered again"
    )
    adl_shock_frac: float | None = Field(
        None,
        gt=0.0,
        description="move of the mark in an hour against the other side from which a profitable "
        "position is auto-deleveraged; none: never",
    )
    adl_index: float = Field(0.0, ge=0.0, description="ADL index from which it reaches a position")
    topup_at_ratio: float | None = Field(
        None, gt=0.0, lt=1.0, description="margin ratio at which cash is sent; none: never"
    )
    topup_to_ratio: float = Field(0.25, gt=0.0, lt=1.0, description="ratio a transfer restores")
    transfer_hours: Hours = Field(1, description="hours a transfer between accounts takes")
    transfer_cost_usd: float = Field(1.0, ge=0.0, description="cost of a transfer")
    sweep_at_ratio: float | None = Field(
        None,
        gt=0.0,
        lt=1.0,
        description="margin ratio below which spare cash goes to the wallet; none: never",
    )
    sweep_min_usd: float = Field(
        100.0, ge=0.0, description="smallest amount that is swept to the wallet, USD"
    )
    pause_hours: float = Field(
        24.0,
        ge=0.0,
        le=8_760.0,
        description="how long a token stands still after a split or a special dividend: no issuer "
        "states a longest pause",
    )
    pause_above_frac: Frac = Field(
        0.01,
        description="change of a token's multiplier beyond which it is paused where its issuer's "
        "limit is unknown",
    )
    sweep_token: str | None = Field(
        None, description="token that idle cash of the wallet is put into; none: it stays cash"
    )
    wallet_cash_usd: float = Field(
        0.0, ge=0.0, description="cash that stays in the wallet all the same"
    )
    redeem: bool = Field(
        False, description="redeem treasury and stable tokens of the wallet to meet a margin call"
    )
    delever: bool = Field(
        False, description="cut both legs where a margin call cannot be met otherwise"
    )
    borrow_apr: float = Field(
        0.05, ge=0.0, lt=10.0, description="on cash that a margin account owes, simple"
    )
    seize_cost_frac: Frac = Field(
        0.01, description="what a venue loses in selling pledged tokens, fraction of their price"
    )
    mirror_hours: Hours = Field(
        24, description="hours within which cash owed against mirrored collateral is settled"
    )
    wallet_currency: str | None = Field(
        None,
        min_length=1,
        description="settle currency of the wallet; none: that of the first margin account",
    )
    risk_free_apr: float = Field(0.0375, description="rate of the excess returns, simple")
    collateral: dict[str, Pledge] = Field(
        {}, description="tokens held as collateral, a table each; see below"
    )
    settlement: Delivery = Field(
        Delivery(), description="path that trades of tokens settle on; see settlement.md"
    )
    token_settlement: dict[str, Delivery] = Field(
        {},
        description="path of one token in place of that, a table each; its redemptions take it too",
    )
    seed: int = Field(0, ge=0, description="what is drawn at random depends on it alone")
    holder: Holder | None = Field(
        None, description="who holds and trades; none: nobody's eligibility is tested; see below"
    )
    terms: dict[str, Any] = Field({}, description="rulebook terms that this run overrides")
    rulebook: Path | None = Field(
        None, description="TOML file, or a folder of them, laid over the rulebook"
    )
    params: dict[str, Any] = Field({}, description="parameters of the strategy")
    chunk_rows: int = Field(32_768, ge=1, description="hours between two progress reports, at most")


# Assumed, not known: the result names these whenever they are in force.
ASSUMED = (
    "margin_share",
    "half_spread_frac",
    "slippage_frac",
    "risk_free_apr",
    "max_quote_spread_frac",
    "max_frozen_hours",
    "token_min_order_usd",
)


_IN_WORDS = {
    "path_type": "write the path of a folder",
    "datetime_type": "write a date or a time in UTC, 2026-08-15 or 2026-08-15T20:00",
    "datetime_from_date_parsing": "write a date or a time in UTC, 2026-08-15 or 2026-08-15T20:00",
    "tuple_type": 'write a list of names, ["xyz:NVDA"]',
    "dict_type": "write a table, as in --set pairs.xyz:NVDA=NVDA.RH",
    "model_type": "write a table, as in --set collateral.USTB.share=0.9, settlement.mode=atomic",
    "missing": "say where the holder is, as in --set holder.jurisdiction=US",
    "string_pattern_mismatch": "write a country's code of two letters, such as US, or EU",
}


def _place(loc: tuple[int | str, ...], settings: Mapping[str, Any]) -> list[str]:
    """Where in the settings a value is wrong; without the types that pydantic tried."""
    made: list[str] = []
    value: Any = settings
    for part in loc:
        if isinstance(part, int) or (isinstance(value, Mapping) and part in value):
            made.append(str(part))
            value = value[part] if isinstance(value, Mapping) else {}
    return made


def check_config(settings: Mapping[str, Any], where: str = "the run") -> RunConfig:
    """The settings, checked.

    Raises
    ------
    RequestError
        With the first wrong key and why.
    """
    for name in settings:
        if name not in RunConfig.model_fields:
            raise RequestError(
                f"{where}: no setting {name}: {nearest(name, RunConfig.model_fields)}"
            )
    plain: dict[str, Any] = {
        k: datetime(v.year, v.month, v.day)  # noqa: DTZ001 - a bare date is read as UTC later
        if isinstance(v, date) and not isinstance(v, datetime)
        else v
        for k, v in settings.items()
    }
    try:
        config = RunConfig(**plain)
    except ValidationError as e:
        # Of the branches of a union the one that got furthest into the value.
        first = max(e.errors(), key=lambda error: len(_place(error["loc"], plain)))
        name = ".".join(_place(first["loc"], plain))
        if first["type"] == "extra_forbidden":
            table = _TABLES[str(first["loc"][0])]
            known = nearest(str(first["loc"][-1]), table.model_fields)
            raise RequestError(f"{where}: no setting {name}: {known}") from None
        if first["type"] == "value_error":
            raise RequestError(f"{where}: {name}: {first['ctx']['error']}") from None
        why = _IN_WORDS.get(first["type"], first["msg"].lower())
        raise RequestError(f"{where}: {name} was {first['input']!r}: {why}") from None
    if config.redeem and config.topup_at_ratio is None:
        raise RequestError(f"{where}: redeem meets margin calls; set topup_at_ratio, the call")
    if config.delever and config.topup_at_ratio is None:
        raise RequestError(f"{where}: delever meets margin calls; set topup_at_ratio, the call")
    if config.topup_at_ratio is not None and config.topup_to_ratio >= config.topup_at_ratio:
        raise RequestError(
            f"{where}: topup_to_ratio was {config.topup_to_ratio}, not below topup_at_ratio = "
            f"{config.topup_at_ratio}; a transfer lowers the ratio"
        )
    if config.adl_shock_frac is None and config.adl_index > 0.0:
        raise RequestError(
            f"{where}: adl_index was {config.adl_index:g} without adl_shock_frac; set the move "
            "from which positions are auto-deleveraged too, or leave adl_index out"
        )
    if config.sweep_at_ratio is not None and config.sweep_at_ratio >= config.topup_to_ratio:
        raise RequestError(
            f"{where}: sweep_at_ratio was {config.sweep_at_ratio}, not below topup_to_ratio = "
            f"{config.topup_to_ratio}; cash that leaves raises the ratio to that"
        )
    cost = config.transfer_cost_usd
    if config.sweep_at_ratio is not None and 0.0 < cost >= config.sweep_min_usd:
        raise RequestError(
            f"{where}: sweep_min_usd was {config.sweep_min_usd:g}, not above transfer_cost_usd = "
            f"{cost:g}, which is paid out of it; raise sweep_min_usd"
        )
    _refuse_idle(where, config)
    _refuse_shares(where, config.collateral)
    return config


def _refuse_idle(where: str, config: RunConfig) -> None:
    """Refuse what was told and would do nothing, as what it belongs to is off."""
    mirrored = any(pledge.mirrored and pledge.share > 0.0 for pledge in config.collateral.values())
    needs = {
        "mirror_hours": (mirrored, "collateral.TOKEN.mirrored = true and a share"),
        "portfolio_cap_usd": (config.portfolio_margin, "portfolio_margin = true"),
        "sweep_min_usd": (config.sweep_at_ratio is not None, "sweep_at_ratio"),
        "wallet_cash_usd": (config.sweep_token is not None, "sweep_token"),
    }
    for name, (on, other) in needs.items():
        if name in config.model_fields_set and not on:
            raise RequestError(
                f"{where}: {name} was {getattr(config, name):g} and does nothing without {other}; "
                f"set that too, or leave {name} out"
            )


def _refuse_shares(where: str, pledges: Mapping[str, Pledge]) -> None:
    """Refuse shares that leave an account no cash, account by account."""
    accounts = {a for pledge in pledges.values() for a in pledge.accounts or ()} or {""}
    parts = [("wallet_share", {token: x.wallet_share for token, x in pledges.items()})]
    parts += [
        ("share", {t: x.share for t, x in pledges.items() if a in (x.accounts or (a,))})
        for a in sorted(accounts)
    ]
    for name, told in parts:
        if sum(told.values()) > 1.0 - 1e-12:
            tokens = ", ".join(token for token, share in told.items() if share)
            raise RequestError(
                f"{where}: {name} of the collateral {tokens} is {sum(told.values()):g} in all, "
                "which leaves no cash; lower them to less than 1"
            )


def collateral_tokens(config: RunConfig) -> tuple[str, ...]:
    """Tokens that a run holds because its collateral or its treasury says so."""
    sweep = () if config.sweep_token is None else (config.sweep_token,)
    return tuple(dict.fromkeys([*config.collateral, *sweep]))
