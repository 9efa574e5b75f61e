"""Which keys of the rulebook need each other, and where one must be ``"none"``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from perpkit.rulebook.keys import VENUE_KEYS
from perpkit.rulebook.legal import NONE, UNKNOWN, read_tiers

Words = tuple[str, ...]

_BY_PREMIUM: Words = ("premium", "ventuals")
_AVERAGING: Words = ("ewma", "blend", "own_mark")

# A key, the key it hangs on, and the words of that one with which it must hold a value; with any
# other word it must be "none".
NEEDED: Final[Mapping[str, tuple[str, Words]]] = {
    "interest_8h": ("funding_formula", _BY_PREMIUM),
    "clamp_8h": ("funding_formula", _BY_PREMIUM),
    "cap_1h": ("funding_formula", _BY_PREMIUM),
    "funding_multiplier": ("funding_formula", _BY_PREMIUM),
    "premium": ("funding_formula", _BY_PREMIUM),
    "funding_gap_frac": ("funding_formula", ("ventuals",)),
    "swap_long_1d": ("funding_formula", ("cfd_swap",)),
    "swap_short_1d": ("funding_formula", ("cfd_swap",)),
    "oracle_tau_hours": ("oracle_closed", _AVERAGING),
    "blend_tau_hours": ("oracle_closed", ("blend",)),
    "mark_ema_seconds": ("mark_rule", ("median", "median_perps")),
}
# The same, but "none" is legal with those words too.
ALLOWED: Final[Mapping[str, tuple[str, Words]]] = {
    "impact_usd": ("funding_formula", _BY_PREMIUM),
    "ewma_cap_frac": ("oracle_closed", _AVERAGING),
    "mark_step_frac": ("mark_rule", ("median", "median_perps")),
}
_OF_PART = ("liquidation_part_frac", "liquidation_part_above_usd")
_OF_BOUND = ("bound_threshold_frac", "bound_resets", "bound_when")
LINKED: Final = frozenset(
    {
        "max_leverage",
        "margin_tiers",
        *_OF_PART,
        "bound_frac",
        "external_session",
        "oracle_closed",
        *_OF_BOUND,
        *NEEDED,
        *ALLOWED,
    }
    | {on for on, _ in (*NEEDED.values(), *ALLOWED.values())}
)


def inconsistencies(terms: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Find the keys whose value does not go with another key's, each with why.

    Parameters
    ----------
    terms : values by key, :data:`LINKED` at least; an unknown value goes with everything

    Examples
    --------
    >>> terms = dict.fromkeys(LINKED, "unknown")
    >>> dict(inconsistencies(terms | {"oracle_closed": "frozen", "oracle_tau_hours": 1}))
    {'oracle_tau_hours': 'must be "none", not 1, where oracle_closed is "frozen"'}
    """
    for key, (on, words) in (*NEEDED.items(), *ALLOWED.items()):
        value, other = terms[key], terms[on]
        if UNKNOWN in (value, other):
            continue
        if other in words and value == NONE and key in NEEDED:
            yield key, _must_hold(key, f'where {on} is "{other}"')
        elif other not in words and value != NONE:
            yield key, f'must be "{NONE}", not {value!r}, where {on} is "{other}"'
    yield from _of_sessions(terms)
    yield from _of_bounds(terms)
    yield from _of_margin(terms)


def _must_hold(key: str, where: str) -> str:
    legal = VENUE_KEYS[key].legal.removesuffix(f' or "{NONE}"')
    return f"must be {legal}, not '{NONE}', {where}"


def _of_sessions(terms: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    session, closed = terms["external_session"], terms["oracle_closed"]
    if UNKNOWN in (session, closed):
        return
    if (session == "24/7") != (closed == "external"):
        yield (
            "oracle_closed",
            (
                f'cannot be "{closed}" where external_session is "{session}": "external" says that '
                "there is no hour without an external price"
            ),
        )
    elif session == NONE and closed != "own_mark":
        yield (
            "oracle_closed",
            (f'must be "own_mark", not "{closed}", where external_session is "{NONE}"'),
        )


def _of_bounds(terms: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    bound, threshold, resets = (terms[k] for k in ("bound_frac", *_OF_BOUND[:2]))
    if bound == NONE:
        for key in _OF_BOUND:
            if terms[key] not in (NONE, UNKNOWN):
                yield key, f'must be "{NONE}", not {terms[key]!r}, where bound_frac is "{NONE}"'
    elif bound != UNKNOWN:
        for key in _OF_BOUND[1:]:
            if terms[key] == NONE:
                yield key, _must_hold(key, f"where bound_frac is {bound}")
        if threshold == NONE and resets not in (NONE, UNKNOWN, 0):
            yield "bound_resets", f'must be 0, not {resets}, where bound_threshold_frac is "{NONE}"'


def _of_margin(terms: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    highest, told = terms["max_leverage"], read_tiers(terms["margin_tiers"])
    if told and isinstance(highest, int | float) and told[0][1] >= highest:
        yield (
            "margin_tiers",
            f"must start below max_leverage {highest:g}, not at {told[0][1]:g}",
        )
    part, above = (terms[key] for key in _OF_PART)
    if UNKNOWN not in (part, above) and (part == NONE) != (above == NONE):
        yield _OF_PART[1], f"and {_OF_PART[0]} must both hold a value, or both be {NONE!r}"
