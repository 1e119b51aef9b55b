"""Names, numbers, sets and printings of cards in comparable forms."""

import re
from difflib import SequenceMatcher

from pokewatch.valuation.book.cards import search_text

_DIGITS = re.compile(r"0*(\d+)")
_SET_PREFIX = re.compile(r"^[A-Za-z]{1,6}\d{0,3}\s*:\s*")
_NUMBER_SUFFIX = re.compile(r"\s+-\s+[A-Za-z]*\d[\w/-]*$")
_PARENTHESES = re.compile(r"\([^)]*\)")
_SET_WORDS = {"pokemon", "tcg", "the", "set", "and", "trading", "card", "game"}
_PRINTINGS = {
    "": "",
    "false": "normal",
    "no": "normal",
    "non holo": "normal",
    "nonholo": "normal",
    "non foil": "normal",
    "nonfoil": "normal",
    "regular": "normal",
    "standard": "normal",
    "true": "foil",
    "yes": "foil",
    "holo": "holofoil",
    "holo rare": "holofoil",
    "reverse": "reverse holofoil",
    "reverse holo": "reverse holofoil",
    "reverse foil": "reverse holofoil",
    "1st edition holo": "1st edition holofoil",
    "unlimited holo": "unlimited holofoil",
    "etched": "etched foil",
}
_FOILS = {"foil": ("foil", "holofoil"), "holofoil": ("holofoil", "foil")}
MIN_SIMILARITY = 0.75


def name_key(name: str, number: str = "") -> str:
    """Return the words of a name, sorted, without the card's number.

    Words in parentheses stay: `(Alternate Art)` is another card.
    """
    words = search_text(_NUMBER_SUFFIX.sub("", name)).split()
    own = set(search_text(number).split())
    digits = {word for word in words if word in own and any(map(str.isdigit, word))}
    return " ".join(sorted(word for word in words if word not in digits))


def base_key(name: str, number: str = "") -> str:
    """Return the words of a name without those in parentheses: of a card and its variants."""
    return name_key(_PARENTHESES.sub(" ", name), number)


def number_keys(number: str) -> tuple[str, str]:
    """Return a number and the size of its set, without leading zeros: `004/102` is ("4", "102").

    A number without a size has "" there.
    """
    plain = "".join(number.split()).lstrip("#").upper()
    own, _, size = plain.partition("/")
    return _without_zeros(own), _without_zeros(size)


def set_words(name: str) -> frozenset[str]:
    """Return the words of a set's name that tell it from others, without its code."""
    words = frozenset(search_text(_SET_PREFIX.sub("", name)).split())
    return words - _SET_WORDS or words


def same_set(given: str, other: str) -> bool:
    """Return whether two names are those of one set: equal, or one has the other's words and more.

    `151` is `SV: Scarlet & Violet 151`, and `Base Set` is not `Base Set 2`.
    """
    one, two = set_words(given), set_words(other)
    if one == two:
        return True
    fewer, more = sorted((one, two), key=len)
    extra = more - fewer
    return bool(fewer) and fewer < more and not any(_tells_sets_apart(word) for word in extra)


def printing_key(printing: str) -> str:
    """Return a printing in its usual words: `Reverse Holo` is `reverse holofoil`."""
    plain = search_text(printing)
    return _PRINTINGS.get(plain, plain)


def same_printing(given: str, other: str) -> bool:
    """Return whether two printings are the same; `foil` is the holofoil of games without foils."""
    one, two = printing_key(given), printing_key(other)
    return two in _FOILS.get(one, (one,))


def similar(one: str, other: str) -> bool:
    return SequenceMatcher(None, one, other).ratio() >= MIN_SIMILARITY


def _without_zeros(text: str) -> str:
    return _DIGITS.sub(r"\1", text)


def _tells_sets_apart(word: str) -> bool:
    """Return whether a further word makes another set: a number, or a kind of subset."""
    return word.isdigit() or word in {"promos", "promo", "gallery", "shadowless", "collection"}
