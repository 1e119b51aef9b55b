"""The checks of a canary in one gateway: errors, latency and signals of the challenger."""

import time
from collections.abc import Callable
from typing import NamedTuple

from pokewatch.gateway.metrics import OBJECTIVE, HistogramSeries

CHECKS = ("errors", "latency", "signals")
_MIN_FAILED = 3  # failures before their share is judged
_MIN_SLOW = 10  # slow calls before their share is judged
_SLOW_SHARE = 0.05
_MIN_CARDS = 20  # cards before their signals are judged
MAX_CARDS = 1_000
_WINDOW_CALLS = 200
_WINDOW_SECONDS = 10.0


class CheckBreach(NamedTuple):
    """A check that failed, with what was found."""

    check: str
    found: str


class _Times:
    """The calls of a histogram since the start of a window."""

    def __init__(self, series: HistogramSeries) -> None:
        self._series = series
        self.restart()

    def restart(self) -> None:
        self._calls, self._slow = self._series.above(0.0), self._series.above(OBJECTIVE)

    def counts(self) -> tuple[int, int]:
        """Return the calls, and those that took longer than the objective."""
        series = self._series
        return series.above(0.0) - self._calls, series.above(OBJECTIVE) - self._slow


class CanaryChecks:
    """Compares the challenger with the champion over the same requests, or the same time.

    A failure counts only if the champion then answered, and slow calls only beyond the champion's
    share of them: an outage or a busy machine is not the challenger's fault. Errors and latency are
    those of a window of at least 200 calls, so that earlier successes do not hide a change. Signals
    are compared on distinct cards, so that one popular card counts once.
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
        self._calls = self._failed = 0
        self._cards: dict[str, bool] = {}

    def record(self, failed: bool) -> None:
        """Count a call of the challenger. A failed one was then answered by the champion."""
        self._calls += 1
        self._failed += failed

    def is_compared(self, card: str) -> bool:
        """Return whether a card need not be compared: it was, or enough others were."""
        return card in self._cards or len(self._cards) >= MAX_CARDS

    def compare(self, card: str, differs: bool) -> None:
        """Record whether the signals of a card differ."""
        if not self.is_compared(card):
            self._cards[card] = differs

    def breach(self) -> CheckBreach | None:
        """Return the check that fails, if any."""
        found = self._error_breach() or self._latency_breach() or self._signal_breach()
        full = self._calls >= _WINDOW_CALLS and self._clock() - self._started >= _WINDOW_SECONDS
        if found is None and full:
            self._started = self._clock()
            self._calls = self._failed = 0
            self._challenger.restart()
            self._champion.restart()
        return found

    def _error_breach(self) -> CheckBreach | None:
        limit = self._limits[0]
        if self._failed < _MIN_FAILED or self._failed <= limit * self._calls:
            return None
        return CheckBreach(
            "errors",
            f"{self._failed} of {self._calls} calls of the challenger failed, limit {limit:.1%}",
        )

    def _latency_breach(self) -> CheckBreach | None:
        (calls, slow), (others, others_slow) = self._challenger.counts(), self._champion.counts()
        if slow < _MIN_SLOW:
            return None
        excess = slow / calls - (others_slow / others if others else 0.0)
        if excess <= _SLOW_SHARE:
            return None
        return CheckBreach(
            "latency",
            f"{slow} of {calls} calls of the challenger took longer than {OBJECTIVE:g} s, and "
            f"{others_slow} of {others} of the champion",
        )

    def _signal_breach(self) -> CheckBreach | None:
        cards, limit = len(self._cards), self._limits[1]
        different = sum(self._cards.values())
        if cards < _MIN_CARDS or different <= limit * cards:
            return None
        found = f"the signals of {different} of {cards} cards differ, limit {limit:.0%}"
        return CheckBreach("signals", found)
