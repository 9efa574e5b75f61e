"""The one table of metrics: name, unit, group and definition of every number of a run."""

from __future__ import annotations

from typing import Final, NamedTuple


class Metric(NamedTuple):
    """One number of the summary."""

    name: str
    unit: str
    group: str
    definition: str


# `# group`, then `name | unit | definition`; an indented line goes on with the definition above.
_TEXT: Final = """
# period
start | UTC | First row of the run.
end | UTC | Last row of the run.
period_hours | h | Calendar hours from the first row to the last.

# equity
start_equity_usd | USD | The capital, before the fills of the first row.
final_equity_usd | USD | Equity at the last row.
peak_equity_usd | USD | Highest equity at any row.
net_pnl_usd | USD | Final equity less start equity.

# return
total_return_frac | frac | Final over start equity, less 1.
excess_return_frac | frac | Total return less the simple risk-free rate of the period, risk_free_apr
    · hours / 8,760.
cagr_frac | frac/year | (final / start equity) ^ (8,760 / hours) - 1, calendar hours; -1 when
    nothing is left.
mean_return_apr | 1/year | Mean hourly return · 8,760: simple, not compounded.
volatility_frac | 1/√year | Standard deviation (n-1) of hourly returns · √8,760. Hourly returns
    that follow one another in sign make it too small or too large against days: the ratios below
    use days.

# daily
days | count | Daily returns used in this group: between consecutive rows at 00:00 UTC, whole days
    only, up to the first close at or below zero. A year has 365 days, for markets never close.
sharpe | ratio | Mean daily return in excess of risk_free_apr / 365, over its standard deviation
    (n-1), · √365.
sortino | ratio | Mean daily excess return over the root mean square of its negative part (all days
    counted), · √365.
omega | ratio | Sum of positive daily excess returns over the sum of negative ones.
skew | ratio | Third standardised moment of daily returns (population); from 3 days.
kurtosis | ratio | Fourth standardised moment of daily returns less 3 (population); from 4 days.
var_95_frac | frac | 5% quantile of daily returns, negative is a loss; from 20 days.
cvar_95_frac | frac | Mean of the daily returns at or below var_95_frac; from 20 days.
tail_ratio | ratio | |95% quantile| over |5% quantile| of daily returns; from 20 days.
stability_r2 | ratio | R² of a straight line through log equity at daily closes; from 3 closes.
best_day_frac | frac | Largest daily return.
worst_day_frac | frac | Smallest daily return.
positive_days_frac | frac | Share of daily returns above zero.
best_month_frac | frac | Largest return of a calendar month (UTC); the first and last may be
    partial.
worst_month_frac | frac | Smallest return of a calendar month.
positive_months_frac | frac | Share of calendar months with a return above zero.

# drawdown
max_drawdown_frac | frac | Lowest equity / highest equity so far - 1 at any row; ≤ 0.
mean_drawdown_frac | frac | Mean over drawdowns (spells below the peak) of each one's lowest value.
longest_drawdown_hours | h | Longest time from a peak to the row that regains it, or to the end.
mean_drawdown_hours | h | Mean of that time over all drawdowns.
ulcer_frac | frac | Root mean square of the drawdown over all rows.
calmar | ratio | cagr_frac / |max_drawdown_frac|.
return_over_drawdown | ratio | total_return_frac / |max_drawdown_frac|.
serenity | ratio | excess_return_frac / (ulcer_frac · pitfall), pitfall = |mean of the worst 5% of
    drawdowns at daily closes| / standard deviation of daily returns; from 20 days.

# benchmark
beta | ratio | Slope of daily excess returns on the benchmark's: the equal-weight mean of the daily
    oracle returns of the underlyings that have a perp. A hedged book has almost none; from 3 days.
alpha_apr | 1/year | (mean daily excess return - beta · the benchmark's) · 365.
treynor | 1/year | Mean daily excess return · 365 over beta.
tracking_error_frac | 1/√year | Standard deviation (n-1) of daily return less benchmark, · √365.
information_ratio | ratio | Mean daily return less benchmark over its standard deviation, · √365.

# trade
trades | count | Closed round trips. A trade is a round trip of the pair: per strategy and
    underlying with a perp, from the row at which its first perp or token is held to the row at
    which none is held. Its P&L is all that the attribution books on these instruments from entry on
    (prices, funding, dividends, fees, slippage, liquidation ...), until the next entry; what is
    booked on an account as a whole belongs to no trade. A change of side without a flat row is the
    same trade.
open_trades | count | Round trips still open at the end; in no other number of this group.
win_rate_frac | frac | Share of trades with a P&L above zero.
profit_factor | ratio | Sum of winning P&L over the sum of losing P&L.
expectancy_usd | USD | Mean P&L of a trade.
mean_win_usd | USD | Mean P&L of winning trades.
mean_loss_usd | USD | Mean P&L of losing trades; negative.
payoff_ratio | ratio | mean_win_usd / |mean_loss_usd|.
best_trade_usd | USD | Largest P&L of a trade.
worst_trade_usd | USD | Smallest P&L of a trade.
mean_holding_hours | h | Mean time from the entry row to the exit row.
longest_holding_hours | h | Longest such time.
win_streak | count | Most winning trades in a row, by exit time.
loss_streak | count | Most losing trades in a row, by exit time.
sqn | ratio | √trades · mean / standard deviation (n-1) of trade P&L.
kelly_frac | frac | win rate - (1 - win rate) / payoff_ratio.

# activity
fills | count | Rows of the fills, but those by the way `cross`: between members of a portfolio.
volume_usd | USD | Sum of size · price of all trades, perps and tokens, both sides: of fills but
    those for `action` (units of a split, a market settled for one), `settlement` (a trade undone)
    and `shock` (what an incident takes), and by the way `cross`, which never reach a market.
turnover | 1/year | Volume over time-weighted mean equity, · 8,760 / hours.
return_on_volume_frac | frac | net_pnl_usd / volume_usd.
exposure_frac | frac | Share of time with a position in a perp or in a token whose underlying has
    one.
max_gross_over_equity | ratio | Largest gross_usd / equity_usd at any row; inf where equity is not
    above zero.

# attribution
perp_price_usd | USD | Sum of the cause: position before · change of mark.
token_price_usd | USD | Sum of the cause: moves of tokens' fair prices; of treasury and stable
    tokens, their price against NAV; moves of settle currencies.
funding_usd | USD | Funding P&L, sum of the cause: -position · oracle price · rate at each
    settlement.
yield_usd | USD | Sum of the cause: growth of NAV and yield of treasury and stable tokens.
dividend_usd | USD | Sum of the cause: dividends net of withholding, less those that shorts owe.
fees_usd | USD | Sum of the cause; costs are negative.
slippage_usd | USD | Sum of the cause: price of fills against mark or fair price, minting and
    redemption at NAV too.
interest_usd | USD | Sum of the cause: interest on cash that a margin account owes.
transfer_usd | USD | Sum of the cause: cost of moving cash between accounts.
settlement_usd | USD | Sum of the cause: what failed venues kept, what issuers moved away, what
    undone trades missed, costs of settling.
liquidation_usd | USD | Sum of the cause: forced fills against mark, pledged tokens sold by the
    venue, margin lost.
bad_debt_usd | USD | Sum of the cause: shortfall borne by the venue, positive.
identity_error_frac | frac | Largest |Δequity - sum of the hour's causes| / equity before; 0 is
    exact.
attribution_error_frac | frac | Largest |sum of the attribution - sum of the hour's causes| / equity
    before.

# carry
net_apr | 1/year | net_pnl_usd / capital · 8,760 / hours, on all committed capital (tokens, margin,
    idle cash); simple.
excess_apr | 1/year | net_apr - risk_free_apr.
basis_usd | USD | Basis P&L: perp_price_usd + token_price_usd.
basis_closed_usd | USD | Basis P&L of closed trades: entry basis against exit basis.
basis_open_usd | USD | Basis P&L of trades still open: drift not yet captured.
collateral_price_usd | USD | Price P&L of tokens whose underlying has no perp; the rest of
    basis_usd.
collateral_yield_usd | USD | Yield of tokens whose underlying has no perp.
collateral_yield_apr | 1/year | collateral_yield_usd over the time-weighted value of these tokens.
hedge_slippage_usd | USD | Slippage of perps and of tokens whose underlying has one, against mark or
    fair price at the fill. Legs filled in different rows show in residual_delta_usd; drift between
    decision and fill is no cost of the book and is not counted.
hedge_slippage_frac | frac | hedge_slippage_usd over the volume of these instruments.
residual_delta_usd | USD | Sum over underlyings with a perp and rows of D[t-1] · (P[t] / P[t-1] -
    1). D: position · price of all its perps and tokens at the row before; P: oracle price of its
    first perp at settlements, on a straight line between them; rows without P are left out.
    A diagnostic inside basis_usd, not a term beside it.
dividend_net_usd | USD | Dividends plus the funding that perps on the same underlying settle in the
    dividend's row.
cost_drag_frac | frac | -(fees + slippage + interest + transfer + settlement) over gross funding,
    the sum of funding payments received (> 0).
break_even_days | day | Round-trip cost / mean funding per hour / 24, both per USD of perp notional.
    Cost: 2 · (fees and slippage per USD traded in perps + the same and the cost of settling in
    tokens whose underlying has a perp), of trades that were not undone. What is booked under
    settlement by a price is no friction: what undone trades missed, what incidents take.

# funding
funding_yield_apr | 1/year | funding_usd over the time-weighted perp notional, Σ |position · price|
    · hours, · 8,760.
funding_capture_frac | frac | funding_usd over what a short of each coin held at any time would have
    received at every settlement after the first row, at the coin's mean notional while held; above
    1: bad hours were left out. None where that is not above zero.
funding_capture_held_frac | frac | The same, limited to the settlements at which a position was
    held.
time_in_market_frac | frac | Share of time with a perp position.
settlements_held | count | Settlements (coin and time) at which a position was held.
settlements_held_frac | frac | Their share of all settlements of the traded coins after the first
    row.
funding_hit_frac | frac | Share of held settlements that paid the account.
negative_funding_streak | count | Most held settlements of one coin in a row that cost the account.

# margin
min_liquidation_distance_frac | frac | Smallest move of the price against a perp position that
    reaches its liquidation price, over the price, at any row.
min_liquidation_distance_at | UTC | The first row at which it was so near.
min_liquidation_distance_coin | coin | The coin that was.
weekend_liquidation_distance_frac | frac | The same at rows where the closed phase of its underlying
    begins.
worst_margin_ratio | ratio | Largest maintenance / margin value of any account at any row, and at
    least 1 where an account was closed by force; 1 is liquidation, inf where the margin value is
    not above zero.
margin_strained_hours | h | Hours whose first row has a margin_ratio above 0.5.
margin_capital_frac | frac | Capital at work in margin: margin value of all margin accounts over
    equity, each weighted by time.
pledged_yield_usd | USD | Yield earned on collateral: yield of tokens by the share of their units
    that was pledged in the row before. None where nothing was pledged.
liquidations | count | Events `liquidation` and `backstop`.
partial_liquidations | count | Events `partial`.
adls | count | Events `adl`.
naked_after_close_hours | h | Hours in which |net_delta_usd| is above 5% of the capital, from a
    forced close (`partial`, `liquidation`, `backstop`, `adl`, `venue_failed`) until it is not.
margin_calls | count | Times a margin account asked for cash: `transfer_sent` and
    `transfer_refused`, but for those to the wallet.
topups | count | Transfers of cash sent to a margin account: `transfer_sent`.
redemptions_refused | count | Events `redeem_refused`.

# weekend
closed_held_hours | h | Hours with a position whose underlying was closed (no external price) at the
    hour's first row; its P&L below is of the same hours, so the reopening price counts.
closed_pnl_usd | USD | All that is attributed, in these hours, to instruments of a closed
    underlying.
closed_funding_usd | USD | Funding in closed_pnl_usd.
closed_worst_margin_ratio | ratio | Largest margin_ratio at rows with a position in a closed
    underlying.
closed_worst_gap_frac | frac | Largest oracle move (by size, signed) of a held underlying from the
    last row before a closed spell to the first row after it.
"""


