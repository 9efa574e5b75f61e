"""Incidents of a dataset, laid on the clock."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from perpkit.arrays import Shock
from perpkit.config import check_config
from perpkit.dataset import read_dataset
from perpkit.errors import DataError
from perpkit.tape import Market, cut_before, form
from perpkit.tape.shocks import depegs, played, redemptions_halted
from perpkit.units import HOUR_NS, to_ns

START = datetime(2026, 8, 12, 5, tzinfo=UTC)  # of the tiny dataset, which has six hours
Row = tuple[float, str, str | None, float | None]  # hours after the start, kind, instrument, value


@pytest.fixture
def tiny(tiny_dataset: Path) -> Path:
    (tiny_dataset / "actions.parquet").unlink()
    return tiny_dataset


def tell(folder: Path, *rows: Row) -> None:
    """Replace the dataset's shocks."""
    pl.DataFrame(
        {
            "time": [START + timedelta(hours=row[0]) for row in rows],
            "kind": [row[1] for row in rows],
            "instrument": [row[2] for row in rows],
            "value": [row[3] for row in rows],
        },
        schema={
            "time": pl.Datetime("ms", "UTC"),
            "kind": pl.String,
            "instrument": pl.String,
            "value": pl.Float64,
        },
    ).write_parquet(folder / "shocks.parquet")


def laid(folder: Path, *rows: Row, **settings: object) -> Market:
    tell(folder, *rows)
    return form(read_dataset(folder), check_config(settings), pure_python=True)


def struck(market: Market) -> list[tuple[int, Shock, int, int, float]]:
    tape = market.tape
    columns = (
        tape.shock_row,
        tape.shock_kind,
        tape.shock_instrument,
        tape.shock_account,
        tape.shock_value,
    )
    return [
        (int(row), Shock(int(kind)), int(m), int(a), float(value))
        for row, kind, m, a, value in zip(*columns, strict=True)
    ]


def refusal(folder: Path, *rows: Row, **settings: object) -> str:
    with pytest.raises(DataError) as caught:
        laid(folder, *rows, **settings)
    return str(caught.value)


def halted(market: Market, token: int = 0) -> list[int]:
    return np.flatnonzero(market.tape.halted[:, token]).tolist()


# --------------------------------------------------------------------------- the book


@pytest.mark.parametrize(
    ("hours", "row"), [(-0.99, 0), (0.0, 0), (0.01, 1), (1.0, 1), (1.01, 2), (4.5, 5), (5.0, 5)]
)
def test_a_shock_belongs_to_the_first_row_from_its_time_on(
    tiny: Path, hours: float, row: int
) -> None:
    assert struck(laid(tiny, (hours, "adl", "xyz:AAPL", 0.25))) == [(row, Shock.ADL, 1, 1, 0.25)]


@pytest.mark.parametrize("hours", [-1.0, 5.01, -500.0])
def test_a_shock_outside_the_run_strikes_nothing(tiny: Path, hours: float) -> None:
    market = laid(tiny, (hours, "adl", "xyz:AAPL", 0.25), (hours, "venue_failure", "xyz", 0.5))
    assert struck(market) == []


def test_without_a_value_all_is_closed_or_lost(tiny: Path) -> None:
    market = laid(tiny, (2.0, "venue_failure", "xyz", None), (1.0, "adl", "xyz:NVDA", None))
    assert struck(market) == [
        (1, Shock.ADL, 0, 1, 1.0),
        (2, Shock.VENUE_FAILURE, -1, 1, 1.0),
    ]


def test_what_is_not_in_the_run_is_left_out(tiny: Path) -> None:
    market = laid(tiny, (1.0, "adl", "xyz:NVDA", 1.0), coins=["xyz:AAPL"])
    assert struck(market) == []
    assert struck(laid(tiny, (1.0, "adl", "xyz:AAPL", 1.0), coins=["xyz:AAPL"]))[0][2] == 0


def test_two_in_an_hour_take_of_what_is_left(tiny: Path) -> None:
    """Half, then half of the half: three quarters."""
    market = laid(tiny, (0.2, "adl", "xyz:NVDA", 0.5), (0.9, "adl", "xyz:NVDA", 0.5))
    assert struck(market) == [(1, Shock.ADL, 0, 1, 0.75)]


