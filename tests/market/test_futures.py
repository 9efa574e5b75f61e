"""The index that a dated future implies."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perpkit.market.futures import basis_apr, discounted_px, measured_apr


def test_xyz100_of_the_documentation() -> None:
    # docs.trade.xyz, changelog/equity-indices-v1: F = 24,904.2 on 2025-10-14 17:06:05 UTC, contract
    # to 2025-12-19 13:30:00 UTC, d = 4%: S = 24904.2 exp(-0.04 * 0.180285473) = 24,725.25.
    left = datetime(2025, 12, 19, 13, 30, tzinfo=UTC) - datetime(2025, 10, 14, 17, 6, 5, tzinfo=UTC)
    # In years of 365.25 days, to within a minute.
    assert left.total_seconds() / (365.25 * 86_400) == pytest.approx(0.180285473, abs=2e-6)
    assert round(discounted_px(24_904.2, 0.04, 0.180285473), 2) == 24_725.25


@given(st.floats(1, 1e5), st.floats(-0.2, 0.2), st.floats(0.01, 1.0))
def test_the_basis_is_what_was_discounted(futures: float, discount: float, years: float) -> None:
    spot = discounted_px(futures, discount, years)
    assert basis_apr(futures, spot, years) == pytest.approx(discount, abs=1e-9)


def test_the_measured_discount_moves_by_a_hundredth_of_a_basis_point_at_most() -> None:
    # 3 s of an hour: 1 - exp(-3/3600) = 0.000833; of a difference of 0.05 that is 0.4 bp.
    assert measured_apr(0.04, 0.09, 3.0) == pytest.approx(0.040001, abs=1e-15)
    assert measured_apr(0.04, -0.01, 3.0) == pytest.approx(0.039999, abs=1e-15)
    # Of a difference of 0.001 it is 0.00000083, less than the limit.
    told = 0.04 + 0.001 * (1 - math.exp(-3 / 3600))
    assert measured_apr(0.04, 0.041, 3.0) == pytest.approx(told, abs=1e-15)


def test_a_cash_session_brings_it_near_the_basis() -> None:
    # 6.5 hours of steps of 3 s are 7,800 steps of at most 0.000001: at most 0.0078.
    discount = 0.04
    for _ in range(7_800):
        discount = measured_apr(discount, 0.044, 3.0)
    assert discount == pytest.approx(0.044, abs=2e-5)
    far = 0.04
    for _ in range(7_800):
        far = measured_apr(far, 0.1, 3.0)
    assert far == pytest.approx(0.0478, abs=1e-9)
