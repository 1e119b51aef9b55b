"""Lines of a collection matched to the cards of a book, never by a guess.

By product id and printing where a line has them; else by name, number, set, printing and language.
A line ends as matched to one card, as ambiguous among several, or as unmatched.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from operator import attrgetter
from typing import Literal

from pokewatch.collection.card_index import CardIndex, Progress, is_face, is_plain, is_rarity
from pokewatch.collection.contradictions import NAME, contradiction
from pokewatch.collection.exports import CollectionLine
from pokewatch.collection.games import game_key
from pokewatch.collection.line_names import with_version_aside
from pokewatch.collection.names import (
    BASE_PRINTING,
    bare_number,
    base_key,
    front_key,
    name_key,
    number_keys,
    printing_key,
    same_printing,
    similar,
    with_date_named,
)
from pokewatch.collection.printings import of_kind, of_print_run
from pokewatch.collection.set_names import is_promo, product_key, same_set, set_prefix
from pokewatch.collection.stamps import of_stamps, with_printing_in_name
from pokewatch.valuation.book import PriceBook

_card_of = attrgetter(
    *(each.name for each in fields(CollectionLine) if each.name not in ("line", "quantity"))
)
Outcome = Literal["matched", "ambiguous", "unmatched"]

MAX_CANDIDATES = 5
OTHER_PRODUCT = "its product id is that of another card"
MAX_SEARCHES = 20  # of all cards, for names of unknown words, in one collection


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


class Matcher:
    """Matches lines to the cards of `book`. It is made once for a book.

    `progress` is called with a number of cards while they are read.
    """

    def __init__(self, book: PriceBook, progress: Progress = lambda _: None) -> None:
        self._book = book
        self._index = index = CardIndex(book, progress)
        self._cards = index.cards

    def match_all(
        self, lines: Iterable[CollectionLine], progress: Progress = lambda _: None
    ) -> list[Match]:
        """Return the outcome of each line. `progress` is called with the number of lines done.

        Lines that differ only in their copies are matched once. The cards near to an unmatched name
        are those that share words with it. If there are none, all cards are searched for similar
        words, which takes milliseconds: only for the first MAX_SEARCHES names.
        """
        known: dict[tuple[str, ...], Match] = {}
        searches, found = 0, []
        for line in lines:
            key = _card_of(line)
            if key not in known:
                match = self._match(line)
                if match.outcome == "unmatched" and not match.candidates:
                    words = base_key(line.name, line.number).split()
                    near = self._index.sharing_words(words, MAX_CANDIDATES)
                    search = not near and bool(line.name or line.card_id)
                    searches += search
                    match = replace(match, candidates=tuple(near))
                    if search and searches <= MAX_SEARCHES:
                        match = self._with_near(line, match)
                known[key] = match
            found.append(known[key])
            progress(1)
        return found

    def match(self, line: CollectionLine) -> Match:
        """Return the outcome of a line."""
        return self.match_all([line])[0]

    def _match(self, line: CollectionLine) -> Match:
        if line.card_id:
            position = int(self._book.cards.positions([line.card_id.lower()])[0])
            if position >= 0:
                return Match("matched", position, (), "card_id")
        game = game_key(line.game)
        if game and self._index.games and game not in self._index.games:
            return Match("unmatched", -1, (), f"the market has no cards of {line.game}")
        if product := self._index.by_product.get(line.product_id):
            return self._product(line, product, "product_id")
        if product := self._index.by_market_id.get(line.market_id):
            return self._product(line, product, "product id of Cardmarket")
        if not line.name:
            return self._unmatched((), self._unknown_id(line))
        return self._by_words(line)

    def _unknown_id(self, line: CollectionLine) -> str:
        """Return why a line with an id and no name is unmatched."""
        if line.market_id and not self._index.by_market_id:
            return (
                "the market has no product ids of Cardmarket: value the file where its prices are "
                "served, or export the collection with names"
            )
        if line.market_id:
            return f"no card has the product id {line.market_id} of Cardmarket"
        known = f"no card has the product id {line.product_id}"
        return known if line.product_id else "unknown card_id"

    def _product(self, line: CollectionLine, product: Sequence[int], how: str) -> Match:
        """Return the outcome of a line with the id of a product, unless it describes another card.

        An id of a card by another name is not used. Only prices of TCGplayer are those of one
        language.
        """
        described = self._by_words(line) if line.name else self._unmatched((), "")
        at = described.position
        card = self._cards[at] if described.outcome == "matched" else None
        faults = {each: contradiction(line, self._cards[each], card) for each in product}
        found = [each for each, fault in faults.items() if not fault]
        if not found and NAME in faults.values():
            return replace(described, reason=f"{described.reason}; {OTHER_PRODUCT}")
        if not found:
            near = dict.fromkeys([*([at] if card else described.candidates), *product])
            said = f"{OTHER_PRODUCT} than its {faults[product[0]]}"
            return self._ambiguous(list(near), said)
        if how == "product_id" and not (found := self._of_language(line, found)):
            return self._unmatched(product, f"the market has no such card in {line.language}")
        return self._printing(line, found, how)

    def _by_words(self, line: CollectionLine) -> Match:
        if base_key(line.name, line.number) not in self._index.by_base:
            line = replace(line, name=with_version_aside(line.name))
        number, size = self._index.number_of(line.number)
        found, how = self._named(line, number)
        game = game_key(line.game)
        if game:
            found = [at for at in found if self._cards[at].game in ("", game)]
        if not found:
            why = "no card has this name" + (" and number" if number else "")
            return self._unmatched((), with_date_named(line.number, why))
        if size:
            sized = [at for at in found if self._cards[at].number[1] in ("", size)]
            if not sized:
                why = with_date_named(line.number, f"no such card is numbered {line.number}")
                return self._unmatched(found, why)
            found = sized
        if line.set_name or line.set_code:  # which may be that of sets in two languages
            spoken = self._of_language(line, found) if line.language else []
            inside = self._of_set(line, spoken) or self._of_set(line, found)
            if not inside:
                given = line.set_name or line.set_code
                return self._unmatched(found, f"the card is not of the set {given!r}")
            found = inside
        spoken = self._of_language(line, found)
        if not spoken:
            return self._unmatched(found, f"the market has no such card in {line.language}")
        return self._version(line, spoken, how)

    def _named(self, line: CollectionLine, number: str) -> tuple[list[int], str]:
        """Return the cards with the line's name and number, and how they were found."""
        base = base_key(line.name, line.number)
        named = self._index.by_base.get(base, [])
        placed = line.set_name or line.set_code
        set_name = line.set_name or self._index.set_names.get(line.set_code.casefold(), "")
        if not number:
            if not named and placed:
                product = product_key(line.name, set_name)
                return self._index.products.get(product, []), "name of the product"
            return named, "name"
        same_number = self._index.by_number.get(number, [])
        found = [at for at in same_number if self._cards[at].base == base]
        if found or not placed:
            return found, "name and number"
        numbered = self._of_set(line, self._index.by_number.get(number, ()))
        front = front_key(line.name, line.number)
        found = [
            at
            for at in numbered
            if similar(self._cards[at].base, base) or is_face(base, front, self._cards[at])
        ]
        if not found and is_promo(set_name):
            digits = set(self._index.by_digits.get(bare_number(number), ()))
            return [at for at in named if at in digits], "name and number without its letters"
        if not found:  # old sets of Magic have no numbers
            bare = [at for at in named if not self._cards[at].number[0]]
            return self._of_set(line, bare), "name and set"
        return found, "number, set and similar name"

    def _version(self, line: CollectionLine, found: Sequence[int], how: str) -> Match:
        """Return the outcome among the versions of a card: its arts and stamps."""
        line = with_printing_in_name(line, self._cards, found)
        key, base = name_key(line.name, line.number), base_key(line.name, line.number)
        versions, lacking = of_stamps(line, self._cards, found)
        if not versions:
            return self._unmatched(found, lacking)
        exact = [at for at in versions if self._cards[at].name == key]
        words = set(key.split())
        like = [at for at in versions if words <= set(self._cards[at].name.split())]
        if how == "name" and not line.number:
            if key != base and not like:
                return self._unmatched(versions, "the card has no such version")
            if key == base and (not exact or len(exact) < len(versions)):
                return self._ambiguous(versions, "it has several versions, and the line no number")
            return self._printing(line, exact or like, how)
        if not exact and key != base:
            other = [] if like else self._of_set(line, self._index.by_base.get(base, ()))
            other = [at for at in other if words <= set(self._cards[at].name.split())]
            if other:
                return self._ambiguous([*versions, *other], "its number is that of another version")
            if len({self._cards[at].name for at in like or versions}) > 1:
                return self._ambiguous(versions, "it has several versions, and none of this name")
        return self._printing(line, exact or (like if key != base else ()) or versions, how)

    def _of_set(self, line: CollectionLine, found: Iterable[int]) -> list[int]:
        """Return the cards of the line's set; by equal names where there are any."""
        name = line.set_name
        codes = {code.casefold() for code in (line.set_code, name) if code}
        lettered = number_keys(line.number)[0][:1].isalpha()
        cards = [(at, self._cards[at]) for at in found]
        named = [at for at, card in cards if name and same_set(name, card.set_name, lettered)]
        exact = [at for at in named if self._cards[at].set_name.casefold() == name.casefold()]
        coded = [
            at
            for at, card in cards
            if codes & {card.set_code.casefold(), card.set_id.casefold(), set_prefix(card.set_name)}
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
        names = {at: self._cards[at].printing for at in found}
        run = of_print_run(line.printing, names)
        if given and same:
            if len(same) == len({self._product_of(at) for at in (*same, *run)}) == 1:
                return Match("matched", same[0], (), how)
            return self._ambiguous([*same, *run], "several cards fit")
        if len(run) == 1:
            return Match("matched", run[0], (), how)
        if len(found) == 1:
            only = self._cards[found[0]]
            named = given not in ("", BASE_PRINTING) and not is_rarity(line.printing, only)
            if not named or (given == "normal" and is_plain(only)):
                return Match("matched", found[0], (), f"{how}, its only printing")
        kind = of_kind(given, names)
        if len(kind) == 1:
            return Match("matched", kind[0], (), f"{how}, its only {given} printing")
        if given in ("", BASE_PRINTING):
            return self._ambiguous(found, "the line gives no printing")
        return self._ambiguous(found, f"the card has no printing {line.printing!r}")

    def _product_of(self, at: int) -> tuple[str, tuple[str, str], str]:
        card = self._cards[at]
        return card.name, card.number, card.set_name

    def _ambiguous(self, found: Sequence[int], reason: str) -> Match:
        return Match("ambiguous", -1, tuple(found[:MAX_CANDIDATES]), reason)

    def _unmatched(self, found: Sequence[int], reason: str) -> Match:
        return Match("unmatched", -1, tuple(found[:MAX_CANDIDATES]), reason)

    def _with_near(self, line: CollectionLine, match: Match) -> Match:
        """Return an unmatched line's outcome with the cards of similar names."""
        if line.card_id and not line.name:
            slugs = self._book.cards.near(line.card_id)
            near = self._book.cards.positions(slugs).tolist()
            return replace(match, candidates=tuple(near))
        near = self._book.suggestions.find(line.name, MAX_CANDIDATES).tolist()
        return replace(match, candidates=tuple(near))
