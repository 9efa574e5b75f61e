"""The output shown in README.md is what its command prints."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).resolve().parents[1] / "README.md"


def shown() -> tuple[list[str], str]:
    """The last command of the first shell block, and the block below it."""
    text = README.read_text(encoding="utf-8")
    found = re.search(r"```sh\n(.*?)```\n\n```\n(.*?)```\n", text, re.DOTALL)
    assert found is not None
    command = found[1].strip().rpartition("&& ")[2].split()
    return command, found[2]


def test_the_output_is_todays(tmp_path: Path) -> None:
    command, output = shown()
    assert command[0] == ".venv/bin/perpkit"
    here = shutil.which("perpkit", path=str(Path(sys.executable).parent))
    if here is None:
        pytest.skip("perpkit is not installed here; pip install -e .")
    env = {k: v for k, v in os.environ.items() if k != "FORCE_COLOR"}
    done = subprocess.run(
        [here, *command[1:]],
        cwd=tmp_path,
        env=env | {"COLUMNS": "100", "PERPKIT_HOME": str(tmp_path / "home")},
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    # A path is written as the system writes it.
    printed = done.stdout.replace("runs\\", "runs/")
    assert printed == output, f"write what it prints now to README.md:\n{printed}"
    assert max(map(len, output.splitlines())) <= 100
