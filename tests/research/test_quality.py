"""Planted faults are found, each once, and what is certain is mended."""

from __future__ import annotations

import random
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from planting import (
    COINS,
    FAULTS,
    HOURS,
    MS,
    PERP_PX,
    START,
    TOKEN_PX,
    TOML,
    Tables,
    by,
    cells,
    clean,
    later,
    missing,
    save,
    split,
    stuck,
    to,
)

from perpkit.dataset.store import Store
from perpkit.errors import DataError, RequestError
from perpkit.research.check import DataCheck, check_data
from perpkit.research.findings import Severity

DEMO = Path(__file__).parents[2] / "data" / "demo"


@pytest.fixture(scope="module")
def tables() -> Tables:
    return clean()


def said(found: DataCheck) -> list[str]:
    return [f"{f.check}: {f.sentence}" for f in found.findings]


def content(folder: Path) -> dict[str, bytes]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


# --------------------------------------------------------------------------- planted faults


def test_the_clean_one_has_none(tables: Tables, tmp_path: Path) -> None:
    found = check_data(save(tmp_path / "clean", tables))
    assert said(found) == []


@pytest.mark.parametrize("kind", FAULTS)
def test_one_fault_is_one_finding(kind: str, tables: Tables, tmp_path: Path) -> None:
    fault = FAULTS[kind]
    own = dict(tables)
    n, row = sum(map(ord, kind)) % 4, 100 + sum(map(ord, kind)) % 300
    fault.plant(own, n, row)
    folder = save(tmp_path / "spoiled", own)
    before = content(folder)
    found = check_data(folder, fix=tmp_path / "fixed")
    assert [f.check for f in found.findings] == [fault.check], said(found)
    (one,) = found.findings
    assert one.fixable == fault.fixable, said(found)
    assert one.rows > 0
    assert ("--fix leaves" in one.message or "--fix does not" in one.message) != fault.fixable
    assert content(folder) == before  # never in place
    assert found.fixed is not None
    assert (found.fixed.log.height > 0) == fault.fixable
    left = said(check_data(tmp_path / "fixed"))
    assert left == ([] if fault.fixable else said(found))


def planted(tables: Tables, seed: int) -> tuple[Tables, list[str]]:
    """Five faults of any kinds, none in a table of a coin that another has."""
    chance = random.Random(seed)
    made, taken, kinds = dict(tables), set(), []
    # Two of them at once say nothing for certain: a perp and its token late by the same, say.
    alone = {kind for kind in FAULTS if kind.startswith("zone")}
    for kind in chance.sample(sorted(FAULTS), len(FAULTS)):
        n, row = chance.randrange(4), chance.randrange(60, 500)
        one = dict(tables)
        FAULTS[kind].plant(one, n, row)
        own = {(name, n) for name in one if one[name] is not tables.get(name)}
        if kind == "gap_of_all":
            own = {("perps", coin) for coin in range(4)}
        if kind in alone or "delisted" in kind:
            own |= {(name, n) for name in ("perps", "funding", "tokens")}
        if own & taken:
            continue
        taken |= own
        kinds.append(kind)
        FAULTS[kind].plant(made, n, row)
        if len(kinds) == 5:
            return made, kinds
    raise AssertionError


@pytest.mark.parametrize("seed", range(12))
def test_five_faults_are_five_findings(seed: int, tables: Tables, tmp_path: Path) -> None:
    made, kinds = planted(tables, seed)
    found = check_data(save(tmp_path / "spoiled", made), fix=tmp_path / "fixed")
    assert sorted(f.check for f in found.findings) == sorted(FAULTS[k].check for k in kinds), kinds
    left = {f.sentence for f in check_data(tmp_path / "fixed").findings}
    assert left == {f.sentence for f in found.left}


# --------------------------------------------------------------------------- what is no fault


def test_a_recorded_split_explains_its_jump(tables: Tables, tmp_path: Path) -> None:
    own = dict(tables)
    split(10, recorded=True)(own, 1, 200)
    assert said(check_data(save(tmp_path / "split", own))) == []


