"""The page of the track record, from a real MLServer with a record of four months."""

import csv
import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import httpx
import pyarrow.parquet as pq
import pytest

from pokewatch.gateway.api import downloads
from pokewatch.gateway.api.record_schemas import RecordEstimate, RecordIssue, RecordScores
from pokewatch.gateway.web.formats import figure
from pokewatch.gateway.web.record_page import (
    OpenForecasts,
    calibration,
    open_forecasts,
    verdict,
)
from pokewatch.valuation.track_record import TrackRecord, open_month, write_record
from tests.experiments.standings import standing
from tests.gateway.conftest import Gateway, gateway_at
from tests.gateway.tampering import TamperingServer, tampering
from tests.gateway.web.hostile_book import HOSTILE
from tests.gateway.web.pages import BROWSER, keyed, page, words
from tests.polling import eventually
from tests.serving.books import FACTS, make_book
from tests.serving.records import CHECK, make_record
from tests.serving.server import Server, serving_book

pytestmark = pytest.mark.integration

DAYS = range(110)
EXPERIMENTS = [
    standing(2, [0.1] * 40, "boosted").to_dict(),
    standing(1, [-0.4] * 40, "median7", "aborted", "median7 is worse than local_level").to_dict(),
]


@dataclass(frozen=True)
class Recorded:
    """A gateway in front of an MLServer whose home has a track record in `folder`."""

    gateway: Gateway
    server: Server
    folder: Path
    record: TrackRecord


@contextmanager
def recorded(folder: Path, days: range) -> Iterator[Recorded]:
    digest = make_book(folder / "book", facts=FACTS)
    record_folder = folder / "home" / "monitoring" / "track-record" / FACTS.market
    record = make_record(
        record_folder, days, names=HOSTILE, failed_checks=[CHECK], experiments=EXPERIMENTS
    )
    with serving_book(folder, digest) as server, gateway_at(server.url, folder) as gateway:
        yield Recorded(gateway, server, record_folder, record)


@pytest.fixture(scope="module")
def four_months(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    with recorded(tmp_path_factory.mktemp("record"), DAYS) as found:
        yield found


def shown(gateway: Gateway, path: str = "/track-record") -> str:
    return words(page(gateway.get(path, key="", headers=BROWSER)))


def test_the_page_has_the_figures_of_the_api(four_months: Recorded) -> None:
    text = shown(four_months.gateway)
    api = four_months.gateway.get("/track-record").json()
    (found,) = api["horizons"]
    assert "Simulated market." in text
    assert found["overall"]["forecasts"] == 40 * (len(DAYS) - 1)
    for part in (found["overall"], *found["months"], *found["price_bands"]):
        assert f"{part['forecasts']:,}" in text
        for name in ("error", "coverage"):
            estimate = part[name]
            assert figure(estimate["value"], name == "coverage") in text
            if estimate["low"] is not None:
                ends = (figure(estimate[end], name == "coverage") for end in ("low", "high"))
                assert " to ".join(ends) in text
    for each in found["reliability"]:
        assert figure(each["observed"], True) in text
    for miss in found["worst_misses"]:
        assert f"${miss['outcome']:,.2f}" in text
        assert " ".join(miss["name"].split()) in text
        assert (
            f"{miss['set_name']} · {int(miss['slug'].removeprefix('card_')):03}/100 · Normal"
            in text
        )
    assert "What following the signals would have earned" in text
    assert f"{found['backtests'][0]['signals']:,}" in text
    assert "No outcome is known yet of 40 forecasts, issued on 1 day" in text
    assert "Evaluation of the model (not a track record)" in text


def test_a_page_without_the_numbers_of_cards_is_not_kept(
    four_months: Recorded, tmp_path: Path
) -> None:
    between: TamperingServer
    with (
        tampering(four_months.server.url) as between,
        gateway_at(between.url, tmp_path) as gateway,
    ):
        eventually(lambda: gateway.get("/ready", key="").status_code, lambda code: code == 200)
        between.tampers["/names"] = lambda _: []
        assert "/100 · Normal" not in shown(gateway)
        between.tampers.clear()
        assert "/100 · Normal" in shown(gateway)


def test_it_states_the_record_of_the_monitor(four_months: Recorded) -> None:
    api = four_months.gateway.get("/track-record").json()
    summary = four_months.record.summary["horizons"][0]
    assert api["horizons"][0]["overall"]["error"] == pytest.approx(summary["overall"]["error"])
    assert len(api["horizons"][0]["versions"]) == len(DAYS) - 1
    assert api["measured_on"] == str(four_months.record.measured_on)
    assert [file["rows"] for file in api["files"]] == [
        file.rows for file in four_months.record.files
    ]


def test_links_of_the_page_work(four_months: Recorded) -> None:
    found = page(four_months.gateway.get("/track-record", key="", headers=BROWSER))
    for link in {link for link in found.links if link.startswith("/") and "#" not in link}:
        assert four_months.gateway.get(link, key="", headers=BROWSER).status_code == 200, link


@pytest.mark.parametrize("prefix", ["", "/page-data"])
def test_all_of_it_can_be_downloaded(four_months: Recorded, prefix: str) -> None:
    key = "" if prefix else None
    stored = [
        row
        for file in four_months.record.files
        for row in open_month(four_months.folder, file).read().to_pylist()
    ]
    response = four_months.gateway.get(f"{prefix}/track-record.csv", key=key)
    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(response.text, newline="")))
    assert len(rows) == len(stored) == 40 * (len(DAYS) - 1)
    for row, expected in zip(rows, stored, strict=True):
        assert (row["card_id"], row["issued_on"], row["outcome"] == "") == (
            expected["card_id"],
            str(expected["issued_on"]),
            expected["outcome"] is None,
        )
    parts = [
        four_months.gateway.get(f"{prefix}/track-record.parquet?month={file.month}", key=key)
        for file in four_months.record.files
    ]
    tables = [pq.read_table(io.BytesIO(part.content)) for part in parts]
    assert [row for table in tables for row in table.to_pylist()] == stored
    month = four_months.record.files[1].month
    one = four_months.gateway.get(f"{prefix}/track-record.csv?month={month}", key=key)
    assert len(list(csv.DictReader(io.StringIO(one.text, newline="")))) == tables[1].num_rows
    assert f"-{month}.csv" in one.headers["content-disposition"]


