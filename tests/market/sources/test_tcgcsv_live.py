"""Sets of the latest day that fail, and the runs that take them up."""

import json
from collections.abc import Callable
from datetime import timedelta

import pytest

from pokewatch.errors import SourceError
from pokewatch.market.lake import Lake
from pokewatch.market.sources.tcgcsv import TcgcsvSource
from tests.market.tcgcsv_server import CARDS, FIRST, GROUPS, Clock, TcgcsvServer, day_sets, run
from tests.market.upstream import archive_path

Open = Callable[..., TcgcsvSource]
ALWAYS = 1_000


def test_a_set_that_recovers_is_collected_in_the_same_run(
    server: TcgcsvServer, opened: Open, lake: Lake, clock: Clock
) -> None:
    server.failing["/tcgplayer/3/7/prices"] = 3  # the first time with both attempts
    report = run(opened(), lake, clock)

    assert lake.day(FIRST).num_rows == CARDS * len(GROUPS)
    assert not any("missing" in warning for warning in report.warnings)


def test_a_set_that_never_answers_is_reported_and_the_day_collected(
    server: TcgcsvServer, opened: Open, lake: Lake, clock: Clock
) -> None:
    server.failing["/tcgplayer/3/7/prices"] = ALWAYS
    report = run(opened(), lake, clock)

    assert report.written == [FIRST]
    assert lake.day(FIRST).num_rows == CARDS * (len(GROUPS) - 1)
    (warning,) = [warning for warning in report.warnings if "missing" in warning]
    assert warning.startswith(f"{FIRST}: the prices of 1 set (Set 7) are missing ({server.url}")
    assert "answered 500 Internal Server Error" in warning
    before = len(server.paths)

    clock.sleep(3 * 3600)
    again = run(opened(), lake, clock)
    assert again.unchanged == [FIRST]
    assert set(server.paths[before:]) == {"/tcgplayer/3/7/prices"}

    del server.failing["/tcgplayer/3/7/prices"]
    third = run(opened(), lake, clock)
    assert third.written == [FIRST]
    assert lake.day(FIRST).num_rows == CARDS * len(GROUPS)
    assert run(opened(), lake, clock).unchanged == [FIRST]
    assert server.breaches == []
    assert set(server.answered.values()) == {1}


def test_the_day_after_collects_all_but_a_set_that_is_not_due(
    server: TcgcsvServer, opened: Open, lake: Lake, clock: Clock
) -> None:
    server.failing["/tcgplayer/3/7/prices"] = ALWAYS
    run(opened(), lake, clock)
    clock.sleep(3600)
    del server.failing["/tcgplayer/3/7/prices"]
    run(opened(), lake, clock)

    clock.time = clock.time.replace(day=26, hour=21, minute=1)
    server.sets = day_sets(0.5)
    report = run(opened(), lake, clock)
    tomorrow = FIRST + timedelta(days=1)
    assert report.written == [tomorrow]
    assert any("less than 24 hours ago" in warning for warning in report.warnings)
    assert lake.day(tomorrow).num_rows == CARDS * (len(GROUPS) - 1)

    clock.sleep(3600)
    assert run(opened(), lake, clock).written == [tomorrow]
    assert lake.day(tomorrow).num_rows == CARDS * len(GROUPS)
    assert server.breaches == []


@pytest.mark.integration
def test_a_set_that_failed_is_reported_until_an_archive_has_it(
    server: TcgcsvServer, opened: Open, lake: Lake, clock: Clock
) -> None:
    first, path = dict(server.sets), "/tcgplayer/3/7/prices"
    server.failing.update({path: ALWAYS, "/tcgplayer/3/8/products": ALWAYS})
    run(opened(), lake, clock)
    clock.time = clock.time.replace(day=26, hour=21, minute=1)
    server.failing.clear()
    server.sets = day_sets(0.5)
    lost = (
        f"tcgcsv no longer has the prices of {path}, which failed on {FIRST}: they are collected "
        "if its archive has them"
    )
    for days in (2, 3):
        report = run(opened(), lake, clock, days)
        assert lost in report.warnings
        assert FIRST in report.unchanged
        clock.sleep(24 * 3600)
    assert server.breaches == []

    server.failing[archive_path(FIRST)] = ALWAYS
    server.archive_status = 404
    assert lost in run(opened(), lake, clock, days=4).warnings

    server.failing.clear()
    server.open_archive(FIRST, first)
    clock.sleep(24 * 3600)
    report = run(opened(), lake, clock, days=5)
    assert FIRST in report.written
    assert lake.day(FIRST).num_rows == CARDS * len(GROUPS)
    assert lost not in report.warnings
    assert lost not in run(opened(), lake, clock, days=5).warnings


