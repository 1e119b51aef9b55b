"""Additions to the Argo workflows that Metaflow creates.

One run of a flow and market at a time, one deploy at a time, no retry of an error that is final,
and in every container, also Argo's own, what Pod Security "restricted" asks for.
"""

import json
from collections.abc import Mapping
from typing import Any

from branches import branch_of_aliases
from metaflow.exception import METAFLOW_EXIT_DISALLOW_RETRY
from metaflow.plugins.argo import argo_workflows
from metaflow.plugins.argo.argo_client import ArgoClient
from metaflow.plugins.argo.argo_workflows import ArgoWorkflows

from pokewatch.settings import RegistrySettings

DEPLOY_STEP = "deploy"
DEPLOY_MUTEX = "pokewatch-deploy"
_MARKET = "{{workflow.parameters.market}}"  # in quotes: Metaflow's parameters are JSON
_UNQUOTED = "{{=sprig.trimAll('\"', workflow.parameters['market'])}}"
_RETRIED = f"asInt(lastRetry.exitCode) != {METAFLOW_EXIT_DISALLOW_RETRY}"
_SETTINGS = ("POKEWATCH_", "MLFLOW_")
# Argo's containers beside a step's. They run as its user: Argo's image may be root's.
_EXECUTORS = {"containers": "wait", "initContainers": "init"}


class _Workflows(ArgoWorkflows):
    """Completes the template of a workflow."""

    def _compile_workflow_template(self) -> Any:
        template = super()._compile_workflow_template()
        spec = template.payload["spec"]
        spec["synchronization"] = _mutex(f"{self.name}-{_MARKET}")
        by_name = {each["name"]: each for each in spec["templates"]}
        start = by_name[self.graph.start_step]
        # The agent, which makes HTTP requests for Argo, has no account of its own.
        spec["serviceAccountName"] = start["serviceAccountName"]
        for name, each in by_name.items():
            if "retryStrategy" in each:
                each["retryStrategy"]["expression"] = _RETRIED
            if "container" in each:
                _complete(each, start["container"])
            if _is_hook(each):
                each["container"]["env"] += self._of_the_run()
                # Metaflow asks for a CPU and 4 GB to send a message, without a limit or an end.
                each["container"]["resources"] = start["container"]["resources"]
                each["activeDeadlineSeconds"] = start["activeDeadlineSeconds"]
            if "http" in each:
                each["http"]["url"] = _health(start["container"])
            if name == DEPLOY_STEP and "container" in each:
                each["synchronization"] = _mutex(DEPLOY_MUTEX)
        return template

    def _of_the_run(self) -> list[dict[str, str]]:
        """Return the variables of an exit hook that a step sets by itself."""
        given = {RegistrySettings.variable("branch"): branch_of_aliases()}
        if not hasattr(self.flow, "child_flow"):  # it has several markets
            given[RegistrySettings.variable("market")] = _UNQUOTED
        return [{"name": name, "value": value} for name, value in given.items()]


class _Client(ArgoClient):
    def schedule_workflow_template(
        self, name: str, schedule: str | None = None, timezone: str | None = None
    ) -> None:
        """Schedule as Metaflow does, but start no run while the last one is running."""
        super().schedule_workflow_template(name, schedule, timezone)
        if schedule is not None:
            objects = self._client.get().CustomObjectsApi()
            objects.patch_namespaced_custom_object(
                group=self._group,
                version=self._version,
                namespace=self._namespace,
                plural="cronworkflows",
                name=name,
                body={"spec": {"concurrencyPolicy": "Forbid"}},
            )


def _mutex(name: str) -> dict[str, Any]:
    return {"mutexes": [{"name": name}]}


def _complete(template: dict[str, Any], step: Mapping[str, Any]) -> None:
    """Give an exit hook the settings and the security of a step, and Argo's containers theirs."""
    container = template["container"]
    container["securityContext"] = step["securityContext"]
    known = {each["name"] for each in container["env"]}
    container["env"] += [
        each
        for each in step["env"]
        if each["name"].startswith(_SETTINGS) and each["name"] not in known
    ]
    security = {name: each for name, each in step["securityContext"].items() if each is not None}
    patch = json.loads(template.get("podSpecPatch") or "{}") | {
        kind: [{"name": name, "securityContext": security}] for kind, name in _EXECUTORS.items()
    }
    template["podSpecPatch"] = json.dumps(patch)


def _health(step: Mapping[str, Any]) -> str:
    """Return the address that Argo asks before it runs exit hooks: that of the registry.

    Because of a fault of Argo, Metaflow adds an exit hook that only makes an HTTP request, to a
    host on the internet. If that could not be reached, every run would end with an error.
    """
    (address,) = (each["value"] for each in step["env"] if each["name"] == "MLFLOW_TRACKING_URI")
    return f"{address}/health"


def _is_hook(template: Mapping[str, Any]) -> bool:
    return "exit_hook_script" in str(template.get("container", {}).get("command"))


def complete() -> None:
    """Make Metaflow use these classes."""
    # Not before the flow is known: the commands take its parameters as options when imported.
    from metaflow.plugins.argo import argo_workflows_cli

    argo_workflows_cli.ArgoWorkflows = _Workflows
    argo_workflows.ArgoClient = _Client
