"""The tables within a run file: collateral, holder, and terms of issuers."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Frac = Annotated[float, Field(ge=0.0, lt=1.0)]


class Pledge(BaseModel):
    """One token as collateral: what is held of it at the start, and how it counts."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    share: float = Field(
        0.0, ge=0.0, lt=1.0, description="share of a margin account's starting cash pledged in it"
    )
    accounts: tuple[str, ...] | None = Field(
        None, description="venues whose accounts it is pledged in; none: all"
    )
    wallet_share: float = Field(
        0.0, ge=0.0, lt=1.0, description="share of the wallet's starting cash held in it, free"
    )
    haircut_frac: Frac | None = Field(
        None, description="share of its value that is no margin; none: the rulebook's"
    )
    haircut_on: Literal["initial", "both"] | None = Field(
        None, description="margin that the haircut is taken for; none: the rulebook's"
    )
    mirrored: bool = Field(
        False, description="in custody outside the venue, which mirrors it as margin"
    )
    apr: float | None = Field(
        None, gt=-1.0, lt=10.0, description="simple rate of a token that the dataset does not have"
    )


class Holder(BaseModel):
    """Who holds the tokens and trades on the venues of a run."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    jurisdiction: str = Field(
        ...,
        pattern="^[A-Za-z]{2}$",
        description="code of the country the holder is a person of, or EU",
    )
    kyc: Literal["none", "basic", "accredited", "qualified"] = Field(
        "none",
        description="unidentified; identified; accredited investor (US) or professional client "
        "(EU, CH); qualified purchaser (US) or institution",
    )
    eligibility: Literal["strict", "known", "warn"] = Field(
        "known",
        description="what is refused: also what is not known; what is known to be barred; nothing, "
        "it is only said",
    )


Session = Literal["24/7", "24/5", "us_cash", "market_days", "none"]
Usd = Annotated[float, Field(ge=0.0)]


class IssuerTerms(BaseModel):
    """What the issuer of one token says, as the run knows it; none: as the rulebook does."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    mint_session: Session | None = Field(None, description="when the issuer sells new tokens")
    redeem_session: Session | None = Field(None, description="when it takes tokens back")
    mint_fee_frac: Frac | None = Field(None, description="fee of a new token")
    redeem_fee_frac: Frac | None = Field(None, description="fee of taking one back")
    mint_min_usd: Usd | None = Field(None, description="least that it sells")
    redeem_min_usd: Usd | None = Field(None, description="least that it takes back")
    mint_delay_hours: Usd | None = Field(None, description="hours from an order to its tokens")
    redeem_delay_hours: Usd | None = Field(None, description="hours from an order to its cash")
    inventory_usd: Annotated[float, Field(gt=0.0)] | Literal["none"] | None = Field(
        None, description='most that it sells and takes back in a day (UTC); `"none"`: any amount'
    )
