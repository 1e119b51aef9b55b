"""Which challengers the checks of a canary stop, and which they do not."""

import pytest

from pokewatch.gateway.api.markets.canary_checks import DECIDED, MAX_CARDS, CanaryChecks
from pokewatch.gateway.metrics import OBJECTIVE, HistogramSeries
from tests.gateway.clock import Clock

FAST, LATE = 0.01, 0.2


class Checked:
    """Checks with limits of 2% and 20%, and the calls of both variants."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.challenger, self.champion = (HistogramSeries((OBJECTIVE, 1.0)) for _ in range(2))
        self.checks = CanaryChecks(0.02, 0.2, self.challenger, self.champion, self.clock)

    def breach(self) -> str:
        found = self.checks.breach()
        return f"{found.check}: {found.found}" if found else ""

    def calls(self, good: int, failed: int = 0) -> str:
        for number in range(good + failed):
            self.checks.record(number >= good)
        return self.breach()


@pytest.fixture
def checked() -> Checked:
    return Checked()


def observe(series: HistogramSeries, fast: int, late: int = 0) -> None:
    for number in range(fast + late):
        series.observe(FAST if number < fast else LATE)


@pytest.mark.parametrize(("good", "failed"), [(0, 2), (200, 4), (1_000, 20)])
def test_few_failures_are_allowed(checked: Checked, good: int, failed: int) -> None:
    assert checked.calls(good, failed) == ""


def test_too_many_failures(checked: Checked) -> None:
    assert checked.calls(97, 3) == "errors: 3 of 100 calls of the challenger failed, limit 2.0%"


def test_earlier_successes_do_not_hide_failures(checked: Checked) -> None:
    assert checked.calls(10_000) == ""
    checked.clock.now += 11
    assert checked.breach() == ""
    assert checked.calls(0, 3).startswith("errors: 3 of 3 ")


def test_a_window_holds_enough_calls(checked: Checked) -> None:
    checked.calls(100, 2)
    checked.clock.now += 11
    assert checked.breach() == ""
    assert checked.calls(0, 1).startswith("errors: 3 of 103 ")


def test_slow_calls_beyond_those_of_the_champion(checked: Checked) -> None:
    observe(checked.challenger, 90, 9)
    assert checked.breach() == "", "too few to tell"
    observe(checked.challenger, 0, 1)
    assert checked.breach() == (
        "latency: 10 of 100 calls of the challenger took longer than 0.15 s, and 0 of 0 of the "
        "champion"
    )
    observe(checked.champion, 50, 4)
    assert checked.breach() == "", "the machine is busy"


@pytest.mark.parametrize("rows", [1, 10, 60])
@pytest.mark.parametrize("fault", ["slow", "wrong", "failing"])
def test_the_first_200_answers_decide(checked: Checked, rows: int, fault: str) -> None:
    """However many of them a call has."""
    answers = 0
    while not checked.breach():
        assert answers < DECIDED, "of a challenger that is always bad"
        answers += rows
        checked.checks.record(fault == "failing", rows)
        observe(checked.challenger, fault != "slow", fault == "slow")
        observe(checked.champion, rows)
        for number in range(rows):
            checked.checks.compare(f"card_{(answers + number) % 7}", fault == "wrong")
    expected = {"slow": "latency", "wrong": "signals", "failing": "errors"}
    assert checked.breach().startswith(expected[fault])


def test_few_slow_calls_among_many_answers_need_a_fast_champion(checked: Checked) -> None:
    checked.calls(DECIDED)
    observe(checked.challenger, 10, 3)
    observe(checked.champion, 40, 10)
    assert checked.breach() == "", "the machine is busy"


@pytest.mark.parametrize(
    ("cards", "different", "stops"), [(4, 4, False), (5, 5, True), (9, 5, False)]
)
def test_few_cards_decide_beyond_chance(
    checked: Checked, cards: int, different: int, stops: bool
) -> None:
    for number in range(cards):
        checked.checks.compare(f"card_{number}", number < different)
    assert bool(checked.breach()) == stops


def test_calls_before_the_canary_do_not_count() -> None:
    series = HistogramSeries((OBJECTIVE, 1.0))
    observe(series, 0, 100)
    checks = CanaryChecks(0.02, 0.2, series, HistogramSeries((OBJECTIVE,)))
    assert checks.breach() is None


def test_signals_that_differ(checked: Checked) -> None:
    for number in range(19):
        checked.checks.compare(f"card_{number}", number % 4 == 0)
        checked.checks.compare("card_0", differs=False)
    assert checked.breach() == "", "too few cards"
    checked.checks.compare("card_19", differs=False)
    assert checked.breach() == "signals: the signals of 5 of 20 cards differ, limit 20%"
    for number in range(20, 30):
        checked.checks.compare(f"card_{number}", differs=False)
    assert checked.breach() == ""


def test_the_cards_compared_are_limited(checked: Checked) -> None:
    for number in range(2 * MAX_CARDS):
        checked.checks.compare(f"card_{number}", differs=number >= MAX_CARDS)
    assert checked.breach() == ""
    assert checked.checks.is_compared("another")
