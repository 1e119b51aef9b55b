"""The header lines of a call that several requests share."""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

LINKED_TRACE = b"x-linked-traceparent"  # the name of the lines that name other spans
_TRACEPARENT = re.compile(rb"traceparent: (.+)\r\n")
_MAX_LINKS = 100  # of OpenTelemetry's limit of 128


class HasHeaders(Protocol):
    """A row of a call: `headers` returns the header lines of its request."""

    @property
    def headers(self) -> Callable[[], bytes]: ...


HeadersOf = Callable[[Iterable[HasHeaders]], bytes]


def first_headers(rows: Iterable[HasHeaders]) -> bytes:
    """Return the header lines of the first row."""
    return next(iter(rows)).headers()


def linked_headers(rows: Iterable[HasHeaders]) -> bytes:
    """Return the first row's header lines, followed by the trace spans of the other rows' requests.

    `TracedTransport` makes links of these and does not send them.
    """
    rest = iter(rows)
    first = next(rest).headers()
    own = _TRACEPARENT.search(first)
    if own is None:
        return first
    others = {trace for trace in _traces(rest) if trace != own[1]}
    lines = [b"%s: %s\r\n" % (LINKED_TRACE, each) for each in sorted(others)[:_MAX_LINKS]]
    return first + b"".join(lines)


def _traces(rows: Iterable[HasHeaders]) -> Iterator[bytes]:
    for row in rows:
        if found := _TRACEPARENT.search(row.headers()):
            yield found[1]
