"""The arms of experiments."""

import subprocess
import sys
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pokewatch.assignment import position

CALLERS = [f"{number:012x}" for number in range(20_000)]


def of(experiment: str, share: float) -> set[str]:
    return {caller for caller in CALLERS if position(caller, experiment) < share}


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.9])
def test_an_arm_has_its_share(share: float) -> None:
    spread = (share * (1 - share) / len(CALLERS)) ** 0.5
    assert abs(len(of("3", share)) / len(CALLERS) - share) < 4 * spread


@given(st.text(), st.text())
def test_none_and_all(caller: str, experiment: str) -> None:
    assert 0.0 <= position(caller, experiment) < 1.0


def test_a_larger_share_only_adds_callers() -> None:
    steps = [of("3", share) for share in (0.01, 0.1, 0.5, 1.0)]
    assert all(small < large for small, large in pairwise(steps))


def test_experiments_are_independent() -> None:
    both = len(of("3", 0.5) & of("4", 0.5)) / len(CALLERS)
    assert both == pytest.approx(0.25, abs=0.015)


def test_another_process_gives_the_same_answer() -> None:
    code = (
        "from pokewatch.assignment import position\n"
        "print([position(f'{number:012x}', '3') for number in range(50)])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == str([position(caller, "3") for caller in CALLERS[:50]])
