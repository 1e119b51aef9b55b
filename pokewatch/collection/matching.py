"""Lines of a collection matched to the cards of a book, never by a guess.

By product id and printing where a line has them; else by name, number, set, printing and language.
A line ends as matched to one card, as ambiguous among several, or as unmatched.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from pokewatch.collection.exports import CollectionLine
from pokewatch.collection.names import (
    base_key,
    name_key,
    number_keys,
    printing_key,
    same_printing,
    same_set,
    similar,
)
from pokewatch.valuation.book import PriceBook

Outcome = Literal["matched", "ambiguous", "unmatched"]

MAX_CANDIDATES = 5
# Printings that apps call normal where a card has no other.
_PLAIN = ("", "normal", "holofoil", "foil", "unlimited", "unlimited holofoil")


@dataclass(frozen=True, slots=True)
class Match:
    """The outcome of one line.

    `position` is that of the card in the book, -1 unless it is matched. `candidates` are those of
    an ambiguous line, or the cards nearest to an unmatched one. `reason` says how it was matched,
    or why not.
    """

    outcome: Outcome
    position: int
    candidates: tuple[int, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class _Card:
    name: str
    base: str
    number: tuple[str, str]
    set_name: str
    set_id: str
    set_code: str
    printing: str
    language: str


class Matcher:
    """Matches lines to the cards of `book`. It is made once for a book."""

    def __init__(self, book: PriceBook) -> None:
        self._book = book
        rows = book.cards.describe(np.arange(len(book.cards)))
        self._cards: list[_Card] = []
        self._by_product: dict[str, list[int]] = {}
        self._by_base: dict[str, list[int]] = {}
        self._by_number: dict[str, list[int]] = {}
        for position, row in enumerate(rows):
            number = row["number"] or ""
            card = _Card(
                name_key(row["name"], number),
                base_key(row["name"], number),
                number_keys(number),
                row["set_name"],
                row["set_id"],
                row.get("set_code") or "",
                row["printing"] or "",
                row.get("language") or "",
            )
            self._cards.append(card)
            self._by_base.setdefault(card.base, []).append(position)
            if card.number[0]:
                self._by_number.setdefault(card.number[0], []).append(position)
            parts = row["card_id"].split("-", 2)
            if len(parts) == 3 and parts[1].isdigit():
                self._by_product.setdefault(parts[1], []).append(position)

    def match(self, line: CollectionLine) -> Match:
        """Return the outcome of a line."""
        if line.card_id:
            position = int(self._book.cards.positions([line.card_id.lower()])[0])
            if position >= 0:
                return Match("matched", position, (), "card_id")
        if line.product_id in self._by_product:
            return self._printing(line, self._by_product[line.product_id], "product_id")
        if not line.name:
            known = f"no card has the product id {line.product_id}"
            return Match("unmatched", -1, (), known if line.product_id else "unknown card_id")
        return self._by_words(line)

    def _by_words(self, line: CollectionLine) -> Match:
        number, size = number_keys(line.number)
        key, base = name_key(line.name, line.number), base_key(line.name, line.number)
        found = self._by_base.get(base, [])
        how = "name and number" if number else "name"
        if number:
            found = [at for at in found if self._cards[at].number[0] == number]
            if not found and (line.set_name or line.set_code):
                numbered = self._by_number.get(number, ())
                found = [at for at in numbered if similar(self._cards[at].base, base)]
                how = "number, set and similar name"
        if not found:
            return self._near(line, (), "no card has this name" + (" and number" if number else ""))
        if size:
            sized = [at for at in found if self._cards[at].number[1] in ("", size)]
            if not sized:
                return self._near(line, found, f"no such card is numbered {line.number}")
            found = sized
        if line.set_name or line.set_code:
            inside = self._of_set(line, found)
            if not inside:
                given = line.set_name or line.set_code
                return self._near(line, found, f"the card is not of the set {given!r}")
            found = inside
        spoken = self._of_language(line, found)
        if not spoken:
            return self._near(line, found, f"the market has no such card in {line.language}")
        if number or key != base:
            spoken = [at for at in spoken if self._cards[at].name == key] or spoken
        return self._printing(line, spoken, how)

    def _of_set(self, line: CollectionLine, found: Iterable[int]) -> list[int]:
        """Return the cards of the line's set; by equal names where there are any."""
        code, name = line.set_code.casefold(), line.set_name
        cards = [(at, self._cards[at]) for at in found]
        named = [at for at, card in cards if name and same_set(name, card.set_name)]
        exact = [at for at in named if self._cards[at].set_name.casefold() == name.casefold()]
        coded = [
            at
            for at, card in cards
            if code and code in {card.set_code.casefold(), card.set_id.casefold()}
        ]
        return exact or named or coded

    def _of_language(self, line: CollectionLine, found: Sequence[int]) -> list[int]:
        """Return the cards in the line's language; cards without one are English."""
        wanted = line.language or "English"
        spoken = [at for at in found if (self._cards[at].language or "English") == wanted]
        return spoken if line.language or spoken else list(found)

    def _printing(self, line: CollectionLine, found: Sequence[int], how: str) -> Match:
        """Return the outcome among the printings of a card."""
        given = printing_key(line.printing)
        same = [at for at in found if same_printing(line.printing, self._cards[at].printing)]
        if given and len(same) == 1:
            return Match("matched", same[0], (), how)
        if given and len(same) > 1:
            return self._ambiguous(same, "several cards fit")
        if len(found) == 1:
            only = printing_key(self._cards[found[0]].printing)
            if not given or (given == "normal" and only in _PLAIN):
                return Match("matched", found[0], (), f"{how}, its only printing")
        if not given:
            return self._ambiguous(found, "the line gives no printing")
        return self._ambiguous(found, f"the card has no printing {line.printing!r}")

    def _ambiguous(self, found: Sequence[int], reason: str) -> Match:
        return Match("ambiguous", -1, tuple(found[:MAX_CANDIDATES]), reason)

    def _near(self, line: CollectionLine, found: Sequence[int], reason: str) -> Match:
        near = tuple(found[:MAX_CANDIDATES])
        if not near:
            text = f"{line.name} {line.number.partition('/')[0]}"
            near = tuple(self._book.suggestions.find(text, MAX_CANDIDATES).tolist())
        if not near:
            near = tuple(self._book.suggestions.find(line.name, MAX_CANDIDATES).tolist())
        return Match("unmatched", -1, near, reason)
