"""Written out in every format and imported, a dataset gives the same tape to the last bit."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import formats
import numpy as np
import polars as pl
import pytest
from formats import HOUR, Row

from perpkit.config import check_config
from perpkit.dataset import read_dataset
from perpkit.shipped import shipped_folder
from perpkit.sources.files import About, built_in, check_mapping, import_files
from perpkit.tape import form
from perpkit.tape.build import Market

HOURS = 24 * 15  # over two weekends and into a second month
START = datetime(2026, 8, 20, tzinfo=UTC)
TOML = """\
schema = 1
name = "whole"
source = "made for the tests"
licence = "MIT"
prices = "{prices}"

[perps."xyz:NVDA"]
venue = "baseline"
underlying = "NVDA"
sz_decimals = 3
max_leverage = 20

[perps."xyz:TSLA"]
venue = "baseline"
underlying = "TSLA"
sz_decimals = 3
max_leverage = 20

[tokens.NVDAx]
underlying = "NVDA"
kind = "equity"
issuer = "simulated"
multiplier = 1.0
"""
COINS = {"sim:ORCA": "xyz:NVDA", "sim:FALC": "xyz:TSLA"}


class Whole:
    """A dataset in memory: rows of each table as dicts, and the folder that holds them."""

    def __init__(self, folder: Path, prices: str, tables: dict[str, list[Row]]) -> None:
        self.folder, self.tables, self.toml = folder, tables, TOML.format(prices=prices)
        folder.mkdir()
        (folder / "dataset.toml").write_text(self.toml, encoding="utf-8")
        for name, rows in tables.items():
            frame = pl.DataFrame(rows, infer_schema_length=None)
            times = [c for c in ("time", "observed") if c in frame.columns]
            frame.with_columns(pl.col(times).cast(pl.Datetime("ms", "UTC"))).write_parquet(
                folder / f"{name}.parquet"
            )

    def market(self) -> Market:
        return market(self.folder)


def market(folder: Path) -> Market:
    return form(read_dataset(folder), check_config({"tokens": ["NVDAx"]}), pure_python=False)


def refuse_differing(one: Market, other: Market) -> None:
    """Every array of the tape, of its tokens and terms, and the names and facts, bit by bit."""
    assert repr(one.names) == repr(other.names)
    assert one.funding_from == other.funding_from
    assert repr(one.facts) == repr(other.facts)
    assert one.terms.tobytes() == other.terms.tobytes()
    for mine, theirs in ((one.tape, other.tape), (one.tokens, other.tokens)):
        for name, *both in zip(mine._fields, mine, theirs, strict=True):
            a, b = map(np.asarray, both)
            assert (a.shape, a.dtype) == (b.shape, b.dtype), name
            assert a.tobytes() == b.tobytes(), name


# --------------------------------------------------------------------------- the datasets


def demo_rows() -> tuple[list[Row], list[Row]]:
    """Perps and tokens of the shipped demo under names that a rulebook knows, as plain rows."""
    demo = read_dataset(shipped_folder("data") / "demo")
    first = demo.perps["time"].min()
    assert isinstance(first, datetime)
    coins = list(demo.perps_meta)[:2]
    token = next(name for name, meta in demo.tokens_meta.items() if meta.kind == "equity")
    end = first + HOUR * HOURS
    perps = demo.perps.filter(pl.col("coin").is_in(coins), pl.col("time") < end)
    tokens = demo.tokens.filter(pl.col("token") == token, pl.col("time") < end)
    shift = START - first
    names = dict(zip(coins, COINS.values(), strict=True))
    made = (
        perps.with_columns(pl.col("coin").replace(names), pl.col("time") + shift),
        tokens.with_columns(pl.lit("NVDAx").alias("token"), pl.col("time") + shift),
    )
    return made[0].to_dicts(), made[1].to_dicts()


def events() -> dict[str, list[Row]]:
    at = START + timedelta(days=3, minutes=30)
    return {
        "actions": [
            {
                "time": at,
                "underlying": "TSLA",
                "kind": "dividend",
                "amount": 0.25,
                "withholding_frac": 0.3,
            }
        ],
        "shocks": [
            {"time": at + HOUR, "kind": "adl", "instrument": "xyz:NVDA", "value": 0.5},
            {"time": at + 2 * HOUR, "kind": "pause", "instrument": "NVDAx", "value": 1.0},
        ],
    }


def settled(perps: list[Row], *, premium: str = "premium") -> list[Row]:
    rng = np.random.default_rng(7)
    late = rng.integers(1, 119, len(perps)).tolist()
    rates = (rng.standard_normal(len(perps)) * 1e-5).round(10).tolist()
    return [
        {
            "time": row["time"] + timedelta(milliseconds=ms),
            "coin": row["coin"],
            "funding": rate,
            "premium": row[premium],
        }
        for row, ms, rate in zip(perps, late, rates, strict=True)
    ]


@pytest.fixture(scope="module")
def external(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    perps, tokens = demo_rows()
    folder = tmp_path_factory.mktemp("external") / "whole"
    return Whole(folder, "external", {"perps": perps, "tokens": tokens, **events()})


@pytest.fixture(scope="module")
def onchain(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """Recorded oracle and mark, with extremes and the time of each observation."""
    perps, tokens = demo_rows()
    made = []
    for i, row in enumerate(perps):
        oracle, mark = row["external_px"], row["mid_px"]
        made.append(
            {
                "time": row["time"],
                "coin": row["coin"],
                "oracle_px": oracle,
                "mark_px": mark,
                "mark_high_px": mark + (i % 7) / 8,
                "mark_low_px": mark - (i % 5) / 8,
                "mid_px": row["mid_px"],
                "impact_bid_px": row["impact_bid_px"],
                "impact_ask_px": row["impact_ask_px"],
                "premium": round(mark / oracle - 1.0, 10),
                "open_interest": row["open_interest"],
                "day_ntl_vlm": row["day_ntl_vlm"],
            }
        )
    folder = tmp_path_factory.mktemp("onchain") / "whole"
    tables = {"perps": made, "funding": settled(made), "tokens": tokens, **events()}
    return Whole(folder, "onchain", tables)


@pytest.fixture(scope="module")
def traded(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """What candles and settlements alone can say."""
    perps, tokens = demo_rows()
    made = []
    for row in perps:
        mark = row["mid_px"]
        premium = round(mark / row["external_px"] - 1.0, 10)
        made.append(
            {
                "time": row["time"],
                "coin": row["coin"],
                "oracle_px": mark / (1.0 + premium),
                "mark_px": mark,
                "mark_high_px": mark + 0.5,
                "mark_low_px": mark - 0.5,
                "premium": premium,
            }
        )
    folder = tmp_path_factory.mktemp("traded") / "whole"
    return Whole(folder, "onchain", {"perps": made, "funding": settled(made), "tokens": tokens})


# --------------------------------------------------------------------------- the formats


def take(form: str, files: list[Path], out: Path, whole: Whole, **more: Any) -> None:
    about = About()
    if not (out / "dataset.toml").exists():
        toml = out.with_suffix(".toml")
        toml.write_text(whole.toml, encoding="utf-8")
        about = About(describe=toml)
    mapping = more.pop("mapping", None) or built_in(form)
    import_files(mapping, files, out, about=about, **more)


def take_events(tmp_path: Path, out: Path, whole: Whole) -> None:
    for name in ("actions", "shocks"):
        file = formats.plain_csv(tmp_path / f"{name}.csv", whole.tables[name])
        take(name, [file], out, whole)


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "parquet"])
def test_the_tables_own_columns(tmp_path: Path, external: Whole, ending: str) -> None:
    out = tmp_path / "out"
    write = formats.plain_parquet if ending == "parquet" else formats.plain_csv
    for name, rows in external.tables.items():
        take(name, [write(tmp_path / f"{name}.{ending}", rows)], out, external)

    refuse_differing(external.market(), market(out))


def test_a_mapping_of_foreign_columns(tmp_path: Path, external: Whole) -> None:
    zone, out = "Asia/Kolkata", tmp_path / "out"
    perps = {
        "time": "Zeit",
        "coin": "Name",
        "external_px": "Aktie",
        "mid_px": "Mitte",
        "impact_bid_px": "Geld",
        "impact_ask_px": "Brief",
        "open_interest": "Offen",
        "day_ntl_vlm": "Umsatz",
    }
    tokens = {"time": "t", "bid_px": "b", "ask_px": "a", "nav_px": "n", "halted": "h"}
    tokens |= {"liquidity_usd": "tiefe"}
    for name, names, constants in (("perps", perps, {}), ("tokens", tokens, {"token": "NVDAx"})):
        file = formats.foreign(tmp_path / f"{name}.csv", external.tables[name], names, zone)
        columns = {ours: theirs for ours, theirs in names.items() if ours != "time"}
        told = {
            "table": name,
            "time": {"column": names["time"], "format": "%d.%m.%Y %H:%M", "zone": zone},
            "file": {"separator": ";", "decimal": ",", "null": ["-"]},
            "columns": columns,
            "constants": constants,
        }
        take("generic", [file], out, external, mapping=check_mapping(told, "own.toml"))
    take_events(tmp_path, out, external)

    refuse_differing(external.market(), market(out))


def test_the_public_archive_and_the_hugging_face_funding(tmp_path: Path, onchain: Whole) -> None:
    out = tmp_path / "out"
    days = formats.asset_ctxs(tmp_path / "archive", onchain.tables["perps"])
    take("asset-ctxs", list(reversed(days)), out, onchain)
    funding = formats.hf_funding(tmp_path / "funding.parquet", onchain.tables["funding"])
    take("hf-funding", [funding], out, onchain)
    tokens = formats.plain_csv(tmp_path / "tokens.csv", onchain.tables["tokens"])
    take("tokens", [tokens], out, onchain)
    take_events(tmp_path, out, onchain)

    refuse_differing(onchain.market(), market(out))


def test_candles_with_settled_premiums(tmp_path: Path, traded: Whole) -> None:
    out = tmp_path / "out"
    funding = formats.hf_funding(tmp_path / "funding.parquet", traded.tables["funding"])
    take("hf-funding", [funding], out, traded)
    candles = formats.hf_candles(tmp_path / "candles.parquet", traded.tables["perps"])
    take("hf-candles", [candles], out, traded, trade_range=True)
    tokens = formats.plain_parquet(tmp_path / "tokens.parquet", traded.tables["tokens"])
    take("tokens", [tokens], out, traded)

    refuse_differing(traded.market(), market(out))
    assert set(read_dataset(out).perps["oracle_source"]) == {"premium"}


def test_bars_beside_the_perps_own_book(tmp_path: Path, external: Whole) -> None:
    """The share's price from half-hour stamps, by a loop over all bars, is what the import has."""
    bars = _bars(external.tables["perps"])
    laid = []
    for row in external.tables["perps"]:
        price = _known_by(bars, row["coin"].removeprefix("xyz:"), row["time"])
        laid.append(row | {"external_px": price})
    first = min(row["time"] for row in laid if row["external_px"] is not None)
    laid = [row for row in laid if row["time"] >= first]
    tables = {name: rows for name, rows in external.tables.items() if name != "perps"}
    whole = Whole(tmp_path / "whole", "external", {"perps": laid, **tables})
    out = tmp_path / "out"
    booked = [{k: v for k, v in row.items() if k != "external_px"} for row in laid]
    take("perps", [formats.plain_csv(tmp_path / "perps.csv", booked)], out, whole)
    take("equities", [formats.bars(tmp_path / "bars.parquet", bars)], out, whole)
    tokens = formats.plain_csv(tmp_path / "tokens.csv", whole.tables["tokens"])
    take("tokens", [tokens], out, whole)
    take_events(tmp_path, out, whole)

    refuse_differing(whole.market(), market(out))


def _bars(perps: list[Row]) -> list[Row]:
    """Regular sessions of New York in summer: 13:30 to 20:00Z, Monday to Friday."""
    px = {(row["coin"], row["time"]): row["external_px"] for row in perps}
    made = []
    for (coin, time), price in px.items():
        if time.weekday() < 5 and 13 <= time.hour <= 19 and time.date() != LABOR_DAY:
            made.append(
                {
                    "time": time + timedelta(minutes=30),
                    "symbol": coin.removeprefix("xyz:"),
                    "open": price,
                    "close": px.get((coin, time + HOUR), price),
                }
            )
    return made


LABOR_DAY = datetime(2026, 9, 7, tzinfo=UTC).date()


def _known_by(bars: list[Row], symbol: str, at: datetime) -> float | None:
    latest, price = None, None
    for bar in bars:
        end = bar["time"] + (HOUR / 2 if bar["time"].hour == 19 else HOUR)
        for when, value in ((end, bar["close"]), (bar["time"], bar["open"])):
            if bar["symbol"] == symbol and when <= at and (latest is None or when >= latest):
                latest, price = when, value
    return price
