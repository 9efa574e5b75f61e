"""The run file, and settings told beside it."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from perpkit.config import RunConfig
from perpkit.errors import RequestError, nearest


def read_config(path: Path) -> dict[str, Any]:
    """The settings of a run file.

    Raises
    ------
    RequestError
        If the file cannot be read or is not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as e:
        raise RequestError(f"{path}: cannot be read ({e.strerror}); check --config") from e
    except UnicodeDecodeError as e:
        raise RequestError(f"{path}: not UTF-8 text; save it as UTF-8") from e
    except tomllib.TOMLDecodeError as e:
        raise RequestError(f"{path}: not TOML: {e}") from e


def parse_setting(text: str) -> tuple[list[str], Any]:
    """One ``--set key=value``: the key's path and the value read as TOML, else as text.

    >>> parse_setting("pairs.xyz:NVDA=NVDAB")
    (['pairs', 'xyz:NVDA'], 'NVDAB')
    >>> parse_setting("enter_apr=0.02")
    (['enter_apr'], 0.02)
    >>> parse_setting("multiplier.NVDA.RH=1.0")
    (['multiplier', 'NVDA.RH'], 1.0)
    >>> parse_setting("terms.xyz:NVDA.clamp_8h=0.0005")
    (['terms', 'xyz:NVDA', 'clamp_8h'], 0.0005)
    >>> parse_setting("collateral.USTB.share=0.9")
    (['collateral', 'USTB', 'share'], 0.9)
    >>> parse_setting("token_settlement.NVDA.RH.mode=sequential")
    (['token_settlement', 'NVDA.RH', 'mode'], 'sequential')
    """
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise RequestError(f"--set {text}: write it as key=value")
    try:
        parsed = tomllib.loads(f"x = {value}")["x"]
    except tomllib.TOMLDecodeError:
        parsed = value.strip()
    table, dot, rest = key.strip().partition(".")
    if not dot:
        return [table], parsed
    # The names of instruments may hold dots themselves.
    nested = table in ("terms", "collateral", "token_settlement", "ways")
    coin, dot, term = rest.rpartition(".") if nested else ("", "", rest)
    return [table, *([coin] if dot else []), term], parsed


def apply_settings(
    settings: Mapping[str, Any], told: list[str], parameters: list[str]
) -> dict[str, Any]:
    """Run-file settings with ``--set`` choices laid over them.

    A key is a setting of the run, one of its tables (``terms.clamp_8h``), or a parameter of the
    strategy; of a portfolio's member, ``MEMBER.PARAMETER``.

    Raises
    ------
    RequestError
        If a key is neither, or a parameter and a setting at once.
    """
    made: dict[str, Any] = dict(settings)
    known = list(RunConfig.model_fields)
    for text in told:
        path, value = parse_setting(text)
        if ".".join(path) in parameters:  # of a portfolio: of its members
            path = ["params", ".".join(path)]
        if path[0] not in known:
            names, asked = [*parameters, *known], path[0]
            if any(name.startswith(f"{asked}.") for name in parameters):
                names, asked = parameters, ".".join(path)
            raise RequestError(f"--set {text}: no setting {asked}: {nearest(asked, names)}")
        table = made
        for part in path[:-1]:
            inner = table.get(part)
            table[part] = dict(inner) if isinstance(inner, Mapping) else {}
            table = table[part]
        table[path[-1]] = value
    return made
