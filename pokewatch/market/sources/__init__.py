"""Price sources: each a module with one class behind the `Source` protocol."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from pokewatch.errors import SettingsError
from pokewatch.settings import SourceSettings

REJECTED_SCHEMA = pa.schema(
    [
        pa.field("date", pa.date32()),
        pa.field("card_id", pa.string()),
        pa.field("row", pa.string(), nullable=False),  # JSON: the row as the source gave it
        pa.field("reason", pa.string(), nullable=False),
    ]
)


@dataclass(frozen=True, slots=True)
class PriceBatch:
    """Whole days of prices: every row the source has for `days`, and the rows it could not read, with the reason."""

    days: tuple[date, ...]
    prices: pa.Table  # PRICE_SCHEMA
    rejected: pa.Table  # REJECTED_SCHEMA
    cards: pa.Table | None = (
        None  # CARD_SCHEMA: the cards of these prices, where `catalog()` does not tell them all
    )


class Source(Protocol):
    """Where prices come from. Untrusted: what it yields goes through `quality` before it reaches the lake."""

    name: str  # in the `source` column
    lake_name: str  # the folder of its lake: prices of different markets never share one

    def available(self) -> tuple[date, date] | None:
        """First and last day on offer, where the source knows; None where only asking tells."""

    def reach(self) -> tuple[date, date] | None:
        """The days outside of which it has none, known without asking; None where nothing is."""

    def catalog(self) -> pa.Table:
        """Every card (CARD_SCHEMA). Raises SourceError."""

    def prices(self, days: Sequence[date]) -> Iterator[PriceBatch]:
        """The asked days in order, a batch at a time; a day the source lacks raises SourceError."""


SOURCES = ("simulated", "tcgcsv", "pokemon_price_tracker", "file")


def open_source(name: str, *, cards: int = 1000, seed: int = 0, path: Path | None = None) -> Source:
    """The source `name`. `cards` and `seed` make the simulated market, `path` is that of a panel of one's own.

    Raises SettingsError for an unknown name or a setting the source needs.
    """
    settings = SourceSettings.read()
    if name == "simulated":
        from pokewatch.market.sources.simulated import SimulatedSource

        return SimulatedSource(cards=cards, seed=seed)
    if name == "tcgcsv":
        from pokewatch.market.sources.tcgcsv import TcgcsvSource

        return TcgcsvSource(settings)
    if name == "pokemon_price_tracker":
        from pokewatch.market.sources.pokemon_price_tracker import PokemonPriceTrackerSource

        return PokemonPriceTrackerSource(settings)
    if name == "file":
        from pokewatch.market.sources.file import FileSource

        return FileSource(settings, path)
    raise SettingsError(
        f"--source {name!r}: there is no such source; use one of {', '.join(SOURCES)}"
    )
