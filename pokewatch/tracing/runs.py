"""The ids of a flow's run as a trace, to which its steps belong in whatever process they run."""

import hashlib

from opentelemetry.sdk.trace.id_generator import IdGenerator

_SAMPLED = "01"


class RunIds(IdGenerator):
    """The ids of a trace and of the span that begins it: the same in every process of a run."""

    def __init__(self, flow: str, run: str) -> None:
        digest = hashlib.sha256(f"{flow}/{run}".encode()).digest()
        self._trace = int.from_bytes(digest[:16])
        self._span = int.from_bytes(digest[16:24])

    def generate_trace_id(self) -> int:
        return self._trace

    def generate_span_id(self) -> int:
        return self._span

    def traceparent(self) -> str:
        """Return the `traceparent` header of the spans that follow the first."""
        return f"00-{self._trace:032x}-{self._span:016x}-{_SAMPLED}"