@pytest.mark.parametrize("recorded", [True, False])
def test_two_splits_of_a_coin_are_no_leap_of_its_oracle(
    tables: Tables, tmp_path: Path, recorded: bool
) -> None:
    own = dict(tables)
    split(10, recorded=recorded)(own, 1, 200)
    split(3, recorded=recorded)(own, 1, 400)
    found = check_data(save(tmp_path / "split", own)).findings
    assert [f.check for f in found] == ([] if recorded else ["splits", "splits"])


@pytest.mark.parametrize("row", [0, HOURS - 1])
def test_a_leap_at_an_end_may_be_a_print(tables: Tables, tmp_path: Path, row: int) -> None:
    own = dict(tables)
    cells("perps", PERP_PX, by(4), at=row)(own, 1, 0)
    (found,) = check_data(save(tmp_path / "split", own)).findings
    assert found.check == "splits"
    assert found.message.endswith("; or it is a print: 1 row has the one level")


def test_another_split_explains_nothing(tables: Tables, tmp_path: Path) -> None:
    own = dict(tables)
    split(10, recorded=True)(own, 1, 200)
    own["actions"] = own["actions"].with_columns(amount=pl.lit(2.0))
    assert [f.check for f in check_data(save(tmp_path / "split", own)).findings] == ["splits"]


def test_a_split_of_another_stock_explains_nothing(tables: Tables, tmp_path: Path) -> None:
    own = dict(tables)
    split(10, recorded=True)(own, 1, 200)
    own["actions"] = own["actions"].with_columns(underlying=pl.lit("A"))
    assert [f.check for f in check_data(save(tmp_path / "split", own)).findings] == ["splits"]


def test_prices_a_hundredth_of_the_others_are_raised(tables: Tables, tmp_path: Path) -> None:
    own = dict(tables)
    cells("perps", ("mark_px",), by(0.01), HOURS, at=0)(own, 1, 0)
    folder = save(tmp_path / "hundredth", own)
    (finding,) = check_data(folder, fix=tmp_path / "fixed").findings
    assert finding.message.startswith("mark_px is 100 times too low, in 600 rows")
    fixed = pl.read_parquet(tmp_path / "fixed" / "perps.parquet")["mark_px"]
    assert ((fixed / tables["perps"]["mark_px"] - 1).abs() < 1e-12).all()


def test_hours_that_all_coins_there_lack_are_one_gap(tables: Tables, tmp_path: Path) -> None:
    own = dict(tables)
    missing("perps", 100)(own, 3, 0)  # listed later than the hours that the others lack
    missing("perps", 2)(own, 2, 300)
    for n in range(3):
        missing("perps", 3)(own, n, 50)
    found = check_data(save(tmp_path / "gaps", own)).findings
    assert [(f.check, f.instrument, f.rows) for f in found] == [
        ("gaps", "all coins", 3),
        ("gaps", "sim:C", 2),
    ]


def test_a_gap_of_two_coins_is_none_of_all(tables: Tables, tmp_path: Path) -> None:
    own = dict(tables)
    for n in (1, 2):
        missing("perps", 3)(own, n, 50)
    found = check_data(save(tmp_path / "gaps", own)).findings
    assert [f.instrument for f in found] == ["sim:B", "sim:C"]


def test_mended_prices_are_the_true_ones(tables: Tables, tmp_path: Path) -> None:
    own = dict(tables)
    cells("perps", PERP_PX, by(100), 48)(own, 1, 100)
    cells("tokens", TOKEN_PX, by(100), HOURS, at=0)(own, 0, 0)
    check_data(save(tmp_path / "cents", own), fix=tmp_path / "fixed")
    for name, columns in (("perps", PERP_PX), ("tokens", TOKEN_PX)):
        fixed = pl.read_parquet(tmp_path / "fixed" / f"{name}.parquet")
        for column in columns:
            assert ((fixed[column] / tables[name][column] - 1).abs() < 1e-12).all()


