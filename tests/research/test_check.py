"""The check of a dataset as a whole: figures, findings, severities."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from perpkit.research import check as module
from perpkit.research.check import Checked, Subject, check_data
from perpkit.research.findings import Finding, Severity, by_weight, worst

DEMO = Path(__file__).parents[2] / "data" / "demo"
TOML = """\
schema = 1
name = "made"
source = "made up by the tests"
licence = "MIT"
prices = "onchain"

[perps."sim:A"]
venue = "baseline"
underlying = "A"

[perps."xyz:NVDA"]
venue = "xyz"
underlying = "NVDA"
"""
START = datetime(2026, 8, 13, 0, tzinfo=UTC)
HOURS = 120


def rate(premium: np.ndarray, m: float, c: float) -> np.ndarray:
    return np.round(m * np.clip(0.0001, premium - c, premium + c) / 8, 10)


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """Five days of two perps whose funding is what their venues would settle."""
    folder = tmp_path / "made"
    folder.mkdir()
    (folder / "dataset.toml").write_text(TOML, encoding="utf-8")
    rng = np.random.default_rng(5)
    hours = pl.Series(
        "time", [START + timedelta(hours=n) for n in range(HOURS)], pl.Datetime("ms", "UTC")
    )
    perps, funding = [], []
    for coin, m, c in (("sim:A", 1.0, 0.0005), ("xyz:NVDA", 0.5, 0.0003)):
        oracle = 200.0 + 0.02 * (np.arange(HOURS) % 2)  # a price that stands still is a fault
        bid, ask = (
            oracle - rng.integers(0, 40, HOURS) / 100,
            oracle + rng.integers(0, 40, HOURS) / 100,
        )
        own = (bid + ask) / 2 / oracle - 1
        if coin == "sim:A":
            own = (np.maximum(bid - oracle, 0) - np.maximum(oracle - ask, 0)) / oracle
        perps.append(
            pl.DataFrame(
                {
                    "time": hours,
                    "coin": coin,
                    "oracle_px": oracle,
                    "mark_px": oracle + 0.1,
                    "impact_bid_px": bid,
                    "impact_ask_px": ask,
                    "premium": np.round(own, 10),
                }
            )
        )
        premium = np.round(rng.normal(0, 8e-4, HOURS), 10)
        funding.append(
            pl.DataFrame(
                {"time": hours, "coin": coin, "funding": rate(premium, m, c), "premium": premium}
            )
        )
    pl.concat(perps).write_parquet(folder / "perps.parquet")
    pl.concat(funding).write_parquet(folder / "funding.parquet")
    return folder


def edit(folder: Path, table: str, column: str, coin: str, row: int, value: float) -> None:
    frame = pl.read_parquet(folder / f"{table}.parquet")
    place = pl.int_range(pl.len()).over("coin")
    there = (pl.col("coin") == coin) & (place == row)
    frame.with_columns(
        pl.when(there).then(pl.lit(value)).otherwise(pl.col(column)).alias(column)
    ).write_parquet(folder / f"{table}.parquet")


def told(path: Path, check: str, least: Severity = Severity.WARNING) -> list[Finding]:
    found = check_data(path)
    both = (*found.findings, *found.notes)
    return [f for f in both if f.check == check and f.severity >= least]


# --------------------------------------------------------------------------- whole datasets


def test_a_clean_dataset(made: Path) -> None:
    found = check_data(made)
    assert found.worst is Severity.NOTE
    assert found.findings == ()
    assert {f.check for f in found.notes} == {"steps", "bounds"}
    for own in found.coins.values():
        assert (own["funding_rows"], own["funding_exact_frac"]) == (HOURS, 1.0)
        assert own["funding_first_differing_hour"] is None
        assert own["funding_worst_error"] <= own["funding_tolerance"]
        assert (own["premium_rows"], own["premium_exact_frac"]) == (HOURS, 1.0)
    nvda = found.coins["xyz:NVDA"]
    assert nvda["steps"]["oracle_px"]["untested"][0]["why"].startswith("not testable")
    (spell,) = nvda["bounds"]["spells"]
    assert spell["reference_time"] == "2026-08-15 00:00Z"
    assert spell["resets"] == 2
    assert found.coins["sim:A"]["steps"]["oracle_px"]["moves_tested"] == HOURS - 1


@pytest.mark.shared
def test_the_recorded_dataset_has_its_known_gaps_and_nothing_else(shared_data: Path) -> None:
    found = check_data(shared_data / "xyz-2026-08")
    assert [(f.check, f.severity, f.rows, f.place, f.instrument) for f in found.findings] == [
        ("gaps", Severity.WARNING, 17, "perps.parquet", "all coins"),
        ("gaps", Severity.WARNING, 17, "tokens.parquet", "all tokens"),
    ]
    assert all(own["funding_exact_frac"] == 1.0 for own in found.coins.values())
    spells = [spell for own in found.coins.values() for spell in own["bounds"]["spells"]]
    assert len(spells) == 18
    assert all(spell["rows_beyond"] == 0 for spell in spells)


def test_a_wrong_rate_is_an_error_where_the_terms_are_sure(made: Path) -> None:
    edit(made, "funding", "funding", "sim:A", 40, 0.0000126)
    (finding,) = told(made, "funding")
    assert finding.severity is Severity.ERROR
    assert (finding.instrument, finding.rows, finding.place) == ("sim:A", 1, "funding.parquet")
    assert "first 2026-08-14 16:00Z" in finding.message
    found = check_data(made)
    assert found.findings[0] == finding  # the worst stands first
    assert found.coins["sim:A"]["funding_exact_frac"] == pytest.approx(1 - 1 / HOURS)
    assert found.coins["sim:A"]["funding_first_differing_hour"] == "2026-08-14 16:00Z"
    assert found.coins["xyz:NVDA"]["funding_exact_frac"] == 1.0


def test_a_wrong_rate_is_a_warning_where_they_are_not(made: Path) -> None:
    toml = (made / "dataset.toml").read_text()
    (made / "dataset.toml").write_text(
        toml.replace('underlying = "A"', 'underlying = "A"\nclamp_8h = 0.0005')
    )
    edit(made, "funding", "funding", "sim:A", 40, 0.0000126)
    (finding,) = told(made, "funding")
    assert finding.severity is Severity.WARNING  # a dataset's own word is reported, not sure


def test_a_wrong_premium_is_found(made: Path) -> None:
    edit(made, "perps", "premium", "sim:A", 7, 0.01)
    (finding,) = told(made, "premium")
    assert (finding.rows, finding.place, finding.severity) == (1, "perps", Severity.ERROR)


def test_limits_are_not_those_of_prices_formed_of_trades(made: Path) -> None:
    frame = pl.read_parquet(made / "perps.parquet")
    source = pl.when(pl.col("coin") == "xyz:NVDA").then(pl.lit("premium")).otherwise(None)
    frame = frame.with_columns(
        source.alias("oracle_source"),
        pl.when(pl.int_range(pl.len()) % 7 == 0)
        .then(pl.col("oracle_px") * 3.0)
        .otherwise("oracle_px"),
    )
    frame.write_parquet(made / "perps.parquet")
    found = check_data(made)
    assert "steps" not in found.coins["xyz:NVDA"]
    (note,) = [one for one in found.notes if "formed of trades" in one.message]
    assert (note.instrument, note.rows) == ("xyz:NVDA", HOURS)
    assert "steps" in found.coins["sim:A"]


def test_hour_averages_are_no_fault(made: Path) -> None:
    frame = pl.read_parquet(made / "perps.parquet").with_columns(pl.col("premium") + 1e-6)
    frame.write_parquet(made / "perps.parquet")
    assert told(made, "premium") == []
    (note, *_) = told(made, "premium", Severity.NOTE)
    assert "average over the hour" in note.message


def test_hour_averages_are_no_fault_where_most_premiums_are_zero(made: Path) -> None:
    # Four hours of five the oracle is inside the book: an average and an instant are both zero.
    calm = (pl.col("coin") == "sim:A") & (pl.int_range(pl.len()) % 5 != 0)
    oracle = pl.col("oracle_px")
    frame = pl.read_parquet(made / "perps.parquet").with_columns(
        pl.when(calm).then(oracle * 0.999).otherwise("impact_bid_px").alias("impact_bid_px"),
        pl.when(calm).then(oracle * 1.001).otherwise("impact_ask_px").alias("impact_ask_px"),
        pl.when(calm).then(0.0).otherwise(pl.col("premium") + 1e-6).alias("premium"),
    )
    frame.write_parquet(made / "perps.parquet")
    assert [one for one in told(made, "premium") if one.instrument == "sim:A"] == []
    assert [one for one in told(made, "premium", Severity.NOTE) if "average" in one.message]


def test_marks_beyond_the_bound_are_found(made: Path) -> None:
    for row in range(60, 68):  # of a Saturday; 231.5 is allowed, and a shorter one is a print
        edit(made, "perps", "mark_px", "xyz:NVDA", row, 240.0)
    (finding,) = told(made, "bounds")
    assert finding.severity is Severity.WARNING
    assert "around the oracle of 2026-08-15 00:00Z, 200" in finding.message
    for row in range(12, 20):  # of a Thursday
        edit(made, "perps", "mark_px", "xyz:NVDA", row, 240.0)
    first, second = told(made, "bounds")
    assert "live oracle" in second.message or "live oracle" in first.message


def test_oracles_that_leap_are_found(made: Path) -> None:
    edit(made, "perps", "oracle_px", "sim:A", 60, 203.0)
    (finding,) = told(made, "steps")
    assert "further than the venue's step limit" in finding.message
    assert finding.rows == 2  # there and back


def test_stamps_that_name_no_hour_are_an_error(made: Path) -> None:
    frame = pl.read_parquet(made / "funding.parquet")
    late = (pl.col("coin") == "sim:A") & (pl.col("time") == START + timedelta(hours=30))
    time = pl.when(late).then(pl.col("time").dt.offset_by("20m")).otherwise(pl.col("time"))
    frame.with_columns(time.alias("time")).write_parquet(made / "funding.parquet")
    (finding,) = told(made, "stamps")
    assert finding.severity is Severity.ERROR
    assert (
        "more than ten minutes past its hour in 1 row, first 2026-08-14 06:20Z" in finding.message
    )
    assert check_data(made).coins["sim:A"]["funding_rows"] == HOURS  # audited at its hour


def test_another_interval_is_an_error(made: Path) -> None:
    frame = pl.read_parquet(made / "funding.parquet").filter(pl.col("time").dt.hour() % 8 == 0)
    frame.write_parquet(made / "funding.parquet")
    found = told(made, "funding")
    assert len([f for f in found if "another interval" in f.message]) == 2


def test_a_dataset_that_records_no_funding() -> None:
    found = check_data(DEMO)
    assert found.worst is Severity.NOTE
    assert found.findings == ()
    (finding,) = found.notes
    assert finding.message == "records no funding, so there is none to audit"
    assert all(own["funding_rows"] == 0 for own in found.coins.values())


def test_files_of_settlements_need_a_venue(made: Path) -> None:
    frame = pl.read_parquet(made / "funding.parquet").filter(pl.col("coin") == "sim:A")
    frame.write_parquet(made / "a.parquet")
    (finding,) = [f for f in check_data(made / "a.parquet").findings if f.check == "funding"]
    assert finding.severity is Severity.WARNING
    assert "the rulebook has no venue sim" in finding.message
    found = check_data(made / "a.parquet", venue="baseline")
    assert found.findings == ()
    assert found.coins["sim:A"]["funding_exact_frac"] == 1.0


def test_terms_of_your_own_are_used(made: Path, tmp_path: Path) -> None:
    own = tmp_path / "mine.toml"
    own.write_text(
        'schema = 1\nvenue = "baseline"\n[sources]\nME = "made up"\n[[blocks]]\n'
        "from = 2026-08-14\n"
        'clamp_8h = { value = 0.0002, source = "ME", confidence = "documented" }\n'
    )
    found = check_data(made, rules=own)
    assert found.coins["sim:A"]["funding_first_differing_hour"] >= "2026-08-14"
    assert found.coins["xyz:NVDA"]["funding_exact_frac"] == 1.0


# --------------------------------------------------------------------------- the structure


def test_a_check_can_be_added(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def longest(subject: Subject, coin: str) -> Checked:
        perps = subject.perps(coin)
        assert perps is not None
        found = Finding("longest", Severity.ERROR, "perps", coin, perps.height, None, "is long")
        return Checked({"longest": perps.height}, (found,))

    monkeypatch.setattr(module, "CHECKS", (*module.CHECKS, longest))
    found = check_data(made)
    assert found.worst is Severity.ERROR
    assert found.coins["sim:A"]["longest"] == HOURS
    assert [f.check for f in found.findings[:2]] == ["longest", "longest"]


def test_findings_stand_worst_first() -> None:
    def some() -> Iterator[Finding]:
        for severity in (Severity.NOTE, Severity.ERROR, Severity.WARNING, Severity.ERROR):
            yield Finding("c", severity, "f", "", 1, None, str(severity.value))

    assert [f.message for f in by_weight(some())] == ["2", "2", "1", "0"]
    assert worst(some()) is Severity.ERROR
    assert worst(()) is None


def test_a_finding_says_where() -> None:
    one = Finding("stamps", Severity.ERROR, "funding.parquet", "xyz:A", 3, 0, "is late")
    assert one.sentence == "funding.parquet, xyz:A: is late"
    assert one._replace(instrument="").sentence == "funding.parquet: is late"
    assert one.to_dict() == {
        "check": "stamps",
        "severity": "error",
        "file": "funding.parquet",
        "instrument": "xyz:A",
        "rows": 3,
        "first": "1970-01-01 00:00Z",
        "message": "is late",
        "fixable": False,
    }
