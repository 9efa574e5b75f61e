"""Bugs that backtesters of perpetuals keep having: funding, what it is paid on, and when.

Each test is named by the bug, with a public thread where somebody met it, and fails on a book that
has it. Risk, costs and look-ahead are in the other room.
"""

from __future__ import annotations

import pytest

from perpkit.errors import DataError

HOUR_RATE = 0.0000125  # 0.01% per 8 h


def payments(result) -> list[float]:
    return result.frames["funding"]["payment_usd"].to_list()


def total(result, cause: str) -> float:
    return result.frames["equity"][f"{cause}_usd"].sum()


# --------------------------------------------------------------------------- when it settles


@pytest.mark.parametrize("late_s", [0.0, 0.039, 111.0])
def test_settlement_missed_because_its_stamp_is_not_on_the_hour(bench, row_of, late_s):
    # freqtrade PR #5779, shobhit727/trade#30: timestamps arrive late, and a test for equality with
    # the boundary settles nothing, or settles in the next bar.
    rates = [(n + late_s / 3600, 0.0001 * n) for n in range(1, 6)]
    data = bench.data({"NVDA": {"mark_px": [100.0] * 6}}, funding={"NVDA": rates})
    funding = bench.run(data, {0: [-1.0]}).frames["funding"]
    assert row_of(funding["time"]) == [2, 3, 4, 5]
    assert funding["payment_usd"].to_list() == pytest.approx([0.02, 0.03, 0.04, 0.05])


@pytest.mark.parametrize("first", [0, 5])
def test_settlements_of_eight_hours_missed_by_where_the_bars_begin(bench, row_of, first):
    # HKUDS/Vibe-Trading#1290, shobhit727/trade#30: one settlement a day where there are three,
    # because only some bars open on a boundary.
    hours = range(first, first + 30)
    rates = [(float(n), 0.001) for n in (8, 16, 24, 32) if n in hours]
    data = bench.data({"NVDA": {"mark_px": [100.0] * 30, "row": hours}}, funding={"NVDA": rates})
    result = bench.run(data, {0: [-1.0]}, terms={"interval_hours": 8})
    assert row_of(result.frames["funding"]["time"]) == [int(at) for at, _ in rates]
    assert total(result, "funding") == pytest.approx(0.1 * len(rates))


def test_interval_that_is_no_longer_eight_hours(bench):
    # freqtrade#12583: the venue went from eight hours to one, and seven of eight payments are lost
    # or the rates land on the wrong boundary. Neither happens unsaid.
    rates = [(float(n), HOUR_RATE) for n in range(17)]
    data = bench.data({"NVDA": {"mark_px": [100.0] * 17}}, funding={"NVDA": rates})
    with pytest.raises(DataError, match=r"interval_hours"):
        bench.run(data, {0: [-1.0]}, terms={"interval_hours": 8})
    assert len(payments(bench.run(data, {0: [-1.0]}))) == 15


def test_settlement_written_twice_is_paid_twice(bench):
    # freqtrade PR #5779: one payment per published rate.
    data = bench.data(
        {"NVDA": {"mark_px": [100.0] * 4}},
        funding={"NVDA": [(0.0, 0.001), (1.0, 0.001), (1.001, 0.001), (2.0, 0.001), (3.0, 0.001)]},
    )
    with pytest.raises(DataError, match="settles twice"):
        bench.run(data, {0: [-1.0]})


# --------------------------------------------------------------------------- which rate


def test_missing_rate_is_taken_as_zero(bench):
    # freqtrade#10888, PR #6857: where no history is kept, funding is silently 0 or a constant.
    perp = {"mark_px": [100.0] * 6, "funding": [0.001, 0.001, 0.001, None, 0.001, 0.001]}
    data = bench.data({"NVDA": perp})
    with pytest.raises(DataError, match="funding of NVDA is not recorded at 2026-08-12 03:00Z"):
        bench.run(data, {0: [-1.0]})
    assert payments(bench.run(data, {3: [-1.0]})) == pytest.approx([0.1])
    assert not payments(bench.run(data, {}))


