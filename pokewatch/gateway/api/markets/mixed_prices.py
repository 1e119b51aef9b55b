"""The fair prices of cards of several markets."""

import asyncio
from collections.abc import Mapping, Sequence

from pokewatch.gateway.api.composition import CardQuery, Priced
from pokewatch.gateway.api.markets.backend import MarketBackend
from pokewatch.gateway.api.schemas import FairPrice
from pokewatch.gateway.http.problems import ProblemError
from pokewatch.gateway.upstream.coalescing import QueueLimit
from pokewatch.gateway.upstream.transport import Transport
from pokewatch.gateway.upstream.v2_client import RefusedError

Cards = Mapping[MarketBackend, Sequence[CardQuery]]
Outcomes = Sequence[FairPrice | ProblemError]


class MixedPrices:
    """Values the cards of several markets: a call of each, and one of `decision` at each address.

    A market takes a call of its model whatever it has to value, and a decision is the same for all.
    """

    def __init__(self, load: QueueLimit) -> None:
        self._load = load

    async def value_all(self, cards: Cards, deadline: float) -> list[Outcomes | ProblemError]:
        """Return the outcomes of each market, or the problem of its call. Raise ProblemError."""
        addresses: dict[Transport, list[MarketBackend]] = {}
        for backend in cards:
            addresses.setdefault(backend.transport, []).append(backend)
        rows = sum(map(len, cards.values()))
        self._load.enter(rows)
        try:
            found = await asyncio.gather(
                *(
                    _at_one_address({each: cards[each] for each in there}, deadline)
                    for there in addresses.values()
                )
            )
        finally:
            self._load.leave(rows)
        outcomes = {backend: each for part in found for backend, each in part.items()}
        return await asyncio.gather(
            *(_completed(each, cards[each], outcomes[each], deadline) for each in cards)
        )


async def _at_one_address(
    cards: Cards, deadline: float
) -> dict[MarketBackend, Outcomes | ProblemError | RefusedError]:
    priced = await asyncio.gather(*(_priced(each, cards[each], deadline) for each in cards))
    found = dict(zip(cards, priced, strict=True))
    there = {backend: each for backend, each in found.items() if isinstance(each, Priced)}
    if not there:
        return {each: problem for each, problem in found.items() if not isinstance(problem, Priced)}
    first = next(iter(there)).composition
    try:
        decisions = await first.decide(list(there.values()), deadline)
    except ProblemError as problem:
        return {each: problem if isinstance(f, Priced) else f for each, f in found.items()}
    answers: dict[MarketBackend, Outcomes | ProblemError | RefusedError] = {}
    start = 0
    for backend, each in found.items():
        if not isinstance(each, Priced):
            answers[backend] = each
            continue
        rows = slice(start, start + len(each.cards))
        own = {name: column[rows] for name, column in decisions.items()}
        answers[backend] = backend.composition.answers(each, own)
        start = rows.stop
    return answers


async def _priced(
    backend: MarketBackend, cards: Sequence[CardQuery], deadline: float
) -> Priced | ProblemError | RefusedError:
    try:
        return await backend.composition.price(cards, deadline)
    except (ProblemError, RefusedError) as error:
        return error


async def _completed(
    backend: MarketBackend,
    cards: Sequence[CardQuery],
    found: Outcomes | ProblemError | RefusedError,
    deadline: float,
) -> Outcomes | ProblemError:
    """Return the outcomes of a market; of a refused call, those that a call of its own has."""
    try:
        if isinstance(found, RefusedError):
            return await backend.prices.value_all(cards, deadline)
        return (
            found
            if isinstance(found, ProblemError)
            else await backend.prices.completed(cards, found)
        )
    except ProblemError as problem:
        return problem
