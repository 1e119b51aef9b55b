"""The daily pipeline: from prices to the model that serves. `python flow.py run` needs nothing but this machine."""

from datetime import date
from typing import Any

from base import PokeWatchSpec
from metaflow import (
    Parameter,
    card,
    config_expr,
    current,
    kubernetes,
    namespaced_event_name,
    project,
    retry,
    schedule,
    step,
    timeout,
    trigger,
)

from pokewatch.notify import notify_failure, notify_success  # the exit hooks that base names  # noqa: F401


@project(name="pokewatch")
@schedule(cron="0 2 * * *")
@trigger(
    event=namespaced_event_name("retrain")
)  # by monitor.py, where the models no longer describe the market
class PokeWatchFlow(PokeWatchSpec):
    """From prices to the model that serves.

    1. collect the days the lake lacks, and keep the lake as a version
    2. validate them: a bad day stops the run, and the last good model keeps serving
    3. process the cards, shard by shard, into the panel whose hash is the data version
    4. train every candidate and the champion's model, and evaluate each at each horizon by walking forward
    5. choose the simplest that is not beaten, and put it through the gate
    6. register its price book, and make it champion
    """

    days = Parameter("days", default=400, help="Days of prices to learn from, up to the last.")
    last_day = Parameter(
        "to", default="", help="The last day, YYYY-MM-DD. Default: the last the source has."
    )
    horizon = Parameter("horizon", default=7, help="Days ahead that fair prices look.")
    other_horizons = Parameter(
        "other-horizons",
        default="30",
        help="Days ahead that candidates are judged at besides, by comma, where the history allows.",
    )
    candidates = Parameter(
        "candidates",
        default=config_expr("deploy.candidates"),
        help="Models to choose from, by comma: rolling_mean, median7, local_level, boosted, which takes minutes more.",
    )
    replace = Parameter(
        "replace",
        default=False,
        help="Deploy a model of another market or currency, or without the champion's cards.",
    )
    shards = Parameter(
        "shards", default=2, help="Parts that the cards are processed in, side by side."
    )

    def check(self) -> tuple[date | None, date | None]:
        from pokewatch.pipeline.parameters import check_daily, parse_day

        check_daily(
            days=self.days,
            last_day=self.last_day,
            horizon=self.horizon,
            other_horizons=self.other_horizons,
            candidates=self.candidates,
            shards=self.shards,
        )
        return None, parse_day(self.last_day)

    @timeout(minutes=10)
    @kubernetes(cpu=0.5, memory=1024, disk=2048)
    @step
    def start(self) -> None:
        """Read the lists among the parameters."""
        from pokewatch.pipeline.parameters import parse_candidates, parse_horizons

        self.horizons = [self.horizon, *parse_horizons(self.other_horizons)]
        self.models = parse_candidates(self.candidates)
        self.next(self.collect)

    @timeout(hours=3)
    @retry(times=2, minutes_between_retries=5)
    @kubernetes(cpu=1, memory=4096, disk=20480)
    @step
    def collect(self) -> None:
        """Bring in the days the lake lacks."""
        from pokewatch.pipeline.daily import collect_prices
        from pokewatch.pipeline.parameters import parse_day
        from pokewatch.valuation.evaluation.runner import days_needed

        market = self.market_of_source() | {"needed": days_needed(self.horizon)}
        self.collected = collect_prices(
            self.source, end=parse_day(self.last_day), days=self.days, **market
        )
        self.next(self.validate)

    @card(type="blank")
    @timeout(hours=1)
    @retry(times=1)
    @kubernetes(cpu=1, memory=4096, disk=20480)
    @step
    def validate(self) -> None:
        """Check the quality of the prices, and show it."""
        from cards import quality_card

        from pokewatch.pipeline.daily import daily_figures, validate

        self.checks = validate(self.collected)
        current.card.extend(
            quality_card(self.collected, self.checks, daily_figures(self.collected))
        )
        self.next(self.plan)

    @timeout(minutes=10)
    @kubernetes(cpu=0.5, memory=1024, disk=2048)
    @step
    def plan(self) -> None:
        """Stop here if the prices failed their checks; else split the cards."""
        from pokewatch.market.quality.days import require
        from pokewatch.pipeline.daily import market_change, with_champion

        require(self.checks)
        self.models = with_champion(self.models)
        self.changed = market_change(self.collected)
        self.shard = list(range(self.shards))
        self.next(self.features, foreach="shard")

    @timeout(hours=2)
    @retry(times=2)
    @kubernetes(cpu=2, memory=8192, disk=20480)
    @step
    def features(self) -> None:
        """Process one shard of the cards."""
        from pokewatch.pipeline.daily import process_shard

        self.shard_version = process_shard(self.collected, self.input, self.shards, self.changed)
        self.next(self.assemble)

    @timeout(hours=1)
    @retry(times=2)
    @kubernetes(cpu=1, memory=4096, disk=20480)
    @step
    def assemble(self, inputs: Any) -> None:
        """Join the shards into the panel whose hash is the data version."""
        from pokewatch.pipeline.daily import join_shards

        self.merge_artifacts(inputs, include=["collected", "models", "horizons"])
        self.data_version = join_shards([each.shard_version for each in inputs])
        self.next(self.train)

    @timeout(hours=4)
    @retry(times=1)
    @kubernetes(cpu=2, memory=8192, disk=20480)
    @step
    def train(self) -> None:
        """Fit every candidate on all there is."""
        from pokewatch.pipeline.daily import train, trials

        self.parameters = train(self.data_version, self.models, self.horizon)
        self.trials = trials(self.collected, self.models, self.horizons)
        self.next(self.evaluate, foreach="trials")

    @card(type="blank")
    @timeout(hours=4)
    @retry(times=1)
    @kubernetes(cpu=2, memory=8192, disk=20480)
    @step
    def evaluate(self) -> None:
        """Judge one candidate at one horizon by walking forward."""
        from cards import evaluation_card

        from pokewatch.pipeline.daily import evaluate_candidate

        self.evaluation = evaluate_candidate(self.data_version, *self.input)
        current.card.extend(evaluation_card(self.evaluation))
        self.next(self.gate)

    @card(type="blank")
    @timeout(minutes=30)
    @retry(times=1)
    @kubernetes(cpu=0.5, memory=2048, disk=4096)
    @step
    def gate(self, inputs: Any) -> None:
        """Choose the simplest candidate that is not beaten, and see whether it is good enough to ship."""
        from cards import gate_card

        from pokewatch.pipeline.daily import judge

        self.merge_artifacts(inputs, include=["collected", "data_version", "parameters"])
        found = [each.evaluation for each in inputs]
        self.evaluations = [each for each in found if each["horizon"] == self.horizon]
        self.verdict = judge(self.evaluations)
        current.card.extend(
            gate_card(
                self.verdict,
                self.evaluations,
                [each for each in found if each["horizon"] != self.horizon],
            )
        )
        self.next(self.register)

    @timeout(hours=1)
    @kubernetes(cpu=2, memory=8192, disk=20480)
    @step
    def register(self) -> None:
        """Stop here if the gate refused; else register the price book as challenger."""
        from pokewatch.pipeline.daily import register, require_passed

        require_passed(self.verdict)
        chosen = self.verdict.model
        evaluation = next(each for each in self.evaluations if each["model"] == chosen)
        tags = {"metaflow_run_id": current.run_id, "metaflow_flow": current.flow_name}
        self.registered = register(
            self.collected, self.data_version, self.parameters[chosen], evaluation, tags
        )
        self.next(self.deploy)

    @card(type="blank")
    @timeout(minutes=30)
    @kubernetes(cpu=0.5, memory=2048, disk=20480)
    @step
    def deploy(self) -> None:
        """Make the challenger champion, and have every running MLServer serve it; or put the old one back."""
        from cards import deploy_card

        from pokewatch.deploy.rollout import deploy
        from pokewatch.pipeline.daily import BACKTEST
        from pokewatch.registry import Registry

        registry = Registry()
        self.outcomes = deploy(registry, self.registered.version, replace=self.replace)
        current.card.extend(
            deploy_card(
                self.registered,
                self.verdict,
                self.outcomes,
                registry.document(self.registered, BACKTEST),
            )
        )
        self.next(self.end)

    @timeout(minutes=10)
    @kubernetes(cpu=0.5, memory=1024, disk=2048)
    @step
    def end(self) -> None:
        """Say what came of it."""
        from pokewatch.pipeline.daily import tidy

        tidy()
        print(
            f"model version {self.registered.version} ({self.verdict.model}) is champion, on data version {self.data_version}"
        )


if __name__ == "__main__":
    PokeWatchFlow()