def test_a_run_that_ignores_shocks(tiny: Path) -> None:
    rows: Sequence[Row] = ((1.0, "adl", "xyz:NVDA", 1.0), (1.0, "freeze", "NVDAon", 1.0))
    market = laid(tiny, *rows, (1.0, "eclipse", "xyz:NVDA", 1.0), shocks="ignore")
    assert struck(market) == []
    assert halted(market) == []


def test_a_market_cut_short_keeps_the_shocks_of_its_hours(tiny: Path) -> None:
    market = laid(tiny, (1.0, "adl", "xyz:NVDA", 0.5), (3.0, "adl", "xyz:NVDA", 0.25))
    cut = cut_before(market, to_ns(START) + 2 * HOUR_NS)
    assert struck(cut) == [(1, Shock.ADL, 0, 1, 0.25)]
    assert struck(market)[1][0] == 3, "the whole market is left as it was"


# --------------------------------------------------------------------------- what issuers do


def locks(market: Market, token: int = 0) -> list[int]:
    return market.tape.lock[:, token].tolist()


def test_without_a_lock_there_is_no_column(tiny: Path) -> None:
    assert laid(tiny, (1.0, "adl", "xyz:NVDA", 1.0)).tape.lock.shape == (6, 0)
    assert laid(tiny, (1.0, "freeze", "NVDAon", 0.0)).tape.lock.shape == (6, 0)


@pytest.mark.parametrize("kind", ["freeze", "pause"])
@pytest.mark.parametrize("name", ["NVDAon", "ondo"])
def test_what_is_frozen_or_paused_is_moved_by_nobody(tiny: Path, kind: str, name: str) -> None:
    market = laid(tiny, (1.0, kind, name, None), (3.0, kind, name, 0.0))
    assert locks(market) == [0, 4, 4, 0, 0, 0]
    assert halted(market) == [1, 2]
    assert not market.tape.quoted[1:3, 0].any()


def test_a_freeze_and_a_pause_end_each_their_own(tiny: Path) -> None:
    rows: Sequence[Row] = ((1.0, "freeze", "NVDAon", 1.0), (2.0, "pause", "ondo", 1.0))
    market = laid(tiny, *rows, (3.0, "freeze", "NVDAon", 0.0), (5.0, "pause", "ondo", 0.0))
    assert locks(market) == [0, 4, 4, 4, 4, 0]


@pytest.mark.parametrize(("after", "lock"), [("locked", 3), ("redeem", 2), ("sell", 1)])
def test_a_revoked_holder_keeps_what_the_setting_says(tiny: Path, after: str, lock: int) -> None:
    rows: Sequence[Row] = ((1.0, "revoke", "ondo", None), (4.0, "revoke", "ondo", 0.0))
    market = laid(tiny, *rows, after_revoke=after)
    assert locks(market) == [0, lock, lock, lock, 0, 0]
    assert halted(market) == [], "the market goes on"
    market = laid(tiny, *rows, (2.0, "freeze", "NVDAon", 1.0), after_revoke=after)
    assert locks(market) == [0, lock, 4, 4, 4, 4]


def test_a_revoke_from_before_the_run_is_still_on(tiny: Path) -> None:
    assert locks(laid(tiny, (-90.0, "revoke", "NVDAon", 1.0))) == [3] * 6


def test_a_forced_transfer_strikes_a_token_and_its_issuer_all_of_its_own(tiny: Path) -> None:
    first = 2  # after two perps
    told = (2.0, "forced_transfer", "NVDAon", 0.25)
    assert struck(laid(tiny, told)) == [(2, Shock.FORCED_TRANSFER, first, -1, 0.25)]
    more = {"tokens": ["USDY"], "multiplier": {"USDY": 1.0}}
    market = laid(tiny, (2.0, "forced_transfer", "ondo", None), **more)
    own = [
        len(market.names.coins) + k
        for k, token in enumerate(market.names.tokens)
        if market.dataset.tokens_meta[token].issuer == "ondo"
    ]
    assert [(m, value) for _, _, m, _, value in struck(market)] == [(m, 1.0) for m in own]
    assert len(own) > 1
    both = laid(tiny, told, (1.5, "forced_transfer", "ondo", 0.5))
    assert struck(both)[0][4] == pytest.approx(1.0 - 0.75 * 0.5)


# --------------------------------------------------------------------------- freezes and halts


