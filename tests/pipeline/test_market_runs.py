"""Runs of markets, with small programs in place of flows."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pokewatch.errors import MarketsError
from pokewatch.pipeline.market_runs import (
    MarketFlow,
    MarketRun,
    _workflow_name,
    child_environment,
    require_success,
    run_market,
    shared_workers,
)
from pokewatch.registry import CHAMPION, LAST_DAY, Registry
from pokewatch.settings import RegistrySettings

pytestmark = pytest.mark.integration

FLOW = """
import os, sys
print("noise", " ".join(sys.argv[1:]), os.environ.get("POKEWATCH_MARKET"))
{ending}
"""


def flow(folder: Path, ending: str) -> MarketFlow:
    path = folder / "program.py"
    path.write_text(FLOW.format(ending=ending))
    return MarketFlow([str(path), "--production"], "a.template", "7")


def test_a_run_ends_with_the_champion_of_its_market(
    registry_home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    registry = Registry(RegistrySettings.read(market="simulated-1"))
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "manifest.json").write_text("{}")
    tags = {"data_version": "1" * 32, LAST_DAY: "2026-01-31"}
    run_id = registry.log_run(tmp_path / "book", parameters={}, metrics={}, tags=tags)
    registry.set_alias(CHAMPION, registry.register(run_id, "1" * 64).version)
    monkeypatch.setenv("POKEWATCH_MARKET", "another")

    found = run_market("simulated-1", flow(tmp_path, ""), {"days": 60, "tidy": False}, 3)
    assert (found.version, found.last_day, found.error) == ("1", "2026-01-31", "")
    given = "--production run --max-workers 3 --market simulated-1 --days 60 --tidy False None"
    assert f"noise {given}\n" in capsys.readouterr().out
    other = run_market("simulated-2", flow(tmp_path, ""), {}, 1)
    assert (other.version, other.error) == ("", "it ended without a champion")


@pytest.mark.parametrize(
    ("ending", "error"),
    [
        ("sys.exit('Error: file: no row can be used')", "file: no row can be used"),
        ("print('[1/x/2] Error: first'); print('Error: second'); sys.exit(3)", "second"),
        ("print('last words'); sys.exit(3)", "it ended with 3: last words"),
        ("sys.stdout.flush(); os.kill(os.getpid(), 9)", "it ended with -9: noise"),
    ],
)
def test_a_failed_run_has_its_cause(
    ending: str, error: str, registry_home: Path, tmp_path: Path
) -> None:
    found = run_market("simulated-1", flow(tmp_path, ending), {}, 1)
    assert found.error.startswith(error)
    assert found.version == ""


def test_a_flow_that_cannot_be_started_fails_its_market(
    registry_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.executable", str(tmp_path / "missing"))
    assert "No such file" in run_market("simulated-1", flow(tmp_path, ""), {}, 1).error


UNDOING = """
import signal, sys, time
from pathlib import Path

def undo(*_):
    time.sleep(0.3)
    Path("undone").touch()
    sys.exit(1)

signal.signal(signal.SIGTERM, undo)
print("begun", flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize(
    "start",
    [
        "market_runs.run_market('simulated-1', market_runs.MarketFlow(['run.py'], '', ''), {}, 1)",
        "monitor.retrain(SimpleNamespace(parameters=dict), None, ['run.py'])",
    ],
    ids=["market", "retraining"],
)
@pytest.mark.parametrize(
    ("how", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)], ids=["term", "hup"]
)
def test_a_run_ends_with_the_step_that_started_it(
    how: signal.Signals, code: int, start: str, home: Path, tmp_path: Path
) -> None:
    (tmp_path / "run.py").write_text(UNDOING)
    program = (
        "import signal\n"
        "from types import SimpleNamespace\n"
        "signal.signal(signal.SIGHUP, signal.SIG_DFL)\n"  # nohup ignores it
        f"from pokewatch.pipeline import market_runs, monitor\n{start}"
    )
    command = [sys.executable, "-u", "-c", program]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=tmp_path) as step:
        assert step.stdout is not None
        assert step.stdout.readline() == "begun\n"
        step.send_signal(how)
    assert step.returncode == code
    assert (tmp_path / "undone").exists(), "it ended before the run that it had started"


SIGNALLED = """
import os, signal, subprocess, sys

class Signalled(subprocess.Popen):
    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        print(self.pid, flush=True)
        os.kill(os.getpid(), {how})

subprocess.Popen = Signalled
signal.signal(signal.SIGHUP, signal.SIG_DFL)
from pokewatch.pipeline.market_runs import child_run

with child_run([sys.executable, "-c", "import time; time.sleep(60)"]) as child:
    pass
"""


@pytest.mark.parametrize(
    ("how", "code"),
    [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, -signal.SIGINT)],
    ids=["term", "hup", "interrupt"],
)
def test_a_signal_while_a_run_is_started_ends_it_too(
    how: signal.Signals, code: int, home: Path
) -> None:
    command = [sys.executable, "-c", SIGNALLED.format(how=int(how))]
    step = subprocess.run(command, capture_output=True, text=True, check=False)
    assert step.returncode == code
    assert not Path(f"/proc/{step.stdout.strip()}").exists()


def test_the_variables_of_a_step_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("METAFLOW_RUN_TAG", "MF_PATHSPEC", "POKEWATCH_MARKET", "METAFLOW_USER"):
        monkeypatch.setenv(name, "x")
    kept = child_environment()
    assert kept["METAFLOW_USER"] == "x"
    assert kept.keys() & {"METAFLOW_RUN_TAG", "MF_PATHSPEC", "POKEWATCH_MARKET"} == set()
    assert kept["POKEWATCH_HOME"] == os.environ["POKEWATCH_HOME"]


def test_a_workflow_has_a_name_that_kubernetes_takes() -> None:
    label = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
    for branch in (letter * length for letter in "a-" for length in range(60)):
        template = f"pokewatch.test.a{branch}a.pokewatchflow"
        name = _workflow_name(MarketFlow([], template, "7"), "simulated-1")
        assert re.fullmatch(rf"{label}(\.{label})*", name)
        assert len(name) <= 63


@pytest.mark.parametrize(
    ("limit", "markets", "each"), [(16, 1, 16), (16, 3, 5), (2, 5, 1), (4, 2, 2), (1, 1, 1)]
)
def test_all_markets_together_keep_the_limit(limit: int, markets: int, each: int) -> None:
    assert shared_workers(limit, markets) == each
    assert each * min(limit, markets) <= limit


def test_a_failure_names_every_market_that_failed() -> None:
    runs = [MarketRun("a", 1.0, "1", "", "")]
    require_success(runs)
    runs += [MarketRun(name, 1.0, "", "", "no prices") for name in ("b", "c")]
    with pytest.raises(MarketsError) as raised:
        require_success(runs)
    assert str(raised.value) == (
        "2 of 3 markets failed: b: no prices; c: no prices; when that is mended, run them again "
        "with --market b,c"
    )
