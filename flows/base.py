"""The base class of the flows: storage, where steps run, and notifications of their end.

Import this before `metaflow`: it sets Metaflow's environment variables.
"""

import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any

from pokewatch.errors import PokeWatchError
from pokewatch.settings import NotifySettings, RegistrySettings, home_folder, prepare

try:
    prepare()
except PokeWatchError as error:
    print(f"Error: {error}", file=sys.stderr)
    sys.exit(error.exit_code)
# In a pod Metaflow reads its records from the datastore, at the place where it put them itself.
if not os.environ.get("METAFLOW_KUBERNETES_WORKLOAD"):
    # Runs are stored in POKEWATCH_HOME, not in the working directory, unless configured otherwise.
    os.environ.setdefault("METAFLOW_DATASTORE_SYSROOT_LOCAL", str(home_folder()))
    os.environ.setdefault("METAFLOW_CARD_LOCALROOT", str(home_folder() / ".metaflow" / "mf.cards"))
    # Without this folder, before the first run, `card` and `logs` end in a traceback.
    with suppress(OSError):
        (Path(os.environ["METAFLOW_DATASTORE_SYSROOT_LOCAL"]) / ".metaflow").mkdir(exist_ok=True)
# Without this `argo-workflows create` writes a CronWorkflow that newer Argo rejects.
os.environ.setdefault("METAFLOW_ARGO_WORKFLOWS_USE_SCHEDULES", "true")
# pylint is not installed; without this Metaflow reports its absence at every run.
os.environ.setdefault("METAFLOW_PYLINT", "false")
# In a container or under cron the user may be unset or root; Metaflow refuses both.
if not any(
    os.environ.get(name, "root") != "root"
    for name in ("METAFLOW_USER", "SUDO_USER", "USERNAME", "USER")
):
    os.environ["METAFLOW_USER"] = "pokewatch"

import argo
import attempts
from metaflow import (
    Config,
    FlowMutator,
    FlowSpec,
    Parameter,
    config_expr,
    current,
    runtime,
    user_step_decorator,
)
from metaflow.exception import METAFLOW_EXIT_DISALLOW_RETRY, MetaflowException
from metaflow.metaflow_config import (
    DATASTORE_LOCAL_DIR,
    DATASTORE_SYSROOT_LOCAL,
    DATASTORE_SYSROOT_S3,
    DEFAULT_DATASTORE,
)
from metaflow.plugins.kubernetes import kubernetes_cli

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
        if dict(mutable_flow.configs)["deploy"]["target"] != "local":
            _add_exit_hooks(mutable_flow, "")  # Argo accepts no name with a dot in it
        elif NotifySettings.read().addresses():
            # With a bare name Metaflow would look for the flow's file in the working directory.
            _add_exit_hooks(mutable_flow, "pokewatch.notify.")

    def mutate(self, mutable_flow: Any) -> None:
        _print_own_errors_without_traceback()
        deploy = dict(mutable_flow.configs)["deploy"]
        runtime.Worker = attempts.FinalErrorWorker
        argo.complete()
        if deploy["target"] == "local":
            _refuse_scheduling(sys.argv[1:])
        else:
            _require_complete(deploy)
            kubernetes_cli.Kubernetes = attempts.ReportedPods
        for name, step in mutable_flow.steps:
            _configure(name, step, deploy)


@user_step_decorator
def on_branch(step_name: str, flow: Any, inputs: Any, attributes: Any) -> Iterator[None]:  # noqa: ARG001
    """Make a step use the aliases of its branch."""
    branch = _branch()
    if branch is not None:
        os.environ[RegistrySettings.variable("branch")] = branch
    yield


def _branch() -> str | None:
    """Return the branch whose aliases to use: "" for production, None to leave it to the setting.

    A run without a branch uses production's only if the registry is a file on this machine.
    """
    if current.branch_name == "prod":
        return ""
    if current.is_user_branch and RegistrySettings.read().is_embedded():
        return None
    return re.sub(r"[^\w.-]", "-", current.branch_name)


