"""Faults in the fills, the orders behind them, and the causes told of them."""

from runner import Fault

FILLS = [
    Fault(
        "half-spread and impact are earned",
        "book/fills.py",
        "return reference * (1.0 + math.copysign(cost_frac, size))",
        "return reference * (1.0 - math.copysign(cost_frac, size))",
    ),
    Fault(
        "a perp trades at the mark beside its book",
        "book/fills.py",
        "reference = mark_px if math.isnan(mid_px) else mid_px",
        "reference = mark_px",
    ),
    Fault(
        "a token is bought at the bid",
        "book/fills.py",
        "return ask_px if size > 0.0 else bid_px",
        "return ask_px if size < 0.0 else bid_px",
    ),
    Fault(
        "a mid sells above itself",
        "book/fills.py",
        "return ask_px * (1.0 + math.copysign(half_spread_frac, size))",
        "return ask_px * (1.0 + half_spread_frac)",
    ),
    Fault(
        "lots are rounded up",
        "book/fills.py",
        "lots = math.floor(abs(size) * lots_per_unit + LOT_SLACK)",
        "lots = math.ceil(abs(size) * lots_per_unit - LOT_SLACK)",
    ),
    Fault(
        "a reduction moves the entry and an increase does not",
        "book/fills.py",
        "if abs(after) < abs(before):\n        return entry_px",
        "if abs(after) > abs(before) > 0.0:\n        return entry_px",
    ),
    Fault(
        "a realised loss is a gain",
        "book/fills.py",
        "cash -= size * (px - perps.entry_px[m])",
        "cash += size * (px - perps.entry_px[m])",
    ),
    Fault(
        "profit is realised against the entry after the trade",
        "book/fills.py",
        """\
    if abs(after) < abs(before):
        cash -= size * (px - perps.entry_px[m])
    perps.entry_px[m] = entry_after(before, perps.entry_px[m], after, px)
""",
        """\
    perps.entry_px[m] = entry_after(before, perps.entry_px[m], after, px)
    if abs(after) < abs(before):
        cash -= size * (px - perps.entry_px[m])
""",
    ),
    Fault(
        "the fee is told and not charged",
        "book/fills.py",
        "    cash = -fee\n",
        "    cash = 0.0\n",
    ),
    Fault(
        "a forced close is free of fees",
        "book/fills.py",
        "fee = 0.0 if free else",
        "fee = 0.0 if reason != 0 else",
        "tests/book/test_ledger.py",
    ),
    Fault(
        "the fee of a token is paid to the buyer",
        "book/fills.py",
        "(size * px + fee) / cash_px",
        "(size * px - fee) / cash_px",
    ),
    Fault(
        "a fill is valued at its own price",
        "book/fills.py",
        "what = (size, px, perps.mark_px[m], fee)",
        "what = (size, px, px, fee)",
        "tests/book/test_ledger.py",
    ),
]

