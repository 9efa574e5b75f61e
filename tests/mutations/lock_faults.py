"""Faults in what issuers do to tokens they have sold: locks, and units moved by force."""

from runner import Fault

BOOK = "tests/book/test_locks.py"

LOCKED = [
    Fault(
        "who may not sell may buy",
        "book/barred.py",
        "return bool(lock >= SELL or (lock >= RECEIVE and size > 0.0))",
        "return bool((lock >= SELL and size < 0.0) or (lock == RECEIVE and size > 0.0))",
    ),
    Fault(
        "who may not receive may not sell",
        "book/barred.py",
        "return bool(lock >= SELL or (lock >= RECEIVE and size > 0.0))",
        "return bool(lock >= RECEIVE)",
    ),
    Fault(
        "a locked token trades at its quote",
        "book/ways.py",
        "tokens.ways[k] & BY_QUOTE != 0 and not is_barred(k, size, tokens)",
        "tokens.ways[k] & BY_QUOTE != 0",
        BOOK,
    ),
    Fault(
        "a locked token trades in its pool",
        "book/ways.py",
        "tape.token_stale[t, k] or is_barred(k, size, tokens)",
        "tape.token_stale[t, k]",
        "tests/book/test_ways.py",
    ),
    Fault(
        "who may not sell to others may not give back to the issuer",
        "book/barred.py",
        "lock >= ISSUER or",
        "lock >= SELL or",
        "tests/book/test_ways.py",
    ),
    Fault(
        "an issuer takes back what may not be redeemed",
        "book/barred.py",
        "lock >= ISSUER or",
        "lock >= ALL or",
        "tests/book/test_ways.py",
    ),
    Fault(
        "what was bought is delivered to whom may not receive it",
        "book/legs.py",
        " or (units > 0.0 and is_barred(k, units, tokens))",
        "",
    ),
    Fault(
        "a sale is undone as its seller is barred",
        "book/legs.py",
        " or (units > 0.0 and is_barred(k, units, tokens))",
        " or is_barred(k, units, tokens)",
    ),
    Fault(
        "what nobody may move is delivered",
        "book/legs.py",
        "<= t and not is_stuck(k, book.tokens):",
        "<= t:",
    ),
    Fault(
        "what waits for a pause to end is forgotten",
        "book/legs.py",
        "        elif pending.leg_row[k] >= 0:\n",
        "        elif pending.leg_row[k] > t:\n",
    ),
    Fault(
        "a venue may not sell what its holder may not redeem",
        "book/barred.py",
        "lock_of(k, tokens) >= ALL",
        "lock_of(k, tokens) >= 3",
    ),
    Fault(
        "the perp of a pair is left where its token's target is withdrawn",
        "book/locks.py",
        "    if settings.pair_together == 1 and m >= 0 and perps.token[m] == k:\n",
        "    if settings.pair_together == 2 and m >= 0 and perps.token[m] == k:\n",
    ),
    Fault(
        "a lock withdraws no target",
        "book/locks.py",
        "            cancel(k, book.perps, tokens, settings)\n        if tokens.units",
        "            pass\n        if tokens.units",
    ),
    Fault(
        "a lock on receiving withdraws a sale",
        "book/locks.py",
        "(tape.lock[t, k] >= SELL or gap > 0.0)",
        "(tape.lock[t, k] >= SELL - 1 or gap > 0.0)",
    ),
    Fault(
        "a lock that ends withdraws what was wanted meanwhile",
        "book/locks.py",
        "        if tape.lock[t, k] > before and (",
        "        if tape.lock[t, k] != before and (",
        "tests/twin/test_twin_rules.py::test_family[locks]",
    ),
    Fault(
        "a lock is said every hour",
        "book/locks.py",
        "        if tape.lock[t, k] == before:\n",
        "        if tape.lock[t, k] == 0 and before == 0:\n",
    ),
    Fault(
        "the end of a lock is told as one",
        "book/locks.py",
        "kind = EVENT_LOCKED if tape.lock[t, k] > before else EVENT_UNLOCKED",
        "kind = EVENT_LOCKED",
    ),
    Fault(
        "what nobody may move is seized",
        "book/liquidation.py",
        "        if units == 0.0 or is_stuck(k, tokens):\n",
        "        if units == 0.0:\n",
        BOOK,
    ),
    Fault(
        "what nobody may move is margin",
        "book/locks.py",
        "collateral.haircut_frac[a, k] = 1.0 if stuck else kept",
        "collateral.haircut_frac[a, k] = kept",
    ),
    Fault(
        "what may be moved again is no margin for new positions",
        "book/locks.py",
        "collateral.initial_haircut_frac[a, k] = 1.0 if stuck else initial",
        "collateral.initial_haircut_frac[a, k] = 1.0",
        "tests/twin/test_twin_rules.py::test_family[locks]",
    ),
    Fault(
        "a lock of the holder alone is no margin",
        "book/locks.py",
        "count_stuck(k, tape.lock[t, k] >= ALL, book.collateral)",
        "count_stuck(k, tape.lock[t, k] > 0, book.collateral)",
        "tests/twin/test_twin_rules.py::test_family[locks]",
    ),
    Fault(
        "a debt is forgiven against tokens that cannot be seized",
        "book/liquidation.py",
        "    elif left < 0.0 and holds_stuck(account, book.collateral, book.tokens):\n",
        "    elif left < -1e300:\n",
        BOOK,
    ),
    Fault(
        "a failing venue is paid in tokens that nobody may move",
        "book/shocks.py",
        "or not owed > 0.0 or is_stuck(k, tokens):",
        "or not owed > 0.0:",
        BOOK,
    ),
    Fault(
        "a failing venue releases tokens that nobody may move",
        "book/shocks.py",
        "pledged - gone if stuck else 0.0",
        "0.0",
        BOOK,
    ),
    Fault(
        "idle cash buys a token that may not be received",
        "book/redeem.py",
        "    if is_barred(k, 1.0, tokens):\n        return\n",
        "",
        BOOK,
    ),
    Fault(
        "a revoked holder redeems",
        "tape/redemption.py",
        "tape.lock[:, k] < Lock.ISSUER",
        "tape.lock[:, k] <= Lock.ISSUER",
        "tests/tape/test_collateral.py",
    ),
    Fault(
        "a freeze within a revoke is no freeze",
        "tape/shocks.py",
        "lock[revoked & ~frost]",
        "lock[revoked]",
    ),
    Fault(
        "a pause is not played",
        "tape/shocks.py",
        "_LOCKING: Final = (Shock.FREEZE, Shock.PAUSE)",
        "_LOCKING: Final = (Shock.FREEZE,)",
    ),
]

