"""The demo's README, with numbers measured on its rows."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import polars as pl

from perpkit.arrays import F64
from perpkit.sources.simulated.clock import Calendar, calendar, gap_row
from perpkit.sources.simulated.perp import step_limited
from perpkit.sources.simulated.scenario import Scenario
from perpkit.units import HOURS_PER_YEAR

# Terms of the profile `baseline`: the README says what the data pay under it.
INTEREST_8H: Final = 0.0001
CLAMP_8H: Final = 0.0005

README: Final = """\
# The demo dataset

Simulated. Four fictional stocks, one year of hours, no real price in it.

    python -m perpkit.sources.simulated --out data/demo

makes these files again, seed {seed}, frame for frame; `perpkit backtest funding_carry` runs on them
when no `--data` is given. Do not edit them: change `Scenario` in
`perpkit/sources/simulated/scenario.py`.

- `perps.parquet`: external price, mid, impact prices, open interest and volume of `sim:ORCA`,
  `sim:FALC`, `sim:LYNX`, `sim:HAWK`, every hour from {start} to {end} UTC.
- `tokens.parquet`: `ORCAx`, `FALCx`, `LYNXx` (a share each), `HAWKx` (a tenth of a share) and the
  T-bill token `TBILL`, whose NAV grows {treasury:.2%} a year, simple, every second.
- `prices = "external"`: perpkit forms oracle, mark and funding itself, by profile `baseline`.

## What it was made to look like

| what | the model | here |
|---|---|---|
| reopening error of the weekend mid | median 0.498%, P90 0.897% [1] | {error} |
| funding Monday to Friday | 8.1 to 10.0% APR [2] | {week:.1%} |
| funding Saturday, Sunday | 1.0%, 3.6% APR [2] | {saturday:.1%}, {sunday:.1%} |
| hours off the baseline rate | 42.8% [2] | {off:.1%} |
| premium, hour to hour correlation | 0.60 to 0.73 [3] | {phi} in its noise |
| weekend quotes of tokens | frozen, not halted, 1 bp to 8% wide [4] | 1 bp to {wide:.0%} wide |

[1] Public repository review of September 2026: 17 NVDA weekends. [2] Settled rates of 13 trade.xyz
perps, Hyperliquid's public info API, August 2026: two weekends only. [3] Nine of these perps, the
same settlements. [4] Robinhood token quotes of 15 August 2026, GitHub
`hykk0009/tokenized-stock-monitor`.
The shape of a day's volatility, crowding, spreads, open interest and volume are assumed.

By `baseline` (interest 0.01% and clamp 0.05% per 8 h, one-sided impact premium, oracle step 1% an
hour) the data pay and do this; weekday columns, like the table above, leave out the two weekends of
the next section:

| coin | APR | Mon-Fri | Sat | Sun | off baseline | weeks below zero | oracle lags |
|---|---|---|---|---|---|---|---|
{rows}

## Two Fridays that make the oracle crawl

News lands in the week's last open hour, 19:00 New York; the external price then rests for 48 hours.
`sim:FALC` jumps by exactly +15% on 2026-01-30: at 1% an hour its oracle arrives in the 15th row.
`sim:HAWK` falls by exactly 15% on 2026-04-24: its oracle arrives in the 17th.
With 1,200 updates an hour, as real venues make, the limit binds nowhere.

The book leans at most {lean:.1%} beyond the crawling oracle, and 48 hours of funding come to
{gaps}. That is a choice: without a limit, traders who
know the rule would lean 6.5% and pay 7 to 8%.
The oracle's other lags follow Monday reopenings and cash hours that move more than 1%. They are
few because the shares are calm: {vol_low:.0%} to {vol_high:.0%} a year, the gaps included.

## What it does not show

- **Whether carry pays.** Its funding was put there. A result on it says what the machinery does,
  nothing about a market.
- **Another oracle rule.** The book was drawn around the oracle of `baseline`. With 1,200 updates
  the oracle is at the new price at once while this book crawls: in the two gap weekends the
  premium, and so the funding (about 10% in two days), is then absurd.
- Dividends, splits, depegs, ADL, halts, an oracle that drifts off hours, marks within the hour.
- Holidays: the fictional stocks trade through them, while a run closes their phase and takes no
  quote of a 24/5 token for live.
- Volatility that clusters, days of panic, crowding that comes with the price. The weekend book's
  lean follows a formula, and as many weekends go up as down. The seed was chosen out of fourteen
  for a plain year.
