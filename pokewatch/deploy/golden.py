"""Golden requests: cards whose answers are known from the price book itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pokewatch.valuation.book import PriceBook

_NUMBERS = {"market_price": "market", "fair_price": "fair", "lower": "lower", "upper": "upper"}
_CLOSE = 1e-6


@dataclass(frozen=True, slots=True)
class GoldenRequests:
    """Cards, and what a server of model `version` must answer of them: prices [n] by V2 output, and the status [n]."""

    version: str
    cards: tuple[str, ...]
    prices: Mapping[str, NDArray[np.float64]]
    status: tuple[str, ...]

    @classmethod
    def of(cls, book: PriceBook, version: str, count: int) -> "GoldenRequests":
        """At most `count` cards from all over the book."""
        every = np.unique(
            np.linspace(0, len(book.cards) - 1, min(count, len(book.cards)))
            .round()
            .astype(np.int64)
        )
        cards = tuple(book.cards.ids[at] for at in every.tolist())
        quotes = book.look_up(cards)
        return cls(
            version,
            cards,
            {name: getattr(quotes, column) for name, column in _NUMBERS.items()},
            tuple(map(str, quotes.status.tolist())),
        )

    def request(self) -> dict[str, Any]:
        """The V2 request for all of them."""
        wanted = [{"name": name} for name in (*_NUMBERS, "status")]
        return {
            "inputs": [
                {
                    "name": "card_id",
                    "shape": [len(self.cards)],
                    "datatype": "BYTES",
                    "data": list(self.cards),
                }
            ],
            "outputs": wanted,
        }

    def fault(self, answer: Mapping[str, Any]) -> str:
        """What of a V2 answer is not as the book has it, with its figures; "" if all is."""
        try:
            version = str(answer["parameters"]["model_version"])
            outputs = {output["name"]: output["data"] for output in answer["outputs"]}
            wrong = self._wrong(outputs)
        except (KeyError, TypeError, ValueError) as error:
            return f"not an answer: {type(error).__name__} {error}"
        if version != self.version:
            return f"answered by model version {version}, not {self.version}"
        if not wrong.any():
            return ""
        at = int(np.argmax(wrong))
        got, known = outputs["fair_price"][at], self.prices["fair_price"][at]
        return f"{wrong.sum()} of {len(self.cards)} cards are not as in the book; fair price of {self.cards[at]}: {got}, in the book {known:g}"

    def _wrong(self, outputs: Mapping[str, Sequence[Any]]) -> NDArray[np.bool_]:
        wrong: NDArray[np.bool_] = np.array(
            [got != known for got, known in zip(outputs["status"], self.status, strict=True)]
        )
        for name, known in self.prices.items():
            given = np.array(
                [np.nan if value is None else value for value in outputs[name]], dtype=np.float64
            )
            wrong |= ~np.isclose(given, known, rtol=_CLOSE, atol=_CLOSE, equal_nan=True)
        return wrong


def shift(book: PriceBook, former: PriceBook) -> float | None:
    """How far fair prices lie from market prices otherwise than in the former book: the median, as a fraction, over the cards of both.

    Compared with the market price of each book's own day, so that a market that moved between the two is no shift. None where
    the books share no valued card.
    """
    ids = [card for card in book.cards.ids if former.cards.positions([card])[0] >= 0]
    now, before = (_over_market(each, ids) for each in (book, former))
    both = np.isfinite(now) & np.isfinite(before)
    return float(np.expm1(np.median(np.abs(now[both] - before[both])))) if both.any() else None


def _over_market(book: PriceBook, ids: Sequence[str]) -> NDArray[np.float64]:
    quotes = book.look_up(ids)
    with np.errstate(divide="ignore", invalid="ignore"):
        over: NDArray[np.float64] = np.log(quotes.fair / quotes.market)
    return over
