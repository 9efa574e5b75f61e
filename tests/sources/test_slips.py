"""A slip of a file is refused with file, line, column and remedy, and nothing is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from perpkit.errors import PerpkitError
from perpkit.sources.files import About, built_in, check_mapping, import_files
from perpkit.sources.files import reading as reading_module
from perpkit.sources.files import text as text_module

GOOD = """\
time,coin,oracle_px,mark_px
2026-08-12T05:00:00Z,BTC,100.5,100.6
2026-08-12T06:00:00Z,BTC,101.5,101.6
2026-08-12T07:00:00Z,BTC,102.5,102.6
"""
QUOTES = """\
time,token,bid_px,ask_px
2026-08-12T05:00:00Z,NVDAx,100.5,100.6
"""
SECOND = "2026-08-12T06:00:00Z,BTC,101.5,101.6"


def refusal(tmp_path: Path, form: str, files: dict[str, str | bytes], **more: Any) -> str:
    paths = []
    for name, content in files.items():
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        paths.append(path)
    mapping = more.pop("mapping", None) or built_in(form)
    with pytest.raises(PerpkitError) as told:
        import_files(mapping, paths, tmp_path / "out", **more)
    assert not (tmp_path / "out").exists()
    return str(told.value)


@pytest.mark.parametrize(
    ("becomes", "told"),
    [
        (SECOND.replace("101.5", "abc"), 'oracle_px is "abc", which is no number; write a plain'),
        (SECOND.replace("101.5", '"1,015"'), 'oracle_px is "1,015", which is no number'),
        (SECOND.replace("101.5", "nan"), 'oracle_px is "nan", which is no finite number'),
        (SECOND.replace("101.5", "0"), 'oracle_px is "0.0", which is zero or negative'),
        (SECOND.replace("101.5", "-3"), 'oracle_px is "-3.0", which is zero or negative'),
        (SECOND.replace("BTC", ""), "coin is absent; fill it, or remove the row"),
        (SECOND.replace("06:00:00Z", "06:00:01Z"), "which is off the hour"),
        (SECOND.replace("2026", "1926"), "which is not within the years 2000 to 2100"),
        (SECOND.replace("2026-08-12T06", "12.08.2026 06"), "is no time that the mapping's format"),
        (SECOND.removesuffix(",101.6"), "3 fields where the head names 4; was the file cut short"),
        (SECOND + ",1", "5 fields where the head names 4"),
    ],
)
def test_a_slip_is_told_with_its_line(tmp_path: Path, becomes: str, told: str) -> None:
    said = refusal(tmp_path, "perps", {"perps.csv": GOOD.replace(SECOND, becomes)})
    assert said.startswith("perps.csv, line 3: "), said
    assert told in said


def test_a_crossed_quote_and_an_unknown_kind_are_refused(tmp_path: Path) -> None:
    crossed = QUOTES.replace("100.6", "100.4")
    said = refusal(tmp_path, "tokens", {"q.csv": crossed})
    assert said.startswith('q.csv, line 2: bid_px is "100.5", which is above ask_px; look for')
    events = "time,underlying,kind,amount\n2026-08-12T05:30:00Z,NVDA,bonus,0.25\n"
    said = refusal(tmp_path, "actions", {"e.csv": events})
    assert said.startswith('e.csv, line 2: kind is "bonus", which is not known; write dividend or')


def test_a_long_line_does_not_make_up_for_a_short_one(tmp_path: Path) -> None:
    lines = GOOD.splitlines()
    lines[1] += ",9"
    lines[3] = lines[3].removesuffix(",102.6")
    said = refusal(tmp_path, "perps", {"x.csv": "\n".join([*lines, ""])})
    assert said.startswith("x.csv, line 2: 5 fields where the head names 4")


@pytest.mark.parametrize("block_bytes", [16, 80, 1 << 24])
def test_the_line_counts_empty_lines_and_lines_within_quotes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block_bytes: int
) -> None:
    monkeypatch.setattr(text_module, "_BLOCK_BYTES", block_bytes)
    head, *rows = GOOD.splitlines()
    rows[2] = rows[2].replace("102.5", "-1")
    text = "\n".join([head + ",note", rows[0] + ',"two\nlines"', "", rows[1] + ",", rows[2] + ","])
    assert refusal(tmp_path, "perps", {"x.csv": text}).startswith("x.csv, line 6: oracle_px")


def test_a_parquet_slip_is_told_with_its_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading_module, "_BATCH_ROWS", 2)
    frame = pl.read_csv(GOOD.encode(), try_parse_dates=True)
    frame = frame.with_columns(mark_px=pl.Series([1.0, 2.0, -1.0]))
    frame.write_parquet(tmp_path / "p.parquet")
    said = refusal(tmp_path, "perps", {"p.parquet": (tmp_path / "p.parquet").read_bytes()})
    assert said.startswith('p.parquet, row 3: mark_px is "-1.0", which is zero or negative')


def test_the_files_own_name_of_a_column_is_told(tmp_path: Path) -> None:
    told = {
        "table": "perps",
        "time": {"column": "time"},
        "columns": {"coin": "coin", "external_px": "mark_px", "mid_px": "oracle_px"},
    }
    text = GOOD.replace("101.6", "x").replace("102.6", "y")
    said = refusal(tmp_path, "", {"a.csv": text}, mapping=check_mapping(told, "m.toml"))
    assert said.startswith('a.csv, line 3: external_px (column "mark_px") is "x", which is no')
    assert "so is 1 row near it" in said


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "has no line of column names"),
        ("time,coin,oracle_px,mark_px\n", "the files hold no row of perps"),
        (GOOD.replace("coin", "time", 1), 'column "time" is there twice'),
        (GOOD.replace("coin", "ticker", 1), 'there is no column "coin", which format perps reads'),
        (GOOD.replace("Z,", ","), "names no time zone; say it in a mapping file"),
        (GOOD.replace("2026-08-12T0", "17865").replace(":00:00Z", ""), "holds numbers; say what"),
        ("time,coin\n2026-08-12T06:00:00Z,\xff\n".encode("latin-1"), "save it as UTF-8"),
    ],
)
def test_a_file_that_is_no_table_is_refused(tmp_path: Path, text: str | bytes, told: str) -> None:
    assert told in refusal(tmp_path, "perps", {"perps.csv": text})


def test_a_hole_of_the_clock_is_refused(tmp_path: Path) -> None:
    told = {
        "table": "perps",
        "time": {"column": "time", "zone": "America/New_York"},
        "columns": {"coin": "coin", "oracle_px": "oracle_px", "mark_px": "mark_px"},
    }
    for hour, day in (("02", "2026-03-08"), ("01", "2026-11-01")):  # never, and twice
        text = GOOD.replace("Z,", ",").replace("2026-08-12T06", f"{day}T{hour}")
        said = refusal(tmp_path, "", {"a.csv": text}, mapping=check_mapping(told, "m.toml"))
        assert said.startswith("a.csv, line 3: time is"), said
        assert "America/New_York has twice or never" in said


def test_files_cut_short_or_not_what_they_say(tmp_path: Path) -> None:
    import gzip

    whole = gzip.compress(GOOD.encode())
    assert "cannot be read" in refusal(tmp_path, "perps", {"a.csv.gz": whole[:-12]})
    assert "cannot be read as Parquet" in refusal(tmp_path, "perps", {"a.parquet": b"PAR1 no"})
    assert "does not say what it is" in refusal(tmp_path, "perps", {"a.xlsx": b""})


def test_a_folder_stands_for_the_tables_in_it(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    (folder / "deeper").mkdir(parents=True)
    (folder / "README.txt").write_text("no table")
    (folder / ".hidden.csv").write_text("no table")
    (folder / "b.csv").write_text(GOOD)
    (folder / "deeper" / "a.csv").write_text(GOOD.replace("2026-08", "2026-09"))
    about = About(venue="hyperliquid")
    done = import_files(built_in("perps"), [folder], tmp_path / "out", about=about)
    assert (done.files, done.rows) == (2, {"BTC": 6})
    (tmp_path / "empty").mkdir()
    with pytest.raises(PerpkitError, match="holds no CSV or Parquet file"):
        import_files(built_in("perps"), [tmp_path / "empty"], tmp_path / "x")


def test_two_files_that_differ_are_refused_and_replace_settles_it(tmp_path: Path) -> None:
    other = GOOD.replace("101.5", "101.25")
    about = About(venue="hyperliquid")
    said = refusal(tmp_path, "perps", {"a.csv": GOOD, "b.csv": other}, about=about)
    assert "perps: oracle_px of BTC at 2026-08-12 06:00Z is 101.5" in said
    paths = [tmp_path / "a.csv", tmp_path / "b.csv"]
    import_files(built_in("perps"), paths, tmp_path / "out", about=about, replace=True)
    assert (tmp_path / "out" / "store.json").is_file()


def test_a_fault_leaves_a_dataset_as_it_was(tmp_path: Path) -> None:
    out = tmp_path / "out"
    (tmp_path / "a.csv").write_text(GOOD)
    import_files(built_in("perps"), [tmp_path / "a.csv"], out, about=About(venue="hyperliquid"))
    before = {path: path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()}
    later = GOOD.replace("2026-08", "2026-09")
    (tmp_path / "b.csv").write_text(later)
    (tmp_path / "c.csv").write_text(later.replace("2026-09", "2026-10").replace("102.5", "?"))
    with pytest.raises(PerpkitError, match=r"c\.csv, line 4"):
        import_files(built_in("perps"), [tmp_path / "b.csv", tmp_path / "c.csv"], out)
    assert {p: p.read_bytes() for p in sorted(out.rglob("*")) if p.is_file()} == before


# --------------------------------------------------------------------------- what is not said


def test_what_nothing_says_is_asked_for(tmp_path: Path) -> None:
    odd = {"a.csv": GOOD.replace("BTC", "sim:ORCA")}
    assert "which venue's rules hold for sim:ORCA; give --venue" in refusal(tmp_path, "perps", odd)
    said = refusal(tmp_path, "perps", {"a.csv": GOOD}, about=About(venue="xzy"))
    assert 'there is no venue "xzy"; did you mean xyz?' in said
    assert "import perps first" in refusal(tmp_path, "tokens", {"q.csv": QUOTES})
    events = "time,underlying,kind,amount\n2026-08-12T05:30:00Z,NVDA,dividend,0.25\n"
    assert "import perps first" in refusal(tmp_path, "actions", {"e.csv": events})


def test_a_token_needs_its_issuer(tmp_path: Path) -> None:
    out = tmp_path / "out"
    (tmp_path / "p.csv").write_text(GOOD.replace("BTC", "xyz:NVDA"))
    (tmp_path / "q.csv").write_text(QUOTES)
    import_files(built_in("perps"), [tmp_path / "p.csv"], out)
    own = frozenset({"NVDAx"})
    with pytest.raises(PerpkitError, match="give --issuer, --kind and --underlying NVDAx=STOCK"):
        import_files(built_in("tokens"), [tmp_path / "q.csv"], out, only=own)
    with pytest.raises(PerpkitError, match="there is NVDAx: name some with --only"):
        import_files(built_in("tokens"), [tmp_path / "q.csv"], out)
    about = About(issuer="backed", kind="equity", underlyings={"NVDAx": "NVDA"})
    import_files(built_in("tokens"), [tmp_path / "q.csv"], out, about=about, only=own)
    other = About(describe=out / "dataset.toml")
    with pytest.raises(PerpkitError, match=r"has a dataset\.toml already; leave --describe out"):
        import_files(built_in("perps"), [tmp_path / "p.csv"], out, about=other)
    text = (out / "dataset.toml").read_text()
    assert '[tokens."NVDAx"]\nunderlying = "NVDA"\nkind = "equity"\nissuer = "backed"' in text


# --------------------------------------------------------------------------- mapping files


BASE = {"table": "perps", "time": {"column": "t"}, "columns": {"coin": "c", "external_px": "p"}}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"table": "perp"}, "m.toml: table is 'perp'; did you mean perps?"),
        ({"colums": {}}, "m.toml: colums is not known; did you mean columns?"),
        ({"columns": {"coin": "c", "oracle": "p"}}, "columns.oracle is not known; did you mean"),
        ({"columns": {"external_px": "p"}}, "perps need coin, which no column gives"),
        ({"constants": {"coin": "BTC"}}, "coin is in columns and in constants"),
        ({"constants": {"mid_px": "1"}}, "constants.mid_px is '1'; write what mid_px holds"),
        ({"time": {"column": "t", "zone": "EST5"}}, 'time.zone "EST5" is no time zone'),
        ({"time": {"column": "t", "bar": "1h"}}, "time.stamp is missing beside time.bar"),
        ({"time": {"column": "t", "stamp": "start"}}, 'time.stamp is "start" without time.bar'),
        ({"time": {"column": "t", "bar": "1y", "stamp": "end"}}, 'time.bar is "1y"'),
        ({"file": {"separator": ";;"}}, "file.separator is ';;'; write one character"),
        ({"file": {"decimal": ","}}, 'file.decimal and file.separator are both ","'),
        ({"table": "actions", "rows": "last"}, 'rows is "last"; leave it out'),
    ],
)
def test_a_mapping_that_is_wrong_is_refused(change: dict[str, Any], told: str) -> None:
    with pytest.raises(PerpkitError) as error:
        check_mapping(BASE | change, "m.toml")
    assert told in str(error.value)
    check_mapping(BASE, "m.toml")


def test_an_unknown_unit_is_answered_with_the_nearest() -> None:
    columns = {"coin": "c", "funding": {"column": "r", "unit": "percent/8hours"}}
    told = BASE | {"table": "funding", "columns": columns}
    with pytest.raises(PerpkitError, match="none of funding; did you mean percent/8h"):
        check_mapping(told, "m.toml")
