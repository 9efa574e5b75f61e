"""The demo dataset: one simulated year of four stocks, their perps and tokens, and a T-bill token.

``python -m perpkit.sources.simulated --out data/demo`` writes ``dataset.toml``, ``perps.parquet``,
``tokens.parquet`` and ``README.md``; the same scenario gives the same frames on every run.

How a price is made: `external_px` draws the share, open from Sunday to Friday 20:00 ET and frozen
between; `step_limited` draws the oracle that a venue with a 1% step an hour forms of it; `book_px`
lays the perp's book around that oracle. The book leans as far beyond a lagging or frozen oracle as
pays after the funding that the lean itself costs.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from perpkit.sessions import us_equity_hours
from perpkit.units import HOUR_NS, HOURS_PER_YEAR, to_ns

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

BP: Final = 1e-4
NEW_YORK: Final = "America/New_York"

# The profile `baseline` of DESIGN section 6: needed here because the book must know its own oracle,
# and because the README states what the data pays under it.
STEP_FRAC: Final = 0.01
INTEREST_8H: Final = 0.0001
CLAMP_8H: Final = 0.0005

# Share of a day's variance by the New York hour at which a row ends, 1 to 24: assumed, cash session
# three quarters of it with the usual smile, overnight 6%.
DAY_SHARE: Final = np.array(
    [0.0075] * 4
    + [0.015, 0.015, 0.015, 0.02, 0.04]
    + [0.20, 0.12, 0.08, 0.07, 0.07, 0.09, 0.12]
    + [0.05, 0.02, 0.0075, 0.0075]
    + [0.0075] * 4
)

# Reopening error of a weekend mid: 17 NVDA weekends have median 0.498%, P90 0.897%
# (facts/venues_rwa.md section 8 item 6). Their ratio, 1.80, is nearly a Rayleigh law's
# (1.82); this is its scale.
REOPEN_ERROR_FRAC: Final = 0.00423


@dataclass(frozen=True)
class Gap:
    """News on the last row before a weekend.

    Attributes
    ----------
    day : datetime
        The Friday; the move is in the week's last open row, 19:00 New York.
    move_frac : float
        External price after over before, less one.
    """

    day: datetime
    move_frac: float


@dataclass(frozen=True)
class Stock:
    """One fictional stock, its perp and its token.

    Attributes
    ----------
    ticker : str
        Underlying; the perp is ``sim:TICKER``, the token ``TICKERx``.
    start_px : float
        Price at the start, USD a share, up to the exact scaling of a gap.
    day_vol_frac : float
        Standard deviation of a day's return.
    max_leverage : int
    premium_bp : float
        Mean of the perp's premium on weekdays.
    noise_bp : float
        Standard deviation of its hourly part.
    spike_up_share : float
        Share of crowding spikes in which longs crowd.
    impact_bp : float
        Half the impact spread in the cash session.
    open_interest : float
        Typical, units.
    day_volume_usd : float
        Typical of a weekday.
    multiplier : float
        Shares a token.
    token_spread_bp : float
        Typical width of the token's live quote.
    weekend_spread_bp : float
        Typical width at which it freezes on Friday.
    cheap : tuple[datetime, datetime, float] | None
        A spell and what it adds to the premium, bp.
    gap : Gap | None
    """

    ticker: str
    start_px: float
    day_vol_frac: float
    max_leverage: int
    premium_bp: float
    noise_bp: float
    spike_up_share: float
    impact_bp: float
    open_interest: float
    day_volume_usd: float
    multiplier: float
    token_spread_bp: float
    weekend_spread_bp: float
    cheap: tuple[datetime, datetime, float] | None = None
    gap: Gap | None = None


def _day(year: int, month: int, day: int) -> datetime:
    return datetime(year, month, day, tzinfo=UTC)


# Weekend widths after the Robinhood quotes of 2026-08-15 (../shared/data): 1 bp to several percent.
STOCKS: Final = (
    Stock(
        *("ORCA", 212.0, 0.012, 20, 1.2, 8.5, 0.6, 1.3, 420_000.0, 6.0e7, 1.0, 2.5, 1.0),
    ),
    Stock(
        *("FALC", 148.0, 0.014, 10, 2.1, 9.5, 0.75, 1.9, 260_000.0, 2.5e7, 1.0, 4.5, 65.0),
        gap=Gap(_day(2026, 1, 30), 0.15),
    ),
    Stock(
        *("LYNX", 96.0, 0.013, 10, 2.4, 9.5, 0.5, 2.1, 310_000.0, 1.2e7, 1.0, 6.0, 180.0),
        cheap=(_day(2026, 4, 1), _day(2026, 7, 1), -9.0),
    ),
    Stock(
        *("HAWK", 436.0, 0.0135, 20, 1.1, 9.0, 0.5, 1.6, 120_000.0, 3.5e7, 0.1, 5.0, 600.0),
        gap=Gap(_day(2026, 4, 24), -0.15),
    ),
)


@dataclass(frozen=True)
class Scenario:
    """What the demo is made of. Rates are fractions, premiums basis points, spans hours.

    Attributes
    ----------
    name, seed
        The dataset's name; the one seed of every draw, chosen out of fourteen for a plain year.
    start, end
        First and last row, UTC hours, both included.
    stocks
        The stocks, in the order of their random streams.
    market_share
        Correlation of two stocks' open-hours returns.
    drift_apr
        Mean growth of a share while open, simple.
    found_low, found_high
        Range of what the weekend book finds by its last hour, as a multiple of what it misses (the
        reopening error). Assumed: the weekend price has mostly the right sign.
    found_late_share
        Share of it found when equity futures have reopened. Assumed.
    max_lean_frac
        How far the book leans beyond a crawling oracle. A choice, so that a gap's funding stays a
        few percent; a book without a limit would lean 6.5% and pay 7 to 8%.
    premium_phi
        Hour to hour correlation of the premium's noise: 0.60 to 0.73 in xyz-2026-08.
    regime_bp, regime_hours
        Slow drift of the premium: standard deviation and memory. Assumed.
    spike_every_hours, spike_bp, spike_half_life_hours
        Crowding: mean wait, mean height above a floor of 10 bp, decay. Assumed, heights as in the
        earnings weeks of facts/venues_rwa.md section 8 item 1 (30 to 50% APR).
    weekend_premium_bp
        What a weekend adds to the premium: brings its funding below the weekday's, as on the
        weekends of August 2026 (Saturday 1.0%, Sunday 3.6% APR).
    treasury_apr
        Simple growth of the T-bill token's NAV.
    treasury_half_spread_frac
        Its bid and ask from NAV.
    """

    name: str = "demo"
    seed: int = 8
    start: datetime = datetime(2025, 9, 1, 0, tzinfo=UTC)
    end: datetime = datetime(2026, 8, 31, 23, tzinfo=UTC)
    stocks: tuple[Stock, ...] = field(default=STOCKS)
    market_share: float = 0.4
    drift_apr: float = 0.08
    found_low: float = -0.3
    found_high: float = 0.9
    found_late_share: float = 0.6
    max_lean_frac: float = 0.015
    premium_phi: float = 0.68
    regime_bp: float = 1.8
    regime_hours: float = 240.0
    spike_every_hours: float = 480.0
    spike_bp: float = 12.0
    spike_half_life_hours: float = 14.0
    weekend_premium_bp: float = -2.2
    treasury_apr: float = 0.0375
    treasury_half_spread_frac: float = 1 * BP


class Calendar(NamedTuple):
    """The clock of a scenario, one entry a row.

    Attributes
    ----------
    time_ns : (T,) int64
    is_open : (T,) bool
        Sunday to Friday 20:00 New York.
    et_hour : (T,) int64
        New York hour of the row, 0 to 23.
    hours_to_reopen : (T,) float64
        0 when open.
    spell : (T,) int64
        Which closed spell the row lies in, from 0; -1 when open.
    """

    time_ns: Ints
    is_open: Bools
    et_hour: Ints
    hours_to_reopen: Floats
    spell: Ints


def calendar(scenario: Scenario) -> Calendar:
    """List the hours of a scenario and where the US week stands in each."""
    start_ns, end_ns = to_ns(scenario.start), to_ns(scenario.end)
    time_ns = start_ns + HOUR_NS * np.arange((end_ns - start_ns) // HOUR_NS + 1, dtype=np.int64)
    hours_to_reopen = us_equity_hours(time_ns).hours_to_reopen
    is_open = hours_to_reopen == 0.0
    local = pl.Series(time_ns // 1_000_000).cast(pl.Datetime("ms", "UTC"))
    et_hour = local.dt.convert_time_zone(NEW_YORK).dt.hour().cast(pl.Int64).to_numpy()
    begins = ~is_open & np.concatenate(([True], is_open[:-1]))
    spell = np.where(is_open, -1, np.cumsum(begins) - 1)
    return Calendar(time_ns, is_open, et_hour, hours_to_reopen, spell)


def draws(scenario: Scenario, *stream: int) -> np.random.Generator:
    """Give each purpose a stream of its own, so that a change in one moves no other."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([scenario.seed, *stream])))


