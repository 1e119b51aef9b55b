"""What every flow of PokeWatch shares: where its state is kept, where its steps run, and who hears of its end.

Import this before `metaflow`: it settles Metaflow's environment.
"""

import os
import re
import sys
from collections.abc import Iterator, Mapping
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
# In a pod Metaflow hands its records over through the datastore, and looks for them where it put them itself.
if not os.environ.get("METAFLOW_KUBERNETES_WORKLOAD"):
    # Runs are kept with everything else, wherever the flow is started from; a user of one's own configuration is not touched.
    os.environ.setdefault("METAFLOW_DATASTORE_SYSROOT_LOCAL", str(home_folder()))
    os.environ.setdefault("METAFLOW_CARD_LOCALROOT", str(home_folder() / ".metaflow" / "mf.cards"))
# Without this a real `argo-workflows create` writes a CronWorkflow that newer Argo no longer takes.
os.environ.setdefault("METAFLOW_ARGO_WORKFLOWS_USE_SCHEDULES", "true")
# In a container and under cron there may be no user, or root, and Metaflow runs as neither.
if not any(
    os.environ.get(name, "root") != "root"
    for name in ("METAFLOW_USER", "SUDO_USER", "USERNAME", "USER")
):
    os.environ["METAFLOW_USER"] = "pokewatch"

import argo
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
from metaflow.metaflow_config import ARGO_EVENTS_EVENT
from metaflow.plugins.kubernetes import kubernetes_cli
from metaflow.plugins.kubernetes.kubernetes import Kubernetes

CONFIGS = Path(__file__).resolve().parent / "configs"
_OF_PODS = (
    "image",
    "image_pull_policy",
    "namespace",
    "service_account",
    "qos",
    "secrets",
    "security_context",
)  # of @kubernetes
_REQUIRED = ("image", "namespace", "service_account", "secrets")


class OnTarget(FlowMutator):
    """Run the steps where the deploy config says, and tell people of their end.

    `local`: their `@kubernetes` is taken off, since one machine has no cluster to ask, and scheduling is refused.
    `kubernetes`: it is completed with the config's image, namespace, service account and secrets, and its settings are set.
    A flow's `@trigger` stays where Metaflow has been told of Argo Events; elsewhere nobody could send the event.
    """

    def pre_mutate(self, mutable_flow: Any) -> None:
        if not ARGO_EVENTS_EVENT:
            mutable_flow.remove_decorator("trigger")
        if dict(mutable_flow.configs)["deploy"]["target"] != "local":
            _hook(
                mutable_flow, ""
            )  # a function of the flow's file: Argo takes no name with a dot in it
        elif NotifySettings.read().addresses():
            _hook(
                mutable_flow, "pokewatch.notify."
            )  # Metaflow seeks the flow's file in the working directory

    def mutate(self, mutable_flow: Any) -> None:
        _print_own_errors_in_a_line()
        deploy = dict(mutable_flow.configs)["deploy"]
        runtime.Worker = _Worker
        argo.complete()
        if deploy["target"] == "local":
            _refuse_scheduling(sys.argv[1:])
        else:
            _require_complete(deploy)
            kubernetes_cli.Kubernetes = _Pods
        for name, step in mutable_flow.steps:
            _settle(name, step, deploy)


class _Pods(Kubernetes):
    """Tells how a pod ended that did not end well.

    Metaflow 2.19 takes one that was killed for memory for a finished one where it hears of the pod before it hears of the Job, and then
    fails for the records that the step could not leave, which is all it tells.
    """

    def wait(self, stdout_location: str, stderr_location: str, echo: Any = None) -> None:
        try:
            super().wait(stdout_location, stderr_location, echo)
        finally:
            code, reason = self._job.reason
            if code:
                how = (
                    "was killed for memory: @kubernetes(memory=...) is too small"
                    if reason == "OOMKilled"
                    else f"failed: {reason}"
                )
                echo(f"The pod {how} (exit code {code}).", "stderr", job_id=self._job.id)
            if str(code) == str(METAFLOW_EXIT_DISALLOW_RETRY):
                sys.exit(METAFLOW_EXIT_DISALLOW_RETRY)


class _Worker(runtime.Worker):
    """Lets a run fail by the task that is not to be retried.

    Metaflow 2.19 retries it no more, but goes on without it, and ends with an internal error.
    """

    def terminate(self) -> int:
        code = int(super().terminate())
        if code == METAFLOW_EXIT_DISALLOW_RETRY:
            self.task.user_code_retries = self.task.error_retries = 0
            return 1
        return code


@user_step_decorator
def on_branch(step_name: str, flow: Any, inputs: Any, attributes: Any) -> Iterator[None]:  # noqa: ARG001
    """Have a step read and move the aliases of its own branch."""
    branch = _branch()
    if branch is not None:
        os.environ[RegistrySettings.variable("branch")] = branch
    yield


