import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from pokewatch.errors import QualityError
from pokewatch.market.collect import collect
from pokewatch.market.collect_report import CollectReport
from pokewatch.market.lake import Lake
from pokewatch.market.sources import REJECTED_SCHEMA
from tests.market.three_days import CARDS, DAYS, FIRST, LATER, day_rows, fingerprint, source
from tests.market.upstream import Upstream, price


def test_days_reach_the_lake_with_their_cards(served: Upstream, lake: Lake) -> None:
    done: list[int] = []

    report = collect(source(served), lake, DAYS, progress=done.append)

    assert lake.days() == report.written == DAYS
    assert sum(done) == len(DAYS)
    assert report.rows == 3 * CARDS
    assert report.warnings == []
    assert lake.day(DAYS[1])["market_price"].to_pylist() == [
        row["marketPrice"]
        for row in sorted(day_rows(DAYS[1]), key=lambda row: f"tcgplayer-{row['productId']}-normal")
    ]
    assert lake.catalog()["name"].to_pylist()[:2] == ["Card 1", "Card 10"]
    assert json.loads(json.dumps(report.to_json()))["written"][0] == "2025-10-22"


def test_the_same_days_again_change_nothing_and_ask_nothing(served: Upstream, lake: Lake) -> None:
    collect(source(served), lake, DAYS[:2])
    before, asked = fingerprint(lake), len(served.requests)

    report = collect(source(served, datetime(2026, 1, 1, tzinfo=UTC)), lake, DAYS[:2])

    assert (report.written, report.unchanged) == ([], DAYS[:2])
    assert fingerprint(lake) == before
    assert len(served.requests) == asked


def test_refreshing_asks_again_and_replaces_what_differs(served: Upstream, lake: Lake) -> None:
    collect(source(served), lake, DAYS[:2])
    before = fingerprint(lake)
    changed = day_rows(DAYS[1])
    changed[0]["marketPrice"] = 1.23
    served.archive(DAYS[1], {(3, 1): changed})

    report = collect(source(served, datetime(2026, 1, 1, tzinfo=UTC)), lake, DAYS[:2], refresh=True)

    assert report.written == [DAYS[1]]
    assert lake.day(DAYS[1])["market_price"].to_pylist()[0] == 1.23
    after = fingerprint(lake)
    assert {name for name in before if before[name] != after[name]} == {
        "raw/prices/2025-10-23/part.parquet"
    }


def test_bad_rows_are_quarantined_and_counted(served: Upstream, lake: Lake) -> None:
    bad = [price(901, -5.0), price(902, 5e9), price(1, 3.0)]
    served.archive(FIRST, {(3, 1): day_rows(FIRST) + bad})

    report = collect(source(served), lake, [FIRST])

    assert dict(report.quarantined) == {
        "market_price is not positive": 1,
        "market_price is not a price up to 1,000,000": 1,
        "another row has the same card and date": 1,
    }
    assert report.first_quarantined == {
        "market_price is not positive": f"tcgplayer-901-normal on {FIRST}: '-5.0'",
        "market_price is not a price up to 1,000,000": f"tcgplayer-902-normal on {FIRST}: "
        "'5000000000.0'",
        "another row has the same card and date": f"tcgplayer-1-normal on {FIRST}",
    }
    assert lake.day(FIRST).num_rows == CARDS
    assert lake.quarantined(FIRST).num_rows == 3
    assert json.loads(lake.quarantined(FIRST)["row"][0].as_py())["market_price"] == -5.0


