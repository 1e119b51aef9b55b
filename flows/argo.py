"""Additions to the Argo workflows that Metaflow creates.

One run of a flow and market at a time, one deploy at a time, and no retry of an error that is
final.
"""

from collections.abc import Mapping
from typing import Any

from metaflow.exception import METAFLOW_EXIT_DISALLOW_RETRY
from metaflow.plugins.argo import argo_workflows, argo_workflows_cli
from metaflow.plugins.argo.argo_client import ArgoClient
from metaflow.plugins.argo.argo_workflows import ArgoWorkflows

from pokewatch.settings import RegistrySettings

DEPLOY_STEP = "deploy"
DEPLOY_MUTEX = "pokewatch-deploy"
_MARKET = "{{workflow.parameters.market}}"  # in quotes: Metaflow's parameters are JSON
_UNQUOTED = "{{=sprig.trimAll('\"', workflow.parameters['market'])}}"
_MARKET_VARIABLE = RegistrySettings.variable("market")
_RETRIED = f"asInt(lastRetry.exitCode) != {METAFLOW_EXIT_DISALLOW_RETRY}"


class _Workflows(ArgoWorkflows):
    """Runs one workflow of a flow and market at a time, and one deploy in the namespace."""

    def _compile_workflow_template(self) -> Any:
        template = super()._compile_workflow_template()
        spec = template.payload["spec"]
        spec["synchronization"] = _mutex(f"{self.name}-{_MARKET}")
        for each in spec["templates"]:
            if each["name"] == DEPLOY_STEP and "container" in each:
                each["synchronization"] = _mutex(DEPLOY_MUTEX)
            if "retryStrategy" in each:
                each["retryStrategy"]["expression"] = _RETRIED
            if _is_hook(each) and not hasattr(self.flow, "child_flow"):  # it has several markets
                each["container"]["env"].append({"name": _MARKET_VARIABLE, "value": _UNQUOTED})
        return template


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


def _is_hook(template: Mapping[str, Any]) -> bool:
    return "exit_hook_script" in str(template.get("container", {}).get("command"))


def complete() -> None:
    """Make Metaflow use these classes."""
    argo_workflows_cli.ArgoWorkflows = _Workflows
    argo_workflows.ArgoClient = _Client
