"""Shipped strategies play the same compiled and uncompiled, to the last bit."""

from __future__ import annotations

from typing import Any

import pytest

import perpkit

SPAN = {"end": "2025-10-29"}
CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "collateral_carry": (
        {
            "coins": ["sim:ORCA", "sim:FALC"],
            "collateral": {"USTB": {"share": 0.9, "apr": 0.0375}},
            "terms": {"collateral": "USDC, USTB"},
        },
        {"lookback_hours": 24, "exit_apr": 0.05, "trim_rise_frac": 0.5, "survive_rise_frac": 0.6},
    ),
    "cross_venue_funding": (
        {"coins": ["sim:ORCA", "sim:FALC", "xyz:ORCA", "xyz:FALC"], "margin_share": 0.2},
        {"lookback_hours": 24, "exit_apr": 0.0, "trim_gross_frac": 1.6},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_compiled_and_plain_are_the_same(name: str) -> None:
    config, params = CASES[name]
    fast, slow = (
        perpkit.backtest(name, params=params, config={**config, **SPAN}, pure_python=plain)
        for plain in (False, True)
    )
    assert fast.frames["fills"].height > 12
    for frame, told in fast.frames.items():
        assert told.equals(slow.frames[frame]), frame
