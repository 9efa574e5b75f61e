"""Faults in the ways that tokens take, and in what becomes of trades that take time."""

from runner import Fault

WAYS = [
    Fault(
        "a pool is as deep on each side as on both",
        "book/ways.py",
        "left = 1.0 - 2.0 * size * mid_px / liquidity_usd",
        "left = 1.0 - size * mid_px / liquidity_usd",
    ),
    Fault(
        "a sale to a pool raises its price",
        "book/ways.py",
        "left = 1.0 - 2.0 * size * mid_px / liquidity_usd",
        "left = 1.0 - 2.0 * abs(size) * mid_px / liquidity_usd",
    ),
    Fault(
        "a pool is better than the quote before it",
        "book/ways.py",
        "return max(px, quoted) if size > 0.0 else min(px, quoted)",
        "return min(px, quoted) if size > 0.0 else max(px, quoted)",
    ),
    Fault(
        "friction is earned on sales",
        "book/ways.py",
        "return float(px * (1.0 + math.copysign(tokens.friction_frac[k], size)))",
        "return float(px * (1.0 + tokens.friction_frac[k]))",
    ),
    Fault(
        "an order that was cut pays for what it asked for",
        "book/ways.py",
        "        tokens.order_px[k] = dex_px(k, tokens.order[k], tokens)\n",
        "        pass\n",
    ),
    Fault(
        "cash buys from a pool as if it had no impact",
        "book/ways.py",
        "units = spent / (mid * (1.0 + 2.0 * spent / pool_usd(k, tokens)))",
        "units = spent / mid",
    ),
    Fault(
        "a frozen token trades in its pool",
        "book/ways.py",
        "shut = tape.halted[t, k] or tape.token_stale[t, k] or",
        "shut = tape.token_stale[t, k] or",
    ),
    Fault(
        "a pool sells all that it holds",
        "book/ways.py",
        "size = min(size, settings.max_pool_frac * 0.5 * liquidity / mid)",
        "size = min(size, 0.5 * liquidity / mid)",
    ),
    Fault(
        "a tie goes to the issuer",
        "book/ways.py",
        "return bool(side * px * (1.0 + side * fee_frac) < best)",
        "return bool(side * px * (1.0 + side * fee_frac) <= best)",
    ),
    Fault(
        "the cheapest way is told without its fee",
        "book/ways.py",
        "return bool(side * px * (1.0 + side * fee_frac) < best)",
        "return bool(side * px < best)",
    ),
    Fault(
        "a sale takes the way that pays least",
        "book/ways.py",
        "    side = math.copysign(1.0, size)\n    best",
        "    side = 1.0\n    best",
    ),
    Fault(
        "new tokens are sold while they are only taken back",
        "book/ways.py",
        "rows = tape.mint_rows[t, k] if buys else tape.buyback_rows[t, k]",
        "rows = max(tape.mint_rows[t, k], tape.buyback_rows[t, k])",
    ),
    Fault(
        "the fee of a new token is paid on those taken back",
        "book/ways.py",
        "fee = in_fee if buys else out_fee",
        "fee = in_fee",
    ),
    Fault(
        "the issuer sells less than its minimum",
        "book/ways.py",
        "        tokens.order_min_usd[k] = least\n",
        "",
    ),
    Fault(
        "the inventory of a day is never used up",
        "book/ways.py",
        "    tokens.drawn_usd[k] += abs(tokens.order[k]) * tokens.order_px[k]\n",
        "",
    ),
    Fault(
        "what is sold back refills the inventory",
        "book/ways.py",
        "tokens.drawn_usd[k] += abs(tokens.order[k]) * tokens.order_px[k]",
        "tokens.drawn_usd[k] += tokens.order[k] * tokens.order_px[k]",
    ),
    Fault(
        "the inventory of one day is that of all",
        "book/ways.py",
        "        tokens.drawn_usd[k] = 0.0\n",
        "        pass\n",
        "tests/twin/test_twin_rules.py::test_family[ways]",
    ),
    Fault(
        "a short is sold for tokens that the way does not take",
        "book/orders.py",
        "    match_hedges(terms, perps, tokens, settings)\n",
        "",
        "tests/book/test_legs.py",
    ),
    Fault(
        "a token is bought for a part of a lot",
        "book/orders.py",
        "        tokens.order[k] *= size / wanted\n",
        "",
        "tests/book/test_legs.py",
    ),
    Fault(
        "settlement runs while the issuer delivers",
        "book/ways.py",
        "tokens.order_rows[k] += tape.settle_rows[t, k]",
        "tokens.order_rows[k] = max(tokens.order_rows[k], tape.settle_rows[t, k])",
        "tests/book/test_legs.py",
    ),
]

