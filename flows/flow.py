"""The daily pipeline, from prices to a deployed model: `python flow.py run`."""

from typing import Any

from base import OneSchedule
from daily_parameters import DailySpec, WorkersByCpu
from metaflow import card, current, kubernetes, project, retry, schedule, step, timeout

from pokewatch.notify import notify_failure, notify_success  # exit hooks, see base.py  # noqa: F401
from pokewatch.wording import counted


@OneSchedule
@WorkersByCpu
@project(name="pokewatch")
@schedule(cron="0 2 * * *")
class PokeWatchFlow(DailySpec):
    """Collect prices, train and evaluate models, and deploy the best.

    1. collect the missing days, and store the lake as a version
    2. validate them: if a check fails the run stops, and the champion stays
    3. process the cards, in shards, into a panel whose hash is the data version
    4. train every candidate and the champion's model; evaluate them by walk-forward validation
    5. select the simplest model that no other beats, and apply the gate's checks
    6. register its price book, that of a model in an experiment beside it, and make it champion
    7. judge the watches by the new prices, and send what is due
    """

    @timeout(minutes=10)
    @kubernetes(cpu=0.5, memory=1024, disk=2048)
    @step
    def start(self) -> None:
        """Parse the parameters that are lists."""
        from pokewatch.pipeline.parameters import (
            default_candidates,
            parse_candidates,
            parse_horizons,
        )

        self.horizons = [self.horizon, *parse_horizons(self.other_horizons)]
        self.models = (
            parse_candidates(self.candidates)
            if self.candidates
            else default_candidates(self.source_name())
        )
        self.next(self.collect)

    @card(type="blank")
    @timeout(hours=3)
    @retry(times=2, minutes_between_retries=5)
    @kubernetes(cpu=1, memory=4096, disk=20480)
    @step
    def collect(self) -> None:
        """Collect the missing days."""
        from cards import collection_card

        from pokewatch.pipeline.collect import collect_prices
        from pokewatch.pipeline.parameters import parse_day
        from pokewatch.valuation.short_history import days_needed

        market = self.market_of_source() | {"needed": days_needed(self.horizon)}
        self.collected = collect_prices(
            self.source_name(), end=parse_day(self.last_day), days=self.days, **market
        )
        current.card.extend(collection_card(self.collected))
        self.next(self.validate)

    @card(type="blank")
    @timeout(hours=1)
    @retry(times=1)
    @kubernetes(cpu=1, memory=4096, disk=20480)
    @step
    def validate(self) -> None:
        """Check the quality of the prices."""
        from cards import quality_card

        from pokewatch.pipeline.collect import daily_figures, validate

        self.checks = validate(self.collected)
        figures = daily_figures(self.collected)
        self.currency = figures["currency"]
        current.card.extend(quality_card(self.collected, self.checks, figures))
        self.next(self.plan)

    @timeout(minutes=10)
    @kubernetes(cpu=0.5, memory=1024, disk=2048)
    @step
    def plan(self) -> None:
        """Stop if a check failed or the champion may not be replaced; else split the cards."""
        from pokewatch.deploy.compatibility import require_replaceable
        from pokewatch.market.quality.days import require
        from pokewatch.pipeline.collect import market_change
        from pokewatch.pipeline.experiments import with_challenger
        from pokewatch.pipeline.selection import with_champion
        from pokewatch.registry import Registry

        require(self.checks)
        if not self.replace:
            require_replaceable(Registry(), self.collected.market, self.collected.last_day)
        self.models = with_challenger(with_champion(self.models), self.collected.market)
        self.changed = market_change(self.collected)
        self.shard = list(range(self.shards))
        self.next(self.features, foreach="shard")

    @timeout(hours=2)
    @retry(times=2)
    @kubernetes(cpu=2, memory=8192, disk=20480)
    @step
    def features(self) -> None:
        """Process one shard."""
        from pokewatch.pipeline.processing import process_shard

        self.shard_version = process_shard(self.collected, self.input, self.shards, self.changed)
        self.next(self.assemble)

    @timeout(hours=1)
    @retry(times=2)
    @kubernetes(cpu=1, memory=4096, disk=20480)
    @step
    def assemble(self, inputs: Any) -> None:
        """Join the shards into a panel whose hash is the data version."""
        from pokewatch.pipeline.processing import join_shards

        self.merge_artifacts(inputs, include=["collected", "currency", "models", "horizons"])
        self.data_version = join_shards([each.shard_version for each in inputs])
        self.next(self.train)

    @card(type="blank")
    @timeout(hours=4)
    @retry(times=1)
    @kubernetes(cpu=2, memory=8192, disk=20480)
    @step
    def train(self) -> None:
        """Fit every candidate on the whole panel."""
        from cards import training_card

        from pokewatch.pipeline.training import too_long, train, trials

        self.parameters = train(self.data_version, self.models, self.horizon)
        print(f"fitted {', '.join(self.parameters)}")
        left_out = too_long(self.data_version, self.horizons)
        current.card.extend(
            training_card(self.collected.market, self.parameters, left_out, self.data_version)
        )
        for horizon, reason in left_out:
            print(f"not evaluated {horizon} days ahead: {reason}")
        self.trials = trials(list(self.parameters), self.horizons, left_out)
        self.next(self.evaluate, foreach="trials")

    @card(type="blank")
    @timeout(hours=4)
    @retry(times=1)
    @kubernetes(cpu=2, memory=8192, disk=20480)
    @step
    def evaluate(self) -> None:
        """Evaluate one candidate, at one horizon or more, by walk-forward validation."""
        from cards import evaluation_card

        from pokewatch.pipeline.training import evaluate_candidate
        from pokewatch.settings import GateSettings

        model, horizons = self.input
        self.evaluated = []
        for horizon in horizons:
            print(f"evaluating {model}, {horizon} days ahead")
            found = evaluate_candidate(self.data_version, model, horizon)
            print(found)
            self.evaluated.append(found)
        market, limits = (self.collected.market, self.currency), GateSettings.read()
        dicts = [each.to_dict() for each in self.evaluated]
        current.card.extend(evaluation_card(*market, dicts, limits))
        self.next(self.gate)

    @card(type="blank")
    @timeout(minutes=30)
    @retry(times=1)
    @kubernetes(cpu=0.5, memory=2048, disk=4096)
    @step
    def gate(self, inputs: Any) -> None:
        """Select the simplest candidate that no other beats, and apply the gate's checks."""
        from cards import gate_card

        from pokewatch.pipeline.experiments import find_challenger
        from pokewatch.pipeline.selection import select_model

        self.merge_artifacts(
            inputs, include=["collected", "currency", "data_version", "parameters", "horizons"]
        )
        found = [evaluation for each in inputs for evaluation in each.evaluated]
        served = [each for each in found if each.horizon == self.horizon]
        self.gate_outcome = select_model(served)
        self.challenger = find_challenger(served, self.gate_outcome.model, self.collected.market)
        self.evaluations = [each.to_dict() for each in served]
        others = [each.to_dict() for each in found if each.horizon != self.horizon]
        market = self.collected.market, self.currency
        current.card.extend(gate_card(*market, self.gate_outcome, self.evaluations, others))
        self.next(self.register)

    @card(type="blank")
    @timeout(hours=1)
    @kubernetes(cpu=2, memory=8192, disk=20480)
    @step
    def register(self) -> None:
        """Stop if the gate refused; otherwise register the price book as challenger.

        The price book of a model in an experiment is registered beside it.
        """
        from cards import registration_card

        from pokewatch.pipeline.experiments import register_beside
        from pokewatch.pipeline.model_records import record_gate
        from pokewatch.pipeline.registration import register
        from pokewatch.pipeline.selection import require_passed
        from pokewatch.registry import Registry

        require_passed(self.gate_outcome)
        chosen = self.gate_outcome.model
        evaluations = {each["model"]: each for each in self.evaluations}
        tags = {"metaflow_run_id": current.run_id, "metaflow_flow": current.flow_name}
        data = self.collected, self.data_version
        fitted = self.parameters[chosen]
        self.registered = register(*data, fitted, evaluations[chosen], tags, self.horizons[1:])
        record_gate(
            Registry(), self.registered, self.gate_outcome.checks, self.gate_outcome.reasons
        )
        if self.challenger is not None:
            model = self.challenger.model
            other = self.parameters[model], evaluations[model]
            print(register_beside(self.challenger, self.registered, *data, *other, tags))
        book = Registry().open_book(self.registered)
        current.card.extend(registration_card(self.registered, book))
        self.next(self.deploy)

    @card(type="blank")
    @timeout(minutes=30)
    @kubernetes(cpu=0.5, memory=2048, disk=20480)
    @step
    def deploy(self) -> None:
        """Make the challenger champion on every running MLServer, or restore the old champion."""
        from cards import STRONGEST, deploy_card

        from pokewatch.deploy.rollout import deploy
        from pokewatch.pipeline.registration import BACKTEST
        from pokewatch.registry import Registry
        from pokewatch.valuation.signals import strongest_values

        registry = Registry()
        self.outcomes = deploy(registry, self.registered.version, replace=self.replace)
        current.card.extend(
            deploy_card(
                self.collected.market,
                self.registered,
                self.gate_outcome,
                self.outcomes,
                registry.document(self.registered, BACKTEST),
                strongest_values(registry.open_book(self.registered), STRONGEST),
            )
        )
        self.next(self.watches)

    @timeout(minutes=30)
    @retry(times=2)
    @kubernetes(cpu=0.5, memory=2048, disk=20480)
    @step
    def watches(self) -> None:
        """Judge the watches by the new prices, and send the notifications that are due."""
        from pokewatch.pipeline.watches import judge_watches

        judged, sent = judge_watches()
        print(
            f"judged {counted(judged.judged, 'watch', 'watches')}: {judged.fired} fired; "
            f"{counted(sent.sent, 'notification')} sent"
        )
        self.next(self.end)

    @timeout(minutes=30)
    @kubernetes(cpu=0.5, memory=2048, disk=2048)
    @step
    def end(self) -> None:
        """Remove what is no longer used, and print the result."""
        from base import datastore_root

        from pokewatch.pipeline.storage import prune_versions
        from pokewatch.retention.tidy import tidy

        if self.tidy:
            prune_versions()
            for removed in tidy(datastore=datastore_root(), own_task=current.pathspec):
                print(f"tidy: {removed.name}: {removed.fault or f'{removed.size:,} bytes removed'}")
        print(
            f"model version {self.registered.version} ({self.gate_outcome.model}) was made "
            f"champion, on data version {self.data_version}"
        )
        if self.gate_outcome.not_evaluated:
            print(self.gate_outcome.not_evaluated)


if __name__ == "__main__":
    PokeWatchFlow()
