"""The tape as a whole: extremes, causality, and the compiled loop against the plain one."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from perpkit.arrays import Tape
from perpkit.config import RunConfig
from perpkit.dataset import Dataset, read_dataset
from perpkit.shipped import shipped_folder
from perpkit.tape import form
from perpkit.units import HOUR_NS, stamp, to_ns

COINS = ("sim:ORCA", "sim:FALC", "sim:LYNX", "sim:HAWK")  # of the demo, on its first venue
PRICES = ("external_px", "oracle_px", "mark_px", "mark_high_px", "mark_low_px", "mid_px")
BOOK = ("impact_bid_px", "impact_ask_px")
FORMULA = RunConfig(funding="formula")


@pytest.fixture(scope="module")
def demo() -> Dataset:
    """The demo on its first venue: the other's updates within the hour take minutes uncompiled."""
    whole = read_dataset(shipped_folder("data") / "demo")
    return replace(
        whole,
        perps=whole.perps.filter(pl.col("coin").is_in(COINS)),
        perps_meta={coin: whole.perps_meta[coin] for coin in COINS},
    )


@pytest.fixture(scope="module")
def august(shared_data: Path) -> Dataset:
    return read_dataset(shared_data / "xyz-2026-08")


@pytest.fixture
def tiny(tiny_dataset: Path) -> Path:
    """Six hours from 05:00Z without the dividend, which would need a recorded multiplier."""
    (tiny_dataset / "actions.parquet").unlink()
    return tiny_dataset


def differing(one: Tape, other: Tape, rows: int | None = None) -> list[str]:
    """Names of the fields that differ in a bit, in their first rows."""
    names = []
    for name, mine, theirs in zip(Tape._fields, one, other, strict=True):
        if name == "path":  # where the next hour would go on from
            continue
        if name.startswith("action_"):
            a = mine if rows is None else mine[one.action_row < rows]
            b = theirs if rows is None else theirs[other.action_row < rows]
        else:
            a, b = mine[:rows], theirs[:rows]
        if a.shape != b.shape or a.dtype != b.dtype or a.tobytes() != b.tobytes():
            names.append(name)
    return names


# ------------------------------------------------------------------- the margin test's prices


def test_high_and_low_span_the_marks_and_the_recorded_extremes(tiny: Path) -> None:
    path = tiny / "perps.parquet"
    rows = pl.read_parquet(path)
    nvda = {
        "mark_px": [100.0, 104.0, 103.0, 90.0, 90.0, 91.0],
        "mark_high_px": [101.0, 104.5, None, 95.0, 99.0, None],
        "mark_low_px": [99.0, 103.0, None, 89.0, 90.0, None],
    }
    values = {
        name: pl.Series(name, [*new, *rows.filter(pl.col("coin") == "xyz:AAPL")[name]])
        for name, new in nvda.items()
    }
    rows.with_columns(**values).write_parquet(path)
    market = form(read_dataset(tiny), RunConfig())
    # max, min of the recorded extreme, the mark and the mark of the hour before
    assert market.tape.high_px[:, 0].tolist() == [101.0, 104.5, 104.0, 103.0, 99.0, 91.0]
    assert market.tape.low_px[:, 0].tolist() == [99.0, 100.0, 103.0, 89.0, 90.0, 90.0]
    assert market.facts["hours_with_extremes"] == 10


def test_without_recorded_extremes_the_marks_alone(demo: Dataset) -> None:
    market = form(demo, RunConfig(coins=COINS))
    mark = market.tape.mark_px
    assert market.facts["hours_with_extremes"] == 0
    assert (market.tape.high_px[1:] == np.maximum(mark[1:], mark[:-1])).all()
    assert (market.tape.low_px[1:] == np.minimum(mark[1:], mark[:-1])).all()
    assert (market.tape.high_px[0] == mark[0]).all()


@pytest.mark.shared
def test_carried_hour_has_the_extremes_of_its_marks(august: Dataset) -> None:
    tape = form(august, RunConfig()).tape
    t, m = np.argwhere(tape.stale)[0]
    assert tape.high_px[t, m] == tape.low_px[t, m] == tape.mark_px[t, m] == tape.mark_px[t - 1, m]
    assert (tape.low_px <= tape.mark_px).all()
    assert (tape.mark_px <= tape.high_px).all()


