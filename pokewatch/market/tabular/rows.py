"""Several rows of one card and day: the last one counts, and identical ones are merged."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray


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
