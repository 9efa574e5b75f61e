"""Records: the terms of a coin, how its prices stand between updates, what the book writes down."""

from __future__ import annotations

from typing import Any

import numpy as np


def record(*fields: tuple[str, str]) -> np.dtype[Any]:
    """Layout of a record, as a C compiler would align it."""
    return np.dtype(list(fields), align=True)


# How a coin's prices stand between two updates of the oracle. It survives between rows: all that
# the next hour goes on from, and the constants of the terms in force.
PATH = record(
    ("era", "i8"),  # 1 + the era the constants are of, 0 before the first
    # constants of the terms
    ("updates", "i8"),
    ("seconds", "f8"),  # between two updates
    ("gain", "f8"),  # share of its gap that the internal oracle closes in an update
    ("keep", "f8"),  # weight that the mark's basis EMA keeps in an update
    ("decay", "f8"),  # what an update leaves of the blend's external weight
    ("mark_step", "f8"),  # largest relative move of the mark in an update, inf for any
    ("steady", "f8"),  # where the EMA's sum of weights settles
    # powers that the last piece left: shares kept and stayed after so many updates
    ("power", "i8"),
    ("kept", "f8"),
    ("stayed", "f8"),
    # the row's external price and book, held over its hour
    ("told_px", "f8"),
    ("bid_px", "f8"),
    ("ask_px", "f8"),
    ("mid_px", "f8"),
    ("pull_bid_px", "f8"),  # what the internal oracle is drawn by: the impact prices,
    ("pull_ask_px", "f8"),  # or the mid for both where neither is there
    # the state
    ("open", "i8"),  # 1 while there is an external price
    ("external_px", "f8"),  # the last external price
    ("oracle_px", "f8"),
    ("mark_px", "f8"),
    ("supplied_px", "f8"),  # the second mark that the relayer supplies, 0 before the first
    ("basis_sum", "f8"),  # EMA of mid - oracle: weighted sum,
    ("basis_weight", "f8"),  # and sum of weights
    ("internal_px", "f8"),  # EMA of the impact prices in a blend,
    ("external_weight", "f8"),  # and the weight of the external price beside it
    ("reference_px", "f8"),  # of the discovery bounds, 0 before the first
    ("lowest_px", "f8"),
    ("highest_px", "f8"),
    ("resets_up", "i8"),
    ("resets_down", "i8"),
    # the hour
    ("first_turn", "i8"),  # updates before external prices turn, all where they do not,
    ("second_turn", "i8"),  # and before they turn back
    ("free", "i8"),  # 1 where no limit held the last update
    ("held", "i8"),  # 1 where the hour ends with the oracle held away from the external price
    ("premiums", "f8"),  # sum over its updates
    ("high_px", "f8"),  # of the mark
    ("low_px", "f8"),
    # a piece of the hour that is solved at once, k updates on: oracle = rest_px + gap_px
    # (1 - gain)^k, basis EMA = mid_px - rest_px + swing_px keep^k + lag_px (1 - gain)^k
    ("rest_px", "f8"),
    ("gap_px", "f8"),
    ("swing_px", "f8"),
    ("lag_px", "f8"),
)

