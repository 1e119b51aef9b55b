"""Which flow a command runs."""

import pytest

from pokewatch.cli import flows


@pytest.mark.parametrize(
    ("arguments", "markets", "market", "several"),
    [
        (("run",), "", "", False),
        (("run", "--market", "simulated-1"), "", "", False),
        (("run", "--market", "simulated-1,simulated-2"), "", "", True),
        (("--production", "run", "--market=simulated-1,simulated-2"), "", "", True),
        (("run",), "simulated-1,simulated-2", "", True),
        (("run", "--market", "simulated-1"), "simulated-1,simulated-2", "", False),
        (("run",), "simulated-1,simulated-2", "simulated-2", False),
        (("run", "--source", "tcgcsv"), "simulated-1,simulated-2", "", False),
        (("card", "view", "gate"), "simulated-1,simulated-2", "", False),
        (("card", "view", "show"), "", "", True),
        (("card", "view", "179/show/4"), "", "simulated-2", True),
        (("resume", "run_market"), "", "", True),
        (("logs", "show", "179/run_market"), "", "", True),
        (("logs", "show", "179/gate/4"), "", "", False),
        (("show",), "", "", False),
        (("resume",), "simulated-1,simulated-2", "", False),
    ],
)
def test_several_markets_have_a_flow_of_their_own(
    arguments: tuple[str, ...],
    markets: str,
    market: str,
    several: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("POKEWATCH_MARKETS", markets)
    monkeypatch.setenv("POKEWATCH_MARKET", market)
    assert flows._of_several(arguments) is several
