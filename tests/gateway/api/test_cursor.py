import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from pokewatch.contract import CARD_ID_PATTERN, MARKET_PATTERN
from pokewatch.gateway.api.cursor import decode_cursor, encode_cursor
from pokewatch.gateway.http.problems import ProblemError

MARKETS = st.from_regex(rf"\A{MARKET_PATTERN}\Z")
CARDS = st.from_regex(rf"\A{CARD_ID_PATTERN}\Z")


class PagingMachine(RuleBasedStateMachine):
    """Pages of any size over a fixed catalogue: every card once, in order."""

    @initialize(cards=st.sets(CARDS, max_size=30), search=st.text())
    def start(self, cards: set[str], search: str) -> None:
        self.cards = sorted(cards)
        self.search = search
        self.read: list[str] = []
        self.cursor: str | None = None
        self.done = False

    @precondition(lambda self: not self.done)
    @rule(limit=st.integers(1, 10))
    def turn(self, limit: int) -> None:
        last = decode_cursor(self.cursor, self.search)[1] if self.cursor else ""
        page = [card for card in self.cards if card > last][: limit + 1]
        self.read += page[:limit]
        self.done = len(page) <= limit
        self.cursor = None if self.done else encode_cursor("a", page[limit - 1], self.search)

    @precondition(lambda self: self.done)
    @rule()
    def read_again(self) -> None:
        assert self.read == self.cards
        self.read, self.done = [], False

    @rule(other=st.text())
    def try_elsewhere(self, other: str) -> None:
        if other != self.search and self.cursor:
            with pytest.raises(ProblemError):
                decode_cursor(self.cursor, other)

    @invariant()
    def reads_in_order(self) -> None:
        if hasattr(self, "read"):
            assert self.read == self.cards[: len(self.read)]


test_paging = PagingMachine.TestCase


@given(MARKETS, CARDS | st.just(""), st.text())
def test_a_cursor_decodes_to_what_it_was_made_from(market: str, card: str, search: str) -> None:
    assert decode_cursor(encode_cursor(market, card, search), search) == (market, card)


@given(st.text())
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(ProblemError) as caught:
        decode_cursor(text, "search")
    assert caught.value.kind.status == 404
    assert [fault.pointer for fault in caught.value.errors] == ["?cursor"]
