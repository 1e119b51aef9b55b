"""The markets that the gateway serves: by id, and by card."""

from collections.abc import Sequence

from msgspec import UNSET, UnsetType

from pokewatch.contract import card_hash
from pokewatch.gateway.api.markets.backend import MarketBackend
from pokewatch.gateway.events.event_log import NO_EXPERIMENT, Arm
from pokewatch.gateway.http.middleware import RequestContext
from pokewatch.gateway.http.problems import ProblemError, unavailable, unknown_market

_MAX_FOUND = 50_000  # cards whose market is remembered


class Markets:
    """The markets in the order that they are listed in. There is always one.

    `only` is the market of a gateway that has one, else None. A card that is in several markets
    belongs to the first of them.
    """

    def __init__(self, backends: Sequence[MarketBackend]) -> None:
        self._found: dict[str, MarketBackend] = {}
        self.replace(backends)

    def replace(self, backends: Sequence[MarketBackend]) -> None:
        """Serve other markets from now on."""
        self.backends = tuple(backends)
        self._named: dict[str, MarketBackend] = {}
        self.first = self.backends[0]
        self.only = self.first if len(self.backends) == 1 else None
        self.forget_cards()

    def forget_cards(self) -> None:
        """Look all cards up again."""
        self._found.clear()

    def several(self) -> bool:
        return self.only is None

    def named(self, market: str) -> MarketBackend:
        """Return the market with an id. Raise ProblemError (404)."""
        backend = self._named.get(market)
        if backend is None or backend.id != market:  # a market may have no id until it is polled
            self._named = {each.id: each for each in reversed(self.backends)}
            backend = self._named.get(market)
        if backend is None:
            raise self.unknown(market)
        return backend

    def unknown(self, market: str) -> ProblemError:
        """Return the problem of a market that does not exist, or may not exist."""
        known = [backend.id for backend in self.backends]
        if "" in known:
            return unavailable("the markets are not known while the model server is not available")
        return unknown_market(market, known)

    def chosen(self, market: str | UnsetType) -> MarketBackend:
        """Return the market that a request names, else the first. Raise ProblemError (404)."""
        return self.first if market is UNSET else self.named(market)

    def arm(self, market: str, context: RequestContext) -> Arm:
        """Return the arm of a caller in the canary of a market, if there is one."""
        found = next((each.canary for each in self.backends if each.id == market), None)
        return NO_EXPERIMENT if found is None else found.arm(context)

    def of_card(self, card: str, market: str | UnsetType = UNSET) -> MarketBackend:
        """Return the market that is named, else that of the card, which may be an id or a slug.

        That of an unknown card is the first. Raise ProblemError.
        """
        if market is not UNSET:
            return self.named(market)
        if self.only is not None:
            return self.only
        found = self._found.get(card)
        if found is None:
            found = self._search(card)
            if len(self._found) >= _MAX_FOUND:
                self._found.clear()
            self._found[card] = found
        return found

    def reachable(self) -> MarketBackend:
        """Return the first market that can be reached, else the first."""
        if self.only is None:
            for backend in self.backends:
                if backend.poller.problem is None:
                    return backend
        return self.first

    def _search(self, card: str) -> MarketBackend:
        number = int.from_bytes(card_hash(card), "little")
        for backend in self.backends:
            if backend.cards.has(number):
                return backend
        for backend in self.backends:
            if not backend.cards.known:
                raise unavailable(
                    f"{card!r} may be a card of {backend.id or 'a market'}, whose cards cannot be "
                    "listed at the moment: name the market, or try again later"
                )
        return self.first
