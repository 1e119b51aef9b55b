"""The steps that run another flow for each of several markets."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from base import PokeWatchSpec, datastore_root
from branches import branch_options
from daily_parameters import WorkersByCpu
from metaflow import card, catch, current, kubernetes, retry, step, timeout

_MAX_WORKERS = "METAFLOW_RUN_MAX_WORKERS"


@WorkersByCpu
class EachMarket(PokeWatchSpec):
    """Steps of a flow: run another flow for every market, and fail if the run of one failed.

    1. list the markets
    2. run the flow for each of them, at the same time; one that fails stops no other
    3. show all results on a card
    4. remove what is no longer used, and fail if a market did

    The parameter `market` of the flow lists the markets.
    """

    def child_flow(self) -> tuple[str, str]:
        """Return the file and the name of the flow to run."""
        raise NotImplementedError

    def child_parameters(self) -> Mapping[str, Any]:
        """Return its parameters, without the market."""
        raise NotImplementedError

    def named_market(self) -> str:
        return ""

    @timeout(minutes=10)
    @kubernetes(cpu=0.5, memory=1024, disk=2048)
    @step
    def start(self) -> None:
        """List the markets."""
        from pokewatch.pipeline.parameters import require_markets

        self.markets = require_markets(self.market)
        self.workers = int(os.environ.get(_MAX_WORKERS, "1"))
        self.next(self.run_market, foreach="markets")

    @catch(var="lost")
    @timeout(hours=12)
    @retry(times=1)
    @kubernetes(cpu=0.5, memory=1024, disk=2048)
    @step
    def run_market(self) -> None:
        """Run the flow for one market."""
        from pokewatch.pipeline.market_runs import MarketFlow, run_market, shared_workers

        file, name = self.child_flow()
        command = [str(Path(__file__).with_name(file)), *branch_options()]
        own = os.environ.get("ARGO_WORKFLOW_TEMPLATE", "")
        flow = MarketFlow(command, f"{own.rpartition('.')[0]}.{name.lower()}", current.run_id)
        workers = shared_workers(self.workers, len(self.markets))
        self.result = run_market(self.input, flow, self.child_parameters(), workers)
        print(f"{self.input}: {self.result.error or 'done'}")
        self.next(self.show)

    @card(type="blank")
    @timeout(minutes=30)
    @retry(times=2)
    @kubernetes(cpu=0.5, memory=1024, disk=2048)
    @step
    def show(self, inputs: Any) -> None:
        """Show the results of all markets."""
        from market_cards import markets_card

        from pokewatch.pipeline.market_runs import ended_run

        # A step that was killed at every attempt has no result.
        self.results = [
            getattr(each, "result", None) or ended_run(each.input, 0.0, str(each.lost))
            for each in inputs
        ]
        current.card.extend(markets_card(self.results))
        self.next(self.end)

    @timeout(minutes=30)
    @retry(times=0)
    @kubernetes(cpu=0.5, memory=2048, disk=2048)
    @step
    def end(self) -> None:
        """Remove what is no longer used, and fail if the run of a market failed."""
        from pokewatch.pipeline.market_runs import require_success
        from pokewatch.pipeline.storage import prune_versions
        from pokewatch.retention.tidy import tidy

        prune_versions()
        for removed in tidy(datastore=datastore_root(), own_task=current.pathspec):
            print(f"tidy: {removed.name}: {removed.fault or f'{removed.size:,} bytes removed'}")
        for each in self.results:
            print(f"{each.market}: {each.error or f'done, with model version {each.version}'}")
        require_success(self.results)

    def _check_parameters_given(self) -> None:
        from pokewatch.market.markets import parse_markets
        from pokewatch.pipeline.parameters import check_market, require_markets

        _share_workers()
        source = self.source if self.source != self.deployment["source"] else ""
        given = {"seed": self.seed, "file": self.file, "categories": self.categories}
        for market in require_markets(self.market):
            check_market(market, source=source, cards=self.cards, **given)
        self.check()
        # A machine that starts a run on Kubernetes does not see the pods' settings and files.
        if self.deployment["target"] == "local" or os.environ.get("METAFLOW_KUBERNETES_WORKLOAD"):
            parse_markets(self.market)


def _share_workers() -> None:
    """Tell the steps how many tasks the run may have at once."""
    from metaflow._vendor import click

    context = click.get_current_context(silent=True)
    if context is not None and context.params.get("max_workers"):
        os.environ[_MAX_WORKERS] = str(context.params["max_workers"])
