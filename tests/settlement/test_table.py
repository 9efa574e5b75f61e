"""The table of transitions: whole, without dead ends, and every line of it reached."""

from __future__ import annotations

import pytest

from perpkit.delivery import EVERY, OF_MODE, Delivery
from perpkit.settlement import FINAL, LABEL, TABLE, State, Trade, endings, on_time, settle
from perpkit.settlement.table import options

MODES = ("atomic", "coordinated", "sequential")
SIDES = ("buy", "sell")
# Every event can happen.
ROUGH = {
    "compliance_fail_prob": 0.1,
    "lock_fail_prob": 0.1,
    "attest_fail_prob": 0.1,
    "pay_reject_prob": 0.1,
    "pay_unknown_prob": 0.2,
    "release_fail_prob": 0.3,
    "release_retries": 2,
    "fail_prob": 0.2,
    "buy_in_days": 3,
}


def rough(mode: str, **told: float) -> Delivery:
    own = {name: value for name, value in ROUGH.items() if name in OF_MODE[mode]}
    return Delivery(mode=mode, **{**own, **told})


@pytest.mark.parametrize("mode", MODES)
def test_every_line_of_the_table_is_reached(mode: str) -> None:
    lines = [t for t in TABLE if t.mode == mode]
    reached = set()
    for side in SIDES:
        path = rough(mode)
        for end in endings(path, side):
            seen = [State.AGREED]
            for event in end.events:
                able = [option.transition for option in options(path, side, seen)]
                (done,) = [t for t in able if t.event == event]
                reached.add(done)
                seen.append(done.end)
    assert reached == set(lines)


def test_every_state_is_reached_and_has_a_label_of_its_own() -> None:
    found = {t.end for t in TABLE} | {State.AGREED}
    assert found == set(State) == set(LABEL)
    assert len(set(LABEL.values())) == len(State)


def test_what_is_final_is_left_by_nothing_and_all_else_is_left() -> None:
    assert {LABEL[state] for state in FINAL} == {"S4", "X0", "R1", "R2"}
    assert not [t for t in TABLE if t.start in FINAL]
    assert {t.start for t in TABLE} == set(State) - FINAL


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("side", SIDES)
def test_odds_of_what_may_happen_are_whole_in_every_situation(mode: str, side: str) -> None:
    path, open_ways, situations = rough(mode), [(State.AGREED,)], 0
    while open_ways:
        seen = open_ways.pop()
        if seen[-1] in FINAL:
            continue
        able = options(path, side, seen)
        situations += 1
        assert sum(not option.transition.odds for option in able) == 1
        assert sum(option.prob for option in able) == pytest.approx(1.0, abs=1e-15)
        assert len({option.transition.event for option in able}) == len(able)
        open_ways += [(*seen, option.transition.end) for option in able]
    assert situations == {"atomic": 1, "coordinated": 17, "sequential": 5}[mode]


@pytest.mark.parametrize("mode", MODES)
def test_a_transition_takes_and_asks_only_what_the_mode_reads(mode: str) -> None:
    named: set[str] = set()
    for t in TABLE:
        if t.mode == mode:
            named |= {t.odds, *t.takes, t.within, t.beyond} - {""}
    own = set(OF_MODE[mode]) - set(EVERY) | {"compliance_fail_prob"}
    assert named == own - {"penalty_frac_day"}  # which is of the cost
    assert own <= set(Delivery.model_fields)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("side", SIDES)
def test_a_listed_ending_is_the_one_that_is_walked(mode: str, side: str) -> None:
    path, trade = rough(mode), Trade("buy" if side == "buy" else "sell", 10, 5.0)
    ways = endings(path, side)
    assert sum(way.prob for way in ways) == pytest.approx(1.0, abs=1e-14)
    assert len({way.events for way in ways}) == len(ways) > 1
    for way in ways:
        walked = settle(trade, path, way.events)
        assert walked.state == way.state
        assert walked.hours == pytest.approx(way.time.clock_hours, abs=1e-12)
        assert [step.event for step in walked.log[1:]] == list(way.events)
    first = settle(trade, path)
    assert tuple(step.event for step in first.log[1:]) == on_time(path, side).events


@pytest.mark.parametrize("mode", MODES)
def test_both_sides_end_alike(mode: str) -> None:
    buys, sells = (endings(rough(mode), side) for side in SIDES)
    assert [(w.prob, w.state, w.time) for w in buys] == [(w.prob, w.state, w.time) for w in sells]


def test_what_cannot_happen_is_not_listed() -> None:
    assert [way.events for way in endings(Delivery(mode="atomic"))] == [("settled",)]
    sure = Delivery(mode="coordinated", lock_fail_prob=1.0)
    assert [way.events for way in endings(sure)] == [("not_locked",)]
