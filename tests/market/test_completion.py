"""Games that are added later, and what days of the lake have of them."""

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path

import pytest

from pokewatch.errors import QualityError
from pokewatch.market.collect import collect
from pokewatch.market.completion import absent_games
from pokewatch.market.lake import Lake
from pokewatch.market.sources.tcgcsv import TcgcsvSource
from tests.market.sources.conftest import clock, opened, server  # noqa: F401
from tests.market.tcgcsv_server import CARDS, FIRST, GROUPS, Clock, TcgcsvServer, day_sets, run
from tests.market.upstream import price

pytestmark = pytest.mark.integration

Open = Callable[..., TcgcsvSource]
DAYS = [FIRST - timedelta(days=count) for count in (3, 2, 1)]
ROWS = CARDS * len(GROUPS)


def all_sets(change: float) -> dict[tuple[int, int], list[dict[str, object]]]:
    return day_sets(change) | day_sets(change, category=1)


@pytest.fixture
def history(server: TcgcsvServer, opened: Open, lake: Lake) -> Lake:  # noqa: F811
    """A lake with three days of Pokemon, from archives that have Magic as well."""
    for position, day in enumerate(DAYS):
        server.open_archive(day, all_sets(position / 10))
    collect(opened(tcgcsv_categories="3"), lake, DAYS)
    return lake


def games(lake: Lake, day: date) -> set[str]:
    cards = lake.catalog()
    names = dict(zip(cards["card_id"].to_pylist(), cards["game"].to_pylist(), strict=True))
    return {names[card] for card in lake.day(day)["card_id"].to_pylist()}


def test_a_game_added_later_brings_its_history(
    server: TcgcsvServer,  # noqa: F811
    opened: Open,  # noqa: F811
    history: Lake,
    clock: Clock,  # noqa: F811
) -> None:
    before = history.day(DAYS[0])
    report = collect(opened(tcgcsv_categories="pokemon, magic"), history, DAYS)

    assert report.written == DAYS
    assert [history.day(day).num_rows for day in DAYS] == [2 * ROWS] * 3
    assert history.games(DAYS[0]) == ("Magic", "Pokemon")
    kept = history.day(DAYS[0]).to_pylist()
    assert [row for row in before.to_pylist() if row not in kept] == []
    assert collect(opened(tcgcsv_categories="magic"), history, DAYS).unchanged == DAYS
    assert set(server.answered.values()) == {1}


@pytest.mark.slow
def test_completing_a_day_loses_no_row(
    server: TcgcsvServer,  # noqa: F811
    opened: Open,  # noqa: F811
    lake: Lake,
    clock: Clock,  # noqa: F811
    home: Path,
) -> None:
    server.sets = all_sets(0.0)
    run(opened(tcgcsv_categories="3"), lake, clock)
    shutil.rmtree(home / "requests")  # as on another machine
    clock.sleep(1)
    server.failing["/tcgplayer/3/7/prices"] = 1_000

    assert run(opened(tcgcsv_categories="3,1"), lake, clock).written == [FIRST]
    assert lake.day(FIRST).num_rows == 2 * ROWS


def test_a_refresh_replaces_the_rows_of_its_games(
    server: TcgcsvServer,  # noqa: F811
    opened: Open,  # noqa: F811
    history: Lake,
    clock: Clock,  # noqa: F811
) -> None:
    collect(opened(tcgcsv_categories="3,1"), history, DAYS)
    clock.sleep(25 * 3600)
    fewer = all_sets(0.2)
    del fewer[3, 7][0], fewer[1, 7][0]
    server.open_archive(DAYS[2], fewer)

    collect(opened(tcgcsv_categories="3"), history, DAYS[2:], refresh=True)
    assert history.day(DAYS[2]).num_rows == 2 * ROWS - 1


def test_a_game_added_later_leaves_the_rejected_rows_of_the_others(
    server: TcgcsvServer,  # noqa: F811
    opened: Open,  # noqa: F811
    lake: Lake,
) -> None:
    archive = all_sets(0.0)
    archive[3, 7] += [price(0), price(1, market=-1.0, printing="Foil")]
    archive[1, 7] += [price(-2)]
    server.open_archive(FIRST, archive)

    def reasons() -> list[str]:
        return sorted(lake.quarantined(FIRST)["reason"].to_pylist())

    collect(opened(tcgcsv_categories="3"), lake, [FIRST])
    pokemon = reasons()
    assert len(pokemon) == 2
    collect(opened(tcgcsv_categories="1"), lake, [FIRST])
    both = reasons()
    assert len(both) == 3
    collect(opened(tcgcsv_categories="1"), lake, [FIRST], refresh=True)
    assert reasons() == both
    collect(opened(tcgcsv_categories="3,1"), lake, [FIRST], refresh=True)
    assert reasons() == both


