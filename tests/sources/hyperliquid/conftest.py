"""The stand-in for the info API, and clients that need not wait."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from info_server import Api, serving
from info_venue import LISTED_MS, NOW_MS, NVDA, TSLA, Clock, Venue

from perpkit.sources.hyperliquid.client import Client, Limits
from perpkit.sources.hyperliquid.waits import Patience


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("PERPKIT_HOME", str(tmp_path / "home"))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def venue() -> Venue:
    """NVDA and TSLA of xyz since September 2026."""
    return Venue({NVDA: LISTED_MS, TSLA: LISTED_MS + 1_000_000_000})


@pytest.fixture
def api(venue: Venue) -> Iterator[Api]:
    with serving(venue, NOW_MS) as made:
        yield made


@pytest.fixture
def client_of(clock: Clock) -> Iterator[Callable[..., Client]]:
    """Makes clients of an address whose waits take no time and whose jitter is its middle."""
    made: list[Client] = []

    def make(url: str, silence_s: float = 5.0, now_ms: int = NOW_MS) -> Client:
        patience = Patience(uniform=lambda: 0.5)
        limits = Limits(1.0, silence_s, 30.0)
        times = {"now_ms": lambda: now_ms, "clock": clock, "sleep": clock.sleep}
        made.append(Client(url, patience=patience, limits=limits, **times))
        return made[-1]

    yield make
    for client in made:
        client.close()


@pytest.fixture
def client(api: Api, client_of: Callable[..., Client]) -> Client:
    return client_of(api.url)
