"""Prices of whole cents in four bytes each: the panel of a large market is mostly prices."""

from collections.abc import Iterator
from typing import Any, overload

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin
from numpy.typing import NDArray

from pokewatch.valuation.book.layout import NO_PRICE, from_cents

Floats = NDArray[np.float64]
Cents = NDArray[np.int32]


class CentPrices(NDArrayOperatorsMixin):
    """Prices [d, n] of whole cents.

    Indexing and arithmetic return prices, float64 and NaN where there is none, except that a slice
    of days is again a CentPrices, without a copy.
    """

    def __init__(self, cents: Cents) -> None:
        self._cents = cents
        self.shape = cents.shape

    def __len__(self) -> int:
        return len(self._cents)

    @overload
    def __getitem__(self, key: slice) -> "CentPrices": ...
    @overload
    def __getitem__(self, key: int | tuple[Any, ...] | NDArray[Any]) -> Floats: ...
    def __getitem__(self, key: Any) -> "CentPrices | Floats":
        part = self._cents[key]
        return CentPrices(part) if isinstance(key, slice) else from_cents(part)

    def __iter__(self) -> Iterator[Floats]:
        return map(from_cents, self._cents)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.asarray(from_cents(self._cents), dtype=dtype)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        arrays = (np.asarray(each) if isinstance(each, CentPrices) else each for each in inputs)
        return getattr(ufunc, method)(*arrays, **options)


class PriceColumns:
    """One price of n cards on d days, filled some cards at a time.

    Prices are cents as long as all are exactly representable, and float64 after that: what is read
    from it is what was put into it.
    """

    def __init__(self, days: int, cards: int) -> None:
        self._stored: Cents | Floats = np.full((days, cards), NO_PRICE, dtype=np.int32)

    def put(self, place: NDArray[np.int64], prices: Floats) -> None:
        """Set the prices [d, m] of the cards with the indices `place` [m]."""
        if self._stored.dtype == np.int32:
            if (cents := _exact_cents(prices)) is not None:
                self._stored[:, place] = cents
                return
            self._stored = from_cents(self._stored)
        self._stored[:, place] = prices

    def prices(self) -> "Floats | CentPrices":
        if self._stored.dtype == np.int32:
            return CentPrices(self._stored.view(np.int32))
        return self._stored.view(np.float64)


def _exact_cents(prices: Floats) -> Cents | None:
    """Return prices as cents, NaN as NO_PRICE; None if there is one that is no whole cents."""
    cents = np.rint(prices * 100.0)
    unknown = np.isnan(cents)
    negative = np.count_nonzero(cents < 0)
    if negative or cents.max(initial=0.0, where=~unknown) > np.iinfo(np.int32).max:
        return None
    if not (unknown | (cents / 100.0 == prices)).all():
        return None
    cents[unknown] = NO_PRICE
    return cents.astype(np.int32)
