import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pokewatch.errors import (
    MissingAtSourceError,
    QualityError,
    SettingsError,
    SourceError,
)
from pokewatch.market.collect import collect, requested_days
from pokewatch.market.lake import Lake
from pokewatch.market.sources.tcgcsv import TcgcsvSource
from pokewatch.settings import SourceSettings
from tests.market.upstream import (
    Reply,
    Request,
    Sleeps,
    Upstream,
    archive_bytes,
    archive_path,
    price,
)

FIRST = date(2025, 10, 22)
DAYS = [FIRST + timedelta(days=number) for number in range(3)]
GROUP = {"groupId": 1, "name": "Base", "publishedOn": "1999-01-09T00:00:00"}
LAST = date(2025, 10, 26)
CARDS = 150


def products(count: int = CARDS) -> list[dict[str, Any]]:
    return [
        {
            "productId": n,
            "name": f"Card {n}",
            "extendedData": [{"name": "Number", "value": f"{n}/200"}],
        }
        for n in range(1, count + 1)
    ]


def day_rows(day: date, count: int = CARDS) -> list[dict[str, Any]]:
    """Prices of `count` cards, of which a fifth differ from those of the day before."""
    step = (day - FIRST).days
    return [price(n, round(n + 0.01 * ((step + n) // 5), 2)) for n in range(1, count + 1)]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


@pytest.fixture
def served(upstream: Upstream) -> Upstream:
    for day in DAYS:
        upstream.archive(day, {(3, 1): day_rows(day)})
    upstream.results("/tcgplayer/3/groups", [GROUP])
    upstream.results("/tcgplayer/85/groups", [])
    upstream.results("/tcgplayer/3/1/products", products())
    return upstream


def source(
    upstream: Upstream, now: datetime = datetime(2025, 10, 27, 1, tzinfo=UTC)
) -> TcgcsvSource:
    settings = SourceSettings.read(tcgcsv_url=upstream.url, http_attempts=2, http_timeout=0.5)
    return TcgcsvSource(settings, now=lambda: now, sleep=Sleeps().sleep)


LATER = datetime(2025, 10, 28, 2, tzinfo=UTC)  # archives are kept for 24 hours


def fingerprint(lake: Lake) -> dict[str, str]:
    files = (path for path in lake.root.rglob("*") if path.is_file())
    return {
        str(path.relative_to(lake.root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


def test_days_reach_the_lake_with_their_cards(served: Upstream, lake: Lake) -> None:
    done: list[int] = []

    report = collect(source(served), lake, DAYS, progress=done.append)

    assert lake.days() == report.written == DAYS
    assert sum(done) == len(DAYS)
    assert report.rows == 3 * CARDS
    assert report.warnings == []
    assert lake.day(DAYS[1])["market_price"].to_pylist() == [
        row["marketPrice"]
        for row in sorted(day_rows(DAYS[1]), key=lambda row: f"tcgplayer-{row['productId']}-normal")
    ]
    assert lake.catalog()["name"].to_pylist()[:2] == ["Card 1", "Card 10"]
    assert json.loads(json.dumps(report.to_json()))["written"][0] == "2025-10-22"


def test_the_same_days_again_change_nothing_and_ask_nothing(served: Upstream, lake: Lake) -> None:
    collect(source(served), lake, DAYS[:2])
    before, asked = fingerprint(lake), len(served.requests)

    report = collect(source(served, datetime(2026, 1, 1, tzinfo=UTC)), lake, DAYS[:2])

    assert (report.written, report.unchanged) == ([], DAYS[:2])
    assert fingerprint(lake) == before
    assert len(served.requests) == asked


def test_refreshing_asks_again_and_replaces_what_differs(served: Upstream, lake: Lake) -> None:
    collect(source(served), lake, DAYS[:2])
    before = fingerprint(lake)
    changed = day_rows(DAYS[1])
    changed[0]["marketPrice"] = 1.23
    served.archive(DAYS[1], {(3, 1): changed})

    report = collect(source(served, datetime(2026, 1, 1, tzinfo=UTC)), lake, DAYS[:2], refresh=True)

    assert report.written == [DAYS[1]]
    assert lake.day(DAYS[1])["market_price"].to_pylist()[0] == 1.23
    after = fingerprint(lake)
    assert {name for name in before if before[name] != after[name]} == {
        "raw/prices/2025-10-23/part.parquet"
    }


def test_bad_rows_are_quarantined_and_counted(served: Upstream, lake: Lake) -> None:
    bad = [price(901, -5.0), price(902, 5e9), price(1, 3.0)]
    served.archive(FIRST, {(3, 1): day_rows(FIRST) + bad})

    report = collect(source(served), lake, [FIRST])

    assert dict(report.quarantined) == {
        "market_price is not positive": 1,
        "market_price is not a price up to 1,000,000": 1,
        "another row has the same card and date": 1,
    }
    assert lake.day(FIRST).num_rows == CARDS
    assert lake.quarantined(FIRST).num_rows == 3
    assert json.loads(lake.quarantined(FIRST)["row"][0].as_py())["market_price"] == -5.0


def test_half_a_catalogue_is_held_back_and_collected_when_whole(
    served: Upstream, lake: Lake
) -> None:
    served.archive(DAYS[1], {(3, 1): day_rows(DAYS[1], CARDS // 2)})

    report = collect(source(served), lake, DAYS[:3])

    assert lake.days() == [DAYS[0], DAYS[2]]
    assert report.warnings == []
    with pytest.raises(QualityError) as caught:
        report.require_no_held()
    assert (
        "1 of 3 days were held back and are not in the lake, or as they were before. "
        "coverage is 50.0% on 2025-10-23, wanted at least 90.0%" in str(caught.value)
    )

    served.archive(DAYS[1], {(3, 1): day_rows(DAYS[1])})
    again = collect(source(served, LATER), lake, DAYS[:3])
    again.require_no_held()
    assert lake.days() == DAYS[:3]


def without_prices(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row | {"marketPrice": None} for row in rows]


def test_a_day_of_null_prices_is_held_and_collected_later(served: Upstream, lake: Lake) -> None:
    served.archive(DAYS[0], {(3, 1): without_prices(day_rows(DAYS[0]))})
    served.archive(DAYS[1], {(3, 1): day_rows(DAYS[1])})
    served.archive(
        DAYS[2], {(3, 1): day_rows(DAYS[2])[:40] + without_prices(day_rows(DAYS[2]))[40:]}
    )

    report = collect(source(served), lake, DAYS)

    assert (report.written, sorted(report.held)) == ([DAYS[1]], [DAYS[0], DAYS[2]])
    served.archive(DAYS[2], {(3, 1): day_rows(DAYS[2])})
    assert collect(source(served, LATER), lake, DAYS).written == [DAYS[2]]


def test_a_set_without_prices_is_reported(served: Upstream, lake: Lake) -> None:
    for day, last in zip(DAYS[:3], (CARDS, 0, 0), strict=True):
        small = day_rows(day)[CARDS - 10 : last]
        served.archive(day, {(3, 1): day_rows(day)[: CARDS - 10], (3, 2): small})

    report = collect(source(served), lake, DAYS[:3])

    assert report.written == DAYS[:3]
    assert (
        "2 days, 2025-10-23 to 2025-10-24: no prices for set TCGplayer group 2, which had some on "
        "the last 8 days before; collect the days again with --refresh" in report.warnings
    )


def test_a_frozen_printing_and_slips_are_reported_and_the_days_are_kept(
    served: Upstream, lake: Lake
) -> None:
    def rows(day: date, frozen: bool) -> list[dict[str, Any]]:
        foils = day_rows(FIRST if frozen else day)
        return day_rows(day) + [row | {"subTypeName": "Holofoil"} for row in foils]

    later = FIRST + timedelta(days=3)
    for day in (*DAYS, later):
        served.archive(day, {(3, 1): rows(day, frozen=day >= DAYS[2])})
    last = rows(later, frozen=True)
    for number in range(3):
        last[number]["marketPrice"] *= 100
    served.archive(later, {(3, 1): last})

    report = collect(source(served), lake, [DAYS[0], DAYS[2], later])

    assert (report.written, report.held) == ([DAYS[0], DAYS[2], later], {})
    frozen, slips = report.warnings[:2]
    assert frozen == (
        "2025-10-24: printing Holofoil: none of 150 prices changed, about 60 usually do"
    )
    assert slips.startswith(
        "2025-10-25: 3 prices changed twentyfold or more "
        "(3 about a hundredfold: cents for dollars?): tcgplayer-2-normal from 2.00 to 201.00, "
    )
    assert lake.day(later).num_rows == 2 * CARDS


def test_a_second_currency_or_scale_never_enters_a_lake(served: Upstream, lake: Lake) -> None:
    collect(source(served), lake, DAYS[:1])
    long_after = FIRST + timedelta(days=60)
    euros = [row | {"marketPrice": row["marketPrice"] * 100} for row in day_rows(DAYS[1])]
    served.archive(long_after, {(3, 1): euros})
    now = datetime(2026, 1, 27, 1, tzinfo=UTC)

    report = collect(source(served, now), lake, [long_after])

    assert {check.name for check in report.held[long_after] if not check.passed} == {
        "level",
        "scale",
    }
    assert lake.days() == DAYS[:1]


def test_a_refreshed_day_that_lacks_prices_leaves_the_old_one(served: Upstream, lake: Lake) -> None:
    collect(source(served), lake, DAYS[:2])
    before = fingerprint(lake)
    served.archive(DAYS[1], {(3, 1): day_rows(DAYS[1])[: CARDS - 3]})

    report = collect(source(served, LATER), lake, DAYS[1:2], refresh=True)

    assert [check.name for check in report.held[DAYS[1]] if not check.passed] == ["refresh"]
    assert fingerprint(lake) == before


def test_a_bad_day_never_replaces_a_good_one(served: Upstream, lake: Lake) -> None:
    collect(source(served), lake, DAYS[:2])
    before = fingerprint(lake)
    served.archive(DAYS[1], {(3, 1): [row | {"marketPrice": -1.0} for row in day_rows(DAYS[1])]})

    report = collect(source(served, LATER), lake, DAYS[:2], refresh=True)

    assert list(report.held) == [DAYS[1]]
    assert {check.name for check in report.held[DAYS[1]] if not check.passed} == {
        "prices",
        "quarantine",
        "coverage",
        "refresh",
    }
    assert fingerprint(lake) == before


@pytest.mark.parametrize(
    ("reply", "cause"),
    [
        (Reply(status=500), "answered 500 Internal Server Error; gave up after 2 attempts"),
        (
            Reply(status=429, headers={"Retry-After": "30"}),
            "answered 429 Too Many Requests; gave up after 2 attempts",
        ),
        (Reply(stall=True), "no answer within 0.5 s; gave up after 2 attempts"),
        (
            Reply(archive_bytes(DAYS[1], {(3, 1): day_rows(DAYS[1])})[:-30]),
            "truncated or damaged 7z archive",
        ),
        (Reply(archive_bytes(DAYS[1], {(3, 1): day_rows(DAYS[1])}), cut=500), "connection failed"),
        (Reply(b"<html>down</html>"), "truncated or damaged 7z archive"),
        (Reply(b"x" * ((64 << 20) + 1)), "the answer is larger than 67,108,864 bytes"),
    ],
    ids=["500", "429", "timeout", "cut 7z", "hung up", "html", "oversized"],
)
def test_a_failing_upstream_does_no_damage(
    served: Upstream, lake: Lake, reply: Reply, cause: str
) -> None:
    good = served.routes[archive_path(DAYS[1])]
    served.routes[archive_path(DAYS[1])] = reply

    with pytest.raises(SourceError, match=cause) as caught:
        collect(source(served), lake, DAYS[:2])

    assert str(caught.value).startswith(f"tcgcsv: {served.url}{archive_path(DAYS[1])}: ")
    assert "1 of 2 days are in the lake; run the command again to continue" in str(caught.value)
    assert lake.days() == DAYS[:1]
    assert not list(lake.root.rglob(".incomplete/*"))

    served.routes[archive_path(DAYS[1])] = good
    assert collect(source(served, LATER), lake, DAYS[:2]).written == DAYS[1:2]


def test_a_wait_of_a_day_ends_the_collection(served: Upstream, lake: Lake) -> None:
    """Of the days ahead, which are requested at once, none is requested after it."""
    refused = Reply(status=429, headers={"Retry-After": "86400"})
    for day in DAYS[:2]:
        served.routes[archive_path(day)] = refused

    with pytest.raises(SourceError, match=r"86400 s|run the command again in 1440 minutes"):
        collect(source(served), lake, DAYS[:2])

    assert lake.days() == []


def test_a_server_that_asks_for_a_pause_gets_it(served: Upstream, lake: Lake) -> None:
    good = served.routes[archive_path(FIRST)]
    assert isinstance(good, Reply)
    served.routes[archive_path(FIRST)] = [Reply(status=429, headers={"Retry-After": "17"}), good]
    sleeps = Sleeps()
    patient = TcgcsvSource(
        SourceSettings.read(tcgcsv_url=served.url),
        now=lambda: datetime.fromtimestamp(time.time() + sum(sleeps.taken), UTC),
        sleep=sleeps.sleep,
    )

    assert collect(patient, lake, [FIRST]).written == [FIRST]
    assert [17 <= wait < 18 for wait in sleeps.taken] == [True]


def test_missing_archives_are_reported_and_skipped(served: Upstream, lake: Lake) -> None:
    del served.routes[archive_path(DAYS[1])]

    report = collect(source(served), lake, DAYS)

    assert (report.written, report.missing) == ([DAYS[0], DAYS[2]], DAYS[1:2])
    assert report.warnings == ["tcgcsv has no prices for 2025-10-23"]


def test_no_day_at_all_is_an_error(upstream: Upstream, lake: Lake) -> None:
    with pytest.raises(MissingAtSourceError, match=r"prices-2025-10-22\.ppmd\.7z: answered 404"):
        collect(source(upstream), lake, DAYS[:2])
    assert lake.days() == []


def test_names_come_when_the_catalogue_does(served: Upstream, lake: Lake) -> None:
    groups = served.routes.pop("/tcgplayer/3/groups")
    report = collect(source(served), lake, DAYS[:1])
    assert "150 of 150 cards have no name yet; their ids are used as names" in report.warnings

    served.routes["/tcgplayer/3/groups"] = groups
    collect(source(served), lake, DAYS[:2])
    assert set(lake.catalog()["name"].to_pylist()) == {f"Card {n}" for n in range(1, CARDS + 1)}

    del served.routes["/tcgplayer/3/groups"]
    named = lake.catalog()
    collect(source(served), lake, DAYS[:3])
    assert lake.catalog().equals(named)


# A collector process, killed while the server delays an answer, or at the n-th write of a file.
COLLECTOR = """
import os, signal, sys
from datetime import date
from pathlib import Path
from pokewatch.market import lake as lakes
from pokewatch.market.collect import collect
from pokewatch.market.sources.tcgcsv import TcgcsvSource
from pokewatch.settings import SourceSettings

url, root, last = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
replace, count = Path.replace, 0

def counted(path, target):
    global count
    count += 1
    if count == abs(last) and last > 0:
        os.kill(os.getpid(), signal.SIGKILL)
    done = replace(path, target)
    if count == abs(last) and last < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return done

Path.replace = counted
settings = SourceSettings.read(tcgcsv_url=url)
collect(TcgcsvSource(settings), lakes.Lake(root), [date(2025, 10, day) for day in (22, 23, 24)])
print("done")
"""


def collector(upstream: Upstream, lake: Lake, kill_at_write: int = 0) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", COLLECTOR, upstream.url, str(lake.root), str(kill_at_write)]
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )


def assert_whole(lake: Lake) -> None:
    """Every day reads whole, and no price lacks its card."""
    known = set(lake.catalog()["card_id"].to_pylist()) if lake.has_catalog() else set()
    for day in lake.days():
        assert lake.day(day).num_rows == CARDS
        assert set(lake.day(day)["card_id"].to_pylist()) <= known
        assert lake.quarantined(day).num_rows == 1


@pytest.fixture
def flawed(served: Upstream) -> Upstream:
    """Each day has a row for quarantine, so that a day writes two files."""
    for day in DAYS:
        served.archive(day, {(3, 1): [*day_rows(day), price(999, -1.0)]})
    return served


# Three downloads, the catalogue, and quarantine and prices of each day are ten renames: the process
# is killed before each, and after the last.
@pytest.mark.slow
@pytest.mark.parametrize("write", [*range(1, 11), -10])
def test_killed_at_any_write_the_lake_reads_whole_and_a_rerun_completes(
    flawed: Upstream, lake: Lake, write: int
) -> None:
    process = collector(flawed, lake, write)
    process.communicate()

    assert process.returncode == -signal.SIGKILL
    assert_whole(lake)
    assert collect(source(flawed), lake, DAYS[:3]).held == {}
    assert_whole(lake)
    assert lake.days() == DAYS[:3]


@pytest.mark.parametrize("write", [-5, 8])
def test_killed_at_some_writes(flawed: Upstream, lake: Lake, write: int) -> None:
    test_killed_at_any_write_the_lake_reads_whole_and_a_rerun_completes(flawed, lake, write)


def test_killed_while_waiting_for_the_server(flawed: Upstream, lake: Lake) -> None:
    path = "/tcgplayer/3/1/products"
    good = flawed.routes[path]
    flawed.routes[path] = Reply(stall=True)
    process = collector(flawed, lake)
    assert flawed.stalled.wait(60)
    process.kill()
    process.communicate()

    assert_whole(lake)
    flawed.routes[path] = good
    flawed.released.set()
    collect(source(flawed), lake, DAYS[:3])
    assert_whole(lake)
    assert lake.days() == DAYS[:3]


def test_two_collectors_at_once_agree(served: Upstream, lake: Lake) -> None:
    barrier = threading.Barrier(2, timeout=30)
    good = served.routes[archive_path(FIRST)]
    assert isinstance(good, Reply)

    def together(_: Request) -> Reply:
        barrier.wait()
        return good

    served.routes[archive_path(FIRST)] = together
    with ThreadPoolExecutor(2) as pool:
        reports = [pool.submit(collect, source(served), lake, DAYS[:1]) for _ in range(2)]

    assert all(report.result().held == {} for report in reports)
    assert lake.days() == DAYS[:1]
    assert lake.day(FIRST).num_rows == CARDS


class Offer:
    lake_name = "offer"

    def __init__(
        self, name: str = "tcgcsv", first: date = date(2025, 1, 1), last: date = LAST
    ) -> None:
        self.name = name
        self.available: Callable[[], tuple[date, date]] = lambda: (first, last)


@pytest.mark.parametrize(
    ("name", "start", "end", "days", "first", "last"),
    [
        ("tcgcsv", None, None, None, date(2025, 9, 27), LAST),
        ("tcgcsv", None, None, 2, date(2025, 10, 25), LAST),
        ("tcgcsv", DAYS[0], None, None, DAYS[0], LAST),
        ("tcgcsv", DAYS[0], DAYS[2], None, DAYS[0], DAYS[2]),
        ("tcgcsv", DAYS[0], None, 2, DAYS[0], DAYS[1]),
        ("tcgcsv", None, DAYS[2], 2, DAYS[1], DAYS[2]),
        ("tcgcsv", None, None, 5000, date(2025, 1, 1), LAST),
        ("file", None, None, None, date(2025, 1, 1), LAST),
    ],
)
def test_the_days_asked_for(
    name: str, start: date | None, end: date | None, days: int | None, first: date, last: date
) -> None:
    asked = requested_days(Offer(name), start, end, days)  # type: ignore[arg-type]

    assert (asked[0], asked[-1]) == (first, last)
    assert len(asked) == (last - first).days + 1


@pytest.mark.parametrize(
    ("start", "end", "days", "message"),
    [
        (DAYS[0], DAYS[1], 2, "cannot all be used together; use two of them"),
        (DAYS[1], DAYS[0], None, "there are no days from 2025-10-23 to 2025-10-22"),
        (
            date(2024, 12, 31),
            None,
            None,
            "tcgcsv has no prices before 2025-01-01; use 2025-01-01 or later",
        ),
        (
            date(2026, 1, 1),
            None,
            None,
            "there are no days from 2026-01-01 to 2025-10-26: tcgcsv has 2025-01-01 to 2025-10-26",
        ),
    ],
)
def test_days_that_make_no_sense(
    start: date, end: date | None, days: int | None, message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        requested_days(Offer(), start, end, days)  # type: ignore[arg-type]
