"""The rulebook: its dated truths, its records, and what it refuses.

Expected values are written by hand from the documents named beside them.
"""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from perpkit.arrays import TERM, Closed, Formula, Mode, Session
from perpkit.errors import DataError, RequestError
from perpkit.market.oracle import within_steps
from perpkit.rulebook import (
    ISSUER_KEYS,
    VENUE_KEYS,
    CoinTerms,
    TermChoice,
    issuer_names,
    load_issuer,
    load_venue,
    resolve_terms,
    venue_names,
)
from perpkit.rulebook.reader import HOME, read_venue
from perpkit.units import HOUR_NS, to_ns

TAKER = TermChoice("taker", None, 0.0002, 0.0001)
NONE_NEEDED: frozenset[str] = frozenset()


def ns(text):
    return to_ns(datetime.fromisoformat(text).replace(tzinfo=UTC))


def hours(start, count):
    return ns(start) + np.arange(count, dtype=np.int64) * HOUR_NS


def xyz(*names, **dataset):
    return [CoinTerms(f"xyz:{name}", "xyz", dataset) for name in names]


def resolve(coins, time_ns, overrides=None, choice=TAKER, needs=NONE_NEEDED):
    return resolve_terms(coins, time_ns, overrides or {}, choice, frozenset(needs))


def at(key, when, coin="xyz:NVDA"):
    return load_venue("xyz").at(key, ns(when), coin)


# --- what the venues' files say


def test_every_file_loads():
    for name in venue_names():
        assert load_venue(name).blocks.keys() == VENUE_KEYS.keys()
    stocks = (
        "backed binance coinbase dinari formed ondo robinhood robinhood_eu securitize simulated"
    )
    funds = "blackrock circle franklin ondo_ousg ondo_usdy superstate"
    assert issuer_names() == sorted([*stocks.split(), *funds.split()])
    for name in issuer_names():
        assert load_issuer(name).blocks.keys() == ISSUER_KEYS.keys()


def test_every_source_is_cited():
    for path in HOME.glob("*/*.toml"):
        head, body = path.read_text(encoding="utf-8").split("[[blocks]]", 1)
        tags = [line.split(" = ")[0] for line in head.split("[sources]")[1].split("\n")]
        cited = {
            tag
            for part in (head + body).split('source = "')[1:]
            for tag in part.split('"')[0].split(", ")
        }
        assert {tag for tag in tags if tag} == cited, path.name


def test_a_settled_rate_follows_from_the_terms():
    # xyz:TSLA, 2026-08-01 19:00:00.030: premium -0.0008459994, fundingRate -0.000034125.
    when, coin, premium = "2026-08-01T19:00", "xyz:TSLA", -0.0008459994
    clamp = at("clamp_8h", when, coin).value
    gap = max(-clamp, min(clamp, at("interest_8h", when, coin).value - premium))
    rate = at("funding_multiplier", when, coin).value * (premium + gap) / 8
    assert rate == pytest.approx(-0.000034125, abs=5e-11)


@pytest.mark.parametrize(
    ("key", "when", "value", "confidence"),
    [
        # Funding-rate changelog of trade.xyz: x 0.5 since 2025-12-19.
        ("funding_multiplier", "2025-12-18T23:59", 1.0, "documented"),
        ("funding_multiplier", "2025-12-19T00:00", 0.5, "verified"),
        ("clamp_8h", "2026-07-31T23:00", 0.0003, "assumed"),
        ("clamp_8h", "2026-08-01T00:00", 0.0003, "verified"),
        # The first recorded contexts are of 2026-02-06: GOLD 4898.6, switches of 2026-02-05.
        ("premium", "2026-02-05T23:00", "two_sided", "assumed"),
        ("premium", "2026-02-06T00:00", "two_sided", "verified"),
        # 10x in the meta of 2026-02-06, 20x in early August, the day between them unknown.
        ("max_leverage", "2025-11-12T00:00", 10, "documented"),
        ("max_leverage", "2026-02-06T00:00", 10, "verified"),
        ("max_leverage", "2026-08-06T23:00", 10, "assumed"),
        ("max_leverage", "2026-08-07T00:00", 20, "assumed"),
        ("backstop_frac", "2026-08-06T23:00", "none", "documented"),
        ("backstop_frac", "2026-08-07T00:00", 2 / 3, "documented"),
        # lastGrowthModeChangeTime 2025-11-23T17:37:10.
        ("growth_mode", "2025-11-23T17:00", False, "documented"),
        ("growth_mode", "2025-11-23T18:00", True, "verified"),
        ("step_frac", "2026-08-12T00:00", 0.005, "documented"),
        ("updates_per_hour", "2026-08-12T00:00", 1200, "documented"),
        ("step_base", "2026-08-12T00:00", "oracle", "documented"),
        ("cap_1h", "2026-08-12T00:00", 0.04, "documented"),
    ],
)
def test_terms_of_xyz_in_time(key, when, value, confidence):
    found = at(key, when)
    assert (found.value, found.confidence) == (value, confidence)
    assert found.place == "venues/xyz.toml"
    assert found.since_ns <= ns(when)


