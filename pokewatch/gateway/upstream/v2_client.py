"""One model, or the catalogue, behind the gateway: a deadline, a breaker, and honest problems for whatever it answers."""

import asyncio
import logging
import math
import re
from time import perf_counter

from pokewatch.gateway.http.problems import (
    UPSTREAM_FAULT,
    UPSTREAM_TIMEOUT,
    ProblemError,
    unavailable,
)
from pokewatch.gateway.metrics import Metrics
from pokewatch.gateway.upstream.breaker import Breaker, State
from pokewatch.gateway.upstream.http_client import (
    DeadlineError,
    MalformedReplyError,
    Reply,
    TransportError,
    UpstreamHttpClient,
)
from pokewatch.gateway.upstream.v2_messages import Refusal, refusal

logger = logging.getLogger("pokewatch.gateway.upstream.v2_client")

_REFUSALS = (400, 404, 409, 422)
# MLServer's 404 for a model it does not have, and for a route that only a loaded model has; its 400, and our guards' 503, for a model
# that is not ready. All of the text, for a refusal may quote the caller.
_UNLOADED = re.compile(
    r"Model \S+(?: with version \S+)? (?:is not ready yet\.|not found)|Not Found|\S+ is not ready: .*"
)

_NO_MODEL = "is up and has no model loaded; its log says what to run"
_FAILING = "failed repeatedly and is left alone for a moment"


class RefusedError(Exception):
    """The upstream works and refuses this request (4xx): the request's fault, not the upstream's."""

    def __init__(self, status: int, refusal: Refusal) -> None:
        super().__init__(refusal.error)
        self.status = status
        self.refusal = refusal


class V2Client:
    """`seconds` is the longest one exchange may take. Every exchange is an inference or a look-up: repeating one is safe.

    An exchange that had less time than that, and used it up, is no failure of the upstream: its caller had waited for too long.
    """

    def __init__(
        self,
        name: str,
        wire: UpstreamHttpClient,
        breaker: Breaker,
        metrics: Metrics,
        seconds: float,
    ) -> None:
        self.name = name
        self._wire = wire
        self._breaker = breaker
        self._seconds = seconds
        self._left_alone = _FAILING
        self._took = metrics.upstream_seconds.of(name)
        self._failures = metrics.upstream_failures.labels(name)
        metrics.upstream_state.labels(name).set_function(lambda: float(breaker.told()))

    async def send(
        self, path: str, body: bytes | None, headers: bytes = b"", deadline: float = math.inf
    ) -> bytes:
        """The body of a 200, by `deadline` on the loop's clock. Raises RefusedError for a refusal, ProblemError for all that went wrong."""
        left = deadline - asyncio.get_running_loop().time()
        if left <= 0:
            raise ProblemError(
                UPSTREAM_TIMEOUT, "the request's time was up before it could be sent", retry_after=1
            )
        wait = self._breaker.wait()
        if wait:
            raise unavailable(f"the model server ({self.name}) {self._left_alone}", math.ceil(wait))
        started = perf_counter()
        try:
            reply = await self._wire.send(path, body, min(left, self._seconds), headers)
        except TransportError as error:
            hurried = isinstance(error, DeadlineError) and left < self._seconds
            if (
                not hurried or self._breaker.state is not State.CLOSED
            ):  # a probe's end is always reported
                self._failed(error)
            raise self._problem(error) from error
        self._took.observe(perf_counter() - started)
        return self._judge(reply)

    def fault(self, detail: str) -> ProblemError:
        """The problem of a reply that cannot be used, counted as a failure."""
        self._failed(detail)
        return ProblemError(
            UPSTREAM_FAULT, f"the model server ({self.name}) answered what cannot be used"
        )

    def _judge(self, reply: Reply) -> bytes:
        if reply.status == 200:
            self._succeeded()
            return reply.body
        refused = refusal(reply.body)
        if _UNLOADED.fullmatch(refused.error):
            self._failed(f"{reply.status} {refused.error}")
            self._left_alone = _NO_MODEL
            raise unavailable(f"the model server ({self.name}) {_NO_MODEL}")
        if reply.status in _REFUSALS:
            self._succeeded()
            raise RefusedError(reply.status, refused)
        if reply.status in (429, 503):
            self._failed(f"{reply.status} {refused.error}")
            raise unavailable(f"the model server ({self.name}) is not available")
        raise self.fault(f"{reply.status} {refused.error}")

    def _problem(self, error: TransportError) -> ProblemError:
        if isinstance(error, DeadlineError):
            return ProblemError(
                UPSTREAM_TIMEOUT,
                f"the model server ({self.name}) did not answer in time",
                retry_after=1,
            )
        if isinstance(error, MalformedReplyError):
            return ProblemError(
                UPSTREAM_FAULT, f"the model server ({self.name}) answered what cannot be used"
            )
        return unavailable(f"the model server ({self.name}) cannot be reached")

    def _failed(self, cause: object) -> None:
        before = self._breaker.state
        self._left_alone = _FAILING
        self._breaker.failed()
        self._failures.inc()
        if before is not self._breaker.state or before is State.CLOSED:
            logger.warning(
                "upstream failed",
                extra={
                    "upstream": self.name,
                    "cause": str(cause),
                    "breaker": self._breaker.state.name,
                },
            )

    def _succeeded(self) -> None:
        if self._breaker.state is not State.CLOSED:
            logger.info("upstream recovered", extra={"upstream": self.name})
        self._breaker.succeeded()
