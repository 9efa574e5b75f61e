"""What the other tests of market and book leave out, and that they can be measured uncompiled."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from perpkit.arrays import Book, Out, Rows
from perpkit.book import loop as book_loop
from perpkit.book.record import write_row
from perpkit.book.write import write_payment
from perpkit.layout import blank
from perpkit.market import loop as market_loop
from perpkit.rule import digest, rule_sources

PLAIN = """\
from perpkit.book import loop as book
from perpkit.market import loop as market

assert book.compiled() is book.run_hours
assert market.compiled() is market.form_market
"""


def out_of(payments: int) -> Out:
    return blank(Out, fills=1, payments=payments, events=1, three=3)


def test_payments_that_are_not_kept() -> None:
    out = out_of(0)
    write_payment(3, 1, (0, 1), (1.0, 2.0, 3.0), out)
    assert out.used.tolist() == [0, 0, 0]
    out = out_of(1)
    write_payment(3, 1, (0, 1), (1.0, 2.0, 3.0), out)
    assert out.used.tolist() == [0, 1, 0]
    assert out.payments[0].tolist() == (3, 1, 0, 1, 1.0, 2.0, 3.0)


def test_equity_is_written_where_the_rest_is_not_kept() -> None:
    book = blank(Book, M=2, K=1, A=2)
    book.accounts.cash_usd[:] = 40.0, 2.0
    book.accounts.equity_usd[:] = 40.0, 2.0
    none = blank(Rows, T=0, M=2, K=1, A=2)
    lean = none._replace(equity_usd=np.zeros(3))
    write_row(1, book, lean)
    assert lean.equity_usd.tolist() == [0.0, 42.0, 0.0]
    whole = blank(Rows, T=3, M=2, K=1, A=2)
    write_row(1, book, whole)
    assert whole.equity_usd.tolist() == [0.0, 42.0, 0.0]
    assert whole.account.cash_usd.tolist() == [[0.0, 0.0], [40.0, 2.0], [0.0, 0.0]]


def test_a_loop_is_compiled_when_its_code_is_in_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PERPKIT_CACHE", str(tmp_path))
    assert not market_loop.is_compiled()
    assert not book_loop.is_compiled()
    for kind, loop in (("market", market_loop), ("book", book_loop)):
        folder = tmp_path / f"{kind}-{digest(rule_sources())}" / "of-a-file"
        folder.mkdir(parents=True)
        assert not loop.is_compiled()
        (folder / "loop.1.nbc").touch()
        assert loop.is_compiled()


def test_without_the_compiler_a_loop_is_its_own_source(tmp_path: Path) -> None:
    """Coverage sees the lines of plain functions alone."""
    done = subprocess.run(
        [sys.executable, "-c", PLAIN],
        env=os.environ | {"NUMBA_DISABLE_JIT": "1", "PERPKIT_CACHE": str(tmp_path)},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
