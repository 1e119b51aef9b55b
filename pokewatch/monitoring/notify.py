"""Telling people what happened: Slack, e-mail, webhooks, whatever Apprise has an address for."""

import logging
import sys

from pokewatch.settings import NotifySettings

logger = logging.getLogger("pokewatch.monitoring")


def notify(title: str, body: str, settings: NotifySettings | None = None) -> bool:
    """Send to every address of POKEWATCH_NOTIFY_URLS; whether each took it. A channel that fails is logged, never raised."""
    addresses = (settings or NotifySettings.read()).addresses()
    if not addresses:
        return True
    from apprise import Apprise

    channels = Apprise()
    refused = [number for number, address in enumerate(addresses, 1) if not channels.add(address)]
    sent = len(refused) < len(addresses) and bool(channels.notify(title=title, body=body))
    for number in refused:
        # never the address itself, which holds secrets
        logger.warning("address %d of %s cannot be used", number, NotifySettings.variable("notify_urls"))
    if not sent:
        logger.warning("not everybody was told: %s", title)
    return sent and not refused


def tell_success() -> None:
    """Exit hook: tell that a run of a flow ended well."""
    run = _run()
    notify(f"PokeWatch: {run} succeeded", f"Every step of {run} is done.")


def tell_failure() -> None:
    """Exit hook: tell that a run of a flow failed, and what that means."""
    run = _run()
    notify(f"PokeWatch: {run} failed", f"{run} stopped before its end. The last good model keeps serving; the run's log says why.")


def _run() -> str:
    """FLOW/RUN, which Metaflow gives the process of a hook as its last argument: a hook's own parameter needs its records at hand."""
    return sys.argv[-1]
