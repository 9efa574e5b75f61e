"""The funding formula against published settlements and worked numbers."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perpkit.arrays import TERM, Tape, Tokens
from perpkit.config import RunConfig
from perpkit.layout import blank
from perpkit.market.funding import mean_premium, settled_rate
from perpkit.market.loop import form_market
from perpkit.market.steps import clip
from perpkit.rulebook import CoinTerms, TermChoice, resolve_terms
from perpkit.tape import settings_of
from perpkit.units import HOUR_NS

# Hyperliquid documentation, trading/funding and HIP-3 deployer actions.
CORE = {"funding_multiplier": 1.0, "clamp_8h": 0.0005}
XYZ = {"funding_multiplier": 0.5, "clamp_8h": 0.0003}
# Published rates and premiums are each rounded to ten decimals: half a unit of the last place in
# the rate, and m/8 of another half that comes in with the premium. The last term is room for the
# binary form of such decimals.
ROUNDED = 5e-11
BINARY = 1e-18


def term(**values: float) -> Any:
    """Terms of one coin: interest 1 bp, hourly, cap 4%; the rest as told."""
    made = np.zeros(1, TERM).view(np.recarray)[0]
    for name, value in {
        "interest_8h": 0.0001,
        "interval_hours": 1.0,
        "cap_1h": 0.04,
        **CORE,
        **values,
    }.items():
        made[name] = value
    return made


def misses(rates: list[float], premiums: list[float], terms: list[Any]) -> int:
    """How many published rates lie further from the formula than rounding explains."""
    count = 0
    for rate, premium, one in zip(rates, premiums, terms, strict=True):
        bound = ROUNDED * (1.0 + one.funding_multiplier / 8.0) + BINARY
        count += abs(settled_rate(premium, one) - rate) > bound
    return count


def rulebook_terms(coin: str, venue: str, hours: list[int]) -> list[Any]:
    """The rulebook's terms of a coin at each of these hours since 1970."""
    time_ns = np.array(hours, np.int64) * HOUR_NS
    needs = frozenset({"interest_8h", "clamp_8h", "cap_1h", "funding_multiplier", "interval_hours"})
    choice = TermChoice("taker", None, 0.0, 0.0)
    made = resolve_terms([CoinTerms(coin, venue, {})], time_ns, {}, choice, needs)
    return [made.terms[era, 0] for era in made.era]


# ------------------------------------------------------------------- published settlements


@pytest.mark.shared
def test_every_core_settlement_since_2024(shared_data: Path) -> None:
    rows = pl.read_parquet(shared_data / "funding" / "funding_core.parquet")
    assert rows.height == 30_720
    rates, premiums = rows["funding"].to_list(), rows["premium"].to_list()
    assert misses(rates, premiums, [term(**CORE)] * rows.height) == 0


