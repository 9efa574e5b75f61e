"""Faults in the machine that trades settle by, in its odds and costs, and in what a run draws."""

from runner import Fault

COST = "tests/settlement/test_cost.py"
MACHINE = "tests/settlement/test_machine.py"

TABLE = [
    Fault(
        "the asset is handed over before the payment",
        "settlement/table.py",
        '_S1, "lock_attested", _S2, "coordinator", takes=_ATTESTED',
        '_S1, "lock_attested", _S2, "coordinator", (_RELEASE,), takes=_ATTESTED',
        f"{COST}::test_a_sample_agrees_with_the_tree",
    ),
    Fault(
        "an unwound trade leaves the asset in escrow",
        "settlement/table.py",
        '_S1, "lock_not_attested", _R1, "escrow", (_RETURN,)',
        '_S1, "lock_not_attested", _R1, "escrow"',
        f"{MACHINE}::test_coordinated_by_hand",
    ),
    Fault(
        "an unknown payment stays with the bank",
        "settlement/table.py",
        '"absent", _R1, "bank", (_WITHDRAWN, _RETURN)',
        '"absent", _R1, "bank", (_RETURN,)',
        f"{MACHINE}::test_coordinated_by_hand",
    ),
    Fault(
        "a payment without an answer is not under way",
        "settlement/table.py",
        '"no_answer", _U1, "bank", (_UNDER_WAY,)',
        '"no_answer", _U1, "bank"',
        f"{COST}::test_a_sample_agrees_with_the_tree",
    ),
    Fault(
        "who was paid and cannot deliver keeps the cash",
        "settlement/table.py",
        '_U2, "refunded", _R2, "people", (_PAY_BACK, _RETURN)',
        '_U2, "refunded", _R2, "people", (_RETURN,)',
        f"{MACHINE}::test_coordinated_by_hand",
    ),
    Fault(
        "what compliance refused is released all the same",
        "settlement/table.py",
        '_X1, "held", _U2, "escrow", after=_S3',
        '_X1, "held", _S4, "escrow", (_RELEASE,), after=_S3',
        f"{MACHINE}::test_coordinated_by_hand",
    ),
    Fault(
        "a refusal after the payment is unwound as one before it",
        "settlement/table.py",
        "and (t.never is None or t.never not in seen)",
        "and (t.after is None or t.never not in seen)",
        f"{COST}::test_a_sample_agrees_with_the_tree",
    ),
    Fault(
        "a release is tried once more than was said",
        "settlement/table.py",
        "times <= getattr(path, t.within)",
        "times <= getattr(path, t.within) + 1",
    ),
    Fault(
        "people take over a retry too early",
        "settlement/table.py",
        "times > getattr(path, t.beyond)",
        "times >= getattr(path, t.beyond)",
    ),
    Fault(
        "a timeout is the time of the step",
        "settlement/table.py",
        'takes=("pay_timeout_hours",)',
        'takes=("bank_hours",)',
        f"{MACHINE}::test_coordinated_by_hand",
    ),
    Fault(
        "a failed delivery leaves nobody exposed",
        "settlement/table.py",
        '_S0, "not_delivered", _U2, "seller", (_PAY,)',
        '_S0, "not_delivered", _U2, "seller"',
        f"{COST}::test_a_sample_agrees_with_the_tree",
    ),
    Fault(
        "a buyer's counterparty fails to pay",
        "settlement/table.py",
        't.side in ("", side)',
        "t.side != side",
    ),
    Fault(
        "the rest of the odds counts what cannot happen",
        "settlement/table.py",
        "for t in able if t.odds)",
        "for t in TABLE if t.odds and (t.mode, t.start) == (path.mode, seen[-1]))",
    ),
    Fault(
        "days of a fail are none of its time",
        "settlement/table.py",
        "self.days + days + t.days, self.fail_days",
        "self.days + days, self.fail_days",
    ),
]

