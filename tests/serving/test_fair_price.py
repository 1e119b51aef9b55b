import pytest

from tests.serving.server import Server, columns, infer, tensor
from tests.serving.triton import ask


def test_latest_by_id_and_by_slug(server: Server) -> None:
    response = infer(
        server, "fair-price", tensor("card_id", ["tcgplayer-4-normal", "card_5"]), id="one"
    )
    assert response.json()["id"] == "one"
    assert columns(response) == {
        "card_id": ["tcgplayer-4-normal", "tcgplayer-5-normal"],
        "date": ["2026-01-05", "2026-01-05"],
        "market_price": [5.04, 6.04],
        "fair_price": [5.04, 6.04],
        "lower": [4.032, 4.832],
        "upper": [6.3, 7.55],
        "status": ["ok", "ok"],
    }


def test_responses_carry_the_versions(server: Server) -> None:
    parameters = infer(server, "fair-price", tensor("card_id", ["card_5"])).json()["parameters"]
    assert (parameters["model_version"], parameters["data_version"], parameters["run_id"]) == (
        "7",
        "dv-1",
        "run-1",
    )


def test_a_date_selects_the_last_day_up_to_it(server: Server) -> None:
    dates = ["2026-01-02", "", "2026-05-05", "2025-12-31", "soon", "2026-02-30"]
    found = columns(
        infer(server, "fair-price", tensor("card_id", ["card_0"] * 6), tensor("date", dates))
    )
    assert found["date"] == ["2026-01-02", "2026-01-05", "2026-01-05", "", "", ""]
    assert found["market_price"] == [1.01, 1.04, 1.04, None, None, None]
    assert found["status"] == ["ok", "ok", "ok", "unknown_date", "unknown_date", "unknown_date"]


def test_a_row_that_cannot_be_valued_fails_alone(server: Server) -> None:
    found = columns(infer(server, "fair-price", tensor("card_id", ["card_0", "nobody", "card_1"])))
    assert found["status"] == ["ok", "unknown_card", "thin_history"]
    assert found["card_id"] == ["tcgplayer-0-normal", "nobody", "tcgplayer-1-normal"]
    assert found["fair_price"] == [1.04, None, None]
    assert found["market_price"] == [1.04, None, 2.04]
    assert found["date"] == ["2026-01-05", "", "2026-01-05"]


def test_an_offered_price_replaces_the_market_price(server: Server) -> None:
    offers = tensor("market_price", [0.5, -1, 3])
    found = columns(
        infer(server, "fair-price", tensor("card_id", ["card_0", "card_2", "nobody"]), offers)
    )
    assert found["market_price"] == [0.5, -1.0, 3.0]
    assert found["fair_price"] == [1.04, 3.04, None]
    assert found["status"] == ["ok", "invalid_price", "unknown_card"]


def test_a_card_without_a_market_price_has_its_fair_price(server: Server) -> None:
    found = columns(infer(server, "fair-price", tensor("card_id", ["card_7", "card_4"])))
    assert found["status"] == ["ok", "ok"]
    assert found["market_price"] == [None, 5.04]
    assert (found["fair_price"][0], found["lower"][0], found["upper"][0]) == (8.04, 6.432, 10.05)


def test_null_offers(server: Server) -> None:
    offers = tensor("market_price", [None, None, 3, 10**400, None], "FP64")
    found = columns(
        infer(
            server,
            "fair-price",
            tensor("card_id", ["card_0", "card_7", "card_7", "card_2", "nobody"]),
            offers,
        )
    )
    assert found["market_price"] == [1.04, None, 3.0, None, None]
    assert found["status"] == ["ok", "ok", "ok", "invalid_price", "unknown_card"]


def test_offers_over_grpc(server: Server) -> None:
    nan, inf = float("nan"), float("inf")
    cards = ["card_0", "card_7", "card_2", "card_2"]
    found = ask(
        server,
        "grpc",
        "fair-price",
        [4],
        ["market_price", "status"],
        card_id=cards,
        market_price=[nan, nan, inf, -inf],
    )
    assert found["market_price"][:2] == [1.04, None]
    assert found["status"] == ["ok", "ok", "invalid_price", "invalid_price"]


def test_slugs_on_request(server: Server) -> None:
    cards = tensor("card_id", ["tcgplayer-4-normal", "card_5", "nobody"])
    found = columns(
        infer(server, "fair-price", cards, outputs=[{"name": "slug"}, {"name": "card_id"}])
    )
    assert found == {
        "slug": ["card_4", "card_5", "nobody"],
        "card_id": ["tcgplayer-4-normal", "tcgplayer-5-normal", "nobody"],
    }


def test_requested_outputs_in_their_order(server: Server) -> None:
    response = infer(
        server,
        "fair-price",
        tensor("card_id", ["card_0"]),
        outputs=[{"name": "status"}, {"name": "fair_price"}],
    )
    assert [(o["name"], o["datatype"], o["shape"]) for o in response.json()["outputs"]] == [
        ("status", "BYTES", [1]),
        ("fair_price", "FP64", [1]),
    ]


@pytest.mark.parametrize("shape", [[2], [2, 1]], ids=str)
@pytest.mark.parametrize("transport", ["http", "grpc"])
def test_tritonclient(server: Server, transport: str, shape: list[int]) -> None:
    outputs = ["card_id", "market_price", "fair_price", "status"]
    found = ask(
        server,
        transport,
        "fair-price",
        shape,
        outputs,
        card_id=["card_4", "nobody"],
        market_price=[4.5, 1.0],
    )
    assert found == {
        "card_id": ["tcgplayer-4-normal", "nobody"],
        "market_price": [4.5, 1.0],
        "fair_price": [5.04, None],
        "status": ["ok", "unknown_card"],
    }
