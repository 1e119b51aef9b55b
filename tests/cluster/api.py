"""A small double of the Kubernetes API that stores custom objects and starts Jobs."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qs, urlsplit

import yaml

_FINISHED = "2026-01-02T03:04:05Z"


class Pod(Protocol):
    """A started Job. `ended` is its exit code, None while it runs."""

    def ended(self) -> int | None: ...

    @property
    def killed_for_memory(self) -> bool: ...

    def kill(self) -> None: ...


Launcher = Callable[[str, Mapping[str, Any]], Pod]  # from a Job's name and its pod's spec


@dataclass
class Job:
    manifest: dict[str, Any]
    pod: Pod
    seen: bool = False  # a Job's status comes from its pod's, so it is known later

    @property
    def step(self) -> str:
        return str(self.manifest["metadata"]["annotations"]["metaflow/step_name"])

    @property
    def container(self) -> dict[str, Any]:
        found: dict[str, Any] = self.manifest["spec"]["template"]["spec"]["containers"][0]
        return found

    def status(self) -> dict[str, int]:
        code = self.pod.ended() if self.seen else None
        return {"active": 1} if code is None else {"succeeded": 1} if code == 0 else {"failed": 1}

    def pod_object(self) -> dict[str, Any]:
        metadata = {
            "name": f"{self.manifest['metadata']['name']}-pod",
            "namespace": self.manifest["metadata"]["namespace"],
        }
        code = self.pod.ended()
        self.seen = code is not None
        if code is None:
            state: dict[str, Any] = {"running": {"startedAt": _FINISHED}}
        else:
            reason = (
                "Completed" if code == 0 else "OOMKilled" if self.pod.killed_for_memory else "Error"
            )
            ended = {"exitCode": code, "reason": reason, "finishedAt": _FINISHED}
            # as a kubelet gives the last output of a container that failed
            state = {"terminated": ended | ({"message": "last output"} if code else {})}
        phase = "Running" if code is None else "Succeeded" if code == 0 else "Failed"
        containers = [
            {
                "name": "main",
                "image": "",
                "imageID": "",
                "ready": code is None,
                "restartCount": 0,
                "started": True,
                "state": state,
            }
        ]
        return {
            "metadata": metadata,
            "spec": {"containers": []},
            "status": {"phase": phase, "containerStatuses": containers},
        }


@dataclass
class Cluster:
    """What was asked of the double."""

    launch: Launcher | None = None
    jobs: dict[str, Job] = field(default_factory=dict)
    objects: dict[str, dict[str, Any]] = field(
        default_factory=dict
    )  # by the last two parts of the path
    url: str = ""

    def kubeconfig(self, folder: Path) -> Path:
        """A file that makes a Kubernetes client talk to the double."""
        path = folder / "kubeconfig"
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "double",
            "clusters": [{"name": "double", "cluster": {"server": self.url}}],
            "users": [{"name": "nobody", "user": {}}],
            "contexts": [{"name": "double", "context": {"cluster": "double", "user": "nobody"}}],
        }
        path.write_text(yaml.safe_dump(config))
        return path

    def start_job(self, manifest: dict[str, Any]) -> dict[str, Any]:
        assert self.launch is not None
        name = f"{manifest['metadata']['generateName']}{len(self.jobs)}"
        manifest["metadata"] |= {"name": name, "uid": name}
        self.jobs[name] = Job(manifest, self.launch(name, manifest["spec"]["template"]["spec"]))
        return self.job(name)

    def job(self, name: str) -> dict[str, Any]:
        job = self.jobs[name]
        return {
            **job.manifest,
            "spec": {**job.manifest["spec"], "parallelism": 1},
            "status": job.status(),
        }


class _Answers(BaseHTTPRequestHandler):
    server: "_Server"

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        parts = url.path.strip("/").split("/")
        cluster = self.server.cluster
        if parts[-1] == "pods":
            name = parse_qs(url.query)["labelSelector"][0].removeprefix("job-name=")
            return self._answer(200, {"items": [cluster.jobs[name].pod_object()]})
        if parts[-2] == "jobs":
            return self._answer(200, cluster.job(parts[-1]))
        found = cluster.objects.get("/".join(parts[-2:]))
        return (
            self._answer(200, found)
            if found
            else self._answer(404, {"message": "not found", "reason": "NotFound"})
        )

    def do_POST(self) -> None:
        sent = self._body()
        kind = urlsplit(self.path).path.rsplit("/", 1)[-1]
        if kind == "jobs":
            return self._answer(201, self.server.cluster.start_job(sent))
        made, metadata = self.server.cluster.objects, sent["metadata"]
        metadata.setdefault("name", f"{metadata.get('generateName')}{len(made)}")
        made[f"{kind}/{metadata['name']}"] = sent
        return self._answer(201, sent)

    def do_PATCH(self) -> None:
        kind, name = urlsplit(self.path).path.split("/")[-2:]
        sent = self._body()
        if kind != "jobs":
            found = self.server.cluster.objects[f"{kind}/{name}"]
            found["spec"] |= sent["spec"]  # a merge patch, one level deep
            return self._answer(200, found)
        self.server.cluster.jobs[name].pod.kill()
        return self._answer(200, self.server.cluster.job(name))

    def _body(self) -> dict[str, Any]:
        body: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        return body

    def _answer(self, status: int, content: object) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    cluster: Cluster


@contextmanager
def kubernetes(launch: Launcher | None = None) -> Iterator[Cluster]:
    """The double, on a port of its own."""
    server = _Server(("127.0.0.1", 0), _Answers)
    server.cluster = Cluster(launch, url=f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.cluster
    finally:
        for job in server.cluster.jobs.values():
            job.pod.kill()
        server.shutdown()
        thread.join()
        server.server_close()
