"""Copies of several kinds under one card: graded ones beside or after raw ones, or languages."""

import re
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from pokewatch.market.tabular.cells import Coded, coded
from pokewatch.market.tabular.column_names import COPIES
from pokewatch.market.tabular.columns import Columns
from pokewatch.market.tabular.header_rows import simplified
from pokewatch.market.tabular.keys import (
    QuotedRows,
    candidates,
    has_amounts,
    key_words,
    tells_copies,
    texts_of,
    too_small,
)
from pokewatch.market.tabular.numbers import WHOLE_AS_DECIMAL, is_placeholder
from pokewatch.market.tabular.sheet import TableError

# Raw copies, which most tables do not grade at all.
_RAW = frozenset({"raw", "ungraded", "not_graded", "no", "false", "0"})
_KINDS = frozenset(word for words in COPIES.values() for word in words)
_LEADING_ZEROS = re.compile(r"(?<!\d)0+(?=\d)")


def check_times(quoted: QuotedRows, rows: NDArray[np.int64]) -> None:
    """Raise TableError where a column such as a condition differs within a card and day.

    `rows` [k] are those that can be used. Of several times of a day, the last one must not decide
    which condition counts.
    """
    sheet, columns, card, days = quoted.sheet, quoted.columns, quoted.card, quoted.days
    rows = rows[np.lexsort((days[rows], card[rows]))]
    spellings = _places(columns)
    if "printing" in columns.named:
        spellings[columns.named["printing"]] = _is_same_kind
    for name in candidates(sheet, columns):
        if name == columns.named.get("rarity") or not tells_copies(sheet, columns, name):
            continue
        cells = coded(sheet.column(name), sheet.line)
        filled = rows[cells.code[rows] >= 0]
        one, other = filled[:-1], filled[1:]
        differ = cells.code[one] != cells.code[other]
        differ &= (card[one] == card[other]) & (days[one] == days[other])
        pairs = np.stack((one, other), axis=1)[differ]
        codes, at = np.unique(cells.code[pairs], axis=0, return_index=True)
        is_same = spellings.get(name)
        kinds = [_kind_of(text, graded=False) for text in cells.texts] if is_same else []
        for (a, b), pair in zip(codes.tolist(), pairs[at], strict=True):
            if is_same is None or not is_same(kinds[a], kinds[b]):
                raise too_small(quoted, (name,), np.sort(pair))


def check_kinds(quoted: QuotedRows, order: NDArray[np.int64]) -> None:
    """Raise TableError where copies of another kind continue a card's history.

    `order` [k] are the rows that count, oldest first.
    """
    sheet, columns, card = quoted.sheet, quoted.columns, quoted.card
    places = _places(columns)
    for name in candidates(sheet, columns):
        words = key_words(name)
        if words.isdisjoint(_KINDS) and name not in (columns.named.get("printing"), *places):
            continue
        if name not in places and has_amounts(sheet, columns, name):
            continue
        cells = coded(sheet.column(name), sheet.line)
        graded = not words.isdisjoint(COPIES["grade"])
        kinds, code = _kinds_of(cells, graded)
        # No grade is that of a raw copy; a condition or language that is not given may be any.
        rows = order if graded else order[code[order] != kinds.index("")]
        of_card, kind = card[rows], code[rows]
        first = np.zeros(int(card.max(initial=0)) + 1, dtype=np.int64)
        first[of_card[::-1]] = np.arange(len(rows))[::-1]
        differ = np.flatnonzero(kind[first[of_card]] != kind)
        before, after = rows[first[of_card[differ]]], rows[differ]
        pairs, at = np.unique(code[before] * len(kinds) + code[after], return_index=True)
        for pair, row in zip(pairs.tolist(), at.tolist(), strict=True):
            one, other = divmod(pair, len(kinds))
            if not places.get(name, _is_same_kind)(kinds[one], kinds[other]):
                found = np.array([before[row], after[row]])
                raise _changed(quoted, name, found)


def _places(columns: Columns) -> dict[str, Callable[[str, str], bool]]:
    """Return the columns that tell cards of one name apart, and whether two of a column are one."""
    if not columns.named_cards:
        return {}
    same = {"number": _is_same_number, "set_name": _is_same_set, "set_id": _is_same_set}
    return {columns.named[field]: same[field] for field in same if field in columns.named}


def _kinds_of(cells: Coded, graded: bool) -> tuple[list[str], NDArray[np.int64]]:
    """Return the different kinds of a column, "" among them, and the index [m] of each row's."""
    said = [_kind_of(text, graded) for text in cells.texts]
    kinds = sorted({"", *said})
    index = {kind: at for at, kind in enumerate(kinds)}
    return kinds, cells.spread([index[kind] for kind in said], np.int64, index[""])


def _kind_of(text: str, graded: bool) -> str:
    """Return a text in simple words, a whole grade without ".0"; "" where it names no kind."""
    kind = simplified(re.sub(WHOLE_AS_DECIMAL, r"\1", text))
    return "" if is_placeholder(text) or (graded and kind in _RAW) else kind


def _is_same_kind(one: str, other: str) -> bool:
    """Return whether a kind is another one, or abbreviated: "nm" is "near_mint"."""
    words = sorted((one, other), key=len)
    short, long = (text.replace("_", "") for text in words)
    initials = "".join(word[0] for word in words[1].split("_") if word)
    if short in (long, initials):
        return True
    return long.startswith(short) and short[-1:].isalpha()  # PSA 1 is not PSA 10


def _is_same_number(one: str, other: str) -> bool:
    """Return whether a number is another one in fewer words: "4" is "004_102"."""
    words = [set(_LEADING_ZEROS.sub("", text).split("_")) for text in (one, other)]
    return words[0] <= words[1] or words[1] <= words[0]


def _is_same_set(one: str, other: str) -> bool:
    """Return whether a set is another one in fewer words: not "Base Set" and "Base Set 2"."""
    fewer, more = sorted((set(one.split("_")), set(other.split("_"))), key=len)
    extra = more - fewer
    return fewer <= more and "shadowless" not in extra and not any(map(str.isdecimal, extra))


def _changed(quoted: QuotedRows, name: str, rows: NDArray[np.int64]) -> TableError:
    """Return the error of two rows of a card that differ in a column."""
    before, after = (
        f"{text or 'nothing'} at {quoted.market[row]:g} on {quoted.days[row]}"
        for text, row in zip(texts_of(quoted.sheet, name, rows), rows.tolist(), strict=True)
    )
    return TableError(
        f"card {quoted.card_id[rows[1]]} has {before}, and {after} in the column {name!r}",
        line=int(quoted.sheet.line[rows[1]]),
        remedy=f"treat each as a card: POKEWATCH_FILE_KEY={name}; or keep the rows of one",
    )
