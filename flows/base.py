"""The base class of the flows: storage, where steps run, and notifications of their end.

Import this before `metaflow`, whose environment variables must be set first.
"""

import os
import sys
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import environment  # noqa: F401

# isort: split
import argo
import attempts
from branches import on_branch, select_branch, select_market
from memory import step_memory
from metaflow import (
    Config,
    FlowMutator,
    FlowSpec,
    Parameter,
    config_expr,
    runtime,
)
from metaflow.datastore import flow_datastore
from metaflow.exception import METAFLOW_EXIT_DISALLOW_RETRY, MetaflowException
from metaflow.metaflow_config import (
    DATASTORE_LOCAL_DIR,
    DATASTORE_SYSROOT_LOCAL,
    DATASTORE_SYSROOT_S3,
    DEFAULT_DATASTORE,
)
from metaflow.plugins.cards import card_decorator
from metaflow.plugins.cards.card_modules.basic import BlankCard
from metaflow.plugins.kubernetes import kubernetes_cli
from traces import traced

from pokewatch.errors import PokeWatchError
from pokewatch.settings import MarketSettings, NotifySettings, RegistrySettings

if TYPE_CHECKING:
    from pokewatch.market.markets import MarketSource

CONFIGS = Path(__file__).resolve().parent / "configs"
_POD_OPTIONS = (
    "image",
    "image_pull_policy",
    "namespace",
    "service_account",
    "qos",
    "secrets",
    "security_context",
)  # arguments of @kubernetes
_REQUIRED = ("image", "namespace", "service_account", "secrets")


class OnTarget(FlowMutator):
    """Runs the steps on the target of the deploy config, and adds notifications of their end.

    `local` removes `@kubernetes` from the steps, and refuses scheduling. `kubernetes` completes it
    with the config's image, namespace, service account and secrets, and sets the environment.
    """

    def pre_mutate(self, mutable_flow: Any) -> None:
        local = dict(mutable_flow.configs)["deploy"]["target"] == "local"
        if not local and "argo-workflows" in sys.argv:
            _add_exit_hooks(mutable_flow, "")  # Argo accepts no name with a dot in it
        elif NotifySettings.read().addresses():
            # With a bare name Metaflow would look for the flow's file in the working directory.
            _add_exit_hooks(mutable_flow, "pokewatch.notify.")

    def mutate(self, mutable_flow: Any) -> None:
        # No step updates its card while it runs. The update at its end would take another process.
        BlankCard.RUNTIME_UPDATABLE = False
        from metaflow.cli_components import run_cmds  # reads the options too, so import it late

        attempts.print_own_errors_without_traceback()
        deploy = dict(mutable_flow.configs)["deploy"]
        runtime.Worker = attempts.FinalErrorWorker
        flow_datastore.TaskDataStore = attempts.WaitingTasks
        card_decorator.CardCreator = attempts.CardsOfTask
        run_cmds.NativeRuntime = attempts.CheckedRun
        argo.complete()
        if deploy["target"] == "local":
            _refuse_scheduling(sys.argv[1:])
        else:
            _require_complete(deploy)
            kubernetes_cli.Kubernetes = attempts.ReportedPods
        for name, step in mutable_flow.steps:
            _configure(name, step, deploy)


def datastore_root() -> str:
    """Return the folder or S3 address below which Metaflow stores the runs."""
    if DEFAULT_DATASTORE == "s3":
        return str(DATASTORE_SYSROOT_S3)
    return str(Path(DATASTORE_SYSROOT_LOCAL) / DATASTORE_LOCAL_DIR)


def _add_exit_hooks(mutable_flow: Any, module: str) -> None:
    hooks = {"on_success": [f"{module}notify_success"], "on_error": [f"{module}notify_failure"]}
    mutable_flow.add_decorator("exit_hook", deco_kwargs=hooks)


def _refuse_scheduling(arguments: list[str]) -> None:
    if "argo-workflows" in arguments and "create" in arguments[arguments.index("argo-workflows") :]:
        raise MetaflowException(
            "The local config has no image, service account or secrets for Argo: add --config "
            "deploy configs/cluster.json before argo-workflows."
        )


def _require_complete(deploy: Mapping[str, Any]) -> None:
    missing = [name for name in _REQUIRED if not deploy.get(name)]
    if missing:
        raise MetaflowException(f"The deploy config lacks {', '.join(missing)}.")
    # Metaflow's Argo compiler reads the namespace here only, and refuses a step with another one.
    namespace = os.environ.get("METAFLOW_KUBERNETES_NAMESPACE")
    if namespace != deploy["namespace"]:
        raise MetaflowException(
            f"METAFLOW_KUBERNETES_NAMESPACE is {namespace or 'not set'}, but the deploy config's "
            f"namespace is {deploy['namespace']}."
        )


