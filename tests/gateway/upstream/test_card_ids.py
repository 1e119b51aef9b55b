import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

import pytest

from pokewatch.contract import card_hash
from pokewatch.gateway.metrics import Metrics
from pokewatch.gateway.upstream.breaker import Breaker
from pokewatch.gateway.upstream.card_ids import CardIds
from pokewatch.gateway.upstream.http_client import UpstreamHttpClient
from pokewatch.gateway.upstream.v2_client import V2Client
from pokewatch.gateway.upstream.v2_messages import Versions
from tests.gateway.replies import answered, served

NAMES = [f"card_{i}" for i in range(1_000)]
NOW = Versions("1", "d")


def number(name: str) -> int:
    return int.from_bytes(card_hash(name), "little")


def listing(*names: str, head: bytes = b'{"model_version":"1","data_version":"d"}') -> bytes:
    numbers = sorted(map(number, names))
    return head + b"\n" + b"".join(each.to_bytes(8, "little") for each in numbers)


def refreshed(reply: list[bytes], scenario: Callable[[CardIds], Awaitable[None]]) -> int:
    """Run a scenario against a server whose reply is `reply[0]`."""

    async def run(client: UpstreamHttpClient) -> None:
        upstream = V2Client("catalog", client, Breaker(100), Metrics(), 5.0)
        await scenario(CardIds(upstream, "/catalog"))

    return served(answered(200, lambda: reply[0]), run)


def test_every_card_that_is_listed_and_no_other_is_found() -> None:
    async def scenario(cards: CardIds) -> None:
        assert not cards.known
        assert await cards.refresh(NOW)
        assert cards.known
        assert all(cards.has(number(name)) for name in NAMES)
        assert not any(cards.has(number(f"other_{name}")) for name in NAMES)

    refreshed([listing(*NAMES)], scenario)


def test_the_cards_of_one_version_are_read_once() -> None:
    reply = [listing("a")]

    async def scenario(cards: CardIds) -> None:
        assert [await cards.refresh(NOW) for _ in range(3)] == [True, False, False]
        reply[0] = listing("b", head=b'{"model_version":"2","data_version":"d"}')
        assert not await cards.refresh(None)
        assert await cards.refresh(Versions("2", "d"))
        assert not cards.has(number("a"))
        assert cards.has(number("b"))

    refreshed(reply, scenario)


def test_cards_of_another_version_are_read_again() -> None:
    """A replica may have an older book than the one that was polled."""

    async def scenario(cards: CardIds) -> None:
        assert [await cards.refresh(Versions("2", "d")) for _ in range(2)] == [True, True]

    refreshed([listing("a")], scenario)


@pytest.mark.parametrize(
    "broken",
    [b"", b"{}", b"{}\n", b"[]\n", b"\xff\n", b"1\n", listing("a")[:-1], b"x" * 9_000 + b"\n"],
    ids=["empty", "no-list", "no-versions", "array", "not-text", "number", "cut", "long"],
)
def test_an_unusable_list_leaves_the_last_one(broken: bytes) -> None:
    reply = [listing("a")]

    async def scenario(cards: CardIds) -> None:
        await cards.refresh(NOW)
        reply[0] = broken
        assert not await cards.refresh(Versions("2", "d"))
        assert cards.has(number("a"))

    refreshed(reply, scenario)


def test_without_a_model_server_nothing_is_known() -> None:
    async def run() -> None:
        client = UpstreamHttpClient("http://127.0.0.1:1")
        make = partial(V2Client, "catalog", client, Breaker(1), Metrics(), 1.0)
        cards = CardIds(make(), "/catalog")
        assert not await cards.refresh(NOW)
        assert not cards.known

    asyncio.run(run())
