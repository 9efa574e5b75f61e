"""Faults in how a venue prices by sessions, a median and bounds, and in its other formulas."""

from runner import Fault

CLOSED = "tests/market/test_closed.py"
MARK = "tests/market/test_mark.py"
TWIN = "tests/twin/test_twin_market.py"
INTERVALS = "tests/market/test_intervals.py"
VENUES = "tests/tape/test_sessions_market.py"

INTERNAL = [
    Fault(
        "one step of the average counts all the time since the last",
        "market/update.py",
        "    if cap_frac > 0.0:\n",
        "    if cap_frac > 1.0:\n",
    ),
    Fault(
        "the internal oracle follows the impact mid into the spread",
        "market/update.py",
        "path.gain * impact_difference(px, path.pull_bid_px, path.pull_ask_px)",
        "path.gain * (0.5 * (path.pull_bid_px + path.pull_ask_px) - px)",
    ),
    Fault(
        "an ask below the oracle pulls it up",
        "market/update.py",
        "        return ask_px - oracle_px\n",
        "        return oracle_px - ask_px\n",
    ),
    Fault(
        "the oracle stands still while there is no external price",
        "market/update.py",
        "    if term.oracle_closed == EWMA:\n",
        "    if term.oracle_closed == EWMA and path.open == 1:\n",
    ),
    Fault(
        "the blend's weight of the external price never fades",
        "market/update.py",
        "        path.external_weight *= path.decay\n",
        "",
        "tests/market/test_closed.py::test_blend_by_hand",
    ),
    Fault(
        "a new weekend goes on with the blend of the last",
        "market/update.py",
        "        path.external_weight = 1.0\n",
        "",
        "tests/market/test_closed.py::test_blend_by_hand",
    ),
    Fault(
        "an oracle of its own marks never hears of them",
        "market/update.py",
        "px + path.gain * (path.mark_px - px)",
        "px + path.gain * (path.oracle_px - px)",
        "tests/market/test_closed.py::test_own_mark_by_hand",
    ),
    Fault(
        "what the data says in closed hours is an external price",
        "market/update.py",
        "    if path.open == 1:\n        return float(path.external_px)\n",
        "    path.external_px = path.told_px\n    if path.open == 1:\n"
        "        return float(path.external_px)\n",
        "tests/market/test_closed.py::test_frozen_index_stands_at_the_last_external_price",
    ),
    Fault(
        "closed hours are open and open hours closed",
        "market/hour.py",
        "turn(path, term, is_open != (stretch == 1), path.told_px)",
        "turn(path, term, is_open == (stretch == 1), path.told_px)",
    ),
    Fault(
        "external prices that went within the hour do not come back",
        "market/hour.py",
        "    while stretch < 3:\n",
        "    while stretch < 2:\n",
        "tests/market/test_closed.py::test_turns_within_the_hour",
    ),
    Fault(
        "a turn takes the update it falls on",
        "market/hour.py",
        "int(frac * updates + 1e-6)",
        "int(frac * updates + 1e-6) - 1",
        "tests/market/test_closed.py::test_turns_within_the_hour",
    ),
    Fault(
        "the sessions of one calendar stand for all",
        "tape/switches.py",
        "external_switches(tape.time_ns, EXTERNAL_SESSIONS[code])",
        'external_switches(tape.time_ns, "us_24_5")',
        "tests/tape/test_sessions_market.py::test_korea_turns_within_the_hour",
    ),
    Fault(
        "the row of the close is the first of the internal price",
        "tape/switches.py",
        "turns = external_switches(tape.time_ns, ",
        "turns = external_switches(tape.time_ns + 3_600_000_000_000, ",
    ),
]

