"""The cards of a book by what lines of collections give: names, numbers, products, sets, games."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import NamedTuple

import pyarrow.compute as pc

from pokewatch.collection.games import game_key
from pokewatch.collection.names import (
    bare_number,
    base_key,
    front_key,
    has_parentheses,
    is_printing,
    name_key,
    number_keys,
    printing_key,
)
from pokewatch.collection.set_names import is_promo, product_key
from pokewatch.market.catalog import CARDMARKET
from pokewatch.valuation.book import PriceBook

_COLUMNS = (
    *("name", "number", "set_name", "set_id", "set_code", "printing", "language"),
    *("game", "rarity"),
)
_SOURCE_PRODUCT = r'"tcgplayer": "?0*(?P<product>[0-9]{1,19})[",}]'
_OWN_PRODUCT = r"^tcgplayer-(?P<product>[0-9]{1,19})(?:-|$)"
_PLAIN = ("", "normal", "holofoil", "foil", "unlimited", "unlimited holofoil")
_CARDS_A_STEP = 1_000
Progress = Callable[[int], object]
MOST_SHARING = 2_000  # cards of one word that are compared; more have it in common


class IndexedCard(NamedTuple):
    """A card in comparable forms."""

    name: str
    base: str
    number: tuple[str, str]
    set_name: str
    set_id: str
    set_code: str
    printing: str
    language: str
    game: str
    front: str
    rarity: str


def is_face(base: str, front: str, card: IndexedCard) -> bool:
    """Return whether one of a line and a card has the name of the other's front face alone.

    `base` and `front` are those of the line's name: apps write `Brazen Borrower // Petty Theft` for
    `Brazen Borrower`, or `Delver of Secrets` for a card that has both names.
    """
    return card.front == base if not front else not card.front and card.base == front


def is_plain(card: IndexedCard) -> bool:
    """Return whether apps call a card's printing normal where it has no other.

    Never a foil of Magic: nearly all of its cards have both, and the normal one may have no price.
    """
    printing = printing_key(card.printing)
    return printing in _PLAIN and not (printing == "foil" and card.game == "magic")


def is_rarity(given: str, card: IndexedCard) -> bool:
    """Return whether a printing is the rarity of a card, and no printing as `Holo Rare` is."""
    return name_key(given) == name_key(card.rarity) != "" and not is_printing(given)


class CardIndex:
    """The cards of `book`, in its order, and their positions by several keys.

    `by_digits` finds promotional cards by the digits of their number, `products` those without a
    number by the words of their name, and `by_market_id` cards by their Cardmarket product id.
    `set_names` maps a set's code to its name. `progress` is called with the number of cards read
    so far.
    """

    def __init__(self, book: PriceBook, progress: Progress = lambda _: None) -> None:
        self.cards: list[IndexedCard] = []
        self.by_product: dict[str, list[int]] = {}
        self.by_base: dict[str, list[int]] = {}
        self.by_number: dict[str, list[int]] = {}
        self.by_digits: dict[str, list[int]] = {}
        self.products: dict[str, list[int]] = {}
        self.by_market_id = _by_market_id(book)
        self.games: set[str] = set()
        self.set_names: dict[str, str] = {}
        columns = [book.cards.column(name).to_pylist() for name in _COLUMNS]
        for position, (product_id, *row) in enumerate(zip(_products(book), *columns, strict=True)):
            full_name, number, set_name, set_id, code, printing, language, game, rarity = row
            name = name_key(full_name, number or "")
            card = IndexedCard(
                name,
                base_key(full_name, number or "") if has_parentheses(full_name) else name,
                number_keys(number or ""),
                set_name,
                set_id,
                code or "",
                printing or "",
                language or "",
                game_key(game or ""),
                front_key(full_name, number or ""),
                rarity or "",
            )
            self._add(position, card)
            if position % _CARDS_A_STEP == 0:
                progress(min(_CARDS_A_STEP, len(book.cards) - position))
            if not card.number[0]:
                product = product_key(full_name, set_name)
                self.products.setdefault(product, []).append(position)
            if product_id:
                self.by_product.setdefault(product_id, []).append(position)

    def number_of(self, text: str) -> tuple[str, str]:
        """Return a line's number and the size of its set, as `number_keys` does.

        `199-165` is `199/165` unless a card has such a number.
        """
        number, size = number_keys(text)
        own, _, other = number.partition("-")
        if own.isdecimal() and other.isdecimal() and number not in self.by_number:
            return number_keys(f"{own}/{other}")
        return number, size

    def sharing_words(self, words: Sequence[str], count: int) -> list[int]:
        """Return the positions of up to `count` cards whose names share the most words."""
        found = [self._by_word[word] for word in words if word in self._by_word]
        if not found:
            return []
        rare = [positions for positions in found if len(positions) <= MOST_SHARING]
        shared = Counter(at for positions in rare for at in positions)
        rarest = min(found, key=len)
        return [at for at, _ in shared.most_common(count)] or rarest[:count]

    @cached_property
    def _by_word(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for position, card in enumerate(self.cards):
            for word in set(card.base.split()):
                found.setdefault(word, []).append(position)
        return found

    def _add(self, position: int, card: IndexedCard) -> None:
        self.cards.append(card)
        self.games |= {card.game} if card.game else set()
        self.set_names.setdefault(card.set_code.casefold(), card.set_name)
        self.by_base.setdefault(card.base, []).append(position)
        if card.number[0]:
            self.by_number.setdefault(card.number[0], []).append(position)
            if is_promo(card.set_name):
                self.by_digits.setdefault(bare_number(card.number[0]), []).append(position)


def _products(book: PriceBook) -> list[str | None]:
    """Return each card's TCGplayer product id, taken from its source ids or its own id."""
    said = pc.extract_regex(book.cards.column("source_ids"), _SOURCE_PRODUCT)
    own = pc.extract_regex(book.cards.column("card_id"), _OWN_PRODUCT)
    found: list[str | None] = pc.coalesce(
        *(pc.struct_field(each, "product") for each in (said, own))
    ).to_pylist()
    return found


def _by_market_id(book: PriceBook) -> dict[str, list[int]]:
    """Return the positions of the cards whose source has the product ids of Cardmarket."""
    column = book.cards.column("source_ids")
    rows = pc.indices_nonzero(pc.match_substring(column, f'"{CARDMARKET}"'))
    found: dict[str, list[int]] = {}
    for position, ids in zip(rows.to_pylist(), column.take(rows).to_pylist(), strict=True):
        found.setdefault(str(json.loads(ids)[CARDMARKET]), []).append(position)
    return found
