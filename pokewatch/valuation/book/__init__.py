"""The price book: the values that a model produces for serving.

A book is written once, identified by its digest, and memory-mapped by every process that serves it.
"""

from pokewatch.valuation.book.horizons import CardForecast, HorizonForecasts
from pokewatch.valuation.book.layout import NO_SHAPE, STATUSES, BookFacts
from pokewatch.valuation.book.quotes import BookQuotes, CardHistory
from pokewatch.valuation.book.reader import PriceBook
from pokewatch.valuation.book.rows import BookRows, BookSpreads
from pokewatch.valuation.book.writer import write_book

__all__ = [
    "NO_SHAPE",
    "STATUSES",
    "BookFacts",
    "BookQuotes",
    "BookRows",
    "BookSpreads",
    "CardForecast",
    "CardHistory",
    "HorizonForecasts",
    "PriceBook",
    "write_book",
]