def test_two_collections_at_once_lose_no_game(
    server: TcgcsvServer,  # noqa: F811
    opened: Open,  # noqa: F811
    lake: Lake,
) -> None:
    for position, day in enumerate(DAYS):
        server.open_archive(day, all_sets(position / 10))
    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(collect, opened(tcgcsv_categories=n), lake, DAYS) for n in ("3", "1")]
    assert [run.result().held for run in runs] == [{}, {}]

    assert [lake.games(day) for day in DAYS] == [("Magic", "Pokemon")] * 3
    assert [lake.day(day).num_rows for day in DAYS] == [2 * ROWS] * 3
    assert lake.catalog().num_rows == 2 * ROWS


def test_a_game_alone_leaves_the_others(
    opened: Open,  # noqa: F811
    history: Lake,
) -> None:
    collect(opened(tcgcsv_categories="magic"), history, DAYS)
    assert [games(history, day) for day in DAYS] == [{"Magic", "Pokemon"}] * 3

    report = collect(opened(tcgcsv_categories="magic"), history, DAYS, refresh=True)
    assert report.unchanged == DAYS
    assert [history.day(day).num_rows for day in DAYS] == [2 * ROWS] * 3
    assert [history.games(day) for day in DAYS] == [("Magic", "Pokemon")] * 3


def test_the_history_of_a_closed_archive_is_said_to_be_absent(
    server: TcgcsvServer,  # noqa: F811
    opened: Open,  # noqa: F811
    history: Lake,
    clock: Clock,  # noqa: F811
) -> None:
    clock.sleep(25 * 3600)
    server.archives.clear()
    server.archive_status = 403
    server.sets = all_sets(1.0)
    before = len(server.paths)
    report = run(opened(tcgcsv_categories="3,1"), history, clock, days=5)

    tomorrow = FIRST + timedelta(days=1)
    assert report.written == [tomorrow]
    assert games(history, tomorrow) == {"Magic", "Pokemon"}
    assert (report.unchanged, report.missing) == (DAYS, [FIRST])
    assert report.warnings[1] == (
        f"tcgcsv has no prices of Magic for 3 days from {DAYS[0]} to {DAYS[2]}, "
        "in the lake without Magic"
    )
    assert sum("the archive of past days is closed" in warning for warning in report.warnings) == 1
    assert sum(path.startswith("/archive") for path in server.paths[before:]) == 1


def test_a_game_without_prices_on_a_day_is_not_requested_again(
    server: TcgcsvServer,  # noqa: F811
    opened: Open,  # noqa: F811
    history: Lake,
    clock: Clock,  # noqa: F811
) -> None:
    collect(opened(tcgcsv_categories="3,86"), history, DAYS)
    assert history.games(DAYS[0]) == ("Gundam", "Pokemon")

    clock.sleep(48 * 3600)
    before = len(server.paths)
    assert collect(opened(tcgcsv_categories="3,86"), history, DAYS).unchanged == DAYS
    assert len(server.paths) == before


@pytest.mark.slow
def test_a_game_added_on_the_same_day_requests_its_own_pages_only(
    server: TcgcsvServer,  # noqa: F811
    opened: Open,  # noqa: F811
    lake: Lake,
    clock: Clock,  # noqa: F811
) -> None:
    server.sets = all_sets(0.0)
    run(opened(tcgcsv_categories="3"), lake, clock)
    before = len(server.paths)
    report = run(opened(tcgcsv_categories="3,1"), lake, clock)

    assert report.written == [FIRST]
    assert lake.day(FIRST).num_rows == 2 * ROWS
    assert all(path.startswith("/tcgplayer/1/") for path in server.paths[before:])
    assert server.breaches == []


