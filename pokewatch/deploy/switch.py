"""Moving the champion as a transaction: recorded before, decided once, finished or undone.

    BEFORE     what is served, written before anything moves; a deploy without it is simply over
    champion   moved, the MLServers reloaded and watched; a deploy that ends here is undone
    DECISION   deployed: from here on it is only finished; refused: from here on it is only undone
    previous   moved by a deploy that succeeded, or the champion put back
    OUTCOME    over

Every step can be repeated. `Switch.settle` does from the record what a killed deploy has not done.
"""

import json
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from types import FrameType

import httpx

from pokewatch import notify
from pokewatch.deploy.reload import ReplicaOutcome, failures, follow
from pokewatch.deploy.tickets import (
    BEFORE,
    CHAMPION_AFTER,
    DECISION,
    DEPLOYED,
    OUTCOME,
    Before,
    Kind,
    Ticket,
    Tickets,
)
from pokewatch.deploy.turn import Turn
from pokewatch.errors import DeployError, TurnLostError
from pokewatch.registry import CHAMPION, DEPLOYED_AT, PREVIOUS, REFUSED, Registry
from pokewatch.settings import DeploySettings, ServingSettings

Proof = Callable[[httpx.Client, Sequence[str]], None]  # of the addresses that serve the version


@dataclass(slots=True)
class _Move:
    """What has been written of a move, by this process or by one that was killed."""

    number: int
    version: str
    before: Before
    decision: str = ""


class Switch:
    """The one deploy of a registry that may move its champion."""

    def __init__(
        self, registry: Registry, turn: Turn, client: httpx.Client, addresses: Sequence[str]
    ) -> None:
        self._registry = registry
        self._tickets = Tickets(registry)
        self._turn = turn
        self._client = client
        self._addresses = addresses
        self._move: _Move | None = None

    def to(self, version: str, proof: Proof | None = None) -> list[ReplicaOutcome]:
        """Make `version` champion and have every MLServer serve it and pass the proof."""
        before = Before(alias(self._registry, CHAMPION), alias(self._registry, PREVIOUS))
        self._tickets.note(self._turn.number, BEFORE, json.dumps(asdict(before)))
        self._move = move = _Move(self._turn.number, version, before)
        if before.champion != version:
            self._point(CHAMPION, version)
        outcomes = self.follow(version)
        if proof is not None:
            self._prove(proof, outcomes)
        self._turn.check()
        self._tickets.note(move.number, DECISION, DEPLOYED)
        move.decision = DEPLOYED
        self._finish(move)
        return outcomes

    def follow(self, version: str) -> list[ReplicaOutcome]:
        """Have every MLServer serve `version`. Raises DeployError."""
        return [follow(self._client, address, version) for address in self._addresses]

    def settle(self, ticket: Ticket) -> None:
        """Finish or undo what a dead deploy has left."""
        if ticket.before is None:
            self._end(ticket.number, "it ended before anything was moved")
            return
        move = _Move(ticket.number, ticket.target, ticket.before, ticket.decision)
        if move.decision == DEPLOYED:
            self._finish(move)
        else:
            self._tell_undone(move, "its deploy was killed", self._undo(move))

    def give_up(self, error: BaseException) -> str:
        """Undo what has not been decided, and end; what was done, in words, "" where nothing was."""
        move = self._move
        if move is None:
            self._end(self._turn.number, f"refused: {error}")
            return ""
        if move.decision == DEPLOYED:
            return ""  # the next deploy finishes it
        restored = self._undo(move)
        self._tell_undone(move, str(error) or type(error).__name__, restored)
        return restored

    def _prove(self, proof: Proof, outcomes: Sequence[ReplicaOutcome]) -> None:
        serving = [outcome.address for outcome in outcomes if outcome.state == "serving"]
        if serving:
            proof(self._client, serving)

    def refuse(self, reason: str) -> None:
        """Decide against the version that is being moved: no later deploy tries it again."""
        if self._move is not None and not self._move.decision:
            self._tickets.note(self._move.number, DECISION, reason)
            self._move.decision = reason

    def _finish(self, move: _Move) -> None:
        if move.before.champion not in (None, move.version):
            self._point(PREVIOUS, str(move.before.champion))
        now = datetime.now(UTC).isoformat(timespec="seconds")
        self._registry.mark(move.version, DEPLOYED_AT, now)
        self._end(move.number, f"version {move.version} is champion")

    def _undo(self, move: _Move) -> str:
        former = move.before.champion
        if move.decision and former != move.version:
            self._registry.mark(move.version, REFUSED, move.decision)
        if former is None:
            self._turn.check()
            self._registry.release(CHAMPION)
            restored = "no model is champion, as before"
        else:
            self._point(CHAMPION, former)
            failed = list(failures(self._client, former, self._addresses))
            restored = f"version {former} is champion again"
            restored += f", but {'; '.join(failed)}" if failed else ""
        self._end(move.number, restored)
        return restored

    def _point(self, name: str, version: str) -> None:
        self._turn.check()
        self._registry.point(name, version)

    def _end(self, number: int, outcome: str) -> None:
        champion = alias(self._registry, CHAMPION)
        self._tickets.note(number, CHAMPION_AFTER, champion or "")
        self._tickets.note(number, OUTCOME, outcome)

    def _tell_undone(self, move: _Move, why: str, restored: str) -> None:
        title = f"model version {move.version} was rolled back"
        notify.send_once("rolled back", f"version {move.version}", title, f"{why}; {restored}.")


def alias(registry: Registry, name: str) -> str | None:
    """Return the version behind an alias, None where there is none."""
    model = registry.find(name)
    return model.version if model else None


@contextmanager
def switching(
    registry: Registry, kind: Kind, version: str, addresses: Sequence[str]
) -> Iterator[Switch]:
    """Wait for the turn, settle what dead deploys have left, and undo whatever does not end well.

    A DeployError says what was restored. SIGTERM ends the process once all is undone.
    """
    tickets = Tickets(registry)
    ticket = tickets.take(kind, version)
    turn = Turn(tickets, ticket, DeploySettings.read())
    timeout = ServingSettings.read().load_timeout + 10
    with _terminable(), httpx.Client(timeout=timeout) as client, turn.alive():
        switch = Switch(registry, turn, client, addresses)
        try:
            turn.wait(switch.settle)
            yield switch
        except TurnLostError:
            raise  # who took over settles it
        except DeployError as error:
            if kind == "deploy":
                switch.refuse(str(error))
            restored = switch.give_up(error)
            if not restored:
                raise
            raise type(error)(f"{error}; {restored}") from None
        except BaseException as error:
            switch.give_up(error)
            raise


@contextmanager
def _terminable() -> Iterator[None]:
    """Have SIGTERM raise SystemExit meanwhile, once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def ended(signum: int, _: FrameType | None) -> None:
        signal.signal(signum, signal.SIG_IGN)
        raise SystemExit(128 + signum)

    former = signal.signal(signal.SIGTERM, ended)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, former)
