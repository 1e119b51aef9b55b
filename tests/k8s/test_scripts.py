"""The scripts of `make deploy` and `verify`, with a kubectl that records its calls."""

import json
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from tests.k8s.kubectl import Kubectl
from tests.k8s.rendering import K8S, rendered_overlay


@pytest.fixture
def kubectl(tmp_path: Path) -> Kubectl:
    return Kubectl(tmp_path)


POKEWATCH = str(Path(sys.executable).with_name("pokewatch"))
FIRST_DAY: dict[str, tuple[str, int | str]] = {
    "get secret gateway-keys": ("", 1),
    "get deployment mlflow": ("pokewatch/pipeline:7", 0),
    "@.status": ("Complete", 0),
    "logs": ("model version 1 is champion\n", 0),
}


def test_deploy_applies_the_overlay_and_ends_with_the_first_answer(
    kubectl: Kubectl, gateway: str
) -> None:
    """On the first day: the first key, the first champion, and what becomes ready by it."""
    kubectl.answer(FIRST_DAY)
    done = kubectl.run("deploy.sh", "local", POKEWATCH=POKEWATCH, POKEWATCH_URL=gateway)
    assert done.returncode == 0, done.stderr
    calls = [(call, sent) for call, sent in kubectl.calls()]
    order = [
        "overlays/local --server-side",
        "create secret generic gateway-keys --from-file=keys.sqlite=",
        "rollout status deployment/mlflow",
        "create --filename",
        "rollout status deployment/mlserver",
        "rollout status deployment/gateway",
    ]
    places = [next(at for at, (call, _) in enumerate(calls) if words in call) for words in order]
    assert places == sorted(places)
    (job,) = [yaml.safe_load(sent) for call, sent in calls if "create --filename" in call]
    assert job["metadata"]["name"] == "first-run-1"
    shown = done.stdout.splitlines()
    assert any(line.startswith("the first API key, shown once: pw_") for line in shown)
    assert json.loads(shown[-1]) == {"card_id": "card-1", "fair_price": 2.5}
    assert "the first answer came" in done.stderr


def test_of_two_deploys_one_makes_the_first_key(kubectl: Kubectl, gateway: str) -> None:
    """The other goes on with the keys that it finds, and asks for no answer."""
    raced: dict[str, tuple[str, int | str]] = {
        "get secret gateway-keys": ("secret/gateway-keys\n", "first 1"),
        "create secret generic gateway-keys": ("", 1),
    }
    kubectl.answer(FIRST_DAY | raced)
    done = kubectl.run("deploy.sh", "local", POKEWATCH=POKEWATCH, POKEWATCH_URL=gateway)
    assert done.returncode == 0, done.stderr
    assert "another deploy has made the first API key" in done.stderr
    assert "shown once" not in done.stdout
    assert "everything is ready" in done.stderr


def test_deploy_ends_where_the_first_key_cannot_be_stored(kubectl: Kubectl, gateway: str) -> None:
    refused: dict[str, tuple[str, int | str]] = {"create secret generic gateway-keys": ("", 1)}
    kubectl.answer(FIRST_DAY | refused)
    done = kubectl.run("deploy.sh", "local", POKEWATCH=POKEWATCH, POKEWATCH_URL=gateway)
    assert done.returncode == 1
    assert "shown once" not in done.stdout


def test_deploy_says_what_is_not_ready(kubectl: Kubectl, gateway: str) -> None:
    kubectl.answer(FIRST_DAY | {"rollout status deployment/mlserver": ("", 1)})
    done = kubectl.run("deploy.sh", "local", POKEWATCH=POKEWATCH, POKEWATCH_URL=gateway)
    assert done.returncode == 1
    assert "deployment/mlserver is not ready: until the daily flow" in done.stderr


def test_deploy_ends_where_the_first_run_fails(kubectl: Kubectl, gateway: str) -> None:
    kubectl.answer(FIRST_DAY | {"@.status": ("Failed", 0)})
    done = kubectl.run("deploy.sh", "local", POKEWATCH=POKEWATCH, POKEWATCH_URL=gateway)
    assert done.returncode == 1
    assert not any("deployment/mlserver" in call for call, _ in kubectl.calls())


