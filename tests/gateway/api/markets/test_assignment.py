"""The positions of callers in a canary."""

import subprocess
import sys
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pokewatch.gateway.api.markets.assignment import caller_of, chosen_variant, position
from pokewatch.gateway.auth.keys import Key
from pokewatch.gateway.http.middleware import RequestContext
from pokewatch.gateway.http.problems import INVALID, ProblemError

CALLERS = [f"{number:012x}" for number in range(5_000)]
MANY_CALLERS = [f"{number:012x}" for number in range(20_000)]


def of(experiment: str, share: float) -> set[str]:
    return {caller for caller in MANY_CALLERS if position(caller, experiment) < share}


def context(*headers: tuple[bytes, bytes]) -> RequestContext:
    return RequestContext({"headers": headers, "client": ("192.0.2.7", 1)}, "1")


def test_the_share_of_the_callers_is_that_of_the_canary() -> None:
    places = [position(caller, "deploy-1") for caller in CALLERS]
    for share in (0.01, 0.1, 0.5):
        found = sum(place < share for place in places) / len(CALLERS)
        assert found == pytest.approx(share, abs=4 * (share * (1 - share) / len(CALLERS)) ** 0.5)
    assert all(0 <= place < 1 for place in places)


def test_every_process_assigns_alike_and_every_canary_anew() -> None:
    assert position("6655459cd12c", "deploy-1") == pytest.approx(0.348900, abs=1e-6)
    both = [
        (position(caller, "deploy-1") < 0.1) + (position(caller, "deploy-2") < 0.1)
        for caller in CALLERS
    ]
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


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.9])
def test_an_arm_has_its_share(share: float) -> None:
    spread = (share * (1 - share) / len(MANY_CALLERS)) ** 0.5
    assert abs(len(of("3", share)) / len(MANY_CALLERS) - share) < 4 * spread


@given(st.text(), st.text())
def test_none_and_all(caller: str, experiment: str) -> None:
    assert 0.0 <= position(caller, experiment) < 1.0


def test_a_larger_share_only_adds_callers() -> None:
    steps = [of("3", share) for share in (0.01, 0.1, 0.5, 1.0)]
    assert all(small < large for small, large in pairwise(steps))


def test_experiments_are_independent() -> None:
    both = len(of("3", 0.5) & of("4", 0.5)) / len(MANY_CALLERS)
    assert both == pytest.approx(0.25, abs=0.015)


def test_another_process_gives_the_same_answer() -> None:
    code = (
        "from pokewatch.gateway.api.markets.assignment import position\n"
        "print([position(f'{number:012x}', '3') for number in range(50)])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == str([position(caller, "3") for caller in MANY_CALLERS[:50]])
