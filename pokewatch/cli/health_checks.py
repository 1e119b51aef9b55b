"""Checks of an installation, each with a suggested fix."""

import importlib.util
import os
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pokewatch.cli.findings import Finding
from pokewatch.cli.model_checks import market_findings
from pokewatch.cli.output import format_size
from pokewatch.contract import MAX_DATA_AGE_HOURS, data_age_hours
from pokewatch.errors import PokeWatchError
from pokewatch.notify import invalid_addresses
from pokewatch.settings import (
    Home,
    MarketSettings,
    NotifySettings,
    PriceWatchSettings,
    RegistrySettings,
    VersionSettings,
    sections,
    unknown_names,
)
from pokewatch.wording import age_in_words, counted

if TYPE_CHECKING:
    from pokewatch.market.lake import Lake

_EXTRAS = {
    "pipeline": ("pandas", "pyarrow", "dvc", "mlflow", "metaflow"),
    "serving": ("mlserver", "numpy"),
    "gateway": ("starlette", "msgspec", "uvicorn"),
    "mcp": ("mcp",),
}
_FREE_BYTES = 2 * 1024**3


def run_checks() -> Iterator[Finding]:
    """Yield the findings as they are made; a check that raises does not stop the others."""
    for check in (
        _python,
        _extras,
        _settings,
        _home,
        _disk,
        _sizes,
        _lakes,
        _keys,
        _watches,
        _remote,
        _registry,
        _markets,
    ):
        yield from _guarded(check)


def _guarded(check: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    name = check.__name__.removeprefix("_")
    try:
        yield from check()
    except PokeWatchError as error:
        yield Finding(name, "fault", str(error))
    except OSError as error:
        yield Finding(
            name,
            "fault",
            str(error),
            f"make {error.filename or 'the folder'} readable and writable by this user",
        )


def _python() -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] in ((3, 11), (3, 12)):
        yield Finding("python", "ok", version)
    else:
        yield Finding(
            "python",
            "fault",
            version,
            "use Python 3.11 or 3.12: make clean, then make setup PYTHON=python3.12",
        )


def _extras() -> Iterator[Finding]:
    for extra, modules in _EXTRAS.items():
        missing = [name for name in modules if importlib.util.find_spec(name) is None]
        if missing:
            remedy = f"pip install 'pokewatch[{extra}]' if this machine needs it"
            yield Finding(extra, "warning", f"not installed: {', '.join(missing)}", remedy)
        else:
            yield Finding(extra, "ok", "installed")


def _settings() -> Iterator[Finding]:
    for section in sections():
        section.read()
    yield Finding(
        "settings", "ok", f"{sum(len(section.model_fields) for section in sections())} read"
    )
    for text in unknown_names():
        ignored, _, remedy = text.rpartition(": ")  # the path of a home may have one too
        yield Finding("settings", "warning", ignored, remedy)
    for number in invalid_addresses():
        detail = f"address {number} of {NotifySettings.variable('notify_urls')} is not valid"
        yield Finding("settings", "fault", detail, "use an address of Apprise, as mailto://...")


def _home() -> Iterator[Finding]:
    home = Home.read().home
    if not home.exists():
        yield Finding(
            "home",
            "warning",
            f"{home} does not exist yet",
            "the first pipeline run creates it: pokewatch pipeline run",
        )
    elif not os.access(home, os.W_OK | os.X_OK):
        remedy = f"make it writable by this user, or set {Home.variable('home')} to another folder"
        yield Finding("home", "fault", f"{home} is not writable", remedy)
    elif closed := list(Home.read().closed()):
        more = f", and {len(closed) - 1} more" if len(closed) > 1 else ""
        detail = f"{closed[0]} belongs to another user, as after sudo{more}"
        yield Finding("home", "fault", detail, Home.read().own_again)
    elif home.stat().st_mode & 0o077:
        detail = f"{home} is accessible to other users of this machine"
        yield Finding("home", "warning", detail, f"chmod 700 {shlex.quote(str(home))}")
    else:
        yield Finding("home", "ok", str(home))


def _disk() -> Iterator[Finding]:
    home = Home.read().home
    existing = next(folder for folder in (home, *home.parents) if folder.exists())
    free = shutil.disk_usage(existing).free
    detail = f"{free / 1024**3:.1f} GiB free"
    if free < _FREE_BYTES:
        yield Finding(
            "disk",
            "warning",
            detail,
            "a full catalogue needs a few GiB per year: free some space, or move "
            f"{Home.variable('home')}",
        )
    else:
        yield Finding("disk", "ok", detail)


def _sizes() -> Iterator[Finding]:
    from pokewatch.retention.sizes import folder_sizes

    sizes = folder_sizes(Home.read().home)
    detail = ", ".join(f"{name} {format_size(size)}" for name, size in sizes.items() if size >= 1e6)
    if detail:
        yield Finding("sizes", "ok", detail)


def _lakes() -> Iterator[Finding]:
    from pokewatch.market.lake import Lake

    roots = sorted(path for path in Home.read().lakes.glob("*") if path.is_dir())
    if not roots:
        yield Finding("prices", "warning", "none collected yet", "pokewatch collect")
    for root in roots:
        try:
            yield _lake(Lake(root))
        except (PokeWatchError, OSError) as error:  # of one lake, beside which others are judged
            yield Finding(f"prices: {root.name}", "fault", str(error))


