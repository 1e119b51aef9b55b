"""Sets, printings, games and single cards of a day whose prices are doubtful, beside the others.

Nothing is removed: the doubts are reported, and the day is used. Limits are those that no set of
the real days exceeds (29,000 series of TCGplayer over 36 days, 354 of Cardmarket over 125).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pokewatch.market.quality.measures import JUMP, SAME_FACTOR_BEYOND, aligned, same_factor
from pokewatch.wording import counted

HISTORY = 8  # days before the day that tell how many prices usually change
_KINDS = {"game": "game", "printing": "printing", "set": "set_id"}  # the widest first
_EXPECTED = 20.0  # changes: that none happens has a chance below 1 in 100 million if they are free
_EMPTY_FROM, _JUMP_FROM, _SAME_FROM = 5, 5, 20  # cards
_MOST = 0.6  # share of the prices of a group that changed alike
_SLIP = 20.0  # the factor of a slip of a card: 10 in a million real changes are as large
_HUNDREDFOLD = (95.0, 105.0)


@dataclass(frozen=True, slots=True)
class Doubt:
    """Doubtful prices of `subject`: a set, printing, game or column, or "cards".

    `text` has the figures.
    """

    subject: str
    problem: str  # empty, frozen, rescaled, slip, lost, or emptied
    text: str


def doubtful_groups(
    prices: pa.Table, history: Sequence[pa.Table], cards: pa.Table, *, gaps: bool
) -> list[Doubt]:
    """Return the doubts of a day against `history`, the lake's last days in order.

    Without `gaps`, a set that lost its prices is doubtful.
    """
    if not history:
        return []
    ids, found = aligned([*history, prices])
    moves = _Moves(found[-1], found[:-1])
    doubts = list(_slips(ids, moves))
    explained = np.zeros(len(ids), dtype=np.bool_)
    rows = pc.index_in(ids, value_set=cards["card_id"].combine_chunks())
    for kind, column in _KINDS.items():
        names, code = _coded(rows, cards, column)
        if kind != "set" and len(names) < 2:
            continue
        unexplained = np.where(explained, -1, code)
        for group, (problem, text) in _group_doubts(unexplained, len(names), moves, gaps):
            doubts.append(Doubt(f"{kind} {names[group]}", problem, text))
            explained |= code == group
    return doubts


class _Moves:
    """The prices [n] of a day, the last ones [n] before it, and which changed, now and usually."""

    def __init__(self, now: NDArray[np.float64], past: NDArray[np.float64]) -> None:
        self.now = now
        self.before = past[-1].copy()
        for earlier in past[-2::-1]:
            self.before = np.where(np.isnan(self.before), earlier, self.before)
        self.compared = np.isfinite(now) & np.isfinite(past[-1])
        self.log = np.log(now / self.before)
        self.changed = self.compared & (now != past[-1])
        pairs = np.isfinite(past[1:]) & np.isfinite(past[:-1])
        self.pairs = pairs.sum(axis=0)
        self.changes = (pairs & (past[1:] != past[:-1])).sum(axis=0)

    def usual(self, group: NDArray[np.bool_]) -> float:
        """Return the changes expected of a group, 0 where the other cards hardly change either.

        On a second day, the others tell the share of changes; later, the group's own past.
        """
        compared, others = self.compared & group, self.compared & ~group
        now = self.changed[others].sum() / max(1, others.sum())
        if not self.pairs.any():
            return float(compared.sum() * now)
        usual = self.changes[~group].sum() / max(1, self.pairs[~group].sum())
        if now == 0 or now < 0.5 * usual:
            return 0.0
        own = self.changes[group].sum() / max(1, self.pairs[group].sum())
        return float(compared.sum() * own)


def _group_doubts(
    code: NDArray[np.int64], groups: int, moves: _Moves, gaps: bool
) -> Iterator[tuple[int, tuple[str, str]]]:
    """Yield the number of each doubtful group with its problem and the figures."""
    order = np.argsort(code, kind="stable")
    starts = np.searchsorted(code[order], np.arange(groups + 1))
    for number in range(groups):
        group = order[starts[number] : starts[number + 1]]
        earlier = int(np.isfinite(moves.before[group]).sum())
        if earlier >= _EMPTY_FROM and not np.isfinite(moves.now[group]).any() and not gaps:
            yield number, ("empty", f"none of {earlier:,} prices")
        compared = int(moves.compared[group].sum())
        if compared >= _EXPECTED and not moves.changed[group].any():
            usual = moves.usual(code == number)
            if usual >= _EXPECTED:
                text = f"none of {compared:,} prices changed, about {usual:,.0f} usually do"
                yield number, ("frozen", text)
        if text := _rescaled(moves.log[group]):
            yield number, ("rescaled", text)


def _rescaled(log: NDArray[np.float64]) -> str:
    """Return the figures where most prices changed by one factor, or fivefold; else ""."""
    log = log[np.isfinite(log)]
    moved = np.count_nonzero(np.abs(log) > SAME_FACTOR_BEYOND)
    if len(log) < _JUMP_FROM or 2 * moved < len(log):  # the median is small too
        return ""
    alike = len(log) >= _SAME_FROM and same_factor(log) >= _MOST
    middle = float(np.median(log))
    if alike or np.mean(np.sign(middle) * log >= np.log(JUMP)) >= _MOST:
        return f"its {len(log):,} prices changed by a factor of {np.exp(middle):.4g}"
    return ""


def _slips(ids: pa.Array, moves: _Moves) -> Iterator[Doubt]:
    """Yield one doubt for all cards whose price changed twentyfold or more."""
    far = np.flatnonzero(np.abs(moves.log) >= np.log(_SLIP))
    if not len(far):
        return
    order = far[np.argsort(-np.abs(moves.log[far]), kind="stable")]
    factors = np.exp(np.abs(moves.log[order]))
    hundredfold = int(np.sum((factors >= _HUNDREDFOLD[0]) & (factors <= _HUNDREDFOLD[1])))
    cents = f" ({hundredfold:,} about a hundredfold: cents for dollars?)" if hundredfold else ""
    shown = ", ".join(
        f"{ids[int(row)]} from {moves.before[row]:,.2f} to {moves.now[row]:,.2f}"
        for row in order[:5]
    )
    more = f" and {len(order) - 5:,} more" if len(order) > 5 else ""
    count = counted(len(order), "price")
    yield Doubt("cards", "slip", f"{count} changed twentyfold or more{cents}: {shown}{more}")


def _coded(rows: pa.Array, cards: pa.Table, column: str) -> tuple[list[str], NDArray[np.int64]]:
    """Return the names of the groups, and the group of each of `rows`, -1 where it has none."""
    values = cards[column].take(rows).combine_chunks()
    encoded = pc.if_else(pc.equal(values, ""), None, values).dictionary_encode()
    code = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    names = encoded.dictionary.to_pylist()
    if column == "set_id":
        first = pc.index_in(encoded.dictionary, value_set=cards["set_id"].combine_chunks())
        names = cards["set_name"].take(first).to_pylist()
    return names, code
