"""The dated rulebook: terms of venues and issuers, each value with its source and confidence."""

from __future__ import annotations

from perpkit.rulebook.asset import Asset
from perpkit.rulebook.keys import (
    COLLATERAL_KEYS,
    ELIGIBILITY_KEYS,
    ISSUER_KEYS,
    JURISDICTIONS,
    UNKNOWN,
    VENUE_KEYS,
    Key,
)
from perpkit.rulebook.library import (
    OwnFile,
    Rulebook,
    collateral_names,
    dataset_rules,
    digest,
    issuer_names,
    load_collateral,
    load_eligibility,
    load_issuer,
    load_venue,
    open_rulebook,
    venue_names,
)
from perpkit.rulebook.overrides import CoinTerms
from perpkit.rulebook.record import ALWAYS, FORMULA, OPEN_INTEREST, PRICES, TermChoice
from perpkit.rulebook.terms import Resolved, UsedTerm, resolve_terms
from perpkit.rulebook.venue import Issuer, Value, Venue

__all__ = [
    "ALWAYS",
    "COLLATERAL_KEYS",
    "ELIGIBILITY_KEYS",
    "FORMULA",
    "ISSUER_KEYS",
    "JURISDICTIONS",
    "OPEN_INTEREST",
    "PRICES",
    "UNKNOWN",
    "VENUE_KEYS",
    "Asset",
    "CoinTerms",
    "Issuer",
    "Key",
    "OwnFile",
    "Resolved",
    "Rulebook",
    "TermChoice",
    "UsedTerm",
    "Value",
    "Venue",
    "collateral_names",
    "dataset_rules",
    "digest",
    "issuer_names",
    "load_collateral",
    "load_eligibility",
    "load_issuer",
    "load_venue",
    "open_rulebook",
    "resolve_terms",
    "venue_names",
]
