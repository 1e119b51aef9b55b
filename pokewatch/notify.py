"""Notifications by Slack, e-mail, webhook, or any other service that Apprise has an address for.

An address receives the same event once within POKEWATCH_NOTIFY_WINDOW_HOURS; after a failure it is
tried again with the next event. The registry stores which notifications were sent, by digest, since
addresses hold secrets. Processes of one machine take turns; two pods that notify at the same moment
may both send.
"""

import fcntl
import hashlib
import json
import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

from pokewatch.errors import RegistryError
from pokewatch.settings import Home, NotifySettings, RegistrySettings

if TYPE_CHECKING:
    from pokewatch.registry import Registry

logger = logging.getLogger("pokewatch.monitoring")

_SENT = "notified"  # the registry's state: {digest of event and address: seconds since the epoch}
_MAX_SENT = 150  # the newest; a registry in PostgreSQL stores 5,000 characters


def send_once(
    event: str, about: str, title: str, body: str, settings: NotifySettings | None = None
) -> bool:
    """Notify every address that has not received this `event` of the thing it is `about` lately.

    Return whether each of them has received it. Failures are logged, never raised.
    """
    settings = settings or NotifySettings.read()
    if not settings.addresses():
        return True
    try:
        with _sent_within(settings.notify_window_hours * 3600) as sent:
            return _send_new(sent, f"{event}: {about}", _with_market(title), body, settings)
    except (OSError, RegistryError) as error:
        logger.warning("earlier notifications cannot be read: %s", error)
        return notify(_with_market(title), body, settings)


def _with_market(title: str) -> str:
    market = RegistrySettings.read().market
    return f"PokeWatch{f', {market}' if market else ''}: {title}"


def notify(title: str, body: str, settings: NotifySettings | None = None) -> bool:
    """Notify every address of POKEWATCH_NOTIFY_URLS. Return whether each accepted it.

    Failures are logged, never raised.
    """
    addresses = (settings or NotifySettings.read()).addresses()
    sent = [_send(address, number, title, body) for number, address in enumerate(addresses, 1)]
    return all(sent)


def address_digests() -> list[str]:
    """Return a digest for each address of POKEWATCH_NOTIFY_URLS, which holds no secret of it."""
    return [_digest(address) for address in NotifySettings.read().addresses()]


def notify_one(digest: str, title: str, body: str, settings: NotifySettings) -> bool:
    """Notify the address with this digest, and return whether it accepted it.

    Raise LookupError if POKEWATCH_NOTIFY_URLS has no such address. Failures are logged.
    """
    for number, address in enumerate(settings.addresses(), 1):
        if _digest(address) == digest:
            return _send(address, number, f"PokeWatch: {title}", body)
    raise LookupError(digest)


def invalid_addresses() -> list[int]:
    """Return the numbers, from 1, of the addresses of POKEWATCH_NOTIFY_URLS that cannot be used.

    Empty where Apprise is not installed: nothing is notified from there.
    """
    addresses = NotifySettings.read().addresses()
    if not addresses or find_spec("apprise") is None:
        return []
    from apprise import Apprise

    return [number for number, each in enumerate(addresses, 1) if not Apprise().add(each)]


def notify_success() -> None:
    """Exit hook of Metaflow: notify that a run of a flow succeeded."""
    run = _run()
    send_once("succeeded", run, f"{run} succeeded", f"Every step of {run} is done.")


def notify_failure() -> None:
    """Exit hook of Metaflow: notify that a run of a flow failed."""
    run = _run()
    body = f"{run} failed. The current model continues to serve; the log of the run has the cause."
    send_once("failed", run.partition("/")[0], f"{run} failed", body)


def _send_new(
    sent: dict[str, int], event: str, title: str, body: str, settings: NotifySettings
) -> bool:
    received = []
    for number, address in enumerate(settings.addresses(), 1):
        key = _digest(f"{event}\n{address}")
        if key not in sent and _send(address, number, title, body):
            sent[key] = int(time.time())
        received.append(key in sent)
    return all(received)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _send(address: str, number: int, title: str, body: str) -> bool:
    """Return whether the address accepted it. It is logged by number, since it holds secrets."""
    from apprise import Apprise

    variable = NotifySettings.variable("notify_urls")
    channel = Apprise()
    if not channel.add(address):
        logger.warning("address %d of %s is not valid", number, variable)
        return False
    try:
        sent = bool(channel.notify(title=title, body=body))
    except Exception as error:
        # The error may be any that a plugin raises, and its text may hold the address.
        logger.warning("address %d of %s failed: %s", number, variable, type(error).__name__)
        return False
    if not sent:
        logger.warning("address %d of %s did not accept: %r", number, variable, title)
    return sent


@contextmanager
def _sent_within(window: float) -> Iterator[dict[str, int]]:
    """Yield when each notification of the last `window` seconds was sent; store changes on exit.

    One process at a time on a machine. Raise OSError or RegistryError if it cannot be read.
    """
    from pokewatch.registry import Registry

    folder = Home.read().monitoring
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "notify.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        registry, now = Registry(), time.time()
        stored = _parsed(registry.get_state(_SENT))
        # One of the future was sent while the clock was wrong: others are not kept back until then.
        sent = {key: when for key, when in stored.items() if abs(now - when) < window}
        before = dict(sent)
        yield sent
        if sent != before:
            _store(registry, sent)


def _store(registry: "Registry", sent: dict[str, int]) -> None:
    newest = sorted(sent.items(), key=lambda item: item[1])[-_MAX_SENT:]
    try:
        registry.set_state(_SENT, json.dumps(dict(newest), separators=(",", ":")))
    except RegistryError as error:
        logger.warning("sent notifications cannot be stored: %s", error)


def _parsed(text: str) -> dict[str, int]:
    try:
        return dict(json.loads(text or "{}"))
    except ValueError:
        return {}


def _run() -> str:
    """Return FLOW/RUN, the last argument that Metaflow gives a hook's process."""
    return sys.argv[-1]
