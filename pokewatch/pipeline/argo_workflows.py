"""Workflows of Argo, started from the pod of a step by the Kubernetes API.

The account of the pod needs the verbs `create` and `get` of `workflows` in its namespace.
"""

import json
import logging
import time
from collections.abc import Mapping
from typing import Any

from pokewatch.errors import WorkflowError

logger = logging.getLogger("pokewatch.pipeline")

_OBJECTS = {"group": "argoproj.io", "version": "v1alpha1", "plural": "workflows"}
_CONFLICT, _NOT_FOUND = 409, 404
_ENDED = ("Succeeded", "Failed", "Error")
_MOST_FAILURES = 30  # requests one after another that may fail, such as during an upgrade


def run_workflow(
    template: str, name: str, parameters: Mapping[str, Any], poll_seconds: float = 20.0
) -> str:
    """Run a workflow of a WorkflowTemplate to its end; return why it failed, "" if it did not.

    A workflow that has this name already, since an earlier attempt of the step created it, is
    waited for. Raise WorkflowError where it cannot be created or seen.
    """
    from metaflow.metaflow_config import KUBERNETES_NAMESPACE
    from metaflow.plugins.kubernetes.kubernetes_client import KubernetesClient

    workflows = _Workflows(KubernetesClient(), str(KUBERNETES_NAMESPACE))
    workflows.create(template, name, parameters)
    status = workflows.wait(name, poll_seconds)
    if status["phase"] == "Succeeded":
        return ""
    return f"workflow {name}: {status['phase']}: {status.get('message') or 'see its log'}"


class _Workflows:
    """The workflows of a namespace. `client` makes new credentials when they expire."""

    def __init__(self, client: Any, namespace: str) -> None:
        self._client = client
        self._namespace = namespace

    def create(self, template: str, name: str, parameters: Mapping[str, Any]) -> None:
        # Metaflow's templates take values as JSON.
        given = [{"name": each, "value": json.dumps(value)} for each, value in parameters.items()]
        body = {
            "apiVersion": f"{_OBJECTS['group']}/{_OBJECTS['version']}",
            "kind": "Workflow",
            "metadata": {"name": name},
            "spec": {
                "workflowTemplateRef": {"name": template},
                "arguments": {"parameters": given},
            },
        }
        kubernetes = self._client.get()
        try:
            kubernetes.CustomObjectsApi().create_namespaced_custom_object(
                **_OBJECTS, namespace=self._namespace, body=body
            )
        except kubernetes.rest.ApiException as error:
            if error.status != _CONFLICT:
                raise WorkflowError(
                    f"workflow {name} cannot be started: {_reason(error)}"
                ) from None

    def wait(self, name: str, poll_seconds: float) -> Mapping[str, Any]:
        """Return the status of a workflow that has ended. Raise WorkflowError."""
        failures = 0
        while True:
            try:
                status = self._status(name)
                failures = 0
            except WorkflowError as error:
                failures += 1
                if failures > _MOST_FAILURES:
                    raise
                logger.warning("%s; asking again", error)
                status = {}
            if status.get("phase") in _ENDED:
                return status
            time.sleep(poll_seconds)

    def _status(self, name: str) -> Mapping[str, Any]:
        from urllib3.exceptions import HTTPError

        kubernetes = self._client.get()
        try:
            found = kubernetes.CustomObjectsApi().get_namespaced_custom_object(
                **_OBJECTS, namespace=self._namespace, name=name
            )
        except kubernetes.rest.ApiException as error:
            if error.status == _NOT_FOUND:
                return {"phase": "Error", "message": "it was deleted"}
            raise WorkflowError(f"workflow {name} cannot be seen: {_reason(error)}") from None
        except HTTPError as error:
            raise WorkflowError(f"workflow {name} cannot be seen: {error}") from None
        status: Mapping[str, Any] = found.get("status") or {}
        return status


def _reason(error: Any) -> str:
    try:
        return str(json.loads(error.body)["message"])
    except (KeyError, TypeError, ValueError):
        return str(error.reason)
