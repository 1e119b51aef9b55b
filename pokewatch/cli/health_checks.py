"""Checks of an installation, each with a suggested fix."""

import importlib.util
import os
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from pokewatch.cli.findings import Finding, not_checked
from pokewatch.cli.lake_checks import lake_findings
from pokewatch.cli.model_checks import market_findings
from pokewatch.cli.output import format_size
from pokewatch.errors import PokeWatchError
from pokewatch.notify import invalid_addresses
from pokewatch.remote_files import find_fault
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

_EXTRAS = {
    "pipeline": ("pandas", "pyarrow", "dvc", "mlflow", "metaflow"),
    "serving": ("mlserver", "numpy"),
    "gateway": ("starlette", "msgspec", "uvicorn"),
    "mcp": ("mcp",),
}
_FREE_BYTES = 2 * 1024**3


def run_checks() -> Iterator[Finding]:
    """Yield the findings as they are made; a check that raises does not stop the others.

    An error that several checks meet, such as settings that cannot be read, is yielded once. A
    fault with a remedy is that of one thing, such as a lake, and others may have it too.
    """
    errors = set[str]()
    for check in (
        _python,
        _extras,
        _settings,
        _home,
        _disk,
        _sizes,
        _lakes,
        _requests,
        _keys,
        _watches,
        _remote,
        _registry,
        _markets,
    ):
        for finding in _guarded(check):
            error = finding.detail if finding.state == "fault" and not finding.remedy else ""
            if error not in errors:
                yield finding
            if error:
                errors.add(error)


def _guarded(check: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    name = check.__name__.removeprefix("_")
    try:
        yield from check()
    except ModuleNotFoundError as error:
        yield not_checked(name, error)
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
    yield from lake_findings(Home.read().lakes)


def _requests() -> Iterator[Finding]:
    from pokewatch.market.sources.request_store import RequestStore

    for path in sorted(Home.read().requests.glob("*.sqlite")):
        RequestStore(path).last_answer()  # it can be opened, and has this layout
        yield Finding("requests", "ok", path.name)


def _keys() -> Iterator[Finding]:
    path = Home.read().keys
    if not path.exists():
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
    from pokewatch.watches.database import WatchDatabase

    database = WatchDatabase.configured()
    with database.transaction():
        pass  # it can be opened, and has this layout
    database.close()
    yield Finding("watches", "ok", "readable")


def _remote() -> Iterator[Finding]:
    settings = VersionSettings.read()
    remote = settings.remote()
    if "://" in remote:
        # A machine that only serves has no client of S3, and needs no remote.
        installed = importlib.util.find_spec("s3fs") is not None
        if installed and (fault := find_fault(remote, settings)):
            address = VersionSettings.variable("dvc_endpoint_url")
            remedy = f"check the address, {address} and the credentials of AWS"
            yield Finding("data remote", "fault", f"{remote}: {fault}", remedy)
        else:
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
