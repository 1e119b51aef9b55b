"""The market of a command, by `--market`, POKEWATCH_MARKET or as the only one; its price book."""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import click

from pokewatch.contract import MARKET_PATTERN
from pokewatch.errors import BookError, SettingsError

if TYPE_CHECKING:
    from pokewatch.registry import RegisteredModel, Registry
    from pokewatch.valuation.book import PriceBook

Command = TypeVar("Command", bound=Callable[..., Any])


def market_option(command: Command) -> Command:
    """Add `--market` to a command, which then works on that market."""
    option = click.option(
        "--market",
        expose_value=False,
        callback=_select,
        help="Market, such as magic-tcgplayer-usd. Default: POKEWATCH_MARKET, else the only one.",
    )
    return option(command)


def _select(ctx: click.Context, param: click.Parameter, market: str | None) -> None:
    if market is None:
        return
    if not re.fullmatch(MARKET_PATTERN, market):
        raise click.BadParameter(
            f"{market[:80]!r} is not a market such as magic-tcgplayer-usd", ctx, param
        )
    ctx.with_resource(_selected(market))


@contextmanager
def _selected(market: str) -> Iterator[None]:
    """Select a market until the command ends, in this process and those it starts."""
    from pokewatch.settings import RegistrySettings

    variable = RegistrySettings.variable("market")
    before = os.environ.get(variable)
    os.environ[variable] = market
    try:
        yield
    finally:
        del os.environ[variable]
        if before is not None:
            os.environ[variable] = before


def first_registry() -> "Registry":
    """Return the registry of the market chosen, else of the first that has a champion.

    Where POKEWATCH_MARKETS is set only those markets count, since no others are served.
    """
    from pokewatch.registry import Registry
    from pokewatch.settings import MarketSettings, RegistrySettings

    registry = Registry()
    if registry.market:
        return registry
    configured, valued = MarketSettings.read().markets, registry.markets()
    markets = [each for each in configured if each in valued] or configured or valued
    return Registry(RegistrySettings.read(market=markets[0])) if markets else registry


def valued_registries() -> list["Registry"]:
    """Return the registry of the market chosen, else of every market that has a champion.

    If none has one, return that of a home of one market.
    """
    from pokewatch.registry import Registry
    from pokewatch.settings import RegistrySettings

    registry = Registry()
    markets = [] if registry.market else registry.markets()
    return [Registry(RegistrySettings.read(market=each)) for each in markets] or [registry]


def chosen_registry() -> "Registry":
    """Return the registry of the market chosen, else of the only one that has a champion.

    Raise SettingsError if several have one and none is chosen.
    """
    from pokewatch.registry import Registry
    from pokewatch.settings import RegistrySettings

    registry = Registry()
    if registry.market or registry.find() is not None:
        return registry
    markets = registry.markets()
    if len(markets) > 1:
        raise SettingsError(f"there are several markets: add --market {' or '.join(markets)}")
    return Registry(RegistrySettings.read(market=markets[0])) if markets else registry


def champion_book(registry: "Registry") -> "tuple[PriceBook, RegisteredModel]":
    """Return the price book of a champion, and the champion.

    Raise NoChampionError if there is none, BookError with what to do if its book cannot be opened.
    """
    from pokewatch.cli.model_checks import unreadable_champion_remedy

    champion = registry.resolve()
    try:
        return registry.open_book(champion), champion
    except BookError as error:
        remedy = unreadable_champion_remedy(registry.market, champion)
        raise BookError(f"{error}; {remedy}") from error
