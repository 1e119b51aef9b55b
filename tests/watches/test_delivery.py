"""From a crossing to its receiver: webhooks over TLS, and the addresses of notifications."""

import hmac
import json
import socket
import threading
from base64 import b64decode, b64encode
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy.engine import make_url

from pokewatch import notify
from pokewatch.errors import WatchError
from pokewatch.settings import NotifySettings
from pokewatch.watches import delivery
from pokewatch.watches.conditions import Condition
from pokewatch.watches.database import WatchDatabase
from pokewatch.watches.delivery import Deliverer, SentDeliveries, post_test
from pokewatch.watches.judging import judge
from pokewatch.watches.outbox import RETRY_SECONDS, Outbox
from pokewatch.watches.store import LOCAL, NewWatch, Watch, WatchStore
from pokewatch.watches.webhooks import WebhookSender
from tests.monitoring.listener import listening
from tests.polling import eventually
from tests.watches.conftest import Clock
from tests.watches.markets import CARD, book_of
from tests.watches.receiver import Manner, Receiver


@pytest.fixture
def deliverer(outbox: Outbox, clock: Clock, receiver: Receiver) -> Deliverer:
    """A deliverer that trusts the certificate of the receiver."""
    return deliverer_with_timeout(30.0, outbox, clock)


def deliverer_with_timeout(seconds: float, outbox: Outbox, clock: Clock) -> Deliverer:
    sender = WebhookSender(seconds, {"localhost", "127.0.0.1"})
    return Deliverer(outbox, sender, NotifySettings(), clock)


def fire(store: WatchStore, folder: Path, *webhooks: str | None, owner: str = LOCAL) -> list[Watch]:
    """Create a watch for each webhook, and have all of them fire."""
    condition = Condition("below", price=4)
    made = [
        store.create(owner, NewWatch(CARD, "card_4", condition, "USD", each)) for each in webhooks
    ]
    judge(store, book_of(folder, {4: 3.0}), "7", notify.address_digests())
    return made


def test_a_crossing_reaches_its_webhook_signed(
    store: WatchStore, deliverer: Deliverer, receiver: Receiver, clock: Clock, tmp_path: Path
) -> None:
    (watch,) = fire(store, tmp_path, receiver.url())
    assert deliverer.run() == SentDeliveries(sent=1)
    (message,) = receiver.messages
    headers = message.headers
    assert headers["webhook-id"] == f"{watch.id}-1"
    assert headers["webhook-timestamp"] == str(int(clock.now))
    key = b64decode(str(watch.secret).removeprefix("whsec_"))
    content = f"{watch.id}-1.{int(clock.now)}.".encode() + message.body
    signature = b64encode(hmac.digest(key, content, "sha256")).decode()
    assert headers["webhook-signature"] == f"v1,{signature}"
    assert json.loads(message.body)["data"]["watch_id"] == watch.id
    assert deliverer.run() == SentDeliveries(), "once"


def test_a_receiver_that_is_down_for_hours_loses_nothing(
    store: WatchStore,
    deliverer: Deliverer,
    outbox: Outbox,
    receiver: Receiver,
    clock: Clock,
    tmp_path: Path,
) -> None:
    (watch,) = fire(store, tmp_path, receiver.url())
    receiver.manner = Manner(503)
    timestamps = []
    for _ in range(8):
        assert deliverer.run() == SentDeliveries(retried=1)
        clock.now = outbox.newest()[0].due_at
        timestamps.append(receiver.messages[-1].headers["webhook-timestamp"])
    receiver.manner = Manner(200)
    assert deliverer.run() == SentDeliveries(sent=1)
    assert set(receiver.ids()) == {f"{watch.id}-1"}, "the same id in every attempt"
    assert len(set(timestamps)) == 8, "the time of each attempt"
    assert outbox.newest()[0].attempts == 9


def test_after_a_day_it_is_shown_as_failed(
    store: WatchStore,
    deliverer: Deliverer,
    outbox: Outbox,
    receiver: Receiver,
    clock: Clock,
    tmp_path: Path,
) -> None:
    fire(store, tmp_path, receiver.url())
    receiver.manner = Manner(500)
    start = clock.now
    while (found := deliverer.run()).failed == 0:
        assert found == SentDeliveries(retried=1)
        clock.now = outbox.newest()[0].due_at
    assert clock.now - start == RETRY_SECONDS
    assert (outbox.newest()[0].state, outbox.newest()[0].error) == ("failed", "answered 500")


