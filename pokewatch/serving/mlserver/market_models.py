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

    The markets are those found at start-up, and those that were loaded since, as a deploy does.
    Each has a challenger too, which is not listed: a deploy has it loaded. A `fair-price` that
    names its price book stays as it is.
    """

    def __init__(self, root: str) -> None:
        super().__init__(root)
        self._markets: list[str] | None = None

    async def list(self) -> Sequence[ModelSettings]:
        found = await super().list()
        template = _template(found)
        if template is None:
            return found  # type: ignore[no-any-return]
        if self._markets is None:
            self._markets = await _markets_to_serve()
        others = [each for each in found if each is not template]
        return [*others, *(_model_of(template, market) for market in self._markets)]

    async def find(self, name: str) -> Sequence[ModelSettings]:
        """Return the models of a name, which may be that of a market not loaded so far."""
        known = await self.list()
        selected = [settings for settings in known if settings.name == name]
        if not selected and is_challenger(name):
            champion = fair_price_model(market_of_challenger(name))
            selected = [
                settings.model_copy(update={"name": name})
                for settings in known
                if settings.name == champion and serves_champion(settings)
            ]
        if not selected and _is_market(name) and not MarketSettings.read().markets:
            template = _template(await super().list())
            selected = [] if template is None else [_model_of(template, market_of_model(name))]
        if not selected:
            raise ModelNotFound(name)
        return selected

    async def replace_unnamed(self) -> Sequence[ModelSettings] | None:
        """Stop to list the unnamed market where all in the registry have names; None where not.

        It stands for the first champion of an empty registry, and can never be loaded when that
        has a name. Return the models of the markets that were not listed.
        """
        found = await _markets_to_serve()
        template = _template(await super().list())
        if self._markets is None or template is None or "" in found:
            return None
        new = [market for market in found if market not in self._markets]
        self._markets = [*filter(None, self._markets), *new]
        return [_model_of(template, market) for market in new]

    def loaded(self, name: str) -> None:
        """List the market of a model that `find` returned, now that it is loaded."""
        market = market_of_model(name)
        if self._markets is not None and _is_market(name) and market not in self._markets:
            self._markets.append(market)


async def _markets_to_serve() -> list[str]:
    return await asyncio.to_thread(markets_to_serve, ServingSettings.read().load_timeout)


def serves_champion(settings: ModelSettings) -> bool:
    """Return whether a model is one of a champion, rather than of a book that it names."""
    extra = (settings.parameters.extra if settings.parameters else None) or {}
    return _is_market(settings.name) and "digest" not in extra


def _is_market(model: str) -> bool:
    return model == FAIR_PRICE or bool(market_of_model(model))


def _template(models: Sequence[ModelSettings]) -> ModelSettings | None:
    """Return the `fair-price` that stands for the models of all markets."""
    return next(
        (each for each in models if each.name == FAIR_PRICE and serves_champion(each)), None
    )


def _model_of(template: ModelSettings, market: str) -> ModelSettings:
    return template.model_copy(update={"name": fair_price_model(market)}) if market else template
