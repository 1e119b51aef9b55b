"""The canary of a market: which callers its challenger answers, and when it stops.

A canary is started by the model server, whose catalogue names its share of callers. This gateway
stops it for its own callers as soon as a check fails, and reports that to the model server, which
all other gateways and the deploy read. What has stopped does not start again; one that is not
offered, as by a model server that has restarted, goes on when it is again.
"""

import logging
import random
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import msgspec

from pokewatch.contract import CHALLENGER_ARM, CHAMPION_ARM, catalog_path, challenger_model
from pokewatch.gateway.api.card_prices import Outcomes
from pokewatch.gateway.api.composition import CardQuery, Composition
from pokewatch.gateway.api.markets.assignment import caller_of, chosen_variant, position
from pokewatch.gateway.api.markets.canary_checks import CHECKS, CanaryChecks, CheckState
from pokewatch.gateway.api.markets.mirror import Mirror, Pair
from pokewatch.gateway.api.schemas import FairPrice
from pokewatch.gateway.api.status_schemas import CanaryCheck, CanaryState
from pokewatch.gateway.events.event_log import NO_EXPERIMENT, Arm
from pokewatch.gateway.http.middleware import RequestContext
from pokewatch.gateway.http.problems import ProblemError
from pokewatch.gateway.upstream.coalescing import Call
from pokewatch.gateway.upstream.v2_client import RefusedError
from pokewatch.gateway.upstream.version_poller import CanaryOffer

if TYPE_CHECKING:
    from pokewatch.gateway.api.markets.backend import MarketBackend, SharedParts

logger = logging.getLogger("pokewatch.gateway.markets")

_PATIENCE = 10.0  # seconds without an offer, as from a replica that has just started
_MAX_ENDED = 16  # canaries that are remembered
_encode = msgspec.json.Encoder().encode


class Canary:
    """The canary of the market of `champion`."""

    def __init__(self, champion: "MarketBackend", shared: "SharedParts") -> None:
        self._champion = champion
        self._shared = shared
        self._market = champion.name
        self._reports = champion.client("canary")
        self._report_path = f"{catalog_path(challenger_model(champion.name))}/canary/end"
        self._share = shared.metrics.canary.share.labels(champion.name)
        for check in CHECKS:  # from 0 on: `increase` ignores the first value of a series
            shared.metrics.canary.stops.labels(check, champion.name)
        self._ended: dict[str, str] = {}  # reasons by id
        self.running: RunningCanary | None = None

    def backend_for(self, context: RequestContext) -> "MarketBackend":
        """Return the variant that answers a request. Raise ProblemError (422)."""
        chosen = chosen_variant(context)
        running = self.running
        if running is None or not running.is_ready():
            return self._champion
        variant = chosen or running.variant_of(context)
        running.requests[variant] += 1
        return running.challenger if variant == CHALLENGER_ARM else self._champion

    def arm(self, context: RequestContext) -> Arm:
        """Return the arm of a caller, no experiment's for one who has chosen a variant."""
        running = self.running
        if running is None or not running.is_ready() or chosen_variant(context):
            return NO_EXPERIMENT
        return Arm(running.offer.experiment, running.variant_of(context))

    def mirror(self, cards: Sequence[CardQuery], answers: Outcomes) -> None:
        """Send what the champion has answered to the challenger too, as far as it is drawn."""
        share, running = self._shared.settings.mirror_share, self.running
        if running is None or not share or not running.is_ready():
            return
        for card, answer in zip(cards, answers, strict=True):
            if isinstance(answer, FairPrice) and random.random() < share:
                running.mirror.add(card, answer)

    async def follow(self, offer: CanaryOffer | None) -> None:
        """Take up what the model server says of the canary."""
        running = self.running
        if offer is None:
            if running is not None and time.monotonic() - running.offered_at > _PATIENCE:
                self._pause("canary paused: the model server does not offer it")
        elif offer.id in self._ended:
            if offer.ended is None:
                await self._report(offer.id)
        elif offer.ended is not None:
            self._end(offer.id, offer.ended)
        else:
            await self._continue(offer)

    def check(self) -> None:
        """Stop the canary if a check fails."""
        breach = self.running.checks.breach() if self.running else None
        if breach is not None:
            self._stop(breach)

    def state(self) -> CanaryState | None:
        """Return the canary that runs, with what the checks have found."""
        running = self.running
        if running is None:
            return None
        versions, champion = running.challenger.poller.current_versions(), self._champion.poller
        return CanaryState(
            running.offer.experiment,
            running.offer.share,
            running.offer.since or None,
            champion.versions.model_version if champion.versions else None,
            versions.model_version if versions else None,
            [CanaryCheck(each.check, each.found) for each in running.checks.states()],
        )

    async def close(self) -> None:
        """Wait for the running calls."""
        if self.running is not None:
            self.running.stop_comparing()
            await self.running.challenger.close()

    async def _continue(self, offer: CanaryOffer) -> None:
        running = self.running
        if running is None or running.offer.id != offer.id:
            if running is not None:
                self._end(running.offer.id, "another one has started")
            running = self.running = RunningCanary(offer, self._champion, self._shared, self.check)
            self._log(logging.INFO, "canary started", offer.id)
        if running.take(offer):
            self._share.set(offer.share)
            self._log(logging.INFO, f"canary has a share of {offer.share:.0%}", offer.id)
        await running.challenger.poller.refresh()
        self.check()

    def _stop(self, breach: CheckState) -> None:
        assert self.running is not None
        self._shared.metrics.canary.stops.labels(breach.check, self._market).inc()
        self._end(self.running.offer.id, f"{breach.check}: {breach.found}")

    def _end(self, canary: str, reason: str) -> None:
        self._ended[canary] = reason
        while len(self._ended) > _MAX_ENDED:
            del self._ended[next(iter(self._ended))]
        if self.running is not None and self.running.offer.id == canary:
            self._pause(f"canary ended: {reason}")

    def _pause(self, message: str) -> None:
        """Have the champion answer all callers, until the canary is offered again if it is."""
        assert self.running is not None
        canary = self.running.offer.id
        self.running.stop_comparing()
        self.running = None
        self._share.set(0)
        self._log(logging.WARNING, message, canary)

    async def _report(self, canary: str) -> None:
        """Report the end of a canary to a model server that still offers it."""
        body = _encode({"id": canary, "reason": self._ended[canary][:500]})
        try:
            await self._reports.send(self._report_path, body)
        except (ProblemError, RefusedError) as error:
            self._log(logging.WARNING, f"the end is not reported, trying again: {error}", canary)

    def _log(self, level: int, message: str, canary: str) -> None:
        logger.log(level, message, extra={"market": self._market, "canary": canary})


