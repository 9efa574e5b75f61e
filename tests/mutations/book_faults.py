"""Faults in the account: the order of the hour, its rules, and the causes formed from it."""

from runner import Fault

HOUR = [
    Fault(
        "liquidation comes before funding",
        "book/loop.py",
        """\
        pay_funding(t, tape, book, out)  # 4 funding
        liquidate(t, now, book, out, settings)  # 5 margin test
""",
        """\
        liquidate(t, now, book, out, settings)  # 5 margin test
        pay_funding(t, tape, book, out)  # 4 funding
""",
    ),
    Fault(
        "the margin test comes before the delivery of cash",
        "book/loop.py",
        """\
        deliver(t, book.accounts, book.pending, out)  # 2 deliveries
        accrue_yield(t, tape, book, out)  # 3 yield
        pay_funding(t, tape, book, out)  # 4 funding
        liquidate(t, now, book, out, settings)  # 5 margin test
""",
        """\
        accrue_yield(t, tape, book, out)  # 3 yield
        pay_funding(t, tape, book, out)  # 4 funding
        liquidate(t, now, book, out, settings)  # 5 margin test
        deliver(t, book.accounts, book.pending, out)  # 2 deliveries
""",
    ),
    Fault(
        "funding is paid on the position after the fills",
        "book/loop.py",
        """\
        trade(t, now, book, out, settings)  # 6 fills
""",
        """\
        before = book.perps.position.copy()
        trade(t, now, book, out, settings)  # 6 fills
        for m in range(len(before)):
            late = tape.funding[t, m] if tape.due[t, m] else 0.0
            grown = book.perps.position[m] - before[m]
            book.accounts.cash_usd[book.perps.account[m]] -= grown * tape.oracle_px[t, m] * late
""",
    ),
    Fault(
        "fills come before the margin test",
        "book/loop.py",
        "        trade(t, now, book, out, settings)  # 6 fills\n",
        "        trade(t, now, book, out, settings)  # 6 fills\n"
        "        liquidate(t, now, book, out, settings)\n",
    ),
    Fault(
        "the terms of an hour are those of the hour before",
        "book/loop.py",
        "now = terms[tape.era[t]]",
        "now = terms[tape.era[max(t - 1, 0)]]",
        "tests/book/test_liquidation.py",
    ),
    Fault(
        "a target of long ago is set again every hour",
        "book/loop.py",
        "        if settings.fill_delay_hours != 0:\n            forget(door.target)\n",
        "        if settings.fill_delay_hours != 0:\n",
        "tests/mutations/test_gaps.py",
    ),
    Fault(
        "the row is written before the prices of liquidation are",
        "book/loop.py",
        """\
        look(now, book, door.mirror)
        write_row(t, book, rows)  # 8 ledger
""",
        """\
        write_row(t, book, rows)  # 8 ledger
        look(now, book, door.mirror)
""",
        "tests/book/test_liquidation.py",
    ),
    Fault(
        "the strategy sees the next hour",
        "book/record.py",
        "    n = t + 1\n",
        "    n = t + 2\n",
    ),
    Fault(
        "the equity a strategy sees is without its tokens",
        "book/record.py",
        "equity_usd += units * tokens.fair_px[k]",
        "equity_usd += 0.0 * units * tokens.fair_px[k]",
        "tests/mutations/test_gaps.py",
    ),
    Fault(
        "the margin test's path starts at the mark it ends at",
        "book/prices.py",
        """\
        perps.start_px[m] = perps.mark_px[m]
        perps.mark_px[m] = tape.mark_px[t, m]
""",
        """\
        perps.mark_px[m] = tape.mark_px[t, m]
        perps.start_px[m] = perps.mark_px[m]
""",
    ),
    Fault(
        "the margin test looks at the close and not at the high",
        "book/prices.py",
        "perps.high_px[m] = tape.high_px[t, m]",
        "perps.high_px[m] = tape.mark_px[t, m]",
    ),
    Fault(
        "the margin test looks at the close and not at the low",
        "book/prices.py",
        "perps.low_px[m] = tape.low_px[t, m]",
        "perps.low_px[m] = tape.mark_px[t, m]",
    ),
    Fault(
        "a halted token is traded at its frozen quote",
        "book/prices.py",
        "frozen = not tape.halted[t, k] and not tape.token_stale[t, k]",
        "frozen = not tape.token_stale[t, k]",
        "tests/book/test_orders.py",
    ),
]