@pytest.mark.parametrize(
    ("coin", "when", "key", "value"),
    [
        ("xyz:MSTR", "2026-08-12", "growth_mode", False),  # meta of August: no growth
        ("xyz:GOLD", "2026-08-12", "growth_mode", False),
        ("xyz:STRC", "2026-08-12", "growth_mode", False),
        ("xyz:PURRDAT", "2026-08-12", "growth_mode", False),
        ("xyz:HOOD", "2026-08-12", "growth_mode", True),
        ("xyz:RIVN", "2026-01-06T14:00", "growth_mode", False),  # stamped 2026-01-06T14:22:02
        ("xyz:RIVN", "2026-01-06T15:00", "growth_mode", True),
        ("xyz:XYZ100", "2025-11-01", "max_leverage", 20),  # November 2025
        ("xyz:XYZ100", "2026-02-06", "max_leverage", 25),
        ("xyz:XYZ100", "2026-08-12", "max_leverage", 30),
        ("xyz:SP500", "2026-08-12", "max_leverage", 50),
        ("xyz:EWY", "2026-08-12", "max_leverage", 20),
        ("xyz:MU", "2026-08-12", "max_leverage", 10),
        ("xyz:MU", "2026-08-12", "backstop_frac", 2 / 3),  # 10x, cross
        ("xyz:HOOD", "2026-08-12", "backstop_frac", "none"),  # 10x, isolated
        ("xyz:EWY", "2026-08-12", "backstop_frac", "none"),  # 20x, isolated
        ("xyz:INTC", "2026-08-12", "sz_decimals", 2),
        ("xyz:COST", "2026-08-12", "sz_decimals", 4),
        ("xyz:JP225", "2026-08-12", "sz_decimals", 5),
        ("xyz:PURRDAT", "2026-08-12", "sz_decimals", 0),
        ("xyz:IREN", "2026-10-12", "sz_decimals", "unknown"),  # listed later, not in the meta
        ("xyz:UNITREE", "2026-10-12", "funding_multiplier", 0.005),
    ],
)
def test_terms_of_coins(coin, when, key, value):
    assert at(key, when, coin).value == value


def test_a_source_reads_as_a_public_name():
    source = at("clamp_8h", "2026-08-12").source
    assert source.startswith("recorded settlement of xyz:TSLA, 2026-08-01 19:00 UTC")
    assert "trade.xyz's own pages print 0.0005" in at("clamp_8h", "2026-07-01").source


def test_before_the_first_block_there_is_nothing():
    with pytest.raises(
        DataError,
        match=r"^venues/xyz\.toml: clamp_8h of xyz:NVDA is not known on 2025-10-12 23:00Z, the "
        r"file starts on 2025-10-13; start the run then or later, or the dataset [^;]*--from$",
    ):
        at("clamp_8h", "2025-10-12T23:00")
    with pytest.raises(DataError, match="starts on 2025-09-01"):
        load_issuer("ondo").at("dividends", ns("2025-08-31"))


@pytest.mark.parametrize(
    ("issuer", "when", "key", "value"),
    [
        ("robinhood", "2026-08-12", "quote_session", "24/5"),  # frozen Fri 20:00 to Sun 20:00 ET
        ("robinhood", "2026-08-12", "trade_fee_frac", 0.0),
        ("robinhood", "2025-12-31", "dividends", "cash"),  # the EU app's token of 2025
        ("robinhood", "2026-08-21", "dividends", "multiplier"),  # Robinhood Chain's uiMultiplier
        ("binance", "2026-08-12", "quote_session", "24/7"),
        ("binance", "2026-08-12", "trade_fee_frac", "unknown"),
        ("ondo", "2026-08-12", "quote_session", "24/5"),
        ("ondo", "2026-08-12", "withholding_frac", 0.3),
        ("ondo", "2026-08-12", "min_order_usd", 1),
        ("backed", "2026-08-12", "quote_session", "24/7"),
        ("backed", "2026-08-12", "withholding_frac", "unknown"),
        ("simulated", "2026-08-12", "quote_session", "24/5"),
        ("ondo", "2026-08-12", "premium_pause_frac", 0.01),
        ("ondo", "2026-08-12", "mint_session", "24/5"),
        ("ondo", "2026-08-12", "inventory_usd", "unknown"),
        ("backed", "2026-08-12", "split_at", "00:00"),
        ("backed", "2026-08-12", "mint_fee_frac", "unknown"),
        ("robinhood", "2025-12-31", "transferable", False),  # a contract of the app
        ("robinhood", "2026-07-01", "transferable", True),  # its chain is live
        ("robinhood_eu", "2026-08-12", "form", "contract"),
        ("dinari", "2026-08-20", "multiplier_kind", "rebase"),
        ("dinari", "2026-08-20", "dividends", "cash"),
        ("coinbase", "2026-08-20", "receiver_check", "policy"),
        ("securitize", "2026-08-20", "form", "registered_share"),
    ],
)
def test_terms_of_issuers(issuer, when, key, value):
    found = load_issuer(issuer).at(key, ns(when))
    assert found.value == value
    assert found.place == f"issuers/{issuer}.toml"