TRADE = [
    Fault(
        "nobody looks whether the giver has what it gives",
        "settlement/machine.py",
        "    held[move.giver][move.what] = 0.0\n",
        "",
        f"{MACHINE}::test_coordinated_by_hand",
    ),
    Fault(
        "exposure counts the time after a step, not before it",
        "settlement/machine.py",
        "(after.clock_hours - time.clock_hours)",
        "after.clock_hours",
        f"{MACHINE}::test_exposure_by_hand",
    ),
    Fault(
        "the seller's exposure is the buyer's",
        "settlement/machine.py",
        '"buyer" if trade.side == "buy" else "seller"',
        '"buyer"',
        f"{MACHINE}::test_exposure_by_hand",
    ),
    Fault(
        "events are drawn by the odds of the first alone",
        "settlement/machine.py",
        "        total += option.prob\n",
        "        total = option.prob\n",
        f"{COST}::test_a_sample_agrees_with_the_tree",
    ),
    Fault(
        "the penalty is once and not a day",
        "settlement/cost.py",
        "path.penalty_frac_day * time.fail_days",
        "path.penalty_frac_day * min(time.fail_days, 1)",
    ),
    Fault(
        "a cancelled trade is charged",
        "settlement/cost.py",
        "path.fee_frac if state != State.CANCELLED else 0.0",
        "path.fee_frac",
        f"{MACHINE}::test_atomic_is_both_legs_or_nothing",
    ),
    Fault(
        "a mean move is a standard deviation",
        "settlement/cost.py",
        "math.sqrt(2.0 / math.pi)",
        "1.0",
    ),
    Fault(
        "the closed form's move grows with days and not their root",
        "settlement/cost.py",
        "sigma_day_frac * math.sqrt(days)",
        "sigma_day_frac * days",
    ),
    Fault(
        "what is unwound was late only by its last hours",
        "settlement/odds.py",
        "    if state != State.SETTLED:\n        return time.clock_hours\n",
        "",
    ),
    Fault(
        "an ending's odds are those of its last event",
        "settlement/odds.py",
        "(prob * option.prob, *way)",
        "(option.prob, *way)",
    ),
]

DRAWN = [
    Fault(
        "the draw depends on where the tape begins",
        "tape/settling.py",
        "counter=int(hour[0])",
        "counter=0",
    ),
    Fault(
        "all tokens are drawn alike",
        "tape/settling.py",
        'f"{seed}/{token}"',
        'f"{seed}"',
    ),
    Fault(
        "the seed is not heard",
        "tape/settling.py",
        'f"{seed}/{token}"',
        'f"{token}"',
    ),
    Fault(
        "hours share what the generator makes",
        "tape/settling.py",
        "generator.random_raw(_WORDS_AN_HOUR * count)[::_WORDS_AN_HOUR]",
        "generator.random_raw(count)",
    ),
    Fault(
        "a trade at the close is one of the next day",
        "tape/settling.py",
        'np.searchsorted(closes, time_ns, side="left")',
        'np.searchsorted(closes, time_ns, side="right")',
    ),
    Fault(
        "business days are those of the week",
        "tape/settling.py",
        "np.minimum(own + days, len(closes) - 1)] + later",
        "np.minimum(own, len(closes) - 1)] + days * 24 * HOUR_NS + later",
    ),
    Fault(
        "what is undone within its hour is gone at once",
        "tape/settling.py",
        "np.where(settled, 0, 1), -(",
        "0, -(",
    ),
    Fault(
        "rows are rounded down",
        "tape/settling.py",
        "-(-took_ns // HOUR_NS))",
        "took_ns // HOUR_NS)",
    ),
    Fault(
        "nothing is charged for the penalty",
        "tape/settling.py",
        "path.fee_frac * charged + path.penalty_frac_day * failed",
        "path.fee_frac * charged",
    ),
    Fault(
        "capital under way is free",
        "tape/settling.py",
        "    cost = cost + path.capital_apr * np.where(rows > 0, hours, 0.0) / HOURS_PER_YEAR\n",
        "",
    ),
    Fault(
        "a redemption that is unwound is paid",
        "tape/settling.py",
        "        waiting[waiting] = undone\n",
        "        waiting[waiting] = False\n",
    ),
    Fault(
        "what is undone is asked for again while the issuer takes nothing back",
        "tape/settling.py",
        'np.searchsorted(open_rows, ends[undone], side="left")',
        'np.searchsorted(open_rows, now[undone], side="left")',
    ),
    Fault(
        "what is undone is paid again at once",
        "tape/settling.py",
        "        ends[undone] = again + delay\n",
        "        ends[undone] = again\n",
    ),
    Fault(
        "settling a redemption again costs nothing",
        "tape/settling.py",
        "        cost[waiting] += path.cost_frac[now]\n",
        "        cost[waiting] = path.cost_frac[now]\n",
    ),
    Fault(
        "settling a redemption costs nothing",
        "book/redeem.py",
        "            cost = pending.redeem_cost_usd[k]\n",
        "            cost = 0.0\n",
        "tests/book/test_legs.py",
    ),
    Fault(
        "every redemption takes the path of all tokens",
        "tape/settling.py",
        "        if token in config.token_settlement:\n            asked",
        "        if token in names.tokens:\n            asked",
        "tests/tape/test_collateral.py",
    ),
]

FAULTS = [*TABLE, *TRADE, *DRAWN]
