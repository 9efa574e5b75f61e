"""The terms of a perp in the rulebook's words, out of the answers of ``meta`` and ``perpDexs``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from perpkit.rulebook import UNKNOWN, VENUE_KEYS
from perpkit.rulebook.keys import NONE, fault
from perpkit.sources.hyperliquid import answers
from perpkit.sources.hyperliquid.markets import Market

_ONE_TIER: Final = 50  # below it the number of a margin table is its only leverage
_MODES: Final = {
    "strictIsolated": "strict_isolated",
    "noCross": "isolated",
    None: "cross_isolated",
}
# Key of the rulebook, where perpDexs tells it by coin, and what a coin left out there has.
_FUNDING: Final = (
    ("funding_multiplier", "assetToFundingMultiplier", 1.0),
    ("interest_8h", "assetToFundingInterestRate", 0.0001),
    ("clamp_8h", "assetToFundingClamp", 0.0003),
)


class Term(NamedTuple):
    """A value of the rulebook and how well it is known."""

    value: float | int | str | bool
    confidence: str


def terms_of(market: Market) -> dict[str, Term]:
    """Terms of a perp by key of the rulebook; what the answers do not tell is left out.

    Raises
    ------
    DataError
        If a value cannot be one of the rulebook's.
    """
    made = dict(_terms(market))
    for key, term in made.items():
        if fault(VENUE_KEYS[key], term.value):
            raise answers.fault(f"as {key} of {market.coin}", term.value)
    return made


def sz_decimals(market: Market) -> int:
    """Decimals of a size: no action of the protocol changes them once a perp is registered."""
    return int(answers.number(market.listed, "szDecimals"))


def _terms(market: Market) -> Iterator[tuple[str, Term]]:
    highest = answers.number(market.listed, "maxLeverage")
    yield "max_leverage", Term(int(highest), "verified")
    tiers = _tiers(market)
    if tiers is not None:
        yield "margin_tiers", Term(tiers, "verified" if tiers != UNKNOWN else "assumed")
    mode = market.listed.get("marginMode")
    # In an older form onlyIsolated alone stood for both isolated modes.
    if mode in _MODES and not (mode is None and market.listed.get("onlyIsolated")):
        yield "margin_modes", Term(_MODES[mode], "verified")
    if market.dex:
        growth = market.listed.get("growthMode") == "enabled"
        yield "growth_mode", Term(growth, "verified")
        yield from _of_dex(market)


def _of_dex(market: Market) -> Iterator[tuple[str, Term]]:
    for key, listed, default in _FUNDING:
        told = answers.pairs(market.settings, listed)
        if told is not None:
            known = market.coin in told
            value = told.get(market.coin, default)
            yield key, Term(value, "verified" if known else "documented")
    caps = answers.pairs(market.settings, "assetToStreamingOiCap") or {}
    if market.coin in caps:
        yield "oi_cap_usd", Term(caps[market.coin], "verified")


def _tiers(market: Market) -> str | None:
    """Further margin tiers as the rulebook writes them; None where the answer has no table."""
    table = market.listed.get("marginTableId")
    if table is None:
        return None
    if isinstance(table, int) and table < _ONE_TIER:
        return NONE
    if table not in market.tables:
        return None
    told = market.tables[table]
    further = answers.rows(_inner(told).get("marginTiers"), "margin tiers")[1:]
    if not further:
        return NONE
    if len(further) > 2:
        return UNKNOWN  # more than the rulebook can say
    usd = [answers.number(tier, "lowerBound") for tier in further]
    leverage = [answers.number(tier, "maxLeverage") for tier in further]
    pairs = zip(usd, leverage, strict=True)
    return ", ".join(f"{low:.0f}: {highest:g}" for low, highest in pairs)


def _inner(table: object) -> Mapping[str, Any]:
    if not isinstance(table, dict):
        raise answers.fault("as margin table", table)
    return table