def test_what_an_issuer_may_do_is_known_of_each_word_it_uses():
    with pytest.raises(DataError, match=r"no key mint_fees_frac, did you mean mint_fee_frac"):
        load_issuer("ondo").at("mint_fees_frac", ns("2026-08-12"))


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(DataError, match="no venue xyx in the rulebook, did you mean xyz"):
        load_venue("xyx")
    with pytest.raises(DataError, match=r"no issuer robinhod in the .*, did you mean robinhood"):
        load_issuer("robinhod")
    with pytest.raises(DataError, match="no key clmap_8h, did you mean clamp_8h"):
        at("clmap_8h", "2026-08-12")


# --- the record


def test_the_baseline_record():
    coin = CoinTerms("NVDA", "baseline", {})
    resolved = resolve([coin], hours("2024-01-01", 3))
    assert resolved.terms.dtype.fields.keys() == TERM.fields.keys()
    assert resolved.terms.shape == (1, 1)
    assert resolved.era.tolist() == [0, 0, 0]
    none = float("nan")
    made = dict(zip(TERM.names, resolved.terms[0, 0].tolist(), strict=True))
    assert made == pytest.approx(
        {
            "interest_8h": 0.0001,  # 0.01% per 8 h
            "clamp_8h": 0.0005,  # 0.05%
            "cap_1h": 0.04,
            "funding_multiplier": 1.0,
            "interval_hours": 1.0,
            "two_sided": 0.0,
            "step_frac": 0.01,
            "updates_per_hour": 1.0,
            "step_on_mark": 0.0,  # from the last oracle
            "external_session": Session.ALWAYS,
            "oracle_closed": Closed.EXTERNAL,
            "oracle_tau_hours": none,
            "ewma_cap_frac": none,
            "blend_tau_hours": none,
            "median_mark": 0.0,  # the book's mid
            "mark_ema_seconds": none,
            "mark_step_frac": none,
            "bound_frac": none,
            "bound_threshold_frac": none,
            "bound_resets": none,
            "bound_always": 0.0,
            "funding_formula": Formula.PREMIUM,
            "funding_gap_frac": none,
            "swap_long_1d": none,
            "swap_short_1d": none,
            "margin_modes": Mode.CROSS,
            "initial_frac": 0.1,  # 10x
            "initial2_frac": 0.0,  # one tier
            "initial2_off_usd": 0.0,
            "initial3_frac": 0.0,
            "initial3_off_usd": 0.0,
            "maintenance_frac": 0.05,  # half of it
            "maintenance2_frac": 0.0,
            "maintenance2_off_usd": 0.0,
            "maintenance3_frac": 0.0,
            "maintenance3_off_usd": 0.0,
            "partial_frac": 0.2,
            "partial_above_usd": 100_000.0,
            "backstop_frac": 2 / 3,
            "fee_frac": 0.00045,
            "cost_frac": 0.0003,  # 2 bp half-spread, 1 bp slippage
            "lots_per_unit": 1000.0,
            "min_order_usd": 10.0,
            "max_order_usd": none,
        },
        rel=1e-15,
        nan_ok=True,
    )


def test_margins_halve_the_initial_rate_at_maximum_leverage():
    # Hyperliquid margining: 20x gives 2.5%, 10x 5%, 50x 1%.
    coins, when = xyz("NVDA", "HOOD", "SP500"), hours("2026-08-12", 1)
    now = resolve(coins, when).terms[0]
    assert now.initial_frac.tolist() == [0.05, 0.1, 0.02]
    assert now.maintenance_frac.tolist() == [0.025, 0.05, 0.01]
    now = resolve(coins, when, choice=TAKER._replace(leverage=5)).terms[0]
    assert now.initial_frac.tolist() == [0.2, 0.2, 0.2]
    assert now.maintenance_frac.tolist() == [0.025, 0.05, 0.01]


