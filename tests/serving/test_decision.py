from typing import Any

import numpy as np
import pytest
from scipy.special import stdtr, stdtrit

from pokewatch.contract import DISTRIBUTION_WIDTH
from pokewatch.decision.distribution import LEVELS, Z_LEVELS
from tests.serving.server import Server, columns, infer, tensor
from tests.serving.triton import ask


def decide(
    server: Server, market: list[Any], fair: list[Any], *more: dict[str, Any]
) -> dict[str, list[Any]]:
    return columns(
        infer(
            server,
            "decision",
            tensor("market_price", market, "FP64"),
            tensor("fair_price", fair, "FP64"),
            *more,
        )
    )


def test_thresholds_are_inclusive(server: Server) -> None:
    found = decide(server, [90, 115, 100, 90.01], [100, 100, 100, 100])
    assert found["signal"] == ["BUY", "SELL", "HOLD", "HOLD"]
    assert found["deviation_pct"] == [-0.1, 0.15, 0.0, -0.0999]
    assert found["confidence"] == [None] * 4


def test_confidence_needs_an_interval(server: Server) -> None:
    interval = tensor("lower", [80, None], "FP64"), tensor("upper", [125, None], "FP64")
    found = decide(server, [90, 90], [100, 100], *interval)
    assert 0.5 < found["confidence"][0] < 1
    assert found["confidence"][1] is None


ADVICE = ("buy_below", "sell_above", "chance_to_earn", "advice")
INTERVAL = tensor("lower", [80, 80], "FP64"), tensor("upper", [125, 125], "FP64")


def advised(server: Server, *more: dict[str, Any], prices: list[Any] | None = None) -> Any:
    """Return the advice on two rows of fair 100, asked for by name."""
    return infer(
        server,
        "decision",
        tensor("market_price", prices or [90, 70], "FP64"),
        tensor("fair_price", [100, 100], "FP64"),
        *more,
        outputs=[{"name": name} for name in ADVICE],
    )


def test_advice_is_given_on_request_only(server: Server) -> None:
    found = columns(advised(server, *INTERVAL))
    assert list(found) == list(ADVICE)
    assert found["advice"] == ["ok", "ok"]
    assert found["buy_below"] == [75.78, 75.78]  # proceeds(89.21) - postage: 77.09 - 1.30
    assert found["sell_above"] == [112.1, 112.1]
    assert found["chance_to_earn"][0] < 0.8 < found["chance_to_earn"][1]
    assert not set(ADVICE) & set(decide(server, [90], [100]))


def test_advice_without_an_interval_or_a_price_has_the_reason(server: Server) -> None:
    found = columns(advised(server))
    assert found["advice"] == ["no_interval", "no_interval"]
    assert found["buy_below"] == found["sell_above"] == found["chance_to_earn"] == [None, None]
    found = columns(advised(server, *INTERVAL, prices=[None, 70]))
    assert found["advice"] == ["no_market_price", "ok"]


def test_fees_of_the_request(server: Server) -> None:
    euros = tensor("currency", ["EUR", "USD"])
    found = columns(advised(server, *INTERVAL, euros, tensor("fees", ["cardmarket", ""])))
    assert found["buy_below"] == [83.49, 75.78]
    same = columns(advised(server, *INTERVAL, tensor("fees", ["ebay"])))
    assert same["buy_below"] == [75.78] * 2  # the fractions of tcgplayer, without its cap


def test_the_currency_selects_the_fees(server: Server) -> None:
    found = columns(advised(server, *INTERVAL, tensor("currency", ["EUR"])))
    assert found["buy_below"] == [83.49, 83.49]  # cardmarket: 89.21 * 0.95 - 1.25
    found = columns(advised(server, *INTERVAL, tensor("currency", ["USD", "GBP"])))
    assert found["advice"] == ["ok", "no_fees"]
    assert found["buy_below"] == [75.78, None]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (
            [tensor("fees", ["tcgplayer"]), tensor("currency", ["EUR"])],
            "input 'fees': the fees of tcgplayer are in USD, the prices in EUR: use cardmarket",
        ),
        ([tensor("fees", ["shop"])], "input 'fees': fees must be one of tcgplayer, ebay"),
        ([tensor("fees", ["ebay"] * 3)], "input 'fees' has 3 rows, 'market_price' has 2"),
    ],
)
def test_fees_that_do_not_apply_are_refused(
    server: Server, more: list[dict[str, Any]], message: str
) -> None:
    reply = advised(server, *INTERVAL, *more)
    assert reply.status_code == 400
    assert message in reply.json()["error"]