def test_a_freeze_lasts_until_it_is_lifted(tiny: Path) -> None:
    rows: Sequence[Row] = ((0.5, "freeze", "NVDAon", None), (3.0, "freeze", "NVDAon", 0.0))
    market = laid(tiny, *rows)
    assert halted(market) == [1, 2]
    assert not market.tape.quoted[1:3, 0].any()
    assert not market.tape.live[1:3, 0].any()
    free = laid(tiny)
    assert np.array_equal(market.tape.quoted[3:], free.tape.quoted[3:])
    assert free.tape.quoted[1, 0], "or the freeze would show nothing"


def test_a_freeze_that_nothing_lifts_lasts(tiny: Path) -> None:
    assert halted(laid(tiny, (2.0, "freeze", "NVDAon", 1.0))) == [2, 3, 4, 5]


def test_an_issuer_freezes_its_tokens(tiny: Path) -> None:
    market = laid(tiny, (4.0, "freeze", "ondo", 1.0), tokens=["USDY"], multiplier={"USDY": 1.0})
    assert (halted(market, 0), halted(market, 1)) == ([4, 5], [4, 5])


def test_an_issuer_and_a_token_are_lifted_each_for_itself(tiny: Path) -> None:
    rows: Sequence[Row] = (
        (1.0, "freeze", "ondo", 1.0),
        (2.0, "freeze", "NVDAon", 1.0),
        (3.0, "freeze", "ondo", 0.0),
    )
    assert halted(laid(tiny, *rows)) == [1, 2, 3, 4, 5]


def test_a_freeze_from_before_the_run_is_still_on(tiny: Path) -> None:
    tell(tiny, (-90.0, "freeze", "NVDAon", 1.0), (1.0, "freeze", "NVDAon", 0.0))
    dataset = read_dataset(tiny, to_ns(START))
    assert halted(form(dataset, check_config({}), pure_python=True)) == [0]
    tell(tiny, (-90.0, "freeze", "NVDAon", 1.0), (-80.0, "freeze", "NVDAon", 0.0))
    assert halted(form(read_dataset(tiny, to_ns(START)), check_config({}), pure_python=True)) == []


def test_what_a_dataset_says_of_a_halt_stays(tiny: Path) -> None:
    path = tiny / "tokens.parquet"
    at = (pl.col("time").dt.hour() == 9) & (pl.col("token") == "NVDAon")
    pl.read_parquet(path).with_columns(at.alias("halted")).write_parquet(path)
    rows: Sequence[Row] = ((0.0, "freeze", "NVDAon", 1.0), (1.0, "freeze", "NVDAon", 0.0))
    assert halted(laid(tiny, *rows)) == [0, 4]


def test_halted_redemptions_are_told_by_token_and_hour(tiny: Path) -> None:
    tell(tiny, (1.0, "redemption_halt", "ondo", None), (3.0, "redemption_halt", "ondo", 0.0))
    dataset, time_ns = read_dataset(tiny), to_ns(START) + HOUR_NS * np.arange(6)
    play, ignore = check_config({}), check_config({"shocks": "ignore"})
    told = redemptions_halted(dataset, play, "USDY", time_ns)
    assert told.tolist() == [False, True, True, False, False, False]
    assert not redemptions_halted(dataset, ignore, "USDY", time_ns).any()
    tell(tiny, (1.0, "redemption_halt", "NVDAon", 1.0))
    assert not redemptions_halted(read_dataset(tiny), play, "USDY", time_ns).any()


def test_a_token_of_the_rulebook_may_be_halted_and_be_no_part_of_the_run(tiny: Path) -> None:
    market = laid(tiny, (1.0, "redemption_halt", "USYC", 1.0), (1.0, "freeze", "USYC", 1.0))
    assert halted(market) == []
    counts = played(market.dataset, check_config({}), market.names, market.tape.time_ns, ())
    assert not counts


# --------------------------------------------------------------------------- currencies


def test_depegs_are_told_by_currency(tiny: Path) -> None:
    tell(tiny, (3.0, "depeg", "USDC", 1.0), (1.0, "depeg", "USDC", 0.88))
    dataset = read_dataset(tiny)
    at = to_ns(START)
    told = depegs(dataset, check_config({}), "USDC")
    assert told == [(at + HOUR_NS, 0.88), (at + 3 * HOUR_NS, 1.0)]
    assert depegs(dataset, check_config({}), "USDT") == []
    assert depegs(dataset, check_config({"shocks": "ignore"}), "USDC") == []


