"""Words as numbers: what arrays and records hold in place of a word."""

from __future__ import annotations

from enum import IntEnum
from typing import Final


class Phase(IntEnum):
    """What the market of an underlying does at an hour."""

    CLOSED = 0  # no external price: weekend, holiday, break
    EXTENDED = 1  # priced outside the cash session: pre-market, after hours, overnight
    CASH = 2  # the stock's own exchange trades


class Session(IntEnum):
    """When a venue has external prices of a coin: its column of the tape's switches."""

    ALWAYS = 0
    US_24_5 = 1
    US_INDEX_FUTURES = 2
    KOREA = 3
    US_CASH = 4
    NEVER = 5


class Closed(IntEnum):
    """What the oracle follows while there is no external price."""

    EXTERNAL = 0  # the external price all the same: there is no outside
    EWMA = 1  # the impact prices of its own book, where they lie beyond it
    FROZEN = 2  # the last external price
    BLEND = 3  # less and less of the last external price, more and more of its own book
    OWN_MARK = 4  # its own mark


class Formula(IntEnum):
    """How a venue forms a funding rate."""

    PREMIUM = 0
    VENTUALS = 1
    CFD_SWAP = 2


class Mode(IntEnum):
    """How a venue lets a position be margined, the tighter the higher."""

    CROSS = 0
    CROSS_ISOLATED = 1  # as the account chooses
    ISOLATED = 2  # margin of its own, which may be added to and taken out
    STRICT_ISOLATED = 3  # and not taken out


class Reason(IntEnum):
    """Why a fill happened."""

    TARGET = 0
    LIQUIDATION = 1
    BACKSTOP = 2
    ADL = 3  # closed against a bankrupt side by auto-deleveraging
    SEIZED = 4  # pledged tokens that the venue sells to cover a shortfall
    REDEEMED = 5  # tokens that the issuer takes back at NAV
    SWEPT = 6  # idle cash put into a yielding token at NAV
    DELEVERED = 7  # both legs cut by the treasury, nothing else being left
    SHOCK = 8  # settled by a recorded incident: the venue failed, or the issuer moved tokens
    ACTION = 9  # a corporate action: units split, or a market settled before it reopens
    SETTLEMENT = 10  # a trade that failed to settle is undone at its own price


class Flow(IntEnum):
    """What a payment row is."""

    FUNDING = 0  # never a payment row: see Rows.funding_usd
    DIVIDEND = 1
    YIELD = 2  # in new units, valued at the fair price
    TRANSFER = 3  # the cost of moving cash between accounts
    MARGIN_LOST = 4  # what the backstop keeps
    BAD_DEBT = 5  # borne by the venue, positive
    INTEREST = 6  # on cash that a margin account owes
    VENUE_LOSS = 7  # what a failed venue keeps
    SETTLEMENT_COST = 8  # of settling a trade, its penalty when it fails


class Event(IntEnum):
    """What an event row is."""

    LIQUIDATION = 0
    BACKSTOP = 1
    BAD_DEBT = 2
    TRIMMED = 3  # margin or cash allowed less than the target
    REENTRY_REFUSED = 4  # a target after a liquidation, `after_liquidation = "stop"`
    TRANSFER_SENT = 5
    TRANSFER_ARRIVED = 6
    TRANSFER_REFUSED = 7
    FUNDING_MISSING = 8  # a settlement was due on a position and none is recorded: ends the run
    BAD_TARGET = 9  # an infinite target, or a negative one for a token: ends the run
    PARTIAL = 10  # the first part of a large position is liquidated
    ADL = 11
    SEIZED = 12  # pledged tokens sold by the venue
    OWED = 13  # cash is owed against mirrored collateral and not settled in time
    REDEEM_SENT = 14
    REDEEM_PAID = 15
    REDEEM_REFUSED = 16  # not a redemption hour, halted, or below the minimum
    SWEPT = 17
    DELEVERED = 18
    MARGIN_ADDED = 19  # to an isolated position, from its account
    MARGIN_REMOVED = 20
    CAPPED = 21  # open interest is at its cap, only reducing is allowed
    VENUE_FAILED = 22
    RELEASED = 23
    LOCKED = 24  # the issuer froze or paused a token that is held, or revoked its holder
    UNLOCKED = 25
    FORCED_TRANSFER = 26
    SPLIT = 27  # units and prices are in new terms
    MARKET_SETTLED = 28  # the venue closed the position at the last mark before a split
    SETTLEMENT_SENT = 29  # a token trade that is delivered, or paid, later
    SETTLED = 30
    UNWOUND = 31
    LEG_WAITS = 32  # an order for a token whose last trade is not delivered yet
    HELD_BACK = 33  # margin to spare that the margin rules let none of leave


class Shock(IntEnum):
    """What happened to an instrument or a venue at a row, told by the dataset."""

    ADL = 0  # share of the position that is closed at the previous mark
    VENUE_FAILURE = 1  # share of what the venue holds that is lost
    REDEMPTION_HALT = 2  # 1 halts, 0 lifts; laid into the tape's redeemable hours
    FREEZE = 3  # 1 freezes, 0 lifts; laid into the tape's halted hours
    DEPEG = 4  # price of a settle currency from then on; laid into the tape's cash prices
    ORACLE_STOP = 5  # hours of it are laid into the tape
    PAUSE = 6  # 1 pauses, 0 lifts; as a freeze, of everybody's tokens
    REVOKE = 7  # 1 takes the holder off the issuer's list, 0 puts him back; laid into the locks
    FORCED_TRANSFER = 8  # share of the units held, wherever they lie


class Lock(IntEnum):
    """How far a token is kept from moving, each with all that comes before it."""

    NONE = 0
    RECEIVE = 1  # its holder may not be given it
    SELL = 2  # nor sell it; the issuer takes it back
    ISSUER = 3  # nor redeem it; a venue may sell what is pledged with it
    ALL = 4  # nobody moves it


# What a change of equity is put down to; a column and a share of the attribution each.
CAUSES: Final = (
    "perp_price",
    "token_price",
    "funding",
    "yield",
    "dividend",
    "fees",
    "slippage",
    "interest",
    "transfer",
    "settlement",
    "liquidation",
    "bad_debt",
)


class State(IntEnum):
    """Where the settlement of a trade stands."""

    AGREED = 0
    ASSET_LOCKED = 1  # in escrow
    PAY_INSTRUCTED = 2
    PAID = 3  # final on the bank's ledger, the asset still in escrow
    SETTLED = 4  # ends here: both legs made
    CANCELLED = 5  # ends here: nothing was moved
    UNWOUND = 6  # ends here: the asset is back, the cash was not taken
    REFUNDED = 7  # ends here: both legs are back
    PAY_UNKNOWN = 8  # the bank does not answer: the cash is nobody's to use
    PAID_NOT_DELIVERED = 9
    DELIVERED_NOT_PAID = 10
    COMPLIANCE_FAIL = 11


class Action(IntEnum):
    """What a corporate action does to what is held of an instrument."""

    CASH = 0  # USD a unit: a token's holder receives it, a perp's longs have it from its shorts
    SPLIT = 1  # units times so much
    SETTLE = 2  # a perp's positions are closed at the last mark of the old units


class Way(IntEnum):
    """How a token changes hands; ``1 << way`` is its bit among the ways that a token may take."""

    QUOTE = 0  # at its bid or ask
    DEX = 1  # against a pool, at its mid with the impact of the order
    ISSUER = 2  # new from the issuer, or back to it, at NAV
