"""Several rows of one card and day: the last one counts, and identical ones are merged.

Where rows of the same time differ, the key is too small or one of them is wrong.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from pokewatch.market.tabular.cells import coded, is_readable, shown
from pokewatch.market.tabular.columns import Columns
from pokewatch.market.tabular.header_rows import simplified
from pokewatch.market.tabular.numbers import STRAY
from pokewatch.market.tabular.sheet import Sheet, TableError

_MOST_CANDIDATES = 12  # columns that may distinguish rows
_USUAL = (
    "condition",
    "grade",
    "printing",
    "language",
    "variant",
    "finish",
    "edition",
    "foil",
    "currency",
    "shop",
    "store",
    "seller",
    "vendor",
    "marketplace",
    "source",
    "site",
    "country",
    "region",
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


def last_of_day(
    card_id: NDArray[np.str_],
    days: NDArray[np.datetime64],
    moments: NDArray[np.datetime64],
    market: NDArray[np.float64],
    good: NDArray[np.bool_],
) -> tuple[NDArray[np.bool_], int]:
    """Return which good rows are the last of their card and day, and the most times of a day.

    A row with a market price precedes one without.
    """
    rows = np.flatnonzero(good)
    if not (moments[rows] != days[rows]).any():
        return good.copy(), 1
    quoted = np.isfinite(market)
    order = rows[np.lexsort((moments[rows], quoted[rows], card_id[rows], days[rows]))]
    first = np.ones(len(order), dtype=np.bool_)
    first[1:] = (card_id[order[1:]] != card_id[order[:-1]]) | (days[order[1:]] != days[order[:-1]])
    group = np.cumsum(first) - 1
    last = order[np.append(np.flatnonzero(first)[1:], len(order)) - 1][group]
    stays = np.zeros(len(good), dtype=np.bool_)
    stays[order] = (moments[order] == moments[last]) & (quoted[order] == quoted[last])
    later = first.copy()
    later[1:] |= moments[order[1:]] != moments[order[:-1]]
    return stays, int(np.bincount(group, later).max())


def has_company(
    card_id: NDArray[np.str_], days: NDArray[np.datetime64], good: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Return which good rows have others of their card and day."""
    rows = np.flatnonzero(good)
    keys = np.stack((card_id[rows], days[rows].astype(np.str_)))
    _, group, count = np.unique(keys, axis=1, return_inverse=True, return_counts=True)
    shared = np.zeros(len(good), dtype=np.bool_)
    shared[rows] = count[group.ravel()] > 1
    return shared


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
    for name in filter(_is_key, candidates(sheet, columns)):
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


def _is_key(name: str) -> bool:
    return not key_words(name).isdisjoint(_USUAL)


def key_words(name: str) -> set[str]:
    """Return the words of a column's name, none where it holds no key of cards.

    "Grade 9" has prices of that grade.
    """
    words = set(simplified(name).split("_"))
    return set() if words & _NO_KEY or any(map(str.isdecimal, words)) else words


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


def merged_duplicates(
    card: NDArray[np.int64],
    days: NDArray[np.datetime64],
    numbers: Mapping[str, NDArray[np.float64]],
    currency: NDArray[np.str_],
    good: NDArray[np.bool_],
    order: NDArray[np.int64],
) -> tuple[NDArray[np.bool_], int, NDArray[np.int64]]:
    """Return which rows stay, how many were identical repeats, and the contradicting rows.

    `order` are all rows by day, card and place in the file.
    """
    order = order[good[order]]
    same = np.zeros(len(order), dtype=np.bool_)
    if len(order):
        same[1:] = (card[order[1:]] == card[order[:-1]]) & (days[order[1:]] == days[order[:-1]])
    stays = good.copy()
    if not same.any():
        return stays, 0, np.empty(0, dtype=np.int64)
    group = np.cumsum(~same) - 1
    first = order[np.flatnonzero(~same)][group]
    values = np.stack([np.nan_to_num(column, nan=-1.0) for column in numbers.values()])
    differs = np.any(values[:, order] != values[:, first], axis=0)
    differs |= currency[order] != currency[first]
    conflicting = np.zeros(group[-1] + 1, dtype=np.bool_)
    conflicting[group[differs]] = True
    repeated = same & ~conflicting[group]
    stays[order[repeated]] = False
    return stays, int(repeated.sum()), order[conflicting[group]]


def without_less_complete(
    card: NDArray[np.int64],
    days: NDArray[np.datetime64],
    numbers: Mapping[str, NDArray[np.float64]],
    currency: NDArray[np.str_],
    conflicts: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return which of the contradicting rows really do, and those that only lack values.

    A row that has every value of the others of its card and day contradicts none of them.
    """
    groups: dict[tuple[int, int], list[int]] = {}
    keys = zip(card[conflicts].tolist(), days[conflicts].astype(np.int64).tolist(), strict=True)
    for key, row in zip(keys, conflicts.tolist(), strict=True):
        groups.setdefault(key, []).append(row)
    left, lacking = list[int](), list[int]()
    for rows in groups.values():
        values = np.stack([column[rows] for column in numbers.values()])
        known = np.isfinite(values)
        most = int(known.sum(axis=0).argmax())
        one_currency = bool((currency[rows] == currency[rows[0]]).all())
        if one_currency and (~known | (values == values[:, [most]])).all():
            lacking += [row for row in rows if row != rows[most]]
        else:
            left += rows
    return np.asarray(left, dtype=np.int64), np.asarray(lacking, dtype=np.int64)


def check_key(
    sheet: Sheet,
    columns: Columns,
    card_id: NDArray[np.str_],
    days: NDArray[np.datetime64],
    market: NDArray[np.float64],
    currency: NDArray[np.str_],
    conflicts: NDArray[np.int64],
) -> None:
    """Raise TableError where a column, or two together, distinguish the contradicting rows."""
    # A pair of rows may be due to one with the id of another card.
    several = len(conflicts) // 2 * STRAY > len(card_id)
    usual = sorted(
        candidates(sheet, columns, described=several),
        key=lambda name: next(
            (i for i, word in enumerate(_USUAL) if word in name.casefold()), len(_USUAL)
        ),
    )
    keys = [
        f"{card}\n{day}"
        for card, day in zip(
            card_id[conflicts].tolist(), days[conflicts].astype(str).tolist(), strict=True
        )
    ]
    texts = {name: texts_of(sheet, name, conflicts) for name in usual[:_MOST_CANDIDATES]}
    for names in (*combinations(texts, 1), *combinations(texts, 2)):
        values = [", ".join(each) for each in zip(*(texts[name] for name in names), strict=True)]
        if len(set(zip(keys, values, strict=True))) == len(keys):
            at = dict(zip(conflicts.tolist(), values, strict=True))
            pair = {row: at[row] for row in _pair(keys, conflicts)}
            raise _too_small(sheet, names, pair, card_id, days, market, currency)


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
