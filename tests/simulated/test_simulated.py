"""A simulated market holds together, and none of its parts moves another."""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from perpkit.errors import PerpkitError, RequestError
from perpkit.sources.simulated.output import simulate
from perpkit.sources.simulated.parameters import bands, parameters, sources
from perpkit.sources.simulated.world import Request, Tables, World, make_tables, make_world

from .conftest import SMALL, START

NEW_YORK = ZoneInfo("America/New_York")
HOURS = [START + timedelta(hours=h) for h in range(24 * SMALL.days)]


def is_shut(moment: datetime) -> bool:
    """Whether the hour that ends then lies from Friday 20:00 to Sunday 20:00 in New York."""
    local = (moment - timedelta(hours=1)).astimezone(NEW_YORK)
    day, hour = local.weekday(), local.hour
    holiday = (local.month, local.day) in {(5, 25), (6, 19), (7, 3)}
    evening = local + timedelta(hours=4)
    eve = (evening.month, evening.day) in {(5, 25), (6, 19), (7, 3)} and hour >= 20
    weekend = day == 5 or (day == 4 and hour >= 20) or (day == 6 and hour < 20)
    return weekend or eve or (holiday and hour < 20)


SHUT = np.array([is_shut(moment) for moment in HOURS])


def of(frame: pl.DataFrame, name: str, key: str = "coin") -> pl.DataFrame:
    return frame.filter(pl.col(key) == name)


def digest(folder: Path) -> dict[str, str]:
    files = sorted(folder.iterdir())
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def test_one_seed_gives_the_same_bytes(tmp_path: Path, small_folder: Path) -> None:
    simulate(SMALL, tmp_path / "again")
    assert digest(tmp_path / "again") == digest(small_folder)
    simulate(replace(SMALL, seed=8), tmp_path / "again")
    other = digest(tmp_path / "again")
    assert all(other[name] != own for name, own in digest(small_folder).items())


def test_a_stock_or_a_venue_more_moves_no_other(small: tuple[World, Tables]) -> None:
    _, whole = small
    one = make_tables(make_world(replace(SMALL, stocks=("TSLA",), venues=("xyz",))))
    assert_frame_equal(one.perps, of(whole.perps, "xyz:TSLA"))
    for token in ("TSLAx", "TBILL"):
        assert_frame_equal(of(one.tokens, token, "token"), of(whole.tokens, token, "token"))


def test_stocks_and_venues_have_draws_of_their_own(small: tuple[World, Tables]) -> None:
    world, tables = small
    moves = np.diff(np.log(world.prices.external_px), axis=0)[~SHUT[1:]]
    assert 0.2 < np.corrcoef(moves.T)[0, 1] < 0.8
    gap = [
        (of(tables.perps, f"{v}:NVDA")["mid_px"] / world.prices.external_px[:, 0]).to_numpy()
        for v in ("sim", "xyz")
    ]
    assert np.corrcoef(gap[0][~SHUT], gap[1][~SHUT])[0, 1] < 0.9


def test_more_days_begin_with_the_fewer(small: tuple[World, Tables]) -> None:
    _, whole = small
    rows = 24 * 20
    first = make_tables(make_world(replace(SMALL, days=20)))
    for coin in ("sim:NVDA", "xyz:TSLA"):
        assert_frame_equal(of(first.perps, coin), of(whole.perps, coin).head(rows))


def test_every_hour_once_and_sound(small: tuple[World, Tables]) -> None:
    _, tables = small
    parts = [*tables.perps.partition_by("coin"), *tables.tokens.partition_by("token")]
    assert len(parts) == 4 + 3
    for part in parts:
        assert part["time"].to_list() == HOURS
        for name, kind in part.schema.items():
            assert part[name].null_count() == 0, name
            if kind.is_float():
                assert part[name].is_finite().all(), name
                assert (part[name] > 0.0).all(), name
    book = tables.perps
    assert (book["impact_bid_px"] < book["mid_px"]).all()
    assert (book["mid_px"] < book["impact_ask_px"]).all()
    assert (tables.tokens["bid_px"] < tables.tokens["ask_px"]).all()
    assert "oracle_px" not in book.columns


