"""The fair prices of cards of several markets."""

import asyncio
from collections import ChainMap
from collections.abc import Mapping, Sequence

from pokewatch.gateway.api.card_prices import Outcomes
from pokewatch.gateway.api.composition import CardQuery, Priced
from pokewatch.gateway.api.markets.backend import MarketBackend
from pokewatch.gateway.http.problems import ProblemError
from pokewatch.gateway.upstream.coalescing import QueueLimit
from pokewatch.gateway.upstream.combined_requests import CombinedRequests
from pokewatch.gateway.upstream.transport import Sender, Transport
from pokewatch.gateway.upstream.v2_client import RefusedError

Cards = Mapping[MarketBackend, Sequence[CardQuery]]
_Found = Outcomes | ProblemError | RefusedError

_TOGETHER_SECONDS = 0.25  # that markets wait for each other, to be decided on together


class MixedPrices:
    """Values the cards of several markets by two calls at each address, whatever their number.

    One has a request to the model of each market, the other is of `decision`, the same for all. A
    call that fails as a whole fails for each of its markets.
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


async def _at_one_address(cards: Cards, deadline: float) -> Mapping[MarketBackend, _Found]:
    """Return what was found for markets at one address.

    Those that are late are decided on by further calls, one for all that arrive at the same time.
    """
    together = CombinedRequests(next(iter(cards)).transport) if len(cards) > 1 else None
    calls = {
        asyncio.create_task(_priced(backend, queries, deadline, together)): backend
        for backend, queries in cards.items()
    }
    decisions: list[asyncio.Task[dict[MarketBackend, _Found]]] = []
    try:
        done, late = await asyncio.wait(calls, timeout=_TOGETHER_SECONDS)
        while True:
            outcomes = {backend: call.result() for call, backend in calls.items() if call in done}
            decisions.append(asyncio.create_task(_decided(outcomes, deadline)))
            if not late:
                break
            done, late = await asyncio.wait(late, return_when=asyncio.FIRST_COMPLETED)
        return ChainMap(*await asyncio.gather(*decisions))
    finally:
        for task in (*calls, *decisions):
            task.cancel()


async def _decided(
    outcomes: Mapping[MarketBackend, Priced | ProblemError | RefusedError], deadline: float
) -> dict[MarketBackend, _Found]:
    """Return the answers of markets, decided on by one call, and the errors of others."""
    priced: dict[MarketBackend, Priced] = {}
    found: dict[MarketBackend, _Found] = {}
    for backend, outcome in outcomes.items():
        if isinstance(outcome, Priced):
            priced[backend] = outcome
        else:
            found[backend] = outcome
    if not priced:
        return found
    first = next(iter(priced)).composition
    try:
        decisions = await first.decide(list(priced.values()), deadline)
    except ProblemError as problem:
        return found | dict.fromkeys(priced, problem)
    start = 0
    for backend, each in priced.items():
        rows = slice(start, start + len(each.cards))
        own = {name: column[rows] for name, column in decisions.items()}
        found[backend] = backend.composition.answers(each, own)
        start = rows.stop
    return found


async def _priced(
    backend: MarketBackend, cards: Sequence[CardQuery], deadline: float, sender: Sender | None
) -> Priced | ProblemError | RefusedError:
    try:
        return await backend.composition.price(cards, deadline, sender)
    except (ProblemError, RefusedError) as error:
        return error


async def _completed(
    backend: MarketBackend,
    cards: Sequence[CardQuery],
    found: _Found,
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
