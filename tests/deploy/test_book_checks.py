"""Books that are missing, damaged or without values do not replace the champion."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pokewatch.deploy.book_checks import checked_book
from pokewatch.deploy.rollout import deploy
from pokewatch.errors import DeployError
from pokewatch.registry import CHAMPION, Registry
from pokewatch.settings import Home
from pokewatch.valuation.book import STATUSES, BookRows, write_book
from pokewatch.valuation.book.copies import copy_of, remove
from tests.answering import answering
from tests.deploy.upstream import Upstream
from tests.deploy.versions import champion_of, register_book
from tests.serving.books import FACTS, catalog, rows


def test_a_version_without_its_book_does_not_replace_the_champion(
    registry: Registry, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "manifest.json").write_text("{}")
    run = registry.log_run(
        tmp_path / "empty", parameters={}, metrics={}, tags={"data_version": "dv"}
    )
    version = registry.register(run, "0" * 64).version
    with pytest.raises(
        DeployError, match=r"cannot replace version 1: the book in .* is not the requested one"
    ):
        deploy(registry, version, [])
    assert champion_of(registry) == "1"


def test_a_champion_whose_book_is_damaged_is_replaced_on_request(registry: Registry) -> None:
    champion = registry.resolve()
    artifacts = Home.read().home / "mlflow" / "artifacts" / champion.run_id / "artifacts"
    (artifacts / "book" / "fair.arrow").write_bytes(b"damaged")
    remove(copy_of(registry.books, champion.digest))
    with pytest.raises(DeployError, match=r"cannot replace version 1: .*fair\.arrow is damaged"):
        deploy(registry, "2", [])
    with pytest.raises(DeployError, match=r"version 2 cannot be checked: .*is damaged"):
        checked_book(registry, "2", "1")
    assert checked_book(registry, "2", "1", replace=True).version == "2"
    deploy(registry, "2", [], replace=True)
    assert champion_of(registry) == "2"


def test_books_that_share_no_valued_card_cannot_be_compared(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POKEWATCH_DEPLOY_WATCH_SECONDS", "1")
    monkeypatch.setenv("POKEWATCH_DEPLOY_MISSING_CARDS", "1")
    version = register_book(registry, tmp_path / "other", 1)
    folder = tmp_path / "nothing"
    digest = write_book(folder, catalog(1), unvalued(), replace(FACTS, run_id="nothing"))
    run = registry.log_run(folder, parameters={}, metrics={}, tags={"data_version": "dv"})
    former = registry.register(run, digest).version
    registry.set_alias(CHAMPION, former)
    with (
        answering(Upstream(lambda: champion_of(registry))) as server,
        pytest.raises(DeployError, match=f"it shares no valued card with version {former}"),
    ):
        deploy(registry, version, [server.address])
    assert champion_of(registry) == former


def unvalued() -> BookRows:
    """One card, without a fair price."""
    given = rows(1)
    nothing = np.full_like(given.market, np.nan)
    status = np.full(given.market.shape, STATUSES.index("thin_history"), dtype=np.int8)
    return replace(given, fair=nothing, lower=nothing, upper=nothing, status=status)
