"""Bounds, and how far limited updates can reach."""

from __future__ import annotations

from perpkit.rule import rule


@rule
def clip(value: float, lowest: float, highest: float) -> float:
    """The value, held within two bounds."""
    return min(max(value, lowest), highest)


@rule
def within_step(target_px: float, base_px: float, frac: float) -> float:
    """The price nearest to a target that one limited update from a base can reach."""
    return min(max(target_px, base_px * (1.0 - frac)), base_px * (1.0 + frac))


@rule
def within_steps(target_px: float, base_px: float, frac: float, updates: float) -> float:
    """The price nearest to a target that so many limited updates from a base can reach.

    Parameters
    ----------
    target_px, base_px : USD
    frac : largest relative move of one update
    updates : how many updates

    Returns
    -------
    USD, within ``[base (1 - frac)^updates, base (1 + frac)^updates]``
    """
    if base_px * (1.0 - frac) <= target_px <= base_px * (1.0 + frac):
        return target_px  # the first of them reaches it; powers cost more than the rest of the rule
    lowest: float = base_px * (1.0 - frac) ** updates
    highest: float = base_px * (1.0 + frac) ** updates
    return min(max(target_px, lowest), highest)
