"""The positions of callers in a canary."""

import pytest

from pokewatch.gateway.api.markets.assignment import Assignment, caller_of, chosen_variant
from pokewatch.gateway.auth.keys import Key
from pokewatch.gateway.http.middleware import RequestContext
from pokewatch.gateway.http.problems import INVALID, ProblemError

CALLERS = [f"{number:012x}" for number in range(5_000)]


def context(*headers: tuple[bytes, bytes]) -> RequestContext:
    return RequestContext({"headers": headers, "client": ("192.0.2.7", 1)}, "1")


def test_the_share_of_the_callers_is_that_of_the_canary() -> None:
    assignment = Assignment("deploy-1")
    for share in (0.01, 0.1, 0.5):
        found = sum(assignment.position(caller) < share for caller in CALLERS) / len(CALLERS)
        assert found == pytest.approx(share, abs=4 * (share * (1 - share) / len(CALLERS)) ** 0.5)
    assert all(0 <= assignment.position(caller) < 1 for caller in CALLERS)


def test_every_process_assigns_alike_and_every_canary_anew() -> None:
    first, same, other = (Assignment(name) for name in ("deploy-1", "deploy-1", "deploy-2"))
    assert first.position("6655459cd12c") == same.position("6655459cd12c")
    assert first.position("6655459cd12c") == pytest.approx(0.348900, abs=1e-6)
    both = [(first.position(caller) < 0.1) + (other.position(caller) < 0.1) for caller in CALLERS]
    assert both.count(2) / len(CALLERS) == pytest.approx(0.01, abs=0.006), "independent"


def test_a_caller_is_a_key_or_else_an_address() -> None:
    request = context()
    assert caller_of(request) == "192.0.2.7"
    request.key = Key("6655459cd12c", "tests", b"", frozenset(), None, 0.0, None, None)
    assert caller_of(request) == "6655459cd12c"


def test_the_header_chooses_a_variant() -> None:
    assert chosen_variant(context()) == ""
    assert chosen_variant(context((b"x-pokewatch-variant", b"challenger"))) == "challenger"
    with pytest.raises(ProblemError) as raised:
        chosen_variant(context((b"x-pokewatch-variant", b"new")))
    assert raised.value.kind is INVALID
    assert raised.value.detail == (
        "X-PokeWatch-Variant: expected champion or challenger, got 'new'"
    )
