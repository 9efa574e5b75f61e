"""Faults in what is forced: liquidation in parts, the backstop, seizing, and debts called in."""

from runner import Fault, family

PARTIAL = "tests/book/test_partial.py"

FORCED = [
    Fault(
        "a position is large by its mark and not by where it is closed",
        "book/liquidation.py",
        "size * perps.worst_px[m] > term.partial_above_usd",
        "size * perps.mark_px[m] > term.partial_above_usd",
        family("tiers"),
    ),
    Fault(
        "small positions stay open beside a large one",
        "book/liquidation.py",
        "            kind = EVENT_PARTIAL if",
        "            if part == abs(perps.position[m]):\n"
        "                continue\n"
        "            kind = EVENT_PARTIAL if",
        PARTIAL,
    ),
    Fault(
        "a first part is told as the whole",
        "book/liquidation.py",
        "kind = EVENT_PARTIAL if part < abs(perps.position[m]) else EVENT_LIQUIDATION",
        "kind = EVENT_LIQUIDATION",
        PARTIAL,
    ),
    Fault(
        "a first part may be no lot at all",
        "book/liquidation.py",
        "max(whole_lots(size * term.partial_frac, term.lots_per_unit), lot)",
        "whole_lots(size * term.partial_frac, term.lots_per_unit)",
        PARTIAL,
    ),
    Fault(
        "after the first part the rest stands untested",
        "book/liquidation.py",
        "book.perps.worst_px) >= 0.0:",
        "book.perps.worst_px) >= -math.inf:",
        PARTIAL,
    ),
    Fault(
        "the rest is closed before its first part",
        "book/liquidation.py",
        "        move_to_trigger(account, along, terms, book, settings)\n",
        "        move_to_trigger(account, 0.5 * along, terms, book, settings)\n",
        PARTIAL,
    ),
    Fault(
        "the token of a liquidated hedge is bought",
        "book/liquidation.py",
        "    drop_hedges(account, book.perps, book.tokens, settings)\n",
        "",
        "tests/twin/test_twin_book.py::test_uncompiled",
    ),
    Fault(
        "the backstop steps in at all of maintenance",
        "book/liquidation.py",
        "slack(account, 1.0, share, terms, book, perps.filled_px)",
        "slack(account, 1.0, 1.0, terms, book, perps.filled_px)",
    ),
    Fault(
        "the backstop takes over where maintenance is missed",
        "book/liquidation.py",
        "crossing(account, share, terms, book, perps.filled_px)",
        "crossing(account, 1.0, terms, book, perps.filled_px)",
    ),
    Fault(
        "the backstop leaves the pledged tokens",
        "book/liquidation.py",
        "sold = units if reason == BACKSTOP else min(units, wanted)",
        "sold = min(units, wanted)",
        "tests/book/test_collateral.py",
    ),
    Fault(
        "the backstop takes a fee",
        "book/fills.py",
        "free = reason in (BACKSTOP, ADL, SHOCK, ACTION)",
        "free = reason in (ADL, SHOCK, ACTION)",
        "tests/book/test_liquidation.py",
    ),
    Fault(
        "auto-deleveraging takes a fee",
        "book/fills.py",
        "free = reason in (BACKSTOP, ADL, SHOCK, ACTION)",
        "free = reason in (BACKSTOP, SHOCK, ACTION)",
        "tests/book/test_adl.py",
    ),
    Fault(
        "pledged tokens are seized without a haircut",
        "book/liquidation.py",
        "px = tokens.end_px[k] * (1.0 - settings.seize_cost_frac)\n    collateral",
        "px = tokens.end_px[k]\n    collateral",
        family("collateral"),
    ),
    Fault(
        "pledged tokens are seized at their fair price",
        "book/liquidation.py",
        "px = tokens.end_px[k] * (1.0 - settings.seize_cost_frac)\n    collateral",
        "px = tokens.fair_px[k] * (1.0 - settings.seize_cost_frac)\n    collateral",
        family("collateral"),
    ),
    Fault(
        "seized units are still held",
        "book/liquidation.py",
        "    tokens.units[k] -= units\n",
        "",
        family("collateral"),
    ),
    Fault(
        "what is seized pays so many units of any currency",
        "book/liquidation.py",
        "units * px / cash_px(account, book.accounts)",
        "units * px",
        family("depeg"),
    ),
    Fault(
        "all that is pledged is seized for what is owed",
        "book/liquidation.py",
        "else min(units, wanted)",
        "else (units if wanted > 0.0 else 0.0)",
        family("collateral"),
    ),
    Fault(
        "the last pledged token is seized first",
        "book/liquidation.py",
        "    for k in range(tokens.units.shape[0]):\n        units = collateral",
        "    for k in range(tokens.units.shape[0] - 1, -1, -1):\n        units = collateral",
        family("collateral"),
    ),
    Fault(
        "what is owed is bad debt beside pledged tokens",
        "book/liquidation.py",
        "    cover(t, account, reason, book, out, settings)\n    cash_usd",
        "    cash_usd",
        family("collateral"),
    ),
    Fault(
        "an account is settled before it is closed",
        "book/liquidation.py",
        (
            "    close_all(plan, terms, book.perps, book.accounts, out)\n"
            "    settle_account(t, account, reason, book, out, settings)\n"
        ),
        (
            "    settle_account(t, account, reason, book, out, settings)\n"
            "    close_all(plan, terms, book.perps, book.accounts, out)\n"
        ),
    ),
]

MIRRORED = [
    Fault(
        "hours count against any pledge",
        "book/mirror.py",
        "if collateral.mirrored[a, k] and collateral.units[a, k] != 0.0:",
        "if collateral.units[a, k] != 0.0:",
    ),
    Fault(
        "hours of debt add up over pauses",
        "book/mirror.py",
        "            accounts.owed_hours[a] = 0\n",
        "            pass\n",
    ),
    Fault(
        "the last hour in which a debt may stand is one too many",
        "book/mirror.py",
        "accounts.owed_hours[a] > settings.mirror_hours",
        "accounts.owed_hours[a] >= settings.mirror_hours",
    ),
    Fault(
        "an account that owes too long is closed at its marks",
        "book/liquidation.py",
        "= 0\n        begin_close(account, terms, book, settings)\n",
        (
            "= 0\n        begin_close(account, terms, book, settings)\n"
            "        lay_way(account, 3, terms, book, settings)\n"
        ),
        family("mirrored"),
    ),
    Fault(
        "an account that owes too long keeps its pledges",
        "book/liquidation.py",
        "        end_close((t, account, LIQUIDATION, 1.0), terms, book, out, settings)\n",
        "        close_all((t, account, LIQUIDATION, 1.0), terms, book.perps, accounts, out)\n",
        family("mirrored"),
    ),
]

FAULTS = [*FORCED, *MIRRORED]
