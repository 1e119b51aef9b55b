"""Requests to PokemonPriceTracker, and what is made of the answers."""

import json
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from pokewatch.errors import MissingAtSourceError, SettingsError, SourceError
from pokewatch.market.collect import collect
from pokewatch.market.lake import Lake
from pokewatch.market.sources.pokemon_price_tracker import PokemonPriceTrackerSource
from pokewatch.settings import SourceSettings
from tests.market.sources.price_tracker import KEY, NOW, card, opened
from tests.market.upstream import Reply, Request, Upstream

__all__ = ["opened"]


def test_a_nested_history_becomes_days(
    upstream: Upstream, opened: Callable[..., PokemonPriceTrackerSource]
) -> None:
    upstream.json("/cards", {"data": [card(days={"2025-11-25": 455.0, "2025-11-26": 460.0})]})

    source = opened()
    batches = list(source.prices([date(2025, 11, 27), date(2025, 11, 25), date(2025, 11, 26)]))

    rows = [row for batch in batches for row in batch.prices.to_pylist()]
    assert [
        (row["card_id"], row["date"].day, row["market_price"], row["volume"], row["currency"])
        for row in rows
    ] == [
        ("tcgplayer-642623-holofoil", 25, 455.0, 3, "USD"),
        ("tcgplayer-642623-holofoil", 26, 460.0, 3, "USD"),
        ("tcgplayer-642623-holofoil", 27, 462.85, None, "USD"),
    ]
    (described,) = source.catalog().to_pylist()
    assert (described["name"], described["slug"], described["set_name"], described["rarity"]) == (
        "Zekrom ex",
        "zekrom_ex_172",
        "Black Bolt",
        "Rare",
    )
    asked = upstream.requests[-1]
    assert asked.headers["Authorization"] == f"Bearer {KEY}"
    assert asked.query == {
        "setId": ["s1"],
        "fetchAllInSet": ["true"],
        "includeHistory": ["true"],
        "days": ["3"],
        "language": ["english"],
    }


def test_one_object_is_a_list_of_one(
    upstream: Upstream, opened: Callable[..., PokemonPriceTrackerSource]
) -> None:
    upstream.json("/cards", {"data": card()})

    assert opened().catalog()["card_id"].to_pylist() == ["tcgplayer-642623-holofoil"]


def test_printings_have_histories_of_their_own(
    upstream: Upstream, opened: Callable[..., PokemonPriceTrackerSource]
) -> None:
    near_mint = {
        "Near Mint": {"history": [{"date": "2025-11-26", "market": 1.0, "volume": None}]},
        "Damaged": {"history": [{}]},
    }
    upstream.json(
        "/cards",
        {
            "data": [
                card(
                    priceHistory={"variants": {"Normal": near_mint, "Reverse Holofoil": near_mint}}
                )
            ]
        },
    )

    (batch,) = opened().prices([date(2025, 11, 26)])

    assert batch.prices["card_id"].to_pylist() == [
        "tcgplayer-642623-normal",
        "tcgplayer-642623-reverse-holofoil",
    ]


def test_a_history_of_another_structure_is_reported(
    upstream: Upstream, opened: Callable[..., PokemonPriceTrackerSource]
) -> None:
    upstream.json("/cards", {"data": [card(priceHistory={"byCondition": {}}), card(2)]})

    (batch,) = opened().prices([date(2025, 11, 27)])

    reasons = batch.rejected["reason"].to_pylist()
    assert reasons == ["priceHistory has neither variants nor conditions"]


def test_only_the_named_sets_are_asked_for(
    upstream: Upstream, opened: Callable[..., PokemonPriceTrackerSource]
) -> None:
    upstream.json("/cards", {"data": [card()]})

    opened(pokemon_price_sets="a,b", pokemon_price_language="japanese").catalog()

    assert [
        (request.path, request.query["setId"], request.query["language"])
        for request in upstream.requests
    ] == [
        ("/cards", ["a"], ["japanese"]),
        ("/cards", ["b"], ["japanese"]),
    ]


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({"date": "2025-11-26", "market": "5", "volume": 1}, "market is not a number"),
        ({"date": "yesterday", "market": 5.0, "volume": 1}, "the date is not a day"),
        ({"date": None, "market": 5.0}, "the date is not a day"),
        ("x", "the date is not a day"),
    ],
)
def test_bad_entries_are_rejected_with_the_reason(
    upstream: Upstream, opened: Callable[..., PokemonPriceTrackerSource], entry: Any, reason: str
) -> None:
    history = {
        "conditions": {
            "Near Mint": {"history": [{"date": "2025-11-26", "market": 5.0, "volume": None}, entry]}
        }
    }
    upstream.json(
        "/cards", {"data": [card(priceHistory=history), "no card", card(0, tcgPlayerId=None)]}
    )

    (batch,) = opened().prices([date(2025, 11, 26)])

    assert batch.prices.num_rows == 1
    assert sorted(batch.rejected["reason"].to_pylist()) == sorted(
        [reason, *["the card has no tcgPlayerId"] * 2]
    )


