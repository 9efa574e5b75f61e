"""The dated rulebook: terms of venues and issuers, each value with its source and confidence."""

from __future__ import annotations

from perpkit.rulebook.keys import ISSUER_KEYS, UNKNOWN, VENUE_KEYS, Key
from perpkit.rulebook.overrides import CoinTerms
from perpkit.rulebook.reader import (
    Issuer,
    Value,
    Venue,
    issuer_names,
    load_issuer,
    load_venue,
    venue_names,
)
from perpkit.rulebook.terms import Resolved, TermChoice, UsedTerm, resolve_terms

__all__ = [
    "ISSUER_KEYS",
    "UNKNOWN",
    "VENUE_KEYS",
    "CoinTerms",
    "Issuer",
    "Key",
    "Resolved",
    "TermChoice",
    "UsedTerm",
    "Value",
    "Venue",
    "issuer_names",
    "load_issuer",
    "load_venue",
    "resolve_terms",
    "venue_names",
]
