"""The result folder: what stands in it, and that it appears whole or not at all."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import perpkit
from perpkit import export
from perpkit.errors import RequestError
from perpkit.export import Files, as_json, check_writable, read_frame, save
from perpkit.metrics import METRICS
from perpkit.run import Result

from .plain_demo import COINS

TIME, TEXT, USD = pl.Datetime("ms", "UTC"), pl.String, pl.Float64
COSTS = ["fees", "slippage", "interest", "transfer", "settlement", "liquidation", "bad_debt"]
CAUSES = ["perp_price", "token_price", "funding", "yield", "dividend", *COSTS]
COLUMNS: dict[str, dict[str, Any]] = {
    "equity": {
        "time": TIME,
        **dict.fromkeys(("equity_usd", "cash_usd"), USD),
        **dict.fromkeys(("margin_ratio", "gross_usd", "net_delta_usd"), USD),
        **{f"{cause}_usd": USD for cause in CAUSES},
    },
    "attribution": {
        "time": TIME,
        **dict.fromkeys(("strategy", "account", "instrument", "cause"), TEXT),
        "usd": USD,
    },
    "accounts": {
        "time": TIME,
        "account": TEXT,
        **dict.fromkeys(("cash_usd", "margin_value_usd", "initial_usd"), USD),
        **dict.fromkeys(("maintenance_usd", "margin_ratio"), USD),
    },
    "positions": {
        "time": TIME,
        **dict.fromkeys(("strategy", "account", "instrument"), TEXT),
        **dict.fromkeys(("position", "px", "value_usd", "liquidation_px"), USD),
        **dict.fromkeys(("liquidation_distance_frac", "premium_frac"), USD),
    },
    "funding": {
        "time": TIME,
        **dict.fromkeys(("coin", "account"), TEXT),
        **dict.fromkeys(("position", "oracle_px", "funding", "payment_usd"), USD),
    },
    "fills": {
        "fill_id": pl.Int64,
        **dict.fromkeys(("time", "decided_at"), TIME),
        **dict.fromkeys(("strategy", "account", "instrument", "way", "side"), TEXT),
        **dict.fromkeys(("size", "px", "fee_usd", "slippage_usd"), USD),
        "reason": TEXT,
        "settlement_id": pl.Int64,
    },
    "events": {
        "time": TIME,
        **dict.fromkeys(("kind", "instrument", "account"), TEXT),
        "value_usd": USD,
        "detail": TEXT,
    },
    "market": {
        "time": TIME,
        "coin": TEXT,
        **dict.fromkeys(("oracle_px", "mark_px", "external_px", "oracle_lag_frac"), USD),
        **dict.fromkeys(("premium_8h", "funding"), USD),
        "phase": TEXT,
    },
    "quotes": {
        "time": TIME,
        "token": TEXT,
        **dict.fromkeys(("bid_px", "ask_px", "fair_px", "nav_px", "multiplier"), USD),
        "premium_frac": USD,
    },
    "against": {"time": TIME, "strategy": TEXT, "equity_usd": USD},
}


def run(strategy: str | Path, **params: object) -> Result:
    # Plain Python is quicker than to start the compiler, for so few hours.
    return perpkit.backtest(
        strategy,
        config={"end": datetime(2025, 10, 20, tzinfo=UTC), "coins": COINS},
        params=params,
        pure_python=True,
    )


@pytest.fixture(scope="module")
def result() -> Result:
    return run("funding_carry", lookback_hours=24)


@pytest.fixture(scope="module")
def idle(tmp_path_factory: pytest.TempPathFactory) -> Result:
    file = tmp_path_factory.mktemp("idle") / "idle.py"
    file.write_text("def decide(t, past, book, p, mine, target):\n    pass\n")
    return run(file)


def loads(file: Path) -> Any:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    return json.loads(file.read_text(encoding="utf-8"), parse_constant=refuse)


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


# --------------------------------------------------------------------------- what stands in it


@pytest.mark.parametrize("which", ["result", "idle"])
def test_frames_columns_and_kinds(which: str, request: pytest.FixtureRequest) -> None:
    frames = request.getfixturevalue(which).frames
    assert list(frames) == list(COLUMNS)
    for name, columns in COLUMNS.items():
        assert list(frames[name].schema.items()) == list(columns.items()), name
        assert frames[name]["time"].is_sorted()
        assert frames[name]["time"].null_count() == 0


def test_the_idle_run_has_rows_where_rows_are_due(idle: Result) -> None:
    hours = 7 * 24 + 1
    rows = {name: frame.height for name, frame in idle.frames.items()}
    told = {name: len(idle.manifest["instruments"][name]) for name in ("coins", "tokens")}
    assert rows == dict.fromkeys(COLUMNS, 0) | {
        "equity": hours,
        "accounts": 2 * hours,
        "market": told["coins"] * hours,
        "quotes": told["tokens"] * hours,
    }


def test_what_is_written_is_what_was_found(result: Result, tmp_path: Path) -> None:
    assert result.save(tmp_path / "r") == tmp_path / "r"
    assert names(tmp_path) == ["r"]
    assert names(tmp_path / "r") == sorted(
        [*(f"{name}.parquet" for name in COLUMNS), "manifest.json", "summary.json"]
    )
    for name, frame in result.frames.items():
        assert_frame_equal(read_frame(tmp_path / "r", name), frame, check_exact=True)
        told = pl.read_parquet_metadata(tmp_path / "r" / f"{name}.parquet")
        assert (told["perpkit.schema"], told["perpkit.frame"]) == ("1", name)


def test_summary_has_every_metric_with_its_unit(result: Result, tmp_path: Path) -> None:
    result.save(tmp_path / "r")
    told = loads(tmp_path / "r" / "summary.json")
    assert list(told) == ["schema", "strategy", "metrics", "market", "warnings"]
    assert (told["schema"], told["strategy"]) == (1, "funding_carry")
    assert list(told["metrics"]) == [m.name for m in METRICS]
    for metric in METRICS:
        found = told["metrics"][metric.name]
        value = result.summary[metric.name]
        assert found == {"value": value, "unit": metric.unit, "group": metric.group}
    assert told["market"] == result.facts
    assert told["warnings"] == list(result.warnings)


def test_manifest_says_what_it_was_made_of(result: Result, tmp_path: Path) -> None:
    result.save(tmp_path / "r")
    told = loads(tmp_path / "r" / "manifest.json")
    assert set(told) == {
        "schema", "versions", "strategy", "config", "dataset", "rules_digest", "rulebook_digest",
        "rulebook_own", "span", "instruments", "funding", "seed", "terms", "facts", "assumptions",
        "warnings", "timings_s",
    }  # fmt: skip
    assert told["schema"] == 1
    assert set(told["versions"]) == {"python", "perpkit", "numba", "numpy", "polars"}
    assert told["versions"]["perpkit"] == perpkit.__version__
    strategy = told["strategy"]
    assert (strategy["name"], strategy["file"]) == ("funding_carry", "funding_carry.py")
    assert strategy["params"]["lookback_hours"] == 24
    assert told["dataset"]["name"] == "demo"
    digests = (strategy, told["dataset"])
    assert all(len(d["digest"]) >= 16 for d in digests)
    assert all(len(told[d]) == 16 for d in ("rules_digest", "rulebook_digest"))
    assert told["rulebook_own"] == []
    assert told["span"] == ["2025-10-13 00:00Z", "2025-10-20 00:00Z"]
    assert told["instruments"]["accounts"][0] == "wallet"
    underlyings = told["instruments"]["underlyings"]
    assert list(underlyings) == told["instruments"]["coins"] + told["instruments"]["tokens"]
    assert (underlyings["sim:ORCA"], underlyings["ORCAx"]) == ("ORCA", "ORCA")
    assert {t["confidence"] for t in told["terms"]} >= {"verified", "assumed"}
    assert all({"key", "value", "source", "coins"} <= set(t) for t in told["terms"])
    assert [a["name"] for a in told["assumptions"]] == [a.name for a in result.assumptions]
    assert all(a["value"] and a["why"] for a in told["assumptions"])
    assert all(seconds >= 0.0 for seconds in told["timings_s"].values())


def test_two_equal_runs_differ_in_their_timings_alone(result: Result, tmp_path: Path) -> None:
    run("funding_carry", lookback_hours=24).save(tmp_path / "again")
    result.save(tmp_path / "r")
    one, other = (loads(tmp_path / name / "manifest.json") for name in ("r", "again"))
    assert one.pop("timings_s") != other.pop("timings_s")
    assert one == other
    for name in names(tmp_path / "r"):
        if name != "manifest.json":
            assert (tmp_path / "r" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_infinities_are_words() -> None:
    told = as_json({"a": math.inf, "b": [-math.inf, 1.5, None], "c": {"d": (math.inf,)}})
    assert json.loads(told) == {"a": "inf", "b": ["-inf", 1.5, None], "c": {"d": ["inf"]}}
    assert told.endswith("}\n")


# --------------------------------------------------------------------------- whole or not at all


def files(text: str = "new") -> Files:
    manifest = {"schema": 1, "versions": {"perpkit": "0"}}
    return Files({"equity": pl.DataFrame({"a": [1.0]})}, {"text": text}, manifest)


def test_an_older_result_is_replaced_whole(tmp_path: Path) -> None:
    out = tmp_path / "r"
    save(files("old"), out)
    (out / "report.html").write_text("of the old one")
    save(files(), out)
    assert names(out) == ["equity.parquet", "manifest.json", "summary.json"]
    assert loads(out / "summary.json") == {"text": "new"}
    assert names(tmp_path) == ["r"]


def test_folders_above_are_made_and_an_empty_one_is_used(tmp_path: Path) -> None:
    save(files(), tmp_path / "a" / "b" / "r")
    (tmp_path / "empty").mkdir()
    save(files(), tmp_path / "empty")
    assert "manifest.json" in names(tmp_path / "a" / "b" / "r")
    assert "manifest.json" in names(tmp_path / "empty")


def test_what_is_no_result_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "text.md").write_text("mine")
    (tmp_path / "thesis" / "manifest.json").write_text('{"versions": {"perpkit": "0"}}')
    (tmp_path / "page").mkdir()
    (tmp_path / "page" / "manifest.json").write_text('{"name": "somebody else\'s"}')
    (tmp_path / "file").write_text("mine")
    for out, why in (
        ("thesis", "not a result"),
        ("page", "not a result"),
        ("file", "is a file"),
        ("file/r", "written to"),
    ):
        for refuse in (check_writable, lambda out: save(files(), out)):
            with pytest.raises(RequestError, match=why) as caught:
                refuse(tmp_path / out)
            assert "name " in str(caught.value)
    assert (tmp_path / "thesis" / "text.md").read_text() == "mine"
    assert names(tmp_path) == ["file", "page", "thesis"]


@pytest.mark.parametrize("fault", [OSError(28, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("old", [False, True])
def test_a_fault_while_writing_leaves_what_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: BaseException, old: bool
) -> None:
    out = tmp_path / "r"
    if old:
        save(files("old"), out)

    def fail(_: object) -> str:
        raise fault

    monkeypatch.setattr(export, "as_json", fail)
    with pytest.raises((RequestError, KeyboardInterrupt)) as caught:
        save(files(), out)
    assert isinstance(fault, KeyboardInterrupt) or "No space left on device" in str(caught.value)
    assert names(tmp_path) == (["r"] if old else [])
    assert not old or loads(out / "summary.json") == {"text": "old"}


@pytest.mark.parametrize("fault", [OSError(13, "Permission denied"), KeyboardInterrupt()])
def test_a_fault_while_putting_it_in_place_brings_the_old_one_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: BaseException
) -> None:
    out = tmp_path / "r"
    save(files("old"), out)
    rename = Path.rename

    def fail(self: Path, target: Path) -> Path:
        if ".part-" in self.name:
            raise fault
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises((RequestError, KeyboardInterrupt)):
        save(files(), out)
    assert names(tmp_path) == ["r"]
    assert loads(out / "summary.json") == {"text": "old"}
