"""The script of the Jobs: `make rollback`, and the first run in `make deploy`."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT
from tests.k8s.kubectl import Kubectl
from tests.k8s.rendering import rendered_jobs

# Keeps Jobs in a folder, and answers the first question for them when two calls have asked it.
RACED = """#!{python}
import json, os, pathlib, re, sys, time
words = " ".join(sys.argv[1:])
folder = pathlib.Path(os.environ["KUBECTL_FOLDER"])
jobs, asked = folder / "jobs", folder / "asked"
if "get jobs" in words:
    found = [f"{{each.name}}|{{each.read_text()}}|" for each in jobs.iterdir()]
    (asked / str(os.getpid())).touch()
    while len(list(asked.iterdir())) < 2:
        time.sleep(0.01)
    print("\\n".join(found))
elif "create --filename" in words:
    sent = sys.stdin.read()
    name = re.search("^  name: (.*)", sent, re.M)
    market = re.search('market: "(.*)"', sent)
    with (jobs / (name[1] if name else str(os.getpid()))).open("x") as file:
        file.write(market[1] if market else "")
elif "--ignore-not-found" in words:
    found = jobs / re.search("get job (\\S+)", words)[1]
    print(f"{{found.name}}|{{found.read_text()}}|" if found.exists() else "")
elif "@.status" in words:
    print("Complete")
