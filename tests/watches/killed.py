"""Judging and sending in processes that are killed at every point: `killed.py FOLDER PORT`.

Forks a process for each point, before and after every statement, commit and message, which creates
a database of its own, judges and sends. After the kill another process does so again, to the end.
Prints a line of JSON for each point. `tests/watches/test_killed.py` reads them.
"""

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from functools import wraps
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.engine import make_url

from pokewatch.settings import NotifySettings
from pokewatch.valuation.book import PriceBook
from pokewatch.watches.conditions import Condition
from pokewatch.watches.database import WatchDatabase
from pokewatch.watches.delivery import Deliverer
from pokewatch.watches.judging import judge
from pokewatch.watches.outbox import Outbox
from pokewatch.watches.store import LOCAL, NewWatch, WatchStore
from pokewatch.watches.webhooks import WebhookSender

CARD = "tcgplayer-4-normal"
AN_HOUR = 3_600.0


class Killing:
    """Kills this process at the point number `at`."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.count = 0
        self._lock = threading.Lock()

    def point(self, *_: Any) -> None:
        with self._lock:
            self.count += 1
            if self.count == self.at:
                os.kill(os.getpid(), signal.SIGKILL)

    def install(self) -> None:
        for name in ("before_cursor_execute", "after_cursor_execute", "commit"):
            event.listen(Engine, name, self.point)
        for name in ("request", "getresponse"):
            setattr(HTTPSConnection, name, self._around(getattr(HTTPSConnection, name)))

    def _around(self, call: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(call)
        def counted(*args: Any, **kwargs: Any) -> Any:
            self.point()
            done = call(*args, **kwargs)
            self.point()
            return done

        return counted


def prepare(url: str, webhook: str) -> None:
    """Create watches of which two fire and one does not."""
    database = WatchDatabase(make_url(url))
    store = WatchStore(database)
    for price in (4.0, 3.5, 1.0):
        condition = Condition("below", price=price)
        store.create(LOCAL, NewWatch(CARD, "card_4", condition, "USD", webhook))
    database.close()


def judge_and_send(url: str, book: PriceBook, later: float) -> None:
    database = WatchDatabase(make_url(url))
    judge(WatchStore(database), book, "7", [])
    now = lambda: time.time() + later  # noqa: E731
    sender = WebhookSender(30.0, {"localhost"})
    Deliverer(Outbox(database, now), sender, NotifySettings(), now).run()
    database.close()


def completes(work: Callable[[], None]) -> bool:
    """Run `work` in a process of its own. Return False if it was killed."""
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException:
            sys.excepthook(*sys.exc_info())
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return False
    assert status == 0, f"failed: {status}"
    return True


def outcome(url: str) -> dict[str, Any]:
    database = WatchDatabase(make_url(url))
    watches, deliveries = WatchStore(database).list(), Outbox(database).newest()
    found = {
        "fired": sorted(each.id for each in watches if each.fired),
        "crossings": sorted(each.crossings for each in watches),
        "deliveries": {each.id: each.state for each in deliveries},
    }
    database.close()
    return found


def kill_at(point: int, folder: Path, book: PriceBook, port: str) -> bool:
    """Kill a process at a point, and have another one go on. Return whether it was not reached."""
    url = f"sqlite:///{folder}/{point}.sqlite"
    prepare(url, f"https://localhost:{port}/{point}")

    def first() -> None:
        Killing(point).install()
        judge_and_send(url, book, 0.0)

    complete = completes(first)
    middle = outcome(url)
    # The claim of the killed process has run out, and the book is judged again.
    judge_and_send(url, book, AN_HOUR)
    found = {"point": point, "complete": complete, "middle": middle, **outcome(url)}
    sys.stdout.write(f"{json.dumps(found)}\n")
    return complete


def main(folder: Path, port: str) -> None:
    book = PriceBook.open(folder / "book", (folder / "digest").read_text())
    # A killed process leaves what it wrote to the operating system.
    event.listen(Engine, "connect", lambda made, _: made.execute("PRAGMA synchronous = OFF"))
    point = 1
    while not kill_at(point, folder, book, port):
        point += 1


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
