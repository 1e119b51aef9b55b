"""Versions of a card that are other products: stamped and staff copies, jumbo cards, patterns."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from pokewatch.collection.card_index import IndexedCard
from pokewatch.collection.exports import CollectionLine
from pokewatch.collection.names import has_parentheses, printing_key, same_printing, stamp_words
from pokewatch.collection.set_names import is_promo

_STAFF = frozenset({"staff"})


def of_stamps(
    line: CollectionLine, cards: Sequence[IndexedCard], found: Iterable[int]
) -> tuple[list[int], str]:
    """Return those of the cards `found` that have the stamps of a line and no others, and why none.

    A stamp may be that of a whole set, such as `Jumbo Cards`. Apps write `[Staff]` alone for a
    prerelease with that stamp, and the number of a promo for its stamp, but never a staff copy
    without the word. A line that names a version without a stamp, such as `(Full Art)`, or that has
    no number, may be any of them.
    """
    wanted = stamp_words(line.name)
    given = wanted | stamp_words(line.set_name)
    having = [
        at
        for at in found
        if not wanted or wanted <= stamp_words(f"{cards[at].name} {cards[at].set_name}")
    ]
    if not having:
        return [], f"the card has no version {' '.join(sorted(wanted))!r}"
    more = {at: _stamps_of(cards[at]) - given for at in having}
    staff_alone = bool(wanted) or is_promo(line.set_name)
    fitting = [at for at in having if not (more[at] & _STAFF if staff_alone else more[at])]
    if fitting and not wanted and (has_parentheses(line.name) or not line.number):
        return having, ""
    return fitting, f"the market has only its version {' '.join(sorted(more[having[0]]))!r}"


def with_printing_in_name(
    line: CollectionLine, cards: Sequence[IndexedCard], found: Iterable[int]
) -> CollectionLine:
    """Return a line whose printing is a stamp or pattern with it in its name: `(Poke Ball)`.

    Unless one of the cards `found` has a printing of that name.
    """
    given = line.printing
    stamped = printing_key(given) and stamp_words(given)
    if not stamped or any(same_printing(given, cards[at].printing) for at in found):
        return line
    return replace(line, name=f"{line.name} ({given})", printing="")


def _stamps_of(card: IndexedCard) -> frozenset[str]:
    """Return the stamps that are no part of the name of the card without them."""
    if card.name == card.base:
        return frozenset()
    return stamp_words(card.name) - stamp_words(card.base)
