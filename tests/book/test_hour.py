"""The order of the hour, each step against the one after it, and the way from files to the book."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import nan
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from perpkit.arrays import Event, Flow, Reason
from perpkit.run import backtest
from perpkit.units import HOUR_NS

TEN_X = {"initial_frac": 0.1, "maintenance_frac": 0.025}  # ten times, of at most twenty

# --------------------------------------------------------------------------- decision and fill


def test_the_same_target_fills_one_row_apart(lab):
    marks = [100.0, 101.0, 102.0, 103.0]
    for delay in (0, 1):
        run = lab.play(lab.market(marks), {1: [-2.0]}, fill_delay_hours=delay)
        assert [(f.row, f.px) for f in run.fills] == [(1 + delay, marks[1 + delay])]
        assert run.played.fills["decided"].tolist() == [1]


def watch(lab, delay, market=None, **settings):
    """Positions and cash that a strategy sees that is 2 short from its second decision on."""
    seen = []

    def decide(t, past, book, p, mine, target):
        assert past.time_ns.shape[0] == t + 1
        assert past.mark_px[-1, 0] == book.perps[0].mark_px
        seen.append((float(book.perps[0].position), float(book.accounts[1].cash_usd)))
        if t == 1:
            target.perps[0] = -2.0

    market = market or lab.market([100.0] * 4, rate=0.01)
    return seen, lab.play(market, decide, fill_delay_hours=delay, **settings)


def test_decision_sees_the_book_after_the_fills_of_its_row(lab):
    seen, run = watch(lab, 1)
    assert [s[0] for s in seen] == [0.0, 0.0, -2.0, -2.0]
    assert seen == list(zip(run.rows.position[:, 0], run.rows.cash_usd[:, 1], strict=True))


def test_decision_without_delay_sees_the_book_before_fills_but_after_funding(lab):
    seen, run = watch(lab, 0)
    assert run.rows.position[:, 0].tolist() == [0.0, -2.0, -2.0, -2.0]
    assert [s[0] for s in seen] == [0.0, 0.0, -2.0, -2.0]
    # Funding of 2 USD came in before the decisions of rows 2 and 3.
    assert [s[1] for s in seen] == pytest.approx([50_000, 50_000, 50_002, 50_004])


def test_decision_without_delay_sees_what_the_margin_test_left(lab):
    market = lab.market([200.0] * 4, high=[200, 200, 300, 200], terms=TEN_X)
    seen = []

    def decide(t, past, book, p, mine, target):
        seen.append(float(book.perps[0].position))
        if t == 0:
            target.perps[0] = -10.0

    lab.play(market, decide, margin=200.0, fill_delay_hours=0)
    assert seen == [0.0, -10.0, 0.0, 0.0]


def test_a_decision_of_the_last_row_never_fills(lab):
    assert lab.play(lab.market([100.0] * 3), {2: [1.0]}).fills == []


# --------------------------------------------------------------------------- step by step

# A short of 10 at 200 on 200 USD is liquidated above 214.6341; at 214.6 the value is 54 and the
# maintenance 53.65, so that 0.35 are to spare.
MARKS = [200.0, 200.0, 214.6, 214.6, 214.6]


def short(lab, *, plan=None, wallet=200.0, bid=None, made=None, **settings):
    market = lab.market(MARKS, oracle=200.0, terms=TEN_X, bid=bid, **(made or {}))
    return lab.play(market, plan or {0: [-10.0]}, wallet=wallet, margin=200.0, **settings)


def test_without_a_payment_the_account_stands(lab):
    assert short(lab).rows.position[:, 0].tolist() == [0.0] + [-10.0] * 4


def test_funding_can_tip_an_account_over_in_its_own_row(lab):
    # -0.0005 on 10 x 200 costs the short 1 USD in row 3.
    run = short(lab, made={"rate": [0.0, 0.0, 0.0, -0.0005, 0.0]})
    assert run.rows.position[:, 0].tolist() == [0.0, -10.0, -10.0, 0.0, 0.0]
    assert [(p.row, p.quantity) for p in run.paid(Flow.FUNDING) if p.usd] == [(3, -10.0)]
    assert [(f.row, f.reason) for f in run.fills[1:]] == [(3, Reason.LIQUIDATION)]


def test_funding_can_save_an_account_in_its_own_row(lab):
    # At 215 the short is 3.75 below its maintenance of 53.75; 0.002 pays it 4.
    made = {"high": [200, 200, 214.6, 215, 214.6]}
    assert short(lab, made=made).rows.position[3, 0] == 0.0
    made["rate"] = [0.0, 0.0, 0.0, 0.002, 0.0]
    assert short(lab, made=made).rows.position[3, 0] == -10.0


def test_a_delivery_comes_before_the_margin_test(lab):
    # Sent in row 2, where the ratio is 53.65 / 54; row 3 would be the end at 216.
    made = {"high": [200, 200, 214.6, 216, 216]}
    top_up = {"topup_at_ratio": 0.9, "topup_to_ratio": 0.5, "transfer_cost_usd": 0.0}
    assert short(lab, made=made, transfer_hours=2, **top_up).rows.position[3, 0] == 0.0
    run = short(lab, made=made, transfer_hours=1, **top_up)
    assert run.rows.position[:, 0].tolist() == [0.0] + [-10.0] * 4
    # 53.65 / 0.5 less 54.
    assert run.told(Event.TRANSFER_ARRIVED)[0].usd == pytest.approx(53.3)


def test_a_standing_target_does_not_close_before_the_margin_test(lab):
    # Decided in row 2, to be closed in row 3 at 214.6; its high of 216 comes first.
    made = {"high": [200, 200, 214.6, 216, 214.6]}
    run = short(lab, plan={0: [-10.0], 2: [0.0]}, made=made)
    assert [(f.row, f.px, f.reason) for f in run.fills[1:]] == [
        (3, pytest.approx(216.0), Reason.LIQUIDATION)
    ]


def test_a_position_is_not_tested_against_the_extreme_of_the_hour_it_was_opened_in(lab):
    market = lab.market([200.0] * 4, high=[200, 900, 200, 200], terms=TEN_X)
    run = lab.play(market, {0: [-10.0]}, margin=200.0)
    assert run.events == []


def test_payments_of_a_row_can_be_spent_in_it(lab):
    # The wallet has nothing until the dividend of row 2: 50 units x 0.40 buy two more at 10.
    market = lab.market([100.0] * 4, bid=[10.0] * 4, dividends=[(2, 0, 0.4)])
    run = lab.play(market, {0: [nan, 50.0], 1: [nan, 60.0]}, wallet=500.0)
    assert run.rows.units[:, 0].tolist() == pytest.approx([0.0, 50.0, 52.0, 52.0])


def test_the_ledger_row_has_the_transfer_of_its_row(lab):
    top_up = {"topup_at_ratio": 0.9, "topup_to_ratio": 0.5, "transfer_cost_usd": 1.0}
    run = short(lab, transfer_hours=1, **top_up)
    # Row 2 is worth 200 + 200 - 146 - 1, 53.30 of it under way.
    assert run.rows.equity_usd[2] == pytest.approx(253.0)
    assert run.rows.transit_usd[2].tolist() == pytest.approx([0.0, 53.3])
    assert run.rows.cash_usd[2].tolist() == pytest.approx([145.7, 200.0])


# --------------------------------------------------------------------------- from files

COIN_TOML = """\
schema = 1
name = "made"
source = "made up by the tests"
licence = "MIT"
prices = "onchain"

