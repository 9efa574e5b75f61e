"""The reader of datasets: what it returns, and each fault it must find and tell."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from perpkit.dataset import read_dataset
from perpkit.dataset.schema import ACTIONS
from perpkit.errors import DataError
from perpkit.units import HOUR_NS, to_ns

FIRST = to_ns(datetime(2026, 8, 12, 5, tzinfo=UTC))
Change = Callable[[pl.DataFrame], pl.DataFrame]
NVDA, AAPL = pl.col("coin") == "xyz:NVDA", pl.col("coin") == "xyz:AAPL"
TOKEN = pl.col("token") == "NVDAon"
HOUR = pl.col("time").dt.hour()


def edit(folder: Path, table: str, change: Change) -> None:
    path = folder / f"{table}.parquet"
    change(pl.read_parquet(path)).write_parquet(path)


def describe(folder: Path, old: str, new: str) -> None:
    path = folder / "dataset.toml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def put(column: str, value: object, where: pl.Expr) -> Change:
    return lambda frame: frame.with_columns(
        pl.when(where).then(pl.lit(value)).otherwise(pl.col(column)).alias(column)
    )


def fault(folder: Path) -> str:
    with pytest.raises(DataError) as caught:
        read_dataset(folder)
    message = str(caught.value)
    assert "\n" not in message
    assert ". " not in message, "one sentence"
    return message


def tiny_to_external(folder: Path, *columns: str) -> None:
    describe(folder, '"onchain"', '"external"')
    edit(
        folder,
        "perps",
        lambda f: f.select(
            "time", "coin", pl.col("oracle_px").alias("external_px"), *columns, "premium"
        ),
    )


# What is returned.


def test_tiny_dataset_is_read_whole(tiny_dataset: Path) -> None:
    data = read_dataset(tiny_dataset)

    assert (data.name, data.source, data.licence) == ("tiny", "made up by the tests", "MIT")
    assert data.prices == "onchain"
    assert data.notes == ()
    assert list(data.perps_meta) == ["xyz:NVDA", "xyz:AAPL"]
    assert list(data.tokens_meta) == ["NVDAon", "USDY"]
    nvda, aapl = data.perps_meta.values()
    assert (nvda.coin, nvda.venue, nvda.underlying) == ("xyz:NVDA", "xyz", "NVDA")
    assert nvda.quote is None
    assert nvda.terms == {"max_leverage": 20}
    assert (aapl.quote, aapl.terms) == ("USDC", {})
    token, treasury = data.tokens_meta.values()
    assert (token.kind, token.issuer, token.multiplier) == ("equity", "ondo", 1.0)
    assert isinstance(token.multiplier, float)
    assert treasury.multiplier is None
    assert [len(f) for f in (data.perps, data.funding, data.tokens)] == [12, 12, 12]
    assert [len(f) for f in (data.actions, data.shocks)] == [1, 1]


def test_frames_have_the_schema_and_nulls_for_absent_columns(tiny_dataset: Path) -> None:
    data = read_dataset(tiny_dataset)

    assert data.perps.schema == {  # docs/dataset.md
        "time": pl.Datetime("ms", "UTC"),
        "coin": pl.String,
        "oracle_px": pl.Float64,
        "mark_px": pl.Float64,
        "mark_high_px": pl.Float64,
        "mark_low_px": pl.Float64,
        "mid_px": pl.Float64,
        "impact_bid_px": pl.Float64,
        "impact_ask_px": pl.Float64,
        "external_px": pl.Float64,
        "premium": pl.Float64,
        "funding": pl.Float64,
        "open_interest": pl.Float64,
        "day_ntl_vlm": pl.Float64,
        "oracle_source": pl.String,
        "observed": pl.Datetime("ms", "UTC"),
    }
    assert data.perps["mid_px"].null_count() == 12
    assert data.tokens.columns == [
        *("time", "token", "bid_px", "ask_px", "nav_px", "multiplier"),
        *("liquidity_usd", "halted", "apr", "observed"),
    ]
    assert data.tokens["halted"].dtype == pl.Boolean


def test_rows_are_sorted_by_instrument_and_time(tiny_dataset: Path) -> None:
    before = read_dataset(tiny_dataset)
    for table in ("perps", "funding", "tokens"):
        edit(tiny_dataset, table, lambda f: f.sample(fraction=1.0, shuffle=True, seed=7))

    after = read_dataset(tiny_dataset)

    assert after.perps["coin"].to_list() == ["xyz:AAPL"] * 6 + ["xyz:NVDA"] * 6
    assert after.perps["time"][:6].is_sorted()
    for table in ("perps", "funding", "tokens"):
        assert getattr(after, table).equals(getattr(before, table))


def test_optional_tables_may_be_absent(tiny_dataset: Path) -> None:
    text = (tiny_dataset / "dataset.toml").read_text(encoding="utf-8")
    (tiny_dataset / "dataset.toml").write_text(text.split("[tokens")[0], encoding="utf-8")
    for table in ("funding", "tokens", "actions", "shocks"):
        (tiny_dataset / f"{table}.parquet").unlink()

    data = read_dataset(tiny_dataset)

    assert data.tokens_meta == {}
    assert data.funding.schema == {
        "time": pl.Datetime("ms", "UTC"),
        "coin": pl.String,
        "funding": pl.Float64,
        "premium": pl.Float64,
    }
    assert data.actions.columns == list(ACTIONS.columns)
    assert data.shocks.columns == ["time", "kind", "instrument", "value"]
    assert all(f.is_empty() for f in (data.funding, data.tokens, data.actions, data.shocks))


def test_a_folder_of_parts_is_one_table(tiny_dataset: Path) -> None:
    whole = read_dataset(tiny_dataset)
    rows = pl.read_parquet(tiny_dataset / "perps.parquet")
    (tiny_dataset / "perps.parquet").unlink()
    parts = tiny_dataset / "perps"
    parts.mkdir()
    rows.filter(AAPL).drop("open_interest").write_parquet(parts / "b[1].parquet")
    rows.filter(NVDA).write_parquet(parts / "a.parquet")
    (parts / "._a.parquet").write_bytes(b"left by a Mac")

    data = read_dataset(tiny_dataset)

    nvda = data.perps.filter(NVDA)
    assert nvda.equals(whole.perps.filter(NVDA))
    assert data.perps.filter(AAPL)["open_interest"].null_count() == 6
    assert data.perps.drop("open_interest").equals(whole.perps.drop("open_interest"))


def test_other_dtypes_of_the_same_values_are_cast(tiny_dataset: Path) -> None:
    whole = read_dataset(tiny_dataset)
    edit(
        tiny_dataset,
        "perps",
        lambda f: f.with_columns(
            pl.col("time").cast(pl.Datetime("ns", "UTC")),
            pl.col("coin").cast(pl.Categorical),
            pl.col("open_interest").cast(pl.Int32),
            pl.col("day_ntl_vlm").cast(pl.Decimal(20, 2)),
            pl.lit(None).alias("mid_px"),
        ),
    )
    edit(
        tiny_dataset,
        "tokens",
        lambda f: f.with_columns(
            pl.col("time").cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
            .dt.convert_time_zone("America/New_York")
        ),
    )  # fmt: skip

    data = read_dataset(tiny_dataset)

    assert data.perps.equals(whole.perps)
    assert data.tokens.equals(whole.tokens)


def test_what_the_reader_returns_can_be_written_and_read_again(tiny_dataset: Path) -> None:
    whole = read_dataset(tiny_dataset)
    for table in ("perps", "funding", "tokens", "actions", "shocks"):
        getattr(whole, table).write_parquet(tiny_dataset / f"{table}.parquet")

    data = read_dataset(tiny_dataset)

    assert data.notes == ()
    assert data.perps.equals(whole.perps)


def test_unread_columns_and_files_are_named_once(tiny_dataset: Path) -> None:
    edit(tiny_dataset, "perps", lambda f: f.with_columns(mark_high=1.0, poll=2))
    (tiny_dataset / "funding.parquet").rename(tiny_dataset / "fundings.parquet")

    data = read_dataset(tiny_dataset)

    assert data.notes == (
        "fundings.parquet: not read: no table has this name; did you mean funding?",
        "perps.parquet: not read: mark_high, poll",
    )
    assert data.funding.is_empty()


def test_external_prices(tiny_dataset: Path) -> None:
    tiny_to_external(tiny_dataset, "impact_bid_px", "impact_ask_px")
    data = read_dataset(tiny_dataset)
    assert data.prices == "external"
    assert data.perps["external_px"].null_count() == 0
    assert data.perps["oracle_px"].null_count() == 12

    edit(tiny_dataset, "perps", lambda f: f.drop("impact_bid_px", "impact_ask_px"))
    assert read_dataset(tiny_dataset).perps["impact_bid_px"].null_count() == 12


def test_a_null_price_or_funding_is_no_fault(tiny_dataset: Path) -> None:
    edit(tiny_dataset, "perps", put("mark_px", None, NVDA & (HOUR == 8)))
    edit(tiny_dataset, "perps", put("funding", None, HOUR == 10))

    data = read_dataset(tiny_dataset)

    assert data.perps["mark_px"].null_count() == 1
    assert data.perps["funding"].null_count() == 2


def test_a_byte_order_mark_is_no_fault(tiny_dataset: Path) -> None:
    path = tiny_dataset / "dataset.toml"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())

    assert read_dataset(tiny_dataset).name == "tiny"


# The span.


def test_span_is_inclusive_and_funding_runs_an_hour_longer(tiny_dataset: Path) -> None:
    data = read_dataset(tiny_dataset, FIRST + HOUR_NS, FIRST + 3 * HOUR_NS)

    for table in (data.perps, data.tokens):
        assert table["time"].dt.hour().unique().to_list() == [6, 7, 8]
    assert data.funding["time"].dt.hour().unique().to_list() == [6, 7, 8]  # 08:00:00.030 is in
    assert len(data.actions) == 1  # at 08:00
    assert len(data.shocks) == 0  # at 09:00


def test_funding_at_end_plus_an_hour_is_out(tiny_dataset: Path) -> None:
    edit(tiny_dataset, "funding", lambda f: f.with_columns(pl.col("time").dt.truncate("1h")))

    data = read_dataset(tiny_dataset, end_ns=FIRST + 3 * HOUR_NS)

    assert data.funding["time"].max() == datetime(2026, 8, 12, 8, tzinfo=UTC)


def test_span_bounds_between_milliseconds(tiny_dataset: Path) -> None:
    assert len(read_dataset(tiny_dataset, FIRST + 1).perps) == 10
    assert len(read_dataset(tiny_dataset, end_ns=FIRST + HOUR_NS - 1).perps) == 2


def test_faults_outside_the_span_are_found(tiny_dataset: Path) -> None:
    edit(tiny_dataset, "perps", put("mark_px", -1.0, NVDA & (HOUR == 10)))

    with pytest.raises(DataError, match="mark_px"):
        read_dataset(tiny_dataset, FIRST, FIRST + HOUR_NS)


def test_empty_span_says_which_span_there_is(tiny_dataset: Path) -> None:
    with pytest.raises(DataError, match="from 2026-08-12 05:00Z to 2026-08-12 10:00Z"):
        read_dataset(tiny_dataset, FIRST + 100 * HOUR_NS)


# The digest.


def test_digest_is_of_all_files_in_the_order_of_their_names(tiny_dataset: Path) -> None:
    names = ("actions.parquet", "dataset.toml", "funding.parquet", "perps.parquet")
    names += ("shocks.parquet", "tokens.parquet")
    (tiny_dataset / "README.md").write_text("not data", encoding="utf-8")
    expected = hashlib.sha256(b"".join((tiny_dataset / n).read_bytes() for n in names)).hexdigest()

    assert read_dataset(tiny_dataset).digest == expected
    assert read_dataset(tiny_dataset, FIRST + HOUR_NS).digest == expected

    describe(tiny_dataset, "max_leverage = 20", "max_leverage = 10")
    assert read_dataset(tiny_dataset).digest != expected


# Faults in dataset.toml: change, then the words that must be in the sentence.


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("schema = 1", "schema = 2", ["schema is 2", "reads schema = 1"]),
        ("schema = 1", "schema = true", ["schema is True"]),
        ("schema = 1\n", "", ["schema is not given"]),
        ('name = "tiny"', "name = tiny", ["not valid TOML", "line 2", "repair"]),
        ('name = "tiny"\n', "", ["key name is missing", "add name"]),
        ('name = "tiny"', "name = 3", ["name is 3", "text in quotes"]),
        ('licence = "MIT"\n', "", ["key licence is missing"]),
        ('prices = "onchain"\n', "", ["key prices is missing"]),
        ('"onchain"', '"chain"', ['prices is "chain"', '"onchain"', '"external"']),
        ("source =", "sauce =", ["key sauce is unknown", "did you mean source?"]),
        ('[tokens.USDY]', '[token.USDY]', ["key token is unknown", "did you mean tokens?"]),
        ('venue = "xyz"\n', "", ['perps."xyz:NVDA".venue is missing', "add venue"]),
        ('underlying = "AAPL"', "", ['perps."xyz:AAPL".underlying is missing']),
        ('quote = "USDC"', "quote = 1", ['perps."xyz:AAPL".quote is 1']),
        ('[perps."xyz:AAPL"]', "[perps.xyz.AAPL]", ["perps.", "in quotes", '"xyz.AAPL"']),
        ("[tokens.NVDAon]", "[tokens.NVDA.RH]", ["in quotes", '[tokens."NVDA.RH"]']),
        ("treasury", "bond", ['tokens."USDY".kind "bond" is unknown', "there is equity"]),
        ("treasury", "tresury", ["did you mean treasury?"]),
        ('issuer = "ondo"\nmult', "mult", ['tokens."NVDAon".issuer is missing']),
        ("multiplier", "multiplyer", ['"NVDAon".multiplyer is unknown', "mean multiplier?"]),
        ("multiplier = 1", "multiplier = 0", ["multiplier is 0", "above 0", "leave it out"]),
        ("multiplier = 1", "multiplier = -1.5", ["multiplier is -1.5"]),
        ("multiplier = 1", "multiplier = nan", ["multiplier is nan"]),
        ("multiplier = 1", "multiplier = true", ["multiplier is True"]),
        ("multiplier = 1", 'multiplier = "1"', ["multiplier is '1'"]),
    ],
)  # fmt: skip
def test_fault_in_the_description(tiny_dataset: Path, old: str, new: str, words: list[str]) -> None:
    describe(tiny_dataset, old, new)

    message = fault(tiny_dataset)

    assert message.startswith("dataset.toml")
    for word in words:
        assert word in message


@pytest.mark.parametrize("section", ["perps", "tokens"])
def test_an_instrument_that_is_not_a_table(tiny_dataset: Path, section: str) -> None:
    describe(tiny_dataset, 'prices = "onchain"', f'prices = "onchain"\n{section}.GONE = 1')

    assert f'{section}.GONE is not a table; write [{section}."GONE"]' in fault(tiny_dataset)


def test_no_perps(tiny_dataset: Path) -> None:
    text = (tiny_dataset / "dataset.toml").read_text(encoding="utf-8")
    (tiny_dataset / "dataset.toml").write_text(text.split("[perps")[0], encoding="utf-8")

    assert "there is no perp; add" in fault(tiny_dataset)


def test_text_that_is_not_utf8(tiny_dataset: Path) -> None:
    path = tiny_dataset / "dataset.toml"
    path.write_bytes(path.read_bytes().replace(b"tests", b"t\xe9sts"))

    assert "dataset.toml is not UTF-8 text at line 3; save it as UTF-8" in fault(tiny_dataset)


def test_missing_description_or_folder(tiny_dataset: Path, tmp_path: Path) -> None:
    (tiny_dataset / "dataset.toml").unlink()

    assert "tiny holds no dataset.toml; a dataset is a folder" in fault(tiny_dataset)
    assert "nowhere is not a folder; a dataset is" in fault(tmp_path / "nowhere")


# Faults of files.


def test_missing_perps(tiny_dataset: Path) -> None:
    (tiny_dataset / "perps.parquet").unlink()

    assert "holds no perps.parquet" in fault(tiny_dataset)


def test_file_and_folder_of_one_table(tiny_dataset: Path) -> None:
    (tiny_dataset / "tokens").mkdir()

    assert "both tokens.parquet and tokens/; keep one" in fault(tiny_dataset)


def test_folder_without_parts(tiny_dataset: Path) -> None:
    (tiny_dataset / "tokens.parquet").unlink()
    (tiny_dataset / "tokens").mkdir()

    assert fault(tiny_dataset).startswith("tokens/ holds no .parquet file; add")


def test_folder_named_as_a_file(tiny_dataset: Path) -> None:
    (tiny_dataset / "tokens.parquet").unlink()
    (tiny_dataset / "tokens.parquet").mkdir()

    assert "tokens.parquet is a folder; name a folder of parts tokens/" in fault(tiny_dataset)


@pytest.mark.parametrize("keep", [0, 10, -40])
def test_broken_parquet(tiny_dataset: Path, keep: int) -> None:
    path = tiny_dataset / "funding.parquet"
    path.write_bytes(path.read_bytes()[:keep])

    message = fault(tiny_dataset)

    assert message.startswith("funding.parquet cannot be read as Parquet (")
    assert message.endswith("; write it again from its source")


@pytest.mark.parametrize(
    ("table", "column", "needs"),
    [
        ("perps", "time", 'perps needs with prices = "onchain"'),
        ("perps", "coin", "perps needs"),
        ("perps", "oracle_px", 'perps needs with prices = "onchain"'),
        ("perps", "mark_px", 'perps needs with prices = "onchain"'),
        ("funding", "funding", "funding needs"),
        ("tokens", "bid_px", "tokens needs"),
        ("tokens", "ask_px", "tokens needs"),
        ("actions", "amount", "actions needs"),
        ("shocks", "kind", "shocks needs"),
    ],
)
def test_missing_column(tiny_dataset: Path, table: str, column: str, needs: str) -> None:
    edit(tiny_dataset, table, lambda f: f.rename({column: "px"}))

    message = fault(tiny_dataset)

    assert message.startswith(f"{table}.parquet: column {column} is missing")
    assert needs in message
    assert "; there is " in message
    assert "px" in message.split("there is ")[1]


@pytest.mark.parametrize(
    ("table", "column", "cast", "words"),
    [
        ("perps", "time", pl.Datetime("ms"), "names no time zone; state it at the source"),
        ("tokens", "time", pl.Int64, "store it as Datetime"),
        ("funding", "time", pl.Date, "store it as Datetime"),
        ("perps", "mark_px", pl.String, "is of type String, not Float64; store it as Float64"),
        ("perps", "premium", pl.Boolean, "is of type Boolean, not Float64"),
        ("tokens", "halted", pl.Int8, "is of type Int8, not Boolean; store it as Boolean"),
    ],
)
def test_wrong_dtype(
    tiny_dataset: Path, table: str, column: str, cast: pl.DataType, words: str
) -> None:
    def change(frame: pl.DataFrame) -> pl.DataFrame:
        if cast == pl.Datetime("ms"):
            return frame.with_columns(pl.col("time").dt.replace_time_zone(None))
        return frame.with_columns(pl.col(column).cast(cast))

    edit(tiny_dataset, table, change)

    message = fault(tiny_dataset)

    assert message.startswith(f"{table}.parquet: {column} ")
    assert words in message


def test_an_instrument_that_is_a_number(tiny_dataset: Path) -> None:
    edit(tiny_dataset, "perps", lambda f: f.with_columns(coin=pl.lit(7)))

    assert "perps.parquet: coin is of type Int32, not String" in fault(tiny_dataset)


def test_a_time_finer_than_a_millisecond(tiny_dataset: Path) -> None:
    fine = pl.col("time").cast(pl.Datetime("us", "UTC"))
    late = pl.when(NVDA & (HOUR > 7)).then(pl.duration(microseconds=5)).otherwise(pl.duration())
    edit(tiny_dataset, "funding", lambda f: f.with_columns(time=fine + late))

    assert fault(tiny_dataset).startswith(
        "funding.parquet: time of xyz:NVDA is finer than a millisecond in 3 rows, "
        "first 2026-08-12 08:00:00.030Z; round it"
    )


# Faults of rows: file, column, instrument, first time, count, remedy.


def at(column: str, value: object, where: pl.Expr, remedy: str, said: str) -> tuple[object, ...]:
    return (put(column, value, where), said, remedy)


ABSENT = "write null where a value is absent, or repair it at the source"
PERCENT = "divide percents by 100"
LATE = pl.col("time").dt.hour() >= 8


@pytest.mark.parametrize(
    ("table", "change", "said", "remedy"),
    [
        ("perps", *at("mark_px", float("nan"), NVDA & LATE, ABSENT,
            "mark_px of xyz:NVDA is NaN in 3 rows, first 2026-08-12 08:00Z")),
        ("perps", *at("premium", float("nan"), AAPL & (HOUR == 9), ABSENT,
            "premium of xyz:AAPL is NaN in 1 row, first 2026-08-12 09:00Z")),
        ("tokens", *at("liquidity_usd", float("nan"), TOKEN & LATE, ABSENT,
            "liquidity_usd of NVDAon is NaN in 3 rows, first 2026-08-12 08:00Z")),
        ("funding", *at("funding", float("nan"), NVDA & LATE, ABSENT,
            "funding of xyz:NVDA is NaN in 3 rows, first 2026-08-12 08:00:00.030Z")),
        ("shocks", *at("value", float("nan"), pl.lit(value=True), ABSENT,
            "value of xyz:NVDA is NaN in 1 row, first 2026-08-12 09:00Z")),
        ("perps", *at("oracle_px", float("inf"), NVDA & LATE, "division by zero",
            "oracle_px of xyz:NVDA is infinite in 3 rows, first 2026-08-12 08:00Z")),
        ("perps", *at("oracle_px", 0.0, NVDA & LATE, ABSENT,
            "oracle_px of xyz:NVDA is zero or negative in 3 rows, first 2026-08-12 08:00Z")),
        ("perps", *at("impact_bid_px", -1.0, AAPL & LATE, ABSENT,
            "impact_bid_px of xyz:AAPL is zero or negative in 3 rows, first 2026-08-12 08:00Z")),
        ("tokens", *at("bid_px", 0.0, TOKEN & LATE, ABSENT,
            "bid_px of NVDAon is zero or negative in 3 rows, first 2026-08-12 08:00Z")),
        ("perps", *at("impact_bid_px", 999.0, NVDA & LATE, "swapped",
            "impact_bid_px of xyz:NVDA is above impact_ask_px in 3 rows, first 2026-08-12 08:00Z")),
        ("perps", *at("mark_low_px", 999.0, NVDA & LATE, "swapped",
            "mark_low_px of xyz:NVDA is above mark_high_px in 3 rows, first 2026-08-12 08:00Z")),
        ("tokens", *at("bid_px", 999.0, TOKEN & LATE, "swapped",
            "bid_px of NVDAon is above ask_px in 3 rows, first 2026-08-12 08:00Z")),
        ("perps", *at("funding", 1.0, NVDA & LATE, PERCENT,
            "funding of xyz:NVDA is 1 or more in size in 3 rows, first 2026-08-12 08:00Z")),
        ("perps", *at("premium", -1.2, NVDA & LATE, PERCENT,
            "premium of xyz:NVDA is 1 or more in size in 3 rows, first 2026-08-12 08:00Z")),
        ("funding", *at("funding", -1.0, NVDA & (HOUR == 8), PERCENT,
            "funding of xyz:NVDA is 1 or more in size in 1 row, first 2026-08-12 08:00:00.030Z")),
        ("funding", *at("premium", 5.0, NVDA & (HOUR == 8), PERCENT,
            "premium of xyz:NVDA is 1 or more in size in 1 row, first 2026-08-12 08:00:00.030Z")),
        ("perps", *at("open_interest", -0.1, NVDA & LATE, ABSENT,
            "open_interest of xyz:NVDA is negative in 3 rows, first 2026-08-12 08:00Z")),
        ("perps", *at("day_ntl_vlm", -1.0, NVDA & LATE, ABSENT,
            "day_ntl_vlm of xyz:NVDA is negative in 3 rows, first 2026-08-12 08:00Z")),
        ("tokens", *at("liquidity_usd", -1.0, TOKEN & LATE, ABSENT,
            "liquidity_usd of NVDAon is negative in 3 rows, first 2026-08-12 08:00Z")),
        ("actions", *at("withholding_frac", 30.0, pl.lit(value=True), "0.15 for 15%",
            "withholding_frac of NVDA is outside 0 to 1 in 1 row, first 2026-08-12 08:00Z")),
        ("actions", *at("withholding_frac", -0.1, pl.lit(value=True), "0.15 for 15%",
            "withholding_frac of NVDA is outside 0 to 1 in 1 row, first 2026-08-12 08:00Z")),
        ("actions", *at("amount", 0.0, pl.lit(value=True), "USD a share for a dividend",
            "amount of NVDA is zero or negative in 1 row, first 2026-08-12 08:00Z")),
        ("actions", *at("amount", None, pl.lit(value=True), "fill it or remove the row",
            "amount of NVDA is null in 1 row, first 2026-08-12 08:00Z")),
        ("actions", *at("kind", "earnings", pl.lit(value=True), "leave it null",
            "amount of NVDA is given of earnings in 1 row, first 2026-08-12 08:00Z")),
        ("actions", lambda f: f.with_columns(announced=pl.col("time").dt.offset_by("1m")),
            "announced of NVDA is after time in 1 row, first 2026-08-12 08:00Z",
            "write when it was first known"),
        ("actions", *at("kind", "dividnd", pl.lit(value=True), "did you mean dividend?",
            'kind of NVDA is "dividnd" in 1 row, first 2026-08-12 08:00Z')),
        ("actions", *at("underlying", "NVDAX", pl.lit(value=True), "did you mean NVDA?",
            "underlying NVDAX is not in dataset.toml in 1 row, first 2026-08-12 08:00Z")),
        ("shocks", *at("instrument", "xyz:NVDX", pl.lit(value=True), "did you mean xyz:NVDA?",
            "instrument xyz:NVDX is not in dataset.toml in 1 row, first 2026-08-12 09:00Z")),
        ("perps", *at("coin", "xyz:NVDX", NVDA & LATE, "did you mean xyz:NVDA?",
            "coin xyz:NVDX is not in dataset.toml in 3 rows, first 2026-08-12 08:00Z")),
        ("funding", *at("coin", "xyz:NVDX", NVDA & LATE, "did you mean xyz:NVDA?",
            "coin xyz:NVDX is not in dataset.toml in 3 rows, first 2026-08-12 08:00:00.030Z")),
        ("tokens", *at("token", "NVDAo", TOKEN & LATE, "did you mean NVDAon?",
            "token NVDAo is not in dataset.toml in 3 rows, first 2026-08-12 08:00Z")),
        ("perps", *at("coin", None, NVDA & LATE, "fill it or remove the row",
            "coin is null in 3 rows, first 2026-08-12 08:00Z")),
        ("perps", *at("time", None, NVDA & LATE, "fill it or remove the row",
            "time of xyz:NVDA is null in 3 rows")),
        ("tokens", *at("token", None, TOKEN & LATE, "fill it or remove the row",
            "token is null in 3 rows, first 2026-08-12 08:00Z")),
        ("funding", *at("time", None, NVDA & LATE, "fill it or remove the row",
            "time of xyz:NVDA is null in 3 rows")),
    ],
)  # fmt: skip
def test_fault_in_rows(
    tiny_dataset: Path, table: str, change: Change, said: str, remedy: str
) -> None:
    edit(tiny_dataset, table, change)

    message = fault(tiny_dataset)

    assert message.startswith(f"{table}.parquet: {said}")
    assert remedy in message


@pytest.mark.parametrize("column", ["kind", "amount"])
def test_null_in_one_action(tiny_dataset: Path, column: str) -> None:
    edit(
        tiny_dataset,
        "actions",
        lambda f: pl.concat([f, f.with_columns(pl.col("time").dt.offset_by("1h"))]),
    )
    edit(tiny_dataset, "actions", put(column, None, HOUR == 9))

    assert fault(tiny_dataset) == (
        f"actions.parquet: {column} of NVDA is null in 1 row, first 2026-08-12 09:00Z; "
        "fill it or remove the row"
    )


@pytest.mark.parametrize(
    ("table", "where", "name", "first"),
    [
        ("perps", NVDA & LATE, "xyz:NVDA", "08:00Z"),
        ("funding", NVDA & LATE, "xyz:NVDA", "08:00:00.030Z"),
        ("tokens", TOKEN & LATE, "NVDAon", "08:00Z"),
    ],
)
def test_duplicate(tiny_dataset: Path, table: str, where: pl.Expr, name: str, first: str) -> None:
    edit(tiny_dataset, table, lambda f: pl.concat([f, f.filter(where)]))

    assert fault(tiny_dataset) == (
        f"{table}.parquet: time of {name} repeats another row's in 3 rows, "
        f"first 2026-08-12 {first}; keep one row of each"
    )


@pytest.mark.parametrize(("table", "name"), [("actions", "NVDA"), ("shocks", "xyz:NVDA")])
def test_duplicate_event(tiny_dataset: Path, table: str, name: str) -> None:
    edit(tiny_dataset, table, lambda f: pl.concat([f, f]))

    assert f"{table}.parquet: time of {name} repeats another row's in 1 row" in fault(tiny_dataset)


def test_a_dividend_and_a_split_may_share_a_moment(tiny_dataset: Path) -> None:
    edit(tiny_dataset, "actions", lambda f: pl.concat([f, f.with_columns(kind=pl.lit("split"))]))

    assert len(read_dataset(tiny_dataset).actions) == 2


@pytest.mark.parametrize(
    ("table", "where", "name"), [("perps", NVDA, "xyz:NVDA"), ("tokens", TOKEN, "NVDAon")]
)
def test_price_off_the_hour(tiny_dataset: Path, table: str, where: pl.Expr, name: str) -> None:
    late = pl.when(where & LATE).then(pl.duration(milliseconds=1_500)).otherwise(pl.duration())
    edit(tiny_dataset, table, lambda f: f.with_columns(pl.col("time") + late))

    assert fault(tiny_dataset) == (
        f"{table}.parquet: time of {name} is off the hour in 3 rows, "
        "first 2026-08-12 08:00:01.500Z; give each row the full hour by which it was known"
    )


def test_microseconds_written_as_milliseconds(tiny_dataset: Path) -> None:
    wrong = (pl.col("time").cast(pl.Int64) * 1000).cast(pl.Datetime("ms", "UTC"))
    edit(tiny_dataset, "perps", lambda f: f.with_columns(time=wrong))

    message = fault(tiny_dataset)

    assert "perps.parquet: time of xyz:" in message
    assert "is not within the years 2000 to 2100 in 6 rows" in message
    assert "another unit" in message


def test_the_other_instruments_are_counted(tiny_dataset: Path) -> None:
    edit(tiny_dataset, "perps", put("mark_px", 0.0, (NVDA & (HOUR == 7)) | (AAPL & LATE)))

    assert fault(tiny_dataset).startswith(
        "perps.parquet: mark_px of xyz:NVDA is zero or negative in 1 row, "
        "first 2026-08-12 07:00Z (and in 3 rows of 1 other); "
    )


def test_the_part_is_named(tiny_dataset: Path) -> None:
    rows = pl.read_parquet(tiny_dataset / "perps.parquet")
    (tiny_dataset / "perps.parquet").unlink()
    (tiny_dataset / "perps").mkdir()
    rows.filter(AAPL).write_parquet(tiny_dataset / "perps" / "a.parquet")
    bad = put("mark_px", 0.0, LATE)(rows.filter(NVDA))
    bad.write_parquet(tiny_dataset / "perps" / "b.parquet")
    assert fault(tiny_dataset).startswith("perps/b.parquet: mark_px of xyz:NVDA")

    rows.write_parquet(tiny_dataset / "perps" / "b.parquet")
    message = fault(tiny_dataset)
    assert message.startswith("perps/b.parquet: time of xyz:AAPL repeats another row's in 6 rows")

    for part, hours in (("a", HOUR < 8), ("b", HOUR >= 8)):
        bad = put("mark_px", 0.0, NVDA)(rows.filter(hours))
        bad.write_parquet(tiny_dataset / "perps" / f"{part}.parquet")
    message = fault(tiny_dataset)
    assert message.startswith("perps/a.parquet and 1 more part: mark_px of xyz:NVDA is zero")


@pytest.mark.parametrize(
    ("table", "where", "name"),
    [("perps", NVDA, "coin xyz:NVDA"), ("tokens", TOKEN, "token NVDAon")],
)
def test_declared_but_without_rows(
    tiny_dataset: Path, table: str, where: pl.Expr, name: str
) -> None:
    edit(tiny_dataset, table, lambda f: f.filter(~where))

    assert fault(tiny_dataset) == (
        f"dataset.toml: {name} has no row in {table}.parquet; "
        "add its rows, or remove it from dataset.toml"
    )


def test_tokens_declared_without_their_table(tiny_dataset: Path) -> None:
    (tiny_dataset / "tokens.parquet").unlink()

    assert "token NVDAon has no row, as there is no tokens.parquet (nor have 1 more); add" in fault(
        tiny_dataset
    )


# Faults of the kind of prices.


@pytest.mark.parametrize("column", ["oracle_px", "mark_px"])
def test_onchain_price_of_nulls_alone(tiny_dataset: Path, column: str) -> None:
    edit(tiny_dataset, "perps", put(column, None, pl.lit(value=True)))

    assert f"perps.parquet: {column} is null in all rows; fill" in fault(tiny_dataset)


def test_external_without_external_px(tiny_dataset: Path) -> None:
    tiny_to_external(tiny_dataset)
    edit(tiny_dataset, "perps", lambda f: f.drop("external_px"))

    assert (
        'perps.parquet: column external_px is missing, which perps needs with prices = "external"'
        in fault(tiny_dataset)
    )


@pytest.mark.parametrize("column", ["oracle_px", "mark_px"])
def test_external_with_a_formed_price(tiny_dataset: Path, column: str) -> None:
    tiny_to_external(tiny_dataset)
    edit(tiny_dataset, "perps", lambda f: f.with_columns(pl.lit(180.0).alias(column)))

    message = fault(tiny_dataset)

    assert message.startswith(f'perps.parquet: {column} is given although prices = "external"')
    assert "remove the column" in message


@pytest.mark.parametrize(
    ("given", "lacking"),
    [("impact_bid_px", "impact_ask_px"), ("impact_ask_px", "impact_bid_px")],
)
def test_external_with_one_side_of_the_book(tiny_dataset: Path, given: str, lacking: str) -> None:
    tiny_to_external(tiny_dataset, given)

    assert fault(tiny_dataset) == (
        f"perps.parquet: {given} is given without {lacking}; give both impact prices, or neither"
    )


# Real data (GitHub hykk0009/tokenized-stock-monitor); the figures are those of the files' footers.


@pytest.mark.shared
def test_real_dataset(shared_data: Path) -> None:
    data = read_dataset(shared_data / "xyz-2026-08")

    assert list(data.perps_meta)[:3] == ["xyz:NVDA", "xyz:AAPL", "xyz:MSFT"]
    assert list(data.tokens_meta)[:2] == ["NVDA.RH", "NVDAB"]
    assert data.tokens_meta["NVDAB"].issuer == "binance"
    assert data.perps_meta["xyz:INTC"].terms == {"sz_decimals": 2, "max_leverage": 10}
    assert len(data.perps) == 9 * 239  # 239 of 256 hours present
    assert len(data.funding) == 9 * 327
    assert data.perps["time"].min() == datetime(2026, 8, 12, 5, tzinfo=UTC)
    assert data.perps["time"].max() == datetime(2026, 8, 22, 20, tzinfo=UTC)
    last = data.perps.filter(pl.col("time") == pl.col("time").max())
    assert last["funding"].null_count() == 9  # the last hour has no funding yet
    assert data.actions.is_empty()
    assert data.notes == ()


@pytest.mark.shared
def test_a_span_of_the_real_dataset(shared_data: Path) -> None:
    start = to_ns(datetime(2026, 8, 14, 0, tzinfo=UTC))
    end = to_ns(datetime(2026, 8, 14, 23, tzinfo=UTC))

    data = read_dataset(shared_data / "xyz-2026-08", start, end)

    assert data.perps["time"].min() >= datetime(2026, 8, 14, tzinfo=UTC)
    assert data.perps["time"].max() <= datetime(2026, 8, 14, 23, tzinfo=UTC)
    assert len(data.funding) == 9 * 24
