"""What the shipped venues say, written by hand from the documents each file names."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from perpkit.errors import DataError
from perpkit.rulebook import (
    VENUE_KEYS,
    CoinTerms,
    TermChoice,
    load_venue,
    resolve_terms,
    venue_names,
)
from perpkit.rulebook.keys import CONFIDENCES
from perpkit.rulebook.survey import completeness
from perpkit.units import HOUR_NS, to_ns

TAKER = TermChoice("taker", None, 0.0, 0.0)


def ns(text):
    return to_ns(datetime.fromisoformat(text).replace(tzinfo=UTC))


def at(venue, key, when, coin=""):
    return load_venue(venue).at(key, ns(when), coin).value


def test_every_venue_is_there():
    assert venue_names() == [
        "aster", "baseline", "binance", "bybit", "cash", "edgex", "flx", "gmtrade", "hyna",
        "hyperliquid", "km", "kraken", "lighter", "mkts", "okx", "ondo", "orderly", "para", "vntl",
        "xyz",
    ]  # fmt: skip


@pytest.mark.parametrize("name", venue_names())
def test_every_value_is_sourced(name):
    venue = load_venue(name)
    lines = [venue.blocks, *venue.coins.values()]
    values = [value for line in lines for series in line.values() for value in series]
    assert len(values) >= len(VENUE_KEYS)
    for value in values:
        assert len(value.source) > 8, value
        assert value.confidence in CONFIDENCES
        # Nobody can vouch for what is not known.
        assert value.known or value.confidence == "assumed", value
    prefix = "" if name == "hyperliquid" else f"{name}:"
    assert all(coin.startswith(prefix) for coin in venue.coins)


@pytest.mark.parametrize(
    ("name", "unknown"),
    [
        ("baseline", set()),
        ("hyperliquid", {"oi_cap_usd", "eligibility"}),
        # The impact notional is unpublished; no page on who may trade was read.
        ("xyz", {"impact_usd", "eligibility"}),
        # Limits without a number, tiers beyond the first, a bound around a price that moves, two
        # pages that were not found.
        (
            "binance",
            {"step_frac", "bound_frac", "bound_threshold_frac", "bound_resets", "bound_when"}
            | {"oi_cap_usd", "splits", "margin_tiers"}
            | {"liquidation_part_frac", "liquidation_part_above_usd"},
        ),
    ],
)
def test_what_is_unknown_of_the_fullest_venues(name, unknown):
    assert set(completeness(load_venue(name)).unknown) == unknown


@pytest.mark.parametrize(
    ("when", "key", "value"),
    [
        # Launch on 2026-01-28 14:30 UTC: 4 h, 2% an interval, 5x, index frozen off hours.
        ("2026-01-28T14:30", "interval_hours", 4),
        ("2026-01-28T14:30", "cap_1h", 0.02),
        ("2026-01-28T14:30", "max_leverage", 5),
        ("2026-01-28T14:30", "oracle_closed", "frozen"),
        # Smallest trade 0.01 TSLA and 5 USDT, tick 0.01.
        ("2026-01-28T14:30", "sz_decimals", 2),
        ("2026-01-28T14:30", "min_order_usd", 5),
        ("2026-01-28T14:30", "tick_rule", 0.01),
        # 8 h from 2026-01-30 20:15 UTC+8, the cap unchanged.
        ("2026-01-30T12:14", "interval_hours", 4),
        ("2026-01-30T12:15", "interval_hours", 8),
        ("2026-01-30T12:15", "cap_1h", 0.02),
        ("2026-01-30T12:15", "clamp_8h", 0.0005),
        # Tiers of 2026-02-03 09:00 UTC: 10x and 5%, before 5x and 10%; 200 USDT at that leverage.
        ("2026-02-03T08:59", "max_leverage", 5),
        ("2026-02-03T08:59", "impact_usd", 1000),
        ("2026-02-03T09:00", "max_leverage", 10),
        ("2026-02-03T09:00", "impact_usd", 2000),
        ("2026-02-03T09:00", "maintenance_share_frac", 0.5),
        # No interest from 16:15 UTC of that day, told for others than TSLA.
        ("2026-02-03T16:14", "interest_8h", "unknown"),
        ("2026-02-03T16:15", "interest_8h", 0),
        # Fees: 5 and 2 bp, from 2026-03-31 02:00 UTC 4 bp and nothing.
        ("2026-03-31T01:59", "taker_frac", 0.0005),
        ("2026-03-31T02:00", "taker_frac", 0.0004),
        ("2026-03-31T01:59", "maker_frac", 0.0002),
        ("2026-03-31T02:00", "maker_frac", 0),
        ("2026-04-13", "dividends", "unknown"),
        ("2026-04-14", "dividends", "debit_shorts"),
        # A fixed index until 2026-05-15 21:00 UTC, marks within 3% of it; then an average of the
        # order book, whose limits have no number, and a bound around a price that moves.
        ("2026-05-15T20:59", "external_session", "us_24_5"),
        ("2026-05-15T20:59", "oracle_closed", "frozen"),
        ("2026-05-15T20:59", "oracle_tau_hours", "none"),
        ("2026-05-15T20:59", "bound_frac", 0.03),
        ("2026-05-15T20:59", "bound_resets", 0),
        ("2026-05-15T20:59", "step_frac", "none"),
        ("2026-05-15T21:00", "oracle_closed", "ewma"),
        ("2026-05-15T21:00", "oracle_tau_hours", 300 / 3600),
        ("2026-05-15T21:00", "bound_frac", "unknown"),
        ("2026-05-15T21:00", "step_frac", "unknown"),
        # The index in USDT from 2026-07-16; a mean basis of 30 s, from 2026-08-31 of 60 s.
        ("2026-07-15", "quote", "USD"),
        ("2026-07-16", "quote", "USDT"),
        ("2026-08-30", "mark_ema_seconds", 15),
        ("2026-08-31", "mark_ema_seconds", 30),
        ("2026-08-31", "backstop_frac", 0),
    ],
)
def test_binance(when, key, value):
    assert at("binance", key, when) == value


def test_okx():
    assert load_venue("okx").first_ns == ns("2026-02-25T07:00")  # HOOD, 14:00 in Jakarta
    # clamp[avg P + clamp(r - avg P, 0.05%), 1.50%], 8 h, 0.01 to 5x; r is 0 on stocks.
    told = {"interval_hours": 8, "clamp_8h": 0.0005, "cap_1h": 0.015, "max_leverage": 5}
    told |= {"interest_8h": 0, "collateral": "USDT", "funding_formula": "premium"}
    # 200 USDT at 5x; 2 and 5 bp; the mark is no median.
    told |= {"impact_usd": 1000, "maker_frac": 0.0002, "taker_frac": 0.0005, "tick_rule": 0.01}
    told |= {"mark_rule": "unknown", "dividends": "none", "splits": "rescale"}
    assert {key: at("okx", key, "2026-03-01") for key in told} == told
    assert at("okx", "dividends", "2026-05-18") == "unknown"


@pytest.mark.parametrize(
    ("coin", "when", "key", "value"),
    [
        ("BTC", "2024-01-01", "interest_8h", 0.0001),
        ("BTC", "2024-01-01", "clamp_8h", 0.0005),
        ("BTC", "2024-01-01", "premium", "one_sided"),
        ("BTC", "2026-01-01", "impact_usd", 20_000),
        ("SOL", "2026-01-01", "impact_usd", 6_000),
        ("BTC", "2026-01-01", "max_leverage", 40),
        ("ETH", "2026-01-01", "max_leverage", 25),
        ("HYPE", "2026-01-01", "max_leverage", 10),
        ("HYPE", "2026-01-01", "quote", "USDC"),
        ("BTC", "2026-01-01", "quote", "USDT"),
        ("BTC", "2026-01-01", "mark_rule", "median_perps"),
        ("BTC", "2026-01-01", "taker_frac", 0.00045),
        ("WIF", "2026-01-01", "sz_decimals", 0),
        ("APE", "2026-01-01", "max_leverage", "unknown"),
    ],
)
def test_core(coin, when, key, value):
    assert at("hyperliquid", key, when, coin) == value


@pytest.mark.parametrize(
    ("coin", "when", "key", "value"),
    [
        # Time constant: 8 h, 1 h from 2025-11-21, 30 min from 2026-04-30.
        ("NVDA", "2025-11-20T23:00", "oracle_tau_hours", 8),
        ("NVDA", "2025-11-21", "oracle_tau_hours", 1),
        ("NVDA", "2026-04-29T23:00", "oracle_tau_hours", 1),
        ("NVDA", "2026-04-30", "oracle_tau_hours", 0.5),
        ("XYZ100", "2026-04-30", "oracle_tau_hours", 0.5),
        ("GOLD", "2026-04-30", "oracle_tau_hours", "unknown"),
        ("NVDA", "2026-04-30", "ewma_cap_frac", 0.1),
        # The index: futures at a fixed 4% until 2026-02-19, then at the measured basis.
        ("XYZ100", "2026-02-18T23:00", "futures_discount_apr", 0.04),
        ("XYZ100", "2026-02-19", "futures_discount_apr", "measured"),
        ("NVDA", "2026-02-19", "futures_discount_apr", "none"),
        ("NVDA", "2026-08-15", "external_session", "us_24_5"),
        ("SP500", "2026-08-15", "external_session", "us_index_futures"),
        ("GOLD", "2026-08-15", "external_session", "us_index_futures"),
        ("SKHX", "2026-08-15", "external_session", "korea"),
        ("UNITREE", "2026-08-15", "external_session", "none"),
        ("MINIMAX", "2026-08-15", "external_session", "unknown"),
        # Discovery bounds: NVDA 5% and two resets, MU and SKHX 10% and one, EWT none.
        ("NVDA", "2026-08-15", "bound_frac", 0.05),
        ("NVDA", "2026-08-15", "bound_resets", 2),
        ("MU", "2026-08-15", "bound_frac", 0.1),
        ("MU", "2026-08-15", "bound_resets", 1),
        ("SP500", "2026-08-15", "bound_frac", 0.02),
        ("XYZ100", "2026-08-15", "bound_frac", 0.035),
        ("CL", "2026-03-12T23:00", "bound_resets", 0),
        ("CL", "2026-03-13", "bound_resets", 2),
        ("CL", "2026-03-13", "bound_threshold_frac", 0.9),
        ("EWT", "2026-08-15", "bound_resets", 0),
        ("TSLA", "2026-08-15", "bound_resets", "unknown"),
        ("TSLA", "2026-03-01", "bound_resets", 0),
        ("NVDA", "2026-03-01", "margin_modes", "strict_isolated"),
        ("XYZ100", "2026-03-01", "margin_modes", "isolated"),
        ("NVDA", "2026-08-15", "margin_modes", "cross_isolated"),
        ("HOOD", "2026-08-15", "margin_modes", "isolated"),
        ("XYZ100", "2025-10-13", "oi_cap_usd", 100e6),
        ("XYZ100", "2025-12-13", "oi_cap_usd", 150e6),
        ("XYZ100", "2026-03-01", "oi_cap_usd", 300e6),
        ("AAPL", "2026-08-15", "oi_cap_usd", 150e6),
        ("AAPL", "2026-09-18", "oi_cap_usd", 200e6),
        ("SP500", "2026-09-18", "oi_cap_usd", 1.25e9),
        ("NVDA", "2026-08-15", "mark_rule", "median"),
        ("NVDA", "2026-08-15", "mark_ema_seconds", 150),
        ("NVDA", "2026-08-15", "mark_step_frac", 0.01),
        ("NVDA", "2026-08-15", "dividends", "none"),
        ("NVDA", "2026-08-15", "splits", "settle"),
        ("NVDA", "2026-08-15", "maintenance_share_frac", 0.5),
    ],
)
def test_xyz(coin, when, key, value):
    assert at("xyz", key, when, f"xyz:{coin}") == value


def test_bounds_of_xyz_follow_the_leverage():
    # 10x 10%, 20x 5%, 25x 4%, 50x 2%; XYZ100 at 30x is published as 3.5%.
    venue = load_venue("xyz")
    seen = set()
    for coin in venue.named():
        for when in venue.dates(coin):
            bound = venue.at("bound_frac", when, coin).value
            leverage = venue.at("max_leverage", when, coin).value
            if (coin, leverage) != ("xyz:XYZ100", 30):
                assert bound == pytest.approx(1 / leverage), (coin, when)
            seen.add(leverage)
    assert seen == {10, 20, 25, 30, 50}


@pytest.mark.parametrize(
    ("venue", "coin", "when", "key", "value"),
    [
        ("cash", "cash:USA500", "2026-04-01", "futures_discount_apr", 0.0275),
        ("cash", "cash:USA500", "2026-04-01", "max_leverage", 20),
        ("cash", "", "2026-04-01", "quote", "USDT"),
        ("vntl", "vntl:SPACEX", "2026-01-01", "funding_formula", "ventuals"),
        ("vntl", "vntl:SPACEX", "2026-01-01", "funding_multiplier", 0.005),
        ("vntl", "vntl:SPACEX", "2026-01-01", "funding_gap_frac", 0.19),
        ("vntl", "vntl:SPACEX", "2026-06-01", "funding_multiplier", "unknown"),
        ("vntl", "vntl:SPACEX", "2026-01-01", "external_session", "none"),
        ("vntl", "vntl:MAG7", "2026-01-01", "funding_multiplier", 1.0),
        ("flx", "flx:TSLA", "2026-01-01", "oi_cap_usd", 4.5e6),
        ("flx", "flx:TSLA", "2026-01-01", "oracle_closed", "ewma"),
        ("km", "km:US500", "2026-04-01", "max_leverage", 25),
        ("km", "", "2026-04-01", "collateral", "USDH"),
        ("mkts", "mkts:USTECH", "2026-09-01", "interest_8h", 0.0000456621),
        ("hyna", "hyna:BTC", "2026-01-01", "max_leverage", 40),
        ("hyna", "hyna:BTC", "2026-01-01", "collateral", "USDe"),
        ("para", "", "2026-09-01", "funding_multiplier", 0.6),
        ("orderly", "", "2026-09-01", "margin_modes", "isolated"),
        ("kraken", "", "2026-09-01", "max_leverage", 20),
        ("kraken", "", "2026-09-01", "dividends", "total_return"),
        ("bybit", "", "2026-09-01", "funding_formula", "cfd_swap"),
        ("bybit", "", "2026-09-01", "interest_8h", "none"),
        ("bybit", "", "2026-09-01", "swap_short_1d", "unknown"),
        ("bybit", "", "2026-09-01", "dividends", "debit_shorts"),
        ("lighter", "", "2026-09-01", "oracle_closed", "blend"),
        ("lighter", "", "2026-09-01", "blend_tau_hours", "unknown"),
        ("lighter", "", "2026-09-01", "premium", "one_sided"),
        ("aster", "", "2026-09-01", "max_leverage", 10),
        ("aster", "", "2026-09-01", "dividends", "debit_shorts"),
        ("edgex", "", "2026-09-01", "mark_step_frac", 0.005),
        ("gmtrade", "", "2026-09-01", "funding_formula", "unknown"),
        ("ondo", "", "2026-09-01", "collateral", "unknown"),
    ],
)
def test_the_others(venue, coin, when, key, value):
    assert at(venue, key, when, coin) == value


def test_interest_of_mkts_is_five_percent_a_year():
    assert at("mkts", "interest_8h", "2026-09-01", "mkts:US500") * 1095 == pytest.approx(0.05)


@pytest.mark.parametrize(
    ("venue", "end"),
    [
        ("flx", "2026-06-20"),  # settled on 06-19 or 06-20
        ("vntl", "2026-07-01"),  # in June
        ("cash", "2026-07-02"),  # between 06-30 and 07-02
        ("hyna", "2026-09-03"),  # last candle 09-02
        ("km", "2026-09-24"),  # gone by then
    ],
)
def test_a_closed_venue_is_not_played_on(venue, end):
    coins = [CoinTerms(f"{venue}:X", venue, {})]

    def until(when_ns):
        hours = np.arange(when_ns - 3 * HOUR_NS, when_ns + 1, HOUR_NS)
        return resolve_terms(coins, hours, {}, TAKER, frozenset())

    assert len(until(ns(end)).era) == 4
    with pytest.raises(
        DataError,
        match=rf"^{venue}: {venue}:X cannot be played on {end} 01:00Z, the venue closed on {end} "
        rf"\(GitHub .*\); end the run by then with end = {end} in the run file \(or --to {end}\)$",
    ):
        until(ns(end) + HOUR_NS)


def test_the_others_trade_on():
    closed = {name for name in venue_names() if load_venue(name).closed is not None}
    assert closed == {"flx", "vntl", "cash", "hyna", "km"}
