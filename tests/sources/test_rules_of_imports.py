"""What an import makes of its rows: the last of each hour, units, zones, bars, candles."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from formats import Row

from perpkit.dataset import read_dataset
from perpkit.dataset.store import Store
from perpkit.errors import PerpkitError
from perpkit.sources.files import About, Imported, built_in, check_mapping, import_files
from perpkit.sources.files import hourly as hourly_module
from perpkit.sources.files import text as text_module

HOUR = timedelta(hours=1)
NOON = datetime(2026, 8, 12, 12, tzinfo=UTC)
CORE = About(venue="hyperliquid")


def taken(tmp_path: Path, told: dict[str, Any], text: str, about: About = CORE) -> list[Row]:
    (tmp_path / "x.csv").write_text(text, encoding="utf-8")
    mapping = check_mapping(told, "m.toml")
    done = import_files(mapping, [tmp_path / "x.csv"], tmp_path / "out", about=about)
    store = Store(tmp_path / "out")
    names = [part.instrument for part in store.parts(done.table)]
    frames = [store.rows(done.table, name) for name in dict.fromkeys(names)]
    return pl.concat(frames).to_dicts()


def perps(**more: Any) -> dict[str, Any]:
    columns = {"coin": "coin", "oracle_px": "oracle", "mark_px": "mark", **more.pop("columns", {})}
    return {"table": "perps", "time": {"column": "t"}, "columns": columns} | more


# --------------------------------------------------------------------------- the last of the hour


MINUTES = """\
t,coin,oracle,mark,premium
2026-08-12T11:00:00Z,BTC,1,10,0.001
2026-08-12T11:00:01Z,BTC,2,14,0.002
2026-08-12T11:30:00Z,BTC,3,8,
2026-08-12T12:00:00Z,BTC,4,9,0.003
2026-08-12T12:00:00.001Z,BTC,5,99,0.004
"""


def test_an_hour_is_the_last_row_at_or_before_it(tmp_path: Path) -> None:
    told = perps(rows="last", columns={"premium": "premium"})
    rows = taken(tmp_path, told, MINUTES)
    assert [row["time"] for row in rows] == [NOON - HOUR, NOON, NOON + HOUR]
    assert [row["oracle_px"] for row in rows] == [1.0, 4.0, 5.0]
    assert [row["mark_high_px"] for row in rows] == [10.0, 14.0, 99.0]
    assert [row["mark_low_px"] for row in rows] == [10.0, 8.0, 99.0]
    assert [row["premium"] for row in rows] == [0.001, 0.0025, 0.004]  # of the rows that have one
    first = NOON + timedelta(milliseconds=1)
    assert [row["observed"] for row in rows] == [NOON - HOUR, NOON, first]


def test_the_order_of_rows_the_pieces_and_the_files_do_not_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = perps(rows="last", columns={"premium": "premium"})
    head, *rows = MINUTES.splitlines()
    whole = taken(tmp_path, told, MINUTES)
    monkeypatch.setattr(text_module, "_BLOCK_BYTES", 50)
    monkeypatch.setattr(hourly_module, "_HELD_ROWS", 2)
    (tmp_path / "again").mkdir()
    shuffled = "\n".join([head, *rows[::-1]])
    assert taken(tmp_path / "again", told, shuffled) == whole
    parts = sorted(part.sha256 for part in Store(tmp_path / "out").parts("perps"))
    assert sorted(p.sha256 for p in Store(tmp_path / "again/out").parts("perps")) == parts


def test_two_rows_of_one_time_that_differ_are_refused(tmp_path: Path) -> None:
    text = MINUTES + "2026-08-12T11:30:00Z,BTC,3.5,8,\n"
    with pytest.raises(PerpkitError, match="two rows of 2026-08-12 11:30:00Z that differ in orac"):
        taken(tmp_path, perps(rows="last"), text)
    (tmp_path / "same").mkdir()
    same = MINUTES + "2026-08-12T11:30:00Z,BTC,3,8,\n"
    told = perps(rows="last", columns={"premium": "premium"})
    same += "2026-08-12T12:00:00Z,BTC,4,9,0.003\n"
    rows = taken(tmp_path / "same", told, same)
    assert [row["premium"] for row in rows] == [0.001, 0.0025, 0.004]  # a double counts once


def test_a_premium_alone_is_kept_to_its_last_bit(tmp_path: Path) -> None:
    premium = 0.00012345678901234567
    text = f"t,coin,oracle,mark,premium\n2026-08-12T12:00:00Z,BTC,1,1,{premium!r}\n"
    rows = taken(tmp_path, perps(rows="last", columns={"premium": "premium"}), text)
    assert rows[0]["premium"] == premium


def test_a_quarter_hour_bar_counts_where_it_ends(tmp_path: Path) -> None:
    text = "t,coin,oracle,mark,h,l\n"
    for n, at in enumerate(("11:00", "11:15", "11:30", "11:45", "12:00")):
        text += f"2026-08-12 {at},BTC,5,5,{5 + n},{5 - n / 10}\n"
    time = {"column": "t", "zone": "UTC", "bar": "15m", "stamp": "start"}
    columns = {"mark_high_px": "h", "mark_low_px": "l"}
    rows = taken(tmp_path, perps(rows="last", time=time, columns=columns), text)
    assert [(row["time"], row["mark_high_px"], row["mark_low_px"]) for row in rows] == [
        (NOON, 8.0, 4.7),
        (NOON + HOUR, 9.0, 4.6),
    ]


# --------------------------------------------------------------------------- units and times


@pytest.mark.parametrize(
    ("unit", "cell", "rate"),
    [
        ("frac", "0.00001", 0.00001),
        ("percent", "0.001", 0.00001),
        ("bp", "0.1", 0.00001),
        ("percent/8h", "0.008", 0.00001),
        ("frac/8h", "0.00008", 0.00001),
        ("percent/year", "8.76", 0.00001),
    ],
)
def test_a_rate_comes_in_its_unit(tmp_path: Path, unit: str, cell: str, rate: float) -> None:
    columns = {"coin": "c", "funding": {"column": "r", "unit": unit}}
    told = {"table": "funding", "time": {"column": "t"}, "columns": columns}
    rows = taken(tmp_path, told, f"t,c,r\n2026-08-12T12:00:00.039Z,BTC,{cell}\n")
    assert rows[0]["funding"] == pytest.approx(rate, rel=1e-15)
    assert rows[0]["time"] == NOON + timedelta(milliseconds=39)


@pytest.mark.parametrize(
    ("cell", "time"),
    [
        ("2026-08-12T12:00:00Z", {}),
        ("2026-08-12T12:00Z", {}),
        ("2026-08-12 14:00:00+02:00", {}),
        ("2026-08-12 08:00", {"zone": "America/New_York"}),
        ("2026-08-12T21:00:00.000", {"zone": "Asia/Seoul"}),
        ("12/08/26 at 12.00", {"zone": "UTC", "format": "%d/%m/%y at %H.%M"}),
        ("12.08.2026 14:00 +0200", {"format": "%d.%m.%Y %H:%M %z"}),
        ("1786536000", {"format": "s"}),
        ("1786536000000", {"format": "ms"}),
        ("1786536000000000", {"format": "us"}),
        ("1786536000000000000", {"format": "ns"}),
        ("2026-08-12T11:00:00Z", {"bar": "1h", "stamp": "start"}),
        ("2026-08-12T12:00:00Z", {"bar": "1h", "stamp": "end"}),
    ],
)
def test_a_time_comes_in_its_form(tmp_path: Path, cell: str, time: dict[str, str]) -> None:
    text = f"t,coin,oracle,mark\n{cell},BTC,1,1\n"
    rows = taken(tmp_path, perps(time={"column": "t", **time}), text)
    assert [row["time"] for row in rows] == [NOON]


def test_a_form_that_says_no_minute_is_refused(tmp_path: Path) -> None:
    time = {"column": "t", "zone": "UTC", "format": "%d/%m/%y %H"}
    with pytest.raises(PerpkitError, match="cannot be read by"):
        taken(tmp_path, perps(time=time), "t,coin,oracle,mark\n12/08/26 12,BTC,1,1\n")


def test_times_of_several_forms_in_one_column(tmp_path: Path) -> None:
    text = "t,coin,oracle,mark\n"
    for cell in ("2026-08-12T12:00:00Z", "2026-08-12 13:00:00", "2026-08-12 16:00+02:00"):
        text += f"{cell},BTC,1,1\n"
    rows = taken(tmp_path, perps(time={"column": "t", "zone": "UTC"}), text)
    assert [row["time"] for row in rows] == [NOON, NOON + HOUR, NOON + 2 * HOUR]


def test_a_mid_is_both_sides_and_a_size_may_come_in_millions(tmp_path: Path) -> None:
    toml = tmp_path / "d.toml"
    toml.write_text(
        'schema = 1\nname = "x"\nsource = "x"\nlicence = "x"\nprices = "external"\n'
        '[perps.BTC]\nvenue = "hyperliquid"\nunderlying = "BTC"\n'
        '[tokens.T]\nunderlying = "BTC"\nkind = "equity"\nissuer = "backed"\n'
    )
    told = {
        "table": "tokens",
        "rows": "last",
        "time": {"column": "t"},
        "columns": {
            "mid_px": {"column": "m", "unit": "cent"},
            "liquidity_usd": {"column": "l", "unit": "million"},
            "halted": "h",
        },
        "constants": {"token": "T"},
    }
    text = "t,m,l,h\n2026-08-12T11:59:00Z,1050,1.5,No\n2026-08-12T12:30:00Z,,,1\n"
    rows = taken(tmp_path, told, text, About(describe=toml))
    assert [(row["bid_px"], row["ask_px"]) for row in rows] == [(10.5, 10.5), (None, None)]
    assert [row["liquidity_usd"] for row in rows] == [1.5e6, None]
    assert [row["halted"] for row in rows] == [False, True]


# --------------------------------------------------------------------------- formats


def test_the_archives_empty_books_are_null_and_its_estimate_is_not_taken(tmp_path: Path) -> None:
    head = "time,coin,funding,open_interest,prev_day_px,day_ntl_vlm,premium,oracle_px,mark_px,"
    head += "mid_px,impact_bid_px,impact_ask_px\n"
    row = "2026-08-12T11:59:00Z,BTC,0.0001,5,1,7,null,100,101,0.0,null,\n"
    (tmp_path / "20260812.csv").write_text(head + row + row.replace("BTC", "ETH"))
    paths = [tmp_path / "20260812.csv"]
    done = import_files(built_in("asset-ctxs"), paths, tmp_path / "out", only=["BTC", "SOL"])
    made = read_dataset(tmp_path / "out").perps
    assert made.height == 1
    empty = ("mid_px", "impact_bid_px", "impact_ask_px", "premium", "funding")
    assert [made[name][0] for name in empty] == [None] * 5
    assert "left out, as not asked for: ETH" in done.notes
    assert "asked for and not in the files: SOL" in done.notes
    assert any("estimate" in note for note in done.notes)


def test_columns_that_a_format_does_not_read_are_named_once(tmp_path: Path) -> None:
    text = "time,coin,oracle_px,mark_px,fundng\n2026-08-12T0{}:00:00Z,BTC,100,101,0.0001\n"
    for hour in (5, 6):
        (tmp_path / f"{hour}.csv").write_text(text.format(hour))
    paths = [tmp_path / "5.csv", tmp_path / "6.csv"]
    done = import_files(
        built_in("perps"), paths, tmp_path / "out", about=About(venue="hyperliquid")
    )
    (note,) = done.notes
    assert note.startswith("columns that format perps does not read: fundng; ")


def test_candles_need_settled_premiums_and_say_what_they_lack(tmp_path: Path) -> None:
    out = tmp_path / "out"
    times = [NOON - 2 * HOUR, NOON - HOUR, NOON]
    prices = {"high": 12.0, "low": 8.0, "close": 10.0, "volume": [1.0, 1.0, 0.0]}
    candles = pl.DataFrame({"timestamp": times, "market": "BTC-PERP", **prices})
    candles.write_parquet(tmp_path / "c.parquet")
    with pytest.raises(PerpkitError, match="import its settlements first"):
        import_files(built_in("hf-candles"), [tmp_path / "c.parquet"], out, about=CORE)
    settled = pl.DataFrame(
        {
            "timestamp": [NOON + timedelta(milliseconds=40)],
            "market": "BTC-PERP",
            "funding_rate": 0.00001,
            "premium": 0.25,
        }
    )
    settled.write_parquet(tmp_path / "f.parquet")
    import_files(built_in("hf-funding"), [tmp_path / "f.parquet"], out)
    done = import_files(built_in("hf-candles"), [tmp_path / "c.parquet"], out)
    rows = Store(out).rows("perps", "BTC").to_dicts()
    told = ("time", "mark_px", "oracle_px", "mark_high_px")
    assert [tuple(row[name] for name in told) for row in rows] == [(NOON, 10.0, 8.0, None)]
    assert "left out: 1 candles of BTC at whose end no premium was settled" in done.notes


def bars(folder: Path, rows: list[tuple[str, float, float]], **time: str) -> Imported:
    text = "t,s,o,c\n" + "".join(f"{t},NVDA,{o},{c}\n" for t, o, c in rows)
    (folder / "b.csv").write_text(text)
    told = {
        "table": "bars",
        "time": {"column": "t", "bar": "1h", "stamp": "start", "session": "us_cash"} | time,
        "columns": {"symbol": "s", "open": "o", "close": "c"},
        "dataset": {"prices": "external"},
    }
    about = About(venue="xyz")
    mapping = check_mapping(told, "m.toml")
    return import_files(mapping, [folder / "b.csv"], folder / "out", about=about)


def external(folder: Path) -> dict[str, float | None]:
    rows = Store(folder / "out").rows("perps", "xyz:NVDA")
    return {f"{t:%d %H}": px for t, px in rows.select("time", "external_px").iter_rows()}


def test_the_close_of_the_last_half_hour_is_known_at_four(tmp_path: Path) -> None:
    bars(
        tmp_path,
        [
            ("2026-08-12T18:30:00Z", 1, 2),
            ("2026-08-12T19:30:00Z", 3, 4),  # half an hour: 20:00Z is 16:00 in New York
            ("2026-08-13T13:30:00Z", 5, 6),
        ],
    )
    px = external(tmp_path)
    # At 19:00 the first bar is still open, so its open is all that is known.
    assert (px["12 19"], px["12 20"], px["13 13"], px["13 14"]) == (1, 4, 4, 5)
    assert list(px) == [f"12 {h}" for h in range(19, 24)] + [f"13 {h:02}" for h in range(16)]
    assert px["13 15"] == 6


def test_an_early_close_ends_the_bar_that_it_falls_into(tmp_path: Path) -> None:
    # The day after Thanksgiving ends at 13:00 in New York, 18:00Z.
    rows = [("2026-11-27T16:30:00Z", 1.0, 2.0), ("2026-11-27T17:30:00Z", 3.0, 4.0)]
    bars(tmp_path, rows)
    assert external(tmp_path) == {"27 17": 1.0, "27 18": 4.0}


def test_a_close_on_the_hour_wins_over_the_open_of_that_instant(tmp_path: Path) -> None:
    rows = [("2026-08-12T15:00:00Z", 1.0, 2.0), ("2026-08-12T16:00:00Z", 3.0, 4.0)]
    bars(tmp_path, rows)
    assert external(tmp_path) == {"12 15": 1.0, "12 16": 2.0, "12 17": 4.0}


def test_after_that_instant_the_open_is_the_latest(tmp_path: Path) -> None:
    rows = [("2026-08-12T14:00:00Z", 1.0, 2.0), ("2026-08-12T16:00:00Z", 3.0, 4.0)]
    bars(tmp_path, rows, bar="2h")
    want = {"12 14": 1.0, "12 15": 1.0, "12 16": 2.0, "12 17": 3.0, "12 18": 4.0}
    assert external(tmp_path) == want


def test_the_last_price_holds_on_hours_that_are_there_until_the_session_opens(
    tmp_path: Path,
) -> None:
    text = "t,coin,mid\n"
    for hour in (19, 21, 36, 37, 38):  # 13:00Z of the next day is the last before the open
        text += f"{NOON + (hour - 12) * HOUR:%Y-%m-%dT%H:%MZ},xyz:NVDA,9\n"
    columns = {"coin": "coin", "mid_px": "mid"}
    taken(tmp_path, {"table": "perps", "time": {"column": "t"}, "columns": columns}, text)
    bars(tmp_path, [("2026-08-12T18:30:00Z", 1, 2)])
    assert external(tmp_path) == {
        "12 19": 1.0,
        "12 20": 2.0,  # the bar's end, which the perp has no row for
        "12 21": 2.0,
        "13 12": 2.0,
        "13 13": 2.0,
        "13 14": None,
    }


def test_beside_recorded_prices_only_their_hours_are_filled(tmp_path: Path) -> None:
    text = "t,coin,oracle,mark\n"
    for hour in (19, 21):
        text += f"2026-08-12T{hour}:00Z,xyz:NVDA,9,9\n"
    taken(tmp_path, perps(), text)
    bars(tmp_path, [("2026-08-12T18:30:00Z", 1, 2), ("2026-08-13T13:30:00Z", 3, 4)])
    assert external(tmp_path) == {"12 19": 1.0, "12 21": 2.0}

    toml = (tmp_path / "out" / "dataset.toml").read_text()
    other = tmp_path / "other"
    other.mkdir()
    (other / "out").mkdir()
    (other / "out" / "dataset.toml").write_text(toml)
    with pytest.raises(PerpkitError, match="xyz:NVDA has no hours in"):
        bars(other, [("2026-08-12T18:30:00Z", 1, 2)])
    assert [path.name for path in (other / "out").iterdir()] == ["dataset.toml"]


def test_bars_stamped_at_their_end_are_the_same(tmp_path: Path) -> None:
    rows = [("2026-08-12T19:30:00Z", 1.0, 2.0), ("2026-08-12T20:00:00Z", 3.0, 4.0)]
    bars(tmp_path, rows, stamp="end")
    assert external(tmp_path) == {"12 19": 1.0, "12 20": 4.0}  # the second is half an hour


def test_bars_that_overlap_are_refused(tmp_path: Path) -> None:
    rows = [("2026-08-12T15:00:00Z", 1.0, 2.0), ("2026-08-12T15:30:00Z", 3.0, 4.0)]
    with pytest.raises(PerpkitError, match="overlaps the one before it"):
        bars(tmp_path, rows)


# --------------------------------------------------------------------------- real data


@pytest.mark.shared
def test_real_bars_against_a_search_of_all_bars(tmp_path: Path, shared_data: Path) -> None:
    file = shared_data / "equities" / "us_equities_1h.parquet"
    out = tmp_path / "out"
    import_files(
        built_in("equities"), [file], out, about=About(venue="xyz"), only=["NVDA", "xyz:TSLA"]
    )
    assert set(read_dataset(out).perps["coin"]) == {"xyz:NVDA", "xyz:TSLA"}
    bars = pl.read_parquet(file).filter(pl.col("symbol") == "NVDA").sort("time").to_dicts()
    events = []
    for bar in bars:
        begin = bar["time"]
        ny = begin.astimezone(__import__("zoneinfo").ZoneInfo("America/New_York"))
        half = f"{ny:%H:%M}" == "15:30" or f"{ny:%y-%m-%d %H:%M}" in HALF_DAYS
        events += [(begin, bar["open"]), (begin + (HOUR / 2 if half else HOUR), bar["close"])]
    events.sort(key=lambda event: event[0])
    made = Store(out).rows("perps", "xyz:NVDA")
    n, latest = 0, None
    for time, px in made.select("time", "external_px").iter_rows():
        while n < len(events) and events[n][0] <= time:
            latest, n = events[n][1], n + 1
        assert px == latest, time
    assert made.height == 25_471


DAYS = ("23-07-03", "23-11-24", "24-07-03", "24-11-29", "24-12-24", "25-07-03", "25-11-28")
HALF_DAYS = [f"{day} 12:30" for day in (*DAYS, "25-12-24")]


@pytest.mark.shared
def test_real_settlements_keep_their_milliseconds(tmp_path: Path, shared_data: Path) -> None:
    file = shared_data / "funding" / "funding_core.parquet"
    done = import_files(built_in("hf-funding"), [file], tmp_path / "out")
    there = pl.read_parquet(file).unique(["time", "coin"])
    assert sum(done.rows.values()) == pl.read_parquet(file).height
    for (coin,), own in there.group_by("coin"):
        rows = Store(tmp_path / "out").rows("funding", str(coin))
        assert rows.select("time", "funding").equals(own.select("time", "funding").sort("time"))