@pytest.mark.parametrize(
    ("marked", "count"),
    [
        ({"currency": "EUR"}, 0),
        ({"prices": {"currency": "eur", "market": 5.0}}, 0),
        ({"currency": "usd", "prices": {"currency": None}}, 1),
    ],
)
def test_a_card_in_another_currency_is_rejected(
    upstream: Upstream,
    opened: Callable[..., PokemonPriceTrackerSource],
    marked: dict[str, Any],
    count: int,
) -> None:
    days = {"2025-11-26": 5.0}
    upstream.json("/cards", {"data": [card(1, days=days), card(2, days=days, **marked)]})

    (batch,) = opened().prices([date(2025, 11, 26)])

    assert batch.prices.num_rows == 1 + count
    reasons = ["the currency is not USD"] * (1 - count)
    assert batch.rejected["reason"].to_pylist() == reasons


@pytest.mark.parametrize("volume", [-1, 1.5, "many", True, 2**31, [3]])
def test_a_number_of_sales_that_is_none_costs_itself_and_not_the_price(
    upstream: Upstream,
    opened: Callable[..., PokemonPriceTrackerSource],
    tmp_path: Path,
    volume: Any,
) -> None:
    entry = {"date": "2025-11-26", "market": 5.0, "volume": volume}
    history = {"conditions": {"Near Mint": {"history": [entry]}}}
    upstream.json("/cards", {"data": [card(priceHistory=history)]})
    lake = Lake(tmp_path)

    report = collect(opened(), lake, [date(2025, 11, 26)])

    found = lake.day(date(2025, 11, 26)).select(["market_price", "volume"])
    assert found.to_pylist() == [{"market_price": 5.0, "volume": None}]
    assert report.cleaned == {"volume is not a number of sales: left empty": 1}


@pytest.mark.parametrize(
    ("status", "cause"),
    [
        (401, "answered 401 Unauthorized: the key in POKEMON_PRICE_API_KEY is not accepted"),
        (403, "answered 403 Forbidden: the plan of the key"),
        (
            429,
            r"answered 429 Too Many Requests: the limit of the plan .*; gave up after 2 attempts",
        ),
        (500, "answered 500 Internal Server Error; gave up after 2 attempts"),
    ],
)
def test_refusals_are_reported_without_the_key(
    upstream: Upstream, opened: Callable[..., PokemonPriceTrackerSource], status: int, cause: str
) -> None:
    upstream.routes["/cards"] = Reply(status=status)

    with pytest.raises(SourceError, match=cause) as caught:
        list(opened().prices([date(2025, 11, 26)]))
    assert KEY not in str(caught.value)


def test_a_set_that_is_gone_is_a_warning(
    upstream: Upstream, opened: Callable[..., PokemonPriceTrackerSource]
) -> None:
    source = opened()

    with pytest.raises(
        MissingAtSourceError,
        match="no prices for 2025-11-26: the sets s1 were not found",
    ):
        list(source.prices([date(2025, 11, 26)]))
    assert source.warnings == [
        f"pokemon_price_tracker: {upstream.url}/cards: answered 404 Not Found: "
        "the cards of set s1 are missing"
    ]


def test_the_set_that_fails_is_named(
    upstream: Upstream, opened: Callable[..., PokemonPriceTrackerSource]
) -> None:
    upstream.routes["/cards"] = Reply(status=500)

    with pytest.raises(SourceError, match=r"/cards: set s1: answered 500 .*; gave up after 2"):
        opened().catalog()


def _sets(
    upstream: Upstream, failing: dict[str, Reply], sets: Sequence[str]
) -> Callable[[Request], Reply]:
    """Let the server have `sets`, each of one card, of which `failing` are answered so."""

    def answer(request: Request) -> Reply:
        (set_id,) = request.query["setId"]
        found = card(100 + sets.index(set_id), days={"2025-11-26": 5.0}, setId=set_id)
        return failing.get(set_id) or Reply(json.dumps({"data": [found]}).encode())

    upstream.json("/sets", {"data": [{"id": set_id} for set_id in sets]})
    upstream.routes["/cards"] = answer
    return answer


