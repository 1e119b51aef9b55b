"""Columns that tell apart rows of one card and day: the key lacks them.

A column such as a condition does, whatever it says on other days. Any other column does if its
values are those of the card on other days, too: a number or note of single rows is no key.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pokewatch.market.tabular.cells import coded, is_readable, shown
from pokewatch.market.tabular.column_names import COPIES
from pokewatch.market.tabular.columns import Columns
from pokewatch.market.tabular.header_rows import simplified
from pokewatch.market.tabular.numbers import STRAY, without_signs
from pokewatch.market.tabular.sheet import Sheet, TableError

_AMOUNT = re.compile(r"[\d.,]+")
_HIGHEST_GRADE = 10
_MOST_CANDIDATES = 12  # columns that may distinguish rows
_USUAL = (
    *(word for words in COPIES.values() for word in words),
    *("edition", "currency", "shop", "store", "seller", "vendor", "marketplace", "source", "site"),
    *("country", "region"),
)
_WITH_AMOUNTS = frozenset(
    word for kind, words in COPIES.items() if kind != "language" for word in words
)
# Words of columns that hold no key, but a number, day, text or address of what _USUAL names.
_NO_KEY = frozenset(
    word
    for line in (
        "url link href price prices value cost count quantity population pop",
        "trend market low mid high avg usd eur sales sold volume listings change rank",
        "date time updated note notes comment comments description image photo",
    )
    for word in line.split()
)


@dataclass(frozen=True, slots=True)
class QuotedRows:
    """The rows [m] of a sheet, each the quote of a card on a day; `card` has ranks of `card_id`."""

    sheet: Sheet
    columns: Columns
    card_id: NDArray[np.str_]
    card: NDArray[np.int64]
    days: NDArray[np.datetime64]
    market: NDArray[np.float64]
    currency: NDArray[np.str_]


def check_key(quoted: QuotedRows, conflicts: NDArray[np.int64]) -> None:
    """Raise TableError where a column, or two together, distinguish the contradicting rows."""
    sheet, columns, card, days = quoted.sheet, quoted.columns, quoted.card, quoted.days
    # A pair of rows may be due to one with the id of another card.
    several = len(conflicts) // 2 * STRAY > len(card)
    usual = sorted(
        candidates(sheet, columns, described=several),
        key=lambda name: next(
            (i for i, word in enumerate(_USUAL) if word in name.casefold()), len(_USUAL)
        ),
    )

    @cache
    def code_of(name: str) -> NDArray[np.int64]:
        return coded(sheet.column(name), sheet.line).code

    @cache
    def may_be_key(name: str) -> bool:
        return tells_copies(sheet, columns, name) or _lasts(
            code_of(name), card, days, conflicts, several
        )

    days_of_cards = np.stack((card[conflicts], days[conflicts].astype(np.int64)))
    group = np.unique(days_of_cards, axis=1, return_inverse=True)[1].ravel()
    names = usual[:_MOST_CANDIDATES]
    for count in (1, 2):
        for key in combinations(names, count):
            values = [code_of(name)[conflicts] for name in key]
            if _are_distinct(group, values) and all(map(may_be_key, key)):
                pair = conflicts[list(_pair(group))]
                raise too_small(quoted, key, pair)
        names = list(filter(may_be_key, names))


def _are_distinct(group: NDArray[np.int64], values: Sequence[NDArray[np.int64]]) -> bool:
    """Return whether no two rows of a group have the same `values`, codes [m] from -1."""
    rows = group
    for code in values:
        rows = np.unique(rows * (code.max() + 2) + code + 1, return_inverse=True)[1].ravel()
    return int(rows.max()) + 1 == len(rows)


def candidates(sheet: Sheet, columns: Columns, described: bool = False) -> list[str]:
    """Return the columns of single values that are no part of what identifies a card.

    Those that describe a card with an id of its own, such as its set, are among them if
    `described`.
    """
    fields = ["printing", "currency"]
    if columns.named_cards or (described and "card_id" in columns.named):
        fields += ["set_name", "set_id", "number", "rarity"]
    named = [columns.named[field] for field in fields if field in columns.named]
    return [
        name for name in (*named, *columns.other) if name and is_readable(sheet.column(name).type)
    ]


def key_words(name: str) -> set[str]:
    """Return the words of a column's name, none where it holds no key of cards.

    "Grade 9" has prices of that grade.
    """
    words = set(simplified(name).split("_"))
    return set() if words & _NO_KEY or any(map(str.isdecimal, words)) else words


def tells_copies(sheet: Sheet, columns: Columns, name: str) -> bool:
    """Return whether a column has the name of one that tells copies or cards apart."""
    if name in columns.other and key_words(name).isdisjoint(_USUAL):
        return False
    return not has_amounts(sheet, columns, name)


def has_amounts(sheet: Sheet, columns: Columns, name: str) -> bool:
    """Return whether a column has amounts, such as the prices of foil copies or a number in stock.

    Numbers of languages or shops are none.
    """
    if name != columns.named.get("printing") and key_words(name).isdisjoint(_WITH_AMOUNTS):
        return False
    return any(map(_is_amount, coded(sheet.column(name), sheet.line).texts))


def _is_amount(text: str) -> bool:
    """Return whether a text is a number that is no grade."""
    number = without_signs(text)
    if not _AMOUNT.fullmatch(number):
        return False
    try:
        value = float(number.replace(",", "."))
    except ValueError:  # 1,234.50
        return True
    return number != text or value > _HIGHEST_GRADE or value * 2 % 1 != 0


def _lasts(
    code: NDArray[np.int64],
    card: NDArray[np.int64],
    days: NDArray[np.datetime64],
    conflicts: NDArray[np.int64],
    several: bool,
) -> bool:
    """Return whether contradicting rows share the values `code` with their cards on other days.

    A number or note of single rows is no key. Cards of one day alone are no evidence. Unless the
    rows are `several`, all of their values must be found again: one may be an error. Of several,
    some must, but more than are found by chance.
    """
    rows = np.flatnonzero(np.isin(card, card[conflicts]) & ~np.isnat(days))
    at = np.searchsorted(rows, conflicts)
    value = card[rows] * (code.max() + 2) + code[rows]
    judged = _days_of(card[rows], days[rows])[at] > 1
    again = _days_of(value, days[rows])[at][judged] > 1
    found = again.sum() * STRAY if several else again.sum()
    return bool(found >= len(again))


def _days_of(group: NDArray[np.int64], days: NDArray[np.datetime64]) -> NDArray[np.int64]:
    """Return on how many days [m] there are rows of each row's group."""
    table = pa.table({"group": group, "day": days.astype(np.int64)})
    found = table.group_by("group").aggregate([("day", "count_distinct")])
    row = pc.index_in(pa.array(group), value_set=found["group"].combine_chunks())
    return np.asarray(found["day_count_distinct"].take(row))


