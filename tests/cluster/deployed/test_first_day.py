"""`make deploy` from nothing to an answer."""

import json

import pytest

from tests.cluster.system import Recorder, System

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(3600)]


def test_make_deploy_ends_with_the_first_answer(system: System, record_property: Recorder) -> None:
    answer = json.loads(system.printed.splitlines()[-1])
    assert answer["fair_price"] > 0
    assert answer["model_version"] == "1"
    record_property("from make deploy to the first answer", f"{system.seconds:.0f} s")


def test_nothing_restarted_on_the_way(system: System) -> None:
    pods = system.cluster.plane.get("pods", "--namespace", "pokewatch")["items"]
    restarts = {
        each["metadata"]["name"]: status["restartCount"]
        for each in pods
        for status in each["status"]["containerStatuses"]
    }
    assert set(restarts.values()) == {0}
