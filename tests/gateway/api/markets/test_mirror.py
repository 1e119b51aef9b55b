"""Answers that are compared with the other variant's, behind a bounded queue."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from pokewatch.gateway.api.composition import CardQuery
from pokewatch.gateway.api.markets.mirror import Mirror, Pair
from pokewatch.gateway.api.schemas import FairPrice
from pokewatch.gateway.http.problems import ProblemError, unavailable, unknown_card


def fair_price(card: str) -> FairPrice:
    """Return an answer about a card."""
    found = dict.fromkeys(FairPrice.__struct_fields__) | {"card_id": card}
    return FairPrice(**found)  # type: ignore[arg-type]  # the mirror reads nothing else


@dataclass
class Other:
    """The other variant, and what the mirror reports."""

    outcome: BaseException | None = None
    unknown: str = ""
    calls: list[list[str]] = field(default_factory=list)
    pairs: list[Pair] = field(default_factory=list)
    failed: int = 0
    dropped: int = 0
    running: int = 0

    def mirror(self) -> Mirror:
        return Mirror(self.call, self.pairs.extend, self.count_failed, self.count_dropped)

    async def call(
        self, cards: Sequence[CardQuery], deadline: float
    ) -> Sequence[FairPrice | ProblemError]:
        self.calls.append([card.card_id for card in cards])
        self.running += 1
        assert self.running == 1, "one call at a time"
        await asyncio.sleep(0.001)
        self.running -= 1
        if self.outcome is not None:
            raise self.outcome
        return [
            unknown_card(card.card_id) if card.card_id == self.unknown else fair_price(card.card_id)
            for card in cards
        ]

    def count_failed(self, answers: int) -> None:
        self.failed += answers

    def count_dropped(self, answers: int) -> None:
        self.dropped += answers


async def mirrored(other: Other, count: int) -> None:
    mirror = other.mirror()
    for number in range(count):
        mirror.add(CardQuery(f"card_{number}", "", None), fair_price(f"card_{number}"))
    assert mirror._task is not None
    await mirror._task


def test_answers_are_compared_in_few_calls_and_too_many_are_dropped() -> None:
    other = Other(unknown="card_3")
    asyncio.run(mirrored(other, 250))
    assert [len(call) for call in other.calls] == [100, 100]
    assert (other.dropped, other.failed) == (50, 0)
    assert [card.card_id for card, _, _ in other.pairs] == [
        f"card_{number}" for number in range(200) if number != 3
    ]
    assert all(first.card_id == second.card_id for _, first, second in other.pairs)


def test_a_failed_call_drops_what_waits() -> None:
    other = Other(unavailable("away"))
    asyncio.run(mirrored(other, 150))
    assert len(other.calls) == 1, "one outage is one failure"
    assert (other.failed, other.pairs) == (150, [])


def test_an_unexpected_error_is_logged_and_the_next_call_made(
    caplog: pytest.LogCaptureFixture,
) -> None:
    other = Other(RuntimeError("unexpected"))
    asyncio.run(mirrored(other, 150))
    assert (len(other.calls), other.failed) == (2, 0)
    assert "unexpected error" in caplog.text


def test_a_closed_mirror_makes_no_call() -> None:
    async def scenario(other: Other) -> None:
        mirror = other.mirror()
        mirror.add(CardQuery("card_1", "", None), fair_price("card_1"))
        mirror.close()
        await asyncio.sleep(0.05)
        assert other.calls == []

    asyncio.run(scenario(Other()))
