"""Telling people what happened: Slack, e-mail, webhooks, whatever Apprise has an address for.

Each address is told of the same event once within POKEWATCH_NOTIFY_WINDOW_HOURS; an address that failed is tried again at the
next occasion. What was told is kept as `told.json` (see `kept`), by digest: the addresses hold secrets. Processes of one machine take
turns; of two pods that tell at the same moment, one may tell again what the other did.
"""

import fcntl
import hashlib
import json
import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from pokewatch.settings import Home, NotifySettings
from pokewatch.state_store import StateStore

logger = logging.getLogger("pokewatch.monitoring")

_TOLD = "told.json"


def send_once(
    event: str, about: str, title: str, body: str, settings: NotifySettings | None = None
) -> bool:
    """Send to every address that was not told of this `event` of the thing it is `about` lately; whether each knows.

    Nothing is raised: people who cannot be told stop no pipeline.
    """
    settings = settings or NotifySettings.read()
    if not settings.addresses():
        return True
    try:
        with _remembered(settings.notify_window_hours * 3600) as told:
            return _tell(told, f"{event}: {about}", f"PokeWatch: {title}", body, settings)
    except OSError as error:
        logger.warning("what was told cannot be looked up: %s", error)
        return notify(f"PokeWatch: {title}", body, settings)


def notify(title: str, body: str, settings: NotifySettings | None = None) -> bool:
    """Send to every address of POKEWATCH_NOTIFY_URLS; whether each took it. A channel that fails is logged, never raised."""
    addresses = (settings or NotifySettings.read()).addresses()
    refused = [
        number
        for number, address in enumerate(addresses, 1)
        if not _send(address, number, title, body)
    ]
    return not refused


def tell_success() -> None:
    """Exit hook: tell that a run of a flow ended well."""
    run = _run()
    send_once("succeeded", run, f"{run} succeeded", f"Every step of {run} is done.")


def tell_failure() -> None:
    """Exit hook: tell that a run of a flow failed, and what that means."""
    run = _run()
    body = (
        f"{run} stopped before its end. The last good model keeps serving; the run's log says why."
    )
    send_once("failed", run.partition("/")[0], f"{run} failed", body)


def _tell(
    told: dict[str, float], what: str, title: str, body: str, settings: NotifySettings
) -> bool:
    known = []
    for number, address in enumerate(settings.addresses(), 1):
        key = hashlib.sha256(f"{what}\n{address}".encode()).hexdigest()
        if key not in told and _send(address, number, title, body):
            told[key] = time.time()
        known.append(key in told)
    return all(known)


def _send(address: str, number: int, title: str, body: str) -> bool:
    """Whether the address took it. Why not is logged by the number of the address, never by the address, which holds secrets."""
    from apprise import Apprise

    channel = Apprise()
    if not channel.add(address):
        logger.warning(
            "address %d of %s cannot be used", number, NotifySettings.variable("notify_urls")
        )
        return False
    try:
        sent = bool(channel.notify(title=title, body=body))
    except Exception as error:
        # A plugin's own fault is no more reason to stop than a refusal; its text may hold the address.
        logger.warning(
            "address %d of %s failed: %s",
            number,
            NotifySettings.variable("notify_urls"),
            type(error).__name__,
        )
        return False
    if not sent:
        logger.warning(
            "address %d of %s was not told: %s",
            number,
            NotifySettings.variable("notify_urls"),
            title,
        )
    return sent


@contextmanager
def _remembered(window: float) -> Iterator[dict[str, float]]:
    """What was told within the last `window` seconds, by key; kept as it is on leaving. One process at a time. Raises OSError."""
    folder = Home.read().monitoring
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "told.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        kept = StateStore()
        told = {
            key: when
            for key, when in _parsed(kept.read(_TOLD)).items()
            if time.time() - when < window
        }
        yield told
        try:
            kept.write(_TOLD, json.dumps(told))
        except OSError as error:
            logger.warning("what was told cannot be kept: %s", error)


def _parsed(text: str | None) -> dict[str, float]:
    try:
        return dict(json.loads(text or "{}"))
    except ValueError:
        return {}


def _run() -> str:
    """FLOW/RUN, which Metaflow gives the process of a hook as its last argument: a hook's own parameter needs its records at hand."""
    return sys.argv[-1]
