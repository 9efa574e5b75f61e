"""The one home of every array: name, shape, dtype, unit.

Axes: ``T`` hours, ``M`` perps, ``K`` tokens, ``A`` accounts, ``U`` underlyings, ``E`` eras of the
terms, ``N`` corporate actions, ``J`` shocks, ``S`` sessions of external prices, ``I`` instruments,
``P`` rows of a plan. An axis that is 0 where its feature is off: ``C`` accounts that tokens are
pledged in, ``D`` accounts whose settle currency has a price, ``Q`` perps with a cap on open
interest, ``W`` tokens with redemption hours. Hour first, instrument second, C order, also for one
instrument. Instruments are numbered perps first: perp ``m`` is ``m``, token ``k`` is ``M + k``; -1
is "none". NaN in a price means "absent"; null never gets this far.

The loops and the strategy receive these tuples; ``perpkit.rule`` reads the annotations to build the
compiled signatures, so a field added here is a field of the compiled loops.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from perpkit.codes import Closed, Event, Flow, Formula, Mode, Phase, Reason, Session, Shock
from perpkit.layout import Axes
from perpkit.records import (
    ACCOUNT,
    ACCOUNT_VIEW,
    EVENT,
    FILL,
    PATH,
    PAYMENT,
    PERP_VIEW,
    TERM,
    TOKEN_VIEW,
)

# What is taken from here beside the arrays themselves.
__all__ = [
    "ACCOUNT",
    "EVENT",
    "FILL",
    "PATH",
    "PAYMENT",
    "TERM",
    "Axes",
    "Closed",
    "Event",
    "Flow",
    "Formula",
    "Mode",
    "Phase",
    "Reason",
    "Session",
    "Shock",
]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
I8 = NDArray[np.int8]
B8 = NDArray[np.bool_]
Records = Any  # a structured array; rules reach its fields as attributes, compiled or not

FT = Annotated[F64, Axes("f8", ("T",))]
FA = Annotated[F64, Axes("f8", ("A",))]
FM = Annotated[F64, Axes("f8", ("M",))]
FK = Annotated[F64, Axes("f8", ("K",))]
FN = Annotated[F64, Axes("f8", ("N",))]
FJ = Annotated[F64, Axes("f8", ("J",))]
FCK = Annotated[F64, Axes("f8", ("C", "K"))]
FTCK = Annotated[F64, Axes("f8", ("T", "C", "K"))]
FW = Annotated[F64, Axes("f8", ("W",))]
FD = Annotated[F64, Axes("f8", ("D",))]
FTD = Annotated[F64, Axes("f8", ("T", "D"))]
FTA = Annotated[F64, Axes("f8", ("T", "A"))]
FTM = Annotated[F64, Axes("f8", ("T", "M"))]
FTX = Annotated[F64, Axes("f8", ("T", "X"))]
FPI = Annotated[F64, Axes("f8", ("P", "I"))]
FTK = Annotated[F64, Axes("f8", ("T", "K"))]
FTS = Annotated[F64, Axes("f8", ("T", "S"))]
FTZ = Annotated[F64, Axes("f8", ("T", "Z"))]
FTU = Annotated[F64, Axes("f8", ("T", "U"))]
IT = Annotated[I64, Axes("i8", ("T",))]
IA = Annotated[I64, Axes("i8", ("A",))]
IM = Annotated[I64, Axes("i8", ("M",))]
IK = Annotated[I64, Axes("i8", ("K",))]
IN = Annotated[I64, Axes("i8", ("N",))]
IC = Annotated[I64, Axes("i8", ("C",))]
IW = Annotated[I64, Axes("i8", ("W",))]
IJ = Annotated[I64, Axes("i8", ("J",))]
I1 = Annotated[I64, Axes("i8", ("one",))]
I3 = Annotated[I64, Axes("i8", ("three",))]
CTU = Annotated[I8, Axes("i1", ("T", "U"))]
BA = Annotated[B8, Axes("?", ("A",))]
BM = Annotated[B8, Axes("?", ("M",))]
BK = Annotated[B8, Axes("?", ("K",))]
BCK = Annotated[B8, Axes("?", ("C", "K"))]
BTQ = Annotated[B8, Axes("?", ("T", "Q"))]
BTW = Annotated[B8, Axes("?", ("T", "W"))]
BW = Annotated[B8, Axes("?", ("W",))]
ITW = Annotated[I64, Axes("i8", ("T", "W"))]
BTY = Annotated[B8, Axes("?", ("T", "Y"))]
BTM = Annotated[B8, Axes("?", ("T", "M"))]
BTK = Annotated[B8, Axes("?", ("T", "K"))]
BTS = Annotated[B8, Axes("?", ("T", "S"))]


# --------------------------------------------------------------------------- the market


class Tape(NamedTuple):
    """What happened, hour by hour; row ``t`` holds what is known at ``time_ns[t]``."""

    time_ns: IT  # hour boundary, UTC
    era: IT  # row of Terms in force
    external_px: FTX  # X = M where perpkit forms the prices, else 0
    by_formula: BTY  # Y = M where the formula may set a rate, else 0: True where it must
    impact_bid_px: FTM
    impact_ask_px: FTM
    mid_px: FTM  # the book's mid; NaN where not recorded
    oracle_px: FTM  # carried over gaps, see stale
    mark_px: FTM
    # H of the margin test: max(mark_high?, mark[t-1], mark[t]); before, the mark's formed extremes
    high_px: FTM
    low_px: FTM  # L likewise
    premium: FTM  # average over (t-1, t], 8-hour units
    funding: FTM  # rate settled at t, per interval; NaN where nothing settled
    funding_total: FTM  # running sum of settled rates
    due: BTM  # a settlement is due at t
    volume_usd: FTM  # 24 h notional volume
    stale: BTM  # the perp's price is carried or absent: no fill
    bound: BTM  # the oracle step limit held the oracle away from external_px
    short_funding: FTZ  # Z = M where shorts pay a rate of their own, else 0: funding is the longs'
    opened: BTS  # S sessions where one of the coins has hours without external prices, else 0:
    first_frac: FTS  # external prices just after t-1; when in (t-1, t] that turns, as a fraction
    second_frac: FTS  # of the hour, and when it turns back; NaN for not at all
    path: Annotated[Records, Axes(PATH, ("X",))]  # of each coin perpkit forms the prices of
    bid_px: FTK
    ask_px: FTK
    nav_px: FTK
    multiplier: FTK  # underlying units per token in force
    apr: FTK  # simple rate paid in new units; NaN or 0 for none
    token_stale: BTK  # the quote is carried or absent
    halted: BTK
    quoted: BTK  # the issuer's session is open and the token is not halted
    live: BTK  # quoted, not stale, narrow enough and recently changed: a price one can trade at
    fair_px: FTK
    phase: CTU
    hours_to_close: FTU  # to the end of external pricing, 0 outside it
    hours_to_reopen: FTU  # to the next external price, 0 while there is one
    hours_to_cash_open: FTU  # to the next cash open, 0 in the cash session
    action_row: IN  # ascending
    action_token: IN
    action_usd: FN  # cash dividend a token pays, net of withholding
    capped: BTQ  # open interest is at its cap: positions may only be reduced
    redeemable: BTW  # the issuer takes the token back at NAV in this hour
    redeem_rows: ITW  # rows from a request of this hour to its cash
    payday: BTW  # units accrued are paid out and free to use
    cash_px: FTD  # USD a unit of each account's settle currency
    shock_row: IJ  # ascending
    shock_kind: IJ  # code of Shock
    shock_instrument: IJ  # -1 for none
    shock_account: IJ  # -1 for none
    shock_value: FJ


class Replay(NamedTuple):
    """What the book and the strategy read of a formed tape; see :class:`Tape` for each column."""

    time_ns: IT
    era: IT
    mid_px: FTM
    oracle_px: FTM
    mark_px: FTM
    high_px: FTM
    low_px: FTM
    premium: FTM
    funding: FTM
    funding_total: FTM
    due: BTM
    volume_usd: FTM
    stale: BTM
    short_funding: FTZ
    bid_px: FTK
    ask_px: FTK
    nav_px: FTK
    multiplier: FTK
    apr: FTK
    token_stale: BTK
    halted: BTK
    live: BTK
    fair_px: FTK
    phase: CTU
    hours_to_close: FTU
    hours_to_reopen: FTU
    hours_to_cash_open: FTU
    action_row: IN
    action_token: IN
    action_usd: FN
    capped: BTQ
    redeemable: BTW
    redeem_rows: ITW
    payday: BTW
    cash_px: FTD
    shock_row: IJ
    shock_kind: IJ
    shock_instrument: IJ
    shock_account: IJ
    shock_value: FJ


Terms = Annotated[Records, Axes(TERM, ("E", "M"))]
TermsNow = Annotated[Records, Axes(TERM, ("M",))]


# --------------------------------------------------------------------------- the book


class Perps(NamedTuple):
    """State of each perp."""

    position: FM  # units, short negative
    entry_px: FM  # average of the open position, 0 when flat
    start_px: FM  # the mark of the hour before, where the margin test's path starts
    mark_px: FM  # of the hour being played, like the next four: rows of the tape
    mid_px: FM
    high_px: FM
    low_px: FM
    stale: BM
    volume_usd: FM  # of 24 hours, a row of the tape
    liquidation_px: FM  # NaN without a position or where no price liquidates
    target: FM  # standing target, NaN for none
    decided: IM  # row at which the target was set
    account: IM
    token: IM  # the paired token, -1 for none
    barred: BM  # re-entry refused after a liquidation
    trimmed: BM  # the standing target was cut or refused, and an event said so
    order: FM  # what this hour's fills may still do, signed units
    order_px: FM  # and the price they are done at
    worst_px: FM  # of a failing account: the hour's extreme against the position,
    filled_px: FM  # and that extreme worse by half-spread and impact


class Tokens(NamedTuple):
    """State of each token."""

    units: FK  # in all: free, locked and pledged
    locked: FK  # part of them that accrued and is not paid out yet, or is frozen
    start_px: FK  # the fair price of the hour before, where the margin test's path starts
    end_px: FK  # of a failing account: where that path ends
    fair_px: FK  # of the hour being played, like the next four: rows of the tape
    bid_px: FK
    ask_px: FK
    nav_px: FK
    multiplier: FK
    tradable: BK  # live, or by choice any recorded quote that is not halted
    target: FK
    decided: IK
    account: IK
    perp: IK  # the perp it is paired with, -1 for none
    half_spread_frac: FK  # added where bid = ask
    fee_frac: FK
    min_order_usd: FK
    accrues: BK  # yield in new units is locked until a payday
    redeem_hours: IK  # of the issuer's terms; -1: it does not redeem
    redeem_fee_frac: FK
    redeem_min_usd: FK
    trimmed: BK
    order: FK
    order_px: FK


class Accounts(NamedTuple):
    """State of each account, in units of its settle currency; account 0 is the custody wallet.

    An isolated position is an account of its own below its venue's.
    """

    cash_usd: FA
    is_margin: BA
    parent: IA  # the venue account that an isolated position belongs to, -1 for none
    strict: BA  # an isolated position whose margin cannot be taken out
    failed: BA  # the venue failed: nothing moves any more
    counted_frac: FA  # share of what it has that counts as margin value; 1 but for portfolio margin
    buffer_usd: FA  # required besides maintenance; 0 but for portfolio margin
    lent_usd: FA  # most that pledged tokens count for, inf for no limit
    value_usd: FA  # margin value at mark
    equity_usd: FA  # in USD: cash, unrealised profit and the tokens held there at fair price
    initial_usd: FA
    free_usd: FA  # margin value for opening, by the initial haircuts, less initial
    cash_free_usd: FA  # the same without pledged tokens: what may go to an isolated position
    maintenance_usd: FA
    # Of the margin test: value less maintenance at the hour's extremes; of the treasury: less than
    # zero by what an account is called for and does not get from its venue's
    spare_usd: FA
    px: FD  # USD a unit of the settle currency, a row of the tape; empty: 1
    owed_hours: IA  # for how long cash has been owed against mirrored collateral
    transfer_refused: BA  # cash that is needed could not come, and an event said so
    sweep_refused: BA  # cash to spare could not leave, and an event said so


class Collateral(NamedTuple):
    """Tokens pledged in margin accounts; empty where nothing is."""

    units: FCK
    haircut_frac: FCK  # on the value that meets maintenance
    initial_haircut_frac: FCK  # on the value that meets initial margin
    mirrored: BCK  # in custody outside the venue: not lost with it, losses settled in cash
    before: IC  # tokens before the first that is pledged in an account, which loops leave out,
    after: IC  # and after the last


class Pending(NamedTuple):
    """Cash under way: to each account, and from the issuer of each token to the wallet."""

    usd: FA
    due_row: IA  # row at which it arrives; -1 for none
    redeeming: I1  # how many redemptions are under way
    redeem_usd: FW
    redeem_row: IW
    redeem_refused: BW  # a redemption was not possible, and an event said so


class Book(NamedTuple):
    """The whole state of the account side; all of it survives between chunks of rows."""

    perps: Perps
    tokens: Tokens
    accounts: Accounts
    collateral: Collateral
    pending: Pending


class Out(NamedTuple):
    """Three buffers that the caller of the loop drains."""

    fills: Annotated[Records, Axes(FILL, ("fills",))]
    payments: Annotated[Records, Axes(PAYMENT, ("payments",))]
    events: Annotated[Records, Axes(EVENT, ("events",))]
    used: I3  # rows in use of each


class Rows(NamedTuple):
    """End-of-hour state: the least from which every cause can be formed."""

    position: FTM
    liquidation_px: FTM
    funding_usd: FTM  # paid at t on the position of the row before
    units: FTK
    pledged: FTCK  # part of the units
    account: Annotated[Records, Axes(ACCOUNT, ("T", "A"))]
    transit_usd: FTA  # cash under way to the account
    equity_usd: FT


class Ledger(NamedTuple):
    """Everything the book loop writes for others."""

    rows: Rows
    out: Out


class Settings(NamedTuple):
    """The run's choices as the loops read them; flags are 0 or 1."""

    fill_delay_hours: int
    pair_together: int
    trade_frozen_quotes: int
    stop_after_liquidation: int
    liquidate_at_trigger: int
    transfer_hours: int
    transfer_cost_usd: float
    topup_at_ratio: float  # margin ratio that asks for cash; inf: never
    topup_to_ratio: float
    max_quote_spread_frac: float
    max_frozen_hours: int
    joint_paths: int = 0  # margin_paths: 1 all prices at their highs, or lows, or marks
    sweep_at_ratio: float = 0.0  # margin ratio below which cash goes back to the wallet; 0: never
    sweep_token: int = -1  # token that idle wallet cash is put into; -1: none
    wallet_cash_usd: float = 0.0  # cash that stays in the wallet all the same
    redeem: int = 0  # 1: tokens of the kinds treasury and stable are redeemed to meet a call
    delever: int = 0  # 1: both legs are cut where a call cannot be met otherwise
    borrow_apr: float = 0.0  # on cash that a margin account owes, simple
    seize_cost_frac: float = 0.0  # what a venue loses in selling pledged tokens
    mirror_hours: int = 0  # within which cash owed against mirrored collateral is settled
    adl_shock_frac: float = math.inf  # move of the mark in an hour that starts ADL; inf: never
    adl_index: float = 0.0  # our ADL index from which we are reached
    impact_coefficient: float = 0.0  # impact = coefficient * sqrt(order / day's volume)
    max_volume_frac: float = math.inf  # largest order, share of an hour's mean volume


