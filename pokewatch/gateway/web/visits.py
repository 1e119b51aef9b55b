"""Requests of pages, with what their answers were made from."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pokewatch.gateway.api.markets.backend import MarketBackend
from pokewatch.gateway.http.middleware import RequestContext
from pokewatch.gateway.web.page_queries import PageQuery


@dataclass(slots=True)
class Visit:
    """A request of a page about a market.

    `versions` are those of model and data of all answers that the page shows. It is `stale` if one
    is an earlier answer, sent because the model server is down. `record_digest` is that of the
    track record that the page shows, None if it shows none. It is not `complete` if names of cards
    could not be read in time. `on_shown` is called with the page that is sent, and not with one
    that has to be made again.
    """

    context: RequestContext
    market: MarketBackend
    query: PageQuery = field(default_factory=PageQuery)
    versions: set[tuple[str, str]] = field(default_factory=set)
    stale: bool = False
    record_digest: str | None = None
    complete: bool = True
    on_shown: Callable[[], None] = lambda: None

    def record(self, answers: list[Any]) -> None:
        """Record answers that the page shows."""
        self.versions |= {(each.model_version, each.data_version) for each in answers}
        self.stale = self.stale or any(each.stale for each in answers)