"""


@pytest.fixture
def kubectl(tmp_path: Path) -> Kubectl:
    return Kubectl(tmp_path)


def _created(kubectl: Kubectl) -> Any:
    (sent,) = [sent for call, sent in kubectl.calls() if call.startswith("create")]
    return yaml.safe_load(sent)


@pytest.mark.parametrize("name", rendered_jobs())
def test_a_job_that_runs_is_waited_for_and_no_second_is_started(
    name: str, kubectl: Kubectl
) -> None:
    """Two first runs would write the same prices, and two rollbacks undo each other."""
    kubectl.answer(
        {
            "get jobs": (f"{name}-1||Complete\n{name}-2||FailureTarget Failed\n{name}-3||\n", 0),
            "@.status": ("Complete", 0),
        }
    )
    done = kubectl.run("job.sh", name)
    assert done.returncode == 0, done.stderr
    assert f"waiting for job.batch/{name}-3 " in done.stderr
    assert not any(call.startswith("create") for call, _ in kubectl.calls())
    selector = f"--selector app.kubernetes.io/name={name}"
    assert any(selector in call for call, _ in kubectl.calls())
    assert rendered_jobs()[name]["metadata"]["labels"]["app.kubernetes.io/name"] == name


def test_no_job_is_started_where_those_that_run_are_not_known(kubectl: Kubectl) -> None:
    kubectl.answer({"get jobs": ("", 1)})
    assert kubectl.run("rollback.sh").returncode == 1
    assert not any(call.startswith("create") for call, _ in kubectl.calls())


def test_a_question_that_fails_once_does_not_end_the_wait(kubectl: Kubectl) -> None:
    kubectl.answer({"@.status": ("Complete", "first 1")})
    done = kubectl.run("rollback.sh", POKEWATCH_IMAGE="pokewatch/pipeline:7")
    assert done.returncode == 0, done.stderr


def test_rollback_starts_the_job_with_the_image_that_runs(kubectl: Kubectl) -> None:
    kubectl.answer(
        {
            "get deployment mlflow": ("registry.example.com/pokewatch/pipeline:7", 0),
            "@.status": ("SuccessCriteriaMet Complete", 0),
            "logs": ("model version 3 is champion again\n", 0),
        }
    )
    done = kubectl.run("rollback.sh")
    assert (done.returncode, done.stdout) == (0, "model version 3 is champion again\n")
    (created,) = [sent for call, sent in kubectl.calls() if call.startswith("create")]
    assert "image: registry.example.com/pokewatch/pipeline:7\n" in created


@pytest.mark.parametrize(
    ("conditions", "output", "reason"),
    [
        (
            "FailureTarget Failed",
            ("http://10.0.0.1:8080 answers with version 4, not 3\n", 0),
            "reached backoff limit",
        ),
        # The Job controller deletes the pod of a Job that exceeds its deadline
        ("Failed", ("", 1), "active longer than deadline"),
    ],
    ids=["failed", "its pod is gone"],
)
def test_a_failed_rollback_is_reported(
    conditions: str, output: tuple[str, int], reason: str, kubectl: Kubectl
) -> None:
    kubectl.answer(
        {
            "get deployment mlflow": ("pokewatch/pipeline:7", 0),
            "@.status": (conditions, 0),
            "logs": output,
            "{.metadata.name} failed": (f"rollback-1 failed: {reason}\n", 0),
        }
    )
    done = kubectl.run("rollback.sh")
    assert (done.returncode, done.stdout) == (1, output[0])
    assert f"rollback-1 failed: {reason}" in done.stderr


def test_a_job_has_the_number_after_the_last(kubectl: Kubectl) -> None:
    """The API server keeps Jobs that have ended for a while, and so their names."""
    kubectl.answer(
        {
            "get jobs": ("rollback-9||Complete\nrollback-10||Failed\n", 0),
            "@.status": ("Complete", 0),
        }
    )
    done = kubectl.run("rollback.sh", POKEWATCH_IMAGE="pokewatch/pipeline:7")
    assert done.returncode == 0, done.stderr
    assert _created(kubectl)["metadata"]["name"] == "rollback-11"


def test_a_job_that_is_refused_ends_it_with_the_reason(kubectl: Kubectl) -> None:
    kubectl.answer({"create": ("exceeded quota\n", 1), "@.status": ("Complete", 0)})
    done = kubectl.run("rollback.sh", POKEWATCH_IMAGE="pokewatch/pipeline:7")
    assert done.returncode == 1
    assert "exceeded quota" in done.stderr


def _raced(folder: Path, *calls: tuple[str, ...]) -> tuple[dict[str, str], list[str]]:
    """Start two calls that find no Job. Return the markets of the Jobs, and what the calls said."""
    program = folder / "kubectl"
    program.write_text(RACED.format(python=sys.executable))
    program.chmod(0o755)
    for name in ("jobs", "asked"):
        (folder / name).mkdir()
    env = {
        **os.environ,
        "PATH": f"{folder}:{os.environ['PATH']}",
        "KUBECTL_FOLDER": str(folder),
        "POKEWATCH_IMAGE": "pokewatch/pipeline:7",
    }
    started = [
        subprocess.Popen(
            [str(ROOT / "k8s" / "job.sh"), *call], env=env, stderr=subprocess.PIPE, text=True
        )
        for call in calls
    ]
    said = [process.communicate()[1] for process in started]
    assert [process.returncode for process in started] == [0, 0], said
    return {each.name: each.read_text() for each in (folder / "jobs").iterdir()}, said


@pytest.mark.parametrize("name", rendered_jobs())
def test_of_two_calls_at_once_one_starts_the_job_and_both_wait_for_it(
    name: str, tmp_path: Path
) -> None:
    jobs, said = _raced(tmp_path, (name,), (name,))
    assert jobs == {f"{name}-1": ""}
    assert all(f"waiting for job.batch/{name}-1 " in each for each in said)
    assert sum("was started by another call" in each for each in said) == 1


def test_two_markets_are_rolled_back_at_once(tmp_path: Path) -> None:
    jobs, _ = _raced(tmp_path, ("rollback", "simulated-1"), ("rollback", "simulated-2"))
    assert sorted(jobs) == ["rollback-1", "rollback-2"]
    assert sorted(jobs.values()) == ["simulated-1", "simulated-2"]


def test_rollback_is_of_the_market_that_make_names(kubectl: Kubectl) -> None:
    """Another market's Job is not waited for."""
    kubectl.answer(
        {"get jobs": ("rollback-1||\nrollback-2|simulated-1|\n", 0), "@.status": ("Complete", 0)}
    )
    env = {"POKEWATCH_IMAGE": "pokewatch/pipeline:7"}
    done = kubectl.make("rollback", "MARKET=magic-tcgplayer-usd", **env)
    assert done.returncode == 0, done.stderr
    job = _created(kubectl)
    assert job["metadata"]["name"] == "rollback-3"
    assert job["metadata"]["labels"]["market"] == "magic-tcgplayer-usd"
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert container["command"][-2:] == ["--market", "magic-tcgplayer-usd"]


def test_the_job_of_a_market_that_runs_is_waited_for(kubectl: Kubectl) -> None:
    kubectl.answer(
        {"get jobs": ("rollback-1||\nrollback-2|simulated-1|\n", 0), "@.status": ("Complete", 0)}
    )
    done = kubectl.run("rollback.sh", "simulated-1")
    assert done.returncode == 0, done.stderr
    assert "waiting for job.batch/rollback-2 " in done.stderr
    assert not any(call.startswith("create") for call, _ in kubectl.calls())


def test_a_market_that_make_is_given_is_no_code(kubectl: Kubectl) -> None:
    """Whoever starts the workflow of deploys chooses it."""
    for given in ((), ("MARKET=x; echo run",)):
        done = kubectl.make("rollback", *given, **({} if given else {"MARKET": "x; echo run"}))
        assert done.returncode != 0
        assert "MARKET 'x; echo run' is not a market such as" in done.stderr
        assert "run" not in done.stdout.split()


@pytest.mark.parametrize("market", ["Magic", "-magic", "magic-", "a|b"])
def test_what_is_no_market_is_refused(market: str, kubectl: Kubectl) -> None:
    done = kubectl.run("rollback.sh", market)
    assert done.returncode == 1
    assert f"MARKET '{market}' is not a market such as" in done.stderr