@pytest.mark.slow
def test_many_failed_sets_hold_the_day(
    server: TcgcsvServer, opened: Open, lake: Lake, clock: Clock
) -> None:
    run(opened(), lake, clock)
    clock.time = clock.time.replace(day=26, hour=21, minute=1)
    server.sets = day_sets(0.5)
    for group in (3, 8, 15):
        server.failing[f"/tcgplayer/3/{group}/prices"] = ALWAYS
    report = run(opened(), lake, clock)

    tomorrow = FIRST + timedelta(days=1)
    assert (report.written, list(report.held)) == ([], [tomorrow])
    (warning,) = [warning for warning in report.warnings if "are missing (" in warning]
    assert "the prices of 3 sets (Set 15, Set 3, Set 8) are missing" in warning

    server.failing.clear()
    assert run(opened(), lake, clock).written == [tomorrow]
    assert server.breaches == []


def test_a_server_that_stops_answering_is_left_alone(
    server: TcgcsvServer, opened: Open, lake: Lake, clock: Clock
) -> None:
    for group in range(5, 22):
        server.failing[f"/tcgplayer/3/{group}/prices"] = ALWAYS
    with pytest.raises(SourceError, match="The sets fetched so far are stored; run the command"):
        run(opened(), lake, clock)
    assert len(server.requested("/prices")) == 4 + 2 * 5
    assert lake.days() == []

    server.failing.clear()
    assert run(opened(), lake, clock).written == [FIRST]
    assert set(server.answered.values()) == {1}


def test_sets_that_never_answer_do_not_hold_back_those_after_them(
    server: TcgcsvServer, opened: Open, lake: Lake, clock: Clock
) -> None:
    for group in range(1, 7):
        server.failing[f"/tcgplayer/3/{group}/prices"] = ALWAYS
    with pytest.raises(SourceError):
        run(opened(), lake, clock)

    assert run(opened(), lake, clock).written == [FIRST]
    assert lake.day(FIRST).num_rows == CARDS * (len(GROUPS) - 6)


def test_a_first_day_of_which_most_sets_fail_is_not_collected(
    server: TcgcsvServer, opened: Open, lake: Lake, clock: Clock
) -> None:
    for group in GROUPS:
        if group % 4:
            server.failing[f"/tcgplayer/3/{group}/prices"] = ALWAYS
    with pytest.raises(SourceError, match=r"\(16 sets failed\); 2026-11-25 was not collected"):
        run(opened(), lake, clock)
    assert lake.days() == []


@pytest.mark.slow
def test_a_category_that_never_answers_is_reported(
    server: TcgcsvServer, opened: Open, lake: Lake, clock: Clock
) -> None:
    server.failing["/tcgplayer/85/groups"] = ALWAYS
    server.sets |= day_sets(category=85)
    report = run(opened(), lake, clock)

    assert report.written == [FIRST]
    assert any("1 set (all of category 85) are missing" in each for each in report.warnings)

    server.failing.clear()
    assert run(opened(), lake, clock).written == [FIRST]
    assert lake.day(FIRST).num_rows == 2 * CARDS * len(GROUPS)
    assert server.breaches == []


def test_a_category_that_is_unknown_is_reported_and_the_others_collected(
    server: TcgcsvServer, opened: Open, lake: Lake, clock: Clock
) -> None:
    server.absent.add("/tcgplayer/85/groups")

    report = run(opened(tcgcsv_categories="3,85"), lake, clock)

    assert lake.day(FIRST).num_rows == CARDS * len(GROUPS)
    (warning,) = [text for text in report.warnings if "all of category 85" in text]
    assert "/tcgplayer/85/groups: answered 404 Not Found" in warning


def test_live_pages_that_do_not_exist_are_named_beside_the_archive(
    server: TcgcsvServer, opened: Open, lake: Lake, clock: Clock
) -> None:
    server.absent |= {"/tcgplayer/3/groups", "/tcgplayer/85/groups"}

    with pytest.raises(SourceError, match=r"is closed .*/tcgplayer/85/groups: answered 404"):
        run(opened(tcgcsv_categories="3,85"), lake, clock)
    assert lake.days() == []


def test_a_page_that_is_no_json_is_not_requested_again_in_the_same_run(
    server: TcgcsvServer, opened: Open, lake: Lake, clock: Clock
) -> None:
    server.bodies["/tcgplayer/3/7/prices"] = b"<html>"
    report = run(opened(), lake, clock)

    assert report.written == [FIRST]
    assert any("the answer is not JSON" in warning for warning in report.warnings)
    assert server.breaches == []


def test_sets_without_a_page_are_reported_once(
    server: TcgcsvServer, opened: Open, lake: Lake, clock: Clock
) -> None:
    server.absent.update({"/tcgplayer/3/7/prices", "/tcgplayer/3/8/prices"})
    report = run(opened(), lake, clock)

    assert report.written == [FIRST]
    assert f"{FIRST}: tcgcsv has no prices of 2 sets (Set 7, Set 8)" in report.warnings