@pytest.mark.parametrize(
    ("query", "status", "kind"),
    [
        (".parquet", 422, "invalid"),
        (".csv?month=2026-13", 422, "invalid"),
        (".csv?day=1", 422, "invalid"),
    ],
)
def test_downloads_that_are_refused(
    four_months: Recorded, query: str, status: int, kind: str
) -> None:
    response = four_months.gateway.get(f"/track-record{query}")
    assert response.status_code == status
    assert response.json()["type"] == f"/docs#{kind}"
    assert four_months.gateway.get(f"/track-record{query}", key="").status_code == 401


@pytest.mark.parametrize("prefix", ["", "/page-data"])
def test_downloads_of_one_caller_are_limited(
    four_months: Recorded, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloads, "MAX_OF_A_CALLER", 0)
    key = "" if prefix else None
    refused = four_months.gateway.get(f"{prefix}/track-record.csv", key=key)
    assert refused.status_code == 429
    assert "downloads of yours are in progress" in refused.text
    assert four_months.gateway.app.assembly._records.limit.running == 0


def test_pages_with_keys_offer_downloads_to_sessions_alone(
    four_months: Recorded, tmp_path: Path
) -> None:
    with keyed(four_months.gateway, tmp_path) as (_, client):
        assert client.get("/track-record").status_code == 303
        assert client.get("/page-data/track-record.csv").status_code == 303
        scripts = {"accept": "*/*"}
        assert client.get("/page-data/track-record.csv", headers=scripts).status_code == 401


def test_a_new_record_replaces_what_is_cached(tmp_path: Path) -> None:
    """The versions of model and data stay."""
    with recorded(tmp_path, range(3)) as found:
        gateway = found.gateway
        first = gateway.get("/track-record")
        assert "Too few independent periods" in shown(gateway)
        tag = {"If-None-Match": first.headers["etag"]}
        assert gateway.get("/track-record", headers=tag).status_code == 304
        record = make_record(found.folder, range(40))
        eventually(lambda: shown(gateway), lambda text: "1,560 forecasts, issued on 39" in text)
        assert record.measured_on is not None
        later = record.measured_on + timedelta(days=1)  # the last issue's day, without prices
        write_record(found.folder, replace(record, measured_on=later))
        passed = "40 forecasts, issued on 1 day, for days without prices"
        text = eventually(lambda: shown(gateway), lambda text: passed in text)
        assert "No outcome is known yet" not in text
        assert "Being served: 39 forecasts for" in text
        assert gateway.get("/track-record", headers=tag).status_code == 200
        assert gateway.get("/track-record.csv").text.count("\n") >= 1_561


def test_without_the_model_server_the_last_record_is_shown(tmp_path: Path) -> None:
    with recorded(tmp_path, range(3)) as found:
        before = found.gateway.get("/track-record").json()
        found.server.stop()
        after = found.gateway.get("/track-record").json()
        assert after == {**before, "stale": True}
        assert "The model server is not answering" in shown(found.gateway)
        assert found.gateway.get("/track-record.csv").status_code == 503


