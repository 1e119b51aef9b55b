"""The lock of a registry: one deploy at a time, from any process on any host.

The record with the lowest number that has not ended holds the lock. A thread of its process sends a
heartbeat; a deploy that waits and sees no new heartbeat for POKEWATCH_DEPLOY_LEASE_SECONDS takes
the holder for dead, settles what it left, and goes on. Only changes are compared, on the clock of
the waiting process, so the clocks of two hosts may differ.

Before each change of an alias the holder sends a heartbeat, and then checks whether it was taken
over; a deploy that takes over writes so first, and then checks the heartbeat. At least one of the
two notices the other. MLflow has no conditional write: a process suspended for longer than the
lease between this check and the following write would still write.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pokewatch.deploy.records import HEARTBEAT, TAKEN_BY, DeployRecord, DeployRecords
from pokewatch.errors import DeployBusyError, LockLostError, RegistryError
from pokewatch.settings import DeploySettings

logger = logging.getLogger("pokewatch.serving")

_POLLS = 20  # of the other records in a lease
_MAX_INTERVAL = 1.0  # seconds between two polls


class DeployLock:
    """The lock of one deploy: acquired in order, held by a heartbeat, checked before each write."""

    def __init__(
        self, records: DeployRecords, record: DeployRecord, settings: DeploySettings
    ) -> None:
        self._records = records
        self._settings = settings
        self._interval = min(settings.deploy_lease_seconds / _POLLS, _MAX_INTERVAL)
        self._heartbeats = 0
        self._sending = threading.Lock()
        self.number = record.number
        self._not_done = record.not_done

    def acquire(self, settle: Callable[[DeployRecord], None]) -> None:
        """Wait for the earlier deploys to end, and `settle` those that are dead.

        Raise DeployBusyError after POKEWATCH_DEPLOY_WAIT_SECONDS.
        """
        deadline = time.monotonic() + self._settings.deploy_wait_seconds
        seen: dict[int, tuple[str, float]] = {}
        while earlier := self._earlier():
            first = earlier[0]
            dead = [self._is_dead(record, seen) for record in earlier]
            # A living deploy between them settles the first: two at once would undo each other.
            if all(dead):
                taken = [self._take_over(record) for record in reversed(earlier)]
                if (current := taken[-1]) is not None and all(taken):
                    if not current.outcome:
                        settle(current)
                    continue
            if time.monotonic() > deadline:
                raise DeployBusyError(
                    f"{self._not_done}: {first}, has not ended within "
                    f"{self._settings.deploy_wait_seconds:g} s; try again when it has"
                )
            time.sleep(self._interval)

    def check(self) -> None:
        """Raise LockLostError if another deploy has taken this one over."""
        self._send_heartbeat()
        if taken_by := self._records.read(self.number).taken_by:
            raise LockLostError(
                f"{self._not_done}: this process was suspended for longer "
                f"than {self._settings.deploy_lease_seconds:g} s, and deploy {taken_by} took over"
            )

    @contextmanager
    def heartbeat(self) -> Iterator[None]:
        """Send heartbeats in the background."""
        ended = threading.Event()
        thread = threading.Thread(target=self._send_until, args=(ended,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def _send_until(self, ended: threading.Event) -> None:
        while not ended.wait(self._settings.deploy_lease_seconds / _POLLS * 4):
            try:
                self._send_heartbeat()
            except RegistryError as error:
                logger.warning("%s", error)

    def _send_heartbeat(self) -> None:
        with self._sending:
            self._heartbeats += 1
            self._records.set_tag(self.number, HEARTBEAT, str(self._heartbeats))

    def _earlier(self) -> list[DeployRecord]:
        return [record for record in self._records.unfinished() if record.number < self.number]

    def _is_dead(self, record: DeployRecord, seen: dict[int, tuple[str, float]]) -> bool:
        now = time.monotonic()
        heartbeat, since = seen.get(record.number, ("", now))
        if heartbeat != record.heartbeat:
            since = now
        seen[record.number] = (record.heartbeat, since)
        return record.owner.is_gone or now - since > self._settings.deploy_lease_seconds

    def _take_over(self, record: DeployRecord) -> DeployRecord | None:
        """Mark a record as taken over. Return it as it is now, or None after a new heartbeat.

        A mark that it had before stays: the deploy that set it may have undone half.
        """
        self.check()
        self._records.set_tag(record.number, TAKEN_BY, str(self.number))
        current = self._records.read(record.number)
        if record.taken_by or current.heartbeat == record.heartbeat:
            return current
        self.check()
        self._records.delete_tag(record.number, TAKEN_BY)
        return None
