"""What must hold on any tape, whatever the numbers: identities, and sameness bit for bit."""

from __future__ import annotations

from dataclasses import replace
from math import nan

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import perpkit.play
from perpkit.arrays import Event, Flow, Out, Reason, Tape, Tokens
from perpkit.layout import blank, layout

SEED = st.integers(0, 10_000)
WALLET, MARGIN = 6_000.0, 2_000.0
ROUGH = 77  # a seed whose 120 hours have all of:
FORCED = {Event.LIQUIDATION, Event.BACKSTOP, Event.BAD_DEBT}
AMPLE = {"wallet": 4_000_000.0, "margin": 4_000_000.0}
few = settings(max_examples=15, derandomize=True, deadline=None)


def rough(lab, seed, *, hours=48, **settings):
    """A run that is liquidated, trimmed, topped up and refused."""
    told = {"wallet": WALLET, "margin": MARGIN, "topup_at_ratio": 0.5, "topup_to_ratio": 0.3}
    market = lab.random_market(seed, hours)
    return lab.play(market, lab.random_plan(seed, hours), **{**told, **settings})


def assert_same(one, other):
    """Both runs have the same frames, to the last bit."""
    assert one.frames.keys() == other.frames.keys()
    for name, frame in one.frames.items():
        assert frame.equals(other.frames[name], null_equal=True), name
    for name in ("fills", "payments", "events"):
        assert getattr(one.played, name).tobytes() == getattr(other.played, name).tobytes(), name
    for mine, theirs in zip(one.rows, other.rows, strict=True):
        assert mine.tobytes() == theirs.tobytes()


# --------------------------------------------------------------------------- books kept straight


@few
@given(SEED, st.sampled_from([0, 1]))
def test_positions_are_cumulated_fills(lab, seed, delay):
    run = rough(lab, seed, fill_delay_hours=delay)
    moved = np.zeros((48, 4))
    for fill in run.fills:
        moved[fill.row, fill.instrument] += fill.size
    for paid in run.paid(Flow.YIELD):
        moved[paid.row, paid.instrument] += paid.quantity
    held = np.hstack([run.rows.position, run.rows.units])
    assert np.cumsum(moved, axis=0) == pytest.approx(held, abs=1e-9)


@few
@given(SEED)
def test_funding_rows_are_the_settlements_of_the_positions_held_before(lab, seed):
    run = rough(lab, seed)
    tape = run.market.tape
    before = np.vstack([np.zeros((1, 2)), run.rows.position[:-1]])
    settled = {(int(t), int(m)) for t, m in zip(*np.nonzero(tape.due & (before != 0)), strict=True)}
    paid = run.paid(Flow.FUNDING)
    assert len(paid) == len(settled)
    assert {(p.row, p.instrument) for p in paid} == settled
    for p in paid:
        where = (p.row, p.instrument)
        assert p.quantity == before[where]
        due = -before[where] * tape.oracle_px[where] * tape.funding[where]
        assert p.usd == pytest.approx(due, abs=1e-12)
    frame = run.frames["funding"]
    assert frame.height == len(paid)
    assert frame["payment_usd"].sum() == pytest.approx(run.cause("funding").sum(), abs=1e-9)


@few
@given(SEED)
def test_cash_is_what_fills_and_payments_moved(lab, seed):
    run = rough(lab, seed, after_liquidation="resume")
    # Perps: profit against the average entry, re-formed here from the fills alone.
    cash = {"wallet": WALLET, 1: MARGIN / 2, 2: MARGIN / 2}
    held, entry = [0.0, 0.0], [0.0, 0.0]
    for f in run.fills:
        if f.instrument >= 2:
            cash["wallet"] -= f.size * f.px + f.fee_usd
            continue
        m = f.instrument
        after = held[m] + f.size
        if abs(after) < abs(held[m]) - 1e-12:
            cash[m + 1] -= f.size * (f.px - entry[m])
        else:
            entry[m] = (held[m] * entry[m] + f.size * f.px) / after
        held[m] = 0.0 if abs(after) < 1e-9 else after
        cash[m + 1] -= f.fee_usd
    for p in run.payments:
        if p.flow != Flow.YIELD:
            cash[p.account or "wallet"] += p.usd
    for e in run.told(Event.TRANSFER_SENT):
        cash["wallet"] -= e.usd
    for e in run.told(Event.TRANSFER_ARRIVED):
        cash[e.account] += e.usd
    assert list(cash.values()) == pytest.approx(run.rows.cash_usd[-1].tolist(), abs=1e-6)


