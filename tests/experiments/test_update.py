"""An experiment from day to day, on books in a real registry."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pokewatch.experiments import update
from pokewatch.experiments.records import ExperimentRecords
from pokewatch.experiments.sequential import Rule
from pokewatch.experiments.standing import Standing
from pokewatch.experiments.update import ExperimentUpdate, challengers_of, newest_standings
from pokewatch.registry import CHAMPION, RegisteredModel, Registry
from tests.experiments.books import register, register_pair
from tests.monitoring.test_calibration import day, panel

QUICK = Rule(horizon=7, shortest=1, threshold=1.5, coverage=(0.5, 1.0))


@pytest.fixture
def champion(registry_home: Path, tmp_path: Path) -> RegisteredModel:
    registry = Registry()
    model = register(registry, tmp_path / "first", 40)
    registry.set_alias(CHAMPION, model.version)
    return model


def updated(champion: RegisteredModel, until: int) -> Standing | None:
    return ExperimentUpdate(panel().up_to(until), Registry(), champion).run()


def test_days_are_scored_once_their_outcome_comes(
    champion: RegisteredModel, tmp_path: Path
) -> None:
    registry = Registry()
    assert updated(champion, 59) is None
    ExperimentRecords(registry).start("boosted", Rule(horizon=7))
    first, second = (register_pair(registry, tmp_path, last) for last in (44, 45))
    waiting = updated(champion, 50)
    assert waiting is not None
    assert waiting.days == ()
    scored = updated(champion, 51)
    assert scored is not None
    assert [(each.issued_on, each.champion_version) for each in scored.days] == [
        (day(44), first[0].version)
    ]
    both = updated(champion, 52)
    assert both is not None
    assert [each.z for each in both.days] == [pytest.approx(1.0, abs=1e-3)] * 2
    assert both.days[1].challenger_version == second[1].version
    again = updated(champion, 53)
    assert again is not None
    assert again.days == both.days
    (stored,) = newest_standings(registry, 3)
    assert stored.days == both.days


def test_the_first_forecast_of_a_day_counts(champion: RegisteredModel, tmp_path: Path) -> None:
    registry = Registry()
    ExperimentRecords(registry).start("boosted", Rule(horizon=7))
    first = register_pair(registry, tmp_path / "once", 45)
    register_pair(registry, tmp_path / "again", 45, 1.2)
    found = updated(champion, 59)
    assert found is not None
    assert [each.challenger_version for each in found.days] == [first[1].version]


@pytest.mark.parametrize(
    ("factor", "state", "verdict"),
    [
        pytest.param(np.where(np.arange(20) < 10, 1.0, 1.1), "running", "promote", id="better"),
        pytest.param(np.where(np.arange(20) < 10, 1.1, 1.0), "aborted", "abort", id="worse"),
    ],
)
def test_a_verdict_is_recorded(
    champion: RegisteredModel, tmp_path: Path, factor: np.ndarray, state: str, verdict: str
) -> None:
    registry = Registry()
    ExperimentRecords(registry).start("boosted", QUICK)
    register_pair(registry, tmp_path, 45, factor)
    found = updated(champion, 52)
    assert found is not None
    assert (found.experiment.state, found.experiment.verdict) == (state, verdict)
    if state == "aborted":
        assert found.experiment.outcome == "boosted is worse than local_level"
        assert updated(champion, 53) is None, "it has ended"


def test_an_experiment_that_finds_nothing_is_stopped(
    champion: RegisteredModel, tmp_path: Path
) -> None:
    registry = Registry()
    ExperimentRecords(registry).start("boosted", Rule(horizon=7, longest=2))
    for last in (44, 45):
        register_pair(registry, tmp_path, last)
    found = updated(champion, 59)
    assert found is not None
    assert (found.experiment.state, found.experiment.outcome) == (
        "stopped",
        "neither is better after 2 days",
    )


def test_another_champion_stops_the_experiment(champion: RegisteredModel, tmp_path: Path) -> None:
    registry = Registry()
    ExperimentRecords(registry).start("boosted", Rule(horizon=7))
    other = register(registry, tmp_path / "other", 41, model="median7")
    found = updated(other, 59)
    assert found is not None
    assert found.experiment.outcome == "the champion is median7 now, in place of local_level"


@pytest.mark.parametrize(
    ("model", "state"),
    [
        pytest.param("local_level", "running", id="as at the start"),
        pytest.param("boosted", "running", id="promoted, and not recorded yet"),
        pytest.param("median7", "stopped", id="another"),
    ],
)
def test_another_champion_stops_an_experiment_whose_promotion_waits(
    champion: RegisteredModel, tmp_path: Path, model: str, state: str
) -> None:
    """No version of its challenger would be registered any more: it would wait for ever."""
    registry = Registry()
    started = ExperimentRecords(registry).start("boosted", Rule(horizon=7))
    ExperimentRecords(registry).decide(started.number, "promote")
    found = updated(register(registry, tmp_path / "other", 41, model=model), 59)
    assert found is not None
    assert found.experiment.state == state


def test_another_market_leaves_the_experiment_alone(champion: RegisteredModel) -> None:
    ExperimentRecords(Registry()).start("boosted", Rule(horizon=7))
    elsewhere = replace(champion, tags={**champion.tags, "market": "simulated-7"})
    assert updated(elsewhere, 59) is None
    assert ExperimentRecords(Registry()).running() is not None


def test_a_book_that_cannot_be_read_stops_no_other(
    champion: RegisteredModel,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nor is it one of the most days of a run: those before it may all have been removed."""
    monkeypatch.setattr(update, "MOST_DAYS", 1)
    registry = Registry()
    experiment = ExperimentRecords(registry).start("boosted", Rule(horizon=7))
    lost, _ = register_pair(registry, tmp_path, 44)
    register_pair(registry, tmp_path, 45)
    with registry.client("test") as client:
        run = client.get_run(lost.run_id)
    manifest = Path(run.info.artifact_uri.removeprefix("file://")) / "book" / "manifest.json"
    manifest.write_text("{}")
    found = updated(champion, 59)
    assert found is not None
    assert [each.issued_on for each in found.days] == [day(45)]
    assert "the forecasts of model version 3 cannot be compared" in caplog.text
    assert len(challengers_of(registry, experiment)) == 2


