"""Steps as spans, all of a run in one trace."""

from collections.abc import Iterator
from typing import Any

from metaflow import current, user_step_decorator

from pokewatch.tracing import open_tracer

_SERVICE = "pokewatch-flows"


@user_step_decorator
def traced(step_name: str, flow: Any, inputs: Any, attributes: Any) -> Iterator[None]:  # noqa: ARG001
    """Make each attempt of a step a span of the run's trace, where tracing is on.

    No process lives as long as a run, so its span is a moment at its start. Steps are its children.
    """
    tracer = open_tracer(_SERVICE)
    if tracer is None:
        yield
        return
    from pokewatch.tracing.runs import RunIds
    from pokewatch.tracing.tracer import SpanKind

    ids = RunIds(current.flow_name, current.run_id)
    found = {"pokewatch.run": f"{current.flow_name}/{current.run_id}"}
    if step_name == "start" and not current.retry_count:
        first = open_tracer(_SERVICE, ids)
        assert first is not None
        first.start(current.flow_name, SpanKind.INTERNAL, "", found).end()
        first.close()
    found |= {"pokewatch.task": current.task_id, "pokewatch.attempt": str(current.retry_count)}
    try:
        with tracer.span(step_name, SpanKind.INTERNAL, ids.traceparent(), found):
            yield
    finally:
        tracer.close()