"""


class Measured(NamedTuple):
    """What one perp pays and does under the profile baseline.

    Attributes
    ----------
    mean_apr : float
        Mean funding, simple.
    week_apr, saturday_apr, sunday_apr : float
        The same by UTC days, without the weekend of a gap.
    off_frac : float
        Share of hours off the baseline rate.
    lag_hours : int
        Hours in which the oracle has not arrived at the external price.
    negative_weeks, weeks : int
        Spans of 168 rows with funding below zero, and all of them.
    gap_frac : float
        Funding of the 48 hours from the gap's row on; 0 without a gap.
    reopen_error_frac : (S,) float64
        Absolute error of the last closed mid against the reopening external price.
    """

    mean_apr: float
    week_apr: float
    saturday_apr: float
    sunday_apr: float
    off_frac: float
    lag_hours: int
    negative_weeks: int
    weeks: int
    gap_frac: float
    reopen_error_frac: F64


def baseline_funding_1h(perp: pl.DataFrame) -> F64:
    """Form the funding that one perp's rows pay under the profile baseline. Shape (T,)."""
    oracle = step_limited(perp["external_px"].to_numpy())
    above = np.maximum(perp["impact_bid_px"].to_numpy() - oracle, 0.0)
    below = np.maximum(oracle - perp["impact_ask_px"].to_numpy(), 0.0)
    premium = (above - below) / oracle
    rate: F64 = (premium + np.clip(INTEREST_8H - premium, -CLAMP_8H, CLAMP_8H)) / 8.0
    return rate


def measure(scenario: Scenario, clock: Calendar, which: int, perp: pl.DataFrame) -> Measured:
    """Measure one perp's rows."""
    external, mid = perp["external_px"].to_numpy(), perp["mid_px"].to_numpy()
    rate = baseline_funding_1h(perp)
    weeks = rate[: rate.size // 168 * 168].reshape(-1, 168).sum(axis=1)
    day = perp["time"].dt.weekday().to_numpy()
    gap, in_gap = scenario.stocks[which].gap, np.zeros(rate.size, np.bool_)
    if gap is not None:
        row = gap_row(clock, gap)
        in_gap[row : row + 48] = True
    last = np.flatnonzero(~clock.is_open[:-1] & clock.is_open[1:])
    return Measured(
        mean_apr=float(rate.mean()) * HOURS_PER_YEAR,
        week_apr=float(rate[(day <= 5) & ~in_gap].mean()) * HOURS_PER_YEAR,
        saturday_apr=float(rate[(day == 6) & ~in_gap].mean()) * HOURS_PER_YEAR,
        sunday_apr=float(rate[(day == 7) & ~in_gap].mean()) * HOURS_PER_YEAR,
        off_frac=float((np.abs(rate - INTEREST_8H / 8.0) > 1e-12).mean()),
        lag_hours=int((step_limited(external) != external).sum()),
        negative_weeks=int((weeks < 0.0).sum()),
        weeks=weeks.size,
        gap_frac=float(rate[in_gap].sum()),
        reopen_error_frac=np.abs(external[last + 1] / mid[last] - 1.0),
    )


def readme(scenario: Scenario, perps: pl.DataFrame, tokens: pl.DataFrame) -> str:
    """Write the dataset's README, its numbers measured on the rows."""
    clock = calendar(scenario)
    parts = [perps.filter(pl.col("coin") == f"sim:{stock.ticker}") for stock in scenario.stocks]
    found = [measure(scenario, clock, i, part) for i, part in enumerate(parts)]
    coins = [f"`sim:{stock.ticker}`" for stock in scenario.stocks]
    error = np.concatenate([one.reopen_error_frac for one in found])
    median, p90 = (float(q) for q in np.quantile(error, (0.5, 0.9)))
    vols = [
        float(np.diff(np.log(part["external_px"].to_numpy())).std()) * HOURS_PER_YEAR**0.5
        for part in parts
    ]
    return README.format(
        seed=scenario.seed,
        start=f"{scenario.start:%Y-%m-%d %H:%M}",
        end=f"{scenario.end:%Y-%m-%d %H:%M}",
        treasury=scenario.treasury_apr,
        error=f"median {median:.3%}, P90 {p90:.3%}",
        week=_mean([one.week_apr for one in found]),
        saturday=_mean([one.saturday_apr for one in found]),
        sunday=_mean([one.sunday_apr for one in found]),
        off=_mean([one.off_frac for one in found]),
        phi=scenario.premium_phi,
        wide=float((tokens["ask_px"] / tokens["bid_px"]).to_numpy().max()) - 1.0,
        rows="\n".join(_row(c, one, clock) for c, one in zip(coins, found, strict=True)),
        lean=scenario.max_lean_frac,
        gaps=" and ".join(
            f"{one.gap_frac:+.1%} for {c}"
            for c, one in zip(coins, found, strict=True)
            if one.gap_frac
        ),
        vol_low=min(vols),
        vol_high=max(vols),
    )


def _mean(values: list[float]) -> float:
    return float(np.mean(values))


def _row(coin: str, one: Measured, clock: Calendar) -> str:
    return (
        f"| {coin} | {one.mean_apr:.1%} | {one.week_apr:.1%} | {one.saturday_apr:.1%} "
        f"| {one.sunday_apr:.1%} | {one.off_frac:.1%} | {one.negative_weeks} of {one.weeks} "
        f"| {one.lag_hours} of {clock.time_ns.size:,} h |"
    )
