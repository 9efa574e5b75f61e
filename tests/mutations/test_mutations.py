"""Every planted fault is caught: a change of a rule that no test notices is a hole in the suite.

``pytest -m mutation`` plants them one by one in copies, two at a time, and plays the suite against
each uncompiled. That the list fits the present source is a test of every run.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from faults import FAULTS
from runner import (
    BATTERY,
    CLOSEST,
    ROOT,
    SLOW,
    Fault,
    Verdict,
    battery,
    copy_of,
    end_forkers,
    judge,
    read,
)

WORKERS = 2
BY_NAME = {fault.name: fault for fault in FAULTS}


# --------------------------------------------------------------------------- the list itself


def test_every_fault_fits_the_present_source() -> None:
    told = [misfit for fault in FAULTS if (misfit := fault.misfit())]
    assert not told, "\n".join(told)


def test_every_fault_is_a_change_with_a_name_of_its_own() -> None:
    assert len(FAULTS) >= 40
    assert len(BY_NAME) == len(FAULTS)
    assert len({(f.file, f.before, f.after) for f in FAULTS}) == len(FAULTS)
    assert not [f.name for f in FAULTS if f.before == f.after]


def test_every_test_that_is_named_is_there() -> None:
    named = {*BATTERY, *SLOW, *CLOSEST.values(), *(f.first for f in FAULTS if f.first)}
    for path, _, test in (name.partition("::") for name in named):
        assert (ROOT / path).exists(), path
        function = test.partition("[")[0]
        assert not test or f"def {function}(" in (ROOT / path).read_text(encoding="utf-8"), test


def test_a_fault_that_no_longer_fits_is_named() -> None:
    lost = Fault("signs are swapped", "book/fills.py", "no such line", "", "")
    assert lost.misfit().startswith(
        "fault 'signs are swapped': its text stands 0 times in perpkit/book/fills.py, not once; "
        "bring the list of faults up to date with the source"
    )
    assert "is no more" in Fault("moved", "book/nowhere.py", "", "", "").misfit()


@pytest.mark.parametrize(
    ("code", "told", "word"),
    [
        (0, "12 passed", "survived"),
        (1, "FAILED tests/a.py::test_b - assert 1 == 2\n1 failed", "caught"),
        (1, "FAILED tests/a.py::test_b - NameError: name 'x' is not defined", "broken"),
        (1, "ERROR tests/a.py::test_b - perpkit.errors.DataError: no", "broken"),
        (2, "ERROR tests/a.py - ImportError: cannot import name", "broken"),
        (4, "ERROR: not found: tests/a.py", "broken"),
        (5, "no tests ran", "broken"),
    ],
)
def test_only_a_failing_test_is_a_catch(code: int, told: str, word: str) -> None:
    assert read(code, told).word == word


# --------------------------------------------------------------------------- the faults, planted


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where copies are made; the first is the source as it is."""
    made = tmp_path_factory.mktemp("mutations")
    copy_of(made, "unchanged")
    yield made
    end_forkers()


@pytest.fixture(scope="module")
def verdicts(
    request: pytest.FixtureRequest, workshop: Path
) -> Iterator[dict[str, Future[Verdict]]]:
    """The verdicts to come on the faults that this session asks for."""
    asked = [
        item.callspec.params["name"]
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.originalname == "test_caught"
    ]
    source = workshop / "unchanged"
    with ThreadPoolExecutor(WORKERS) as pool:
        yield {
            name: pool.submit(judge, BY_NAME[name], workshop, source, number)
            for number, name in enumerate(asked)
        }
        pool.shutdown(wait=True, cancel_futures=True)


@pytest.mark.mutation
def test_the_source_as_it_is_passes(workshop: Path) -> None:
    verdict = battery(workshop / "unchanged")
    assert verdict.word == "survived", f"without a fault the battery says: {verdict.by}"


@pytest.mark.mutation
@pytest.mark.parametrize("name", BY_NAME)
def test_caught(verdicts: dict[str, Future[Verdict]], name: str) -> None:
    verdict = verdicts[name].result()
    fault = BY_NAME[name]
    where = f"{fault.name!r} in perpkit/{fault.file}"
    assert verdict.word != "survived", (
        f"no test notices the fault {where}; write the one that does:\n"
        f"-{fault.before}\n+{fault.after}"
    )
    assert verdict.word == "caught", f"the fault {where} is no program that runs: {verdict.by}"
