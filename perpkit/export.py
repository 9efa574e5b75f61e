"""The result folder."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import sys
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from perpkit.errors import RequestError

SCHEMA = 1
MARK = "manifest.json"
REPORT = "report.html"
FRAMES = (
    "equity",
    "attribution",
    "accounts",
    "positions",
    "funding",
    "fills",
    "events",
    "market",
    "quotes",
    "against",
)
KNOWN = frozenset({MARK, "summary.json", REPORT, *(f"{name}.parquet" for name in FRAMES)})


class Files(NamedTuple):
    """What a result folder holds."""

    frames: dict[str, pl.DataFrame]
    summary: dict[str, Any]
    manifest: dict[str, Any]
    report: str | None = None  # the page, where there is one


def check_writable(out: Path) -> None:
    """Refuse, before any work is done, a folder that a result cannot be written to.

    Raises
    ------
    RequestError
        Saying why.
    """
    if out.exists():
        if not out.is_dir():
            raise RequestError(f"{out}: is a file; name a folder")
        if any(out.iterdir()) and not is_result(out):
            raise RequestError(f"{out}: holds files that are not a result; name a new folder")
    parent = out.absolute().parent
    while not parent.exists():
        parent = parent.parent
    probe = parent / f".perpkit-probe-{os.getpid()}"
    try:
        probe.mkdir()
        probe.rmdir()
    except OSError as e:
        raise RequestError(
            f"{out}: {parent} cannot be written to ({e.strerror}); name another folder"
        ) from e


def is_result(folder: Path) -> bool:
    """Whether a folder holds a result and nothing else, so that another may take its place."""
    if any(entry.name not in KNOWN or not entry.is_file() for entry in folder.iterdir()):
        return False
    try:
        told = json.loads((folder / MARK).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(told, dict) and "perpkit" in told.get("versions", {})


def save(files: Files, out: Path) -> Path:
    """Write a result beside its place and rename it there, so that no half of one is ever seen.

    Raises
    ------
    RequestError
        If the folder cannot be written, or holds something that is not a result.
    """
    check_writable(out)
    _tidy(out)
    part = out.with_name(f".{out.name}.part-{os.getpid()}")
    try:
        part.mkdir(parents=True)
        _write(files, part)
        _put(part, out)
    except OSError as e:
        raise RequestError(f"{out}: cannot be written ({e.strerror or e})") from e
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return out


def _write(files: Files, folder: Path) -> None:
    for name, frame in files.frames.items():
        frame.write_parquet(
            folder / f"{name}.parquet",
            compression="zstd",
            compression_level=1,
            metadata={"perpkit.schema": str(SCHEMA), "perpkit.frame": name},
        )
    (folder / "summary.json").write_text(as_json(files.summary), encoding="utf-8")
    if files.report is not None:
        (folder / REPORT).write_text(files.report, encoding="utf-8", newline="\n")
    (folder / MARK).write_text(as_json(files.manifest), encoding="utf-8")


def _tidy(out: Path) -> None:
    """Clear away what a killed process left beside a result, and put back what it took away."""
    if not out.absolute().parent.is_dir():
        return
    ours = re.compile(rf"\.{re.escape(out.name)}\.(part|old)-(\d+)")
    for entry in sorted(out.absolute().parent.iterdir()):
        found = ours.fullmatch(entry.name)
        if found is None or _runs(int(found[2])):
            continue
        if found[1] == "old" and not out.exists():
            entry.rename(out)
        else:
            shutil.rmtree(entry, ignore_errors=True)


def _runs(process: int) -> bool:
    """Whether a process is there; on Windows, where asking would end it, always."""
    if sys.platform == "win32":
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _put(part: Path, out: Path) -> None:
    old = out.with_name(f".{out.name}.old-{os.getpid()}")
    if out.exists():
        out.rename(old)
    try:
        part.rename(out)
    except BaseException:  # Ctrl-C too
        if old.exists():
            old.rename(out)
        raise
    shutil.rmtree(old, ignore_errors=True)


def as_json(value: Any) -> str:
    """JSON with infinities as the words "inf" and "-inf", which JSON numbers cannot say."""
    return json.dumps(_finite(value), indent=2, ensure_ascii=False, default=str) + "\n"


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(k): _finite(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def read_frame(folder: Path, name: str) -> pl.DataFrame:
    """One frame of a saved result."""
    return pl.read_parquet(folder / f"{name}.parquet")