@pytest.mark.parametrize(
    ("hosts", "workers"),
    [(("127.0.0.1", "127.0.0.1"), 8), (("localhost", "127.0.0.1"), 2)],
    ids=["messages to one slow host", "more slow hosts than workers"],
)
def test_what_is_slow_for_one_owner_does_not_hold_up_another(
    hosts: tuple[str, str],
    workers: int,
    store: WatchStore,
    clock: Clock,
    deliverer: Deliverer,
    receiver: Receiver,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(delivery, "_WORKERS", workers)
    receiver.by_path["/slow"] = Manner(seconds=2.0)
    fire(store, tmp_path, *[receiver.url("/slow", host) for host in hosts], owner="one")
    clock.now += 1
    fire(store, tmp_path / "later", receiver.url("/quick"), owner="other")
    assert deliverer.run() == SentDeliveries(sent=3)
    *at_once, last = [each.path for each in receiver.messages]
    assert (sorted(at_once), last) == (["/quick", "/slow"], "/slow")


def test_what_becomes_due_while_a_slow_receiver_is_sent_to_is_sent_too(
    store: WatchStore,
    deliverer: Deliverer,
    receiver: Receiver,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(delivery, "_POLL_SECONDS", 0.05)
    receiver.by_path["/slow"] = Manner(seconds=3.0)
    fire(store, tmp_path, *[receiver.url("/slow")] * 2, owner="one")
    with ThreadPoolExecutor() as threads:
        run = threads.submit(deliverer.run)
        eventually(lambda: receiver.messages, bool)
        fire(store, tmp_path / "later", receiver.url("/quick"), owner="other")
        assert run.result() == SentDeliveries(sent=3)
    assert [each.path for each in receiver.messages] == ["/slow", "/quick", "/slow"]


def test_a_run_leaves_to_the_next_what_slow_receivers_delay(
    store: WatchStore,
    deliverer: Deliverer,
    receiver: Receiver,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(delivery, "_RUN_SECONDS", 1.0)
    receiver.by_path["/slow"] = Manner(seconds=2.0)
    fire(store, tmp_path, *[receiver.url("/slow")] * 2)
    assert deliverer.run() == SentDeliveries(sent=1)
    assert deliverer.run() == SentDeliveries(sent=1)
    assert deliverer.run() == SentDeliveries()


def test_a_dead_receiver_costs_one_timeout_and_holds_up_no_other(
    store: WatchStore, clock: Clock, outbox: Outbox, receiver: Receiver, tmp_path: Path
) -> None:
    deliverer = deliverer_with_timeout(0.5, outbox, clock)
    receiver.by_path["/slow"] = Manner(seconds=3.0)
    slow = receiver.url("/slow")
    good = receiver.url("/good", host="127.0.0.1")  # by another name: another receiver
    fire(store, tmp_path, slow, slow, slow, good, good)
    assert deliverer.run() == SentDeliveries(sent=2, retried=3)
    assert Counter(each.path for each in receiver.messages) == {"/slow": 1, "/good": 2}
    errors = {each.error for each in outbox.newest() if each.state == "pending"}
    assert errors == {"no answer within 0.5 s"}


def test_what_one_key_cannot_reach_holds_up_no_other(
    store: WatchStore,
    deliverer: Deliverer,
    receiver: Receiver,
    clock: Clock,
    tmp_path: Path,
) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        fire(store, tmp_path, f"https://localhost:{closed.getsockname()[1]}/", owner="other")
        clock.now += 1  # so that it is sent first
        fire(store, tmp_path, receiver.url())
        assert deliverer.run() == SentDeliveries(sent=1, retried=1)
    assert len(receiver.messages) == 1


def test_an_answer_of_one_webhook_says_nothing_about_others_of_the_host(
    store: WatchStore, deliverer: Deliverer, receiver: Receiver, tmp_path: Path
) -> None:
    receiver.by_path["/gone"] = Manner(410)
    fire(store, tmp_path, receiver.url("/gone"), receiver.url("/good"), receiver.url("/good"))
    assert deliverer.run() == SentDeliveries(sent=2, failed=1)


def test_a_webhook_inside_is_not_reached_and_is_retried(
    store: WatchStore, outbox: Outbox, receiver: Receiver, clock: Clock, tmp_path: Path
) -> None:
    fire(store, tmp_path, receiver.url())
    guarded = Deliverer(outbox, WebhookSender(5.0), NotifySettings(), clock)
    assert guarded.run() == SentDeliveries(retried=1)
    assert receiver.messages == []
    assert outbox.newest()[0].error == (
        "localhost is not at a public address; POKEWATCH_WEBHOOK_HOSTS may allow it"
    )


def test_processes_at_once_send_each_delivery_once(
    database_url: str, receiver: Receiver, clock: Clock, tmp_path: Path
) -> None:
    first = WatchDatabase(make_url(database_url))
    watches = fire(WatchStore(first), tmp_path, *[receiver.url(f"/{n}") for n in range(20)])
    barrier, sent = threading.Barrier(3), []

    def work() -> None:
        database = WatchDatabase(make_url(database_url))
        deliverer = Deliverer(
            Outbox(database), WebhookSender(20.0, {"localhost"}), NotifySettings()
        )
        barrier.wait()
        sent.append(deliverer.run().sent)
        database.close()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(sent) == 20
    assert sorted(receiver.ids()) == sorted(f"{each.id}-1" for each in watches)
    first.close()


def test_a_test_message_is_posted_at_once(
    store: WatchStore,
    outbox: Outbox,
    receiver: Receiver,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("POKEWATCH_WEBHOOK_HOSTS", "localhost")
    condition = Condition("below", price=4)
    new = NewWatch(CARD, "card_4", condition, "USD", receiver.url())
    watch = store.create(LOCAL, new)
    message_id = post_test(watch, watch.secret)
    (message,) = receiver.messages
    assert message.headers["webhook-id"] == message_id
    assert json.loads(message.body)["type"] == "watch.test"
    assert outbox.newest() == []
    receiver.manner = Manner(404)
    with pytest.raises(WatchError, match="did not accept the message: answered 404"):
        post_test(watch, watch.secret)
    with pytest.raises(WatchError, match="has no webhook"):
        post_test(store.create(LOCAL, NewWatch(CARD, "card_4", condition, "USD")), None)


def test_without_a_webhook_each_address_is_notified_once(
    store: WatchStore, outbox: Outbox, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with listening() as up, listening() as down:
        down.status = 500
        monkeypatch.setenv("POKEWATCH_NOTIFY_URLS", f"{up.address},{down.address}")
        (watch,) = fire(store, tmp_path, None)
        deliverer = Deliverer(outbox, WebhookSender(5.0), NotifySettings.read(), clock)
        assert deliverer.run() == SentDeliveries(sent=1, retried=1)
        down.status = 200
        clock.now += 120
        assert deliverer.run() == SentDeliveries(sent=1)
        assert up.titles() == ["PokeWatch: Pokémon 4: at or below 4.00 USD"]
        assert len(down.titles()) == 2
        text = up.heard[0]["message"]
    assert "market price 3.00 USD on 2026-01-10" in text
    assert "simulated" in text
    assert f"message {watch.id}-1" in text
    assert "s3cret" not in "".join(f"{each.receiver} {each.error}" for each in outbox.newest())


def test_a_process_without_the_address_leaves_it_to_others(
    store: WatchStore, outbox: Outbox, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with listening() as listener:
        monkeypatch.setenv("POKEWATCH_NOTIFY_URLS", listener.address)
        fire(store, tmp_path, None)
        sender = WebhookSender(5.0)
        without = Deliverer(outbox, sender, NotifySettings(notify_urls=SecretStr("")), clock)
        assert without.run() == SentDeliveries(retried=1)
        clock.now += 120
        having = Deliverer(outbox, sender, NotifySettings.read(), clock)
        assert having.run() == SentDeliveries(sent=1)
        assert len(listener.heard) == 1


def test_a_watch_that_nobody_can_be_told_about_has_failed(
    store: WatchStore, deliverer: Deliverer, outbox: Outbox, tmp_path: Path
) -> None:
    fire(store, tmp_path, None)
    assert deliverer.run() == SentDeliveries(failed=1)
    assert "POKEWATCH_NOTIFY_URLS has no such address" in str(outbox.newest()[0].error)
