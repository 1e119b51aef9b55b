"""What is wrong with an installation, and how to mend it."""

import importlib.util
import os
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pokewatch.errors import NoChampionError, PokeWatchError
from pokewatch.settings import Home, RegistrySettings, VersionSettings, sections

if TYPE_CHECKING:
    from pokewatch.market.lake import Lake

State = Literal["ok", "warning", "fault"]

_EXTRAS = {
    "pipeline": ("pandas", "pyarrow", "dvc", "mlflow", "metaflow"),
    "serving": ("mlserver", "numpy"),
    "gateway": ("starlette", "msgspec", "uvicorn"),
}
_FREE_BYTES = 2 * 1024**3


@dataclass(frozen=True, slots=True)
class Finding:
    """`remedy` says what to do, "" where nothing is to be done."""

    name: str
    state: State
    detail: str
    remedy: str = ""


def examine() -> Iterator[Finding]:
    """The findings, one by one as they are made; each check stands alone, so one fault hides no other."""
    for check in (_python, _extras, _settings, _home, _disk, _lakes, _remote, _registry, _champion):
        yield from _guarded(check)


def _guarded(check: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    name = check.__name__.removeprefix("_")
    try:
        yield from check()
    except PokeWatchError as error:
        yield Finding(name, "fault", str(error))
    except OSError as error:
        yield Finding(name, "fault", str(error), f"make {error.filename or 'the folder'} readable and writable for this user")


def _python() -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] in ((3, 11), (3, 12)):
        yield Finding("python", "ok", version)
    else:
        yield Finding("python", "fault", version, "set up with Python 3.11 or 3.12: make clean, then make setup PYTHON=python3.12")


def _extras() -> Iterator[Finding]:
    for extra, modules in _EXTRAS.items():
        missing = [name for name in modules if importlib.util.find_spec(name) is None]
        if missing:
            remedy = f"pip install 'pokewatch[{extra}]', if this machine needs it"
            yield Finding(extra, "warning", f"not installed: {', '.join(missing)}", remedy)
        else:
            yield Finding(extra, "ok", "installed")


def _settings() -> Iterator[Finding]:
    for section in sections():
        section.read()
    yield Finding("settings", "ok", f"{sum(len(section.model_fields) for section in sections())} read")


def _home() -> Iterator[Finding]:
    home = Home.read().home
    if not home.exists():
        yield Finding("home", "warning", f"{home} does not exist yet", "the first run of the pipeline makes it: make run")
    elif not os.access(home, os.W_OK | os.X_OK):
        remedy = f"make it writable for this user, or set {Home.variable('home')} to another folder"
        yield Finding("home", "fault", f"{home} cannot be written", remedy)
    elif home.stat().st_mode & 0o077:
        detail = f"{home} can be entered by other users of this machine"
        yield Finding("home", "warning", detail, f"chmod 700 {shlex.quote(str(home))}")
    else:
        yield Finding("home", "ok", str(home))


def _disk() -> Iterator[Finding]:
    home = Home.read().home
    existing = next(folder for folder in (home, *home.parents) if folder.exists())
    free = shutil.disk_usage(existing).free
    detail = f"{free / 1024**3:.1f} GiB free"
    if free < _FREE_BYTES:
        yield Finding("disk", "warning", detail, f"the whole catalogue needs a few GiB a year: free some, or move {Home.variable('home')}")
    else:
        yield Finding("disk", "ok", detail)


def _lakes() -> Iterator[Finding]:
    from pokewatch.market.lake import Lake

    roots = sorted(path for path in Home.read().lakes.glob("*") if path.is_dir())
    if not roots:
        yield Finding("prices", "warning", "none collected yet", "pokewatch collect, or make run")
    for root in roots:
        yield _lake(Lake(root))


def _lake(lake: "Lake") -> Finding:
    name, days = f"prices: {lake.root.name}", lake.days()
    if not days:
        return Finding(name, "warning", "no day collected", f"pokewatch collect --source {lake.root.name.split('-')[0]}")
    lake.day(days[-1])
    if not lake.has_catalog():
        return Finding(name, "fault", f"{len(days)} days without a catalogue", "collect again: pokewatch collect")
    gaps = (days[-1] - days[0]).days + 1 - len(days)
    age = (datetime.now(UTC).date() - days[-1]).days
    detail = f"{len(days)} days, {days[0]} to {days[-1]}" + (f", {gaps} missing between" if gaps else "")
    if age > 2 and not lake.root.name.startswith("file-"):
        return Finding(name, "warning", f"{detail}; {age} days old", "pokewatch collect fetches what is missing")
    return Finding(name, "ok", detail)


def _remote() -> Iterator[Finding]:
    remote = VersionSettings.read().remote()
    if "://" in remote:
        yield Finding("data remote", "ok", remote)
        return
    folder = Path(remote)
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    if existing.is_dir() and os.access(existing, os.W_OK):
        yield Finding("data remote", "ok", remote)
    else:
        remedy = f"set {VersionSettings.variable('dvc_remote')} to a folder of yours or s3://bucket/path"
        yield Finding("data remote", "fault", f"{existing} cannot be written", remedy)


def _registry() -> Iterator[Finding]:
    settings = RegistrySettings.read()
    yield Finding("registry", "ok", "an MLflow server" if "://" in settings.mlflow_tracking_uri else "embedded (SQLite)")


def _champion() -> Iterator[Finding]:
    from pokewatch.registry import Registry
    from pokewatch.valuation.book import PriceBook

    registry = Registry()
    try:
        champion = registry.resolve()
    except NoChampionError as error:
        yield Finding("champion", "warning", str(error).split(":")[0], "make run, or python flows/flow.py run")
        return
    PriceBook.open(registry.fetch_book(champion), champion.digest)
    yield Finding("champion", "ok", f"version {champion.version} on data {champion.data_version[:12]}")
