"""MLServer and the gateway as `pokewatch serve` starts them."""

import fcntl
import json
import os
import pty
import re
import shutil
import signal
import socket
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import numpy as np
import psutil
import pytest
from click.testing import CliRunner
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from pokewatch.cli.main import main
from pokewatch.gateway.auth.key_lease import SPAN
from pokewatch.gateway.auth.keys import Key, KeyStore
from pokewatch.market.versions import DataVersions
from pokewatch.registry import Registry
from pokewatch.valuation.book import PriceBook
from pokewatch.valuation.book.layout import from_float32
from pokewatch.valuation.models import restore
from pokewatch.valuation.processed import read_processed
from tests.champion import MODEL
from tests.integration.flow import run_flow
from tests.integration.stack import Served, environment_of, served
from tests.serving.server import MODELS, free_ports
from tests.tools import require_tool

pytestmark = pytest.mark.integration

FIELDS = {
    "card_id", "date", "market_price", "fair_price", "deviation_pct", "signal", "lower", "upper",
    "confidence", "reason", "status", "as_of", "stale", "model_version", "data_version",
    "request_id", "buy_below", "sell_above", "chance_to_earn", "advice", "market",
    "currency",
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, champion_folder: Path) -> Path:
    """A POKEWATCH_HOME with a champion and its book, for this module."""
    return shutil.copytree(champion_folder, tmp_path_factory.mktemp("served"), dirs_exist_ok=True)


@pytest.fixture
def own_home(champion_folder: Path, tmp_path: Path) -> Path:
    """A POKEWATCH_HOME for one test, since two servers on one write to two folders of logs."""
    return shutil.copytree(champion_folder, tmp_path / "home")


