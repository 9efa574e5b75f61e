"""``perpkit backtest`` as a user meets it: options, output, files."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

FRAMES = (
    *("accounts", "against", "attribution", "equity", "events", "fills", "funding", "market"),
    *("positions", "quotes"),
)
REPORT = "report.html"
# A month of the demo trades only if the rule looks back less than its default of three days.
QUICK = ("--set", "lookback_hours=24", "--set", "exit_apr=0.05")
Command = Callable[..., Any]


def frames(folder: Path) -> dict[str, pl.DataFrame]:
    return {name: pl.read_parquet(folder / f"{name}.parquet") for name in FRAMES}


def same(one: Path, other: Path) -> None:
    ours, theirs = frames(one), frames(other)
    assert ours["fills"].height > 20
    for name in FRAMES:
        assert_frame_equal(ours[name], theirs[name], check_exact=True)


def config_of(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "manifest.json").read_text())["config"]
    return found


@pytest.fixture(scope="module")
def reference(command: Command, month: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A result of the month at the default settings."""
    folder = tmp_path_factory.mktemp("reference")
    ran = command("backtest", "funding_carry", "--data", month, *QUICK, "--out", "r", cwd=folder)
    assert (ran.code, ran.err) == (0, "")
    return folder / "r"


@pytest.fixture(scope="module")
def on_the_demo(command: Command, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    """The shortest command there is, in an empty folder."""
    folder = tmp_path_factory.mktemp("anywhere")
    return command("backtest", "funding_carry", cwd=folder), folder


def test_a_name_alone_plays_the_demo_from_any_folder(on_the_demo: tuple[Any, Path]) -> None:
    ran, folder = on_the_demo
    assert (ran.code, ran.err) == (0, "")
    assert [p.name for p in folder.iterdir()] == ["runs"]
    assert [p.name for p in (folder / "runs").iterdir()] == ["funding_carry-demo"]
    made = sorted(p.name for p in (folder / "runs" / "funding_carry-demo").iterdir())
    parquet = [f"{name}.parquet" for name in FRAMES]
    assert made == sorted([*parquet, "manifest.json", REPORT, "summary.json"])


def test_summary_is_plain_and_within_100_columns(on_the_demo: tuple[Any, Path]) -> None:
    lines = on_the_demo[0].out.splitlines()
    assert max(map(len, lines)) <= 100
    assert all(line == line.rstrip() for line in lines)
    assert "\x1b" not in on_the_demo[0].out


def test_summary_says_what_matters(on_the_demo: tuple[Any, Path]) -> None:
    ran, folder = on_the_demo
    summary = json.loads((folder / "runs/funding_carry-demo/summary.json").read_text())
    value = {name: told["value"] for name, told in summary["metrics"].items()}
    facts = summary["market"]
    costs = value["fees_usd"] + value["slippage_usd"]
    for label, number in (
        ("Final equity", f"{value['final_equity_usd']:,.2f} USD"),
        ("Total return", f"{value['total_return_frac']:.2%}"),
        ("Net APR on all capital", f"{value['net_apr']:.2%}"),
        ("Over 3.75% risk-free", f"{value['excess_apr']:.2%}"),
        ("Worst margin ratio", f"{value['worst_margin_ratio']:.2f} 1 is liquidation"),
        ("Costs", f"{costs:,.2f} USD, {value['cost_drag_frac']:.2%} of funding"),
        ("Oracle held back", f"{facts['oracle_hours_bound']:,} coin-hours"),
        ("Largest oracle lag", f"{facts['oracle_largest_lag_frac']:.2%}"),
    ):
        assert re.search(rf"{re.escape(label)} +{re.escape(number)}", ran.out), label
    for cause in ("perp price", "token price", "funding", "fees", "slippage", "net"):
        assert re.search(rf"^  {cause} +-?[\d,.]+ +-?[\d.]+%", ran.out, re.MULTILINE), cause
    for heading in ("Where it came from", "Warnings", "Assumed"):
        assert f"\n{heading}\n" in ran.out
    for warning in summary["warnings"]:
        assert warning in re.sub(r"\s+", " ", ran.out)
    for name in ("margin_share", "half_spread_frac", "risk_free_apr", "updates_per_hour"):
        assert name in ran.out.partition("\nAssumed\n")[2]
    made = Path("runs") / "funding_carry-demo"
    assert ran.out.endswith(f"Files  {made}\nReport {made / REPORT}\n")


def test_summary_of_many_coins_keeps_its_width(
    month: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from dataclasses import replace

    import perpkit
    from perpkit.report.terminal import print_summary

    result = perpkit.backtest(
        "funding_carry", month, config={"end": "2025-10-16"}, pure_python=True
    )
    many = ", ".join(f"xyz:COIN{n}" for n in range(40))
    term = {"scope": many, "key": "clamp_8h", "value": 0.0003, "needed": True}
    manifest = {**result.manifest, "terms": [{**term, "confidence": "assumed"}]}
    pairs = result.assumptions[0]._replace(name="pairs", value=many)
    warning = "a warning " * 30
    print_summary(
        replace(result, manifest=manifest, assumptions=(pairs,), warnings=(warning,)),
        Path("a_long_folder/" * 10),
    )
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines[:-1])) <= 100
    assert lines[-1].endswith("a_long_folder"), "a path is never broken"
    told = " ".join(" ".join(lines).split())
    assert f"terms of {many}: clamp_8h 0.0003" in told
    assert "xyz:COIN0, xyz:COIN1, xyz:COIN2" in told
    assert warning.strip() in told


