"""The market that commands work on, in a home that has none, one, and two."""

import json
import os
from pathlib import Path

import pytest

from pokewatch.cli.market_choice import first_registry
from pokewatch.registry import Registry
from tests.champion import make_champion
from tests.cli.commands import run


@pytest.mark.slow
def test_a_market_need_not_be_named_while_it_is_the_only_one(
    registry_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("value", "--sample", "1").exit_code == 6
    shown = {}
    for seed in (1, 2):
        monkeypatch.setenv("POKEWATCH_MARKET", f"simulated-{seed}")
        make_champion(cards=8, days=40, seed=seed)
        shown[seed] = run("value", "--sample", "1").stdout
        if seed == 1:
            monkeypatch.delenv("POKEWATCH_MARKET")
            assert run("value", "--sample", "1").stdout == shown[1]
    monkeypatch.delenv("POKEWATCH_MARKET")
    assert shown[1] != shown[2]

    assert first_registry().market == "simulated-1", "serve shows a card of some market"
    unnamed = run("value", "--sample", "1")
    assert unnamed.exit_code == 2
    assert "several markets: add --market simulated-1 or simulated-2" in unnamed.stderr
    for seed, text in shown.items():
        market = ("--market", f"simulated-{seed}")
        assert run("value", "--sample", "1", *market).stdout == text
        found = json.loads(run("value", "--sample", "1", "--json", *market).stdout)[0]
        searched = json.loads(run("search", found["slug"], "--json", *market).stdout)
        prices = {each["card_id"]: each["market_price"] for each in searched}
        assert prices[found["card_id"]] == found["market_price"]
        exported = registry_home / f"{seed}.csv"
        assert run("export", "--out", str(exported), *market).exit_code == 0
        assert f",{found['market_price']}," in exported.read_text()
        valued = json.loads(run("collection", "value", str(exported), "--json", *market).stdout)
        assert valued["counts"]["matched"]["lines"] == 8
        assert run("watch", "add", found["slug"], "--below", "1", *market).exit_code == 0
    assert json.loads(run("watch", "judge", "--json").stdout)["judged"] == 2
    watched = json.loads(run("watch", "list", "--json").stdout)
    assert [each["market"] for each in watched] == ["simulated-1", "simulated-2"]
    assert "POKEWATCH_MARKET" not in os.environ


@pytest.mark.parametrize(
    ("configured", "first"),
    [
        ("", "simulated-1"),
        ("simulated-2", "simulated-2"),
        ("simulated-3,simulated-2", "simulated-2"),
        ("simulated-3", "simulated-3"),
    ],
)
def test_serve_shows_a_card_of_a_market_that_is_served(
    registry_home: Path, monkeypatch: pytest.MonkeyPatch, configured: str, first: str
) -> None:
    monkeypatch.setattr(Registry, "markets", lambda _: ["simulated-1", "simulated-2"])
    monkeypatch.setenv("POKEWATCH_MARKETS", configured)
    assert first_registry().market == first
    if first == "simulated-3":
        refused = run("serve")
        assert refused.exit_code == 6
        assert "pokewatch pipeline run --market simulated-3" in refused.stderr


def test_the_doctor_looks_at_every_market(
    registry_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POKEWATCH_MARKETS", "simulated-1,simulated-2")
    shown = run("doctor").stdout
    for market in ("simulated-1", "simulated-2"):
        assert f"champion: {market}: no model is champion" in shown
        assert f"pokewatch pipeline run --market {market}" in shown


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("value", "--market", "Magic", "--sample", "1"), "'Magic' is not a market such as"),
        (("collect", "--market", "chess-tcgplayer-usd"), "unknown market; use magic-"),
        (("collect", "--market", "simulated-1", "--seed", "0"), "determines --seed: leave"),
        (("collect", "--market", "file-mine"), "POKEWATCH_MARKET_FILES has no file of that name"),
    ],
)
def test_a_market_that_cannot_be_is_refused(arguments: tuple[str, ...], words: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert words in result.stderr


def test_a_market_is_collected_from_its_source(home: Path) -> None:
    result = run("collect", "--market", "simulated-7", "--cards", "8", "--days", "1")
    assert result.exit_code == 0, result.output
    assert [path.name for path in (home / "lake").iterdir()] == ["simulated-8-7"]


def test_the_doctor_does_not_advise_to_value_a_market_that_was_removed(
    registry_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its id begins as that of a market that stays."""
    monkeypatch.setenv("POKEWATCH_MARKETS", "simulated-1")
    monkeypatch.setattr(Registry, "markets", lambda _: ["", "simulated-1", "simulated-10"])
    shown = " ".join(run("doctor").stdout.split())
    assert "pipeline run --market simulated-1" in shown
    assert "simulated-10: POKEWATCH_MARKETS does not name it" in shown
    assert "the one without a name: POKEWATCH_MARKETS does not name it" in shown
    assert "pipeline run --market simulated-10" not in shown


def test_the_doctor_does_not_advise_to_value_a_market_that_cannot_be(
    registry_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POKEWATCH_MARKET", "nonsense")
    shown = " ".join(run("doctor").stdout.split())
    assert "'nonsense': unknown market; use magic-tcgplayer-usd" in shown
    assert "pipeline run --market nonsense" not in shown
