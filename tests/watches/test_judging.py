"""Judging: crossings, cards without prices, other currencies, books in any order, two at once."""

import json
import threading
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from sqlalchemy.engine import make_url

from pokewatch.valuation.book import PriceBook
from pokewatch.watches.conditions import Condition, holds
from pokewatch.watches.database import WatchDatabase
from pokewatch.watches.judging import JudgedWatches, MarketDay, judge
from pokewatch.watches.outbox import Outbox
from pokewatch.watches.store import LOCAL, NewWatch, Watch, WatchStore
from tests.watches.markets import CARD, book_of

HOOK = "https://hooks.example/x"
NONE = float("nan")


def below(store: WatchStore, price: float = 4.0, card: str = CARD) -> Watch:
    condition = Condition("below", price=price)
    return store.create(LOCAL, NewWatch(card, "card_4", condition, "USD", HOOK))


def judged(
    store: WatchStore, folder: Path, prices: Mapping[int, float], **more: int | str
) -> JudgedWatches:
    return judge(store, book_of(folder, prices, **more), "7", [])  # type: ignore[arg-type]


def test_a_crossing_is_reported_once_until_the_price_goes_back(
    store: WatchStore, outbox: Outbox, tmp_path: Path
) -> None:
    watch = below(store)
    states, numbers = [], []
    for day, price in enumerate((5.0, 3.9, 3.8, 4.0, 4.01, 3.0, 2.0), 10):
        judged(store, tmp_path, {4: price}, days=day)
        states.append(store.get(watch.id).state)
        numbers.append(len(outbox.newest()))
    assert states == ["armed", "fired", "fired", "fired", "armed", "fired", "fired"]
    assert numbers == [0, 1, 1, 1, 1, 2, 2]
    assert {each.id for each in outbox.newest()} == {f"{watch.id}-1", f"{watch.id}-2"}
    found = store.get(watch.id)
    assert (found.crossings, found.crossed_on, found.judged_on) == (2, "2026-01-15", "2026-01-16")


def test_a_condition_that_holds_already_fires_at_the_first_judging(
    store: WatchStore, tmp_path: Path
) -> None:
    below(store)
    assert judged(store, tmp_path, {4: 3.0}) == JudgedWatches(judged=1, fired=1)


def test_a_message_says_what_happened(store: WatchStore, outbox: Outbox, tmp_path: Path) -> None:
    watch = below(store)
    judged(store, tmp_path, {4: 3.5})
    (delivery,) = outbox.newest()
    message = json.loads(delivery.payload)
    assert message["type"] == "watch.fired"
    assert message["data"] == {
        "watch_id": watch.id,
        "card_id": CARD,
        "card": "card_4",
        "name": "Pokémon 4",
        "condition": {"type": "below", "price": 4.0},
        "date": "2026-01-10",
        "market_price": 3.5,
        "earlier_price": None,
        "signal": "BUY",
        "market": "simulated-0",
        "currency": "USD",
        "source": "simulated",
        "model_version": "7",
        "data_version": "dv-1",
    }
    assert (delivery.target, delivery.receiver) == (HOOK, "hooks.example")


def test_without_a_webhook_every_address_is_notified(
    store: WatchStore, outbox: Outbox, tmp_path: Path
) -> None:
    condition = Condition("below", price=4)
    watch = store.create(LOCAL, NewWatch(CARD, "card_4", condition, "USD"))
    judge(store, book_of(tmp_path, {4: 3.0}), "7", ["a", "b"])
    found = {(each.id, each.target, each.receiver) for each in outbox.newest()}
    assert found == {(f"{watch.id}-1-a", None, "a"), (f"{watch.id}-1-b", None, "b")}


def test_a_day_without_a_price_is_no_crossing(
    store: WatchStore, outbox: Outbox, tmp_path: Path
) -> None:
    watch = below(store)
    judged(store, tmp_path, {4: 3.0}, days=10)
    assert judged(store, tmp_path, {4: NONE}, days=11).disarmed == 1
    found = store.get(watch.id)
    assert (found.state, found.reason) == ("disarmed", "no_market_price")
    judged(store, tmp_path, {4: 3.0}, days=12)
    assert store.get(watch.id).state == "fired"
    assert len(outbox.newest()) == 1


def test_a_card_that_vanishes_disarms_its_watch_until_it_returns(
    store: WatchStore, tmp_path: Path
) -> None:
    watch = below(store, 4.0, "tcgplayer-11-normal")
    judged(store, tmp_path, {}, days=10)
    judged(store, tmp_path, {}, days=11, cards=5)
    found = store.get(watch.id)
    assert (found.state, found.reason) == ("disarmed", "unknown_card")
    assert judged(store, tmp_path, {11: 3.0}, days=12).fired == 1


def test_a_market_of_another_currency_disarms_thresholds_alone(
    store: WatchStore, outbox: Outbox, tmp_path: Path
) -> None:
    watch = below(store, 100.0)
    signal = Condition("signal", signal="SELL")
    other = store.create(LOCAL, NewWatch(CARD, "card_4", signal, None, HOOK))
    judged(store, tmp_path, {4: 50.0}, currency="EUR")
    found = store.get(watch.id)
    assert (found.state, found.reason) == ("disarmed", "other_currency")
    assert store.get(other.id).state == "fired"
    assert [each.watch_id for each in outbox.newest()] == [other.id]


