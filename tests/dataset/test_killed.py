"""A writer that is killed, and two at once: the folder is as before or after, never between."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from perpkit.dataset import read_dataset
from perpkit.dataset.lock import LOCK_FILE, locked
from perpkit.dataset.store import Store
from perpkit.errors import DataError, RequestError

from .made import commit, stored, tables, tree

HERE = Path(__file__).parent
FORKS = pytest.mark.skipif(sys.platform == "win32", reason="needs os.fork and SIGKILL")


def reads(folder: Path) -> str:
    """What a reader sees: the digest, or that there is no dataset."""
    try:
        return read_dataset(folder).digest
    except DataError:
        return "none"


def kill_everywhere(base: Path, which: str) -> list[Path]:
    root = str(HERE.parents[1])
    subprocess.run(
        [sys.executable, str(HERE / "killed.py"), str(base), which],
        check=True,
        env={**os.environ, "PYTHONPATH": root},
        timeout=120,
    )
    return [base / str(n) for n in range(1, len(list(base.glob("[0-9]*"))) + 1)]


@FORKS
@pytest.mark.parametrize("which", ["first", "second"])
def test_a_killed_writer_leaves_the_folder_as_before_or_after(tmp_path: Path, which: str) -> None:
    base = tmp_path / "states"
    base.mkdir()
    if which == "second":
        commit(base / "before", "first")
    was, files = reads(base / "before"), tree(base / "before")
    states = kill_everywhere(base, which)
    whole, will = tree(states[-1]), reads(states[-1])

    seen = [reads(folder) for folder in states]

    changed = seen.index(will)
    assert changed > 20
    assert set(seen[:changed]) == {was}
    assert set(seen[changed:]) == {will}
    assert changed < len(seen) - 1, "some were killed after the commit"
    for n, folder in enumerate(states):
        if n % 2 and files:  # another commit than the one cut short takes the left-overs away
            with Store(folder).writer():
                pass
            assert tree(folder) == (files if n < changed else whole), f"step {folder.name}"
        commit(folder, which)
        assert tree(folder) == whole, f"step {folder.name}"


def test_two_writers_at_once_are_refused(tmp_path: Path) -> None:
    folder = stored(tmp_path / "store")
    before = tree(folder)
    with Store(folder).writer() as writer:
        with pytest.raises(RequestError) as caught, Store(folder).writer():
            pass
        writer.add("perps", tables()["perps"])
    assert str(caught.value) == (
        f"{folder} is being written by process {os.getpid()}; "
        "wait until it has ended, or name another folder"
    )
    assert tree(folder) == before


def test_the_lock_of_a_dead_process_does_not_hold(tmp_path: Path) -> None:
    (tmp_path / LOCK_FILE).write_text("1\n", encoding="ascii")
    with locked(tmp_path):
        assert (tmp_path / LOCK_FILE).read_text(encoding="ascii") == f"{os.getpid()}\n"
    assert list(tmp_path.iterdir()) == []


def test_a_lock_file_that_was_removed_meanwhile_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from perpkit.dataset import lock

    real, once = lock._take, [tmp_path / LOCK_FILE]

    def take(handle: int) -> bool:
        if once:  # the writer before lets go between opening and locking
            once.pop().unlink()
        return real(handle)

    monkeypatch.setattr(lock, "_take", take)
    with locked(tmp_path):
        assert (tmp_path / LOCK_FILE).exists()
        with pytest.raises(RequestError), locked(tmp_path):
            pass