def _configure(name: str, step: Any, deploy: Mapping[str, Any]) -> None:
    step.add_decorator(traced)
    step.add_decorator(on_branch)
    ours = [kwargs for decorator, _, _, kwargs in step.decorator_specs if decorator == "kubernetes"]
    if deploy["target"] == "local":
        if ours:
            step.remove_decorator("kubernetes")
        # A process may be killed during any step, for memory among others.
        step.add_decorator(
            "retry",
            deco_kwargs={"times": 1, "minutes_between_retries": 0},
            duplicates=step.IGNORE,
        )
        return
    if not ours:
        raise MetaflowException(
            f"step {name} has no @kubernetes: Metaflow would run it in an image without PokeWatch"
        )
    # The step sets its resources only: the other arguments seen here are Metaflow's defaults.
    resources = {key: ours[0][key] for key in ("cpu", "memory", "disk")}
    resources["memory"] = step_memory(name, deploy.get("market") or {}, resources["memory"])
    options = {key: value for key, value in deploy.items() if key in _POD_OPTIONS}
    step.add_decorator("kubernetes", deco_kwargs={**resources, **options}, duplicates=step.OVERRIDE)
    # A node may be lost during any step; retries that a step sets itself take precedence.
    step.add_decorator(
        "retry", deco_kwargs={"times": 2, "minutes_between_retries": 1}, duplicates=step.IGNORE
    )
    if deploy.get("environment"):
        step.add_decorator(
            "environment",
            deco_kwargs={"vars": dict(deploy["environment"])},
            duplicates=step.OVERRIDE,
        )


class OneSchedule(FlowMutator):
    """Removes the schedule of a flow where POKEWATCH_MARKETS is set: EachMarket runs it then."""

    def pre_mutate(self, mutable_flow: Any) -> None:
        if MarketSettings.read().markets:
            mutable_flow.remove_decorator("schedule")


def configured_markets(_: Any) -> str:
    return ",".join(MarketSettings.read().markets)


def _configured_market(_: Any) -> str:
    return RegistrySettings.read().market


@OnTarget
class PokeWatchSpec(FlowSpec):
    """Base of the flows; `--config deploy configs/cluster.json` runs their steps on Kubernetes."""

    deployment = Config(
        "deploy",
        default=str(CONFIGS / "local.json"),
        help="Where the steps run: configs/local.json or configs/cluster.json.",
    )

    market = Parameter(
        "market",
        default=_configured_market,
        help="Market, such as magic-tcgplayer-usd, which determines the source and its options. "
        "Default: POKEWATCH_MARKET, else the only one of the home.",
    )
    source = Parameter(
        "source",
        default=config_expr("deploy.source"),
        help="simulated, tcgcsv, pokemon_price_tracker or file.",
    )

    seed = Parameter("seed", default=0, help="Seed of the simulated market.")
    cards = Parameter("cards", default=1000, help="Number of cards in the simulated market.")
    file = Parameter(
        "file",
        default="",
        help="File to read with --source file: text, a workbook or Parquet.",
    )
    categories = Parameter(
        "categories",
        default="",
        help="Comma-separated games to collect with --source tcgcsv, by name or category.",
    )

    def __init__(self, use_cli: bool = True) -> None:
        if use_cli:
            attempts.amend_stores(type(self))
        try:
            super().__init__(use_cli)
        except SystemExit as ended:
            if isinstance(ended.__context__, PokeWatchError) and ended.__context__.final:
                sys.exit(METAFLOW_EXIT_DISALLOW_RETRY)
            raise

    def check(self) -> tuple[date | None, date | None]:
        """Check the parameters; return the requested first and last day. Raise SettingsError."""
        return None, None

    def _set_constants(self, graph: Any, kwargs: Any, config_options: Any) -> None:
        """Check the parameters when Metaflow reads them, before a run begins."""
        super()._set_constants(graph, kwargs, config_options)
        if attempts.CheckedRun.begins:  # they are read again, for its first task
            return
        try:
            select_branch()  # for the exit hooks, which this process starts
            self._check_parameters_given()
        except PokeWatchError as error:
            print(f"Error: {error}", file=sys.stderr)
            # On Argo the parameters are read in a pod, which would only fail again.
            in_pod = bool(os.environ.get("METAFLOW_KUBERNETES_WORKLOAD"))
            code = METAFLOW_EXIT_DISALLOW_RETRY if in_pod and error.final else error.exit_code
        else:
            return
        sys.exit(code)  # outside the handler: it is no error of a step, see __init__

    def _check_parameters_given(self) -> None:
        from pokewatch.pipeline.parameters import check_machine, check_market, check_source

        given = {"seed": self.seed, "file": self.file, "categories": self.categories}
        if self.market:
            source = self.source if self.source != self.deployment["source"] else ""
            check_market(self.market, source=source, cards=self.cards, **given)
            select_market(self.market)
        else:
            check_source(self.source, cards=self.cards, **given)
        first, last = self.check()
        # A machine that starts a run on Kubernetes does not see the pods' settings and files.
        if self.deployment["target"] == "local" or os.environ.get("METAFLOW_KUBERNETES_WORKLOAD"):
            check_machine(self.source_name(), **self.market_of_source(), first=first, last=last)

    def named_market(self) -> str:
        """Return the market that the steps work on, "" for the only one of the home."""
        return str(self.market or "")

    def source_name(self) -> str:
        """Return the source of the market."""
        return self._prices().source

    def market_of_source(self) -> dict[str, Any]:
        """Return the parameters of the source's market, with the file's path made absolute."""
        found = self._prices()
        return {
            "cards": self.cards,
            "seed": found.seed,
            "path": found.path,
            "categories": found.categories,
        }

    def _prices(self) -> "MarketSource":
        from pokewatch.market.markets import MarketSource, source_of

        if self.market:
            return source_of(self.market)
        path = Path(self.file).absolute() if self.file else None
        return MarketSource(self.source, self.seed, path, self.categories or None)