def test_a_shock_explains_a_depeg(tables: Tables, tmp_path: Path) -> None:
    own = dict(tables)
    cells("tokens", TOKEN_PX, by(0.4), HOURS)(own, 0, 300)
    folder = save(tmp_path / "depeg", own)
    (finding,) = check_data(folder).findings
    assert (finding.check, finding.severity) == ("splits", Severity.WARNING)
    shock = {"time": [START + timedelta(hours=300)], "kind": ["depeg"], "instrument": ["Ax"]}
    pl.DataFrame(shock | {"value": [0.4]}, schema_overrides={"time": MS}).write_parquet(
        folder / "shocks.parquet"
    )
    assert said(check_data(folder)) == []


def test_a_move_of_40_percent_is_none(tables: Tables, tmp_path: Path) -> None:
    own = dict(tables)
    cells("tokens", TOKEN_PX, by(1.4), HOURS)(own, 0, 300)
    assert said(check_data(save(tmp_path / "move", own))) == []


@pytest.mark.parametrize(("session", "count"), [("us_24_5", 0), ("24/7", 1)])
def test_shut_hours_may_stand_still(
    session: str, count: int, tables: Tables, tmp_path: Path
) -> None:
    own = dict(tables)
    saturday = 5 * 24 + 2  # two hours after Friday 20:00 New York
    for column in ("impact_bid_px", "impact_ask_px"):
        px = own["perps"].filter(coin=COINS[2])[column][saturday]
        cells("perps", (column,), to(px), 40)(own, 2, saturday)
    folder = save(tmp_path / "weekend", own)
    toml = TOML.replace('underlying = "C"', f'underlying = "C"\nexternal_session = "{session}"', 1)
    (folder / "dataset.toml").write_text(toml, encoding="utf-8")
    assert [f.check for f in check_data(folder).findings] == ["frozen"] * count


def test_a_price_of_extended_hours_may_not_stand_still_at_night(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(DEMO, tmp_path / "night"))
    perps = pl.read_parquet(folder / "perps.parquet")
    night = pl.int_range(pl.len()).is_between(49, 58)  # 21:00 to 06:00 in New York
    px = pl.when(night).then(perps["external_px"][49]).otherwise("external_px")
    perps.with_columns(px.alias("external_px")).write_parquet(folder / "perps.parquet")
    (finding,) = check_data(folder).findings
    assert (finding.check, finding.instrument, finding.rows) == ("frozen", "sim:ORCA", 9)


def test_a_halted_token_may_stand_still(tables: Tables, tmp_path: Path) -> None:
    own = dict(tables)
    stuck("tokens", TOKEN_PX, 24)(own, 1, 0)
    own["tokens"] = own["tokens"].with_columns(halted=pl.col("token") == "Bx")
    assert said(check_data(save(tmp_path / "halted", own))) == []


def test_five_equal_hours_are_none_and_six_unchanged_are(tables: Tables, tmp_path: Path) -> None:
    for count, checks in ((6, []), (7, ["frozen"])):
        own = dict(tables)
        stuck("perps", ("mark_px",), count)(own, 0, 0)
        found = check_data(save(tmp_path / f"equal{count}", own))
        assert [f.check for f in found.findings] == checks


def test_an_earlier_end_is_no_gap_and_longer_funding_no_delisting(
    tables: Tables, tmp_path: Path
) -> None:
    own = dict(tables)
    missing("perps", 30, everywhere=True)(own, 0, HOURS - 30)  # of all coins: a longer record
    missing("tokens", 100)(own, 0, 0)  # listed later
    assert said(check_data(save(tmp_path / "ends", own))) == []


def test_a_late_coin_without_any_other_record_is_a_warning(tables: Tables, tmp_path: Path) -> None:
    own = {"perps": tables["perps"]}
    cells("perps", ("time",), later(300), HOURS, at=0)(own, 1, 0)
    folder = save(tmp_path / "alone", own)
    (folder / "dataset.toml").write_text(TOML.partition("[tokens")[0], encoding="utf-8")
    (finding,) = check_data(folder).findings
    assert (finding.check, finding.severity, finding.fixable) == ("zone", Severity.WARNING, False)


