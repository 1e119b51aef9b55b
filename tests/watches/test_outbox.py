import threading
from pathlib import Path

import pytest

from pokewatch.watches.conditions import Condition
from pokewatch.watches.database import WatchDatabase
from pokewatch.watches.outbox import KEPT_SECONDS, RETRY_SECONDS, Claim, NewDelivery, Outbox, Queue
from pokewatch.watches.store import LOCAL, NewWatch, Verdict, WatchStore
from tests.watches.conftest import Clock

HOOK = "https://hooks.example/x"


def fill(
    store: WatchStore, *receivers: str, owner: str = LOCAL, target: str | None = HOOK
) -> list[str]:
    """Store a crossing for each receiver, and return the ids of their watches."""
    ids = []
    for receiver in receivers:
        new = NewWatch("card-1", "card_1", Condition("below", price=4), "USD", target)
        made = store.create(owner, new)
        ids.append(made.id)
        delivery = NewDelivery(f"{made.id}-1", target, receiver, "title", "{}")
        crossing = Verdict(True, None, "2026-01-05", (delivery,))
        _judge_one(store, made.id, crossing)
    return ids


def _judge_one(store: WatchStore, watch_id: str, verdict: Verdict) -> None:
    store.judge(
        "simulated-0",
        "1",
        "",
        lambda found: [verdict if each.id == watch_id else Verdict(each.fired) for each in found],
    )


def claimed(outbox: Outbox, seconds: float = 60) -> Claim:
    found = outbox.claim(seconds)
    assert found is not None
    return found


def test_a_delivery_is_claimed_by_one_until_the_claim_runs_out(
    store: WatchStore, outbox: Outbox, clock: Clock
) -> None:
    (watch_id,) = fill(store, "a")
    first = claimed(outbox)
    assert first.secret == store.secret(watch_id)
    assert outbox.claim(60) is None
    clock.now += 61
    second = claimed(outbox)
    assert second.delivery.id == first.delivery.id
    outbox.sent(first.delivery)  # by a process that was taken for dead
    assert outbox.newest()[0].state == "pending", "the second claim holds"
    outbox.sent(second.delivery)
    (found,) = outbox.newest()
    assert (found.state, found.attempts, found.ended_at) == ("sent", 1, clock.now)
    assert outbox.claim(60) is None


def test_it_is_retried_with_growing_waits_for_a_day_and_then_fails(
    store: WatchStore, outbox: Outbox, clock: Clock
) -> None:
    fill(store, "a")
    start, waits = clock.now, []
    while (claim := outbox.claim(60)) is not None:
        state = outbox.refused(claim.delivery, "answered 500")
        (found,) = outbox.newest()
        assert found.state == state
        if state == "failed":
            break
        assert outbox.claim(60) is None, "not due before its time"
        waits.append(found.due_at - clock.now)
        clock.now = found.due_at
    assert waits[:5] == [60, 120, 240, 480, 960]
    assert clock.now - start == RETRY_SECONDS
    (found,) = outbox.newest()
    assert (found.state, found.error) == ("failed", "answered 500")
    assert found.attempts == len(waits) + 1
    assert [each.id for each in outbox.failures(LOCAL)] == [found.id]
    assert outbox.failures("other") == []
    assert outbox.failed_since(60) == 1
    clock.now += RETRY_SECONDS
    assert outbox.failed_since(60) == 0
    assert outbox.claim(60) is None


def test_waits_are_spread(store: WatchStore, database: WatchDatabase, clock: Clock) -> None:
    fill(store, "a", "b")
    for jitter, expected in ((0.0, 48), (0.999, 71.976)):
        outbox = Outbox(database, clock, iter([jitter]).__next__)
        delivery = claimed(outbox).delivery
        outbox.refused(delivery, "no")
        due = next(each.due_at for each in outbox.newest() if each.id == delivery.id)
        assert due - clock.now == pytest.approx(expected)


def test_a_receiver_may_ask_for_time_or_to_be_left_alone(
    store: WatchStore, outbox: Outbox, clock: Clock
) -> None:
    fill(store, "a")
    outbox.refused(claimed(outbox).delivery, "answered 503", wait=3_600)
    assert outbox.newest()[0].due_at == clock.now + 3_600
    clock.now += 3_600
    assert outbox.refused(claimed(outbox).delivery, "answered 410", final=True) == "failed"


def test_one_that_was_never_due_in_time_is_attempted_once_all_the_same(
    store: WatchStore, outbox: Outbox, clock: Clock
) -> None:
    fill(store, "a")
    clock.now += 5 * RETRY_SECONDS
    assert outbox.refused(claimed(outbox).delivery, "no") == "failed"


