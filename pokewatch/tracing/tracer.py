"""Spans by OpenTelemetry's SDK, sent as OTLP over HTTP."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import (
    SERVICE_NAME,
    SERVICE_VERSION,
    OTELResourceDetector,
    Resource,
)
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.trace import (
    Link,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    get_current_span,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

__all__ = ["Span", "SpanKind", "Tracer", "fail", "traceparent_of"]

Attributes = Mapping[str, str | int]

_PATH = "/v1/traces"
_extract = TraceContextTextMapPropagator().extract


class Tracer:
    """Makes the spans of a service. A thread sends them to the collector every few seconds.

    What the collector does not accept is dropped, and logged by OpenTelemetry. `ids` makes the ids,
    by default at random.
    """

    def __init__(self, service: str, endpoint: str, ids: IdGenerator | None = None) -> None:
        resource = Resource.create({SERVICE_NAME: service, SERVICE_VERSION: version("pokewatch")})
        # OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES take precedence.
        resource = resource.merge(OTELResourceDetector().detect())
        self._provider = TracerProvider(resource=resource, id_generator=ids)
        exporter = OTLPSpanExporter(endpoint.rstrip("/") + _PATH)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("pokewatch")

    def start(
        self,
        name: str,
        kind: SpanKind,
        traceparent: str,
        attributes: Attributes | None = None,
        links: Sequence[str] = (),
    ) -> Span:
        """Return a new span, whose parent is that of a `traceparent` header; "" for none.

        It is linked to the spans of such headers.
        """
        parent = _extract({"traceparent": traceparent})
        linked = [Link(_context_of(each)) for each in links]
        return self._tracer.start_span(name, parent, kind, attributes, linked)

    @contextmanager
    def span(
        self,
        name: str,
        kind: SpanKind,
        traceparent: str,
        attributes: Attributes | None = None,
        links: Sequence[str] = (),
    ) -> Iterator[Span]:
        """Yield a span that ends with the block. It has failed where the block raises."""
        span = self.start(name, kind, traceparent, attributes, links)
        try:
            yield span
        except BaseException as error:
            fail(span, type(error).__name__)
            raise
        finally:
            span.end()

    def close(self) -> None:
        """Send the spans that have ended, and stop."""
        self._provider.shutdown()


def _context_of(traceparent: str) -> SpanContext:
    return get_current_span(_extract({"traceparent": traceparent})).get_span_context()


def fail(span: Span, kind: str) -> None:
    """Mark a span as failed by an error of a kind. Its text, which may quote a caller, stays out.

    See the attribute `error.type` of OpenTelemetry's conventions.
    """
    span.set_status(Status(StatusCode.ERROR))
    span.set_attribute("error.type", kind)


def traceparent_of(span: Span) -> str:
    """Return the `traceparent` header (W3C Trace Context) of the children of a span."""
    found = span.get_span_context()
    return f"00-{found.trace_id:032x}-{found.span_id:016x}-{found.trace_flags:02x}"
