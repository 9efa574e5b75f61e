"""The one home of every array: name, shape, dtype, unit.

Axes: ``T`` hours, ``M`` perps, ``K`` tokens, ``A`` accounts, ``U`` underlyings, ``E`` eras of the
terms, ``N`` corporate actions, ``J`` shocks, ``S`` sessions of external prices, ``I`` instruments,
``P`` rows of a plan. An axis that is 0 where its feature is off: ``C`` accounts that tokens are
pledged in, ``D`` accounts whose settle currency has a price, ``Q`` perps with a cap on open
interest, ``W`` tokens with redemption hours, ``G`` tokens where one's trades may settle late or not
at all, ``O`` tokens where one is traded with its issuer, ``R`` tokens where one is traded against a
pool, ``H`` tokens where a trade of one may be under way, ``L`` tokens where one is locked, ``V``
perps and ``B`` tokens of which an action changes units. Hour first, instrument second, C order,
also for one instrument. Instruments are numbered perps first: perp ``m`` is ``m``, token ``k`` is
``M + k``; -1 is "none". NaN in a price means "absent"; null never gets this far.

The loops and the strategy receive these tuples; ``perpkit.rule`` reads the annotations to build the
compiled signatures, so a field added here is a field of the compiled loops.
"""

from __future__ import annotations

import math
from typing import Annotated, NamedTuple

from perpkit.codes import (
    Action,
    Closed,
    Event,
    Flow,
    Formula,
    Lock,
    Mode,
    Phase,
    Reason,
    Session,
    Shock,
    Way,
)
from perpkit.layout import Axes
from perpkit.records import (
    ACCOUNT,
    EVENT,
    FILL,
    PATH,
    PAYMENT,
    TERM,
)
from perpkit.shown import Door, Past, Target, View

# fmt: off
# isort: off
# One line a name would be longer than what they name.
from perpkit.shapes import (
    B8, BA, BCK, BH, BK, BM, BTK, BTM, BTQ, BTS, BTW, BTY, BW, CL, CTG, CTL, CTU, F64, FA, FCK,
    FCKT, FD, FH, FJ, FK, FM, FN, FR, FT, FTA, FTB, FTD, FTG, FTK, FTM, FTR, FTS, FTU, FTV, FTX,
    FTZ, FW, I1, I3, I64, I8, IA, IC, IH, IJ, IK, IM, IN, IT, ITG, ITO, ITW, IW, Records,
)
# isort: on
# fmt: on

# What is taken from here beside the arrays themselves.
__all__ = [
    "ACCOUNT",
    "B8",
    "EVENT",
    "F64",
    "FILL",
    "I8",
    "I64",
    "PATH",
    "PAYMENT",
    "TERM",
    "Action",
    "Axes",
    "Closed",
    "Door",
    "Event",
    "Flow",
    "Formula",
    "Lock",
    "Mode",
    "Past",
    "Phase",
    "Reason",
    "Records",
    "Session",
    "Shock",
    "Target",
    "View",
    "Way",
]

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
    hours_to_ex_dividend: FTU  # to the next dividend that is announced by then, inf for none
    hours_to_earnings: FTU  # to the next report that is announced by then, inf for none
    pair_dividend_usd: FTM  # what holding a pair through that dividend brings, USD a unit; 0: none
    action_row: IN  # ascending
    action_instrument: IN
    action_kind: IN  # code of Action
    action_value: FN  # USD a unit, or new units per old
    start_px: FTV  # the mark of the hour before, in the units of this one
    token_start_px: FTB  # the fair price likewise
    split_ratio: FTV  # 1, new units per old where a perp is restated, NaN where it is listed anew
    shares: FTB  # what values a token between its quotes, in place of its multiplier
    capped: BTQ  # open interest is at its cap: positions may only be reduced
    redeemable: BTW  # the issuer takes the token back at NAV in this hour
    redeem_rows: ITW  # rows from a request of this hour to its cash
    mint_rows: ITO  # rows from an order of this hour to the issuer's tokens; -1: it sells none now
    buyback_rows: ITO  # rows from a sale of this hour to the issuer's cash; -1: it buys none now
    liquidity_usd: FTR  # of the pool, both sides together; NaN or 0: none
    payday: BTW  # units accrued are paid out and free to use
    settle_rows: ITG  # rows from a trade of this hour to its end; 0: within the hour, settled
    settle_end: CTG  # how it ends: 0 settled, 1 unwound
    settle_cost_frac: FTG  # what settling costs, fraction of the trade's value, due at the end
    redeem_cost_frac: FTG  # what settling a redemption asked for in this hour will have cost
    settle_state: CTG  # code of State in which it ends
    lock: CTL  # code of Lock
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
    hours_to_ex_dividend: FTU
    hours_to_earnings: FTU
    pair_dividend_usd: FTM
    action_row: IN
    action_instrument: IN
    action_kind: IN
    action_value: FN
    start_px: FTV
    token_start_px: FTB
    capped: BTQ
    redeemable: BTW
    redeem_rows: ITW
    mint_rows: ITO
    buyback_rows: ITO
    liquidity_usd: FTR
    payday: BTW
    settle_rows: ITG
    settle_end: CTG
    settle_cost_frac: FTG
    redeem_cost_frac: FTG
    lock: CTL
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
    tier_usd: FM  # notional up to which the first tier asks for most, by the terms in force


