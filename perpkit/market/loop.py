"""The market loop: one of the two compiled loops."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from numba import types

from perpkit.arrays import TERM, Axes, Records, Settings, Tape, Tokens
from perpkit.market.funding import form_funding
from perpkit.market.oracle import form_prices
from perpkit.market.premium import form_premiums
from perpkit.market.quotes import value_tokens
from perpkit.rule import Entry, compile_cached, is_cached, numba_type, rule_sources

Loop = Callable[[Tape, Records, Tokens, Settings, int, int], None]


def form_market(
    tape: Tape, terms: Records, tokens: Tokens, settings: Settings, first: int, last: int
) -> None:
    """Fill rows ``first <= t < last`` of the tape's formed columns; earlier rows are its state."""
    for t in range(first, last):
        now = terms[tape.era[t]]
        form_prices(t, tape, now)
        form_premiums(t, tape, now)
        form_funding(t, tape, now)
        value_tokens(t, tape, tokens, settings)


def is_compiled() -> bool:
    """Whether the compiled market loop is in the cache."""
    return is_cached(Entry("market", rule_sources()))


@lru_cache(maxsize=1)
def compiled() -> Loop:
    """The compiled market loop, from the cache where it is there."""
    signature: Any = types.void(
        numba_type(Tape),
        numba_type(Axes(TERM, ("E", "M"))),
        numba_type(Tokens),
        numba_type(Settings),
        types.int64,
        types.int64,
    )
    return compile_cached(form_market, signature, Entry("market", rule_sources()), counted=False)
