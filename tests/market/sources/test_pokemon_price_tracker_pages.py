"""The pages of PokemonPriceTracker's answers, and failures that are answered with 200."""

import itertools
import json
from collections.abc import Callable
from typing import Any

import pytest

from pokewatch.errors import SourceError
from pokewatch.market.sources.pokemon_price_tracker import PokemonPriceTrackerSource
from tests.market.sources.price_tracker import KEY, card, opened
from tests.market.upstream import Reply, Request, Upstream

__all__ = ["opened"]


def test_pages_are_followed(
    upstream: Upstream, opened: Callable[..., PokemonPriceTrackerSource]
) -> None:
    def page(request: Request) -> Reply:
        offset = int(request.query.get("offset", ["0"])[0])
        body = {
            "data": [card(offset + n) for n in (1, 2)] if offset < 4 else [card(5)],
            "metadata": {"hasMore": offset < 4},
        }
        return Reply(json.dumps(body).encode())

    upstream.routes["/cards"] = page

    assert opened().catalog().num_rows == 5


def test_endless_pages_are_refused(
    upstream: Upstream,
    opened: Callable[..., PokemonPriceTrackerSource],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pokewatch.market.sources.pokemon_price_tracker_pages._MOST_PAGES", 3)
    numbers = itertools.count(1)

    def page(_: Request) -> Reply:
        body = {"data": [card(next(numbers))], "metadata": {"hasMore": True}}
        return Reply(json.dumps(body).encode())

    upstream.routes["/cards"] = page

    with pytest.raises(SourceError, match="has more than 3 pages"):
        opened().catalog()


def test_a_server_that_repeats_a_page_is_not_asked_for_more(
    upstream: Upstream, opened: Callable[..., PokemonPriceTrackerSource]
) -> None:
    upstream.json("/cards", {"data": [card()], "metadata": {"hasMore": True}})

    with pytest.raises(SourceError, match="set s1: the page at 1 repeats another"):
        opened().catalog()
    assert upstream.paths() == ["/sets", "/cards", "/cards"]


def _paged(pages: list[dict[str, Any]]) -> list[Reply]:
    return [Reply(json.dumps(page).encode()) for page in pages]


MORE = {"hasMore": True}


def test_pages_that_repeat_with_other_times_or_in_turn_are_noticed(
    upstream: Upstream, opened: Callable[..., PokemonPriceTrackerSource]
) -> None:
    numbers = itertools.count()

    def page(_: Request) -> Reply:
        number = next(numbers)
        body = {"data": [card(number % 2, fetchedAt=number)], "metadata": MORE}
        return Reply(json.dumps(body).encode())

    upstream.routes["/cards"] = page

    with pytest.raises(SourceError, match="set s1: the page at 2 repeats another"):
        opened().catalog()


def test_an_empty_page_that_more_should_follow_is_an_error(
    upstream: Upstream, opened: Callable[..., PokemonPriceTrackerSource]
) -> None:
    upstream.routes["/cards"] = _paged(
        [{"data": [card(1)], "metadata": MORE}, {"data": [], "metadata": MORE}]
    )

    with pytest.raises(SourceError, match="set s1: the page at 1 is empty, and says that more"):
        opened().catalog()


def test_a_set_without_cards_may_come_with_a_message(
    upstream: Upstream, opened: Callable[..., PokemonPriceTrackerSource]
) -> None:
    none = {"success": True, "data": [], "message": "No cards found", "metadata": {"total": 0}}
    upstream.json("/cards", none)
    source = opened()

    assert source.catalog().num_rows == 0
    assert source.warnings == []


def test_one_entry_twice_on_a_page_counts_twice(
    upstream: Upstream, opened: Callable[..., PokemonPriceTrackerSource]
) -> None:
    upstream.json("/cards", {"data": [card(1), card(1)], "metadata": {"total": 2}})
    source = opened()

    assert source.catalog().num_rows == 1
    assert [each for each in source.warnings if "of a total" in each] == []


@pytest.mark.parametrize("where", ["metadata", "answer"])
def test_entries_that_are_missing_of_the_total_are_reported(
    upstream: Upstream, opened: Callable[..., PokemonPriceTrackerSource], where: str
) -> None:
    last = {"metadata": {"total": 4}} if where == "metadata" else {"total": 4}
    first = {"data": [card(1), card(2)], "metadata": MORE}
    upstream.routes["/cards"] = _paged([first, {"data": [card(2), card(3)], **last}])
    source = opened()

    assert source.catalog().num_rows == 3
    assert source.warnings == [
        f"pokemon_price_tracker: {upstream.url}/cards: 3 entries of set s1, of a total of 4: "
        "the others are missing"
    ]


def test_a_total_that_shrinks_between_pages_is_reported(
    upstream: Upstream, opened: Callable[..., PokemonPriceTrackerSource]
) -> None:
    first = {"data": [card(1), card(2)], "metadata": MORE | {"total": 4}}
    upstream.routes["/cards"] = _paged([first, {"data": [card(3)], "metadata": {"total": 3}}])
    source = opened()

    assert source.catalog().num_rows == 3
    assert [each.split(": ")[-2:] for each in source.warnings] == [
        ["3 entries of set s1, of a total of 4", "the others are missing"]
    ]


def test_data_that_comes_with_an_error_is_used_and_the_error_reported(
    upstream: Upstream, opened: Callable[..., PokemonPriceTrackerSource]
) -> None:
    upstream.json("/cards", {"data": [card(1)], "error": f"{KEY}: cut off at the limit"})
    source = opened()

    assert source.catalog().num_rows == 1
    assert source.warnings == [
        f"pokemon_price_tracker: {upstream.url}/cards: the answer has data of set s1 and reports a "
        "failure: ***: cut off at the limit"
    ]


@pytest.mark.parametrize(
    ("body", "cause"),
    [
        ({"data": None, "error": f"{KEY} is over its quota"}, ": *** is over its quota"),
        ({"success": False, "message": "rebuilding", "data": []}, ": rebuilding"),
        ({"success": False, "data": []}, ""),
    ],
    ids=["error", "message", "no cause"],
)
def test_a_failure_that_is_answered_with_200_is_reported_with_its_cause(
    upstream: Upstream,
    opened: Callable[..., PokemonPriceTrackerSource],
    body: dict[str, Any],
    cause: str,
) -> None:
    upstream.json("/cards", body)

    with pytest.raises(SourceError) as caught:
        opened().catalog()
    assert caught.value.cause == f"set s1: the answer reports a failure{cause}"
