"""The five real archives, against a count made without PokeWatch's reader."""

import json
from collections import Counter
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import py7zr
import pyarrow as pa
import pytest
from py7zr.io import BytesIOFactory

from pokewatch.market.collect import collect
from pokewatch.market.lake import Lake
from pokewatch.market.quality.days import QualityThresholds, check_days, require
from pokewatch.market.sources.games import GAMES, categories_of
from pokewatch.market.sources.tcgcsv import TcgcsvSource
from pokewatch.settings import SourceSettings
from tests.market.upstream import Reply, Upstream

DAYS = [date(2025, 10, day) for day in range(22, 27)]
Row = tuple[int, str, float | None, float | None, float | None, float | None]


def listed(ask: float | None, market: float | None, none: int) -> float | None:
    """The ask, None where it is 0, or stands for "none listed" far from the market price."""
    far = ask is not None and (market is None or not ask / 3 <= market <= ask * 3)
    return None if not ask or (int(ask) == none and round(ask % 1, 2) in (0, 0.99) and far) else ask


def counted(path: Path, day: date, categories: Sequence[int] = (3, 85)) -> dict[int, list[Row]]:
    """Every price row in the archive at `path`, by category."""
    folders = tuple(f"{day}/{category}/" for category in categories)
    with py7zr.SevenZipFile(path) as archive:
        names = [name for name in archive.getnames() if name.startswith(folders)]
        content = BytesIOFactory(1 << 27)
        archive.extract(targets=names, factory=content)
    rows: dict[int, list[Row]] = {category: [] for category in categories}
    for name, product in content.products.items():
        rows[int(name.split("/")[1])] += map(row_of, json.loads(product.read())["results"])
    return rows


def row_of(row: dict[str, Any]) -> Row:
    return (
        row["productId"],
        row["subTypeName"],
        row["marketPrice"],
        listed(row["lowPrice"], row["marketPrice"], 99_999),
        row["midPrice"],
        listed(row["highPrice"], row["marketPrice"], 999),
    )


def kept(prices: pa.Table, cards: pa.Table) -> set[Row]:
    printings = dict(zip(cards["card_id"].to_pylist(), cards["printing"].to_pylist(), strict=True))
    products = {
        card["card_id"]: json.loads(card["source_ids"])["tcgplayer"] for card in cards.to_pylist()
    }
    columns = (
        prices.select(["card_id", "market_price", "low_price", "mid_price", "high_price"])
        .to_pydict()
        .values()
    )
    return {
        (products[card_id], printings[card_id], *values)
        for card_id, *values in zip(*columns, strict=True)
    }


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_card_and_price_of_the_real_archives_is_in_the_lake(
    shared_data: Path, upstream: Upstream, tmp_path: Path
) -> None:
    for path in (shared_data / "tcgcsv-archive").iterdir():
        upstream.routes[f"/archive/tcgplayer/{path.name}"] = Reply(path.read_bytes())
    lake = Lake(tmp_path / "lake")

    report = collect(TcgcsvSource(SourceSettings.read(tcgcsv_url=upstream.url)), lake, DAYS)

    assert (report.written, report.held, dict(report.quarantined)) == (DAYS, {}, {})
    cards = lake.catalog()
    total = 0
    for day in DAYS:
        found = counted(shared_data / "tcgcsv-archive" / f"prices-{day}.ppmd.7z", day)
        rows = found[3] + found[85]
        assert kept(lake.day(day), cards) == set(rows)
        assert lake.day(day).num_rows == len(rows) == len({row[:2] for row in rows})
        total += len(rows)
    assert report.rows == total > 300_000
    require(check_days(lake, DAYS, QualityThresholds(), date(2025, 10, 27)))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_game_of_a_real_archive_is_in_the_lake(
    shared_data: Path, upstream: Upstream, tmp_path: Path
) -> None:
    day, lake = DAYS[-1], Lake(tmp_path / "lake")
    path = shared_data / "tcgcsv-archive" / f"prices-{day}.ppmd.7z"
    upstream.routes[f"/archive/tcgplayer/{path.name}"] = Reply(path.read_bytes())
    names = [game.name for game in GAMES]
    for game in GAMES:
        upstream.results(
            f"/tcgplayer/{game.category}/groups",
            [
                {"groupId": group, "name": f"Set {group}"}
                for group in groups_of(path, game.category)
            ],
        )
    settings = SourceSettings.read(tcgcsv_url=upstream.url, tcgcsv_categories=",".join(names))

    report = collect(TcgcsvSource(settings), lake, [day])

    found = counted(path, day, categories_of(names))
    rows = [row for each in found.values() for row in each]
    cards = lake.catalog()
    assert (report.written, report.held, dict(report.quarantined)) == ([day], {}, {})
    assert report.rows == len(rows) > 300_000
    assert kept(lake.day(day), cards) == set(rows)
    games = dict(zip(cards["card_id"].to_pylist(), cards["game"].to_pylist(), strict=True))
    counts = Counter(games[card] for card in lake.day(day)["card_id"].to_pylist())
    assert counts == {game.name: len(found[game.category]) for game in GAMES}
    assert lake.games(day) == tuple(sorted(names))
    assert [warning for warning in report.warnings if "unknown printing" in warning] == []


def groups_of(path: Path, category: int) -> list[int]:
    with py7zr.SevenZipFile(path) as archive:
        parts = [name.split("/") for name in archive.getnames()]
    return [int(part[2]) for part in parts if len(part) == 4 and part[1] == str(category)]