# ------------------------------------------------------------------- what is laid and formed


@pytest.mark.shared
def test_recorded_prices_are_taken_as_they_are(august: Dataset) -> None:
    market = form(august, RunConfig())
    assert market.funding_from == "recorded"
    assert market.tape.external_px.shape == (255, 0)
    rows = august.perps.filter(pl.col("coin") == "xyz:GOOGL")
    at = ((rows["time"].dt.epoch("ms").to_numpy() * 1_000_000) - market.tape.time_ns[0]) // HOUR_NS
    m = market.names.coins.index("xyz:GOOGL")
    there = at < 255
    for name in ("oracle_px", "mark_px"):
        recorded = rows[name].to_numpy()[there]
        assert getattr(market.tape, name)[at[there], m].tolist() == recorded.tolist()
    facts = market.facts
    assert facts["oracle_hours_bound"] is facts["oracle_largest_lag_frac"] is None
    assert facts["stale_perp_hours"] == 9 * 17
    assert facts["rates_recorded"] == 9 * 255


@pytest.mark.shared
def test_recorded_rates_win_over_the_formula_on_real_data(august: Dataset) -> None:
    market = form(august, FORMULA)
    # The formula makes the last hour, 20:00Z, playable; all before are recorded.
    assert stamp(int(market.tape.time_ns[-1])) == "2026-08-22 20:00Z"
    assert market.tape.by_formula.sum(axis=0).tolist() == [1] * 9
    assert market.tape.by_formula[-1].all()
    recorded = form(august, RunConfig()).tape.funding
    assert market.tape.funding[:-1].tobytes() == recorded.tobytes()
    # No premium and no book at 20:00Z: mark over oracle, and xyz's terms.
    premium = market.tape.mark_px[-1] / market.tape.oracle_px[-1] - 1.0
    rates = 0.5 * (premium + np.clip(0.0001 - premium, -0.0003, 0.0003)) / 8.0
    np.testing.assert_allclose(market.tape.funding[-1], rates, rtol=0, atol=1e-18)


def test_demo_funding_by_the_plain_rule(demo: Dataset) -> None:
    market = form(demo, RunConfig(coins=COINS))
    assert market.funding_from == "formula"
    assert market.tape.by_formula.all()
    tape = market.tape
    p = np.maximum(tape.impact_bid_px - tape.oracle_px, 0.0)
    p = (p - np.maximum(tape.oracle_px - tape.impact_ask_px, 0.0)) / tape.oracle_px
    np.testing.assert_allclose(tape.premium, p, rtol=0, atol=1e-15)
    rates = np.clip((p + np.clip(0.0001 - p, -0.0005, 0.0005)) / 8, -0.04, 0.04)
    np.testing.assert_allclose(tape.funding, rates, rtol=0, atol=1e-15)
    np.testing.assert_allclose(tape.funding_total, rates.cumsum(axis=0), rtol=0, atol=1e-11)
    # As perpkit markets funding tells it, to its last digit.
    apr = dict(zip(market.names.coins, tape.funding.mean(axis=0) * 8760, strict=True))
    told = {"sim:ORCA": 0.121, "sim:FALC": 0.198, "sim:LYNX": 0.087, "sim:HAWK": 0.047}
    assert apr == pytest.approx(told, abs=0.0005)


def test_external_hours_without_a_book_are_counted(demo: Dataset) -> None:
    first = demo.perps["time"].min()
    bare = pl.col("time") == first
    no_book = [pl.when(bare).then(None).otherwise(pl.col(n)).alias(n) for n in ("mid_px", *BOOK)]
    market = form(replace(demo, perps=demo.perps.with_columns(no_book)), RunConfig())
    assert market.facts["hours_without_book"] == 4
    assert (market.tape.mark_px[0] == market.tape.oracle_px[0]).all()
    assert (market.tape.premium[0] == 0.0).all()


# ------------------------------------------------------------------- causality

AUGUST_CUTS = (2, 90, 160, 254)  # 90: inside the weekend
DEMO_CUTS = (2, 500, 2_650, 8_759)  # 2,650: while FALC's oracle crawls


def cut_short(folder: Path, last_ns: int) -> Dataset:
    return read_dataset(folder, end_ns=last_ns)