def test_new_yorks_clock_over_a_year_is_turned_back(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(DEMO, tmp_path / "local"))
    tokens = pl.read_parquet(folder / "tokens.parquet")
    wall = pl.col("time").dt.convert_time_zone("America/New_York").dt.replace_time_zone(None)
    local = pl.when(token="HAWKx").then(wall.dt.replace_time_zone("UTC")).otherwise("time")
    tokens.with_columns(local.alias("time")).write_parquet(folder / "tokens.parquet")
    (finding,) = check_data(folder, fix=tmp_path / "fixed").findings
    assert (finding.check, finding.instrument, finding.fixable) == ("zone", "HAWKx", True)
    assert pl.read_parquet(tmp_path / "fixed" / "tokens.parquet").equals(tokens)
    assert said(check_data(tmp_path / "fixed")) == []


def test_all_perps_late_are_one_finding(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(DEMO, tmp_path / "late"))
    perps = pl.read_parquet(folder / "perps.parquet")
    late = perps.with_columns(pl.col("time").dt.offset_by("5h"))
    late.write_parquet(folder / "perps.parquet")
    (finding,) = check_data(folder, fix=tmp_path / "fixed").findings
    assert (finding.check, finding.instrument, finding.rows) == ("zone", "all coins", late.height)
    assert pl.read_parquet(tmp_path / "fixed" / "perps.parquet").equals(perps)


def test_percents_of_tax_and_of_bills(tables: Tables, tmp_path: Path) -> None:
    own = dict(tables)
    split(10, recorded=True)(own, 1, 200)
    dividend = own["actions"].with_columns(kind=pl.lit("dividend"), amount=0.2)
    own["actions"] = pl.concat([own["actions"], dividend]).with_columns(
        withholding_frac=pl.when(kind="dividend").then(30.0)
    )
    own["tokens"] = own["tokens"].with_columns(apr=pl.when(token="Dx").then(3.75))
    folder = save(tmp_path / "percent", own)
    toml = TOML.replace('underlying = "D"\nkind = "equity"', 'underlying = "D"\nkind = "treasury"')
    (folder / "dataset.toml").write_text(toml, encoding="utf-8")
    found = check_data(folder, fix=tmp_path / "fixed")
    assert [(f.check, f.place, f.fixable) for f in found.findings] == [
        ("units", "actions.parquet", True),
        ("units", "tokens.parquet", True),
    ]
    fixed = pl.read_parquet(tmp_path / "fixed" / "actions.parquet")
    assert fixed["withholding_frac"].to_list() == [None, 0.3]
    assert said(check_data(tmp_path / "fixed")) == []


@pytest.mark.shared
@pytest.mark.parametrize(
    ("table", "name"), [("perps", "xyz:NVDA"), ("tokens", "NVDA.RH"), ("funding", "xyz:NVDA")]
)
def test_recorded_rows_on_another_clock(
    table: str, name: str, shared_data: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(shared_data / "xyz-2026-08", tmp_path / "late"))
    frame = pl.read_parquet(folder / f"{table}.parquet")
    key = "token" if table == "tokens" else "coin"
    late = pl.when(pl.col(key) == name).then(pl.col("time").dt.offset_by("-4h")).otherwise("time")
    frame.with_columns(late.alias("time")).write_parquet(folder / f"{table}.parquet")
    found = [f for f in check_data(folder).findings if not f.instrument.startswith("all")]
    assert [(f.check, f.place, f.instrument) for f in found] == [("zone", f"{table}.parquet", name)]


def test_the_same_fault_in_every_coin_is_one_finding(tables: Tables, tmp_path: Path) -> None:
    own = dict(tables)
    own["funding"] = own["funding"].with_columns(pl.col("funding") * 8)
    (finding,) = check_data(save(tmp_path / "all", own)).findings
    assert (finding.check, finding.rows) == ("units", 4 * HOURS)
    assert finding.instrument == "each of all coins"


# --------------------------------------------------------------------------- what --fix writes


