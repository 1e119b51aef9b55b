"""Replies of a faulty model server: each becomes a 502, and none is cached."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pokewatch.contract import DISTRIBUTION_WIDTH
from pokewatch.gateway.upstream.reply_checks import check_decisions, check_prices
from tests.gateway.conftest import Gateway
from tests.gateway.problems import assert_problem
from tests.gateway.tampering import Tamper, TamperingServer, at, column, rows_of

PRICES, DECISION = "/fair-price/infer", "/decision/infer"
BATCH: list[dict[str, Any]] = [
    {"card_id": "card_4"},
    {"card_id": "tcgplayer-5-normal"},
    {"card_id": "card_6", "market_price": 5.0},
    {"card_id": "card_4", "date": "2026-01-03"},
    {"card_id": "nobody"},
]


def swap(data: list[Any]) -> None:
    data[0], data[1] = data[1], data[0]


def first(value: Any) -> Callable[[list[Any]], None]:
    def alter(data: list[Any]) -> None:
        data[0] = value

    return alter


def doubled(content: dict[str, Any]) -> None:
    content["outputs"].append(content["outputs"][0])


def without(name: str) -> Tamper:
    def tamper(content: dict[str, Any]) -> None:
        content["outputs"] = [output for output in content["outputs"] if output["name"] != name]

    return tamper


FAULTS: dict[str, tuple[str, Tamper]] = {
    "two rows swapped": (PRICES, rows_of(swap)),
    "rows reversed": (PRICES, rows_of(list.reverse)),
    "a missing row": (PRICES, rows_of(list.pop)),
    "an extra row": (PRICES, rows_of(lambda data: data.append(data[0]))),
    "another card": (PRICES, rows_of(lambda data: first(data[1])(data))),
    "another card id": (
        PRICES,
        column("card_id", lambda data: data.__setitem__(1, "tcgplayer-9-normal")),
    ),
    "a numeric card id": (PRICES, column("card_id", first(4.0))),
    "a null card id": (PRICES, column("card_id", first(None))),
    "an empty card id": (PRICES, column("card_id", first(""))),
    "markup for a card id": (PRICES, column("card_id", first("<script>"))),
    "no card ids": (PRICES, without("card_id")),
    "a later day": (PRICES, column("date", lambda data: data.__setitem__(3, "2026-01-04"))),
    "another latest day": (PRICES, column("date", first("2026-01-04"))),
    "text for a day": (PRICES, column("date", first("soon"))),
    "an impossible day": (PRICES, column("date", first("2026-02-30"))),
    "a numeric day": (PRICES, column("date", first(20260105))),
    "an empty day": (PRICES, column("date", first(""))),
    "a day of an unknown card": (
        PRICES,
        column("date", lambda data: data.__setitem__(4, "2026-01-05")),
    ),
    "another offer": (PRICES, column("market_price", lambda data: data.__setitem__(2, 5.5))),
    "text for a price": (PRICES, column("fair_price", first("5"))),
    "a list for a price": (PRICES, column("fair_price", first([5]))),
    "true for a price": (PRICES, column("lower", first(True))),
    "an unknown status": (PRICES, column("status", first("fine"))),
    "a numeric status": (PRICES, column("status", first(1))),
    "a known card as unknown": (PRICES, column("status", first("unknown_card"))),
    "a repeated output": (PRICES, doubled),
    "no versions": (PRICES, at("parameters", value={})),
    "an empty version": (PRICES, at("parameters", "model_version", value="")),
    "a numeric version": (PRICES, at("parameters", "data_version", value=7)),
    "a reply to another request": (PRICES, at("id", value="other")),
    "no outputs": (PRICES, at("outputs", value=None)),
    "a list for an object": (PRICES, lambda content: [content]),
    "an unknown signal": (DECISION, column("signal", first("KEEP"))),
    "a null signal": (DECISION, column("signal", first(None))),
    "a signal without a deviation": (
        DECISION,
        column("signal", lambda data: data.__setitem__(4, "BUY")),
    ),
    "an unknown reason": (DECISION, column("reason", first("because"))),
    "text for a deviation": (DECISION, column("deviation_pct", first("0"))),
    "a confidence above one": (DECISION, column("confidence", first(1.5))),
    "a confidence below zero": (DECISION, column("confidence", first(-0.1))),
    "a missing decision": (DECISION, rows_of(list.pop)),
    "a decision for another request": (DECISION, at("id", value="other")),
}


@pytest.mark.integration
@pytest.mark.parametrize("fault", FAULTS)
def test_faulty_replies_are_refused(
    tampering_server: TamperingServer, behind: Gateway, fault: str
) -> None:
    end, tamper = FAULTS[fault]
    tampering_server.tampers[end] = lambda content: tamper(versioned(content))
    assert_problem(behind.post("/fair_price/batch", {"cards": BATCH}), 502, "upstream-fault")
    cards = [row["card_id"] for row in BATCH]
    inputs = [
        {"name": "card_id", "shape": [5], "datatype": "BYTES", "data": cards},
        {
            "name": "date",
            "shape": [5],
            "datatype": "BYTES",
            "data": [row.get("date", "") for row in BATCH],
        },
        {
            "name": "market_price",
            "shape": [5],
            "datatype": "FP64",
            "data": [row.get("market_price") for row in BATCH],
        },
    ]
    assert_problem(
        behind.post("/v2/models/pokewatch/infer", {"inputs": inputs}), 502, "upstream-fault"
    )
    versions = behind.app.assembly.markets.first.poller.versions
    assert versions is None or versions.model_version == "7"
    tampering_server.tampers.clear()
    found = behind.post("/fair_price/batch", {"cards": BATCH}).json()["predictions"]
    assert [row.get("card_id") for row in found] == [
        "tcgplayer-4-normal",
        "tcgplayer-5-normal",
        "tcgplayer-6-normal",
        "tcgplayer-4-normal",
        None,
    ]


def versioned(content: dict[str, Any]) -> dict[str, Any]:
    """Set another model version, which must not be recorded as served."""
    content["parameters"]["model_version"] = "8"
    return content


@pytest.mark.parametrize(
    ("name", "end", "tamper"),
    [
        ("tcgplayer-4-normal", PRICES, column("card_id", first("tcgplayer-9-normal"))),
        ("card_4", PRICES, column("slug", first("card_9"))),
        ("card_4", PRICES, without("slug")),
        ("card_4", PRICES, at("parameters", "model_version", value=8)),
        ("card_4", DECISION, column("signal", first("KEEP"))),
    ],
    ids=["another id", "another slug", "no slug", "no version", "an unknown signal"],
)
def test_faulty_replies_are_not_cached(
    tampering_server: TamperingServer, behind: Gateway, name: str, end: str, tamper: Tamper
) -> None:
    tampering_server.tampers[end] = lambda content: tamper(versioned(content))
    for _ in range(2):
        assert_problem(behind.post("/fair_price", {"card_id": name}), 502, "upstream-fault")
    tampering_server.tampers.clear()
    tampering_server.asked.clear()
    good = behind.post("/fair_price", {"card_id": name}).json()
    inferences = [path for path in tampering_server.asked if path.endswith("/infer")]
    assert len(inferences) == 2, "calls both models again"
    assert (good["card_id"], good["model_version"], good["stale"]) == (
        "tcgplayer-4-normal",
        "7",
        False,
    )
    tampering_server.tampers[end] = tamper
    again = behind.post("/fair_price", {"card_id": name}).json()
    assert again | {"request_id": ""} == good | {"request_id": ""}, (
        "the good answer is still cached"
    )


def test_a_faulty_signal_is_refused(tampering_server: TamperingServer, behind: Gateway) -> None:
    tampering_server.tampers[DECISION] = column("signal", first("KEEP"))
    assert_problem(
        behind.post("/signal", {"market_price": 90, "fair_price": 100}), 502, "upstream-fault"
    )


CARD, HISTORY = (
    {"card_id": "tcgplayer-9-normal", "slug": "card_9"},
    "/cards/card_4/history?from=2026-01-02&to=2026-01-04",
)
MOVERS = "/movers?price=low&limit=3&buy_threshold_pct=-0.2"


def short(content: dict[str, Any]) -> None:
    content["dates"].pop()


def backwards(content: dict[str, Any]) -> None:
    content["dates"].reverse()


def turned(content: dict[str, Any]) -> None:
    content["buy"][0]["deviation_pct"], content["buy"][-1]["deviation_pct"] = -0.2, -0.3


def repeated(content: dict[str, Any]) -> None:
    content["cards"][1] = content["cards"][0]


@pytest.mark.parametrize(
    ("path", "name", "tamper"),
    [
        ("/cards/card_4", "card", lambda content: content.update(CARD)),
        ("/cards/tcgplayer-4-normal", "card", lambda content: content.update(CARD)),
        ("/cards/card_4", "card", at("status", value="fine")),
        ("/cards/card_4", "card", at("date", value="soon")),
        ("/cards/card_4", "card", at("card_id", value="../x")),
        ("/cards/card_4", "card", at("image_url", value="javascript:alert(1)")),
        ("/cards/card_4", "card", at("image_url", value="http://example.com/4.png")),
        ("/cards/card_4", "card", at("fair_price", value="5")),
        ("/cards/card_4", "card", at("forecasts", 0, "horizon", value=30)),
        ("/cards/card_4", "card", at("forecasts", 0, "horizon", value=0)),
        ("/cards/card_4", "card", at("forecasts", 1, "date", value="2026-02-05")),
        ("/cards/card_4", "card", at("forecasts", 1, "lower", value=6.0)),
        ("/cards/card_4", "card", at("forecasts", 1, "status", value="fine")),
        ("/cards/card_4", "card", at("model_version", value="")),
        ("/cards/card_4", "card", at("data_version", value=None)),
        (HISTORY, "history", lambda content: content.update(CARD)),
        (HISTORY, "history", at("card_id", value="")),
        (HISTORY, "history", short),
        (HISTORY, "history", backwards),
        (HISTORY, "history", at("dates", 0, value="2026-01-01")),
        (HISTORY, "history", at("dates", 2, value="2026-01-05")),
        (HISTORY, "history", at("dates", 0, value="soon")),
        (HISTORY, "history", at("status", 0, value="fine")),
        ("/cards?limit=3", "search", repeated),
        ("/cards?limit=3", "search", at("cards", 0, "slug", value="")),
        ("/cards?limit=3", "search", at("next", value="tcgplayer-9-normal")),
        ("/cards?limit=3", "search", at("cards", 0, "date", value="2026-01-04")),
        ("/cards?limit=3", "search", lambda content: content["cards"].pop()),
        (
            "/cards?limit=3",
            "search",
            lambda content: content["cards"].append({**content["cards"][0], **CARD}),
        ),
        (MOVERS, "movers", at("price", value="market")),
        (MOVERS, "movers", at("buy", 0, "signal", value="SELL")),
        (MOVERS, "movers", at("buy", 2, "deviation_pct", value=-0.1)),
        (MOVERS, "movers", at("date", value="2026-01-04")),
        (MOVERS, "movers", at("buy", 0, "advice", value="sell everything")),
        (MOVERS, "movers", turned),
        (MOVERS, "movers", lambda content: content["buy"].append({**content["buy"][-1], **CARD})),
    ],
)
def test_faulty_catalogue_replies_are_refused(
    tampering_server: TamperingServer, behind: Gateway, path: str, name: str, tamper: Tamper
) -> None:
    def altered(content: dict[str, Any]) -> None:
        content["model_version"] = "8"
        tamper(content)  # its return value does not matter

    tampering_server.tampers[f"/catalog/{name}"] = altered
    assert_problem(behind.get(path), 502, "upstream-fault")
    versions = behind.app.assembly.markets.first.poller.versions
    assert versions is None or versions.model_version == "7"
    tampering_server.tampers.clear()
    good = behind.get(path).json()
    assert (good["model_version"], good["stale"]) == ("7", False)


@pytest.mark.parametrize(
    ("model", "tamper"),
    [
        ("fair-price", at("model_name", value="decision")),
        ("fair-price", at("id", value="other")),
        ("fair-price", without("status")),
        ("fair-price", rows_of(list.pop)),
        ("fair-price", column("status", first("fine"))),
        ("fair-price", column("fair_price", first("5"))),
        ("fair-price", column("fair_price", first([5]))),
        ("fair-price", column("card_id", first(["card_4"]))),
        ("fair-price", column("card_id", first("<script>"))),
        ("fair-price", column("date", first("soon"))),
        ("fair-price", column("date", first("2026-01-04"))),
        ("fair-price", lambda content: []),
        ("decision", column("signal", first("KEEP"))),
    ],
)
def test_faulty_passthrough_replies_are_refused(
    tampering_server: TamperingServer, behind: Gateway, model: str, tamper: Tamper
) -> None:
    columns: dict[str, dict[str, list[Any]]] = {
        "fair-price": {"card_id": ["card_4", "card_5"], "date": ["2026-01-03", ""]},
        "decision": {"market_price": [9.0, 9.0], "fair_price": [10.0, 10.0]},
    }
    kinds = {"card_id": "BYTES", "date": "BYTES"}
    inputs = [
        {"name": name, "shape": [2], "datatype": kinds.get(name, "FP64"), "data": data}
        for name, data in columns[model].items()
    ]
    outputs = ["card_id", "date", "fair_price", "status"] if model == "fair-price" else ["signal"]
    body = {"id": "mine", "inputs": inputs, "outputs": [{"name": name} for name in outputs]}
    assert behind.post(f"/v2/models/{model}/infer", body).status_code == 200
    tampering_server.tampers[f"/{model}/infer"] = tamper
    assert_problem(behind.post(f"/v2/models/{model}/infer", body), 502, "upstream-fault")


def prices_of(cards: list[str], by_slug: list[bool]) -> tuple[dict[str, list[Any]], list[str]]:
    found: dict[str, list[Any]] = {
        name: [1.0] * len(cards) for name in ("market_price", "fair_price", "lower", "upper")
    }
    ids, slugs = [f"id-{card}" for card in cards], [f"slug_{card}" for card in cards]
    texts: dict[str, list[Any]] = {
        "card_id": ids,
        "slug": slugs,
        "date": ["2026-01-05"] * len(cards),
        "status": ["ok"] * len(cards),
        "distribution": [0.5] * DISTRIBUTION_WIDTH * len(cards),
    }
    return {**found, **texts}, [
        slug if by else card for slug, card, by in zip(slugs, ids, by_slug, strict=True)
    ]


@given(st.data())
def test_reordered_rows_are_detected(data: st.DataObject) -> None:
    cards = data.draw(st.lists(st.sampled_from("abcdef"), min_size=1, max_size=8))
    by_slug = data.draw(st.lists(st.booleans(), min_size=len(cards), max_size=len(cards)))
    order = data.draw(st.permutations(range(len(cards))))
    found, names = prices_of(cards, by_slug)
    shuffled = {name: [values[at] for at in order] for name, values in found.items()}
    days, offers = [""] * len(cards), [None] * len(cards)
    check_prices(found, names, days, offers)
    if [cards[at] for at in order] == cards:
        check_prices(shuffled, names, days, offers)
    else:
        with pytest.raises(ValueError, match="card_id"):
            check_prices(shuffled, names, days, offers)


def test_a_status_other_than_ok_requires_hold() -> None:
    found: dict[str, list[Any]] = {
        "signal": ["BUY"],
        "reason": ["below_threshold"],
        "deviation_pct": [-0.2],
        "confidence": [None],
        "buy_below": [1.0],
        "sell_above": [2.0],
        "chance_to_earn": [0.5],
        "advice": ["ok"],
    }
    check_decisions(found, ["ok"])
    faults: list[tuple[str, Any]] = [
        ("advice", "maybe"),
        ("chance_to_earn", 1.5),
        ("buy_below", "1.0"),
    ]
    for name, wrong in faults:
        with pytest.raises(ValueError, match=name):
            check_decisions({**found, name: [wrong]}, ["ok"])
    with pytest.raises(ValueError, match="signal"):
        check_decisions(found, ["stale_price"])
