"""The monitor as a user runs it, on a simulated market in which volatility has tripled."""

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from pokewatch.market.lake import Lake
from pokewatch.market.sources.simulated_process import Regime
from pokewatch.registry import Registry, change_key
from tests.integration.flow import FLOW, card_text, last_card, run_flow
from tests.monitoring.listener import listening
from tests.monitoring.markets import fill

MONITOR = FLOW.with_name("monitor.py")
FIRST, QUIET = date(2025, 6, 23), date(2025, 12, 20)
MARKET = ("--cards", "200")
NOBODY: dict[str, Any] = {"POKEWATCH_MLSERVER_URLS": "http://127.0.0.1:9"}


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_it_notices_a_changed_market_and_runs_the_pipeline(
    registry_home: Path, tmp_path: Path
) -> None:
    changed = Regime("volatility", QUIET + timedelta(days=1), factor=3.0)
    days = [FIRST + timedelta(days=day) for day in range((QUIET - FIRST).days + 8)]
    fill(Lake(registry_home / "lake" / "simulated-200-0"), 200, 0, days, [changed])
    trained = run_flow(tmp_path, "run", *MARKET, "--to", QUIET.isoformat(), **NOBODY)
    assert trained.returncode == 0, trained.stdout

    with listening() as listener:
        settings = NOBODY | {"POKEWATCH_NOTIFY_URLS": listener.address}
        quiet = run_flow(
            tmp_path, "run", *MARKET, "--to", QUIET.isoformat(), flow=MONITOR, **settings
        )
        assert quiet.returncode == 0, quiet.stdout
        assert "retrained: no; every check that could be judged passed" in quiet.stdout
        detected = run_flow(
            tmp_path, "run", *MARKET, "--to", days[-1].isoformat(), flow=MONITOR, **settings
        )
        assert detected.returncode == 0, detected.stdout
    assert "retraining the models: failed: drift of moves" in detected.stdout
    assert "was made champion, on data version" in detected.stdout
    assert Registry().resolve().version == "2"
    assert Registry().get_state(change_key("simulated-0")) > QUIET.isoformat()
    titles = listener.titles()
    assert any(title.endswith("out of bounds") for title in titles)
    assert "PokeWatch: model version 2 is champion" in titles
    assert "Out of bounds: drift of moves" in card_text(last_card(registry_home, "measure"))
    assert " are retrained" in card_text(last_card(registry_home, "act"))
    latest = json.loads((registry_home / "monitoring" / "latest.json").read_text())
    assert latest["measured_on"] == days[-1].isoformat()
    assert latest["figures"]["drift"] > 1
