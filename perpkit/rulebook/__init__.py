"""The dated rulebook: terms of venues and issuers, each value with its source and confidence."""

from __future__ import annotations

from perpkit.rulebook.keys import ISSUER_KEYS, UNKNOWN, VENUE_KEYS, Key
from perpkit.rulebook.library import (
    OwnFile,
    Rulebook,
    digest,
    issuer_names,
    load_issuer,
    load_venue,
    open_rulebook,
    venue_names,
)
from perpkit.rulebook.overrides import CoinTerms
from perpkit.rulebook.record import ALWAYS, FORMULA, PRICES, TermChoice
from perpkit.rulebook.terms import Resolved, UsedTerm, resolve_terms
from perpkit.rulebook.venue import Issuer, Value, Venue

__all__ = [
    "ALWAYS",
    "FORMULA",
    "ISSUER_KEYS",
    "PRICES",
    "UNKNOWN",
    "VENUE_KEYS",
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
    "digest",
    "issuer_names",
    "load_issuer",
    "load_venue",
    "open_rulebook",
    "resolve_terms",
    "venue_names",
]
