import asyncio

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from pokewatch.gateway.auth.limits import SLOTS, MemoryLimiter, Rate
from tests.gateway.clock import Clock

RATE = Rate(5, 60)


class LimiterMachine(RuleBasedStateMachine):
    """Against a list of every time a request passed: never more than the rate in any window, never less without cause."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.limiter = MemoryLimiter(self.clock)
        self.passed: dict[str, list[float]] = {"a": [], "b": []}

    @rule(name=st.sampled_from(["a", "b"]))
    def hit(self, name: str) -> None:
        verdict = self.limiter.count(name, RATE)
        passed, now = self.passed[name], self.clock.now
        within = sum(now - at < RATE.seconds for at in passed)
        lately = sum(now - at < RATE.seconds * (1 + 1 / SLOTS) for at in passed)
        assert verdict.allowed or lately >= RATE.count, "refused though the window had room"
        assert not (verdict.allowed and within >= RATE.count), "passed though the window was full"
        if verdict.allowed:
            passed.append(now)
        assert 0 <= verdict.remaining < RATE.count or not verdict.allowed

    @rule(name=st.sampled_from(["a", "b"]))
    def wait_as_told(self, name: str) -> None:
        verdict = self.limiter.count(name, RATE)
        if verdict.allowed:
            self.passed[name].append(self.clock.now)
            return
        self.clock.now += verdict.reset + 1e-6
        assert self.limiter.count(name, RATE).allowed
        self.passed[name].append(self.clock.now)

    @rule(seconds=st.floats(0.001, 50))
    def pass_time(self, seconds: float) -> None:
        self.clock.now += seconds


test_limiter = LimiterMachine.TestCase


def test_names_are_bounded() -> None:
    limiter = MemoryLimiter(Clock(), most=2)
    assert limiter.count("a", Rate(1, 60)).allowed
    for name in ("b", "c"):
        limiter.count(name, Rate(1, 60))
    assert limiter.count("a", Rate(1, 60)).allowed, "the name idle for longest was forgotten"


def test_a_clock_that_steps_back_frees_nothing() -> None:
    clock = Clock()
    limiter = MemoryLimiter(clock)
    assert asyncio.run(limiter.hit("a", Rate(2, 60))).remaining == 1
    clock.now -= 100
    assert limiter.count("a", Rate(2, 60)).remaining == 0
    assert not limiter.count("a", Rate(2, 60)).allowed


@pytest.mark.parametrize("text", ["100/minute", "1/second", "5/hour", "7/day"])
def test_rates(text: str) -> None:
    assert str(Rate.parse(text)) == text


@pytest.mark.parametrize("text", ["", "100", "0/minute", "-1/minute", "1/week", "1.5/minute"])
def test_rates_of_nonsense(text: str) -> None:
    with pytest.raises(ValueError, match="expected a number a second, minute, hour or day"):
        Rate.parse(text)
