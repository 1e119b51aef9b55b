"""`pokewatch doctor`."""

import json
import shutil
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, time, timedelta, tzinfo
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar, Self

import pytest

from pokewatch.cli.findings import Finding
from pokewatch.cli.health_checks import _registry, _remote
from pokewatch.cli.lake_checks import _collect_command
from pokewatch.market.sources.request_store import RequestStore
from pokewatch.registry import CHAMPION, MARKET, Registry
from pokewatch.settings import Home
from pokewatch.valuation.book.copies import copy_of, remove
from tests.answering import answering
from tests.cli.commands import run, run_json
from tests.deploy.replicas import Replica
from tests.deploy.versions import register_book
from tests.s3 import reach


def test_the_doctor_finds_no_fault_in_a_healthy_home(champion_home: Path) -> None:
    findings = {finding["name"]: finding for finding in run_json("doctor")}
    assert findings["champion"]["state"] in ("ok", "warning")
    assert findings["prices: simulated-120-0"]["state"] in ("ok", "warning")
    assert "fault" not in {finding["state"] for finding in findings.values()}


@pytest.mark.parametrize(
    ("missing", "unchecked"),
    [
        (("httpx",), {"server": "httpx"}),
        (
            ("pyarrow", "numpy", "pandas", "mlflow", "httpx"),
            {"lakes": "pyarrow", "markets": "numpy"},
        ),
        (("msgspec",), {"keys": "msgspec"}),
    ],
    ids=["serving only", "gateway only", "no gateway"],
)
def test_the_doctor_leaves_out_what_a_machine_has_no_packages_for(
    champion_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    missing: tuple[str, ...],
    unchecked: dict[str, str],
) -> None:
    home = shutil.copytree(champion_folder, tmp_path / "copy")
    monkeypatch.setenv("POKEWATCH_HOME", str(home))
    if "keys" in unchecked:
        (home / "keys.sqlite").touch(0o600)
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({missing}))\n"
        "from pokewatch.cli.main import main\n"
        "main(['doctor', '--json'])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    details = {each["name"]: each["detail"] for each in json.loads(done.stdout)}
    for name, package in unchecked.items():
        assert details[name] == f"not checked: {package} is not installed"


@pytest.mark.parametrize(("days", "state"), [(1, "ok"), (395, "warning")], ids=["yesterday", "old"])
def test_the_doctor_warns_of_old_prices(days: int, state: str, home: Path) -> None:
    day = datetime.now(UTC).date() - timedelta(days=days)
    run_json("collect", "--cards", "120", "--day", str(day))
    findings = {finding["name"]: finding for finding in json.loads(run("doctor", "--json").stdout)}
    found = findings["prices: simulated-120-0"]
    assert found["state"] == state
    assert ("39" in found["detail"] and "ended" in found["detail"]) == (state == "warning")
    if state == "warning":
        assert found["remedy"].startswith("pokewatch collect --cards 120 --seed 0 fetches")


