"""A share of the callers for the challenger of an experiment, for days.

The record of the experiment says which share it should be, and `reconcile` makes it so: under the
lock of deploys, by the plans that the canary of a deploy uses too, with the version of the
challenger that is compared with the champion. There is one canary at a time, and a deploy comes
first: it ends the experiment's, which goes on with the next version afterwards. Callers are
assigned by a name that does not change, so they stay in their arm.
"""

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from secrets import token_hex

import httpx

from pokewatch import notify
from pokewatch.contract import challenger_model
from pokewatch.deploy.book_checks import checked_book
from pokewatch.deploy.compatibility import require_compatible
from pokewatch.deploy.publication import (
    REPLACED,
    Publication,
    Replicas,
    await_gateways,
    current_plan,
    end_canary,
    published_canary,
)
from pokewatch.deploy.server_checks import check_servers
from pokewatch.errors import LockLostError, PokeWatchError
from pokewatch.experiments.records import Experiment, ExperimentRecords, Traffic
from pokewatch.experiments.update import COMPARED_WITH, GATE_FAILED, challengers_of
from pokewatch.registry import BOOK_REMOVED, CANARY, RegisteredModel, Registry
from pokewatch.serving.canaries import LONGEST_TIME, CanaryPlan
from pokewatch.settings import DeployWatchSettings

logger = logging.getLogger("pokewatch.experiments")


class ExperimentTraffic:
    """The callers of the running experiment's challenger. Every method needs the deploy's lock."""

    def __init__(
        self,
        registry: Registry,
        client: httpx.Client,
        replicas: Replicas,
        check_lock: Callable[[], None],
    ) -> None:
        self._registry = registry
        self._records = ExperimentRecords(registry)
        self._client = client
        self._replicas = replicas
        self._check_lock = check_lock
        self._unread = False  # gateways may not have read yet that a canary has ended

    def end(self, reason: str) -> None:
        """End a canary, for `reason` if it is a deploy's.

        A check that had stopped that of an experiment before is recorded: it does not go on. Raise
        LockLostError when another deploy has taken over: the canary may be its own.
        """
        self._check_lock()
        plan = current_plan(self._registry)
        if plan is not None:
            self._unread = True
        if plan is None or not plan.experiment:
            end_canary(self._registry, self._client, self._replicas, reason)
        elif stopped := end_canary(self._registry, self._client, self._replicas, REPLACED):
            self._record_stop(plan.experiment, stopped)

    def pause(self) -> None:
        """End a canary, so that a server may load another version as the challenger."""
        self.end(REPLACED)
        self._await_gateways()

    def reconcile(self) -> str:
        """Give the challenger its callers, or take them away. Return what was done, "" for nothing.

        Raise DeployError where it cannot be served: then the champion answers all callers.
        """
        plan = current_plan(self._registry)
        wanted = self._wanted()
        if plan is not None and wanted is not None and self._continues(plan, *wanted):
            return ""
        if plan is not None:
            self.end(REPLACED)
            wanted = self._wanted()  # a check may have stopped it
        if wanted is None:
            return "" if plan is None else "the champion answers all callers"
        try:
            self._publish(*wanted)
        except PokeWatchError:
            self.end(REPLACED)
            raise
        experiment, version = wanted
        return f"{_share(experiment)} of the callers get version {version}"

    def go_on(self) -> None:
        """Reconcile after a deploy. What prevents it is logged and notified, and tried again."""
        try:
            if done := self.reconcile():
                logger.info("%s", done)
        except LockLostError:
            raise
        except PokeWatchError as error:
            running = self._records.running()
            self._report(running, "its challenger answers no callers", str(error))

    def _wanted(self) -> tuple[Experiment, str] | None:
        """Return the experiment that should have callers, and the version for them, or None."""
        experiment, champion = self._records.running(), self._registry.find()
        if experiment is None or champion is None or not experiment.has_traffic:
            return None
        if champion.tags.get("model", "") != experiment.plan.champion:
            return None  # the monitor ends it
        if datetime.now(UTC).timestamp() >= _traffic(experiment).until:
            self._records.end_traffic(experiment, LONGEST_TIME)
            return None
        for version in challengers_of(self._registry, experiment):
            if version.tags.get(COMPARED_WITH) == champion.version and _is_servable(version):
                return experiment, version.version
        text = f"no version of {experiment.plan.challenger} that passed the gate was compared with "
        text += f"version {champion.version}, which is champion"
        self._report(experiment, "its challenger answers no callers", text)
        return None

    def _continues(self, plan: CanaryPlan, experiment: Experiment, version: str) -> bool:
        """Return whether the servers publish what is wanted, and no check has stopped it."""
        alias = self._registry.find(CANARY)
        if plan.experiment != experiment.name_of_traffic or not plan.revision:
            return False
        if alias is None or alias.version != version:
            return False
        found = [
            published_canary(self._client, address, self._registry.market)
            for address in self._replicas()
        ]
        return all(
            (each.get("id"), each.get("ended")) == (plan.id, None)
            for each in found
            if each is not None
        )

    def _publish(self, experiment: Experiment, version: str) -> None:
        """Check the version, have every MLServer load it, and then publish its share."""
        registry, settings = self._registry, DeployWatchSettings.read()
        champion = registry.resolve().version
        require_compatible(registry, version, champion)
        golden = checked_book(registry, version, champion)
        self._await_gateways()
        traffic, name = _traffic(experiment), experiment.name_of_traffic
        plan = CanaryPlan(
            f"{name}-{token_hex(3)}",
            traffic.share,
            0,
            experiment=name,
            since=traffic.since,
            until=traffic.until,
        )
        publication = Publication(registry, self._client, version, self._replicas, self._check_lock)
        serving = publication.publish(plan)
        if settings.deploy_watch_seconds and serving:
            golden = replace(golden, model=challenger_model(registry.market))
            running = self._is_running
            if breach := check_servers(self._client, serving, golden, settings, running):
                raise breach.error(version)
        publication.publish(replace(plan, revision=1))

    def _await_gateways(self) -> None:
        if self._unread:
            await_gateways()
            self._unread = False

    def _is_running(self, address: str) -> bool:
        return address in self._replicas()

    def _record_stop(self, name: str, reason: str) -> None:
        for experiment in self._records.newest():
            if experiment.name_of_traffic == name and experiment.has_traffic:
                self._records.end_traffic(experiment, reason)
                self._report(experiment, "its challenger was stopped", reason)

    def _report(self, experiment: Experiment | None, what: str, why: str) -> None:
        number = experiment.number if experiment else 0
        logger.error("experiment %s: %s: %s", number, what, why)
        title = f"experiment {number}: {what}"
        notify.send_once("experiment", f"{number} {what} {why}", title, f"{why}.")


def _traffic(experiment: Experiment) -> Traffic:
    assert experiment.traffic is not None
    return experiment.traffic


def _is_servable(version: RegisteredModel) -> bool:
    return not version.tags.get(GATE_FAILED) and BOOK_REMOVED not in version.tags


def _share(experiment: Experiment) -> str:
    return f"{_traffic(experiment).share:.0%}"
