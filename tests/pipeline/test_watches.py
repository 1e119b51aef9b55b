"""Judging the watches as the daily flow does, on a champion made by its own steps."""

from pathlib import Path

import pytest

from pokewatch.errors import NoChampionError
from pokewatch.pipeline import watches as steps
from pokewatch.registry import Registry
from pokewatch.settings import RegistrySettings
from pokewatch.watches.conditions import Condition
from pokewatch.watches.database import WatchDatabase
from pokewatch.watches.outbox import Outbox
from pokewatch.watches.store import LOCAL, NewWatch, WatchStore
from tests.monitoring.listener import Listener, listening
from tests.polling import eventually


@pytest.fixture
def watched(champion_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The id of a watch whose condition holds."""
    monkeypatch.setenv("POKEWATCH_WATCHES_URL", f"sqlite:///{tmp_path}/watches.sqlite")
    registry = Registry()
    book = registry.open_book(registry.resolve())
    card, price = book.cards.ids[0], float(book.latest().market[0])
    new = NewWatch(card, book.cards.slugs[0], Condition("below", price=price), book.facts.currency)
    return WatchStore(WatchDatabase.configured()).create(LOCAL, new).id


def test_a_crossing_is_judged_and_told(watched: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with listening() as listener:
        monkeypatch.setenv("POKEWATCH_NOTIFY_URLS", listener.address)
        judged, sent = steps.judge_watches()
        assert (judged.judged, judged.fired, sent.sent) == (1, 1, 1)
        assert f"Watch {watched}" in listener.heard[0]["message"]
        judged, sent = steps.judge_watches()
        assert (judged.fired, sent.sent, len(listener.heard)) == (0, 0, 1)


def test_a_market_without_a_usable_champion_keeps_no_other_back(
    watched: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    without = Registry(RegistrySettings.read(market="simulated-9"))
    with listening() as listener:
        monkeypatch.setenv("POKEWATCH_NOTIFY_URLS", listener.address)
        with pytest.raises(NoChampionError, match="simulated-9"):
            steps.judge_watches([without, Registry()])
        assert f"Watch {watched}" in listener.heard[0]["message"]


def test_a_branch_judges_nothing(watched: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POKEWATCH_BRANCH", "test.mine")
    judged, _ = steps.judge_watches()
    assert judged.judged == 0
    assert WatchStore(WatchDatabase.configured()).get(watched).judged_on is None


def test_to_follow_is_to_go_on_until_all_is_sent(
    watched: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with listening() as listener:
        listener.status = 500
        monkeypatch.setenv("POKEWATCH_NOTIFY_URLS", listener.address)
        steps.judge_watches()
        monkeypatch.setattr("pokewatch.pipeline.watches.time.sleep", lambda _: _recover(listener))
        assert steps.deliver(follow=True).sent == 1
    assert Outbox(WatchDatabase.configured()).pending() == 0


def test_what_is_due_is_sent_in_the_background(
    watched: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with listening() as listener:
        listener.status = 500
        monkeypatch.setenv("POKEWATCH_NOTIFY_URLS", listener.address)
        steps.judge_watches()
        _recover(listener)
        with steps.delivering(0.05):
            eventually(Outbox(WatchDatabase.configured()).pending, lambda pending: pending == 0)


def test_the_background_goes_on_after_an_error(
    watched: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("POKEWATCH_WATCHES_URL", "postgresql://me:s3cret@127.0.0.1:1/watches")
    with steps.delivering(0.05):
        eventually(lambda: len(caplog.records), lambda count: count > 1)
    assert "the notifications of watches cannot be sent" in caplog.text
    assert "s3cret" not in caplog.text


def _recover(listener: Listener) -> None:
    """Let the service work again, and the delivery be due."""
    from sqlalchemy import update

    from pokewatch.watches.database import DELIVERIES

    listener.status = 200
    with WatchDatabase.configured().transaction() as connection:
        connection.execute(update(DELIVERIES).values(due_at=0.0))
