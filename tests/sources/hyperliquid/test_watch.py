"""Polls become rows: the last one by the hour, the range over all, settlements after it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pytest
from info_server import Api, Fault, serving
from info_venue import HOUR_MS, LISTED_MS, NVDA, TSLA, Clock, Venue, ms

from perpkit.dataset import read_dataset
from perpkit.dataset.store import Store
from perpkit.errors import DataError, RequestError
from perpkit.sources.hyperliquid import Client, Pace, Wanted, Watching, fetch, watch
from perpkit.sources.hyperliquid.pending import FILE

START_MS = ms("2026-11-20T10:58:20")
HOUR = ms("2026-11-20T11:00")


class Scene:
    """A watch whose server's time passes with its sleep."""

    def __init__(self, venue: Venue, api: Api, client_of: Callable[..., Client], out: Path) -> None:
        self.venue, self.api, self.client_of, self.out = venue, api, client_of, out
        self.said: list[str] = []
        self.polled: list[int] = []
        self.set(START_MS)

    def set(self, now_ms: int) -> None:
        self.venue.now_ms = self.api.now_ms = now_ms

    def sleep(self, seconds: float) -> None:
        self.set(self.venue.now_ms + round(seconds * 1_000))

    def run(self, polls: int, coins: tuple[str, ...] = (NVDA, TSLA), every_s: float = 30) -> None:
        client = self.client_of(self.api.url, now_ms=self.venue.now_ms)
        self.watching = Watching(client, coins, self.out, self.said.append)
        watch(self.watching, client, Pace(every_s, polls), self.sleep)

    def rows(self, coin: str = NVDA) -> list[dict[str, object]]:
        times = pl.col("time", "observed").cast(pl.Int64)
        return Store(self.out).rows("perps", coin).with_columns(times).to_dicts()


@pytest.fixture
def scene(
    venue: Venue, client_of: Callable[..., Client], tmp_path: Path, clock: Clock
) -> Iterator[Scene]:
    with serving(venue, START_MS) as api:
        yield Scene(venue, api, client_of, tmp_path / "xyz")


def marks(venue: Venue, moments: list[int], coin: str = NVDA) -> list[float]:
    made = []
    for moment in moments:
        venue.now_ms = moment
        made.append(float(venue.context(coin)["markPx"]))
    return made


def test_an_hour_is_its_last_poll_and_the_range_of_all(scene: Scene) -> None:
    scene.run(polls=6)

    # 10:58:20, :50, 10:59:20, :50 and, so that one lies near the hour, :58; then 11:00:28.
    moments = [START_MS + 1_000 * s for s in (0, 30, 60, 90, 98)]
    (row,) = scene.rows()
    seen = marks(scene.venue, moments)
    context = scene.venue.context(NVDA)
    assert row["time"] == HOUR
    assert row["observed"] == moments[-1] == HOUR - 2_000
    assert row["mark_px"] == seen[-1]
    assert (row["mark_low_px"], row["mark_high_px"]) == (min(seen), max(seen))
    assert min(seen) < max(seen)
    assert row["oracle_px"] == float(context["oraclePx"])
    assert row["mid_px"] == float(context["midPx"])
    assert [row["impact_bid_px"], row["impact_ask_px"]] == [float(p) for p in context["impactPxs"]]
    assert (row["premium"], row["open_interest"], row["day_ntl_vlm"]) == (0.0001, 1234.5, 1e6)
    assert row["oracle_source"] == "chain"
    assert row["funding"] is None  # the running estimate is no settled rate
    assert scene.said == [
        "2026-11-20 11:00Z xyz:NVDA: saved, 5 polls",
        "2026-11-20 11:00Z xyz:TSLA: saved, 5 polls",
    ]