def test_a_clean_one_is_copied_as_it_is(tables: Tables, tmp_path: Path) -> None:
    folder = save(tmp_path / "clean", tables)
    found = check_data(folder, fix=tmp_path / "copy")
    copy = content(tmp_path / "copy")
    assert found.fixed is not None
    assert found.fixed.cells == 0
    log = copy.pop("fixes.csv").decode()
    assert log == "table,instrument,time,column,before,after,check,reason\n"
    assert pl.read_parquet(tmp_path / "copy" / "fixes.parquet").height == 0
    copy.pop("fixes.parquet")
    assert copy == content(folder)
    assert check_data(tmp_path / "copy").notes == check_data(folder).notes  # the log is no stray


def test_every_changed_cell_is_logged(tables: Tables, tmp_path: Path) -> None:
    own = dict(tables)
    cells("perps", ("mark_px",), by(100))(own, 0, 50)
    cells("tokens", ("time",), later(4))(own, 1, 60)
    cells("funding", ("funding",), by(8), HOURS, at=0)(own, 2, 0)
    first = own["tokens"].filter(token="Dx").head(1)
    own["tokens"] = pl.concat([own["tokens"], first])
    check_data(save(tmp_path / "spoiled", own), fix=tmp_path / "fixed")
    log = pl.read_parquet(tmp_path / "fixed" / "fixes.parquet")
    for name, whole in own.items():
        frame = whole.head(-1) if name == "tokens" else whole
        fixed = pl.read_parquet(tmp_path / "fixed" / f"{name}.parquet")
        told = log.filter(table=name)
        if name == "tokens":
            gone = told.filter(check="duplicates")
            assert gone["column"].to_list() == ["time", "token", "bid_px", "ask_px", "halted"]
            assert gone["before"].to_list()[1:3] == ["Dx", str(first["bid_px"][0])]
            assert gone["after"].null_count() == 5
            told = told.filter(pl.col("check") != "duplicates")
        changed, key = 0, frame.columns[1]
        for column in frame.columns:
            differs = frame[column].ne_missing(fixed[column])
            changed += int(differs.sum())
            mine = told.filter(column=column)
            assert mine.height == differs.sum()
            if frame[column].dtype.is_float():
                assert mine["before"].cast(pl.Float64).to_list() == (
                    frame.filter(differs).sort(key, "time")[column].to_list()
                )
                assert mine["after"].cast(pl.Float64).to_list() == (
                    fixed.filter(differs).sort(key, "time")[column].to_list()
                )
        assert changed == told.height
    assert dict(log["check"].value_counts().iter_rows()) == {
        "outliers": 1,
        "stamps": 1,
        "duplicates": 5,
        "units": HOURS,
    }
    (late,) = log.filter(check="stamps").iter_rows(named=True)
    assert late["before"] == "2026-03-04T12:04:00.000Z"
    assert late["after"] == "2026-03-04T12:00:00.000Z"


def test_mended_rates_are_the_true_ones(tables: Tables, tmp_path: Path) -> None:
    own = dict(tables)
    cells("funding", ("funding",), by(8), 200)(own, 1, 100)
    check_data(save(tmp_path / "spoiled", own), fix=tmp_path / "fixed")
    fixed = pl.read_parquet(tmp_path / "fixed" / "funding.parquet")
    assert fixed.equals(tables["funding"])


def test_nothing_is_written_into_the_data_themselves(tables: Tables, tmp_path: Path) -> None:
    folder = save(tmp_path / "data", tables)
    before = content(folder)
    with pytest.raises(RequestError, match="is within the data themselves"):
        check_data(folder, fix=folder / "fixed")
    assert content(folder) == before


def test_rates_of_other_terms_are_no_slip_of_units(tables: Tables, tmp_path: Path) -> None:
    own = dict(tables)
    # At this premium the other terms give a hundredth of the rulebook's rate, by chance.
    chance = pl.int_range(pl.len()).over("coin") % 50 == 7
    p = pl.when(chance).then(-0.000298).otherwise("premium")
    other = 0.5 * (p + (0.0001 - p).clip(-0.0003, 0.0003)) / 8
    own["funding"] = tables["funding"].with_columns(
        p.alias("premium"), other.round(10).alias("funding")
    )
    found = check_data(save(tmp_path / "other", own), fix=tmp_path / "fixed")
    assert "units" not in {f.check for f in found.findings}, said(found)
    assert pl.read_parquet(tmp_path / "fixed" / "funding.parquet").equals(own["funding"])


