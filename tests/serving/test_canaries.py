"""The canaries that a model server publishes."""

import pytest

from pokewatch.errors import RegistryError
from pokewatch.serving.canaries import LONGEST_TIME, Canaries, CanaryPlan
from tests.gateway.clock import Clock

MARKET = "simulated-0"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def canaries(clock: Clock) -> Canaries:
    return Canaries(clock)


def share(canaries: Canaries) -> tuple[float, str | None]:
    status = canaries.status(MARKET)
    assert status is not None
    return status["share"], status["ended"]


def test_without_a_canary(canaries: Canaries) -> None:
    assert canaries.status(MARKET) is None
    assert not canaries.end(MARKET, "a", "errors")


def test_the_newest_step_counts(canaries: Canaries) -> None:
    canaries.publish(MARKET, CanaryPlan("a", 0.1, 2))
    canaries.publish(MARKET, CanaryPlan("a", 0.01, 1))
    assert canaries.status(MARKET) == {
        "id": "a",
        "share": 0.1,
        "revision": 2,
        "experiment": "a",
        "since": "",
        "ended": None,
    }
    assert canaries.status("another") is None


def test_what_is_only_loaded_is_not_published(canaries: Canaries) -> None:
    canaries.publish(MARKET, CanaryPlan("a", 0.0, 0))
    assert canaries.status(MARKET) is None


def test_what_has_ended_does_not_start_again(canaries: Canaries) -> None:
    canaries.publish(MARKET, CanaryPlan("a", 0.1))
    assert canaries.end(MARKET, "a", "errors")
    canaries.publish(MARKET, CanaryPlan("a", 0.5, 2))
    assert canaries.end(MARKET, "a", "the deploy was undone")
    assert share(canaries) == (0, "errors")
    canaries.publish(MARKET, CanaryPlan("b", 0.01))
    assert not canaries.end(MARKET, "a", "errors")
    assert share(canaries) == (0.01, None)


def test_a_step_that_is_not_continued_ends(canaries: Canaries, clock: Clock) -> None:
    canaries.publish(MARKET, CanaryPlan("a", 0.1, 1, seconds=60))
    clock.now += 50
    canaries.publish(MARKET, CanaryPlan("a", 0.5, 2, seconds=60))
    clock.now += 50
    assert share(canaries) == (0.5, None)
    clock.now += 11
    canaries.publish(MARKET, CanaryPlan("a", 1, 3, seconds=60))
    assert share(canaries) == (0, "the deploy did not continue within 60 s")


def test_a_plan_ends_at_its_time_of_day(clock: Clock) -> None:
    """Also in a server that was started again, whose monotonic clock is another."""
    for canaries in (Canaries(time_of_day=clock), Canaries(time_of_day=clock)):
        clock.now = 1_000.0
        canaries.publish(MARKET, CanaryPlan("a", 0.1, experiment="experiment-1", until=2_000.0))
        clock.now = 2_000.0
        assert share(canaries) == (0.1, None)
        clock.now = 2_001.0
        assert share(canaries) == (0, LONGEST_TIME)
        clock.now = 1_999.0  # it was set back
        assert share(canaries) == (0, LONGEST_TIME)


def test_a_plan_is_the_same_after_the_registry() -> None:
    plan = CanaryPlan("deploy-1", 0.1, 2, 180.0)
    assert CanaryPlan.from_state(plan.to_state()) == plan


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ("", "no deploy and no experiment gives a challenger traffic"),
        ("null", "not the plan of a canary: null"),
        ("{", "not the plan of a canary: {"),
        ('{"id": "a"}', "not the plan of a canary"),
        ('{"id": "", "share": 0.1}', "not the plan of a canary"),
        ('{"id": "a", "share": 1.1}', "not the plan of a canary"),
        ('{"id": "a", "share": "1"}', "not the plan of a canary"),
        ('{"id": "a", "share": 0.1, "seconds": 0}', "not the plan of a canary"),
        ('{"id": "a", "share": 0.1, "more": 0}', "not the plan of a canary"),
    ],
)
def test_a_state_that_is_no_plan(state: str, message: str) -> None:
    with pytest.raises(RegistryError, match=f"^{message}"):
        CanaryPlan.from_state(state)