MARKS = [
    Fault(
        "the mark is the highest of the three",
        "market/update.py",
        "return max(min(one, two), min(max(one, two), three))",
        "return max(one, two, three)",
        MARK,
    ),
    Fault(
        "the basis EMA forgets its weights",
        "market/update.py",
        "path.basis_weight = path.basis_weight * path.keep + path.seconds",
        "path.basis_weight = path.basis_weight + path.seconds",
        MARK,
    ),
    Fault(
        "the average basis is of the oracle over the mid",
        "market/update.py",
        "(path.mid_px - path.oracle_px) * path.seconds",
        "(path.oracle_px - path.mid_px) * path.seconds",
        MARK,
    ),
    Fault(
        "the relayer's second mark has no limit",
        "market/update.py",
        "        supplied = within_step(target, path.supplied_px, term.step_frac)\n",
        "        supplied = target\n",
        "tests/market/test_mark.py::test_supplied_marks_are_limited_as_the_oracle_is",
    ),
    Fault(
        "the mark may go as far as the relayer's step",
        "market/hour.py",
        "term.mark_step_frac if term.mark_step_frac > 0.0",
        "term.step_frac if term.mark_step_frac > 0.0",
        MARK,
    ),
    Fault(
        "without a book the mark stays where it was",
        "market/update.py",
        "        path.mark_px = path.oracle_px\n        return\n",
        "        return\n",
        TWIN,
    ),
    Fault(
        "the oracle has no bounds",
        "market/update.py",
        "target = min(max(oracle_target(path, term), path.lowest_px), path.highest_px)",
        "target = oracle_target(path, term)",
        "tests/market/test_mark.py::test_how_far_a_weekend_can_go",
    ),
    Fault(
        "bounds hold in the session of those that hold only outside it",
        "market/bounds.py",
        "(path.open == 0 or term.bound_always == 1.0)",
        "(path.open == 0 or term.bound_always == 0.0)",
        "tests/market/test_mark.py::test_bounds_hold_in_session_where_they_always_do",
    ),
    Fault(
        "the reference moves to the oracle and not to the bound",
        "market/bounds.py",
        "        anchor(path, term, path.highest_px)\n",
        "        anchor(path, term, path.oracle_px)\n",
        "tests/market/test_mark.py::test_how_far_a_weekend_can_go",
    ),
    Fault(
        "one reset more than there are",
        "market/bounds.py",
        "path.resets_up < term.bound_resets",
        "path.resets_up <= term.bound_resets",
        "tests/market/test_mark.py::test_how_far_a_weekend_can_go",
    ),
    Fault(
        "a reset up is one down",
        "market/bounds.py",
        "        path.resets_up += 1\n",
        "        path.resets_down += 1\n",
        "tests/market/test_mark.py::test_how_far_a_weekend_can_go",
    ),
    Fault(
        "resets are not counted anew at the reopening",
        "market/update.py",
        "        path.resets_up = 0\n        path.resets_down = 0\n",
        "",
        "tests/market/test_mark.py::test_counters_start_anew_when_external_prices_return",
    ),
    Fault(
        "the threshold is measured from the price and not along the bound",
        "market/bounds.py",
        "(1.0 + term.bound_frac * term.bound_threshold_frac)",
        "(1.0 + term.bound_threshold_frac)",
        "tests/market/test_mark.py::test_how_far_a_weekend_can_go",
    ),
]

PIECES = [
    Fault(
        "a piece is an update longer than it says",
        "market/piece.py",
        "    arrive(path, term, kept, stayed)\n    return updates\n",
        "    arrive(path, term, kept, stayed)\n    return updates + 1\n",
        TWIN,
    ),
    Fault(
        "an extreme inside a piece is not seen",
        "market/piece.py",
        "        return before_turn(path, updates)\n",
        "        return updates\n",
        "tests/market/test_mark.py::test_an_extreme_between_two_updates_that_are_walked",
    ),
    Fault(
        "a piece does not stop where the bounds move",
        "market/piece.py",
        "limit = min(limit, min(upper, path.highest_px))",
        "limit = min(limit, path.highest_px)",
        "tests/market/test_mark.py::test_bounds_move_within_the_hour",
    ),
    Fault(
        "the average basis lags the wrong way",
        "market/piece.py",
        "path.lag_px = -path.gap_px *",
        "path.lag_px = path.gap_px *",
        TWIN,
    ),
    Fault(
        "the premium of a piece is that of its end",
        "market/piece.py",
        "return float(px * inverses(path, updates, stayed) - updates)",
        "return float(updates * (px / (path.rest_px + path.gap_px * stayed) - 1.0))",
        TWIN,
    ),
    Fault(
        "the series of a piece stops after its first term",
        "market/piece.py",
        "while abs(power * one) > SMALL:",
        "while power == 1.0:",
        TWIN,
    ),
    Fault(
        "a piece begins while a limit still holds",
        "market/piece.py",
        "if path.free == 0 or not set_out(path, term):",
        "if not set_out(path, term):",
        f"{CLOSED}::test_it_starts_from_the_last_external_price_and_returns_in_steps",
    ),
    Fault(
        "highs are those of the hour's updates that were walked",
        "market/piece.py",
        "    path.high_px = max(path.high_px, path.mark_px)\n",
        "",
        TWIN,
    ),
]

FORMULAS = [
    Fault(
        "Ventuals' multiplier grows with the gap itself",
        "market/funding.py",
        "power = min(gap**6.0, LARGEST_POWER)",
        "power = min(gap, LARGEST_POWER)",
        INTERVALS,
    ),
    Fault(
        "a settlement after a longer pause covers its own interval alone",
        "market/funding.py",
        "            return hours\n    return",
        "            return int(interval_hours)\n    return",
        INTERVALS,
    ),
    Fault(
        "a short is paid the swap that it owes",
        "market/funding.py",
        "float(-term.swap_short_1d * hours / 24.0)",
        "float(term.swap_short_1d * hours / 24.0)",
        INTERVALS,
    ),
    Fault(
        "a swap is paid each hour",
        "market/funding.py",
        "float(term.swap_long_1d * hours / 24.0)",
        "float(term.swap_long_1d)",
        TWIN,
    ),
    Fault(
        "a short pays the swap of a long",
        "book/payments.py",
        "return float(tape.short_funding[t, m])",
        "return float(tape.funding[t, m])",
    ),
    Fault(
        "rounding of the premium is no excuse",
        "metrics/formula.py",
        "ROUNDED * (1.0 + scale) + BINARY",
        "ROUNDED + BINARY",
    ),
    Fault(
        "what the formula would have paid is what it would have cost",
        "metrics/formula.py",
        "more = -notional",
        "more = notional",
    ),
    Fault(
        "a discount makes an index of a future dearer",
        "market/futures.py",
        "math.exp(-discount_apr * years)",
        "math.exp(discount_apr * years)",
    ),
]

FAULTS = [*INTERNAL, *MARKS, *PIECES, *FORMULAS]
