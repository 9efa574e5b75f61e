"""Faults in deleveraging, incidents, limits on orders, settle currencies, and their causes."""

from runner import Fault, family

LEDGER = "tests/book/test_ledger_cases.py"

DELEVERAGED = [
    Fault(
        "auto-deleveraging comes before liquidation",
        "book/loop.py",
        """\
        liquidate(t, now, book, out, settings)  # 5 margin test
        call_in(t, now, book, out, settings)
        deleverage(t, tape, now, book, out, settings)
""",
        """\
        deleverage(t, tape, now, book, out, settings)
        liquidate(t, now, book, out, settings)  # 5 margin test
        call_in(t, now, book, out, settings)
""",
        "tests/book/test_adl.py",
    ),
    Fault(
        "auto-deleveraging is at the mark of the hour",
        "book/adl.py",
        "before, px = perps.position[m], perps.start_px[m]",
        "before, px = perps.position[m], perps.mark_px[m]",
    ),
    Fault(
        "a short is reached by a rise",
        "book/adl.py",
        "start_px - low_px if position < 0.0 else",
        "start_px - low_px if position > 0.0 else",
    ),
    Fault(
        "the short that gains most ranks last",
        "book/adl.py",
        "else entry_px / px",
        "else px / entry_px",
    ),
    Fault(
        "a rank is at the mark of the hour",
        "book/adl.py",
        "    position, px = perps.position[m], perps.start_px[m]\n    value",
        "    position, px = perps.position[m], perps.mark_px[m]\n    value",
        "tests/book/test_adl.py",
    ),
    Fault(
        "an account that is worth nothing ranks first",
        "book/adl.py",
        "        return math.nan\n    return float(gain_of",
        "        return math.inf\n    return float(gain_of",
        "tests/book/test_adl.py",
    ),
    Fault(
        "positions that lose are reached",
        "book/adl.py",
        "return bool(gains and adl_index",
        "return bool(adl_index",
    ),
    Fault(
        "the share that is told is of lots and rounded up",
        "book/adl.py",
        "size = -whole_lots(before * share, terms[m].lots_per_unit)",
        "size = -before * share",
    ),
    Fault(
        "the token of a deleveraged hedge is bought",
        "book/adl.py",
        "    drop_hedge(m, perps, book.tokens, settings)\n",
        "",
    ),
    Fault(
        "an isolated position keeps the margin of what was deleveraged",
        "book/adl.py",
        "kept * abs(perps.position[m] / before)",
        "kept",
    ),
    Fault(
        "a deleveraged coin may not be entered again",
        "book/adl.py",
        "    perps.target[m] = math.nan\n",
        "    perps.target[m] = math.nan\n    perps.barred[m] = True\n",
    ),
]

