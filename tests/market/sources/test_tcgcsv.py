from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from pokewatch.errors import DamagedDayError, MissingAtSourceError, SourceError
from pokewatch.market.catalog import CARD_SCHEMA
from pokewatch.market.collect import collect
from pokewatch.market.lake import Lake
from pokewatch.market.prices import PRICE_SCHEMA
from pokewatch.market.sources import PriceBatch
from pokewatch.market.sources.tcgcsv import FIRST_DAY, TcgcsvSource
from pokewatch.settings import SourceSettings
from tests.market.upstream import (
    Reply,
    Sleeps,
    Upstream,
    archive_bytes,
    archive_path,
    price,
    seven_zip,
)

DAY = date(2025, 10, 22)
NOW = datetime(2025, 10, 23, 1, 0, tzinfo=UTC)
LUGIA = {
    "productId": 451396,
    "name": "Lugia VSTAR - 139/195",
    "imageUrl": "https://images.test/451396.jpg",
    "groupId": 3170,
    "extendedData": [
        {"name": "Number", "value": "139/195"},
        {"name": "Rarity", "value": "Ultra Rare"},
        {"name": "HP", "value": "280"},
    ],
}
BOX = {
    "productId": 7,
    "name": "Silver Tempest Booster Box",
    "groupId": 3170,
    "extendedData": [{"name": "Description", "value": "36 packs"}],
}
TEMPEST = {
    "groupId": 3170,
    "name": "SWSH12: Silver Tempest",
    "abbreviation": "SWSH12",
    "publishedOn": "2022-11-11T00:00:00",
    "categoryId": 3,
}


@pytest.fixture
def opened(upstream: Upstream) -> Callable[..., TcgcsvSource]:
    def open_source(now: datetime = NOW, **settings: Any) -> TcgcsvSource:
        given = {"tcgcsv_url": upstream.url, "http_attempts": 2, "http_timeout": 2.0} | settings
        return TcgcsvSource(SourceSettings.read(**given), now=lambda: now, sleep=Sleeps().sleep)

    return open_source


def only(batches: Iterable[PriceBatch]) -> PriceBatch:
    (batch,) = batches
    return batch


def reasons(batch: PriceBatch) -> dict[str, int]:
    return dict(Counter(batch.rejected["reason"].to_pylist()))


def test_an_archive_becomes_price_rows(
    upstream: Upstream, opened: Callable[..., TcgcsvSource]
) -> None:
    upstream.archive(
        DAY,
        {
            (3, 3170): [price(451396, 12.5, "Holofoil"), price(451396, None, "Reverse Holofoil")],
            (85, 9): [price(5, 1.0)],
        },
    )

    batch = only(opened().prices([DAY]))

    assert batch.days == (DAY,)
    assert batch.prices.schema == PRICE_SCHEMA
    assert batch.rejected.num_rows == 0
    assert batch.prices.sort_by("card_id").to_pylist()[0] == {
        "card_id": "tcgplayer-451396-holofoil",
        "date": DAY,
        "market_price": 12.5,
        "low_price": 8.0,
        "mid_price": 11.0,
        "high_price": 20.0,
        "avg7_price": None,
        "avg30_price": None,
        "volume": None,
        "stale_days": None,
        "currency": "USD",
        "source": "tcgcsv",
        "observed_at": NOW,
    }
    assert sorted(
        zip(
            batch.prices["card_id"].to_pylist(),
            batch.prices["market_price"].to_pylist(),
            strict=True,
        )
    ) == [
        ("tcgplayer-451396-holofoil", 12.5),
        ("tcgplayer-451396-reverse-holofoil", None),
        ("tcgplayer-5-normal", 1.0),
    ]


def test_other_games_are_left_out(upstream: Upstream, opened: Callable[..., TcgcsvSource]) -> None:
    upstream.archive(
        DAY, {(1, 1): [price(1)], (3, 1): [price(2)], (85, 1): [price(3)], (33, 1): [price(4)]}
    )

    assert set(only(opened().prices([DAY])).prices["card_id"].to_pylist()) == {
        "tcgplayer-2-normal",
        "tcgplayer-3-normal",
    }
    one = opened(tcgcsv_categories="magic")
    assert only(one.prices([DAY])).prices["card_id"].to_pylist() == ["tcgplayer-1-normal"]