def test_many_days_are_scored_over_several_runs(
    champion: RegisteredModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(update, "MOST_DAYS", 1)
    registry = Registry()
    ExperimentRecords(registry).start("boosted", Rule(horizon=7))
    for last in (44, 45):
        register_pair(registry, tmp_path, last)
    counts = [len(found.days) for _ in range(3) if (found := updated(champion, 59))]
    assert counts == [1, 2, 2]


def test_an_interrupted_update_loses_and_repeats_nothing(
    champion: RegisteredModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = Registry()
    records = ExperimentRecords(registry)
    records.start("boosted", Rule(horizon=7))
    register_pair(registry, tmp_path, 44)
    updated(champion, 51)
    before = records.running()
    register_pair(registry, tmp_path, 45)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("pokewatch.registry_records.RegistryRecords.set_tag", killed)
        with pytest.raises(KeyboardInterrupt):
            updated(champion, 52)
    assert records.running() == before
    found = updated(champion, 52)
    assert found is not None
    assert len(found.days) == 2


def test_results_that_cannot_be_read_hide_no_other_experiment(
    champion: RegisteredModel, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    registry = Registry()
    records = ExperimentRecords(registry)
    records.start("boosted", Rule(horizon=7))
    register_pair(registry, tmp_path, 45)
    updated(champion, 59)
    records.stop("enough")
    second = records.start("median7", Rule(horizon=7))
    with registry.client("test") as client:
        client.delete_model_version(registry.name, champion.version)
    assert [each.experiment.number for each in newest_standings(registry, 3)] == [second.number]
    assert "experiment 1 cannot be shown: model version '1' cannot be found" in caplog.text
