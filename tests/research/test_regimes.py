"""Changes of terms and rows that fit none."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from published import CORE, XYZ, Told, premiums, publish, rate_of, terms, wandering

from perpkit.research.feasible import feasible
from perpkit.research.history import Settled
from perpkit.research.inference import Inferred, infer_coin
from perpkit.research.inference import _Coin as Exact
from perpkit.research.regimes import PROOF, Split, split
from perpkit.units import HOUR_NS

FEW = settings(max_examples=25, derandomize=True, deadline=None)
SOME = settings(max_examples=30, derandomize=True, deadline=None)
OLD, NEW = Told.of(CORE), Told.of(XYZ)


def cut(settled: Settled) -> Split:
    return split(Exact("X", settled, 0).rows())


def told_by(found: Inferred, number: int = 0) -> tuple[float | None, ...]:
    one = found.terms[number]
    return tuple(e.simplest for e in (one.multiplier, one.clamp_8h, one.interest_8h))


def as_floats(told: Told) -> tuple[float, ...]:
    return tuple(map(float, told))


def only_by(row: int, settled: Settled, told: Told) -> bool:
    """Whether a row has the rate of these terms, as far as rounding can tell."""
    premium = Decimal(repr(float(settled.premium[row])))
    far = abs(float(rate_of(premium, told)) - settled.funding[row])
    return far <= 5.01e-11 * (1 + float(told.multiplier) / 8)


# --------------------------------------------------------------------------- one regime


@given(premiums(1, 40), terms(), st.sampled_from([1, 2, 4, 8, 24]))
@SOME
def test_the_truth_is_among_what_fits(drawn: list[Decimal], told: Told, hours: int) -> None:
    settled = publish(drawn, [(0, told)], hours=hours)
    found = infer_coin("X", settled)
    assert len(found.terms) == 1
    assert not found.odd
    one = found.terms[0]
    for name, value in zip(("multiplier", "clamp_8h", "interest_8h"), told, strict=True):
        estimate = getattr(one, name)
        assert estimate.low <= float(value) <= estimate.high
        assert bool(estimate.why) is not estimate.identified
        if estimate.identified:
            assert estimate.simplest == float(value)
        else:
            assert estimate.simplest is None
    product = float(told.multiplier * told.interest)
    assert one.baseline_8h.low <= product <= one.baseline_8h.high


@given(terms(), st.integers(0, 2**32))
@FEW
def test_enough_rows_on_both_sides_identify_all(told: Told, seed: int) -> None:
    settled = publish(wandering(300, seed, wide=2e-3), [(0, told)])
    found = infer_coin("X", settled)
    assume(min(found.terms[0].above or 0, found.terms[0].below or 0) > 3)
    assume(told.multiplier >= Decimal("0.1"))  # below, rounding of the rate is coarse
    assert told_by(found) == as_floats(told)
    assert found.terms[0].simplest_fit


# --------------------------------------------------------------------------- changes


@given(terms(), terms(), st.integers(30, 90), st.integers(0, 2**32))
@SOME
def test_the_interval_holds_the_switch_and_no_more(
    old: Told, new: Told, place: int, seed: int
) -> None:
    settled = publish(wandering(120, seed), [(0, old), (place, new)])
    alone = [n for n in range(place, 120) if not only_by(n, settled, old)]
    before = [n for n in range(place) if not only_by(n, settled, new)]
    assume(len(alone) >= 2 * PROOF and len(before) >= 2 * PROOF)
    made = cut(settled)
    assume(len(made.regimes) == 2 and not made.odd)  # else chance rows fit both terms
    (change,) = made.changes
    assert change.last_old < place <= change.first_new
    # Minimal: at its ends each side still agrees with itself, one row further it does not.
    rows = Exact("X", settled, 0).rows()
    every = np.arange(120)
    assert feasible(rows.take(every[: change.first_new])) is not None
    assert feasible(rows.take(every[: change.first_new + 1])) is None
    assert feasible(rows.take(every[change.last_old + 1 :])) is not None
    assert feasible(rows.take(every[change.last_old :])) is None


def test_few_splices_are_not_seen_as_two_regimes() -> None:
    # What the test above leaves out is little.
    seen = 0
    for seed in range(8):
        settled = publish(wandering(120, seed), [(0, OLD), (60, NEW)])
        made = cut(settled)
        seen += len(made.changes) == 1 and not made.odd
    assert seen == 8


def test_terms_of_each_side_are_told() -> None:
    settled = publish(wandering(600), [(0, OLD), (200, NEW)])
    found = infer_coin("X", settled)
    assert told_by(found, 0) == as_floats(OLD)
    assert told_by(found, 1) == as_floats(NEW)
    (switch,) = found.switches
    assert switch.after_ns < settled.time_ns[200] <= switch.by_ns
    assert switch.changed == ("multiplier", "clamp_8h", "baseline_8h")


def test_a_clamp_that_changes_shows_only_off_the_baseline() -> None:
    wider = Told.of(("1", "0.0007", "0.0001"))
    settled = publish(wandering(400, seed=3, wide=4e-4), [(0, OLD), (200, wider)])
    (change,) = cut(settled).changes
    assert change.last_old < 200 <= change.first_new
    assert change.first_new - change.last_old > 1  # rows at the baseline fit both
    for row in range(change.last_old + 1, change.first_new):
        assert only_by(row, settled, OLD) == only_by(row, settled, wider) or row >= 200
    assert infer_coin("X", settled).switches[0].changed == ("clamp_8h",)


def test_several_changes_one_after_another() -> None:
    regimes = [(0, OLD), (150, NEW), (300, Told.of(("0.6", "0.0003", "0.0001"))), (420, OLD)]
    settled = publish(wandering(600, seed=5), regimes)
    made = cut(settled)
    assert len(made.changes) == 3
    for change, (place, _) in zip(made.changes, regimes[1:], strict=True):
        assert change.last_old < place <= change.first_new
    found = infer_coin("X", settled)
    assert [told_by(found, n) for n in range(4)] == [as_floats(told) for _, told in regimes]


def test_only_the_product_changes_where_all_rows_are_at_the_baseline() -> None:
    calm = [Decimal("0.0001000001"), Decimal("0.00012"), Decimal("0.00008")] * 20
    settled = publish(calm, [(0, OLD), (30, NEW)])
    found = infer_coin("X", settled)
    (switch,) = found.switches
    assert (switch.after_ns, switch.by_ns) == (settled.time_ns[29], settled.time_ns[30])
    assert switch.changed == ("baseline_8h",)
    for one in found.terms:
        assert one.baseline_8h.identified
        assert not one.multiplier.identified
        assert "only multiplier times interest" in one.multiplier.why
    assert [one.baseline_8h.simplest for one in found.terms] == [0.0001, 0.00005]


# --------------------------------------------------------------------------- odd rows


@given(st.integers(0, 399), st.sampled_from([1e-9, -1e-9, 1e-7]), st.integers(0, 50))
@FEW
def test_one_rate_that_is_off_is_found(row: int, off: float, seed: int) -> None:
    settled = publish(wandering(400, seed), [(0, NEW)])
    settled.funding[row] += off
    found = infer_coin("X", settled)
    assert [odd.time_ns for odd in found.odd] == [settled.time_ns[row]]
    assert found.odd[0].expected == pytest.approx(settled.funding[row] - off, abs=6e-11)
    assert not found.switches
    assert told_by(found) == as_floats(NEW)


def test_many_odd_rows_are_all_listed() -> None:
    settled = publish(wandering(1_500, seed=11), [(0, OLD)])
    chosen = np.sort(np.random.default_rng(2).choice(1_500, 25, replace=False))
    settled.funding[chosen] += 1e-9
    assert list(cut(settled).odd) == chosen.tolist()


def test_odd_rows_beside_a_change_do_not_hide_it() -> None:
    settled = publish(wandering(400, seed=7), [(0, OLD), (200, NEW)])
    for row in (0, 197, 205, 399):
        settled.funding[row] += 3e-9
    made = cut(settled)
    assert set(made.odd) == {0, 197, 205, 399}
    (change,) = made.changes
    assert change.last_old < 200 <= change.first_new


def test_a_cluster_of_odd_rows_is_no_regime() -> None:
    settled = publish(wandering(400, seed=9), [(0, OLD)])
    settled.funding[[136, 138, 139]] += 1e-8
    made = cut(settled)
    assert made.odd == (136, 138, 139)
    assert not made.changes


def test_rates_of_another_formula_are_said_to_be_so() -> None:
    rng = np.random.default_rng(4)
    settled = publish(wandering(800), [(0, OLD)])
    settled.funding[:] = np.round(rng.normal(0, 1e-4, 800), 10)
    found = infer_coin("X", settled)
    assert found.terms == ()
    assert "do not follow the formula" in found.says


def test_time_does_not_matter_gaps_do_not_either() -> None:
    settled = publish(wandering(300, seed=13), [(0, OLD)])
    apart = settled._replace(time_ns=settled.time_ns + np.arange(300) // 100 * 220 * HOUR_NS)
    assert told_by(infer_coin("X", apart)) == told_by(infer_coin("X", settled)) == as_floats(OLD)
