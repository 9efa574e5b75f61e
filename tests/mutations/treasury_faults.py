"""Faults in the treasury, in redemptions and cuts, and in the clocks and costs of collateral."""

from runner import Fault, family

CALLS = [
    Fault(
        "an isolated position takes the cash and not the free margin of its venue",
        "book/treasury.py",
        "usd = removable_usd(a, wanted, perps, accounts)",
        "usd = min(wanted, accounts.cash_usd[a])",
        family("isolated_treasury"),
    ),
    Fault(
        "an isolated position takes margin of the wallet at once",
        "book/treasury.py",
        "    a = accounts.parent[c]\n    usd",
        "    a = WALLET\n    usd",
        family("isolated_treasury"),
    ),
    Fault(
        "what isolated positions lack is asked of nobody",
        "book/treasury.py",
        "        lack += wanted\n",
        "",
        family("isolated_treasury"),
    ),
    Fault(
        "margin is taken out of strictly isolated positions",
        "book/treasury.py",
        "if wanted <= 0.0 or accounts.strict[c]:",
        "if wanted <= 0.0:",
        family("isolated_treasury"),
    ),
    Fault(
        "positions are cut while cash comes from an issuer",
        "book/treasury.py",
        "        usd = redeem(t, usd, tape, book, out)\n",
        "        redeem(t, usd, tape, book, out)\n",
        "tests/book/test_treasury.py",
    ),
    Fault(
        "positions are cut while the wallet's cash is under way",
        "book/treasury.py",
        "    lack -= convert(book.pending.usd[WALLET], WALLET, a, book.accounts)\n",
        "",
        family("isolated_treasury"),
    ),
    Fault(
        "what leaves need not leave the initial margin",
        "book/treasury.py",
        "min(wanted, accounts.cash_usd[a], accounts.cash_free_usd[a])",
        "min(wanted, accounts.cash_usd[a])",
        family("sweep"),
    ),
    Fault(
        "what leaves need not leave a tenth of the notional",
        "book/treasury.py",
        "return float(min(usd, accounts.value_usd[a] - LEAST_FRAC * notional))",
        "return float(usd)",
        family("sweep"),
    ),
    Fault(
        "profit that is not cash leaves an account",
        "book/treasury.py",
        "min(wanted, accounts.cash_usd[a], accounts.cash_free_usd[a])",
        "min(wanted, accounts.cash_free_usd[a])",
        family("sweep"),
    ),
    Fault(
        "cash is given back at no cost",
        "book/treasury.py",
        "convert(usd - cost, a, WALLET, accounts)",
        "convert(usd, a, WALLET, accounts)",
        family("sweep"),
    ),
    Fault(
        "cash that moves counts in full in portfolio margin",
        "book/treasury.py",
        "accounts.value_usd[a] += counted",
        "accounts.value_usd[a] += usd",
        family("portfolio"),
    ),
    Fault(
        "any cent to spare is swept",
        "book/treasury.py",
        "return max(settings.sweep_min_usd / cash_px(a, accounts), LEAST_USD)",
        "return LEAST_USD",
        "tests/book/test_treasury.py",
    ),
    Fault(
        "the least that is swept is told in the account's own currency",
        "book/treasury.py",
        "max(settings.sweep_min_usd / cash_px(a, accounts), LEAST_USD)",
        "max(settings.sweep_min_usd, LEAST_USD)",
        "tests/book/test_currencies.py",
    ),
    Fault(
        "less than the least is swept where no more may leave",
        "book/treasury.py",
        "    if usd < least:\n",
        "    if usd < LEAST_USD:\n",
        "tests/book/test_treasury.py",
    ),
    Fault(
        "a second account's cash overwrites that of the first",
        "book/treasury.py",
        "if wanted <= 0.0 or pending.due_row[WALLET] >= 0:",
        "if wanted <= 0.0:",
        family("sweep"),
    ),
    Fault(
        "an account gives back down to the ratio that it is swept at",
        "book/treasury.py",
        "spare = value - need / settings.topup_to_ratio",
        "spare = value - need / settings.sweep_at_ratio",
        family("sweep"),
    ),
    Fault(
        "an account without a position is emptied",
        "book/treasury.py",
        "if need == 0.0 or need >=",
        "if need > 0.0 and need >=",
        family("sweep"),
    ),
    Fault(
        "what may not leave is said every hour",
        "book/treasury.py",
        "        accounts.sweep_refused[a] = True\n",
        "",
        family("sweep"),
    ),
    Fault(
        "idle cash is put away while an account is called",
        "book/treasury.py",
        "    if not called:\n",
        "    if called or not called:\n",
        family("redemption"),
    ),
    Fault(
        "a row shows what it was before positions were cut",
        "book/treasury.py",
        "        assess(terms, book)\n",
        "",
        family("delever"),
    ),
    Fault(
        "the treasury comes before the fills",
        "book/loop.py",
        (
            "        trade(t, tape, now, book, out, settings)  # 6 fills\n"
            "        return_margin(filled, book.perps, book.accounts, out)\n"
            "        assess(now, book)\n"
            "        manage(t, tape, now, book, out, settings)  # 7 treasury\n"
        ),
        (
            "        assess(now, book)\n"
            "        manage(t, tape, now, book, out, settings)  # 7 treasury\n"
            "        trade(t, tape, now, book, out, settings)  # 6 fills\n"
            "        return_margin(filled, book.perps, book.accounts, out)\n"
            "        assess(now, book)\n"
        ),
        "tests/book/test_treasury.py",
    ),
]

