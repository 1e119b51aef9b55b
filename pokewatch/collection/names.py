"""Names, numbers, sets and printings of cards in comparable forms."""

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from functools import lru_cache
from string import ascii_uppercase

from pokewatch.market.tabular.dates import parse_date
from pokewatch.valuation.book.cards import search_text

_DIGIT = re.compile(r"\d")
_LEADING_ZEROS = re.compile(r"(?<!\d)0+(?=\d)")
_NUMBER_SUFFIX = re.compile(r"\s-\s+[A-Za-z]*\d[\w/-]*$")
_PARENTHESES = re.compile(r"\([^()]*\)|\[[^\[\]]*\]")
_PRINTING_WORDS = {
    "normal",
    "holo",
    "holofoil",
    "foil",
    "reverse",
    "edition",
    "unlimited",
    "etched",
    "nonholo",
    "nonfoil",
}
_SMALL_WORDS = {"with", "the", "of", "and", "a"}
# Copies of a card that are other products, though their number is the same.
_STAMPS = {
    *("staff", "prerelease", "stamp", "stamped", "jumbo", "oversized", "error", "misprint"),
    *("metal", "cosmos", "cracked", "league", "winner", "champion", "championship"),
    *("championships", "exclusive", "gamestop", "oversize", "promo"),
    *("ball", "master", "poke", "symbol"),  # of a pattern: `(Poke Ball Pattern)`
    *("signed", "autographed", "altered", "proxy", "fake", "replica", "miscut"),
}
_PRINT_RUNS = ("1st edition", "unlimited")
_PRINTINGS = {
    "": "",
    "promo": "",
    "false": "normal",
    "no": "normal",
    "non holo": "normal",
    "nonholo": "normal",
    "non foil": "normal",
    "nonfoil": "normal",
    "regular": "normal",
    "none": "normal",
    "non holofoil": "normal",
    "standard": "normal",
    "true": "foil",
    "yes": "foil",
    "holo": "holofoil",
    "holo rare": "holofoil",
    "holo foil": "holofoil",
    "h": "holofoil",
    "rh": "reverse holofoil",
    "rev holo": "reverse holofoil",
    "reverse": "reverse holofoil",
    "reverse holo foil": "reverse holofoil",
    "reverse holo": "reverse holofoil",
    "reverse foil": "reverse holofoil",
    "rev foil": "reverse holofoil",
    "1st edition holo": "1st edition holofoil",
    "unlimited holo": "unlimited holofoil",
    "1st ed": "1st edition",
    "first edition": "1st edition",
    "first edition holo": "1st edition holofoil",
    "first edition holofoil": "1st edition holofoil",
    "etched": "etched foil",
}
_COMMON = {
    *("normal", "holofoil", "reverse holofoil", "1st edition", "1st edition holofoil", "foil"),
    *("unlimited", "unlimited holofoil"),
}
_FOILS = {"foil": ("foil", "holofoil"), "holofoil": ("holofoil", "foil")}
# As catalogues write them.
_SIGNS = str.maketrans(
    {"♀": " F", "♂": " M", "δ": " (Delta Species)", "☆": " Star", "★": " Star", "◇": " Prism Star"}
)
BASE_PRINTING = "base"  # the printing that an app gives no name, beside a reverse holofoil
_NUMBER_OF = re.compile(r"(?<=\d)OF(?=\d)")
_NUMBER_SIGN = re.compile(r"^(?:#|NO\.?|NR\.?|N°)++(?=\w*\d)")
_SPELT = {
    "alt": "alternate",
    "etb": "elite trainer box",
    "upc": "ultra premium collection",
    "masterball": "master ball",
    "pokeball": "poke ball",
    "promos": "promo",
}
_SHORTEST = 4
MIN_SIMILARITY = 0.75


@lru_cache(maxsize=1_024)  # a line's name is compared several times
def name_key(name: str, number: str = "") -> str:
    """Return the words of a name, sorted, without the card's number.

    Words in parentheses stay: `(Alternate Art)` is another card.
    """
    plain = _NUMBER_SUFFIX.sub("", name) if "-" in name else name
    plain = _spelt(plain)
    words = words_of(plain)
    if not _DIGIT.search(plain):
        return " ".join(sorted(words))
    own = set(search_text(number).split())
    return " ".join(sorted(word for word in words if word not in own or not _DIGIT.search(word)))


def base_key(name: str, number: str = "") -> str:
    """Return the words of a name without those in parentheses: of a card and its variants.

    Catalogues write some of them in brackets: `Professor's Research [Professor Elm]`.
    """
    plain = _PARENTHESES.sub(" ", _spelt(name)) if has_parentheses(name) else name
    return name_key(plain, number)