def test_swapped_columns_are_put_back_and_a_crossed_row_is_not(
    tables: Tables, tmp_path: Path
) -> None:
    own = dict(tables)
    FAULTS["swapped_book"].plant(own, 1, 0)
    FAULTS["crossed_token"].plant(own, 2, 70)
    check_data(save(tmp_path / "crossed", own), fix=tmp_path / "fixed")
    assert pl.read_parquet(tmp_path / "fixed" / "perps.parquet").equals(tables["perps"])
    fixed = pl.read_parquet(tmp_path / "fixed" / "tokens.parquet")
    assert fixed["bid_px"].null_count() == fixed["ask_px"].null_count() == 1


def test_the_log_of_a_row_mended_twice_follows_the_checks(tables: Tables, tmp_path: Path) -> None:
    own = dict(tables)
    cells("perps", ("time",), later(4))(own, 0, 50)
    cells("perps", ("mark_px",), by(100))(own, 0, 50)
    check_data(save(tmp_path / "twice", own), fix=tmp_path / "fixed")
    log = pl.read_parquet(tmp_path / "fixed" / "fixes.parquet")
    assert log["check"].to_list() == ["stamps", "outliers"]
    assert [f"{time:%H:%M}" for time in log["time"]] == ["02:04", "02:00"]


def test_columns_and_files_that_perpkit_does_not_read_are_kept(
    tables: Tables, tmp_path: Path
) -> None:
    own = dict(tables)
    own["perps"] = own["perps"].with_columns(remark=pl.lit("kept"))
    cells("perps", ("mark_px",), by(100))(own, 0, 50)
    folder = save(tmp_path / "spoiled", own)
    (folder / "README.md").write_text("mine", encoding="utf-8")
    check_data(folder, fix=tmp_path / "fixed")
    fixed = pl.read_parquet(tmp_path / "fixed" / "perps.parquet")
    assert fixed["remark"].unique().to_list() == ["kept"]
    assert (tmp_path / "fixed" / "README.md").read_text() == "mine"


def test_parts_stay_parts(tables: Tables, tmp_path: Path) -> None:
    own = dict(tables)
    cells("perps", ("mark_px",), by(100))(own, 3, 50)
    folder = save(tmp_path / "parts", own)
    (folder / "perps.parquet").unlink()
    (folder / "perps").mkdir()
    for n in range(2):
        half = own["perps"].filter(pl.col("coin").is_in(COINS[2 * n : 2 * n + 2]))
        half.write_parquet(folder / "perps" / f"{n}.parquet")
    (finding,) = check_data(folder, fix=tmp_path / "fixed").findings
    assert finding.place == "perps/"
    fixed = tmp_path / "fixed" / "perps"
    assert (fixed / "0.parquet").read_bytes() == (folder / "perps" / "0.parquet").read_bytes()
    changed = pl.read_parquet(fixed / "1.parquet").filter(pl.col("mark_px").is_null())
    assert changed["coin"].to_list() == ["sim:D"]


RULES = 'schema = 1\nvenue = "baseline"\n'


def test_a_store_stays_a_store(tables: Tables, tmp_path: Path) -> None:
    own = dict(tables)
    cells("perps", ("mark_px",), by(100))(own, 3, 50)
    with Store(tmp_path / "store").writer() as writer:
        writer.describe(TOML)
        for name, frame in own.items():
            writer.add(name, frame)
    # Terms that a fetch kept are part of the data: without them a run would play others.
    (tmp_path / "store" / "rules").mkdir()
    (tmp_path / "store" / "rules" / "baseline.toml").write_text(RULES, "utf-8")
    for name, text in (("notes.md", "polled by hand"), (".lock", "1")):
        (tmp_path / "store" / name).write_text(text, "utf-8")
    found = check_data(tmp_path / "store", fix=tmp_path / "fixed")
    assert [f.check for f in found.findings] == ["outliers"]
    assert said(check_data(tmp_path / "fixed")) == []
    rows = Store(tmp_path / "fixed").rows("perps", "sim:D")
    assert rows["mark_px"].null_count() == 1
    assert (tmp_path / "fixed" / "rules" / "baseline.toml").read_text("utf-8") == RULES
    assert (tmp_path / "fixed" / "notes.md").read_text("utf-8") == "polled by hand"
    assert not (tmp_path / "fixed" / ".lock").exists()
    again = check_data(tmp_path / "fixed", fix=tmp_path / "copy")
    assert again.fixed is not None
    assert again.fixed.cells == 0
    assert (tmp_path / "copy" / "store.json").read_bytes() == (
        tmp_path / "fixed" / "store.json"
    ).read_bytes()