class Tokens(NamedTuple):
    """State of each token."""

    units: FK  # in all: free, locked and pledged
    locked: FK  # part of them that accrued and is not paid out yet, is frozen, or not delivered
    start_px: FK  # the fair price of the hour before, where the margin test's path starts
    end_px: FK  # of a failing account: where that path ends
    fair_px: FK  # of the hour being played, like the next four: rows of the tape
    bid_px: FK
    ask_px: FK
    nav_px: FK
    multiplier: FK
    liquidity_usd: FR  # and this
    lock: CL  # code of Lock, a row of the tape; empty: none
    tradable: BK  # a way is open to this hour's order
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
    ways: IK  # that it may take: bits of Way
    friction_frac: FK  # of every price, on top
    mint_fee_frac: FK
    mint_min_usd: FK
    inventory_usd: FK  # most that its issuer sells and buys back in a day (UTC), inf for any
    drawn_usd: FK  # what of it is used,
    drawn_day: IK  # and of which day since the epoch
    trimmed: BK
    order: FK
    order_px: FK
    order_way: IK
    order_fee_frac: FK
    order_min_usd: FK
    order_rows: IK  # until it is delivered, or paid
    order_share: FK  # of what is asked for, that the way takes in this hour


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
    told_frac: FCK  # both as they were told: while nobody may move a token it may count for
    told_initial_frac: FCK  # nothing, which is a haircut of 1
    mirrored: BCK  # in custody outside the venue: not lost with it, losses settled in cash
    before: IC  # tokens before the first that is pledged in an account, which loops leave out,
    after: IC  # and after the last


class Pending(NamedTuple):
    """What is under way: cash to each account, and from the issuer of each token to the wallet.

    A leg is a trade of a token whose tokens, of a purchase, or cash, of a sale, come later.
    """

    usd: FA
    due_row: IA  # row at which it arrives; -1 for none
    redeeming: I1  # how many redemptions are under way
    redeem_usd: FW
    redeem_cost_usd: FW  # of settling it, due when it is paid
    redeem_row: IW
    redeem_refused: BW  # a redemption was not possible, and an event said so
    legs: I3  # under way: how many, of these sales, and the row at which the first ends
    sent: I1  # and how many there have been
    leg_id: IH
    leg_units: FH  # signed; of a purchase they are among the token's units, and locked
    leg_usd: FH  # of a sale: cash due to the wallet
    leg_px: FH  # in the wallet's currency
    leg_way: IH
    leg_row: IH  # row at which it ends; -1 for none
    leg_end: IH  # 0 settled, 1 unwound
    leg_cost_frac: FH  # of its value, due then
    leg_waits: BH  # another order for the token waits, and an event said so


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
    # Part of the units. Hours last: few pledges are used, and those that are not take no memory.
    pledged: FCKT
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
    sweep_min_usd: float = 0.0  # least that goes back at once, USD; above the cost of a transfer
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
    locked_counts: int = 0  # 1: pledged tokens that nobody may move count as margin all the same
    max_pool_frac: float = 0.5  # largest purchase from a pool, share of its tokens