def test_deploy_to_production_makes_no_champion_and_takes_the_key_given(
    kubectl: Kubectl, gateway: str
) -> None:
    done = kubectl.run("deploy.sh", "production", POKEWATCH_URL=gateway, POKEWATCH_KEY="good")
    assert done.returncode == 0, done.stderr
    assert not any("create" in call for call, _ in kubectl.calls())
    assert "fair_price" in done.stdout


def test_deploy_to_production_makes_no_key(kubectl: Kubectl) -> None:
    kubectl.answer({"get secret gateway-keys": ("", 1)})
    done = kubectl.run("deploy.sh", "production")
    assert done.returncode == 1
    assert "Secret gateway-keys is missing" in done.stderr
    assert not any("create secret" in call for call, _ in kubectl.calls())


def test_deploy_applies_nothing_to_production_without_its_secrets(kubectl: Kubectl) -> None:
    kubectl.answer({"get --filename=": ("", 1)})
    done = kubectl.run("deploy.sh", "production")
    assert done.returncode == 1
    assert "secrets.example.yaml: apply k8s/base/namespaces.yaml" in done.stderr
    (asked,) = [call for call, _ in kubectl.calls() if "--filename=" in call]
    assert "overlays/production/secrets.example.yaml" in asked
    assert not any("apply" in call for call, _ in kubectl.calls())


def test_the_local_overlay_does_not_replace_the_passwords_of_another(kubectl: Kubectl) -> None:
    """`local` is the default, and the context may be that of production."""
    kubectl.answer(
        {
            "current-context": ("production\n", 0),
            "get secrets": ("secret/pokewatch-pipeline\n", 0),
        }
    )
    done = kubectl.run("deploy.sh")
    assert done.returncode == 1
    assert "context production" in done.stderr
    assert "secret/pokewatch-pipeline would be replaced" in done.stderr
    assert not any("apply" in call for call, _ in kubectl.calls())


def test_the_local_overlays_own_secret_may_be_replaced() -> None:
    (found,) = [
        each["metadata"]
        for each in rendered_overlay(K8S / "overlays" / "local")
        if (each["kind"], each["metadata"]["name"]) == ("Secret", "pokewatch-pipeline")
    ]
    assert found["labels"] == {"app.kubernetes.io/instance": "local"}


class _Gateway(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self._answer(
            {"cards": [{"card_id": "card-1", "name": "x"}], "next": None}
            if self.path.startswith("/cards")
            else {"status": "ready"}
        )

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        known = self.headers["X-API-Key"].startswith(("good", "pw_"))
        self._answer({**request, "fair_price": 2.5} if known else None)

    def _answer(self, content: object) -> None:
        body = json.dumps(content).encode()
        self.send_response(200 if content else 401)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def gateway() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Gateway)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_verify_asks_every_workload_and_prints_an_answer(kubectl: Kubectl, gateway: str) -> None:
    done = kubectl.run("verify.sh", POKEWATCH_URL=gateway, POKEWATCH_KEY="good")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == {"card_id": "card-1", "fair_price": 2.5}
    assert sum("rollout status" in call for call, _ in kubectl.calls()) == 5


def test_verify_asks_at_the_port_that_kubectl_chose(kubectl: Kubectl, gateway: str) -> None:
    port = gateway.rpartition(":")[2]
    kubectl.answer({"port-forward": (f"Forwarding from 127.0.0.1:{port} -> 8000\n", 0)})
    done = kubectl.run("verify.sh", POKEWATCH_KEY="good")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["card_id"] == "card-1"


def test_verify_asks_nobody_where_no_port_is_forwarded(kubectl: Kubectl) -> None:
    kubectl.answer({"port-forward": ("", 1)})
    done = kubectl.run("verify.sh", POKEWATCH_KEY="good")
    assert done.returncode == 1
    assert "cannot be forwarded" in done.stderr


def test_verify_fails_with_what_it_asks(kubectl: Kubectl, gateway: str) -> None:
    assert kubectl.run("verify.sh", POKEWATCH_URL=gateway, POKEWATCH_KEY="bad").returncode != 0
    kubectl.answer({"rollout status deployment/mlserver": ("", 1)})
    assert kubectl.run("verify.sh", POKEWATCH_URL=gateway, POKEWATCH_KEY="good").returncode == 1


def test_verify_requires_a_key(kubectl: Kubectl) -> None:
    done = kubectl.run("verify.sh", POKEWATCH_KEY="")
    assert done.returncode != 0
    assert "set POKEWATCH_KEY" in done.stderr
