"""The track record from day to day, on panels and books small enough to count by hand."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pokewatch.checks import Check
from pokewatch.monitoring import record_update
from pokewatch.monitoring.record_update import RecordUpdate
from pokewatch.registry import DEPLOYED_AT, RegisteredModel, Registry
from pokewatch.serving.record_store import record_folder
from pokewatch.valuation.panel import Panel
from pokewatch.valuation.track_record import (
    LATE,
    OTHER_MARKET,
    TrackRecord,
    open_month,
    read_record,
)
from tests.monitoring.test_calibration import CARDS, day, panel, register

pytestmark = pytest.mark.integration

FAILED = Check("drift of moves", "< 0.25", "0.900", False, "prices move more, or less, than before")


def issue(registry: Registry, folder: Path, last: int, deployed: str = "") -> RegisteredModel:
    """Register a champion whose prices end on day `last`, served since that day."""
    return register(registry, folder, last, deployed or f"{day(last)}T02:00:00")


def update(registry: Registry, champion: RegisteredModel, until: int) -> TrackRecord:
    opened = registry.open_book(champion)
    return RecordUpdate(panel().up_to(until), registry, champion, opened).run([FAILED])


def test_a_forecast_is_open_until_its_day_and_then_recorded_once(
    registry_home: Path, tmp_path: Path
) -> None:
    registry = Registry()
    champion = issue(registry, tmp_path / "1", 45)
    opened = update(registry, champion, 51)
    assert [(each.issued_on, each.due_on) for each in opened.issues] == [(day(45), day(52))]
    assert (opened.issues[0].open, opened.issues[0].forecasts, opened.files) == (True, CARDS, ())
    assert opened.summary["horizons"] == []
    assert opened.summary["failed_checks"][0]["name"] == "drift of moves"
    resolved = update(registry, champion, 52)
    assert resolved.issues[0].resolved
    (file,) = resolved.files
    rows = open_month(record_folder("simulated-0"), file).read().to_pylist()
    assert [row["outcome"] for row in rows] == pytest.approx(
        [(i + 1) * (1.1 if i >= 10 else 1.0) for i in range(CARDS)]
    )
    assert {row["issued_on"] for row in rows} == {day(45)}
    assert {(row["model_version"], row["signal"]) for row in rows} == {("1", "HOLD")}
    (summary,) = resolved.summary["horizons"]
    assert summary["overall"]["judged"] == CARDS
    assert summary["overall"]["coverage"] == {"value": 0.5, "low": None, "high": None}
    again = update(registry, champion, 53)
    assert (again.files, again.issues) == (resolved.files, resolved.issues)


def test_months_versions_and_bands_count_every_forecast(
    registry_home: Path, tmp_path: Path
) -> None:
    registry = Registry()
    last = [20, 21, 28, 35, 42, 43, 50]
    champions = [issue(registry, tmp_path / str(number), number) for number in last]
    record = update(registry, champions[-1], 59)
    (summary,) = record.summary["horizons"]
    assert [each["key"] for each in summary["versions"]] == [str(n) for n in range(1, 8)]
    assert [each["key"] for each in summary["months"]] == ["2025-01", "2025-02"]
    for slices in ("months", "versions", "price_bands"):
        assert sum(each["forecasts"] for each in summary[slices]) == 7 * CARDS, slices
    assert [file.month for file in record.files] == ["2025-01", "2025-02"]
    assert sum(file.rows for file in record.files) == 7 * CARDS
    overall = summary["overall"]
    assert overall["issues"] == 7
    assert overall["error"]["low"] <= overall["error"]["value"] <= overall["error"]["high"]
    assert {each["name"] for each in summary["worst_misses"]} == {
        f"Pokémon {i}" for i in range(10, 20)
    } | {f"Pokémon {i}" for i in range(10)}
    assert [each["min_price"] for each in summary["backtests"]] == [0.0, 5.0]


def test_a_card_without_a_later_price_is_recorded_and_not_judged(
    registry_home: Path, tmp_path: Path
) -> None:
    registry = Registry()
    champion = issue(registry, tmp_path / "1", 45)
    prices = panel()
    market = np.array(prices.market)
    market[52, 3] = np.nan
    missing: Panel = replace(prices, market=market).up_to(55)
    record = RecordUpdate(missing, registry, champion, registry.open_book(champion)).run([])
    overall = record.summary["horizons"][0]["overall"]
    assert (overall["forecasts"], overall["judged"]) == (CARDS, CARDS - 1)


def test_a_day_without_any_price_is_waited_for(registry_home: Path, tmp_path: Path) -> None:
    registry = Registry()
    champion = issue(registry, tmp_path / "1", 45)
    prices = panel()
    market = np.array(prices.market)
    market[52] = np.nan
    missing = replace(prices, market=market).up_to(55)
    record = RecordUpdate(missing, registry, champion, registry.open_book(champion)).run([])
    assert record.issues[0].open
    assert update(registry, champion, 56).issues[0].resolved


def test_a_version_deployed_after_its_day_is_no_forecast(
    registry_home: Path, tmp_path: Path
) -> None:
    registry = Registry()
    issue(registry, tmp_path / "late", 40, f"{day(48)}T00:00:00")
    champion = issue(registry, tmp_path / "in time", 41, f"{day(48)}T00:00:00")
    register(registry, tmp_path / "never deployed", 42, deployed="")
    record = update(registry, champion, 59)
    assert [(each.model_version, each.excluded) for each in record.issues] == [
        ("1", LATE),
        ("2", ""),
    ]
    assert [each["key"] for each in record.summary["horizons"][0]["versions"]] == ["2"]


def test_a_version_of_another_market_is_no_forecast(registry_home: Path, tmp_path: Path) -> None:
    """Two files have the same source, and maybe cards of the same ids."""
    registry = Registry()
    champion = issue(registry, tmp_path / "1", 45)
    prices = panel()
    other = replace(prices, market=np.asarray(prices.market) * 1.37).up_to(55)
    record = RecordUpdate(other, registry, champion, registry.open_book(champion)).run([])
    assert [each.excluded for each in record.issues] == [OTHER_MARKET]
    assert record.files == ()


def test_forecasts_from_before_a_change_of_currency_are_of_another_market(
    registry_home: Path, tmp_path: Path
) -> None:
    """The prices may be the same numbers, where a currency was named wrongly before."""
    registry = Registry()
    update(registry, issue(registry, tmp_path / "1", 45), 52)
    before = issue(registry, tmp_path / "2", 46)
    assert [each.open for each in update(registry, before, 52).issues] == [False, True]
    euros = {"currency": "EUR"}
    champion = register(registry, tmp_path / "3", 47, f"{day(47)}T02:00:00", facts=euros)
    record = update(registry, champion, 54)
    assert [each.excluded for each in record.issues] == ["", OTHER_MARKET, ""]
    assert record.currency == "EUR"
    (summary,) = record.summary["horizons"]
    assert [each["key"] for each in summary["versions"]] == ["3"]


def test_a_rollback_later_changes_nothing_that_is_recorded(
    registry_home: Path, tmp_path: Path
) -> None:
    registry = Registry()
    first = issue(registry, tmp_path / "1", 40)
    second = issue(registry, tmp_path / "2", 41)
    before = update(registry, second, 55)
    registry.set_tag(first.version, DEPLOYED_AT, f"{day(56)}T00:00:00")
    after = update(registry, registry.version(first.version), 56)
    assert (after.files, after.issues) == (before.files, before.issues)


def test_many_unread_books_are_read_over_several_runs(
    registry_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record_update, "MOST_BOOKS", 2)
    registry = Registry()
    champions = [issue(registry, tmp_path / str(n), n) for n in range(40, 46)]
    counts = []
    for _ in range(6):
        record = update(registry, champions[-1], 59)
        counts.append((record.unread, sum(each.resolved for each in record.issues)))
    assert counts[0][0] > 0
    assert counts[-1] == (0, 6)


def test_an_interrupted_update_loses_and_repeats_nothing(
    registry_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = Registry()
    champion = issue(registry, tmp_path / "1", 45)
    before = update(registry, champion, 51)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Registry, "set_state", killed)
        with pytest.raises(KeyboardInterrupt):
            update(registry, champion, 52)
    assert read_record(record_folder("simulated-0")) == before
    assert sum(file.rows for file in update(registry, champion, 52).files) == CARDS


def test_a_book_that_cannot_be_read_stops_no_other(
    registry_home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(record_update, "MOST_BOOKS", 1)
    registry = Registry()
    lost = [issue(registry, tmp_path / str(number), number) for number in (37, 38)]
    then, champion = (issue(registry, tmp_path / str(number), number) for number in (40, 45))
    for each in lost:
        with registry.client("test") as client:
            run = client.get_run(each.run_id)
        manifest = Path(run.info.artifact_uri.removeprefix("file://")) / "book" / "manifest.json"
        manifest.write_text("{}")
    update(registry, champion, 59)
    record = update(registry, champion, 59)
    assert [each.model_version for each in record.issues if each.resolved] == [
        then.version,
        champion.version,
    ]
    assert record.unread == 2
    assert "the forecasts of model version 1 cannot be read" in caplog.text


def test_a_version_deleted_from_the_registry_stops_no_other(
    registry_home: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    registry = Registry()
    deleted = issue(registry, tmp_path / "1", 45)
    update(registry, deleted, 50)
    champion = issue(registry, tmp_path / "2", 46)
    with registry.client("test") as client:
        client.delete_model_version(registry.name, deleted.version)
    record = update(registry, champion, 55)
    assert [each.resolved for each in record.issues] == [False, True]
    assert "the forecasts of model version 1 cannot be read" in caplog.text
