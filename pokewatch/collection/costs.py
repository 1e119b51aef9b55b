"""The prices that the owner of a collection paid for its copies, as the file says them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pokewatch.collection.cell_texts import cell_text
from pokewatch.collection.cost_headers import COST_CURRENCIES, cost_column
from pokewatch.collection.printing_columns import is_yes
from pokewatch.collection.repeated_columns import check_repeated
from pokewatch.contract import MAX_COST
from pokewatch.market.tabular.cells import Reasons, is_readable
from pokewatch.market.tabular.columns import in_cents
from pokewatch.market.tabular.currencies import named_currencies
from pokewatch.market.tabular.number_columns import Numbers, read_numbers
from pokewatch.market.tabular.numbers import is_error_value
from pokewatch.market.tabular.sheet import Sheet, TableError, shortened
from pokewatch.money import currencies_named
from pokewatch.wording import counted

Floats = NDArray[np.float64]

_DECIMALS = 9  # of a copy's share in the cost of a line, which may have a million copies
_PLAIN_NUMBERS = "write costs with two decimals and without marks between thousands"
_UNKNOWN = "?"  # what `named_currencies` returns for a text that names no currency


@dataclass(frozen=True, slots=True)
class Cost:
    """The price paid per copy. `currency` is "" where the file does not say it."""

    amount: float
    currency: str = ""


@dataclass(frozen=True, slots=True)
class Costs:
    """The costs of lines by their numbers, the columns that say them, and notes on reading them."""

    by_line: Mapping[int, Cost]
    columns: frozenset[int] = frozenset()
    notes: tuple[str, ...] = ()


def read_costs(
    sheet: Sheet, headers: Sequence[str], copies: Mapping[int, int], playset: Sequence[str]
) -> Costs:
    """Return what the copies cost.

    `headers` are the simplified names of the columns, `copies` those of each line that was read,
    and `playset` the cells that say whether a row counts sets of copies, [] or [m]. A cost of zero
    is one that was not recorded: apps write it where their user entered none. A cost that cannot be
    read takes nothing from its line but itself, and `notes` say so.
    """
    best = cost_column(sheet.names, headers)
    if best is None or not is_readable(sheet.cells[best[0]].type, numeric=True):
        return Costs({})
    (at, kind), name = best, sheet.names[best[0]]
    of_currency = next((headers.index(each) for each in COST_CURRENCIES if each in headers), None)
    columns = frozenset(each for each in (at, of_currency) if each is not None)
    try:
        check_repeated(sheet, [each.casefold() for each in sheet.names], {"cost": at})
    except TableError as error:
        return Costs({}, columns, (f"costs are not used: {error}",))
    try:
        found = read_numbers(
            sheet.cells[at], sheet.line, shortened(name), None, False, sheet.numbers.get(name)
        )
    except TableError as error:
        return Costs({}, columns, (f"costs are not used: {error.problem}; {_PLAIN_NUMBERS}",))
    amounts = found.values / 100.0 if in_cents(name) else found.values
    said = None if of_currency is None else sheet.cells[of_currency]
    currency = _currencies(sheet, name, found, said)
    sets = {line for line, cell in zip(sheet.line.tolist(), playset, strict=False) if is_yes(cell)}
    costs, unclear = {}, []
    for line, amount, unit in zip(sheet.line.tolist(), amounts.tolist(), currency, strict=True):
        if line not in copies or not 0 < amount <= MAX_COST:
            continue
        if (kind == "unclear" and copies[line] > 1) or (kind == "price" and line in sets):
            unclear.append(line)
        elif cost := round(amount / (copies[line] if kind == "line" else 1), _DECIMALS):
            costs[line] = Cost(cost, unit)
    unread = [line for line in _unreadable(sheet, at, amounts, found.refused) if line in copies]
    return Costs(costs, columns, tuple(_reading_notes(shortened(name), unread, unclear)))


def _unreadable(sheet: Sheet, column: int, amounts: Floats, refused: Reasons) -> list[int]:
    """Return the lines whose cell is no price, an error of a spreadsheet among them."""
    cells = sheet.cells[column].to_pylist()
    errors = np.array([is_error_value(cell_text(cell, "cost")) for cell in cells], dtype=np.bool_)
    no_price = (amounts < 0) | (amounts > MAX_COST)
    bad = np.logical_or.reduce([no_price, errors, *refused.values()])
    lines: list[int] = sheet.line[bad].tolist()
    return lines


def _currencies(sheet: Sheet, name: str, found: Numbers, said: pa.ChunkedArray | None) -> list[str]:
    """Return the currency of each row: by its cell, else the column of currencies, else the name.

    Where none of them says it, it is that of the other cells, if they have the same one. One that
    is not known stays `?`, which is no market's.
    """
    of_cells = np.where(found.currency != "", found.currency, sheet.currencies.get(name, ""))
    of_rows = np.full(sheet.rows, "") if said is None else named_currencies(said)
    named, carried = currencies_named(name), set(of_cells[of_cells != ""].tolist())
    if len(named) > 1:
        named = {_UNKNOWN}
    usual = next(iter(named or (carried if len(carried) == 1 else ())), "")
    rest = np.where(of_rows != "", of_rows, usual)
    currencies: list[str] = np.where(of_cells != "", of_cells, rest).tolist()
    return currencies


def _reading_notes(name: str, unread: Sequence[int], unclear: Sequence[int]) -> Iterator[str]:
    if unread:
        yield (
            f"{name} of {counted(len(unread), 'line')} is not a price, and not used "
            f"(first line {unread[0]})"
        )
    if unclear:
        yield (
            f"{name} of {counted(len(unclear), 'line')} with several copies is not used, since it "
            f"may be of one copy or of all (first line {unclear[0]}): add 'per copy' or "
            "'total' to the name of the column"
        )


def cost_fields(cost: Cost | None) -> dict[str, Any]:
    """Return what a line's answer says of its cost, as the file has it."""
    if cost is None:
        return {"cost": None, "cost_currency": None}
    return {"cost": cost.amount, "cost_currency": cost.currency or None}


def comparable_costs(costs: Mapping[int, Cost], lines: Sequence[int], currency: str) -> Floats:
    """Return the cost per copy of each of the `lines` [n] in a currency, NaN where it is not known.

    One whose currency the file does not say is taken to be in it.
    """
    found = (costs.get(line) for line in lines)
    return np.array(
        [
            cost.amount if cost is not None and cost.currency in ("", currency) else np.nan
            for cost in found
        ],
        dtype=np.float64,
    )


def currency_notes(costs: Mapping[int, Cost], currency: str) -> Iterator[str]:
    """Yield what is assumed of costs without a currency, and how many are in another one."""
    if any(not cost.currency for cost in costs.values()):
        yield f"costs without a currency are taken to be in {currency}"
    others = [line for line, cost in costs.items() if cost.currency not in ("", currency)]
    if others:
        found = {costs[line].currency for line in others}
        named = sorted(found - {_UNKNOWN}) + ["an unknown currency"] * (_UNKNOWN in found)
        yield (
            f"the cost of {counted(len(others), 'line')} is in "
            f"{' or '.join(named)}, and not compared with prices in "
            f"{currency} (first line {others[0]})"
        )