def test_external_price_rests_while_the_market_is_shut(small: tuple[World, Tables]) -> None:
    _, tables = small
    for coin in ("sim:NVDA", "xyz:NVDA", "xyz:TSLA"):
        rows = of(tables.perps, coin)
        external, mid = rows["external_px"].to_numpy(), rows["mid_px"].to_numpy()
        moved = external[1:] != external[:-1]
        assert not moved[SHUT[1:]].any()
        assert moved[~SHUT[1:]].mean() > 0.95
        assert (mid[1:] != mid[:-1])[SHUT[1:]].mean() > 0.95, "the perp goes on"
    # Every venue has the same share.
    sim, xyz = (of(tables.perps, f"{v}:NVDA")["external_px"] for v in ("sim", "xyz"))
    assert sim.equals(xyz)


def test_books_lean_before_the_market_reopens(small: tuple[World, Tables]) -> None:
    world, tables = small
    rows = of(tables.perps, "xyz:NVDA")
    external, mid = rows["external_px"].to_numpy(), rows["mid_px"].to_numpy()
    lean = np.log(mid / external) - world.prices.lean[:, 0]
    assert np.abs(lean).max() < 0.01, "what is beyond the lean is the premium"
    assert np.abs(np.log(mid / external))[SHUT].mean() > np.abs(lean)[SHUT].mean() * 2
    # Where the oracle is frozen, what is known early is leaned less, by 8/9 an hour.
    sim = np.log(of(tables.perps, "sim:NVDA")["mid_px"].to_numpy() / external)
    early = np.flatnonzero(world.hours.hours_to_reopen > 30)
    known = np.abs(world.prices.lean[early, 0]) > 0.003
    assert known.sum() > 20
    assert (
        np.abs(sim[early][known]).mean() < 0.5 * np.abs(world.prices.lean[early, 0][known]).mean()
    )


def test_token_quotes_freeze_and_follow_their_shares(small: tuple[World, Tables]) -> None:
    world, tables = small
    for s, token in enumerate(("NVDAx", "TSLAx")):
        rows = of(tables.tokens, token, "token")
        bid, ask = rows["bid_px"].to_numpy(), rows["ask_px"].to_numpy()
        changed = (bid[1:] != bid[:-1]) | (ask[1:] != ask[:-1])
        assert not changed[SHUT[1:]].any()
        live = ~SHUT & ~rows["halted"].to_numpy() & ~np.roll(SHUT, -1)
        nav = world.prices.external_px[:, s] * world.prices.multiplier[:, s]
        assert np.abs((bid + ask) / 2.0 / nav - 1.0)[live].max() < 0.002
        assert np.abs(rows["nav_px"].to_numpy() / nav - 1.0).max() < 1e-6
        assert np.median((ask / bid - 1.0)[SHUT]) > 2.0 * np.median((ask / bid - 1.0)[live])
        halted = rows["halted"].to_numpy()
        assert not changed[halted[1:]].any(), "a halted quote stands still"


