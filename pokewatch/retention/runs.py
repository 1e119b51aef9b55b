"""The runs in Metaflow's datastore, and their cards. Metaflow itself removes nothing.

    <flow>/<run>/<step>/<task>/<attempt>.data.json    which artifacts a task stored, by hash
    <flow>/data/<2 letters>/<hash>                    an artifact, or the code of a deployment
    <flow>/runs/<run>/...                             cards; on S3 below `mf.cards`

An artifact is shared by all runs that stored the same value. The code of a deployment is no run's
artifact, and so never removed.
"""

import json
import posixpath
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from pokewatch.errors import VersionError
from pokewatch.remote_files import open_remote
from pokewatch.settings import VersionSettings

FLOWS = (
    "PokeWatchFlow",
    "PokeWatchBackfill",
    "PokeWatchMonitor",
    "PokeWatchMarkets",
    "PokeWatchMonitors",
)  # the datastore may hold others' flows
_NOT_RUNS = {"data", "runs", "_meta"}
_CARDS = "mf.cards"


def remove_old_runs(
    root: str, now: datetime, keep: timedelta, *, dry_run: bool
) -> Iterator[tuple[str, int]]:
    """Remove the runs below the datastore's `root` whose last file is older than `keep`.

    Yield each flow's number of runs and the bytes freed. Raise VersionError.
    """
    files, path = open_remote(root, VersionSettings.read())
    try:
        for flow in FLOWS:
            yield from _remove_runs_of(files, f"{path}/{flow}", now - keep, dry_run)
    except (OSError, ValueError) as error:
        raise VersionError(f"the runs at {root} cannot be tidied: {error}") from error


def _remove_runs_of(
    files: Any, flow: str, before: datetime, dry_run: bool
) -> Iterator[tuple[str, int]]:
    runs = [run for run in _folders(files, flow) if posixpath.basename(run) not in _NOT_RUNS]
    contents = {run: files.find(run, detail=True) for run in runs}
    old = [run for run in runs if _last_written(files, contents[run]) < before]
    if not old:
        return
    retained = {each for run in runs if run not in old for each in _artifacts(files, contents[run])}
    unused = {each for run in old for each in _artifacts(files, contents[run])} - retained
    found = files.find(f"{flow}/data", detail=True) if unused else {}
    blobs = {path: info for path, info in found.items() if posixpath.basename(path) in unused}
    cards = {folder: files.find(folder, detail=True) for folder in _cards_of(files, flow, old)}
    size = sum(
        int(info["size"])
        for each in (blobs, *cards.values(), *(contents[run] for run in old))
        for info in each.values()
    )
    if not dry_run:
        for path in blobs:
            files.rm_file(path)
        # The runs go last: after an interruption, the next call finds what is left of them.
        for folder in (*cards, *old):
            files.rm(folder, recursive=True)
    name = posixpath.basename(flow)
    yield f"{len(old):,} run{'s' if len(old) > 1 else ''} of {name}", size


def _folders(files: Any, path: str) -> Sequence[str]:
    try:
        found = files.ls(path, detail=True)
    except FileNotFoundError:
        return []
    return [str(each["name"]).rstrip("/") for each in found if each["type"] == "directory"]


def _last_written(files: Any, contents: dict[str, Any]) -> datetime:
    times = [
        files.modified(path) if "mtime" in info else info["LastModified"]
        for path, info in contents.items()
    ]
    return max((time.astimezone(UTC) for time in times), default=datetime.now(UTC))


def _artifacts(files: Any, contents: dict[str, Any]) -> set[str]:
    """Return the hashes of the artifacts that the tasks of a run stored."""
    found: set[str] = set()
    for path in contents:
        if path.endswith(".data.json"):
            found |= set(json.loads(files.cat_file(path)).get("objects", {}).values())
    return found


def _cards_of(files: Any, flow: str, runs: Sequence[str]) -> list[str]:
    """Return the folders of the runs' cards."""
    root, name = posixpath.split(flow)
    folders = [
        f"{parent}/runs/{posixpath.basename(run)}"
        for parent in (flow, f"{root}/{_CARDS}/{name}")
        for run in runs
    ]
    return [folder for folder in folders if files.exists(folder)]
