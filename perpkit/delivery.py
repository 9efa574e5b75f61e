"""How a trade of a token is settled: the path, its times, and what may go wrong on it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

Prob = Annotated[float, Field(ge=0.0, le=1.0)]
Hours = Annotated[float, Field(ge=0.0, le=720.0)]

_UNPUBLISHED = "no path publishes it"
_PILOT = "Kinexys, Ondo and Chainlink, 14 May 2025: settled within seconds; the step itself assumed"
_SHARED = "a quarter of the 2% at which US trades fail: no path publishes a rate of its own"
_US_FAILS = "US CNS: 1.90% on 29 May 2024, 2.01% in the month before (marketsmedia.com)"


def _told(default: float | str, confidence: str, source: str, means: str, **bounds: float) -> Any:
    """A setting with where its default is from, and how sure that is."""
    extra: dict[str, JsonValue] = {"source": source, "confidence": confidence}
    told: dict[str, Any] = dict(bounds)
    return Field(default, description=means, json_schema_extra=extra, **told)


class Delivery(BaseModel):
    """The path that trades of a token settle on.

    Times are what a step takes when it works and how long is waited for it when it does not;
    probabilities are of one step of one trade.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    mode: Literal["atomic", "coordinated", "sequential"] = _told(
        "atomic",
        "assumed",
        "both legs on one chain, as a token bought with a stablecoin",
        "one transaction; two phases with a trusted coordinator; each leg by itself after days",
    )
    # ------------------------------------------------------------------ every path
    capital_apr: float = _told(
        0.05,
        "assumed",
        "1 million USD idle for a day at 5% is 137 USD",
        "cost of the value under way, simple; 0 where idle cash is not charged",
        ge=0.0,
        lt=10.0,
    )
    fee_frac: float = _told(
        0.0,
        "assumed",
        "no path publishes what it charges",
        "charge of the path, fraction of the value",
        ge=0.0,
        lt=1.0,
    )
    compliance_fail_prob: Prob = _told(
        0.0,
        "assumed",
        "no rate is published; who may hold a token is checked before the trade",
        "a check of the transfer fails: a freeze, a claim that expired",
    )
    finality_hours: Hours = _told(
        0.22,
        "assumed",
        "Ethereum, about 13 minutes; other chains take seconds",
        "until a transaction of the token's chain is final",
    )
    # ------------------------------------------------------------------ coordinated
    lock_hours: Hours = _told(
        0.02, "assumed", _UNPUBLISHED, "from the agreement to the asset in escrow"
    )
    attest_hours: Hours = _told(
        0.01, "assumed", _PILOT, "until the coordinator's quorum attests what is final"
    )
    bank_hours: Hours = _told(
        0.01, "assumed", _PILOT, "until the bank's ledger answers an order or a question"
    )
    lock_timeout_hours: Hours = _told(
        1.0, "assumed", _UNPUBLISHED, "T_lock: the asset is waited for"
    )
    attest_timeout_hours: Hours = _told(
        1.0, "assumed", _UNPUBLISHED, "T_attest: the quorum is waited for"
    )
    pay_timeout_hours: Hours = _told(
        1.0, "assumed", _UNPUBLISHED, "T_pay: the bank's answer is waited for"
    )
    query_timeout_hours: Hours = _told(
        4.0, "assumed", _UNPUBLISHED, "T_query: after which an unknown payment counts as absent"
    )
    release_timeout_hours: Hours = _told(
        1.0, "assumed", _UNPUBLISHED, "T_release: the escrow is waited for, each time"
    )
    release_retries: int = _told(
        3, "assumed", _UNPUBLISHED, "releases tried again before people take over", ge=0, le=24
    )
    manual_hours: Hours = _told(
        24.0, "assumed", _UNPUBLISHED, "until people have refunded what could not be delivered"
    )
    lock_fail_prob: Prob = _told(
        0.005, "assumed", _SHARED, "the seller does not lock the asset in time"
    )
    attest_fail_prob: Prob = _told(
        0.005, "assumed", _SHARED, "the quorum does not attest the lock in time"
    )
    pay_reject_prob: Prob = _told(
        0.0025, "assumed", _SHARED, "the bank rejects the payment: no funds, or refused"
    )
    pay_unknown_prob: Prob = _told(0.0025, "assumed", _SHARED, "the bank does not answer in time")
    pay_found_prob: Prob = _told(
        0.5, "assumed", _UNPUBLISHED, "a payment without an answer turns out to be made"
    )
    release_fail_prob: Prob = _told(
        0.005, "assumed", _SHARED, "a release, or its repetition, does not come in time"
    )
    # ------------------------------------------------------------------ sequential
    settle_days: int = _told(
        1, "documented", "T+1 in the US since 28 May 2024", "business days to the due date",
        ge=0, le=5,
    )  # fmt: skip
    fail_prob: Prob = _told(
        0.02, "reported", _US_FAILS, "the counterparty's leg fails on the due date"
    )
    retry_fail_prob: Prob = _told(
        0.5, "assumed", "harsh: what failed once is likelier to fail again",
        "it fails again on the day after",
    )  # fmt: skip
    buy_in_days: int = _told(
        4, "assumed", "the four business days of the EU's suspended buy-in for liquid shares",
        "business days after which the leg that was made is taken back and the trade closed out",
        ge=1, le=7,
    )  # fmt: skip
    penalty_frac_day: float = _told(
        0.0001, "reported", "EU CSDR: 0.5 to 1 bp a day; the higher",
        "penalty for each business day of a fail, fraction of the value; counted as a cost",
        ge=0.0, lt=1.0,
    )  # fmt: skip

    @model_validator(mode="after")
    def _fits(self) -> Delivery:
        """Only what the mode reads; odds of what excludes each other, and times to wait for."""
        read = ("mode", *OF_MODE[self.mode])
        for name in (x for x in Delivery.model_fields if x in self.model_fields_set):
            if name in read:
                continue
            others = " or ".join(mode for mode, own in OF_MODE.items() if name in own)
            raise ValueError(
                f'{name} does nothing with mode = "{self.mode}", {others} reads it; set that mode, '
                f"or leave {name} out"
            )
        for names in _ONE_OF.get(self.mode, ()):
            if sum(getattr(self, name) for name in names) > 1.0:
                raise ValueError(
                    f"{' and '.join(names)} exclude each other; lower them to 1 in all"
                )
        for wait, steps in _WAITS.items() if self.mode == "coordinated" else ():
            takes = sum(getattr(self, name) for name in steps)
            if getattr(self, wait) < takes:
                raise ValueError(
                    f"{wait} is shorter than {' + '.join(steps)}, which take {takes:g} h; raise it"
                )
        return self


