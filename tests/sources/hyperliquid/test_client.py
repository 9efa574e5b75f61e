"""One request against a server that misbehaves: the answer, or one sentence."""

from __future__ import annotations

import socket
from collections.abc import Callable
from email.utils import formatdate

import pytest
from info_server import Api, Fault
from info_venue import NOW_MS, NVDA, Clock, Venue

from perpkit.errors import DataError, RequestError
from perpkit.sources.hyperliquid.client import Client

ASK = {"type": "fundingHistory", "coin": NVDA, "startTime": 0, "endTime": NOW_MS}
ClientOf = Callable[..., Client]


@pytest.fixture
def right(venue: Venue) -> object:
    return venue(ASK)


def seconds(ms: int) -> str:
    return formatdate(ms / 1_000, usegmt=True)


@pytest.mark.parametrize(
    ("fault", "slept"),
    [
        (Fault(status=429), [0.25]),
        (Fault(status=429, headers={"Retry-After": "7"}), [7.25]),
        (Fault(status=429, headers={"Retry-After": seconds(NOW_MS + 9_000)}), [9.25]),
        (Fault(status=429, headers={"Retry-After": seconds(NOW_MS - 9_000)}), [0.25]),
        (Fault(status=429, headers={"Retry-After": "soon"}), [0.25]),
        (Fault(status=500, text="null"), [0.25]),
        (Fault(status=502, text="<html>"), [0.25]),
        (Fault(status=503, headers={"Retry-After": "2"}), [2.25]),
        (Fault(text="null"), [0.25]),
        (Fault(text=""), [0.25]),
        (Fault(text='[{"coin": "xyz:NV'), [0.25]),
        (Fault(text="[NaN]"), [0.25]),
        (Fault(text="<html>"), [0.25]),
        (Fault(cut=40), [0.25]),
        (Fault(cut=0), [0.25]),
        (Fault(reset=True), [0.25]),
    ],
    ids=lambda told: "" if isinstance(told, list) else None,
)
def test_a_fault_that_passes_is_waited_for(
    api: Api, client: Client, clock: Clock, right: object, fault: Fault, slept: list[float]
) -> None:
    api.faults.append(fault)

    assert client.ask(ASK, 500) == right
    assert clock.slept == pytest.approx(slept)
    assert len(api.asked) == 2


def test_a_slow_answer_is_asked_for_again(
    api: Api, client_of: ClientOf, clock: Clock, right: object
) -> None:
    api.faults.append(Fault(stall_s=0.3))

    assert client_of(api.url, silence_s=0.1).ask(ASK) == right
    assert clock.slept == [0.25]


def test_pauses_double_and_the_last_failure_is_told(api: Api, client: Client, clock: Clock) -> None:
    api.always = Fault(status=500, text="null")

    with pytest.raises(DataError) as caught:
        client.ask(ASK)

    assert clock.slept == [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0]
    assert len(api.asked) == 8
    assert str(caught.value) == (
        f"{api.url}: fundingHistory of xyz:NVDA had no answer in 8 attempts, at the last HTTP 500; "
        "run the same command again later, it goes on from what is saved"
    )


@pytest.mark.parametrize("status", [400, 403, 404, 415, 422])
def test_a_request_refused_is_not_made_again(
    api: Api, client: Client, clock: Clock, status: int
) -> None:
    api.always = Fault(status=status, text="Failed to deserialize")

    with pytest.raises(RequestError) as caught:
        client.ask(ASK)

    assert len(api.asked) == 1
    assert clock.slept == []
    assert str(caught.value) == (
        f"{api.url} refuses fundingHistory of xyz:NVDA with HTTP {status}; check the coin and "
        "--base-url, and whether this perpkit is the latest"
    )


def test_a_redirect_is_not_followed(api: Api, client: Client) -> None:
    api.always = Fault(status=301, headers={"Location": f"{api.url}/elsewhere"})

    with pytest.raises(RequestError, match="HTTP 301"):
        client.ask(ASK)
    assert len(api.asked) == 1


def test_a_pause_of_hours_is_told_and_not_waited_for(
    api: Api, client: Client, clock: Clock
) -> None:
    api.always = Fault(status=429, headers={"Retry-After": "3600"})

    with pytest.raises(DataError, match="asks for a pause of 3600 s; run the same command again"):
        client.ask(ASK)
    assert clock.slept == []


def test_without_a_network_one_sentence_comes_soon(client_of: ClientOf, clock: Clock) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"

        with pytest.raises(DataError) as caught:
            client_of(url).ask(ASK)

    assert clock.slept == [0.25, 0.5]
    assert str(caught.value) == (
        f"{url} cannot be reached (Connection refused); check the network, or --base-url, and run "
        "the same command again later, it goes on from what is saved"
    )


def test_a_network_that_fails_later_has_all_attempts(api: Api, client: Client) -> None:
    client.ask({"type": "meta"})
    api.always = Fault(reset=True)

    with pytest.raises(DataError, match="had no answer in 8 attempts"):
        client.ask({"type": "meta"})
    assert len(api.asked) == 9


@pytest.mark.parametrize("url", ["", "api.hyperliquid.xyz", "ftp://x", "http://", "http://[::1"])
def test_an_address_that_is_none(url: str) -> None:
    with pytest.raises(RequestError, match="is no address; write one such as https://api"):
        Client(url)


def test_the_address_may_end_in_info(api: Api, client_of: ClientOf) -> None:
    assert client_of(f" {api.url}/info/ ").base_url == api.url


def test_the_time_is_the_servers(api: Api, client: Client, clock: Clock) -> None:
    api.now_ms = NOW_MS - 7_200_000
    client.ask({"type": "meta"})
    clock.now_s += 5

    assert client.told_ms() == NOW_MS - 7_200_000
    assert client.server_ms() == NOW_MS - 7_195_000
    assert client.skew_s == 7_200


def test_a_trickle_is_cut_off(api: Api, client_of: ClientOf, clock: Clock) -> None:
    made = client_of(api.url)
    passing = iter(range(0, 10_000, 40))
    made._clock = lambda: float(next(passing))

    with pytest.raises(DataError, match="no whole answer within 30 s"):
        made.ask(ASK)
