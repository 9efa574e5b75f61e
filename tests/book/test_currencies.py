"""Accounts that settle in a currency whose price moves, played through the book."""

from __future__ import annotations

from dataclasses import replace
from math import nan

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perpkit.arrays import Accounts, Event
from perpkit.book.margin import cash_px, convert
from perpkit.layout import blank


def priced(market, px):
    """The same market with prices (T, A) of what its accounts settle in."""
    return replace(market, tape=market.tape._replace(cash_px=np.array(px, np.float64)))


def told(run, row: int) -> dict[tuple[str, str, str], float]:
    frame = run.frames["attribution"]
    own = frame.filter(pl.col("time") == run.frames["equity"]["time"][row])
    return {
        (c, a, i): u for c, a, i, u in own.select("cause", "account", "instrument", "usd").rows()
    }


def test_a_depeg_of_the_margin_currency_is_token_price_of_the_account(lab):
    # Short 100 from 100 on 10,000, the currency at 1, 0.9 and 0.95.
    market = priced(
        lab.market([100.0, 110.0, 110.0], rate=[0.0, 0.0, 0.001]),
        [[1.0, 1.0], [1.0, 0.9], [1.0, 0.95]],
    )
    run = lab.play(market, {0: [-100.0]}, wallet=10_000.0, margin=10_000.0, fill_delay_hours=0)
    # 100 x 10 lost at 0.9; all of 10,000 down by 0.1.
    assert told(run, 1) == pytest.approx(
        {("perp_price", "venue1", "xyz:A"): -900.0, ("token_price", "venue1", ""): -1_000.0}
    )
    # What is left of it, 9,000, is up by 0.05; 100 x 110 x 0.001 received at 0.95.
    assert told(run, 2) == pytest.approx(
        {("token_price", "venue1", ""): 450.0, ("funding", "venue1", "xyz:A"): 10.45}
    )
    assert run.rows.equity_usd == pytest.approx([20_000.0, 18_100.0, 18_560.45])
    # Margin is counted in what the account settles in: 11,000 x 2.5% on 9,000 whatever it is worth.
    ratio = run.frames["equity"]["margin_ratio"].to_list()
    assert ratio == pytest.approx([0.025, 275 / 9_000, 275 / 9_011])


def test_capital_is_usd_whatever_the_first_price(lab):
    run = lab.play(priced(lab.market([100.0]), [[0.8, 0.5]]), {}, wallet=800.0, margin=1_000.0)
    assert run.rows.cash_usd.tolist() == [[1_000.0, 2_000.0]]
    assert run.rows.equity_usd.tolist() == [1_800.0]
    assert run.frames["equity"]["cash_usd"].to_list() == [1_800.0]


def test_what_is_pledged_is_bought_for_what_its_account_settles_in(lab):
    # 1,000 USD are 2,000 of it, and half of those 250 tokens of 2 USD.
    market = lab.market([100.0], bid=[2.0], pledged={(1, 0): {"share": 0.5}})
    run = lab.play(priced(market, [[1.0, 0.5]]), {}, wallet=800.0, margin=1_000.0)
    assert run.rows.cash_usd.tolist() == [[800.0, 1_000.0]]
    assert run.rows.units.tolist() == [[250.0]]
    assert run.rows.equity_usd.tolist() == [1_800.0]


def test_a_token_is_bought_for_what_the_wallet_settles_in(lab):
    # 10 at 100 USD and 1% of fee: 1,250 units at 0.8 and 12.50.
    market = lab.market([100.0] * 2, bid=[100.0] * 2, token_fee=0.01, dividends=[(1, 0, 4.0)])
    run = lab.play(
        priced(market, [[0.8, 1.0]] * 2), {0: [nan, 10.0]}, wallet=8_000.0, margin=100.0,
        fill_delay_hours=0,
    )  # fmt: skip
    assert run.rows.cash_usd[:, 0] == pytest.approx([8_737.5, 8_737.5 + 40 / 0.8])
    assert run.rows.equity_usd == pytest.approx([8_090.0, 8_130.0])
    assert run.cause("fees").tolist() == pytest.approx([-10.0, 0.0])
    assert run.cause("dividend").tolist() == pytest.approx([0.0, 40.0])
    assert run.cause("slippage").tolist() == pytest.approx([0.0, 0.0])
    assert run.frames["fills"]["px"].to_list() == pytest.approx([100.0])


def test_the_cash_of_the_wallet_binds_at_its_price(lab):
    # 1,000 USD are 2,000 units at 0.5, which buy what 1,000 USD buy.
    market = priced(lab.market([100.0], bid=[100.0]), [[0.5, 1.0]])
    run = lab.play(market, {0: [nan, 50.0]}, wallet=1_000.0, margin=100.0, fill_delay_hours=0)
    assert run.rows.units[0, 0] == pytest.approx(10.0)
    assert run.rows.cash_usd[0, 0] == pytest.approx(0.0)


