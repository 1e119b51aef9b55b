"""Workflows started and waited for, against an HTTP server that answers as Kubernetes does."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from pokewatch.errors import WorkflowError
from pokewatch.pipeline import argo_workflows
from pokewatch.pipeline.argo_workflows import run_workflow
from tests.answering import answering

PARAMETERS = {"market": "simulated-1", "days": 60, "replace": False, "candidates": ""}
PATH = "/apis/argoproj.io/v1alpha1/namespaces/flows/workflows"


class Cluster(ThreadingHTTPServer):
    """Holds the workflows that were created. `answers` are the statuses told, one after another."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.created: dict[str, dict[str, Any]] = {}
        self.answers: list[dict[str, Any] | int] = []


class _Answers(BaseHTTPRequestHandler):
    server: Cluster

    def do_POST(self) -> None:
        sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        name = sent["metadata"]["name"]
        if self.path != PATH:
            return self._answer(403, {"message": "workflows is forbidden"})
        if name in self.server.created:
            return self._answer(409, {"message": f"{name} already exists"})
        self.server.created[name] = sent
        return self._answer(201, sent)

    def do_GET(self) -> None:
        name = self.path.removeprefix(f"{PATH}/")
        told = self.server.answers.pop(0)
        if isinstance(told, int):
            return self._answer(told, {"message": "no answer"})
        return self._answer(200, self.server.created[name] | {"status": told})

    def _answer(self, status: int, content: object) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    with answering(Cluster()) as found:
        server = {"server": f"http://127.0.0.1:{found.server_port}"}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "c",
            "clusters": [{"name": "c", "cluster": server}],
            "users": [{"name": "u", "user": {}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        }
        (tmp_path / "kubeconfig").write_text(yaml.safe_dump(config))
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
        location = "kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION"  # read at import
        monkeypatch.setattr(location, str(tmp_path / "kubeconfig"))
        monkeypatch.setattr("metaflow.metaflow_config.KUBERNETES_NAMESPACE", "flows")
        yield found


def run(name: str = "one") -> str:
    return run_workflow("pokewatch.prod.pokewatchflow", name, PARAMETERS, poll_seconds=0.01)


def test_it_is_created_from_the_template_and_waited_for(cluster: Cluster) -> None:
    cluster.answers = [{}, {"phase": "Pending"}, {"phase": "Running"}, {"phase": "Succeeded"}]
    assert run() == ""
    assert cluster.answers == []
    spec = cluster.created["one"]["spec"]
    assert spec["workflowTemplateRef"] == {"name": "pokewatch.prod.pokewatchflow"}
    given = {each["name"]: json.loads(each["value"]) for each in spec["arguments"]["parameters"]}
    assert given == PARAMETERS


@pytest.mark.parametrize("phase", ["Failed", "Error"])
def test_a_failure_has_its_reason(cluster: Cluster, phase: str) -> None:
    cluster.answers = [{"phase": phase, "message": "pod deleted"}]
    assert run() == f"workflow one: {phase}: pod deleted"


def test_a_second_attempt_waits_for_the_workflow_of_the_first(cluster: Cluster) -> None:
    cluster.answers = [{"phase": "Succeeded"}, {"phase": "Succeeded"}]
    assert (run(), run()) == ("", "")
    assert list(cluster.created) == ["one"]


def test_answers_that_fail_are_asked_again(cluster: Cluster) -> None:
    cluster.answers = [503, {"phase": "Running"}, 500, {"phase": "Succeeded"}]
    assert run() == ""


def test_a_server_that_answers_no_more_is_an_error(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(argo_workflows, "_MOST_FAILURES", 2)
    cluster.answers = [503] * 3
    with pytest.raises(WorkflowError, match="workflow one cannot be seen: no answer"):
        run()


def test_a_workflow_that_was_deleted_has_failed(cluster: Cluster) -> None:
    cluster.answers = [{"phase": "Running"}, 404]
    assert run() == "workflow one: Error: it was deleted"


def test_what_may_not_be_created_is_an_error(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("metaflow.metaflow_config.KUBERNETES_NAMESPACE", "others")
    with pytest.raises(WorkflowError, match="cannot be started: workflows is forbidden"):
        run()
