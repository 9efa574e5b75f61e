"""The vocabulary of what issuers of tokens say, and of who may hold or trade a product."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from perpkit.rulebook.legal import (
    NONE,
    Key,
    above_zero,
    between,
    cutoff,
    fraction,
    or_none,
    text,
    word,
)

__all__ = [
    "ELIGIBILITY_KEYS",
    "HOLDER_TIERS",
    "ISSUER_GROUPS",
    "ISSUER_KEYS",
    "ISSUER_NEEDED",
    "JURISDICTIONS",
    "MEMBERS",
]

_INF = float("inf")
_HOURS = or_none(Key("hours", "", "a number in [0, 8760]", between(0, 8_760.5)))
_USD = or_none(Key("USD", "", "a number of at least 0", between(0, _INF)))
_WHEN = (
    "at all times, from Sunday 20:00 to Friday 20:00 New York time, in the cash session of US "
    "stocks, on US market days, never"
)
_SESSIONS = ("24/7", "24/5", "us_cash", "market_days", NONE)


def _flag(meaning: str) -> Key:
    return Key("", meaning, "true or false", lambda value: isinstance(value, bool))


def _codes(value: object) -> bool:
    """Whether a value is codes of countries, or EU, in capitals, separated by commas.

    >>> _codes("US"), _codes("US, CA"), _codes("usa")
    (True, True, False)
    """
    parts = value.split(", ") if isinstance(value, str) else []
    return bool(parts) and all(len(p) == 2 and p.isalpha() and p.isupper() for p in parts)


_PLACES = or_none(
    Key("", "", 'codes of countries such as "US" or "US, CA", EU for the EEA', _codes)
)

_QUOTE: Mapping[str, Key] = {
    "quote_session": word(
        "when the token's quote is a price: always, outside the weekend, in the cash session",
        "24/7",
        "24/5",
        "cash",
    ),
    "trade_fee_frac": fraction("fraction of notional", "fee of a trade besides the spread"),
    "min_order_usd": Key("USD", "smallest order", "a number of at least 0", between(0, _INF)),
    "weekend": word(
        "what remains at weekends: all; nothing; quotes that stand still and widen; pools and "
        "exchanges that trade on, without the stock's price",
        "open",
        "closed",
        "quotes_freeze",
        "pools_trade",
    ),
}

_CLAIM: Mapping[str, Key] = {
    "form": word(
        "what the holder has: a note or certificate that tracks the stock; a security that the "
        "stock backs one to one; the registered share itself; a contract with the broker; a share "
        "of a fund; a note of the issuer",
        "tracker",
        "backed_security",
        "registered_share",
        "contract",
        "fund_share",
        "note",
    ),
    "multiplier_kind": word(
        "what moves the stocks a token stands for: nothing; dividends and splits; splits alone; "
        "none, balances change instead",
        NONE,
        "total_return",
        "split_only",
        "rebase",
    ),
    "dividends": or_none(
        word(
            "paid in cash, or reinvested in units per token; none: a fund, whose value or units "
            "grow",
            "cash",
            "multiplier",
        )
    ),
    "withholding_frac": fraction("fraction of the dividend", "tax kept before the holder"),
}

_PRIMARY: Mapping[str, Key] = {
    "mint_session": word(f"when the issuer sells new tokens: {_WHEN}", *_SESSIONS),
    "redeem_session": word(f"when it takes tokens back: {_WHEN}", *_SESSIONS),
    "mint_fee_frac": or_none(fraction("fraction of notional", "fee of a new token")),
    "redeem_fee_frac": or_none(fraction("fraction of notional", "fee of taking one back")),
    "mint_min_usd": _USD._replace(meaning="least that it sells"),
    "redeem_min_usd": _USD._replace(meaning="least that it takes back"),
    "mint_delay_hours": _HOURS._replace(meaning="from an order to its tokens"),
    "redeem_delay_hours": _HOURS._replace(meaning="from an order to its cash"),
    "inventory_usd": or_none(above_zero("USD a day", "most that it sells or takes back")),
}

_ACTIONS: Mapping[str, Key] = {
    "premium_pause_frac": or_none(
        fraction("fraction", "change of the multiplier beyond which the token's price is paused")
    ),
    "pause_notice_hours": _HOURS._replace(meaning="from the announcement of a pause to it"),
    "pause_hours": _HOURS._replace(meaning="shortest pause"),
    "split_stages": or_none(
        word(
            "how a split comes: announced, staged, active, reopened, resumed; the price paused "
            "until the issuer lifts it; halted, balances changed, resumed",
            "staged",
            "paused",
            "rebased",
        )
    ),
    "split_at": or_none(
        Key("UTC", "time at which a staged split is active", 'a time such as "00:00"', cutoff)
    ),
}

_HOLDERS: Mapping[str, Key] = {
    "blocked": _PLACES._replace(meaning="where nobody may acquire it"),
    "eligible": or_none(text("whom it is offered to")),
    "kyc": word(
        "who is identified: nobody; who mints or redeems; every holder",
        NONE,
        "primary",
        "holders",
    ),
    "transferable": _flag("whether holders may pass it on among themselves"),
    "receiver_check": word(
        "what a transfer is tested for on the chain: nothing; that the receiver is not on the "
        "issuer's blocklist; that it is on its allowlist; that its identity is verified, as in "
        "ERC-3643; the issuer sets a policy of each token",
        NONE,
        "blocklist",
        "allowlist",
        "identity",
        "policy",
    ),
    "freezes": or_none(
        text("what the issuer can do to tokens it has sold: freeze, pause, move or cancel them")
    ),
}

# Title of each group of an issuer's keys, in the order of pages and tables.
ISSUER_GROUPS: Final[Mapping[str, Mapping[str, Key]]] = {
    "quote": _QUOTE,
    "claim": _CLAIM,
    "primary market": _PRIMARY,
    "corporate actions": _ACTIONS,
    "holders": _HOLDERS,
}
ISSUER_KEYS: Final[Mapping[str, Key]] = {
    name: key._replace(group=group)
    for group, keys in ISSUER_GROUPS.items()
    for name, key in keys.items()
}
# What every file of an issuer states; of the others a file may be silent, which is "unknown".
ISSUER_NEEDED: Final = frozenset(
    {"quote_session", "trade_fee_frac", "min_order_usd", "dividends", "withholding_frac"}
)

# --------------------------------------------------------------------------- who may

# Where rules are told of. A country of the European Economic Area is EU.
JURISDICTIONS: Final[Mapping[str, str]] = {
    "US": "United States, its persons too",
    "EU": "European Economic Area, under MiCA and MiFID II",
    "CH": "Switzerland",
    "BM": "Bermuda",
    "VG": "British Virgin Islands",
}
MEMBERS: Final = frozenset(
    (
        *("AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE"),
        *("IS", "IT", "LI", "LT", "LU", "LV", "MT", "NL", "NO", "PL", "PT", "RO", "SE", "SI", "SK"),
    )
)

# What a holder is, each with all that comes before it: unidentified; identified; an accredited
# investor (US) or professional client (EU, CH); a qualified purchaser (US) or institution.
HOLDER_TIERS: Final = ("none", "basic", "accredited", "qualified")
_TIERS = ("anyone", *HOLDER_TIERS[1:], "nobody")
_LEAST = "anyone, who is identified, accredited, qualified, or nobody"

ELIGIBILITY_KEYS: Final[Mapping[str, Key]] = {
    "hold": word(f"who may acquire and hold it, or trade on the venue: {_LEAST}", *_TIERS),
    "primary": or_none(word(f"who may mint and redeem it with the issuer: {_LEAST}", *_TIERS)),
    "receiver_check": _HOLDERS["receiver_check"],
}
