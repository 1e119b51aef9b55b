import asyncio

import pytest

from pokewatch.gateway.http.problems import (
    UNAVAILABLE,
    UPSTREAM_FAULT,
    UPSTREAM_TIMEOUT,
    Kind,
    ProblemError,
)
from pokewatch.gateway.metrics import Metrics
from pokewatch.gateway.upstream.breaker import Breaker, State
from pokewatch.gateway.upstream.http_client import UpstreamHttpClient
from pokewatch.gateway.upstream.v2_client import RefusedError, V2Client
from pokewatch.gateway.upstream.version_poller import VersionPoller
from tests.gateway.replies import answered, served

GOOD = b"""{"model_version":"1","data_version":"d","run_id":"r","created_at":"",
"first_day":"2026-01-01","last_day":"2026-01-05","cards":1,"horizon":7,"model":"m","source":"s","currency":"USD","market":"m","games":[],
"skill":"better than the last price"}"""


def upstream(
    client: UpstreamHttpClient, failures: int = 1, seconds: float = 5.0
) -> tuple[V2Client, Breaker]:
    """A client whose breaker opens after `failures`."""
    breaker = Breaker(failures)
    return V2Client("fair-price", client, breaker, Metrics(), seconds), breaker


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, b'{"error":"unknown input \'not ready\', expected card_id"}'),
        (400, b'{"error":"unknown input \'Model x not found\'"}'),
        (404, b'{"error":"unknown card \'Model\'","near":["model_1"]}'),
        (409, b'{"error":"does not fit"}'),
        (422, b"no JSON"),
        (400, b'{"error":"\xff"}'),
    ],
)
def test_a_refusal_is_not_a_failure(status: int, body: bytes) -> None:
    async def scenario(client: UpstreamHttpClient) -> None:
        found, breaker = upstream(client)
        with pytest.raises(RefusedError) as caught:
            await found.send("/", b"{}")
        assert caught.value.status == status
        assert breaker.state is State.CLOSED

    served(answered(status, lambda: body), scenario)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, b'{"error":"Model fair-price is not ready yet."}', UNAVAILABLE),
        (404, b'{"error":"Model fair-price with version v1 not found"}', UNAVAILABLE),
        (404, b'{"error":"Not Found"}', UNAVAILABLE),
        (503, b'{"error":"fair-price is not ready: no model is champion yet"}', UNAVAILABLE),
        (429, b'{"error":"busy"}', UNAVAILABLE),
        (503, b"", UNAVAILABLE),
        (302, b"", UPSTREAM_FAULT),
        (401, b"", UPSTREAM_FAULT),
        (413, b"", UPSTREAM_FAULT),
        (500, b"", UPSTREAM_FAULT),
    ],
)
def test_other_errors_are_failures(status: int, body: bytes, kind: Kind) -> None:
    async def scenario(client: UpstreamHttpClient) -> None:
        found, breaker = upstream(client)
        with pytest.raises(ProblemError) as caught:
            await found.send("/", b"{}")
        assert caught.value.kind is kind
        assert breaker.state is State.OPEN

    served(answered(status, lambda: body), scenario)


def test_a_model_server_without_a_model_is_reported() -> None:
    """Also while the breaker is open, which is when most requests arrive."""

    async def scenario(client: UpstreamHttpClient) -> None:
        found, breaker = upstream(client)
        for _ in range(3):
            with pytest.raises(
                ProblemError, match=r"is up but has no model loaded; its log says which command"
            ):
                await found.send("/", b"{}")
        assert breaker.state is State.OPEN

    body = b'{"error":"fair-price is not ready: no model is champion yet: run the pipeline first"}'
    served(answered(503, lambda: body), scenario)


def test_a_deadline_before_sending_is_not_a_failure() -> None:
    async def scenario(client: UpstreamHttpClient) -> None:
        found, breaker = upstream(client)
        with pytest.raises(ProblemError) as caught:
            await found.send("/", b"{}", deadline=asyncio.get_running_loop().time())
        assert caught.value.kind is UPSTREAM_TIMEOUT
        assert breaker.state is State.CLOSED

    assert served(answered(200, lambda: b"{}"), scenario) == 0


@pytest.mark.parametrize(("left", "state"), [(0.1, State.CLOSED), (60.0, State.OPEN)])
def test_a_shortened_timeout_is_not_a_failure(left: float, state: State) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async def scenario(client: UpstreamHttpClient) -> None:
        found, breaker = upstream(client, seconds=0.5)
        with pytest.raises(ProblemError) as caught:
            await found.send("/", b"{}", deadline=asyncio.get_running_loop().time() + left)
        assert caught.value.kind is UPSTREAM_TIMEOUT
        assert breaker.state is state

    served(silent, scenario)


@pytest.mark.parametrize(
    "status", [b"\xff", GOOD.replace(b"2026-01-05", b"soon"), GOOD.replace(b"2026", b"\xff")]
)
def test_the_poller_survives_unreadable_replies(status: bytes) -> None:
    """And reports a problem until it can read one."""
    reply = [status]

    async def scenario(client: UpstreamHttpClient) -> None:
        catalog, decisions = (upstream(client, failures=1_000_000)[0] for _ in range(2))
        poller = VersionPoller(catalog, "/catalog", decisions, Metrics())
        assert not await poller.refresh()
        assert poller.problem is not None
        assert poller.problem.kind is UPSTREAM_FAULT
        reply[0] = GOOD
        assert await poller.refresh()
        assert poller.served is not None

    served(answered(200, lambda: reply[0]), scenario)