def test_colour_is_for_terminals(command: Command, month: Path, work: Path) -> None:
    told = ("backtest", "funding_carry", "--data", month, "--out", "r")
    coloured = command(*told, cwd=work, FORCE_COLOR="1").out
    assert "\x1b[" in coloured
    bare = re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", coloured)
    assert bare == command(*told, cwd=work).out
    assert not re.search(r"\x1b\[3\dm", command(*told, cwd=work, FORCE_COLOR="1", NO_COLOR="1").out)


def test_json_prints_the_summary_and_nothing_else(
    command: Command, month: Path, work: Path
) -> None:
    ran = command("backtest", "funding_carry", "--data", month, "--json", "--out", "r", cwd=work)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == (work / "r" / "summary.json").read_text(encoding="utf-8")
    assert json.loads(ran.out)["metrics"]["net_apr"]["unit"] == "1/year"


def test_span_and_capital(inside: Command, month: Path, work: Path) -> None:
    span = ("--from", "2025-10-15", "--to", "2025-10-17T12:00")
    ran = inside(
        "backtest", "funding_carry", "--data", month, *span, "--capital", 5000, "--out", "r",
        cwd=work,
    )  # fmt: skip
    assert ran.code == 0
    equity = pl.read_parquet(work / "r" / "equity.parquet")
    assert equity["time"].dt.to_string("%F %R").to_list()[:: equity.height - 1] == [
        "2025-10-15 00:00",
        "2025-10-17 12:00",
    ]
    assert equity["equity_usd"][0] == 5000.0
    assert "nothing was traded" in ran.out


def test_run_file_then_set_then_options(inside: Command, month: Path, work: Path) -> None:
    (work / "run.toml").write_text(
        f"data = {str(month)!r}\ncapital = 7000\nslippage_frac = 0.001\nend = 2025-11-01\n"
        "[params]\nlookback_hours = 24\nnotional_usd = 500\n[terms]\nclamp_8h = 0.0003\n"
    )
    told = ("--set", "notional_usd=600", "--set", "terms.step_frac=0.02", "--capital", 8000)
    ran = inside("backtest", "funding_carry", "--config", "run.toml", *told, cwd=work)
    assert (ran.code, ran.err) == (0, "")
    made = json.loads((work / "runs/funding_carry-month/manifest.json").read_text())
    assert made["config"]["capital"] == 8000.0
    assert made["config"]["slippage_frac"] == 0.001
    assert made["config"]["terms"] == {"clamp_8h": 0.0003, "step_frac": 0.02}
    params = made["strategy"]["params"]
    assert (params["lookback_hours"], params["notional_usd"]) == (24, 600.0)
    assert made["span"][1] == "2025-11-01 00:00Z"
    used = {t["key"]: (t["value"], t["place"]) for t in made["terms"]}
    assert used["step_frac"] == (0.02, "run file")


def test_pure_python_gives_equal_frames(
    inside: Command, month: Path, reference: Path, work: Path
) -> None:
    told = ("--data", month, *QUICK, "--pure-python", "--out", "r")
    assert inside("backtest", "funding_carry", *told, cwd=work).code == 0
    same(reference, work / "r")


@pytest.mark.parametrize("rows", [1, 97])
def test_chunks_change_no_bit(
    inside: Command, month: Path, reference: Path, work: Path, rows: int
) -> None:
    told = ("--data", month, *QUICK, "--set", f"chunk_rows={rows}", "--out", "r")
    assert inside("backtest", "funding_carry", *told, cwd=work).code == 0
    same(reference, work / "r")