def front_key(name: str, number: str) -> str:
    """Return the `base_key` of the front of a card that has two faces, "" for another card."""
    front, faces, _ = name.partition("//")
    return base_key(front, number) if faces else ""


def has_parentheses(name: str) -> bool:
    """Return whether a name has words in parentheses or brackets, or a sign for such words."""
    return "(" in name or "[" in name or "δ" in name


@lru_cache(maxsize=1_024)
def number_keys(number: str) -> tuple[str, str]:
    """Return a number and the size of its set, without leading zeros: `004/102` is ("4", "102").

    A number without a size has "" there.
    """
    plain = "".join(number.split()).upper()
    if not plain[:1].isdigit():
        plain = _NUMBER_SIGN.sub("", plain)
    own, _, size = (_NUMBER_OF.sub("/", plain) if "O" in plain else plain).partition("/")
    return _without_zeros(own), _without_zeros(size)


def is_date(number: str) -> bool:
    """Return whether a number is a day, with or without its year: `25-Apr`, `2026-04-25`."""
    return any(parse_date(text) is not None for text in (number, f"{number} 2000"))


def with_date_named(number: str, why: str) -> str:
    """Return why a line is unmatched: its number is a date, or else `why`."""
    if not is_date(number):
        return why
    return (
        f"its number {number!r} is a date, which spreadsheets make of a number such as 4/25: "
        "write it as text"
    )


@lru_cache(maxsize=4_096)
def printing_key(printing: str) -> str:
    """Return a printing in its usual words: `Reverse Holo` is `reverse holofoil`."""
    plain = search_text(printing)
    return _PRINTINGS.get(plain, plain)


def is_printing(text: str) -> bool:
    """Return whether a text is the name of a printing."""
    words = set(search_text(text).split())
    return bool(words & _PRINTING_WORDS)


def is_common_printing(text: str) -> bool:
    """Return whether a text is a printing that many cards have, and nothing more."""
    return printing_key(text) in _COMMON


def same_printing(given: str, other: str) -> bool:
    """Return whether two printings are the same; `foil` is the holofoil of games without foils."""
    one, two = printing_key(given), printing_key(other)
    return two in _FOILS.get(one, (one,))


def is_foil(printing: str) -> bool:
    """Return whether copies of a printing are foil of any kind."""
    return bool({"foil", "holofoil"} & set(printing_key(printing).split()))


def is_base_printing(printing: str) -> bool:
    """Return whether a printing is neither a reverse holofoil nor a 1st edition."""
    return not {"reverse", "1st"} & set(printing_key(printing).split())


def fits_print_run(given: str, other: str) -> bool:
    """Return whether a printing given by its print run alone is `other`, of a holofoil card."""
    one, two = printing_key(given), printing_key(other)
    return one in _PRINT_RUNS and two == f"{one} holofoil"


def is_plain_holofoil(given: str, others: Sequence[str]) -> bool:
    """Return whether `given` is a holofoil of no print run, of a card that has no 1st edition."""
    plain = printing_key(given) in {"holofoil", "foil"}
    return plain and not any("1st" in printing_key(other) for other in others)


def stamp_words(name: str) -> frozenset[str]:
    """Return the words that make a copy another product than the card, such as `staff`."""
    return frozenset(words_of(name)) & _STAMPS


def words_of(name: str) -> list[str]:
    """Return the words of a name, each of several spellings in one; "and" may be written "&"."""
    text = search_text(name).replace("gold star", "star").replace("level x", "lv x")
    words = (word for word in text.split() if word != "and")
    return [each for word in words for each in _SPELT.get(word, word).split()]


def _spelt(name: str) -> str:
    return name if name.isascii() else name.translate(_SIGNS)


def similar(one: str, other: str) -> bool:
    """Return whether two names of one number differ in spelling only, and not in short words.

    `Charizard EX` is not `M Charizard EX`. Figures are taken for the number.
    """
    if one.replace(" ", "") == other.replace(" ", ""):
        return True
    left, right = (
        sorted(word for word in set(words) - set(others) - _SMALL_WORDS if not word.isdigit())
        for words, others in ((one.split(), other.split()), (other.split(), one.split()))
    )
    return len(left) == len(right) and all(
        min(len(a), len(b)) >= _SHORTEST and SequenceMatcher(None, a, b).ratio() >= MIN_SIMILARITY
        for a, b in zip(left, right, strict=True)
    )


def bare_number(number: str) -> str:
    """Return a number without its letters: `SVP085` is `85`."""
    return _without_zeros(number.lstrip(ascii_uppercase))


def _without_zeros(text: str) -> str:
    return _LEADING_ZEROS.sub("", text) if "0" in text else text
