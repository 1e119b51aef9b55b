from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pokewatch.errors import MissingAtSourceError, SourceError
from pokewatch.market.collect import collect, requested_days
from pokewatch.market.collect_report import CollectReport
from pokewatch.market.lake import Lake
from pokewatch.market.sources.tcgcsv import TcgcsvSource
from pokewatch.settings import SourceSettings
from tests.market.tcgcsv_server import Clock, TcgcsvServer
from tests.market.upstream import price

URL = "https://tcgcsv.com"
FIRST = date(2026, 11, 25)
CARDS = 10
GROUPS = range(1, 22)
PAGES = 1 + 2 + 2 * len(GROUPS)  # last-updated, groups of two categories, prices and products


def day_sets(change: float = 0.0) -> dict[tuple[int, int], list[dict[str, Any]]]:
    return {
        (3, group): [price(100 * group + n, n + change) for n in range(1, CARDS + 1)]
        for group in GROUPS
    }


@pytest.fixture
def clock() -> Clock:
    return Clock(datetime(2026, 11, 25, 21, 0, tzinfo=UTC))


@pytest.fixture
def server(clock: Clock) -> TcgcsvServer:
    return TcgcsvServer(clock, day_sets())


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


@pytest.fixture
def opened(clock: Clock, server: TcgcsvServer) -> Callable[..., TcgcsvSource]:
    def open_source(**settings: Any) -> TcgcsvSource:
        return TcgcsvSource(
            SourceSettings.read(tcgcsv_url=URL, http_attempts=2, **settings),
            now=clock.now,
            transport=server.transport(),
            sleep=clock.sleep,
            clock=clock.seconds,
        )

    return open_source


def run(source: TcgcsvSource, lake: Lake, clock: Clock, days: int = 1) -> CollectReport:
    wanted = requested_days(source, None, None, days)
    return collect(source, lake, wanted, today=clock.now().date())


def test_a_first_day_a_second_day_and_a_rerun_keep_the_rules(
    server: TcgcsvServer, opened: Callable[..., TcgcsvSource], lake: Lake, clock: Clock
) -> None:
    first = run(opened(), lake, clock, days=30)
    archive = [path for path in server.paths if path.startswith("/archive")]
    assert first.written == [FIRST]
    assert lake.day(FIRST).num_rows == CARDS * len(GROUPS)
    assert len(first.missing) == 29
    assert [warning.count("--source pokemon_price_tracker") for warning in first.warnings] == [1, 0]
    assert (len(archive), len(server.paths)) == (1, PAGES + 1)

    again = run(opened(), lake, clock)
    assert again.unchanged == [FIRST]
    assert len(server.paths) == PAGES + 1

    clock.time = datetime(2026, 11, 26, 20, 59, 50, tzinfo=UTC)  # a little early
    server.sets = day_sets(0.5)
    server.failing["/tcgplayer/3/7/prices"] = 1
    second = run(opened(), lake, clock)

    assert second.written == [FIRST + timedelta(days=1)]
    assert lake.day(FIRST + timedelta(days=1))["market_price"].to_pylist()[0] == 1.5
    assert server.breaches == []
    assert second.usage is not None
    assert second.usage.limit == 10_000
    assert second.usage.in_24_hours <= len(server.paths)


def test_sets_fetched_before_a_failure_are_taken_up(
    server: TcgcsvServer, opened: Callable[..., TcgcsvSource], lake: Lake, clock: Clock
) -> None:
    server.failing["/tcgplayer/3/7/prices"] = 2
    with pytest.raises(SourceError, match="The sets fetched so far are stored; run the command"):
        run(opened(), lake, clock)
    assert lake.days() == []
    before = len(server.paths)

    clock.sleep(12 * 3600)
    assert run(opened(), lake, clock).written == [FIRST]
    assert [path for path in server.paths[before:] if path.endswith("/prices")] == [
        "/tcgplayer/3/7/prices"
    ]
    assert server.breaches == []


