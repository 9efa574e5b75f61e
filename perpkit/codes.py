"""Words as numbers: what arrays and records hold in place of a word."""

from __future__ import annotations

from enum import IntEnum


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


class Reason(IntEnum):
    """Why a fill happened."""

    TARGET = 0
    LIQUIDATION = 1
    BACKSTOP = 2


class Flow(IntEnum):
    """What a payment row is."""

    FUNDING = 0  # never a payment row: see Rows.funding_usd
    DIVIDEND = 1
    YIELD = 2  # in new units, valued at the fair price
    TRANSFER = 3  # the cost of moving cash between accounts
    MARGIN_LOST = 4  # what the backstop keeps
    BAD_DEBT = 5  # borne by the venue, positive


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