def test_fees_with_and_without_growth_mode():
    # 0.009% and 0.003% with growth mode, 0.09% and 0.03% without.
    coins, when = xyz("NVDA", "MSTR"), hours("2026-08-12", 1)
    taker = resolve(coins, when).terms[0].fee_frac
    maker = resolve(coins, when, choice=TAKER._replace(liquidity="maker")).terms[0].fee_frac
    assert taker.tolist() == pytest.approx([0.00009, 0.0009], rel=1e-12)
    assert maker.tolist() == pytest.approx([0.00003, 0.0003], rel=1e-12)
    before = resolve(xyz("NVDA"), hours("2025-11-23T17:00", 2))
    assert before.terms[before.era, 0].fee_frac.tolist() == pytest.approx([0.0009, 0.00009])


def test_codes_lots_and_the_backstop():
    now = resolve(xyz("NVDA", "HOOD", "PURRDAT"), hours("2026-08-12", 1)).terms[0]
    assert now.two_sided.tolist() == [1.0, 1.0, 1.0]
    assert now.step_on_mark.tolist() == [0.0, 0.0, 0.0]
    assert now.lots_per_unit.tolist() == [1000.0, 1000.0, 1.0]
    assert now.backstop_frac[0] == 2 / 3
    assert np.isnan(now.backstop_frac[1])
    stated = {"premium": "one_sided", "step_base": "mark"}
    now = resolve(xyz("NVDA"), hours("2026-08-12", 1), stated).terms[0]
    assert (now.two_sided[0], now.step_on_mark[0]) == (0.0, 1.0)


# --- eras


def test_the_hour_takes_the_block_in_force():
    resolved = resolve(xyz("NVDA", "MSTR"), hours("2025-12-18T22:00", 4))
    assert resolved.era.dtype == np.int64
    assert resolved.era.tolist() == [0, 0, 1, 1]
    assert resolved.terms.shape == (2, 2)
    assert resolved.terms.funding_multiplier.tolist() == [[1.0, 1.0], [0.5, 0.5]]
    assert resolved.terms[resolved.era[2]].funding_multiplier.tolist() == [0.5, 0.5]


def test_a_change_between_hours_counts_from_the_next():
    # Growth mode starts at 17:37:10; the recorded hours are 17:00 and 18:00.
    resolved = resolve(xyz("NVDA"), hours("2025-11-23T17:00", 2))
    assert resolved.era.tolist() == [0, 1]


def test_a_block_without_an_hour_has_no_era():
    # 2026-02-06 and 2026-02-24 lie in the gap: only the later one is in force after it.
    time_ns = np.array([ns("2026-02-05"), ns("2026-03-01"), ns("2026-03-02")])
    resolved = resolve(xyz("HOOD"), time_ns)
    assert resolved.era.tolist() == [0, 1, 1]
    assert len(resolved.terms) == 2


def test_a_change_that_the_run_file_hides_makes_no_era():
    time_ns = hours("2025-12-18", 48)
    assert len(resolve(xyz("NVDA"), time_ns).terms) == 2
    fixed = resolve(xyz("NVDA"), time_ns, {"funding_multiplier": 2})
    assert fixed.terms.funding_multiplier.tolist() == [[2.0]]


def test_a_coins_change_makes_an_era_for_all():
    resolved = resolve(xyz("INTC", "RIVN"), hours("2026-01-06T14:00", 2))
    assert resolved.era.tolist() == [0, 1]
    assert resolved.terms.fee_frac[0].tolist() == pytest.approx([0.00009, 0.0009])
    assert resolved.terms.fee_frac[1].tolist() == pytest.approx([0.00009, 0.00009])


# --- precedence


def test_precedence():
    when, nvda = hours("2026-08-12", 1), "xyz:NVDA"

    def highest(dataset, overrides):
        resolved = resolve(xyz("NVDA", **dataset), when, overrides)
        (used,) = [u for u in resolved.used if u.key == "max_leverage"]
        assert resolved.terms[0, 0].maintenance_frac == 1 / (2 * used.value)
        return used.value, used.place

    assert load_venue("xyz").at("max_leverage", when[0], "xyz:OTHER").value == 10  # venue block
    assert highest({}, {}) == (20, "venues/xyz.toml")  # coin block
    data = {"max_leverage": 16}
    assert highest(data, {}) == (16, "dataset.toml")
    assert highest(data, {"max_leverage": 8}) == (8, "run file")
    both = {"max_leverage": 8, nvda: {"max_leverage": 4}}
    assert highest(data, both) == (4, "run file")
    assert highest(data, dict(reversed(both.items()))) == (4, "run file")


