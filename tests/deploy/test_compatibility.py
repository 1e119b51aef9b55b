"""Which versions may replace the champion."""

import re
import shutil
from datetime import date
from pathlib import Path

import pytest

from pokewatch.deploy.compatibility import (
    REPLACE_HINT,
    require_compatible,
    require_replaceable,
)
from pokewatch.deploy.rollout import deploy
from pokewatch.errors import DeployError, DeployOutageError
from pokewatch.registry import CHAMPION, LAST_DAY, MARKET, Registry
from pokewatch.settings import Home
from pokewatch.valuation.book.copies import copy_of, remove
from tests.deploy.versions import champion_of, register_book


@pytest.mark.parametrize(
    ("count", "days", "facts", "reason"),
    [
        (40, 5, {"market": "file-mine"}, "its market is file-mine, not simulated-0"),
        (40, 5, {"market": "simulated-7"}, "its market is simulated-7, not simulated-0"),
        (40, 5, {"currency": "EUR"}, "its currency is EUR, not USD"),
        (40, 4, {}, "its prices end on 2026-01-04, those of the champion on 2026-01-05"),
        (37, 5, {}, "it lacks 3 of its 40 cards, limit 5%"),
    ],
    ids=["source", "seed", "currency", "days", "cards"],
)
def test_another_market_or_older_prices_replace_the_champion_only_on_request(
    count: int, days: int, facts: dict[str, str], reason: str, registry: Registry, tmp_path: Path
) -> None:
    version = register_book(registry, tmp_path / "other", count, days, **facts)
    refusal = (
        f"version {version} cannot replace version 1: {reason}; "
        "if this is intended, run the flow with --replace true"
    )
    with pytest.raises(DeployError, match=f"^{re.escape(refusal)}$"):
        deploy(registry, version, [])
    assert champion_of(registry) == "1"
    deploy(registry, version, [], replace=True)
    assert champion_of(registry) == version


def test_prices_older_than_the_champions_are_refused_before_a_model_is_made(
    registry: Registry,
) -> None:
    require_replaceable(registry, "file-mine", date(2026, 1, 4))  # market and day are not known
    registry.set_tag("1", LAST_DAY, "2026-01-05")
    require_replaceable(registry, "file-mine", date(2026, 1, 5))
    refusal = (
        "prices up to 2026-01-04 cannot replace version 1, whose prices end on 2026-01-05; "
        "if this is intended, run the flow with --replace true"
    )
    with pytest.raises(DeployError, match=f"^{re.escape(refusal)}$"):
        require_replaceable(registry, "file-mine", date(2026, 1, 4))
    registry.delete_alias(CHAMPION)
    require_replaceable(registry, "file-mine", date(2026, 1, 4))


def test_another_market_is_refused_before_a_model_is_made(registry: Registry) -> None:
    registry.set_tag("1", MARKET, "file-mine")
    require_replaceable(registry, "file-mine", date(2026, 1, 4))
    refusal = (
        "prices of simulated-0 cannot replace version 1, whose market is file-mine "
        "(collected by pokewatch pipeline run --source file --file FILE); if this is intended, run "
        "the flow with --replace true"
    )
    with pytest.raises(DeployError, match=f"^{re.escape(refusal)}$"):
        require_replaceable(registry, "simulated-0", date(2026, 1, 4))


def test_a_few_missing_cards_are_the_same_market(registry: Registry, tmp_path: Path) -> None:
    for count in (38, 60):
        version = register_book(registry, tmp_path / str(count), count)
        deploy(registry, version, [])
        assert champion_of(registry) == version


def test_what_replace_would_not_help_is_not_said_to(registry: Registry) -> None:
    refusal = "version {} cannot replace version {}: "
    with pytest.raises(DeployOutageError) as raised:
        require_compatible(registry, "2", "9")
    assert str(raised.value).startswith(refusal.format(2, 9) + "model version '9' cannot be found")
    assert REPLACE_HINT not in str(raised.value)
    remove(copy_of(registry.books, registry.version("2").digest))
    run = Home.read().home / "mlflow" / "artifacts" / registry.version("2").run_id
    shutil.rmtree(run)
    with pytest.raises(DeployOutageError) as raised:
        require_compatible(registry, "2", "1")
    assert REPLACE_HINT not in str(raised.value)
    with pytest.raises(DeployError) as without:
        require_compatible(registry, "1", "2")
    assert str(without.value).startswith(refusal.format(1, 2) + "the book of model version 2")
    assert str(without.value).endswith(REPLACE_HINT)
