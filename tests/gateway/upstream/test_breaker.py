from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from pokewatch.gateway.upstream.breaker import Breaker, State
from tests.gateway.clock import Clock

FAILURES, PAUSE, MAX_PAUSE = 3, 1.0, 8.0


class BreakerMachine(RuleBasedStateMachine):
    """Closed until FAILURES in a row, then open for a pause that doubles, then one probe."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.breaker = Breaker(FAILURES, PAUSE, MAX_PAUSE, self.clock)
        self.failures = 0
        self.pause = PAUSE
        self.open_until = 0.0
        self.probing = False

    @precondition(lambda self: self.breaker.state is State.CLOSED)
    @rule(works=st.booleans())
    def ask_while_closed(self, works: bool) -> None:
        assert self.breaker.wait() == 0
        if works:
            self.breaker.succeeded()
            self.failures = 0
            return
        self.breaker.failed()
        self.failures += 1
        if self.failures >= FAILURES:
            assert self.breaker.state is State.OPEN
            self.open_until = self.clock.now + self.pause

    @precondition(
        lambda self: self.breaker.state is State.OPEN and self.clock.now < self.open_until
    )
    @rule()
    def ask_while_open(self) -> None:
        assert 0 < self.breaker.wait() <= self.open_until - self.clock.now

    @precondition(
        lambda self: self.breaker.state is State.OPEN and self.clock.now >= self.open_until
    )
    @rule(works=st.booleans())
    def probe(self, works: bool) -> None:
        assert self.breaker.wait() == 0
        assert self.breaker.wait() > 0, "one probe at a time"
        if works:
            self.breaker.succeeded()
            self.failures, self.pause = 0, PAUSE
        else:
            self.breaker.failed()
            self.pause = min(self.pause * 2, MAX_PAUSE)
            self.open_until = self.clock.now + self.pause

    @rule(seconds=st.floats(0.01, 10))
    def pass_time(self, seconds: float) -> None:
        self.clock.now += seconds

    @invariant()
    def opens_only_for_cause(self) -> None:
        assert (self.breaker.state is State.OPEN) == (self.failures >= FAILURES)


test_breaker = BreakerMachine.TestCase


def test_a_probe_without_outcome_times_out() -> None:
    clock = Clock()
    breaker = Breaker(1, 1.0, 8.0, clock)
    breaker.failed()
    clock.now += 1
    assert breaker.wait() == 0
    assert breaker.wait() == 8
    clock.now += 8
    assert breaker.wait() == 0


def test_observed_state_is_half_open_after_the_pause() -> None:
    clock = Clock()
    breaker = Breaker(FAILURES, PAUSE, MAX_PAUSE, clock)
    assert breaker.observed_state() is State.CLOSED
    for _ in range(FAILURES):
        breaker.failed()
    assert breaker.observed_state() is State.OPEN
    clock.now += PAUSE
    assert breaker.observed_state() is State.HALF_OPEN
    breaker.wait()
    breaker.failed()
    assert breaker.observed_state() is State.OPEN
    clock.now += MAX_PAUSE
    breaker.wait()
    breaker.succeeded()
    assert breaker.observed_state() is State.CLOSED
