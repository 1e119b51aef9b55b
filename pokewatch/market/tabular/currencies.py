"""The currency of each row of a table: from a column, the cells of prices, or a header."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pokewatch.market.prices import CURRENCIES, PRICE_COLUMNS
from pokewatch.market.tabular.cells import plain_texts
from pokewatch.market.tabular.columns import Columns
from pokewatch.market.tabular.numbers import STRAY, is_placeholder
from pokewatch.market.tabular.sheet import TableError
from pokewatch.money import currencies_named, currency_named, currency_of


def named_currencies(column: pa.ChunkedArray) -> NDArray[np.str_]:
    """Return the currencies [m] of a column of them, "" where a cell is empty or says none.

    A text that is no known currency is "?": an array of texts takes the room of the longest in
    every row.
    """
    encoded = plain_texts(column).dictionary_encode()
    known = [*map(_code, encoded.dictionary.to_pylist()), ""]
    code = encoded.indices.fill_null(len(known) - 1).to_numpy(zero_copy_only=False)
    return np.asarray(np.asarray(known, dtype=np.str_)[code])


def usual_currency(columns: Columns, carried: NDArray[np.str_], silent: int) -> str:
    """Return the currency of rows that name none, by a header or the other cells, "" if none does.

    `carried` are the currencies of the cells, and `silent` is the number of rows with a price and
    none. One row in fifty of either tells nothing. All prices of Cardmarket are in EUR: its ids are
    called idProduct, or it is in the name of the market price, as in `cardmarket_trend`. Raise
    TableError where two columns of prices differ.
    """
    if named := _of_headers(columns.named):
        return named
    codes, rows = np.unique(carried[carried != ""], return_counts=True)
    found = set(codes[rows * STRAY > max(silent, rows.max(initial=0))].tolist())
    of_market = "cardmarket" in columns.named["market_price"].casefold()
    if not found and (of_market or columns.has_market_ids):
        return "EUR"
    known = found & set(CURRENCIES)
    return str(known.pop()) if len(found) == len(known) == 1 else ""


def contradictions(
    columns: Columns, carried: NDArray[np.str_], said: NDArray[np.str_]
) -> dict[str, NDArray[np.bool_]]:
    """Return the rows [m] whose currency is said in two ways that differ, each by one reason.

    `carried` are the currencies of the cells, and `said` those of the column of currencies, ""
    where there is none. Of the headers, that of the market price counts, unless it names several.
    """
    named = currencies_named(columns.named["market_price"])
    header = named.pop() if len(named) == 1 else ""
    with_column = (carried != "") & (said != "") & (carried != said)
    with_header = (carried != "") & (header != "") & (carried != header) & ~with_column
    of_both = (said != "") & (header != "") & (said != header) & ~(with_column | with_header)
    return {
        "the price carries another currency than its currency column": with_column,
        "the price carries another currency than the header": with_header,
        "the header of the price names another currency than the currency column": of_both,
    }


def unusable(currencies: NDArray[np.str_], good: NDArray[np.bool_]) -> dict[str, NDArray[np.bool_]]:
    """Return the rows [m] whose currency costs them, by the reason.

    It is none of CURRENCIES, or that of at most one in fifty of the `good` rows: the prices of a
    day are in one currency.
    """
    found = {f"the currency is not {' or '.join(CURRENCIES)}": ~np.isin(currencies, CURRENCIES)}
    rows = {code: good & (currencies == code) for code in CURRENCIES}
    counts = {code: int(np.count_nonzero(each)) for code, each in rows.items()}
    usual = max(counts, key=lambda code: counts[code])
    for code, count in counts.items():
        if code != usual and count * STRAY <= counts[usual]:
            reason = f"the price is in {code}, and nearly all others are in {usual}"
            found[reason] = rows[code]
    return found


def _of_headers(named: Mapping[str, str]) -> str | None:
    """Return the currency that headers of prices name: a row has one for all of its prices."""
    columns = [named[field] for field in PRICE_COLUMNS if field in named]
    said = [(column, currency) for column in columns if (currency := currency_named(column))]
    if not said:
        return None
    first, currency = said[0]
    for column, other in said:
        if other != currency:
            raise TableError(
                f"the column {first!r} is in {currency}, and the column {column!r} in {other}",
                line=1,
                remedy=f"remove the column {column!r}",
            )
    return currency


def _code(text: str) -> str:
    if is_placeholder(text):
        return ""
    return currency_of(text) or "?"
