"""Single lines of a collection, matched to a book."""

from pokewatch.collection.matching import Match, Matcher
from pokewatch.valuation.book import PriceBook
from tests.collection.test_exports import read


def match_of(book: PriceBook, line: str) -> Match:
    """Return the match of a comma-separated line: name, set, number and printing."""
    (found,) = read(f"name,set,number,printing\n{line}\n").lines
    return Matcher(book).match(found)