@pytest.mark.slow
def test_fewer_games_are_reported_and_compared_with_themselves(
    server: TcgcsvServer,  # noqa: F811
    opened: Open,  # noqa: F811
    lake: Lake,
    clock: Clock,  # noqa: F811
) -> None:
    server.sets = all_sets(0.0)
    run(opened(tcgcsv_categories="3,1"), lake, clock)
    clock.sleep(24 * 3600)
    server.sets = all_sets(0.5)
    tomorrow = FIRST + timedelta(days=1)
    server.sets[3, 1] = server.sets[3, 2] = server.sets[3, 3] = []

    held = run(opened(tcgcsv_categories="3"), lake, clock)
    assert list(held.held) == [tomorrow]
    with pytest.raises(QualityError, match=r"coverage is 85\.7%"):
        held.require_no_held()

    report = run(opened(tcgcsv_categories="1"), lake, clock)
    assert report.written == [tomorrow]
    assert games(lake, tomorrow) == {"Magic"}
    assert f"{tomorrow}: no prices of Pokemon, which {FIRST} has: not selected" in report.warnings


@pytest.mark.slow
def test_a_day_completed_in_the_same_run_is_compared_in_the_games_of_the_next(
    server: TcgcsvServer,  # noqa: F811
    opened: Open,  # noqa: F811
    history: Lake,
    clock: Clock,  # noqa: F811
) -> None:
    collect(opened(tcgcsv_categories="1"), history, [DAYS[-1]])
    clock.sleep(24 * 3600)
    for position, day in enumerate([*DAYS, FIRST]):
        added = day_sets(position / 10, category=68)
        server.open_archive(day, all_sets(position / 10) | added)

    report = collect(opened(tcgcsv_categories="3,68"), history, [*DAYS, FIRST], today=FIRST)

    assert report.held == {}
    assert (games(history, DAYS[-1]), games(history, FIRST)) == (
        {"Pokemon", "Magic", "One Piece"},
        {"Pokemon", "One Piece"},
    )
    assert f"{FIRST}: no prices of Magic, which {DAYS[-1]} has: not selected" in report.warnings


@pytest.mark.slow
def test_a_first_day_of_another_game_is_checked_by_itself(
    server: TcgcsvServer,  # noqa: F811
    opened: Open,  # noqa: F811
    lake: Lake,
    clock: Clock,  # noqa: F811
) -> None:
    server.sets = all_sets(0.0)
    run(opened(tcgcsv_categories="3"), lake, clock)
    clock.sleep(24 * 3600)

    assert run(opened(tcgcsv_categories="1"), lake, clock).held == {}
    assert games(lake, FIRST + timedelta(days=1)) == {"Magic"}


def test_a_day_without_recorded_games_has_those_of_its_cards(
    server: TcgcsvServer,  # noqa: F811
    opened: Open,  # noqa: F811
    history: Lake,
) -> None:
    for day in DAYS:
        prices = history.day(day)
        history.write_day(day, prices.slice(1), ())
        history.write_day(day, prices, ())
    before = len(server.paths)

    assert collect(opened(tcgcsv_categories="3"), history, DAYS).unchanged == DAYS
    assert len(server.paths) == before
    assert collect(opened(tcgcsv_categories="1"), history, DAYS).written == DAYS
    assert [history.games(day) for day in DAYS] == [("Magic", "Pokemon")] * 3


def test_a_game_that_is_not_known_has_its_number_for_a_name(
    server: TcgcsvServer,  # noqa: F811
    opened: Open,  # noqa: F811
    lake: Lake,
) -> None:
    server.open_archive(FIRST, {(55, 1): [price(1), price(2, printing="Gold")]})
    report = collect(opened(tcgcsv_categories="55"), lake, [FIRST])

    assert lake.catalog()["game"].to_pylist() == ["TCGplayer category 55"] * 2
    assert not any("printing" in warning for warning in report.warnings)


def test_absent_games_are_listed_by_game() -> None:
    incomplete = {DAYS[0]: ["Magic", "Digimon"], DAYS[1]: ["Magic"], DAYS[2]: ["Magic"]}
    assert absent_games("tcgcsv", incomplete, DAYS[:2]) == [
        f"tcgcsv has no prices of Digimon for {DAYS[0]}, in the lake without Digimon",
        f"tcgcsv has no prices of Magic for 2 days from {DAYS[0]} to {DAYS[1]}, "
        "in the lake without Magic",
    ]
