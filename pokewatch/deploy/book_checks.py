"""The check of a version's price book against the champion's, before any server answers from it."""

from pokewatch.contract import fair_price_model
from pokewatch.deploy import golden
from pokewatch.deploy.compatibility import REPLACE_HINT, open_book
from pokewatch.errors import BookError, DeployError, DeployOutageError, RegistryError
from pokewatch.registry import Registry
from pokewatch.settings import DeployWatchSettings
from pokewatch.valuation.book import PriceBook


def checked_book(
    registry: Registry, version: str, former: str | None, replace: bool = False
) -> golden.GoldenRequests:
    """Compare the new book with the former one, and return its golden requests.

    With `replace` the former one need not be comparable, or readable. Raise DeployError.
    """
    settings = DeployWatchSettings.read()
    try:
        book = open_book(registry, version)
        shift = 0.0 if former is None else _shift(registry, book, former, replace)
    except BookError as error:
        raise DeployError(f"version {version} cannot be checked: {error}") from None
    except RegistryError as error:
        raise DeployOutageError(f"version {version} cannot be checked: {error}") from None
    if shift is None and not replace:
        raise DeployError(
            f"version {version} failed the check of its fair prices: it shares no valued card "
            f"with version {former}, so there is nothing to compare; {REPLACE_HINT}"
        )
    if shift is not None and shift > settings.deploy_watch_shift:
        raise DeployError(
            f"version {version} failed the check of its fair prices: their median shift against "
            f"version {former} is {shift:.1%} of the market price, "
            f"limit {settings.deploy_watch_shift:.1%}"
        )
    model = fair_price_model(registry.market)
    return golden.GoldenRequests.from_book(book, version, settings.deploy_watch_cards, model)


def _shift(registry: Registry, book: PriceBook, former: str, replace: bool) -> float | None:
    try:
        served = open_book(registry, former)
    except (RegistryError, BookError):
        if not replace:
            raise
        return None
    return golden.fair_price_shift(book, served)
