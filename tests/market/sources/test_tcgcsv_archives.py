"""Archives, kept for 24 hours so that none is requested twice."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from pokewatch.errors import LakeError, SourceError
from pokewatch.market.collect import collect
from pokewatch.market.lake import Lake
from pokewatch.market.sources.tcgcsv import TcgcsvSource
from tests.market.tcgcsv_server import FIRST, Clock, TcgcsvServer, day_sets
from tests.market.upstream import archive_path

Open = Callable[..., TcgcsvSource]
DAY = FIRST - timedelta(days=3)


def test_an_archive_that_is_held_is_not_requested_again_for_24_hours(
    server: TcgcsvServer, opened: Open, lake: Lake, clock: Clock
) -> None:
    priceless = {
        key: [row | {"marketPrice": None} for row in rows] for key, rows in day_sets().items()
    }
    server.open_archive(DAY, priceless)
    for _ in range(2):
        assert list(collect(opened(), lake, [DAY]).held) == [DAY]
        clock.sleep(23 * 3600)
    assert server.answered[archive_path(DAY)] == 1

    clock.sleep(2 * 3600)
    server.open_archive(DAY, day_sets())
    assert collect(opened(), lake, [DAY]).written == [DAY]
    assert server.answered[archive_path(DAY)] == 2
    assert server.breaches == []


def test_other_games_of_an_archive_are_read_from_its_file(
    server: TcgcsvServer, opened: Open, lake: Lake
) -> None:
    server.open_archive(DAY, day_sets() | day_sets(category=1))
    collect(opened(), lake, [DAY])
    collect(opened(tcgcsv_categories="magic"), Lake(lake.root / "other"), [DAY])

    assert server.paths.count(archive_path(DAY)) == 1


def test_an_archive_without_the_games_is_requested_again_after_24_hours(
    server: TcgcsvServer, opened: Open, lake: Lake, clock: Clock
) -> None:
    server.open_archive(DAY, day_sets(category=1))
    for _ in range(2):
        with pytest.raises(SourceError, match=r"no prices of .* again after 2026-11-26 21:00 UTC"):
            collect(opened(), lake, [DAY])
        clock.sleep(3600)
    assert server.paths.count(archive_path(DAY)) == 1

    clock.sleep(24 * 3600)
    server.open_archive(DAY, day_sets())
    assert collect(opened(), lake, [DAY]).written == [DAY]


def test_an_answer_that_is_no_archive_is_not_kept(
    server: TcgcsvServer, opened: Open, lake: Lake
) -> None:
    server.archives[archive_path(DAY)] = b"<html>"
    with pytest.raises(SourceError, match="damaged 7z archive"):
        collect(opened(), lake, [DAY])

    server.open_archive(DAY, day_sets())
    assert collect(opened(), lake, [DAY]).written == [DAY]


def test_two_runs_at_once_download_an_archive_once(
    server: TcgcsvServer, opened: Open, tmp_path: Path
) -> None:
    days = [DAY, DAY + timedelta(days=1), DAY + timedelta(days=2)]
    for position, day in enumerate(days):
        server.open_archive(day, day_sets(position / 10))
    lakes = [Lake(tmp_path / name) for name in ("one", "two")]
    with ThreadPoolExecutor(2) as pool:
        reports = list(pool.map(lambda lake: collect(opened(), lake, days), lakes))

    assert [report.written for report in reports] == [days, days]
    assert server.breaches == []
    assert set(server.answered.values()) == {1}


def test_old_archives_and_those_of_killed_runs_are_removed(
    server: TcgcsvServer, opened: Open, lake: Lake, clock: Clock, home: Path
) -> None:
    server.open_archive(DAY, day_sets())
    collect(opened(), lake, [DAY])
    (folder,) = (home / "requests").glob("*-archives")
    part = folder / "prices-2026-01-01.ppmd.7z.part"
    part.write_bytes(b"x")
    os.utime(part, (clock.seconds(),) * 2)

    clock.sleep(49 * 3600)
    after = DAY + timedelta(days=1)
    server.open_archive(after, day_sets(0.5))
    collect(opened(), lake, [after])
    assert [file.name for file in folder.iterdir()] == [f"prices-{after}.ppmd.7z"]


def test_a_folder_that_cannot_be_written_is_reported(
    server: TcgcsvServer, opened: Open, lake: Lake, home: Path
) -> None:
    source = opened()
    host = server.url.removeprefix("http://").replace(":", "-")
    (home / "requests").mkdir(exist_ok=True)
    (home / "requests" / f"{host}-archives").write_text("a file")
    with pytest.raises(LakeError, match=r"-archives/prices-2026-11-22\.ppmd\.7z cannot be written"):
        collect(source, lake, [DAY])


def test_a_block_ends_the_download_of_archives(
    server: TcgcsvServer, opened: Open, lake: Lake, clock: Clock
) -> None:
    """The days ahead are requested by threads, in any order: one is answered, then none is."""
    days = [DAY, DAY + timedelta(days=1), DAY + timedelta(days=2)]
    for position, day in enumerate(days):
        server.open_archive(day, day_sets(position / 10))
    server.before = lambda path: server.block() if path.endswith(".7z") else None
    with pytest.raises(SourceError, match=r"429 Too Many Requests|the server has blocked requests"):
        collect(opened(), lake, days)
    server.before = lambda _: None
    clock.sleep(601)

    report = collect(opened(), lake, days)
    assert sorted([*report.written, *report.unchanged]) == days
    assert server.breaches == []
    assert set(server.answered.values()) == {1}
