import tracemalloc
from collections.abc import Callable, Hashable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pokewatch.gateway.metrics import Metrics
from pokewatch.gateway.upstream.answer_cache import AnswerCache, etag, matches
from pokewatch.gateway.upstream.v2_messages import Versions
from tests.gateway.clock import Clock

ONE, TWO = Versions("1", "a"), Versions("2", "a")


def answers(clock: Clock, *, on: bool = True, most: int = 10_000) -> AnswerCache:
    return AnswerCache(on, most, 60, Metrics(), clock)


def test_an_answer_is_fresh_while_its_versions_are_served() -> None:
    kept = answers(Clock())
    kept.keep("card", b"{1", "1", "a")
    found = kept.fresh("card", ONE)
    assert found is not None
    assert found.prefix == b"{1"
    assert kept.fresh("card", TWO) is None
    assert kept.fresh("card", Versions("1", "b")) is None
    assert kept.fresh("card", None) is None
    assert kept.fresh("other", ONE) is None


def test_switched_off_it_keeps_for_outages_only() -> None:
    clock = Clock()
    kept = answers(clock, on=False)
    kept.keep("card", b"{1", "1", "a")
    assert kept.fresh("card", ONE) is None
    assert kept.stale("card") is not None
    clock.now += 60
    assert kept.stale("card") is None


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3_000)), max_size=60))
def test_memory_is_bounded_and_accounted_for(writes: list[tuple[int, int]]) -> None:
    kept = answers(Clock(), most=5_000)
    for request, size in writes:
        kept.keep(request, b"x" * size, "1", "a")
        assert kept.bytes <= 5_000
        assert kept.bytes == sum(each.size for each in kept._kept.values())


def price(number: int) -> tuple[Hashable, bytes]:
    return (f"card_{number}".ljust(80, "x"), f"2026-01-{number % 28 + 1:02}", float(number)), bytes(
        430 + number % 9
    )


def search(number: int) -> tuple[Hashable, bytes]:
    """An empty page of a search for texts as long and as wide as may be."""
    texts = {
        name: letter * 190 + str(number)
        for name, letter in (("q", "\U0001f600"), ("set", "\u0101"), ("rarity", "\u4e00"))
    }
    msgspec.json.encode(texts)  # as it goes to the model server; each text keeps its UTF-8
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


def any_of_them(number: int) -> tuple[Hashable, bytes]:
    return (price, search, card, history)[number % 4](number)


@pytest.mark.parametrize(
    "entry", [price, search, card, history, any_of_them], ids=lambda entry: entry.__name__
)
def test_what_it_holds_is_never_more_than_it_says(
    entry: Callable[[int], tuple[Hashable, bytes]],
) -> None:
    """With requests that are all new, until the cache has been filled three times over; versions change meanwhile."""
    most = 2 * 1_048_576
    tracemalloc.start()
    try:
        kept = answers(Clock(), most=most)
        written = number = 0
        before = tracemalloc.get_traced_memory()[0]
        while written < 3 * most:
            request, prefix = entry(number)
            written += kept.keep(request, prefix, str(number // 5_000), "".join(["a"] * 64)).size
            number += 1
            del request, prefix
            if number % 50 == 0:
                assert kept.bytes <= most
                assert tracemalloc.get_traced_memory()[0] - before <= kept.bytes + 100_000
        assert tracemalloc.get_traced_memory()[1] - before <= most + 100_000
    finally:
        tracemalloc.stop()


def test_the_least_used_goes_first() -> None:
    kept = answers(Clock(), most=3_000)  # three of some 950 bytes
    for request in "abc":
        kept.keep(request, b"x" * 500, "1", "a")
    kept.fresh("a", ONE)
    kept.keep("d", b"x" * 500, "1", "a")
    assert [request for request in "abcd" if kept.fresh(request, ONE)] == ["a", "c", "d"]


def test_entity_tags_tell_versions_apart() -> None:
    assert etag("1", "a") == etag("1", "a")
    assert len({etag(*pair) for pair in [("1", "a"), ("2", "a"), ("1", "b"), ("1a", "")]}) == 4


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
    assert matches(given, b'"x"') is same
