"""The runs in Metaflow's datastore, and their cards. Metaflow itself removes nothing.

    <flow>/<run>/<step>/<task>/<attempt>.data.json    which artifacts a task stored, by hash
    <flow>/data/<2 letters>/<hash>                    an artifact, or the code of a deployment
    <flow>/runs/<run>/...                             cards; on S3 below `mf.cards`

An artifact is shared by all runs that stored the same value. The code of a deployment is no run's
artifact, and so never removed.

A task that stores a value which is there already only cites it, when it ends. So artifacts are
removed only while no task of their flow is in progress; a removal is announced first, and a task
that begins meanwhile waits for its end (`wait_for_removals`).

    pokewatch.removals/<name>                         a removal in progress
    <flow>/<run>/<step>/<task>/<attempt>.attempt.json a task has begun
    <flow>/<run>/<step>/<task>/<attempt>.DONE.lock    it has ended
"""

import json
import posixpath
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pokewatch.errors import VersionError
from pokewatch.remote_files import open_remote, remote_errors, written_at
from pokewatch.removals import Removals
from pokewatch.settings import VersionSettings
from pokewatch.wording import counted

FLOWS = (
    "PokeWatchFlow",
    "PokeWatchBackfill",
    "PokeWatchMonitor",
    "PokeWatchMarkets",
    "PokeWatchMonitors",
)  # the datastore may hold others' flows
_NOT_RUNS = {"data", "runs", "_meta"}
_CARDS = "mf.cards"
_REMOVALS = "pokewatch.removals"
_BEGUN, _ENDED = ".attempt.json", ".DONE.lock"
_LONGEST_TASK = timedelta(days=1)  # a task that has begun before was killed

Files = Mapping[str, Mapping[str, Any]]  # path: size and time


def remove_old_runs(
    root: str, now: datetime, keep: timedelta, *, dry_run: bool, own_task: str = ""
) -> Iterator[tuple[str, int]]:
    """Remove the runs below the datastore's `root` whose last file is older than `keep`.

    Yield each flow's number of runs and the bytes freed. Runs of a flow with a task in progress
    stay until the next call; `own_task` (flow/run/step/task), which calls this, does not count.
    Raise VersionError.
    """
    files, path = open_remote(root, VersionSettings.read())
    try:
        for flow in FLOWS:
            yield from _remove_runs_of(files, f"{path}/{flow}", now, keep, dry_run, own_task)
    except remote_errors(ValueError) as error:
        raise VersionError(f"the runs at {root} cannot be tidied: {error}") from error


def wait_for_removals(root: str) -> None:
    """Wait until no runs are being removed below the datastore's `root`. Raise OSError."""
    files, path = open_remote(root, VersionSettings.read())
    Removals(files, f"{path}/{_REMOVALS}").wait()


def _remove_runs_of(
    files: Any, flow: str, now: datetime, keep: timedelta, dry_run: bool, own_task: str
) -> Iterator[tuple[str, int]]:
    before, root = now - keep, posixpath.dirname(flow)
    if not any(_is_old(each, before) for each in _runs_of(files, flow).values()):
        return
    if dry_run:
        found = _OldRuns.find(files, flow, before)
    else:
        with Removals(files, f"{root}/{_REMOVALS}").announced() as proceed:
            found = _OldRuns.find(files, flow, before)
            busy = _in_progress(found.others, now - _LONGEST_TASK)
            if busy - {f"{root}/{own_task}"}:
                return
            found.remove(files, proceed)
    if found.runs:  # another process may have been faster
        name = posixpath.basename(flow)
        yield f"{counted(len(found.runs), 'run')} of {name}", found.size


def _runs_of(files: Any, flow: str) -> dict[str, Files]:
    """Return the runs of a flow with their files."""
    runs = [run for run in _folders(files, flow) if posixpath.basename(run) not in _NOT_RUNS]
    return {run: files.find(run, detail=True) for run in runs}


@dataclass(frozen=True, slots=True)
class _OldRuns:
    """The old `runs` of a flow with their files, and what goes with them; the `others` stay."""

    runs: Mapping[str, Files]
    others: Mapping[str, Files]
    artifacts: Files
    cards: Mapping[str, Files]

    @classmethod
    def find(cls, files: Any, flow: str, before: datetime) -> "_OldRuns":
        contents = _runs_of(files, flow)
        old = {run: found for run, found in contents.items() if _is_old(found, before)}
        others = {run: found for run, found in contents.items() if run not in old}
        unused = _artifacts(files, old) - _artifacts(files, others)
        found = files.find(f"{flow}/data", detail=True) if unused else {}
        stored = {path: info for path, info in found.items() if posixpath.basename(path) in unused}
        cards = {folder: files.find(folder, detail=True) for folder in _cards_of(files, flow, old)}
        return cls(old, others, stored, cards)

    @property
    def size(self) -> int:
        parts = (self.artifacts, *self.cards.values(), *self.runs.values())
        return sum(int(info["size"]) for part in parts for info in part.values())

    def remove(self, files: Any, proceed: Callable[[], None]) -> None:
        for path in self.artifacts:
            proceed()
            files.rm_file(path)
        # The runs go last: after an interruption, the next call finds what is left of them.
        for folder in (*self.cards, *self.runs):
            proceed()
            files.rm(folder, recursive=True)


def _in_progress(runs: Mapping[str, Files], since: datetime) -> set[str]:
    """Return the tasks with an attempt that has begun since then and not ended."""
    found = set[str]()
    for contents in runs.values():
        for path, info in contents.items():
            attempt, begun, _ = path.partition(_BEGUN)
            if begun and f"{attempt}{_ENDED}" not in contents:
                young = written_at(info) >= since
                found |= {posixpath.dirname(path)} if young else set()
    return found


def _folders(files: Any, path: str) -> list[str]:
    try:
        found = files.ls(path, detail=True)
    except FileNotFoundError:
        return []
    return [str(each["name"]).rstrip("/") for each in found if each["type"] == "directory"]


def _is_old(contents: Files, before: datetime) -> bool:
    times = list(map(written_at, contents.values()))
    return max(times, default=datetime.now(UTC)) < before


def _artifacts(files: Any, runs: Mapping[str, Files]) -> set[str]:
    """Return the hashes of the artifacts that the tasks of the runs stored."""
    found: set[str] = set()
    for path in (path for contents in runs.values() for path in contents):
        if path.endswith(".data.json"):
            found |= set(json.loads(files.cat_file(path)).get("objects", {}).values())
    return found


def _cards_of(files: Any, flow: str, runs: Iterable[str]) -> list[str]:
    """Return the folders of the runs' cards."""
    root, name = posixpath.split(flow)
    folders = [
        f"{parent}/runs/{posixpath.basename(run)}"
        for parent in (flow, f"{root}/{_CARDS}/{name}")
        for run in runs
    ]
    return [folder for folder in folders if files.exists(folder)]
