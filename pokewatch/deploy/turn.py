"""One deploy at a time for a registry, whoever starts it and wherever.

The lowest ticket that has not ended has the turn. A thread of its process changes its beat; whoever
waits and sees the same beat for POKEWATCH_DEPLOY_LEASE_SECONDS takes it for dead, settles what it
left, and goes on. Only changes are compared, by the clock of the one who waits, so the clocks of two
hosts may differ.

Before every move of an alias the deploy beats, and then looks whether it was taken for dead; who
takes it for dead marks it, and then looks whether it has beaten. So at least one of the two notices
the other. MLflow has no conditional write: a process that stands still for longer than a lease
between that look and the write that follows it would still write.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pokewatch.deploy.tickets import BEAT, TAKEN_BY, Ticket, Tickets
from pokewatch.errors import DeployBusyError, RegistryError, TurnLostError
from pokewatch.settings import DeploySettings

logger = logging.getLogger("pokewatch.serving")

_LOOKS = 20  # at the others' tickets, and beats of one's own, in a lease
_LONGEST = 1.0  # second between two looks


class Turn:
    """The turn of one deploy: waited for, kept by beating, looked after before each move."""

    def __init__(self, tickets: Tickets, ticket: Ticket, settings: DeploySettings) -> None:
        self._tickets = tickets
        self._settings = settings
        self._pause = min(settings.deploy_lease_seconds / _LOOKS, _LONGEST)
        self._beats = 0
        self._beating = threading.Lock()
        self.number = ticket.number
        self.target = ticket.target

    def wait(self, settle: Callable[[Ticket], None]) -> None:
        """Wait for the tickets before this one, and have `settle` see to those that are dead.

        Raises DeployBusyError after POKEWATCH_DEPLOY_WAIT_SECONDS.
        """
        deadline = time.monotonic() + self._settings.deploy_wait_seconds
        seen: dict[int, tuple[str, float]] = {}
        while before := self._before():
            first = before[0]
            if self._is_dead(first, seen) and self._take(first):
                settle(first)
                seen.pop(first.number)
                continue
            if time.monotonic() > deadline:
                raise DeployBusyError(
                    f"version {self.target} was not deployed: {first}, has not ended within "
                    f"{self._settings.deploy_wait_seconds:g} s; try again when it has"
                )
            time.sleep(self._pause)

    def check(self) -> None:
        """Raise TurnLostError if another process has taken this one for dead."""
        self._beat()
        if taken_by := self._tickets.read(self.number).taken_by:
            raise TurnLostError(
                f"version {self.target} was not deployed: this process stood still for longer "
                f"than {self._settings.deploy_lease_seconds:g} s, and deploy {taken_by} went on"
            )

    @contextmanager
    def alive(self) -> Iterator[None]:
        """Beat in the background."""
        ended = threading.Event()
        thread = threading.Thread(target=self._beat_until, args=(ended,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def _beat_until(self, ended: threading.Event) -> None:
        while not ended.wait(self._settings.deploy_lease_seconds / _LOOKS * 4):
            try:
                self._beat()
            except RegistryError as error:
                logger.warning("%s", error)

    def _beat(self) -> None:
        with self._beating:
            self._beats += 1
            self._tickets.note(self.number, BEAT, str(self._beats))

    def _before(self) -> list[Ticket]:
        return [ticket for ticket in self._tickets.unfinished() if ticket.number < self.number]

    def _is_dead(self, ticket: Ticket, seen: dict[int, tuple[str, float]]) -> bool:
        now = time.monotonic()
        beat, since = seen.get(ticket.number, ("", now))
        if beat != ticket.beat:
            since = now
        seen[ticket.number] = (ticket.beat, since)
        return ticket.owner.gone or now - since > self._settings.deploy_lease_seconds

    def _take(self, ticket: Ticket) -> bool:
        """Mark a ticket as dead; False where it has beaten after all."""
        self.check()
        self._tickets.note(ticket.number, TAKEN_BY, str(self.number))
        if self._tickets.read(ticket.number).beat == ticket.beat:
            return True
        self._tickets.erase(ticket.number, TAKEN_BY)
        return False
