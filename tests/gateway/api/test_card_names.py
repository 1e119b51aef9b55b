import asyncio
from typing import Any

import pytest

from pokewatch.contract import MAX_PAGE_SIZE
from pokewatch.gateway.api.card_names import CardName, CardNames, names_of
from pokewatch.gateway.http.problems import unavailable

DEADLINE = 5.0


class Reader:
    """A catalogue that knows every card but `nobody`, or that is down."""

    def __init__(self, down: bool = False) -> None:
        self.asked: list[tuple[str, ...]] = []
        self._down = down

    async def read(self, call: Any, headers: bytes, deadline: float) -> CardNames:
        assert deadline == DEADLINE
        if self._down:
            raise unavailable("down")
        self.asked.append(call.payload["cards"])
        known = [card for card in call.payload["cards"] if card != "nobody"]
        found = CardNames(
            [CardName(f"id-{card}", card, card.upper(), "S") for card in known], "1", "2"
        )
        call.check(found, call.payload)
        return found


class Market:
    """A market whose names are waited for until DEADLINE."""

    def __init__(self, reader: Any) -> None:
        self.reader = reader

    def merge_deadline(self) -> float:
        return DEADLINE


def names(reader: Any, *slugs: str) -> dict[str, CardName]:
    market: Any = Market(reader)
    return asyncio.run(names_of(slugs, market, b""))


def test_each_card_is_asked_for_once_and_unknown_ones_are_left_out() -> None:
    reader = Reader()
    assert names(reader, "a", "b", "a", "nobody").keys() == {"a", "b"}
    assert reader.asked == [("a", "b", "nobody")]


def test_as_many_as_the_model_server_allows_and_no_call_for_none() -> None:
    reader = Reader()
    assert len(names(reader, *(f"card_{at}" for at in range(MAX_PAGE_SIZE + 5)))) == MAX_PAGE_SIZE
    assert names(reader) == {}
    assert len(reader.asked) == 1


def test_there_are_none_while_the_model_server_is_down() -> None:
    assert names(Reader(down=True), "a") == {}


@pytest.mark.parametrize("card", [CardName("<b>", "a", "A", "S"), CardName("b", "b", "B", "S")])
def test_a_reply_of_other_cards_is_unusable(card: CardName) -> None:
    class Wrong(Reader):
        async def read(self, call: Any, headers: bytes, deadline: float) -> CardNames:
            call.check(CardNames([card], "1", "2"), call.payload)
            raise AssertionError

    with pytest.raises(ValueError, match=r"is neither an id|was not asked for"):
        names(Wrong(), "a")