@pytest.fixture(scope="module")
def stack(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(
        folder, tmp_path_factory.mktemp("log") / "serve.log", POKEWATCH_ANSWER_CACHE="0"
    ) as running:
        yield running


@pytest.fixture(scope="module")
def unlimited(folder: Path) -> str:
    return KeyStore(folder / "keys.sqlite").create("busy", rate="none").key


@pytest.fixture(autouse=True)
def home_of_the_stack(home: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POKEWATCH_HOME", str(folder))


def ask(stack: Served, body: object, key: str | None = None) -> httpx.Response:
    headers = {"X-API-Key": stack.key if key is None else key} if key != "" else {}
    return httpx.post(f"{stack.gateway}/fair_price", json=body, headers=headers, timeout=10)


@pytest.mark.slow
def test_one_process_answers_without_an_mlserver(folder: Path, tmp_path: Path) -> None:
    log = tmp_path / "serve.log"
    with served(folder, log, arguments=["--in-process"]) as running:
        answer = ask(running, {"card_id": running.card})
        assert answer.status_code == 200, answer.text
        assert answer.json().keys() == FIELDS
        with pytest.raises(httpx.TransportError):
            httpx.get(running.mlserver)
        children = psutil.Process(running.process.pid).children(recursive=True)
        assert sum("gateway" in " ".join(child.cmdline()) for child in children) == 1
        assert not any("mlserver" in " ".join(child.cmdline()) for child in children)
    assert "Models    in the same process    model version 1" in log.read_text()
    assert not psutil.pid_exists(running.process.pid)


def test_the_printed_line_is_answered(stack: Served) -> None:
    require_tool("curl")
    answer = subprocess.run(stack.curl, shell=True, capture_output=True, text=True, check=True)
    assert set(json.loads(answer.stdout)) == FIELDS


def test_the_last_lines_are_the_instructions_and_the_logs_are_files(
    own_home: Path, tmp_path: Path
) -> None:
    shown = tmp_path / "serve.log"
    logs = {name: own_home / "logs" / f"{name}.log" for name in ("mlserver", "gateway")}
    with served(own_home, shown) as stack:
        assert ask(stack, {"card_id": stack.card}).status_code == 200
        lines = shown.read_text().splitlines()
    assert lines[0].endswith(f"the logs are in {own_home / 'logs'}")
    assert lines[-1] == "Press Ctrl-C to stop."
    assert "Uvicorn running" in logs["mlserver"].read_text()
    assert "/fair_price" not in logs["gateway"].read_text(), "the access log is off"
    previous = logs["gateway"].read_text()
    with served(own_home, shown, POKEWATCH_ACCESS_LOG="true") as stack:
        assert ask(stack, {"card_id": stack.card}).status_code == 200
    assert logs["gateway"].with_name("gateway.log.1").read_text().startswith(previous)
    assert "/fair_price" in logs["gateway"].read_text()


@pytest.mark.slow
def test_a_server_that_exits_is_an_error_that_names_its_log(own_home: Path, tmp_path: Path) -> None:
    shown = tmp_path / "serve.log"
    with served(own_home, shown) as stack:
        (gateway,) = [
            each
            for each in psutil.Process(stack.process.pid).children()
            if each.cmdline()[-1] == "gateway"
        ]
        gateway.kill()
        assert stack.process.wait(60) == 1
    log = own_home / "logs" / "gateway.log"
    assert f"gateway exited with code -9; its log: {log}" in shown.read_text()


def test_an_answer_leads_back_to_its_data(stack: Served, tmp_path: Path) -> None:
    answer = ask(stack, {"card_id": stack.card}).json()
    registry = Registry()
    model = registry.version(answer["model_version"])
    assert model.data_version == answer["data_version"]
    DataVersions(tmp_path).materialise(answer["data_version"], tmp_path / "data")
    panel = read_processed(tmp_path / "data")
    values = restore(registry.document(model, "parameters.json")).value(panel, panel.days - 1)
    row = panel.card_id.tolist().index(answer["card_id"])
    assert from_float32(values.fair[[row]].astype(np.float32))[0] == answer["fair_price"]


def test_book_command_and_gateway_agree(stack: Served) -> None:
    answer = ask(stack, {"card_id": stack.card}).json()
    (row,) = json.loads(CliRunner().invoke(main, ["value", stack.card, "--json"]).stdout)
    model = Registry().resolve()
    quote = PriceBook.open(Registry().download_book(model), model.digest).look_up([stack.card])
    assert answer["fair_price"] == row["fair_price"] == quote.fair[0]
    for name in (
        "date",
        "market_price",
        "lower",
        "upper",
        "signal",
        "deviation_pct",
        "confidence",
        "reason",
        "model_version",
    ):
        assert answer[name] == row[name], name


@pytest.mark.parametrize(
    ("body", "key", "status"),
    [
        ({"card_id": "no_such_card"}, None, 404),
        ({"card_id": "CARD", "date": "yesterday"}, None, 422),
        ({"card_id": "CARD"}, "", 401),
        ({"card_id": "CARD"}, "pw_wrong", 401),
    ],
    ids=["unknown-card", "bad-date", "no-key", "wrong-key"],
)
def test_an_invalid_request_gets_a_problem(
    body: dict[str, str], key: str | None, status: int, stack: Served
) -> None:
    answer = ask(
        stack, {name: stack.card if value == "CARD" else value for name, value in body.items()}, key
    )
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status


@pytest.mark.slow
def test_a_pipeline_run_under_load_fails_no_request(
    folder: Path, unlimited: str, stack: Served, tmp_path: Path
) -> None:
    before = ask(stack, {"card_id": stack.card}).json()["model_version"]
    statuses: list[int] = []
    versions: set[str] = set()
    done = threading.Event()

    def client() -> None:
        with httpx.Client(timeout=30) as session:
            while not done.is_set():
                answer = session.post(
                    f"{stack.gateway}/fair_price",
                    json={"card_id": stack.card},
                    headers={"X-API-Key": unlimited},
                )
                statuses.append(answer.status_code)
                versions.add(answer.json().get("model_version", answer.text))

    clients = [threading.Thread(target=client) for _ in range(8)]
    for each in clients:
        each.start()
    try:
        market = ("--cards", "120", "--days", "80", "--candidates", MODEL)
        pipeline = run_flow(
            tmp_path,
            "run",
            *market,
            POKEWATCH_HOME=str(folder),
            POKEWATCH_MLSERVER_URLS=stack.mlserver,
        )
        after = ask(stack, {"card_id": stack.card}).json()["model_version"]
    finally:
        done.set()
        for each in clients:
            each.join()
    assert pipeline.returncode == 0, pipeline.stdout
    assert f"model version {after} ({MODEL}) was made champion" in pipeline.stdout
    assert after != before
    assert set(statuses) == {200}
    assert versions == {before, after}


@pytest.mark.slow
def test_without_mlserver_the_gateway_answers_503(folder: Path, tmp_path: Path) -> None:
    key = json.loads(CliRunner().invoke(main, ["keys", "create", "patient", "--json"]).stdout)[
        "key"
    ]
    with served(
        folder, tmp_path / "serve.log", POKEWATCH_STALE_SECONDS="0", POKEWATCH_ANSWER_CACHE="0"
    ) as stack:
        (mlserver,) = [
            each
            for each in psutil.Process(stack.process.pid).children()
            if "mlserver" in " ".join(each.cmdline())
        ]
        mlserver.send_signal(signal.SIGSTOP)
        try:
            answer = ask(stack, {"card_id": stack.card}, key)
            assert answer.status_code in (503, 504)
            assert answer.headers["content-type"] == "application/problem+json"
        finally:
            mlserver.send_signal(signal.SIGCONT)


@pytest.mark.slow
def test_a_second_signal_leaves_no_process_behind(folder: Path, tmp_path: Path) -> None:
    with served(folder, tmp_path / "serve.log") as stack:
        serve = psutil.Process(stack.process.pid)
        started = serve.children(recursive=True)
        (gateway,) = [each for each in serve.children() if each.cmdline()[-1] == "gateway"]
        proc = Path(f"/proc/{gateway.pid}")
        gateway.send_signal(signal.SIGSTOP)  # it cannot exit on SIGTERM
        _until(
            lambda: (
                {
                    thread.read_text().rpartition(")")[2].split()[0]
                    for thread in proc.glob("task/*/stat")
                }
                == {"T"}
            )
        )
        serve.send_signal(signal.SIGTERM)
        _until(lambda: _pending(proc) >> signal.SIGTERM - 1 & 1)
        serve.send_signal(signal.SIGTERM)
        assert stack.process.wait(30) == 0
    assert len(started) == 2
    assert psutil.wait_procs(started, timeout=30)[1] == []


@pytest.fixture
def with_worker(tmp_path: Path) -> str:
    """A folder of MLServer models, with one worker process."""
    folder = shutil.copytree(MODELS, tmp_path / "models")
    folders = {name: str(tmp_path / name) for name in ("metrics_dir", "environments_dir")}
    settings = (
        json.loads((folder / "settings.json").read_text()) | {"parallel_workers": 1} | folders
    )
    (folder / "settings.json").write_text(json.dumps(settings))
    return str(folder)


def test_only_the_key_outlives_a_killed_serve_and_for_a_minute(
    folder: Path, with_worker: str, tmp_path: Path
) -> None:
    with served(folder, tmp_path / "serve.log", POKEWATCH_MLSERVER_MODELS=with_worker) as stack:
        assert ask(stack, {"card_id": stack.card}).status_code == 200
        started = psutil.Process(stack.process.pid).children(recursive=True)
        assert len(started) == 4, "MLServer, its worker, multiprocessing's tracker, the gateway"
        stack.process.kill()
        stack.process.wait()
        assert psutil.wait_procs(started, timeout=30)[1] == []
    lease = _key_of(folder, stack)
    assert lease.revoked_at is None, "nothing could revoke it"
    assert not lease.live(time.time() + SPAN.total_seconds())


@pytest.mark.slow
def test_no_worker_outlives_a_killed_serve_and_mlserver(
    folder: Path, with_worker: str, tmp_path: Path
) -> None:
    with served(folder, tmp_path / "serve.log", POKEWATCH_MLSERVER_MODELS=with_worker) as stack:
        serve = psutil.Process(stack.process.pid)
        started = serve.children(recursive=True)
        for each in (serve, *serve.children()):
            each.kill()
        assert psutil.wait_procs(started, timeout=30)[1] == []


@pytest.mark.slow
def test_sighup_stops_everything_and_revokes_the_key(folder: Path, tmp_path: Path) -> None:
    with served(folder, tmp_path / "serve.log") as stack:
        started = psutil.Process(stack.process.pid).children(recursive=True)
        stack.process.send_signal(signal.SIGHUP)
        assert stack.process.wait(60) == 0
        assert psutil.wait_procs(started, timeout=0)[1] == []
    assert _key_of(folder, stack).revoked_at is not None


@pytest.mark.slow
def test_closing_the_terminal_stops_everything_and_revokes_the_key(folder: Path) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "pokewatch.cli.main", "serve"],
        env=environment_of(folder),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    os.close(theirs)
    printed = b""
    while not (key := re.search(rb"X-API-Key: pw_(\w+?)_", printed)):
        printed += os.read(ours, 65_536)  # raises where the process has ended
    started = psutil.Process(process.pid).children(recursive=True)
    assert len(started) == 2
    os.close(ours)
    assert process.wait(60) == 0
    assert psutil.wait_procs(started, timeout=0)[1] == []
    keys = {each.id: each for each in KeyStore(folder / "keys.sqlite").list()}
    assert keys[key[1].decode()].revoked_at is not None


def _key_of(folder: Path, stack: Served) -> Key:
    (key,) = [
        each
        for each in KeyStore(folder / "keys.sqlite").list()
        if each.id == stack.key.split("_")[1]
    ]
    return key


def _pending(proc: Path) -> int:
    """Return the pending signals of a process as a bit mask."""
    (bits,) = re.findall(r"ShdPnd:\t(\w+)", (proc / "status").read_text())
    return int(bits, 16)


@retry(
    stop=stop_after_delay(30),
    wait=wait_fixed(0.05),
    retry=retry_if_exception_type(AssertionError),
    reraise=True,
)
def _until(holds: Callable[[], object]) -> None:
    """Wait: the state of a process and its pending signals can only be polled."""
    assert holds()


PORTS = (
    "mlserver_http_port",
    "mlserver_grpc_port",
    "mlserver_metrics_port",
    "gateway_port",
    "gateway_metrics_port",
)


@pytest.fixture
def _ports_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ports that are free, since the default ones may be in use on this machine."""
    for name, port in zip(PORTS, free_ports(len(PORTS)), strict=True):
        monkeypatch.setenv(f"POKEWATCH_{name.upper()}", str(port))


@pytest.mark.usefixtures("_ports_of_its_own")
@pytest.mark.parametrize("name", PORTS)
def test_a_taken_port_is_an_error_at_once(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another MLServer would answer in place of ours until ours fails to start."""
    variable = f"POKEWATCH_{name.upper()}"
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        monkeypatch.setenv(variable, str(taken))
        result = CliRunner().invoke(main, ["serve"])
    assert result.exit_code == 2
    assert f"{variable}: cannot listen at 127.0.0.1:{taken}" in result.stderr


@pytest.mark.usefixtures("_ports_of_its_own")
@pytest.mark.parametrize("name", ["gateway_metrics_port", "mlserver_http_port"])
def test_a_port_that_is_given_twice_is_an_error_at_once(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (port,) = free_ports(1)
    for each in ("gateway_port", name):
        monkeypatch.setenv(f"POKEWATCH_{each.upper()}", str(port))
    result = CliRunner().invoke(main, ["serve"])
    assert result.exit_code == 2
    assert f"cannot listen at 127.0.0.1:{port}: Address already in use" in result.stderr


def test_without_a_champion_the_error_names_the_command_to_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POKEWATCH_HOME", str(tmp_path))
    result = CliRunner().invoke(main, ["serve"])
    assert result.exit_code == 6
    assert "run the pipeline first" in result.stderr
