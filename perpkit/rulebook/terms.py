"""Turns the rulebook and a run's choices into the records the loops read.

Precedence, strongest first: run file for a coin, run file, dataset, then the rulebook, where the
run's own file wins over one of the user's folder, that over the shipped one, and in each a coin's
block over the venue's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from perpkit.arrays import F64, I64, TERM
from perpkit.rulebook.keys import UNKNOWN, VENUE_KEYS
from perpkit.rulebook.library import Rulebook, open_rulebook
from perpkit.rulebook.overrides import CoinTerms, Stated, stated_terms
from perpkit.rulebook.record import ENTER, Found, TermChoice, is_read, number, record
from perpkit.rulebook.refusals import (
    refuse_closed,
    refuse_inconsistent,
    refuse_leverage,
    refuse_names,
    refuse_unknown,
)
from perpkit.rulebook.venue import Term, Value, Venue

Told = tuple[CoinTerms, Venue, Stated]  # a perp, its venue, and what is stated outside it
Records2D = np.recarray[tuple[int, int], np.dtype[Any]]


class UsedTerm(NamedTuple):
    """One value that entered the records, with the coins that share it."""

    venue: str
    coins: tuple[str, ...]
    scope: str  # the venue where all its coins in the run share the value, else those coins
    key: str
    value: Term
    source: str
    confidence: str
    place: str
    from_ns: int  # 0: undated
    needed: bool  # a rule of the run reads it


class Resolved(NamedTuple):
    """The terms of a run."""

    terms: Records2D  # (E, M) of arrays.TERM; unknown is NaN
    era: I64  # (T,) row of ``terms`` in force
    used: list[UsedTerm]
    oi_cap_usd: F64  # (E, M) of the tape, which no rule reads; NaN for none


def resolve_terms(
    coins: Sequence[CoinTerms],
    time_ns: I64,
    overrides: Mapping[str, object],
    choice: TermChoice,
    needs: frozenset[str],
    book: Rulebook | None = None,
) -> Resolved:
    """Form the records of a run, one row of them per change of any coin's terms.

    Parameters
    ----------
    coins : the run's perps, in the order of the records' second axis
    time_ns : (T,) int64, ascending; hour t takes the block in force at ``time_ns[t]``
    overrides : the run file's ``[terms]``, see :func:`perpkit.rulebook.overrides.stated_terms`
    choice : fee side, leverage, half-spread and slippage
    needs : rulebook keys that the run's rules read
    book : the rulebook; none: the shipped one with the user's folder

    Raises
    ------
    RequestError
        If an override is wrong, or the leverage is above what a coin allows at an hour of the run.
    DataError
        If a needed term is unknown at an hour of the run, a venue is closed at one, or a dataset's
        term is wrong.
    """
    needs = _all_needs(needs, choice)
    refuse_names(coins, choice.leverage)
    stated = stated_terms(coins, overrides)
    book = open_rulebook() if book is None else book
    made = {name: book.venue(name) for name in dict.fromkeys(c.venue for c in coins)}
    venues = [made[coin.venue] for coin in coins]
    for coin, venue in zip(coins, venues, strict=True):
        refuse_closed(coin, venue, time_ns)
    told = list(zip(coins, venues, stated, strict=True))
    starts, era = _eras(told, time_ns, ENTER | needs)
    table = [[_found(*one, int(ns), needs) for one in told] for ns in starts]
    first_ns = [int(time_ns[np.argmax(era == e)]) for e in range(len(table))]
    for ns, row in zip(first_ns, table, strict=True):
        refuse_unknown(coins, row, needs, ns)
        for coin, found in zip(coins, row, strict=True):
            refuse_inconsistent(coin, found, ns)
            refuse_leverage(coin, found, choice.leverage_of(coin.coin), ns)
    terms = np.zeros((len(table), len(coins)), TERM).view(np.recarray)
    for e, row in enumerate(table):
        for m, found in enumerate(row):
            terms[e, m] = record(found, choice, coins[m].coin)
    caps = np.array([[number(found["oi_cap_usd"]) for found in row] for row in table])
    return Resolved(terms, era, _used(coins, table, choice, needs), caps)


def _all_needs(needs: frozenset[str], choice: TermChoice) -> frozenset[str]:
    """Add, where a fee is needed, the keys that form it."""
    for key in needs - VENUE_KEYS.keys():
        raise KeyError(key)  # a fault of the caller's, not of the run's
    if needs & {"taker_frac", "maker_frac"}:
        needs |= {f"{choice.liquidity}_frac", "growth_mode", "growth_factor"}
    return needs


def _eras(told: Sequence[Told], time_ns: I64, keys: frozenset[str]) -> tuple[I64, I64]:
    """Find the starts of the eras that hours of the run lie in, and each hour's era."""
    first, last = int(time_ns[0]), int(time_ns[-1])
    dates = {first}
    for coin, venue, own in told:
        seen = keys - own.keys()
        dates.update(
            ns
            for ns in venue.dates(coin.coin, seen)
            if first < ns <= last
            and any(venue.find(k, ns, coin.coin) != venue.find(k, ns - 1, coin.coin) for k in seen)
        )
    starts = np.array(sorted(dates), np.int64)
    # Hours may be missing: a block that no hour falls into gets no era.
    rows, era = np.unique(np.searchsorted(starts, time_ns, side="right") - 1, return_inverse=True)
    return starts[rows], era.astype(np.int64)


def _found(coin: CoinTerms, venue: Venue, own: Stated, ns: int, needs: frozenset[str]) -> Found:
    """Every key at an instant; before there is a value, unknown, or refused where it is needed."""
    absent = Value(UNKNOWN, "", "assumed", 0, venue.place)
    for key in sorted(needs - own.keys()) if ns < venue.first_ns else ():
        venue.at(key, ns, coin.coin)  # refuses, with the first date
    return {
        key: own[key] if key in own else venue.find(key, ns, coin.coin) or absent
        for key in VENUE_KEYS
    }


def _entered(found: Found, choice: TermChoice, needs: frozenset[str]) -> Iterator[str]:
    other = "maker_frac" if choice.liquidity == "taker" else "taker_frac"
    for key, value in found.items():
        idle = key == "growth_factor" and found["growth_mode"].value is not True
        enters = key in ENTER | needs and value.known and is_read(key, found)
        if enters and key != other and not idle:
            yield key


def _used(
    coins: Sequence[CoinTerms],
    table: list[list[Found]],
    choice: TermChoice,
    needs: frozenset[str],
) -> list[UsedTerm]:
    """List what entered the records by venue and key, equal values merged over coins and eras."""
    shared: dict[tuple[str, str, Value], dict[str, None]] = {}  # coins, ordered and once
    for row in table:
        for coin, found in zip(coins, row, strict=True):
            for key in _entered(found, choice, needs):
                shared.setdefault((coin.venue, key, found[key]), {})[coin.coin] = None
    mine = {v: {c.coin for c in coins if c.venue == v} for v in {c.venue for c in coins}}
    used = [
        UsedTerm(
            venue=venue,
            coins=tuple(names),
            scope=venue if names.keys() == mine[venue] else ", ".join(names),
            key=key,
            value=value.value,
            source=value.source,
            confidence=value.confidence,
            place=value.place,
            from_ns=value.since_ns,
            needed=key in needs,
        )
        for (venue, key, value), names in shared.items()
    ]
    order = list(VENUE_KEYS)
    return sorted(used, key=lambda u: (u.venue, order.index(u.key), u.from_ns, u.coins))
