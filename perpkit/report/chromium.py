"""A headless Chromium, told what to do through a pipe: no driver, no port, nothing to install.

Chromium takes the messages of its DevTools protocol as JSON on file descriptor 3 and answers on 4.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from perpkit.errors import RequestError

NAMES = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "msedge",
)
VARIABLE = "PERPKIT_CHROMIUM"
_PATIENCE_S = 120.0  # for an answer, on a machine that has much else to do
# In a process of its own, as descriptors 3 and 4 of this one may be somebody's.
_START = (
    "import os, sys; a, b = os.dup(int(sys.argv[1])), os.dup(int(sys.argv[2])); "
    "os.dup2(a, 3); os.dup2(b, 4); os.set_inheritable(3, True); os.set_inheritable(4, True); "
    "os.execv(sys.argv[3], sys.argv[3:])"
)


def find() -> str | None:
    """Path of a Chromium, Chrome or Edge; None where there is none.

    ``PERPKIT_CHROMIUM`` names one, before what is found by its usual names.

    Raises
    ------
    RequestError
        If ``PERPKIT_CHROMIUM`` names nothing that can be run.
    """
    told = os.environ.get("PERPKIT_CHROMIUM")
    if told:
        found = shutil.which(told)
        if found is None:
            raise RequestError(
                f"{VARIABLE} was {told}: name a Chromium that can be run, or unset it"
            )
        return found
    return next((path for path in map(shutil.which, NAMES) if path), None)


class Browser:
    """A headless Chromium with one page.

    Parameters
    ----------
    path : of the program, as :func:`find` has it

    Raises
    ------
    RequestError
        If it does not start, or gives no answer.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._home = tempfile.mkdtemp(prefix="perpkit-chromium-")
        self._rest = b""
        self._count = 0
        self._session = ""
        self.events: list[dict[str, Any]] = []  # what the page did, as it came

    def __enter__(self) -> Self:
        """Start it."""
        to_read, self._to = os.pipe()
        self._from, to_write = os.pipe()
        told = [self._path, *_options(self._home), "about:blank"]
        self._process = subprocess.Popen(  # noqa: S603, what the user has installed
            [sys.executable, "-ISc", _START, str(to_read), str(to_write), *told],
            pass_fds=(to_read, to_write),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(to_read)
        os.close(to_write)
        try:
            made = self.call("Target.createTarget", url="about:blank")
            target = {"targetId": made["targetId"], "flatten": True}
            self._session = self.call("Target.attachToTarget", **target)["sessionId"]
            for domain in ("Page", "Runtime", "Log", "Network"):
                self.call(f"{domain}.enable")
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End it, with every process of its own."""
        self._process.kill()
        self._process.wait()
        os.close(self._to)
        os.close(self._from)
        shutil.rmtree(self._home, ignore_errors=True)

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Call a method of the protocol; what it answers."""
        self._count += 1
        told: dict[str, Any] = {"id": self._count, "method": method, "params": params}
        if self._session:
            told["sessionId"] = self._session
        try:
            self._send(json.dumps(told).encode() + b"\0")
        except OSError as e:
            raise self._gone() from e
        until = time.monotonic() + _PATIENCE_S
        while True:
            answer = self._next(until)
            if answer.get("id") == self._count:
                if "error" in answer:
                    raise RequestError(f"{self._path}: {method}: {answer['error'].get('message')}")
                found: dict[str, Any] = answer["result"]
                return found
            if "method" in answer:
                self.events.append(answer)

    def _send(self, message: bytes) -> None:
        while message:
            message = message[os.write(self._to, message) :]

    def _next(self, until: float) -> dict[str, Any]:
        """The next message."""
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._from], [], [], max(0.0, until - time.monotonic()))
            got = os.read(self._from, 1 << 16) if ready else b""
            if not got:
                raise self._gone()
            self._rest += got
        message, _, self._rest = self._rest.partition(b"\0")
        told: dict[str, Any] = json.loads(message)
        return told

    def _gone(self) -> RequestError:
        return RequestError(
            f"{self._path} gives no answer; run it by hand with --headless to see why, or name "
            f"another in {VARIABLE}"
        )

    # ----------------------------------------------------------------------- a page

    def size(self, width: int, height: int, dense: float = 1.0) -> None:
        """Size of the window in px, and how many of the picture's px are one of these."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=dense,
            mobile=False,
        )

    def media(self, **features: str) -> None:
        """What style rules ask of the system, as ``prefers_color_scheme="dark"``."""
        told = [{"name": k.replace("_", "-"), "value": v} for k, v in features.items()]
        self.call("Emulation.setEmulatedMedia", features=told)

    def open(self, file: Path, query: str = "") -> None:
        """Open a file and wait until it is loaded."""
        began = len(self.events)
        self.call("Page.navigate", url=file.resolve().as_uri() + (f"?{query}" if query else ""))
        until = time.monotonic() + _PATIENCE_S
        while not any(e["method"] == "Page.loadEventFired" for e in self.events[began:]):
            message = self._next(until)
            if "method" in message:
                self.events.append(message)

    def run(self, script: str) -> Any:
        """Value of an expression on the page, awaited where it is a promise."""
        told: Mapping[str, Any] = self.call(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        if "exceptionDetails" in told:
            said = told["exceptionDetails"].get("exception", {}).get("description", "")
            raise RequestError(f"{self._path}: the page failed: {said}")
        return told["result"].get("value")

    def picture(self) -> str:
        """PNG of the window in base64."""
        found: str = self.call("Page.captureScreenshot", format="png")["data"]
        return found


def _options(home: str) -> list[str]:
    told = [
        "--headless=new",
        "--remote-debugging-pipe",
        f"--user-data-dir={home}",
        "--no-first-run",
        "--no-default-browser-check",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--hide-scrollbars",
        "--mute-audio",
    ]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        told.append("--no-sandbox")  # it does not start as root otherwise; the page is our own
    return told
