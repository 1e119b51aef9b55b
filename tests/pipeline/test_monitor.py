"""The daily monitoring run on a simulated market that changes."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from pokewatch.errors import (
    ExperimentError,
    GateError,
    LakeError,
    NoChampionError,
    RetrainError,
    SettingsError,
    TrackRecordError,
)
from pokewatch.experiments.update import ExperimentUpdate
from pokewatch.market.lake import Lake
from pokewatch.market.sources.simulated_process import Regime
from pokewatch.monitoring.record_update import RecordUpdate
from pokewatch.pipeline.collect import collect_prices, market_change
from pokewatch.pipeline.experiments import Challenger, register_beside, start_experiment
from pokewatch.pipeline.monitor import (
    decide,
    logged_events,
    measure_market,
    retrain,
    settle_experiment,
)
from pokewatch.pipeline.monitored_market import Market, newest_prices
from pokewatch.pipeline.processing import join_shards, process_shard
from pokewatch.pipeline.registration import register
from pokewatch.pipeline.selection import require_passed, select_model
from pokewatch.pipeline.training import evaluate_candidate, train
from pokewatch.registry import CHAMPION, DEPLOYED_AT, LAST_DAY, Registry, change_key
from pokewatch.serving.monitoring_figures import MONITORING_KEY
from pokewatch.serving.record_store import record_folder
from pokewatch.settings import Home
from pokewatch.valuation.panel import Panel
from pokewatch.valuation.track_record import read_record
from pokewatch.valuation.walk_forward import walk_forward
from tests.experiments.test_event_rates import event, write
from tests.monitoring.listener import Listener, listening
from tests.monitoring.markets import START, fill, market

pytestmark = pytest.mark.integration

CARDS = 600
SHORT = 75  # days before the change, in the quick tests
VOLATILITY = "volatility"


@pytest.fixture
def listener(monkeypatch: pytest.MonkeyPatch) -> Iterator[Listener]:
    with listening() as server:
        monkeypatch.setenv("POKEWATCH_NOTIFY_URLS", server.address)
        yield server


def planted(kind: str, day: int) -> Regime:
    return Regime(kind, START + timedelta(days=day), factor=3.0)  # type: ignore[arg-type]


def prices(days: int, regimes: list[Regime]) -> None:
    """Fill the lake of the source `simulated` with CARDS cards."""
    dates = [START + timedelta(days=day) for day in range(days)]
    fill(Lake(Home.read().lakes / f"simulated-{CARDS}-0"), CARDS, 0, dates, regimes)


def make_champion(last_day: date) -> str:
    """Train up to a day like the pipeline, and make the model champion. Raise GateError."""
    collected = collect_prices("simulated", start=START, end=last_day, cards=CARDS)
    data_version = join_shards([process_shard(collected, 0, 1, market_change(collected))])
    parameters = train(data_version, ["local_level"], 7)["local_level"]
    evaluation = evaluate_candidate(data_version, "local_level", 7)
    require_passed(select_model([evaluation]))
    registered = register(collected, data_version, parameters, evaluation.to_dict(), {})
    registry = Registry()
    assert registered.tags[LAST_DAY] == last_day.isoformat()
    registry.set_alias(CHAMPION, registered.version)
    registry.set_tag(registered.version, DEPLOYED_AT, f"{last_day}T02:00:00")
    return registered.version


@contextmanager
def of_day(version: str, day: date) -> Iterator[None]:
    """Have a version tagged as one whose prices end on a day."""
    registry = Registry()
    known = registry.version(version).tags[LAST_DAY]
    registry.set_tag(version, LAST_DAY, day.isoformat())
    yield
    registry.set_tag(version, LAST_DAY, known)


def selected(day: int) -> Market:
    return Market("simulated", 400, CARDS, last_day=START + timedelta(days=day))


def test_a_change_is_found_notified_once_and_stored(
    registry_home: Path, listener: Listener
) -> None:
    prices(SHORT + 5, [planted(VOLATILITY, SHORT)])
    make_champion(START + timedelta(days=SHORT - 8))
    quiet = measure_market(selected(SHORT - 1))
    measure_market(selected(SHORT - 1))  # the same result adds no document
    record = read_record(record_folder("simulated-0"))
    assert record is not None
    assert [issue.resolved for issue in record.issues] == [True]
    assert record.summary["horizons"][0]["overall"]["forecasts"] == record.issues[0].forecasts > 0
    assert quiet.failed == []
    assert {each.lag: each.served for each in quiet.calibrations} == {7: True, 30: False}
    assert not decide(selected(SHORT - 1), quiet).retrain
    noticed = measure_market(selected(SHORT + 4))
    with of_day(noticed.version, START + timedelta(days=SHORT + 5)):
        past = decide(selected(SHORT + 4), noticed)
        assert not past.retrain
        assert "later ones decide" in past.why
        assert Registry().get_state(change_key("simulated-0")) == ""
        assert not [title for title in listener.titles() if "out of bounds" in title]
    action = decide(selected(SHORT + 4), noticed)
    assert action.retrain
    assert "drift of moves" in action.why
    changed = Registry().get_state(change_key("simulated-0"))
    assert date.fromisoformat(changed) == START + timedelta(days=SHORT)
    assert decide(selected(SHORT + 4), noticed).retrain, "nothing has been trained yet"
    retrain(selected(SHORT + 4), noticed.measured_on, pipeline(registry_home, 0))
    again = decide(selected(SHORT + 4), noticed)
    assert not again.retrain
    assert "so not before" in again.why
    titles = [title for title in listener.titles() if "out of bounds" in title]
    assert len(titles) == 1
    assert "drift of moves" in titles[0]
    registry, champion = Registry(), Registry().resolve()
    measurements = logged_measurements(registry)
    assert [name[:10] for name in measurements] == [
        str(START + timedelta(days=SHORT - 1)),
        str(START + timedelta(days=SHORT + 4)),
    ]
    document = registry.document(champion, f"monitoring/{measurements[1]}")
    assert document == {"measured_on": str(noticed.measured_on), **noticed.to_dict()}
    assert (
        Registry().get_state(MONITORING_KEY)
        == (registry_home / "monitoring" / "latest.json").read_text()
    )
    with registry.client("the run cannot be read") as client:
        run = client.get_run(champion.run_id)
    assert run.data.metrics["monitor_drift"] == noticed.figures()["drift"] > 1


@pytest.mark.slow
def test_a_failed_update_is_notified_and_stops_nothing(
    registry_home: Path,
    listener: Listener,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    prices(SHORT, [])
    make_champion(START + timedelta(days=SHORT - 8))

    def fail_experiment(*_: object) -> None:
        raise ExperimentError("the results of experiment 1 are damaged")

    def fail_record(*_: object) -> None:
        raise TrackRecordError("2025-02.parquet is damaged")

    with monkeypatch.context() as patch:
        patch.setattr(ExperimentUpdate, "run", fail_experiment)
        measure_market(selected(SHORT - 1))
    assert "the experiment was not updated: the results of experiment 1 are" in caplog.text
    assert any("the experiment was not updated" in title for title in listener.titles())
    assert read_record(record_folder("simulated-0")) is not None

    monkeypatch.setattr(RecordUpdate, "run", fail_record)
    found = measure_market(selected(SHORT - 1))
    assert found.measured_on == START + timedelta(days=SHORT - 1)
    assert "the track record was not updated: 2025-02.parquet is damaged" in caplog.text
    assert any("the track record was not updated" in title for title in listener.titles())


@pytest.mark.parametrize(
    ("other", "name"),
    [
        (Market("file", 400, CARDS, path=Path("my_prices.csv")), "file-my-prices"),
        (Market("simulated", 400, CARDS, seed=5), "simulated-5"),
        (Market("tcgcsv", 400, CARDS, categories="magic"), "magic-tcgplayer-usd"),
    ],
    ids=["source", "seed", "game"],
)
def test_a_champion_is_not_measured_by_prices_of_another_market(
    other: Market, name: str, champion_home: Path
) -> None:
    refused = f"the market {name}, and the champion, version 1, is of simulated-0"
    with pytest.raises(SettingsError, match=refused) as error:
        measure_market(other)
    assert str(error.value).endswith("of the pipeline's run (pokewatch monitor run)")
    assert Registry().get_state(MONITORING_KEY) == ""


@pytest.mark.slow
def test_a_look_at_an_earlier_day_replaces_nothing_newer(registry_home: Path) -> None:
    prices(SHORT, [])
    make_champion(START + timedelta(days=SHORT - 8))
    measure_market(selected(SHORT - 1))
    record = read_record(record_folder("simulated-0"))
    figures = Registry().get_state(MONITORING_KEY)
    earlier = measure_market(selected(SHORT - 9))
    assert earlier.measured_on == START + timedelta(days=SHORT - 9)
    assert Registry().get_state(MONITORING_KEY) == figures
    assert (registry_home / "monitoring" / "latest.json").read_text() == figures
    assert read_record(record_folder("simulated-0")) == record
    assert len(logged_measurements(Registry())) == 2


@pytest.mark.slow
def test_an_experiment_is_compared_and_stands_in_the_record(registry_home: Path) -> None:
    prices(SHORT, [])
    day = START + timedelta(days=SHORT - 8)
    champion = Registry().version(make_champion(day))
    assert settle_experiment() == ("", None)
    started = start_experiment(Registry(), "median7")
    collected = collect_prices("simulated", start=START, end=day, cards=CARDS)
    data_version = champion.data_version
    fitted = train(data_version, ["median7"], 7)["median7"]
    evaluation = evaluate_candidate(data_version, "median7", 7).to_dict()
    challenger = Challenger(started.number, "median7", "")
    said = register_beside(challenger, champion, collected, data_version, fitted, evaluation, {})
    assert said == "experiment 1: median7 is version 2, compared with version 1"
    measure_market(selected(SHORT - 1))
    done, standing = settle_experiment()
    assert standing is not None
    # The forecasts were made today, long after the day that they were for.
    assert (done, standing["state"], standing["days"], standing["excluded"]) == (
        "",
        "running",
        0,
        1,
    )
    record = read_record(record_folder("simulated-0"))
    assert record is not None
    assert record.summary["experiments"] == [standing]
    assert [issue.model_version for issue in record.issues] == ["1"], "nobody was served the other"


def logged_measurements(registry: Registry) -> list[str]:
    """The files of the champion's run with measurements, in order."""
    with registry.client("the artifacts cannot be listed") as client:
        found = client.list_artifacts(registry.resolve().run_id, "monitoring")
        return sorted(file.path.rpartition("/")[2] for file in found)


