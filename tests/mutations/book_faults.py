"""Faults in the account: the order of the hour, its rules, and the causes formed from it."""

from runner import Fault

HOUR = [
    Fault(
        "liquidation comes before funding",
        "book/loop.py",
        """\
        pay_funding(t, tape, book, ledger)  # 4 funding
        liquidate(t, now, book, out, settings)  # 5 margin test
""",
        """\
        liquidate(t, now, book, out, settings)  # 5 margin test
        pay_funding(t, tape, book, ledger)  # 4 funding
""",
    ),
    Fault(
        "the margin test comes before the delivery of cash",
        "book/loop.py",
        """\
        deliver(t, book.accounts, book.pending, out)  # 2 deliveries
        end_legs(t, book, out)
        accrue_yield(t, tape, book, out)  # 3 yield
        pay_interest(t, book, out, settings)
        pay_funding(t, tape, book, ledger)  # 4 funding
        liquidate(t, now, book, out, settings)  # 5 margin test
""",
        """\
        accrue_yield(t, tape, book, out)  # 3 yield
        pay_interest(t, book, out, settings)
        pay_funding(t, tape, book, ledger)  # 4 funding
        liquidate(t, now, book, out, settings)  # 5 margin test
        deliver(t, book.accounts, book.pending, out)  # 2 deliveries
        end_legs(t, book, out)
""",
    ),
    Fault(
        "funding is paid on the position after the fills",
        "book/loop.py",
        """\
        trade(t, tape, now, book, out, settings)  # 6 fills
""",
        """\
        before = book.perps.position.copy()
        trade(t, tape, now, book, out, settings)  # 6 fills
        for m in range(len(before)):
            late = tape.funding[t, m] if tape.due[t, m] else 0.0
            grown = book.perps.position[m] - before[m]
            book.accounts.cash_usd[book.perps.account[m]] -= grown * tape.oracle_px[t, m] * late
""",
    ),
    Fault(
        "fills come before the margin test",
        "book/loop.py",
        "        trade(t, tape, now, book, out, settings)  # 6 fills\n",
        "        trade(t, tape, now, book, out, settings)  # 6 fills\n"
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
        "book/targets.py",
        "        forget(door.target)\n",
        "",
        "tests/mutations/test_gaps.py",
    ),
    Fault(
        "a row shows the liquidation prices of the hour before",
        "book/loop.py",
        (
            "        if read:\n"
            "            price_liquidations(now, book.perps, book.accounts)\n"
            "        write_row(t, book, rows)  # 8 ledger\n"
        ),
        (
            "        write_row(t, book, rows)  # 8 ledger\n"
            "        if read:\n"
            "            price_liquidations(now, book.perps, book.accounts)\n"
        ),
        "tests/book/test_liquidation.py",
    ),
    Fault(
        "a plan is read an hour early",
        "book/targets.py",
        "        target.perps[m] = plan[t, m]\n",
        "        target.perps[m] = plan[min(t + 1, plan.shape[0] - 1), m]\n",
    ),
    Fault(
        "the strategy sees the next hour",
        "book/view.py",
        "    n = t + 1\n",
        "    n = t + 2\n",
    ),
    Fault(
        "the equity a strategy sees is without its tokens",
        "book/view.py",
        "account.equity_usd = accounts.equity_usd[a]",
        "account.equity_usd = accounts.value_usd[a]",
        "tests/mutations/test_gaps.py",
    ),
    Fault(
        "the margin test's path starts at the mark it ends at",
        "book/prices.py",
        "else tape.mark_px[max(t - 1, 0)]",
        "else tape.mark_px[t]",
    ),
    Fault(
        "the margin test looks at the close and not at the high",
        "book/prices.py",
        "tape.high_px[t],",
        "tape.mark_px[t],",
    ),
    Fault(
        "the margin test looks at the close and not at the low",
        "book/prices.py",
        "tape.low_px[t],",
        "tape.mark_px[t],",
    ),
    Fault(
        "a halted token is traded at its frozen quote",
        "book/ways.py",
        "frozen = allowed and not tape.halted[t, k] and not tape.token_stale[t, k]",
        "frozen = allowed and not tape.token_stale[t, k]",
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
        "            write_event(t, FUNDING_MISSING, m, book.perps.account[m], 0.0, ledger.out)\n",
        "",
    ),
    Fault(
        "funding of one account is paid to its neighbour",
        "book/payments.py",
        "            cash_usd[account] = cash\n            account = own\n",
        "            account = own\n",
        "tests/book/test_adl.py",
    ),
    Fault(
        "a missing rate is the last one known",
        "book/payments.py",
        "        rate = rate_of(t, m, position, tape)\n",
        "        rate = rate_of(t, m, position, tape)\n"
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
        "the yield of a day is paid every hour",
        "book/payments.py",
        "rate_1h = apr / 8760.0",
        "rate_1h = apr / 365.0",
    ),
    Fault(
        "a token without a yield becomes NaN units",
        "book/payments.py",
        "if apr != 0.0 and not math.isnan(apr):",
        "if apr != 0.0:",
        "tests/twin/test_twin_book.py::test_uncompiled",
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
        "change(WALLET, -(convert(usd, a, WALLET, accounts) + cost), accounts)",
        "change(WALLET, -convert(usd, a, WALLET, accounts), accounts)",
    ),
    Fault(
        "a second transfer overwrites the one under way",
        "book/treasury.py",
        "        elif not under_way:",
        "        else:",
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
        "maintenance += maintenance_of(notional, terms[m], perps.tier_usd[m])",
        "maintenance += initial_of(notional, terms[m], perps.tier_usd[m])",
    ),
    Fault(
        "an account takes over the sums of its neighbour",
        "book/margin.py",
        "            value, initial = accounts.value_usd[a], accounts.initial_usd[a]\n",
        "",
    ),
    Fault(
        "tokens of one account count to its neighbour",
        "book/margin.py",
        "            accounts.equity_usd[a] = usd\n            a = tokens.account[k]\n",
        "            a = tokens.account[k]\n",
    ),
    Fault(
        "notional is at the entry",
        "book/margin.py",
        (
            "        notional = abs(position) * perps.mark_px[m]\n"
            "        value += position * (perps.mark_px[m] - perps.entry_px[m])\n"
            "        initial"
        ),
        (
            "        notional = abs(position) * perps.entry_px[m]\n"
            "        value += position * (perps.mark_px[m] - perps.entry_px[m])\n"
            "        initial"
        ),
    ),
    Fault(
        "a short gains where it loses",
        "book/margin.py",
        "        value += position * (perps.mark_px[m] - perps.entry_px[m])\n        initial",
        "        value += abs(position) * (perps.mark_px[m] - perps.entry_px[m])\n        initial",
    ),
    Fault(
        "the liquidation price leans to the wrong side",
        "book/margin.py",
        "(counted - required * side)",
        "(counted + required * side)",
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
        "total += accounts.equity_usd[a] + pending.usd[a]",
        "total += accounts.equity_usd[a]",
        "tests/book/test_treasury.py",
    ),
    Fault(
        "an account with nothing left is safe",
        "book/margin.py",
        "if value > 0.0 else math.inf",
        "if value > 0.0 else 0.0",
    ),
]

