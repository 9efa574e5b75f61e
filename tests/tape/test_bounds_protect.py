"""Discovery bounds hold a liquidation off until there is an external price again.

docs.trade.xyz, perp-mechanics/discovery-bounds: a position whose liquidation price lies outside the
active bound cannot be liquidated while the bound holds. NVDA's bound of 5% may move twice in a
direction, so a weekend can take its mark 1.05^3 - 1 = 15.76% up.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

import perpkit

FRIDAY = datetime(2026, 8, 14, 20, tzinfo=UTC)  # New York 16:00; external prices end at 20:00
REOPENS = datetime(2026, 8, 17, 0, tzinfo=UTC)  # New York Sunday 20:00
UP = 260.0  # the book from Saturday on, 30% above Friday's 200

SHORT = """\
def targets(tape):
    import numpy as np

    made = np.full((len(tape.past.time_ns), 1), np.nan)
    made[0] = -100.0
    return made
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("bounds")
    (made / "dataset.toml").write_text(
        'schema = 1\nname = "bounds"\nsource = "made up"\nlicence = "MIT"\nprices = "external"\n'
        '[perps."xyz:NVDA"]\nvenue = "xyz"\nunderlying = "NVDA"\n',
        encoding="utf-8",
    )
    hours = int((REOPENS - FRIDAY).total_seconds() // 3600) + 4
    moments = [FRIDAY + timedelta(hours=n) for n in range(hours)]
    mid = [UP if when > FRIDAY + timedelta(hours=12) else 200.0 for when in moments]
    pl.DataFrame(
        {
            "time": pl.Series(moments, dtype=pl.Datetime("ms", "UTC")),
            "coin": "xyz:NVDA",
            "external_px": [UP if when > REOPENS else 200.0 for when in moments],
            "mid_px": mid,
            "impact_bid_px": [px * 0.9999 for px in mid],
            "impact_ask_px": [px * 1.0001 for px in mid],
        }
    ).write_parquet(made / "perps.parquet")
    (made / "short.py").write_text(SHORT, encoding="utf-8")
    return made


def play(folder: Path, margin: float) -> perpkit.Result:
    # Without funding: what is tested is the mark alone.
    terms = {"max_leverage": 20, "funding_multiplier": 0, "interest_8h": 0.0}
    config = {"capital": 40_000.0, "margin_share": margin / 40_000.0, "terms": terms}
    return perpkit.backtest(folder / "short.py", folder, config=config, pure_python=True)


def test_the_mark_stays_within_the_bound_that_moved_twice(folder):
    px = play(folder, 8_000.0).frames["positions"]
    shut = px.filter(pl.col("time") <= REOPENS)["px"]
    assert shut.max() == pytest.approx(200.0 * 1.05**3, rel=1e-3)
    assert shut.max() < UP


def test_a_liquidation_price_within_the_bound_is_met_on_saturday(folder):
    # 3,000 USD on 20,000: liquidated some 12% up.
    events = play(folder, 3_000.0).frames["events"]
    (when,) = events.filter(pl.col("kind").is_in(["liquidation", "backstop"]))["time"]
    assert when < REOPENS


def test_a_liquidation_price_beyond_the_bound_waits_for_the_reopening(folder):
    # 4,500 USD: 244.3 a unit less fees, at 22%, against the 231.5 of the bound.
    result = play(folder, 4_500.0)
    (when,) = result.frames["events"].filter(pl.col("kind").is_in(["liquidation", "backstop"]))[
        "time"
    ]
    assert when > REOPENS
    held = result.frames["positions"].filter(pl.col("time") == REOPENS)
    assert held["liquidation_px"][0] > 200.0 * 1.05**3
