"""Pages of settlements and candles: the whole span, each row once, or one sentence."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from info_server import Api, Fault
from info_venue import HOUR_MS, LISTED_MS, NOW_MS, NVDA, Venue

from perpkit.errors import DataError
from perpkit.sources.hyperliquid.client import Client
from perpkit.sources.hyperliquid.history import candles, settlements

Rows = list[dict[str, Any]]
END_MS = LISTED_MS + 1_300 * HOUR_MS


def truth(venue: Venue, from_ms: int = LISTED_MS, to_ms: int = END_MS) -> list[tuple[int, ...]]:
    return [
        (row["time"], float(row["fundingRate"]), float(row["premium"]))
        for row in venue.settled(NVDA)
        if from_ms <= row["time"] <= to_ms
    ]


def test_a_long_span_is_paged_through_with_inclusive_bounds(
    api: Api, client: Client, venue: Venue
) -> None:
    assert settlements(client, NVDA, LISTED_MS, END_MS) == truth(venue)
    starts = [body["startTime"] for body in api.asked]
    assert starts == [LISTED_MS, truth(venue)[499][0], truth(venue)[998][0]]


@pytest.mark.parametrize(
    "page",
    [
        lambda rows: random.Random(3).sample(rows, len(rows)),
        lambda rows: rows[::-1],
        lambda rows: [*rows, *rows[:50]],
        lambda rows: rows[:100],
        lambda rows: rows[-100:],
        lambda rows: rows[200:300],
    ],
    ids=["shuffled", "backwards", "repeated", "cut", "newest first", "the middle"],
)
def test_pages_of_another_order_or_size(
    api: Api, client: Client, venue: Venue, page: Callable[[Rows], Rows]
) -> None:
    def change(rows: Rows) -> Rows:
        return page(rows) if len(rows) > 400 else rows

    api.always = Fault(change=change)

    assert settlements(client, NVDA, LISTED_MS, END_MS) == truth(venue)


def test_pages_that_overlap(api: Api, client: Client, venue: Venue) -> None:
    early = venue.settled(NVDA)[:30]
    api.always = Fault(change=lambda rows: early + rows)

    first = LISTED_MS + 20 * HOUR_MS
    assert settlements(client, NVDA, first, END_MS) == truth(venue, first)


def test_rows_from_the_future_are_not_taken(api: Api, client: Client, venue: Venue) -> None:
    late = venue.settled(NVDA)[1_310:1_320]
    api.always = Fault(change=lambda rows: rows + late)

    assert settlements(client, NVDA, LISTED_MS, END_MS) == truth(venue)


def test_a_span_before_the_listing_is_empty(api: Api, client: Client) -> None:
    assert settlements(client, NVDA, LISTED_MS - 900 * HOUR_MS, LISTED_MS - 1) == []
    assert len(api.asked) == 1


def test_a_page_that_does_not_go_on_is_an_error(api: Api, client: Client, venue: Venue) -> None:
    first = venue.settled(NVDA)[:500]
    api.always = Fault(change=lambda _: first)

    with pytest.raises(DataError) as caught:
        settlements(client, NVDA, LISTED_MS, END_MS)

    assert str(caught.value) == (
        "fundingHistory of xyz:NVDA from 2026-10-16 09:00Z to 2026-11-18 18:00Z is answered with "
        "rows that do not go on; check --base-url, and run the same command again later"
    )


def test_pages_that_contradict_each_other_are_an_error(api: Api, client: Client) -> None:
    def change(rows: Rows) -> Rows:
        if rows[0]["time"] > LISTED_MS + HOUR_MS:
            rows[0]["fundingRate"] = "0.001"
        return rows

    api.always = Fault(change=change)

    with pytest.raises(DataError, match="tells two different things of 2026-10-16 09:00Z; run"):
        settlements(client, NVDA, LISTED_MS, END_MS)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("fundingRate", "much"),
        ("fundingRate", None),
        ("fundingRate", "inf"),
        ("premium", "nan"),
        ("premium", "-1.0"),
        ("time", "2026"),
        ("time", 1.5),
        ("coin", "xyz:TSLA"),
    ],
)
def test_a_row_that_is_none(api: Api, client: Client, key: str, value: object) -> None:
    api.always = Fault(change=lambda rows: [{**row, key: value} for row in rows])

    with pytest.raises(DataError, match=f"the answer holds as {key}.* cannot read"):
        settlements(client, NVDA, LISTED_MS, END_MS)


@pytest.mark.parametrize("answer", [{}, "text", 5, [5], [[]]])
def test_an_answer_that_is_no_page(api: Api, client: Client, answer: object) -> None:
    api.always = Fault(change=lambda _: answer)

    with pytest.raises(DataError, match="the answer holds no list of settlements but"):
        settlements(client, NVDA, LISTED_MS, END_MS)


def test_a_premium_may_be_absent(api: Api, client: Client) -> None:
    api.always = Fault(change=lambda rows: [{**row, "premium": None} for row in rows])

    found = settlements(client, NVDA, LISTED_MS, LISTED_MS + 5 * HOUR_MS)
    assert [row.premium for row in found] == [None] * 5


def test_candles_of_a_span(api: Api, client: Client, venue: Venue) -> None:
    first, last = LISTED_MS + 10 * HOUR_MS, LISTED_MS + 700 * HOUR_MS

    found = candles(client, NVDA, first, last)

    assert [row.time_ms for row in found] == list(range(first, last + 1, HOUR_MS))
    assert [row.close for row in found] == [venue.close(NVDA, row.time_ms) for row in found]
    assert {(round(row.high - row.close, 2), row.trades) for row in found} == {(0.5, 12)}


@pytest.mark.parametrize(
    "change",
    [
        {"s": "xyz:TSLA"},
        {"i": "15m"},
        {"t": LISTED_MS + 1},
        {"T": LISTED_MS},
        {"c": "-1"},
        {"h": "1.0"},
        {"n": "many"},
    ],
    ids=str,
)
def test_a_candle_that_is_none(api: Api, client: Client, change: dict[str, Any]) -> None:
    api.always = Fault(change=lambda rows: [{**row, **change} for row in rows])

    with pytest.raises(DataError, match="the answer holds as"):
        candles(client, NVDA, NOW_MS - 50 * HOUR_MS, NOW_MS)
