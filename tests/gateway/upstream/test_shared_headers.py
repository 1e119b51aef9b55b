"""The header lines of a call that several requests share."""

from pokewatch.gateway.api.composition import CardQuery
from pokewatch.gateway.upstream.shared_headers import first_headers, linked_headers


def rows(*lines: str) -> list[CardQuery]:
    return [CardQuery("card_1", "", None, headers=line.encode) for line in lines]


def test_the_first_requests_lines_are_forwarded() -> None:
    assert first_headers(rows("a: 1\r\n", "a: 2\r\n")) == b"a: 1\r\n"


def test_the_spans_of_the_others_are_named_once() -> None:
    own, other = "a: 1\r\ntraceparent: 00-1-2-01\r\n", "a: 2\r\ntraceparent: 00-3-4-01\r\n"
    found = linked_headers(rows(own, other, own, other, "a: 3\r\n"))
    assert found == f"{own}x-linked-traceparent: 00-3-4-01\r\n".encode()


def test_without_a_trace_there_are_no_links() -> None:
    assert linked_headers(rows("a: 1\r\n", "traceparent: 00-3-4-01\r\n")) == b"a: 1\r\n"


def test_links_are_limited() -> None:
    many = [f"traceparent: 00-1-{number}-01\r\n" for number in range(500)]
    assert linked_headers(rows(*many)).count(b"x-linked-traceparent") == 100
