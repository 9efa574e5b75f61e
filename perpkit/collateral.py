"""What a run assumes of its collateral, for the result to say."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from perpkit.config import RunConfig, collateral_tokens
from perpkit.rulebook import Value, open_rulebook
from perpkit.tape import Market
from perpkit.tape.collateral import FORMED, asset_name


class Assumption(NamedTuple):
    """One choice that the result depends on."""

    name: str
    value: str
    why: str


_REDEMPTION = ("redeem_session", "redeem_cutoff", "redeem_delay_hours", "redeem_min_usd")


def collateral_used(market: Market, config: RunConfig) -> list[str]:
    """Names in the rulebook of the run's collateral."""
    book, names = open_rulebook(config.rulebook, config.data), market.names
    found = [
        asset_name(token, names.kinds[names.tokens.index(token)], book)
        for token in collateral_tokens(config)
    ]
    return [name for name in found if name is not None]


def collateral_assumptions(market: Market, config: RunConfig) -> list[Assumption]:
    """What is held, what of it counts, and what is assumed of its clock; nothing without any."""
    tokens = collateral_tokens(config)
    if not tokens:
        return []
    told = ", ".join(
        f"{token} {pledge.share:g} of the margin, {pledge.wallet_share:g} of the wallet"
        for token, pledge in config.collateral.items()
    )
    how = "bought at the fair price of the first hour, without cost"
    made = [Assumption("collateral", told or "none", how)]
    for token in tokens:
        made += _of_token(token, market, config)
    if market.pledges is not None and market.pledges.share.any():
        known = "Hyperliquid's base rate for stablecoins in portfolio margin; assumed elsewhere"
        made.append(Assumption("borrow_apr", f"{config.borrow_apr:g}", f"on owed cash; {known}"))
        if market.pledges.mirrored.any():
            late = "within which owed cash is settled; no venue publishes it"
            made.append(Assumption("mirror_hours", str(config.mirror_hours), late))
    return made


def _of_token(token: str, market: Market, config: RunConfig) -> list[Assumption]:
    names, pledges = market.names, market.pledges
    k, book = names.tokens.index(token), open_rulebook(config.rulebook, config.data)
    name = asset_name(token, names.kinds[k], book)
    made = []
    if market.dataset.tokens_meta[token].issuer == FORMED:
        rate = config.collateral[token].apr or 0.0
        made.append(Assumption(f"{token} apr", f"{rate:g}", "the run's own rate: no data of it"))
    if name is None:
        return made
    asset, first_ns = book.collateral(name), int(market.tape.time_ns[0])
    venues = [
        v for v in {x.venue for x in market.dataset.perps_meta.values()} if v in asset.named()
    ]
    told = config.collateral.get(token)
    if pledges is not None and pledges.share[:, k].any() and told and told.haircut_frac is None:
        values = [asset.at("haircut_frac", first_ns, venue) for venue in venues or [""]]
        held = pledges.initial_haircut_frac[pledges.share[:, k] > 0.0, k]
        made.append(Assumption(f"{token} haircut_frac", f"{np.max(held):g}", _sources(values)))
    if config.redeem or token == config.sweep_token:
        values = [asset.at(key, first_ns) for key in _REDEMPTION]
        own = [value for value in values if value.confidence == "assumed" and value.known]
        words = ", ".join(str(value.value) for value in own)
        if own:
            made.append(Assumption(f"{token} redemption", words, _sources(own)))
    return made


def _sources(values: list[Value]) -> str:
    return "; ".join(dict.fromkeys(value.source for value in values))
