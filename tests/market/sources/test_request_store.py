import os
import signal
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path

import pytest

from pokewatch.errors import LakeError
from pokewatch.market.sources.request_store import KEPT_DAYS, BudgetError, RequestStore, StoredPage

PAGE = StoredPage(1000.0, date(2026, 11, 25), 200, '{"name": "Pokémon"}')


@pytest.fixture
def store(tmp_path: Path) -> RequestStore:
    return RequestStore(tmp_path / "requests" / "tcgcsv.com.sqlite")


def test_a_page_is_read_back_by_another_process(store: RequestStore, tmp_path: Path) -> None:
    store.write_page("http://x/a", PAGE)

    assert RequestStore(tmp_path / "requests" / "tcgcsv.com.sqlite").page("http://x/a") == PAGE
    assert store.page("http://x/b") is None


def test_pages_are_removed_after_two_days(store: RequestStore) -> None:
    store.write_page("http://x/a", PAGE)
    store.write_page("http://x/b", StoredPage(1000.0 + 49 * 3600, None, 404, ""))

    assert store.page("http://x/a") is None


def test_the_budget_is_of_the_last_24_hours(store: RequestStore) -> None:
    for second in (0, 1, 2):
        store.count_request(second, 3)
    with pytest.raises(BudgetError, match="3 requests in 24 hours is the limit"):
        store.count_request(3600, 3)

    store.count_request(24 * 3600, 3)
    assert store.requests(24 * 3600) == 3


def test_a_clock_that_was_ahead_does_not_use_up_the_budget(store: RequestStore) -> None:
    year = 365 * 86_400.0
    for second in (0, 1, 2):
        store.count_request(year + second, 3)
    for second in (0, 1, 2):
        store.count_request(second, 3)
    assert store.requests(3) == 3
    with pytest.raises(BudgetError):
        store.count_request(3, 3)


def test_requests_of_many_threads_are_all_counted(store: RequestStore) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda second: store.count_request(second, 100), range(40)))

    assert store.requests(40) == 40


def test_a_block_ends_by_itself(store: RequestStore) -> None:
    assert store.blocked(1000.0) == 0
    store.block(1000.0, 600.0)

    assert [store.blocked(1000.0 + after) for after in (0, 599, 600, 9000)] == [600, 1, 0, 0]
    assert store.blocked(500.0) == 0  # the clock was set back


def test_failed_pages_are_those_of_each_day(store: RequestStore) -> None:
    day, other = date(2026, 11, 25), date(2026, 11, 26)
    store.write_failures(day, {"http://x/b": "answered 500", "http://x/a": "no answer"})
    assert list(store.failures(day).items()) == [
        ("http://x/a", "no answer"),
        ("http://x/b", "answered 500"),
    ]
    assert store.failures(other) == {}

    store.write_failures(day, {"http://x/a": "no answer", "http://x/products": "no answer"})
    store.write_failures(other, {"http://x/a": "answered 500"})
    assert store.failures(day) == {"http://x/a": "no answer"}  # products are not of a day
    assert store.failures(other) == {"http://x/a": "answered 500"}

    store.write_failures(day + timedelta(days=KEPT_DAYS + 1), {})
    assert store.failures(day) == {}
    assert store.failures(other) == {"http://x/a": "answered 500"}


def test_the_tables_are_added_to_an_older_file(store: RequestStore, tmp_path: Path) -> None:
    store.write_page("http://x/a", PAGE)
    with closing(sqlite3.connect(tmp_path / "requests" / "tcgcsv.com.sqlite")) as database:
        database.executescript("DROP TABLE blocks; DROP TABLE failed_pages")

    assert store.blocked(1000.0) == 0
    assert store.page("http://x/a") == PAGE


def test_a_killed_process_frees_its_lock(store: RequestStore, tmp_path: Path) -> None:
    program = (
        "import os, signal, sys; from pathlib import Path\n"
        "from pokewatch.market.sources.request_store import RequestStore\n"
        "store = RequestStore(Path(sys.argv[1]))\n"
        "with store.locked('pages'):\n"
        "    store.count_request(5.0, 10)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    path = str(tmp_path / "requests" / "tcgcsv.com.sqlite")
    done = subprocess.run(
        [sys.executable, "-c", program, path],
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )

    assert done.returncode == -signal.SIGKILL
    with store.locked("pages"):
        assert store.requests(6.0) == 1


def test_a_damaged_file_is_reported(store: RequestStore, tmp_path: Path) -> None:
    (tmp_path / "requests").mkdir()
    (tmp_path / "requests" / "tcgcsv.com.sqlite").write_bytes(b"no database" * 100)

    with pytest.raises(LakeError, match="the record of requests, cannot be used"):
        store.page("http://x/a")