def test_the_time_when_the_clock_was_ahead_holds_nothing_back(
    store: WatchStore, outbox: Outbox, clock: Clock
) -> None:
    ahead = 30 * RETRY_SECONDS
    clock.now += ahead
    fill(store, "a", "b")
    outbox.claim(60)  # by a process that is killed
    clock.now -= ahead
    found = [claimed(outbox), claimed(outbox)]
    assert sorted(each.delivery.receiver for each in found) == ["a", "b"]
    for wait, each in zip((0, 2 * RETRY_SECONDS), found, strict=True):
        assert outbox.refused(each.delivery, "answered 503", wait=wait) == "pending"
    waits = sorted(each.due_at - clock.now for each in outbox.newest())
    assert waits == [60, RETRY_SECONDS], "each waits once more, and for a day at most"
    assert outbox.claim(60) is None
    clock.now += RETRY_SECONDS
    assert len({claimed(outbox).delivery.id for _ in found}) == len(found)


def test_busy_queues_are_left_out(store: WatchStore, outbox: Outbox) -> None:
    fill(store, "a", "b", owner="one")
    fill(store, "a", owner="other")
    busy: set[Queue] = set()
    for _ in range(3):
        found = outbox.claim(60, busy)
        assert found is not None
        assert found.queue not in busy
        busy.add(found.queue)
    assert busy == {("one", "a"), ("one", "b"), ("other", "a")}
    fill(store, "a", owner="one")
    assert outbox.claim(60, busy) is None


def test_owners_with_fewer_busy_queues_come_first(
    store: WatchStore, outbox: Outbox, clock: Clock
) -> None:
    fill(store, "a", "b", "c", owner="one")
    clock.now += 1
    fill(store, "d", "e", owner="other")
    busy: list[Queue] = []
    while (found := outbox.claim(60, busy)) is not None:
        busy.append(found.queue)
    assert [owner for owner, _ in busy] == ["one", "other", "one", "other", "one"]


def test_an_address_of_the_operator_is_one_queue_whoever_is_notified(
    store: WatchStore, outbox: Outbox
) -> None:
    fill(store, "digest", owner="one", target=None)
    fill(store, "digest", owner="other", target=None)
    found = outbox.claim(60)
    assert found is not None
    assert found.queue == ("", "digest")
    assert outbox.claim(60, {found.queue}) is None


def test_a_dead_receiver_fails_for_all_of_its_owner_that_is_due_there(
    store: WatchStore, outbox: Outbox, clock: Clock
) -> None:
    fill(store, "a")
    delivery = claimed(outbox).delivery
    fill(store, "a", "b")
    fill(store, "a", owner="other")
    outbox.refused(delivery, "no answer")
    assert outbox.unreachable(delivery, "no answer") == ["pending"]
    errors = sorted((each.receiver, each.attempts, each.error or "") for each in outbox.newest())
    assert errors == [("a", 0, ""), ("a", 1, "no answer"), ("a", 1, "no answer"), ("b", 0, "")]
    assert outbox.pending() == 4


def test_what_ended_long_ago_is_pruned(store: WatchStore, outbox: Outbox, clock: Clock) -> None:
    fill(store, "a", "b", "c")
    sent, failed = claimed(outbox).delivery, claimed(outbox).delivery
    outbox.sent(sent)
    outbox.refused(failed, "answered 410", final=True)
    clock.now += KEPT_SECONDS
    assert outbox.prune() == 0
    clock.now += 1
    assert outbox.prune() == 2
    assert [each.state for each in outbox.newest()] == ["pending"], "however old it is"


def test_a_removed_watch_takes_its_deliveries_along(store: WatchStore, outbox: Outbox) -> None:
    first, second = fill(store, "a", "b")
    claim = claimed(outbox)
    store.remove(first)
    store.remove(second)
    assert outbox.newest() == []
    outbox.sent(claim.delivery)
    assert outbox.pending() == 0


def test_processes_at_once_claim_different_ones(
    store: WatchStore, database: WatchDatabase, clock: Clock, tmp_path: Path
) -> None:
    store = WatchStore(database, 100, clock)
    fill(store, *(f"r{number}" for number in range(20)))
    barrier, found = threading.Barrier(4), []

    def work() -> None:
        other = WatchDatabase(database.url)
        outbox = Outbox(other, clock)
        barrier.wait()
        while (claim := outbox.claim(60)) is not None:
            found.append(claim.delivery.id)
        other.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == len(set(found)) == 20
