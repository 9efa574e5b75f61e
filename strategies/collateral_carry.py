"""Carry on T-bill margin: token long, perp short, sized so that the margin survives a rise.

A share of the margin is a Treasury token, which the run pledges ([collateral.TOKEN] in the run
file); it earns while it stands as margin. What the strategy chooses is the leverage on it: the
perps of an account may rise by `survive_rise_frac`, all at once, and the account still meets its
maintenance. Where prices have eaten that down to `trim_rise_frac` both legs are cut.
"""

from perpkit.strategy import field, hysteresis, lots, rule, trailing_apr


class Params:
    lookback_hours: int = field(168, ge=1, le=2_000, unit="h", help="hours of funding averaged")
    enter_apr: float = field(0.075, ge=-10, le=10, help="average funding that opens a pair")
    exit_apr: float = field(0.0, ge=-10, le=10, help="average funding below which it is closed")
    survive_rise_frac: float = field(
        0.25, ge=0.01, le=5, help="rise of all perps that an account survives after an entry"
    )
    trim_rise_frac: float = field(
        0.10, ge=0, le=5, help="rise that is survived at least; below it both legs are cut"
    )
    maintenance_frac: float = field(
        0.05, ge=0.001, le=0.5, help="maintenance, fraction of notional: 0.5 / leverage"
    )
    haircut_frac: float = field(
        0.05, ge=0, le=0.99, help="largest share of an account's equity that is no margin"
    )
    reserve_frac: float = field(
        0.02, ge=0, le=1, help="share of the wallet that buys nothing: spreads and transfers"
    )


class Memory:
    on: bool  # a pair is wanted


@rule
def carried_usd(equity, rise, p):
    """Short notional with which an account of that equity is at its maintenance after a rise."""
    return equity * (1.0 - p.haircut_frac) / (rise + p.maintenance_frac * (1.0 + rise))


@rule
def notional_usd(book, a):
    """Sum of the perps of an account at their marks."""
    gross = 0.0
    for m in range(len(book.perps)):
        if book.perps[m].account == a and book.perps[m].position != 0.0:
            gross += abs(book.perps[m].position) * book.perps[m].mark_px
    return gross


@rule
def pair_usd(book, a, p):
    """Size of one pair: equal shares of what the margin carries and of what the wallet pays."""
    own, pairs, wallet = 0, 0, book.accounts[0].cash_usd
    for m in range(len(book.perps)):
        k = book.perps[m].token
        if k >= 0 and book.perps[m].mark_px > 0.0:  # those that are listed yet
            pairs += 1
            own += int(book.perps[m].account == a)
            wallet += book.tokens[k].units * book.tokens[k].fair_px
    margin = carried_usd(book.accounts[a].equity_usd, p.survive_rise_frac, p)
    return max(min(margin / own, wallet * (1.0 - p.reserve_frac) / pairs), 0.0)


def requires(supply):
    if "treasury" not in supply.kinds:
        return (
            "a Treasury token as margin, and the run has none; pledge one: "
            "--set collateral.USTB.share=0.9 --set collateral.USTB.apr=0.0375 "
            '--set "terms.collateral=USDC, USTB"'
        )
    if not any(k >= 0 and supply.kinds[k] == "equity" for k in supply.token_of):
        return "a perp that is paired with a tokenized stock, and no coin of the run is; add tokens"
    return ""


def decide(t, past, book, p, mine, target):
    if t < p.lookback_hours:
        return
    for m in range(len(book.perps)):
        perp = book.perps[m]
        k = perp.token
        if k < 0 or not perp.mark_px > 0.0:
            continue
        a = perp.account
        apr = trailing_apr(past, m, p.lookback_hours)
        wanted = hysteresis(mine[m].on, apr, p.enter_apr, p.exit_apr)
        share = book.tokens[k].multiplier
        held = (book.tokens[k].units - book.tokens[k].pending) * share
        # Liquidated, cut to nothing, or never filled; what is under way is waited for.
        lost = perp.position == 0.0 and (held > 0.0 or book.tokens[k].units == 0.0)
        if not past.live[-1, k] or (perp.barred and not mine[m].on):
            continue  # both legs or none
        if mine[m].on and (lost or not wanted):
            mine[m].on = False
            target.perps[m] = 0.0
            target.tokens[k] = 0.0
        elif wanted and not mine[m].on:
            units = lots(pair_usd(book, a, p) / perp.mark_px, perp.lots_per_unit)
            mine[m].on = True
            target.perps[m] = -units
            target.tokens[k] = units / share
        elif mine[m].on and perp.position != 0.0:
            gross, equity = notional_usd(book, a), book.accounts[a].equity_usd
            keep = 1.0
            if gross > carried_usd(equity, p.trim_rise_frac, p):
                keep = max(carried_usd(equity, p.survive_rise_frac, p), 0.0) / gross
            units = lots(held * keep, perp.lots_per_unit)
            if keep < 1.0 or abs(held + perp.position) > 0.02 * held:
                target.perps[m] = -units
                target.tokens[k] = units / share
