"""Lines whose product id is that of another card than they describe.

An id may be mistyped, that of a condition of the product, or given to another card by a source.
"""

import re

from pokewatch.collection.card_index import IndexedCard
from pokewatch.collection.exports import CollectionLine
from pokewatch.collection.names import bare_number, base_key, is_date, name_key, number_keys

NAME = "name"
_NO_DIGIT = re.compile(r"\D")


def contradiction(line: CollectionLine, card: IndexedCard, described: IndexedCard | None) -> str:
    """Return what of a line is not that of the card with its product id, "" if nothing is.

    `described` is the card that the line describes in words, None if there is none or may be
    several. Versions of one name, number and set are no contradiction, as the id tells them apart,
    unless the line has the name of another version in full, such as `(Staff)`.
    """
    own, size = "", ""
    if line.number and not is_date(line.number):
        own, size = number_keys(line.number)
    numbered = bool(own and card.number[0])
    same_number = numbered and _is_same_number(own, card.number[0])
    words = set(name_key(line.name, line.number).split())
    if words and not same_number and words.isdisjoint(card.name.split()):
        return NAME
    if numbered and not (same_number and size in ("", card.number[1] or size)):
        return "number"
    if described and _described(described) != _described(card):
        return "name and set"
    key = name_key(line.name, line.number)
    versioned = key != base_key(line.name, line.number)
    if described and versioned and described.name == key != card.name:
        return "version"
    return ""


def _is_same_number(one: str, other: str) -> bool:
    """Return whether two numbers are equal but for their letters: `SV-P012` is `12`."""
    return one == other or any(form(one) == form(other) != "" for form in (bare_number, _digits))


def _digits(number: str) -> str:
    return _NO_DIGIT.sub("", number).lstrip("0")


def _described(card: IndexedCard) -> tuple[str, str, str]:
    return card.base, card.number[0], card.set_name
