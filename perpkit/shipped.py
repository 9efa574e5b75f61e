"""Where the shipped strategies and the demo lie, and the user's own folder."""

from __future__ import annotations

import os
import sys
from pathlib import Path

_PACKAGE = Path(__file__).parent


def shipped_folder(name: str) -> Path:
    """A folder that ships with perpkit: in an installed package, or at the root of a checkout.

    >>> shipped_folder("strategies").name
    'strategies'
    """
    installed = _PACKAGE / "_shipped" / name
    return installed if installed.is_dir() else _PACKAGE.parent / name


def user_folder() -> Path:
    """The user's own perpkit folder; ``PERPKIT_HOME`` names another."""
    if told := os.environ.get("PERPKIT_HOME"):
        return Path(told)
    if sys.platform == "win32":
        return Path(os.environ.get("APPDATA", Path.home() / "AppData" / "Roaming")) / "perpkit"
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "perpkit"
