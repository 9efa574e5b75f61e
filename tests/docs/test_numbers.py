"""Every number in the prose of funding.md and oracle.md is computed here, or is named as given.

What their code blocks print is held by test_docs.py. Here the rules are asked again, by other ways
than the pages go.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from perpkit.arrays import Phase
from perpkit.market.funding import settled_rate
from perpkit.market.oracle import within_steps
from perpkit.market.update import ewma_gain
from perpkit.rulebook import open_rulebook
from perpkit.sessions import session_hours
from perpkit.units import HOUR_NS, apr, apy, to_ns

DOCS = Path(__file__).parents[2] / "docs"
UNIT = r"%|bp\b|seconds?\b|s\b|\*?hours?\b|h\b|days?\b|updates\b|times\b"
DECEMBER = datetime(2026, 12, 1, tzinfo=UTC)
KEYS = ("interest_8h", "clamp_8h", "funding_multiplier", "interval_hours", "cap_1h")


def numbers(page: str) -> set[str]:
    """Numbers of a page's prose, with their unit where one follows."""
    text = (DOCS / page).read_text(encoding="utf-8")
    text = re.sub(r"^```.*?^```$|^    .*?$|`[^`]*`", "", text, flags=re.M | re.S)
    text = re.sub(r"\b\d?\d:\d\d\b", "", text)  # times of day
    found = re.findall(rf"(?<![-\w.])[+−]?\d[\d,]*(?:\.\d+)?(?:\s?(?:{UNIT}))?", text)
    return {" ".join(x.replace("*", "").split()).rstrip(",") for x in found}


def terms(venue: str, coin: str) -> SimpleNamespace:
    told = open_rulebook().venue(venue)
    return SimpleNamespace(**{key: told.at(key, to_ns(DECEMBER), coin).value for key in KEYS})


@pytest.fixture(scope="module")
def core() -> SimpleNamespace:
    return terms("hyperliquid", "BTC")


@pytest.fixture(scope="module")
def xyz() -> SimpleNamespace:
    return terms("xyz", "xyz:NVDA")


def rate(bp: float, term: SimpleNamespace) -> float:
    return float(settled_rate(bp / 1e4, term))


def flat(term: SimpleNamespace) -> tuple[str, str]:
    """Ends of the premiums that pay what none pays, found by asking for each tenth of a bp."""
    base = rate(0, term)
    same = [n / 10 for n in range(-100, 101) if math.isclose(rate(n / 10, term), base)]
    return f"−{-min(same):g} bp", f"+{max(same):g} bp"


def capped_at(term: SimpleNamespace) -> str:
    """The lowest premium at which the bound holds, by hundredths of a percent."""
    return f"{next(n for n in range(10_000) if rate(n, term) == term.cap_1h) / 100:.2f}%"


def test_numbers_of_funding(core: SimpleNamespace, xyz: SimpleNamespace) -> None:
    base = apr(rate(0, core))
    week = (7 * 0.40 + 23 * base) / 30
    mean = [base + (0.4 - base) * max(0, min(d, 7, 37 - d)) / 30 for d in range(40)]
    computed = {
        f"{apy(rate(0, core)):.1%}",  # of the venue's documents
        f"{base:.2%}",
        f"{base:.3%}",
        f"{apr(rate(0, xyz)):.3%}",
        *flat(core),
        *flat(xyz),
        capped_at(core),
        capped_at(xyz),
        f"{week:.1%}",
        f"{sum(math.isclose(m, week) for m in mean) - 1} days",
        f"{7 / 365 * (0.4 - base):.2%}",
        f"−{-rate(1e4 * -0.0008459994, xyz):.9f}",
        f"{xyz.funding_multiplier:g}",
        f"{core.cap_1h:.0%}",
    }
    # The spike, its windows, the published premium, dates, and the 8 of eight hours.
    given = {"40%", "7", "30", "30 days", "8", "8,760", "−0.0008459994", "1", "19", "2025", "2026"}
    given |= {"2.85%", "365"}  # what NVDA paid in April 2026, and the days of a year

    assert numbers("funding.md") == computed | given


def test_published_settlement_and_high_rates(core: SimpleNamespace, xyz: SimpleNamespace) -> None:
    # Figures known from other pages: 40%, 100% and 197% by bisection of the rule.
    for term, premiums in ((core, (8.65, 14.13, 22.99)), (xyz, (10.31, 21.26, 38.98))):
        for target, bp in zip((0.40, 1.00, 1.97), premiums, strict=True):
            low, high = 0.0, 100.0
            for _ in range(60):
                middle = (low + high) / 2
                low, high = (middle, high) if apr(rate(middle, term)) < target else (low, middle)
            assert round(high, 2) == bp


def holiday_hours() -> int:
    """External hours of US stocks that the week of Thanksgiving lacks."""
    starts = (to_ns(datetime(2026, 11, day, tzinfo=UTC)) for day in (16, 23))
    usual, short = (
        np.count_nonzero(
            session_hours(start + HOUR_NS * np.arange(168), "us_24_5").phase != Phase.CLOSED
        )
        for start in starts
    )
    assert usual == 120
    return int(usual - short)


def updates(gap: float, step: float) -> int:
    """Limited updates to a price, one at a time."""
    px = 1.0
    for n in range(1, 1000):
        px = within_steps(1 + gap, px, step, 1.0)
        if px == 1 + gap:
            return n
    raise AssertionError


def test_numbers_of_oracle() -> None:
    told = open_rulebook().venue("xyz")
    tau = [
        told.at("oracle_tau_hours", to_ns(datetime(*day, tzinfo=UTC)), "xyz:NVDA").value
        for day in ((2025, 11, 20), (2025, 11, 21), (2026, 4, 29), (2026, 4, 30))
    ]
    assert tau == [8, 1, 1, 0.5]
    per_hour = int(told.at("updates_per_hour", to_ns(DECEMBER), "xyz:NVDA").value)
    seconds = 3600 // per_hour
    slow = updates(0.15, 0.01)
    baseline = 48 * settled_rate(0.0, terms("xyz", "xyz:NVDA"))
    computed = {
        f"{holiday_hours()}",
        f"{slow} updates",
        f"{slow * seconds} seconds",
        f"{slow * seconds} s",
        f"{slow} hours",
        f"{per_hour:,} updates",
        f"{per_hour:,} times",
        f"{seconds} s",
        f"{1.01**per_hour:,.0f} times",
        f"{1.005**per_hour:,.0f} times",
        f"{tau[0]} h",
        f"{tau[1]} h",
        f"{baseline:.3%}",
        f"{told.at('bound_threshold_frac', to_ns(DECEMBER), 'xyz:NVDA').value:.0%}",
        f"{told.at('step_frac', to_ns(DECEMBER), 'xyz:NVDA').value:.1%}",
    }
    # Gaps, steps and the weekend that is asked about, dates, and constants of formulas.
    given = {"15%", "5%", "3%", "1%", "48 hours", "120", "1", "21", "30", "2025", "2026"}

    assert numbers("oracle.md") == computed | given


def test_gap_closing_table() -> None:
    # What perpkit's own update leaves of a gap after the 1,200 of an hour: 1 - e^(-1/tau).
    page = (DOCS / "oracle.md").read_text(encoding="utf-8")
    for tau in (8, 1, 0.5):
        closed = 1 - (1 - ewma_gain(3.0, tau, 0.1)) ** 1200
        assert closed == pytest.approx(1 - math.exp(-1 / tau), abs=1e-12)
        assert f"tau {tau:3} h  closed in the first hour {closed:6.2%}" in page
