"""The command as people run it, in a process of its own."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
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


# --------------------------------------------------------------------------- in a terminal


class Seen(NamedTuple):
    """What a terminal was sent."""

    code: int
    raw: str

    @property
    def text(self) -> str:
        """Without what colours it and moves its cursor."""
        return re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", self.raw)

    @property
    def left(self) -> list[str]:
        """Lines that stay: what is erased before the next is written is not among them."""
        last = re.split(r"\r\x1b\[1A\x1b\[2K", self.raw)[-1]
        return re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", last).replace("\r", "").split("\n")


Watch = Callable[..., Seen]


@pytest.fixture
def watch(executable: str, plain_env: dict[str, str]) -> Watch:
    """Run the command in a terminal; Ctrl-C when a text has shown, or a file is there.

    And once more when the file `then` is there.
    """
    import fcntl
    import pty
    import struct
    import termios

    def run(
        *told: object,
        cwd: Path,
        columns: int = 100,
        stop_at: str | Path | None = None,
        after_s: float = 0.0,
        then: Path | None = None,
        **env: str,
    ) -> Seen:
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        around = {k: v for k, v in plain_env.items() if k not in {"COLUMNS", "LINES"}}
        # A shell's background job ignores SIGINT and hands that on.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        process = subprocess.Popen(
            [executable, *(str(a) for a in told)],
            cwd=cwd,
            env=around | {"TERM": "xterm-256color"} | env,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)
        raw, due = b"", None
        try:
            while piece := _read(ours):
                raw += piece
                shown = isinstance(stop_at, str) and stop_at.encode() in raw
                if due is None and (shown or (isinstance(stop_at, Path) and stop_at.exists())):
                    due = time.monotonic() + after_s
                if due is not None and time.monotonic() >= due:
                    process.send_signal(signal.SIGINT)
                    due, stop_at, then = None, then, None
            return Seen(process.wait(timeout=120), raw.decode("utf-8"))
        finally:
            signal.signal(signal.SIGINT, before)
            process.kill()
            process.wait()
            os.close(ours)

    return run


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65_536)
    except OSError:  # Linux says so when the other end is closed
        return b""
