"""The price book: what a model produces for serving. Written once, named by its digest, memory-mapped by every process."""

from pokewatch.valuation.book.layout import STATUSES, BookFacts
from pokewatch.valuation.book.reader import BookQuotes, CardHistory, PriceBook
from pokewatch.valuation.book.writer import BookRows, write_book

__all__ = [
    "STATUSES",
    "BookFacts",
    "BookQuotes",
    "BookRows",
    "CardHistory",
    "PriceBook",
    "write_book",
]
