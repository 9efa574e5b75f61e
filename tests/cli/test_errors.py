"""What the command says when it cannot do what it was asked: one sentence, one code, no trace."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

Command = Callable[..., Any]
IDLE = "def decide(t, past, book, p, mine, target):\n    pass\n"


def refused(ran: Any, code: int, *words: str) -> None:
    """One sentence on stderr that holds the words, the code, and no more."""
    assert ran.err.startswith("perpkit: "), ran.err
    assert ran.err.count("\n") == 1, ran.err
    assert ran.err.endswith("\n")
    assert "Traceback" not in ran.err
    for word in words:
        assert word in ran.err
    assert (ran.code, ran.out) == (code, "")


def names(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*"))


# --------------------------------------------------------------------------- the command itself


@pytest.mark.parametrize(
    ("code", "arguments", "word"),
    [
        (2, ["funding_carry", "--set", "enter_arp=0.1"], "did you mean enter_apr?"),
        (2, ["funding_carry", "--nothing"], "--nothing"),
        (3, ["funding_carry", "--data", "nowhere"], "nowhere"),
        (4, ["funding_cary"], "did you mean funding_carry?"),
        (4, [__file__], "neither"),
    ],
)
def test_from_a_shell(
    command: Command, work: Path, code: int, arguments: list[str], word: str
) -> None:
    refused(command("backtest", *arguments, cwd=work), code, word)
    assert names(work) == []


# --------------------------------------------------------------------------- the request: 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--set", "enter_arp=0.1"], ["no setting enter_arp", "did you mean enter_apr?"]),
        (["--set", "params.enter_arp=1"], ["no parameter enter_arp", "did you mean enter_apr?"]),
        (["--set", "lookback_hours=0"], ["lookback_hours was 0", "greater than or equal to 1"]),
        (["--set", "lookback_hours=2.5"], ["lookback_hours was 2.5", "valid integer"]),
        (["--set", "enter_apr=high"], ["enter_apr was 'high'", "valid number"]),
        (["--set", "enter_apr=nan"], ["enter_apr was nan", "finite"]),
        (["--set", "enter_apr=true"], ["enter_apr was True", "a number is wanted"]),
        (["--set", "enter_apr"], ["--set enter_apr", "key=value"]),
        (["--set", "=1"], ["key=value"]),
        (["--set", "capitol=5"], ["did you mean capital?"]),
        (["--set", "pair=both"], ["pair was 'both'", "together"]),
        (["--set", "chunk_rows=0"], ["chunk_rows was 0"]),
        (["--set", "terms.clamp=0.1"], ["clamp", "clamp_8h"]),
        (["--set", "coins=['sim:ORCAA']"], ["sim:ORCAA", "did you mean sim:ORCA?"]),
        (["--set", "pairs.sim:ORCA=LYNXx"], ["ORCA", "LYNX", "own underlying"]),
        (["--capital", "-5"], ["capital was -5.0", "greater than 0"]),
        (["--capital", "nan"], ["capital was nan"]),
        (["--capital", "much"], ["--capital", "valid number"]),
        (["--from", "soon"], ["start was 'soon'"]),
        (["--from", "2025-10-21", "--to", "2025-10-14"], ["start is not before end"]),
        (["--config", "nowhere.toml"], ["nowhere.toml", "cannot be read", "--config"]),
        (["--config", "."], ["cannot be read"]),
        (["--nothing"], ["--nothing"]),
    ],
)
def test_a_wrong_request(
    inside: Command, month: Path, work: Path, arguments: list[str], words: list[str]
) -> None:
    refused(inside("backtest", "funding_carry", "--data", month, *arguments, cwd=work), 2, *words)
    assert names(work) == []


HALVES = ["--set", "collateral.USTB.share=0.5", "--set", "collateral.BENJI.share=0.5"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--set", "collateral.USTB.haircut_frac=1.0"], ["collateral.USTB.haircut_frac was 1.0"]),
        (["--set", "collateral.USTB.haircut_frac=-0.1"], ["collateral.USTB.haircut_frac was -0.1"]),
        (["--set", "leverage=500"], ["leverage 500 is above the 20", "set leverage to 20 or less"]),
        (["--set", "leverage={'sim:ORCA'=30.0}"], ["leverage 30 is above the 20", "sim:ORCA"]),
        (["--set", "leverage=0.5"], ["leverage was 0.5"]),
        (["--set", "margin_share=0"], ["margin_share was 0"]),
        (["--set", "margin_share=1"], ["margin_share was 1"]),
        (["--set", "collateral.USTB.share=1.0"], ["collateral.USTB.share was 1.0"]),
        (HALVES, ["share of the collateral USTB, BENJI is 1 in all, which leaves no cash"]),
        (["--set", "terms.margin_tiers=5e6: 10, 1e6: 5"], ["margin_tiers", "bounds rising"]),
        (["--set", "terms.margin_tiers=1e6: 5, 5e6: 10"], ["margin_tiers", "leverage falling"]),
        (["--set", "terms.margin_tiers=1e6: 40"], ["margin_tiers of sim:ORCA", "below max_lev"]),
        (["--set", "mirror_hours=8"], ["mirror_hours was 8 and does nothing"]),
        (["--set", "wallet_cash_usd=8"], ["wallet_cash_usd was 8 and does nothing"]),
        (["--set", "settlement.fail_prob=0.1"], ["settlement: fail_prob does nothing with mode"]),
        (["--set", "ways.ORCAx.mint_fee_frac=0"], ["ways: ORCAx takes its quote", "token_way.OR"]),
        (["--set", "max_pool_frac=0.1"], ["max_pool_frac was 0.1 and does nothing"]),
        (["--set", "token_session.ORCA=24/7"], ["no token of this run: did you mean ORCAx?"]),
        (["--set", "after_revoke=sell", "--set", "shocks=ignore"], ["after_revoke does nothing"]),
        (["--set", "portfolio_cap_usd=1e5"], ["portfolio_cap_usd was 100000 and does nothing"]),
    ],
)
def test_a_book_that_cannot_be(
    inside: Command, month: Path, work: Path, arguments: list[str], words: list[str]
) -> None:
    refused(inside("backtest", "funding_carry", "--data", month, *arguments, cwd=work), 2, *words)
    assert names(work) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"capital = \n", ["run.toml", "not TOML", "line 1"]),
        (b"capitol = 3\n", ["run.toml", "no setting capitol", "did you mean capital?"]),
        (b"margin_share = 1.5\n", ["run.toml", "margin_share was 1.5"]),
        (b"name = '\xff'\n", ["run.toml", "UTF-8"]),
    ],
)
def test_a_wrong_run_file(inside: Command, work: Path, text: bytes, words: list[str]) -> None:
    (work / "run.toml").write_bytes(text)
    refused(inside("backtest", "funding_carry", "--config", "run.toml", cwd=work), 2, *words)
    assert names(work) == ["run.toml"]


def test_no_strategy_named(inside: Command, work: Path) -> None:
    refused(inside("backtest", cwd=work), 2, "strategy")
    refused(inside("bakctest", cwd=work), 2, "bakctest")
    alone = inside(cwd=work)
    assert alone.code == 2
    assert "backtest" in alone.out + alone.err


def test_out_that_cannot_be_written(inside: Command, month: Path, work: Path) -> None:
    (work / "file").write_text("mine")
    (work / "folder").mkdir()
    (work / "folder" / "thesis.txt").write_text("mine")
    before = names(work)
    told = ("backtest", "funding_carry", "--data", month, "--out")
    refused(inside(*told, "file", cwd=work), 2, "file", "is a file")
    refused(inside(*told, "file/below", cwd=work), 2, "cannot be written")
    refused(inside(*told, "folder", cwd=work), 2, "folder", "not a result")
    assert names(work) == before
    assert (work / "folder" / "thesis.txt").read_text() == "mine"


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write to any folder"
)
def test_out_in_a_folder_without_leave(inside: Command, month: Path, work: Path) -> None:
    locked = work / "locked"
    locked.mkdir(mode=0o500)
    told = ("backtest", "funding_carry", "--data", month, "--out", "locked/r")
    refused(inside(*told, cwd=work), 2, "cannot be written", "name another folder")
    assert names(work) == ["locked"]


def test_cache_that_cannot_be_written(command: Command, month: Path, work: Path) -> None:
    (work / "file").write_text("")
    told = ("backtest", "funding_carry", "--data", month)
    refused(command(*told, cwd=work, PERPKIT_CACHE=str(work / "file")), 2, "PERPKIT_CACHE", "file")
    assert names(work) == ["file"]


# --------------------------------------------------------------------------- the data: 3


def change(folder: Path, table: str, **columns: pl.Expr) -> None:
    path = folder / f"{table}.parquet"
    pl.read_parquet(path).with_columns(**columns).write_parquet(path)


def drop_column(folder: Path) -> None:
    path = folder / "perps.parquet"
    pl.read_parquet(path).drop("external_px").write_parquet(path)


def nan_price(folder: Path) -> None:
    third = pl.int_range(pl.len()) == 2
    nan = pl.when(third).then(float("nan")).otherwise(pl.col("mid_px"))
    change(folder, "perps", mid_px=nan)


def repeat_hour(folder: Path) -> None:
    path = folder / "perps.parquet"
    whole = pl.read_parquet(path)
    pl.concat([whole, whole[5:6]]).write_parquet(path)


def mid_for_a_quote(folder: Path) -> None:
    orca = pl.col("token") == "ORCAx"
    change(
        folder, "tokens", ask_px=pl.when(orca).then(pl.col("bid_px")).otherwise(pl.col("ask_px"))
    )


def forget_multiplier(folder: Path) -> None:
    about = folder / "dataset.toml"
    head, tail = about.read_text().split("[tokens.FALCx]")
    about.write_text(f"{head}[tokens.FALCx]{tail.replace('multiplier = 1.0', '', 1)}")
    falc = pl.col("token") == "FALCx"
    change(folder, "tokens", multiplier=pl.when(falc).then(None).otherwise(pl.col("multiplier")))


def other_coin(folder: Path) -> None:
    change(folder, "perps", coin=pl.col("coin").replace("sim:LYNX", "sim:LYMX"))


def no_parquet(folder: Path) -> None:
    (folder / "tokens.parquet").write_text("not Parquet")


def no_table(folder: Path) -> None:
    (folder / "perps.parquet").unlink()


def broken_toml(folder: Path) -> None:
    (folder / "dataset.toml").write_text("schema = 1\nname = \n")


@pytest.mark.parametrize(
    ("break_it", "words"),
    [
        (drop_column, ["perps.parquet", "external_px", "missing"]),
        (nan_price, ["perps.parquet", "mid_px", "NaN", "2025-10-13 02:00Z", "1 row"]),
        (repeat_hour, ["perps.parquet", "time", "repeats", "1 row"]),
        (mid_for_a_quote, ["ORCAx", "bid = ask", "token_half_spread_frac"]),
        (forget_multiplier, ["multiplier of FALCx", "dataset.toml", "--set multiplier.FALCx"]),
        (other_coin, ["sim:LYMX", "dataset.toml"]),
        (no_parquet, ["tokens.parquet", "Parquet"]),
        (no_table, ["perps.parquet"]),
        (broken_toml, ["dataset.toml", "TOML", "line 2"]),
    ],
)
def test_wrong_data(
    inside: Command,
    broken: Path,
    work: Path,
    break_it: Callable[[Path], None],
    words: list[str],
) -> None:
    break_it(broken)
    refused(inside("backtest", "funding_carry", "--data", broken, cwd=work), 3, *words)
    assert names(work) == []


def test_the_remedies_work(inside: Command, broken: Path, work: Path) -> None:
    mid_for_a_quote(broken)
    forget_multiplier(broken)
    told = ("--set", "token_half_spread_frac=0.002", "--set", "multiplier.FALCx=1.0")
    ran = inside("backtest", "funding_carry", "--data", broken, *told, cwd=work)
    assert (ran.code, ran.err) == (0, "")


def test_data_that_is_not_there(inside: Command, month: Path, work: Path) -> None:
    told = ("backtest", "funding_carry", "--data")
    refused(inside(*told, "nowhere", cwd=work), 3, "nowhere", "dataset.toml")
    refused(inside(*told, work, cwd=work), 3, "holds no dataset.toml")
    late = ("--from", "2031-01-01")
    refused(inside(*told, month, *late, cwd=work), 3, "ends at 2025-11-11 23:00Z", "start earlier")
    assert names(work) == []


# --------------------------------------------------------------------------- the strategy: 4


def test_a_strategy_that_is_not_there(inside: Command, work: Path) -> None:
    told = inside("backtest", "funding_cary", cwd=work)
    refused(told, 4, "funding_cary", "did you mean funding_carry?")
    refused(inside("backtest", "mine.py", cwd=work), 4, "mine.py", "check the path")
    assert names(work) == []


@pytest.mark.parametrize(
    ("text", "arguments", "words"),
    [
        ("x = = 1\n", [], ["s.py:1", "invalid syntax"]),
        ("x = 1\n", [], ["s.py", "neither"]),
        (f"{IDLE}def targets(tape):\n    pass\n", [], ["s.py", "both"]),
        ("import nosuch\n", [], ["s.py:1", "nosuch"]),
        ("raise SystemExit(0)\n", [], ["s.py:1", "SystemExit"]),
        ("raise ValueError('one\\ntwo')\n", [], ["s.py:1", "one two"]),
        ("def decide(t, past):\n    pass\n", [], ["s.py:1", "(t, past)"]),
        (IDLE.replace("pass", "target.perps[0] = book.perps[0].positon"), [], ["s.py:2", "positi"]),
        (IDLE.replace("pass", "target.perps[0] = 1.0 / 0.0"), ["--pure-python"], ["s.py:2"]),
        (IDLE.replace("pass", "target.perps[1] = 1e308 * 10"), [], ["sim:FALC", "inf"]),
    ],
)
def test_a_wrong_strategy(
    inside: Command, month: Path, work: Path, text: str, arguments: list[str], words: list[str]
) -> None:
    (work / "s.py").write_text(text)
    refused(inside("backtest", "s.py", "--data", month, *arguments, cwd=work), 4, *words)
    assert names(work) == ["s.py"]


# --------------------------------------------------------------------------- bugs, traces, Ctrl-C


def test_debug_shows_the_trace_and_keeps_the_code(command: Command, work: Path) -> None:
    ran = command("backtest", "funding_carry", "--data", "nowhere", "--debug", cwd=work)
    assert ran.code == 3
    assert ran.err.startswith("Traceback (most recent call last):")
    assert ran.err.splitlines()[-1].startswith("perpkit: nowhere")


def test_a_bug_is_code_1_and_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    from perpkit import run
    from perpkit.cli import main

    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("of all things")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(run, "run", fail)
    assert main(["backtest", "funding_carry"]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.count("\n") == 1
    assert "a bug in perpkit (ZeroDivisionError: of all things)" in told.err
    assert main(["backtest", "funding_carry", "--debug"]) == 1
    assert "Traceback" in capsys.readouterr().err
    assert names(tmp_path) == []


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT to a process of its own")
def test_ctrl_c_leaves_nothing(
    executable: str, plain_env: dict[str, str], month: Path, work: Path, tmp_path: Path
) -> None:
    sign = tmp_path / "under-way"
    slow = tmp_path / "slow.py"
    slow.write_text(
        "import time\nfrom pathlib import Path\n"
        f"def decide(t, past, book, p, mine, target):\n    Path({str(sign)!r}).touch()\n"
        "    time.sleep(0.05)\n"
    )
    # A shell's background job ignores SIGINT and hands that on.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(
        [executable, "backtest", slow, "--data", month, "--pure-python", "--out", "r"],
        cwd=work,
        env=plain_env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    try:
        until = time.monotonic() + 60
        while not sign.exists():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < until
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    finally:
        signal.signal(signal.SIGINT, before)
        process.kill()
    assert (process.returncode, out, err) == (130, "", "perpkit: stopped; nothing was written\n")
    assert names(work) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_full_disk_under_the_output_is_no_bug() -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        done = subprocess.run(
            [sys.executable, "-m", "perpkit", "--help"],
            stdout=full,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            check=False,
        )
    assert done.returncode == 2
    assert done.stderr.startswith("perpkit: the disk is full (")
    assert done.stderr.endswith("make room and run again\n")


def test_output_that_nobody_reads_is_no_fault() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "perpkit", "--help"],
        stdout=writer,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        check=False,
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")


def test_ctrl_c_is_answered_from_the_first_import_on(tmp_path: Path) -> None:
    (tmp_path / "typer.py").write_text("raise KeyboardInterrupt\n", encoding="utf-8")
    paths = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-m", "perpkit", "--help"],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr == "perpkit: stopped; nothing was written\n"
