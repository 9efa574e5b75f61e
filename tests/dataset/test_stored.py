"""Reading a store: as the plain dataset of the same rows, and no more files than it needs."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from perpkit.config import check_config
from perpkit.dataset import Dataset, read_dataset
from perpkit.dataset import reader as reader_module
from perpkit.dataset.schema import TABLES
from perpkit.dataset.store import Store
from perpkit.errors import DataError, RequestError
from perpkit.run import open_dataset
from perpkit.units import HOUR_NS, to_ns

from .made import SPELLS, TOML, plain, stored, tables

FIRST, SECOND = (to_ns(start) for start in SPELLS)
MONTH_END = SECOND + 4 * HOUR_NS  # March begins
LAST = SECOND + 7 * HOUR_NS


def frames(data: Dataset) -> dict[str, pl.DataFrame]:
    return {table.name: getattr(data, table.name) for table in TABLES}


def refused(folder: Path, *span: int | None) -> str:
    with pytest.raises(DataError) as caught:
        read_dataset(folder, *span)
    message = str(caught.value)
    assert "\n" not in message
    return message


SPANS = [
    (None, None),
    (FIRST + 1, None),
    (FIRST + 2 * HOUR_NS, FIRST + 5 * HOUR_NS),
    (FIRST, FIRST + 3 * HOUR_NS),  # the settlement of the month's last hour is stamped in the next
    (None, FIRST + 4 * HOUR_NS - 1),
    (SECOND, SECOND),
    (MONTH_END, None),
    (MONTH_END - HOUR_NS, MONTH_END + HOUR_NS),
    (FIRST + 9 * HOUR_NS, LAST + 1000 * HOUR_NS),
]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The same rows as a plain dataset and as a store."""
    folder = tmp_path_factory.mktemp("both")
    return plain(folder / "plain"), stored(folder / "store")


@pytest.mark.parametrize(("start", "end"), SPANS)
@pytest.mark.parametrize("coins", [None, ("xyz:AAPL",), ("xyz:AAPL", "xyz:NVDA")])
def test_a_store_reads_as_the_plain_dataset_of_its_rows(
    both: tuple[Path, Path], start: int | None, end: int | None, coins: tuple[str, ...] | None
) -> None:
    one, other = (read_dataset(folder, start, end, coins) for folder in both)

    for name, frame in frames(one).items():
        assert frames(other)[name].equals(frame), name
        assert frames(other)[name].schema == frame.schema
    assert one.perps["coin"].unique().sort().to_list() == sorted(coins or one.perps_meta)
    assert (other.perps_meta, other.tokens_meta) == (one.perps_meta, one.tokens_meta)
    assert other.notes == ()


def test_only_the_parts_that_a_span_meets_are_opened(tmp_path: Path) -> None:
    folder = stored(tmp_path / "store")
    spoilt = [part for part in Store(folder).parts("perps") if part.month != "2026-02"]
    for part in spoilt:
        part.path.write_bytes(b"spoilt")

    data = read_dataset(folder, FIRST + 4 * HOUR_NS, MONTH_END - HOUR_NS)
    assert data.perps["time"].dt.month().unique().to_list() == [2]
    assert refused(folder) == (
        f"{spoilt[0].name} is not the file that store.json lists: its digest differs; "
        "bring the file back, or fetch or import its rows into a new folder"
    )
    assert refused(folder, MONTH_END).startswith("perps/xyz%3AAAPL.2026-03.")
    nvda = next(part for part in spoilt if part.instrument == "xyz:NVDA")
    with pytest.raises(DataError, match="NVDA"):
        read_dataset(folder, None, FIRST, ("xyz:NVDA",))
    nvda.path.unlink()
    with pytest.raises(DataError, match="No such file") as caught:
        read_dataset(folder, None, FIRST, ("xyz:NVDA",))
    assert str(caught.value).startswith(f"{nvda.name} cannot be read")


