"""Faults in what hours in which nothing happens leave out, and where rules meet."""

from runner import Fault, family

CALM = [
    Fault(
        "an isolated position is worth its cash",
        "book/margin.py",
        "        value += position * (perps.mark_px[m] - perps.entry_px[m])\n    initial =",
        "        value += 0.0\n    initial =",
        "tests/book/test_isolated.py",
    ),
    Fault(
        "an isolated position requires nothing",
        "book/margin.py",
        "note(a, value, initial, maintenance, accounts)\n\n",
        "note(a, value, 0.0, 0.0, accounts)\n\n",
        family("isolated_treasury"),
    ),
    Fault(
        "an isolated position is tested without its cash",
        "book/path.py",
        "accounts.spare_usd[own] = accounts.cash_usd[own] + spare_of(m, end, terms, perps)",
        "accounts.spare_usd[own] = spare_of(m, end, terms, perps)",
        "tests/book/test_isolated.py",
    ),
    Fault(
        "a larger tier is left out of the liquidation price",
        "book/margin.py",
        "    if maintenance_usd(then, term) == then * term.maintenance_frac:\n",
        "    if maintenance_usd(then, term) >= then * term.maintenance_frac:\n",
        "tests/book/test_tiers.py",
    ),
    Fault(
        "cash under way does not keep the treasury from idle cash",
        "book/treasury.py",
        "waits = pending.due_row[a] >= 0 or owed_usd(a, accounts, collateral) > 0.0",
        "waits = owed_usd(a, accounts, collateral) > 0.0",
        "tests/book/test_treasury.py",
    ),
    Fault(
        "cash that is owed against mirrored collateral calls nobody",
        "book/treasury.py",
        "waits = pending.due_row[a] >= 0 or owed_usd(a, accounts, collateral) > 0.0",
        "waits = pending.due_row[a] >= 0",
        "tests/book/test_treasury.py",
    ),
    Fault(
        "a payday frees what is not delivered",
        "book/payments.py",
        "            tokens.locked[k] = undelivered(k, book.pending)\n",
        "            tokens.locked[k] = 0.0\n",
        "tests/book/test_treasury.py",
    ),
    Fault(
        "positions are cut while a sale is not paid yet",
        "book/redeem.py",
        "        usd += pending.leg_usd[k]\n",
        "        usd += 0.0\n",
        "tests/book/test_treasury.py",
    ),
    Fault(
        "what was refused once is refused for ever",
        "book/treasury.py",
        "    if accounts.transfer_refused[a]:\n        return False\n",
        "",
        "tests/book/test_treasury.py",
    ),
    Fault(
        "a surplus that was refused is never looked at again",
        "book/treasury.py",
        "        return not refused\n",
        "        return True\n",
        family("isolated_treasury"),
    ),
    Fault(
        "a surplus waits although there is cash for it",
        "book/treasury.py",
        "    return refused and min(accounts.cash_usd[a], accounts.cash_free_usd[a]) < least\n",
        "    return refused\n",
        family("sweep"),
    ),
    Fault(
        "the model sees falls alone",
        "book/adl.py",
        "far |= (perps.high_px[m] - px >= moved) | (px - perps.low_px[m] >= moved)",
        "far |= px - perps.low_px[m] >= moved",
        "tests/book/test_adl.py",
    ),
    Fault(
        "the model sees rises alone",
        "book/adl.py",
        "far |= (perps.high_px[m] - px >= moved) | (px - perps.low_px[m] >= moved)",
        "far |= perps.high_px[m] - px >= moved",
        "tests/book/test_adl.py",
    ),
]
MEETING = [
    Fault(
        "what happens at a row comes a row late",
        "book/when.py",
        "        if rows[middle] < t:\n",
        "        if rows[middle] < t - 1:\n",
        "tests/book/test_payments.py",
    ),
    Fault(
        "what is under way is delivered in old units",
        "book/actions.py",
        "        book.pending.leg_units[k] *= ratio\n",
        "",
        "tests/book/test_meeting.py",
    ),
    Fault(
        "what is under way is undone at its old price",
        "book/actions.py",
        "        book.pending.leg_px[k] /= ratio\n",
        "",
        "tests/book/test_meeting.py",
    ),
    Fault(
        "an issuer takes tokens that are not delivered",
        "book/locks.py",
        "    own = tokens.units[k] - coming\n",
        "    own = tokens.units[k]\n",
        "tests/book/test_meeting.py",
    ),
]
FAULTS = CALM + MEETING
