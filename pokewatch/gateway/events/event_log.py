"""The log of events: Parquet files in `events/date=YYYY-MM-DD`, each written once and whole.

An event is an exposure, a signal that a caller was shown, or an outcome, the answer to a price that
a caller offered. It has the day, the caller's arm of the experiment, and a session: a number
that stands for one caller, on one day, in one process. Its first EVENT_PROCESS_DIGITS are those of
the process, and all are random. Nothing else of the caller is written, and whose number it was is
forgotten on the next day and at a stop.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import date
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from secrets import token_hex
from typing import Any, NamedTuple

from prometheus_client import Counter

from pokewatch.atomic_file import atomic_file
from pokewatch.contract import (
    CHAMPION_ARM,
    EVENT_PROCESS_DIGITS,
    EXPOSURE,
    OUTCOME,
)
from pokewatch.gateway.events.parquet import (
    Column,
    DateColumn,
    NumberColumn,
    TextColumn,
    parquet_file,
)
from pokewatch.gateway.http.middleware import Caller
from pokewatch.settings import EventSettings, private_folder

logger = logging.getLogger("pokewatch.gateway.events")

FLUSH_SECONDS = 300.0
MAX_BUFFERED = 20_000  # events, between two files
_DAY_SECONDS = 86_400
_EPOCH = date(1970, 1, 1).toordinal()
_MIB = 1_048_576
_SESSION_BYTES = 4


class Arm(NamedTuple):
    """The arm of a caller in an experiment, the id of a canary; "" for none."""

    experiment: str
    name: str


NO_EXPERIMENT = Arm("", CHAMPION_ARM)


class Event(NamedTuple):
    """One row of the log. `offered` is the price judged, None for an exposure."""

    day: int
    kind: str
    experiment: str
    arm: str
    session: str
    market: str
    card_id: str
    offered: float | None
    signal: str
    model_version: str


_COLUMNS: dict[str, Callable[[str, Any], Column]] = {
    **dict.fromkeys(Event._fields, TextColumn),
    "day": DateColumn,
    "offered": NumberColumn,
}
_DAY_AND_SESSION = itemgetter(Event._fields.index("day"), Event._fields.index("session"))


class EventLog:
    """Buffers events, and writes a file of them every FLUSH_SECONDS and at the stop.

    A process that is killed loses the events since its last file. Those beyond MAX_BUFFERED between
    two files, and those that come while the log has its largest size, are dropped; `counter` counts
    what becomes of events. Processes may share the folder.
    """

    def __init__(self, folder: Path, settings: EventSettings, counter: Counter) -> None:
        self._folder = folder
        self._max_bytes = settings.events_mb * _MIB
        self._counter = counter
        self._events: list[Event] = []
        self._process = token_hex(EVENT_PROCESS_DIGITS // 2)
        self._sessions: dict[str, str] = {}
        self._day = 0
        self._timer: asyncio.TimerHandle | None = None
        self._writes: set[asyncio.Task[None]] = set()

    def add(
        self,
        caller: Caller | None,
        arm: Arm,
        market: str,
        card_id: str,
        offered: float | None,
        signal: str,
        version: str,
    ) -> None:
        """Add the answer of a model version that a caller got. One without a key is left out."""
        if caller is None:
            return
        if len(self._events) >= MAX_BUFFERED:
            self._counter.labels("rate").inc()
            return
        day = int(time.time()) // _DAY_SECONDS
        if day != self._day:
            self._sessions.clear()
            self._day = day
        session = self._sessions.get(caller.id)
        if session is None:
            session = self._sessions[caller.id] = self._process + token_hex(_SESSION_BYTES)
        event = Event(
            day,
            EXPOSURE if offered is None else OUTCOME,
            *arm,
            session,
            market,
            card_id,
            offered,
            signal,
            version,
        )
        self._events.append(event)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(FLUSH_SECONDS, self._flush)

    async def close(self) -> None:
        """Write what is buffered."""
        if self._timer is not None:
            self._timer.cancel()
            self._flush()
        await asyncio.gather(*self._writes)

    def _flush(self) -> None:
        self._timer = None
        events, self._events = self._events, []
        task = asyncio.get_running_loop().create_task(self._write(events))
        self._writes.add(task)
        task.add_done_callback(self._writes.discard)

    async def _write(self, events: Sequence[Event]) -> None:
        try:
            room = await asyncio.to_thread(write_events, self._folder, events, self._max_bytes)
        except OSError as error:
            logger.error("events were lost", extra={"count": len(events), "cause": str(error)})
            self._counter.labels("failed").inc(len(events))
        else:
            self._counter.labels("written" if room else "size").inc(len(events))


def write_events(folder: Path, events: Sequence[Event], max_bytes: int) -> bool:
    """Write a file for each day of the events, unless the folder has `max_bytes`.

    Return whether they were written. Raise OSError. The order in which sessions came is not kept.
    """
    if _size(folder) >= max_bytes:
        return False
    for day, group in groupby(sorted(events, key=_DAY_AND_SESSION), key=itemgetter(0)):
        part = private_folder(folder / f"date={date.fromordinal(_EPOCH + day)}")
        columns = zip(*group, strict=True)
        content = parquet_file(
            [
                kind(name, values)
                for (name, kind), values in zip(_COLUMNS.items(), columns, strict=True)
            ]
        )
        with atomic_file(part / f"{token_hex(16)}.parquet", mode=0o600) as file:
            file.write(content)
    return True


def _size(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*.parquet"):
        with suppress(FileNotFoundError):  # its day has just been removed
            total += path.stat().st_size
    return total