@pytest.mark.parametrize("last", ["reading", "looking for faults", "writing"])
def test_a_check_that_is_stopped_has_written_nothing(
    tables: Tables, tmp_path: Path, last: str
) -> None:
    folder = save(tmp_path / "clean", tables)

    def stage(now: str) -> None:
        if now == last:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        check_data(folder, fix=tmp_path / "fixed", stage=stage)
    assert [path.name for path in tmp_path.iterdir()] == ["clean"]


def test_a_place_that_is_taken_is_refused(tables: Tables, tmp_path: Path) -> None:
    folder = save(tmp_path / "clean", tables)
    before = content(folder)
    for out in (folder, tmp_path):
        with pytest.raises(RequestError, match="is there already; name a new folder"):
            check_data(folder, fix=out)
    assert content(folder) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clean"]


# --------------------------------------------------------------------------- types


def test_numbers_as_text_are_read_and_stored_as_numbers(tables: Tables, tmp_path: Path) -> None:
    own = dict(tables)
    own["perps"] = own["perps"].with_columns(pl.col("mark_px").cast(pl.String))
    folder = save(tmp_path / "text", own)
    (finding,) = check_data(folder, fix=tmp_path / "fixed").findings
    assert (finding.check, finding.fixable) == ("types", True)
    assert pl.read_parquet(tmp_path / "fixed" / "perps.parquet").equals(tables["perps"])
    assert said(check_data(tmp_path / "fixed")) == []


def test_times_without_a_zone_are_checked_and_not_fixed(tables: Tables, tmp_path: Path) -> None:
    own = dict(tables)
    own["perps"] = own["perps"].with_columns(pl.col("time").dt.replace_time_zone(None))
    cells("perps", ("mark_px",), by(100))(own, 3, 50)
    folder = save(tmp_path / "naive", own)
    assert [f.check for f in check_data(folder).findings] == ["types", "outliers"]
    with pytest.raises(DataError, match="names no time zone; state the zone"):
        check_data(folder, fix=tmp_path / "fixed")
    assert not (tmp_path / "fixed").exists()


def test_what_is_listed_and_has_no_row_is_told(tables: Tables, tmp_path: Path) -> None:
    folder = save(tmp_path / "whole", tables)
    more = '[tokens.Zx]\nunderlying = "Z"\nkind = "equity"\nissuer = "simulated"\n'
    (folder / "dataset.toml").write_text(TOML + more, encoding="utf-8")
    (told,) = said(check_data(folder))
    assert told.startswith("reader: dataset.toml: token Zx has no row in tokens.parquet; add its")
    (folder / "dataset.toml").write_text(TOML, encoding="utf-8")
    (folder / "tokens.parquet").unlink()
    tables["perps"].clear().write_parquet(folder / "perps.parquet")
    for finding in check_data(folder).findings:
        assert finding.check == "reader"
        assert finding.severity is Severity.ERROR
        assert "has no row" in finding.message
    assert len(check_data(folder).findings) == 2


def test_a_coin_all_of_whose_rows_have_another_name_is_one_finding(
    tables: Tables, tmp_path: Path
) -> None:
    own = dict(tables)
    cells("perps", ("coin",), to("sim:AB"), HOURS, at=0)(own, 0, 0)  # type: ignore[arg-type]
    assert [f.check for f in check_data(save(tmp_path / "x", own)).findings] == ["names"]


