"""The daily update of the experiment that runs: outcomes that are due, and the verdict."""

import logging
from collections.abc import Iterator, Sequence
from datetime import date

from pokewatch.errors import BookError, ExperimentError, RegistryError
from pokewatch.experiments.records import Experiment, ExperimentRecords
from pokewatch.experiments.results import DayResult
from pokewatch.experiments.scoring import score_day
from pokewatch.experiments.standing import Standing
from pokewatch.registry import LAST_DAY, RegisteredModel, Registry
from pokewatch.registry_records import EXPERIMENT
from pokewatch.valuation.panel import Panel

logger = logging.getLogger("pokewatch.experiments")

COMPARED_WITH = "compared_with"  # tag of a challenger's version: the champion's of the same prices
GATE_FAILED = "gate_failed"  # tag of a challenger's version: the checks it did not pass
MOST_DAYS = 20  # scored in one run: each takes two books, and a first run may find months


def challengers_of(registry: Registry, experiment: Experiment) -> list[RegisteredModel]:
    """Return the challenger's versions in an experiment, newest first."""
    return registry.versions(f"tags.{EXPERIMENT} = '{experiment.number}'")


class ExperimentUpdate:
    """An update of the experiment that runs, as of the last day of `panel`."""

    def __init__(self, panel: Panel, registry: Registry, champion: RegisteredModel) -> None:
        self._panel = panel
        self._registry = registry
        self._champion = champion
        self._records = ExperimentRecords(registry)

    def run(self) -> Standing | None:
        """Score what is due and store it, and record a verdict. Return the standing.

        Return None where no experiment of this market runs. Raise ExperimentError or RegistryError.
        """
        experiment = self._records.running()
        market = self._champion.tags.get("market")
        if experiment is None or experiment.plan.market != market:
            return None
        known = self._records.read_results(experiment)
        new = list(self._new(experiment, {day.issued_on for day in known}))
        if new:
            known = sorted([*known, *new], key=lambda day: day.issued_on)
            self._records.write_results(experiment, self._champion, known)
        self._conclude(experiment, known)
        return next(
            Standing.of(each, known)
            for each in self._records.newest()
            if each.number == experiment.number
        )

    def _new(self, experiment: Experiment, known: set[date]) -> Iterator[DayResult]:
        """Yield the results of days that are due; of several forecasts of a day, the first's."""
        last, scored = self._panel.dates[-1].item(), 0
        horizon = experiment.plan.rule.horizon
        for challenger in challengers_of(self._registry, experiment)[::-1]:
            issued_on = date.fromisoformat(challenger.tags[LAST_DAY])
            due = (last - issued_on).days >= horizon
            if issued_on in known or not due or scored >= MOST_DAYS:
                continue
            if (result := self._score(challenger)) is not None:
                scored += 1
                known.add(issued_on)
                yield result

    def _score(self, challenger: RegisteredModel) -> DayResult | None:
        """Return the result of a challenger's version, None where a book cannot be read: logged."""
        try:
            champion = self._registry.version(challenger.tags[COMPARED_WITH])
            books = [self._registry.open_book(model) for model in (champion, challenger)]
        except (BookError, RegistryError) as error:
            logger.error(
                "the forecasts of model version %s cannot be compared: %s",
                challenger.version,
                error,
            )
            return None
        return score_day(self._panel, (champion, books[0]), (challenger, books[1]))

    def _conclude(self, experiment: Experiment, days: Sequence[DayResult]) -> None:
        """Record a verdict, and end the experiment unless a promotion is to follow."""
        plan, model = experiment.plan, self._champion.tags.get("model", "")
        # A promotion that was killed after its deploy is still to be recorded.
        promoted = experiment.verdict == "promote" and model == plan.challenger
        if model != plan.champion and not promoted:
            outcome = f"the champion is {model} now, in place of {plan.champion}"
            self._records.end(experiment.number, "stopped", outcome)
            return
        if experiment.verdict != "continue":
            return
        verdict = Standing.of(experiment, days).verdict()
        if verdict == "continue":
            return
        self._records.decide(experiment.number, verdict)
        if verdict == "abort":
            outcome = f"{plan.challenger} is worse than {plan.champion}"
            self._records.end(experiment.number, "aborted", outcome)
        elif verdict == "stop":
            outcome = f"neither is better after {plan.rule.longest} days"
            self._records.end(experiment.number, "stopped", outcome)


def newest_standings(registry: Registry, most: int) -> list[Standing]:
    """Return the standings of the newest experiments, newest first.

    Those whose results cannot be read are left out, and that is logged.
    """
    records = ExperimentRecords(registry)
    found = []
    for experiment in records.newest()[:most]:
        try:
            found.append(Standing.of(experiment, records.read_results(experiment)))
        except (ExperimentError, RegistryError) as error:
            logger.error("experiment %s cannot be shown: %s", experiment.number, error)
    return found