INCIDENTS = [
    Fault(
        "a failed venue settles at the mark of the hour before",
        "book/shocks.py",
        "perps.mark_px[m], SHOCK)",
        "perps.start_px[m], SHOCK)",
    ),
    Fault(
        "what an account owes a failed venue is forgiven in part",
        "book/shocks.py",
        "        if usd > 0.0:\n            accounts",
        "        if usd != 0.0:\n            accounts",
    ),
    Fault(
        "mirrored tokens are lost with the venue",
        "book/shocks.py",
        "gone = 0.0 if collateral.mirrored[account, k] else share * pledged",
        "gone = share * pledged",
    ),
    Fault(
        "what is left of a pledge stays at the failed venue",
        "book/shocks.py",
        "collateral.units[account, k] = pledged - gone if stuck else 0.0",
        "collateral.units[account, k] = pledged - gone",
    ),
    Fault(
        "isolated positions outlive their venue",
        "book/shocks.py",
        "a == account or accounts.parent[a] == account",
        "a == account",
    ),
    Fault(
        "a failed venue's coins may be entered again",
        "book/shocks.py",
        "        perps.barred[m] = True\n",
        "",
    ),
    Fault(
        "a shock strikes in the row before its time",
        "tape/shocks.py",
        'return int(np.searchsorted(time_ns, at_ns, side="left"))',
        'return max(int(np.searchsorted(time_ns, at_ns, side="left")) - 1, 0)',
    ),
    Fault(
        "of two shocks in an hour the last is played",
        "tape/shocks.py",
        "1.0 - (1.0 - made.get(key, 0.0)) * (1.0 - one.value)",
        "one.value",
    ),
    Fault(
        "a frozen token is quoted",
        "tape/shocks.py",
        "    tape.halted[:] |= frost\n",
        "",
    ),
    Fault(
        "an oracle stands still an hour longer",
        "tape/shocks.py",
        "(time_ns < first + int(one.value) * HOUR_NS)",
        "(time_ns <= first + int(one.value) * HOUR_NS)",
    ),
    Fault(
        "a venue fails after it has settled funding",
        "book/loop.py",
        """\
        fail_venues(t, tape, now, book, out, settings)
        act(t, tape, now, book, out, settings)
        pay_redemptions(t, book, out)
        deliver(t, book.accounts, book.pending, out)  # 2 deliveries
        end_legs(t, book, out)
        accrue_yield(t, tape, book, out)  # 3 yield
        pay_interest(t, book, out, settings)
        pay_funding(t, tape, book, ledger)  # 4 funding
""",
        """\
        act(t, tape, now, book, out, settings)
        pay_redemptions(t, book, out)
        deliver(t, book.accounts, book.pending, out)  # 2 deliveries
        end_legs(t, book, out)
        accrue_yield(t, tape, book, out)  # 3 yield
        pay_interest(t, book, out, settings)
        pay_funding(t, tape, book, ledger)  # 4 funding
        fail_venues(t, tape, now, book, out, settings)
""",
        "tests/book/test_shocks.py",
    ),
    Fault(
        "a failed venue is told to have settled funding",
        "ledger/tables.py",
        "(Reason.SHOCK, Reason.ACTION)",
        "(Reason.ACTION,)",
        "tests/book/test_shocks.py",
    ),
]

LIMITS = [
    Fault(
        "a cap forbids reductions",
        "book/limits.py",
        "increase = increase_of(order, perps.position[m])\n        capped",
        "increase = abs(order)\n        capped",
    ),
    Fault(
        "a cap is said every hour",
        "book/limits.py",
        "                perps.trimmed[m] = True\n",
        "",
    ),
    Fault(
        "the token of a cut hedge is bought whole",
        "book/limits.py",
        "units = tokens.order[k] * left / increase",
        "units = tokens.order[k]",
    ),
    Fault(
        "an hour has the volume of a day",
        "book/limits.py",
        "hourly = volume_usd / HOURS_A_DAY if",
        "hourly = volume_usd if",
    ),
    Fault(
        "without a known volume any order is filled",
        "book/limits.py",
        "if volume_usd > 0.0 else 0.0",
        "if volume_usd > 0.0 else math.inf",
    ),
    Fault(
        "impact grows with the order itself",
        "book/limits.py",
        "coefficient * math.sqrt(usd / volume_usd)",
        "coefficient * (usd / volume_usd)",
    ),
    Fault(
        "impact comes in place of the half-spread",
        "book/limits.py",
        "cost = term.cost_frac + impact_frac",
        "cost = impact_frac",
    ),
    Fault(
        "an order is cut to part of a lot",
        "book/limits.py",
        "kept = whole_lots(most, term.lots_per_unit)",
        "kept = most",
    ),
    Fault(
        "open interest may reach its cap",
        "tape/caps.py",
        "tape.mark_px >= cap_usd",
        "tape.mark_px > cap_usd",
    ),
    Fault(
        "open interest counts at the oracle",
        "tape/caps.py",
        "prices.open_interest * tape.mark_px",
        "prices.open_interest * prices.oracle_px",
    ),
]

