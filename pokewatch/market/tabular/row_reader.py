"""The values of a sheet's rows, and what is wrong with which row."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pokewatch.market.prices import PRICE_COLUMNS
from pokewatch.market.sources import NO_PRICE, REJECTED_SCHEMA
from pokewatch.market.sources.parsing import LONGEST_TEXT
from pokewatch.market.tabular.card_ids import field_texts, identities, ids_of, is_total
from pokewatch.market.tabular.cards import long_texts
from pokewatch.market.tabular.cells import check_type, is_readable, shown
from pokewatch.market.tabular.columns import COUNTS, NUMERIC_FIELDS, Columns, in_cents
from pokewatch.market.tabular.currencies import (
    contradictions,
    named_currencies,
    unusable,
    usual_currency,
)
from pokewatch.market.tabular.date_columns import read_days
from pokewatch.market.tabular.number_columns import are_whole, evidence_of, read_numbers
from pokewatch.market.tabular.options import TableOptions
from pokewatch.market.tabular.rows import has_company
from pokewatch.market.tabular.sheet import Sheet, shortened
from pokewatch.money import Decimal
from pokewatch.wording import counted

_LEAST_PRICE = 0.0005  # a smaller one is 0 to any number of places that prices have
IDENTITIES = ("card_id", "product_id", "name")
FIRST_DAY = date(1996, 1, 1)  # no Pokémon card is older


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Rows left out for one reason: how many, and the first of them."""

    reason: str
    rows: int
    line: int
    cell: str

    def __str__(self) -> str:
        rows = counted(self.rows, "row")
        return f"{rows} left out: {self.reason} (first in line {self.line}: {self.cell})"


