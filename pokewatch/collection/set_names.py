"""Set names, and product names without the words of their set, in comparable forms."""

import re
from functools import lru_cache

from pokewatch.collection.names import words_of
from pokewatch.valuation.book.cards import search_text

# A code before the name, those of Japanese sets too: `SWSH07: Evolving Skies`, `S6a: Eevee Heroes`.
_SET_PREFIX = re.compile(r"^[A-Za-z]{1,6}(?:\d{1,3}[A-Za-z]{0,2}\+?|-P)?\s*:\s*")
_SET_WORDS = {"pokemon", "tcg", "the", "set", "and", "trading", "card", "game"}
_SPELT = {
    "fire red": "firered",
    "leaf green": "leafgreen",
    "heart gold": "heartgold",
    "soul silver": "soulsilver",
}
_PROMO_WORDS = {"black", "star", "cards"}
_ERAS = {
    "svp": ("scarlet", "violet"),
    "sv": ("scarlet", "violet"),
    "swsh": ("sword", "shield"),
    "swshp": ("sword", "shield"),
    "sm": ("sun", "moon"),
    "smp": ("sun", "moon"),
    "bw": ("black", "white"),
    "bwp": ("black", "white"),
    "xyp": ("xy",),
    "wizards": ("wotc",),
}
_SUBSETS = {"trainer", "galarian", "gallery", "shiny", "vault"}
# Words of a series, which a set's name may have or not: `Evolving Skies` is also called
# `Sword & Shield Evolving Skies`. `Evolutions` is not `Prismatic Evolutions`.
_SERIES = {
    *("scarlet", "violet", "sword", "shield", "sun", "moon", "black", "white", "xy", "ex", "mega"),
    *("diamond", "pearl", "platinum", "heartgold", "soulsilver", "evolution", "hgss", "dp", "bw"),
    *("sm", "sv", "swsh", "me", "wotc"),
}
_NEUTRAL = {"unlimited", "edition", "expansion", "series", "english", "international", "main"}
_BASE = {"base"}
_GAME = {"pokemon", "game"}  # the first set, as graders name it


@lru_cache(maxsize=16_384)
def set_words(name: str) -> frozenset[str]:
    """Return the words of a set's name that tell it from others, without its code.

    `SVP Black Star Promos` and `SV: Scarlet & Violet Promo Cards` have the same words.
    """
    text = search_text(_SET_PREFIX.sub("", name))
    for spaced, usual in _SPELT.items():
        text = text.replace(spaced, usual)
    words = frozenset(text.split())
    if words == _GAME:
        return frozenset(_BASE)
    if words & {"alpha", "beta"}:  # which Scryfall calls limited ones
        words -= {"limited"}
    if words & {"promo", "promos"}:
        eras = {era for word in words for era in _ERAS.get(word, (word,))}
        words = frozenset(eras - _PROMO_WORDS - {"promos"}) | {"promo"}
        words |= frozenset({"black"} if "white" in eras else ())
    elif "base" in words:  # `SM Base Set` is `Sun & Moon`
        words = frozenset(era for word in words for era in _ERAS.get(word, (word,)))
    return words - _SET_WORDS or words


def set_prefix(name: str) -> str:
    """Return the code that begins a set's name: `swsh07` of `SWSH07: Evolving Skies`, else ""."""
    code, colon, _ = name.partition(":")
    return code.casefold() if colon and code.isalnum() and not code.isalpha() else ""


def is_promo(name: str) -> bool:
    return "promo" in set_words(name)


@lru_cache(maxsize=65_536)
def same_set(given: str, other: str, lettered: bool = False) -> bool:
    """Return whether two names are those of one set: equal, but for the words of their series.

    `151` is `SV: Scarlet & Violet 151`, and `Base Set` is not `Base Set 2`. `lettered` is true for
    cards whose number begins with letters: it tells those of a subset such as a trainer gallery
    from the others of its set.
    """
    if set_words(given) == set_words(other):
        return bool(set_words(given))
    one, two = set_words(given) - _NEUTRAL, set_words(other) - _NEUTRAL
    if one == two or (one == {"promo"} and "promo" in two):
        return bool(one)
    fewer, more = sorted((one, two), key=len)
    if not fewer < more:
        return False
    extra = more - fewer - (_SUBSETS if lettered else set())
    allowed = _BASE if fewer <= _SERIES else _SERIES | _BASE
    return extra <= allowed and not fewer <= _BASE | {"promo"}


def product_key(name: str, set_name: str) -> str:
    """Return the words of a product's name without those of its set."""
    words = frozenset(words_of(name)) - _SET_WORDS
    return " ".join(sorted(words - set_words(set_name)))