def test_a_kill_loses_no_page(
    server: TcgcsvServer, opened: Callable[..., TcgcsvSource], lake: Lake, clock: Clock
) -> None:
    def kill(path: str) -> None:
        if path == "/tcgplayer/3/9/prices":
            raise KeyboardInterrupt

    server.before = kill
    with pytest.raises(KeyboardInterrupt):
        run(opened(), lake, clock)
    server.before = lambda _: None
    before = len(server.paths)

    assert run(opened(), lake, clock).written == [FIRST]
    assert len(server.paths) - before == PAGES + 1 - (before - 1)


def test_the_budget_is_of_all_runs_and_counts_retries(
    server: TcgcsvServer, opened: Callable[..., TcgcsvSource], lake: Lake, clock: Clock
) -> None:
    server.failing["/tcgplayer/3/2/prices"] = 1
    with pytest.raises(SourceError, match="12 requests in 24 hours is the limit"):
        run(opened(tcgcsv_daily_requests=12), lake, clock)
    assert len(server.paths) == 12
    with pytest.raises(SourceError, match="POKEWATCH_TCGCSV_DAILY_REQUESTS"):
        run(opened(tcgcsv_daily_requests=12), lake, clock)
    assert len(server.paths) == 12

    report = run(opened(), lake, clock)
    assert report.written == [FIRST]
    assert str(report.usage) == "35 requests; 47 of at most 10,000 in 24 hours"


def test_two_runs_at_once_share_pages_and_pace(
    server: TcgcsvServer, opened: Callable[..., TcgcsvSource], tmp_path: Path, clock: Clock
) -> None:
    lakes = [Lake(tmp_path / name) for name in ("one", "two")]
    with ThreadPoolExecutor(2) as pool:
        reports = list(pool.map(lambda lake: run(opened(), lake, clock), lakes))

    assert [report.written for report in reports] == [[FIRST], [FIRST]]
    assert server.breaches == []
    assert len([path for path in server.paths if not path.startswith("/archive")]) == PAGES


@pytest.mark.parametrize("status", [403, 404, 410, 500])
def test_the_latest_day_is_collected_whatever_the_archive_answers(
    server: TcgcsvServer,
    opened: Callable[..., TcgcsvSource],
    lake: Lake,
    clock: Clock,
    status: int,
) -> None:
    server.archive_status = status
    assert run(opened(), lake, clock).written == [FIRST]


def test_past_days_alone_are_refused_in_plain_words(
    server: TcgcsvServer, opened: Callable[..., TcgcsvSource], lake: Lake
) -> None:
    days = [date(2026, 10, 1), date(2026, 10, 2)]
    with pytest.raises(MissingAtSourceError, match="the archive of past days is closed"):
        collect(opened(), lake, days)
    # of either day: days are requested by several threads
    assert len([path for path in server.paths if path.startswith("/archive")]) == 1


def test_a_page_of_another_day_is_not_requested_early(
    server: TcgcsvServer, opened: Callable[..., TcgcsvSource], lake: Lake, clock: Clock
) -> None:
    clock.time = datetime(2026, 11, 25, 10, 0, tzinfo=UTC)
    assert run(opened(), lake, clock).written == [FIRST - timedelta(days=1)]

    clock.time = datetime(2026, 11, 25, 21, 0, tzinfo=UTC)
    with pytest.raises(SourceError, match=r"run the command after 2026-11-26 10:00 UTC"):
        run(opened(), lake, clock)
    assert server.breaches == []


@pytest.mark.parametrize(
    ("unpriced", "reason"),
    [(21, "prices is 0"), (15, r"sets is 6 of 21, wanted at least 50% of the sets with a price")],
)
def test_a_first_day_without_most_prices_is_held(
    server: TcgcsvServer,
    opened: Callable[..., TcgcsvSource],
    lake: Lake,
    clock: Clock,
    unpriced: int,
    reason: str,
) -> None:
    for group in GROUPS[:unpriced]:
        server.sets[3, group] = [row | {"marketPrice": None} for row in server.sets[3, group]]
    report = run(opened(), lake, clock)
    assert (report.written, list(report.held)) == ([], [FIRST])
    with pytest.raises(Exception, match=reason):
        report.require_no_held()
