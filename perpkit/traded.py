"""What a run assumes of the ways its tokens are traded, for the result to say."""

from __future__ import annotations

import numpy as np

from perpkit.arrays import Way
from perpkit.collateral import Assumption
from perpkit.config import RunConfig
from perpkit.tape import Market
from perpkit.tape.ways import unknown_terms

_LATE = (
    "a short waits until its tokens are delivered, the book being long without a hedge till then"
)


def way_assumptions(market: Market, config: RunConfig) -> list[Assumption]:
    """The ways of the tokens that the run names one for, and what their prices rest on."""
    made = []
    for token in config.token_way:
        k = market.names.tokens.index(token)
        ways = [way for way in Way if market.tokens.ways[k] & 1 << way]
        value = ", ".join(way.name.lower() for way in ways)
        made.append(Assumption(f"token_way {token}", value, "; ".join(_why(k, market, config))))
        if Way.ISSUER in ways and not _has_nav(market, token):
            made.append(_nav(k, market))
    for token, told in config.ways.items():
        own = told.model_dump(exclude_none=True)
        terms = ", ".join(f"{key} {value}" for key, value in own.items())
        made.append(Assumption(f"ways {token}", terms, "the run's own terms of its issuer"))
    if market.tape.liquidity_usd.shape[1]:
        why = "largest purchase from a pool, share of its tokens; pools are taken as x y = k"
        made.append(Assumption("max_pool_frac", f"{config.max_pool_frac:g}", why))
    return made


def _why(k: int, market: Market, config: RunConfig) -> list[str]:
    """What holds for the ways of one token."""
    token, tape, told = market.names.tokens[k], market.tape, []
    ways = int(market.tokens.ways[k])
    span = int(tape.time_ns[0]), int(tape.time_ns[-1])
    if config.token_way[token] == "cheapest":
        unknown = unknown_terms(token, market.dataset, config, span)
        if unknown:
            told.append(f"its issuer's window is not known: {', '.join(unknown)}")
    if ways & 1 << Way.DEX:
        told.append("the quote is taken as its pool's: never better than either")
    if ways & 1 << Way.ISSUER:
        told.append("one inventory a day (UTC) for what is sold and taken back")
        if max(tape.mint_rows[:, k].max(), tape.buyback_rows[:, k].max()) > 0:
            told.append(_LATE)
    return told or ["at its recorded quote"]


def _has_nav(market: Market, token: str) -> bool:
    """Whether the dataset records a NAV of a token."""
    rows = market.dataset.tokens
    own = rows.filter(rows["token"] == token)["nav_px"]
    return own.null_count() < len(own)


def _nav(k: int, market: Market) -> Assumption:
    names = market.names
    which = "external price" if market.tape.external_px.shape[1] else "oracle"
    shown = f"{which} of {names.coins[int(np.asarray(names.token_perp)[k])]} by the multiplier"
    why = "in hours with an external price; none recorded"
    return Assumption(f"NAV of {names.tokens[k]}", shown, why)