def test_a_run_opens_the_parts_of_its_span_and_coins_alone(tmp_path: Path) -> None:
    folder = stored(tmp_path / "store")
    for part in (*Store(folder).parts("perps"), *Store(folder).parts("funding")):
        if part.instrument == "xyz:AAPL" or part.month == "2026-03":
            part.path.write_bytes(b"spoilt")
    told = {"data": folder, "coins": ["xyz:NVDA"], "end": "2026-02-28T22:00:00Z"}
    data = open_dataset(check_config(told))
    assert (data.perps.height, data.funding.height) == (11, 11)
    assert data.perps["coin"].unique().to_list() == ["xyz:NVDA"]


def test_an_unknown_coin_is_refused(tmp_path: Path) -> None:
    for folder in (plain(tmp_path / "plain"), stored(tmp_path / "store")):
        with pytest.raises(RequestError, match="did you mean xyz:NVDA"):
            read_dataset(folder, coins=("xyz:NVDIA",))


def test_funding_of_other_coins_still_counts_as_the_record(tmp_path: Path) -> None:
    """Else a run on a coin without settlements would read those of the prices' table."""
    folder = tmp_path / "store"
    with Store(folder).writer() as writer:
        writer.describe(TOML)
        for name, frame in tables().items():
            writer.add(
                name, frame.filter(pl.col("coin") != "xyz:AAPL") if name == "funding" else frame
            )
    assert read_dataset(folder, coins=("xyz:AAPL",)).funding["coin"].unique().to_list() == [
        "xyz:NVDA"
    ]


def test_a_span_without_a_row_says_where_the_data_are(tmp_path: Path) -> None:
    folder = stored(tmp_path / "store")
    assert refused(folder, FIRST + 8 * HOUR_NS, SECOND - 1) == (
        "perps has no row in the span asked for; the data run from 2026-01-31 20:00Z to "
        "2026-03-01 03:00Z, so ask for a span within"
    )


def test_the_digest_is_of_the_list_whatever_is_read(tmp_path: Path) -> None:
    folder = stored(tmp_path / "store")
    digests = {read_dataset(folder, *span).digest for span in SPANS}
    assert len(digests) == 1
    assert digests == {read_dataset(stored(tmp_path / "again")).digest}
    text = (folder / "dataset.toml").read_text(encoding="utf-8")
    (folder / "dataset.toml").write_text(text.replace("months", "other"), encoding="utf-8")
    digests.add(read_dataset(folder).digest)
    (folder / "dataset.toml").write_text(text, encoding="utf-8")
    with Store(folder).writer(replace=True) as writer:
        writer.add("perps", tables()["perps"].head(1).with_columns(mark_px=1.0))
    digests.add(read_dataset(folder).digest)
    assert len(digests) == 3


def test_a_fault_names_its_part(tmp_path: Path) -> None:
    folder = stored(tmp_path / "store")
    text = TOML.replace('[perps."xyz:AAPL"]', '[perps."xyz:APPL"]')
    (folder / "dataset.toml").write_text(text, encoding="utf-8")
    assert refused(folder).startswith("dataset.toml: coin xyz:APPL has no row in perps/; add")
    (folder / "dataset.toml").write_text(
        TOML + '[perps."xyz:TSLA"]\nvenue = "xyz"\nunderlying = "TSLA"\n', encoding="utf-8"
    )
    assert refused(folder).startswith("dataset.toml: coin xyz:TSLA has no row in perps/")
    (folder / "dataset.toml").write_text(TOML.replace("NVDAon", "NVDAx"), encoding="utf-8")
    assert refused(folder).startswith("dataset.toml: token NVDAx has no row in tokens/")
    head, _, rest = TOML.partition('[perps."xyz:AAPL"]')
    rest = rest[rest.index("[tokens") :]
    (folder / "dataset.toml").write_text(head + rest, encoding="utf-8")
    message = refused(folder, MONTH_END)
    part = next(p for p in Store(folder).parts("perps") if p.month == "2026-03")
    assert message.startswith(f"{part.name}: coin xyz:AAPL is not in dataset.toml in 4 rows, first")


def test_prices_that_are_nowhere_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "store"
    with Store(folder).writer() as writer:
        writer.describe(TOML)
        writer.add("perps", tables()["perps"].drop("oracle_px"))
        writer.add("tokens", tables()["tokens"])
    assert refused(folder) == "perps/: oracle_px is null in all rows; fill it at the source"