@pytest.mark.parametrize("rows", [1, 2], ids=["one for all", "one a row"])
def test_thresholds_of_the_request(server: Server, rows: int) -> None:
    thresholds = (
        tensor("buy_threshold_pct", [-0.2] * rows),
        tensor("sell_threshold_pct", [0.05] * rows),
    )
    assert decide(server, [85, 106], [100, 100], *thresholds)["signal"] == ["HOLD", "SELL"]


def test_a_status_other_than_ok_is_hold(server: Server) -> None:
    found = decide(
        server,
        [50, None, 50],
        [100, None, 100],
        tensor("status", ["stale_price", "unknown_card", "ok"]),
    )
    assert found["signal"] == ["HOLD", "HOLD", "BUY"]
    assert found["reason"][:2] == ["stale_price", "unknown_card"]


def test_rows_with_invalid_prices_fail_alone(server: Server) -> None:
    found = decide(server, [90, 90, 0], [100, -1, 100])
    assert found["signal"] == ["BUY", "HOLD", "HOLD"]
    assert found["reason"][1:] == ["invalid_fair_price", "invalid_market_price"]
    assert found["deviation_pct"][1:] == [None, None]


ROWS: dict[str, tuple[list[Any], str]] = {
    "good": ([90, 100, 80, 125, -0.1], "below_threshold"),
    "no market price": ([None, 100, 80, 125, -0.1], "no_market_price"),
    "no fair price": ([90, None, 80, 125, -0.1], "no_fair_price"),
    "all null": ([None, None, None, None, None], "no_fair_price"),
    "zero fair price": ([90, 0, 80, 125, -0.1], "invalid_fair_price"),
    "too large": ([10**400, 100, 80, 125, -0.1], "invalid_market_price"),
    "half an interval": ([90, 100, 80, None, -0.1], "below_threshold"),
    "inverted interval": ([90, 100, 125, 80, -0.1], "invalid_lower"),
    "default threshold": ([90, 100, 80, 125, None], "below_threshold"),
    "invalid threshold": ([90, 100, 80, 125, 0.5], "invalid_buy_threshold_pct"),
}
NAMES = ("market_price", "fair_price", "lower", "upper", "buy_threshold_pct")


def test_invalid_rows_never_fail_their_batch(server: Server) -> None:
    given = zip(*(row for row, _ in ROWS.values()), strict=True)
    inputs = [tensor(name, list(values), "FP64") for name, values in zip(NAMES, given, strict=True)]
    found = columns(infer(server, "decision", *inputs))
    reasons = [reason for _, reason in ROWS.values()]
    assert found["reason"] == reasons
    held = [not reason.endswith("threshold") for reason in reasons]
    assert [signal == "HOLD" for signal in found["signal"]] == held
    assert [deviation is None for deviation in found["deviation_pct"]] == held
    for at, confidence in enumerate(found["confidence"]):
        assert (confidence is None) == (held[at] or list(ROWS)[at] == "half an interval")


@pytest.mark.parametrize(
    "row", [row for row in ROWS if row not in ("too large", "invalid threshold")]
)
@pytest.mark.parametrize("transport", ["http", "grpc"])
def test_a_single_row_is_answered_as_in_a_batch(server: Server, transport: str, row: str) -> None:
    """gRPC has NaN for null."""
    values, reason = ROWS[row]
    given = {
        name: [float("nan") if value is None else float(value)]
        for name, value in zip(NAMES, values, strict=True)
    }
    if transport == "http":
        inputs = [tensor(name, [value], "FP64") for name, value in zip(NAMES, values, strict=True)]
        assert columns(infer(server, "decision", *inputs))["reason"] == [reason]
    else:
        assert ask(server, transport, "decision", [1], ["reason"], **given)["reason"] == [reason]


def test_infinities_over_grpc(server: Server) -> None:
    inf = float("inf")
    found = ask(
        server,
        "grpc",
        "decision",
        [3],
        ["signal", "reason"],
        market_price=[inf, 90.0, 90.0],
        fair_price=[100.0, -inf, 100.0],
    )
    assert found == {
        "signal": ["HOLD", "HOLD", "BUY"],
        "reason": ["invalid_market_price", "invalid_fair_price", "below_threshold"],
    }


