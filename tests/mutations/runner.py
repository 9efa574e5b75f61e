"""One planted fault, played against the suite: a copy, an edit, a child process."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OWN = threading.local()
FORKERS: list[subprocess.Popen[str]] = []
PARTS = ("perpkit", "strategies", "data", "tests", "pyproject.toml")
TIMEOUT = 900.0  # seconds; the whole battery takes some 200 beside other work
WORLDS = "40"  # of each family of rules, in place of 24

# Most faults die in the first of these.
BATTERY = (
    "tests/book",
    "tests/test_actions.py",
    "tests/market",
    "tests/tape",
    "tests/settlement",
    "tests/mutations/test_gaps.py",
    "tests/museum",
    "tests/twin",
)
# Compiled runs, and walks over a year of the demo that take seconds uncompiled.
SLOW = (
    "tests/twin/test_twin_book.py::test_compiled",
    "tests/twin/test_twin_book.py::test_worlds_reach_every_rule",
    "tests/twin/test_twin_rules.py::test_compiled",
    "tests/twin/test_twin_rules.py::test_worlds_reach_every_rule",
    "tests/twin/test_twin_rules.py::test_causes_of_the_twin_are_all_of_what_equity_changed_by",
    "tests/twin/test_twin_market.py::test_compiled",
    "tests/twin/test_twin_market.py::test_1200_updates_compiled",
    "tests/tape/test_form.py::test_demo_cut_short_has_the_same_past",
    "tests/tape/test_form.py::test_future_of_noise_leaves_the_demos_past",
    "tests/tape/test_form.py::test_without_recorded_extremes_the_marks_alone",
    "tests/market/test_oracle.py::test_demo_at_1200_updates_binds_nowhere",
    "tests/market/test_oracle.py::test_demo_facts_are_those_of_an_independent_walk",
    "tests/market/test_oracle.py::test_demo_gaps_crawl",
)
# What looks at a file the closest, tried before the battery.
CLOSEST = {
    "book/actions.py": "tests/book/test_actions.py",
    "book/adl.py": "tests/book/test_adl.py",
    "book/delever.py": "tests/twin/test_twin_rules.py::test_family[delever]",
    "book/fills.py": "tests/book/test_fills.py",
    "book/isolated.py": "tests/book/test_isolated.py",
    "book/barred.py": "tests/book/test_locks.py",
    "book/legs.py": "tests/book/test_legs.py",
    "book/limits.py": "tests/book/test_limits.py",
    "book/liquidation.py": "tests/book/test_liquidation.py",
    "book/locks.py": "tests/book/test_locks.py",
    "book/loop.py": "tests/book/test_hour.py",
    "book/margin.py": "tests/book/test_margin.py",
    "book/mirror.py": "tests/book/test_collateral.py",
    "book/offers.py": "tests/book/test_offers.py",
    "book/orders.py": "tests/book/test_orders.py",
    "book/path.py": "tests/book/test_liquidation.py",
    "book/payments.py": "tests/book/test_payments.py",
    "book/prices.py": "tests/book/test_liquidation.py",
    "book/record.py": "tests/book/test_hour.py",
    "book/redeem.py": "tests/twin/test_twin_rules.py::test_family[redemption]",
    "book/shocks.py": "tests/book/test_shocks.py",
    "book/targets.py": "tests/book/test_hour.py",
    "book/tiers.py": "tests/book/test_tiers.py",
    "book/treasury.py": "tests/book/test_treasury.py",
    "book/view.py": "tests/book/test_hour.py",
    "book/ways.py": "tests/book/test_ways.py",
    "ledger/causes.py": "tests/book/test_ledger.py",
    "ledger/holdings.py": "tests/book/test_ledger.py",
    "ledger/tables.py": "tests/book/test_ledger.py",
    "ledger/words.py": "tests/book/test_ledger.py",
    "market/bounds.py": "tests/market/test_mark.py",
    "market/funding.py": "tests/market/test_funding.py",
    "market/futures.py": "tests/market/test_futures.py",
    "market/hour.py": "tests/market/test_closed.py",
    "market/loop.py": "tests/market/test_oracle.py",
    "market/oracle.py": "tests/market/test_oracle.py",
    "market/piece.py": "tests/market/test_mark.py",
    "market/premium.py": "tests/market/test_premium.py",
    "market/quotes.py": "tests/market/test_quotes.py",
    "market/steps.py": "tests/market/test_oracle.py",
    "market/update.py": "tests/market/test_closed.py",
    "metrics/formula.py": "tests/cli/test_funding_both.py",
    "rulebook/record.py": "tests/book/test_tiers.py",
    "settlement/cost.py": "tests/settlement",
    "settlement/machine.py": "tests/settlement",
    "settlement/odds.py": "tests/settlement",
    "settlement/table.py": "tests/settlement",
    "run.py": "tests/test_actions.py",
    "tape/actions.py": "tests/test_actions.py",
    "tape/announced.py": "tests/tape/test_announced.py",
    "tape/build.py": "tests/tape/test_settlements.py",
    "tape/caps.py": "tests/tape/test_caps.py",
    "tape/collateral.py": "tests/tape/test_collateral.py",
    "tape/currencies.py": "tests/tape/test_currencies.py",
    "tape/formula.py": "tests/cli/test_funding_both.py",
    "tape/grid.py": "tests/tape/test_grid.py",
    "tape/instruments.py": "tests/tape/test_form.py",
    "tape/modes.py": "tests/tape/test_modes.py",
    "tape/prices.py": "tests/tape/test_grid.py",
    "tape/quotes.py": "tests/tape/test_instruments.py",
    "tape/redemption.py": "tests/tape/test_collateral.py",
    "tape/settlements.py": "tests/tape/test_settlements.py",
    "tape/settling.py": "tests/tape/test_settling.py",
    "tape/shocks.py": "tests/tape/test_shocks.py",
    "tape/splits.py": "tests/test_actions.py",
    "tape/switches.py": "tests/tape/test_sessions_market.py",
    "tape/ways.py": "tests/tape/test_ways_laid.py",
}
# A fault is a program that runs and is wrong; these are programs that do not run.
CRASHES = ("NameError", "SyntaxError", "IndentationError", "ImportError", "UnboundLocalError")

RULES = "tests/twin/test_twin_rules.py"


def family(name: str) -> str:
    """The test of a family of rules against the twin."""
    return f"{RULES}::test_family[{name}]"


@dataclass(frozen=True, slots=True)
class Fault:
    """A plausible mistake, as a textual edit that matches once in the present source."""

    name: str
    file: str  # below perpkit/
    before: str
    after: str
    first: str = ""  # tests that catch it sooner than those closest to its file

    def misfit(self, root: Path = ROOT) -> str:
        """Why the edit cannot be made in the present source; "" where it can."""
        path = root / "perpkit" / self.file
        if not path.is_file():
            return f"fault {self.name!r}: perpkit/{self.file} is no more; plant it where it moved"
        found = path.read_text(encoding="utf-8").count(self.before)
        if found == 1:
            return ""
        return (
            f"fault {self.name!r}: its text stands {found} times in perpkit/{self.file}, not once; "
            f"bring the list of faults up to date with the source:\n{self.before}"
        )


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a child process said: ``caught``, ``survived``, or ``broken`` where it cannot tell."""

    word: str
    by: str  # the first failing test, or what went wrong