def datastore_root() -> str:
    """Return the folder or S3 address below which Metaflow stores the runs."""
    if DEFAULT_DATASTORE == "s3":
        return str(DATASTORE_SYSROOT_S3)
    return str(Path(DATASTORE_SYSROOT_LOCAL) / DATASTORE_LOCAL_DIR)


def branch_options() -> list[str]:
    """Return the options that run another flow on the same branch."""
    kind, _, name = current.branch_name.partition(".")
    production = ["--production"] if kind == "prod" else []
    return [*production, *(["--branch", name] if name and kind != "user" else [])]


def _print_own_errors_without_traceback() -> None:
    """Make Metaflow print a PokeWatchError as one line."""
    from metaflow import cli  # reads the options of the flow's class, so import it late

    print_unknown = cli.print_unknown_exception

    def print_error(error: Exception) -> None:
        if isinstance(error, PokeWatchError):
            print(f"Error: {error}", file=sys.stderr)
        else:
            print_unknown(error)

    cli.print_unknown_exception = print_error


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
    step.add_decorator(on_branch)
    ours = [kwargs for decorator, _, _, kwargs in step.decorator_specs if decorator == "kubernetes"]
    if deploy["target"] == "local":
        if ours:
            step.remove_decorator("kubernetes")
        return
    if not ours:
        raise MetaflowException(
            f"step {name} has no @kubernetes: Metaflow would run it in an image without PokeWatch"
        )
    # The step sets its resources only: the other arguments seen here are Metaflow's defaults.
    resources = {key: ours[0][key] for key in ("cpu", "memory", "disk")}
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


@OnTarget
class PokeWatchSpec(FlowSpec):
    """Base of the flows; `--config deploy configs/cluster.json` runs their steps on Kubernetes."""

    deployment = Config(
        "deploy",
        default=str(CONFIGS / "local.json"),
        help="Where the steps run: configs/local.json or configs/cluster.json.",
    )

    source = Parameter(
        "source",
        default=config_expr("deploy.source"),
        help="simulated, tcgcsv, pokemon_price_tracker or file.",
    )

    def __init__(self, use_cli: bool = True) -> None:
        try:
            super().__init__(use_cli)
        except SystemExit as ended:
            if isinstance(ended.__context__, PokeWatchError) and ended.__context__.final:
                sys.exit(METAFLOW_EXIT_DISALLOW_RETRY)
            raise

    seed = Parameter("seed", default=0, help="Seed of the simulated market.")
    cards = Parameter("cards", default=1000, help="Number of cards in the simulated market.")
    file = Parameter("file", default="", help="CSV or Parquet file to read with --source file.")
    categories = Parameter(
        "categories",
        default="",
        help="Comma-separated games to collect with --source tcgcsv, by name or category.",
    )

    def check(self) -> tuple[date | None, date | None]:
        """Check the parameters; return the requested first and last day. Raise SettingsError."""
        return None, None

    def _set_constants(self, graph: Any, kwargs: Any, config_options: Any) -> None:
        """Check the parameters when Metaflow reads them, before a run has any task."""
        super()._set_constants(graph, kwargs, config_options)
        try:
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
        from pokewatch.pipeline.parameters import check_machine, check_source

        check_source(
            self.source,
            cards=self.cards,
            seed=self.seed,
            file=self.file,
            categories=self.categories,
        )
        first, last = self.check()
        # A machine that starts a run on Kubernetes does not see the pods' settings and files.
        if self.deployment["target"] == "local" or os.environ.get("METAFLOW_KUBERNETES_WORKLOAD"):
            check_machine(self.source, **self.market_of_source(), first=first, last=last)

    def market_of_source(self) -> dict[str, Any]:
        """Return the parameters of the source's market, with the file's path made absolute."""
        return {
            "cards": self.cards,
            "seed": self.seed,
            "path": Path(self.file).absolute() if self.file else None,
            "categories": self.categories or None,
        }
