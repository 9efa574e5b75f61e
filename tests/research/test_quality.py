"""Planted faults are found, each once, and what is certain is mended."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from planting import COINS, FAULTS, HOURS, Tables, clean, name_of, save, split

from perpkit.research.check import DataCheck, check_data
from perpkit.research.findings import Severity


@pytest.fixture(scope="module")
def tables() -> Tables:
    return clean()


def said(found: DataCheck) -> list[str]:
    return [f"{f.check}: {f.sentence}" for f in found.findings]


def test_the_clean_one_has_none(tables: Tables, tmp_path: Path) -> None:
    found = check_data(save(tmp_path / "clean", tables))
    assert said(found) == []


@pytest.mark.parametrize("kind", FAULTS)
def test_one_fault_is_one_finding(kind: str, tables: Tables, tmp_path: Path) -> None:
    fault = FAULTS[kind]
    own = dict(tables)
    n, row = sum(map(ord, kind)) % 4, 100 + sum(map(ord, kind)) % 300
    fault.plant(own, n, row)
    folder = save(tmp_path / "spoiled", own)
    found = check_data(folder, fix=tmp_path / "fixed")
    assert [f.check for f in found.findings] == [fault.check], said(found)
    (one,) = found.findings
    assert one.fixable == fault.fixable, said(found)
    assert one.rows > 0
    assert found.fixed is not None
    if fault.fixable:
        assert found.fixed.log.height > 0
        assert said(check_data(tmp_path / "fixed")) == []
        assert found.left == ()
    else:
        assert found.fixed.log.height == 0
        assert said(check_data(tmp_path / "fixed")) == said(found)