ORDERS = [
    Fault(
        "a target is an order",
        "book/orders.py",
        "gap = perps.target[m] - perps.position[m]",
        "gap = perps.target[m]",
    ),
    Fault(
        "a carried price is traded",
        "book/orders.py",
        "waits = bool(perps.stale[m])",
        "waits = math.isnan(perps.order_px[m])",
    ),
    Fault(
        "a hedge waits for its token alone",
        "book/orders.py",
        "waits = waits or not tokens.tradable[k]",
        "waits = not tokens.tradable[k]",
    ),
    Fault(
        "a token is bought while its perp waits",
        "book/orders.py",
        "            if waits:\n                tokens.order[k] = 0.0\n",
        "",
    ),
    Fault(
        "a frozen quote is traded",
        "book/orders.py",
        "        if not tokens.tradable[k]:\n            tokens.order[k] = 0.0\n",
        "        if math.isnan(tokens.order_px[k]):\n            tokens.order[k] = 0.0\n",
    ),
    Fault(
        "a refused re-entry leaves the token of its hedge to be bought alone",
        "book/orders.py",
        "            tokens.target[k] = math.nan\n            tokens.order[k] = 0.0\n",
        "            tokens.order[k] = 0.0\n",
        "tests/twin/test_twin_cases.py",
    ),
    Fault(
        "what an order loses at once takes no margin",
        "book/orders.py",
        "return float(max(against, 0.0) + px * term.fee_frac)",
        "return float(px * term.fee_frac)",
    ),
    Fault(
        "leverage has no effect",
        "book/margin.py",
        "usd = notional_usd * term.initial_frac\n",
        "usd = notional_usd * 0.05\n",
    ),
    Fault(
        "a hedge is cut to the larger leg",
        "book/orders.py",
        "share = min(size / perp, units / token)",
        "share = max(size / perp, units / token)",
    ),
    Fault(
        "free margin of a hedge is what maintenance leaves",
        "book/margin.py",
        "accounts.free_usd[a] = value - initial",
        "accounts.free_usd[a] = value - maintenance",
    ),
    Fault(
        "two orders spend the same margin",
        "book/orders.py",
        "    accounts.free_usd[a] -= usd\n",
        "",
    ),
    Fault(
        "late hedges of one hour spend the same margin",
        "book/orders.py",
        "        reserve(m, trim_late((t, m), free, term, book, out), perps, accounts)\n",
        "        trim_late((t, m), free, term, book, out)\n",
        "tests/book/test_legs.py",
    ),
    Fault(
        "margin of a hedge under way is free",
        "book/orders.py",
        "    had_legs = book.pending.sent[0] > 0\n",
        "    had_legs = book.pending.sent[0] < 0\n",
        "tests/book/test_legs.py",
    ),
    Fault(
        "a reduction frees no margin in its hour",
        "book/orders.py",
        """\
    reduce_perps(t, terms, perps, accounts, out)
    assess(terms, book)
""",
        """\
    assess(terms, book)
    reduce_perps(t, terms, perps, accounts, out)
""",
    ),
    Fault(
        "a sale pays for nothing in its hour",
        "book/orders.py",
        """\
    trade_tokens(t, -1.0, tape, book, out)
    reduce_perps(t, terms, perps, accounts, out)
    assess(terms, book)
""",
        """\
    reduce_perps(t, terms, perps, accounts, out)
    assess(terms, book)
    trade_tokens(t, -1.0, tape, book, out)
""",
    ),
    Fault(
        "an order is checked against the minimum before it is cut to lots",
        "book/orders.py",
        "if math.isnan(px) or abs(size) * px >= term.min_order_usd:",
        "if math.isnan(px) or abs(gap) * px >= term.min_order_usd:",
        "tests/book/test_fills.py",
    ),
    Fault(
        "the decision is dated an hour late",
        "book/targets.py",
        "            perps.decided[m] = t\n",
        "            perps.decided[m] = t + 1\n",
    ),
    Fault(
        "a token that is not spoken of is sold",
        "book/targets.py",
        "        target.tokens[k] = math.nan\n",
        "        target.tokens[k] = 0.0\n",
        "tests/mutations/test_gaps.py",
    ),
    Fault(
        "tokens may be sold short",
        "book/targets.py",
        "if math.isinf(wanted) or wanted < 0.0:",
        "if math.isinf(wanted):",
        "tests/book/test_orders.py",
    ),
]

CAUSES = [
    Fault(
        "a price change is earned on the position of the row after",
        "ledger/causes.py",
        "return np.vstack([np.zeros_like(units[:1]), units[:-1]])",
        "return units",
    ),
    Fault(
        "the growth of a NAV is counted twice",
        "ledger/causes.py",
        "moved = _earned(held.units, tape.fair_px[:, held.token]) - grown",
        "moved = _earned(held.units, tape.fair_px[:, held.token])",
    ),
    Fault(
        "slippage is a gain",
        "ledger/causes.py",
        'lost = -fills["size"] * (',
        'lost = fills["size"] * (',
    ),
    Fault(
        "fees are a gain",
        "ledger/causes.py",
        'fills["account"], -fees)',
        'fills["account"], fees)',
    ),
    Fault(
        "what the backstop costs is slippage",
        "ledger/causes.py",
        'Reason.BACKSTOP: "liquidation"',
        'Reason.BACKSTOP: "slippage"',
        "tests/book/test_liquidation.py",
    ),
    Fault(
        "the multiplier is left out of the exposure",
        "ledger/tables.py",
        "whole = _value(units[:, k], market.tape.multiplier[:, k])",
        "whole = units[:, k]",
        "tests/mutations/test_gaps.py",
    ),
    Fault(
        "the margin ratio is that of the best account",
        "ledger/tables.py",
        '"margin_ratio": _ratios(played).max(axis=1)',
        '"margin_ratio": _ratios(played).min(axis=1)',
        "tests/book/test_margin.py",
    ),
    Fault(
        "a fill is dated to its hour and not to its decision",
        "ledger/tables.py",
        '_time(market, fills["decided"], "decided_at")',
        '_time(market, fills["row"], "decided_at")',
        "tests/mutations/test_gaps.py",
    ),
    Fault(
        "the funding frame shows the mark as the oracle",
        "ledger/tables.py",
        '"oracle_px": tape.oracle_px[row, m],',
        '"oracle_px": tape.mark_px[row, m],',
        "tests/museum/test_bug_museum.py",
    ),
    Fault(
        "the flows of one account are told of another",
        "ledger/causes.py",
        "* accounts + p.account\n",
        "* accounts + p.account // 2\n",
    ),
]

FAULTS = FILLS + ORDERS + CAUSES