def test_what_no_check_knows_the_strict_reader_tells(tables: Tables, tmp_path: Path) -> None:
    own = dict(tables)
    own["perps"] = own["perps"].drop("mark_px")
    (finding,) = check_data(save(tmp_path / "lacking", own)).findings
    assert (finding.check, finding.severity) == ("reader", Severity.ERROR)
    assert finding.message.startswith("mark_px is null in all rows; fill it at the source")


# --------------------------------------------------------------------------- real data


def test_the_demo_has_no_finding() -> None:
    assert said(check_data(DEMO)) == []


@pytest.mark.shared
def test_recorded_settlements_have_their_gaps_alone(shared_data: Path) -> None:
    found = check_data(shared_data / "funding" / "funding_core.parquet")
    assert {(f.check, f.severity) for f in found.findings} == {("gaps", Severity.WARNING)}
    assert [(n.check, n.rows) for n in found.notes] == [("duplicates", 2_356)]


@pytest.fixture
def bars(shared_data: Path, tmp_path: Path) -> Path:
    """Hourly bars of eight real stocks, carried over nights and weekends."""
    read = pl.read_parquet(shared_data / "equities" / "us_equities_1h.parquet")
    # The latest of closes of bars that have ended and opens of bars that have begun.
    last = pl.col("time") == pl.col("time").max().over("symbol", pl.col("time").dt.date())
    told = read.select(
        pl.col("time").dt.offset_by("30m").alias("time"),
        pl.lit("sim:").add(pl.col("symbol")).alias("coin"),
        pl.when(last).then("close").otherwise("open").alias("external_px"),
    ).sort("coin", "time")
    carried = told.upsample("time", every="1h", group_by="coin").sort("coin", "time")
    carried = carried.with_columns(pl.col("coin", "external_px").forward_fill())
    folder = tmp_path / "bars"
    folder.mkdir()
    carried.write_parquet(folder / "perps.parquet")
    perps = "".join(
        f'[perps."{coin}"]\nvenue = "baseline"\nunderlying = "{coin[4:]}"\n'
        for coin in carried["coin"].unique(maintain_order=True)
    )
    head = TOML.partition("[perps")[0].replace("onchain", "external")
    (folder / "dataset.toml").write_text(head + perps, encoding="utf-8")
    return folder


@pytest.mark.shared
def test_three_years_of_stocks_have_one_hole(bars: Path) -> None:
    # No bar of Friday 2026-01-30 after 11:30 New York, none of Monday before 13:30.
    found = check_data(bars).findings
    assert [(f.check, f.severity) for f in found] == [("frozen", Severity.WARNING)] * 2
    assert {f.to_dict()["first"][:10] for f in found} == {"2026-01-30"}
    assert sum(f.rows for f in found) == 7 * 8 + 9


@pytest.mark.shared
def test_stocks_on_new_yorks_clock_are_found_by_their_sessions(bars: Path) -> None:
    frame = pl.read_parquet(bars / "perps.parquet")
    late = pl.when(coin="sim:TSLA").then(pl.col("time").dt.offset_by("-5h")).otherwise("time")
    frame.with_columns(late.alias("time")).write_parquet(bars / "perps.parquet")
    (finding,) = [f for f in check_data(bars).findings if f.check == "zone"]
    assert (finding.check, finding.instrument, finding.fixable) == ("zone", "sim:TSLA", True)
    assert "time is 5 hours early" in finding.message


def test_hours_of_the_calendar_alone_are_asked(tmp_path: Path, tables: Tables) -> None:
    # In 2090 no table of sessions tells which hours are shut: nothing is said of them.
    far = datetime(2090, 1, 2, tzinfo=UTC) - START
    own = {name: f.with_columns(pl.col("time") + far) for name, f in tables.items()}
    stuck("tokens", TOKEN_PX, 24)(own, 1, 0)
    found = check_data(save(tmp_path / "far", own)).findings
    assert "frozen" not in {f.check for f in found}


def test_a_folder_is_left_as_it_was_when_writing_fails(
    tables: Tables, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = save(tmp_path / "clean", tables)

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", fail)
    with pytest.raises(RequestError, match="cannot be written"):
        check_data(folder, fix=tmp_path / "fixed")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clean"]