def test_a_coins_override_leaves_the_others():
    overrides = {"clamp_8h": 0.0005, "xyz:NVDA": {"max_leverage": 4}}
    now = resolve(xyz("NVDA", "META"), hours("2026-08-12", 1), overrides).terms[0]
    assert now.clamp_8h.tolist() == [0.0005, 0.0005]
    assert now.initial_frac.tolist() == [0.25, 0.05]


def test_overrides_speak_for_hours_before_the_venue():
    time_ns, needs = hours("2025-10-12T22:00", 4), {"clamp_8h"}
    with pytest.raises(
        DataError, match=r"file starts on 2025-10-13; start the run then or later, or the dataset"
    ):
        resolve(xyz("XYZ100"), time_ns, needs=needs)
    resolved = resolve(xyz("XYZ100"), time_ns, {"clamp_8h": 0.0005}, needs=needs)
    assert resolved.era.tolist() == [0, 0, 1, 1]
    assert resolved.terms.clamp_8h.tolist() == [[0.0005], [0.0005]]
    assert np.isnan(resolved.terms.cap_1h[0, 0])
    assert resolved.terms.cap_1h[1, 0] == 0.04


# --- unknown


def test_unknown_is_nan_where_no_rule_needs_it():
    resolved = resolve(xyz("NVDA", "IREN"), hours("2026-10-12", 1), needs={"clamp_8h"})
    assert resolved.terms.lots_per_unit[0, 0] == 1000.0
    assert np.isnan(resolved.terms.lots_per_unit[0, 1])
    assert ("sz_decimals", ("xyz:NVDA",)) in [(u.key, u.coins) for u in resolved.used]


def test_unknown_is_refused_where_a_rule_needs_it():
    time_ns = hours("2026-10-12", 1)
    with pytest.raises(
        DataError,
        match=r"^xyz: sz_decimals of xyz:IREN is unknown on 2026-10-12, and this run needs it; "
        r'write terms\."xyz:IREN"\.sz_decimals = VALUE in the run file, or '
        r"--set terms\.xyz:IREN\.sz_decimals=VALUE, where VALUE is a whole number from 0 to 12$",
    ):
        resolve(xyz("NVDA", "IREN"), time_ns, needs={"sz_decimals"})
    set_ = {"xyz:IREN": {"sz_decimals": 2}}
    assert resolve(xyz("IREN"), time_ns, set_, needs={"sz_decimals"}).terms.lots_per_unit == 100.0


def test_the_line_is_for_all_coins_where_all_lack_the_term():
    time_ns, needs = hours("2026-10-12", 1), {"sz_decimals"}
    with pytest.raises(
        DataError,
        match=r"of xyz:IREN \(and of xyz:NET\) is unknown on .*; write terms\.sz_decimals = V",
    ):
        resolve(xyz("IREN", "NET"), time_ns, needs=needs)
    with pytest.raises(DataError, match=r'\(and of xyz:NET\) .* write terms\."xyz:IREN"\.sz_decim'):
        resolve(xyz("IREN", "NVDA", "NET"), time_ns, needs=needs)
    assert resolve(xyz("IREN", "NET"), time_ns, {"sz_decimals": 2}, needs=needs).era.tolist() == [0]


def test_all_that_is_unknown_is_told_at_once():
    coins, time_ns = [CoinTerms("TSLA", "okx", {})], hours("2026-03-02", 1)
    with pytest.raises(
        DataError,
        match=r"^okx: mark_rule of TSLA is unknown on 2026-03-02, .*; sz_decimals must be set too$",
    ):
        resolve(coins, time_ns, needs={"mark_rule", "sz_decimals", "funding_multiplier"})


def test_a_word_beyond_the_loops_is_refused_where_a_rule_needs_it():
    coins, time_ns = [CoinTerms("BTC", "hyperliquid", {})], hours("2026-01-01", 1)
    assert resolve(coins, time_ns).era.tolist() == [0]
    with pytest.raises(
        DataError,
        match=r'^hyperliquid: mark_rule of BTC is "median_perps", which perpkit does not play, on '
        r"2026-01-01, and this run needs it; write terms\.mark_rule = VALUE in the run file",
    ):
        resolve(coins, time_ns, needs={"mark_rule"})
    assert resolve(coins, time_ns, {"mark_rule": "median"}, needs={"mark_rule"}).era.tolist() == [0]