PAYMENTS = [
    Fault(
        "longs receive what they should pay",
        "book/payments.py",
        "return -position * oracle_px * rate",
        "return position * oracle_px * rate",
    ),
    Fault(
        "funding is paid at the mark",
        "book/payments.py",
        "funding_usd(position, tape.oracle_px[t, m], rate)",
        "funding_usd(position, tape.mark_px[t, m], rate)",
    ),
    Fault(
        "funding is paid at the oracle of the hour before",
        "book/payments.py",
        "funding_usd(position, tape.oracle_px[t, m], rate)",
        "funding_usd(position, tape.oracle_px[t - 1, m], rate)",
    ),
    Fault(
        "a missing rate is zero",
        "book/payments.py",
        "            write_event(t, FUNDING_MISSING, m, account, 0.0, out)\n",
        "",
    ),
    Fault(
        "a missing rate is the last one known",
        "book/payments.py",
        "        rate = tape.funding[t, m]\n",
        "        rate = tape.funding[t, m]\n"
        "        if math.isnan(rate):\n"
        "            rate = tape.funding[t - 1, m]\n",
    ),
    Fault(
        "no funding in an hour that was not recorded",
        "book/payments.py",
        "if position == 0.0 or not tape.due[t, m]:",
        "if position == 0.0 or not tape.due[t, m] or tape.stale[t, m]:",
    ),
    Fault(
        "a dividend is paid again every hour",
        "book/payments.py",
        "if tape.action_row[n] == t and units != 0.0:",
        "if tape.action_row[n] <= t and units != 0.0:",
    ),
    Fault(
        "the multiplier of a token is applied twice to its dividend",
        "book/payments.py",
        "usd = units * tape.action_usd[n]",
        "usd = units * tape.action_usd[n] * book.tokens.multiplier[k]",
        "tests/twin/test_twin_book.py",
    ),
    Fault(
        "the yield of a day is paid every hour",
        "book/payments.py",
        "rate_1h = tape.apr[t, k] / 8760.0",
        "rate_1h = tape.apr[t, k] / 365.0",
    ),
    Fault(
        "a token without a yield becomes NaN units",
        "book/payments.py",
        "rate_1h != 0.0 and not math.isnan(rate_1h)",
        "rate_1h != 0.0",
        "tests/twin/test_twin_cases.py",
    ),
    Fault(
        "cash arrives an hour late",
        "book/treasury.py",
        "if 0 <= pending.due_row[a] <= t:",
        "if 0 <= pending.due_row[a] < t:",
    ),
    Fault(
        "the cost of a transfer is told and not charged",
        "book/treasury.py",
        "accounts.cash_usd[WALLET] -= usd + settings.transfer_cost_usd",
        "accounts.cash_usd[WALLET] -= usd",
    ),
    Fault(
        "a second transfer overwrites the one under way",
        "book/treasury.py",
        "        if pending.due_row[a] >= 0:\n            continue\n",
        "",
    ),
    Fault(
        "a transfer restores the ratio that asked for it",
        "book/treasury.py",
        "/ settings.topup_to_ratio - accounts.value_usd[a]",
        "/ settings.topup_at_ratio - accounts.value_usd[a]",
    ),
]

MARGIN = [
    Fault(
        "maintenance is the initial margin",
        "book/margin.py",
        "accounts.maintenance_usd[a] += notional * terms[m].maintenance_frac",
        "accounts.maintenance_usd[a] += notional * terms[m].initial_frac",
    ),
    Fault(
        "notional is at the entry",
        "book/margin.py",
        "notional = abs(position) * perps.mark_px[m]",
        "notional = abs(position) * perps.entry_px[m]",
    ),
    Fault(
        "a short gains where it loses",
        "book/margin.py",
        "accounts.value_usd[a] += position * (",
        "accounts.value_usd[a] += abs(position) * (",
    ),
    Fault(
        "the liquidation price leans to the wrong side",
        "book/margin.py",
        "/ (1.0 - maintenance_frac * side)",
        "/ (1.0 + maintenance_frac * side)",
    ),
    Fault(
        "the liquidation price is where nothing at all is left",
        "book/margin.py",
        "available = accounts.value_usd[a] - accounts.maintenance_usd[a]",
        "available = accounts.value_usd[a]",
    ),
    Fault(
        "a liquidation price may be negative",
        "book/margin.py",
        "return found if found > 0.0 else math.nan",
        "return found",
    ),
    Fault(
        "cash under way is nobody's",
        "book/margin.py",
        "total += book.accounts.cash_usd[a] + book.pending.usd[a]",
        "total += book.accounts.cash_usd[a]",
        "tests/book/test_hour.py",
    ),
    Fault(
        "an account with nothing left is safe",
        "book/margin.py",
        "if value_usd > 0.0 else math.inf",
        "if value_usd > 0.0 else 0.0",
    ),
]

