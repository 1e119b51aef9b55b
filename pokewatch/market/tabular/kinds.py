"""Copies of several kinds under one card: graded ones after raw ones, or another language."""

import re

import numpy as np
from numpy.typing import NDArray

from pokewatch.market.tabular.cells import coded
from pokewatch.market.tabular.columns import Columns
from pokewatch.market.tabular.header_rows import simplified
from pokewatch.market.tabular.numbers import WHOLE_AS_DECIMAL
from pokewatch.market.tabular.rows import candidates, key_words, texts_of
from pokewatch.market.tabular.sheet import Sheet, TableError

_KINDS = frozenset({"condition", "grade", "printing", "language", "variant", "finish", "foil"})


def check_kinds(
    sheet: Sheet,
    columns: Columns,
    card_id: NDArray[np.str_],
    card: NDArray[np.int64],
    days: NDArray[np.datetime64],
    market: NDArray[np.float64],
    order: NDArray[np.int64],
) -> None:
    """Raise TableError where copies of another kind continue a card's history.

    `card` [m] are the ranks of `card_id`, and `order` [k] the rows that count, oldest first.
    """
    for name in candidates(columns):
        words = key_words(name)
        if words.isdisjoint(_KINDS) and name != columns.named.get("printing"):
            continue
        cells = coded(sheet.column(name), sheet.line)
        # No grade is that of a raw copy; a condition or language that is not given may be any.
        rows = order if "grade" in words else order[cells.code[order] >= 0]
        first = np.full(int(card.max(initial=0)) + 1, -1)
        first[card[rows[::-1]]] = rows[::-1]
        before, after = first[card[rows]], rows
        differ = cells.code[before] != cells.code[after]
        before, after = before[differ], after[differ]
        codes = np.stack((cells.code[before], cells.code[after]))
        texts = [*cells.texts, ""]
        pairs, at = np.unique(codes, axis=1, return_index=True)
        for (one, other), row in zip(pairs.T.tolist(), at.tolist(), strict=True):
            if not _is_same_kind(texts[one], texts[other]):
                found = np.array([before[row], after[row]])
                raise _changed(sheet, name, card_id, days, market, found)


def _is_same_kind(one: str, other: str) -> bool:
    """Return whether a text repeats or abbreviates another: "NM" is "Near Mint", "EN" "English".

    So does a whole number that is stored as a decimal, as grades are.
    """
    whole = (re.sub(WHOLE_AS_DECIMAL, r"\1", text) for text in (one, other))
    words = sorted(map(simplified, whole), key=len)
    short, long = (text.replace("_", "") for text in words)
    initials = "".join(word[0] for word in words[1].split("_") if word)
    if short in (long, initials):
        return True
    return long.startswith(short) and short[-1:].isalpha()  # PSA 1 is not PSA 10


def _changed(
    sheet: Sheet,
    name: str,
    card_id: NDArray[np.str_],
    days: NDArray[np.datetime64],
    market: NDArray[np.float64],
    rows: NDArray[np.int64],
) -> TableError:
    """Return the error of two rows of a card that differ in a column."""
    before, after = (
        f"{text or 'nothing'} at {market[row]:g} on {days[row]}"
        for text, row in zip(texts_of(sheet, name, rows), rows.tolist(), strict=True)
    )
    return TableError(
        f"card {card_id[rows[1]]} has {before}, and {after} in the column {name!r}",
        line=int(sheet.line[rows[1]]),
        remedy=f"treat each as a card: POKEWATCH_FILE_KEY={name}; or keep the rows of one",
    )
