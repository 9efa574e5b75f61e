"""What must hold of any book: more collateral is never liquidated earlier."""

from __future__ import annotations

import numpy as np
import pytest

from perpkit.arrays import Event

FORCED = (Event.LIQUIDATION, Event.BACKSTOP, Event.PARTIAL)
# Initial margin cuts no order, so that both runs fill the same until one is liquidated.
THIN = {"initial_frac": 1e-4, "maintenance_frac": 0.05, "cost_frac": 0.001}
PART = {"partial_frac": 0.2, "partial_above_usd": 5_000.0}
TIERS = {"maintenance2_frac": 0.1, "maintenance2_off_usd": 250.0}


def first_forced(run):
    """Row of the first forced close of each account; the run's length for none."""
    hours = len(run.rows.equity_usd)
    rows = {1: hours, 2: hours}
    for event in run.events:
        if event.kind in FORCED:
            rows[event.account] = min(rows[event.account], event.row)
    return rows


def played(lab, seed, share, haircut, paths, terms):
    """A rough market with so much of the treasury token pledged beside the same cash."""
    pledged = {(a, 1): {"share": share, "haircut": haircut} for a in (1, 2)} if share else None
    market = lab.random_market(
        seed, pledged=pledged, apr=[[0.0, 0.0]], terms=[{**THIN, **terms}] * 2, dividends=()
    )
    plan = lab.random_plan(seed, size=300.0)
    plan[:, 2:] = np.nan  # no tokens are traded
    margin = 3_000.0 / (1.0 - share)
    return lab.play(market, plan, wallet=1e6, margin=margin, margin_paths=paths, borrow_apr=0.0)


@pytest.mark.parametrize("paths", ["own_worst", "joint"])
@pytest.mark.parametrize("terms", [{}, PART, TIERS], ids=["plain", "part", "tiers"])
def test_more_collateral_is_never_liquidated_earlier(lab, paths, terms):
    later = 0
    for seed in range(10):
        bare = first_forced(played(lab, seed, 0.0, 0.0, paths, terms))
        some = first_forced(played(lab, seed, 0.3, 0.2, paths, terms))
        more = first_forced(played(lab, seed, 0.6, 0.2, paths, terms))
        for account in (1, 2):
            assert bare[account] <= some[account] <= more[account]
            later += bare[account] < more[account]
    assert later > 2  # it makes a difference at all


@pytest.mark.parametrize("seed", range(3))
def test_a_haircut_of_all_but_nothing_is_as_no_collateral(lab, seed):
    told = {"paths": "own_worst", "terms": {}}
    bare = played(lab, seed, 0.0, 0.0, **told)
    worthless = played(lab, seed, 0.3, 1.0 - 1e-12, **told)
    assert first_forced(bare) == first_forced(worthless)
