"""Scenario `base` reproduces what was measured, within the bands that calibration.toml states."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from perpkit.arrays import F64
from perpkit.config import check_config
from perpkit.run import open_dataset
from perpkit.sources.simulated.calibrate import main, measured
from perpkit.sources.simulated.figures import (
    funding_figures,
    hours_shut,
    premium_figures,
    reopening_figures,
    session_figures,
    wide,
)
from perpkit.sources.simulated.output import simulate
from perpkit.sources.simulated.parameters import bands, parameters
from perpkit.sources.simulated.world import Request, Tables, World, make_tables, make_world
from perpkit.tape import complete, lay

from .conftest import START

NAMES = tuple(f"S{n:02d}" for n in range(16))
BASELINE_1H = 0.5 * 0.0001 / 8.0


def formed(request: Request, folder: Path) -> pl.DataFrame:
    """Funding and premium as perpkit forms them of a simulation, hour by coin."""
    simulate(request, folder)
    config = check_config({"data": folder})
    tape = complete(lay(open_dataset(config), config), config).tape
    coins = len(request.stocks)
    time = pl.Series([START + timedelta(hours=h) for h in range(1, len(tape.time_ns))])
    return pl.DataFrame(
        {
            "time": pl.concat([time] * coins).cast(pl.Datetime("ms", "UTC")),
            "coin": np.repeat(np.array(request.stocks), len(time)),
            "funding": np.asarray(tape.funding)[1:].T.ravel(),
            "premium": np.asarray(tape.premium)[1:].T.ravel(),
        }
    )


def sessions(world: World) -> tuple[F64, F64, F64]:
    """Prices before and at the end of each cash session, and the hours of rest before it.

    The row of 09:00 New York has the whole night; dividends are added back.
    """
    hours, worth = world.hours, world.prices.external_px * world.prices.multiplier
    opens = np.flatnonzero(hours.cash & (hours.et_hour == 10)) - 1
    ends = np.flatnonzero(hours.cash_close)
    closes = ends[np.searchsorted(ends, opens)]
    rests = (hours.time_ns[opens[1:]] - hours.time_ns[closes[:-1]]) / 3.6e12
    return worth[opens], worth[closes], np.append(0.0, rests)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, float]:
    # A year: over half of one the luck of 26 weekends is as large as what Sunday has over Saturday.
    request = Request(stocks=NAMES, days=365, start=START, venues=("xyz",))
    rows = formed(request, tmp_path_factory.mktemp("bands") / "base")
    world = make_world(request)
    tables: Tables = make_tables(world)
    mid = wide(tables.perps, "mid_px", [f"xyz:{name}" for name in NAMES])
    shut = world.hours.shut
    return {
        **funding_figures(rows, BASELINE_1H),
        **premium_figures(rows),
        **session_figures(*sessions(world)),
        **reopening_figures(world.prices.external_px, mid, shut, hours_shut(shut)),
    }


@pytest.mark.parametrize("name", list(bands()))
def test_base_is_within_its_bands(found: dict[str, float], name: str) -> None:
    band = bands()[name]
    assert band.low <= found[name] <= band.high


def test_the_bands_tell_the_days_apart(found: dict[str, float]) -> None:
    days = [f"funding_{day}_apr" for day in ("saturday", "sunday", "weekday")]
    for name in days:
        for other in days:
            held = bands()[other].low <= found[name] <= bands()[other].high
            assert held == (name == other), (name, other)


@pytest.mark.parametrize(("sag_bp", "later"), [(0.0, False), (-16.0, False), (16.0, True)])
def test_sunday_pays_more_for_books_that_sag(tmp_path: Path, sag_bp: float, later: bool) -> None:
    # Without noise and news the sag alone is left.
    quiet = dict.fromkeys(("closed_vol_frac", "closed_noise_bp", "closed_news_share"), 0.0)
    request = Request(
        stocks=NAMES[:4],
        days=84,
        start=START,
        changed={**quiet, "weekend_sag_bp": sag_bp},
        venues=("xyz",),
    )
    figures = funding_figures(formed(request, tmp_path / "sag"), BASELINE_1H)
    more = figures["funding_sunday_apr"] - figures["funding_saturday_apr"]
    assert (more > 0.015) == later
    assert (more < -0.015) == (sag_bp < 0.0)


def test_a_sag_moves_no_book_whose_oracle_rests() -> None:
    def mids(sag_bp: float) -> F64:
        venues = ("baseline", "xyz")
        changed = {"weekend_sag_bp": sag_bp}
        request = Request(stocks=("A",), days=14, start=START, changed=changed, venues=venues)
        return wide(make_tables(make_world(request)).perps, "mid_px", ["sim:A", "xyz:A"])

    flat, sagged = mids(0.0), mids(16.0)
    moved = sagged / flat - 1.0
    assert (moved[:, 0] == 0.0).all()
    shut = make_world(Request(stocks=("A",), days=14, start=START, venues=("xyz",))).hours.shut
    assert (moved[~shut, 1] == 0.0).all()
    assert moved[:, 1].min() == pytest.approx(-16e-4 * 23 / 24, rel=0.02)


def test_the_weekend_regime_has_both_signs(tmp_path: Path) -> None:
    means = []
    for weekend_bp in (-20.0, 20.0):
        request = Request(
            stocks=NAMES[:6],
            days=90,
            start=START,
            changed={"weekend_premium_bp": weekend_bp},
            venues=("baseline",),
        )
        rows = formed(request, tmp_path / f"w{weekend_bp:g}")
        means.append(funding_figures(rows, 0.0001 / 8.0)["funding_saturday_apr"])
    assert means[0] < -0.3
    assert means[1] > 0.3


@pytest.mark.shared
def test_the_script_finds_what_the_file_says(shared_data: Path) -> None:
    found = measured(shared_data)
    for name, band in bands().items():
        if name in found:
            assert found[name] == pytest.approx(band.value, rel=0.02), name
    for name, parameter in parameters().items():
        if parameter.confidence == "measured" and name in found:
            assert found[name] == pytest.approx(parameter.value, rel=0.25), name


@pytest.mark.shared
def test_the_script_prints_a_table(shared_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(shared_data)]) == 0
    out = capsys.readouterr().out
    assert "off_baseline_share" in out
    assert "0.4281" in out


def test_the_script_says_what_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path)]) == 3
    assert "us_equities_1h.parquet is missing" in capsys.readouterr().err
