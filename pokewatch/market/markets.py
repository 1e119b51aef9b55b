"""Markets: what every price, data version, model and answer belongs to.

A market is a game at a source in a currency, a user-supplied file, or a simulation. Its id names
the source and its options:

    <game>-tcgplayer-usd        a game of TCGplayer's catalogue, such as `magic-tcgplayer-usd`
    pokemon-pricetracker-usd    PokemonPriceTracker
    file-<name>                 a file of POKEWATCH_MARKET_FILES
    simulated-<seed>            a simulated market

A home of one market need not name it: its registered model is the default one, and its id follows
from the source. Every market that is named has a registered model and a lake of its own.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from pokewatch.contract import MARKET_FORM, MARKET_PATTERN, RecordKind, records_model
from pokewatch.errors import SettingsError
from pokewatch.market.sources.file import file_market
from pokewatch.market.sources.games import tcgplayer_markets
from pokewatch.market.sources.pokemon_price_tracker import PokemonPriceTrackerSource
from pokewatch.market.sources.simulated import MOST_SEED
from pokewatch.settings import MarketSettings, listed

_RECORDS = tuple(records_model("", kind) for kind in get_args(RecordKind))
_SIMULATED = re.compile(r"simulated-(0|[1-9][0-9]{0,18})")


@dataclass(frozen=True, slots=True)
class MarketSource:
    """The source of a market, with those of its options that the id of the market determines."""

    source: str
    seed: int = 0
    path: Path | None = None
    categories: str | None = None


def source_of(market: str) -> MarketSource:
    """Return where the prices of a market come from. Raise SettingsError for an unknown id."""
    if found := _SIMULATED.fullmatch(market):
        return _simulated(int(found[1]))
    if market == PokemonPriceTrackerSource.market:
        return MarketSource(PokemonPriceTrackerSource.name)
    if market.startswith("file-"):
        return MarketSource("file", path=_file_of(market))
    if categories := tcgplayer_markets().get(market):
        return MarketSource("tcgcsv", categories=",".join(map(str, categories)))
    known = ", ".join((*tcgplayer_markets(), PokemonPriceTrackerSource.market))
    raise SettingsError(
        f"market {market[:80]!r}: unknown market; use {known}, file-NAME of a file in "
        f"{MarketSettings.variable('market_files')}, or simulated-SEED"
    )


def parse_markets(text: str) -> list[str]:
    """Return the ids in a comma-separated list, each once. Raise SettingsError."""
    names = list(dict.fromkeys(listed(text)))
    for name in names:
        require_id(name)
        source_of(name)
    return names


def require_id(text: str) -> None:
    """Raise SettingsError unless the text has the form of a market's id."""
    if not re.fullmatch(MARKET_PATTERN, text):
        raise SettingsError(f"market {text[:80]!r}: {MARKET_FORM}")


def _simulated(seed: int) -> MarketSource:
    if seed > MOST_SEED:
        raise SettingsError(f"market simulated-{seed}: use a seed from 0 to {MOST_SEED}")
    return MarketSource("simulated", seed=seed)


def _file_of(market: str) -> Path:
    files = [Path(path) for path in MarketSettings.read().market_files]
    found = [path for path in files if file_market(path) == market]
    if market.endswith(_RECORDS):
        raise SettingsError(
            f"market {market!r}: the registry keeps names that end in {' and '.join(_RECORDS)} for "
            "the records of other markets; rename the file"
        )
    if len(found) == 1:
        return found[0].expanduser().absolute()
    variable = MarketSettings.variable("market_files")
    if found:
        raise SettingsError(
            f"market {market!r}: {variable} has {len(found)} files of that name; rename one"
        )
    known = ", ".join(map(file_market, files)) or "none"
    raise SettingsError(
        f"market {market!r}: {variable} has no file of that name, it has {known}; add its path"
    )