CURRENCIES = [
    Fault(
        "a conversion is the wrong way round",
        "book/margin.py",
        "usd * cash_px(source, accounts) / cash_px(destination, accounts)",
        "usd * cash_px(destination, accounts) / cash_px(source, accounts)",
        "tests/book/test_currencies.py",
    ),
    Fault(
        "pledged tokens are worth as many of any currency",
        "book/margin.py",
        "        own = cash_px(a, accounts)\n",
        "        own = 1.0\n",
        family("depeg"),
    ),
    Fault(
        "the equity of an account is in its currency",
        "book/margin.py",
        "accounts.equity_usd[a] = value * cash_px(a, accounts)",
        "accounts.equity_usd[a] = value",
        "tests/book/test_currencies.py",
    ),
    Fault(
        "a depeg holds from the hour before",
        "tape/currencies.py",
        'int(np.searchsorted(time_ns, at_ns, side="left")) :, a]',
        'int(np.searchsorted(time_ns, at_ns, side="left")) - 1 :, a]',
    ),
    Fault(
        "a currency is worth its ask",
        "tape/currencies.py",
        'lay(dataset.tokens, "bid_px", at, shape)',
        'lay(dataset.tokens, "ask_px", at, shape)',
    ),
    Fault(
        "a currency moves cash and no profit",
        "ledger/causes.py",
        "rows.cash_usd + rows.transit_usd + unrealised(market, played)",
        "rows.cash_usd + rows.transit_usd",
        "tests/book/test_currencies.py",
    ),
    Fault(
        "a currency moves no cash that is under way",
        "ledger/causes.py",
        "rows.cash_usd + rows.transit_usd + unrealised",
        "rows.cash_usd + unrealised",
        family("depeg"),
    ),
    Fault(
        "an average entry forgets what it was",
        "ledger/holdings.py",
        "(before * entry[m] + size * px) / after",
        "px",
        LEDGER,
    ),
    Fault(
        "a fee is told in the currency of its account",
        "ledger/causes.py",
        'in_usd(fills["fee_usd"], *where), fills["fee_usd"])',
        'fills["fee_usd"], fills["fee_usd"])',
        LEDGER,
    ),
    Fault(
        "what a seizure costs is slippage",
        "ledger/causes.py",
        'Reason.SEIZED: "liquidation"',
        'Reason.SEIZED: "slippage"',
        LEDGER,
    ),
    Fault(
        "a venue's failure is a liquidation",
        "ledger/causes.py",
        'Flow.VENUE_LOSS: "settlement"',
        'Flow.VENUE_LOSS: "liquidation"',
        LEDGER,
    ),
    Fault(
        "tokens that are pledged earn in the wallet",
        "ledger/holdings.py",
        "np.concatenate([wallet, account]),",
        "np.concatenate([wallet, 0 * account]),",
        LEDGER,
    ),
    Fault(
        "an issuer takes back at a quote",
        "ledger/words.py",
        "Reason.REDEEMED: _ISSUER",
        "Reason.REDEEMED: _QUOTE",
        LEDGER,
    ),
    Fault(
        "USD of tokens are told as of another currency",
        "ledger/words.py",
        'np.isin(events["kind"], _PLAIN)',
        '(events["kind"] == Event.TRIMMED)',
        LEDGER,
    ),
    Fault(
        "cash for the wallet is told as sent from it",
        "ledger/words.py",
        "if account == WALLET else None",
        "if account < WALLET else None",
        LEDGER,
    ),
    Fault(
        "the distance to liquidation is of the liquidation price",
        "ledger/tables.py",
        "np.abs(liquidation / told - 1.0)",
        "np.abs(told / liquidation - 1.0)",
        LEDGER,
    ),
]

FAULTS = [*DELEVERAGED, *INCIDENTS, *LIMITS, *CURRENCIES]
