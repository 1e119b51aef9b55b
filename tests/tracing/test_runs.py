"""The ids of a run."""

from opentelemetry.trace import SpanKind

from pokewatch.tracing import open_tracer
from pokewatch.tracing.runs import RunIds
from tests.tracing.collector import Collector


def test_they_are_the_same_in_every_process_and_differ_by_run() -> None:
    known = "00-fa2d018ff0d4a39f2a81a1e51bbb798f-91cfb9f20f7ff509-01"
    assert RunIds("Flow", "7").traceparent() == known
    assert RunIds("Flow", "7").traceparent() != RunIds("Flow", "8").traceparent()
    assert RunIds("Flow", "7").traceparent() != RunIds("Other", "7").traceparent()


def test_the_first_span_has_them(collector: Collector) -> None:
    ids = RunIds("Flow", "7")
    tracer = open_tracer("tests", ids)
    assert tracer is not None
    tracer.start("Flow", SpanKind.INTERNAL, "").end()
    tracer.close()
    [span] = collector.spans
    assert [span.trace, span.id] == ids.traceparent().split("-")[1:3]
    assert span.parent == ""