def _lake(lake: "Lake") -> Finding:
    name, days = f"prices: {lake.root.name}", lake.days()
    collect = _collect_command(lake.root.name)
    if damaged := _damaged(lake):
        remedy = f"{collect}, which restores or replaces them; if it cannot, delete {lake.damaged}"
        return Finding(name, "fault", damaged, remedy)
    if not days:
        return Finding(name, "warning", "no day collected", collect)
    if not lake.has_catalog():
        return Finding(name, "fault", f"{counted(len(days), 'day')} without a catalogue", collect)
    gaps = (days[-1] - days[0]).days + 1 - len(days)
    hours = data_age_hours(days[-1], datetime.now(UTC))
    detail = f"{counted(len(days), 'day')}, {days[0]} to {days[-1]}" + (
        f", {gaps} missing in between" if gaps else ""
    )
    if hours > MAX_DATA_AGE_HOURS:
        remedy = f"{collect} fetches the missing days"
        if lake.root.name.startswith("file-"):
            remedy = "collect a newer file: pokewatch collect --source file --file FILE"
        return Finding(name, "warning", f"{detail}; {age_in_words(hours)} old", remedy)
    return Finding(name, "ok", detail)


def _collect_command(lake: str) -> str:
    """Return the command that collects into the lake of this name."""
    from pokewatch.market.sources import SOURCES

    source, *options = lake.split("-")
    if source == "simulated" and len(options) == 2:
        return f"pokewatch collect --cards {options[0]} --seed {options[1]}"
    if source not in SOURCES:  # a game of the catalogue, such as magic-tcgplayer-usd
        return f"pokewatch collect --market {lake}"
    return f"pokewatch collect --source {source}{' --file FILE' if source == 'file' else ''}"


def _damaged(lake: "Lake") -> str:
    """Return which files of a lake are damaged, "" if none is."""
    unreadable, lost = lake.unreadable(), lake.lost()
    found = [*unreadable, *(lake.damaged / path for path in lost)]
    if not found:
        return ""
    more = f", and {len(found) - 1} more" if len(found) > 1 else ""
    how = "cannot be read" if unreadable else "could not be read, and nothing has replaced it"
    return f"{found[0]} {how}{more}"


def _keys() -> Iterator[Finding]:
    path = Home.read().keys
    if not path.exists() or importlib.util.find_spec("msgspec") is None:  # the gateway's extra
        return
    from pokewatch.gateway.auth.keys import KeyStore

    keys = KeyStore(path).list()
    now = datetime.now(UTC).timestamp()
    damaged = [key.id for key in keys if key.damaged and key.revoked_at is None]
    if path.stat().st_mode & 0o077:
        yield Finding(
            "keys",
            "fault",
            f"{path} is readable by other users",
            f"chmod 600 {shlex.quote(str(path))}",
        )
    elif damaged:
        yield Finding(
            "keys",
            "fault",
            f"damaged: {', '.join(damaged)}",
            "pokewatch keys revoke ID, then pokewatch keys create NAME",
        )
    else:
        yield Finding("keys", "ok", f"{sum(key.live(now) for key in keys)} live of {len(keys)}")


def _watches() -> Iterator[Finding]:
    settings = PriceWatchSettings.read()
    if settings.watches_url is None and not Home.read().watches.exists():
        return
    if importlib.util.find_spec("sqlalchemy") is None:
        return
    from pokewatch.watches.database import WatchDatabase

    database = WatchDatabase.configured()
    with database.transaction():
        pass  # it can be opened, and has this layout
    database.close()
    yield Finding("watches", "ok", "readable")


def _remote() -> Iterator[Finding]:
    remote = VersionSettings.read().remote()
    if "://" in remote:
        yield Finding("data remote", "ok", remote)
        return
    folder = Path(remote).expanduser()
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    if existing.is_dir() and os.access(existing, os.W_OK):
        yield Finding("data remote", "ok", remote)
    else:
        remedy = (
            f"set {VersionSettings.variable('dvc_remote')} to a writable folder or s3://bucket/path"
        )
        yield Finding("data remote", "fault", f"{existing} is not writable", remedy)


def _registry() -> Iterator[Finding]:
    embedded = RegistrySettings.read().is_embedded()
    yield Finding("registry", "ok", "embedded (SQLite)" if embedded else "an MLflow server")


def _markets() -> Iterator[Finding]:
    """Yield what there is to say of the configured markets; where none is, of all valued ones."""
    from pokewatch.registry import Registry

    if market := RegistrySettings.read().market:
        yield from market_findings(market)
        return
    configured, valued = MarketSettings.read().markets, Registry().markets()
    for market in configured or valued or [""]:
        yield from market_findings(market)
    for market in valued:
        if configured and market not in configured:
            name = f"market: {market or 'the one without a name'}"
            variable = MarketSettings.variable("markets")
            detail = f"{variable} does not name it: neither collected nor served here"
            yield Finding(name, "ok", detail)
