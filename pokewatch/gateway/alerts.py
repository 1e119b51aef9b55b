"""Alerts in plain words: faults of this gateway at the moment, by its own metrics and state.

Prometheus judges all replicas, over longer times, by rules of the same names.
"""

import asyncio
import re
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import NamedTuple

from prometheus_client import Counter

from pokewatch.contract import MAX_DATA_AGE_HOURS, data_age_hours
from pokewatch.gateway.api.markets.backend import MarketBackend
from pokewatch.gateway.api.markets.directory import Markets
from pokewatch.gateway.auth.key_cache import KeyCache
from pokewatch.gateway.http.problems import ProblemError
from pokewatch.gateway.metrics import Metrics
from pokewatch.gateway.upstream.breaker import State
from pokewatch.wording import age_in_words, counted, pipeline_command

HOUR, MINUTES = 3_600.0, 300.0
RECORD_SECONDS = 15.0
MAX_BOOK_AGE_HOURS = 30
MAX_FAILED = 14.4 * 0.001  # of valid requests: 14.4 times what the objective allows
MAX_SLOW = 14.4 * 0.05
LEAST = 10  # failed or slow requests of an hour
MAX_KEYLESS = 300  # requests in ten minutes
DATABASE_SECONDS = 1.0  # how long the page waits for the database of watches
_UNCOUNTED = re.compile(r"/health|/ready|/docs|/openapi\.json|/v2/health/.+|/export.+|other")


@dataclass(frozen=True, slots=True)
class Alert:
    """A fault and its remedy, with a command if one helps.

    `runbook` is the section of docs/runbook.md, if there is one.
    """

    text: str
    remedy: str
    runbook: str = ""
    command: str = ""


class _Counts(NamedTuple):
    """The counters of a gateway since its start; `valid` requests are those not answered 4xx."""

    valid: float = 0.0
    failed: float = 0.0
    timed: float = 0.0
    slow: float = 0.0
    shed: float = 0.0
    keyless: float = 0.0
    fallbacks: float = 0.0