LIQUIDATION = [
    Fault(
        "longs are tested at the high and shorts at the low",
        "book/liquidation.py",
        "perps.high_px[m] if position < 0.0 else perps.low_px[m]",
        "perps.high_px[m] if position > 0.0 else perps.low_px[m]",
    ),
    Fault(
        "a forced close is better than the extreme",
        "book/liquidation.py",
        "worst * (1.0 - math.copysign(",
        "worst * (1.0 + math.copysign(",
    ),
    Fault(
        "every venue's positions weigh on the account",
        "book/liquidation.py",
        "        if position != 0.0 and perps.account[m] == account:\n"
        "            usd += position * (px[m]",
        "        if position != 0.0:\n            usd += position * (px[m]",
        "tests/twin/test_twin_book.py",
    ),
    Fault(
        "an account that just covers its maintenance is closed",
        "book/liquidation.py",
        "return slack(account, perps.worst_px, 1.0, terms, perps, accounts) < 0.0",
        "return slack(account, perps.worst_px, 1.0, terms, perps, accounts) <= 0.0",
    ),
    Fault(
        "the crossing is measured from the far end",
        "book/liquidation.py",
        "return start_usd / (start_usd - end_usd)",
        "return -end_usd / (start_usd - end_usd)",
    ),
    Fault(
        "a coin without a backstop takes it from the others of its account",
        "book/liquidation.py",
        "        if held and not math.isnan(own):\n",
        "        if held and math.isnan(own):\n            return own\n        if held:\n",
        "tests/twin/test_twin_cases.py",
    ),
    Fault(
        "the backstop steps in at the smallest share",
        "book/liquidation.py",
        "share = own if math.isnan(share) else max(share, own)",
        "share = own if math.isnan(share) else min(share, own)",
        "tests/mutations/test_gaps.py",
    ),
    Fault(
        "the backstop takes what the optimistic fill had closed before",
        "book/liquidation.py",
        """\
        if settings.liquidate_at_trigger == 1:
            move_to_trigger(account, terms, perps, accounts)
        reason, along = ending(account, terms, perps, accounts)
""",
        """\
        reason, along = ending(account, terms, perps, accounts)
        if settings.liquidate_at_trigger == 1:
            move_to_trigger(account, terms, perps, accounts)
""",
    ),
    Fault(
        "the standing target enters again after a liquidation",
        "book/liquidation.py",
        "            perps.target[m] = math.nan\n",
        "",
    ),
    Fault(
        "negative cash is left to recover",
        "book/liquidation.py",
        "        accounts.cash_usd[account] = 0.0\n    elif",
        "    elif",
    ),
    Fault(
        "the backstop gives back the margin it should keep",
        "book/liquidation.py",
        "        write_payment(t, MARGIN_LOST, (-1, account), (0.0, 0.0, -left), out)\n"
        "        accounts.cash_usd[account] = 0.0\n",
        "        write_payment(t, MARGIN_LOST, (-1, account), (0.0, 0.0, 0.0), out)\n",
    ),
    Fault(
        "re-entry is barred only for what is still open",
        "book/liquidation.py",
        """\
        if settings.stop_after_liquidation == 1:
            bar_reentry(account, perps)
        if settings.pair_together == 1:
            drop_hedges(account, perps, book.tokens)
        close_all((t, account, reason, along), terms, perps, accounts, out)
""",
        """\
        close_all((t, account, reason, along), terms, perps, accounts, out)
        if settings.stop_after_liquidation == 1:
            bar_reentry(account, perps)
        if settings.pair_together == 1:
            drop_hedges(account, perps, book.tokens)
""",
    ),
    Fault(
        "the optimistic fill is the extreme",
        "book/liquidation.py",
        "trigger = perps.start_px[m] + along * (",
        "trigger = perps.start_px[m] + (",
    ),
]

FAULTS = HOUR + PAYMENTS + MARGIN + LIQUIDATION
