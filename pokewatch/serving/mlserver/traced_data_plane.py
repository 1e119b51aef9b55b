"""Inference as spans, by REST and gRPC alike."""

from mlserver.types import InferenceRequest, InferenceResponse

from pokewatch.serving.logs import trace_var
from pokewatch.serving.mlserver.data_plane import CheckedDataPlane
from pokewatch.tracing.tracer import SpanKind, Tracer, traceparent_of


def traced_data_plane(tracer: Tracer) -> type[CheckedDataPlane]:
    """Return a data plane on which a request with a `traceparent` header is a span of its trace."""

    class TracedDataPlane(CheckedDataPlane):
        async def infer(
            self, payload: InferenceRequest, name: str, version: str | None = None
        ) -> InferenceResponse:
            headers = (payload.parameters and payload.parameters.headers) or {}
            traceparent = str(headers.get("traceparent", ""))
            if not traceparent:
                return await super().infer(payload, name, version)
            with tracer.span(f"infer {name}", SpanKind.INTERNAL, traceparent) as span:
                trace_var.set(traceparent_of(span))
                response = await super().infer(payload, name, version)
                span.set_attribute("pokewatch.rows", response.outputs[0].shape[0])
                served = getattr(response.parameters, "model_version", None)
                if served is not None:
                    span.set_attribute("pokewatch.model_version", served)
                return response

    return TracedDataPlane