def test_a_settlement_is_taken_once_it_is_there(scene: Scene) -> None:
    scene.run(polls=8)

    told = Store(scene.out).rows("funding", NVDA)
    (row,) = [r for r in scene.venue.settled(NVDA) if r["time"] // HOUR_MS * HOUR_MS == HOUR]
    assert told["time"].cast(pl.Int64).to_list() == [row["time"]]
    assert told["funding"].to_list() == [float(row["fundingRate"])]
    # Not asked for before a minute has passed, and once a coin.
    asked = scene.api.asked_for("fundingHistory")
    assert [body["coin"] for body in asked] == [NVDA, TSLA]
    data = read_dataset(scene.out)
    assert (data.perps.height, data.funding.height) == (2, 2)


def test_a_settlement_that_is_late_is_asked_for_again(scene: Scene) -> None:
    scene.venue.unsettled = {HOUR}
    scene.run(polls=14, coins=(NVDA,))
    assert len(scene.api.asked_for("fundingHistory")) == 1  # and not at each poll
    assert Store(scene.out).rows("funding", NVDA).height == 0
    scene.venue.unsettled = set()

    scene.run(polls=12, coins=(NVDA,))

    assert Store(scene.out).rows("funding", NVDA).height == 1
    assert len(scene.api.asked_for("fundingHistory")) == 2


def test_polls_of_an_unfinished_hour_survive(scene: Scene) -> None:
    scene.run(polls=3)
    assert Store(scene.out).parts("perps") == []
    assert (scene.out / FILE).is_file()
    scene.sleep(20)

    scene.run(polls=4)

    moments = [START_MS + 1_000 * s for s in (0, 30, 60, 80, 98)]
    (row,) = scene.rows()
    seen = marks(scene.venue, moments)
    assert (row["mark_low_px"], row["mark_high_px"], row["mark_px"]) == (
        min(seen),
        max(seen),
        seen[-1],
    )


def test_an_hour_that_ended_while_nobody_watched_is_saved(scene: Scene) -> None:
    scene.run(polls=2, coins=(NVDA,))
    scene.set(START_MS + 5 * HOUR_MS)

    scene.run(polls=1, coins=(NVDA,))

    (row,) = scene.rows()
    assert (row["time"], row["observed"]) == (HOUR, START_MS + 30_000)


@pytest.mark.parametrize(
    "fault",
    [
        Fault("metaAndAssetCtxs", status=500, text="null"),
        Fault("metaAndAssetCtxs", text="{}"),
        Fault("metaAndAssetCtxs", change=lambda told: [told[0], told[1][:-1]]),
        Fault("metaAndAssetCtxs", change=lambda told: [told[0], [{"markPx": "0"}] * 2]),
    ],
    ids=["down", "another form", "one is missing", "no price"],
)
def test_a_failing_server_ends_no_watch(scene: Scene, fault: Fault) -> None:
    scene.run(polls=1)
    scene.api.always = fault
    scene.run(polls=1)
    scene.api.always = None
    scene.run(polls=6)

    assert scene.watching.watched.rows == 2
    assert len(scene.said) == 3
    assert "xyz:NVDA: saved" in scene.said[1]


def test_recorded_prices_replace_those_formed_of_trades(scene: Scene) -> None:
    scene.run(polls=5, coins=(NVDA,))
    scene.set(HOUR + 90_000)
    client = scene.client_of(scene.api.url)
    fetch(client, Wanted((NVDA,), HOUR - 3 * HOUR_MS), scene.out)
    assert [row["oracle_source"] for row in scene.rows()] == ["premium"] * 4

    scene.run(polls=1, coins=(NVDA,))
    fetch(client, Wanted((NVDA,), HOUR - 5 * HOUR_MS), scene.out)

    assert [row["oracle_source"] for row in scene.rows()] == ["premium"] * 5 + ["chain"]


def test_terms_are_kept_and_their_change_is_told(scene: Scene) -> None:
    scene.run(polls=1)
    scene.venue.multiplier = "0.6"
    scene.run(polls=6)

    assert "xyz:NVDA: funding_multiplier is now 0.6, it was 0.5" in scene.said


def test_a_book_that_is_empty_leaves_its_cells_empty(scene: Scene) -> None:
    def change(told: list[list[dict[str, object]]]) -> object:
        empty = {"midPx": None, "impactPxs": None, "premium": None}
        return [told[0], [{**context, **empty} for context in told[1]]]

    scene.api.always = Fault("metaAndAssetCtxs", change=change)
    scene.run(polls=6, coins=(NVDA,))

    (row,) = scene.rows()
    assert [row[name] for name in ("mid_px", "impact_bid_px", "premium")] == [None] * 3


def test_a_delisted_perp_is_refused(scene: Scene) -> None:
    def change(meta: dict[str, list[dict[str, object]]]) -> object:
        return {**meta, "universe": [{**e, "isDelisted": True} for e in meta["universe"]]}

    scene.api.always = Fault("meta", change=change)
    with pytest.raises(RequestError, match="xyz:NVDA is delisted, there is nothing to watch"):
        scene.run(polls=1)


def test_a_core_perp_and_a_dex_are_watched_together(scene: Scene) -> None:
    scene.venue.coins["BTC"] = LISTED_MS
    scene.run(polls=6, coins=(NVDA, "BTC"))

    assert [row["time"] for row in scene.rows("BTC")] == [HOUR]
    asked = scene.api.asked_for("metaAndAssetCtxs")[:2]
    assert asked == [
        {"type": "metaAndAssetCtxs", "dex": "xyz"},
        {"type": "metaAndAssetCtxs"},
    ]


def test_a_file_of_polls_that_cannot_be_read_is_refused(scene: Scene) -> None:
    scene.run(polls=1)
    (scene.out / FILE).write_text("{", encoding="utf-8")
    with pytest.raises(DataError, match="cannot be read; remove it, which loses the polls of one"):
        scene.run(polls=1)


def test_a_pause_of_nothing_is_refused(scene: Scene) -> None:
    with pytest.raises(RequestError, match="--every 0 is no pause"):
        scene.run(polls=1, every_s=0)
    with pytest.raises(RequestError, match="--every nan is no pause"):
        scene.run(polls=2, every_s=float("nan"))


def test_polls_of_a_perp_that_is_no_longer_watched_wait(scene: Scene) -> None:
    scene.run(polls=2)
    scene.set(START_MS + 2 * HOUR_MS)
    scene.run(polls=5, coins=(NVDA,))

    assert list(read_dataset(scene.out).perps_meta) == [NVDA]
    assert Store(scene.out).parts("funding") != []
    scene.run(polls=1, coins=(TSLA,))
    assert [row["time"] for row in scene.rows(TSLA)] == [HOUR]


def test_a_server_whose_clock_jumps_back_changes_no_hour(scene: Scene) -> None:
    scene.run(polls=6, coins=(NVDA,))
    before = (scene.out / FILE).read_bytes()
    scene.set(HOUR - 30_000)

    scene.run(polls=1, coins=(NVDA,))

    assert (scene.out / FILE).read_bytes() == before
    assert len(scene.rows()) == 1