def test_no_step_limit_reaches_every_price():
    coins = [CoinTerms("BTC", "hyperliquid", {})]
    now = resolve(coins, hours("2026-01-01", 1), needs={"step_frac"}).terms[0, 0]
    with np.errstate(over="ignore"):
        for target in (1e-9, 100.0, 1e9):
            assert within_steps(target, 100.0, now.step_frac, now.updates_per_hour) == target


def test_maintenance_is_a_share_of_the_initial_margin():
    told = {"max_leverage": 4, "maintenance_share_frac": 0.6}
    now = resolve(xyz("NVDA"), hours("2026-08-12", 1), told).terms[0, 0]
    assert (now.initial_frac, now.maintenance_frac) == (0.25, 0.15)


def test_what_enters_no_record_makes_no_era():
    # 2026-09-18: the cap on AAPL's open interest; nothing else of it changes that day.
    time_ns = hours("2026-09-17T23:00", 3)
    assert len(resolve(xyz("AAPL"), time_ns).terms) == 1
    assert len(resolve(xyz("AAPL"), time_ns, needs={"oi_cap_usd"}).terms) == 2


def test_no_backstop_is_known():
    resolved = resolve(xyz("HOOD"), hours("2026-08-12", 1), needs={"backstop_frac"})
    assert np.isnan(resolved.terms.backstop_frac[0, 0])
    assert [u.value for u in resolved.used if u.key == "backstop_frac"] == ["none"]
    with pytest.raises(DataError, match="backstop_frac of xyz:HOOD is unknown"):
        resolve(
            xyz("HOOD"),
            hours("2026-08-12", 1),
            {"backstop_frac": "unknown"},
            needs={"backstop_frac"},
        )


def test_a_needed_fee_needs_its_growth_mode():
    time_ns, unknown = hours("2026-08-12", 1), {"growth_mode": "unknown"}
    assert np.isnan(resolve(xyz("HOOD"), time_ns, unknown).terms.fee_frac[0, 0])
    with pytest.raises(DataError, match="growth_mode of xyz:HOOD is unknown"):
        resolve(xyz("HOOD"), time_ns, unknown, needs={"taker_frac"})
    off = {"growth_mode": False, "growth_factor": "unknown"}  # without growth, no factor
    assert resolve(xyz("HOOD"), time_ns, off, needs={"taker_frac"}).terms.fee_frac == 0.0009


# --- leverage


def test_leverage_above_a_coins_maximum_is_refused():
    choice = TAKER._replace(leverage=20)
    assert resolve(xyz("NVDA"), hours("2026-08-07", 2), choice=choice).terms.initial_frac == 0.05
    # One hour of the run before the 20x is enough.
    with pytest.raises(
        RequestError, match=r"20 is above the 10 that xyz allows xyz:NVDA from 2026-08-06 23:00Z"
    ):
        resolve(xyz("NVDA"), hours("2026-08-06T23:00", 2), choice=choice)
    with pytest.raises(RequestError, match="the 10 that xyz allows xyz:HOOD from 2026-08-12;"):
        resolve(xyz("NVDA", "HOOD"), hours("2026-08-12", 2), choice=choice)


@pytest.mark.parametrize("leverage", [0.5, 0, -3, float("nan"), float("inf")])
def test_leverage_is_a_number_of_at_least_one(leverage):
    with pytest.raises(RequestError, match="leverage must be"):
        resolve(xyz("NVDA"), hours("2026-08-12", 1), choice=TAKER._replace(leverage=leverage))


# --- what was used


def test_used_merges_coins_and_names_the_exceptions():
    coins = xyz("NVDA", "META", "MSTR")
    used = resolve(coins, hours("2026-08-12", 24), {"clamp_8h": 0.0005}, needs={"clamp_8h"}).used
    by_scope = {(u.key, u.scope): u for u in used}
    clamp = by_scope["clamp_8h", "xyz"]
    assert clamp.coins == ("xyz:NVDA", "xyz:META", "xyz:MSTR")
    assert (clamp.value, clamp.place, clamp.confidence) == (0.0005, "run file", "assumed")
    assert (clamp.from_ns, clamp.needed) == (0, True)
    assert by_scope["growth_mode", "xyz:MSTR"].value is False
    growth = by_scope["growth_mode", "xyz:NVDA, xyz:META"]
    assert (growth.value, growth.needed) == (True, False)
    assert growth.from_ns == ns("2025-11-23T17:37:10")
    assert len(by_scope) == len(used)
    assert "maker_frac" not in {u.key for u in used}


def test_used_lists_each_era():
    used = resolve(xyz("NVDA"), hours("2025-12-18", 48)).used
    m = [(u.value, u.from_ns) for u in used if u.key == "funding_multiplier"]
    assert m == [(1.0, ns("2025-10-13")), (0.5, ns("2025-12-19"))]
    assert len([u for u in used if u.key == "clamp_8h"]) == 1