@pytest.mark.parametrize("threshold", [0.5, -1, float("1e300")], ids=str)
def test_an_invalid_threshold_for_all_rows_is_a_400(server: Server, threshold: float) -> None:
    prices = tensor("market_price", [90, 90], "FP64"), tensor("fair_price", [100, 100], "FP64")
    response = infer(server, "decision", *prices, tensor("buy_threshold_pct", [threshold], "FP64"))
    assert response.status_code == 400
    assert "buy threshold at row 0" in response.json()["error"]


def test_outputs_of_fair_price_are_valid_inputs(server: Server) -> None:
    """The outputs of fair-price, including unknown cards, can be passed to decision."""
    cards = tensor("card_id", ["card_0", "nobody", "card_1", "card_7"])
    priced = infer(server, "fair-price", cards).json()["outputs"]
    given = [
        o for o in priced if o["name"] in {"market_price", "fair_price", "lower", "upper", "status"}
    ]
    response = infer(server, "decision", *given)
    assert columns(response)["reason"] == [
        "within_thresholds",
        "unknown_card",
        "thin_history",
        "no_market_price",
    ]
    assert response.json()["parameters"]["model_version"] == "7"


@pytest.mark.parametrize("shape", [[2], [2, 1]], ids=str)
@pytest.mark.parametrize("transport", ["http", "grpc"])
def test_tritonclient(server: Server, transport: str, shape: list[int]) -> None:
    found = ask(
        server,
        transport,
        "decision",
        shape,
        ["signal", "deviation_pct"],
        market_price=[90.0, 120.0],
        fair_price=[100.0, 100.0],
    )
    assert found == {"signal": ["BUY", "SELL"], "deviation_pct": [-0.1, 0.2]}


def priced_rows(server: Server, *cards: str) -> dict[str, dict[str, Any]]:
    names = ("market_price", "fair_price", "lower", "upper", "status", "distribution")
    outputs = [{"name": name} for name in names]
    response = infer(server, "fair-price", tensor("card_id", list(cards)), outputs=outputs)
    return {output["name"]: output for output in response.json()["outputs"]}


def test_confidence_is_that_of_the_distribution(server: Server) -> None:
    """A card at its fair price stays within the thresholds with 0.5 and that of a changed one."""
    given = priced_rows(server, "card_4", "nobody", "card_1")
    assert given["distribution"]["shape"] == [3, DISTRIBUTION_WIDTH]
    found = columns(infer(server, "decision", *given.values()))
    below, until = np.interp(np.log([0.9, 1.15]) / 0.125, Z_LEVELS, stdtrit(3, LEVELS))
    within = stdtr(3, until) - stdtr(3, below)
    assert found["confidence"][0] == pytest.approx(0.5 + 0.5 * within, abs=1e-4)
    assert found["confidence"][1:] == [None, None]
    without = columns(infer(server, "decision", *list(given.values())[:-1]))
    assert without["confidence"][0] != pytest.approx(found["confidence"][0], abs=1e-3)


def test_a_distribution_may_be_nested_and_a_malformed_one_fails_alone(server: Server) -> None:
    given = priced_rows(server, "card_4", "card_5")
    flat = given["distribution"]["data"]
    expected = columns(infer(server, "decision", *given.values()))
    rows = [flat[:DISTRIBUTION_WIDTH], flat[DISTRIBUTION_WIDTH:]]
    given["distribution"]["data"] = rows
    assert columns(infer(server, "decision", *given.values())) == expected
    rows[1][1] = 1.5  # a probability
    found = columns(infer(server, "decision", *given.values()))
    assert found["reason"] == ["within_thresholds", "invalid_distribution"]
    assert found["confidence"][1] is None


@pytest.mark.parametrize("shape", [[2, 9], [20], [1, 20], [2, 10, 1]], ids=str)
def test_a_distribution_of_another_shape_is_a_400(server: Server, shape: list[int]) -> None:
    given = priced_rows(server, "card_4", "card_5")
    given["distribution"]["shape"] = shape
    response = infer(server, "decision", *given.values())
    assert response.status_code == 400
    assert "expected [n, 10]" in response.json()["error"]