def pipeline(folder: Path, code: int) -> list[str]:
    """Return the command of a flow that exits with `code`."""
    flow = folder / f"flow{code}.py"
    flow.write_text(f"raise SystemExit({code})")
    return [str(flow)]


def test_failed_training_starts_no_cool_down(registry_home: Path) -> None:
    market = selected(SHORT)
    with pytest.raises(RetrainError, match=r"flow3\.py ended with 3"):
        retrain(market, START, pipeline(registry_home, 3))
    assert Registry().get_state("retrained_on.simulated-0") == ""
    retrain(market, START, pipeline(registry_home, 0))
    assert Registry().get_state("retrained_on.simulated-0") == START.isoformat()


def test_another_market_of_the_same_source_has_a_state_of_its_own(registry_home: Path) -> None:
    registry, other = Registry(), replace(selected(SHORT), seed=7)
    registry.set_state(change_key("simulated-0"), START.isoformat())
    retrain(other, START, pipeline(registry_home, 0))
    assert registry.get_state("retrained_on.simulated-0") == ""
    assert registry.get_state("retrained_on.simulated-7") == START.isoformat()
    collected = [
        collect_prices("simulated", start=START, end=START, cards=20, seed=seed) for seed in (0, 7)
    ]
    assert list(map(market_change, collected)) == [START, None]