ISSUERS = [
    Fault(
        "tokens are redeemed at their fair price",
        "book/redeem.py",
        "    nav = tokens.nav_px[k]\n    fee",
        "    nav = tokens.fair_px[k]\n    fee",
    ),
    Fault(
        "an issuer pays out its fee",
        "book/redeem.py",
        "pending.redeem_usd[k] = (usd - fee) /",
        "pending.redeem_usd[k] = usd /",
    ),
    Fault(
        "an issuer pays in the hour after",
        "book/redeem.py",
        "pending.redeem_row[k] = t + tape.redeem_rows[t, k]",
        "pending.redeem_row[k] = t + min(tape.redeem_rows[t, k], 1)",
    ),
    Fault(
        "an issuer takes requests at any hour",
        "book/redeem.py",
        "if tape.redeemable[t, k] and usd >=",
        "if usd >=",
    ),
    Fault(
        "an issuer takes requests of any size",
        "book/redeem.py",
        "tape.redeemable[t, k] and usd >= tokens.redeem_min_usd[k]:",
        "tape.redeemable[t, k]:",
    ),
    Fault(
        "a second redemption overwrites the one under way",
        "book/redeem.py",
        "        if pending.redeem_row[k] >= 0:  # its",
        "        if pending.redeem_row[k] > 10_000:  # its",
        "tests/book/test_treasury.py",
    ),
    Fault(
        "what is being redeemed is redeemed again of another token",
        "book/redeem.py",
        "    return float(wanted - taken)\n",
        "    return float(wanted)\n",
        "tests/book/test_treasury.py",
    ),
    Fault(
        "locked units are redeemed",
        "book/redeem.py",
        "had = free_units(k, book) * tokens.nav_px[k]",
        "had = tokens.units[k] * tokens.nav_px[k]",
        "tests/book/test_treasury.py",
    ),
    Fault(
        "a refused redemption is said every hour",
        "book/redeem.py",
        "            pending.redeem_refused[k] = True\n",
        "",
    ),
    Fault(
        "an issuer's cash arrives an hour late",
        "book/redeem.py",
        "if 0 <= pending.redeem_row[k] <= t:",
        "if 0 <= pending.redeem_row[k] < t:",
    ),
    Fault(
        "what an issuer owes is nobody's",
        "book/margin.py",
        "        total += pending.redeem_usd[k] * cash_px(0, accounts)\n",
        "        pass\n",
        family("redemption"),
    ),
    Fault(
        "idle cash is put away to the last dollar",
        "book/redeem.py",
        "(accounts.cash_usd[WALLET] - settings.wallet_cash_usd) * px",
        "accounts.cash_usd[WALLET] * px",
    ),
    Fault(
        "idle cash is put away in any hour",
        "book/redeem.py",
        " or not tape.redeemable[t, k]:",
        ":",
    ),
    Fault(
        "idle cash buys as many units as it has cents of another currency",
        "book/redeem.py",
        "    accounts.cash_usd[WALLET] -= usd / px\n",
        "    accounts.cash_usd[WALLET] -= usd\n",
        family("wallet_depeg"),
    ),
    Fault(
        "a halt of redemptions stops nothing",
        "tape/redemption.py",
        "_open(asset, tape.time_ns) & ~halted",
        "_open(asset, tape.time_ns)",
    ),
    Fault(
        "a month's units are paid at its last market day",
        "tape/redemption.py",
        "days.closes_ns[1:][months[1:]",
        "days.closes_ns[:-1][months[1:]",
    ),
    Fault(
        "the NAV of market days grows over the weekend",
        "tape/redemption.py",
        '    if clock == "market_day":\n',
        '    if clock == "":\n',
    ),
    Fault(
        "any sum is put away",
        "book/redeem.py",
        "if usd <= 0.0 or usd < tokens.min_order_usd[k] or",
        "if usd <= 0.0 or",
    ),
]