# --- refusals of overrides


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"clmap_8h": 0.1}, "run file: terms.clmap_8h is not a term .*did you mean clamp_8h"),
        ({"xyz:NVDA": {"leverage": 1}}, 'terms."xyz:NVDA".leverage .*did you mean max_leverage'),
        ({"xyz:NVDIA": {"clamp_8h": 0.1}}, "terms of xyz:NVDIA, .*did you mean xyz:NVDA"),
        ({"clamp_8h": 5}, r"terms.clamp_8h must be a number in \[0, 1\) or \"none\", not 5"),
        ({"clamp_8h": -0.1}, "clamp_8h must be"),
        ({"clamp_8h": "0.1"}, "clamp_8h must be"),
        ({"funding_multiplier": True}, "funding_multiplier must be"),
        ({"clamp_8h": "none"}, 'clamp_8h of xyz:NVDA on 2026-08-12 must be a number .*"premium";'),
        ({"clamp_8h": [0.1]}, "clamp_8h must be"),
        ({"clamp_8h": float("nan")}, "clamp_8h must be"),
        ({"interest_8h": -1}, "interest_8h must be"),
        ({"taker_frac": 1.0}, "taker_frac must be"),
        ({"max_leverage": 0.5}, "max_leverage must be"),
        ({"interval_hours": 5}, "interval_hours must be a divisor of 24"),
        ({"interval_hours": 0}, "interval_hours must be"),
        ({"updates_per_hour": 0}, "updates_per_hour must be"),
        ({"updates_per_hour": 1.5}, "updates_per_hour must be a whole number"),
        ({"funding_multiplier": 10.1}, "funding_multiplier must be"),
        ({"premium": "both"}, 'premium must be "two_sided" or "one_sided"'),
        ({"step_base": "mid"}, "step_base must be"),
        ({"growth_mode": 1}, "growth_mode must be true or false"),
        ({"backstop_frac": "no"}, "backstop_frac must be"),
        ({"sz_decimals": 1.5}, "sz_decimals must be"),
        ({"min_order_usd": -1}, "min_order_usd must be"),
    ],
)
def test_a_wrong_override_is_refused(overrides, message):
    with pytest.raises(RequestError, match=message):
        resolve(xyz("NVDA"), hours("2026-08-12", 1), overrides)


@pytest.mark.parametrize(
    "overrides",
    [
        {"funding_multiplier": 10},
        {"funding_multiplier": 0},
        {"interest_8h": -0.01},
        {"maker_frac": -0.00003},  # a rebate
        {"interval_hours": 8.0},
        {"max_leverage": 1},
        {"growth_factor": 1},
        {"backstop_frac": "none"},
    ],
)
def test_the_edge_of_a_range_is_legal(overrides):
    resolve(xyz("NVDA"), hours("2026-08-12", 1), overrides)


def test_a_wrong_term_of_the_dataset_is_refused():
    with pytest.raises(DataError, match=r'dataset.toml: perps."xyz:NVDA".nothing .*there is fundi'):
        resolve(xyz("NVDA", nothing=3), hours("2026-08-12", 1))
    with pytest.raises(DataError, match=r'perps\."xyz:NVDA"\.sz_decimals must be a whole number'):
        resolve(xyz("NVDA", sz_decimals=-1), hours("2026-08-12", 1))


def test_a_need_that_is_no_key_is_the_callers_fault():
    with pytest.raises(KeyError, match="clamp"):
        resolve(xyz("NVDA"), hours("2026-08-12", 1), needs={"clamp"})


# --- refusals of files


def write(tmp_path: Path, more="", **changed):
    """A venue file in which each key's entry may be replaced; None leaves it out."""
    lines = {key: entry(key, value='"unknown"') for key in VENUE_KEYS} | changed
    head = 'schema = 1\nvenue = "other"\n[sources]\nDOC = "a document"\n[[blocks]]\n'
    body = "\n".join(line for line in lines.values() if line is not None)
    path = tmp_path / "other.toml"
    path.write_text(f"{head}from = 2026-01-01\n{body}\n{more}", encoding="utf-8")
    return path


def entry(key, **parts):
    parts = {"value": "0.1", "source": '"DOC"', "confidence": '"assumed"'} | parts
    inner = ", ".join(f"{name} = {text}" for name, text in parts.items() if text is not None)
    return f"{key} = {{ {inner} }}"