class Alerts:
    """The alerts of a gateway.

    `failed_deliveries` returns the number of notifications of watches that failed within a day.
    """

    def __init__(
        self,
        metrics: Metrics,
        markets: Markets,
        keys: KeyCache,
        failed_deliveries: Callable[[], Awaitable[int]],
        now: Callable[[], float] = time.time,
    ) -> None:
        self._metrics = metrics
        self._markets = markets
        self._keys = keys
        self._failed_deliveries = failed_deliveries
        self._now = now
        self._records: deque[tuple[float, _Counts]] = deque([(now(), _Counts())])

    async def run(self) -> None:
        """Record the counters until cancelled."""
        while True:
            await asyncio.sleep(RECORD_SECONDS)
            self.record()

    def record(self) -> None:
        """Record the counters, and drop those of more than an hour ago but the newest of them."""
        now = self._now()
        self._records.append((now, self._counts()))
        while len(self._records) > 1 and self._records[1][0] <= now - HOUR:
            self._records.popleft()

    async def current(self) -> list[Alert]:
        """Return the alerts of this moment, the most urgent first."""
        found = [*self._upstream(), *self._requests(), *self._data(), *self._keys_and_limits()]
        return [*found, *await self._deliveries()]

    def _upstream(self) -> Iterator[Alert]:
        for backend in self._markets.backends:
            problem = backend.poller.problem
            if problem is None:
                continue
            of = self._of(backend)
            yield Alert(
                f"The model server{of} cannot be used: {problem.detail}",
                "Pages and answers come from the cache for a while, then stop. Start MLServer, or "
                "look in its log",
                "MLServerDown",
            )
        (family,) = self._metrics.upstream_state.collect()
        for sample in family.samples:
            if sample.value == State.OPEN:
                yield Alert(
                    f"Calls of {sample.labels['upstream']} to the model server keep failing and "
                    "are held back",
                    "Look in MLServer's log; calls are retried automatically",
                    "BreakerOpen",
                )

    def _requests(self) -> Iterator[Alert]:
        hour, minutes = self._since(HOUR), self._since(MINUTES)
        failed = _ratio(hour.failed, hour.valid), _ratio(minutes.failed, minutes.valid)
        if hour.failed >= LEAST and min(failed) > MAX_FAILED:
            yield Alert(
                f"{hour.failed:,.0f} of the {hour.valid:,.0f} requests of the last hour failed "
                "(5xx)",
                "Look for the causes in the gateway's log; if it began with a deploy, roll back",
                "AvailabilityBurnFast",
            )
        slow = _ratio(hour.slow, hour.timed), _ratio(minutes.slow, minutes.timed)
        if hour.slow >= LEAST and min(slow) > MAX_SLOW:
            yield Alert(
                f"{hour.slow:,.0f} of the {hour.timed:,.0f} requests of the last hour took longer "
                "than 150 ms",
                "If the processors are busy, add replicas; if it began with a deploy, roll back",
                "LatencyBurnFast",
            )
        if minutes.shed:
            yield Alert(
                "There is more traffic than can be answered; requests turned away in the last "
                f"minutes: {minutes.shed:,.0f}",
                "Add replicas, or lower the limits of the keys that send it",
            )

    def _data(self) -> Iterator[Alert]:
        for backend in self._markets.backends:
            yield from self._data_of(backend)

    def _data_of(self, backend: MarketBackend) -> Iterator[Alert]:
        served, now = backend.poller.served, datetime.fromtimestamp(self._now(), UTC)
        if served is None:
            return
        of, several = self._of(backend), self._markets.several()
        age = data_age_hours(date.fromisoformat(served.last_day), now)
        if age > MAX_DATA_AGE_HOURS:
            yield Alert(
                f"The newest prices{of} are of {served.last_day}, which ended "
                f"{age_in_words(age)} ago; the limit is {MAX_DATA_AGE_HOURS} hours",
                "Signals may be wrong. Find out why the last run brought no prices",
                "StaleData",
                # The card that Metaflow shows is of the newest run, of whichever market.
                "pokewatch doctor" if several else "pokewatch pipeline card view validate",
            )
        hours = _hours_since(served.created_at, now)
        if hours > MAX_BOOK_AGE_HOURS:
            yield Alert(
                f"The price book{of} was made {age_in_words(hours)} ago: the daily run is missing",
                "Find out why it failed or was stopped by a check, then run it again",
                "PipelineMissing",
                pipeline_command(backend.name, backend.id),
            )

    def _of(self, backend: MarketBackend) -> str:
        """Return a phrase for a market, "" where there is only one."""
        return f" of {backend.id}" if self._markets.several() else ""

    def _keys_and_limits(self) -> Iterator[Alert]:
        if not self._keys.current:
            yield Alert(
                "The API keys cannot be read: changes to keys have no effect, and soon all "
                "requests with a key will be refused",
                "Restore the key store; the gateway's log has the cause",
            )
        keyless = self._since(600.0).keyless
        if keyless > MAX_KEYLESS:
            yield Alert(
                f"{keyless:,.0f} requests of the last ten minutes had no valid key",
                "Somebody is guessing keys, or a key has expired",
                "KeyGuessing",
                "pokewatch keys list",
            )
        if self._since(MINUTES).fallbacks:
            yield Alert(
                "Redis does not answer: each gateway applies the rate limits on its own",
                "Start Redis, or correct POKEWATCH_REDIS_URL",
            )

    async def _deliveries(self) -> list[Alert]:
        try:
            failed = await asyncio.wait_for(self._failed_deliveries(), DATABASE_SECONDS)
        except (ProblemError, TimeoutError):
            remedy = "Watches cannot be read or added until it answers; the log has the cause"
            return [Alert("The database of watches does not answer", remedy)]
        if not failed:
            return []
        text = f"{counted(failed, 'notification')} of watches failed since yesterday"
        return [Alert(text, "See which, and why", command="pokewatch watch deliveries")]

    def _since(self, seconds: float) -> _Counts:
        """Return what has been counted in the last `seconds`, or since the start."""
        start = self._now() - seconds
        earlier = [counts for at, counts in self._records if at <= start]
        before = earlier[-1] if earlier else self._records[0][1]
        return _Counts(*(now - then for now, then in zip(self._counts(), before, strict=True)))

    def _counts(self) -> _Counts:
        metrics = self._metrics
        return _Counts(
            *metrics.requests.totals(lambda route: not _UNCOUNTED.fullmatch(route)),
            shed=_total(metrics.limited.labels("load")),
            keyless=_total(metrics.keyless),
            fallbacks=_total(metrics.limiter_fallbacks),
        )


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def _total(counter: Counter) -> float:
    (family,) = counter.collect()
    return next(each.value for each in family.samples if each.name.endswith("_total"))


def _hours_since(moment: str, now: datetime) -> float:
    """Return the hours since a time of the model server, 0 for one that cannot be read."""
    try:
        return (now - datetime.fromisoformat(moment)).total_seconds() / 3_600
    except (TypeError, ValueError):
        return 0.0
