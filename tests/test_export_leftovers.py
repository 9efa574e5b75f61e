"""What a killed process left beside a result is cleared away, and nothing else is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from perpkit.export import MARK, Files, save

FILES = Files({"equity": pl.DataFrame({"a": [1]})}, {"schema": 1}, {"versions": {"perpkit": "1"}})


@pytest.fixture(scope="module")
def gone() -> int:
    """The number of a process that is no more."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def leave(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / MARK).write_text('{"versions": {"perpkit": "0"}}', encoding="utf-8")
    return folder


posix = pytest.mark.skipif(sys.platform == "win32", reason="asking for a process would end it")


@posix
def test_parts_of_a_killed_process_are_cleared_away(tmp_path: Path, gone: int) -> None:
    leave(tmp_path / f".r.part-{gone}")
    leave(tmp_path / f".r.old-{gone}")
    save(FILES, tmp_path / "r")
    assert [path.name for path in tmp_path.iterdir()] == ["r"]
    assert '"perpkit": "1"' in (tmp_path / "r" / MARK).read_text(encoding="utf-8")


@posix
def test_a_result_that_was_taken_away_is_put_back_first(
    tmp_path: Path, gone: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave(tmp_path / f".r.old-{gone}")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("perpkit.export._write", full)
    with pytest.raises(Exception, match="No space left"):
        save(FILES, tmp_path / "r")
    assert [path.name for path in tmp_path.iterdir()] == ["r"]
    assert '"perpkit": "0"' in (tmp_path / "r" / MARK).read_text(encoding="utf-8")


def test_what_is_of_others_stays(tmp_path: Path, gone: int) -> None:
    others = (
        f".r.part-{os.getppid()}",  # of a process that runs
        f".rr.part-{gone}",
        f".r.part-{gone}x",
        f"r.part-{gone}",
        ".r.part-",
    )
    for name in others:
        leave(tmp_path / name)
    save(FILES, tmp_path / "r")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*others, "r"])