@pytest.mark.parametrize(("ahead", "state"), [(0, "ok"), (1, "fault")], ids=["today", "later"])
def test_prices_of_a_day_to_come_are_a_fault(
    home: Path, monkeypatch: pytest.MonkeyPatch, ahead: int, state: str
) -> None:
    day = datetime.now(UTC).date() - timedelta(days=1)
    run_json("collect", "--cards", "120", "--day", str(day))

    class Earlier(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return cls.combine(day - timedelta(days=ahead), time(0, 1), tz)

    monkeypatch.setattr("pokewatch.cli.lake_checks.datetime", Earlier)
    findings = {finding["name"]: finding for finding in json.loads(run("doctor", "--json").stdout)}
    found = findings["prices: simulated-120-0"]
    assert (found["state"], "in the future" in found["detail"]) == (state, state == "fault")
    assert found["remedy"].startswith("set the clock" * ahead)


@pytest.mark.parametrize(("ahead", "state"), [(0, "ok"), (1, "warning")], ids=["today", "later"])
def test_the_doctor_warns_of_a_champion_of_a_day_to_come(
    champion_home: Path, monkeypatch: pytest.MonkeyPatch, ahead: int, state: str
) -> None:
    last = Registry().open_book(Registry().resolve()).last_day

    class Earlier(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return cls.combine(last - timedelta(days=ahead), time(0, 1), tz)

    monkeypatch.setattr("pokewatch.cli.model_checks.datetime", Earlier)
    findings = {finding["name"]: finding for finding in run_json("doctor")}
    found = findings["champion"]
    assert (found["state"], "in the future" in found["detail"]) == (state, state == "warning")
    assert found["remedy"].endswith("pokewatch pipeline run --replace true" * ahead)


@pytest.mark.parametrize(
    ("lake", "command"),
    [
        ("tcgcsv", "pokewatch collect --source tcgcsv"),
        ("magic-tcgplayer-usd", "pokewatch collect --market magic-tcgplayer-usd"),
        ("pokemon_price_tracker", "pokewatch collect --source pokemon_price_tracker"),
        ("file-mine-0123abcd", "pokewatch collect --source file --file FILE"),
    ],
)
def test_the_doctor_names_the_command_of_a_lake(lake: str, command: str) -> None:
    assert _collect_command(lake) == command


def test_the_doctor_names_damaged_files_and_the_command_that_replaces_them(home: Path) -> None:
    def found() -> dict[str, dict[str, str]]:
        return {each["name"]: each for each in json.loads(run("doctor", "--json").stdout)}

    for cards in ("5", "6"):
        run("collect", "--cards", cards, "--days", "3")
    days = sorted((home / "lake" / "simulated-5-0" / "raw" / "prices").iterdir())
    (days[1] / "part.parquet").write_bytes(b"PAR1")
    finding = found()["prices: simulated-5-0"]
    assert finding["state"] == "fault"
    assert finding["detail"] == f"{days[1] / 'part.parquet'} cannot be read"
    assert finding["remedy"].startswith("pokewatch collect --cards 5 --seed 0,")
    assert finding["remedy"].endswith(f"delete {days[1].parents[2] / 'damaged'}")
    assert found()["prices: simulated-6-0"]["state"] == "ok"

    report = run_json("collect", "--cards", "5", "--days", "3")
    assert report["written"] == [days[1].name]
    assert found()["prices: simulated-5-0"]["state"] == "ok"


def test_the_doctor_names_addresses_of_notifications_that_are_none(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POKEWATCH_NOTIFY_URLS", "json://localhost, secret-typo")
    findings = json.loads(run("doctor", "--json").stdout)
    (fault,) = (each["detail"] for each in findings if each["state"] == "fault")
    assert fault == "address 2 of POKEWATCH_NOTIFY_URLS is not valid"


def test_the_doctor_says_what_to_do_about_damaged_databases(home: Path) -> None:
    damaged = {"watches": home / "watches.sqlite", "markets": home / "mlflow" / "mlflow.db"}
    (home / "mlflow").mkdir()
    for path in damaged.values():
        path.write_bytes(b"garbage" * 1000)
    findings = {each["name"]: each for each in json.loads(run("doctor", "--json").stdout)}
    for name, path in damaged.items():
        assert findings[name]["state"] == "fault"
        assert str(path) in findings[name]["detail"]
        assert "restore the file from a backup, or move it away" in findings[name]["detail"]


def test_the_doctor_finds_a_damaged_record_of_requests(home: Path) -> None:
    (home / "requests").mkdir()
    RequestStore(home / "requests" / "tcgcsv.com.sqlite").write_answer(1.0)
    damaged = home / "requests" / "tcgcsv.net.sqlite"
    damaged.write_bytes(b"garbage" * 1000)
    found = json.loads(run("doctor", "--json").stdout)
    good, bad = (each for each in found if each["name"] == "requests")
    assert (good["state"], good["detail"]) == ("ok", "tcgcsv.com.sqlite")
    assert bad["state"] == "fault"
    assert bad["detail"].startswith(f"{damaged}, the record of requests, cannot be used: ")
    assert bad["detail"].endswith("if the file is damaged, remove it")


def test_the_doctor_names_a_fault_that_several_checks_meet_once(home: Path) -> None:
    (home / "settings.env").write_bytes(b"\xff\xfe")
    found = json.loads(run("doctor", "--json").stdout)
    (fault,) = (each for each in found if each["state"] == "fault")
    assert fault["name"] == "settings"
    assert "settings.env cannot be read" in fault["detail"]


def test_the_doctor_names_each_lake_that_has_the_same_fault(home: Path) -> None:
    for name in ("one", "other"):
        file = home / f"{name}.csv"
        file.write_text("card_id,date,price\na-1,2026-01-05,9\n")
        run("collect", "--source", "file", "--file", str(file))
    lakes = sorted((home / "lake").iterdir())
    for lake in lakes:
        shutil.rmtree(lake / "raw" / "catalog")
    found = json.loads(run("doctor", "--json").stdout)
    assert [each["name"] for each in found if each["detail"] == "1 day without a catalogue"] == [
        f"prices: {lake.name}" for lake in lakes
    ]


def test_what_to_do_about_a_champion_whose_book_is_damaged_is_said(
    champion_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = shutil.copytree(champion_folder, tmp_path / "copy")
    monkeypatch.setenv("POKEWATCH_HOME", str(home))
    champion = Registry().resolve()
    remove(copy_of(Registry().books, champion.digest))
    artifacts = home / "mlflow" / "artifacts" / champion.run_id / "artifacts"
    file = artifacts / "book" / "fair.arrow"
    file.unlink()
    file.write_bytes(b"damaged")
    Registry().set_tag(champion.version, MARKET, "file-mine")
    remedy = (
        "pokewatch rollback restores the previous champion, and pokewatch pipeline run --source "
        "file --file FILE --replace true makes a new one"
    )
    findings = {each["name"]: each for each in json.loads(run("doctor", "--json").stdout)}
    assert findings["champion"]["state"] == "fault"
    assert "fair.arrow is damaged" in findings["champion"]["detail"]
    assert findings["champion"]["remedy"] == remedy
    valued = run("value", "--sample", "1")
    assert valued.exit_code == 4
    assert f"the SHA-256 in the manifest; {remedy}" in valued.stderr


def test_the_doctor_warns_of_a_home_open_to_others(home: Path) -> None:
    home.chmod(0o755)
    findings = {finding["name"]: finding for finding in json.loads(run("doctor", "--json").stdout)}
    assert (findings["home"]["state"], findings["home"]["remedy"]) == (
        "warning",
        f"chmod 700 {home}",
    )


def test_the_doctor_warns_of_misspelt_settings(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POKEWATCH_PAGE", "key")
    warned = [each for each in json.loads(run("doctor", "--json").stdout) if each["remedy"]]
    (found,) = [each for each in warned if each["name"] == "settings"]
    assert found["state"] == "warning"
    assert found["detail"] == "POKEWATCH_PAGE in the environment is not a setting and is ignored"
    assert found["remedy"] == "did you mean POKEWATCH_PAGES?"
    collected = run("collect", "--cards", "120", "--days", "1")
    assert "warning: POKEWATCH_PAGE in the environment is not a setting" in collected.stderr


def test_the_doctor_names_a_settings_file_with_a_colon_in_its_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "cards: mine"
    home.mkdir()
    (home / "settings.env").write_text("POKEWATCH_PAGE=key\n")
    monkeypatch.setenv("POKEWATCH_HOME", str(home))
    warned = [each for each in json.loads(run("doctor", "--json").stdout) if each["remedy"]]
    (found,) = [each for each in warned if each["name"] == "settings"]
    file = home / "settings.env"
    assert found["detail"] == f"POKEWATCH_PAGE in {file} is not a setting and is ignored"
    assert found["remedy"] == "did you mean POKEWATCH_PAGES?"


def test_the_doctor_finds_files_of_another_user(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [home / "mlflow", home / "versions"]
    monkeypatch.setattr(Home, "closed", lambda _: iter(files))
    (found,) = [
        each for each in json.loads(run("doctor", "--json").stdout) if each["name"] == "home"
    ]
    assert found["state"] == "fault"
    assert found["detail"] == f"{files[0]} belongs to another user, as after sudo, and 1 more"
    assert found["remedy"] == f'sudo chown -R "$(id -un)" {home}'


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("sqlite:////nowhere/mlflow.db", "embedded (SQLite)"),
        ("http://127.0.0.1:1", "an MLflow server"),
    ],
    ids=["file", "server"],
)
def test_the_doctor_names_the_kind_of_registry(
    address: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POKEWATCH_MLFLOW_TRACKING_URI", address)
    assert list(_registry()) == [Finding("registry", "ok", name)]


class _Unavailable(BaseHTTPRequestHandler):
    """Answers 503, and counts the requests."""

    requests: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.requests.append(self.path)
        self.send_response(503)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def test_the_doctor_does_not_wait_for_a_registry_that_is_down(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """MLflow repeats a request seven times, with pauses of up to two minutes."""
    for variable in ("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "MLFLOW_HTTP_REQUEST_TIMEOUT"):
        monkeypatch.setenv(variable, "")  # so that it is restored afterwards
        monkeypatch.delenv(variable)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "0")
    with answering(ThreadingHTTPServer(("127.0.0.1", 0), _Unavailable)) as server:
        address = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setenv("POKEWATCH_MLFLOW_TRACKING_URI", address)
        findings = json.loads(run("doctor", "--json").stdout)
    assert any(each["state"] == "fault" and address in each["detail"] for each in findings)
    assert max(Counter(_Unavailable.requests).values()) == 2


def test_the_doctor_checks_the_folder_that_a_tilde_stands_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("POKEWATCH_DVC_REMOTE", "~/file/remote")
    (found,) = _remote()
    assert (found.state, found.detail) == ("fault", f"{tmp_path / 'file'} is not writable")


@pytest.mark.parametrize(
    ("remote", "state", "detail"),
    [
        ("s3://data/never-written", "ok", "s3://data/never-written"),
        ("s3://nowhere/dvc", "fault", "s3://nowhere/dvc: The specified bucket does not exist"),
    ],
    ids=["empty", "no-bucket"],
)
def test_the_doctor_asks_the_remote_on_s3(
    remote: str, state: str, detail: str, s3: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    reach(s3, monkeypatch)
    monkeypatch.setenv("POKEWATCH_DVC_REMOTE", remote)
    (found,) = _remote()
    assert (found.state, found.detail) == (state, detail)


def test_a_remote_that_cannot_be_reached_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    endpoint = "http://127.0.0.1:1"
    reach(endpoint, monkeypatch)
    monkeypatch.setenv("POKEWATCH_DVC_REMOTE", "s3://data/dvc")
    (found,) = _remote()
    assert found.state == "fault"
    assert endpoint in found.detail


def test_the_doctor_names_servers_that_do_not_serve_the_champion(
    registry_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = Registry()
    for number in (1, 2):
        register_book(registry, tmp_path / f"book-{number}", git_commit=str(number))
    registry.set_alias(CHAMPION, "1")
    with answering(Replica(registry)) as server:
        servers = f"{server.address},http://127.0.0.1:9"  # nothing runs at the second one
        monkeypatch.setenv("POKEWATCH_MLSERVER_URLS", servers)
        assert _servers() == []
        registry.set_alias(CHAMPION, "2")
        assert _servers() == [("warning", f"{server.address} answers with version 1, not 2")]


def _servers() -> list[tuple[str, str]]:
    findings = json.loads(run("doctor", "--json").stdout)
    return [(each["state"], each["detail"]) for each in findings if each["name"] == "server"]