@few
@given(SEED)
def test_forced_fills_lie_on_the_way_to_the_extreme(lab, seed):
    # Lone positions: on the book at the hour's extreme with its cost, else on the way there.
    run = rough(lab, seed, after_liquidation="resume")
    tape, terms = run.market.tape, run.market.terms
    for f in run.fills:
        if f.reason == Reason.TARGET:
            continue
        m, side = f.instrument, -np.sign(f.size)
        cost = terms[int(tape.era[f.row])][m]["cost_frac"]
        extreme = tape.low_px[f.row, m] if side > 0 else tape.high_px[f.row, m]
        worst = extreme * (1.0 - side * cost)
        if f.reason == Reason.LIQUIDATION:
            assert f.px == pytest.approx(worst, rel=1e-12)
        else:
            start = tape.mark_px[f.row - 1, m]
            assert min(start, worst) - 1e-9 <= f.px <= max(start, worst) + 1e-9


# --------------------------------------------------------------------------- identities


@few
@given(SEED)
def test_funding_of_a_book_and_of_its_mirror_sum_to_zero(lab, seed):
    market = lab.random_market(seed)
    plan = lab.random_plan(seed)
    plan[:, 2:] = nan
    long, short = (lab.play(market, sign * plan, **AMPLE) for sign in (1.0, -1.0))
    assert long.rows.position.tolist() == (-short.rows.position).tolist()
    assert long.frames["funding"].height > 0
    assert long.cause("funding").tolist() == (-short.cause("funding")).tolist()
    assert long.cause("perp_price").tolist() == (-short.cause("perp_price")).tolist()


@few
@given(SEED)
def test_doubled_targets_and_capital_double_the_result(lab, seed):
    # Targets are whole lots and no order is too small, so that nothing binds.
    terms = {"fee_frac": 0.0009, "cost_frac": 0.0004, "min_order_usd": 0.0}
    market = lab.random_market(seed, terms=terms, era=None, token_min=0.0)
    plan = lab.random_plan(seed)
    one = lab.play(market, plan, **AMPLE)
    two = lab.play(market, 2.0 * plan, **{n: 2.0 * x for n, x in AMPLE.items()})
    assert not any(e.kind == Event.TRIMMED for e in one.events)
    assert np.ptp(one.rows.equity_usd) > 0.0
    assert two.rows.equity_usd == pytest.approx(2.0 * one.rows.equity_usd, rel=1e-12)
    for cause in ("perp_price", "funding", "fees", "slippage", "token_price", "yield"):
        assert two.cause(cause) == pytest.approx(2.0 * one.cause(cause), rel=1e-9, abs=1e-9)


def widened(market, account):
    """The same market with one more perp, in ``account``, and one more token, its pair."""
    last = {"M": 1, "K": 1}
    grown = {}
    for name, axes in layout(Tape).items():
        array = getattr(market.tape, name)
        if last.get(axes.names[-1]):
            own = array[:, :1] if array.dtype == np.bool_ else 3.0 * array[:, :1]
            array = np.ascontiguousarray(np.hstack([array, own.astype(array.dtype)]))
        grown[name] = array
    grown["action_instrument"] = grown["action_instrument"] + 1  # of tokens, after one more perp
    tokens = {n: np.append(x, x[:1]) for n, x in market.tokens._asdict().items()}
    tokens["perp"][-1] = 2
    old = market.names
    names = replace(
        old,
        coins=(*old.coins, "xyz:Z"),
        tokens=(*old.tokens, "TZ"),
        accounts=(*old.accounts, "venue3")[: max(account + 1, len(old.accounts))],
        kinds=(*old.kinds, "equity"),
        perp_account=np.append(old.perp_account, account),
        perp_token=np.append(old.perp_token, 2),
        perp_underlying=np.append(old.perp_underlying, 0),
        token_perp=np.append(old.token_perp, 2),
        token_underlying=np.append(old.token_underlying, 0),
        account_parent=np.append(old.account_parent, -1)[: max(account + 1, len(old.accounts))],
        account_strict=np.append(old.account_strict, False)[: max(account + 1, len(old.accounts))],
    )
    terms = np.hstack([market.terms, market.terms[:, :1]]).view(np.recarray)
    return replace(market, names=names, tape=Tape(**grown), tokens=Tokens(**tokens), terms=terms)