FORCED = [
    Fault(
        "a forced transfer leaves what is pledged",
        "book/locks.py",
        "collateral.units[a, k] = units * (1.0 - share)",
        "collateral.units[a, k] = units",
    ),
    Fault(
        "a forced transfer is paid for",
        "book/locks.py",
        "(-own * share, 0.0, tokens.fair_px[k], 0.0)",
        "(-own * share, tokens.fair_px[k], tokens.fair_px[k], 0.0)",
    ),
    Fault(
        "what was moved away is bought again",
        "book/locks.py",
        "        cancel(k, perps, tokens, settings)\n        if tokens.units[k] != 0.0:\n",
        "        if tokens.units[k] != 0.0:\n",
    ),
    Fault(
        "what accrued and is locked is not moved",
        "book/locks.py",
        "    tokens.locked[k] = coming + (tokens.locked[k] - coming) * (1.0 - share)\n",
        "",
        "tests/twin/test_twin_rules.py::test_family[forced]",
    ),
    Fault(
        "a forced transfer counts from the first token",
        "book/locks.py",
        "k = tape.shock_instrument[j] - perps.position.shape[0]",
        "k = tape.shock_instrument[j] - tokens.units.shape[0]",
        "tests/twin/test_twin_rules.py::test_family[forced]",
    ),
    Fault(
        "issuers strike after the venue has failed",
        "book/loop.py",
        """\
        strike_tokens(t, tape, book, out, settings)  # 1 shocks, corporate actions
        fail_venues(t, tape, now, book, out, settings)
""",
        """\
        fail_venues(t, tape, now, book, out, settings)
        strike_tokens(t, tape, book, out, settings)  # 1 shocks, corporate actions
""",
        "tests/book/test_locks.py",
    ),
    Fault(
        "what the issuer moved was lost by a venue",
        "ledger/words.py",
        'moved = (which == Reason.SHOCK) & (fills["account"] == WALLET)',
        'moved = (which == Reason.SHOCK) & (fills["account"] != WALLET)',
        BOOK,
    ),
]

FAULTS = [*LOCKED, *FORCED]