def too_small(quoted: QuotedRows, names: Sequence[str], rows: NDArray[np.int64]) -> TableError:
    """Return the error of two `rows` that differ in columns which the key lacks."""
    texts = zip(*(texts_of(quoted.sheet, name, rows) for name in names), strict=True)
    shown = ", ".join(
        f"{', '.join(said)} at {price:g}"
        for said, price in zip(texts, quoted.market[rows], strict=True)
    )
    which = (
        f"the column {names[0]!r} distinguishes"
        if len(names) == 1
        else f"the columns {names[0]!r} and {names[1]!r} distinguish"
    )
    row, key = rows[0], ",".join(names)
    currencies = dict.fromkeys(quoted.currency[rows].tolist())
    remedy = f"treat each as a card: POKEWATCH_FILE_KEY={key}; or keep the rows of one"
    if len(currencies) > 1:
        remedy = f"keep the rows in {' or '.join(currencies)}: they cannot be compared"
    return TableError(
        f"card {quoted.card_id[row]} has several rows for {quoted.days[row]}, which {which}: "
        f"{shown}",
        line=int(quoted.sheet.line[row]),
        remedy=remedy,
    )


def texts_of(sheet: Sheet, name: str, rows: NDArray[np.int64]) -> list[str]:
    """Return the texts of a column in some rows."""
    column = sheet.column(name)
    values = [shown(column[row]) for row in rows.tolist()]
    return ["" if value is None else str(value).strip() for value in values]


def _pair(group: NDArray[np.int64]) -> tuple[int, int]:
    """Return the first two rows of one group."""
    seen: dict[int, int] = {}
    pairs = [
        (seen[each], row)
        for row, each in enumerate(group.tolist())
        if each in seen or seen.setdefault(each, row) is None
    ]
    return min(pairs)
