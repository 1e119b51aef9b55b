"""The records of experiments in the model registry: each one's plan, results and end.

A record is a version of the registered model `<model>-experiments`. Its plan is written with it and
never changes. The monitor writes where the results are, and the verdict once there is one; the
outcome ends the experiment, whoever writes it. Ended experiments stay: they are the history.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, cast

from pokewatch.errors import ExperimentError
from pokewatch.experiments.results import DayResult, document_of, parse_document
from pokewatch.experiments.sequential import Rule, Verdict
from pokewatch.registry import NOT_EVALUATED, RegisteredModel, Registry
from pokewatch.registry_records import RegistryRecords
from pokewatch.valuation.models import MODELS

State = Literal["running", "promoted", "aborted", "stopped"]

_PLAN = "plan"
_RESULTS = "results"
_VERDICT = "verdict"
_STATE = "state"  # tag: how it ended; absent until then
_OUTCOME = "outcome"  # tag: the reason, or the version that was promoted
_TRAFFIC = "traffic"  # tag: the share of callers that the challenger answers


@dataclass(frozen=True, slots=True)
class Plan:
    """The two models, the id of their market, and the rule, as set at the start."""

    champion: str
    challenger: str
    market: str
    started_at: str
    rule: Rule


@dataclass(frozen=True, slots=True)
class Traffic:
    """The share of callers that the challenger answers, until a Unix time at the latest.

    `run` counts how often the experiment was given traffic: each time callers are assigned anew.
    `ended` says why it was taken away, "" as long as it was not.
    """

    run: int
    share: float
    since: str
    until: float
    ended: str = ""


@dataclass(frozen=True, slots=True)
class Experiment:
    """An experiment as recorded. `verdict` is that of the test, and `outcome` says how it ended.

    `traffic` is the last that it was given, None if it never was.
    """

    number: int
    plan: Plan
    verdict: Verdict
    state: State
    outcome: str
    results: Mapping[str, str]
    traffic: Traffic | None = None

    @property
    def has_traffic(self) -> bool:
        """Whether its challenger is to answer a share of the callers."""
        return self.state == "running" and self.traffic is not None and not self.traffic.ended

    @property
    def name_of_traffic(self) -> str:
        """The name by which callers are assigned, and which events record."""
        return f"experiment-{self.number}-{self.traffic.run if self.traffic else 0}"

    def traffic_facts(self) -> dict[str, Any] | None:
        """Return the last traffic as plain JSON, None if there never was any."""
        found = self.traffic
        if found is None:
            return None
        return {
            "experiment": self.name_of_traffic,
            "share": found.share,
            "since": found.since,
            "until": datetime.fromtimestamp(found.until, UTC).isoformat(timespec="seconds"),
            "ended": found.ended or self.outcome,
        }

    @classmethod
    def from_tags(cls, number: int, tags: Mapping[str, str]) -> "Experiment":
        plan = json.loads(tags[_PLAN])
        rule = plan.pop("rule")
        return cls(
            number,
            Plan(**plan, rule=Rule(**rule | {"coverage": tuple(rule["coverage"])})),
            cast(Verdict, tags.get(_VERDICT, "continue")),
            cast(State, tags.get(_STATE, "running")),
            tags.get(_OUTCOME, ""),
            json.loads(tags.get(_RESULTS, "{}")),
            Traffic(**json.loads(tags[_TRAFFIC])) if _TRAFFIC in tags else None,
        )


class ExperimentRecords:
    """The experiments of a registry, separate for each of its branches. One runs at a time."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._records = RegistryRecords(registry, "experiment")

    def newest(self) -> list[Experiment]:
        """Return the newest experiments, newest first."""
        return [Experiment.from_tags(*each) for each in self._records.newest()]

    def running(self) -> Experiment | None:
        """Return the experiment that runs, the first of two that were started at once."""
        found = [each for each in self.newest() if each.state == "running"]
        return found[-1] if found else None

    def start(self, challenger: str, rule: Rule) -> Experiment:
        """Start an experiment of the model `challenger` against the champion's.

        Raise ExperimentError where one runs, or the two cannot be compared.
        """
        champion = self._registry.resolve()
        model = champion.tags.get("model", "")
        self._require_comparable(champion, model, challenger)
        if (other := self.running()) is not None:
            raise _busy(other)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        plan = Plan(model, challenger, champion.tags.get("market", ""), now, rule)
        number = self._records.create({_PLAN: json.dumps(asdict(plan))})
        first = self.running()
        if first is not None and first.number != number:
            self.end(number, "stopped", f"experiment {first.number} was started at the same time")
            raise _busy(first)
        return Experiment.from_tags(number, self._records.read(number))

    def decide(self, number: int, verdict: Verdict) -> None:
        """Record the verdict of the test."""
        self._records.set_tag(number, _VERDICT, verdict)

    def end(self, number: int, state: State, outcome: str) -> None:
        """End an experiment. Of two ends at once, the last written counts."""
        self._records.set_tag(number, _OUTCOME, outcome)
        self._records.set_tag(number, _STATE, state)

    def stop(self, reason: str) -> Experiment:
        """Stop the experiment that runs. Raise ExperimentError where none does."""
        experiment = self.require_running()
        self.end(experiment.number, "stopped", reason)
        return Experiment.from_tags(experiment.number, self._records.read(experiment.number))

    def require_running(self) -> Experiment:
        """Return the experiment that runs. Raise ExperimentError where none does."""
        experiment = self.running()
        if experiment is None:
            raise ExperimentError("no experiment is running; pokewatch experiment status lists all")
        return experiment

    def give_traffic(self, experiment: Experiment, share: float, days: float) -> Experiment:
        """Record that the challenger is to answer a share of the callers, for so many days.

        One that has this share keeps it, for as long as it was to; once its days are over, it is
        given traffic anew. Raise ExperimentError where it has another share: arms whose share
        changes cannot be compared.
        """
        found, now = experiment.traffic, datetime.now(UTC)
        if found is not None and not found.ended and now.timestamp() < found.until:
            if found.share == share:
                return experiment
            raise ExperimentError(
                f"the challenger of experiment {experiment.number} has {found.share:.0%} of the "
                "callers already, and a share is fixed: pokewatch experiment stop --traffic"
            )
        run, since = (found.run if found else 0) + 1, now.isoformat(timespec="seconds")
        until = (now + timedelta(days=days)).timestamp()
        return self._write_traffic(experiment, Traffic(run, share, since, until))

    def end_traffic(self, experiment: Experiment, reason: str) -> Experiment:
        """Record why the challenger answers nobody any more. The first reason counts."""
        found = experiment.traffic
        if found is None or found.ended:
            return experiment
        return self._write_traffic(experiment, replace(found, ended=reason))

    def _write_traffic(self, experiment: Experiment, traffic: Traffic) -> Experiment:
        self._records.set_tag(experiment.number, _TRAFFIC, json.dumps(asdict(traffic)))
        return replace(experiment, traffic=traffic)

    def read_results(self, experiment: Experiment) -> list[DayResult]:
        """Return the results so far, by day of forecast. Raise ExperimentError or RegistryError."""
        stored = experiment.results
        if not stored:
            return []
        found = self._registry.document(self._registry.version(stored["version"]), stored["name"])
        if _digest(found) != stored["sha256"]:
            raise ExperimentError(
                f"the results of experiment {experiment.number} are damaged: the SHA-256 of "
                f"{stored['name']} in model version {stored['version']} is not {stored['sha256']}"
            )
        return parse_document(found)

    def write_results(
        self, experiment: Experiment, model: RegisteredModel, days: Sequence[DayResult]
    ) -> None:
        """Store the results in the run of a version; the record names them last."""
        document = document_of(days)
        digest = _digest(document)
        name = f"experiments/{experiment.number}-{digest[:16]}.json"
        self._registry.log_document(model, name, document)
        stored = {"version": model.version, "name": name, "sha256": digest}
        self._records.set_tag(experiment.number, _RESULTS, json.dumps(stored))

    @staticmethod
    def _require_comparable(champion: RegisteredModel, model: str, challenger: str) -> None:
        if challenger not in MODELS:
            known = ", ".join(MODELS)
            raise ExperimentError(f"there is no model {challenger!r}: it must be one of {known}")
        if model not in MODELS:
            raise ExperimentError(
                f"the champion, version {champion.version}, is of the model {model!r}, which this "
                "PokeWatch does not have: run the pipeline first"
            )
        if model == challenger:
            raise ExperimentError(f"the champion is {model} already; choose another challenger")
        if NOT_EVALUATED in champion.tags:
            raise ExperimentError(
                f"the champion, version {champion.version}, was {champion.tags[NOT_EVALUATED]}: "
                "an experiment needs a market in which models can be evaluated"
            )


def _busy(experiment: Experiment) -> ExperimentError:
    return ExperimentError(
        f"experiment {experiment.number} is running, {experiment.plan.challenger} against "
        f"{experiment.plan.champion}: wait for its end, or pokewatch experiment stop"
    )


def _digest(document: Any) -> str:
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()