def test_dividends_leave_price_and_token_consistent() -> None:
    world = make_world(
        replace(SMALL, stocks=("NVDA", "KO"), days=365, changed={"dividend_yield": 0.04})
    )
    tables = make_tables(world)
    paid = tables.actions.filter(pl.col("kind") == "dividend")
    assert len(paid) >= 4
    for row in paid.iter_rows(named=True):
        s = world.request.stocks.index(row["underlying"])
        t = int((row["time"] - START).total_seconds() // 3600)
        assert row["time"].astimezone(NEW_YORK).hour == 20
        before, after = world.prices.multiplier[t - 1 : t + 1, s]
        net = row["amount"] * (1.0 - row["withholding_frac"])
        assert after == pytest.approx(
            before * (1.0 + net / world.prices.external_px[t, s]), rel=1e-8
        )
        gross = world.prices.external_px[t, s] + row["amount"]
        drawn = np.exp(world.truth.seen[t, s]) * world.prices.external_px[t - 1, s]
        assert gross == pytest.approx(drawn, abs=0.03), "the price falls by the dividend"


def test_a_bill_accrues_on_market_days(small: tuple[World, Tables]) -> None:
    _, tables = small
    nav = of(tables.tokens, "TBILL", "token")["nav_px"].to_numpy()
    steps = np.flatnonzero(np.diff(nav)) + 1
    local = [HOURS[int(t)].astimezone(NEW_YORK) for t in steps]
    assert {moment.hour for moment in local} <= {13, 16}
    assert all(moment.weekday() < 5 for moment in local)
    days = np.diff([0.0, *((HOURS[int(t)] - START) / timedelta(days=1) for t in steps)])
    assert np.diff(nav[[0, *steps]]) == pytest.approx(100.0 * 0.0375 * days / 365.0, abs=2e-6)
    assert max(days) >= 3.0, "three days at once on a Monday"


def test_every_parameter_says_where_it_is_from() -> None:
    known = set(sources())
    for name, one in {**parameters(), **bands()}.items():
        assert set(one.source.split(", ")) <= known, name
    for name, parameter in parameters().items():
        assert parameter.confidence in {"measured", "reported", "assumed"}, name
        if parameter.confidence == "assumed":
            assert "PERPKIT" in parameter.source, name
        else:
            assert parameter.sample, name
            assert parameter.zone, name
    assert all(one.low <= one.value <= one.high for one in bands().values())


def test_description_names_every_instrument(small_folder: Path) -> None:
    told = tomllib.loads((small_folder / "dataset.toml").read_text(encoding="utf-8"))
    assert told["prices"] == "external"
    assert list(told["perps"]) == ["sim:NVDA", "sim:TSLA", "xyz:NVDA", "xyz:TSLA"]
    assert told["perps"]["xyz:TSLA"]["external_session"] == "us_24_5"
    assert list(told["tokens"]) == ["NVDAx", "TSLAx", "TBILL"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"scenario": "bul"}, "did you mean bull?"),
        ({"scenario": "mine.toml"}, "there is no file mine.toml"),
        ({"stocks": ()}, "no stock is named"),
        ({"stocks": ("A", "A")}, "names one twice"),
        ({"stocks": ("A/B",)}, "is no ticker"),
        ({"days": 0}, "--days was 0"),
        ({"seed": -1}, "--seed was -1"),
        ({"venues": ("xzy",)}, "did you mean xyz?"),
        ({"venues": ()}, "no venue is named"),
        ({"changed": {"drift_ap": 1.0}}, "did you mean drift_apr?"),
        ({"changed": {"premium_phi": 1.5}}, "write a share"),
        ({"changed": {"start_px": 0.0}}, "above 0"),
        ({"start": datetime(2026, 5, 4, 0, 30, tzinfo=UTC)}, "write a full hour"),
        ({"start": datetime(2025, 1, 1, tzinfo=UTC)}, "before the terms of xyz"),
        ({"start": datetime(2027, 12, 1, tzinfo=UTC)}, "outside the tables"),
        ({"scenario": "weekend-shock", "days": 3}, "write more --days"),
        ({"real_path": Path("none.parquet")}, "there is no file none.parquet"),
    ],
)
def test_what_cannot_be_simulated_is_refused(
    change: dict[str, object], says: str, tmp_path: Path
) -> None:
    with pytest.raises(PerpkitError, match=says.replace("?", r"\?")):
        simulate(replace(SMALL, **change), tmp_path / "out")  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.iterdir())


def test_no_folder_of_another_is_replaced(tmp_path: Path) -> None:
    request = Request(stocks=("A",), days=2)
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(RequestError, match=r"holds notes\.txt"):
        simulate(request, tmp_path)
    own = tmp_path / "own"
    own.mkdir()
    (own / "dataset.toml").write_text('source = "recorded"', encoding="utf-8")
    with pytest.raises(RequestError, match="was not simulated"):
        simulate(request, own)
    assert (own / "dataset.toml").read_text(encoding="utf-8") == 'source = "recorded"'


def test_a_failed_write_leaves_what_stood_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request, out = Request(stocks=("A",), days=2), tmp_path / "out"
    simulate(request, out)
    before = digest(out)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pl.DataFrame, "write_parquet", full)
    with pytest.raises(RequestError, match="cannot be written"):
        simulate(replace(request, seed=9), out)
    assert digest(out) == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_folder_that_cannot_be_put_in_place_is_put_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request, out = Request(stocks=("A",), days=2), tmp_path / "out"
    simulate(request, out)
    before, move = digest(out), Path.replace

    def refused(self: Path, target: Path) -> Path:
        if target == out and self.name != "old":
            raise OSError(13, "Permission denied")
        return move(self, target)

    monkeypatch.setattr(Path, "replace", refused)
    with pytest.raises(RequestError, match="cannot be written"):
        simulate(replace(request, seed=9), out)
    assert digest(out) == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
