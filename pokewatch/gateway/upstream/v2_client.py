"""Client for one endpoint of the model server: deadline, circuit breaker, errors as problems."""

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
)
from pokewatch.gateway.upstream.transport import Sender
from pokewatch.gateway.upstream.v2_messages import Refusal, decode_refusal

logger = logging.getLogger("pokewatch.gateway.upstream.v2_client")

REFUSALS = (400, 404, 409, 422)
# MLServer's 404 for an unknown model and for a route that only a loaded model has; its 400, and the
# patched 503, for a model that is not ready. It matches whole texts, since a refusal may quote the
# caller.
_NOT_LOADED = re.compile(
    r"Model \S+(?: with version \S+)? (?:is not ready yet\.|not found)|Not Found"
    r"|\S+ is not ready: .*"
)

_NO_MODEL = "is up but has no model loaded; its log says which command to run"
_FAILING = "has failed repeatedly and is not called for a moment"


class RefusedError(Exception):
    """A 4xx reply: the request is at fault, not the model server."""

    def __init__(self, status: int, refusal: Refusal) -> None:
        super().__init__(refusal.error)
        self.status = status
        self.refusal = refusal


class V2Client:
    """A client whose requests may take `seconds`. All are idempotent.

    `market` is that of the model, "" if the market has no name or the model serves all markets.

    A request with less time left than that, because its caller had waited in the queue, does not
    count as a failure when it times out.
    """

    def __init__(
        self,
        name: str,
        http: Sender,
        breaker: Breaker,
        metrics: Metrics,
        seconds: float,
        market: str = "",
    ) -> None:
        self.name = name
        self.market = market
        self._http = http
        self._breaker = breaker
        self._seconds = seconds
        self._open_reason = _FAILING
        self._server = f"the model server ({name}{f' of {market}' if market else ''})"
        self._duration = metrics.upstream_seconds.of(name, market)
        self._failures = metrics.upstream_failures.labels(name, market)
        state = metrics.upstream_state.labels(name, market)
        state.set_function(lambda: float(breaker.observed_state()))

    async def send(
        self,
        path: str,
        body: bytes | None,
        headers: bytes = b"",
        deadline: float = math.inf,
        sender: Sender | None = None,
    ) -> bytes:
        """Return the body of a 200 reply. `deadline` is in the time of the event loop.

        `sender` sends the request in place of the client's own connection to the server.

        Raise RefusedError for a refused request and ProblemError for any other failure.
        """
        left = deadline - asyncio.get_running_loop().time()
        if left <= 0:
            raise ProblemError(
                UPSTREAM_TIMEOUT, "the deadline passed before the request was sent", retry_after=1
            )
        wait = self._breaker.wait()
        if wait:
            raise unavailable(f"{self._server} {self._open_reason}", math.ceil(wait))
        started = perf_counter()
        try:
            reply = await (sender or self._http).send(path, body, min(left, self._seconds), headers)
        except TransportError as error:
            cut_short = isinstance(error, DeadlineError) and left < self._seconds
            if not cut_short or self._breaker.state is not State.CLOSED:  # a probe always reports
                self._failed(error)
            raise self._transport_problem(error) from error
        self._duration.observe(perf_counter() - started)
        return self._body(reply)

    def bad_reply(self, cause: str) -> ProblemError:
        """Record a failure and return the problem of an unusable reply."""
        self._failed(cause)
        return self._unusable()

    def _body(self, reply: Reply) -> bytes:
        if reply.status == 200:
            self._succeeded()
            return reply.body
        refusal = decode_refusal(reply.body)
        if _NOT_LOADED.fullmatch(refusal.error):
            self._failed(f"{reply.status} {refusal.error}")
            self._open_reason = _NO_MODEL
            raise unavailable(f"{self._server} {_NO_MODEL}")
        if reply.status in REFUSALS:
            self._succeeded()
            raise RefusedError(reply.status, refusal)
        if reply.status in (429, 503):
            self._failed(f"{reply.status} {refusal.error}")
            raise unavailable(f"{self._server} is not available")
        raise self.bad_reply(f"{reply.status} {refusal.error}")

    def _transport_problem(self, error: TransportError) -> ProblemError:
        if isinstance(error, DeadlineError):
            return ProblemError(
                UPSTREAM_TIMEOUT,
                f"{self._server} did not answer in time",
                retry_after=1,
            )
        if isinstance(error, MalformedReplyError):
            return self._unusable()
        return unavailable(f"{self._server} cannot be reached")

    def _unusable(self) -> ProblemError:
        detail = f"{self._server} returned an unusable reply"
        return ProblemError(UPSTREAM_FAULT, detail)

    def _failed(self, cause: object) -> None:
        before = self._breaker.state
        self._open_reason = _FAILING
        self._breaker.failed()
        self._failures.inc()
        if before is not self._breaker.state or before is State.CLOSED:
            logger.warning(
                "upstream failed",
                extra={
                    "upstream": self.name,
                    "market": self.market,
                    "cause": str(cause),
                    "breaker": self._breaker.state.name,
                },
            )

    def _succeeded(self) -> None:
        if self._breaker.state is not State.CLOSED:
            logger.info("upstream recovered", extra={"upstream": self.name, "market": self.market})
        self._breaker.succeeded()
