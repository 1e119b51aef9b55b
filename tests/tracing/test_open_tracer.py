"""Where tracing is on, and what it costs where it is off."""

import subprocess
import sys

import pytest

from pokewatch.errors import SettingsError
from pokewatch.tracing import open_tracer
from tests.tracing.collector import Collector

OFF = """
import sys
import pokewatch.gateway.server
from pokewatch.gateway.app import create_app
from pokewatch.gateway.auth.keys import KeyStore
from pokewatch.settings import GatewaySettings, Home
from pokewatch.tracing import open_tracer
tracer = open_tracer("tests")
app = create_app(GatewaySettings.read(), KeyStore(Home.read().keys), tracer=tracer)
assert app.served() is app
ours = ("opentelemetry.exporter", "opentelemetry.sdk.trace", "pokewatch.tracing.")
print([name for name in sys.modules if name.startswith(ours)])
"""


def test_it_is_off_by_default_and_nothing_is_imported() -> None:
    """Others import parts of OpenTelemetry: redis its metrics, mcp its API."""
    assert open_tracer("tests") is None
    ran = subprocess.run([sys.executable, "-c", OFF], capture_output=True, text=True, check=False)
    assert (ran.stdout, ran.stderr) == ("[]\n", "")


def test_it_is_on_with_a_collector(collector: Collector) -> None:
    tracer = open_tracer("tests")
    assert tracer is not None
    tracer.close()


def test_a_missing_package_is_named(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "pokewatch.tracing.tracer", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http", None)
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(SettingsError, match=r"^OTEL_EXPORTER_OTLP_ENDPOINT is set, but opentel.*"):
        open_tracer("tests")


def test_an_address_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318")
    with pytest.raises(SettingsError, match="OTEL_EXPORTER_OTLP_ENDPOINT 'collector:4318'"):
        open_tracer("tests")
