"""The rules of TCGCSV, against a server that enforces them and counts the requests."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from pokewatch.errors import MissingAtSourceError, SourceError
from pokewatch.market.collect import collect
from pokewatch.market.lake import Lake
from pokewatch.market.sources.tcgcsv import TcgcsvSource
from pokewatch.settings import Home
from tests.market.tcgcsv_server import CARDS, FIRST, GROUPS, Clock, TcgcsvServer, day_sets, run

PAGES = 1 + 2 + 2 * len(GROUPS)  # last-updated, groups of two categories, prices and products

Open = Callable[..., TcgcsvSource]


def test_a_first_day_a_second_day_and_a_rerun_keep_the_rules(
    server: TcgcsvServer, opened: Open, lake: Lake, clock: Clock
) -> None:
    first = run(opened(), lake, clock, days=30)
    assert first.written == [FIRST]
    assert lake.day(FIRST).num_rows == CARDS * len(GROUPS)
    assert len(first.missing) == 29
    closed, empty, _ = first.warnings
    assert "--source pokemon_price_tracker" in closed
    assert empty == f"tcgcsv: {server.url}/tcgplayer/85/groups: the category has no sets"
    assert len([path for path in server.paths if path.startswith("/archive")]) == 1
    assert len(server.paths) == PAGES + 1

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
    assert max(server.answered.values()) == 2  # once a day
    assert second.usage is not None
    assert second.usage.limit == 10_000
    assert second.usage.in_24_hours <= len(server.paths)


def test_the_server_notices_a_run_that_does_not_keep_the_pause(
    server: TcgcsvServer, opened: Open, lake: Lake, clock: Clock
) -> None:
    with pytest.raises(SourceError, match="the server has blocked requests"):
        run(opened(tcgcsv_pause=0.09), lake, clock)
    assert len(server.breaches) == 1
    assert len(server.paths) == 2


def test_a_block_ends_all_requests_for_ten_minutes(
    server: TcgcsvServer, opened: Open, lake: Lake, clock: Clock
) -> None:
    def burst(path: str) -> None:
        if path == "/tcgplayer/3/9/prices":
            server.before = lambda _: None
            server.block()

    server.before = burst
    with pytest.raises(SourceError) as caught:
        run(opened(), lake, clock)
    refused = len(server.paths)
    assert server.paths[-1] == "/tcgplayer/3/10/prices"
    assert "answered 429 Too Many Requests and requires a wait of 600 s" in str(caught.value)
    assert "The sets fetched so far are stored" in str(caught.value)

    clock.sleep(300)
    with pytest.raises(SourceError, match="run the command again in 5 minutes"):
        run(opened(), lake, clock)
    assert len(server.paths) == refused

    clock.sleep(301)
    assert run(opened(), lake, clock).written == [FIRST]
    assert server.breaches == []
    assert set(server.answered.values()) == {1}


@pytest.mark.parametrize("retry_after", ["30", "1800"])
def test_a_block_ends_when_the_server_says(
    server: TcgcsvServer, opened: Open, lake: Lake, clock: Clock, retry_after: str
) -> None:
    server.retry_after = retry_after
    server.block(float(retry_after))
    source = opened()
    if retry_after == "1800":
        with pytest.raises(SourceError, match="requests"):
            run(source, lake, clock)
        clock.sleep(1801)
    assert run(opened(), lake, clock).written == [FIRST]
    assert server.breaches == []


def test_the_budget_is_of_all_runs_and_counts_retries(
    server: TcgcsvServer, opened: Open, lake: Lake, clock: Clock
) -> None:
    server.failing["/tcgplayer/3/2/prices"] = 1
    with pytest.raises(SourceError) as caught:
        run(opened(tcgcsv_daily_requests=12), lake, clock)
    assert "12 requests in 24 hours is the limit" in str(caught.value)
    assert "12 requests; 12 of at most 12 in 24 hours" in str(caught.value)
    assert len(server.paths) == 12
    with pytest.raises(SourceError, match="POKEWATCH_TCGCSV_DAILY_REQUESTS"):
        run(opened(tcgcsv_daily_requests=12), lake, clock)
    assert len(server.paths) == 12

    report = run(opened(), lake, clock)
    assert report.written == [FIRST]
    assert str(report.usage) == "35 requests; 47 of at most 10,000 in 24 hours"
    assert set(server.answered.values()) == {1}


def test_names_are_left_out_when_the_budget_ends_after_the_prices(
    server: TcgcsvServer, opened: Open, lake: Lake, clock: Clock
) -> None:
    limit = PAGES + 1 - len(GROUPS) + 5
    report = run(opened(tcgcsv_daily_requests=limit), lake, clock)

    assert report.written == [FIRST]
    assert len(server.paths) == limit
    assert [f"{limit} requests in 24 hours" in warning for warning in report.warnings].count(
        True
    ) == 1
    names = lake.catalog()["name"].to_pylist()
    assert sum(name.startswith("Card ") for name in names) == 5 * CARDS

    clock.sleep(24 * 3600 - 60)
    server.sets = day_sets(0.5)
    run(opened(), lake, clock)
    assert all(name.startswith("Card ") for name in lake.catalog()["name"].to_pylist())
    assert server.breaches == []


def test_two_runs_at_once_share_pages_and_pace(
    server: TcgcsvServer, opened: Open, tmp_path: Path, clock: Clock
) -> None:
    lakes = [Lake(tmp_path / name) for name in ("one", "two")]
    with ThreadPoolExecutor(2) as pool:
        reports = list(pool.map(lambda lake: run(opened(), lake, clock), lakes))

    assert [report.written for report in reports] == [[FIRST], [FIRST]]
    assert server.breaches == []
    assert len([path for path in server.paths if not path.startswith("/archive")]) == PAGES


@pytest.mark.parametrize(
    "status", [403, *(pytest.param(other, marks=pytest.mark.slow) for other in (404, 410, 500))]
)
def test_the_latest_day_is_collected_whatever_the_archive_answers(
    server: TcgcsvServer, opened: Open, lake: Lake, clock: Clock, status: int
) -> None:
    server.archive_status = status
    assert run(opened(), lake, clock).written == [FIRST]


def test_past_days_alone_are_refused_in_plain_words(
    server: TcgcsvServer, opened: Open, lake: Lake
) -> None:
    days = [date(2026, 10, 1), date(2026, 10, 2)]
    with pytest.raises(MissingAtSourceError, match="the archive of past days is closed"):
        collect(opened(), lake, days)
    # of either day: days are requested by several threads
    assert len([path for path in server.paths if path.startswith("/archive")]) == 1


def test_a_page_of_another_day_is_not_requested_early(
    server: TcgcsvServer, opened: Open, lake: Lake, clock: Clock
) -> None:
    clock.time = datetime(2026, 11, 25, 10, 0, tzinfo=UTC)
    assert run(opened(), lake, clock).written == [FIRST - timedelta(days=1)]

    clock.time = datetime(2026, 11, 25, 21, 0, tzinfo=UTC)
    with pytest.raises(SourceError, match=r"run the command after 2026-11-26 10:00 UTC"):
        run(opened(), lake, clock)
    assert server.breaches == []


def test_prices_that_are_late_are_collected_on_the_same_day(
    server: TcgcsvServer, opened: Open, lake: Lake, clock: Clock
) -> None:
    server.late = timedelta(hours=1)
    clock.time = datetime(2026, 11, 25, 20, 40, tzinfo=UTC)
    assert opened().available()[1] == FIRST - timedelta(days=1)
    clock.sleep(1800)
    assert opened().available()[1] == FIRST - timedelta(days=1)
    assert server.requested("/last-updated.txt") == ["/last-updated.txt"]

    clock.sleep(1801)
    assert run(opened(), lake, clock).written == [FIRST]
    clock.sleep(7200)
    assert run(opened(), lake, clock).unchanged == [FIRST]
    assert server.requested("/last-updated.txt") == ["/last-updated.txt"] * 2
    assert server.breaches == []


def test_a_day_is_not_collected_from_pages_of_two_days(
    server: TcgcsvServer, opened: Open, lake: Lake, clock: Clock
) -> None:
    clock.time = datetime(2026, 11, 25, 20, 4, 58, tzinfo=UTC)

    def appear(path: str) -> None:
        if path == "/tcgplayer/3/7/prices":
            clock.sleep(5)
            server.sets = day_sets(0.5)

    server.before = appear
    with pytest.raises(SourceError, match="of 2026-11-25 appeared while those of 2026-11-24 were"):
        run(opened(), lake, clock)
    assert lake.days() == []

    server.before = lambda _: None
    clock.time = datetime(2026, 11, 26, 20, 40, tzinfo=UTC)
    assert run(opened(), lake, clock).written == [FIRST + timedelta(days=1)]
    assert server.breaches == []


def test_a_new_set_is_collected_on_its_first_day_though_the_run_starts_early(
    server: TcgcsvServer, opened: Open, lake: Lake, clock: Clock
) -> None:
    run(opened(), lake, clock)
    clock.time = datetime(2026, 11, 26, 20, 59, 50, tzinfo=UTC)
    server.sets = day_sets(0.5)
    server.sets[3, 99] = [row | {"productId": row["productId"] + 50} for row in server.sets[3, 1]]

    run(opened(), lake, clock)

    assert lake.day(FIRST + timedelta(days=1)).num_rows == CARDS * (len(GROUPS) + 1)
    assert server.breaches == []


@pytest.mark.parametrize(
    ("body", "day"),
    [
        (b"2099-01-01T00:00:00+0000", FIRST),
        (b"2026-11-24T20:05:00", FIRST - timedelta(days=1)),
        (b"\xef\xbb\xbf2026-11-24T20:05:00Z", FIRST - timedelta(days=1)),
        (b"<html>", FIRST),
    ],
    ids=["to come", "without a zone", "byte order mark", "html"],
)
def test_the_latest_day_is_never_one_to_come_and_is_of_utc(
    server: TcgcsvServer,
    opened: Open,
    monkeypatch: pytest.MonkeyPatch,
    body: bytes,
    day: date,
) -> None:
    server.bodies["/last-updated.txt"] = body
    monkeypatch.setenv("TZ", "America/Los_Angeles")
    time.tzset()
    try:
        assert opened().available()[1] == day
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_refusal_of_a_live_page_ends_all_requests(
    server: TcgcsvServer, opened: Open, lake: Lake, clock: Clock
) -> None:
    server.forbidden.add("/tcgplayer/3/4/prices")
    with pytest.raises(SourceError, match="answered 403 Forbidden"):
        run(opened(), lake, clock)
    assert server.paths[-1] == "/tcgplayer/3/4/prices"
    with pytest.raises(SourceError, match="run the command again in 10 minutes"):
        run(opened(), lake, clock)
    assert server.requested("/prices")[-1] == "/tcgplayer/3/4/prices"


@pytest.mark.parametrize(
    ("unpriced", "reason"),
    [(21, "prices is 0"), (15, r"sets is 6 of 21, wanted at least 50% of the sets with a price")],
)
def test_a_first_day_without_most_prices_is_held(
    server: TcgcsvServer, opened: Open, lake: Lake, clock: Clock, unpriced: int, reason: str
) -> None:
    for group in GROUPS[:unpriced]:
        server.sets[3, group] = [row | {"marketPrice": None} for row in server.sets[3, group]]
    report = run(opened(), lake, clock)
    assert (report.written, list(report.held)) == ([], [FIRST])
    with pytest.raises(Exception, match=reason):
        report.require_no_held()


def test_the_password_of_a_mirror_is_not_stored_and_may_change(
    server: TcgcsvServer, opened: Open, lake: Lake, clock: Clock
) -> None:
    server.failing["/tcgplayer/3/7/prices"] = 1_000
    address = server.url.replace("http://", "http://me:{}@")
    run(opened(tcgcsv_url=address.format("hunter2")), lake, clock)
    files = [path for path in Home.read().requests.rglob("*") if path.is_file()]
    assert any(path.suffix == ".sqlite" for path in files)
    assert not [path for path in files if b"hunter2" in path.read_bytes()]

    del server.failing["/tcgplayer/3/7/prices"]
    clock.sleep(60)
    again = run(opened(tcgcsv_url=address.format("hunter3")), lake, clock)
    assert again.written == [FIRST]
    assert server.breaches == []
