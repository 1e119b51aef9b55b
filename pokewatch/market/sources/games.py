"""The games of TCGplayer's catalogue: category, language and printings of each.

A game is named in settings by its name or by its category.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from pokewatch.errors import SettingsError
from pokewatch.market.catalog import slugify
from pokewatch.wording import counted

_PRINT_RUNS = ("1st Edition", "1st Edition Holofoil", "Unlimited", "Unlimited Holofoil")
_FOILS = ("Normal", "Cold Foil", "Rainbow Foil")
_ACCESSORY = re.compile(
    r"\b(sleeves?|binder|album|portfolio|play ?mat|dice|coin|pin|deck box|toploaders?|token)\b",
    re.IGNORECASE,
)
_SEALED = re.compile(
    r"\b(booster|packs?|trainer box|tin|bundle|collection|case|display|blister|starter)\b",
    re.IGNORECASE,
)
_LONGEST_CATEGORY = 9  # digits
_TCGPLAYER = "-tcgplayer-usd"


@dataclass(frozen=True, slots=True)
class Game:
    """A category of TCGplayer."""

    category: int
    name: str
    printings: tuple[str, ...]
    language: str = "English"


GAMES = (
    Game(1, "Magic", ("Normal", "Foil")),
    Game(2, "Yu-Gi-Oh", ("Normal", "1st Edition", "Unlimited", "Limited")),
    Game(3, "Pokemon", ("Normal", "Holofoil", "Reverse Holofoil", *_PRINT_RUNS)),
    Game(85, "Pokemon Japan", ("Normal", "Holofoil", *_PRINT_RUNS), "Japanese"),
    Game(
        62,
        "Flesh and Blood",
        tuple(run + foil for run in ("", "1st Edition ", "Unlimited Edition ") for foil in _FOILS),
    ),
    Game(63, "Digimon", ("Normal", "Foil")),
    Game(68, "One Piece", ("Normal", "Foil")),
    Game(71, "Lorcana", ("Normal", "Cold Foil", "Holofoil")),
    Game(79, "Star Wars Unlimited", ("Normal", "Foil")),
    Game(80, "Dragon Ball Fusion World", ("Normal", "Holofoil")),
    Game(86, "Gundam", ("Normal", "Holofoil")),
    Game(89, "Riftbound", ("Normal", "Foil")),
)
BY_CATEGORY: Mapping[int, Game] = {game.category: game for game in GAMES}
_BY_NAME = {slugify(game.name, ""): game for game in GAMES}
_PRINTINGS = {game.name: game.printings for game in GAMES}


def categories_of(names: Iterable[str]) -> tuple[int, ...]:
    """Return the categories of games given by name or number, each once.

    Raise SettingsError for an unknown name.
    """
    return tuple(dict.fromkeys(_category_of(name) for name in names))


def _category_of(name: str) -> int:
    if name.isascii() and name.isdecimal() and len(name) <= _LONGEST_CATEGORY and int(name):
        return int(name)
    game = _BY_NAME.get(slugify(name.replace("&", "and"), ""))
    if game is None:
        known = ", ".join(f"{game.name} ({game.category})" for game in GAMES)
        raise SettingsError(
            f"POKEWATCH_TCGCSV_CATEGORIES: {name!r} is not a known game; use the number of a "
            f"TCGplayer category or one of {known}"
        )
    return game.category


def tcgplayer_markets() -> dict[str, tuple[int, ...]]:
    """Return the categories of each market of TCGplayer, by its id.

    The market of Pokemon has the Japanese cards too.
    """
    pokemon = {"pokemon": (3, 85), "pokemon-english": (3,)}
    single = {slugify(game.name, "-"): (game.category,) for game in GAMES}
    return {f"{name}{_TCGPLAYER}": categories for name, categories in {**single, **pokemon}.items()}


def tcgplayer_market(categories: Sequence[int]) -> str:
    """Return the id of the market of some categories."""
    for market, known in tcgplayer_markets().items():
        if known == tuple(categories):
            return market
    names = (slugify(game_of(category), "-") for category in categories)
    return f"{'-'.join(names)[:46].strip('-')}{_TCGPLAYER}"


def game_of(category: int) -> str:
    """Return the name of the game of a category; a game that is not known is named by it."""
    game = BY_CATEGORY.get(category)
    return game.name if game else f"TCGplayer category {category}"


def kind_of(name: str | None, details: Mapping[str, str]) -> str:
    """Return "single" for a card, "sealed" for a sealed product, else "other".

    Only cards have `Number` or `Rarity` among their `details`; a code card has a rarity.
    """
    name = name or ""
    if details.get("Rarity") == "Code Card" or name.lower().startswith("code card"):
        return "other"
    if "Number" in details or "Rarity" in details:
        return "single"
    return "other" if _ACCESSORY.search(name) and not _SEALED.search(name) else "sealed"


def unknown_printings(cards: pa.Table) -> list[str]:
    """Return a text for each printing in `cards` that its game is not known to have."""
    counts = cards.group_by(["game", "printing"]).aggregate([([], "count_all")])
    return [
        f"{game} has an unknown printing {printing!r} ({counted(count, 'card')})"
        for game, printing, count in sorted(
            zip(
                *(counts[name].to_pylist() for name in ("game", "printing", "count_all")),
                strict=True,
            ),
            key=str,
        )
        if printing is not None and printing not in _PRINTINGS.get(game, (printing,))
    ]