def copy_of(parent: Path, name: str, source: Path = ROOT) -> Path:
    """A copy of what the battery needs, without what the checkout has cached.

    A copy of a copy is links to its files, so nothing may write into one.
    """
    made = parent / name
    made.mkdir(parents=True)
    first = source == ROOT
    cached = shutil.ignore_patterns("__pycache__", ".*") if first else None
    put = shutil.copy2 if first else os.link
    for part in PARTS:
        if (source / part).is_dir():
            shutil.copytree(source / part, made / part, ignore=cached, copy_function=put)
        else:
            put(source / part, made / part)
    return made


def plant(fault: Fault, copy: Path) -> None:
    """Make the edit in a copy."""
    if told := fault.misfit(copy):
        raise ValueError(told)
    path = copy / "perpkit" / fault.file
    text = path.read_text(encoding="utf-8")
    path.unlink()  # the file of the other copies stays as it is
    path.write_text(text.replace(fault.before, fault.after), encoding="utf-8")
    for stale in (path.parent / "__pycache__").glob(f"{path.stem}.*"):
        stale.unlink()


def forker() -> subprocess.Popen[str]:
    """The process of this thread that forks its children."""
    if not hasattr(OWN, "process"):
        # Set before numba is imported, and threads of its own would not live on in a fork.
        env = {**os.environ, "NUMBA_DISABLE_JIT": "1", "OPENBLAS_NUM_THREADS": "1"}
        # Modules are compiled once, for the copy without a fault, and not in every child.
        env |= {"PYTHONDONTWRITEBYTECODE": ""}
        OWN.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("forking.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=env,
            text=True,
        )
        FORKERS.append(OWN.process)
    return OWN.process


