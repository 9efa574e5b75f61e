"""Who compiles what: the book loop in a process of its own, where that saves time."""

from __future__ import annotations

from pathlib import Path

import pytest

from perpkit import engine
from perpkit.strategy.load import load

CARRY = load("funding_carry")


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was asked for, in order, with nothing compiled and two processors."""
    done: list[str] = []
    for name in ("market_loop.is_compiled", "book_loop.is_compiled", "is_compiled"):
        monkeypatch.setattr(f"perpkit.engine.{name}", lambda *_: False)
    for name in ("market_loop.compiled", "book_loop.compiled", "compiled_entry"):
        monkeypatch.setattr(f"perpkit.engine.{name}", lambda *_, n=name: done.append(n))
    monkeypatch.setattr(engine, "_processors", lambda: range(2))
    monkeypatch.setattr("numba.config.DISABLE_JIT", 0)
    return done


def says(path: Path, word: str) -> str:
    return f"open({str(path)!r}, 'w').write({word!r})"


def test_the_book_is_compiled_apart_and_then_loaded(
    told: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    note = tmp_path / "note"
    monkeypatch.setattr(engine, "_BOOK", f"import perpkit; {says(note, 'compiled')}")
    engine.prepare(CARRY)
    assert note.read_text(encoding="utf-8") == "compiled", "prepare waits for it"
    assert told == ["market_loop.compiled", "compiled_entry", "book_loop.compiled"]


def test_a_helper_that_fails_is_made_up_for(
    told: list[str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(engine, "_BOOK", "raise SystemExit('no')")
    engine.prepare(CARRY)
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    engine.prepare(CARRY)
    assert told.count("book_loop.compiled") == 2
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("perpkit.engine._processors", lambda: range(1)),
        ("perpkit.engine.book_loop.is_compiled", lambda: True),
        ("numba.config.DISABLE_JIT", 1),
        ("sys.executable", ""),
    ],
)
def test_no_process_is_started_where_it_saves_nothing(
    told: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    value: object,
) -> None:
    note = tmp_path / "note"
    monkeypatch.setattr(engine, "_BOOK", says(note, "compiled"))
    monkeypatch.setattr(name, value)
    engine.prepare(CARRY)
    assert not note.exists()
    assert told[-1] == "book_loop.compiled"


def test_words_of_the_helper_compile_the_book() -> None:
    made = compile(engine._BOOK, "helper", "exec")
    assert made.co_names == ("perpkit.book.loop", "compiled")


def test_there_is_a_processor() -> None:
    assert len(engine._processors()) >= 1
