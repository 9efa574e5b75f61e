"""Faults in what a strategy is shown: costs, largest orders, splits, and what is announced."""

from runner import Fault

SHOWN = [
    Fault(
        "the shown cost of a fill is its fee",
        "book/offers.py",
        "perp.cost_frac = term.fee_frac + term.cost_frac",
        "perp.cost_frac = term.fee_frac",
    ),
    Fault(
        "the shown cost of a token is the whole spread",
        "book/offers.py",
        "half, widened = (ask - bid) / (ask + bid),",
        "half, widened = 2.0 * (ask - bid) / (ask + bid),",
    ),
    Fault(
        "a mid is shown as a quote without a spread",
        "book/offers.py",
        "    if half == 0.0:\n        half = widened\n",
        "",
    ),
    Fault(
        "friction is not in what a token is shown to cost",
        "book/offers.py",
        "return float(half + tokens.friction_frac[k] + tokens.fee_frac[k])",
        "return float(half + tokens.fee_frac[k])",
    ),
    Fault(
        "an issuer is shown to charge for both ways at once",
        "book/offers.py",
        "return float(0.5 * fees + tokens.friction_frac[k])",
        "return float(fees + tokens.friction_frac[k])",
    ),
    Fault(
        "terms are shown as they were in the first era",
        "book/offers.py",
        "if t == first or tape.era[t] != tape.era[t - 1]:",
        "if t == first:",
    ),
    Fault(
        "a cap on open interest is not shown",
        "book/offers.py",
        "        if not is_capped(t, m, tape):\n",
        "        if not is_capped(t, m, tape) or usd == 0.0:\n",
    ),
    Fault(
        "a pool is shown as deep on each side as on both",
        "book/offers.py",
        "return 2.0 / liquidity",
        "return 1.0 / liquidity",
    ),
    Fault(
        "a pool is shown to move an order at an open quote",
        "book/offers.py",
        "if liquidity == 0.0 or tokens.ways[k] & BY_DEX == 0 or by_quote:",
        "if liquidity == 0.0 or tokens.ways[k] & BY_DEX == 0:",
    ),
    Fault(
        "a split stays in sight",
        "book/offers.py",
        "for n in range(first_from(rows, t - 1), first_from(rows, t + 1)):",
        "for n in range(first_from(rows, t), first_from(rows, t + 1)):",
    ),
    Fault(
        "a dividend is shown as a split",
        "book/offers.py",
        "        if tape.action_kind[n] == CASH:\n            continue\n",
        "",
    ),
    Fault(
        "a pool is shown to sell all that it holds",
        "book/ways.py",
        "usd = settings.max_pool_frac * 0.5 * pool_usd(k, tokens)",
        "usd = 0.5 * pool_usd(k, tokens)",
        "tests/book/test_offers.py",
    ),
    Fault(
        "an issuer is shown to sell while it is shut",
        "book/ways.py",
        "sells = tape.mint_rows[t, k] >= 0 and tokens.nav_px[k] > 0.0",
        "sells = tokens.nav_px[k] > 0.0",
        "tests/book/test_offers.py",
    ),
]
TOLD = [
    Fault(
        "a dividend is told before it is announced",
        "tape/announced.py",
        'np.searchsorted(time_ns, to_ns(row["announced"]), side="left")',
        'np.searchsorted(time_ns, to_ns(row["announced"]), side="left") - 1',
    ),
    Fault(
        "the later of two dividends is told",
        "tape/announced.py",
        "told[:] = np.where(nearer, usd, np.where(same, told + usd, told))",
        "told[:] = np.where(~nearer, usd, np.where(same, told + usd, told))",
    ),
    Fault(
        "hours are counted from the moment and not from its hour",
        "tape/announced.py",
        "due_ns = -(-at_ns // HOUR_NS) * HOUR_NS",
        "due_ns = at_ns // HOUR_NS * HOUR_NS",
    ),
    Fault(
        "a dividend that waits for the reopening is no longer told",
        "tape/announced.py",
        "effective = priced_from(effective, tape.phase[:, u] == Phase.CLOSED)",
        "pass",
    ),
    Fault(
        "a dividend to come is told before tax",
        "tape/actions.py",
        "kept = 1.0 - float(told) if known else np.nan",
        "kept = 1.0 if known else np.nan",
        "tests/tape/test_announced.py",
    ),
    Fault(
        "what a venue does not say of dividends is nothing owed",
        "tape/actions.py",
        "owed = _OWED.get(str(value.value), np.nan) if value.known else np.nan",
        "owed = _OWED.get(str(value.value), 0.0)",
        "tests/tape/test_announced.py",
    ),
]
FAULTS = [*SHOWN, *TOLD]
