"""Collections from a server that fails."""

import time
from datetime import UTC, datetime

import pytest

from pokewatch.errors import MissingAtSourceError, SourceError
from pokewatch.market.collect import collect
from pokewatch.market.lake import Lake
from pokewatch.market.sources.tcgcsv import TcgcsvSource
from pokewatch.settings import SourceSettings
from tests.market.three_days import DAYS, FIRST, LATER, day_rows, source
from tests.market.upstream import Reply, Sleeps, Upstream, archive_bytes, archive_path


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

    with pytest.raises(SourceError, match=r"wait of 86400 s|run .* again in 1,440 minutes"):
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