def _read(text: str) -> tuple[Metric, ...]:
    rows: list[Metric] = []
    group = ""
    for line in text.splitlines():
        if line.startswith("# "):
            group = line[2:]
        elif line.startswith("    "):
            rows[-1] = rows[-1]._replace(definition=f"{rows[-1].definition} {line.strip()}")
        elif line:
            name, unit, definition = line.split(" | ", 2)
            rows.append(Metric(name, unit, group, definition))
    return tuple(rows)


METRICS: Final[tuple[Metric, ...]] = _read(_TEXT)

_PREFACE = """# Metrics

Every number of `summary.json`, in its order. Written by `perpkit.metrics.document()` from the one
table in `perpkit/metrics/table.py`; a test holds this page to it.

What is undefined is `null` (a Sharpe ratio without variance, a profit factor without a loss), never
a misleading 0. `frac` is a fraction: 0.05 is 5%. Money is seen from the account: costs and losses
are negative, and so are returns, drawdowns and tails. Rates are simple unless stated; a year is
8,760 hours.
"""


def document() -> str:
    """Write the page docs/metrics.md."""
    lines = [_PREFACE.rstrip()]
    group = ""
    for metric in METRICS:
        if metric.group != group:
            group = metric.group
            lines += [
                f"\n## {group.capitalize()}\n",
                "| metric | unit | definition |",
                "|---|---|---|",
            ]
        definition = metric.definition.replace("|", "\\|")
        lines.append(f"| `{metric.name}` | {metric.unit} | {definition} |")
    return "\n".join(lines) + "\n"
