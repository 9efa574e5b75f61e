"""The one home of every array: name, shape, dtype, unit.

Axes: ``T`` hours, ``M`` perps, ``K`` tokens, ``A`` accounts, ``U`` underlyings, ``E`` eras of the
terms, ``N`` corporate actions, ``S`` sessions of external prices, ``I`` instruments, ``P`` rows of
a plan. Hour first, instrument second, C order, also for one instrument. Instruments are numbered
perps first: perp ``m`` is ``m``, token ``k`` is ``M + k``; -1 is "none". NaN in a price means
"absent"; null never gets this far.

The loops and the strategy receive these tuples; ``perpkit.rule`` reads the annotations to build the
compiled signatures, so a field added here is a field of the compiled loops.
"""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from perpkit.codes import Closed, Event, Flow, Formula, Phase, Reason, Session
from perpkit.layout import Axes
from perpkit.records import PATH, TERM, record

# What is taken from here beside the arrays themselves.
__all__ = [
    "PATH",
    "TERM",
    "Axes",
    "Closed",
    "Event",
    "Flow",
    "Formula",
    "Phase",
    "Reason",
    "Session",
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
I3 = Annotated[I64, Axes("i8", ("three",))]
CTU = Annotated[I8, Axes("i1", ("T", "U"))]
BA = Annotated[B8, Axes("?", ("A",))]
BM = Annotated[B8, Axes("?", ("M",))]
BK = Annotated[B8, Axes("?", ("K",))]
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

    units: FK
    fair_px: FK  # of the hour being played, like the next four: rows of the tape
    bid_px: FK
    ask_px: FK
    multiplier: FK
    tradable: BK  # live, or by choice any recorded quote that is not halted
    target: FK
    decided: IK
    account: IK
    perp: IK  # the perp it is paired with, -1 for none
    half_spread_frac: FK  # added where bid = ask
    fee_frac: FK
    min_order_usd: FK
    trimmed: BK
    order: FK
    order_px: FK


class Accounts(NamedTuple):
    """State of each account; account 0 is the custody wallet."""

    cash_usd: FA
    is_margin: BA
    value_usd: FA  # margin value at mark
    equity_usd: FA  # value and the tokens held there at fair price
    initial_usd: FA
    maintenance_usd: FA
    spare_usd: FA  # of the margin test: value less maintenance at the hour's extremes
    transfer_refused: BA


class Pending(NamedTuple):
    """Cash under way to each account."""

    usd: FA
    due_row: IA  # row at which it arrives; -1 for none


class Book(NamedTuple):
    """The whole state of the account side; all of it survives between chunks of rows."""

    perps: Perps
    tokens: Tokens
    accounts: Accounts
    pending: Pending


FILL = record(
    ("row", "i8"),
    ("decided", "i8"),
    ("instrument", "i8"),
    ("account", "i8"),
    ("reason", "i8"),
    ("size", "f8"),  # signed units
    ("px", "f8"),
    ("value_px", "f8"),  # mark or fair price the position is valued at in that row
    ("fee_usd", "f8"),
)
PAYMENT = record(
    ("row", "i8"),
    ("flow", "i8"),
    ("instrument", "i8"),
    ("account", "i8"),
    ("quantity", "f8"),  # dividend: units; yield: new units
    ("rate", "f8"),  # dividend: USD a unit; yield: rate of the hour
    ("usd", "f8"),
)
EVENT = record(
    ("row", "i8"),
    ("kind", "i8"),
    ("instrument", "i8"),
    ("account", "i8"),
    ("usd", "f8"),
)


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
    cash_usd: FTA
    transit_usd: FTA  # cash under way to the account
    value_usd: FTA
    initial_usd: FTA
    maintenance_usd: FTA
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


PERP_VIEW = record(
    ("position", "f8"),
    ("entry_px", "f8"),
    ("mark_px", "f8"),
    ("liquidation_px", "f8"),
    ("lots_per_unit", "f8"),
    ("account", "i8"),
    ("token", "i8"),
    ("underlying", "i8"),
    ("barred", "?"),  # re-entry refused after a liquidation
)
TOKEN_VIEW = record(
    ("units", "f8"),
    ("pledged", "f8"),
    ("pending", "f8"),
    ("fair_px", "f8"),
    ("multiplier", "f8"),
    ("account", "i8"),
    ("underlying", "i8"),
)
ACCOUNT_VIEW = record(
    ("cash_usd", "f8"),
    ("equity_usd", "f8"),
    ("margin_ratio", "f8"),
    ("free_usd", "f8"),
)


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
