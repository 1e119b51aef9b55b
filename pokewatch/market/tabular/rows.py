"""Several rows of one card and day: identical ones are merged.

Where they differ, the key is too small or one of them is wrong.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from pokewatch.market.tabular.columns import Columns
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
)


def merged_duplicates(
    card_id: NDArray[np.str_],
    days: NDArray[np.datetime64],
    numbers: Mapping[str, NDArray[np.float64]],
    good: NDArray[np.bool_],
) -> tuple[NDArray[np.bool_], int, NDArray[np.int64]]:
    """Return which rows stay, how many were identical repeats, and the contradicting rows."""
    rows = np.flatnonzero(good)
    order = rows[np.lexsort((rows, card_id[rows], days[rows]))]
    same = np.zeros(len(order), dtype=np.bool_)
    if len(order):
        same[1:] = (card_id[order[1:]] == card_id[order[:-1]]) & (
            days[order[1:]] == days[order[:-1]]
        )
    stays = good.copy()
    if not same.any():
        return stays, 0, np.empty(0, dtype=np.int64)
    group = np.cumsum(~same) - 1
    first = order[np.flatnonzero(~same)][group]
    values = np.stack([np.nan_to_num(column, nan=-1.0) for column in numbers.values()])
    differs = np.any(values[:, order] != values[:, first], axis=0)
    conflicting = np.zeros(group[-1] + 1, dtype=np.bool_)
    conflicting[group[differs]] = True
    repeated = same & ~conflicting[group]
    stays[order[repeated]] = False
    return stays, int(repeated.sum()), order[conflicting[group]]


def check_key(
    sheet: Sheet,
    columns: Columns,
    card_id: NDArray[np.str_],
    days: NDArray[np.datetime64],
    market: NDArray[np.float64],
    conflicts: NDArray[np.int64],
) -> None:
    """Raise TableError where a column, or two together, distinguish the contradicting rows."""
    candidates = [name for name in (columns.named.get("printing"), *columns.other) if name]
    candidates.sort(
        key=lambda name: next(
            (i for i, word in enumerate(_USUAL) if word in name.casefold()), len(_USUAL)
        )
    )
    keys = [
        f"{card}\n{day}"
        for card, day in zip(
            card_id[conflicts].tolist(), days[conflicts].astype(str).tolist(), strict=True
        )
    ]
    texts = {name: _texts(sheet, name, conflicts) for name in candidates[:_MOST_CANDIDATES]}
    for names in (*combinations(texts, 1), *combinations(texts, 2)):
        values = [", ".join(each) for each in zip(*(texts[name] for name in names), strict=True)]
        if len(set(zip(keys, values, strict=True))) == len(keys):
            at = dict(zip(conflicts.tolist(), values, strict=True))
            one, other = _pair(keys, conflicts)
            shown = ", ".join(f"{at[row]} at {market[row]:g}" for row in (one, other))
            which = (
                f"the column {names[0]!r} distinguishes"
                if len(names) == 1
                else f"the columns {names[0]!r} and {names[1]!r} distinguish"
            )
            key = ",".join(names)
            raise TableError(
                f"card {card_id[one]} has several rows for {days[one]}, which {which}: {shown}",
                line=int(sheet.line[one]),
                remedy=f"treat each as a card: POKEWATCH_FILE_KEY={key}; or keep the rows of one",
            )


def _texts(sheet: Sheet, name: str, rows: NDArray[np.int64]) -> list[str]:
    column = sheet.column(name)
    return [str(column[row].as_py() or "").strip() for row in rows.tolist()]


def _pair(keys: Sequence[str], rows: NDArray[np.int64]) -> tuple[int, int]:
    """Return the first two rows of one card and day."""
    seen: dict[str, int] = {}
    pairs = [
        (seen[key], row)
        for key, row in zip(keys, rows.tolist(), strict=True)
        if key in seen or seen.setdefault(key, row) is None
    ]
    return min(pairs)