def _branch() -> str | None:
    """Return the branch whose aliases are meant: "" for production's, None for what the setting says.

    A run that names no branch is production's only where the registry is this machine's own.
    """
    if current.branch_name == "prod":
        return ""
    if current.is_user_branch and RegistrySettings.read().is_embedded():
        return None
    return re.sub(r"[^\w.-]", "-", current.branch_name)


def branch_options() -> list[str]:
    """Return the options with which another flow runs on the branch of this one."""
    kind, _, name = current.branch_name.partition(".")
    production = ["--production"] if kind == "prod" else []
    return [*production, *(["--branch", name] if name and kind != "user" else [])]


def _print_own_errors_in_a_line() -> None:
    """Have Metaflow print no traceback of what PokeWatch raises on purpose."""
    from metaflow import cli  # not before the flow's class is there, of which it reads the options

    print_unknown = cli.print_unknown_exception

    def print_error(error: Exception) -> None:
        if isinstance(error, PokeWatchError):
            print(f"Error: {error}", file=sys.stderr)
        else:
            print_unknown(error)

    cli.print_unknown_exception = print_error


def _hook(mutable_flow: Any, module: str) -> None:
    hooks = {"on_success": [f"{module}notify_success"], "on_error": [f"{module}notify_failure"]}
    mutable_flow.add_decorator("exit_hook", deco_kwargs=hooks)


def _refuse_scheduling(arguments: list[str]) -> None:
    if "argo-workflows" in arguments and "create" in arguments[arguments.index("argo-workflows") :]:
        raise MetaflowException(
            "The local config has no image, service account or secrets for Argo to run the steps with: "
            "add --config deploy configs/cluster.json before argo-workflows."
        )


def _require_complete(deploy: Mapping[str, Any]) -> None:
    missing = [name for name in _REQUIRED if not deploy.get(name)]
    if missing:
        raise MetaflowException(f"The deploy config lacks {', '.join(missing)}.")
    # Metaflow's Argo compiler takes the namespace from here alone, and refuses a step that names another.
    namespace = os.environ.get("METAFLOW_KUBERNETES_NAMESPACE")
    if namespace != deploy["namespace"]:
        raise MetaflowException(
            f"METAFLOW_KUBERNETES_NAMESPACE is {namespace or 'not set'}, and the deploy config's namespace {deploy['namespace']}."
        )


def _settle(name: str, step: Any, deploy: Mapping[str, Any]) -> None:
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
    # Only what a step asks of a machine is its own: the other keywords seen here are Metaflow's defaults.
    asked = {key: ours[0][key] for key in ("cpu", "memory", "disk")}
    given = {key: value for key, value in deploy.items() if key in _OF_PODS}
    step.add_decorator("kubernetes", deco_kwargs={**asked, **given}, duplicates=step.OVERRIDE)
    # A node can go away under any step; where a step itself asks for other retries, those stay.
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
    """Base of the flows: `--config deploy configs/cluster.json` runs their steps on Kubernetes."""

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
    cards = Parameter("cards", default=1000, help="Cards of the simulated market.")
    file = Parameter("file", default="", help="The file of --source file: CSV or Parquet.")

    def check(self) -> tuple[date | None, date | None]:
        """Check the flow's own parameters; the first and last day asked for. Raises SettingsError."""
        return None, None

    def _set_constants(self, graph: Any, kwargs: Any, config_options: Any) -> None:
        """Metaflow's reading of the parameters, before a run has any task: here they are checked."""
        super()._set_constants(graph, kwargs, config_options)
        error = self._parameter_error()
        if error is not None:
            print(f"Error: {error}", file=sys.stderr)
            in_pod = os.environ.get("METAFLOW_KUBERNETES_WORKLOAD")
            sys.exit(METAFLOW_EXIT_DISALLOW_RETRY if in_pod else error.exit_code)

    def _parameter_error(self) -> PokeWatchError | None:
        try:
            self._check_parameters_given()
        except PokeWatchError as error:
            return error
        return None

    def _check_parameters_given(self) -> None:
        from pokewatch.pipeline.parameters import check_machine, check_source

        check_source(self.source, cards=self.cards, seed=self.seed, file=self.file)
        first, last = self.check()
        # From a laptop that starts a run on Kubernetes, the pods' settings and files are not seen.
        if self.deployment["target"] == "local" or os.environ.get("METAFLOW_KUBERNETES_WORKLOAD"):
            check_machine(self.source, **self.market_of_source(), first=first, last=last)

    def market_of_source(self) -> dict[str, Any]:
        """Which market of the source is meant: what the simulated one is made of, or the absolute path of a file of one's own."""
        return {
            "cards": self.cards,
            "seed": self.seed,
            "path": Path(self.file).absolute() if self.file else None,
        }
