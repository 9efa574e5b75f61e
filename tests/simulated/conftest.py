"""Simulations that more than one file of tests looks at."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from perpkit.sources.simulated.output import simulate
from perpkit.sources.simulated.world import Request, Tables, World, make_tables, make_world

START = datetime(2026, 5, 4, tzinfo=UTC)
SMALL = Request(stocks=("NVDA", "TSLA"), days=60, start=START, venues=("baseline", "xyz"))


@pytest.fixture(scope="session")
def small() -> tuple[World, Tables]:
    """Two stocks on two venues for sixty days, and its tables."""
    world = make_world(SMALL)
    return world, make_tables(world)


@pytest.fixture(scope="session")
def small_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same as a dataset."""
    folder = tmp_path_factory.mktemp("simulated") / "small"
    simulate(SMALL, folder)
    return folder