def test_half_a_catalogue_is_held_back_and_collected_when_whole(
    served: Upstream, lake: Lake
) -> None:
    served.archive(DAYS[1], {(3, 1): day_rows(DAYS[1], CARDS // 2)})

    report = collect(source(served), lake, DAYS[:3])

    assert lake.days() == [DAYS[0], DAYS[2]]
    assert report.warnings == []
    with pytest.raises(QualityError) as caught:
        report.require_no_held()
    assert (
        "held back 1 of 3 days: what was collected of a held day is not in the lake. "
        "coverage is 50.0% on 2025-10-23, wanted at least 90.0%" in str(caught.value)
    )

    served.archive(DAYS[1], {(3, 1): day_rows(DAYS[1])})
    again = collect(source(served, LATER), lake, DAYS[:3])
    again.require_no_held()
    assert lake.days() == DAYS[:3]


def without_prices(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row | {"marketPrice": None} for row in rows]


def test_a_day_of_null_prices_is_held_and_collected_later(served: Upstream, lake: Lake) -> None:
    served.archive(DAYS[0], {(3, 1): without_prices(day_rows(DAYS[0]))})
    served.archive(DAYS[1], {(3, 1): day_rows(DAYS[1])})
    served.archive(
        DAYS[2], {(3, 1): day_rows(DAYS[2])[:40] + without_prices(day_rows(DAYS[2]))[40:]}
    )

    report = collect(source(served), lake, DAYS)

    assert (report.written, sorted(report.held)) == ([DAYS[1]], [DAYS[0], DAYS[2]])
    served.archive(DAYS[2], {(3, 1): day_rows(DAYS[2])})
    assert collect(source(served, LATER), lake, DAYS).written == [DAYS[2]]


def test_a_set_without_prices_is_reported(served: Upstream, lake: Lake) -> None:
    for day, last in zip(DAYS[:3], (CARDS, 0, 0), strict=True):
        small = day_rows(day)[CARDS - 10 : last]
        served.archive(day, {(3, 1): day_rows(day)[: CARDS - 10], (3, 2): small})

    report = collect(source(served), lake, DAYS[:3])

    assert report.written == DAYS[:3]
    assert (
        "2 days, 2025-10-23 to 2025-10-24: no prices for set TCGplayer group 2, which had some on "
        "the last 8 days before; collect the days again with --refresh" in report.warnings
    )


def test_a_frozen_printing_and_slips_are_reported_and_the_days_are_kept(
    served: Upstream, lake: Lake
) -> None:
    def rows(day: date, frozen: bool) -> list[dict[str, Any]]:
        foils = day_rows(FIRST if frozen else day)
        return day_rows(day) + [row | {"subTypeName": "Holofoil"} for row in foils]

    later = FIRST + timedelta(days=3)
    for day in (*DAYS, later):
        served.archive(day, {(3, 1): rows(day, frozen=day >= DAYS[2])})
    last = rows(later, frozen=True)
    for number in range(3):
        last[number]["marketPrice"] *= 100
    served.archive(later, {(3, 1): last})

    report = collect(source(served), lake, [DAYS[0], DAYS[2], later])

    assert (report.written, report.held) == ([DAYS[0], DAYS[2], later], {})
    frozen, slips = report.warnings[:2]
    assert frozen == (
        "2025-10-24: printing Holofoil: none of 150 prices changed, about 60 usually do"
    )
    assert slips.startswith(
        "2025-10-25: 3 prices changed twentyfold or more "
        "(3 about a hundredfold: cents for dollars?): tcgplayer-2-normal from 2.00 to 201.00, "
    )
    assert lake.day(later).num_rows == 2 * CARDS


def test_a_second_currency_or_scale_never_enters_a_lake(served: Upstream, lake: Lake) -> None:
    collect(source(served), lake, DAYS[:1])
    long_after = FIRST + timedelta(days=60)
    euros = [row | {"marketPrice": row["marketPrice"] * 100} for row in day_rows(DAYS[1])]
    served.archive(long_after, {(3, 1): euros})
    now = datetime(2026, 1, 27, 1, tzinfo=UTC)

    report = collect(source(served, now), lake, [long_after])

    assert {check.name for check in report.held[long_after] if not check.passed} == {
        "level",
        "scale",
    }
    assert lake.days() == DAYS[:1]


def test_a_refreshed_day_that_lacks_prices_leaves_the_old_one(served: Upstream, lake: Lake) -> None:
    collect(source(served), lake, DAYS[:2])
    before = fingerprint(lake)
    served.archive(DAYS[1], {(3, 1): day_rows(DAYS[1])[: CARDS - 3]})

    report = collect(source(served, LATER), lake, DAYS[1:2], refresh=True)

    assert [check.name for check in report.held[DAYS[1]] if not check.passed] == ["refresh"]
    assert fingerprint(lake) == before


def test_a_bad_day_never_replaces_a_good_one(served: Upstream, lake: Lake) -> None:
    collect(source(served), lake, DAYS[:2])
    before = fingerprint(lake)
    served.archive(DAYS[1], {(3, 1): [row | {"marketPrice": -1.0} for row in day_rows(DAYS[1])]})

    report = collect(source(served, LATER), lake, DAYS[:2], refresh=True)

    assert list(report.held) == [DAYS[1]]
    assert {check.name for check in report.held[DAYS[1]] if not check.passed} == {
        "prices",
        "quarantine",
        "coverage",
        "refresh",
    }
    assert fingerprint(lake) == before


def test_names_come_when_the_catalogue_does(served: Upstream, lake: Lake) -> None:
    groups = served.routes.pop("/tcgplayer/3/groups")
    report = collect(source(served), lake, DAYS[:1])
    assert "no name yet for 150 of 150 cards; ids are used as names" in report.warnings

    served.routes["/tcgplayer/3/groups"] = groups
    collect(source(served), lake, DAYS[:2])
    assert set(lake.catalog()["name"].to_pylist()) == {f"Card {n}" for n in range(1, CARDS + 1)}

    del served.routes["/tcgplayer/3/groups"]
    named = lake.catalog()
    collect(source(served), lake, DAYS[:3])
    assert lake.catalog().equals(named)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"productId": 7, "marketPrice": "12,50"}, "marketPrice is not a number"),
        ({"productId": "7x", "marketPrice": 2}, "productId is not a positive whole number"),
    ],
)
def test_a_row_that_is_rejected_before_it_has_a_card_is_shown(
    served: Upstream, lake: Lake, row: dict[str, object], reason: str
) -> None:
    bad = {"subTypeName": "Normal", **row}
    served.archive(FIRST, {(3, 1): [*day_rows(FIRST), bad]})
    report = collect(source(served), lake, [FIRST])
    assert report.first_quarantined == {reason: repr(json.dumps(bad))}


def test_a_rejected_row_that_is_no_object_is_described_by_its_card() -> None:
    rows = {"date": [FIRST], "card_id": ["a"], "row": ['"cut"'], "reason": ["price is none"]}
    report = CollectReport("file", (FIRST,))
    report.count_quarantined(pa.table(rows, schema=REJECTED_SCHEMA))
    assert report.first_quarantined == {"price is none": f"a on {FIRST}"}
