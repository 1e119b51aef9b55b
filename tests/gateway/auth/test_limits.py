import asyncio

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from pokewatch.gateway.auth.limits import SLOTS, MemoryLimiter, Rate, Window
from tests.gateway.clock import Clock

RATE = Rate(5, 60)


class LimiterMachine(RuleBasedStateMachine):
    """Compares the limiter with a list of the times of all allowed requests."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.limiter = MemoryLimiter(self.clock)
        self.allowed: dict[str, list[float]] = {"a": [], "b": []}

    @rule(name=st.sampled_from(["a", "b"]))
    def hit(self, name: str) -> None:
        decision = self.limiter.count(name, RATE)
        allowed, now = self.allowed[name], self.clock.now
        within = sum(now - at < RATE.seconds for at in allowed)
        lately = sum(now - at < RATE.seconds * (1 + 1 / SLOTS) for at in allowed)
        assert decision.allowed or lately >= RATE.count, "rejected although the window has room"
        assert not (decision.allowed and within >= RATE.count), (
            "allowed although the window is full"
        )
        if decision.allowed:
            allowed.append(now)
        assert decision.wait <= RATE.seconds
        assert 0 <= decision.remaining < RATE.count or not decision.allowed

    @rule(name=st.sampled_from(["a", "b"]))
    def wait_until_reset(self, name: str) -> None:
        decision = self.limiter.count(name, RATE)
        if decision.allowed:
            self.allowed[name].append(self.clock.now)
            return
        assert decision.wait <= RATE.seconds
        self.clock.now += decision.reset + 1e-6
        assert self.limiter.count(name, RATE).allowed
        self.allowed[name].append(self.clock.now)

    @rule(seconds=st.floats(0.001, 50))
    def pass_time(self, seconds: float) -> None:
        self.clock.now += seconds


test_limiter = LimiterMachine.TestCase


def test_requests_share_the_counter_of_their_slot() -> None:
    window = Window(Rate(1_000_000, 60))
    counters = []
    for hundredths in range(12_000):
        window.hit(hundredths / 100)
        counters.append(len(window.slots))
    assert max(counters) == SLOTS + 1
    assert window.total <= 6_000 + 100  # those of the window, and of a slot


def test_the_number_of_names_is_limited() -> None:
    limiter = MemoryLimiter(Clock(), size=2)
    assert limiter.count("a", Rate(1, 60)).allowed
    for name in ("b", "c"):
        limiter.count(name, Rate(1, 60))
    assert limiter.count("a", Rate(1, 60)).allowed, "the least recently used name is dropped"


def test_a_clock_set_back_does_not_reset_the_limit() -> None:
    clock = Clock()
    limiter = MemoryLimiter(clock)
    assert asyncio.run(limiter.hit("a", Rate(2, 60))).remaining == 1
    clock.now -= 100
    assert limiter.count("a", Rate(2, 60)).remaining == 0
    assert not limiter.count("a", Rate(2, 60)).allowed


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("100/minute", Rate(100, 60)),
        ("1/second", Rate(1, 1)),
        ("5/hour", Rate(5, 3_600)),
        ("7/day", Rate(7, 86_400)),
    ],
)
def test_a_rate_is_parsed_and_written(text: str, rate: Rate) -> None:
    assert Rate.parse(text) == rate
    assert str(rate) == text


@pytest.mark.parametrize("text", ["", "100", "0/minute", "-1/minute", "1/week", "1.5/minute"])
def test_an_invalid_rate_is_rejected(text: str) -> None:
    with pytest.raises(ValueError, match="expected a number from 1 to 999999999 per second,"):
        Rate.parse(text)
