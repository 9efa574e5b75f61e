"""From the values in force to the record that the loops read, and which of them are read at all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

from perpkit.arrays import TERM, Closed, Formula, Mode, Session
from perpkit.rulebook.keys import NONE, UNKNOWN
from perpkit.rulebook.legal import read_tiers
from perpkit.rulebook.venue import Value

Found = Mapping[str, Value]  # every key of the rulebook -> the value in force
NAN: Final = float("nan")


class TermChoice(NamedTuple):
    """The run's choices that enter the records."""

    liquidity: Literal["taker", "maker"]
    # Of all coins, or of some by name; None, or a coin not named: its max_leverage.
    leverage: float | Mapping[str, float] | None
    half_spread_frac: float
    slippage_frac: float
    max_order_usd: float | None = None  # None: any

    def leverage_of(self, coin: str) -> float | None:
        """Leverage chosen for a coin; None for its highest."""
        if isinstance(self.leverage, Mapping):
            return self.leverage.get(coin)
        return self.leverage


# What the rules of a run read, by what is switched on: always, rates by the formula, the cap on
# open interest, formed prices.
ALWAYS: Final = frozenset(
    {
        "max_leverage",
        "maintenance_share_frac",
        "taker_frac",
        "margin_tiers",
        "liquidation_part_frac",
        "liquidation_part_above_usd",
        "backstop_frac",
        "sz_decimals",
        "min_order_usd",
        "interval_hours",
    }
)
FORMULA: Final = frozenset(
    {
        "funding_formula",
        "interest_8h",
        "clamp_8h",
        "cap_1h",
        "funding_multiplier",
        "premium",
        "funding_gap_frac",
        "swap_long_1d",
        "swap_short_1d",
    }
)
OPEN_INTEREST: Final = frozenset({"oi_cap_usd"})
PRICES: Final = frozenset(
    {
        "premium",
        "external_session",
        "oracle_closed",
        "oracle_tau_hours",
        "ewma_cap_frac",
        "blend_tau_hours",
        "step_frac",
        "updates_per_hour",
        "step_base",
        "mark_rule",
        "mark_ema_seconds",
        "mark_step_frac",
        "bound_frac",
        "bound_threshold_frac",
        "bound_resets",
        "bound_when",
    }
)

_BY_PREMIUM = ("premium", "ventuals")
_AVERAGING = ("ewma", "blend", "own_mark")
# A key that no rule reads unless another holds one of these words.
_READ_WITH: Final[Mapping[str, tuple[str, tuple[object, ...]]]] = {
    "interest_8h": ("funding_formula", _BY_PREMIUM),
    "clamp_8h": ("funding_formula", _BY_PREMIUM),
    "cap_1h": ("funding_formula", _BY_PREMIUM),
    "funding_multiplier": ("funding_formula", _BY_PREMIUM),
    "funding_gap_frac": ("funding_formula", ("ventuals",)),
    "swap_long_1d": ("funding_formula", ("cfd_swap",)),
    "swap_short_1d": ("funding_formula", ("cfd_swap",)),
    "oracle_tau_hours": ("oracle_closed", _AVERAGING),
    "ewma_cap_frac": ("oracle_closed", _AVERAGING),
    "blend_tau_hours": ("oracle_closed", ("blend",)),
    "mark_ema_seconds": ("mark_rule", ("median",)),
    "mark_step_frac": ("mark_rule", ("median",)),
    "growth_factor": ("growth_mode", (True,)),
}
# A key that no rule reads where another is "none".
_READ_UNLESS_NONE: Final[Mapping[str, str]] = {
    **dict.fromkeys(("bound_threshold_frac", "bound_resets", "bound_when"), "bound_frac"),
    "liquidation_part_above_usd": "liquidation_part_frac",
}

