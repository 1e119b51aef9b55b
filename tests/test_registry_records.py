import json
import os
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pokewatch.errors import RegistryError
from pokewatch.registry import Registry
from pokewatch.registry_records import RegistryRecords
from tests.answering import answering


def test_records_are_numbered_in_order_and_keep_their_tags(registry_home: Path) -> None:
    records = RegistryRecords(Registry(), "experiment")
    assert records.newest() == []
    assert [records.create({"what": name}) for name in ("first", "second")] == [1, 2]
    records.set_tag(1, "end", "done")
    records.set_tag(2, "end", "done")
    records.delete_tag(2, "end")
    assert records.newest() == [(2, {"what": "second"}), (1, {"what": "first", "end": "done"})]
    assert records.read(1) == {"what": "first", "end": "done"}
    assert RegistryRecords(Registry(), "deploy").newest() == []
    with pytest.raises(RegistryError, match="the record of experiment 9 cannot be read"):
        records.read(9)


class OneVersion(BaseHTTPRequestHandler):
    """A server of MLflow whose only model has one version."""

    def do_GET(self) -> None:
        version = {"name": "model", "version": "1", "status": "READY", "tags": []}
        model = {"name": "model"}
        body = json.dumps({"model_version": version, "registered_model": model}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def log_message(self, *_: object) -> None:
        pass


def test_a_record_on_a_server_is_made_without_a_word() -> None:
    """MLflow reports that it waits up to 300 seconds for a version that is ready at once."""
    code = (
        "from pokewatch.registry import Registry\n"
        "from pokewatch.registry_records import RegistryRecords\n"
        "print(RegistryRecords(Registry(), 'deploy').create({}))"
    )
    with answering(ThreadingHTTPServer(("127.0.0.1", 0), OneVersion)) as server:
        address = f"http://127.0.0.1:{server.server_port}"
        process = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "MLFLOW_TRACKING_URI": address},
            capture_output=True,
            text=True,
            check=False,
        )
    assert (process.stdout, process.stderr) == ("1\n", "")