@pytest.mark.shared
def test_every_core_settlement_by_the_rulebook(shared_data: Path) -> None:
    rows = pl.read_parquet(shared_data / "funding" / "funding_core.parquet").sort("coin", "time")
    for (coin,), own in rows.group_by("coin", maintain_order=True):
        # A stamp belongs to the hour it is late for.
        hours = (own["time"].dt.epoch("ms") // 3_600_000).to_list()
        terms = rulebook_terms(str(coin), "hyperliquid", hours)
        assert misses(own["funding"].to_list(), own["premium"].to_list(), terms) == 0, coin


# Until when (first stamp of the next), interval in hours, clamp per 8 hours: read off the rows.
YEAR_2023 = [
    (datetime(2023, 6, 8, 1, tzinfo=UTC), 8, 0.0003),
    (datetime(2023, 6, 16, 21, tzinfo=UTC), 1, 0.0003),
    (datetime(2023, 7, 15, 3, tzinfo=UTC), 1, 0.0),
    (datetime(2024, 1, 1, tzinfo=UTC), 1, 0.0005),
]


@pytest.mark.shared
def test_settlements_of_2023_followed_older_terms(shared_data: Path) -> None:
    """They are not in the rulebook, whose core begins in 2024; the formula is the same."""
    text = (shared_data / "api" / "fundingHistory_BTC_2023.json").read_text(encoding="utf-8")
    rows = [row for one in json.loads(text)[1:] for row in one["response"]]
    assert len(rows) == 1_038
    odd = []
    for row in rows:
        at = datetime.fromtimestamp(row["time"] / 1000, UTC)
        hours, clamp = next((n, c) for until, n, c in YEAR_2023 if at < until)
        one = term(interval_hours=hours, clamp_8h=clamp)
        error = settled_rate(float(row["premium"]), one) - float(row["fundingRate"])
        # These have eight decimals.
        if abs(error) > 5e-9 * (1.0 + hours / 8.0) + BINARY:
            odd.append(f"{at:%m-%d %H}")
    assert odd == ["07-16 01"]


@pytest.mark.shared
def test_core_needs_its_clamp(shared_data: Path) -> None:
    rows = pl.read_parquet(shared_data / "funding" / "funding_core.parquet")
    rates, premiums = rows["funding"].to_list(), rows["premium"].to_list()
    assert misses(rates, premiums, [term(clamp_8h=0.0003)] * rows.height) > 1_000


@pytest.mark.shared
def test_every_xyz_settlement_of_august_2026_by_the_rulebook(shared_data: Path) -> None:
    rows = pl.read_parquet(shared_data / "xyz-2026-08" / "funding.parquet").sort("coin", "time")
    assert rows.height == 2_943
    checked = 0
    for (coin,), own in rows.group_by("coin", maintain_order=True):
        hours = (own["time"].dt.epoch("ms") // 3_600_000).to_list()
        terms = rulebook_terms(str(coin), "xyz", hours)
        assert misses(own["funding"].to_list(), own["premium"].to_list(), terms) == 0, coin
        checked += len(terms)
    assert checked == 2_943


@pytest.mark.shared
def test_five_basis_points_would_miss_1260_xyz_settlements(shared_data: Path) -> None:
    # trade.xyz's own pages print 0.0005; on the settled rates it fails in 1,260 of 2,943 rows.
    rows = pl.read_parquet(shared_data / "xyz-2026-08" / "funding.parquet")
    wrong = term(funding_multiplier=0.5, clamp_8h=0.0005)
    assert misses(rows["funding"].to_list(), rows["premium"].to_list(), [wrong] * 2_943) == 1_260


def test_baseline_profile_is_the_core_formula() -> None:
    (one,) = rulebook_terms("sim:X", "baseline", [500_000])  # an hour of January 2027
    told = (one.interest_8h, one.clamp_8h, one.cap_1h, one.funding_multiplier, one.interval_hours)
    assert told == (0.0001, 0.0005, 0.04, 1.0, 1.0)


def test_xyz_multiplier_halves_on_19_december_2025() -> None:
    # docs.trade.xyz, changelog/funding-rate-formula-update. 2025-12-19 00:00Z is hour 490,584:
    # 20,441 days after 1970, times 24.
    before, after = rulebook_terms("xyz:NVDA", "xyz", [490_583, 490_584])
    assert (before.funding_multiplier, after.funding_multiplier) == (1.0, 0.5)


# ------------------------------------------------------------------- worked numbers


@pytest.mark.parametrize(
    ("premium", "core", "xyz", "xyz_wide"),
    [
        # Hourly rates. Up to 0.0003 the pull brings the premium back to the interest of 0.0001:
        # 0.0001/8 = 0.0000125, half of it on xyz.
        (0.0, 0.0000125, 0.00000625, 0.00000625),
        (0.0001, 0.0000125, 0.00000625, 0.00000625),
        (0.0003, 0.0000125, 0.00000625, 0.00000625),
        # 0.0001 - 0.0006 = -0.0005, just inside 5 bp; 3 bp leave 0.0003, times 0.5 / 8.
        (0.0006, 0.0000125, 0.00001875, 0.00000625),
        (0.001, 0.0000625, 0.00004375, 0.00003125),  # (0.001 - c) m / 8
        (0.01, 0.0011875, 0.00060625, 0.00059375),
        (0.05, 0.0061875, 0.00310625, 0.00309375),
        # xyz:TSLA, settled 2026-08-01 19:00Z at -0.000034125: (-0.0008459994 + 0.0003) / 16.
        (-0.0008459994, -0.000043249925, -0.0000341249625, -0.0000216249625),
    ],
)
def test_worked_rates(premium: float, core: float, xyz: float, xyz_wide: float) -> None:
    assert settled_rate(premium, term(**CORE)) == pytest.approx(core, abs=1e-16)
    assert settled_rate(premium, term(**XYZ)) == pytest.approx(xyz, abs=1e-16)
    wide = term(funding_multiplier=0.5, clamp_8h=0.0005)
    assert settled_rate(premium, wide) == pytest.approx(xyz_wide, abs=1e-16)


@pytest.mark.parametrize(
    ("terms", "reached"),
    # Core: (0.3205 - 0.0005) / 8 = 0.04. xyz: 0.5 (0.6403 - 0.0003) / 8 = 0.04.
    [(CORE, 0.3205), (XYZ, 0.6403)],
)
def test_cap(terms: dict[str, float], reached: float) -> None:
    one = term(**terms)
    assert settled_rate(reached - 0.0008, one) == pytest.approx(
        0.04 - 0.0001 * terms["funding_multiplier"], abs=1e-15
    )
    assert settled_rate(reached + 0.001, one) == 0.04
    assert settled_rate(5.0, one) == 0.04
    assert settled_rate(-5.0, one) == -0.04


def test_interest_moves_the_middle() -> None:
    # A deployer's interest override, 5.0% a year: 0.0000456621 per 8 h (Hyperliquid, HIP-3).
    one = term(interest_8h=0.0000456621, **XYZ)
    assert settled_rate(0.0, one) == pytest.approx(0.5 * 0.0000456621 / 8, abs=1e-18)


def test_no_multiplier_no_funding() -> None:
    assert settled_rate(0.01, term(funding_multiplier=0.0)) == 0.0


def test_one_per_cent_of_the_usual_funding_before_a_listing() -> None:
    # trade.xyz, perps before the listing of their stock: multiplier 0.005. 0.005 * 0.0097 / 8.
    one = term(funding_multiplier=0.005, clamp_8h=0.0003)
    assert settled_rate(0.01, one) == pytest.approx(0.0000060625, abs=1e-18)


def test_longer_interval_settles_all_its_hours_at_once() -> None:
    # 8 h: the 8-hour rate itself, (0.001 - 0.0005); the cap stays 0.04 a settlement.
    assert settled_rate(0.001, term(interval_hours=8)) == pytest.approx(0.0005, abs=1e-17)
    assert settled_rate(0.001, term(interval_hours=4)) == pytest.approx(0.00025, abs=1e-17)
    assert settled_rate(0.2, term(interval_hours=8)) == 0.04


# ------------------------------------------------------------------- properties

PREMIUMS = st.floats(-2.0, 2.0)
MULTIPLIERS = st.floats(0.0, 10.0)
CLAMPS = st.floats(0.0, 0.01)


@given(PREMIUMS, MULTIPLIERS, CLAMPS)
def test_rate_is_within_the_cap_and_of_the_sign_of_the_8_hour_rate(
    premium: float, multiplier: float, clamp: float
) -> None:
    rate = settled_rate(premium, term(funding_multiplier=multiplier, clamp_8h=clamp))
    assert -0.04 <= rate <= 0.04
    if premium > clamp:
        assert rate >= 0.0  # longs pay
    if premium < -clamp:
        assert rate <= 0.0  # shorts pay


@given(PREMIUMS, PREMIUMS, MULTIPLIERS, CLAMPS)
def test_rate_never_falls_with_the_premium(
    one: float, other: float, multiplier: float, clamp: float
) -> None:
    terms = term(funding_multiplier=multiplier, clamp_8h=clamp)
    low, high = sorted((one, other))
    assert settled_rate(low, terms) <= settled_rate(high, terms) + 1e-15


@given(st.floats(-0.03, 0.03), CLAMPS)
def test_half_the_multiplier_half_the_rate(premium: float, clamp: float) -> None:
    whole = settled_rate(premium, term(clamp_8h=clamp))
    half = settled_rate(premium, term(clamp_8h=clamp, funding_multiplier=0.5))
    assert half == pytest.approx(0.5 * whole, rel=1e-15, abs=1e-300)


@given(PREMIUMS, CLAMPS)
def test_without_interest_up_and_down_are_mirror_images(premium: float, clamp: float) -> None:
    terms = term(interest_8h=0.0, clamp_8h=clamp)
    assert settled_rate(-premium, terms) == -settled_rate(premium, terms)


@given(st.floats(-10, 10), st.floats(-10, 0), st.floats(0, 10))
def test_clip(value: float, low: float, high: float) -> None:
    assert clip(value, low, high) == float(np.clip(value, low, high))


# ------------------------------------------------------------------- rows


def hours_of(premiums: list[float], **sizes: int) -> Tape:
    """A tape of recorded prices of 100 and these premiums, a settlement due each hour."""
    tape = blank(Tape, T=len(premiums), M=1, K=0, U=1, N=0, X=0, Y=1, **sizes)
    tape.premium[:, 0] = premiums
    tape.funding[:] = np.nan
    tape.oracle_px[:] = 100.0
    tape.mark_px[:] = 100.0
    tape.due[:] = True
    return tape


def play(tape: Tape, *eras: Any) -> None:
    """Form the rates of one coin, uncompiled."""
    terms = np.array(eras).reshape(-1, 1).view(np.recarray)
    hours = len(tape.time_ns)
    form_market(tape, terms, blank(Tokens, K=0), settings_of(RunConfig()), 0, hours)


def test_mean_premium_is_over_the_interval_that_ends_here() -> None:
    premium = hours_of([9.0, 1.0, 2.0, 3.0, 6.0]).premium
    assert mean_premium(4, 0, premium, 1) == 6.0
    assert mean_premium(4, 0, premium, 4) == 3.0  # (1 + 2 + 3 + 6) / 4
    assert mean_premium(1, 0, premium, 8) == 5.0  # the run starts within the interval: (9 + 1) / 2


def test_rates_are_formed_only_where_told() -> None:
    tape = hours_of([0.001, 0.001, 0.001])
    tape.by_formula[:, 0] = [False, True, True]
    tape.funding[0, 0] = 0.5  # recorded: it stays, whatever the formula says
    tape.oracle_px[2, 0] = np.nan  # no price yet
    play(tape, term(**CORE))
    assert tape.funding[0, 0] == 0.5
    assert tape.funding[1, 0] == pytest.approx(0.0000625, abs=1e-18)
    assert np.isnan(tape.funding[2, 0])
