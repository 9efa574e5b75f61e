"""The command as people run it, in a process of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest


class Ran(NamedTuple):
    """What a run of the command left behind."""

    code: int
    out: str
    err: str


Command = Callable[..., Ran]


@pytest.fixture(scope="session")
def executable() -> str:
    """The installed command of the environment the tests run in."""
    found = shutil.which("perpkit", path=str(Path(sys.executable).parent))
    if found is None:
        pytest.skip("perpkit is not installed here; pip install -e .")
    return found


@pytest.fixture(scope="session")
def plain_env(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment without colours and without the user's own strategies."""
    env = {k: v for k, v in os.environ.items() if k not in {"FORCE_COLOR", "NO_COLOR"}}
    return env | {"COLUMNS": "100", "PERPKIT_HOME": str(tmp_path_factory.mktemp("home"))}


@pytest.fixture(scope="session")
def command(executable: str, plain_env: dict[str, str]) -> Command:
    """Run ``perpkit`` in a folder, with further variables of the environment."""

    def run(*arguments: object, cwd: Path, **env: str) -> Ran:
        done = subprocess.run(
            [executable, *(str(a) for a in arguments)],
            cwd=cwd,
            env=plain_env | env,
            capture_output=True,
            encoding="utf-8",
            timeout=300,
            check=False,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def inside(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    """The same in this process, which need not start Python and numba first."""
    from perpkit.cli import main

    def run(*arguments: object, cwd: Path, **env: str) -> Ran:
        monkeypatch.chdir(cwd)
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        code = main([str(a) for a in arguments])
        return Ran(code, *capfd.readouterr())

    return run


@pytest.fixture(scope="session")
def month(tmp_path_factory: pytest.TempPathFactory, plain_demo: Callable[..., Path]) -> Path:
    """The first thirty days of the demo on its first venue, quick to play."""
    return plain_demo(tmp_path_factory.mktemp("data") / "month", 0, 24 * 30)


@pytest.fixture
def broken(month: Path, tmp_path: Path) -> Path:
    """A copy of the month for a test to break."""
    return Path(shutil.copytree(month, tmp_path / "broken"))


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """An empty folder to run in."""
    folder = tmp_path / "work"
    folder.mkdir()
    return folder