LEGS = [
    Fault(
        "what is bought is sold before it is delivered",
        "book/legs.py",
        "        tokens.locked[k] += size\n",
        "        pass\n",
        "tests/twin/test_twin_rules.py::test_family[legs]",
    ),
    Fault(
        "the cash of a sale is there at once",
        "book/legs.py",
        "        accounts.cash_usd[WALLET] -= due\n        pending.leg_usd[k] = due\n",
        "        pass\n",
    ),
    Fault(
        "cash that is due is no equity",
        "book/margin.py",
        "        total += pending.leg_usd[k] * cash_px(0, accounts)\n",
        "        pass\n",
        "tests/book/test_legs.py",
    ),
    Fault(
        "a sale is paid without its fee",
        "book/legs.py",
        "due = usd * (1.0 - tokens.order_fee_frac[k]) / cash_px(WALLET, accounts)",
        "due = usd / cash_px(WALLET, accounts)",
    ),
    Fault(
        "a short waits for all of its tokens",
        "book/legs.py",
        "perps.target[m] < perps.position[m] and there == 0.0 and",
        "perps.target[m] < perps.position[m] and",
    ),
    Fault(
        "a perp waits for the trade of a token that it does not hedge",
        "book/legs.py",
        " or k < 0 or not has_leg(k, book.pending):\n        return False\n    held",
        " or k < 0:\n        return False\n    held",
    ),
    Fault(
        "what waits for a trade under way is never said",
        "book/legs.py",
        "not (has_leg(k, pending) and pending.leg_waits[k]):",
        "not has_leg(k, pending):",
    ),
    Fault(
        "a leg arrives an hour late",
        "book/legs.py",
        "        if 0 <= pending.leg_row[k] <= t and",
        "        if 0 <= pending.leg_row[k] < t and",
    ),
    Fault(
        "a leg waits for one that was sent after it",
        "book/legs.py",
        "pending.legs[2] = ends if pending.legs[0] == 0 else min(pending.legs[2], ends)",
        "pending.legs[2] = ends",
        "tests/twin/test_twin_rules.py::test_family[legs]",
    ),
    Fault(
        "a trade is undone at the price of the day",
        "book/legs.py",
        "    units, px = pending.leg_units[k], pending.leg_px[k] * cash_px(WALLET, accounts)\n",
        "    units, px = pending.leg_units[k], tokens.fair_px[k]\n",
    ),
    Fault(
        "a trade is paid back at the currency's price of the day",
        "book/legs.py",
        "    accounts.cash_usd[WALLET] += units * pending.leg_px[k]\n",
        "    accounts.cash_usd[WALLET] += units * pending.leg_px[k] / cash_px(WALLET, accounts)\n",
    ),
    Fault(
        "every trade settles",
        "book/legs.py",
        "    if pending.leg_end[k] == 1 or",
        "    if pending.leg_end[k] == 2 or",
    ),
    Fault(
        "a penalty is earned",
        "book/legs.py",
        "        accounts.cash_usd[WALLET] -= cost\n",
        "        accounts.cash_usd[WALLET] += cost\n",
    ),
    Fault(
        "a penalty is told and not paid",
        "book/legs.py",
        "        accounts.cash_usd[WALLET] -= cost\n",
        "",
    ),
    Fault(
        "a token is bought twice while it is under way",
        "book/legs.py",
        "            write_event(t, WAITS, book.perps.order.shape[0] + k, WALLET, usd, out)\n"
        "        tokens.order[k] = 0.0\n",
        "            write_event(t, WAITS, book.perps.order.shape[0] + k, WALLET, usd, out)\n",
    ),
    Fault(
        "an order that waits says so every hour",
        "book/legs.py",
        "            pending.leg_waits[k] = True\n",
        "",
        "tests/twin/test_twin_rules.py::test_family[legs]",
    ),
    Fault(
        "a short does not wait for its tokens",
        "book/orders.py",
        "    book.perps.order[m] = 0.0\n    if share < 1.0 and not tokens.trimmed[k]:",
        "    if share < 1.0 and not tokens.trimmed[k]:",
        "tests/book/test_legs.py",
    ),
    Fault(
        "tokens under way are hedged",
        "book/legs.py",
        "held = (tokens.units[k] - undelivered(k, pending)) * tokens.multiplier[k]",
        "held = tokens.units[k] * tokens.multiplier[k]",
    ),
    Fault(
        "a hedge does not follow the multiplier",
        "book/legs.py",
        "held = (tokens.units[k] - undelivered(k, pending)) * tokens.multiplier[k]",
        "held = tokens.units[k] - undelivered(k, pending)",
        "tests/twin/test_twin_rules.py::test_family[legs]",
    ),
    Fault(
        "more is bought before the hedge has caught up",
        "book/legs.py",
        "        if not waits and own != 0.0:\n            tokens.order[k] = 0.0\n",
        "",
    ),
    Fault(
        "a perp closes while its token cannot",
        "book/legs.py",
        "elif waits and perps.order[m] * tokens.order[k] < 0.0:",
        "elif waits and perps.order[m] * tokens.order[k] < -1e300:",
    ),
    Fault(
        "a trade that fails within the hour is hedged",
        "book/legs.py",
        "return bool(tokens.order_rows[k] > 0 or fails(t, k, tape))",
        "return bool(tokens.order_rows[k] > 0)",
        "tests/twin/test_twin_rules.py::test_family[legs]",
    ),
    Fault(
        "the strategy is not told what is under way",
        "book/view.py",
        "        token.pending = undelivered(k, book.pending)\n",
        "",
        "tests/book/test_legs.py",
    ),
    Fault(
        "the cost of settling is told as slippage",
        "ledger/causes.py",
        '    Flow.SETTLEMENT_COST: "settlement",\n',
        '    Flow.SETTLEMENT_COST: "slippage",\n',
        "tests/book/test_legs.py",
    ),
    Fault(
        "a trade undone is told as slippage",
        "ledger/causes.py",
        '    Reason.SETTLEMENT: "settlement",\n',
        '    Reason.SETTLEMENT: "slippage",\n',
        "tests/book/test_legs.py",
    ),
]

LAID = [
    Fault(
        "an issuer delivers while it is shut",
        "tape/ways.py",
        "    return np.where(opened, last[at] - rows, -1)\n",
        "    return np.where(opened, delay_hours, -1)\n",
    ),
    Fault(
        "redemptions go on while they are halted",
        "tape/ways.py",
        "np.where(tape.halted[:, k] | halted | old[:, k], -1, takes.rows)",
        "np.where(tape.halted[:, k] | old[:, k], -1, takes.rows)",
    ),
    Fault(
        "a token has the NAV of a share",
        "tape/ways.py",
        "tape.nav_px[missing, k] = (px * tape.multiplier[:, k])[missing]",
        "tape.nav_px[missing, k] = px[missing]",
    ),
    Fault(
        "an oracle without an external price makes a NAV",
        "tape/ways.py",
        "px = np.where(tape.stale[:, m] | shut, np.nan, tape.oracle_px[:, m])",
        "px = np.where(tape.stale[:, m], np.nan, tape.oracle_px[:, m])",
    ),
]

FAULTS = [*WAYS, *LEGS, *LAID]