def check_cut(dataset: Dataset, config: RunConfig, rows: int) -> None:
    whole = form(dataset, config).tape
    last = int(whole.time_ns[rows - 1])
    short = form(cut_short(dataset.folder, last), config).tape
    assert len(short.time_ns) == rows
    assert differing(short, whole, rows) == []
    assert differing(form(dataset, config, end_ns=last).tape, whole, rows) == []


@pytest.mark.parametrize("rows", DEMO_CUTS)
def test_demo_cut_short_has_the_same_past(demo: Dataset, rows: int) -> None:
    check_cut(demo, RunConfig(coins=COINS, tokens=("TBILL",)), rows)
    terms = {"updates_per_hour": 7, "premium": "two_sided"}
    check_cut(demo, RunConfig(coins=COINS, terms=terms), rows)


@pytest.mark.parametrize("rows", AUGUST_CUTS)
@pytest.mark.parametrize("config", [RunConfig(), FORMULA], ids=["recorded", "formula"])
@pytest.mark.shared
def test_real_data_cut_short_has_the_same_past(
    august: Dataset, rows: int, config: RunConfig
) -> None:
    check_cut(august, config, rows)


def noisy(dataset: Dataset, last_ns: int) -> Dataset:
    """The same dataset with another future: prices, quotes and rates after an instant."""
    rng = np.random.default_rng(8)
    later = pl.col("time").dt.epoch("ms") * 1_000_000 > last_ns

    def shaken(frame: pl.DataFrame, names: tuple[str, ...]) -> pl.DataFrame:
        by = pl.Series("by", rng.uniform(0.5, 2.0, frame.height))
        return frame.with_columns(
            pl.when(later).then(pl.col(n) * by).otherwise(pl.col(n)).alias(n) for n in names
        )

    return replace(
        dataset,
        perps=shaken(dataset.perps, (*PRICES, *BOOK, "premium", "open_interest", "day_ntl_vlm")),
        tokens=shaken(dataset.tokens, ("bid_px", "ask_px", "nav_px")),
        funding=shaken(dataset.funding, ("funding", "premium")),
    )


def test_future_of_noise_leaves_the_demos_past(demo: Dataset) -> None:
    whole = form(demo, RunConfig()).tape
    for rows in DEMO_CUTS[1:3]:
        other = form(noisy(demo, int(whole.time_ns[rows - 1])), RunConfig()).tape
        assert differing(other, whole, rows) == []
        assert {"external_px", "funding", "bid_px", "fair_px"} <= set(differing(other, whole))


@pytest.mark.shared
def test_future_of_noise_leaves_the_real_past(august: Dataset) -> None:
    whole = form(august, RunConfig()).tape
    for rows in AUGUST_CUTS[1:3]:
        other = form(noisy(august, int(whole.time_ns[rows - 1])), RunConfig()).tape
        assert differing(other, whole, rows) == []
        assert {"oracle_px", "funding", "bid_px", "fair_px"} <= set(differing(other, whole))


def test_later_open_interest_does_not_choose_the_perp(tiny: Path) -> None:
    toml = tiny / "dataset.toml"
    text = toml.read_text(encoding="utf-8").replace('underlying = "AAPL"', 'underlying = "NVDA"')
    text = text.replace('kind = "treasury"', 'kind = "equity"\nmultiplier = 1')
    toml.write_text(text.replace('underlying = "USDY"', 'underlying = "NVDA"'), encoding="utf-8")
    dataset = read_dataset(tiny)
    unknown = (pl.col("coin") == "xyz:AAPL") & (pl.col("time").dt.hour() < 8)
    interest = pl.when(unknown).then(None).otherwise(pl.lit(1e6)).alias("open_interest")
    oracle = pl.when(pl.col("coin") == "xyz:AAPL").then(300.0 + pl.col("time").dt.hour())
    perps = dataset.perps.with_columns(oracle.otherwise(pl.col("oracle_px")).alias("oracle_px"))
    with_it = perps.with_columns(
        pl.when(pl.col("coin") == "xyz:AAPL").then(interest).otherwise(1e5).alias("open_interest")
    )
    without = with_it.with_columns(
        pl.when(pl.col("coin") == "xyz:AAPL").then(None).otherwise(1e5).alias("open_interest")
    )
    before = pl.col("time").dt.hour() < 8
    assert_frame_equal(with_it.filter(before), without.filter(before))
    config = RunConfig(tokens=("USDY",))  # a second token on NVDA, paired with no perp
    one = form(replace(dataset, perps=with_it), config).tape
    other = form(replace(dataset, perps=without), config).tape
    assert differing(one, other, 3) == []


