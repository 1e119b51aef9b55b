"""The record of every deploy, in the model registry: whose turn it is, and what was served before.

Each deploy takes a ticket: a version of the registered model `<model>-deploys`, which every MLflow
backend numbers uniquely and in order. Its tags say what the deploy has done so far, each written
before or after one step, so that another process can finish or undo one that was killed.
"""

import json
import os
import socket
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, Self, cast

from pokewatch.errors import RegistryError
from pokewatch.registry import Registry

BEFORE = "before"  # tag: what was served, in JSON; without it nothing has been moved
DECISION = "decision"  # tag: DEPLOYED, or why not; without it the deploy has not got so far
OUTCOME = "outcome"  # tag: how it ended, in words; without it it has not ended
CHAMPION_AFTER = "champion"  # tag: the champion when it ended
TAKEN_BY = "taken_by"  # tag: the ticket of who took this one for dead
BEAT = "beat"  # tag: a number that changes while the deploy is alive
DEPLOYED = "deployed"

Kind = Literal["deploy", "rollback"]

_NEWEST = 200
_ATTEMPTS = 10  # to get a number, of which MLflow itself makes three each


@dataclass(frozen=True, slots=True)
class Before:
    """The versions behind `champion` and `previous` before a deploy, None where there was none."""

    champion: str | None
    previous: str | None


@dataclass(frozen=True, slots=True)
class Owner:
    """The process of a deploy. Where `machine` is this one, it can be seen whether it still runs."""

    host: str
    pid: int
    machine: str
    started: str

    @classmethod
    def this(cls) -> Self:
        return cls(socket.gethostname(), os.getpid(), _machine(), _started(os.getpid()))

    @property
    def gone(self) -> bool:
        """Whether it surely runs no more; False where that cannot be seen from here."""
        return (
            bool(self.machine) and self.machine == _machine() and _started(self.pid) != self.started
        )

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


@dataclass(frozen=True, slots=True)
class Ticket:
    """One deploy, as its record has it."""

    number: int
    kind: Kind
    target: str
    owner: Owner
    before: Before | None
    decision: str
    outcome: str
    taken_by: str
    beat: str
    champion: str

    @classmethod
    def of(cls, number: int, tags: Mapping[str, str]) -> Self:
        before = tags.get(BEFORE)
        return cls(
            number=number,
            kind=cast(Kind, tags["kind"]),
            target=tags["target"],
            owner=Owner(**json.loads(tags["owner"])),
            before=Before(**json.loads(before)) if before else None,
            decision=tags.get(DECISION, ""),
            outcome=tags.get(OUTCOME, ""),
            taken_by=tags.get(TAKEN_BY, ""),
            beat=tags.get(BEAT, ""),
            champion=tags.get(CHAMPION_AFTER, ""),
        )

    def __str__(self) -> str:
        what = "of" if self.kind == "deploy" else "back to"
        return f"deploy {self.number} {what} version {self.target}, {self.owner}"


class Tickets:
    """The tickets of a registry; each of its branches has its own."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._name = registry.named(f"{registry.name}-deploys")

    def take(self, kind: Kind, target: str) -> Ticket:
        """Draw the next number for a deploy of, or rollback to, version `target`."""
        from mlflow.exceptions import MlflowException

        owner = json.dumps(asdict(Owner.this()))
        tags = {"kind": kind, "target": target, "owner": owner, BEAT: "0"}
        for _ in range(_ATTEMPTS):
            with self._registry.asked("a deploy cannot be recorded") as client:
                self._ensure_named(client)
                try:
                    made = client.create_model_version(self._name, "pokewatch:/deploy", tags=tags)
                except MlflowException as error:
                    if "Giving up" not in str(error):
                        raise
                    continue  # others have drawn every number that was tried
                return Ticket.of(int(made.version), tags)
        raise RegistryError("a deploy cannot be recorded: too many others are at the same time")

    def read(self, number: int) -> Ticket:
        with self._registry.asked(f"the record of deploy {number} cannot be read") as client:
            found = client.get_model_version(self._name, str(number))
            return Ticket.of(number, found.tags)

    def newest(self) -> list[Ticket]:
        """Return the newest tickets, newest first."""
        with self._registry.asked("the record of deploys cannot be read") as client:
            found = client.search_model_versions(
                f"name='{self._name}'", _NEWEST, order_by=["version_number DESC"]
            )
            return [Ticket.of(int(each.version), each.tags) for each in found]

    def unfinished(self) -> list[Ticket]:
        """Return those that have not ended, in the order of their turns."""
        return [ticket for ticket in reversed(self.newest()) if not ticket.outcome]

    def note(self, number: int, tag: str, text: str) -> None:
        """Write one tag of a ticket."""
        with self._registry.asked(f"the record of deploy {number} cannot be written") as client:
            client.set_model_version_tag(self._name, str(number), tag, text)

    def erase(self, number: int, tag: str) -> None:
        """Remove one tag of a ticket."""
        with self._registry.asked(f"the record of deploy {number} cannot be written") as client:
            client.delete_model_version_tag(self._name, str(number), tag)

    def _ensure_named(self, client: object) -> None:
        from mlflow.exceptions import MlflowException

        try:
            client.create_registered_model(self._name)  # type: ignore[attr-defined]
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise


def _machine() -> str:
    """Return what names this start of this machine and its process numbers; "" where none does."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"  # not a path of files  # noqa: PTH115
    except OSError:
        return ""


def _started(pid: int) -> str:
    """Return when a process was started, in the kernel's ticks; "" where there is none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else fields[19]