def autoregressive(noise: Floats, phi: float) -> Floats:
    """Unit-variance AR(1) of unit noise. Shape kept, (T,).

    >>> autoregressive(np.array([1.0, 0.0]), 0.5)
    array([1. , 0.5])
    """
    out = np.empty_like(noise)
    last = float(noise[0])
    fresh = (1.0 - phi * phi) ** 0.5
    out[0] = last
    for t in range(1, noise.size):
        last = phi * last + fresh * float(noise[t])
        out[t] = last
    return out


def _rounded(values: Floats, digits: int) -> Floats:
    # Stored values are rounded: what a machine's exp and log do in the last bit must not show.
    out: Floats = np.round(values, digits)
    return out


def step_limited(external_px: Floats, step_frac: float = STEP_FRAC) -> Floats:
    """Follow a price by at most one step a row, from the last value given out.

    Parameters
    ----------
    external_px : (T,) USD
    step_frac : float

    Returns
    -------
    (T,) USD

    >>> step_limited(np.array([100.0, 101.5, 101.5]))
    array([100. , 101. , 101.5])
    """
    out = np.empty_like(external_px)
    last = float(external_px[0])
    for t, px in enumerate(external_px.tolist()):
        last = min(max(px, last * (1.0 - step_frac)), last * (1.0 + step_frac))
        out[t] = last
    return out


