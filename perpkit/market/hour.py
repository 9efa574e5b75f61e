"""The hour of a venue that prices by sessions, a median or bounds, update by update or at once.

The row's external price and book are held over its hour, as there is nothing finer.
"""

from __future__ import annotations

import math

from perpkit.arrays import Records
from perpkit.market.bounds import anchor
from perpkit.market.oracle import hold_mid, hold_pull, mark_held
from perpkit.market.piece import jump
from perpkit.market.premium import premium_of
from perpkit.market.update import ewma_gain, move_mark, turn, update
from perpkit.rule import rule


@rule
def learn(path: Records, term: Records, era: int) -> None:
    """The constants of an update under the terms of an era, where they are of another."""
    if path.era == era:
        return
    path.era = era
    path.updates = int(term.updates_per_hour)
    path.seconds = 3600.0 / term.updates_per_hour
    path.gain = 0.0
    path.decay = 1.0
    path.keep = 0.0
    path.steady = 0.0
    path.power = 0
    if term.oracle_tau_hours > 0.0:
        path.gain = ewma_gain(path.seconds, term.oracle_tau_hours, term.ewma_cap_frac)
    if term.blend_tau_hours > 0.0:
        path.decay = math.exp(-path.seconds / (3600.0 * term.blend_tau_hours))
    path.mark_step = term.step_frac
    if term.median_mark == 1.0:
        path.keep = math.exp(-path.seconds / term.mark_ema_seconds)
        path.steady = path.seconds / (1.0 - path.keep)
        path.mark_step = term.mark_step_frac if term.mark_step_frac > 0.0 else math.inf
    if path.reference_px > 0.0:
        anchor(path, term, path.reference_px)


@rule
def restate(path: Records, ratio: float) -> None:
    """Put a coin's state in the units after a split; a ratio of NaN lists it anew.

    Without it the step limits would take the split for a crash and crawl after it.
    """
    path.external_px /= ratio
    path.oracle_px /= ratio
    path.mark_px /= ratio
    path.supplied_px /= ratio
    path.basis_sum /= ratio
    path.internal_px /= ratio
    path.reference_px /= ratio
    path.lowest_px /= ratio
    path.highest_px /= ratio


@rule
def switch_update(frac: float, updates: int) -> int:
    """The last update before external prices turn at a fraction of the hour; NaN: they do not."""
    if math.isnan(frac):
        return updates
    # A turn on an update belongs after it; the room is for the binary form of the fraction.
    return min(int(frac * updates + 1e-6), updates)


@rule
def list_coin(path: Records, term: Records, is_open: bool) -> None:
    """A coin's first prices: the external one, else the mid, and a mark without a step limit."""
    first = path.mid_px if math.isnan(path.told_px) else path.told_px
    path.oracle_px = first
    path.mark_px = 0.0
    path.supplied_px = 0.0
    path.basis_sum = 0.0
    path.basis_weight = 0.0
    turn(path, term, True, first)
    turn(path, term, is_open, first)
    move_mark(path, term)
    mark = path.mark_px
    path.premiums = premium_of(first, mark, path.bid_px, path.ask_px, term.two_sided)
    path.high_px = mark
    path.low_px = mark


@rule
def solve_hour(
    path: Records, term: Records, is_open: bool, turn_frac: float, back_frac: float
) -> None:
    """Oracle and mark, the mark's extremes and the average premium of one coin's hour.

    Parameters
    ----------
    path : its book and external price, and its prices of the hour before
    is_open : whether the hour begins with an external price
    turn_frac, back_frac : when in the hour that turns, and turns back; NaN: it does not
    """
    updates = path.updates
    path.first_turn = switch_update(turn_frac, updates)
    path.second_turn = switch_update(back_frac, updates)
    hold_mid(path)
    hold_pull(path)
    if math.isnan(path.oracle_px):
        turns = path.first_turn < updates and path.second_turn == updates
        list_coin(path, term, is_open != turns)
        mark_held(path)
        return
    if path.reference_px == 0.0:
        turn(path, term, True, path.oracle_px)
    path.premiums = 0.0
    path.high_px = -math.inf
    path.low_px = math.inf
    done = 0
    stretch = 0
    while stretch < 3:
        end = path.first_turn if stretch == 0 else (path.second_turn if stretch == 1 else updates)
        if done < end:
            turn(path, term, is_open != (stretch == 1), path.told_px)
        while done < end:
            update(path, term)
            done += 1
            if done < end:
                done += jump(path, term, end - done)
        stretch += 1
    path.premiums /= updates
    mark_held(path)