def test_a_currency_of_a_venue_is_known_without_being_a_quote(tiny: Path) -> None:
    path = tiny / "dataset.toml"
    path.write_text(path.read_text().replace('quote = "USDC"\n', ""))
    tell(tiny, (1.0, "depeg", "USDC", 0.9))
    assert depegs(read_dataset(tiny), check_config({}), "USDC")
    tell(tiny, (1.0, "depeg", "USDD", 0.9))
    with pytest.raises(DataError, match=r"instrument USDD is not in dataset\.toml"):
        read_dataset(tiny)


# --------------------------------------------------------------------------- a stopped oracle


def test_a_stopped_oracle_carries_recorded_prices(tiny: Path) -> None:
    free, market = laid(tiny), laid(tiny, (1.5, "oracle_stop", "xyz:NVDA", 2.0))
    still, tape = [2, 3], market.tape
    for name in ("oracle_px", "mark_px", "impact_bid_px", "impact_ask_px", "mid_px"):
        own, whole = getattr(tape, name)[:, 0], getattr(free.tape, name)[:, 0]
        assert np.array_equal(own[still], [whole[1]] * 2, equal_nan=True)
        assert np.array_equal(np.delete(own, still), np.delete(whole, still), equal_nan=True)
        one, other = getattr(tape, name)[:, 1], getattr(free.tape, name)[:, 1]
        assert np.array_equal(one, other, equal_nan=True), "another coin"
    assert np.flatnonzero(tape.stale[:, 0]).tolist() == still
    assert tape.high_px[still, 0].tolist() == tape.mark_px[still, 0].tolist()
    assert tape.low_px[still, 0].tolist() == tape.mark_px[still, 0].tolist()
    assert np.array_equal(tape.funding, free.tape.funding), "rates are paid as recorded"


def test_the_oracles_of_a_venue_stop_together(tiny: Path) -> None:
    market = laid(tiny, (1.0, "oracle_stop", "xyz", 1.0))
    assert np.argwhere(market.tape.stale).tolist() == [[1, 0], [1, 1]]


def test_a_stop_may_be_longer_than_prices_are_carried(tiny: Path) -> None:
    market = laid(tiny, (0.5, "oracle_stop", "xyz:NVDA", 24.0))
    assert (market.tape.mark_px[1:, 0] == market.tape.mark_px[0, 0]).all()
    assert market.tape.stale[1:, 0].all()


def test_a_stop_before_the_first_hour_leaves_prices_and_forbids_fills(tiny: Path) -> None:
    market = laid(tiny, (-1.0, "oracle_stop", "xyz:NVDA", 3.0))
    assert np.flatnonzero(market.tape.stale[:, 0]).tolist() == [0, 1]
    assert np.isfinite(market.tape.mark_px).all()


def external(folder: Path) -> None:
    path = folder / "dataset.toml"
    path.write_text(path.read_text().replace('"onchain"', '"external"'))
    file = folder / "perps.parquet"
    frame = pl.read_parquet(file)
    hour = pl.col("time").dt.hour().cast(pl.Float64)
    frame.with_columns(external_px=pl.col("oracle_px") * (1.0 + 0.002 * (hour - 5.0))).drop(
        "oracle_px", "mark_px", "mark_high_px", "mark_low_px"
    ).write_parquet(file)


def test_a_stopped_oracle_repeats_its_external_price(tiny: Path) -> None:
    """180 and 0.36 an hour more; the book goes on, and nothing is filled."""
    external(tiny)
    one = {"coins": ["xyz:NVDA"]}
    free, market = laid(tiny, **one), laid(tiny, (2.0, "oracle_stop", "xyz:NVDA", 2.0), **one)
    still, tape = [2, 3], market.tape
    assert tape.external_px[still, 0] == pytest.approx([180.36] * 2)
    assert tape.oracle_px[still, 0] == pytest.approx([180.36] * 2)
    assert tape.oracle_px[4, 0] == pytest.approx(free.tape.oracle_px[4, 0])
    assert np.array_equal(tape.impact_bid_px, free.tape.impact_bid_px)
    assert np.argwhere(tape.stale).tolist() == [[2, 0], [3, 0]]