def test_a_transfer_converts_at_both_prices(lab):
    # Short 50 from 100 on 1,000 units at 0.8. At 110 the value is 500 and maintenance 137.5: 600
    # units bring the ratio to 0.125 and cost 480 of the wallet's, and 2 for the transfer.
    market = priced(lab.market([100.0, 100.0, 110.0, 110.0, 110.0]), [[1.0, 0.8]] * 5)
    run = lab.play(
        market, {0: [-50.0]}, wallet=5_000.0, margin=800.0, topup_at_ratio=0.25,
        topup_to_ratio=0.125, transfer_hours=2, transfer_cost_usd=2.0,
    )  # fmt: skip
    assert run.rows.cash_usd[:, 0].tolist() == [5_000.0, 5_000.0, 4_518.0, 4_518.0, 4_518.0]
    assert run.rows.transit_usd[:, 1].tolist() == pytest.approx([0.0, 0.0, 600.0, 600.0, 0.0])
    assert run.rows.cash_usd[-1, 1] == pytest.approx(1_600.0)
    assert run.rows.equity_usd == pytest.approx([5_800.0, 5_800.0, 5_398.0, 5_398.0, 5_398.0])
    sent = run.frames["events"].row(0, named=True)
    assert sent["value_usd"] == pytest.approx(480.0)
    assert run.frames["equity"]["cash_usd"][2] == pytest.approx(4_518 + 1_600 * 0.8)
    # What the wallet has binds in its own units.
    run = lab.play(
        market, {0: [-50.0]}, wallet=82.0, margin=800.0, topup_at_ratio=0.25,
        topup_to_ratio=0.125, transfer_cost_usd=2.0,
    )  # fmt: skip
    assert [e.usd for e in run.told(Event.TRANSFER_SENT)] == pytest.approx([100.0])
    assert run.rows.cash_usd[2, 0] == pytest.approx(0.0)


@pytest.mark.parametrize(("least", "sent"), [(799.99, True), (800.01, False)])
def test_the_least_that_is_swept_is_usd(lab, least, sent):
    # Short 50 from 100 on 1,000 units at 0.8, all of which may leave at 80: they are 800 USD.
    market = priced(lab.market([100.0, 80.0, 80.0]), [[1.0, 0.8]] * 3)
    run = lab.play(
        market, {0: [-50.0]}, wallet=100.0, margin=800.0, fill_delay_hours=0, topup_at_ratio=0.25,
        topup_to_ratio=0.125, sweep_at_ratio=0.1, sweep_min_usd=least,
    )  # fmt: skip
    assert [e.usd for e in run.told(Event.TRANSFER_SENT)] == ([pytest.approx(799.0)] * sent)


def test_a_conversion_there_and_back_is_the_same():
    accounts = _accounts([0.5, 0.8])
    assert cash_px(1, accounts) == 0.8
    assert convert(100.0, 0, 1, accounts) == pytest.approx(62.5)
    assert convert(62.5, 1, 0, accounts) == pytest.approx(100.0)
    assert convert(100.0, 1, 1, accounts) == 100.0
    assert convert(100.0, 0, 1, _accounts([])) == 100.0


def _accounts(px: list[float]):
    made = blank(Accounts, A=2, D=len(px))
    made.px[:] = px
    return made


@settings(max_examples=40, derandomize=True, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    delay=st.sampled_from([0, 1]),
    after=st.sampled_from(["stop", "resume"]),
)
def test_causes_explain_every_hour_whatever_the_currencies_do(lab, seed, delay, after):
    market = lab.random_market(seed)
    hours = len(market.tape.time_ns)
    rng = np.random.default_rng(seed + 7)
    px = np.exp(np.cumsum(rng.normal(0.0, 0.02, (hours, 3)), axis=0))
    run = lab.play(
        priced(market, px), lab.random_plan(seed), wallet=6_000.0, margin=2_000.0,
        fill_delay_hours=delay, after_liquidation=after, topup_at_ratio=0.5, topup_to_ratio=0.3,
        transfer_hours=2,
    )  # fmt: skip
    assert np.abs(run.unexplained).max() < 1e-9
    booked = run.frames["attribution"].group_by("cause").agg(pl.col("usd").sum())
    total = run.rows.equity_usd[-1] - run.capital
    assert booked["usd"].sum() == pytest.approx(total, abs=1e-6)


def test_one_usd_told_is_one_usd_untold(lab):
    market, plan = lab.random_market(3), lab.random_plan(3)
    plain = lab.play(market, plan, wallet=6_000.0, margin=2_000.0, topup_at_ratio=0.5)
    px = np.ones((len(market.tape.time_ns), 3))
    same = lab.play(priced(market, px), plan, wallet=6_000.0, margin=2_000.0, topup_at_ratio=0.5)
    for name, frame in plain.frames.items():
        assert frame.equals(same.frames[name]), name
