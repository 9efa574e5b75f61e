"""Turns the rulebook and a run's choices into the records the loops read.

Precedence, strongest first: run file for a coin, run file, dataset, rulebook's coin block,
rulebook's venue block.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from perpkit.arrays import I64, TERM
from perpkit.errors import DataError, RequestError
from perpkit.rulebook.keys import NONE, UNKNOWN, VENUE_KEYS
from perpkit.rulebook.overrides import CoinTerms, Stated, stated_terms
from perpkit.rulebook.reader import Term, Value, Venue, day, load_venue

Found = Mapping[str, Value]  # every key of the rulebook -> the value in force
Records2D = np.recarray[tuple[int, int], np.dtype[Any]]


class TermChoice(NamedTuple):
    """The run's choices that enter the records."""

    liquidity: Literal["taker", "maker"]
    leverage: float | None  # None: each coin's max_leverage
    half_spread_frac: float
    slippage_frac: float


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


def resolve_terms(
    coins: Sequence[CoinTerms],
    time_ns: I64,
    overrides: Mapping[str, object],
    choice: TermChoice,
    needs: frozenset[str],
) -> Resolved:
    """Form the records of a run, one row of them per change of any coin's terms.

    Parameters
    ----------
    coins : the run's perps, in the order of the records' second axis
    time_ns : (T,) int64, ascending; hour t takes the block in force at ``time_ns[t]``
    overrides : the run file's ``[terms]``, see :func:`perpkit.rulebook.overrides.stated_terms`
    choice : fee side, leverage, half-spread and slippage
    needs : rulebook keys that the run's rules read

    Raises
    ------
    RequestError
        If an override is wrong, or the leverage is above what a coin allows at an hour of the run.
    DataError
        If a needed term is unknown at an hour of the run, or a dataset's term is wrong.
    """
    needs = _all_needs(needs, choice)
    stated = stated_terms(coins, overrides)
    starts, era = _eras(coins, stated, time_ns)
    table = [
        [_found(c, s, int(ns), needs) for c, s in zip(coins, stated, strict=True)] for ns in starts
    ]
    first_ns = [int(time_ns[np.argmax(era == e)]) for e in range(len(table))]
    for ns, row in zip(first_ns, table, strict=True):
        for coin, found in zip(coins, row, strict=True):
            _refuse_unknown(coin, found, needs, ns)
            _refuse_leverage(coin, found, choice, ns)
    terms = np.zeros((len(table), len(coins)), TERM).view(np.recarray)
    for e, row in enumerate(table):
        for m, found in enumerate(row):
            terms[e, m] = _record(found, choice)
    return Resolved(terms, era, _used(coins, table, choice, needs))


def _all_needs(needs: frozenset[str], choice: TermChoice) -> frozenset[str]:
    """Add, where a fee is needed, the keys that form it."""
    for key in needs - VENUE_KEYS.keys():
        raise KeyError(key)  # a fault of the caller's, not of the run's
    if needs & {"taker_frac", "maker_frac"}:
        needs |= {f"{choice.liquidity}_frac", "growth_mode", "growth_factor"}
    return needs


def _eras(coins: Sequence[CoinTerms], stated: list[Stated], time_ns: I64) -> tuple[I64, I64]:
    """Find the starts of the eras that hours of the run lie in, and each hour's era."""
    first, last = int(time_ns[0]), int(time_ns[-1])
    dates = {first}
    for coin, own in zip(coins, stated, strict=True):
        venue = load_venue(coin.venue)
        dates.update(
            ns
            for ns in venue.changes(coin.coin, first, last)
            if _at(venue, coin, own, ns) != _at(venue, coin, own, ns - 1)
        )
    starts = np.array(sorted(dates), np.int64)
    # Hours may be missing: a block that no hour falls into gets no era.
    rows, era = np.unique(np.searchsorted(starts, time_ns, side="right") - 1, return_inverse=True)
    return starts[rows], era.astype(np.int64)


def _at(venue: Venue, coin: CoinTerms, own: Stated, ns: int) -> Found:
    """Every key at an instant; before the venue's first block, unknown."""
    absent = Value(UNKNOWN, "", "assumed", 0, venue.place)
    early = ns < venue.first_ns
    return {
        key: own[key] if key in own else absent if early else venue.at(key, ns, coin.coin)
        for key in VENUE_KEYS
    }


def _found(coin: CoinTerms, own: Stated, ns: int, needs: frozenset[str]) -> Found:
    venue = load_venue(coin.venue)
    if ns < venue.first_ns:
        for key in sorted(needs - own.keys()):
            venue.at(key, ns, coin.coin)  # refuses, with the first date
    return _at(venue, coin, own, ns)


def _refuse_unknown(coin: CoinTerms, found: Found, needs: frozenset[str], ns: int) -> None:
    for key in VENUE_KEYS:
        # Without growth mode its factor enters nothing.
        idle = key == "growth_factor" and found["growth_mode"].value is False
        if key in needs and not found[key].known and not idle:
            raise DataError(
                f"{coin.venue}: {key} of {coin.coin} is unknown from {day(ns)}; set terms.{key} "
                f"in the run file (or --set terms.{key}=VALUE)"
            )


def _refuse_leverage(coin: CoinTerms, found: Found, choice: TermChoice, ns: int) -> None:
    if choice.leverage is None:
        return
    highest = _number(found["max_leverage"])
    if not 1 <= choice.leverage < np.inf:
        raise RequestError(f"leverage must be a number of at least 1, not {choice.leverage:g}")
    if choice.leverage > highest:  # false where the maximum is unknown
        raise RequestError(
            f"leverage {choice.leverage:g} is above the {highest:g} that {coin.venue} allows "
            f"{coin.coin} from {day(ns)}; set leverage to {highest:g} or less, or leave it out to "
            "use each coin's maximum"
        )


def _number(value: Value) -> float:
    """Read a value as the loops do; NaN for unknown and none."""
    return float("nan") if value.value in (UNKNOWN, NONE) else float(value.value)


def _code(value: Value, one: str) -> float:
    """1.0 for the word ``one``, 0.0 for the other, NaN for unknown."""
    return float(value.value == one) if value.known else float("nan")


def _fee_frac(found: Found, choice: TermChoice) -> float:
    growth = found["growth_mode"]
    factor = _number(found["growth_factor"]) if growth.value is True else 1.0
    return _number(found[f"{choice.liquidity}_frac"]) * (factor if growth.known else float("nan"))


def _record(found: Found, choice: TermChoice) -> tuple[float, ...]:
    """One record; maintenance is half the initial rate at maximum leverage, as on Hyperliquid."""
    max_leverage = _number(found["max_leverage"])
    formed = {
        "two_sided": _code(found["premium"], "two_sided"),
        "step_on_mark": _code(found["step_base"], "mark"),
        "initial_frac": 1.0 / (max_leverage if choice.leverage is None else choice.leverage),
        "maintenance_frac": 1.0 / (2.0 * max_leverage),
        "fee_frac": _fee_frac(found, choice),
        "cost_frac": choice.half_spread_frac + choice.slippage_frac,
        "lots_per_unit": 10.0 ** _number(found["sz_decimals"]),
    }
    names = TERM.names or ()
    return tuple(formed[n] if n in formed else _number(found[n]) for n in names)


def _entered(found: Found, choice: TermChoice) -> Iterator[str]:
    """Keys whose value entered the record."""
    other = "maker_frac" if choice.liquidity == "taker" else "taker_frac"
    for key, value in found.items():
        idle = key == "growth_factor" and found["growth_mode"].value is not True
        if value.known and key != other and not idle:
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
            for key in _entered(found, choice):
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
