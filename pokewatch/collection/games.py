"""Games as apps name them."""

from functools import lru_cache

from pokewatch.valuation.book.cards import search_text

_GAMES = {
    "pokemon": "pokemon",
    "pkmn": "pokemon",
    "magic": "magic",
    "mtg": "magic",
    "yugioh": "yugioh",
    "onepiece": "onepiece",
    "digimon": "digimon",
    "lorcana": "lorcana",
    "fleshandblood": "fleshandblood",
    "fleshblood": "fleshandblood",
    "starwars": "starwars",
    "dragonball": "dragonball",
    "gundam": "gundam",
    "riftbound": "riftbound",
    "weiss": "weiss",
    "vanguard": "vanguard",
}


@lru_cache(maxsize=256)
def game_key(name: str) -> str:
    """Return a game in one word, however an app names it, "" for one that is not known."""
    plain = search_text(name).replace(" ", "")
    return next((key for part, key in _GAMES.items() if part in plain), "")