def end_forkers() -> None:
    """End the processes of all threads, which are idle by now."""
    for process in FORKERS:
        process.communicate()
    FORKERS.clear()
    vars(OWN).clear()


def battery(copy: Path, tests: tuple[str, ...] = BATTERY) -> Verdict:
    """Run tests of a copy, uncompiled, up to the first failure."""
    args = ["-x", "-q", "-rfE", "--tb=line", "-p", "no:cacheprovider"]
    args += ["-p", "_hypothesis_pytestplugin", "-p", "quick"]
    args += ["--hypothesis-seed=0", "-m", "not shared and not mutation"]
    args += [x for test in SLOW for x in ("--deselect", test)]
    args += [t for t in tests if (copy / t.partition("::")[0]).exists()]
    paths = [str(copy), str(copy / "tests" / "mutations")]
    alone = {"PERPKIT_CACHE": str(copy / "cache"), "PYTHONPATH": os.pathsep.join(paths)}
    # Of the plugins that are installed the battery needs one, which is named.
    alone |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    alone |= {"PERPKIT_TWIN_WORLDS": WORLDS, "COLUMNS": "400"}
    out = copy.with_name(f"{copy.name}.out")
    told = {"cwd": str(copy), "env": alone, "path": paths, "args": args, "out": str(out)}
    process = forker()
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps({**told, "seconds": TIMEOUT}) + "\n")
    process.stdin.flush()
    code = json.loads(process.stdout.readline())
    if code is None:
        return Verdict("broken", f"no end after {TIMEOUT:.0f} s")
    return read(code, out.read_text(encoding="utf-8", errors="replace"))


def read(code: int, told: str) -> Verdict:
    """A child's verdict: a failing test is a catch, anything else that is not success is a fault
    in the fault."""
    if code == 0:
        return Verdict("survived", "")
    failed = re.search(r"^FAILED (.*)$", told, re.MULTILINE)
    if code != 1 or failed is None:
        return Verdict("broken", told[-1500:])
    by = failed[1]
    if crash := next((name for name in CRASHES if f"{name}:" in by), ""):
        return Verdict("broken", f"{crash}, which no reviewer would miss: {by}")
    return Verdict("caught", by)


def judge(fault: Fault, parent: Path, source: Path, number: int) -> Verdict:
    """The verdict on one fault: the tests of its hint, and the whole battery if they let it by."""
    copy = copy_of(parent, f"fault-{number}", source)
    try:
        plant(fault, copy)
        verdict = battery(copy, (fault.first or CLOSEST[fault.file],))
        return verdict if verdict.word == "caught" else battery(copy)
    finally:
        shutil.rmtree(copy, ignore_errors=True)