class RunningCanary:
    """A canary in this gateway: the challenger, its callers, and the checks."""

    def __init__(
        self,
        offer: CanaryOffer,
        champion: "MarketBackend",
        shared: "SharedParts",
        check: Callable[[], None],
    ) -> None:
        settings, metrics, market = shared.settings, shared.metrics, champion.name
        self.offer = offer
        self.offered_at = time.monotonic()
        self._revision = -1
        self._check = check
        self.requests = metrics.canary.requests.of(market)
        self._compared = metrics.canary.compared
        self._market = market
        self.checks = CanaryChecks(
            settings.canary_errors,
            settings.canary_signals,
            metrics.upstream_seconds.of("fair-price-challenger", market),
            metrics.upstream_seconds.of("fair-price", market),
        )
        self.challenger = champion.challenger(offer.id, self._on_call, self._compare)
        self.mirror = Mirror(
            _mirrored(self.challenger, "mirror-challenger", settings.canary_seconds),
            self._on_mirrored,
            self._on_mirror_failed,
            self._count_dropped,
        )
        self._comparison = Mirror(
            _mirrored(champion, "mirror", settings.upstream_seconds),
            self._on_compared,
            self._count_failed,
            self._count_dropped,
        )

    def is_ready(self) -> bool:
        """Return whether the challenger answers."""
        return self.challenger.poller.current_versions() is not None

    def variant_of(self, context: RequestContext) -> str:
        """Return the variant that answers the caller of a request."""
        included = position(caller_of(context), self.offer.experiment) < self.offer.share
        return CHALLENGER_ARM if included else CHAMPION_ARM

    def take(self, offer: CanaryOffer) -> bool:
        """Return whether an offer is newer than the last one, and take its share if it is."""
        self.offered_at = time.monotonic()
        if offer.revision <= self._revision:
            return False
        self.offer, self._revision = offer, offer.revision
        return True

    def stop_comparing(self) -> None:
        """Drop the answers that wait to be compared."""
        self.mirror.close()
        self._comparison.close()

    def _on_call(self, failed: bool, answers: int) -> None:
        self.checks.record(failed, answers)
        self._check()

    def _compare(self, cards: Sequence[CardQuery], answers: Outcomes) -> None:
        for card, answer in zip(cards, answers, strict=True):
            if isinstance(answer, FairPrice) and not self.checks.is_compared(card.card_id):
                self._comparison.add(card, answer)

    def _on_compared(self, pairs: Sequence[Pair]) -> None:
        for card, first, second in pairs:
            if first.model_version != second.model_version:  # else it was the champion's already
                differs = first.signal != second.signal
                self.checks.compare(card.card_id, differs)
                self._count("different" if differs else "same", 1)

    def _on_mirrored(self, pairs: Sequence[Pair]) -> None:
        self._on_compared(pairs)
        self._on_call(False, len(pairs))

    def _on_mirror_failed(self, answers: int) -> None:
        self._count_failed(answers)
        self._on_call(True, answers)

    def _count_failed(self, answers: int) -> None:
        self._count("failed", answers)

    def _count_dropped(self, answers: int) -> None:
        self._count("dropped", answers)

    def _count(self, result: str, answers: int) -> None:
        self._compared.labels(result, self._market).inc(answers)


def _mirrored(backend: "MarketBackend", name: str, seconds: float) -> Call[CardQuery, FairPrice]:
    """Return calls of a variant by a client with a breaker of its own."""
    client = backend.client(name, seconds)
    return Composition(backend.model, client, client, lambda _: None).fair_prices