def test_cards_are_described_by_products_and_groups(
    upstream: Upstream, opened: Callable[..., TcgcsvSource]
) -> None:
    upstream.archive(DAY, {(3, 3170): [price(451396, 12.5, "Holofoil"), price(7, 99.0)]})
    upstream.results("/tcgplayer/3/groups", [TEMPEST])
    upstream.results("/tcgplayer/85/groups", [])
    upstream.results("/tcgplayer/3/3170/products", [LUGIA, BOX])

    source = opened()
    cards = only(source.prices([DAY])).cards

    assert cards is not None
    assert cards.schema == CARD_SCHEMA
    lugia, box = cards.to_pylist()
    assert lugia == {
        "card_id": "tcgplayer-451396-holofoil",
        "slug": "lugia_vstar_139",
        "name": "Lugia VSTAR",
        "set_id": "tcgplayer-group-3170",
        "set_name": "SWSH12: Silver Tempest",
        "number": "139/195",
        "rarity": "Ultra Rare",
        "printing": "Holofoil",
        "released": date(2022, 11, 11),
        "image_url": "https://images.test/451396.jpg",
        "source_ids": '{"tcgplayer": 451396}',
        "game": "Pokemon",
        "kind": "single",
        "language": "English",
        "set_code": "SWSH12",
    }
    assert (box["name"], box["number"], box["rarity"]) == ("Silver Tempest Booster Box", None, None)
    assert box["kind"] == "sealed"
    assert source.warnings == []


def test_without_a_catalogue_ids_are_names(
    upstream: Upstream, opened: Callable[..., TcgcsvSource]
) -> None:
    upstream.archive(DAY, {(3, 3170): [price(451396, 12.5, "Holofoil")]})

    source = opened()
    (card,) = only(source.prices([DAY])).cards.to_pylist()  # type: ignore[union-attr]

    assert (card["name"], card["set_id"], card["printing"]) == (
        "tcgplayer-451396-holofoil",
        "tcgplayer-group-3170",
        "Holofoil",
    )
    assert [warning.split(": ", 1)[1].split("/tcgplayer")[1] for warning in source.warnings] == [
        f"/{category}/groups: answered 404 Not Found: cards of category {category} have their ids "
        "as names until the next collection"
        for category in (3,)
    ]


def test_days_come_in_order_whatever_order_they_are_asked_in(
    upstream: Upstream, opened: Callable[..., TcgcsvSource]
) -> None:
    days = [date(2025, 10, number) for number in (20, 18, 21, 19)]
    for day in days:
        upstream.archive(day, {(3, 1): [price(1)]})

    assert [batch.days for batch in opened().prices(days)] == [(day,) for day in sorted(days)]


@pytest.mark.parametrize(
    ("reply", "cause"),
    [
        (Reply(status=500), "answered 500 Internal Server Error; gave up after 2 attempts"),
        (Reply(b"<html>gone fishing</html>"), "truncated or damaged 7z archive"),
        (Reply(archive_bytes(DAY, {(3, 1): [price(1)]})[:-20]), "truncated or damaged 7z archive"),
        (Reply(archive_bytes(DAY, {(3, 1): [price(1)]}), cut=100), "connection failed"),
        (
            Reply(archive_bytes(DAY, {(1, 1): [price(1)]})),
            "the archive has no prices of categories 3, 85; 2025-10-22 was not collected",
        ),
        (
            Reply(archive_bytes(DAY, {(3, 1): [price(1, "5"), price(2, "6"), 7]})),
            "categories 3, 85: 3 rows were rejected, 2 of them: marketPrice is not a number",
        ),
        (
            Reply(archive_bytes(date(2025, 10, 21), {(3, 1): [price(1)]})),
            "which is not of 2025-10-22; 2025-10-22 was not collected",
        ),
        (
            Reply(seven_zip({f"{DAY}/3/1/prices": b"<html>"})),
            "3/1/prices: the answer is not JSON; it begins with '<html>'; 2025-10-22 was not",
        ),
        (
            Reply(seven_zip({f"{DAY}/3/1/prices": b"[]"})),
            "2025-10-22/3/1/prices: the answer has no list of results",
        ),
        (
            Reply(
                seven_zip(
                    {f"{DAY}/3/1/prices": b'{"success": false, "errors": ["down"], "results": []}'}
                )
            ),
            r"2025-10-22/3/1/prices: the answer reports a failure: \['down'\]",
        ),
    ],
    ids=[
        "500",
        "html",
        "cut",
        "hung up",
        "no cards",
        "bad rows",
        "other day",
        "html inside",
        "list inside",
        "failed inside",
    ],
)
def test_an_unusable_archive_is_reported(
    upstream: Upstream, opened: Callable[..., TcgcsvSource], reply: Reply, cause: str
) -> None:
    upstream.routes[archive_path(DAY)] = reply

    with pytest.raises(SourceError, match=cause) as caught:
        list(opened().prices([DAY]))

    assert str(caught.value).startswith(f"tcgcsv: {upstream.url}{archive_path(DAY)}: ")


