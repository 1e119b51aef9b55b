"""Price sources: one module for each, with a subclass of `Source`."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import pyarrow as pa

from pokewatch.errors import SettingsError
from pokewatch.settings import RegistrySettings, SourceSettings
from pokewatch.wording import counted

if TYPE_CHECKING:
    from pokewatch.market.lake import Lake

REJECTED_SCHEMA = pa.schema(
    [
        pa.field("date", pa.date32()),
        pa.field("card_id", pa.string()),
        pa.field("row", pa.string(), nullable=False),  # JSON: the row as received
        pa.field("reason", pa.string(), nullable=False),
    ]
)
# The reason of a row that is no error of the source: it says in words what an empty cell says.
NO_PRICE = "market_price is a placeholder, and the row has no other price"


@dataclass(frozen=True, slots=True)
class PriceBatch:
    """Whole days of prices: every row of `days`, and the unreadable ones with the reason."""

    days: tuple[date, ...]
    prices: pa.Table  # PRICE_SCHEMA
    rejected: pa.Table  # REJECTED_SCHEMA
    cards: pa.Table | None = None  # CARD_SCHEMA; None if `catalog()` has all cards of the prices
    games: tuple[str, ...] = ()  # of TCGplayer's catalogue, if only some of them are collected


@dataclass(frozen=True, slots=True)
class RequestUsage:
    """The requests of this run and of the last 24 hours, with the limit of the latter."""

    sent: int
    in_24_hours: int
    limit: int

    def __str__(self) -> str:
        sent = counted(self.sent, "request")
        return f"{sent}; {self.in_24_hours:,} of at most {self.limit:,} in 24 hours"


class Source(ABC):
    """A source of prices. Its data is untrusted: `quality` checks it before it enters the lake."""

    name: str  # in the `source` column
    market: str  # the id of its market
    lake_name: str  # the folder of its lake; each market has its own
    games: tuple[str, ...] = ()  # of TCGplayer's catalogue, if only some of them are collected

    @abstractmethod
    def available(self) -> tuple[date, date] | None:
        """Return the first and last day available, None if that takes a request for prices."""

    @abstractmethod
    def reach(self) -> tuple[date, date] | None:
        """Return the first and last possible day without a request, None if unknown."""

    @abstractmethod
    def catalog(self) -> pa.Table:
        """Return every card (CARD_SCHEMA). Raise SourceError."""

    @abstractmethod
    def prices(self, days: Sequence[date]) -> Iterator[PriceBatch]:
        """Yield `days` in order, in batches. Raise MissingAtSourceError for an absent day."""

    def check_scale(self, lakes: Iterable["Lake"]) -> None:
        """Raise SourceError for prices that are off by a factor from those of `lakes`."""
        return

    def keep_ids(self, lake: "Lake") -> None:
        """Continue the cards of a lake under the ids that they have there."""
        return

    @property
    def warnings(self) -> Sequence[str]:
        """Warnings for the report of a collection."""
        return ()

    def usage(self) -> RequestUsage | None:
        """Return how much of a daily budget of requests is used, None without a budget."""
        return None

    def missing_sets(self, day: date) -> Sequence[str]:
        """Return the sets of a day that failed in its last collection."""
        return ()

    def lost_sets(self, day: date) -> Sequence[str]:
        """Return the sets of a day that failed, and whose prices the source no longer has."""
        return ()


SOURCES = ("simulated", "tcgcsv", "pokemon_price_tracker", "file")


class SourceOptions(TypedDict, total=False):
    """The options of `open_source`, for functions that pass them on."""

    cards: int
    seed: int
    path: Path | None
    categories: str | None


def open_source(
    name: str,
    *,
    cards: int = 1000,
    seed: int = 0,
    path: Path | None = None,
    categories: str | None = None,
) -> Source:
    """Open the source `name`.

    `cards` and `seed` are for "simulated", `path` is for "file", and `categories`, a
    comma-separated list that replaces the setting, is for "tcgcsv". Raise SettingsError for an
    unknown name or a missing setting.
    """
    settings = SourceSettings.read(tcgcsv_categories=categories)
    if name == "simulated":
        from pokewatch.market.sources.simulated import SimulatedSource

        return SimulatedSource(cards=cards, seed=seed)
    if name == "tcgcsv":
        from pokewatch.market.sources.tcgcsv import TcgcsvSource

        source = TcgcsvSource(settings)
        if RegistrySettings.read().market:
            source.lake_name = source.market
        return source
    if name == "pokemon_price_tracker":
        from pokewatch.market.sources.pokemon_price_tracker import PokemonPriceTrackerSource

        return PokemonPriceTrackerSource(settings)
    if name == "file":
        from pokewatch.market.sources.file import FileSource

        return FileSource(settings, path)
    raise SettingsError(f"--source {name!r}: unknown source; use one of {', '.join(SOURCES)}")
