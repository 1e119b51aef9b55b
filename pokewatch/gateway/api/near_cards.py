"""Cards similar to unknown ones, for the member `near` of problems."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from pokewatch.contract import MAX_NEAR
from pokewatch.gateway.api.catalog_reader import CatalogCall, CatalogReader
from pokewatch.gateway.api.composition import ForwardedHeaders
from pokewatch.gateway.http.problems import UNKNOWN_CARD, ProblemError, unknown_card


class NearAnswer(msgspec.Struct, frozen=True):
    """The slugs similar to each card that was asked for."""

    near: list[list[str]]
    model_version: str
    data_version: str
    stale: bool = False


class NearCards:
    """Finds similar cards in the catalogue of the served book."""

    def __init__(self, reader: CatalogReader) -> None:
        self._reader = reader

    async def complete(self, problem: ProblemError, card: str, headers: bytes) -> ProblemError:
        """Return the problem of a card, with similar ones if the card is unknown."""
        if problem.kind is not UNKNOWN_CARD:
            return problem
        near = await self.find([card], headers)
        return unknown_card(card, near.get(card, ()))

    async def complete_all(
        self, outcomes: Iterable[Any], cards: Sequence[str], headers: ForwardedHeaders
    ) -> list[Any]:
        """Return the outcomes of cards, with similar ones for the first MAX_NEAR unknown cards."""
        outcomes = list(outcomes)
        unknown = [
            card
            for outcome, card in zip(outcomes, cards, strict=True)
            if isinstance(outcome, ProblemError) and outcome.kind is UNKNOWN_CARD
        ]
        if not unknown:
            return outcomes
        near = await self.find(list(dict.fromkeys(unknown))[:MAX_NEAR], headers())
        return [
            unknown_card(card, near[card])
            if card in near and isinstance(outcome, ProblemError) and outcome.kind is UNKNOWN_CARD
            else outcome
            for outcome, card in zip(outcomes, cards, strict=True)
        ]

    async def find(self, cards: Sequence[str], headers: bytes) -> dict[str, list[str]]:
        """Return the slugs similar to each of up to MAX_NEAR cards, {} if they cannot be found."""
        call = CatalogCall("near", {"cards": tuple(cards)}, NearAnswer, _check)
        try:
            found: NearAnswer = await self._reader.read(call, headers)
        except ProblemError:
            return {}  # the card is unknown, whatever happens to the search for others
        return dict(zip(cards, found.near, strict=True))


def _check(found: NearAnswer, payload: dict[str, Any]) -> None:
    if len(found.near) != len(payload["cards"]):
        raise ValueError(f"{len(found.near)} lists for {len(payload['cards'])} cards")
