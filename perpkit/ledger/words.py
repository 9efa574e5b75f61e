"""The words of fills and events: way, reason, kind and detail.

An event's number is in the settle currency of its account, or where tokens change hands, in USD;
``trimmed`` tells a share instead. The account of a transfer is the one the cash goes to.
"""

from __future__ import annotations

import numpy as np

from perpkit.arrays import F64, I64, Event, Reason, Records, Way
from perpkit.codes import State
from perpkit.ledger.holdings import WALLET, in_usd
from perpkit.tape import Market

REASONS = tuple(reason.name.lower() for reason in Reason)
EVENTS = tuple(event.name.lower() for event in Event)
WAYS = ("book", "backstop", "adl", "quote", "issuer", "venue", "dex", "cross")

_BOOK, _BACKSTOP, _ADL, _QUOTE, _ISSUER, _VENUE, _DEX, CROSS = range(len(WAYS))
_OF_WAY = {Way.QUOTE: _QUOTE, Way.DEX: _DEX, Way.ISSUER: _ISSUER}
_OF_PERP = {
    Reason.BACKSTOP: _BACKSTOP,
    Reason.ADL: _ADL,
    Reason.SHOCK: _VENUE,
    Reason.ACTION: _VENUE,
}
_OF_TOKEN = {
    Reason.SEIZED: _VENUE,
    Reason.REDEEMED: _ISSUER,
    Reason.SWEPT: _ISSUER,
    Reason.SHOCK: _VENUE,
    Reason.ACTION: _ISSUER,
}

_DETAILS = {
    Event.LIQUIDATION: "closed {usd:,.2f} USD on the book: the account fell below maintenance",
    Event.BACKSTOP: "{usd:,.2f} USD taken over by the venue's backstop; the margin left is lost",
    Event.BAD_DEBT: "the account ended {usd:,.2f} USD below zero; the venue bears it",
    Event.TRIMMED: "margin or cash allowed {usd:.1%} of the order; the target stands",
    Event.REENTRY_REFUSED: 'not entered again after a liquidation (after_liquidation = "stop")',
    Event.TRANSFER_SENT: "{usd:,.2f} USD sent from the wallet",
    Event.TRANSFER_ARRIVED: "{usd:,.2f} USD arrived",
    Event.TRANSFER_REFUSED: "{usd:,.2f} USD wanted and the wallet has none",
    Event.HELD_BACK: "{usd:,.2f} USD to spare and the margin rules let none of it leave",
    Event.PARTIAL: "closed {usd:,.2f} USD on the book: the first part of a large position",
    Event.ADL: "closed {usd:,.2f} USD at the last mark: auto-deleveraged against a bankrupt side",
    Event.SEIZED: "the venue sold pledged tokens for {usd:,.2f} USD to cover what was owed",
    Event.OWED: "{usd:,.2f} USD owed against mirrored collateral and not settled in time",
    Event.REDEEM_SENT: "{usd:,.2f} USD asked back from the issuer at NAV",
    Event.REDEEM_PAID: "{usd:,.2f} USD paid by the issuer",
    Event.REDEEM_REFUSED: "{usd:,.2f} USD wanted back and the issuer does not redeem it now",
    Event.SWEPT: "{usd:,.2f} USD of idle cash put into the token at NAV",
    Event.DELEVERED: "{usd:,.2f} USD cut with its hedge: nothing else was left to meet the call",
    Event.MARGIN_ADDED: "{usd:,.2f} USD added to the isolated position",
    Event.MARGIN_REMOVED: "{usd:,.2f} USD given back by the isolated position",
    Event.CAPPED: "open interest is at its cap: only what reduces the position is done",
    Event.VENUE_FAILED: "the venue failed: {usd:,.2f} USD of cash and pledged tokens lost",
    Event.RELEASED: "{usd:,.2f} USD of it back from being pledged",
    Event.LOCKED: "{usd:,.2f} USD of it may not be moved: frozen, paused, or the holder revoked",
    Event.UNLOCKED: "{usd:,.2f} USD of it may be moved again, or further",
    Event.FORCED_TRANSFER: "{usd:,.2f} USD of it moved away by the issuer, for nothing",
    Event.SPLIT: "split: units, price and standing target are in new terms; {usd:,.2f} USD held",
    Event.MARKET_SETTLED: "{usd:,.2f} USD settled at the last mark before a split; what it hedged "
    "is not hedged",
    Event.SETTLEMENT_SENT: "a trade of {usd:,.2f} USD is under way",
    Event.SETTLED: "the trade of {usd:,.2f} USD is delivered and paid",
    Event.UNWOUND: "the trade of {usd:,.2f} USD failed to settle and is undone",
    Event.LEG_WAITS: "an order of {usd:,.2f} USD waits for the trade under way",
}
# How a trade that is undone ended; the first where a lock came meanwhile.
_NOT_RECEIVED = "its holder may not receive it any more"
_UNDONE = {
    State.CANCELLED: "it was cancelled before anything moved",
    State.UNWOUND: "the tokens went back and the cash was not taken",
    State.REFUNDED: "both legs went back",
}
# Told as they stand: a share, and what tokens are given or taken for.
_PLAIN = (
    Event.TRIMMED,
    Event.SEIZED,
    Event.REDEEM_SENT,
    Event.SWEPT,
    Event.LOCKED,
    Event.UNLOCKED,
    Event.FORCED_TRANSFER,
    Event.SETTLEMENT_SENT,
    Event.SETTLED,
    Event.UNWOUND,
    Event.LEG_WAITS,
)
_TO_WALLET = {Event.TRANSFER_SENT: "{usd:,.2f} USD sent to the wallet"}


