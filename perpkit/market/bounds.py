"""Discovery bounds: how far from a reference price oracle and mark may be found."""

from __future__ import annotations

import math

from perpkit.arrays import Records
from perpkit.rule import rule


@rule
def anchor(path: Records, term: Records, reference_px: float) -> None:
    """Bounds around a reference price: so much of it to both sides, or none.

    trade.xyz documentation, perp-mechanics/discovery-bounds: oracle and mark stay within
    ``reference (1 -+ bound)``, in its first version at all hours, later while the market prices
    itself.
    """
    path.reference_px = reference_px
    path.lowest_px = 0.0
    path.highest_px = math.inf
    if term.bound_frac > 0.0 and (path.open == 0 or term.bound_always == 1.0):
        path.lowest_px = reference_px * (1.0 - term.bound_frac)
        path.highest_px = reference_px * (1.0 + term.bound_frac)


@rule
def upper_trigger(path: Records, term: Records) -> float:
    """Oracle price at which the bounds move up; inf where they do not any more."""
    if term.bound_threshold_frac > 0.0 and path.resets_up < term.bound_resets:
        return float(path.reference_px * (1.0 + term.bound_frac * term.bound_threshold_frac))
    return math.inf


@rule
def lower_trigger(path: Records, term: Records) -> float:
    """Oracle price at which the bounds move down; 0 where they do not any more."""
    if term.bound_threshold_frac > 0.0 and path.resets_down < term.bound_resets:
        return float(path.reference_px * (1.0 - term.bound_frac * term.bound_threshold_frac))
    return 0.0


@rule
def reanchor(path: Records, term: Records) -> None:
    """Move the reference to the bound that the oracle has come near.

    trade.xyz documentation, changelog/discovery-bounds-v2: at a share of the way to the bound, so
    many times in each direction, counted anew when external prices return.
    """
    if not term.bound_frac > 0.0:
        return
    if path.oracle_px >= upper_trigger(path, term):
        path.resets_up += 1
        anchor(path, term, path.highest_px)
    elif path.oracle_px <= lower_trigger(path, term):
        path.resets_down += 1
        anchor(path, term, path.lowest_px)
