"""Whether one version may stand in for another: the same market and currency, and its cards."""

from dataclasses import dataclass
from datetime import date

from pokewatch.errors import BookError, DeployError, RegistryError
from pokewatch.registry import Registry
from pokewatch.settings import DeploySettings
from pokewatch.valuation.book import PriceBook

MEANT = "if that is meant, run the flow with --replace true"


@dataclass(frozen=True, slots=True)
class Described:
    """What people should know of a version before it serves."""

    version: str
    market: str
    currency: str
    cards: int
    first_day: date
    last_day: date


def open_book(registry: Registry, version: str) -> PriceBook:
    """Return the price book of a version. Raises RegistryError or BookError."""
    model = registry.version(version)
    return registry.open_book(model)


def described(registry: Registry, version: str) -> Described:
    """Return what a version is, from its book."""
    book = open_book(registry, version)
    facts = book.facts
    days = (book.first_day, book.last_day)
    return Described(version, facts.source, facts.currency, len(book.cards), *days)


def require_replaces(registry: Registry, version: str, champion: str) -> None:
    """Raise DeployError unless `version` has the market, the currency and the cards of `champion`.

    A book that cannot be opened is compared with nothing, and so refused as well.
    """
    try:
        new, served = open_book(registry, version), open_book(registry, champion)
    except (RegistryError, BookError) as error:
        raise DeployError(f"{_refusal(version, champion)}: {error}; {MEANT}") from None
    for what, here, there in (
        ("market", new.facts.source, served.facts.source),
        ("currency", new.facts.currency, served.facts.currency),
    ):
        if here != there:
            raise DeployError(
                f"{_refusal(version, champion)}: its {what} is {here}, not {there}; {MEANT}"
            )
    missing = int((new.cards.positions(served.cards.ids) < 0).sum())
    most = DeploySettings.read().deploy_missing_cards
    if missing > most * len(served.cards):
        raise DeployError(
            f"{_refusal(version, champion)}: it lacks {missing:,} of its {len(served.cards):,} cards, wanted <= {most:.0%}; {MEANT}"
        )


def _refusal(version: str, champion: str) -> str:
    return f"version {version} does not replace version {champion}"
