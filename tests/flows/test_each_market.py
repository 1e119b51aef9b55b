"""The flows of several markets."""

from types import SimpleNamespace
from typing import Any

import pytest

from pokewatch.cli.flows import STEPS_OF_SEVERAL
from tests.conftest import ROOT


@pytest.fixture
def flows(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    monkeypatch.syspath_prepend(str(ROOT / "flows"))
    from markets import PokeWatchMarkets
    from monitors import PokeWatchMonitors

    return [PokeWatchMarkets, PokeWatchMonitors]


def test_they_run_as_many_tasks_at_once_as_cpus(flows: list[Any]) -> None:
    from daily_parameters import WorkersByCpu
    from metaflow.flowspec import FlowStateItems

    for flow in flows:
        mutators = flow._flow_state[FlowStateItems.FLOW_MUTATORS]
        assert any(isinstance(each, WorkersByCpu) for each in mutators)


def test_a_market_named_twice_is_run_once(flows: list[Any]) -> None:
    for flow in flows:
        given = "simulated-2, simulated-1,simulated-2,"
        run = SimpleNamespace(market=given, run_market=None, next=lambda *_, **__: None)
        flow.start(run)
        assert run.markets == ["simulated-2", "simulated-1"]


def test_the_command_line_knows_their_steps(flows: list[Any]) -> None:
    from flow import PokeWatchFlow
    from monitor import PokeWatchMonitor

    for flow in flows:
        assert {node.name for node in flow._graph} >= set(STEPS_OF_SEVERAL)
    for other in (PokeWatchFlow, PokeWatchMonitor):
        names = {node.name for node in other._flow_cls._graph}
        assert "end" in names
        assert not names & set(STEPS_OF_SEVERAL)