def test_rate_is_a_constant(bench):
    # mirror29/inalpha#115: a constant in the backtest against real rates in paper trading.
    rates = [0.0, 0.0, 0.0004, -0.0001, 0.0002, 0.0]
    data = bench.data({"NVDA": {"mark_px": [100.0] * 6, "funding": rates}})
    result = bench.run(data, {0: [-1.0]})
    assert payments(result) == pytest.approx([100.0 * r for r in rates[2:]])
    assert result.frames["funding"]["funding"].to_list() == rates[2:]


def test_last_rate_is_charged_after_the_data_ended(bench):
    # QuantConnect/Lean#9801: the last cached rate went on being charged, 58 times too much.
    funding = [0.01, 0.01, 0.01, 0.01, *[None] * 20]
    data = bench.data({"NVDA": {"mark_px": [100.0] * 24, "funding": funding}})
    result = bench.run(data, {0: [1.0]})
    assert payments(result) == pytest.approx([-1.0, -1.0])
    assert result.frames["equity"].height == 4
    assert any("20 h cut" in told for told in result.warnings)


def test_rate_of_eight_hours_is_taken_for_that_of_one(bench):
    # freqtrade#12206, hummingbot/hummingbot#8413: 1 h and 8 h figures are mixed, by a factor of 8.
    # A premium that stands pays the same over eight hours at either interval: 0.0021 of notional.
    perp = {"mark_px": [100.26] * 9, "oracle_px": [100.0] * 9, "premium": [0.0026] * 9}
    for hours in (1, 8):
        data = bench.data({"NVDA": {**perp, "funding": [None] * 9}})
        rates = {"funding": "formula", "terms": {"interval_hours": hours}}
        result = bench.run(data, {0: [-1.0]}, **rates)
        paid = payments(result)
        assert len(paid) == 8 // hours - (hours == 1)
        assert paid == pytest.approx([100.0 * 0.0021 * hours / 8] * len(paid))


def test_apr_mixes_the_intervals(bench):
    # hummingbot/hummingbot#8413: an hourly rate shown as 1.79e+11 %. 0.01% per 8 h is 10.95% APR.
    for every, rate in ((1, HOUR_RATE), (8, 8 * HOUR_RATE)):
        rates = [rate if n % every == 0 else None for n in range(241)]
        data = bench.data({"NVDA": {"mark_px": [100.0] * 241, "funding": rates}})
        result = bench.run(data, {0: [-1.0]}, terms={"interval_hours": every})
        assert result.summary["funding_yield_apr"] == pytest.approx(0.1095, rel=0.01)


# --------------------------------------------------------------------------- sign


def test_longs_are_paid_what_they_owe(bench):
    # freqtrade#6185, PR #6231: a long-only test got better with funding switched on.
    ends = {}
    for rate in (0.0, 0.0005):
        data = bench.data({"NVDA": {"mark_px": [100.0] * 5, "funding": [rate] * 5}})
        for units in (1.0, -1.0):
            equity = bench.run(data, {0: [units]}).frames["equity"]["equity_usd"]
            ends[rate, units] = equity[-1]
    assert ends[0.0, 1.0] == ends[0.0, -1.0] == 100_000.0
    assert ends[0.0005, 1.0] == pytest.approx(100_000.0 - 3 * 0.05, abs=1e-9)
    assert ends[0.0005, -1.0] == pytest.approx(100_000.0 + 3 * 0.05, abs=1e-9)


def test_funding_is_left_out_and_turns_the_result_around(bench):
    # FLOX-Foundation/flox PR #282: ignored, "sometimes by enough to flip the sign".
    data = bench.data({"NVDA": {"mark_px": [100.0, 100.0, 99.9, 99.8], "funding": [-0.002] * 4}})
    result = bench.run(data, {0: [-1.0]})
    assert total(result, "perp_price") == pytest.approx(0.2)
    assert result.frames["equity"]["equity_usd"][-1] < 100_000.0 - 0.19


# --------------------------------------------------------------------------- the held interval


@pytest.mark.parametrize("sentinel", [2, 6])
def test_funding_outside_the_held_interval(bench, sentinel):
    # richkuo/go-trader PR #1335: funding was booked one bar early, before entry. Filled at row 2,
    # after its settlement; closed at row 5, after its settlement.
    rates = [0.0] * 8
    rates[sentinel] = 0.04
    data = bench.data({"NVDA": {"mark_px": [100.0] * 8, "funding": rates}})
    result = bench.run(data, {1: [-1.0], 4: [0.0]})
    assert result.frames["funding"].height == 3
    assert total(result, "funding") == 0.0


