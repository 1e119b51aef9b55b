"""Spans as the collector receives them."""

import logging

import pytest

from pokewatch.tracing.tracer import SpanKind, Tracer, traceparent_of
from tests.conftest import ROOT
from tests.tracing.collector import Collector

TRACE = "0af7651916cd43dd8448eb211c80319c"
CALLER = "b7ad6b7169203331"


def test_a_span_is_the_child_of_the_callers(collector: Collector) -> None:
    tracer = Tracer("tests", collector.url)
    given = f"00-{TRACE}-{CALLER}-01"
    with tracer.span("outer", SpanKind.SERVER, given, {"rows": 3}) as outer:
        inside = traceparent_of(outer)
        with tracer.span("inner", SpanKind.CLIENT, inside):
            pass
    tracer.close()
    spans = collector.of(TRACE)
    first, second = spans["outer"], spans["inner"]
    assert (first.parent, first.service, first.kind) == (CALLER, "tests", "SERVER")
    assert (first.attributes, first.failed) == ({"rows": 3}, False)
    assert (second.parent, second.kind) == (first.id, "CLIENT")
    assert inside.split("-")[1:3] == [TRACE, first.id]


@pytest.mark.parametrize("given", ["", "00-0-0-00", f"ff-{TRACE}-{CALLER}-01", "\u00ff"])
def test_without_a_valid_header_a_trace_begins(collector: Collector, given: str) -> None:
    tracer = Tracer("tests", collector.url)
    with tracer.span("alone", SpanKind.SERVER, given):
        pass
    tracer.close()
    [span] = collector.spans
    assert (span.name, span.parent) == ("alone", "")
    assert span.trace != TRACE


def test_a_caller_that_does_not_sample_is_followed(collector: Collector) -> None:
    tracer = Tracer("tests", collector.url)
    with tracer.span("outer", SpanKind.SERVER, f"00-{TRACE}-{CALLER}-00") as span:
        assert traceparent_of(span).startswith(f"00-{TRACE}-")
        assert traceparent_of(span).endswith("-00")
    tracer.close()
    assert collector.spans == []


def test_an_error_is_named_and_not_quoted(collector: Collector) -> None:
    tracer = Tracer("tests", collector.url)
    with pytest.raises(ValueError, match="pw_secret"), tracer.span("x", SpanKind.SERVER, ""):
        raise ValueError("pw_secret")
    tracer.close()
    [span] = collector.spans
    assert (span.failed, span.attributes) == (True, {"error.type": "ValueError"})


def test_the_sdks_variables_apply(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "cards")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0")
    tracer = Tracer("tests", f"{collector.url}/")
    with tracer.span("dropped", SpanKind.SERVER, ""):
        pass
    with tracer.span("kept", SpanKind.SERVER, f"00-{TRACE}-{CALLER}-01"):
        pass
    tracer.close()
    assert [(each.service, each.name) for each in collector.spans] == [("cards", "kept")]


@pytest.mark.slow
def test_a_collector_that_is_away_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    tracer = Tracer("tests", "http://127.0.0.1:9")
    with tracer.span("lost", SpanKind.SERVER, ""):
        pass
    with caplog.at_level(logging.WARNING, "opentelemetry"):
        tracer.close()
    assert "export" in caplog.text


def test_the_extra_has_what_is_imported() -> None:
    extra = (ROOT / "pyproject.toml").read_text().partition("tracing = [")[2].partition("]")[0]
    assert "opentelemetry-exporter-otlp-proto-http" in extra
    assert "opentelemetry-sdk" in extra
