"""Compiled code: made once, shared by strategies and processes, made anew after any edit."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numba
import pytest
from numba import types

import perpkit
from perpkit import rule as rules
from perpkit.errors import RequestError
from perpkit.rule import CacheError, Entry, compile_cached, digest, rule_sources

ROOT = Path(__file__).resolve().parents[1]
CARRY = """\
from {helper} import units

def decide(t, past, book, p, mine, target):
    if t == 5:
        target.perps[0] = -units(1.0)
        target.tokens[0] = units(1.0)
"""
HELPER = "from perpkit.strategy import rule\n@rule\ndef units(size):\n    return 1.0 * size\n"
# What the hour of the copy goes without: a book loop that pays funding and fills compiles in a part
# of the time, and is kept and found by the same means as the whole.
LEFT_OUT = {
    "loop": (
        *("strike_tokens", "fail_venues", "act", "pay_redemptions", "end_legs", "accrue_yield"),
        *("pay_interest", "liquidate", "call_in", "deleverage", "return_margin", "manage"),
        *("lay_tiers", "deliver", "price_liquidations"),
    ),
    "orders": (
        *("refuse_reentry", "wait_for_legs", "drop_waiting", "match_hedges", "limit_orders"),
        *("cut_sales", "trim_perps", "trim_tokens"),
    ),
}
# With a strategy a run prints what it earned; without one, the sum of the market's rates.
RUN = """\
import sys
import perpkit
from perpkit.config import check_config
from perpkit.run import open_dataset
from perpkit.tape import form
assert list(perpkit.__path__) == [sys.argv[1]], perpkit.__path__
if len(sys.argv) > 2:
    told = perpkit.backtest(sys.argv[2], config={"end": "2025-10-16"})
    print(repr(told.summary["funding_usd"]))
else:
    config = check_config({"end": "2025-10-16"})
    print(repr(float(form(open_dataset(config), config).tape.funding[1:].sum())))
"""

# Two functions of one name, each compiled by a process of its own, then called by a third.
TWO = """\
import sys
from pathlib import Path
import numba
from numba import types
from perpkit.rule import Entry, compile_cached

def made(file):
    n = int(Path(file).read_text())
    def decide(t):
        return t + n
    entry = Entry("strategy", (Path(file),))
    return compile_cached(decide, types.int64(types.int64), entry, counted=False)