def test_dates_are_utc(tmp_path):
    later = "\n".join(
        f"[[blocks]]\nfrom = {date}\n{entry('clamp_8h', value=value)}"
        for date, value in [
            ("2026-01-02", "0.2"),
            ("2026-01-03T05:00:00", "0.3"),
            ("2026-01-04T00:00:00-05:00", "0.4"),
        ]
    )
    venue = read_venue(write(tmp_path, later))
    assert [value.since_ns for value in venue.blocks["clamp_8h"]] == [
        ns("2026-01-01"),
        ns("2026-01-02"),
        ns("2026-01-03T05:00"),
        ns("2026-01-04T05:00"),
    ]
    assert not venue.at("clamp_8h", ns("2026-01-01T23:59"), "any").known
    assert venue.at("clamp_8h", ns("2026-01-02"), "any").value == 0.2


def test_a_coins_value_wins_once_it_is_in_force(tmp_path):
    coins = '[[coins]]\nnames = ["a", "b"]\nfrom = 2026-02-01\n' + entry("clamp_8h", value="0.2")
    block = "[[blocks]]\nfrom = 2026-03-01\n" + entry("clamp_8h", value="0.3")
    venue = read_venue(write(tmp_path, f"{block}\n{coins}"))
    seen = [
        [venue.at("clamp_8h", ns(d), c).value for d in ("2026-01-15", "2026-02-15", "2026-03-15")]
        for c in ("a", "c")
    ]
    assert seen == [["unknown", 0.2, 0.2], ["unknown", "unknown", 0.3]]


LATER = "[[blocks]]\nfrom = 2026-02-01\n"


@pytest.mark.parametrize(
    ("more", "changed", "message"),
    [
        ("", {"clamp_8h": None}, 'the first block lacks clamp_8h; state it, if only as "unknown"'),
        ("", {"x": entry("clmap_8h")}, "block 1 has the unknown key clmap_8h, did you mean clamp"),
        ("", {"clamp_8h": "clamp_8h = 0.1"}, "block 1, clamp_8h, must be a table"),
        ("", {"clamp_8h": entry("clamp_8h", source=None)}, "clamp_8h, lacks source"),
        ("", {"clamp_8h": entry("clamp_8h", confidence=None)}, "clamp_8h, lacks confidence"),
        ("", {"clamp_8h": entry("clamp_8h", value=None)}, "clamp_8h, lacks value"),
        ("", {"clamp_8h": entry("clamp_8h", confidence='"sure"')}, "must be verified or docum"),
        ("", {"clamp_8h": entry("clamp_8h", source='"DOCS"')}, "DOCS is not in .*mean DOC"),
        ("", {"clamp_8h": entry("clamp_8h", sauce='"DOC"')}, "unknown key sauce, did you mean sou"),
        ("", {"clamp_8h": entry("clamp_8h", value="1.5")}, r"clamp_8h, must be a number in \[0, 1"),
        (LATER + LATER, {}, "block 3 from 2026-02-01 must come later than the one before"),
        ("[[blocks]]\nfrom = 2025-02-01\n", {}, "block 2 from 2025-02-01 must come later"),
        ("[[blocks]]\n" + entry("clamp_8h"), {}, "block 2 lacks a from date"),
        ('[[blocks]]\nfrom = "2026-02-01"\n', {}, "block 2 lacks a from date"),
        ("[[coins]]\nfrom = 2026-02-01\n", {}, "a block of coins lacks names"),
        (
            f'[[coins]]\nnames = ["a"]\nfrom = 2026-02-01\n{entry("clamp_8h")}\n' * 2,
            {},
            r"coins block 2 \(a\) must come later than the clamp_8h",
        ),
        ('[[coins]]\nnames = ["a"]\nfrom = 2026-02-01\nxyz = 1\n', {}, "unknown key xyz"),
        ("[[coin]]\nx = 1\n", {}, "the file has the unknown key coin, did you mean coins"),
        ("[coins]\nx = 1\n", {}, r"coins must be an array of tables; write \[\[coins\]\]"),
        ("[[blocks\n", {}, "the file is not TOML"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path, more, changed, message):
    path = write(tmp_path, more, **changed)
    with pytest.raises(DataError, match=message) as refusal:
        read_venue(path)
    assert str(refusal.value).startswith(f"{path}: ")


def test_a_file_says_its_own_name(tmp_path):
    path = write(tmp_path).rename(tmp_path / "another.toml")
    with pytest.raises(DataError, match='must say schema = 1 and venue = "another"'):
        read_venue(path)


def test_the_rulebook_loads_without_the_compiler():
    code = "import sys, perpkit.rulebook; sys.exit(bool({'numba', 'polars'} & set(sys.modules)))"
    subprocess.run([sys.executable, "-c", code], check=True)