CUTS = [
    Fault(
        "positions are cut to the ratio that calls",
        "book/delever.py",
        "lack = -accounts.spare_usd[a] * settings.topup_to_ratio",
        "lack = -accounts.spare_usd[a] * settings.topup_at_ratio",
    ),
    Fault(
        "the perp of a hedge is cut alone",
        "book/delever.py",
        "        cut_token((t, k, abs(size / position)), tape, book, out, settings)\n",
        "        pass\n",
    ),
    Fault(
        "the token of a hedge is cut by more than the lots of its perp",
        "book/delever.py",
        "cut_token((t, k, abs(size / position)), tape, book, out, settings)",
        "cut_token((t, k, share), tape, book, out, settings)",
    ),
    Fault(
        "a cut position's target enters it again",
        "book/delever.py",
        "    perps.target[m] = math.nan\n",
        "",
    ),
    Fault(
        "a cut token's target buys it again",
        "book/delever.py",
        "    tokens.target[k] = math.nan\n",
        "",
    ),
    Fault(
        "positions are cut at a price that stands still",
        "book/delever.py",
        "size == 0.0 or perps.stale[m] or",
        "size == 0.0 or",
    ),
    Fault(
        "pledged tokens are cut",
        "book/delever.py",
        "min(tokens.units[k] * share, free_units(k, book))",
        "tokens.units[k] * share",
    ),
    Fault(
        "isolated positions are never cut",
        "book/delever.py",
        "if own != a and accounts.parent[own] != a:",
        "if own != a:",
        family("isolated_treasury"),
    ),
]

COLLATERAL = [
    Fault(
        "accrued units are free at once",
        "book/payments.py",
        "                tokens.locked[k] += grown\n",
        "                pass\n",
        "tests/book/test_collateral.py",
    ),
    Fault(
        "a payday pays an hour late",
        "book/payments.py",
        "if tape.payday[t, k]:",
        "if tape.payday[max(t - 1, 0), k]:",
        family("collateral"),
    ),
    Fault(
        "cash in a margin account earns interest",
        "book/payments.py",
        "owes = cash < 0.0 and",
        "owes = cash != 0.0 and",
        "tests/book/test_collateral.py",
    ),
    Fault(
        "the interest of a day is paid every hour",
        "book/payments.py",
        "settings.borrow_apr / 8760.0",
        "settings.borrow_apr / 365.0",
        "tests/book/test_collateral.py",
    ),
    Fault(
        "a debt melts by its interest",
        "book/payments.py",
        "= cash + cash * rate_1h",
        "= cash - cash * rate_1h",
        "tests/book/test_collateral.py",
    ),
    Fault(
        "interest is paid without anything pledged",
        "book/payments.py",
        "owes = cash < 0.0 and has_pledge(a, book.collateral)",
        "owes = cash < 0.0",
        family("collateral"),
    ),
    Fault(
        "interest comes after funding",
        "book/loop.py",
        """\
        pay_interest(t, book, out, settings)
        pay_funding(t, tape, book, ledger)  # 4 funding
""",
        """\
        pay_funding(t, tape, book, ledger)  # 4 funding
        pay_interest(t, book, out, settings)
""",
        family("collateral"),
    ),
    Fault(
        "locked units are sold",
        "book/margin.py",
        "tokens.units[k] - tokens.locked[k] - pledged",
        "tokens.units[k] - pledged",
        "tests/book/test_collateral.py",
    ),
    Fault(
        "pledged units are sold",
        "book/margin.py",
        "tokens.units[k] - tokens.locked[k] - pledged_units(k, book.collateral)",
        "tokens.units[k] - tokens.locked[k]",
        "tests/book/test_collateral.py",
    ),
    Fault(
        "pledged tokens count in the wallet and where they are pledged",
        "book/margin.py",
        "                accounts.equity_usd[tokens.account[k]] -= pledged\n",
        "",
        "tests/book/test_collateral.py",
    ),
    Fault(
        "pledged tokens are bought at one USD a unit of cash",
        "tape/collateral.py",
        "bought * px / tape.fair_px[0, k]",
        "bought / tape.fair_px[0, k]",
        "tests/book/test_currencies.py",
    ),
    Fault(
        "the smallest haircut of the run holds",
        "tape/collateral.py",
        "haircut = max(float(value.value) for value in told)",
        "haircut = min(float(value.value) for value in told)",
    ),
    Fault(
        "a haircut of initial margin alone is one of maintenance too",
        "tape/collateral.py",
        "kept if both or config.portfolio_margin else 0.0",
        "kept",
    ),
]

FAULTS = [*CALLS, *ISSUERS, *CUTS, *COLLATERAL]