def test_later_nav_does_not_undo_the_rate_before_it(tiny: Path) -> None:
    path = tiny / "tokens.parquet"
    frame = pl.read_parquet(path).with_columns(pl.lit(0.04).alias("apr"))
    nav = pl.when(pl.col("time").dt.hour() >= 8).then(1.0).alias("nav_px")
    frame.with_columns(nav).write_parquet(path)
    one = form(read_dataset(tiny), RunConfig()).tape
    frame.write_parquet(path)
    other = form(read_dataset(tiny), RunConfig()).tape
    assert other.apr[:, 0].tolist() == [0.04] * 6
    assert one.apr[3:, 0].tolist() == [0.0] * 3, "a NAV that grows is the yield"
    assert differing(one, other, 3) == []


# ------------------------------------------------------------------- compiled and plain


def battered(demo: Dataset) -> Dataset:
    """The demo with hours taken out, books taken away and a coin and a token listed later."""
    rng = np.random.default_rng(8)
    late = pl.datetime(2025, 10, 16, 6, time_zone="UTC")

    def thinned(frame: pl.DataFrame, key: str, names: list[str]) -> pl.DataFrame:
        keep = pl.Series(rng.uniform(size=frame.height) > 0.05)
        return frame.filter(keep & (~pl.col(key).is_in(names) | (pl.col("time") >= late)))

    perps = thinned(demo.perps, "coin", ["sim:LYNX"])
    bookless = pl.Series(rng.uniform(size=perps.height) < 0.1)
    no_impact = pl.Series(rng.uniform(size=perps.height) < 0.1)
    perps = perps.with_columns(
        pl.when(bookless).then(None).otherwise(pl.col("mid_px")).alias("mid_px"),
        *[pl.when(bookless | no_impact).then(None).otherwise(pl.col(n)).alias(n) for n in BOOK],
    )
    return replace(demo, perps=perps, tokens=thinned(demo.tokens, "token", ["ORCAx"]))


@pytest.mark.parametrize(
    "terms",
    [{}, {"premium": "two_sided", "step_base": "mark"}, {"interval_hours": 8}],
    ids=["baseline", "two-sided from the mark", "eight hours"],
)
@pytest.mark.parametrize("whole", [True, False], ids=["demo", "battered"])
def test_compiled_is_bit_for_bit_the_plain_loop(
    demo: Dataset, whole: bool, terms: dict[str, object]
) -> None:
    end_ns = to_ns(datetime(2025, 11, 2, 19, tzinfo=UTC))  # 500 hours
    dataset = demo if whole else battered(demo)
    config = RunConfig(tokens=("TBILL",), terms=terms, max_stale_hours=24)
    compiled = form(dataset, config, end_ns=end_ns)
    plain = form(dataset, config, end_ns=end_ns, pure_python=True)
    assert len(plain.tape.time_ns) == 500
    assert differing(compiled.tape, plain.tape) == []
    assert compiled.facts == plain.facts
    assert whole or plain.tape.stale.any()


@pytest.mark.parametrize("config", [RunConfig(), FORMULA], ids=["recorded", "formula"])
@pytest.mark.shared
def test_compiled_is_bit_for_bit_the_plain_loop_on_real_data(
    august: Dataset, config: RunConfig
) -> None:
    compiled = form(august, config)
    plain = form(august, config, pure_python=True)
    assert differing(compiled.tape, plain.tape) == []
    assert compiled.facts == plain.facts


def test_compiled_walk_is_bit_for_bit_the_plain_one(demo: Dataset) -> None:
    end_ns = to_ns(datetime(2025, 10, 15, tzinfo=UTC))
    config = RunConfig(terms={"updates_per_hour": 7, "step_frac": 0.0001})
    compiled = form(demo, config, end_ns=end_ns).tape
    plain = form(demo, config, end_ns=end_ns, pure_python=True).tape
    np.testing.assert_allclose(compiled.premium, plain.premium, rtol=0, atol=1e-12)
    assert differing(compiled, plain) == []
