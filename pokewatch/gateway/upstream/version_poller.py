"""Poller of the model server: which versions it serves, and how old its data is."""

import logging
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Annotated

import msgspec

from pokewatch.contract import Skill
from pokewatch.gateway.http.problems import INTERNAL, ProblemError
from pokewatch.gateway.metrics import Metrics, ServedMarket
from pokewatch.gateway.upstream.reply_checks import check_day
from pokewatch.gateway.upstream.v2_client import RefusedError, V2Client
from pokewatch.gateway.upstream.v2_messages import Version, Versions

logger = logging.getLogger("pokewatch.gateway.upstream.version_poller")


class CanaryOffer(msgspec.Struct, frozen=True):
    """The canary of a market: the share of callers, from 0 to 1, that its challenger answers.

    `ended` says why it answers none of them any more, None while it runs. Of two offers of one `id`
    that of the higher `revision` is the newer. Callers are assigned by the name `experiment`, which
    an experiment keeps when it goes on under another id. `since` is when its traffic began, "" if
    that is not known.
    """

    id: Annotated[str, msgspec.Meta(min_length=1)]
    share: Annotated[float, msgspec.Meta(ge=0, le=1)]
    revision: int
    experiment: Annotated[str, msgspec.Meta(min_length=1)]
    since: str = ""
    ended: str | None = None


class ServedModel(msgspec.Struct, frozen=True):
    """The reply of the model server's `/catalog/status`."""

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
    market: str
    games: list[str]
    skill: Skill
    not_evaluated: str | None = None
    record: str = ""
    settings: str = ""
    canary: CanaryOffer | None = None


_decode = msgspec.json.Decoder(ServedModel).decode


class VersionPoller:
    """Polls one market: its catalogue at the path `catalog_path`, and the model `decision`.

    `versions` are those of the newest reply, None before the first. `served` is the last status,
    `polled_at` the time of it by `time.monotonic`, and `problem` why the last poll failed, None if
    it succeeded. `settings_changes` counts the polls that found other settings for judging prices
    than the poll before: the versions stay the same when a model server is restarted with other
    thresholds, so it is part of the keys of cached answers. `metric` is where the versions are
    recorded, by default the metrics of the market.
    """

    def __init__(
        self,
        catalog: V2Client,
        catalog_path: str,
        decisions: V2Client,
        metrics: Metrics,
        metric: ServedMarket | None = None,
    ) -> None:
        self._catalog = catalog
        self._status = f"{catalog_path}/status"
        self._decisions = decisions
        self._changes = metrics.changes.labels(catalog.market)
        self._metric = metrics.served.of(catalog.market) if metric is None else metric
        self.versions: Versions | None = None
        self.served: ServedModel | None = None
        self.polled_at = 0.0
        self.problem: ProblemError | None = None
        self.settings_changes = 0

    def current_versions(self) -> Versions | None:
        """Return the versions being served, None while the model server does not answer."""
        return None if self.problem is not None else self.versions

    def served_versions(self) -> set[tuple[str, str]]:
        """Return the versions of model and data that `served` describes; none while it is old."""
        if self.served is None or self.problem is not None:
            return set()
        return {(self.served.model_version, self.served.data_version)}

    def current_record(self) -> str:
        """Return the digest of the track record being served, "" if there is none."""
        return "" if self.served is None else self.served.record

    def observe(self, versions: Versions) -> None:
        """Record the versions of a reply, which may be newer than the last poll."""
        served = (versions.model_version, versions.data_version)
        if served == self._metric.versions:
            return
        if self.versions is not None:
            self._changes.inc()
            logger.info(
                "versions changed",
                extra={
                    "market": versions.market,
                    "model_version": versions.model_version,
                    "data_version": versions.data_version,
                },
            )
        self.versions = versions
        self._metric.versions = served

    def data_age(self, today: Callable[[], date] = lambda: datetime.now(UTC).date()) -> int | None:
        """Return the days since the newest market day."""
        if self.served is None:
            return None
        return (today() - date.fromisoformat(self.served.last_day)).days

    async def poll(self) -> None:
        """Poll once. Raise ProblemError if a model does not answer."""
        try:
            body = await self._catalog.send(self._status, b"{}")
            await self._decisions.send("/v2/models/decision/ready", None)
        except RefusedError as refused:
            raise self._catalog.bad_reply(str(refused)) from refused
        try:
            served = _decode(body)
            check_day("first_day", served.first_day)
            check_day("last_day", served.last_day)
            if self._catalog.market not in ("", served.market):
                raise ValueError(f"the price book is of the market {served.market!r}")
            last_day = datetime.fromisoformat(served.last_day).replace(tzinfo=UTC).timestamp()
        except (msgspec.DecodeError, ValueError) as error:
            raise self._catalog.bad_reply(str(error)) from error
        if self.served is not None and self.served.settings != served.settings:
            self.settings_changes += 1
        self.served = served
        self.polled_at = time.monotonic()
        self._metric.last_day = last_day
        self.observe(
            Versions(
                served.model_version,
                served.data_version,
                served.run_id,
                served.currency,
                served.market,
            )
        )

    async def refresh(self) -> bool:
        """Poll once, recording a failure. Return whether it succeeded."""
        try:
            await self.poll()
            self.problem = None
        except ProblemError as problem:
            self.problem = problem
        except Exception:
            logger.exception("unexpected error")
            self.problem = ProblemError(
                INTERNAL, "the status of the model server could not be read; see the log"
            )
        return self.problem is None