def test_a_file_that_is_lost_is_a_problem(tmp_path: Path) -> None:
    with recorded(tmp_path, range(3)) as found:
        for path in found.folder.glob("*.parquet"):
            path.unlink()
        response = found.gateway.get("/track-record.csv")
        assert response.status_code == 503
        assert "try again" in response.json()["detail"]


def test_the_first_day_has_an_evaluation_and_no_track_record(gateway: Gateway) -> None:
    text = shown(gateway)
    assert "There is no track record yet." in text
    assert "the forecasts of 5 Jan 2026 are for 12 Jan 2026" in text
    assert "forecasts and prices has not run yet: pokewatch monitor run" in text
    assert "Evaluation of the model (not a track record)" in text
    assert gateway.get("/track-record").json()["horizons"] == []


def test_months_without_forecasts_are_empty_files(four_months: Recorded, gateway: Gateway) -> None:
    header = four_months.gateway.get("/track-record.csv").text.splitlines()[0]
    for served in (four_months.gateway, gateway):
        assert served.get("/track-record.csv?month=1999-01").text.splitlines() == [header]
        empty = served.get("/track-record.parquet?month=1999-01").content
        assert pq.read_table(io.BytesIO(empty)).schema.names[0] == "issued_on"
    assert gateway.get("/track-record.csv").text.splitlines() == [header]


def test_experiments_are_shown_with_their_standing(four_months: Recorded, gateway: Gateway) -> None:
    text = shown(four_months.gateway)
    for said in (
        "Experiment 2: boosted against local level It is running.",
        "Experiment 1: median7 against local level The challenger was worse, and was given up.",
        "median7 is worse than local_level.",
        "Evidence that it is better 0.08 That it is worse 15,700 Less error \u22128.0% Days",
        "Evidence of 20 decides, after 28 days at least",
    ):
        assert said in text
    assert "Experiments with other models" not in shown(gateway)
    answer = four_months.gateway.get("/track-record").json()
    assert [each["state"] for each in answer["experiments"]] == ["running", "aborted"]
    assert answer["experiments"][0]["series"] == list(EXPERIMENTS[0]["series"])


def test_failed_checks_are_said_in_words(four_months: Recorded, gateway: Gateway) -> None:
    text = shown(four_months.gateway, "/status")
    assert "Drift of moves: prices move more, or less, than before. It is 0.900" in text
    assert "not run yet" in shown(gateway, "/status")


def test_without_a_model_server_the_page_says_so(make_gateway: Callable[..., Gateway]) -> None:
    gateway = make_gateway("http://127.0.0.1:9", connect_seconds=0.2)
    response = gateway.get("/track-record", key="", headers=BROWSER)
    assert "Model server unavailable" in words(page(response, 503))


def test_head_has_no_body(four_months: Recorded) -> None:
    key = {"X-API-Key": four_months.gateway.key.key}
    response = httpx.head(f"{four_months.gateway.url}/track-record.csv", headers=key)
    assert (response.status_code, response.content) == (200, b"")


def scores(low: float | None, high: float | None, periods: float = 20.0) -> RecordScores:
    error = RecordEstimate(1.0, low, high)
    return RecordScores(
        "2026-01-01", "2026-02-01", 20, periods, 40, 800, 800, error, None, 1.0, 0.0
    )


def test_verdicts_follow_the_interval() -> None:
    assert "were closer" in verdict(scores(0.8, 0.99))
    assert "no closer" in verdict(scores(0.8, 1.01))
    assert "were further" in verdict(scores(1.01, 1.2))
    assert "Too few" in verdict(scores(0.8, 0.99, periods=7.9))
    assert "Too few" in verdict(scores(None, None))


def test_calibration_follows_the_interval() -> None:
    assert "too narrow" in calibration(RecordEstimate(0.85, 0.8, 0.89))
    assert "about what they state" in calibration(RecordEstimate(0.89, 0.85, 0.93))
    assert "wider" in calibration(RecordEstimate(0.95, 0.91, 0.99))
    assert calibration(RecordEstimate(0.95, None, None)) == calibration(None) == ""


def test_no_outcome_is_awaited_of_days_that_passed_without_prices() -> None:
    issues = [
        RecordIssue("1", "2026-10-02", "2026-10-09", 7, 40),
        RecordIssue("2", "2026-10-03", "2026-10-10", 7, 41),
        RecordIssue("3", "2026-10-03", "2026-10-10", 7, 42),
        RecordIssue("4", "2026-10-04", "2026-10-11", 7, 43),
    ]
    waiting, passed = open_forecasts(issues, "2026-10-09")
    assert waiting == OpenForecasts(126, 2, "2026-10-10")
    assert passed == OpenForecasts(40, 1, "2026-10-09")
    assert open_forecasts(issues, None)[1] == OpenForecasts(0, 0, None)
