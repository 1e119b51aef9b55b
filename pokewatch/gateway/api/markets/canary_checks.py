"""The checks of a canary in one gateway: errors, latency and signals of the challenger."""

import time
from collections.abc import Callable, Iterator
from math import comb
from typing import Literal, NamedTuple

from pokewatch.gateway.metrics import OBJECTIVE, HistogramSeries

CHECKS = ("errors", "latency", "signals")
_MIN_FAILED = 3  # failures before their share is judged
_MIN_SLOW = 10  # slow calls before their share is judged
_MIN_SLOW_LATER = 3  # the same once the challenger has given DECIDED answers: calls may hold many
DECIDED = 200
_SLOW_SHARE = 0.05
_MIN_CARDS = 20  # cards before their signals are judged
_FEWEST_CARDS = 5  # the same where chance would make as many differ once in 1,000 times
_CHANCE = 0.001
MAX_CARDS = 1_000
_WINDOW_CALLS = 200
_WINDOW_SECONDS = 10.0


class CheckState(NamedTuple):
    """A check, with what was found so far."""

    check: Literal["errors", "latency", "signals"]
    found: str
    failed: bool


class _Times:
    """The calls of a histogram since the start of a window."""

    def __init__(self, series: HistogramSeries) -> None:
        self._series = series
        self.restart()

    def restart(self) -> None:
        self._calls, self._slow = self._series.above(0.0), self._series.above(OBJECTIVE)

    @property
    def calls(self) -> int:
        return self._series.above(0.0) - self._calls

    @property
    def slow(self) -> int:
        """The calls that took longer than the objective."""
        return self._series.above(OBJECTIVE) - self._slow


class CanaryChecks:
    """Compares the challenger with the champion over the same requests, or the same time.

    A failure counts only if the champion then answered, and slow calls only beyond the champion's
    share of them: an outage or a busy machine is not the challenger's fault. Errors and latency are
    those of a window of at least 200 calls, so that earlier successes do not hide a change. Signals
    are compared on distinct cards, so that one popular card counts once.

    A challenger that is always slow, wrong or failing fails one by its 200th answer, if it takes
    three calls or more for them, and five cards.
    """

    def __init__(
        self,
        errors: float,
        signals: float,
        challenger: HistogramSeries,
        champion: HistogramSeries,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limits = errors, signals
        self._challenger, self._champion = _Times(challenger), _Times(champion)
        self._clock = clock
        self._started = clock()
        self._calls = self._failed = self._answers = 0
        self._cards: set[str] = set()
        self._different = 0

    def record(self, failed: bool, answers: int = 1) -> None:
        """Count a call of the challenger, for so many answers.

        A failed one was then answered by the champion.
        """
        self._calls += 1
        self._failed += failed
        self._answers += answers

    def is_compared(self, card: str) -> bool:
        """Return whether a card need not be compared: it was, or enough others were."""
        return card in self._cards or len(self._cards) >= MAX_CARDS

    def compare(self, card: str, differs: bool) -> None:
        """Record whether the signals of a card differ."""
        if not self.is_compared(card):
            self._cards.add(card)
            self._different += differs

    def breach(self) -> CheckState | None:
        """Return the check that fails, if any."""
        if self._has_errors() or self._is_slow() or self._differs():
            return next(each for each in self.states() if each.failed)
        if self._calls >= _WINDOW_CALLS and self._clock() - self._started >= _WINDOW_SECONDS:
            self._started = self._clock()
            self._calls = self._failed = self._answers = 0
            self._challenger.restart()
            self._champion.restart()
        return None

    def states(self) -> Iterator[CheckState]:
        """Yield each check, with what was found."""
        errors, signals = self._limits
        found = f"{self._failed} of {self._calls} calls of the challenger failed"
        yield CheckState("errors", f"{found}, limit {errors:.1%}", self._has_errors())
        mine, others = self._challenger, self._champion
        found = f"{mine.slow} of {mine.calls} calls of the challenger took longer than "
        found += f"{OBJECTIVE:g} s, and {others.slow} of {others.calls} of the champion"
        yield CheckState("latency", found, self._is_slow())
        found = f"the signals of {self._different} of {len(self._cards)} cards differ"
        yield CheckState("signals", f"{found}, limit {signals:.0%}", self._differs())

    def _has_errors(self) -> bool:
        return self._failed >= _MIN_FAILED and self._failed > self._limits[0] * self._calls

    def _is_slow(self) -> bool:
        slow = self._challenger.slow
        if slow < (_MIN_SLOW if self._answers < DECIDED else _MIN_SLOW_LATER):
            return False
        of_others = self._champion.slow / max(self._champion.calls, 1)
        return slow / max(self._challenger.calls, 1) - of_others > _SLOW_SHARE

    def _differs(self) -> bool:
        cards, limit = len(self._cards), self._limits[1]
        if self._different <= limit * cards:
            return False
        return cards >= _MIN_CARDS or (
            cards >= _FEWEST_CARDS and _tail(self._different, cards, limit) < _CHANCE
        )


def _tail(successes: int, trials: int, rate: float) -> float:
    """Return the probability of as many successes or more, by the binomial distribution."""
    counts = range(successes, trials + 1)
    return sum(comb(trials, k) * rate**k * (1 - rate) ** (trials - k) for k in counts)
