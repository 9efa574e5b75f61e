"""The answers that the API gave in truth, replayed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from info_server import serving
from info_venue import HOUR_MS, NVDA, TSLA, ms

from perpkit.dataset.store import Store
from perpkit.rulebook import open_rulebook
from perpkit.sources.hyperliquid import Client, Pace, Wanted, Watching, fetch, watch
from perpkit.sources.hyperliquid.contexts import poll
from perpkit.sources.hyperliquid.history import candles, settlements
from perpkit.sources.hyperliquid.markets import read_markets
from perpkit.sources.hyperliquid.rules import keep_terms
from perpkit.sources.hyperliquid.terms import terms_of

pytestmark = pytest.mark.shared

Replay = Callable[..., Any]
POLLED_MS = ms("2025-12-13T12:59:50")


class Recorded:
    """Answers each request as it was answered when the files were recorded.

    Times asked for count no more than at the venue: rows outside of them are left out. The files
    hold no history of the perps of xyz, which are answered with none.
    """

    def __init__(self, folder: Path, *files: str) -> None:
        self.told: dict[str, Any] = {}
        for file in files:
            for entry in json.loads((folder / f"{file}.json").read_text(encoding="utf-8")):
                self.told[self.key(entry["request"])] = entry["response"]

    @staticmethod
    def key(body: dict[str, Any]) -> str:
        span = body.get("req", body)
        names = {k: v for k, v in span.items() if k not in ("startTime", "endTime") and v}
        return json.dumps([body["type"], names.get("dex", ""), names.get("coin", "")])

    def __call__(self, body: dict[str, Any]) -> Any:
        answer = self.told.get(self.key(body))
        span = body.get("req", body)
        if "startTime" not in span:
            return answer
        low, high = span["startTime"], span["endTime"]
        return [row for row in answer or [] if low <= row.get("time", row.get("t")) <= high]


@pytest.fixture
def api_folder(shared_data: Path) -> Path:
    return shared_data / "api"


def test_terms_of_december_2025(
    api_folder: Path, client_of: Callable[..., Client], tmp_path: Path
) -> None:
    recorded = Recorded(api_folder, "meta_dex_2025-12-13", "perpDexs_2025-12-13")
    if recorded.key({"type": "meta", "dex": "xyz"}) not in recorded.told:
        recorded.told[recorded.key({"type": "meta", "dex": "xyz"})] = _xyz_meta(api_folder)
    with serving(recorded, POLLED_MS) as api:
        markets = read_markets(client_of(api.url), (NVDA, TSLA), open_rulebook())
    keep_terms(tmp_path, markets, POLLED_MS)

    nvda, tsla = (terms_of(market) for market in markets)
    assert (nvda["oi_cap_usd"].value, tsla["oi_cap_usd"].value) == (50e6, 25e6)
    assert (nvda["max_leverage"].value, nvda["margin_modes"].value) == (10, "strict_isolated")
    # The list was there and empty: the protocol's multiplier of 1. It knew of no clamps yet.
    assert nvda["funding_multiplier"] == (1.0, "documented")
    assert "clamp_8h" not in nvda
    book = open_rulebook(dataset=tmp_path).venue("xyz")
    assert book.at("oi_cap_usd", POLLED_MS * 1_000_000, TSLA).value == 25e6


def _xyz_meta(folder: Path) -> Any:
    recorded = Recorded(folder, "metaAndAssetCtxs_2025-12-13")
    return recorded({"type": "metaAndAssetCtxs", "dex": "xyz"})[0]


def test_contexts_of_xyz(api_folder: Path, client_of: Callable[..., Client]) -> None:
    with serving(Recorded(api_folder, "metaAndAssetCtxs_2025-12-13"), POLLED_MS) as api:
        found = poll(client_of(api.url), "xyz")
        core = poll(client_of(api.url), "")

    assert found[TSLA] == {
        "oracle_px": 399.6,
        "mark_px": 399.52,
        "mid_px": 399.415,
        "impact_bid_px": 399.288,
        "impact_ask_px": 399.542,
        "premium": -0.000462963,
        "open_interest": 39552.404,
        "day_ntl_vlm": 23565824.4043000378,
    }
    assert "BTC" in core
    assert "MATIC" not in core  # delisted
    for cells in (*found.values(), *core.values()):
        assert cells["oracle_px"] > 0 < cells["mark_px"]


def test_a_watch_of_the_recorded_contexts(
    api_folder: Path, client_of: Callable[..., Client], tmp_path: Path
) -> None:
    names = ("metaAndAssetCtxs_2025-12-13", "perpDexs_2025-12-13")
    recorded = Recorded(api_folder, *names)
    recorded.told[recorded.key({"type": "meta", "dex": "xyz"})] = _xyz_meta(api_folder)
    with serving(recorded, POLLED_MS) as api:

        def later(seconds: float) -> None:
            assert api.now_ms is not None
            api.now_ms += round(seconds * 1_000)

        client = client_of(api.url, now_ms=POLLED_MS)
        watching = Watching(client, (NVDA, TSLA), tmp_path / "xyz", lambda _: None)
        watch(watching, client, Pace(30.0, 3), later)

    rows = Store(tmp_path / "xyz").rows("perps", TSLA)
    assert rows["time"].cast(pl.Int64).to_list() == [ms("2025-12-13T13:00")]
    assert rows["mark_px"].to_list() == [399.52]
    assert rows["oracle_px"].to_list() == [399.6]


def test_settlements_of_2023_come_in_one_long_page(
    api_folder: Path, client_of: Callable[..., Client]
) -> None:
    """An older form: more than 500 rows a page, the first ones eight hours apart."""
    with serving(Recorded(api_folder, "fundingHistory_BTC_2023"), POLLED_MS) as api:
        found = settlements(client_of(api.url), "BTC", 1681923833000, 1689627600065)

    assert len(found) == 1_038
    assert found[0] == (1683849600048, -0.00061334, -0.00091334)
    assert found[1].time_ms - found[0].time_ms > 7 * HOUR_MS
    assert found[-1] == (1689627600065, 0.0000125, 0.00007028)


def test_candles_of_2023(api_folder: Path, client_of: Callable[..., Client]) -> None:
    with serving(Recorded(api_folder, "candleSnapshot_BTC"), POLLED_MS) as api:
        found = candles(client_of(api.url), "kPEPE", 1684699200000, 1684784807000)

    assert len(found) == 24
    assert found[0] == (1684699200000, 0.001604, 0.001616, 0.001601, 709)


def test_a_fetch_of_recorded_settlements(
    api_folder: Path, client_of: Callable[..., Client], tmp_path: Path
) -> None:
    files = ("fundingHistory_BTC_2023", "meta_dex_2025-12-13")
    recorded = Recorded(api_folder, *files)
    now_ms = 1689627600065 + 60_000
    with serving(recorded, now_ms) as api:
        span = Wanted(("BTC",), ms("2023-06-01"))
        report = fetch(client_of(api.url, now_ms=now_ms), span, tmp_path / "core")

    truth = [r for r in recorded.told['["fundingHistory", "", "BTC"]'] if r["time"] >= span.from_ms]
    rows = Store(tmp_path / "core").rows("funding", "BTC")
    assert rows["time"].cast(pl.Int64).to_list() == [row["time"] for row in truth]
    assert rows["funding"].to_list() == [float(row["fundingRate"]) for row in truth]
    assert report.coins[0].prices == 0
