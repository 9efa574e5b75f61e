"""The book loop: one of the two compiled loops, and the order of the hour."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from numba import types

from perpkit.arrays import (
    TERM,
    Axes,
    Book,
    Door,
    Ledger,
    Records,
    Replay,
    Settings,
)
from perpkit.book.actions import act
from perpkit.book.adl import deleverage
from perpkit.book.isolated import return_margin
from perpkit.book.legs import end_legs
from perpkit.book.liquidation import call_in, liquidate
from perpkit.book.locks import strike_tokens
from perpkit.book.margin import add_tokens, assess, price_liquidations
from perpkit.book.offers import show_offers
from perpkit.book.orders import trade
from perpkit.book.payments import accrue_yield, pay_funding, pay_interest
from perpkit.book.prices import book_at
from perpkit.book.record import write_row
from perpkit.book.redeem import pay_redemptions
from perpkit.book.shocks import fail_venues
from perpkit.book.targets import Decide, adopt, consult
from perpkit.book.tiers import lay_tiers
from perpkit.book.treasury import deliver, manage
from perpkit.book.write import has_room
from perpkit.lend import lend
from perpkit.rule import DECIDE, Entry, compile_cached, is_cached, numba_type, rule_sources


def run_hours(
    decide: Decide,
    tape: Replay,
    terms: Records,
    state: Book,
    ledger: Ledger,
    settings: Settings,
    door: Door,
    first: int,
    last: int,
) -> int:
    """Play rows ``first <= t < last``; the first row not played, when a buffer has no more room."""
    tape, ledger, settings = lend(tape), lend(ledger), lend(settings)
    rows, out = ledger.rows, ledger.out
    instruments = state.perps.order.shape[0] + state.tokens.order.shape[0]
    pledges, accounts = state.collateral.units.size, state.accounts.cash_usd.shape[0]
    asks = door.plan.shape[0] == 0  # a plan is shown nothing
    read = rows.position.shape[0] > 0 or asks  # liquidation prices, by anybody
    for t in range(first, last):
        if not has_room(out, instruments, accounts, pledges):
            return t
        now = terms[tape.era[t]]
        book = lend(book_at(t, tape, state))
        lay_tiers(t, first, tape, now, book.perps)
        filled = out.used[0]
        strike_tokens(t, tape, book, out, settings)  # 1 shocks, corporate actions
        fail_venues(t, tape, now, book, out, settings)
        act(t, tape, now, book, out, settings)
        pay_redemptions(t, book, out)
        deliver(t, book.accounts, book.pending, out)  # 2 deliveries
        end_legs(t, book, out)
        accrue_yield(t, tape, book, out)  # 3 yield
        pay_interest(t, book, out, settings)
        pay_funding(t, tape, book, ledger)  # 4 funding
        liquidate(t, now, book, out, settings)  # 5 margin test
        call_in(t, now, book, out, settings)
        deleverage(t, tape, now, book, out, settings)
        return_margin(filled, book.perps, book.accounts, out)
        if settings.fill_delay_hours == 0:
            assess(now, book)
            add_tokens(book)
            price_liquidations(now, book.perps, book.accounts)
            if asks:
                show_offers((t, first), tape, now, book, settings, door.mirror)
            consult(t, decide, tape, book, door)
            adopt(t, door.target, book.perps, book.tokens, out)
        trade(t, tape, now, book, out, settings)  # 6 fills
        return_margin(filled, book.perps, book.accounts, out)
        assess(now, book)
        manage(t, tape, now, book, out, settings)  # 7 treasury
        add_tokens(book)
        if read:
            price_liquidations(now, book.perps, book.accounts)
        write_row(t, book, rows)  # 8 ledger
        if settings.fill_delay_hours != 0:
            if asks:
                show_offers((t, first), tape, now, book, settings, door.mirror)
            consult(t, decide, tape, book, door)
            adopt(t, door.target, book.perps, book.tokens, out)  # 9 decision
    return last


def is_compiled() -> bool:
    """Whether the compiled book loop is in the cache."""
    return is_cached(Entry("book", rule_sources()))


@lru_cache(maxsize=1)
def compiled() -> Callable[..., int]:
    """The compiled book loop, from the cache where it is there; it serves every strategy."""
    signature: Any = types.int64(
        types.FunctionType(DECIDE),
        numba_type(Replay, readonly=True),  # nor may a strategy write what it is shown
        numba_type(Axes(TERM, ("E", "M"))),
        numba_type(Book),
        numba_type(Ledger),
        numba_type(Settings),
        numba_type(Door),
        types.int64,
        types.int64,
    )
    entry = Entry("book", rule_sources())
    # More effort takes half as long again and gains an hour of many markets nothing.
    return compile_cached(run_hours, signature, entry, counted=False, effort=1)
