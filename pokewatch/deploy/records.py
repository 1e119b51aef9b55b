"""Deploy records in the model registry: the queue of deploys, and the progress of each.

A record is a version of the registered model `<model>-deploys`, which every MLflow backend numbers
uniquely and in order. Its tags are the progress of the deploy, each written before or after one
step, so that another process can finish or undo a deploy that was killed.
"""

import json
import os
import socket
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, Self, cast

from pokewatch.registry import Registry
from pokewatch.registry_records import RegistryRecords

BEFORE = "before"  # tag: the aliases before, in JSON; without it none has been moved
DECISION = "decision"  # tag: DEPLOYED, or the reason for a refusal; absent until decided
OUTCOME = "outcome"  # tag: the result; absent until the deploy has ended
CHAMPION_AFTER = "champion"  # tag: the champion when the deploy ended
TAKEN_BY = "taken_by"  # tag: the number of the deploy that took this one over
HEARTBEAT = "beat"  # tag: a counter that increases while the deploy is alive
DEPLOYED = "deployed"

# `experiment` changes the callers of an experiment's challenger, and moves no champion.
Kind = Literal["deploy", "rollback", "experiment"]


@dataclass(frozen=True, slots=True)
class AliasesBefore:
    """The versions behind `champion` and `previous` before a deploy, None where there was none."""

    champion: str | None
    previous: str | None


@dataclass(frozen=True, slots=True)
class Owner:
    """The process of a deploy. Whether it still runs can be determined on its own machine only."""

    host: str
    pid: int
    machine: str
    started: str

    @classmethod
    def current(cls) -> Self:
        return cls(socket.gethostname(), os.getpid(), _machine(), _started(os.getpid()))

    @property
    def is_gone(self) -> bool:
        """Return whether the process has ended; False where that cannot be determined."""
        return (
            bool(self.machine) and self.machine == _machine() and _started(self.pid) != self.started
        )

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


@dataclass(frozen=True, slots=True)
class DeployRecord:
    """The record of one deploy, one rollback, or one change to an experiment's share of callers."""

    number: int
    kind: Kind
    target: str
    owner: Owner
    before: AliasesBefore | None
    decision: str
    outcome: str
    taken_by: str
    heartbeat: str
    champion: str

    @classmethod
    def from_tags(cls, number: int, tags: Mapping[str, str]) -> Self:
        before = tags.get(BEFORE)
        return cls(
            number=number,
            kind=cast(Kind, tags["kind"]),
            target=tags["target"],
            owner=Owner(**json.loads(tags["owner"])),
            before=AliasesBefore(**json.loads(before)) if before else None,
            decision=tags.get(DECISION, ""),
            outcome=tags.get(OUTCOME, ""),
            taken_by=tags.get(TAKEN_BY, ""),
            heartbeat=tags.get(HEARTBEAT, ""),
            champion=tags.get(CHAMPION_AFTER, ""),
        )

    @property
    def not_done(self) -> str:
        """Return what has not been done if it fails."""
        if self.kind == "experiment":
            return f"the callers of {self.target} were not changed"
        return f"version {self.target} was not deployed"

    def __str__(self) -> str:
        of = {"deploy": "of version", "rollback": "back to version", "experiment": "for"}[self.kind]
        return f"deploy {self.number} {of} {self.target}, {self.owner}"


class DeployRecords:
    """The deploy records of a registry, separate for each of its branches."""

    def __init__(self, registry: Registry) -> None:
        self._records = RegistryRecords(registry, "deploy")

    def create(self, kind: Kind, target: str) -> DeployRecord:
        """Create the next record, for a deploy of, or rollback to, version `target`."""
        owner = json.dumps(asdict(Owner.current()))
        tags = {"kind": kind, "target": target, "owner": owner, HEARTBEAT: "0"}
        return DeployRecord.from_tags(self._records.create(tags), tags)

    def read(self, number: int) -> DeployRecord:
        return DeployRecord.from_tags(number, self._records.read(number))

    def newest(self) -> list[DeployRecord]:
        """Return the newest records, newest first."""
        return [DeployRecord.from_tags(*each) for each in self._records.newest()]

    def unfinished(self) -> list[DeployRecord]:
        """Return those that have not ended, oldest first."""
        return [record for record in reversed(self.newest()) if not record.outcome]

    def set_tag(self, number: int, tag: str, text: str) -> None:
        """Set one tag of a record."""
        self._records.set_tag(number, tag, text)

    def delete_tag(self, number: int, tag: str) -> None:
        """Delete one tag of a record."""
        self._records.delete_tag(number, tag)


def _machine() -> str:
    """Return an id of this boot and its process namespace; "" where there is none."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"  # not a path of files  # noqa: PTH115
    except OSError:
        return ""


def _started(pid: int) -> str:
    """Return the start time of a process in kernel ticks; "" where it does not run."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else fields[19]