@pytest.mark.parametrize("damaged", [b"<html>", seven_zip({"x": b""})], ids=["html", "empty"])
def test_a_damaged_archive_does_not_keep_other_days_from_the_lake(
    upstream: Upstream, opened: Callable[..., TcgcsvSource], tmp_path: Path, damaged: bytes
) -> None:
    days = [date(2025, 10, day) for day in range(1, 6)]
    for day in days:
        upstream.archive(day, {(3, 1): [price(1, 10.0 + 0.1 * day.day)]})
    upstream.routes[archive_path(days[2])] = Reply(damaged)
    upstream.results("/tcgplayer/3/groups", [{"groupId": 1, "name": "One"}])

    lake = Lake(tmp_path / "lake")

    with pytest.raises(DamagedDayError, match=r"was not collected.*; 4 of 5 days are in") as caught:
        collect(opened(), lake, days, today=date(2025, 10, 23))

    assert archive_path(days[2]) in str(caught.value)
    assert lake.days() == [*days[:2], *days[3:]]


def test_a_day_without_archive_is_missing(
    upstream: Upstream, opened: Callable[..., TcgcsvSource]
) -> None:
    upstream.archive(date(2025, 10, 1), {(3, 1): [price(1)]})
    batches = opened().prices([date(2025, 10, 1), date(2025, 10, 2)])

    assert next(batches).days == (date(2025, 10, 1),)
    with pytest.raises(MissingAtSourceError, match=r"prices-2025-10-02\.ppmd\.7z: answered 404"):
        next(batches)


def test_an_absent_archive_is_requested_once(
    upstream: Upstream, opened: Callable[..., TcgcsvSource]
) -> None:
    days = [date(2025, 10, number) for number in range(1, 8)]
    for _ in range(2):
        source, waiting = opened(), list(days)
        while waiting:
            with pytest.raises(MissingAtSourceError):
                list(source.prices(waiting))
            waiting.pop(0)

    archives = [path for path in upstream.paths() if path.startswith("/archive")]
    assert sorted(archives) == [archive_path(day) for day in days]


@pytest.fixture
def live(upstream: Upstream) -> Upstream:
    upstream.routes["/last-updated.txt"] = Reply(b"2025-10-22T20:04:11+0000\n")
    upstream.results("/tcgplayer/3/groups", [TEMPEST, {"groupId": 2, "name": "Empty"}])
    upstream.results("/tcgplayer/85/groups", [])
    upstream.results("/tcgplayer/3/3170/products", [LUGIA, BOX])
    upstream.results(
        "/tcgplayer/3/3170/prices", [price(451396, 12.5, "Holofoil"), price(7, 99.0), price(8, "x")]
    )
    return upstream


def test_today_comes_from_the_live_pages(
    live: Upstream, opened: Callable[..., TcgcsvSource]
) -> None:
    source = opened()

    batch = only(source.prices([DAY]))

    assert source.available() == (FIRST_DAY, DAY)
    assert batch.prices["market_price"].to_pylist() == [12.5, 99.0]
    assert reasons(batch) == {"marketPrice is not a number": 1}
    assert batch.cards is not None
    assert batch.cards["name"].to_pylist() == ["Lugia VSTAR", "Silver Tempest Booster Box"]
    assert f"{DAY}: tcgcsv has no prices of 1 set (Empty)" in source.warnings


