import tracemalloc
from collections.abc import Callable, Hashable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pokewatch.gateway.metrics import Metrics
from pokewatch.gateway.upstream.answer_cache import AnswerCache, etag, etag_matches
from pokewatch.gateway.upstream.v2_messages import Versions
from tests.gateway.clock import Clock

ONE, TWO = Versions("1", "a"), Versions("2", "a")


def answers(clock: Clock, *, enabled: bool = True, max_bytes: int = 10_000) -> AnswerCache:
    return AnswerCache(enabled, max_bytes, 60, Metrics(), clock)


def test_an_answer_is_fresh_while_its_versions_are_served() -> None:
    cache = answers(Clock())
    cache.put("card", b"{1", "1", "a")
    found = cache.fresh("card", ONE)
    assert found is not None
    assert found.prefix == b"{1"
    assert cache.fresh("card", TWO) is None
    assert cache.fresh("card", Versions("1", "b")) is None
    assert cache.fresh("card", None) is None
    assert cache.fresh("other", ONE) is None


def test_disabled_cache_still_serves_stale_answers() -> None:
    clock = Clock()
    cache = answers(clock, enabled=False)
    cache.put("card", b"{1", "1", "a")
    assert cache.fresh("card", ONE) is None
    assert cache.stale("card", None, 0) is not None
    clock.now += 60
    assert cache.stale("card", None, 0) is None


def test_an_answer_ages_from_when_its_versions_were_last_served() -> None:
    clock = Clock()
    cache = answers(clock)
    cache.put("card", b"{1", "1", "a")
    cache.put("other", b"{2", "0", "a")
    served_at = clock.now + 59
    clock.now = served_at + 59
    assert cache.stale("card", ONE, served_at) is not None
    assert cache.stale("other", ONE, served_at) is None
    clock.now += 1
    assert cache.stale("card", ONE, served_at) is None


def test_look_ups_are_counted_by_market() -> None:
    metrics = Metrics()
    cache = AnswerCache(True, 10_000, 60, metrics, Clock())
    cache.put("card", b"{1", "1", "a")
    for versions in (ONE, ONE, TWO):
        cache.fresh("card", versions, "dollars")
    cache.stale("card", None, 0, "euros")
    value = metrics.registry.get_sample_value
    for market, counts in {"dollars": (2, 1, 0), "euros": (0, 0, 1)}.items():
        found = (
            value("pokewatch_gateway_cache_total", {"market": market, "result": result})
            for result in ("hit", "miss", "stale")
        )
        assert tuple(found) == counts


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3_000)), max_size=60))
def test_memory_is_bounded_and_accounted_for(writes: list[tuple[int, int]]) -> None:
    cache = answers(Clock(), max_bytes=5_000)
    for request, size in writes:
        cache.put(request, b"x" * size, "1", "a")
        assert cache.bytes <= 5_000
        assert cache.bytes == sum(each.size for each in cache._entries.values())


def price(number: int) -> tuple[Hashable, bytes]:
    return (f"card_{number}".ljust(80, "x"), f"2026-01-{number % 28 + 1:02}", float(number)), bytes(
        430 + number % 9
    )


def search(number: int) -> tuple[Hashable, bytes]:
    """A search with the longest texts and widest characters that are allowed."""
    texts = {
        name: letter * 190 + str(number)
        for name, letter in (("q", "\U0001f600"), ("set", "\u0101"), ("rarity", "\u4e00"))
    }
    msgspec.json.encode(texts)  # caches the UTF-8 form inside each str, as sending does
    return (
        "cards",
        *texts.items(),
        ("limit", number % 1000 + 1),
        ("after", str(number) * 8),
    ), b"%d" % number * 8


def card(number: int) -> tuple[Hashable, bytes]:
    return ("card", str(number)), b"{%d" % number


def history(number: int) -> tuple[Hashable, bytes]:
    return ("history", ("card_id", f"card_{number}"), ("from", "2026-01-01")), bytes(
        5_000 + number % 20_000
    )


def mixed(number: int) -> tuple[Hashable, bytes]:
    return (price, search, card, history)[number % 4](number)


@pytest.mark.parametrize(
    "entry", [price, search, card, history, mixed], ids=lambda entry: entry.__name__
)
def test_accounted_memory_is_an_upper_bound(
    entry: Callable[[int], tuple[Hashable, bytes]],
) -> None:
    """With distinct requests, until the cache has been filled three times; versions change too."""
    max_bytes = 2 * 1_048_576
    tracemalloc.start()
    try:
        cache = answers(Clock(), max_bytes=max_bytes)
        written = number = 0
        before = tracemalloc.get_traced_memory()[0]
        while written < 3 * max_bytes:
            request, prefix = entry(number)
            written += cache.put(request, prefix, str(number // 5_000), "".join(["a"] * 64)).size
            number += 1
            del request, prefix
            if number % 50 == 0:
                assert cache.bytes <= max_bytes
                assert tracemalloc.get_traced_memory()[0] - before <= cache.bytes + 100_000
        assert tracemalloc.get_traced_memory()[1] - before <= max_bytes + 100_000
    finally:
        tracemalloc.stop()


def test_least_recently_used_is_evicted_first() -> None:
    cache = answers(Clock(), max_bytes=3_000)  # three of some 950 bytes
    for request in "abc":
        cache.put(request, b"x" * 500, "1", "a")
    cache.fresh("a", ONE)
    cache.put("d", b"x" * 500, "1", "a")
    assert [request for request in "abcd" if cache.fresh(request, ONE)] == ["a", "c", "d"]


def test_entity_tags_differ_between_bodies_and_codings() -> None:
    assert etag(b"a", b"gzip") == etag(b"a", b"gzip")
    assert len({etag(b"a"), etag(b"b"), etag(b"a", b"gzip"), etag(b"a", b"br")}) == 4


@pytest.mark.parametrize(
    ("given", "same"),
    [
        (b'"x"', True),
        (b'W/"x"', True),
        (b"*", True),
        (b'"y", "x"', True),
        (b'"y"', False),
        (b"", False),
        (b"x", False),
    ],
)
def test_if_none_match(given: bytes, same: bool) -> None:
    assert etag_matches(given, b'"x"') is same