class RowReader:
    """The values of a sheet's columns, and what is wrong with which row."""

    def __init__(self, sheet: Sheet, columns: Columns, options: TableOptions) -> None:
        self._sheet, self._columns, self._options = sheet, columns, options
        self.bad = np.zeros(sheet.rows, dtype=np.bool_)
        self.placeholder = np.zeros(sheet.rows, dtype=np.bool_)
        self._priced = np.zeros(sheet.rows, dtype=np.bool_)
        self.date_convention = self.decimal_convention = self.assumed_currency = ""
        self.whole_prices = False
        self._unclear = np.zeros(sheet.rows, dtype=np.bool_)
        self.cents: list[str] = []  # columns of prices in cents
        self.notes: list[str] = []  # on values that are left empty
        self._reasons: list[tuple[NDArray[np.int64], str, str]] = []
        self._cell_currency = np.full(sheet.rows, "", dtype="<U3")
        for field, name in columns.named.items():
            if field != "time":
                check_type(sheet.column(name), name, numeric=field in NUMERIC_FIELDS)
        for name in options.key:
            check_type(sheet.column(name), name)
        self._identity = next(name for name in IDENTITIES if name in columns.named)
        self._raw_ids = identities(sheet, columns, options.key)
        self._totals = np.zeros(sheet.rows, dtype=np.bool_)
        totals = {text for text in set(self._raw_ids) if is_total(text)}
        rows = np.asarray([text in totals for text in self._raw_ids], dtype=np.bool_)
        self.refuse("the row is a total, not a card", rows, self._identity)
        self._totals = rows
        for field, rows in long_texts(sheet, columns).items():
            report = self.refuse if field == self._identity else self._note_empty
            report(f"{field} is longer than {LONGEST_TEXT:,} characters", rows, field)

    def refuse(self, reason: str, rows: NDArray[Any], column: str = "market_price") -> None:
        """Leave out `rows`, a mask or indices. A total has that reason alone."""
        indices = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows.astype(np.int64)
        indices = indices[~self._totals[indices]]
        if len(indices):
            self._reasons.append((indices, reason, column))
            self.bad[indices] = True

    def refuse_placeholders(self) -> None:
        """Leave out rows whose market price is a placeholder and that have no other price."""
        self.refuse(NO_PRICE, ~self._priced & self.placeholder)

    def days(self, today: date) -> tuple[NDArray[np.datetime64], NDArray[np.datetime64]]:
        """Return each row's day, and its moment in the day."""
        found = read_days(
            self._column("date"),
            self._sheet.line,
            "date",
            self._options.dates,
            FIRST_DAY,
            today,
            self._times(),
        )
        for reason, rows in found.refused.items():
            self.refuse(reason, rows, "date")
        self.date_convention, self._unclear = found.convention, found.unclear
        return found.values, found.moments

    def refuse_unclear_times(self, card_id: NDArray[np.str_], days: NDArray[np.datetime64]) -> None:
        """Leave out rows of an unclear time that other rows of their card and day compete with."""
        if self._unclear.any():
            shared = has_company(card_id, days, ~self.bad)
            reason = "time is not a time of day like 10:05, and the card has other rows that day"
            self.refuse(reason, self._unclear & shared, "time")

    def _times(self) -> pa.ChunkedArray | None:
        """Return the column of times of day, if there is one with readable values."""
        if "time" not in self._columns.named:
            return None
        column = self._column("time")
        return column if is_readable(column.type) or pa.types.is_time(column.type) else None

    def numbers(self) -> dict[str, NDArray[np.float64]]:
        """Every column of numbers there is: prices that are not positive are no prices."""
        named = [name for name in NUMERIC_FIELDS if name in self._columns.named]
        decimal = self._options.decimal or self._decimal(named)
        values: dict[str, NDArray[np.float64]] = {}
        for name in named:
            whole = name in COUNTS
            column, typed = self._column(name), self._typed(name)
            found = read_numbers(column, self._sheet.line, name, decimal, whole, typed)
            self.decimal_convention = self.decimal_convention or found.convention
            if name == "market_price":
                unmarked = self._options.unit is None and not found.convention
                unmarked &= not in_cents(self._columns.named[name])
                self.whole_prices = unmarked and are_whole(found.values)
                self.placeholder = found.missing
            report = self.refuse if name == "market_price" else self._note_empty  # NaN by now
            for reason, rows in found.refused.items():
                report(reason, rows, name)
            shown = self._sheet.currencies.get(self._columns.named[name], found.currency)
            self._carry(name, np.where(found.currency != "", found.currency, shown))
            cents = name in PRICE_COLUMNS and self._in_cents(name)
            values[name] = self._checked(name, found.values / 100 if cents else found.values)
            if name in PRICE_COLUMNS:
                self._priced |= np.isfinite(values[name])
        return values

    def _carry(self, name: str, currency: NDArray[np.str_]) -> None:
        """Add the currencies [m] that the cells of a column carry."""
        before = self._cell_currency
        differ = (before != "") & (currency != "") & (before != currency)
        self.refuse("the prices of the row are in different currencies", differ, name)
        self._cell_currency = np.where(before != "", before, currency)

    def _in_cents(self, name: str) -> bool:
        column = self._columns.named[name]
        cents = in_cents(column) if self._options.unit is None else self._options.unit == "cents"
        self.cents += [column] * cents
        return cents

    def _checked(self, name: str, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the values of a field; those that it cannot have are empty, or cost the row."""
        with np.errstate(invalid="ignore"):
            if name == "market_price":
                self.refuse("market_price is not above 0", values < _LEAST_PRICE, name)
                return values
            if name in COUNTS:
                reason = f"{name} is not a whole number of {COUNTS[name]}"
                wrong = (values < 0) | (values > np.floor(values)) | (values > 2**31 - 1)
            else:
                reason, wrong = f"{name} is not above 0", values <= 0
        self._note_empty(reason, wrong, name)
        return np.where(wrong, np.nan, values)

    def _note_empty(self, reason: str, rows: NDArray[np.bool_], name: str) -> None:
        """Report the rows whose cell of a field that a row need not have is left empty."""
        indices = np.flatnonzero(rows & ~self._totals)
        if len(indices):
            first = f"first in line {self._sheet.line[indices[0]]}: {self._cell(indices[0], name)}"
            count = counted(len(indices), "row")
            self.notes.append(f"{reason}: left empty in {count} ({first})")

    def _decimal(self, named: Sequence[str]) -> Decimal | None:
        """The mark that the columns of prices show, where one shows it and none shows the other."""
        shown = {self._evidence(name) for name in named if name in PRICE_COLUMNS} - {None}
        return next(iter(shown)) if len(shown) == 1 else None

    def _evidence(self, name: str) -> Decimal | None:
        return evidence_of(self._column(name), self._sheet.line, self._typed(name))

    def _typed(self, name: str) -> NDArray[np.float64] | None:
        """Return the cells of a column of text that the file types as numbers, NaN elsewhere."""
        return self._sheet.numbers.get(self._columns.named[name])

    def currencies(self) -> NDArray[np.str_]:
        """Return each row's currency: from its column, its cells, the header, or the options.

        `assumed_currency` is then that of the options for rows that name none, else "".
        """
        silent = int(((self._cell_currency == "") & self._priced & ~self.bad).sum())
        named = usual_currency(self._columns, self._cell_currency, silent)
        usual = named or self._options.currency
        carried, in_column = self._cell_currency, "currency" in self._columns.named
        column = "currency" if in_column else "market_price"
        said = named_currencies(self._column(column)) if in_column else np.full_like(carried, "")
        for reason, rows in contradictions(self._columns, carried, said).items():
            self.refuse(reason, rows, column)
        known = np.where(said != "", said, carried)
        self.assumed_currency = usual if not named and bool((known == "").any()) else ""
        if named and silent and not in_column and named in carried:
            count = counted(silent, "row")
            self.notes.append(f"{count} without a currency read as {named}, that of the others")
        return self._known(np.where(known != "", known, usual), column)

    def _known(self, currencies: NDArray[np.str_], column: str) -> NDArray[np.str_]:
        for reason, rows in unusable(currencies, ~self.bad).items():
            self.refuse(reason, rows, column)
        return currencies

    def card_ids(self) -> tuple[NDArray[np.str_], NDArray[np.int64], list[str | None]]:
        """Each row's card id, "" where it has none, its rank, and the text it was made from.

        Ranks of cards are compared and sorted much faster than their ids.
        """
        raw, column = self._raw_ids, self._identity
        ids, faults = ids_of(raw)
        for reason, wrong in faults.items():
            rows = [row for row, text in enumerate(raw) if text in wrong] if wrong else []
            self.refuse(reason, np.array(rows, dtype=np.int64), column)
        if column == "product_id":
            products = field_texts(self._sheet, self._columns, column)
            digits = pc.match_substring_regex(products, r"^[1-9][0-9]{0,18}$")
            whole = np.asarray(pc.fill_null(digits, True))
            self.refuse("product_id is not the number of a product", ~whole, column)
        cards = sorted({"", *ids.values()})
        rank_of_id = {card: rank for rank, card in enumerate(cards)}
        rank_of_text = {text: rank_of_id[card] for text, card in ids.items()}
        rank = np.array([rank_of_text.get(text, 0) for text in raw], dtype=np.int64)
        return np.array(cards)[rank], rank, [text or None for text in raw]

    def rejected(self, days: NDArray[np.datetime64], card_id: NDArray[np.str_]) -> pa.Table:
        """Every row and line that is left out, as the file has it."""
        reasons: dict[int, list[str]] = {}
        for rows, reason, _ in self._reasons:
            for row in rows.tolist():
                reasons.setdefault(row, []).append(reason)
        order = sorted(reasons)
        raw = [self._raw(row) for row in order]
        lines = [{"line": each.line, "text": each.text} for each in self._sheet.skipped]
        table = {
            "date": [None if np.isnat(days[row]) else days[row].item() for row in order]
            + [None] * len(lines),
            "card_id": [card_id[row] or None for row in order] + [None] * len(lines),
            "row": [json.dumps(row, default=str) for row in [*raw, *lines]],
            "reason": ["; ".join(reasons[row]) for row in order]
            + [each.reason for each in self._sheet.skipped],
        }
        return pa.table(table, schema=REJECTED_SCHEMA)

    def left_out(self) -> tuple[LeftOut, ...]:
        """Return the rows left out by reason, most frequent first."""
        found: dict[str, LeftOut] = {}
        for rows, reason, column in self._reasons:
            row = int(rows.min())
            cell = self._cell(row, column)
            found[reason] = LeftOut(
                reason,
                len(rows) + (found[reason].rows if reason in found else 0),
                int(self._sheet.line[row]),
                cell,
            )
        for each in self._sheet.skipped:
            before = found.get(each.reason)
            found[each.reason] = (
                LeftOut(each.reason, 1, each.line, shortened(each.text))
                if before is None
                else LeftOut(each.reason, before.rows + 1, before.line, before.cell)
            )
        return tuple(sorted(found.values(), key=lambda each: -each.rows))

    def _column(self, name: str) -> pa.ChunkedArray:
        return self._sheet.column(self._columns.named[name])

    def _cell(self, row: int, name: str) -> str:
        column = self._columns.named.get(name)
        value = shown(self._sheet.column(column)[row]) if column else None
        return "" if column is None else shortened("" if value is None else str(value))

    def _raw(self, row: int) -> dict[str, Any]:
        cells = zip(self._sheet.names, self._sheet.cells, strict=True)
        return {
            "line": int(self._sheet.line[row]),
            **{name: shown(column[row]) for name, column in cells},
        }