def test_the_archive_goes_before_the_live_pages(
    live: Upstream, opened: Callable[..., TcgcsvSource]
) -> None:
    live.archive(DAY, {(3, 3170): [price(451396, 13.0, "Holofoil")]})

    assert only(opened().prices([DAY])).prices["market_price"].to_pylist() == [13.0]
    assert not any(path.endswith("/prices") for path in live.paths())


def test_prices_of_yesterday_are_not_sold_as_todays(
    live: Upstream, opened: Callable[..., TcgcsvSource]
) -> None:
    with pytest.raises(MissingAtSourceError, match="the latest prices are those of 2025-10-22"):
        list(opened().prices([date(2025, 10, 23)]))


@pytest.mark.parametrize(
    ("reply", "now", "last"),
    [
        (Reply(status=404), datetime(2025, 10, 23, 20, 15, tzinfo=UTC), date(2025, 10, 22)),
        (Reply(status=404), datetime(2025, 10, 23, 20, 45, tzinfo=UTC), date(2025, 10, 23)),
        (Reply(b"<html>"), datetime(2025, 10, 23, 1, 0, tzinfo=UTC), date(2025, 10, 22)),
        (
            Reply(b"2025-10-22T23:30:00-05:00"),
            datetime(2025, 10, 24, 1, 0, tzinfo=UTC),
            date(2025, 10, 23),
        ),
    ],
    ids=["before the update", "after the update", "html", "other zone"],
)
def test_the_latest_day_is_published_or_follows_the_schedule(
    upstream: Upstream, opened: Callable[..., TcgcsvSource], reply: Reply, now: datetime, last: date
) -> None:
    upstream.routes["/last-updated.txt"] = reply

    assert opened(now).available()[1] == last


@pytest.mark.parametrize(
    ("body", "cause"),
    [
        (Reply(b"<html>"), "the answer is not JSON; it begins with '<html>'"),
        (Reply(b"[1]"), "the answer has no list of results"),
        (
            Reply(b'{"success": false, "errors": ["x"], "results": []}'),
            "the answer reports a failure",
        ),
        (
            Reply(b'{"success": true, "errors": [], "results": []}'),
            "no live prices of categories 3, 85",
        ),
    ],
    ids=["html", "list", "failed", "empty"],
)
def test_unusable_live_pages_are_reported(
    live: Upstream, opened: Callable[..., TcgcsvSource], body: Reply, cause: str
) -> None:
    live.routes["/tcgplayer/3/groups"] = body

    with pytest.raises(SourceError, match=cause):
        list(opened().prices([DAY]))


def test_the_catalogue_of_today(live: Upstream, opened: Callable[..., TcgcsvSource]) -> None:
    cards = opened().catalog()

    assert cards.schema == CARD_SCHEMA
    assert cards["card_id"].to_pylist() == ["tcgplayer-451396-holofoil", "tcgplayer-7-normal"]


def test_odd_entries_of_the_catalogue_do_no_harm(
    live: Upstream, opened: Callable[..., TcgcsvSource]
) -> None:
    odd: list[Any] = [
        None,
        "x",
        {"productId": "7"},
        LUGIA | {"extendedData": "x", "name": 5, "imageUrl": 7},
    ]
    live.results("/tcgplayer/3/3170/products", odd)
    live.results(
        "/tcgplayer/3/groups",
        [None, {"groupId": "x"}, TEMPEST | {"publishedOn": "soon", "name": None}],
    )

    (lugia, _) = opened().catalog().to_pylist()

    assert (lugia["name"], lugia["released"], lugia["set_name"]) == (
        "tcgplayer-451396-holofoil",
        None,
        "TCGplayer group 3170",
    )


def test_the_public_service_is_asked_slowly() -> None:
    assert SourceSettings.read().pause() == 0.1
    assert SourceSettings.read(tcgcsv_url="http://127.0.0.1:1").pause() == 0.0
    assert SourceSettings.read(tcgcsv_pause=2.0).pause() == 2.0
