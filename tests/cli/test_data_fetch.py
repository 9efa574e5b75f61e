"""``perpkit data fetch`` and ``watch`` as people run them; no backtest knows a network."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "sources" / "hyperliquid"))

from info_server import Api, Fault, serving
from info_venue import LISTED_MS, NOW_MS, Venue

Command = Callable[..., Any]
FETCH = ("data", "fetch", "hyperliquid", "--coins", "xyz:NVDA,xyz:TSLA", "--out", "data/xyz")
WATCH = ("data", "watch", "hyperliquid", "--coins", "xyz:NVDA", "--out", "data/xyz")


class Ran(NamedTuple):
    code: int
    err: str


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serving(Venue({"xyz:NVDA": LISTED_MS, "xyz:TSLA": LISTED_MS}), NOW_MS) as made:
        yield made


@pytest.fixture
def nowhere() -> Iterator[str]:
    """An address at which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


def test_a_fetch_tells_what_there_is(inside: Command, work: Path, api: Api) -> None:
    ran = inside(*FETCH, "--from", "2026-11-10", "--base-url", api.url, cwd=work)

    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines()[:5] == [
        "data/xyz: 2026-11-10 00:00Z to 2026-11-20 10:00Z",
        "",
        "  coin      prices               from  settlements               from",
        "  xyz:NVDA     251  2026-11-10 00:00Z          251  2026-11-10 00:00Z",
        "  xyz:TSLA     251  2026-11-10 00:00Z          251  2026-11-10 00:00Z",
    ]
    shown = inside("data", "show", "data/xyz", cwd=work)
    assert shown.code == 0
    checked = inside("data", "check", "data/xyz", cwd=work)
    assert checked.code == 0
    assert "xyz:NVDA   251     251   100%" in checked.out


def test_a_fetch_as_json(inside: Command, work: Path, api: Api) -> None:
    until = ("--from", "2026-11-10T05:00", "--to", "2026-11-10T07:00+01:00")
    ran = inside(*FETCH, *until, "--base-url", api.url, "--json", cwd=work)

    told = json.loads(ran.out)
    assert told["coins"]["xyz:NVDA"]["settlements"] == 2
    assert (ran.code, ran.err) == (0, "")


@pytest.mark.parametrize("words", [(*FETCH, "--from", "2026-11-10"), (*WATCH, "--polls", "3")])
def test_without_a_network_one_sentence_says_so(
    inside: Command, work: Path, nowhere: str, words: tuple[str, ...]
) -> None:
    ran = inside(*words, "--base-url", nowhere, cwd=work)

    assert ran.code == 3
    assert ran.err == (
        f"perpkit: {nowhere} cannot be reached (Connection refused); check the network, or "
        "--base-url, and run the same command again later, it goes on from what is saved\n"
    )
    assert ran.out == ""
    assert not (work / "data").exists()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--from", "soon"), "--from soon is no date; write 2025-11-12 or 2025-11-12T05:00"),
        (("--from", "2025-11-12", "--to", "x"), "--to x is no date; write"),
        (("--from", "2025-11-12", "--coins", " ,"), "--coins names no perp; write --coins"),
        (("--from", "2025-11-12", "--base-url", "here"), "--base-url here is no address; write"),
    ],
)
def test_a_wrong_request(
    inside: Command, work: Path, words: tuple[str, ...], sentence: str
) -> None:
    ran = inside(*FETCH, *words, cwd=work)
    assert ran.code == 2
    assert ran.err.startswith(f"perpkit: {sentence}")


def test_a_request_that_the_server_refuses(inside: Command, work: Path, api: Api) -> None:
    api.always = Fault(status=422, text="Failed to deserialize the JSON body")
    ran = inside(*FETCH, "--from", "2026-11-10", "--base-url", api.url, cwd=work)
    assert ran.code == 2
    assert "refuses perpDexs with HTTP 422" in ran.err


def test_a_bounded_watch(inside: Command, work: Path, api: Api) -> None:
    ran = inside(*WATCH, "--polls", "2", "--every", "0.01", "--base-url", api.url, cwd=work)

    assert ran.code == 0
    assert ran.out.splitlines()[-1] == (
        "0 rows of 2 polls are saved in data/xyz; the polls of the unfinished hour are kept for "
        "the next run"
    )
    for command in ("show", "check"):
        ran = inside("data", command, "data/xyz", cwd=work)
        assert ran.code == 3
        assert "data/xyz holds no whole hour yet: perpkit data watch saves the first" in ran.err
    (work / "data" / "xyz" / ".watch.json").unlink()
    ran = inside("data", "show", "data/xyz", cwd=work)
    assert "holds nothing yet: a watch, fetch or import into it has just begun" in ran.err


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (WATCH, "perpkit: stopped; 0 rows of "),
        (
            (*FETCH, "--from", "2026-11-10"),
            "perpkit: stopped; what was fetched is in data/xyz, and the same command goes on from ",
        ),
    ],
    ids=["watch", "fetch"],
)
def test_ctrl_c_says_what_is_saved(
    work: Path, api: Api, plain_env: dict[str, str], words: tuple[str, ...], sentence: str
) -> None:
    api.always = Fault("fundingHistory", stall_s=20)
    run = [sys.executable, "-m", "perpkit", *words, "--base-url", api.url]
    process = subprocess.Popen(run, cwd=work, env=plain_env, stderr=subprocess.PIPE, text=True)
    awaited = "fundingHistory" if "fetch" in words else "metaAndAssetCtxs"
    while not api.asked_for(awaited):
        assert process.poll() is None
        time.sleep(0.01)
    while "watch" in words and not (work / "data" / "xyz" / ".watch.json").exists():
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)

    assert process.returncode == 130
    assert err.startswith(sentence)
    assert err.count("\n") == 1
    assert not (work / "data" / "xyz" / ".lock").exists()


NO_NETWORK = """
import socket, sys

def refuse(*_, **__):
    raise AssertionError("the network was touched")

class Closed(socket.socket):
    def __init__(self, *_, **__):
        refuse()

socket.socket = Closed
socket.create_connection = socket.getaddrinfo = socket.gethostbyname = refuse

from perpkit.cli import main

code = main(sys.argv[1:])
assert "requests" not in sys.modules and "urllib3" not in sys.modules, "requests was imported"
sys.exit(code)
"""


def test_a_backtest_never_touches_the_network(
    work: Path, month: Path, plain_env: dict[str, str]
) -> None:
    words = ["backtest", "funding_carry", "--data", str(month), "--out", "run"]
    ran = subprocess.run(
        [sys.executable, "-c", NO_NETWORK, *words],
        cwd=work,
        env=plain_env,
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=300,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert (work / "run" / "manifest.json").is_file()
