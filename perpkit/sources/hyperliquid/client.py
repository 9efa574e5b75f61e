"""Asks the public info API, patiently: one request, its retries, its errors."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any, Final, NamedTuple, NoReturn, Self
from urllib.parse import urlsplit

import requests

from perpkit.errors import DataError, RequestError
from perpkit.sources.hyperliquid.budget import Budget, weight
from perpkit.sources.hyperliquid.waits import Patience, asked_for_s, date_ms

API: Final = "https://api.hyperliquid.xyz"
_AGAIN: Final = frozenset({408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529})
_NEVER_MET: Final = 3  # attempts while no answer has ever come: most likely there is no network
_MOST_BYTES: Final = 1 << 26
_BLOCK_BYTES: Final = 1 << 16
_LATER: Final = "run the same command again later, it goes on from what is saved"


class Limits(NamedTuple):
    """How long one attempt may take, in seconds."""

    connect_s: float = 10.0
    silence_s: float = 30.0  # without a byte
    whole_s: float = 120.0


_PATIENCE: Final = Patience()
_LIMITS: Final = Limits()


class _Failure(Exception):  # noqa: N818, it is caught here and never seen
    """An attempt that may be made again."""

    def __init__(self, told: str, pause_s: float | None = None, *, met: bool = True) -> None:
        super().__init__(told)
        self.told, self.pause_s, self.met = told, pause_s, met


class Client:
    """The info API under one address.

    Parameters
    ----------
    base_url : without ``/info``
    budget : what may be asked in a minute
    patience : when to try again
    limits : how long an attempt may take
    now_ms : this machine's clock, which counts only until the server has told its own
    clock : seconds that only rise
    sleep : waits for seconds

    Raises
    ------
    RequestError
        If `base_url` is no address of a web server.
    """

    def __init__(
        self,
        base_url: str = API,
        budget: Budget | None = None,
        patience: Patience = _PATIENCE,
        limits: Limits = _LIMITS,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.base_url = _checked(base_url)
        self._budget = Budget(clock=clock, sleep=sleep) if budget is None else budget
        self._patience, self._limits = patience, limits
        self._now_ms, self._clock, self._sleep = now_ms, clock, sleep
        self._session = requests.Session()
        self._told: tuple[int, float] | None = None  # the server's time, and when it told it
        self._date_ms: int | None = None  # of the last answer
        self._met = False
        self.skew_s: float | None = None  # by how much this machine's clock is ahead of the server

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connection."""
        self._session.close()

    def server_ms(self) -> int:
        """The server's time by its last answer; this machine's where it never told its own."""
        if self._told is None:
            return self._now_ms()
        moment, at_s = self._told
        return moment + int((self._clock() - at_s) * 1_000)

    def told_ms(self) -> int:
        """The time that the last answer bears; by the answers before where it bears none."""
        return self.server_ms() if self._date_ms is None else self._date_ms

    def ask(self, body: dict[str, Any], most_rows: int = 0) -> Any:
        """Ask until there is an answer, which is parsed JSON and never null.

        Parameters
        ----------
        body : the request, with its ``type``
        most_rows : rows that the answer holds at the most, which its weight depends on

        Raises
        ------
        RequestError
            If the server refuses the request itself.
        DataError
            If the server cannot be reached, or does not answer in as many attempts as allowed.
        """
        told: list[str] = []
        while True:
            self._budget.spend(weight(body["type"], most_rows))
            try:
                answer = self._attempt(body)
            except _Failure as failure:
                told.append(failure.told)
                self._wait(body, failure, len(told))
                continue
            rows = len(answer) if isinstance(answer, list) else 0
            self._budget.correct(weight(body["type"], rows))
            return answer

    def _wait(self, body: dict[str, Any], failure: _Failure, failures: int) -> None:
        """Wait before the next attempt, or give up."""
        if not failure.met and not self._met and failures >= _NEVER_MET:
            raise DataError(
                f"{self.base_url} cannot be reached ({failure.told}); check the network, or "
                f"--base-url, and {_LATER}"
            )
        if failures >= self._patience.attempts:
            raise DataError(
                f"{self.base_url}: {_named(body)} had no answer in {failures} attempts, at the "
                f"last {failure.told}; {_LATER}"
            )
        pause_s = self._patience.pause_s(failures)
        if failure.pause_s is not None:
            if failure.pause_s > self._patience.longest_s:
                raise DataError(
                    f"{self.base_url} asks for a pause of {failure.pause_s:.0f} s; run the same "
                    "command again after it, it goes on from what is saved"
                )
            pause_s += failure.pause_s  # the jitter on top: others were told the same
        self._sleep(pause_s)

    def _attempt(self, body: dict[str, Any]) -> Any:
        text = self._read(body)
        try:
            answer = json.loads(text, parse_constant=_no_number)
        except ValueError as error:
            raise _Failure(f"an answer that is not whole JSON ({len(text):,} bytes)") from error
        if answer is None:
            raise _Failure("the answer null")
        return answer

    def _read(self, body: dict[str, Any]) -> bytes:
        until_s = self._clock() + self._limits.whole_s
        try:
            with self._session.post(
                f"{self.base_url}/info",
                json=body,
                timeout=(self._limits.connect_s, self._limits.silence_s),
                allow_redirects=False,  # a redirected POST becomes a GET, and its answer a riddle
                stream=True,
            ) as response:
                self._hear(response)
                if response.status_code != requests.codes.ok:
                    self._refused(body, response)
                return self._body(response, until_s)
        except requests.exceptions.SSLError as error:
            raise DataError(
                f"{self.base_url}: the connection is not secure ({_short(error)}); check "
                "--base-url, and the clock and the certificates of this machine"
            ) from error
        except requests.exceptions.Timeout as error:
            met = not isinstance(error, requests.exceptions.ConnectTimeout)
            raise _Failure("no answer in time", met=met) from error
        except (requests.exceptions.ConnectionError, requests.exceptions.ChunkedEncodingError) as e:
            raise _Failure(_short(e), met=False) from e
        except requests.exceptions.RequestException as error:
            raise RequestError(
                f"{self.base_url} cannot be asked ({_short(error)}); check --base-url"
            ) from error

    def _hear(self, response: requests.Response) -> None:
        """Note that the server is there, and its time."""
        self._met = True
        now = self._date_ms = date_ms(response.headers.get("Date"))
        if now is not None:
            self._told = (now, self._clock())
            if self.skew_s is None:
                self.skew_s = (self._now_ms() - now) / 1_000

    def _refused(self, body: dict[str, Any], response: requests.Response) -> NoReturn:
        status = response.status_code
        if status in _AGAIN:
            after = response.headers.get("Retry-After")
            raise _Failure(f"HTTP {status}", asked_for_s(after, self.server_ms()))
        raise RequestError(
            f"{self.base_url} refuses {_named(body)} with HTTP {status}; check the coin and "
            "--base-url, and whether this perpkit is the latest"
        )

    def _body(self, response: requests.Response, until_s: float) -> bytes:
        made = bytearray()
        for block in response.iter_content(_BLOCK_BYTES):
            made += block
            if self._clock() > until_s:
                raise _Failure(f"no whole answer within {self._limits.whole_s:g} s")
            if len(made) > _MOST_BYTES:
                raise DataError(
                    f"{self.base_url}: the answer is longer than {_MOST_BYTES >> 20} MB; check "
                    "--base-url"
                )
        return bytes(made)


def _checked(base_url: str) -> str:
    base = base_url.strip().rstrip("/").removesuffix("/info")
    try:
        parts = urlsplit(base)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        sound = False
    if not sound:
        raise RequestError(f"--base-url {base_url} is no address; write one such as {API}")
    return base


def _named(body: dict[str, Any]) -> str:
    told = body.get("req", body)
    of = told.get("coin") or told.get("dex")
    return f"{body['type']} of {of}" if of else str(body["type"])


def _no_number(word: str) -> NoReturn:
    raise ValueError(word)


def _short(error: Exception) -> str:
    """Tell the innermost reason, without the addresses of objects that requests quotes."""
    inner: BaseException = error
    while (deeper := inner.__cause__ or inner.__context__) is not None:
        inner = deeper
    text = getattr(inner, "strerror", None) or str(inner) or type(inner).__name__
    return " ".join(str(text).split())[:120]
