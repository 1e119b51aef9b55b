"""Columns that tell apart rows of one card and day: the key lacks them.

A column such as a condition does, whatever it says on other days. Any other column does if its
values are those of the card on other days, too: a number or note of single rows is no key.
"""

import re
from collections.abc import Mapping, Sequence
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


def check_times(
    sheet: Sheet,
    columns: Columns,
    card_id: NDArray[np.str_],
    days: NDArray[np.datetime64],
    market: NDArray[np.float64],
    currency: NDArray[np.str_],
    rows: NDArray[np.int64],
) -> None:
    """Raise TableError where a column such as a condition differs within a card and day.

    Of several times of a day, the last one must not decide which condition counts.
    """
    keys = np.stack((card_id[rows], days[rows].astype(np.str_)))
    group = np.unique(keys, axis=1, return_inverse=True)[1].ravel()
    for name in candidates(sheet, columns):
        if not _tells_copies(sheet, columns, name):
            continue
        code = coded(sheet.column(name), sheet.line).code[rows]
        filled = code >= 0
        order = np.flatnonzero(filled)[np.argsort(group[filled], kind="stable")]
        differs = (group[order[1:]] == group[order[:-1]]) & (code[order[1:]] != code[order[:-1]])
        if differs.any():
            at = int(np.flatnonzero(differs)[0])
            one, other = sorted(rows[order[[at, at + 1]]].tolist())
            said = texts_of(sheet, name, np.array([one, other]))
            texts = {one: said[0], other: said[1]}
            raise _too_small(sheet, (name,), texts, card_id, days, market, currency)


def check_key(
    sheet: Sheet,
    columns: Columns,
    card_id: NDArray[np.str_],
    card: NDArray[np.int64],
    days: NDArray[np.datetime64],
    market: NDArray[np.float64],
    currency: NDArray[np.str_],
    conflicts: NDArray[np.int64],
) -> None:
    """Raise TableError where a column, or two together, distinguish the contradicting rows.

    `card` [m] are the ranks of `card_id`.
    """
    # A pair of rows may be due to one with the id of another card.
    several = len(conflicts) // 2 * STRAY > len(card_id)
    usual = sorted(
        candidates(sheet, columns, described=several),
        key=lambda name: next(
            (i for i, word in enumerate(_USUAL) if word in name.casefold()), len(_USUAL)
        ),
    )

    @cache
    def may_be_key(name: str) -> bool:
        if _tells_copies(sheet, columns, name):
            return True
        return _lasts(coded(sheet.column(name), sheet.line).code, card, days, conflicts, several)

    keys = [
        f"{identity}\n{day}"
        for identity, day in zip(
            card_id[conflicts].tolist(), days[conflicts].astype(str).tolist(), strict=True
        )
    ]
    texts = {name: texts_of(sheet, name, conflicts) for name in usual[:_MOST_CANDIDATES]}
    for names in (*combinations(texts, 1), *combinations(texts, 2)):
        values = [", ".join(each) for each in zip(*(texts[name] for name in names), strict=True)]
        distinguish = len(set(zip(keys, values, strict=True))) == len(keys)
        if distinguish and all(map(may_be_key, names)):
            at = dict(zip(conflicts.tolist(), values, strict=True))
            pair = {row: at[row] for row in _pair(keys, conflicts)}
            raise _too_small(sheet, names, pair, card_id, days, market, currency)


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


def _tells_copies(sheet: Sheet, columns: Columns, name: str) -> bool:
    """Return whether a column has the name of one that tells copies or cards apart.

    One of amounts does not: a column `foil` may have the prices of foil copies.
    """
    printing = name == columns.named.get("printing")
    if name not in columns.other and not printing:
        return True
    if not printing and key_words(name).isdisjoint(_USUAL):
        return False
    return not any(map(is_amount, coded(sheet.column(name), sheet.line).texts))


def is_amount(text: str) -> bool:
    """Return whether a text is a number that is no grade: a column `foil` may have its price."""
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
    rows are `several`, all of their values must be found again: one may be an error.
    """
    rows = np.flatnonzero(np.isin(card, card[conflicts]) & ~np.isnat(days))
    at = np.searchsorted(rows, conflicts)
    value = card[rows] * (code.max() + 2) + code[rows]
    judged = _days_of(card[rows], days[rows])[at] > 1
    again = _days_of(value, days[rows])[at][judged] > 1
    return bool(not judged.any() or (again.any() if several else again.all()))


def _days_of(group: NDArray[np.int64], days: NDArray[np.datetime64]) -> NDArray[np.int64]:
    """Return on how many days [m] there are rows of each row's group."""
    table = pa.table({"group": group, "day": days.astype(np.int64)})
    found = table.group_by("group").aggregate([("day", "count_distinct")])
    row = pc.index_in(pa.array(group), value_set=found["group"].combine_chunks())
    return np.asarray(found["day_count_distinct"].take(row))


def _too_small(
    sheet: Sheet,
    names: Sequence[str],
    texts: Mapping[int, str],
    card_id: NDArray[np.str_],
    days: NDArray[np.datetime64],
    market: NDArray[np.float64],
    currency: NDArray[np.str_],
) -> TableError:
    """Return the error of two rows, with their `texts` in columns that the key lacks."""
    shown = ", ".join(f"{text} at {market[row]:g}" for row, text in texts.items())
    which = (
        f"the column {names[0]!r} distinguishes"
        if len(names) == 1
        else f"the columns {names[0]!r} and {names[1]!r} distinguish"
    )
    row, key = next(iter(texts)), ",".join(names)
    currencies = dict.fromkeys(currency[list(texts)].tolist())
    remedy = f"treat each as a card: POKEWATCH_FILE_KEY={key}; or keep the rows of one"
    if len(currencies) > 1:
        remedy = f"keep the rows in {' or '.join(currencies)}: they cannot be compared"
    return TableError(
        f"card {card_id[row]} has several rows for {days[row]}, which {which}: {shown}",
        line=int(sheet.line[row]),
        remedy=remedy,
    )


def texts_of(sheet: Sheet, name: str, rows: NDArray[np.int64]) -> list[str]:
    """Return the texts of a column in some rows."""
    column = sheet.column(name)
    values = [shown(column[row]) for row in rows.tolist()]
    return ["" if value is None else str(value).strip() for value in values]


def _pair(keys: Sequence[str], rows: NDArray[np.int64]) -> tuple[int, int]:
    """Return the first two rows of one card and day."""
    seen: dict[str, int] = {}
    pairs = [
        (seen[key], row)
        for key, row in zip(keys, rows.tolist(), strict=True)
        if key in seen or seen.setdefault(key, row) is None
    ]
    return min(pairs)
