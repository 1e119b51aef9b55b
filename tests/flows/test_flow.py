"""The steps of the daily flow."""

import re
from types import SimpleNamespace

import pytest

from tests.conftest import ROOT

# Of a named market these parameters have their defaults: its id determines the source.
_DETERMINED = re.compile(r"\bself\.(source|seed|file|categories)\b")


def test_the_experiment_of_a_named_market_has_its_challenger_evaluated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "flows"))
    from flow import PokeWatchFlow

    package = "pokewatch.pipeline"
    monkeypatch.setattr(f"{package}.experiments.with_challenger", lambda _, market: [market])
    monkeypatch.setattr(f"{package}.selection.with_champion", list)
    monkeypatch.setattr(f"{package}.collect.market_change", lambda _: None)
    asked: list[object] = []
    monkeypatch.setattr(
        "pokewatch.deploy.compatibility.require_replaceable",
        lambda _, market, last_day: asked.append((market, last_day)),
    )
    run = SimpleNamespace(
        checks=[],
        models=["last"],
        source="simulated",
        collected=SimpleNamespace(market="file-prices", last_day="2026-01-04"),
        replace=False,
        shards=1,
        features=None,
        next=lambda *_, **__: None,
    )
    PokeWatchFlow._flow_cls.plan(run)
    assert (run.models, asked) == (["file-prices"], [("file-prices", "2026-01-04")])
    run.replace = True
    PokeWatchFlow._flow_cls.plan(run)
    assert len(asked) == 1, "older prices are replaced on request"


@pytest.mark.parametrize("flow", ["flow", "monitor", "backfill", "markets", "monitors"])
def test_no_step_takes_the_source_from_a_parameter_that_the_market_replaces(flow: str) -> None:
    assert _DETERMINED.findall((ROOT / "flows" / f"{flow}.py").read_text()) == []
