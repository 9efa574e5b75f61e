"""The vocabulary of the rulebook: every key with its unit, its meaning and what it may be.

``"unknown"`` is legal for every key and is no value: a run that needs it is refused. ``"none"``
says that the venue has no such thing; ``perpkit.rulebook.consistency`` says which keys need each
other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from perpkit.rulebook.issuing import ELIGIBILITY_KEYS, ISSUER_GROUPS, ISSUER_KEYS, JURISDICTIONS
from perpkit.rulebook.legal import (
    CONFIDENCES,
    NONE,
    UNKNOWN,
    Key,
    above_zero,
    between,
    currencies,
    cutoff,
    divides_day,
    fault,
    fraction,
    or_none,
    signed,
    text,
    tick,
    tiers,
    whole,
    whole_number,
    word,
)

__all__ = [
    "COLLATERAL_KEYS",
    "CONFIDENCES",
    "ELIGIBILITY_KEYS",
    "GROUPS",
    "ISSUER_GROUPS",
    "ISSUER_KEYS",
    "JURISDICTIONS",
    "NONE",
    "UNKNOWN",
    "UNPLAYED",
    "VENUE_KEYS",
    "Key",
    "fault",
]

_HOURS = or_none(above_zero("hours", ""))
_INF = float("inf")
_AT_LEAST = "a number of at least 0"
_MIN_ORDER = Key("USD", "smallest order", _AT_LEAST, between(0, _INF))

_FUNDING: Mapping[str, Key] = {
    "funding_formula": word(
        "premium and interest; these with a multiplier that grows with the gap; or a daily swap",
        "premium",
        "ventuals",
        "cfd_swap",
    ),
    "interest_8h": or_none(signed("fraction per 8 h", "interest I of the funding formula")),
    "clamp_8h": or_none(fraction("fraction per 8 h", "bound c of interest minus premium")),
    "cap_1h": or_none(fraction("fraction per settlement", "bound of the settled rate, both signs")),
    "funding_multiplier": or_none(
        Key("", "factor m on the 8-hour rate", "a number in [0, 10]", between(0, 10, to_high=True))
    ),
    "interval_hours": Key("hours", "time between settlements", "a divisor of 24", divides_day),
    "premium": or_none(
        word(
            "impact mid against oracle, or impact prices beyond the oracle only",
            "two_sided",
            "one_sided",
        )
    ),
    "impact_usd": or_none(above_zero("USD", "notional that the impact prices are formed with")),
    "funding_gap_frac": or_none(
        above_zero("fraction", "gap of mark to oracle that the growing multiplier is scaled by")
    ),
    "swap_long_1d": or_none(
        signed("fraction of notional a day", "daily swap rate of a long, positive is paid by it")
    ),
    "swap_short_1d": or_none(
        signed("fraction of notional a day", "daily swap rate of a short, positive is paid by it")
    ),
}

_ORACLE: Mapping[str, Key] = {
    "external_session": word(
        "when an external price feeds the oracle; none: never, before a listing",
        "24/7",
        "us_24_5",
        "us_index_futures",
        "us_cash",
        "korea",
        NONE,
    ),
    "futures_discount_apr": Key(
        "1/year",
        "rate at which a dated future is brought back to its index, S = F exp(-dT)",
        'a number in (-1, 1) or "measured" or "none"',
        lambda value: value in ("measured", NONE) or signed("", "").allows(value),
    ),
    "oracle_closed": word(
        "the oracle outside that session: there is no outside, average of impact prices, frozen, "
        "external price fading into that average, average of its own marks",
        "external",
        "ewma",
        "frozen",
        "blend",
        "own_mark",
    ),
    "oracle_tau_hours": _HOURS._replace(meaning="time constant of the average"),
    "ewma_cap_frac": or_none(
        fraction("fraction of tau", "longest time that one update of the average counts")
    ),
    "blend_tau_hours": _HOURS._replace(meaning="decay of the external price's weight"),
    "step_frac": or_none(fraction("fraction", "furthest move of the oracle in one update")),
    "updates_per_hour": Key(
        "1/h", "updates of the oracle", "a whole number of at least 1", whole_number(1, 3_600_000)
    ),
    "step_base": word("the last price an update is measured from", "oracle", "mark"),
}

_MARK: Mapping[str, Key] = {
    "mark_rule": word(
        "the book's mid; median of oracle, oracle plus average basis, and the book; the same with "
        "other venues' perps",
        "book_mid",
        "median",
        "median_perps",
    ),
    "mark_ema_seconds": or_none(
        above_zero("seconds", "time constant of the average of mid minus oracle")
    ),
    "mark_step_frac": or_none(fraction("fraction", "furthest move of the mark in one update")),
    "bound_frac": or_none(fraction("fraction", "furthest the mark may lie from its reference")),
    "bound_threshold_frac": or_none(
        Key(
            "fraction",
            "share of the bound at which the reference moves to it; none: it stands",
            "a number in (0, 1]",
            lambda value: value != 0 and between(0, 1, to_high=True)(value),
        )
    ),
    "bound_resets": or_none(
        whole("", "moves of the reference in one direction before a reopening", 0, 100)
    ),
    "bound_when": or_none(word("when the bound holds", "closed", "always")),
}

_MARGIN: Mapping[str, Key] = {
    "margin_modes": word(
        "how a position may be margined; strict: margin cannot be taken out",
        "cross",
        "isolated",
        "strict_isolated",
        "cross_isolated",
    ),
    "max_leverage": Key(
        "", "highest leverage", "a number in [1, 1000]", between(1, 1000, to_high=True)
    ),
    "maintenance_share_frac": Key(
        "fraction",
        "maintenance margin as a share of the initial margin at the highest leverage",
        "a number in (0, 1]",
        lambda value: value != 0 and between(0, 1, to_high=True)(value),
    ),
    "margin_tiers": or_none(
        Key(
            "USD: leverage",
            "notional from which a lower highest leverage holds, with it; one or two further tiers",
            'a text such as "150e6: 20" or "1e6: 20, 5e6: 10", bounds rising and leverage falling',
            tiers,
        )
    ),
    "liquidation_part_frac": or_none(
        fraction("fraction", "share of a large position that a liquidation sends first")
    ),
    "liquidation_part_above_usd": or_none(
        above_zero("USD", "notional above which a position is large")
    ),
    "backstop_frac": or_none(
        fraction(
            "fraction",
            "share of maintenance at which the venue takes the account over; none: it never does",
        )
    ),
    "oi_cap_usd": or_none(above_zero("USD", "largest open interest")),
}

_TRADING: Mapping[str, Key] = {
    "taker_frac": fraction("fraction of notional", "taker fee, standard schedule"),
    "maker_frac": signed("fraction of notional", "maker fee, negative for a rebate"),
    "growth_mode": Key(
        "",
        "whether growth_factor applies to the fees",
        "true or false",
        lambda value: isinstance(value, bool),
    ),
    "growth_factor": Key(
        "",
        "what growth mode multiplies the fees by",
        "a number in [0, 1]",
        between(0, 1, to_high=True),
    ),
    "sz_decimals": whole("decimals", "size is a multiple of 10^-sz_decimals units", 0, 12),
    "tick_rule": Key(
        "", "five significant digits, or a tick in USD", '"5_significant" or a number above 0', tick
    ),
    "min_order_usd": _MIN_ORDER,
}

_CONTRACT: Mapping[str, Key] = {
    "quote": Key("", "currency of the oracle's price", 'a currency code such as "USD"', currencies),
    "collateral": Key(
        "",
        "currencies that margin is posted in, the one that settles first",
        'currency codes such as "USDC" or "USDT, BTC"',
        currencies,
    ),
    "dividends": word(
        "none: the price alone shows them; shorts pay them to longs; the price includes them",
        NONE,
        "debit_shorts",
        "total_return",
    ),
    "splits": word(
        "positions are settled and the market reopens; are rescaled; move to a new market",
        "settle",
        "rescale",
        "new_market",
        NONE,
    ),
    "eligibility": text("who may trade"),
}

# Title of each group of keys, in the order of pages and tables.
GROUPS: Final[Mapping[str, Mapping[str, Key]]] = {
    "funding": _FUNDING,
    "oracle": _ORACLE,
    "mark": _MARK,
    "margin": _MARGIN,
    "trading": _TRADING,
    "contract": _CONTRACT,
}

VENUE_KEYS: Final[Mapping[str, Key]] = {
    name: key._replace(group=group) for group, keys in GROUPS.items() for name, key in keys.items()
}

# Known, and beyond what the loops can play: a run that needs the key is refused.
UNPLAYED: Final[Mapping[str, frozenset[str]]] = {"mark_rule": frozenset({"median_perps"})}

COLLATERAL_KEYS: Final[Mapping[str, Key]] = {
    "kind": word("what the token is", "treasury", "stable", "crypto", "equity"),
    "form": word(
        "how it earns: its NAV rises; new units each day, at one USD; new units that accrue and "
        "are paid each month; it stays at one USD; a price that the market makes",
        "price",
        "unit_daily",
        "unit_monthly",
        "fixed",
        "market",
    ),
    "nav_clock": or_none(
        word("when a rising NAV moves: at all times, or once a market day", "second", "market_day")
    ),
    "redeem_session": word(
        "when the issuer takes requests: always, on US market days from 09:00 New York time, in "
        "the cash session of US stocks, never",
        "24/7",
        "market_days",
        "us_cash",
        NONE,
    ),
    "redeem_cutoff": or_none(
        Key("New York time", "end of a market day's requests", 'a time such as "16:00"', cutoff)
    ),
    "redeem_delay_hours": or_none(
        Key("hours", "from a request to its cash", "a number in [0, 8760]", between(0, 8_760.5))
    ),
    "redeem_min_usd": or_none(Key("USD", "smallest redemption", _AT_LEAST, between(0, _INF))),
    "redeem_fee_frac": or_none(fraction("fraction", "fee of a redemption")),
    "haircut_frac": fraction("fraction of value", "what does not count as margin"),
    "haircut_on": word("the margin that is met with it at a haircut", "initial", "both"),
    "eligibility": text("who may hold it"),
}