def test_an_oracle_that_feeds_on_its_book_cannot_be_stopped(tiny: Path) -> None:
    """On a Saturday the oracle of xyz:NVDA is an average of its own book."""
    external(tiny)
    for table in ("perps", "funding", "tokens"):
        path = tiny / f"{table}.parquet"
        pl.read_parquet(path).with_columns(pl.col("time").dt.offset_by("3d")).write_parquet(path)
    one = {"coins": ["xyz:NVDA"]}
    laid(tiny, (96.0, "oracle_stop", "xyz:NVDA", 2.0), **one)
    assert refusal(tiny, (74.0, "oracle_stop", "xyz:NVDA", 2.0), **one) == (
        "shocks.parquet: the oracle of xyz:NVDA is stopped at 2026-08-15 07:00Z, without an "
        "external price to stand at: perpkit forms it from its own book then; end the oracle_stop "
        'before that hour, or set shocks = "ignore"'
    )


# --------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ((1.0, "adle", "xyz:NVDA", 1.0), "is of no kind that is played: did you mean adl?"),
        ((1.0, "adl", None, 1.0), "the adl of nothing at 2026-08-12 06:00Z strikes no such thing"),
        ((1.0, "adl", "NVDAon", 1.0), "strikes no such thing; name a coin in instrument"),
        ((1.0, "adl", "xyz:NVDA", 0.0), "has the value 0; write the share of the position"),
        ((1.0, "adl", "xyz:NVDA", 1.5), "has the value 1.5"),
        ((1.0, "venue_failure", "xyz:NVDA", 1.0), "name a venue in instrument"),
        ((1.0, "venue_failure", "xyz", -0.1), "has the value -0.1; write the share that is lost"),
        ((1.0, "freeze", "xyz:NVDA", 1.0), "name a token or its issuer in instrument"),
        ((1.0, "freeze", "NVDAon", 2.0), "has the value 2; write 1, or 0 where it ends"),
        ((1.0, "pause", "xyz", 1.0), "name a token or its issuer in instrument"),
        ((1.0, "revoke", "NVDAon", 0.5), "has the value 0.5; write 1, or 0 where it ends"),
        ((1.0, "forced_transfer", "NVDAon", 0.0), "write the share of the units that is moved"),
        ((1.0, "forced_transfer", "xyz:NVDA", 1.0), "name a token or its issuer"),
        ((1.0, "redemption_halt", "xyz", 1.0), "name a token or its issuer in instrument"),
        ((1.0, "depeg", "USDC", None), "has no value; write USD a unit, above 0"),
        ((1.0, "depeg", "USDC", 0.0), "has the value 0; write USD a unit, above 0"),
        ((1.0, "depeg", "xyz", 0.9), "name a currency in instrument"),
        ((1.0, "oracle_stop", "xyz:NVDA", None), "has no value; write whole hours, at least 1"),
        ((1.0, "oracle_stop", "xyz:NVDA", 1.5), "has the value 1.5; write whole hours"),
        ((1.0, "oracle_stop", "NVDAon", 1.0), "name a coin or a venue in instrument"),
    ],
)
def test_an_incident_that_makes_no_sense_is_refused(tiny: Path, row: Row, says: str) -> None:
    told = refusal(tiny, row)
    assert told.startswith("shocks.parquet: ")
    assert says in told


# --------------------------------------------------------------------------- what is said


def test_what_was_played_is_counted_by_kind(tiny: Path) -> None:
    rows: Sequence[Row] = (
        (1.0, "adl", "xyz:NVDA", 1.0),
        (2.0, "adl", "xyz:AAPL", 1.0),
        (2.0, "venue_failure", "xyz", 0.5),
        (2.0, "depeg", "USDC", 0.9),
        (-99.0, "freeze", "NVDAon", 1.0),
        (-99.0, "redemption_halt", "ondo", 1.0),
        (-98.0, "redemption_halt", "ondo", 0.0),
        (-99.0, "adl", "xyz:NVDA", 1.0),
        (-2.0, "oracle_stop", "xyz:NVDA", 4.0),
    )
    market = laid(tiny, *rows, coins=["xyz:NVDA"])
    config, time_ns = check_config({}), market.tape.time_ns
    counts = played(market.dataset, config, market.names, time_ns, ("USDC",))
    assert counts == {"adl": 1, "venue_failure": 1, "depeg": 1, "freeze": 1, "oracle_stop": 1}
    assert "depeg" not in played(market.dataset, config, market.names, time_ns, ("USDT",))
