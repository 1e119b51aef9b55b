"""The loader of price books for MLflow: `mlflow.pyfunc.load_model("models:/pokewatch@champion")`.

MLflow finds `_load_pyfunc` by the name of this module in the file MLmodel of a run, see
`pokewatch/pipeline/mlflow_model.py`.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pokewatch.contract import INVALID_PRICE, UNKNOWN_CARD, UNKNOWN_DATE
from pokewatch.valuation.book.reader import PriceBook


class BookModel:
    """Values cards from a price book, as the model `fair-price` of the V2 protocol does."""

    def __init__(self, book: PriceBook) -> None:
        self._book = book

    def predict(
        self, model_input: pd.DataFrame, params: Mapping[str, Any] | None = None
    ) -> pd.DataFrame:
        """Return a row for each row of `model_input`, with the columns of the signature.

        `date`, ISO, is the latest day where it is absent, and `market_price` a price offered in
        place of the book's. Raise ValueError for an invalid date.
        """
        cards = model_input["card_id"].astype(str).tolist()
        quotes = self._book.look_up(cards, _days(model_input))
        offers = _offers(model_input)
        offered = np.isfinite(offers)
        known = (quotes.status != UNKNOWN_CARD) & (quotes.status != UNKNOWN_DATE)
        status = np.where(known & offered & (offers <= 0), INVALID_PRICE, quotes.status)
        ids = self._book.cards.ids
        return pd.DataFrame(
            {
                "card_id": [
                    ids[at] if at >= 0 else card
                    for at, card in zip(quotes.position.tolist(), cards, strict=True)
                ],
                "date": ["" if np.isnat(day) else str(day) for day in quotes.date],
                "market_price": np.where(offered, offers, quotes.market),
                "fair_price": quotes.fair,
                "lower": quotes.lower,
                "upper": quotes.upper,
                "status": status.astype(str),
            }
        )


def _load_pyfunc(path: str, model_config: Mapping[str, str]) -> BookModel:
    """Return the model of the book at `path`, verified by the digest of `model_config`.

    Raise BookError.
    """
    return BookModel(PriceBook.open(Path(path), model_config["digest"]))


def _days(model_input: pd.DataFrame) -> np.ndarray | None:
    if "date" not in model_input:
        return None
    texts = [str(day) if pd.notna(day) and day else "NaT" for day in model_input["date"]]
    return np.array(texts, dtype="datetime64[D]")


def _offers(model_input: pd.DataFrame) -> np.ndarray:
    if "market_price" not in model_input:
        return np.full(len(model_input), np.nan)
    return model_input["market_price"].to_numpy(dtype=np.float64)