@pytest.mark.parametrize(
    "reply",
    [Reply(status=503), Reply(b'{"success": false, "error": "busy"}'), Reply(b'{"data": [')],
    ids=["unavailable", "a failure with 200", "breaks off"],
)
def test_a_set_that_fails_costs_only_itself_and_is_named(
    upstream: Upstream,
    opened: Callable[..., PokemonPriceTrackerSource],
    tmp_path: Path,
    reply: Reply,
) -> None:
    _sets(upstream, failing := {"s2": reply}, ["s1", "s2", "s3"])
    lake, days = Lake(tmp_path), [date(2025, 11, 26)]

    report = collect(opened(), lake, days)

    assert lake.day(days[0]).num_rows == 2
    (warning,) = [each for each in report.warnings if "s2" in each]
    assert warning.startswith("the prices of 1 set (s2) are missing (pokemon_price_tracker: ")
    assert warning.endswith("; collect the days again with --refresh")

    failing.clear()
    report = collect(opened(), lake, days, refresh=True)

    assert lake.day(days[0]).num_rows == 3
    assert not any("are missing" in each for each in report.warnings)


def test_a_set_that_fails_is_requested_again_after_the_others(
    upstream: Upstream, opened: Callable[..., PokemonPriceTrackerSource]
) -> None:
    answer = _sets(upstream, failing := {"s1": Reply(b"{}")}, ["s1", "s2", "s3"])

    def recovering(request: Request) -> Reply:
        if request.query["setId"] == ["s3"]:
            failing.clear()
        return answer(request)

    upstream.routes["/cards"] = recovering
    source = opened()

    (batch,) = source.prices([date(2025, 11, 26)])

    assert batch.prices.num_rows == 3
    assert source.warnings == []


@pytest.mark.parametrize(
    ("failing", "status", "requested", "cause"),
    [
        (2, 404, 9, ""),
        (4, 418, 13, ""),
        (5, 418, 6, r"answered 418 .* \(5 sets failed\)"),
        (1, 401, 2, "set s0: answered 401 Unauthorized: the key"),
        (1, 403, 2, "set s0: answered 403 Forbidden: the plan"),
    ],
    ids=["gone", "four", "five in a row", "key", "plan"],
)
def test_sets_are_requested_until_too_many_fail(
    upstream: Upstream,
    opened: Callable[..., PokemonPriceTrackerSource],
    failing: int,
    status: int,
    requested: int,
    cause: str,
) -> None:
    sets = [f"s{number}" for number in range(8)]
    _sets(upstream, {set_id: Reply(status=status) for set_id in sets[:failing]}, sets)

    if cause:
        with pytest.raises(SourceError, match=cause):
            list(opened().prices([date(2025, 11, 26)]))
    else:
        (batch,) = opened().prices([date(2025, 11, 26)])
        assert batch.prices.num_rows == 8 - failing
    assert len(upstream.requests) == requested


def test_nothing_is_collected_without_most_sets(
    upstream: Upstream, opened: Callable[..., PokemonPriceTrackerSource]
) -> None:
    _sets(upstream, {"s1": Reply(status=418), "s3": Reply(status=418)}, ["s1", "s2", "s3"])

    with pytest.raises(SourceError, match=r"set s3: answered 418 .* \(2 sets failed\)"):
        list(opened().prices([date(2025, 11, 26)]))


def test_sets_that_are_not_found_are_requested_once_not_for_each_day(
    upstream: Upstream, opened: Callable[..., PokemonPriceTrackerSource], tmp_path: Path
) -> None:
    del upstream.routes["/sets"]

    with pytest.raises(SourceError, match="/sets: answered 404 Not Found"):
        collect(opened(), Lake(tmp_path / "lake"), [date(2025, 11, day) for day in range(20, 27)])
    assert upstream.paths() == ["/sets"]


@pytest.mark.parametrize(
    ("sets", "cause"),
    [([], "no sets"), ([{"id": 1.5}, "s1"], "none of 2 sets has an id")],
    ids=["none", "without ids"],
)
def test_without_sets_the_cause_is_not_the_plan(
    upstream: Upstream, opened: Callable[..., PokemonPriceTrackerSource], sets: Any, cause: str
) -> None:
    upstream.json("/sets", {"data": sets})

    with pytest.raises(SourceError, match=f"/sets: {cause}$"):
        list(opened().prices([date(2025, 11, 26)]))


def test_sets_without_an_id_are_reported_and_repeated_ones_requested_once(
    upstream: Upstream, opened: Callable[..., PokemonPriceTrackerSource]
) -> None:
    upstream.json("/sets", {"data": [{"id": "s1"}, {"id": None}, {"id": "s1"}]})
    upstream.json("/cards", {"data": [card()]})
    source = opened()

    assert source.catalog().num_rows == 1
    assert upstream.paths() == ["/sets", "/cards"]
    assert source.warnings == [
        f"pokemon_price_tracker: {upstream.url}/sets: 1 of 3 sets have no id: their prices are "
        "missing"
    ]


