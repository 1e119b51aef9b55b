"""Sending the deliveries that are due, those of a queue one after the other."""

import json
import logging
import secrets
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pokewatch import notify
from pokewatch.errors import WatchError
from pokewatch.settings import NotifySettings, PriceWatchSettings
from pokewatch.watches.outbox import FAILED, NO_RECEIVER, SENT, Claim, Delivery, Outbox, Queue
from pokewatch.watches.store import Watch
from pokewatch.watches.webhooks import WebhookError, WebhookSender, signed_headers

logger = logging.getLogger("pokewatch.watches")

_WORKERS = 8
_CLAIM_SECONDS = 120.0  # longer than resolving a name and one attempt take
_RUN_SECONDS = 600.0  # a third of what the step of the flow may take
_POLL_SECONDS = 5.0


@dataclass(slots=True)
class SentDeliveries:
    """The number of deliveries that were accepted, that will be retried, and that failed."""

    sent: int = 0
    retried: int = 0
    failed: int = 0

    def count(self, state: str) -> None:
        self.sent += state == SENT
        self.failed += state == FAILED
        self.retried += state not in (SENT, FAILED)


class Deliverer:
    """Sends what is due. Several processes may do so at once."""

    def __init__(
        self,
        outbox: Outbox,
        sender: WebhookSender,
        notifications: NotifySettings,
        clock: Callable[[], float] = time.time,
        claim_seconds: float = _CLAIM_SECONDS,
    ) -> None:
        self._outbox = outbox
        self._sender = sender
        self._notifications = notifications
        self._clock = clock
        self._claim_seconds = claim_seconds
        self._turn = threading.Condition()
        self._busy: set[Queue] = set()

    @classmethod
    def configured(cls, outbox: Outbox) -> "Deliverer":
        """Return the one of the settings."""
        settings = PriceWatchSettings.read()
        sender = WebhookSender(settings.webhook_seconds, settings.webhook_hosts)
        return cls(outbox, sender, NotifySettings.read())

    def run(self) -> SentDeliveries:
        """Send what is due, and return the counts. Raise WatchStoreError.

        What receivers are too slow for is left to the next run.
        """
        found = SentDeliveries()
        end = time.monotonic() + _RUN_SECONDS
        with ThreadPoolExecutor(_WORKERS, thread_name_prefix="deliver") as threads:
            for worker in [threads.submit(self._work, found, end) for _ in range(_WORKERS)]:
                worker.result()
        return found

    def _work(self, found: SentDeliveries, end: float) -> None:
        while (claim := self._claim(end)) is not None:
            states: list[str] = []
            try:
                states = self._deliver(claim)
            finally:
                with self._turn:
                    self._busy.discard(claim.queue)
                    for state in states:
                        found.count(state)

    def _claim(self, end: float) -> Claim | None:
        """Claim a delivery of a queue that no other thread is sending.

        As long as others are sending, wait for what becomes due: a slow receiver does not delay it.
        Return None once nothing is due, and from `end` on.
        """
        with self._turn:
            while (left := end - time.monotonic()) > 0:
                claim = self._outbox.claim(self._claim_seconds, self._busy)
                if claim is not None:
                    self._busy.add(claim.queue)
                    return claim
                if not self._busy:
                    break
                self._turn.wait(min(left, _POLL_SECONDS))
            self._turn.notify_all()
            return None

    def _deliver(self, claim: Claim) -> list[str]:
        """Send one delivery; return its new state, and those of others that fail with it."""
        delivery = claim.delivery
        try:
            self._post(claim)
        except WebhookError as error:
            reason = str(error)
            state = self._outbox.refused(delivery, reason, final=error.final, wait=error.wait)
            where = {"delivery": delivery.id, "cause": reason, "state": state}
            logger.warning("delivery %s was not accepted: %s", delivery.id, reason, extra=where)
            if error.answered or error.final:
                return [state]
            return [state, *self._outbox.unreachable(delivery, reason)]
        self._outbox.sent(delivery)
        return [SENT]

    def _post(self, claim: Claim) -> None:
        """Raise WebhookError unless the receiver accepts the delivery."""
        delivery = claim.delivery
        if delivery.target is None or claim.secret is None:
            self._notify(delivery)
            return
        body = delivery.payload.encode()
        headers = signed_headers(claim.secret, delivery.id, int(self._clock()), body)
        self._sender.post(delivery.target, body, headers)

    def _notify(self, delivery: Delivery) -> None:
        body = message_text(delivery.id, json.loads(delivery.payload)["data"])
        try:
            accepted = notify.notify_one(
                delivery.receiver, delivery.title, body, self._notifications
            )
        except LookupError:
            # Another process may have the address among its settings, but nobody has none.
            variable = NotifySettings.variable("notify_urls")
            detail = f"{variable} has no such address, and the watch no webhook"
            raise WebhookError(detail, final=delivery.receiver == NO_RECEIVER) from None
        if not accepted:
            raise WebhookError("the service did not accept the notification", answered=True)


def post_test(watch: Watch, secret: str | None) -> str:
    """Post a test message to a watch's webhook, and return its id. Raise WatchError."""
    if watch.webhook is None or secret is None:
        raise WatchError(f"watch {watch.id} has no webhook")
    settings, now = PriceWatchSettings.read(), datetime.now(UTC)
    message_id = f"{watch.id}-test-{secrets.token_hex(4)}"
    message = {
        "type": "watch.test",
        "timestamp": now.isoformat(timespec="seconds"),
        "data": {"watch_id": watch.id, "card_id": watch.card_id, "card": watch.slug},
    }
    body = json.dumps(message).encode()
    headers = signed_headers(secret, message_id, int(now.timestamp()), body)
    try:
        WebhookSender(settings.webhook_seconds, settings.webhook_hosts).post(
            watch.webhook, body, headers
        )
    except WebhookError as error:
        raise WatchError(f"{watch.webhook} did not accept the message: {error}") from None
    return message_id


def message_text(delivery_id: str, data: dict[str, Any]) -> str:
    """Return the text that people read about a crossing."""
    simulated = " These prices are simulated." if data["source"] == "simulated" else ""
    return (
        f"{data['name']} ({data['card']}): market price {data['market_price']:,.2f} "
        f"{data['currency']} on {data['date']}, signal {data['signal']}.{simulated}\n"
        f"Watch {data['watch_id']}, message {delivery_id}."
    )
