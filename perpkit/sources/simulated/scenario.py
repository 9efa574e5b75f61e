"""What the demo is made of: the stocks, their two gaps, and every assumed number."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

BP: Final = 1e-4


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


# Weekend widths after the Robinhood token quotes of 2026-08-15 (GitHub
# hykk0009/tokenized-stock-monitor): 1 bp to several percent.
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
        Hour to hour correlation of the premium's noise: 0.60 to 0.73 in the settled premiums of
        nine trade.xyz perps, August 2026.
    regime_bp, regime_hours
        Slow drift of the premium: standard deviation and memory. Assumed.
    spike_every_hours, spike_bp, spike_half_life_hours
        Crowding: mean wait, mean height above a floor of 10 bp, decay. Assumed, heights as in
        earnings weeks (30 to 50% APR: BlockBooster, tokenized equity perpetual funding rate
        arbitrage, 2026).
    weekend_premium_bp
        What a weekend adds to the premium: brings its funding below the weekday's, as on the
        weekends of August 2026 (Saturday 1.0%, Sunday 3.6% APR: settled rates of 13 trade.xyz
        perps, public info API).
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
