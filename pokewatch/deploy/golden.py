"""Golden requests: cards whose correct answers are in the price book."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pokewatch.contract import FAIR_PRICE
from pokewatch.valuation.book import PriceBook

_NUMBERS = {"market_price": "market", "fair_price": "fair", "lower": "lower", "upper": "upper"}
_TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True)
class GoldenRequests:
    """Cards with the answers of a version of `model`: prices [n] by output, and statuses [n]."""

    model: str
    version: str
    cards: tuple[str, ...]
    prices: Mapping[str, NDArray[np.float64]]
    status: tuple[str, ...]

    @classmethod
    def from_book(
        cls, book: PriceBook, version: str, count: int, model: str = FAIR_PRICE
    ) -> "GoldenRequests":
        """Select at most `count` cards, evenly spaced over the book."""
        positions = np.unique(
            np.linspace(0, len(book.cards) - 1, min(count, len(book.cards)))
            .round()
            .astype(np.int64)
        )
        cards = tuple(book.cards.ids[at] for at in positions.tolist())
        quotes = book.look_up(cards)
        return cls(
            model,
            version,
            cards,
            {name: getattr(quotes, column) for name, column in _NUMBERS.items()},
            tuple(map(str, quotes.status.tolist())),
        )

    def request(self) -> dict[str, Any]:
        """Return the V2 request for all cards."""
        return {
            "inputs": [
                {
                    "name": "card_id",
                    "shape": [len(self.cards)],
                    "datatype": "BYTES",
                    "data": list(self.cards),
                }
            ],
            "outputs": [{"name": name} for name in (*_NUMBERS, "status")],
        }

    def mismatch(self, answer: Mapping[str, Any]) -> str:
        """Return how a V2 answer differs from the book; "" where it does not."""
        try:
            version = str(answer["parameters"]["model_version"])
            outputs = {output["name"]: output["data"] for output in answer["outputs"]}
            wrong = self._wrong(outputs)
        except (KeyError, TypeError, ValueError) as error:
            return f"invalid answer: {type(error).__name__} {error}"
        if version != self.version:
            return f"answered by model version {version}, not {self.version}"
        if not wrong.any():
            return ""
        at = int(np.argmax(wrong))
        got, known = outputs["fair_price"][at], self.prices["fair_price"][at]
        return (
            f"{wrong.sum()} of {len(self.cards)} cards differ from the book; "
            f"fair price of {self.cards[at]}: {got}, in the book {known:g}"
        )

    def _wrong(self, outputs: Mapping[str, Sequence[Any]]) -> NDArray[np.bool_]:
        wrong: NDArray[np.bool_] = np.array(
            [got != known for got, known in zip(outputs["status"], self.status, strict=True)]
        )
        for name, known in self.prices.items():
            given = np.array(
                [np.nan if value is None else value for value in outputs[name]], dtype=np.float64
            )
            wrong |= ~np.isclose(given, known, rtol=_TOLERANCE, atol=_TOLERANCE, equal_nan=True)
        return wrong


def fair_price_shift(book: PriceBook, former: PriceBook) -> float | None:
    """Return the median change of fair price over market price between two books, as a fraction.

    Each book is compared with the market prices of its own last day, so a move of the market is not
    a shift. None where the books share no valued card.
    """
    positions = former.cards.positions(book.cards.ids)
    shared = [card for card, at in zip(book.cards.ids, positions, strict=True) if at >= 0]
    now, before = (_log_ratio(each, shared) for each in (book, former))
    both = np.isfinite(now) & np.isfinite(before)
    return float(np.expm1(np.median(np.abs(now[both] - before[both])))) if both.any() else None


def _log_ratio(book: PriceBook, ids: Sequence[str]) -> NDArray[np.float64]:
    quotes = book.look_up(ids)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio: NDArray[np.float64] = np.log(quotes.fair / quotes.market)
    return ratio