@pytest.mark.slow
def test_unchanging_quotes_are_notified_and_not_trained_on(
    registry_home: Path, listener: Listener
) -> None:
    prices(SHORT + 5, [planted("freeze", SHORT)])
    make_champion(START + timedelta(days=SHORT - 8))
    action = decide(selected(SHORT + 4), measure_market(selected(SHORT + 4)))
    assert not action.retrain
    assert "at fault" in action.why
    assert Registry().get_state(change_key("simulated-0")) == ""
    assert any("drift of unchanged" in title for title in listener.titles())
    assert any("stale" in title for title in listener.titles())


def test_without_model_or_prices_the_error_names_what_is_missing(registry_home: Path) -> None:
    with pytest.raises(NoChampionError):
        measure_market(selected(SHORT))
    with pytest.raises(LakeError, match=rf"has no prices up to {START}: use the options of the"):
        newest_prices(selected(0))
    collect_prices("simulated", start=START + timedelta(days=1), days=1, cards=CARDS)
    with pytest.raises(LakeError, match=rf"has no prices up to {START}: use a later day$"):
        newest_prices(selected(0))


def coverage(panel: Panel, days: range) -> float:
    inside = total = 0
    for features, values in walk_forward(panel, "local_level", 7, days):
        truth = panel.market[features.day + 7]
        judged = np.isfinite(truth) & np.isfinite(values.fair)
        inside += int(((truth >= values.lower) & (truth <= values.upper))[judged].sum())
        total += int(judged.sum())
    return inside / total


