from datetime import date
from pathlib import Path

import pytest

from pokewatch.experiments.event_rates import event_rates
from pokewatch.monitoring.calibration import Calibration
from tests.conftest import ROOT
from tests.experiments.standings import standing
from tests.experiments.test_event_rates import event, write


@pytest.fixture(autouse=True)
def flows_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "flows"))


def test_the_card_of_an_experiment_has_its_standing_and_two_plots() -> None:
    from metaflow.cards import VegaChart
    from monitor_cards import experiment_card

    parts = list(experiment_card(standing(3, [0.2] * 30).to_dict(), ""))
    texts = [str(each.render().get("source")) for each in parts]
    assert texts[0] == "## Experiment 3: boosted against local_level"
    assert "It is running" in texts[1]
    table = "".join(texts)
    for said in ("days of forecasts compared", "3,000", "evidence that decides", "90.0%"):
        assert said in table, said
    assert sum(isinstance(each, VegaChart) for each in parts) == 2


def test_an_experiment_without_results_and_none_at_all() -> None:
    from monitor_cards import experiment_card

    found = list(experiment_card(standing(1, []).to_dict(), "boosted won and is not deployed yet"))
    texts = [str(each.render()["source"]) for each in found]
    assert "Boosted won and is not deployed yet" in texts[1]
    assert texts[-1].strip() == "There is no result yet."
    assert list(experiment_card(None, "")) == []


def test_the_card_of_events_has_rates_by_arm(tmp_path: Path) -> None:
    from monitor_cards import events_card

    arms = ("champion", "challenger")
    events = [
        event(f"{0:08x}{number:08x}", kind, "BUY" if number % 3 else "HOLD", arms[number % 2])
        for number in range(40)
        for kind in ("exposure", "outcome")
    ]
    write(tmp_path, events)
    found = [each.to_dict() for each in event_rates(tmp_path)]
    texts = [str(each.render()["source"]).strip() for each in events_card(found)]
    assert texts[0] == "## What callers did in experiment 3"
    assert texts[1] == "80 events from 2026-03-01 to 2026-03-01."
    for said in ("champion", "challenger", "difference", "100.0% (", "65.0% (", "+0.0% ("):
        assert said in texts[2], said
    write(tmp_path / "one", events[:1])
    (alone,) = (each.to_dict() for each in event_rates(tmp_path / "one"))
    table = str(list(events_card([alone]))[2].render()["source"])
    assert "difference" not in table
    assert list(events_card([])) == []


def test_the_table_of_calibrations_says_what_its_gap_is() -> None:
    from card_tables import calibrations_table

    scores = {"rmae_last": 0.9, "mape": 5.0, "bias": 0.0, "coverage_90": 0.9, "n": 40}
    bins = [
        {"n": 30, "confidence": 0.85, "observed": 0.95},
        {"n": 10, "confidence": 0.65, "observed": 0.15},
    ]
    judged = Calibration(1, date(2026, 1, 1), "3", True, scores, (), tuple(bins))
    text = str(calibrations_table([judged]).render()["source"])
    assert "mean gap of confidence and outcome" in text
    assert "20.0%" in text
    assert "1 day later" in text
