"""Settlement: what was under way is paired from start to end, and counted by how it ended."""

from __future__ import annotations

from typing import Any

from perpkit.report.panel import Chart, Table
from perpkit.report.panels.settlement import LISTED, panel
from perpkit.report.reading import Run

from .small import EVIL, at, cards, column, every, small, texts, traces, unpacked

HOUR_MS = 3_600_000


def event(h: int, kind: str, usd: float, of: str = "v") -> dict[str, Any]:
    """An event of an account, or of a token in the wallet."""
    token = not kind.startswith("transfer")
    told = {"instrument": of, "account": "wallet"} if token else {"account": of}
    return {"h": h, "kind": kind, "value_usd": usd, "detail": f"{kind} of {usd:.0f}", **told}


def moved() -> Run:
    """Transfers both ways, two redemptions of which one is not paid, three trades."""
    return small(
        40,
        {"transfer_usd": -2.0, "settlement_usd": -3.5},
        events=[
            event(1, "transfer_sent", 100),
            event(2, "transfer_sent", 30, "wallet"),
            event(4, "transfer_arrived", 100),
            event(4, "transfer_sent", 50),
            event(5, "transfer_arrived", 30, "wallet"),
            event(7, "transfer_arrived", 50),
            event(9, "transfer_refused", 70),
            event(10, "redeem_sent", 200, "BILL"),
            event(10, "settlement_sent", 500, "AAAx"),
            event(11, "leg_waits", 20, "AAAx"),
            event(20, "unwound", 500, "AAAx"),
            event(20, "settlement_sent", 400, "AAAx"),
            event(22, "settled", 400, "AAAx"),
            event(30, "redeem_paid", 200, "BILL"),
            event(35, "redeem_sent", 60, "BILL"),
            event(36, "settlement_sent", 10, "BBBx"),
            event(37, "settled", 10, "BBBx"),
        ],
        fills=[
            {"h": 10, "instrument": "AAAx", "reason": "target", "settlement_id": 1},
            {"h": 20, "instrument": "AAAx", "reason": "settlement", "settlement_id": 1},
            {"h": 20, "instrument": "AAAx", "reason": "target", "settlement_id": 2},
            {"h": 36, "instrument": "BBBx", "reason": "target", "settlement_id": 3},
        ],
    )


def test_each_is_paired_with_the_end_that_follows_it() -> None:
    table = every(panel(moved()), Table)[0]
    found = zip(
        *(column(table, name) for name in ("what", "of or to", "value", "took", "outcome", "id")),
        strict=True,
    )
    assert list(found) == [
        ("trade", "AAAx", 500, 10, "undone", 1),
        ("transfer", "v", 100, 3, "arrived", None),
        ("transfer", "wallet", 30, 3, "arrived", None),
        ("transfer", "v", 50, 3, "arrived", None),
        ("redemption", "BILL", 200, 20, "paid", None),
        ("trade", "AAAx", 400, 2, "settled", 2),
        ("redemption", "BILL", 60, 4, "under way at the end", None),
        ("trade", "BBBx", 10, 1, "settled", 3),
    ]
    assert texts(table, "began")[0] == "2026-03-02 10:00"
    assert texts(table, "ended")[6] == ""


def test_bars_go_from_start_to_end_in_their_lane() -> None:
    chart = every(panel(moved()), Chart)[0]
    lanes = chart.figure["layout"]["yaxis"]["ticktext"]
    assert lanes == [
        "cash to v",
        "cash to wallet",
        "redeemed BILL",
        "trade of AAAx",
        "trade of BBBx",
    ]
    drawn = traces(chart)
    arrived = drawn["arrived"]
    assert unpacked(arrived["base"]) == [at(h).timestamp() * 1000 for h in (1, 2, 4)]
    assert unpacked(arrived["x"]) == [3 * HOUR_MS] * 3
    assert unpacked(arrived["y"]) == [0, 1, 0]
    undone = drawn["undone"]
    assert (unpacked(undone["x"]), unpacked(undone["y"])) == ([10 * HOUR_MS], [3])
    assert undone["text"] == [
        "trade, AAAx: 500 USD, 2026-03-02 10:00 to 2026-03-02 20:00 (10 h): unwound of 500"
    ]
    assert unpacked(drawn["transfer refused"]["y"]) == [0]
    assert unpacked(drawn["an order waits"]["y"]) == [3]


def test_usd_under_way_are_those_sent_and_not_ended() -> None:
    drawn = traces(every(panel(moved()), Chart)[1])
    transfers = [0.0] * 40
    for begun, ended, usd in ((1, 4, 100), (2, 5, 30), (4, 7, 50)):
        for h in range(begun, ended):
            transfers[h] += usd
    assert unpacked(drawn["transfers"]["y"]) == transfers
    redemptions = [200.0 if 10 <= h < 30 else 60.0 if h >= 35 else 0.0 for h in range(40)]
    assert unpacked(drawn["redemptions"]["y"]) == redemptions
    trades = [500.0 if 10 <= h < 20 else 400.0 if 20 <= h < 22 else 0.0 for h in range(40)]
    trades[36] = 10.0
    assert unpacked(drawn["trades"]["y"]) == trades


def test_cards_and_the_sentence_count_what_failed() -> None:
    told = panel(moved())
    found = cards(told)
    assert found["Transfers"].value == "3"
    assert "180 USD; 3 arrived; median 3 h, longest 3 h" in found["Transfers"].note
    assert "1 paid, 1 under way at the end" in found["Redemptions"].note
    assert "2 settled, 1 undone" in found["Trades"].note
    assert found["Transfer refused"].value == "1"
    assert found["An order waits"].value == "1"
    assert found["Cost"].value == "5.50 USD"
    busy = [h for h in range(40) if 1 <= h < 7 or 10 <= h < 30 or h >= 35]
    assert f"{len(busy) / 40:.2%} of hours" in told.lead
    assert "at most 700 USD on 2026-03-02 10:00" in told.lead
    assert "the longest took 20 hours: redemption, BILL, paid" in told.lead
    assert "1 of 3 trades of tokens failed" in told.lead
    assert "1 transfers or redemptions were refused" in told.lead
    assert "cost 5.50 USD" in told.lead


def test_a_refusal_alone_is_told() -> None:
    told = panel(small(3, events=[event(1, "transfer_refused", 70)]))
    assert "1 transfers or redemptions were refused" in told.lead
    assert not every(told, Table)


def test_of_very_many_the_table_says_how_many_there_are() -> None:
    rows = []
    for n in range(LISTED + 100):
        rows += [event(2 * n, "transfer_sent", 1), event(2 * n + 1, "transfer_arrived", 1)]
    told = panel(small(2 * len(rows), events=rows))
    table = every(told, Table)[0]
    assert len(table.rows) == LISTED
    assert table.caption.startswith("500 of 600 were under way")


def test_without_any_it_says_so() -> None:
    told = panel(small(3))
    assert not told.parts
    assert "settled at once" in told.empty


def test_names_are_text() -> None:
    told = panel(small(3, events=[event(0, "redeem_sent", 5, EVIL)]))
    assert f"redeemed {EVIL}" in every(told, Chart)[0].figure["layout"]["yaxis"]["ticktext"]
    assert column(every(told, Table)[0], "of or to") == [EVIL]