# One record a perp and era of the terms; unknown is NaN and is refused before the run.
TERM = record(
    ("interest_8h", "f8"),
    ("clamp_8h", "f8"),
    ("cap_1h", "f8"),  # bound of |rate| per settlement
    ("funding_multiplier", "f8"),
    ("interval_hours", "f8"),
    ("two_sided", "f8"),  # premium: 1 impact mid, 0 one-sided impact difference
    ("step_frac", "f8"),
    ("updates_per_hour", "f8"),
    ("step_on_mark", "f8"),  # base of the oracle's step limit: 1 the last mark, 0 the last oracle
    ("external_session", "f8"),  # code of Session
    ("oracle_closed", "f8"),  # code of Closed
    ("oracle_tau_hours", "f8"),  # time constant of the internal oracle's EMA
    ("ewma_cap_frac", "f8"),  # longest time of one of its steps, as a share of it; NaN: none
    ("blend_tau_hours", "f8"),
    ("median_mark", "f8"),  # 1 median of oracle, oracle + basis EMA and mid; 0 the mid
    ("mark_ema_seconds", "f8"),
    ("mark_step_frac", "f8"),  # of the last mark in one update; NaN: no limit
    ("bound_frac", "f8"),  # discovery bounds; NaN or 0: none
    ("bound_threshold_frac", "f8"),  # share of the bound that re-anchors it; NaN or 0: none does
    ("bound_resets", "f8"),  # in each direction
    ("bound_always", "f8"),  # 1 also while there is an external price
    ("funding_formula", "f8"),  # code of Formula
    ("funding_gap_frac", "f8"),
    ("swap_long_1d", "f8"),  # paid by longs, share of notional a day
    ("swap_short_1d", "f8"),  # paid by shorts
    ("margin_modes", "f8"),  # code of Mode
    # Side by side, what every hour reads.
    ("lots_per_unit", "f8"),
    # Requirements by tier: the largest over the tiers of notional times rate less offset, which is
    # one line after another where rates rise. A tier that is not there is zero.
    ("initial_frac", "f8"),  # 1 / leverage
    ("maintenance_frac", "f8"),
    ("maintenance2_frac", "f8"),
    ("maintenance2_off_usd", "f8"),
    ("maintenance3_frac", "f8"),
    ("maintenance3_off_usd", "f8"),
    ("initial2_frac", "f8"),
    ("initial2_off_usd", "f8"),
    ("initial3_frac", "f8"),
    ("initial3_off_usd", "f8"),
    ("partial_frac", "f8"),  # share of a large position that is liquidated first; NaN: all at once
    ("partial_above_usd", "f8"),  # notional above which a position is large
    ("backstop_frac", "f8"),  # share of maintenance at which the venue takes over; NaN: it does not
    ("fee_frac", "f8"),
    ("cost_frac", "f8"),  # half-spread and impact of a fill against its reference price
    ("min_order_usd", "f8"),
    ("max_order_usd", "f8"),  # NaN: none
)

# An account at the end of an hour, in its settle currency: one record, as scattered over arrays of
# their own the rows of many accounts cost more than all the rules.
ACCOUNT = record(
    ("cash_usd", "f8"),
    ("value_usd", "f8"),
    ("initial_usd", "f8"),
    ("maintenance_usd", "f8"),
)

# Rows of the three buffers that the book writes.
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
    ("way", "i8"),  # code of Way, of a token
    ("settlement_id", "i8"),  # 0 where the trade settled at once
)
PAYMENT = record(
    ("row", "i8"),
    ("flow", "i8"),
    ("instrument", "i8"),
    ("account", "i8"),
    ("quantity", "f8"),  # dividend: units, of a perp signed; yield: new units
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

# What a strategy is shown.
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
    ("cost_frac", "f8"),  # of a fill: fee, half-spread and slippage by the terms in force
    ("impact_coefficient", "f8"),  # what size adds: coefficient * sqrt(order / day's volume)
    ("liquidity_usd", "f8"),  # largest increase of an hour; inf: no cap of the run
    ("split_factor", "f8"),  # new units per old in this row, 1 in all others
)
TOKEN_VIEW = record(
    ("units", "f8"),
    ("pledged", "f8"),
    ("pending", "f8"),
    ("fair_px", "f8"),
    ("multiplier", "f8"),
    ("account", "i8"),
    ("underlying", "i8"),
    ("cost_frac", "f8"),  # of a trade at the quote of the hour: fee, friction and half the spread
    ("impact_per_usd", "f8"),  # what size adds against a pool, a USD; 0: size costs nothing
    ("liquidity_usd", "f8"),  # largest purchase of the hour; inf: no cap, 0: no way is open
    ("split_factor", "f8"),  # new units per old in this row, 1 in all others
)
ACCOUNT_VIEW = record(
    ("cash_usd", "f8"),
    ("equity_usd", "f8"),
    ("margin_ratio", "f8"),
    ("free_usd", "f8"),
)