def test_again_it_is_the_same_and_replaces_its_result(
    inside: Command, month: Path, reference: Path, work: Path
) -> None:
    told = ("backtest", "funding_carry", "--data", month, *QUICK, "--out", "r")
    assert inside(*told, cwd=work).code == 0
    (work / "r" / REPORT).write_text("of the old result")
    assert inside(*told, cwd=work).code == 0
    same(reference, work / "r")
    assert (work / "r" / REPORT).read_bytes() == (reference / REPORT).read_bytes()
    assert inside(*told, "--no-report", cwd=work).code == 0
    assert not (work / "r" / REPORT).exists(), "it was of the old result"
    assert inside(*told, cwd=work).code == 0
    (work / "r" / "thesis.txt").write_text("nobody's result")
    assert inside(*told, cwd=work).code == 2
    assert (work / "r" / "thesis.txt").exists()
    for name in FRAMES:
        one, other = (f / f"{name}.parquet" for f in (reference, work / "r"))
        assert one.read_bytes() == other.read_bytes()
    assert [p.name for p in work.iterdir()] == ["r"]


def test_the_report_sets_the_run_against_cash_and_the_tokens_alone(reference: Path) -> None:
    against = pl.read_parquet(reference / "against.parquet")
    assert against["strategy"].unique(maintain_order=True).to_list() == ["cash", "spot_hold"]
    assert against.filter(pl.col("strategy") == "cash")["equity_usd"].unique().to_list() == [1e5]
    text = (reference / REPORT).read_text(encoding="utf-8")
    assert "<h1>r</h1>" in text
    assert "spot_hold" in text


def test_without_a_report_nothing_is_played_beside(
    inside: Command, month: Path, reference: Path, work: Path
) -> None:
    told = ("backtest", "funding_carry", "--data", month, *QUICK, "--no-report", "--out", "r")
    ran = inside(*told, cwd=work)
    assert ran.code == 0
    assert "Report" not in ran.out
    assert not (work / "r" / REPORT).exists()
    assert pl.read_parquet(work / "r" / "against.parquet").is_empty()
    assert_frame_equal(frames(work / "r")["equity"], frames(reference)["equity"], check_exact=True)


def test_a_benchmark_is_not_set_against_itself(inside: Command, month: Path, work: Path) -> None:
    assert inside("backtest", "cash", "--data", month, "--out", "r", cwd=work).code == 0
    against = pl.read_parquet(work / "r" / "against.parquet")
    assert against["strategy"].unique().to_list() == ["spot_hold"]


def test_a_report_that_cannot_be_made_leaves_what_was(
    inside: Command, month: Path, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from perpkit.report import page

    told = ("backtest", "funding_carry", "--data", month, *QUICK, "--out", "r")
    assert inside(*told, cwd=work).code == 0
    before = {file.name: file.read_bytes() for file in (work / "r").iterdir()}
    monkeypatch.setattr(page, "find_spec", lambda _: None)
    page._library.cache_clear()
    ran = inside(*told, "--capital", 5, cwd=work)
    page._library.cache_clear()
    assert (ran.code, ran.out) == (2, "")
    assert "pip install plotly" in ran.err
    assert {file.name: file.read_bytes() for file in (work / "r").iterdir()} == before


def test_a_strategy_by_path(command: Command, month: Path, work: Path) -> None:
    (work / "still.py").write_text(
        '"""Do nothing."""\ndef decide(t, past, book, p, mine, target):\n    pass\n'
    )
    ran = command("backtest", "still.py", "--data", month, cwd=work)
    assert ran.code == 0
    made = json.loads((work / "runs/still-month/manifest.json").read_text())
    assert made["strategy"]["name"] == "still"
    assert made["strategy"]["doc"] == "Do nothing."
    assert sorted(p.name for p in work.iterdir()) == ["runs", "still.py"]


def test_help_names_every_option(command: Command, work: Path) -> None:
    ran = command("backtest", "--help", cwd=work)
    assert (ran.code, ran.err) == (0, "")
    for option in (
        "--data", "--config", "--set", "--from", "--to", "--out", "--capital", "--json",
        "--pure-python", "--no-report", "--debug", "--rules", "the shipped demo",
        "runs/STRATEGY-DATASET",
    ):  # fmt: skip
        assert option in ran.out, option


def test_version(command: Command, work: Path) -> None:
    import perpkit

    assert command("--version", cwd=work) == (0, f"perpkit {perpkit.__version__}\n", "")


def test_every_setting_of_a_run_is_in_the_manifest(reference: Path) -> None:
    from perpkit.config import RunConfig

    kept = config_of(reference)
    assert set(kept) == set(RunConfig.model_fields) - {"data", "params", "rulebook"}
    assert kept["capital"] == 100_000.0