@few
@given(SEED, st.sampled_from([1, 3]))
def test_an_unused_perp_token_or_account_changes_nothing(lab, seed, account):
    # A third account starts with the 1,000 USD that each of the two has.
    top_up = {"wallet": 2_000.0, "topup_at_ratio": 0.5, "topup_to_ratio": 0.3}
    market, plan = lab.random_market(seed), lab.random_plan(seed, size=50.0)
    one = lab.play(market, plan, margin=2_000.0, **top_up)
    nothing = np.full((48, 1), nan)
    wide = np.hstack([plan[:, :2], nothing, plan[:, 2:], nothing])
    more = 3_000.0 if account == 3 else 2_000.0
    two = lab.play(widened(market, account), wide, margin=more, **top_up)
    own = pl.col("account") != "venue3"
    for name in ("accounts", "positions", "fills", "funding", "events", "attribution"):
        assert one.frames[name].equals(two.frames[name].filter(own), null_equal=True), name
    if account == 1:
        assert one.frames["equity"].equals(two.frames["equity"], null_equal=True)
    else:
        gap = two.rows.equity_usd - one.rows.equity_usd
        assert gap == pytest.approx(np.full(48, 1_000.0), abs=1e-8)


# --------------------------------------------------------------------------- bit for bit


@pytest.mark.parametrize("chunk", [1, 7])
def test_chunk_size_changes_no_bit(lab, chunk):
    whole = rough(lab, ROUGH, hours=120)
    assert_same(whole, rough(lab, ROUGH, hours=120, chunk_rows=chunk))
    assert {e.kind for e in whole.events} >= FORCED


# Four instruments, three accounts: an hour at its worst is 48 fills, 42 payments and 84 events.
TIGHT = {"fills": 48, "payments": 46, "events": 84}


@pytest.mark.parametrize(
    ("tight", "pure_python"),
    [("fills", True), ("payments", True), ("events", True), ("all", True), ("all", False)],
)
def test_a_full_buffer_ends_a_chunk_and_changes_no_bit(lab, monkeypatch, tight, pure_python):
    whole = rough(lab, ROUGH, hours=120)
    set_up = perpkit.play.set_up
    rows = []

    def small(*args):
        stage = set_up(*args)
        sizes = {n: x if tight in {n, "all"} else 5_000 for n, x in TIGHT.items()}
        stage.ledger = stage.ledger._replace(out=blank(Out, **sizes, three=3))
        return stage

    monkeypatch.setattr(perpkit.play, "set_up", small)
    told = {"pure_python": pure_python, "progress": lambda row, _: rows.append(row)}
    assert_same(whole, rough(lab, ROUGH, hours=120, **told))
    assert rows[-1] == 120
    assert 20 < len(rows) < 120


@pytest.mark.parametrize("delay", [0, 1])
@pytest.mark.parametrize("seed", [ROUGH, 25, 35])
def test_compiled_equals_uncompiled(lab, seed, delay):
    told = {"hours": 120, "fill_delay_hours": delay, "after_liquidation": "resume"}
    plain = rough(lab, seed, **told)
    assert_same(plain, rough(lab, seed, **told, pure_python=False))
    assert {e.kind for e in plain.events} >= FORCED


def test_a_run_leaves_its_market_as_it_was(lab):
    market, plan = lab.random_market(ROUGH), lab.random_plan(ROUGH)
    told = {"wallet": WALLET, "margin": MARGIN}
    before = [x.tobytes() for x in (*market.tape, market.terms, *market.tokens)]
    one = lab.play(market, plan, **told)
    assert [x.tobytes() for x in (*market.tape, market.terms, *market.tokens)] == before
    assert_same(one, lab.play(market, plan, **told))