def way_of(fills: Records, coins: int) -> I64:
    """Number in :data:`WAYS` of how each fill was done."""
    perp = np.full(len(REASONS), _BOOK)
    forced = np.full(len(REASONS), -1)
    for reason, way in _OF_PERP.items():
        perp[reason] = way
    for reason, way in _OF_TOKEN.items():
        forced[reason] = way
    which, taken = fills["reason"], np.array([_OF_WAY[way] for way in Way])[fills["way"]]
    token = np.where(forced[which] < 0, taken, forced[which])
    made = np.where(fills["instrument"] < coins, perp[which], token)
    # No venue loses what lies in the wallet: its issuer moved it.
    moved = (which == Reason.SHOCK) & (fills["account"] == WALLET)
    return np.asarray(np.where(moved, _ISSUER, made))


def told_usd(market: Market, events: Records) -> F64:
    """The number of each event, USD; of ``trimmed`` its share."""
    usd = in_usd(events["usd"], market, events["account"], events["row"])
    return np.asarray(np.where(np.isin(events["kind"], _PLAIN), events["usd"], usd))


def detail_of(kind: int, account: int, usd: float) -> str:
    """One sentence on an event."""
    event = Event(kind)
    words = _TO_WALLET.get(event) if account == WALLET else None
    if event is Event.TRIMMED:
        usd = round(usd, 3) + 0.0  # a share of -0.0 would be told with its sign
    return (words or _DETAILS[event]).format(usd=usd)


def why_undone(market: Market, events: Records) -> dict[int, str]:
    """Why trades were undone, by the number of the event that says so."""
    tape, coins = market.tape, len(market.names.coins)
    sent: dict[int, int] = {}  # instrument -> row of its last trade
    made: dict[int, str] = {}
    kinds, rows, instruments = (events[name].tolist() for name in ("kind", "row", "instrument"))
    for n, (kind, row, instrument) in enumerate(zip(kinds, rows, instruments, strict=True)):
        if kind == Event.SETTLEMENT_SENT:
            sent[instrument] = row
        elif kind == Event.UNWOUND:
            place = (sent[instrument], instrument - coins)
            failed = tape.settle_end.shape[1] > 0 and tape.settle_end[place] == 1
            made[n] = _UNDONE[State(int(tape.settle_state[place]))] if failed else _NOT_RECEIVED
    return made
