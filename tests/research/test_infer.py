"""What is said of terms: values, intervals, and why something stays open."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from published import CORE, XYZ, Told, publish, wandering

from perpkit.export import as_json
from perpkit.research.estimates import simplest
from perpkit.research.feasible import Span
from perpkit.research.history import Settled, intervals, read_history
from perpkit.research.inference import Inferred, as_dict, holds, infer, infer_coin
from perpkit.research.inference import _Coin as Exact
from perpkit.units import HOUR_NS, to_ns

COINS = ("sim:ORCA", "sim:FALC", "sim:LYNX", "sim:HAWK")  # of the demo, on its first venue
OLD, NEW = Told.of(CORE), Told.of(XYZ)


def told_by(found: Inferred, number: int = 0) -> tuple[float | None, ...]:
    one = found.terms[number]
    return tuple(e.simplest for e in (one.multiplier, one.clamp_8h, one.interest_8h))


def calm(*told: str) -> list[Decimal]:
    return [Decimal(x) for x in told]


# --------------------------------------------------------------------------- published data


@pytest.mark.shared
def test_xyz_in_august_2026(shared_data: Path) -> None:
    found = infer(read_history(shared_data / "xyz-2026-08"))
    assert len(found) == 9
    for own in found.values():
        assert told_by(own) == (0.5, 0.0003, 0.0001)
        assert (own.rows, len(own.terms), own.odd, own.switches) == (327, 1, (), ())
        assert own.terms[0].simplest_fit


@pytest.mark.shared
def test_core_since_2024_within_seconds(shared_data: Path) -> None:
    begun = time.perf_counter()
    history = read_history(shared_data / "funding" / "funding_core.parquet")
    found = infer(history)
    assert time.perf_counter() - begun < 10.0
    assert {coin: own.rows for coin, own in found.items()} == {
        "BTC": 13_152,
        "ETH": 14_252,
        "HYPE": 960,
    }
    assert history.repeated == 2_356
    for own in found.values():
        assert told_by(own) == (1.0, 0.0005, 0.0001)
        assert (len(own.terms), own.odd, own.switches) == (1, (), ())
        assert own.terms[0].multiplier.high - own.terms[0].multiplier.low < 1e-6
        assert own.terms[0].clamp_8h.high - own.terms[0].clamp_8h.low < 1e-9


@pytest.mark.shared
def test_spliced_from_core_and_xyz(shared_data: Path) -> None:
    core = read_history(shared_data / "funding" / "funding_core.parquet").settled["HYPE"]
    for coin, own in read_history(shared_data / "xyz-2026-08").settled.items():
        both = Settled(
            np.concatenate([core.time_ns, own.time_ns]),
            np.concatenate([core.hours, own.hours]),
            np.concatenate([core.funding, own.funding]),
            np.concatenate([core.premium, own.premium]),
        )
        found = infer_coin(coin, both)
        (switch,) = found.switches
        assert switch.after_ns <= core.time_ns[-1]
        assert switch.by_ns >= own.time_ns[0]
        assert [told_by(found, n) for n in (0, 1)] == [(1.0, 0.0005, 0.0001), (0.5, 0.0003, 0.0001)]


@pytest.mark.shared
def test_the_older_rules_of_2023(shared_data: Path) -> None:
    # Settled every 8 hours at first; clamp 3 bp, then none from 16 June to 15 July, then one again.
    recorded = json.loads((shared_data / "api" / "fundingHistory_BTC_2023.json").read_text())
    (rows,) = [e["response"] for e in recorded if e["request"]["type"] == "fundingHistory"]
    hour = np.array([row["time"] for row in rows], np.int64) // 3_600_000 * HOUR_NS
    hours = intervals(hour)
    assert hours is not None
    rates, premiums = (
        np.array([float(row[k]) for row in rows]) for k in ("fundingRate", "premium")
    )
    found = infer_coin("BTC", Settled(hour, hours, rates, premiums))
    assert found.decimals == 8
    assert [h for _, h in found.intervals] == [8, 1]
    assert told_by(found, 0) == (1.0, 0.0003, 0.0001)
    first, second = found.switches
    assert to_ns(datetime(2023, 6, 16, 20, tzinfo=UTC)) == first.after_ns
    assert to_ns(datetime(2023, 6, 16, 21, tzinfo=UTC)) == first.by_ns
    assert to_ns(datetime(2023, 7, 15, 2, tzinfo=UTC)) == second.after_ns
    none = found.terms[1]
    assert none.multiplier.simplest == 1.0
    assert none.clamp_8h.high < 1e-8
    assert "the clamp is 0 within rounding" in none.interest_8h.why
    assert not found.terms[2].multiplier.identified


def test_the_demo_gives_back_what_it_was_made_with() -> None:
    found = infer(read_history(Path(__file__).parents[2] / "data" / "demo"))
    for coin in COINS:
        assert told_by(found[coin]) == (1.0, 0.0005, 0.0001)
        assert found[coin].rows == 8_760


# --------------------------------------------------------------------------- what stays open


def test_all_at_the_baseline_shows_the_product_alone() -> None:
    found = infer_coin(
        "X", publish(calm("0.0001000003", "0.0000512347", "0.0001512349"), [(0, NEW)])
    )
    (one,) = found.terms
    assert (one.at_baseline, one.below, one.above) == (3, 0, 0)
    assert one.baseline_8h.simplest == 0.00005
    for estimate in (one.multiplier, one.clamp_8h, one.interest_8h):
        assert not estimate.identified
        assert (
            estimate.why
            == "every rate is at the baseline, which shows only multiplier times interest"
        )
    assert one.multiplier.low <= 0.5 <= one.multiplier.high
    assert one.simplest_fit is None


def test_one_rate_off_the_baseline_is_too_little() -> None:
    found = infer_coin("X", publish(calm("0.0001000003", "0.0002", "0.0015"), [(0, OLD)]))
    (one,) = found.terms
    assert (one.at_baseline, one.below, one.above) == (2, 0, 1)
    assert one.multiplier.why == one.clamp_8h.why != ""
    assert one.multiplier.why.startswith("one rate off the baseline")


def test_no_rate_at_the_baseline_leaves_the_interest_open() -> None:
    found = infer_coin("X", publish(calm("0.0015000001", "0.0021", "0.0034", "0.0011"), [(0, OLD)]))
    (one,) = found.terms
    assert told_by(found)[:2] == (1.0, 0.0005)
    assert not one.interest_8h.identified
    assert one.interest_8h.why == "no rate is surely at the baseline, where it shows"
    assert one.interest_8h.low == -1.0
    assert 0.0001 <= one.interest_8h.high <= 0.000600001
    assert (one.at_baseline, one.below, one.above) == (None, None, None)


def test_rates_of_zero_show_nothing() -> None:
    settled = publish(wandering(50), [(0, Told.of(("0", "0.0003", "0.0001")))])
    (one,) = infer_coin("X", settled).terms
    assert one.multiplier.low == 0.0
    assert "every rate is 0 within rounding" in one.interest_8h.why


def test_rows_without_a_premium_are_counted_and_left_out() -> None:
    settled = publish(wandering(200), [(0, OLD)])
    settled.premium[:50] = np.nan
    found = infer_coin("X", settled)
    assert (found.rows, found.unusable) == (150, 50)
    assert told_by(found) == (1.0, 0.0005, 0.0001)
    settled.premium[:] = np.nan
    nothing = infer_coin("X", settled)
    assert (nothing.terms, nothing.unusable) == ((), 200)
    assert nothing.says == "no row has a premium, so there is nothing to go by"


def test_interest_need_not_be_a_round_number() -> None:
    # 5% a year, simple, as an index market on another dex has it.
    told = Told.of(("1", "0.0005", "0.0000456621"))
    found = infer_coin("X", publish(wandering(500), [(0, told)]))
    estimate = found.terms[0].interest_8h
    assert estimate.identified
    assert estimate.low <= 0.0000456621 <= estimate.high
    assert estimate.high - estimate.low < 1e-9
    assert estimate.simplest == pytest.approx(0.0000456621, abs=1e-9)


def test_a_small_multiplier_is_known_less_exactly() -> None:
    told = Told.of(("0.005", "0.0003", "0.0001"))
    found = infer_coin("X", publish(wandering(800, wide=3e-3), [(0, told)]))
    assert told_by(found) == (0.005, 0.0003, 0.0001)
    assert found.terms[0].interest_8h.high - found.terms[0].interest_8h.low > 1e-8


@pytest.mark.parametrize("hours", [1, 4, 8])
def test_the_interval_is_part_of_the_rate(hours: int) -> None:
    found = infer_coin("X", publish(wandering(300), [(0, NEW)], hours=hours))
    assert told_by(found) == (0.5, 0.0003, 0.0001)
    assert [h for _, h in found.intervals] == [hours]


def test_eight_published_decimals_are_seen_as_such() -> None:
    found = infer_coin("X", publish(wandering(500), [(0, NEW)], decimals=8))
    assert found.decimals == 8
    assert told_by(found) == (0.5, 0.0003, 0.0001)
    assert found.terms[0].multiplier.high - found.terms[0].multiplier.low > 1e-6


# --------------------------------------------------------------------------- the cap


def test_a_cap_that_is_reached_is_named() -> None:
    drawn = wandering(300, seed=21, wide=2e-3)
    for row, premium in ((40, "0.41"), (41, "0.47"), (170, "-0.44")):
        drawn[row] = Decimal(premium)
    found = infer_coin("X", publish(drawn, [(0, OLD)], cap="0.04"))
    assert told_by(found) == (1.0, 0.0005, 0.0001)
    assert (len(found.terms), found.odd) == (1, ())
    assert found.cap is not None
    assert found.cap.rows == 3
    assert found.cap.low < 0.04 < (found.cap.high or 0.0)


def test_a_cap_that_is_not_reached_is_only_bounded() -> None:
    settled = publish(wandering(300), [(0, OLD)])
    found = infer_coin("X", settled)
    assert found.cap is not None
    assert (found.cap.rows, found.cap.high) == (0, None)
    assert found.cap.low == pytest.approx(np.abs(settled.funding).max(), abs=1e-10)


def test_a_single_capped_row_is_odd_for_all_that_can_be_told() -> None:
    drawn = wandering(300, seed=22)
    drawn[100] = Decimal("0.5")
    found = infer_coin("X", publish(drawn, [(0, OLD)], cap="0.04"))
    assert [odd.funding for odd in found.odd] == [0.04]
    assert told_by(found) == (1.0, 0.0005, 0.0001)


# --------------------------------------------------------------------------- the parts


def test_simplest_decimal() -> None:
    assert simplest(Span(Fraction(-1, 3), Fraction(1, 3))) == 0
    assert simplest(Span(Fraction(4_999_998, 10**7), Fraction(5_000_003, 10**7))) == Fraction(1, 2)
    assert simplest(Span(Fraction(456_612, 10**10), Fraction(456_629, 10**10))) == Fraction(
        45_662, 10**9
    )


def test_holds_is_exact_to_the_last_unit() -> None:
    settled = publish(calm("0.0001000003", "0.0013", "-0.0021"), [(0, NEW)])
    rows = Exact("X", settled, 0).rows()
    told = [Fraction(x) for x in XYZ]
    assert holds(rows, *told).all()
    # At a premium of 13 bp the rate moves by 0.5 / 8 of the clamp; a row leaves it
    # 5e-11 (1 + 0.5 / 8) of room.
    room = Fraction(5, 10**11) * (1 + Fraction(1, 16)) * 16
    inside = holds(rows, told[0], told[1] - room, told[2])
    beyond = holds(rows, told[0], told[1] - room - Fraction(1, 10**15), told[2])
    assert inside.tolist() == [True, True, True]
    assert beyond.tolist() == [True, False, False]


def test_json_is_plain(tmp_path: Path) -> None:
    settled = publish(wandering(200), [(0, OLD), (100, NEW)])
    settled.funding[5] += 1e-8
    pl.DataFrame(
        {
            "time": pl.Series(settled.time_ns // 1_000_000).cast(pl.Datetime("ms", "UTC")),
            "coin": "other:X",
            "funding": settled.funding,
            "premium": settled.premium,
        }
    ).write_parquet(tmp_path / "x.parquet")
    history = read_history(tmp_path / "x.parquet")
    told = json.loads(as_json(as_dict(infer(history), history)))["coins"]["other:X"]
    assert [r["multiplier"]["simplest"] for r in told["regimes"]] == [1.0, 0.5]
    assert told["changes"][0]["changed"] == ["multiplier", "clamp_8h", "baseline_8h"]
    (odd,) = told["odd_rows"]
    shown = datetime.fromtimestamp(settled.time_ns[5] / 1e9, tz=UTC)
    assert odd["time"] == shown.strftime("%Y-%m-%d %H:%MZ")
    assert odd["funding"] - odd["expected_funding"] == pytest.approx(1e-8)
