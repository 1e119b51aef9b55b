"""The quality checks of the days of one collection, each against the days around it."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from pokewatch.checks import Check
from pokewatch.market.completion import games_of_day, of_games
from pokewatch.market.lake import Lake
from pokewatch.market.prices import PRICE_COLUMNS
from pokewatch.market.quality.days import QualityThresholds, check_measures, measure
from pokewatch.market.quality.groups import HISTORY, Doubt, doubtful_groups
from pokewatch.market.quality.measures import nearest_day
from pokewatch.market.quality.sets import check_sets

_COMPARED = ["card_id", "date", "market_price", "currency"]
_OTHER_PRICES = [name for name in PRICE_COLUMNS if name != "market_price"]
_EMPTIED_FROM = 20  # values of the last day: fewer may be lacking by chance


class DayChecks:
    """Checks of days in order. A day that passed is one that later ones are compared with.

    Days of `collected` in the lake are not compared with: this collection may replace them. With
    `gaps`, a set may lack its prices. `warnings` name the games that a day is not compared in.
    """

    def __init__(
        self,
        lake: Lake,
        thresholds: QualityThresholds,
        today: date,
        collected: Iterable[date],
        *,
        gaps: bool,
    ) -> None:
        self._lake, self._thresholds, self._today, self._gaps = lake, thresholds, today, gaps
        self._present = set(lake.days())
        self._known = self._present.difference(collected)
        self._passed: dict[date, Sequence[str]] = {}  # with their games
        self._tables: dict[date, pa.Table] = {}
        self._filled: dict[date, dict[str, int]] = {}  # values of each column of other prices
        self.warnings: list[str] = []

    def check(
        self,
        day: date,
        prices: pa.Table,
        rejected: int,
        listed: pa.Table | None,
        games: Sequence[str] = (),
    ) -> list[Check]:
        """Return the checks of a day; `listed` are all cards of the source, if it tells them.

        `games` are those that the day has; other games of the day it is compared with do not count.
        """
        other = nearest_day(day, self._known)
        compared = self._of_games(day, other, games) if other else None
        other = other if compared is not None else None
        checks = check_measures(
            [
                measure(
                    prices,
                    day,
                    compared,
                    rejected,
                    self._today,
                    self._thresholds,
                    self._lake.day(day) if day in self._present else None,
                )
            ],
            self._thresholds,
        )
        if (other is None or other > day) and listed is not None:
            checks.append(check_sets(prices, listed))
        if all(check.passed for check in checks):
            self._known.add(day)
            self._passed[day] = games
            self._filled[day] = _filled(prices)
            self._remember(day, prices.select(_COMPARED))
        return checks

    def _of_games(self, day: date, other: date, games: Sequence[str]) -> pa.Table | None:
        """Return the prices of `games` on the other day, None if it has none."""
        prices, left_out = of_games(self._table(other), self._lake, self._games_of(other), games)
        if not left_out:
            return prices
        self.warnings.append(
            f"{day}: no prices of {', '.join(left_out)}, which {other} has: not selected"
        )
        return prices if prices.num_rows else None

    def _games_of(self, day: date) -> Iterable[str | None]:
        if day in self._passed or not self._lake.has_catalog():
            return self._passed.get(day, ())
        return games_of_day(self._lake, day, self._lake.catalog())

    def doubts(self, day: date, prices: pa.Table, cards: pa.Table) -> list[Doubt]:
        """Return what is doubtful about a day beside the last days before it."""
        lost = self._lost(day, prices)
        last = sorted(other for other in self._known if other < day)[-HISTORY:]
        history = [self._table(other) for other in last]
        emptied = self._emptied(prices, last[-1]) if last else ()
        return [*lost, *emptied, *doubtful_groups(prices, history, cards, gaps=self._gaps)]

    def has_history(self, day: date) -> bool:
        """Return whether there is an earlier day, or a copy of the same day, to compare with."""
        return day in self._present or any(other < day for other in self._known)

    def _lost(self, day: date, prices: pa.Table) -> list[Doubt]:
        """Return a doubt about the cards that had a price in the lake's copy of the day."""
        if day not in self._present:
            return []
        old = self._lake.day(day)
        had = old["card_id"].filter(pc.is_valid(old["market_price"]))
        has = prices["card_id"].filter(pc.is_valid(prices["market_price"]))
        lost = had.filter(pc.invert(pc.is_in(had, value_set=has.combine_chunks()))).to_pylist()
        text = f"{len(lost):,} had a price on the day, and now none: {', '.join(lost[:5])}"
        return [Doubt("cards", "lost", text)] if lost else []

    def _emptied(self, prices: pa.Table, last: date) -> Iterator[Doubt]:
        """Yield a doubt about each column of other prices that lost all of its values."""
        if last not in self._filled:
            self._filled[last] = _filled(self._lake.day(last, _OTHER_PRICES))
        for name, now in _filled(prices).items():
            before = self._filled[last][name]
            if before >= _EMPTIED_FROM and not now:
                text = f"no value, and {before:,} on {last}: the source may have renamed it"
                yield Doubt(name, "emptied", text)

    def _table(self, day: date) -> pa.Table:
        if day not in self._tables:
            self._remember(day, self._lake.day(day).select(_COMPARED))
        return self._tables[day]

    def _remember(self, day: date, prices: pa.Table) -> None:
        self._tables[day] = prices
        while len(self._tables) > 2 * HISTORY:
            del self._tables[min(self._tables)]


def _filled(prices: pa.Table) -> dict[str, int]:
    return {name: prices.num_rows - prices[name].null_count for name in _OTHER_PRICES}
