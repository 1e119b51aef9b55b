"""Whether a version may replace the champion: same market and currency, its cards, no older prices.

A run that was resumed, or that took longer than the next one, would otherwise put old prices back.
"""

from dataclasses import dataclass
from datetime import date

from pokewatch.errors import BookError, DeployError, DeployOutageError, RegistryError
from pokewatch.registry import LAST_DAY, MARKET, Registry
from pokewatch.settings import DeploySettings
from pokewatch.valuation.book import PriceBook
from pokewatch.wording import pipeline_command

REPLACE_HINT = "if this is intended, run the flow with --replace true"


@dataclass(frozen=True, slots=True)
class VersionSummary:
    """The facts of a version to review before it serves."""

    version: str
    market: str
    currency: str
    cards: int
    first_day: date
    last_day: date


def open_book(registry: Registry, version: str) -> PriceBook:
    """Return the price book of a version. Raise RegistryError or BookError."""
    model = registry.version(version)
    return registry.open_book(model)


def summarize(registry: Registry, version: str) -> VersionSummary:
    """Return the summary of a version's book."""
    book = open_book(registry, version)
    facts = book.facts
    days = (book.first_day, book.last_day)
    return VersionSummary(version, facts.market, facts.currency, len(book.cards), *days)


def require_replaceable(registry: Registry, market: str, last_day: date) -> None:
    """Raise DeployError if the champion is of another market, or has prices after `last_day`.

    The version of such a run would be refused in the end: this is known before a model is trained.
    """
    champion = registry.find()
    if champion is None:
        return
    theirs, served = champion.tags.get(MARKET, market), champion.tags.get(LAST_DAY, "")
    if market != theirs:
        raise DeployError(
            f"prices of {market} cannot replace version {champion.version}, whose market is "
            f"{theirs} (collected by {pipeline_command('', theirs)}); {REPLACE_HINT}"
        )
    if last_day.isoformat() < served:
        raise DeployError(
            f"prices up to {last_day} cannot replace version {champion.version}, whose prices end "
            f"on {served}; {REPLACE_HINT}"
        )


def require_compatible(registry: Registry, version: str, champion: str) -> None:
    """Raise DeployError unless `version` has the market, currency, cards and days of `champion`.

    Also raised where either book cannot be opened.
    """
    new, served = _open_both(registry, version, champion)
    for name, ours, theirs in (
        ("market", new.facts.market, served.facts.market),
        ("currency", new.facts.currency, served.facts.currency),
    ):
        if ours != theirs:
            raise DeployError(
                f"{_refusal(version, champion)}: its {name} is {ours}, not {theirs}; {REPLACE_HINT}"
            )
    if new.last_day < served.last_day:
        raise DeployError(
            f"{_refusal(version, champion)}: its prices end on {new.last_day}, those of the "
            f"champion on {served.last_day}; {REPLACE_HINT}"
        )
    missing = int((new.cards.positions(served.cards.ids) < 0).sum())
    limit = DeploySettings.read().deploy_missing_cards
    if missing > limit * len(served.cards):
        raise DeployError(
            f"{_refusal(version, champion)}: "
            f"it lacks {missing:,} of its {len(served.cards):,} cards, limit {limit:.0%}; "
            f"{REPLACE_HINT}"
        )


def _open_both(registry: Registry, version: str, champion: str) -> tuple[PriceBook, PriceBook]:
    try:
        new, served = open_book(registry, version), registry.version(champion)
    except BookError as error:
        raise DeployError(f"{_refusal(version, champion)}: {error}") from None
    except RegistryError as error:
        raise DeployOutageError(f"{_refusal(version, champion)}: {error}") from None
    try:
        return new, registry.open_book(served)
    except (RegistryError, BookError) as error:  # what `replace` does without
        raise DeployError(f"{_refusal(version, champion)}: {error}; {REPLACE_HINT}") from None


def _refusal(version: str, champion: str) -> str:
    return f"version {version} cannot replace version {champion}"
