"""What is served: the versions that answers come from, and how old the data is. Polled, and told by every answer."""

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, date, datetime

import msgspec

from pokewatch.gateway.http.problems import INTERNAL, ProblemError
from pokewatch.gateway.metrics import Metrics
from pokewatch.gateway.upstream.reply_checks import check_day
from pokewatch.gateway.upstream.v2_client import RefusedError, V2Client
from pokewatch.gateway.upstream.v2_messages import Version, Versions

logger = logging.getLogger("pokewatch.gateway.upstream.version_poller")


class ServedModel(msgspec.Struct, frozen=True):
    """The model server's own account of what it serves (`/catalog/status`)."""

    model_version: Version
    data_version: Version
    run_id: str
    created_at: str
    first_day: str
    last_day: str
    cards: int
    horizon: int
    model: str
    source: str
    currency: str


_decode = msgspec.json.Decoder(ServedModel).decode


class VersionPoller:
    """Asks every `seconds`. `versions` is what the newest answer came from, None before the first."""

    def __init__(
        self, catalog: V2Client, decisions: V2Client, metrics: Metrics, seconds: float
    ) -> None:
        self._catalog = catalog
        self._decisions = decisions
        self._seconds = seconds
        self._changes = metrics.changes
        self._told = metrics.served
        self.versions: Versions | None = None
        self.served: ServedModel | None = None
        self.trouble: ProblemError | None = None

    def current(self) -> Versions | None:
        """The versions that are served for certain: none while the model server does not say."""
        return None if self.trouble is not None else self.versions

    def saw(self, versions: Versions) -> None:
        """To be called with the versions of every answer: it may be newer than the last poll."""
        served = (versions.model_version, versions.data_version)
        if served != self._told.versions:
            if self.versions is not None:
                self._changes.inc()
                logger.info(
                    "versions changed",
                    extra={
                        "model_version": versions.model_version,
                        "data_version": versions.data_version,
                    },
                )
            self.versions = versions
            self._told.versions = served

    def data_age(self, today: Callable[[], date] = lambda: datetime.now(UTC).date()) -> int | None:
        """Days since the newest market day."""
        return (
            None
            if self.served is None
            else (today() - date.fromisoformat(self.served.last_day)).days
        )

    async def look(self) -> None:
        """Asks once. Raises ProblemError where a model is not there to answer."""
        try:
            body = await self._catalog.send("/catalog/status", b"{}")
            await self._decisions.send("/v2/models/decision/ready", None)
        except RefusedError as refused:
            raise self._catalog.fault(str(refused)) from refused
        try:
            served = _decode(body)
            check_day("first_day", served.first_day)
            check_day("last_day", served.last_day)
            last_day = datetime.fromisoformat(served.last_day).replace(tzinfo=UTC).timestamp()
        except (msgspec.DecodeError, ValueError) as error:
            raise self._catalog.fault(str(error)) from error
        self.served = served
        self._told.last_day = last_day
        self.saw(Versions(served.model_version, served.data_version, served.run_id))

    async def run(self) -> None:
        """Looks until cancelled."""
        while True:
            try:
                await self.look()
                self.trouble = None
            except ProblemError as problem:
                self.trouble = problem
            except Exception:
                logger.exception("defect")
                self.trouble = ProblemError(
                    INTERNAL, "the gateway failed to read what is served; its log tells why"
                )
            await asyncio.sleep(self._seconds)
