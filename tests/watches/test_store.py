import threading
from dataclasses import replace

import pytest

from pokewatch.errors import ReusedKeyError, UnknownWatchError, WatchError
from pokewatch.watches.conditions import Condition
from pokewatch.watches.database import WatchDatabase
from pokewatch.watches.store import (
    LOCAL,
    REPLAY_SECONDS,
    SAME_SECONDS,
    NewWatch,
    Verdict,
    WatchStore,
)
from tests.watches.conftest import Clock

HOOK = "https://hooks.example/x"


def watch(price: float = 40.0, webhook: str | None = None) -> NewWatch:
    return NewWatch("card-1", "card_1", Condition("below", price=price), "USD", webhook)


def test_a_watch_is_stored(store: WatchStore, clock: Clock) -> None:
    made = store.create("key", watch(webhook=HOOK))
    assert made.secret is not None
    (found,) = store.list("key")
    assert found.secret is None, "it is shown once"
    assert store.secret(found.id) == made.secret
    assert found == store.get(made.id, "key")
    assert (found.condition, found.currency, found.webhook) == (watch().condition, "USD", HOOK)
    assert (found.state, found.created_at, found.judged_on) == ("armed", clock.now, None)
    assert store.create("key", watch()).secret is None, "nothing to sign"


@pytest.mark.parametrize(
    "condition",
    [Condition("signal", signal="SELL"), Condition("moves", change=0.125, days=30)],
    ids=["signal", "moves"],
)
def test_every_condition_is_stored(store: WatchStore, condition: Condition) -> None:
    made = store.create(LOCAL, NewWatch("card-1", "card_1", condition, None))
    assert store.get(made.id).condition == condition


def test_an_owner_sees_no_others(store: WatchStore) -> None:
    mine, other = store.create("key", watch()), store.create("other", watch())
    assert [each.id for each in store.list("key")] == [mine.id]
    assert {each.id for each in store.list()} == {mine.id, other.id}
    for call in (store.get, store.remove):
        with pytest.raises(UnknownWatchError, match=f"no watch has the id '{other.id}'"):
            call(other.id, "key")
    assert store.remove(mine.id, "key").id == mine.id
    assert store.list() == [other]


def test_the_number_of_a_key_is_limited(store: WatchStore) -> None:
    made = [store.create("key", watch()) for _ in range(3)]
    with pytest.raises(WatchError, match="has 3 watches already"):
        store.create("key", watch())
    store.remove(made[0].id)
    store.create("key", watch())
    for _ in range(5):
        store.create(LOCAL, watch())


def test_the_limit_holds_for_requests_at_once(database: WatchDatabase) -> None:
    store, barrier = WatchStore(database, per_owner=3), threading.Barrier(8)
    outcomes: list[object] = []

    def create() -> None:
        barrier.wait()
        try:
            outcomes.append(store.create("key", watch()))
        except WatchError:
            outcomes.append(None)

    threads = [threading.Thread(target=create) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.list("key")) == sum(each is not None for each in outcomes) == 3


def test_a_request_with_an_idempotency_key_is_answered_the_same(
    store: WatchStore, clock: Clock
) -> None:
    made = store.create("key", watch(webhook=HOOK), ("once", "digest"))
    assert store.create("key", watch(webhook=HOOK), ("once", "digest")) == made
    assert store.replayed("key", "once", "digest") == made
    assert store.replayed("other", "once", "digest") is None, "keys of another owner are others"
    with pytest.raises(ReusedKeyError, match="another request"):
        store.create("key", watch(), ("once", "other"))
    assert len(store.list()) == 1
    store.remove(made.id)
    assert store.create("key", watch(webhook=HOOK), ("once", "digest")) == made
    assert store.list() == [], "a repeat creates nothing"
    clock.now += REPLAY_SECONDS + 1
    assert store.create("key", watch(), ("once", "other")).id != made.id


def test_the_same_request_at_once_creates_one(database: WatchDatabase) -> None:
    store, barrier = WatchStore(database), threading.Barrier(6)
    made = []

    def create() -> None:
        barrier.wait()
        made.append(store.create("key", watch(), ("once", "digest")))

    threads = [threading.Thread(target=create) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.list()) == 1
    assert {each.id for each in made} == {store.list()[0].id}


def test_a_watch_that_is_to_be_created_once_is_not_created_again(
    store: WatchStore, clock: Clock
) -> None:
    made = store.create("key", watch(webhook=HOOK), once=True)
    assert store.create("key", watch(webhook=HOOK), once=True) == made
    for other in (watch(), watch(41.0, HOOK)):
        assert store.create("key", other, once=True).id != made.id
    assert store.create("key", watch(webhook=HOOK), once=True).id == made.id, "whatever the limit"
    assert store.create("other", watch(webhook=HOOK), once=True).id != made.id
    clock.now += SAME_SECONDS + 1
    assert store.create("key", watch(webhook=HOOK), once=True) == replace(made, secret=None)


def test_watches_move_to_a_rotated_key_or_go_with_it(store: WatchStore) -> None:
    made = [store.create("old", watch()) for _ in range(2)]
    other = store.create("other", watch())
    assert store.transfer("old", "new") == 2
    assert {each.id for each in store.list("new")} == {each.id for each in made}
    assert store.remove_all("new") == 2
    assert store.list() == [other]


def test_judging_goes_through_all_in_the_order_of_ids(
    store: WatchStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pokewatch.watches.store.JUDGED_TOGETHER", 3)
    made = sorted(store.create(LOCAL, watch()).id for _ in range(7))
    seen, after = [], ""
    while chunk := store.judge(
        "simulated-0", "2026-01-05", after, lambda found: [Verdict(False)] * len(found)
    ):
        seen.append([each.id for each in chunk])
        after = chunk[-1].id
    assert seen == [made[:3], made[3:6], made[6:]]


def test_an_earlier_book_judges_nothing_that_a_later_one_has(store: WatchStore) -> None:
    store.create(LOCAL, watch())
    assert store.judge("simulated-0", "2026-01-05 b", "", lambda found: [Verdict(True)])
    assert not store.judge("simulated-0", "2026-01-05 a", "", lambda found: [Verdict(False)])
    assert store.judge("simulated-0", "2026-01-05 b", "", lambda found: [Verdict(True)])
    assert store.list()[0].state == "fired"