pointer = types.FunctionType(types.int64(types.int64))
call = numba.njit(types.int64(pointer, types.int64))(lambda f, t: f(t))
both = [made(file) for file in sys.argv[1:]]
print(*[call(one, 40) for one in both])
"""


def play(package: Path, cache: Path, *strategy: Path) -> float:
    """What a process of its own prints, with the perpkit of a folder."""
    # Unoptimised code computes the same and compiles faster.
    env = os.environ | {
        "PERPKIT_CACHE": str(cache),
        "PYTHONPATH": str(package),
        "NUMBA_OPT": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(package / "perpkit"), *map(str, strategy)],
        env=env,
        cwd=package,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return float(done.stdout)


def entries(cache: Path, kind: str) -> dict[str, int]:
    """Compiled code of a kind: file and when it was written."""
    found = cache.glob(f"{kind}-*/**/*.nbc")
    return {p.relative_to(cache).as_posix(): p.stat().st_mtime_ns for p in found}


def write_strategy(folder: Path, name: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / f"{name}_helper.py").write_text(HELPER)
    (folder / f"{name}.py").write_text(CARRY.format(helper=f"{name}_helper"))
    return folder / f"{name}.py"


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert text.count(old) == 1
    file.write_text(text.replace(old, new), encoding="utf-8")


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """perpkit in a folder of its own, free to be edited, with a shorter hour."""
    folder = tmp_path_factory.mktemp("copied")
    ignore = shutil.ignore_patterns("__pycache__")
    for name in ("perpkit", "strategies", "data"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignore)
    for file, names in LEFT_OUT.items():
        path = folder / "perpkit" / "book" / f"{file}.py"
        text = path.read_text(encoding="utf-8")
        for name in names:
            text, found = re.subn(rf"^( +){name}\(.*", r"\1pass", text, flags=re.MULTILINE)
            assert found, f"{path.name} calls no {name}"
        path.write_text(text, encoding="utf-8")
    return folder


def test_one_engine_serves_strategies_and_processes_until_a_rule_is_edited(
    copied: Path, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    one, two = (write_strategy(tmp_path / "own", name) for name in ("one", "two"))

    first = play(copied, cache, one)
    assert first != 0.0
    engine = {kind: entries(cache, kind) for kind in ("market", "book")}
    assert {kind: len(found) for kind, found in engine.items()} == {"market": 1, "book": 1}
    assert len(entries(cache, "strategy")) == 1

    # A second strategy in a second process loads both loops and compiles its own entry alone.
    assert play(copied, cache, two) == first
    assert {kind: entries(cache, kind) for kind in ("market", "book")} == engine
    own = entries(cache, "strategy")
    assert len(own) == 2

    # An edit in the strategy's own helper compiles that strategy anew, and nothing else.
    edit(tmp_path / "own" / "two_helper.py", "1.0 *", "2.0 *")
    assert play(copied, cache, two) == pytest.approx(2 * first, rel=1e-12)
    assert {kind: entries(cache, kind) for kind in ("market", "book")} == engine
    assert len(entries(cache, "strategy")) == 3
    assert entries(cache, "strategy").items() >= own.items()

    # An edit in a rule, far from the loop's own file, compiles the loop anew.
    rates = play(copied, cache)
    assert entries(cache, "market") == engine["market"]
    edit(copied / "perpkit" / "market" / "funding.py", "rate_8h / 8.0", "rate_8h / 4.0")
    assert play(copied, cache) == pytest.approx(2 * rates, rel=1e-9)
    assert len(entries(cache, "market")) == 2
    assert entries(cache, "market").items() >= engine["market"].items()
    assert not list(copied.rglob("*.nbc")), "nothing is kept beside the sources"


def test_every_source_of_the_loops_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "perpkit"
    shutil.copytree(ROOT / "perpkit", package, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(rules, "_HERE", package)
    names = {p.relative_to(package).as_posix() for p in rule_sources()}
    shared = {"arrays.py", "records.py", "rule.py", "shapes.py"}
    assert {*shared, "market/loop.py", "book/loop.py"} <= names
    assert {p.relative_to(package).as_posix() for p in package.glob("book/*.py")} <= names
    assert {p.relative_to(package).as_posix() for p in package.glob("market/*.py")} <= names
    seen = {digest(rule_sources())}
    for source in rule_sources():
        source.write_text(source.read_text(encoding="utf-8") + "# edited\n", encoding="utf-8")
        seen.add(digest(rule_sources()))
    assert len(seen) == 1 + len(names)


def test_flags_that_change_code_count(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = digest([])
    monkeypatch.setattr(numba.config, "BOUNDSCHECK", 1)
    assert digest([]) != plain


def _double(x: float) -> float:
    return 2.0 * x


SIGNATURE: Any = types.float64(types.float64)
ENTRY = Entry("strategy", (Path(__file__),))


def test_numbas_own_setting_is_restored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERPKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(numba.config, "CACHE_DIR", "as it was")
    made = compile_cached(_double, SIGNATURE, ENTRY, counted=False)
    assert made(4.0) == 8.0
    assert numba.config.CACHE_DIR == "as it was"
    assert len(list((tmp_path / "cache").glob("strategy-*/**/*.nbc"))) == 1

    def broken(x: float) -> float:
        return x + "a"  # type: ignore[operator]

    with pytest.raises(numba.TypingError):
        compile_cached(broken, SIGNATURE, ENTRY, counted=False)
    assert numba.config.CACHE_DIR == "as it was"


def test_a_cache_that_cannot_be_written_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PERPKIT_CACHE", str(tmp_path / "file"))
    with pytest.raises(CacheError, match="set PERPKIT_CACHE to a folder that can be written"):
        compile_cached(_double, SIGNATURE, ENTRY, counted=False)
    (tmp_path / "s.py").write_text("def decide(t, past, book, p, mine, target):\n    pass\n")
    with pytest.raises(RequestError, match="PERPKIT_CACHE"):
        perpkit.backtest(tmp_path / "s.py", config={"end": "2025-10-14"})


def test_a_folder_that_looks_fine_and_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Numba itself would fall back in silence to a cache that sees no edit in other files."""

    def refuse(**_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setenv("PERPKIT_CACHE", str(tmp_path))
    monkeypatch.setattr("perpkit.rule.tempfile.TemporaryFile", refuse)
    with pytest.raises(CacheError, match="Permission denied"):
        compile_cached(_double, SIGNATURE, ENTRY, counted=False)
    assert not (ROOT / "tests" / "__pycache__" / "test_cache._double.nbi").exists()


def test_an_edit_after_the_import_is_not_taken_for_what_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else the code of the old text would be kept, and called, under the digest of the new."""
    before = digest(rule_sources())
    monkeypatch.setattr(Path, "read_bytes", lambda _: b"edited meanwhile")
    assert digest(rule_sources()) == before
    assert digest([Path("a strategy.py")]) != before


def test_code_of_one_name_is_not_called_for_another(tmp_path: Path) -> None:
    script = tmp_path / "calls.py"
    script.write_text(TWO, encoding="utf-8")
    files = [tmp_path / "one", tmp_path / "two"]
    for n, file in enumerate(files, start=1):
        file.write_text(str(n), encoding="utf-8")
    env = os.environ | {"PERPKIT_CACHE": str(tmp_path / "cache")}

    def told(*files: Path) -> str:
        done = subprocess.run(
            [sys.executable, str(script), *map(str, files)],
            env=env | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    assert [told(file) for file in files] == ["41", "42"]
    assert told(*files) == "41 42"
    assert told(*reversed(files)) == "42 41"