LIQUIDATION = [
    Fault(
        "longs are tested at the high and shorts at the low",
        "book/path.py",
        "high if perps.position[m] < 0.0 else",
        "high if perps.position[m] > 0.0 else",
    ),
    Fault(
        "a forced close is better than the extreme",
        "book/path.py",
        "perps.filled_px[m] = px * (1.0 - math.copysign(",
        "perps.filled_px[m] = px * (1.0 + math.copysign(",
    ),
    Fault(
        "every venue's positions weigh on the account",
        "book/path.py",
        """\
        if position != 0.0 and perps.account[m] == account:
            px = on_way(perps.start_px[m], ends[m], along)
            own +=""",
        """\
        if position != 0.0:
            px = on_way(perps.start_px[m], ends[m], along)
            own +=""",
        "tests/twin/test_twin_book.py::test_uncompiled",
    ),
    Fault(
        "spare margin of one account is its neighbour's",
        "book/path.py",
        "            accounts.spare_usd[a] = usd\n            a = own\n",
        "            a = own\n",
    ),
    Fault(
        "an account that just covers its maintenance is closed",
        "book/path.py",
        "accounts.spare_usd[account] < 0.0)",
        "accounts.spare_usd[account] <= 0.0)",
    ),
    Fault(
        "the crossing is measured from the start of the way",
        "book/path.py",
        "nearer = along - usd / pace",
        "nearer = usd / pace",
    ),
    Fault(
        "a coin without a backstop takes it from the others of its account",
        "book/liquidation.py",
        "        if belongs(m, account, perps) and not math.isnan(own):\n",
        "        if belongs(m, account, perps):\n"
        "            if math.isnan(own):\n"
        "                return own\n",
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
        "whether the backstop steps in is asked at the extreme and not at the fill",
        "book/liquidation.py",
        "slack(account, 1.0, share, terms, book, perps.filled_px) < 0.0",
        "slack(account, 1.0, share, terms, book, perps.worst_px) < 0.0",
    ),
    Fault(
        "the standing target enters again after a liquidation",
        "book/liquidation.py",
        "    perps.target[m] = math.nan\n",
        "",
    ),
    Fault(
        "negative cash is left to recover",
        "book/liquidation.py",
        "        cash_usd[account] = 0.0\n    elif reason",
        "    elif reason",
    ),
    Fault(
        "the backstop gives back the margin it should keep",
        "book/liquidation.py",
        "        write_payment(t, MARGIN_LOST, (-1, account), (0.0, 0.0, -left), out)\n"
        "        cash_usd[account] = 0.0\n",
        "        write_payment(t, MARGIN_LOST, (-1, account), (0.0, 0.0, 0.0), out)\n",
    ),
    Fault(
        "a liquidation bars no coin",
        "book/liquidation.py",
        "        bar_reentry(account, book.perps)\n",
        "        pass\n",
    ),
    Fault(
        "the optimistic fill is the extreme",
        "book/liquidation.py",
        "px = on_way(perps.start_px[m], perps.worst_px[m], along)",
        "px = perps.worst_px[m]",
    ),
]

FAULTS = HOUR + PAYMENTS + MARGIN + LIQUIDATION