_CODES: Final[Mapping[str, Mapping[str, int]]] = {
    "external_session": {
        "24/7": Session.ALWAYS,
        "us_24_5": Session.US_24_5,
        "us_index_futures": Session.US_INDEX_FUTURES,
        "korea": Session.KOREA,
        "us_cash": Session.US_CASH,
        NONE: Session.NEVER,
    },
    "oracle_closed": {
        "external": Closed.EXTERNAL,
        "ewma": Closed.EWMA,
        "frozen": Closed.FROZEN,
        "blend": Closed.BLEND,
        "own_mark": Closed.OWN_MARK,
    },
    "margin_modes": {
        "cross": Mode.CROSS,
        "cross_isolated": Mode.CROSS_ISOLATED,
        "isolated": Mode.ISOLATED,
        "strict_isolated": Mode.STRICT_ISOLATED,
    },
    "funding_formula": {
        "premium": Formula.PREMIUM,
        "ventuals": Formula.VENTUALS,
        "cfd_swap": Formula.CFD_SWAP,
    },
}
# Keys whose value enters the record under another name.
ENTER: Final = frozenset(TERM.names or ()) | {
    "premium",
    "step_base",
    "mark_rule",
    "bound_when",
    "max_leverage",
    "maintenance_share_frac",
    "taker_frac",
    "maker_frac",
    "growth_mode",
    "growth_factor",
    "sz_decimals",
    "margin_modes",
    "margin_tiers",
    "liquidation_part_frac",
    "liquidation_part_above_usd",
}


def is_read(key: str, found: Found) -> bool:
    """Whether a rule that needs the key also reads it, given the other values."""
    if key in _READ_UNLESS_NONE:
        return found[_READ_UNLESS_NONE[key]].value != NONE
    on, words = _READ_WITH.get(key, (key, ()))
    # What the other key says may itself be unknown, and is refused for that.
    return on == key or found[on].value in (*words, UNKNOWN)


def number(value: Value) -> float:
    """Read a value as the loops do; NaN for unknown and none."""
    return NAN if value.value in (UNKNOWN, NONE) else float(value.value)


def record(found: Found, choice: TermChoice, coin: str) -> tuple[float, ...]:
    """One record of :data:`perpkit.arrays.TERM`; what is unknown or none is NaN."""
    formed = {
        # A step of the whole price reaches everything between nothing and twice itself.
        "step_frac": 1.0 if found["step_frac"].value == NONE else number(found["step_frac"]),
        "two_sided": _is(found["premium"], "two_sided"),
        "step_on_mark": _is(found["step_base"], "mark"),
        "median_mark": _is(found["mark_rule"], "median"),
        "bound_always": _is(found["bound_when"], "always"),
        **tier_lines(found, choice.leverage_of(coin)),
        "partial_frac": number(found["liquidation_part_frac"]),
        "partial_above_usd": number(found["liquidation_part_above_usd"]),
        "max_order_usd": NAN if choice.max_order_usd is None else choice.max_order_usd,
        "fee_frac": _fee_frac(found, choice),
        "cost_frac": choice.half_spread_frac + choice.slippage_frac,
        "lots_per_unit": 10.0 ** number(found["sz_decimals"]),
    }
    for key, codes in _CODES.items():
        formed[key] = float(codes.get(str(found[key].value), NAN))
    names = TERM.names or ()
    return tuple(formed[n] if n in formed else number(found[n]) for n in names)


def tier_lines(found: Found, leverage: float | None) -> dict[str, float]:
    """Initial and maintenance rate of each tier, with the offset that makes the tiers meet.

    ``offset_n = offset_(n-1) + lower_n (rate_n - rate_(n-1))`` (Hyperliquid documentation,
    trading/margin-tiers); a tier that is not there is zero.
    """
    highest = number(found["max_leverage"])
    share = number(found["maintenance_share_frac"])
    chosen = highest if leverage is None else leverage
    made = {"initial_frac": 1.0 / min(chosen, highest), "maintenance_frac": share / highest}
    told = [(0.0, highest), *read_tiers(found["margin_tiers"].value)]
    for what, rates in (
        ("initial", [1.0 / min(chosen, allowed) for _, allowed in told]),
        ("maintenance", [share / allowed for _, allowed in told]),
    ):
        offset = 0.0
        for tier in (2, 3):
            there = tier <= len(told)
            if there:
                offset += told[tier - 1][0] * (rates[tier - 1] - rates[tier - 2])
            made[f"{what}{tier}_frac"] = rates[tier - 1] if there else 0.0
            made[f"{what}{tier}_off_usd"] = offset if there else 0.0
    return made


def _is(value: Value, one: str) -> float:
    """1.0 for the word ``one``, 0.0 for another, NaN for unknown."""
    return float(value.value == one) if value.known else NAN


def _fee_frac(found: Found, choice: TermChoice) -> float:
    growth = found["growth_mode"]
    factor = number(found["growth_factor"]) if growth.value is True else 1.0
    return number(found[f"{choice.liquidity}_frac"]) * (factor if growth.known else NAN)