@pytest.mark.parametrize("failing", [1, 5])
def test_products_that_failed_are_requested_again_on_the_same_day(
    server: TcgcsvServer, opened: Open, lake: Lake, clock: Clock, failing: int
) -> None:
    paths = [f"/tcgplayer/3/{group}/products" for group in range(1, failing + 1)]
    server.failing.update(dict.fromkeys(paths, ALWAYS))
    first = run(opened(), lake, clock)
    assert first.written == [FIRST]
    assert any("no name yet" in warning for warning in first.warnings)
    before = len(server.paths)

    server.failing.clear()
    assert run(opened(), lake, clock).unchanged == [FIRST]
    assert set(paths) <= set(server.paths[before:])
    assert all(path.endswith("/products") for path in server.paths[before:])
    names = lake.catalog()["name"].to_pylist()
    assert len(names) == CARDS * len(GROUPS)
    assert all(name.startswith("Card ") for name in names)

    done = len(server.paths)
    run(opened(), lake, clock)
    assert server.paths[done:] == []
    assert server.breaches == []


def test_products_that_are_absent_are_not_missed(
    server: TcgcsvServer, opened: Open, lake: Lake, clock: Clock
) -> None:
    server.absent.add("/tcgplayer/3/7/products")
    assert run(opened(), lake, clock).written == [FIRST]
    assert opened().missing_sets(FIRST) == []


def test_a_changed_schema_holds_the_day_and_tells_why(
    server: TcgcsvServer, opened: Open, lake: Lake, clock: Clock
) -> None:
    for rows in server.sets.values():
        for row in rows:
            row["marketPrice"] = str(row["marketPrice"])

    report = run(opened(), lake, clock)

    assert list(report.held) == [FIRST]
    assert report.quarantined == {"marketPrice is not a number": CARDS * len(GROUPS)}
    assert lake.quarantined(FIRST).num_rows == CARDS * len(GROUPS)


def test_a_set_whose_id_cannot_be_used_is_reported(
    server: TcgcsvServer, opened: Open, lake: Lake, clock: Clock
) -> None:
    groups = [{"groupId": 1}, {"groupId": 2}, {"groupId": "3"}, None]
    server.results("/tcgplayer/3/groups", groups)

    report = run(opened(tcgcsv_categories="3"), lake, clock)

    assert lake.day(FIRST).num_rows == 2 * CARDS
    (warning,) = [text for text in report.warnings if "groupId" in text]
    assert "/tcgplayer/3/groups: 2 of 4 sets have no groupId that is" in warning


def test_sets_none_of_which_can_be_used_are_the_cause(
    server: TcgcsvServer, opened: Open, lake: Lake, clock: Clock
) -> None:
    server.results("/tcgplayer/3/groups", [{"id": 1}, {"id": 2}])

    with pytest.raises(SourceError, match="/tcgplayer/3/groups: 2 of 2 sets have no groupId"):
        run(opened(tcgcsv_categories="3"), lake, clock)
    assert lake.days() == []


@pytest.mark.parametrize(
    ("path", "lacking"), [("groups", CARDS * (len(GROUPS) - 8)), ("7/products", 0)]
)
def test_a_page_with_fewer_rows_than_it_counts_is_reported(
    server: TcgcsvServer, opened: Open, lake: Lake, clock: Clock, path: str, lacking: int
) -> None:
    sets = [{"groupId": group, "name": f"Set {group}"} for group in range(1, 9)]
    rows = sets if path == "groups" else []
    body = {"totalItems": 21, "success": True, "errors": [], "results": rows}
    server.bodies[f"/tcgplayer/3/{path}"] = json.dumps(body).encode()
    report = run(opened(), lake, clock)

    assert lake.day(FIRST).num_rows == CARDS * len(GROUPS) - lacking
    (warning,) = [warning for warning in report.warnings if "of a total" in warning]
    assert warning == (
        f"tcgcsv: {server.url}/tcgplayer/3/{path}: {len(rows)} of a total of 21 results: "
        "the others are missing"
    )


def test_a_page_with_rows_and_errors_is_reported(
    server: TcgcsvServer, opened: Open, lake: Lake, clock: Clock
) -> None:
    rows = [{"productId": 1, "subTypeName": "Normal", "marketPrice": 5.0}]
    body = {"success": True, "errors": ["some are late"], "results": rows}
    server.bodies["/tcgplayer/3/7/prices"] = json.dumps(body).encode()
    report = run(opened(), lake, clock)

    assert lake.day(FIRST).num_rows == CARDS * (len(GROUPS) - 1) + 1
    assert (
        f"tcgcsv: {server.url}/tcgplayer/3/7/prices: the answer has rows and reports a failure: "
        "['some are late']"
    ) in report.warnings