def test_an_empty_store_has_no_prices(tmp_path: Path) -> None:
    with Store(tmp_path).writer() as writer:
        writer.describe(TOML)
    assert refused(tmp_path) == (
        "store.json: no part is of perps; it is the one table a dataset needs"
    )


def test_files_that_the_list_does_not_name_are_not_read(tmp_path: Path) -> None:
    folder = stored(tmp_path / "store")
    before = frames(read_dataset(folder))
    tables()["perps"].write_parquet(folder / "perps" / "more.parquet")
    tables()["perps"].write_parquet(folder / "perps.parquet")
    left = folder / "perps" / "xyz%3ANVDA.2026-01.0123456789ab.parquet"
    tables()["perps"].write_parquet(left)

    data = read_dataset(folder)
    assert all(frames(data)[name].equals(frame) for name, frame in before.items())
    assert data.notes == (
        "perps.parquet: not read: store.json does not list it",
        "perps/more.parquet: not read: store.json does not list it",
    )
    with Store(folder).writer():
        pass
    assert not left.exists()
    assert (folder / "perps" / "more.parquet").exists()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "store.json is not as perpkit writes it: it is not JSON"),
        ('{"schema": 2}', "store.json: schema is 2; this perpkit reads schema 1"),
        ("[]", "store.json: schema is None"),
        ('{"schema": 1}', "it lists no parts"),
        ('{"schema": 1, "parts": [], "description": 3}', "its description is not a digest"),
        ('{"schema": 1, "parts": [{"rows": 3}]}', "a part is given as {'rows': 3}"),
    ],
)
def test_a_broken_list_is_refused(tmp_path: Path, text: str, says: str) -> None:
    folder = stored(tmp_path / "store")
    (folder / "store.json").write_text(text, encoding="utf-8")
    assert says in refused(folder)


def test_a_list_that_names_a_month_twice_or_a_strange_table_is_refused(tmp_path: Path) -> None:
    folder = stored(tmp_path / "store")
    text = (folder / "store.json").read_text(encoding="utf-8")
    line = next(line for line in text.splitlines() if '"perps"' in line)
    (folder / "store.json").write_text(text.replace(line, f"{line}\n{line}"), encoding="utf-8")
    assert "it lists perps of xyz:AAPL in 2026-01 twice" in refused(folder)
    (folder / "store.json").write_text(text.replace('"perps"', '"perp"'), encoding="utf-8")
    assert 'a part is of the table "perp"' in refused(folder)


def test_a_list_that_counts_otherwise_is_refused(tmp_path: Path) -> None:
    folder = stored(tmp_path / "store")
    text = (folder / "store.json").read_text(encoding="utf-8")
    (folder / "store.json").write_text(text.replace('"rows": 4', '"rows": 5', 1), encoding="utf-8")
    assert refused(folder).startswith("store.json tells of 33 rows of perps where there are 32; ")


def test_a_commit_while_one_reads_is_read_or_not_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = stored(tmp_path / "store")
    real, more = reader_module.read_stored, [SPELLS[1] + timedelta(hours=8)]

    def interrupted(*args: object) -> object:
        if more:  # between the list and the parts it names
            row = (
                tables()["perps"]
                .head(1)
                .with_columns(time=pl.lit(more.pop()).cast(pl.Datetime("ms", "UTC")))
            )
            with Store(folder).writer() as writer:
                writer.add("perps", row)
        return real(*args)

    monkeypatch.setattr(reader_module, "read_stored", interrupted)
    assert read_dataset(folder).perps.height == 33


def test_a_store_that_changes_all_the_while_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = stored(tmp_path / "store")
    real = reader_module.read_stored

    def interrupted(*args: object) -> object:
        text = (folder / "store.json").read_text(encoding="utf-8")
        (folder / "store.json").write_text(text + " ", encoding="utf-8")
        return real(*args)

    monkeypatch.setattr(reader_module, "read_stored", interrupted)
    assert "was written to all the while it was read; read it again" in refused(folder)
