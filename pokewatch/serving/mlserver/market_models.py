"""The models folder, with a model for each market."""

import asyncio
from collections.abc import Sequence

from mlserver.errors import ModelNotFound
from mlserver.repository import SchemalessModelRepository
from mlserver.settings import ModelSettings

from pokewatch.contract import (
    FAIR_PRICE,
    fair_price_model,
    is_challenger,
    market_of_challenger,
    market_of_model,
)
from pokewatch.serving.markets import markets_to_serve
from pokewatch.settings import MarketSettings, ServingSettings


class MarketModelRepository(SchemalessModelRepository):  # type: ignore[misc]  # MLServer ships no types
    """The models of a folder, whose `fair-price` stands for a model of each market.

    The markets are those found at start-up, and those whose model a deploy has had loaded since.
    Each has a challenger too, which is not listed: a deploy has it loaded. A `fair-price` that
    names its price book stays as it is.
    """

    def __init__(self, root: str) -> None:
        super().__init__(root)
        self._markets: list[str] | None = None

    async def list(self) -> Sequence[ModelSettings]:
        found = await super().list()
        template = next(
            (each for each in found if each.name == FAIR_PRICE and serves_champion(each)), None
        )
        if template is None:
            return found  # type: ignore[no-any-return]
        if self._markets is None:
            self._markets = await asyncio.to_thread(
                markets_to_serve, ServingSettings.read().load_timeout
            )
        others = [each for each in found if each is not template]
        return [*others, *(_model_of(template, market) for market in self._markets)]

    async def find(self, name: str) -> Sequence[ModelSettings]:
        known = await self.list()
        market = market_of_model(name)
        if (
            self._markets is not None
            and market not in self._markets
            and (market or name == FAIR_PRICE)
            and not MarketSettings.read().markets
        ):
            self._markets.append(market)
            known = await self.list()
        selected = [settings for settings in known if settings.name == name]
        if not selected and is_challenger(name):
            champion = fair_price_model(market_of_challenger(name))
            selected = [
                settings.model_copy(update={"name": name})
                for settings in known
                if settings.name == champion and serves_champion(settings)
            ]
        if not selected:
            raise ModelNotFound(name)
        return selected


def serves_champion(settings: ModelSettings) -> bool:
    """Return whether a model is one of a champion, rather than of a book that it names."""
    extra = (settings.parameters.extra if settings.parameters else None) or {}
    is_market = settings.name == FAIR_PRICE or bool(market_of_model(settings.name))
    return is_market and "digest" not in extra


def _model_of(template: ModelSettings, market: str) -> ModelSettings:
    return template.model_copy(update={"name": fair_price_model(market)}) if market else template