[perps."NVDA"]
venue = "baseline"
underlying = "NVDA"

[tokens.BILL]
underlying = "BILL"
kind = "treasury"
issuer = "simulated"
multiplier = 1
"""


@pytest.fixture
def quoted_run(tmp_path: Path) -> Callable[..., Any]:
    """From a dataset folder and a strategy file to a result: the whole way, uncompiled.

    Columns of the perp NVDA and of the token BILL, targets by row, settings of the run.
    """

    def run(
        perp: Mapping[str, Any], token: Mapping[str, Any] | None, plan: Any, **settings: Any
    ) -> Any:
        folder = tmp_path / "made"
        folder.mkdir(exist_ok=True)
        hours = len(perp["mark_px"])
        time = pl.Series("time", [HOUR_NS * (496_250 + n) for n in range(hours)])
        clock = pl.DataFrame({"time": time.cast(pl.Datetime("ns", "UTC")).dt.cast_time_unit("ms")})
        columns = {"coin": "NVDA", "oracle_px": perp["mark_px"], "funding": 0.0, **perp}
        toml = COIN_TOML if token else COIN_TOML.partition("[tokens")[0]
        (folder / "dataset.toml").write_text(toml, encoding="utf-8")
        _with(clock, columns).write_parquet(folder / "perps.parquet")
        if token:
            _with(clock, {"token": "BILL", **token}).write_parquet(folder / "tokens.parquet")
        file = tmp_path / "scripted.py"
        told = {row: [repr(float(x)) for x in units] for row, units in plan.items()}
        file.write_text(
            "import numpy as np\n\n\ndef targets(tape):\n"
            "    width = len(tape.coins) + len(tape.tokens)\n"
            "    made = np.full((len(tape.past.time_ns), width), np.nan)\n"
            f"    for row, units in {told!r}.items():\n"
            "        made[row] = [float(x) for x in units]\n"
            "    return made\n",
            encoding="utf-8",
        )
        free = {"half_spread_frac": 0.0, "slippage_frac": 0.0, "token_half_spread_frac": 0.0}
        terms = {"max_leverage": 20, "taker_frac": 0.0}
        given = {**free, "terms": terms, **settings}
        return backtest(file, folder, config=given, pure_python=True)

    return run


def _with(clock: pl.DataFrame, columns: Mapping[str, Any]) -> pl.DataFrame:
    made = [pl.lit(x) if isinstance(x, (str, float)) else pl.Series(x) for x in columns.values()]
    return clock.with_columns(**dict(zip(columns, made, strict=True)))


@pytest.mark.parametrize("high", [None, [200.0, 200.0, 214.6, 200.5, 200.0]])
def test_the_extreme_of_an_hour_includes_the_mark_it_began_with(quoted_run, high):
    # As above, but the mark falls back in the very hour that funding takes 1 USD: at 200, and at
    # the recorded high of 200.50, the account is well; at 214.6, where the hour began, it is not.
    perp = {"mark_px": [200.0, 200.0, 214.6, 200.0, 200.0], "oracle_px": [200.0] * 5}
    perp["funding"] = [0.0, 0.0, 0.0, -0.0005, 0.0]
    if high:
        perp["mark_high_px"] = high
        perp["mark_low_px"] = [x - 5.0 for x in perp["mark_px"]]
    told = {"capital": 400.0, "margin_share": 0.5, "leverage": 10.0}
    fills = quoted_run(perp, None, {0: [-10.0]}, **told).frames["fills"]
    assert fills["px"].to_list() == pytest.approx([200.0, 214.6])
    assert fills["reason"].to_list() == ["target", "liquidation"]
    perp["funding"] = [0.0] * 5
    assert quoted_run(perp, None, {0: [-10.0]}, **told).frames["fills"].height == 1


def test_an_apr_beside_a_nav_is_not_paid_again(lab, quoted_run):
    # The NAV grows by 0.00001 an hour, which is what 8.76% APR says once more. Filled in row 1:
    # 1,000 x 0.00001 in each of rows 2 and 3.
    nav = [1.0, 1.00001, 1.00002, 1.00003]
    tokens = {"bid_px": nav, "ask_px": nav, "nav_px": nav, "apr": [0.0876] * 4}
    result = quoted_run({"mark_px": [100.0] * 4}, tokens, {0: [nan, 1_000.0]}, tokens=["BILL"])
    assert result.frames["equity"]["yield_usd"].sum() == pytest.approx(0.02)
