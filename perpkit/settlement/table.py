"""The table of transitions: all that a settlement may do.

States and branches are those of the pilot of Kinexys, Ondo and Chainlink as far as it was told; it
published no timeout and no branch of failure, so these are perpkit's own. In each state the odds of
all events but one are settings; the remaining one, whose ``odds`` are "", is the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

from perpkit.codes import State
from perpkit.delivery import Delivery
from perpkit.errors import RequestError

Holder = Literal["buyer", "seller", "escrow", "bank"]
HOLDERS: Final[tuple[Holder, ...]] = ("buyer", "seller", "escrow", "bank")


class Move(NamedTuple):
    """The whole of one leg passes from one holder to another."""

    what: Literal["units", "cash"]
    giver: Holder
    taker: Holder


class Transition(NamedTuple):
    """What may happen in a state, and what it does."""

    mode: str
    start: State
    event: str
    end: State
    actor: str
    moves: tuple[Move, ...] = ()
    odds: str = ""  # setting with its probability; "": the rest
    takes: tuple[str, ...] = ()  # settings with the times it takes, hours or business days
    days: int = 0  # business days beside these, all of them of a fail
    side: str = ""  # only where the party that asks is on this side: its counterparty fails
    after: State | None = None  # only where the trade has been in this state
    never: State | None = None  # only where it has not
    within: str = ""  # setting: only while the state was entered at most so often
    beyond: str = ""  # setting: only once it was entered more often


# As the machine is drawn; REFUNDED ends PAID_NOT_DELIVERED, DELIVERED_NOT_PAID is its mirror.
LABEL: Final = {
    State.AGREED: "S0",
    State.ASSET_LOCKED: "S1",
    State.PAY_INSTRUCTED: "S2",
    State.PAID: "S3",
    State.SETTLED: "S4",
    State.CANCELLED: "X0",
    State.UNWOUND: "R1",
    State.REFUNDED: "R2",
    State.PAY_UNKNOWN: "U1",
    State.PAID_NOT_DELIVERED: "U2",
    State.DELIVERED_NOT_PAID: "U3",
    State.COMPLIANCE_FAIL: "X1",
}
FINAL: Final = frozenset({State.SETTLED, State.CANCELLED, State.UNWOUND, State.REFUNDED})

_LOCK = Move("units", "seller", "escrow")
_RELEASE = Move("units", "escrow", "buyer")
_RETURN = Move("units", "escrow", "seller")
_DELIVER = Move("units", "seller", "buyer")
_GIVE_BACK = Move("units", "buyer", "seller")
_PAY = Move("cash", "buyer", "seller")
_PAY_BACK = Move("cash", "seller", "buyer")
_UNDER_WAY = Move("cash", "buyer", "bank")
_ARRIVED = Move("cash", "bank", "seller")
_WITHDRAWN = Move("cash", "bank", "buyer")

_S0, _S1, _S2, _S3, _S4 = (
    State.AGREED,
    State.ASSET_LOCKED,
    State.PAY_INSTRUCTED,
    State.PAID,
    State.SETTLED,
)
_X0, _X1, _R1, _R2 = State.CANCELLED, State.COMPLIANCE_FAIL, State.UNWOUND, State.REFUNDED
_U1, _U2, _U3 = State.PAY_UNKNOWN, State.PAID_NOT_DELIVERED, State.DELIVERED_NOT_PAID
_ATTESTED = ("finality_hours", "attest_hours")

_ATOMIC = (
    Transition("atomic", _S0, "settled", _S4, "chain", (_DELIVER, _PAY), takes=("finality_hours",)),
    Transition(
        *("atomic", _S0, "reverted", _X0, "token"),
        odds="compliance_fail_prob",
        takes=("finality_hours",),
    ),
)

_COORDINATED = (
    Transition("coordinated", _S0, "locked", _S1, "seller", (_LOCK,), takes=("lock_hours",)),
    Transition(
        *("coordinated", _S0, "not_locked", _X0, "coordinator"),
        odds="lock_fail_prob",
        takes=("lock_timeout_hours",),
    ),
    Transition("coordinated", _S1, "lock_attested", _S2, "coordinator", takes=_ATTESTED),
    Transition(
        *("coordinated", _S1, "lock_not_attested", _R1, "escrow", (_RETURN,)),
        odds="attest_fail_prob",
        takes=("attest_timeout_hours",),
    ),
    Transition(
        *("coordinated", _S1, "transfer_refused", _X1, "token"),
        odds="compliance_fail_prob",
        takes=_ATTESTED,
    ),
    Transition("coordinated", _S2, "paid", _S3, "bank", (_PAY,), takes=("bank_hours",)),
    Transition(
        *("coordinated", _S2, "rejected", _R1, "bank", (_RETURN,)),
        odds="pay_reject_prob",
        takes=("bank_hours",),
    ),
    # What the bank does not answer for is nobody's to use, whether it was paid or not.
    Transition(
        *("coordinated", _S2, "no_answer", _U1, "bank", (_UNDER_WAY,)),
        odds="pay_unknown_prob",
        takes=("pay_timeout_hours",),
    ),
    Transition(
        *("coordinated", _U1, "found", _S3, "bank", (_ARRIVED,)),
        odds="pay_found_prob",
        takes=("bank_hours",),
    ),
    # The order is withdrawn with it: a payment after that would end the trade in two places.
    Transition(
        *("coordinated", _U1, "absent", _R1, "bank", (_WITHDRAWN, _RETURN)),
        takes=("query_timeout_hours",),
    ),
    Transition("coordinated", _S3, "released", _S4, "escrow", (_RELEASE,), takes=_ATTESTED),
    Transition(
        *("coordinated", _S3, "not_released", _U2, "escrow"),
        odds="release_fail_prob",
        takes=("release_timeout_hours",),
    ),
    Transition(
        *("coordinated", _S3, "transfer_refused", _X1, "token"),
        odds="compliance_fail_prob",
        takes=_ATTESTED,
    ),
    Transition("coordinated", _X1, "unlocked", _R1, "escrow", (_RETURN,), never=_S3),
    Transition("coordinated", _X1, "held", _U2, "escrow", after=_S3),
    Transition(
        *("coordinated", _U2, "released", _S4, "escrow", (_RELEASE,)),
        takes=_ATTESTED,
        never=_X1,
        within="release_retries",
    ),
    Transition(
        *("coordinated", _U2, "not_released", _U2, "escrow"),
        odds="release_fail_prob",
        takes=("release_timeout_hours",),
        never=_X1,
        within="release_retries",
    ),
    # Asset against cash: the escrow gives nothing back before the seller has.
    Transition(
        *("coordinated", _U2, "given_up", _R2, "people", (_PAY_BACK, _RETURN)),
        takes=("manual_hours",),
        never=_X1,
        beyond="release_retries",
    ),
    Transition(
        *("coordinated", _U2, "refunded", _R2, "people", (_PAY_BACK, _RETURN)),
        takes=("manual_hours",),
        after=_X1,
    ),
)

_SEQUENTIAL = (
    Transition("sequential", _S0, "settled", _S4, "both", (_PAY, _DELIVER), takes=("settle_days",)),
    Transition(
        *("sequential", _S0, "refused", _X0, "token"),
        odds="compliance_fail_prob",
        takes=("settle_days",),
    ),
    Transition(
        *("sequential", _S0, "not_delivered", _U2, "seller", (_PAY,)),
        odds="fail_prob",
        takes=("settle_days",),
        side="buy",
    ),
    Transition(
        *("sequential", _S0, "not_paid", _U3, "buyer", (_DELIVER,)),
        odds="fail_prob",
        takes=("settle_days",),
        side="sell",
    ),
    Transition(
        *("sequential", _U2, "delivered", _S4, "seller", (_DELIVER,)),
        days=1,
        within="buy_in_days",
    ),
    Transition(
        *("sequential", _U2, "not_delivered", _U2, "seller"),
        odds="retry_fail_prob",
        days=1,
        within="buy_in_days",
    ),
    Transition(*("sequential", _U2, "bought_in", _R2, "buyer", (_PAY_BACK,)), beyond="buy_in_days"),
    Transition(*("sequential", _U3, "paid", _S4, "buyer", (_PAY,)), days=1, within="buy_in_days"),
    Transition(
        *("sequential", _U3, "not_paid", _U3, "buyer"),
        odds="retry_fail_prob",
        days=1,
        within="buy_in_days",
    ),
    Transition(
        *("sequential", _U3, "closed_out", _R2, "seller", (_GIVE_BACK,)), beyond="buy_in_days"
    ),
)

TABLE: Final[tuple[Transition, ...]] = (*_ATOMIC, *_COORDINATED, *_SEQUENTIAL)


class Option(NamedTuple):
    """One thing that may happen next."""

    transition: Transition
    prob: float


def options(path: Delivery, side: str, seen: Sequence[State]) -> list[Option]:
    """What may happen next to a trade that has been in these states, and how likely each is."""
    able = [t for t in TABLE if _able(t, path, side, seen)]
    told = sum(float(getattr(path, t.odds)) for t in able if t.odds)
    return [Option(t, float(getattr(path, t.odds)) if t.odds else 1.0 - told) for t in able]


def _able(t: Transition, path: Delivery, side: str, seen: Sequence[State]) -> bool:
    times = sum(state == t.start for state in seen)
    return (
        (t.mode, t.start) == (path.mode, seen[-1])
        and t.side in ("", side)
        and (t.after is None or t.after in seen)
        and (t.never is None or t.never not in seen)
        and (not t.within or times <= getattr(path, t.within))
        and (not t.beyond or times > getattr(path, t.beyond))
    )


def usual(able: Sequence[Option]) -> Option:
    """What happens where nothing goes wrong: the event without odds of its own."""
    return next(option for option in able if not option.transition.odds)


def named(event: str, able: Sequence[Option]) -> Option:
    """The option with an event's name.

    Raises
    ------
    RequestError
        If the event cannot happen now.
    """
    for option in able:
        if option.transition.event == event:
            return option
    here = able[0].transition.start
    can = ", ".join(option.transition.event for option in able)
    raise RequestError(
        f"settlement: {event} cannot happen in {LABEL[here]} {here.name}; what can is {can}"
    )


class Time(NamedTuple):
    """How long something takes: hours of the clock, and business days."""

    hours: float = 0.0
    days: int = 0
    fail_days: int = 0  # of these days, those after the due date

    def plus(self, t: Transition, path: Delivery) -> Time:
        """With what a transition takes."""
        hours = sum(float(getattr(path, name)) for name in t.takes if name.endswith("_hours"))
        days = sum(int(getattr(path, name)) for name in t.takes if name.endswith("_days"))
        return Time(self.hours + hours, self.days + days + t.days, self.fail_days + t.days)

    @property
    def clock_hours(self) -> float:
        """In hours of the clock, a business day being 24 of them."""
        return self.hours + 24.0 * self.days