def test_an_answer_that_repeats_the_key_is_shown_without_it(
    upstream: Upstream, opened: Callable[..., PokemonPriceTrackerSource]
) -> None:
    padding = "x" * (57 - len(KEY))  # the end of the key is beyond the part that is shown
    upstream.routes["/cards"] = Reply(f"{padding}: {KEY} is unknown".encode())

    with pytest.raises(SourceError, match=r"begins with 'x*: \*\*\*") as caught:
        opened().catalog()
    assert KEY[:6] not in str(caught.value)


def test_a_changed_schema_is_the_cause_not_the_plan(
    upstream: Upstream, opened: Callable[..., PokemonPriceTrackerSource]
) -> None:
    changed = {name: value for name, value in card().items() if name != "tcgPlayerId"}
    upstream.json("/cards", {"data": [changed, changed, "no card"]})

    cause = "no prices for 2025-11-26: 3 rows were rejected: the card has no tcgPlayerId"
    with pytest.raises(MissingAtSourceError, match=cause):
        list(opened().prices([date(2025, 11, 26)]))


def test_a_day_of_which_every_row_is_bad_is_held_with_its_rows_in_quarantine(
    upstream: Upstream, opened: Callable[..., PokemonPriceTrackerSource], tmp_path: Path
) -> None:
    day, lake = date(2025, 11, 26), Lake(tmp_path / "lake")
    upstream.json("/cards", {"data": [card(days={f"{day}": "462.85"})]})

    report = collect(opened(), lake, [day], today=NOW.date())

    assert list(report.held) == [day]
    assert lake.quarantined(day)["reason"].to_pylist() == ["market is not a number"]


@pytest.mark.parametrize(
    "body", [Reply(b"<html>"), Reply(b"[]"), Reply(b'{"data": null}'), Reply(b'{"data": "x"}')]
)
def test_other_answers_are_reported(
    upstream: Upstream, opened: Callable[..., PokemonPriceTrackerSource], body: Reply
) -> None:
    upstream.routes["/cards"] = body

    with pytest.raises(SourceError, match=r"the answer has no data|not JSON"):
        opened().catalog()


def test_a_key_is_needed(
    opened: Callable[..., PokemonPriceTrackerSource], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("POKEMON_PRICE_API_KEY")

    with pytest.raises(
        SettingsError,
        match="POKEMON_PRICE_API_KEY is not set; the source `pokemon_price_tracker` needs",
    ):
        opened()


def test_the_key_masks_itself(opened: Callable[..., PokemonPriceTrackerSource]) -> None:
    source = opened()

    assert SourceSettings.read().pokemon_price_api_key == SecretStr(KEY)
    assert KEY not in repr(SourceSettings.read()) + repr(source) + repr(source._pages._http)


def test_a_key_may_end_with_a_line_break(
    upstream: Upstream,
    opened: Callable[..., PokemonPriceTrackerSource],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("POKEMON_PRICE_API_KEY", f" {KEY}\r\n")
    upstream.json("/cards", {"data": [card()]})

    assert opened().catalog().num_rows == 1
    assert upstream.requests[0].headers["Authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize("inside", [" ", "\n", "\t", "é", "\x7f"])
def test_a_key_that_cannot_be_sent_is_refused_without_being_shown(
    opened: Callable[..., PokemonPriceTrackerSource],
    monkeypatch: pytest.MonkeyPatch,
    inside: str,
) -> None:
    monkeypatch.setenv("POKEMON_PRICE_API_KEY", f"{KEY}{inside}{KEY}")

    with pytest.raises(SettingsError, match="set the key alone") as caught:
        opened()
    assert KEY not in str(caught.value)


def test_volume_reaches_the_lake(
    upstream: Upstream, opened: Callable[..., PokemonPriceTrackerSource], tmp_path: Any
) -> None:
    upstream.json("/cards", {"data": [card(days={"2025-11-25": 455.0, "2025-11-26": 460.0})]})
    lake = Lake(tmp_path)

    report = collect(opened(), lake, [date(2025, 11, 24), date(2025, 11, 25), date(2025, 11, 26)])

    assert (report.missing, report.written) == (
        [date(2025, 11, 24)],
        [date(2025, 11, 25), date(2025, 11, 26)],
    )
    assert lake.day(date(2025, 11, 26))["volume"].to_pylist() == [3]
    assert lake.catalog()["slug"].to_pylist() == ["zekrom_ex_172"]
    assert sum(path == "/cards" for path in upstream.paths()) == 1
