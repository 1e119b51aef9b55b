"""A client generated from the served document calls every operation, with the document's examples.

The generator and what its clients import are installed by uv, apart from PokeWatch.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from pokewatch.gateway.api.routes import OPERATIONS
from tests.gateway.conftest import Gateway

GENERATOR = "openapi-python-client==0.29.1"
CALLS = Path(__file__).with_name("generated_calls.py")
UV = Path(sys.executable).parent / "uv"
# The only one that the generator leaves out: it sends no CSV, and the operation takes JSON too.
ALLOWED_WARNINGS = {"WARNING parsing POST /collections/value within default."}

# As docs/api.md says: the generator knows no Parquet.
CONFIG = "content_type_overrides: {application/vnd.apache.parquet: application/octet-stream}\n"

pytestmark = pytest.mark.slow


def run(command: list[str], folder: Path) -> str:
    found = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=280)
    if "error sending request" in found.stderr or "dns error" in found.stderr:
        pytest.skip("the package index cannot be reached, which has the generator")
    assert found.returncode == 0, found.stdout[-3_000:] + found.stderr[-3_000:]
    return found.stdout + found.stderr


def test_every_operation_is_usable_from_a_generated_client(
    gateway: Gateway, tmp_path: Path
) -> None:
    (tmp_path / "openapi.json").write_text(gateway.get("/openapi.json", key="").text)
    (tmp_path / "config.yml").write_text(CONFIG)
    isolated = [str(UV), "run", "--quiet", "--no-project", "--python", sys.executable]
    generate = ["generate", "--path", "openapi.json", "--output-path", "client", "--meta", "none"]
    generate += ["--config", "config.yml"]
    said = run([*isolated, "--with", GENERATOR, "openapi-python-client", *generate], tmp_path)
    warnings = {line for line in said.splitlines() if "WARNING" in line or "ERROR" in line}
    assert warnings <= ALLOWED_WARNINGS
    script = ["python", str(CALLS), gateway.url, gateway.key.key, str(tmp_path)]
    called = run([*isolated, "--with", GENERATOR, *script], tmp_path).split()
    assert sorted(called) == sorted(operation.name for operation in OPERATIONS)
