"""What funding came to: a year's rate over all, over rolling weeks and months, by market phase."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from perpkit.arrays import B8, F64, I64, Phase
from perpkit.metrics.funding import trailing_apr
from perpkit.research.decimals import decimals_of, whole
from perpkit.research.history import History, Settled
from perpkit.research.terms import eras
from perpkit.rulebook import CoinTerms, Rulebook, open_rulebook
from perpkit.sessions import session_hours
from perpkit.units import HOUR_NS, HOURS_PER_YEAR, stamp

WEEK_HOURS: Final = 168
MONTH_HOURS: Final = 720
_US: Final = "us_24_5"
_WEEKS: Final = (_US, "us_index_futures", "us_cash", "korea")


@dataclass(frozen=True, slots=True)
class Rolling:
    """Simple annual rates over windows of so many hours; None where none is recorded whole."""

    hours: int
    latest_apr: float | None
    lowest_apr: float | None
    highest_apr: float | None
    windows: int


@dataclass(frozen=True, slots=True)
class PhaseRate:
    """Funding of the hours of one phase of the market's week."""

    phase: str
    hours: float
    apr: float | None


@dataclass(frozen=True, slots=True)
class FundingRates:
    """Funding of one coin. `apr` is simple, `apy` compounded at each settlement."""

    coin: str
    settlements: int
    first_ns: int
    last_ns: int
    hours: int  # that the settlements cover; hours of gaps are in no figure
    gap_hours: int
    apr: float
    apy: float
    week: Rolling
    month: Rolling
    baseline_frac: float | None  # share of hours at the baseline rate
    baseline_from: str
    session: str  # the week that the phases are of
    phases: tuple[PhaseRate, ...]

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON, times as text."""
        told = asdict(self)
        told["first"], told["last"] = stamp(told.pop("first_ns")), stamp(told.pop("last_ns"))
        told.pop("coin")
        return told


def funding_rates(history: History, book: Rulebook | None = None) -> dict[str, FundingRates]:
    """Figures of every coin of a history.

    Parameters
    ----------
    history : settled funding
    book : the rulebook, for baseline and session; none: the shipped one and the user's folder

    Raises
    ------
    DataError
        If a stamp names no settlement.
    """
    history.refuse_faults()
    book = open_rulebook() if book is None else book
    made: dict[str, FundingRates] = {}
    for coin, own in history.settled.items():
        made[coin] = funding_rates_of(history.coins[coin], own, book)
    return made


def funding_rates_of(coin: CoinTerms, settled: Settled, book: Rulebook) -> FundingRates:
    """Figures of one coin; see :class:`FundingRates`."""
    covered = int(settled.hours.sum())
    total = float(settled.funding.sum())
    grown = float(np.log1p(settled.funding).sum())
    at_baseline, told = _baseline(coin, settled, book)
    session = _session(coin, settled, book)
    first_ns, last_ns = int(settled.time_ns[0]), int(settled.time_ns[-1])
    span = (last_ns - first_ns) // HOUR_NS + int(settled.hours[0])
    return FundingRates(
        coin=coin.coin,
        settlements=len(settled.time_ns),
        first_ns=first_ns,
        last_ns=last_ns,
        hours=covered,
        gap_hours=max(int(span) - covered, 0),
        apr=total / covered * HOURS_PER_YEAR,
        apy=float(np.expm1(grown / covered * HOURS_PER_YEAR)),
        week=rolling(settled, WEEK_HOURS),
        month=rolling(settled, MONTH_HOURS),
        baseline_frac=float(settled.hours[at_baseline].sum() / covered),
        baseline_from=told,
        session=session,
        phases=_phases(settled, session),
    )


def rolling(settled: Settled, hours: int) -> Rolling:
    """Annual rates over every window of so many hours that ends at a settlement.

    A window counts where at least nine tenths of its hours are recorded; the rate is that of the
    recorded ones.

    Parameters
    ----------
    settled : (R,) settlements
    hours : length of the window
    """
    apr = trailing_apr(settled.time_ns, settled.funding, settled.hours, hours)
    counted = apr[np.isfinite(apr)]
    if not counted.size:
        return Rolling(hours, None, None, None, 0)
    latest = float(apr[-1]) if np.isfinite(apr[-1]) else None
    return Rolling(hours, latest, float(counted.min()), float(counted.max()), len(counted))


def _baseline(coin: CoinTerms, settled: Settled, book: Rulebook) -> tuple[B8, str]:
    """Settlements at the baseline rate, m I / 8 of each hour, and who says what that rate is."""
    at = np.zeros(len(settled.time_ns), np.bool_)
    half = 0.5 * 10.0 ** -decimals_of(settled.funding)
    if coin.venue in book.names("venue"):
        known = True
        keys = ("funding_multiplier", "interest_8h", "funding_formula")
        for era in eras(coin, keys, settled.time_ns, book):
            if era.lacking() or era.word("funding_formula") != "premium":
                known = False
                break
            rate_8h = era.number("funding_multiplier") * era.number("interest_8h")
            rate = rate_8h / 8.0 * settled.hours
            at |= era.rows & (np.abs(settled.funding - rate) <= half * (1.0 + 1e-9))
        if known:
            return at, "rulebook"
    rate_1h = whole(settled.funding) // settled.hours
    values, counts = np.unique(rate_1h, return_counts=True)
    return rate_1h == values[np.argmax(counts)], "the commonest rate"


def _session(coin: CoinTerms, settled: Settled, book: Rulebook) -> str:
    """The week of a coin by the rulebook; that of US equities where it has none."""
    if coin.venue not in book.names("venue"):
        return _US
    told = _US
    for era in eras(coin, ("external_session",), settled.time_ns, book):
        if era.word("external_session") in _WEEKS:
            told = era.word("external_session")
    return told


def _phases(settled: Settled, session: str) -> tuple[PhaseRate, ...]:
    """Rates by phase; an hour belongs to the phase at its middle, where 09:30 is cash already."""
    parts = _hours(settled)
    phase = session_hours(parts.middle_ns, session).phase
    made = []
    for one in (Phase.CASH, Phase.EXTENDED, Phase.CLOSED):
        mine = phase == one
        count = float(mine.sum())
        rate = float(parts.rate_1h[mine].mean()) * HOURS_PER_YEAR if count else None
        made.append(PhaseRate(one.name.lower(), count, rate))
    return tuple(made)


@dataclass(frozen=True, slots=True)
class _Hours:
    middle_ns: I64
    rate_1h: F64


def _hours(settled: Settled) -> _Hours:
    """Every hour that a settlement covers, with its share of the rate."""
    each = np.repeat(np.arange(len(settled.hours)), settled.hours)
    starts = np.repeat(np.cumsum(settled.hours) - settled.hours, settled.hours)
    back = np.arange(len(each)) - starts
    middle: I64 = settled.time_ns[each] - back * HOUR_NS - HOUR_NS // 2
    return _Hours(middle, settled.funding[each] / settled.hours[each])


def as_dict(found: Mapping[str, FundingRates], history: History) -> dict[str, Any]:
    """Figures of all coins, ready for JSON."""
    return {
        "schema": 1,
        "name": history.name,
        "funding_from": history.file,
        "formed": history.formed,
        "coins": {coin: rates.to_dict() for coin, rates in found.items()},
    }