@pytest.mark.parametrize("sentinel", [3, 5])
def test_funding_missed_at_an_end_of_the_held_interval(bench, sentinel):
    # The same thread, the other way: the first settlement after entry and that of the exit's hour.
    rates = [0.0] * 8
    rates[sentinel] = 0.04
    data = bench.data({"NVDA": {"mark_px": [100.0] * 8, "funding": rates}})
    assert total(bench.run(data, {1: [-1.0], 4: [0.0]}), "funding") == pytest.approx(4.0)


# --------------------------------------------------------------------------- on what size and price


def test_funding_of_a_resized_position_uses_one_size_for_all(bench):
    # freqtrade#9626: wrong when a position is resized many times.
    sizes = [-1.0, -3.0, -2.0, 1.0, 4.0, 0.5]
    data = bench.data({"NVDA": {"mark_px": [100.0] * 8, "funding": [0.001] * 8}})
    result = bench.run(data, {n: [size] for n, size in enumerate(sizes)})
    # The target of row n is held from the fills of n + 1 to the settlement of n + 2.
    assert payments(result) == pytest.approx([-0.1 * size for size in sizes])
    assert result.frames["funding"]["position"].to_list() == sizes


def test_funding_cannot_be_checked_by_hand(bench):
    # freqtrade#7291: users want every settlement with its position, price and rate. The price is
    # the oracle of the settlement, neither the mark nor the price of entry.
    oracle = [100.0, 101.0, 103.0, 102.0, 99.0]
    perp = {"mark_px": [p + 1.0 for p in oracle], "oracle_px": oracle, "funding": [0.002] * 5}
    result = bench.run(bench.data({"NVDA": perp}), {0: [-2.0]})
    rows = result.frames["funding"]
    by_hand = [2.0 * px * 0.002 for px in oracle[2:]]
    assert rows["payment_usd"].to_list() == pytest.approx(by_hand)
    assert rows["oracle_px"].to_list() == oracle[2:]
    assert total(result, "funding") == pytest.approx(sum(by_hand))


def test_pair_is_entered_with_one_leg(bench):
    # richkuo/go-trader#102: the delta-neutral strategy that trades one leg.
    quotes = {
        "bid_px": [99.9, 99.8, 99.9, 99.8, 99.9],
        "ask_px": [100.1, 100.0, 100.1, 100.0, 100.1],
    }
    perp = {"mark_px": [100.0] * 5}
    for halted in (False, True):
        tokens = {"NVDA": {**quotes, "halted": [halted] * 5}}
        fills = bench.run(bench.data({"NVDA": perp}, tokens=tokens), {0: [-5.0, 5.0]}).frames[
            "fills"
        ]
        assert fills["instrument"].sort().to_list() == ([] if halted else ["NVDA", "NVDAon"])


def test_strategy_that_never_traded_looks_tested(bench):
    # richkuo/go-trader#988: "untested, not disproven": no trades, because there was no funding.
    result = bench.run(bench.data({"NVDA": {"mark_px": [100.0] * 4}}), {})
    assert any("nothing was traded" in told for told in result.warnings)
    with pytest.raises(DataError, match="has no funding"):
        bench.run(bench.data({"NVDA": {"mark_px": [100.0] * 4, "funding": [None] * 4}}), {})


def test_rate_of_eight_hours_is_seen_before_it_settles(bench):
    # freqtrade#12310: eight-hour funding merged into finer bars shows a rate before its time.
    decide = (
        "def decide(t, past, book, p, mine, target):\n"
        "    if past.funding_total[-1, 0] > 0.0:\n"
        "        target.perps[0] = -1.0\n"
    )
    rates = [0.001 if n == 8 else 0.0 if n % 8 == 0 else None for n in range(17)]
    data = bench.data({"NVDA": {"mark_px": [100.0 + n for n in range(17)], "funding": rates}})
    result = bench.run(data, decide, terms={"interval_hours": 8})
    assert result.frames["fills"]["px"].to_list() == [109.0]
    assert payments(result) == [0.0]