def closed_moves(scenario: Scenario, clock: Calendar, which: int) -> tuple[Floats, Floats]:
    """Draw what each closed spell brings: the part the book finds, and the part it misses.

    As many spells go up as down, alike for all stocks but for a quarter that goes the other way,
    so that a year's mean is the scenario's and not the seed's.

    Returns
    -------
    found, missed : (S,) log moves
        They add up to the move of the external price at the reopening row.
    """
    spans = np.bincount(clock.spell[clock.spell >= 0])
    rng, shared = draws(scenario, which, 1), draws(scenario, 99, 1)
    sign = np.where(shared.permutation(spans.size) % 2 == 0, 1.0, -1.0)
    for side in (1.0, -1.0):
        rows = rng.permutation(np.flatnonzero(sign == side))
        sign[rows[: spans.size // 8]] *= -1.0
    missed = sign * rng.rayleigh(REOPEN_ERROR_FRAC, spans.size) * np.sqrt(spans / 48.0)
    return missed * rng.uniform(scenario.found_low, scenario.found_high, spans.size), missed


def gap_row(clock: Calendar, gap: Gap) -> int:
    """Find the last open row before the weekend of a gap's Friday."""
    day_end = to_ns(gap.day) + 24 * HOUR_NS
    after = int(np.searchsorted(clock.time_ns, day_end))
    return after + int(np.argmin(clock.is_open[after:])) - 1


def external_px(scenario: Scenario, clock: Calendar, which: int) -> Floats:
    """Draw the share's price outside the chain, in cents: frozen while closed.

    Returns
    -------
    (T,) USD
    """
    stock = scenario.stocks[which]
    size = clock.time_ns.size
    market = draws(scenario, 99, 0).standard_normal(size)
    own = draws(scenario, which, 0).standard_normal(size)
    share = scenario.market_share
    unit = share**0.5 * market + (1.0 - share) ** 0.5 * own
    hour_vol = stock.day_vol_frac * np.sqrt(DAY_SHARE[clock.et_hour - 1])
    drift = scenario.drift_apr / (HOURS_PER_YEAR * 5 / 7)
    log_move = np.where(clock.is_open, hour_vol * unit + drift, 0.0)

    found, missed = closed_moves(scenario, clock, which)
    reopens = np.flatnonzero(clock.is_open[1:] & ~clock.is_open[:-1]) + 1
    spells = clock.spell[reopens - 1]
    log_move[reopens] = found[spells] + missed[spells]
    path: Floats = stock.start_px * np.exp(np.cumsum(log_move))
    if stock.gap is not None:
        # 15% up or down of a multiple of 20 cents is a whole number of cents: the gap is exact.
        row = gap_row(clock, stock.gap)
        path[row:] *= path[row - 1] / path[row] * (1.0 + stock.gap.move_frac)
        path *= np.round(path[row - 1] / 0.2) * 0.2 / path[row - 1]
    return _rounded(path, 2)


def latent_frac(scenario: Scenario, clock: Calendar, which: int) -> Floats:
    """Draw what the book knows, in each closed hour, of the coming reopening.

    A random walk to what the spell finds, most of it in the last two hours: equity futures reopen
    on Sunday 18:00 New York (facts/hyperliquid.md 3.1).

    Returns
    -------
    (T,) fraction of the price, 0 while open
    """
    found, _ = closed_moves(scenario, clock, which)
    rng = draws(scenario, which, 2)
    out = np.zeros(clock.time_ns.size)
    for spell, end in enumerate(found.tolist()):
        rows = np.flatnonzero(clock.spell == spell)
        walk = np.cumsum(rng.standard_normal(rows.size)) * REOPEN_ERROR_FRAC / 7.0
        grows = np.arange(1, rows.size + 1) / rows.size
        late = clock.hours_to_reopen[rows] <= 2.0
        share = scenario.found_late_share
        out[rows] = walk - grows * walk[-1] + end * ((1.0 - share) * grows + share * late)
    return out


def spikes_bp(scenario: Scenario, clock: Calendar, which: int) -> Floats:
    """Draw crowding: heights that arrive at random, of either sign, and decay.

    Returns
    -------
    (T,) bp
    """
    rng = draws(scenario, which, 3)
    size = clock.time_ns.size
    arrives = rng.random(size) < 1.0 / scenario.spike_every_hours
    height = 10.0 + rng.exponential(scenario.spike_bp, size)
    sign = np.where(rng.random(size) < scenario.stocks[which].spike_up_share, 1.0, -1.0)
    keep = 0.5 ** (1.0 / scenario.spike_half_life_hours)
    level, out = 0.0, np.empty(size)
    for t, pulse in enumerate((arrives * height * sign).tolist()):
        level = keep * level + pulse
        out[t] = level
    return out


def premium_frac(scenario: Scenario, clock: Calendar, which: int) -> Floats:
    """Draw the perp's premium over what its book takes for the fair price.

    A level, a slow regime, hourly noise and crowding spikes; the random parts have mean zero over
    the year, so that the year's mean is the scenario's and not the seed's.

    Returns
    -------
    (T,) fraction
    """
    stock = scenario.stocks[which]
    size = clock.time_ns.size
    rng = draws(scenario, which, 4)
    slow = autoregressive(rng.standard_normal(size), 1.0 - 1.0 / scenario.regime_hours)
    fast = autoregressive(rng.standard_normal(size), scenario.premium_phi)
    moving = scenario.regime_bp * slow + stock.noise_bp * fast + spikes_bp(scenario, clock, which)
    level = np.where(
        clock.is_open, stock.premium_bp, stock.premium_bp + scenario.weekend_premium_bp
    )
    if stock.cheap is not None:
        start, end, add = stock.cheap
        level += add * ((clock.time_ns >= to_ns(start)) & (clock.time_ns < to_ns(end)))
    premium: Floats = (level + moving - moving.mean()) * BP
    return premium


def impact_half_frac(scenario: Scenario, clock: Calendar, which: int) -> Floats:
    """Draw half the impact spread: 1 to 4 bp in the week, 3 to 10 bp on weekends.

    Returns
    -------
    (T,) fraction
    """
    noise = draws(scenario, which, 5).standard_normal(clock.time_ns.size)
    base = scenario.stocks[which].impact_bp * np.exp(0.25 * noise)
    cash = (clock.et_hour >= 10) & (clock.et_hour <= 16)
    week = np.clip(base * np.where(cash, 1.0, 1.25), 1.0, 4.0)
    return np.where(clock.is_open, week, np.clip(base * 2.5, 3.0, 10.0)) * BP


def book_px(
    scenario: Scenario, clock: Calendar, which: int, external: Floats
) -> tuple[Floats, Floats, Floats]:
    """Lay the perp's mid, impact bid and impact ask around its oracle.

    Funding takes an eighth of the premium each hour, so who pays a premium of 8/9 now and its
    funding has paid 1 an hour later: h hours before the oracle can move, the book leans (8/9)^h of
    what it knows. Beyond an oracle that is crawling it leans at most `max_lean_frac`.

    Parameters
    ----------
    external : (T,) USD

    Returns
    -------
    mid_px, impact_bid_px, impact_ask_px : (T,) USD, in tenths of a cent
    """
    oracle = step_limited(external)
    lag = np.clip(external / oracle - 1.0, -scenario.max_lean_frac, scenario.max_lean_frac)
    news = latent_frac(scenario, clock, which) * (8.0 / 9.0) ** clock.hours_to_reopen
    mid = oracle * (1.0 + lag + news) * (1.0 + premium_frac(scenario, clock, which))
    half = impact_half_frac(scenario, clock, which)
    mid = np.round(mid, 3)
    return mid, np.round(mid * (1.0 - half), 3), np.round(mid * (1.0 + half), 3)


def day_volume_usd(scenario: Scenario, clock: Calendar, which: int) -> Floats:
    """Draw the USD traded in the 24 hours that end at each row. Shape (T,)."""
    rng = draws(scenario, which, 6)
    busy = np.where(clock.is_open, DAY_SHARE[clock.et_hour - 1] + 0.01, 0.006) / 1.24
    drift = autoregressive(rng.standard_normal(clock.time_ns.size), 0.97)
    hour = scenario.stocks[which].day_volume_usd * busy * np.exp(0.35 * drift)
    # The day before the first row is taken to be like the first Tuesday's.
    total = np.convolve(np.concatenate((hour[25:48], hour)), np.ones(24), mode="valid")
    return np.round(total, -2)


def perp_frame(scenario: Scenario, clock: Calendar, which: int) -> pl.DataFrame:
    """Make the rows of one perp."""
    stock = scenario.stocks[which]
    external = external_px(scenario, clock, which)
    mid, bid, ask = book_px(scenario, clock, which, external)
    crowd = autoregressive(
        draws(scenario, which, 7).standard_normal(clock.time_ns.size), 1.0 - 1.0 / 300.0
    )
    return pl.DataFrame(
        {
            "time": _datetimes(clock),
            "coin": pl.repeat(f"sim:{stock.ticker}", clock.time_ns.size, eager=True),
            "external_px": external,
            "mid_px": mid,
            "impact_bid_px": bid,
            "impact_ask_px": ask,
            "open_interest": np.round(stock.open_interest * np.exp(0.2 * crowd), 0),
            "day_ntl_vlm": day_volume_usd(scenario, clock, which),
        }
    )


def quote_px(
    scenario: Scenario, clock: Calendar, which: int, external: Floats
) -> tuple[Floats, Floats]:
    """Quote a token: live in the week, from Friday 20:00 New York to Sunday what stood then.

    Parameters
    ----------
    external : (T,) USD a share

    Returns
    -------
    bid_px, ask_px : (T,) USD a token
    """
    stock = scenario.stocks[which]
    size = clock.time_ns.size
    rng = draws(scenario, which, 8)
    fair = external * stock.multiplier
    fair = fair * (1.0 + 3.0 * BP * autoregressive(rng.standard_normal(size), 0.9))
    cash = (clock.et_hour >= 10) & (clock.et_hour <= 16)
    width = stock.token_spread_bp * np.exp(0.3 * rng.standard_normal(size))
    width = np.clip(width * np.where(cash, 0.8, 1.2), 2.0, 10.0)
    wide = stock.weekend_spread_bp * np.exp(0.3 * rng.standard_normal(size))
    width = np.where(clock.is_open, width, np.clip(wide, 1.0, 900.0)) * BP
    below = np.where(clock.is_open, 0.5, rng.uniform(0.3, 0.7, size)) * width
    digits = 2 if stock.multiplier == 1.0 else 3
    bid = _rounded(fair * (1.0 - below), digits)
    ask = _rounded(np.maximum(fair * (1.0 - below + width), bid + 0.1**digits), digits)
    rows = np.arange(size)
    frozen = ~clock.is_open & np.concatenate(([False], ~clock.is_open[:-1]))
    seen = np.maximum.accumulate(np.where(frozen, 0, rows))
    return bid[seen], ask[seen]


def token_frame(scenario: Scenario, clock: Calendar, which: int, external: Floats) -> pl.DataFrame:
    """Make the rows of one stock token."""
    stock = scenario.stocks[which]
    bid, ask = quote_px(scenario, clock, which, external)
    depth = autoregressive(draws(scenario, which, 9).standard_normal(clock.time_ns.size), 0.95)
    depth = stock.day_volume_usd * 0.03 * np.exp(0.3 * depth) * np.where(clock.is_open, 1.0, 0.3)
    return _token_rows(clock, f"{stock.ticker}x", (bid, ask, None), np.round(depth, -2))


def treasury_frame(scenario: Scenario, clock: Calendar) -> pl.DataFrame:
    """Make the rows of the T-bill token: NAV grows every second, quoted day and night."""
    hours = np.arange(clock.time_ns.size, dtype=np.float64)
    nav = np.round(100.0 * (1.0 + scenario.treasury_apr * hours / HOURS_PER_YEAR), 6)
    half = scenario.treasury_half_spread_frac
    bid, ask = np.round(nav * (1.0 - half), 6), np.round(nav * (1.0 + half), 6)
    return _token_rows(clock, "TBILL", (bid, ask, nav), np.full(hours.size, 5e7))


def _token_rows(
    clock: Calendar, token: str, prices: tuple[Floats, Floats, Floats | None], depth_usd: Floats
) -> pl.DataFrame:
    size = clock.time_ns.size
    bid, ask, nav = prices
    return pl.DataFrame(
        {
            "time": _datetimes(clock),
            "token": pl.repeat(token, size, eager=True),
            "bid_px": bid,
            "ask_px": ask,
            "nav_px": pl.repeat(None, size, dtype=pl.Float64, eager=True) if nav is None else nav,
            "liquidity_usd": depth_usd,
            "halted": pl.repeat(False, size, eager=True),
        }
    )


def _datetimes(clock: Calendar) -> pl.Series:
    return pl.Series(clock.time_ns // 1_000_000).cast(pl.Datetime("ms", "UTC"))


def frames(scenario: Scenario) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Make the two tables of a scenario, by instrument and hour: perps, tokens."""
    clock = calendar(scenario)
    perps = [perp_frame(scenario, clock, i) for i in range(len(scenario.stocks))]
    tokens = [
        token_frame(scenario, clock, i, perp["external_px"].to_numpy())
        for i, perp in enumerate(perps)
    ]
    return pl.concat(perps), pl.concat([*tokens, treasury_frame(scenario, clock)])


def dataset_toml(scenario: Scenario) -> str:
    """Describe the dataset, as DESIGN section 5 asks."""
    lines = [
        "schema = 1",
        f'name = "{scenario.name}"',
        f'source = "simulated by perpkit.sources.simulated, seed {scenario.seed}"',
        'licence = "MIT"',
        'prices = "external"  # perpkit forms oracle, mark and funding itself',
    ]
    for stock in scenario.stocks:
        lines += [
            "",
            f'[perps."sim:{stock.ticker}"]',
            'venue = "baseline"',
            f'underlying = "{stock.ticker}"',
            "sz_decimals = 3",
            f"max_leverage = {stock.max_leverage}",
        ]
    for stock in scenario.stocks:
        lines += _token_toml(f"{stock.ticker}x", stock.ticker, "equity", stock.multiplier)
    lines += _token_toml("TBILL", "USD-TBILL", "treasury", 1.0)
    return "\n".join(lines) + "\n"


def _token_toml(token: str, underlying: str, kind: str, multiplier: float) -> list[str]:
    return [
        "",
        f"[tokens.{token}]",
        f'underlying = "{underlying}"',
        f'kind = "{kind}"',
        'issuer = "simulated"',
        f"multiplier = {multiplier}",
    ]


class Facts(NamedTuple):
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
    reopen_error_frac: Floats


def baseline_funding_1h(perp: pl.DataFrame) -> Floats:
    """Form the funding that one perp's rows pay under the profile baseline. Shape (T,)."""
    oracle = step_limited(perp["external_px"].to_numpy())
    above = np.maximum(perp["impact_bid_px"].to_numpy() - oracle, 0.0)
    below = np.maximum(oracle - perp["impact_ask_px"].to_numpy(), 0.0)
    premium = (above - below) / oracle
    rate: Floats = (premium + np.clip(INTEREST_8H - premium, -CLAMP_8H, CLAMP_8H)) / 8.0
    return rate


def facts(scenario: Scenario, clock: Calendar, which: int, perp: pl.DataFrame) -> Facts:
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
    return Facts(
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


README: Final = """\
# The demo dataset

Simulated. Four fictional stocks, one year of hours, no real price in it.

    python -m perpkit.sources.simulated --out data/demo

makes these files again, seed {seed}, frame for frame; `perpkit backtest funding_carry` runs on them
when no `--data` is given. Do not edit them: change `Scenario` in `perpkit/sources/simulated.py`.

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

[1] `facts/venues_rwa.md` section 8 item 6: 17 NVDA weekends.
[2] The same file, corrections: 13 xyz coins, August 2026, two weekends only.
[3] Nine of these coins, August 2026. [4] Robinhood quotes of 15 August 2026.
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
- Dividends, splits, holidays, depegs, ADL, halts, an oracle that drifts off hours, marks within the
  hour.
- Volatility that clusters, days of panic, crowding that comes with the price. The weekend book's
  lean follows a formula, and as many weekends go up as down. The seed was chosen out of fourteen
  for a plain year.
"""


def readme(scenario: Scenario, perps: pl.DataFrame, tokens: pl.DataFrame) -> str:
    """Write the dataset's README, its numbers measured on the rows."""
    clock = calendar(scenario)
    found = {
        f"`sim:{stock.ticker}`": facts(
            scenario, clock, i, perps.filter(pl.col("coin") == f"sim:{stock.ticker}")
        )
        for i, stock in enumerate(scenario.stocks)
    }
    error = np.concatenate([one.reopen_error_frac for one in found.values()])
    median, p90 = (float(q) for q in np.quantile(error, (0.5, 0.9)))
    mean = {
        name: float(np.mean([getattr(one, f"{name}_apr") for one in found.values()]))
        for name in ("week", "saturday", "sunday")
    }
    rows = [
        f"| {coin} | {one.mean_apr:.1%} | {one.week_apr:.1%} | {one.saturday_apr:.1%} "
        f"| {one.sunday_apr:.1%} | {one.off_frac:.1%} | {one.negative_weeks} of {one.weeks} "
        f"| {one.lag_hours} of {clock.time_ns.size:,} h |"
        for coin, one in found.items()
    ]
    gaps = [f"{one.gap_frac:+.1%} for {coin}" for coin, one in found.items() if one.gap_frac]
    vols = [
        float(np.diff(np.log(part["external_px"].to_numpy())).std()) * HOURS_PER_YEAR**0.5
        for part in perps.partition_by("coin")
    ]
    return README.format(
        **mean,
        seed=scenario.seed,
        start=f"{scenario.start:%Y-%m-%d %H:%M}",
        end=f"{scenario.end:%Y-%m-%d %H:%M}",
        treasury=scenario.treasury_apr,
        error=f"median {median:.3%}, P90 {p90:.3%}",
        off=float(np.mean([one.off_frac for one in found.values()])),
        phi=scenario.premium_phi,
        wide=float((tokens["ask_px"] / tokens["bid_px"]).to_numpy().max()) - 1.0,
        rows="\n".join(rows),
        lean=scenario.max_lean_frac,
        gaps=" and ".join(gaps),
        vol_low=min(vols),
        vol_high=max(vols),
    )


def write(folder: Path, scenario: Scenario | None = None) -> int:
    """Write a scenario as a dataset.

    Parameters
    ----------
    folder : Path
        Made if it is not there; its four files are replaced.
    scenario : Scenario, optional

    Returns
    -------
    int
        Bytes written.
    """
    scenario = Scenario() if scenario is None else scenario
    perps, tokens = frames(scenario)
    folder.mkdir(parents=True, exist_ok=True)
    paths = [
        folder / name for name in ("dataset.toml", "README.md", "perps.parquet", "tokens.parquet")
    ]
    paths[0].write_text(dataset_toml(scenario), encoding="utf-8", newline="\n")
    paths[1].write_text(readme(scenario, perps, tokens), encoding="utf-8", newline="\n")
    perps.write_parquet(paths[2], compression="zstd", compression_level=19)
    tokens.write_parquet(paths[3], compression="zstd", compression_level=19)
    return sum(path.stat().st_size for path in paths)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the demo dataset from the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m perpkit.sources.simulated", description=__doc__
    )
    parser.add_argument("--out", type=Path, default=Path("data/demo"), help="the dataset's folder")
    folder: Path = parser.parse_args(arguments).out
    size = write(folder)
    sys.stdout.write(f"{folder}: 4 files, {size:,} bytes\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