def test_moves_compare_with_the_price_of_those_days_before(
    store: WatchStore, tmp_path: Path
) -> None:
    def moves(change: float, days: int) -> str:
        condition = Condition("moves", change=change, days=days)
        return store.create(LOCAL, NewWatch(CARD, "card_4", condition, None)).id

    large, small, long = moves(0.3, 7), moves(0.02, 7), moves(0.01, 300)
    judged(store, tmp_path, {4: 5.02 * 1.05})  # 5.02 was the price on the third of ten days
    assert {each.id: each.state for each in store.list()} == {
        large: "armed",
        small: "fired",
        long: "disarmed",
    }
    assert store.get(long).reason == "no_earlier_price"


def test_moves_compare_with_the_last_day_with_prices(store: WatchStore, tmp_path: Path) -> None:
    def moves(days: int) -> str:
        condition = Condition("moves", change=0.025, days=days)
        return store.create(LOCAL, NewWatch(CARD, "card_4", condition, None)).id

    one, two, six, nine = (moves(days) for days in (1, 2, 6, 9))
    book = book_of(tmp_path, {4: 5.06 * 1.03}, without=(0, 2, 3, 7, 8))  # 5.06: that of day 6
    judge(store, book, "7", [])
    assert {each.id: each.state for each in store.list()} == {
        one: "fired",
        two: "fired",
        six: "fired",
        nine: "disarmed",
    }
    watches = [store.get(each) for each in (one, two, six, nine)]
    earlier = [card.earlier for card in MarketDay(book, "7").cards(watches)]
    assert earlier == [5.06, 5.06, 5.01, None]


def test_an_earlier_book_changes_nothing(store: WatchStore, outbox: Outbox, tmp_path: Path) -> None:
    watch = below(store)
    judged(store, tmp_path, {4: 3.0}, days=11)
    assert judged(store, tmp_path, {4: 5.0}, days=10).judged == 0
    judged(store, tmp_path, {4: 3.0}, days=11, attempt=1)
    assert store.get(watch.id).state == "fired"
    assert len(outbox.newest()) == 1


def test_judges_at_once_report_a_crossing_once(database_url: str, tmp_path: Path) -> None:
    first = WatchDatabase(make_url(database_url))
    store = WatchStore(first)
    for _ in range(30):
        below(store)
        below(store, 1.0)
    book, barrier = book_of(tmp_path, {4: 3.0}), threading.Barrier(6)
    counts = []

    def run() -> None:
        database = WatchDatabase(make_url(database_url))
        barrier.wait()
        counts.append(judge(WatchStore(database), book, "7", []))
        database.close()

    threads = [threading.Thread(target=run) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(each.fired for each in counts) == 30
    assert [each.judged for each in counts] == [60] * 6
    assert len(Outbox(first).newest(limit=100)) == 30
    assert {each.crossings for each in store.list() if each.fired} == {1}
    first.close()


def test_hundreds_of_watches_are_judged_as_one_by_one(tmp_path: Path) -> None:
    book = book_of(tmp_path, {5: NONE, 6: 2.0}, days=40, cards=400, scale=1.3)
    store = WatchStore(WatchDatabase(make_url(f"sqlite:///{tmp_path}/watches.sqlite")))
    random = np.random.default_rng(3)
    for number in range(400):
        card = int(random.integers(0, 410))
        condition = (
            Condition("below", price=float(random.uniform(0.5, 400))),
            Condition("above", price=float(random.uniform(0.5, 400))),
            Condition("signal", signal="BUY" if random.integers(2) else "SELL"),
            Condition(
                "moves", change=float(random.uniform(0.001, 0.5)), days=int(random.integers(1, 50))
            ),
        )[number % 4]
        name = f"tcgplayer-{card}-normal"
        unit = "EUR" if number % 20 == 0 else "USD"
        currency = unit if condition.has_currency else None
        store.create(LOCAL, NewWatch(name, f"card_{card}", condition, currency))
    found = judge(store, book, "7", [])
    outcomes = [_alone(book, each) for each in store.list()]
    assert [each.reason or each.fired for each in store.list()] == outcomes
    assert found.judged == 400
    assert found.fired == outcomes.count(True) > 40
    assert found.disarmed == sum(isinstance(each, str) for each in outcomes) > 20


def _alone(book: PriceBook, watch: Watch) -> bool | str:
    """Judge one watch by the history of its card."""
    (card,) = MarketDay(book, "7").cards([watch])
    days = watch.condition.days
    if card.known:
        prices = book.history(watch.card_id).market
        market = None if np.isnan(prices[-1]) else prices[-1]
        assert card.market == market
        if days is not None and days < len(prices):
            assert card.earlier == prices[-1 - days]
    return holds(watch.condition, watch.currency, card)


def test_a_book_judges_the_watches_of_its_market(store: WatchStore, tmp_path: Path) -> None:
    condition = Condition("below", price=4.0)
    ids = [
        store.create(LOCAL, NewWatch(CARD, "card_4", condition, "USD", HOOK, market)).id
        for market in ("simulated-0", "file-other", "")
    ]
    assert judged(store, tmp_path, {4: 3.0}) == JudgedWatches(judged=2, fired=2)
    found = [store.get(each) for each in ids]
    assert [each.state for each in found] == ["fired", "armed", "fired"]
    assert [each.market for each in found] == ["simulated-0", "file-other", "simulated-0"]