# Odds of events of which one trade meets at most one, in one state.
_ONE_OF = {
    "coordinated": (
        ("attest_fail_prob", "compliance_fail_prob"),
        ("pay_reject_prob", "pay_unknown_prob"),
        ("release_fail_prob", "compliance_fail_prob"),
    ),
    "sequential": (("fail_prob", "compliance_fail_prob"),),
}
# A time to wait, and the steps it waits for.
_WAITS = {
    "lock_timeout_hours": ("lock_hours",),
    "attest_timeout_hours": ("finality_hours", "attest_hours"),
    "pay_timeout_hours": ("bank_hours",),
    "query_timeout_hours": ("bank_hours",),
    "release_timeout_hours": ("finality_hours", "attest_hours"),
}

EVERY = ("capital_apr", "fee_frac", "compliance_fail_prob")
OF_MODE: dict[str, tuple[str, ...]] = {
    "atomic": (*EVERY, "finality_hours"),
    "coordinated": (
        *EVERY,
        *(name for name in Delivery.model_fields if name.endswith(("_hours", "_retries"))),
        "lock_fail_prob",
        "attest_fail_prob",
        "pay_reject_prob",
        "pay_unknown_prob",
        "pay_found_prob",
        "release_fail_prob",
    ),
    "sequential": (
        *EVERY,
        "settle_days",
        "fail_prob",
        "retry_fail_prob",
        "buy_in_days",
        "penalty_frac_day",
    ),
}


def assumed(path: Delivery) -> list[str]:
    """What the path takes for granted: settings that its mode reads and nobody publishes."""
    told = Delivery.model_json_schema()["properties"]
    return [
        f"{name} {getattr(path, name):g}"
        for name in OF_MODE[path.mode]
        if told[name]["confidence"] == "assumed"
        or getattr(path, name) != Delivery.model_fields[name].default
    ]
