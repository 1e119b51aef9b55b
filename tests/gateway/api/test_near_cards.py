import asyncio
from typing import Any

from pokewatch.contract import MAX_NEAR
from pokewatch.gateway.api.near_cards import NearAnswer, NearCards
from pokewatch.gateway.http.problems import UNKNOWN_CARD, invalid, unavailable, unknown_card


class Reader:
    """A catalogue in which every card is near to `<card>_near`, or that is down."""

    def __init__(self, down: bool = False) -> None:
        self.asked: list[str] = []
        self._down = down

    async def read(self, call: Any, headers: bytes) -> NearAnswer:
        if self._down:
            raise unavailable("down")
        self.asked += call.payload["cards"]
        found = NearAnswer([[f"{card}_near"] for card in call.payload["cards"]], "1", "2")
        call.check(found, call.payload)
        return found


def test_only_unknown_cards_are_searched_for_and_each_once() -> None:
    reader: Any = Reader()
    fault = invalid("/date", "x")
    outcomes = [unknown_card("a"), "valued", unknown_card("a"), fault, unknown_card("b")]
    cards = ["a", "b", "a", "c", "b"]
    found = asyncio.run(NearCards(reader).complete_all(outcomes, cards, bytes))
    assert reader.asked == ["a", "b"]
    assert [getattr(each, "near", None) for each in found] == [
        ("a_near",),
        None,
        ("a_near",),
        (),
        ("b_near",),
    ]


def test_as_many_as_the_model_server_allows() -> None:
    reader: Any = Reader()
    cards = [f"card_{number}" for number in range(MAX_NEAR + 5)]
    found = asyncio.run(NearCards(reader).complete_all(map(unknown_card, cards), cards, bytes))
    assert len(reader.asked) == MAX_NEAR
    assert [bool(each.near) for each in found] == [True] * MAX_NEAR + [False] * 5


def test_the_card_is_unknown_even_if_the_search_fails() -> None:
    reader: Any = Reader(down=True)
    problem = asyncio.run(NearCards(reader).complete(unknown_card("a"), "a", b""))
    assert (problem.kind, problem.near) == (UNKNOWN_CARD, ())
    fault = invalid("/date", "x")
    assert asyncio.run(NearCards(reader).complete(fault, "a", b"")) is fault
