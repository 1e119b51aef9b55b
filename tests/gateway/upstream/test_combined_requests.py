import asyncio
import json
from typing import Any

import pytest

from pokewatch.contract import INFERENCES_PATH
from pokewatch.gateway.upstream.combined_requests import CombinedRequests
from pokewatch.gateway.upstream.http_client import BrokenError, MalformedReplyError, Reply


class RecordingSender:
    """Answers each request with `reply`, or raises it."""

    def __init__(self, reply: Reply | Exception) -> None:
        self.reply = reply
        self.sent: list[tuple[str, Any, float, bytes]] = []

    async def send(
        self, path: str, body: bytes | None, seconds: float, headers: bytes = b""
    ) -> Reply:
        await asyncio.sleep(0)
        self.sent.append((path, json.loads(body or b"null"), seconds, headers))
        if isinstance(self.reply, Exception):
            raise self.reply
        return self.reply


async def _outcomes(sender: RecordingSender, *models: str) -> list[Any]:
    combined = CombinedRequests(sender)
    calls = (
        combined.send(f"/v2/models/{model}/infer", b'{"at":%d}' % at, 1.0 + at, b"a: %d\r\n" % at)
        for at, model in enumerate(models)
    )
    return await asyncio.gather(*calls, return_exceptions=True)


def outcomes(sender: RecordingSender, *models: str) -> list[Any]:
    return asyncio.run(_outcomes(sender, *models))


def test_requests_are_sent_as_one_and_each_gets_its_own_reply() -> None:
    parts = [{"status": 200, "body": {"n": 1.5}}, {"status": 503, "body": {"error": "b is away"}}]
    sender = RecordingSender(Reply(200, json.dumps(parts).encode()))
    first, second = outcomes(sender, "a", "b")
    requests = [{"model": "a", "request": {"at": 0}}, {"model": "b", "request": {"at": 1}}]
    assert sender.sent == [(INFERENCES_PATH, requests, 2.0, b"a: 0\r\n")]
    assert (first.status, json.loads(first.body)) == (200, {"n": 1.5})
    assert (second.status, json.loads(second.body)) == (503, {"error": "b is away"})


def test_an_error_of_the_whole_is_that_of_each() -> None:
    found = outcomes(RecordingSender(BrokenError("reset")), "a", "b")
    assert [(type(each), str(each)) for each in found] == [(BrokenError, "reset")] * 2


def test_a_refusal_of_the_whole_is_that_of_each() -> None:
    refused = Reply(422, b'{"error":"no"}')
    assert outcomes(RecordingSender(refused), "a", "b") == [refused] * 2


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b'[{"status":200}]', b'[{"status":200,"body":{}}]', b"\xff"]
)
def test_a_reply_that_is_not_one_to_each_is_an_error_of_each(body: bytes) -> None:
    found = outcomes(RecordingSender(Reply(200, body)), "a", "b")
    assert [type(each) for each in found] == [MalformedReplyError] * 2


def test_a_caller_that_gives_up_takes_no_reply_from_another() -> None:
    async def scenario() -> Reply:
        parts = [{"status": 200, "body": 1}, {"status": 200, "body": 2}]
        combined = CombinedRequests(RecordingSender(Reply(200, json.dumps(parts).encode())))
        first, second = (
            asyncio.create_task(combined.send(f"/v2/models/{model}/infer", b"{}", 1.0))
            for model in "ab"
        )
        await asyncio.sleep(0)
        first.cancel()
        return await second

    assert asyncio.run(scenario()).body == b"2"


def test_later_requests_are_another_one() -> None:
    async def scenario() -> None:
        combined = CombinedRequests(sender)
        for _ in range(2):
            await combined.send("/v2/models/a/infer", b"{}", 1.0)

    sender = RecordingSender(Reply(200, b'[{"status":200,"body":{}}]'))
    asyncio.run(scenario())
    assert len(sender.sent) == 2


def test_only_requests_to_models_are_combined() -> None:
    sender = RecordingSender(Reply(200, b"[]"))
    with pytest.raises(ValueError, match="'/catalog/status'"):
        asyncio.run(CombinedRequests(sender).send("/catalog/status", b"{}", 1.0))