@pytest.mark.slow
def test_retraining_restores_the_coverage() -> None:
    regime = planted(VOLATILITY, 205)
    ahead = range(205 + 12, 205 + 26)
    assert coverage(market(800, 0, 240, [regime]), ahead) < 0.8
    assert (
        0.88
        <= coverage(market(800, 0, 240, [regime], changed=regime.day + timedelta(days=2)), ahead)
        <= 0.92
    )


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_day_by_day_the_coverage_of_what_is_served_comes_back(registry_home: Path) -> None:
    """The pipeline with its gate, and monitoring, every day.

    Once models can be trained on the changed market, the intervals cover 90% again.
    """
    change, last = 240, 240 + 28
    prices(last + 1, [planted(VOLATILITY, change)])
    covered: dict[int, float] = {}
    retrained, refused = [], []
    for day in range(change - 8, last + 1):
        try:
            make_champion(START + timedelta(days=day))
        except GateError:
            refused.append(day)
        if day < change - 1:
            continue
        found = measure_market(selected(day))
        assert {each.lag: each.served for each in found.calibrations}[7]
        covered[day] = found.figures()["coverage_90"]
        if decide(selected(day), found).retrain:
            retrain(selected(day), found.measured_on, pipeline(registry_home, 0))
            retrained.append(day)
    assert change <= retrained[0] <= change + 4
    assert len(retrained) <= 4, retrained
    trainable = (
        date.fromisoformat(Registry().get_state(change_key("simulated-0"))) - START
    ).days + 9
    assert min(covered[day] for day in range(change, trainable)) < 0.8
    after = [covered[day] for day in range(trainable + 1 + 7, last + 1)]
    assert 0.88 <= np.mean(after) <= 0.92, (retrained, refused, covered)
    assert not refused


def test_an_event_log_that_cannot_be_read_is_reported(
    home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    day = date(2026, 3, 1)
    assert logged_events("m", day) == []
    write(home / "events", [event("0" * 16, "exposure", "BUY")])
    (found,) = logged_events("m", day)
    assert logged_events("another", day) == []
    assert found["events"] == 1
    (home / "events" / "date=2026-03-01" / "odd.parquet").write_text("not a table")
    assert logged_events("m", day) == []
    assert "the account of the event log was not updated" in caplog.text
