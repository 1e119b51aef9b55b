"""Days of the lake that lack a part of the market: a game added later, or sets that failed.

Such a day is collected again. Rows that the collection does not have, because other games are
selected, stay; so does the whole day if the source does not have it, as with a closed archive.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from pokewatch.market.lake import Lake
from pokewatch.market.sources import Source
from pokewatch.wording import listed


def incomplete_days(source: Source, lake: Lake, days: Iterable[date]) -> dict[date, list[str]]:
    """Return those of `days`, all in the lake, that `source` may add to, with the absent games."""
    found: dict[date, list[str]] = {}
    if not source.games or not lake.has_catalog():
        return found
    cards = lake.catalog()
    for day in sorted(days):
        present = games_of_day(lake, day, cards)
        absent = [] if None in present else [game for game in source.games if game not in present]
        if absent or source.missing_sets(day):
            found[day] = absent
    return found


def games_of_day(lake: Lake, day: date, cards: pa.Table) -> set[str | None]:
    """Return the games that a day was collected of; if not recorded, those of its cards."""
    if recorded := lake.games(day):
        return set(recorded)
    rows = pc.index_in(lake.day(day)["card_id"], value_set=cards["card_id"].combine_chunks())
    return set(cards["game"].take(rows.drop_null()).unique().to_pylist())


def completed(
    lake: Lake, day: date, prices: pa.Table, games: Sequence[str], *, refresh: bool
) -> tuple[pa.Table, tuple[str, ...]]:
    """Return `prices`, collected of `games`, with the rows and games that the lake has beside them.

    With `refresh`, the rows of `games` are those of `prices` alone. Nothing is added if the source
    has no games.
    """
    if not games or day not in lake.days() or not lake.has_catalog():
        return prices, tuple(sorted(games))
    before, catalog = lake.day(day), lake.catalog()
    replaced = _replaced(prices, catalog, games, refresh)
    others = before.filter(pc.invert(pc.is_in(before["card_id"], value_set=replaced)))
    known = {game for game in games_of_day(lake, day, catalog) if game}
    return pa.concat_tables([prices, others]), tuple(sorted(known | set(games)))


def completed_rejected(
    lake: Lake, day: date, rejected: pa.Table, games: Sequence[str], *, refresh: bool
) -> pa.Table:
    """Return `rejected`, of a collection of `games`, with the rows that the lake has beside them.

    Rejected rows of an unknown card may be of any game: they are only left out if they are among
    `rejected`, or if a refresh has all games of the day.
    """
    if not games or day not in lake.days() or not lake.has_catalog():
        return rejected
    before, catalog = lake.quarantined(day), lake.catalog()
    if refresh and games_of_day(lake, day, catalog) <= set(games):
        return rejected
    replaced = _replaced(rejected, catalog, games, refresh)
    again = pc.or_(
        pc.is_in(before["card_id"], value_set=replaced, skip_nulls=True),
        pc.is_in(before["row"], value_set=rejected["row"].combine_chunks()),
    )
    return pa.concat_tables([rejected, before.filter(pc.invert(again))]).combine_chunks()


def of_games(
    prices: pa.Table, lake: Lake, present: Iterable[str | None], games: Sequence[str]
) -> tuple[pa.Table, list[str]]:
    """Return the prices of these games only, and the names of the games left out.

    `present` are the games that the prices were collected of. All are returned if `games` is empty.
    """
    others = sorted(game for game in present if game and game not in games)
    if not games or not others or not lake.has_catalog():
        return prices, []
    left_out = _card_ids(lake.catalog(), others)
    ours = pc.invert(pc.is_in(prices["card_id"], value_set=left_out))
    return prices.filter(ours), others


def absent_parts(
    source: Source, incomplete: Mapping[date, Sequence[str]], unchanged: Iterable[date]
) -> list[str]:
    """Return a text for each part of the market that `unchanged` days lack.

    It is a game that the source does not have, or pages of sets that failed on the day.
    """
    days = sorted(incomplete.keys() & set(unchanged))
    lost = {day: pages for day in days if (pages := source.lost_sets(day))}
    found = absent_games(source.name, incomplete, days)
    if lost:
        pages = sorted({page for pages in lost.values() for page in pages})
        found.append(
            f"{source.name} no longer has the prices of {listed(pages, 'pages')}, which failed on "
            f"{listed(list(map(str, lost)), 'days')}: they are collected if its archive has them"
        )
    return found


def absent_games(
    name: str, incomplete: Mapping[date, Sequence[str]], unchanged: Iterable[date]
) -> list[str]:
    """Return a text for each game that `unchanged` days lack and the source does not have."""
    days: dict[str, list[date]] = {}
    for day in sorted(incomplete.keys() & set(unchanged)):
        for game in incomplete[day]:
            days.setdefault(game, []).append(day)
    return [
        f"{name} has no prices of {game} for {_span(days[game])}, in the lake without {game}"
        for game in sorted(days)
    ]


def _replaced(rows: pa.Table, catalog: pa.Table, games: Sequence[str], refresh: bool) -> pa.Array:
    """Return the cards whose earlier rows `rows` replace; a refresh replaces all of `games`."""
    found = rows["card_id"].combine_chunks()
    return pa.concat_arrays([found, _card_ids(catalog, games)]) if refresh else found


def _card_ids(catalog: pa.Table, games: Sequence[str]) -> pa.Array:
    of_them = pc.is_in(catalog["game"], value_set=pa.array(games))
    return catalog["card_id"].filter(of_them).combine_chunks()


def _span(days: Sequence[date]) -> str:
    return f"{days[0]}" if len(days) == 1 else f"{len(days)} days from {days[0]} to {days[-1]}"
