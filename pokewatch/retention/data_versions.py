"""The data versions at the remote: content-addressed files, and `.dir` files that list them.

The runs of the pipeline save raw prices, shards and panels. Of these only the raw prices and the
panel of a registered version are cited, by its tags.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from pokewatch.errors import VersionError
from pokewatch.market.latest_version import LatestVersions
from pokewatch.market.recent_saves import LIST, RecentSaves
from pokewatch.registry_database import ListedVersion
from pokewatch.remote_files import (
    open_remote,
    read_json,
    remote_errors,
    write_atomically,
    written_at,
)
from pokewatch.settings import VersionSettings, home_folder
from pokewatch.wording import counted

# A run saves its versions hours before it registers the model that cites them.
YOUNG = timedelta(days=2)
CITATIONS = ("data_version", "raw_version")  # tags of a model version
_FILES = "files/md5"
_UNREFERENCED = "unreferenced.json"


def is_owned(settings: VersionSettings) -> bool:
    """Return whether no other registry cites versions at the remote."""
    return settings.dvc_remote_owned or settings.remote() == str(home_folder() / "dvc-remote")


def remove_unused_files(
    retained: Sequence[ListedVersion], now: datetime, *, dry_run: bool
) -> Iterator[tuple[str, int]]:
    """Remove the files at the remote that no kept version refers to. Yield a count and the bytes.

    Kept are the latest version of every lake, those that the model versions `retained` cite, those
    saved within YOUNG, and files younger than that. A file is removed only if it was unreferenced
    YOUNG ago as well, at an earlier call. Raise VersionError.
    """
    settings = VersionSettings.read()
    saves = RecentSaves(settings)
    files, root = open_remote(settings.remote(), settings)
    try:
        if not dry_run:
            saves.forget(now - YOUNG)
        found = _stored(files, f"{root}/{_FILES}")
        cited = {each.tags[tag] for each in retained for tag in CITATIONS if each.tags.get(tag)}
        latest = set(LatestVersions(settings).all())
        wanted = _with_contents(files, found, cited | latest) | saves.recorded(now - YOUNG)
        unreferenced = {
            name: info
            for name, info in found.items()
            if name not in wanted and now - written_at(info) > YOUNG
        }
        recorded = _recorded(files, root)
        # One recorded while the clock was wrong, in the future, counts from now on.
        since = {name: min(recorded.get(name, now), now) for name in unreferenced}
        unused = [name for name in unreferenced if now - since[name] >= YOUNG]
        if not dry_run:
            paths = {name: found[name]["name"] for name in unused}
            unused = _remove(files, paths, saves, now - YOUNG)
            rest = {name: since[name] for name in unreferenced if name not in unused}
            if rest != recorded:  # a full disk has no room for what is recorded already
                write_atomically(
                    files,
                    f"{root}/{_UNREFERENCED}",
                    json.dumps({name: time.isoformat() for name, time in rest.items()}),
                )
    except remote_errors(ValueError) as error:
        raise VersionError(f"the remote {settings.remote()} cannot be tidied: {error}") from error
    if unused:
        count = f"{counted(len(unused), 'file')} of data versions"
        yield count, sum(int(found[name]["size"]) for name in unused)


def _remove(files: Any, paths: Mapping[str, str], saves: RecentSaves, since: datetime) -> list[str]:
    """Remove files, but those of versions saved meanwhile; return the names of the removed."""
    if not paths:
        return []
    with saves.removal() as proceed:
        unused = paths.keys() - saves.recorded(since)
        # A version without its list is gone; one that lacks a file would look complete.
        for name in sorted(unused, key=lambda name: not name.endswith(LIST)):
            proceed()
            with suppress(FileNotFoundError):  # another process was faster
                files.rm_file(paths[name])
    return list(unused)


def _stored(files: Any, folder: str) -> dict[str, Mapping[str, Any]]:
    """Return the files of the remote by their hash, "<hash>.dir" for a list."""
    try:
        found = files.find(folder, detail=True)
    except FileNotFoundError:
        return {}
    return {"".join(path.split("/")[-2:]): info for path, info in found.items()}


def _with_contents(files: Any, found: Mapping[str, Any], versions: set[str]) -> set[str]:
    """Return the names of the files that these versions need: their lists, and what those list."""
    wanted = {f"{version}{LIST}" for version in versions}
    for name in wanted & found.keys():
        wanted = wanted | {str(entry["md5"]) for entry in read_json(files, found[name]["name"])}
    return wanted


def _recorded(files: Any, root: str) -> dict[str, datetime]:
    """Return when each file was first seen without a reference, {} if the record is damaged."""
    try:
        found = read_json(files, f"{root}/{_UNREFERENCED}")
    except (FileNotFoundError, ValueError):
        return {}
    return {name: datetime.fromisoformat(time) for name, time in found.items()}