# --------------------------------------------------------------------------- the strategy's view


class Past(NamedTuple):
    """What a strategy may read: rows up to now; row -1 is now."""

    time_ns: IT
    oracle_px: FTM
    mark_px: FTM
    premium: FTM
    funding: FTM
    funding_total: FTM
    volume_usd: FTM
    bid_px: FTK
    ask_px: FTK
    fair_px: FTK
    nav_px: FTK
    live: BTK
    phase: CTU
    hours_to_close: FTU
    hours_to_reopen: FTU
    hours_to_cash_open: FTU


class View(NamedTuple):
    """The ``book`` a strategy sees: a mirror, rewritten each hour and never read back."""

    perps: Annotated[Records, Axes(PERP_VIEW, ("M",))]
    tokens: Annotated[Records, Axes(TOKEN_VIEW, ("K",))]
    accounts: Annotated[Records, Axes(ACCOUNT_VIEW, ("A",))]


class Target(NamedTuple):
    """Total units to hold, written by the strategy; NaN leaves the standing target."""

    perps: FM
    tokens: FK


class Door(NamedTuple):
    """What passes between the book loop and a strategy's entry, beside the past."""

    mirror: View
    target: Target
    plan: FPI  # P = T for a plan, else 0; I = M + K: total units, NaN leaves
    params: Annotated[NDArray[np.uint8], Axes("u1", ("params",))]  # one record, as bytes
    memory: Annotated[NDArray[np.uint8], Axes("u1", ("memory",))]  # one record a perp, as bytes
