"""Recorded funding and premiums against the rulebook, to the last decimal."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from published import Told, premiums, publish, wandering

from perpkit.research.audit import audit_funding, audit_premium, interval_rows
from perpkit.research.history import read_history
from perpkit.rulebook import CoinTerms, open_rulebook
from perpkit.units import HOUR_NS

BOOK = open_rulebook()
CORE = Told.of(("1", "0.0005", "0.0001"))
PRICES = ("oracle_px", "impact_bid_px", "impact_ask_px", "premium")
BASELINE = CoinTerms("X", "baseline", {})


# --------------------------------------------------------------------------- published data


@pytest.mark.shared
def test_every_settlement_of_core_and_xyz_is_exact(shared_data: Path) -> None:
    tested = 0
    for path in (shared_data / "funding" / "funding_core.parquet", shared_data / "xyz-2026-08"):
        history = read_history(path)
        for coin, settled in history.settled.items():
            audit = audit_funding(history.coins[coin], settled, BOOK)
            assert (audit.exact, audit.tested) == (audit.rows, audit.rows), coin
            assert audit.worst_error is not None
            assert audit.tolerance is not None
            assert 4.9e-11 < audit.worst_error < 5.01e-11 < audit.tolerance
            tested += audit.tested
    assert tested == 13_152 + 14_252 + 960 + 9 * 327


@pytest.mark.shared
def test_the_wrong_venue_is_seen_at_once(shared_data: Path) -> None:
    settled = read_history(shared_data / "xyz-2026-08").settled["xyz:NVDA"]
    audit = audit_funding(BASELINE, settled, BOOK)
    assert audit.exact == 0
    assert audit.first_differing_ns == settled.time_ns[0]


def contexts(shared_data: Path) -> list[tuple[str, str, list[dict[str, object]]]]:
    """Recorded contexts of markets: venue of the formula, date, contexts."""
    message = json.loads((shared_data / "api" / "allDexsAssetCtxs_ws.json").read_text())
    found = []
    for dex, ctxs in message["data"]["ctxs"]:
        found.append(("hyperliquid" if dex == "" else "xyz", "2026-06-01", ctxs))
    answers = json.loads((shared_data / "api" / "metaAndAssetCtxs_2025-12-13.json").read_text())
    for answer in answers:
        if answer["request"]["type"] == "metaAndAssetCtxs":
            core = answer["request"].get("dex", "") == ""
            # The copy's prices are of February 2026 (the rulebook dates it so).
            found.append(("hyperliquid" if core else "xyz", "2026-02-07", answer["response"][1]))
    return found


@pytest.mark.shared
def test_recorded_premiums_are_exact(shared_data: Path) -> None:
    exact = {"hyperliquid": 0, "xyz": 0}
    for venue, day, ctxs in contexts(shared_data):
        rows = [c for c in ctxs if c["premium"] is not None and c["impactPxs"] is not None]
        frame = pl.DataFrame(
            {
                "time": [datetime.fromisoformat(day).replace(tzinfo=UTC)] * len(rows),
                "oracle_px": [float(str(c["oraclePx"])) for c in rows],
                "impact_bid_px": [float(c["impactPxs"][0]) for c in rows],  # type: ignore[index]
                "impact_ask_px": [float(c["impactPxs"][1]) for c in rows],  # type: ignore[index]
                "premium": [float(str(c["premium"])) for c in rows],
            },
            schema_overrides={"time": pl.Datetime("ms", "UTC")} | dict.fromkeys(PRICES, pl.Float64),
        )
        audit = audit_premium(CoinTerms("a market", venue, {}), frame, BOOK)
        assert audit.exact == audit.tested == audit.rows == len(rows)
        exact[venue] += audit.exact
    assert exact == {"hyperliquid": 179 + 171 + 190, "xyz": 155 + 33}


# --------------------------------------------------------------------------- made


@given(premiums(1, 30), st.sampled_from([1, 4, 8]))
@settings(max_examples=50, derandomize=True, deadline=None)
def test_what_the_formula_publishes_is_exact(drawn: list[Decimal], hours: int) -> None:
    settled = publish(drawn, [(0, CORE)], hours=hours, cap="0.04")
    audit = audit_funding(BASELINE, settled, BOOK)
    assert audit.exact_frac == 1.0
    assert audit.first_differing_ns is None


def test_one_part_in_a_billion_is_seen() -> None:
    settled = publish(wandering(100), [(0, CORE)])
    settled.funding[17] += 1e-9
    audit = audit_funding(BASELINE, settled, BOOK)
    assert (audit.exact, audit.exact_frac) == (99, 0.99)
    assert audit.worst_ns == audit.first_differing_ns == settled.time_ns[17]
    assert audit.worst_error == pytest.approx(1e-9, abs=6e-11)
    assert (audit.differing_sure, audit.differing_unsure) == (1, 0)


def test_the_tolerance_grows_with_multiplier_and_interval() -> None:
    for hours, told in ((1, 5e-11 * 9 / 8), (8, 1e-10)):
        audit = audit_funding(BASELINE, publish(wandering(50), [(0, CORE)], hours=hours), BOOK)
        assert audit.tolerance == pytest.approx(told, rel=1e-12)


def test_unsure_terms_make_a_difference_a_doubt() -> None:
    # xyz's clamp is assumed before 2026-08-01: 2025-11-24 is within that time.
    settled = publish(wandering(100), [(0, Told.of(("1", "0.0005", "0.0001")))])
    audit = audit_funding(CoinTerms("xyz:NVDA", "xyz", {}), settled, BOOK)
    assert audit.differing_sure == 0
    assert audit.differing_unsure > 20


def test_terms_that_change_are_followed() -> None:
    # xyz's multiplier halves on 2025-12-19, 25 days after the first settlement.
    terms = [
        (0, Told.of(("1", "0.0003", "0.0001"))),
        (25 * 24 - 8, Told.of(("0.5", "0.0003", "0.0001"))),
    ]
    settled = publish(wandering(40 * 24), terms)
    first = int(np.argmax(settled.time_ns >= 490_584 * HOUR_NS))
    terms[1] = (first, terms[1][1])
    settled = publish(wandering(40 * 24), terms)
    assert 0 < first < 40 * 24
    audit = audit_funding(CoinTerms("xyz:NVDA", "xyz", {}), settled, BOOK)
    assert audit.exact_frac == 1.0


def test_a_dataset_overrides_the_rulebook() -> None:
    settled = publish(wandering(100), [(0, Told.of(("0.25", "0.0005", "0.0001")))])
    assert audit_funding(BASELINE, settled, BOOK).exact < 50
    own = CoinTerms("X", "baseline", {"funding_multiplier": 0.25})
    assert audit_funding(own, settled, BOOK).exact == 100


@pytest.mark.parametrize(
    ("terms", "why"),
    [
        ({"clamp_8h": "unknown"}, "clamp_8h unknown"),
        ({"clamp_8h": "unknown", "cap_1h": "unknown"}, "cap_1h, clamp_8h unknown"),
        ({"funding_formula": "ventuals"}, "the formula ventuals needs more than the premium"),
    ],
)
def test_what_is_unknown_is_not_tested(terms: dict[str, object], why: str) -> None:
    settled = publish(wandering(20), [(0, CORE)])
    audit = audit_funding(CoinTerms("X", "baseline", terms), settled, BOOK)
    assert (audit.tested, audit.exact_frac, audit.worst_error) == (0, None, None)
    assert audit.untested == ((why, 20),)


def test_rows_without_a_premium_are_not_tested() -> None:
    settled = publish(wandering(20), [(0, CORE)])
    settled.premium[:5] = np.nan
    audit = audit_funding(BASELINE, settled, BOOK)
    assert (audit.rows, audit.tested, audit.exact) == (20, 15, 15)
    assert audit.untested == (("without a premium", 5),)


def test_capped_rates_are_exact_at_the_cap() -> None:
    settled = publish([Decimal("0.4"), Decimal("-0.4")], [(0, CORE)], cap="0.04")
    assert settled.funding.tolist() == [0.04, -0.04]
    assert audit_funding(BASELINE, settled, BOOK).exact == 2


def test_another_interval_than_the_rulebooks_is_seen() -> None:
    settled = publish(wandering(20), [(0, CORE)], hours=8)
    wrong, sure = interval_rows(BASELINE, settled, BOOK)
    assert (wrong.sum(), sure) == (20, True)
    right, _ = interval_rows(CoinTerms("X", "baseline", {"interval_hours": 8}), settled, BOOK)
    assert not right.any()


def test_premiums_of_one_instant() -> None:
    # The documents' own row: (24,946 + 25,956) / 2 / 25,372 - 1 (two-sided); one-sided it is 0.
    frame = pl.DataFrame(
        {
            "time": [datetime(2026, 8, day, tzinfo=UTC) for day in (15, 15, 16)],
            "oracle_px": [25_372.0, 25_372.0, None],
            "impact_bid_px": [24_946.0, 24_946.0, 24_946.0],
            "impact_ask_px": [25_956.0, 25_956.0, 25_956.0],
            "premium": [0.0031136686, 0.0, 0.0],
        },
        schema_overrides={"time": pl.Datetime("ms", "UTC")},
    )
    two_sided = audit_premium(CoinTerms("xyz:XYZ100", "xyz", {}), frame, BOOK)
    assert (two_sided.rows, two_sided.tested, two_sided.exact) == (2, 2, 1)
    one_sided = audit_premium(BASELINE, frame, BOOK)
    assert one_sided.exact == 1
    unknown = audit_premium(CoinTerms("X", "baseline", {"premium": "unknown"}), frame, BOOK)
    assert unknown.untested == (("premium unknown", 2),)
