"""The rates of the arms, and how often their intervals hold the truth."""

from collections.abc import Iterable
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from pokewatch.errors import ExperimentError
from pokewatch.experiments.event_rates import event_rates, rate_of
from pokewatch.gateway.events.event_log import Event, write_events

DAY = date(2026, 3, 1).toordinal() - date(1970, 1, 1).toordinal()


def event(session: str, kind: str, signal: str, arm: str = "champion", day: int = 0) -> Event:
    offered = 2.0 if kind == "outcome" else None
    return Event(DAY + day, kind, "3", arm, session, "m", "card", offered, signal, "7")


def write(folder: Path, events: Iterable[Event]) -> None:
    assert write_events(folder, list(events), 1 << 40)


def test_the_rates_of_a_small_log(tmp_path: Path) -> None:
    write(tmp_path, [event("p1" * 4 + "a" * 8, "exposure", "BUY")] * 3)
    write(tmp_path, [event("p1" * 4 + "a" * 8, "outcome", "HOLD")])
    write(tmp_path, [event("p1" * 4 + "b" * 8, "exposure", "HOLD")])
    write(tmp_path, [event("p1" * 4 + "c" * 8, "outcome", "BUY")])
    write(tmp_path, [event("p2" * 4 + "d" * 8, "exposure", "SELL", "challenger", 1)])
    [found] = event_rates(tmp_path)
    assert (found.experiment, found.events) == ("3", 7)
    assert (found.first_day, found.last_day) == (date(2026, 3, 1), date(2026, 3, 2))
    champion, challenger = found.arms
    assert (champion.sessions, champion.callers, champion.exposures, champion.outcomes) == (
        3,
        3,
        4,
        2,
    )
    assert (champion.judging.n, champion.judging.value) == (2, 0.5)
    assert (champion.buy_shown.n, champion.buy_shown.value) == (4, 0.75)
    assert (champion.buy_judged.n, champion.buy_judged.value) == (2, 0.5)
    assert (challenger.sessions, challenger.buy_shown.value) == (1, 0.0)
    assert challenger.buy_shown.low is None, "one caller says nothing of others"
    assert challenger.buy_judged.value is None
    assert found.differences["buy_shown"].value == -0.75
    assert found.differences["buy_judged"].value is None
    assert found.to_dict()["first_day"] == "2026-03-01"


def test_experiments_are_apart_the_newest_first(tmp_path: Path) -> None:
    write(tmp_path, [event("p" * 16, "exposure", "BUY")])
    write(tmp_path, [event("q" * 16, "exposure", "BUY", day=2)._replace(experiment="4")])
    assert [(each.experiment, each.events) for each in event_rates(tmp_path)] == [
        ("4", 1),
        ("3", 1),
    ]


def test_experiments_of_one_name_in_two_markets_are_apart(tmp_path: Path) -> None:
    write(tmp_path, [event("p" * 16, "exposure", "BUY")])
    write(tmp_path, [event("p" * 16, "exposure", "HOLD")._replace(market="other")] * 2)
    found = event_rates(tmp_path)
    assert [(each.market, each.experiment, each.events) for each in found] == [
        ("other", "3", 2),
        ("m", "3", 1),
    ]
    assert [each.arms[0].buy_shown.value for each in found] == [0.0, 1.0]


def test_an_empty_log_and_a_file_that_is_none(tmp_path: Path) -> None:
    assert event_rates(tmp_path / "none") == []
    (tmp_path / "date=2026-01-01").mkdir()
    (tmp_path / "date=2026-01-01" / "odd.parquet").write_text("not a table")
    with pytest.raises(ExperimentError, match=r"event log .* cannot be read: .*odd\.parquet"):
        event_rates(tmp_path)


def days_of_callers(
    random: np.random.Generator, callers: int, days: int, spread: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return successes and events of sessions: the same callers, each with a rate, every day."""
    rates = random.beta(0.3 / spread, 0.7 / spread, callers)
    events = random.poisson(6.0, (days, callers)) + 1
    return random.binomial(events, rates).ravel(), events.ravel()


@pytest.mark.parametrize(
    ("callers", "days", "spread"),
    [(40, 1, 0.001), (40, 1, 0.5), (40, 20, 0.5), (12, 30, 0.2), (200, 5, 1.0)],
)
def test_an_interval_holds_the_rate_of_all_callers(callers: int, days: int, spread: float) -> None:
    random, held, naive = np.random.default_rng(7), 0, 0
    for _ in range(400):
        successes, events = days_of_callers(random, callers, days, spread)
        found = rate_of(successes, events, callers)
        assert found.value is not None
        assert found.low is not None
        assert found.high is not None
        held += found.low <= 0.3 <= found.high
        half = 1.96 * (found.value * (1 - found.value) / found.n) ** 0.5
        naive += abs(found.value - 0.3) <= half
    assert held / 400 >= 0.93
    if days > 1:
        assert naive / 400 < 0.85, "intervals of independent events are too narrow"


def test_a_rate_of_none_or_all_has_an_interval_of_the_callers() -> None:
    ones = np.ones(30, np.int64)
    none, every = rate_of(0 * ones, 50 * ones, 30), rate_of(50 * ones, 50 * ones, 30)
    assert none.value == 0.0
    assert none.low == pytest.approx(0.0, abs=1e-12)
    assert none.high == pytest.approx(0.12, abs=0.01)  # 3.84 / (30 * 0.92 + 3.84)
    assert every.low == pytest.approx(1 - (none.high or 0))
    assert rate_of(ones[:0], ones[:0], 0).value is None


def test_it_agrees_with_wilson_where_events_are_independent() -> None:
    from scipy import stats

    random = np.random.default_rng(3)
    successes = random.binomial(1, 0.4, 5_000)
    found = rate_of(successes, np.ones(5_000, np.int64), 5_000)
    expected = stats.binomtest(int(successes.sum()), 5_000).proportion_ci(method="wilson")
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=2e-4)


def test_the_difference_of_two_arms_holds_their_difference(tmp_path: Path) -> None:
    random, events = np.random.default_rng(5), []
    for number in range(400):
        arm = ("champion", "challenger")[number % 2]
        rate = random.beta(2, 8) + 0.2 * (number % 2)
        session = f"{0:08x}{number:08x}"
        events += [
            event(session, "exposure", "BUY" if random.random() < rate else "HOLD", arm)
            for _ in range(20)
        ]
    write(tmp_path, events)
    [found] = event_rates(tmp_path)
    difference = found.differences["buy_shown"]
    assert difference.low is not None
    assert difference.high is not None
    assert 0.12 < difference.low < 0.2 < difference.high < 0.28
