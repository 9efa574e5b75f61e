"""Which quotes are live, and what a token is worth when its own is not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perpkit.arrays import TERM, Tape, Tokens
from perpkit.config import RunConfig
from perpkit.dataset import read_dataset
from perpkit.layout import blank
from perpkit.market.loop import form_market
from perpkit.tape import Market, form, settings_of
from perpkit.units import to_ns

NAN = float("nan")


def quotes(
    mids: list[float],
    *,
    half: float = 0.05,
    oracle: list[float] | None = None,
    perp: int = 0,
    closed: tuple[int, ...] = (),
    stale: tuple[int, ...] = (),
    wide: tuple[int, ...] = (),
    config: RunConfig | None = None,
) -> Tape:
    """Play one token at these mids, uncompiled; rows of the tuples are closed, stale or wide."""
    hours = len(mids)
    tape = blank(Tape, T=hours, M=1, K=1, U=1, N=0, X=0, Y=0)
    widths = np.full(hours, half)
    widths[list(wide)] = 5.0
    tape.bid_px[:, 0] = np.array(mids) - widths
    tape.ask_px[:, 0] = np.array(mids) + widths
    tape.oracle_px[:, 0] = [100.0] * hours if oracle is None else oracle
    tape.quoted[:] = True
    tape.quoted[list(closed)] = False
    tape.token_stale[list(stale)] = True
    tape.fair_px[:] = np.nan
    tokens = blank(Tokens, K=1)
    tokens.perp[:] = perp
    terms: Any = np.zeros((1, 1), TERM).view(np.recarray)
    form_market(tape, terms, tokens, settings_of(config or RunConfig()), 0, hours)
    return tape


def live(tape: Tape) -> list[bool]:
    return [bool(x) for x in tape.live[:, 0]]


# ------------------------------------------------------------------- live


def test_first_quote_is_not_a_change() -> None:
    assert live(quotes([100.0, 100.1])) == [False, True]
    # Nor is the first after a token's listing.
    assert live(quotes([NAN, NAN, 100.0, 100.1])) == [False, False, False, True]


@pytest.mark.parametrize(
    ("hours", "expected"),
    # The quote changes in row 1 and then stands still; a change in row 1 is within (t - n, t] of
    # the rows t = 1 .. n.
    [(1, [0, 1, 0, 0, 0, 0]), (2, [0, 1, 1, 0, 0, 0]), (4, [0, 1, 1, 1, 1, 0])],
)
def test_frozen_quote_dies(hours: int, expected: list[int]) -> None:
    config = RunConfig(max_frozen_hours=hours)
    assert live(quotes([100.0] + [100.1] * 5, config=config)) == [bool(x) for x in expected]


def test_move_of_one_side_is_a_change() -> None:
    tape = quotes([100.0] * 4)
    tape.ask_px[3, 0] += 0.01
    form_market(
        tape,
        np.zeros((1, 1), TERM).view(np.recarray),
        blank(Tokens, K=1),
        settings_of(RunConfig()),
        0,
        4,
    )
    assert live(tape) == [False, False, False, True]


def test_default_is_two_hours_and_50_basis_points() -> None:
    settings = settings_of(RunConfig())
    assert (settings.max_frozen_hours, settings.max_quote_spread_frac) == (2, 0.005)


def test_closed_or_halted_is_not_live() -> None:
    assert live(quotes([100.0, 100.1, 100.2, 100.3], closed=(2,))) == [False, True, False, True]


def test_carried_quote_is_not_live() -> None:
    assert live(quotes([100.0, 100.1, 100.1, 100.3], stale=(2,))) == [False, True, False, True]


def test_wide_quote_is_not_live() -> None:
    # 0.005 of a mid of 100 is 0.50: 0.48 wide is live, 0.52 is not.
    assert live(quotes([100.0, 100.1], half=0.24)) == [False, True]
    assert live(quotes([100.0, 100.1], half=0.26)) == [False, False]
    # Of the mid, not of the ask: 0.5006 is too wide for 100.01, whose share is 0.50005.
    assert live(quotes([100.0, 100.01], half=0.2503)) == [False, False]
    assert live(quotes([100.0, 100.1], half=0.26, config=RunConfig(max_quote_spread_frac=0.01)))[1]


def test_mid_without_a_spread_can_be_live() -> None:
    assert live(quotes([100.0, 100.1], half=0.0)) == [False, True]


# ------------------------------------------------------------------- fair price


def test_live_quote_is_worth_its_mid() -> None:
    tape = quotes([100.0, 101.0, 102.0], oracle=[100.0, 90.0, 80.0])
    assert tape.fair_px[1:, 0].tolist() == [101.0, 102.0]


def test_before_any_live_quote_the_mid() -> None:
    assert quotes([100.0, 100.0]).fair_px[0, 0] == 100.0
    tape = quotes([NAN, 120.0, 121.0], closed=(0, 1, 2))
    assert np.isnan(tape.fair_px[0, 0])
    assert tape.fair_px[1, 0] == 120.0


def test_last_live_mid_is_carried_with_the_oracle() -> None:
    # Live at 102 in row 1, oracle 100 there; then closed at a frozen quote of 102.
    tape = quotes(
        [100.0, 102.0, 102.0, 102.0, 102.0],
        oracle=[100.0, 100.0, 101.0, 95.0, 110.0],
        closed=(2, 3, 4),
    )
    # 102 * 1.01 = 103.02, 102 * 0.95 = 96.9, 102 * 1.1 = 112.2
    assert tape.fair_px[1:, 0].tolist() == pytest.approx([102.0, 103.02, 96.9, 112.2], abs=1e-12)


def test_wild_quote_that_is_not_live_moves_nothing() -> None:
    tape = quotes([100.0, 102.0, 150.0, 51.0], wide=(2, 3))
    assert tape.fair_px[1:, 0].tolist() == [102.0, 102.0, 102.0]


def test_back_to_its_own_quote_when_live_again() -> None:
    tape = quotes(
        [100.0, 102.0, 102.0, 99.0, 99.5], oracle=[100.0, 100.0, 110.0, 110.0, 110.0], closed=(2,)
    )
    assert tape.fair_px[1:, 0].tolist() == pytest.approx([102.0, 112.2, 99.0, 99.5], abs=1e-12)


def test_without_a_perp_the_price_stays() -> None:
    tape = quotes(
        [100.0, 102.0, 102.0, 102.0], oracle=[100.0, 100.0, 150.0, 50.0], perp=-1, closed=(2, 3)
    )
    assert tape.fair_px[1:, 0].tolist() == [102.0, 102.0, 102.0]


def test_perp_listed_later_carries_from_its_second_price() -> None:
    tape = quotes(
        [100.0, 102.0, 102.0, 102.0, 102.0],
        oracle=[NAN, NAN, NAN, 50.0, 55.0],
        closed=(2, 3, 4),
    )
    # Row 3 has no oracle before it, row 4 moves by 55 / 50.
    assert tape.fair_px[1:, 0].tolist() == pytest.approx([102.0, 102.0, 102.0, 112.2], abs=1e-12)


@given(
    st.lists(st.floats(50, 150), min_size=3, max_size=12),
    st.lists(st.booleans(), min_size=12, max_size=12),
)
def test_what_is_not_live_moves_as_the_oracle(oracle: list[float], shut: list[bool]) -> None:
    mids = [100.0 + 0.1 * t for t in range(len(oracle))]
    closed = tuple(t for t in range(len(oracle)) if shut[t])
    tape = quotes(mids, oracle=oracle, closed=closed)
    fair = tape.fair_px[:, 0]
    for t in range(1, len(oracle)):
        if tape.live[t, 0]:
            assert fair[t] == pytest.approx(mids[t], rel=1e-12)
        else:
            assert fair[t] / fair[t - 1] == pytest.approx(oracle[t] / oracle[t - 1], rel=1e-12)


# ------------------------------------------------------------------- a recorded weekend

SATURDAY = datetime(2026, 8, 15, tzinfo=UTC)  # 00:00Z is Friday 20:00 in New York
MONDAY = datetime(2026, 8, 17, tzinfo=UTC)


@pytest.fixture(scope="module")
def august(shared_data: Path) -> Market:
    return form(read_dataset(shared_data / "xyz-2026-08"), RunConfig())


def row_at(market: Market, moment: datetime) -> int:
    (row,) = np.flatnonzero(market.tape.time_ns == to_ns(moment))
    return int(row)


@pytest.mark.shared
def test_narrow_frozen_weekend_quote_is_never_live(august: Market) -> None:
    tape, k = august.tape, august.names.tokens.index("MSFT.RH")
    first, last = row_at(august, SATURDAY), row_at(august, MONDAY)
    noon = first + 12
    mid = (tape.bid_px[noon, k] + tape.ask_px[noon, k]) / 2
    width = (tape.ask_px[noon, k] - tape.bid_px[noon, k]) / mid
    assert width == pytest.approx(1.2e-4, abs=0.05e-4), "narrow enough to look like a price"
    assert (tape.bid_px[noon : last + 1, k] == tape.bid_px[noon, k]).all()
    assert not tape.live[first : last + 1, k].any()
    assert tape.live[first - 1, k]
    # Monday 00:00Z the session is open and the quote still Friday's; an hour later it has moved.
    assert tape.quoted[last, k]
    assert tape.live[row_at(august, MONDAY + timedelta(hours=1)), k]


@pytest.mark.shared
def test_no_quote_is_live_over_the_weekend(august: Market) -> None:
    first, last = row_at(august, SATURDAY), row_at(august, MONDAY)
    assert not august.tape.live[first : last + 1].any()
    assert not august.tape.quoted[first:last].any()
    again = august.tape.live[last + 1 : last + 6].any(axis=0)
    assert again.sum() >= 6, "most tokens trade again within hours"


@pytest.mark.shared
def test_weekend_fair_price_has_no_jump_of_its_own(august: Market) -> None:
    tape = august.tape
    first, last = row_at(august, SATURDAY), row_at(august, MONDAY)
    for k, token in enumerate(august.names.tokens):
        oracle = tape.oracle_px[:, august.names.token_perp[k]]
        moved = tape.fair_px[first : last + 1, k] / tape.fair_px[first - 1 : last, k]
        explained = oracle[first : last + 1] / oracle[first - 1 : last]
        np.testing.assert_allclose(moved, explained, rtol=1e-12, err_msg=token)


@pytest.mark.shared
def test_switch_back_to_the_quote_is_small(august: Market) -> None:
    tape, k = august.tape, august.names.tokens.index("MSFT.RH")
    oracle = tape.oracle_px[:, august.names.token_perp[k]]
    t = row_at(august, MONDAY + timedelta(hours=1))
    assert tape.fair_px[t, k] == (tape.bid_px[t, k] + tape.ask_px[t, k]) / 2
    jump = tape.fair_px[t, k] / tape.fair_px[t - 1, k] / (oracle[t] / oracle[t - 1]) - 1
    assert abs(jump) < 1e-3
