import ast
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pokewatch import contract, decision
from pokewatch.decision import (
    FEES,
    Advice,
    Decisions,
    Distribution,
    FeeSchedule,
    Thresholds,
    advise,
    decide,
    rule,
)
from pokewatch.decision.distribution import LEVELS, Z_95

CENTS = st.integers(1, 10**9)
PRICE = st.floats(0.01, 1e6)
WIDTH = st.floats(0.0, 3.0)


def signal_of(market: float, fair: float, **given: object) -> str:
    return str(decide(market, fair, **given).signal[0])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("market", "fair", "signal", "deviation"),
    [
        (90, 100, "BUY", -0.1),
        (115, 100, "SELL", 0.15),
        (0.9, 1.0, "BUY", -0.1),
        (1.15, 1.0, "SELL", 0.15),
        (9.99, 11.10, "BUY", -0.1),
        (90.01, 100, "HOLD", -0.0999),
        (114.99, 100, "HOLD", 0.1499),
        (100, 100, "HOLD", 0.0),
        (0.01, 1_000_000, "BUY", -0.99999999),
        (300, 100, "SELL", 2.0),
    ],
)
def test_signal_and_deviation(market: float, fair: float, signal: str, deviation: float) -> None:
    made = decide(market, fair)
    assert (made.signal[0], made.deviation_pct[0]) == (signal, deviation)


@given(
    fair=CENTS.map(lambda k: k * 20),
    side=st.sampled_from([(Fraction(-1, 10), "BUY"), (Fraction(15, 100), "SELL")]),
)
def test_the_edge_is_inclusive_for_any_cents(fair: int, side: tuple[Fraction, str]) -> None:
    edge, signal = side
    market = fair * (1 + edge)
    assert market.denominator == 1
    assert signal_of(int(market) / 100, fair / 100) == signal


@given(
    fair=PRICE,
    buying=st.booleans(),
    short=st.floats(1e-6, 1e-2),
    edges=st.sampled_from([(-0.10, 0.15), (-0.25, 0.3), (-0.07, 0.07)]),
)
def test_short_of_the_edge_is_hold(
    fair: float, buying: bool, short: float, edges: tuple[float, float]
) -> None:
    edge = edges[0] if buying else edges[1]
    assert signal_of(fair * (1 + edge * (1 - short)), fair, thresholds=Thresholds(*edges)) == "HOLD"


@given(market=CENTS, fair=CENTS)
def test_signals_agree_with_exact_arithmetic(market: int, fair: int) -> None:
    deviation = Fraction(market, fair) - 1
    exact = (
        "BUY"
        if deviation <= Fraction(-1, 10)
        else "SELL"
        if deviation >= Fraction(15, 100)
        else "HOLD"
    )
    assert signal_of(market / 100, fair / 100) == exact


@given(fair=PRICE, prices=st.lists(PRICE, min_size=2, max_size=30), scale=st.floats(0.01, 100))
def test_the_rule_is_monotone_in_price_and_free_of_scale(
    fair: float, prices: list[float], scale: float
) -> None:
    order = {"BUY": 0, "HOLD": 1, "SELL": 2}
    market = np.sort(np.array(prices))
    made = decide(market, fair)
    assert np.all(np.diff([order[s] for s in made.signal]) >= 0)
    scaled = decide(market * scale, fair * scale)
    np.testing.assert_allclose(scaled.deviation_pct, made.deviation_pct, atol=1e-11, rtol=1e-12)
    clear = np.abs(made.deviation_pct[:, None] - np.array([-0.10, 0.15])).min(axis=1) > 1e-11
    assert np.array_equal(scaled.signal[clear], made.signal[clear])


@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan, np.inf, -np.inf], ids=str)
@pytest.mark.parametrize("argument", ["market_price", "fair_price"])
def test_a_bad_price_is_an_error_that_names_it(argument: str, bad: float) -> None:
    prices = {"market_price": np.array([1.0, 2.0, 3.0]), "fair_price": np.array([1.0, 2.0, 3.0])}
    prices[argument][2] = bad
    with pytest.raises(ValueError, match=rf"{argument} at row 2 must be .*got {bad}"):
        decide(prices["market_price"], prices["fair_price"])


@pytest.mark.parametrize(
    ("lower", "upper", "fault"),
    [(-1, 110, "lower"), (101, 110, "lower"), (90, 99, "upper"), (90, np.inf, "upper")],
    ids=str,
)
def test_an_interval_must_hold_its_fair_price(lower: float, upper: float, fault: str) -> None:
    with pytest.raises(ValueError, match=f"{fault} at row 0"):
        decide(100, 100, lower, upper)


def test_prices_too_far_apart_to_compare_raise() -> None:
    with pytest.raises(ValueError, match="market_price at row 0"):
        decide(1e300, 1e-300)


def test_on_fault_hold_fails_only_the_bad_rows() -> None:
    market, fair = np.array([90.0, 90.0, np.nan, 120.0]), np.array([100.0, np.nan, 100.0, 100.0])
    made = decide(market, fair, 80.0, 130.0, ["ok", "unknown_card", "ok", "ok"], on_fault="hold")
    assert list(made.signal) == ["BUY", "HOLD", "HOLD", "SELL"]
    assert list(made.reason) == [
        "below_threshold",
        "unknown_card",
        "no_market_price",
        "above_threshold",
    ]
    assert list(made.valid) == [True, False, False, True]
    assert np.isnan(made.deviation_pct[1:3]).all()
    assert np.isnan(made.confidence[1:3]).all()
    assert np.isfinite(made.confidence[[0, 3]]).all()


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"market": np.nan}, "no_market_price"),
        ({"market": 0.0}, "invalid_market_price"),
        ({"market": np.inf}, "invalid_market_price"),
        ({"market": 1e-320, "fair": 1e300}, "invalid_market_price"),
        ({"market": 1e308}, "invalid_market_price"),
        ({"fair": np.nan}, "no_fair_price"),
        ({"fair": -1.0}, "invalid_fair_price"),
        ({"fair": -np.inf}, "invalid_fair_price"),
        ({"market": np.nan, "fair": np.nan}, "no_fair_price"),
        ({"lower": 101.0}, "invalid_lower"),
        ({"lower": np.inf, "upper": np.nan}, "invalid_lower"),
        ({"lower": np.nan, "upper": 50.0}, "invalid_upper"),
        ({"lower": 120.0, "upper": 80.0}, "invalid_lower"),
        ({"buy": 0.5}, "invalid_buy_threshold_pct"),
        ({"buy": np.nan}, "invalid_buy_threshold_pct"),
        ({"sell": -0.5}, "invalid_sell_threshold_pct"),
        ({"sell": np.inf, "market": np.nan}, "no_market_price"),
    ],
    ids=str,
)
@pytest.mark.parametrize("status", ["ok", "stale_price"])
def test_an_invalid_row_is_held_and_the_others_are_not(
    given: dict[str, float], reason: str, status: str
) -> None:
    usual = {
        "market": 80.0,
        "fair": 100.0,
        "lower": 90.0,
        "upper": 120.0,
        "buy": -0.1,
        "sell": 0.15,
    }
    bad = usual | given
    columns = {name: np.array([usual[name], bad[name], usual[name]]) for name in usual}
    thresholds = Thresholds(columns["buy"], columns["sell"])
    made = decide(
        columns["market"],
        columns["fair"],
        columns["lower"],
        columns["upper"],
        ["ok", status, "ok"],
        thresholds=thresholds,
        on_fault="hold",
    )
    assert list(made.signal) == ["BUY", "HOLD", "BUY"]
    assert list(made.valid) == [True, False, True]
    assert made.reason[1] == (reason if status == "ok" else status)
    assert np.isnan([made.deviation_pct[1], made.confidence[1]]).all()
    assert made.deviation_pct[0] == made.deviation_pct[2] == -0.2


ANY = st.one_of(PRICE, st.sampled_from([np.nan, np.inf, -np.inf, 0.0, -1.0, 1e308, 5e-324]))
EDGE = st.one_of(st.floats(-1.5, 1.5), st.sampled_from([np.nan, np.inf]))
STATUS = st.sampled_from(["ok", "", "stale_price", "unknown_card"])


@given(st.lists(st.tuples(ANY, ANY, ANY, ANY, STATUS, EDGE, EDGE), min_size=2, max_size=12))
def test_a_decision_does_not_depend_on_other_rows(
    rows: list[tuple[float, float, float, float, str, float, float]],
) -> None:
    def decided(
        *some: tuple[float, float, float, float, str, float, float],
    ) -> list[tuple[object, ...]]:
        columns = zip(*(*some, (1.0, 1.0, 1.0, 1.0, "ok", 0.0, 0.0)), strict=True)
        market, fair, lower, upper, status, buy, sell = columns
        made = decide(
            market, fair, lower, upper, status, thresholds=Thresholds(buy, sell), on_fault="hold"
        )
        found = made.signal, made.deviation_pct, made.confidence, made.reason, made.valid
        return [tuple(map(str, row)) for row in zip(*found, strict=True)]

    assert decided(*rows)[:-1] == [decided(row)[0] for row in rows]


def test_the_reasons_are_those_of_the_contract() -> None:
    source = Path(rule.__file__).read_text(encoding="utf-8")
    constants = {
        node.value for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Constant)
    }
    ours = {
        reason
        for reason in contract.REASONS - contract.ROW_STATUSES
        if not reason.startswith(("no_", "invalid_"))
    }
    assert ours <= constants
    assert decision.SIGNALS == contract.SIGNALS


@pytest.mark.parametrize("buy", [-1.0, 0.01, np.nan, -np.inf], ids=str)
def test_bad_thresholds_are_an_error(buy: float) -> None:
    with pytest.raises(ValueError, match=f"buy threshold at row 0 .*got {buy}"):
        decide(90, 100, thresholds=Thresholds(buy, 0.15))


@pytest.mark.parametrize("sell", [-0.01, np.nan, np.inf], ids=str)
def test_bad_selling_thresholds_are_an_error(sell: float) -> None:
    with pytest.raises(ValueError, match="sell threshold at row 1"):
        decide([90, 90], 100, thresholds=Thresholds(-0.1, [0.1, sell]))


def test_thresholds_can_differ_by_row() -> None:
    made = decide(
        [95, 95, 105, 105],
        100,
        thresholds=Thresholds([-0.05, -0.06, -0.1, -0.1], [0.15, 0.15, 0.05, 0.06]),
    )
    assert list(made.signal) == ["BUY", "HOLD", "SELL", "HOLD"]


@pytest.mark.parametrize("status", sorted(set(contract.STATUSES) - {"ok"}))
def test_any_status_but_ok_is_hold_with_that_reason(status: str) -> None:
    made = decide(
        [50, 50, 200],
        100,
        40,
        250,
        [status, "ok", status],
        policy="net_of_fees",
        fees=FEES["cardmarket"],
    )
    assert list(made.signal)[::2] == ["HOLD", "HOLD"]
    assert list(made.reason)[::2] == [status, status]


@pytest.mark.parametrize(
    ("market", "lower", "upper", "signal", "reason"),
    [
        (80, 95, 120, "BUY", "clears_fees"),  # proceeds(95) = 82.11, cost(80) = 81.30
        (80, 92, 120, "HOLD", "inside_fees"),  # proceeds(92) = 79.51
        (130, 90, 111, "SELL", "clears_fees"),  # proceeds(130) = 112.475, cost(111) = 112.30
        (130, 90, 113, "HOLD", "inside_fees"),
        (100, 95, 105, "HOLD", "within_thresholds"),
        (80, np.nan, np.nan, "HOLD", "no_interval"),
    ],
)
def test_net_of_fees_needs_the_near_edge_to_clear_the_round_trip(
    market: float, lower: float, upper: float, signal: str, reason: str
) -> None:
    made = decide(market, 100, lower, upper, policy="net_of_fees", fees=FEES["tcgplayer"])
    assert (made.signal[0], made.reason[0]) == (signal, reason)


@given(market=PRICE, fair=PRICE, down=WIDTH, up=WIDTH, name=st.sampled_from(sorted(FEES)))
def test_net_of_fees_only_ever_takes_trades_away(
    market: float, fair: float, down: float, up: float, name: str
) -> None:
    interval = fair * np.exp(-down), fair * np.exp(up)
    net, plain = (
        decide(market, fair, *interval, policy="net_of_fees", fees=FEES[name]),
        decide(market, fair, *interval),
    )
    assert net.signal[0] in (plain.signal[0], "HOLD")
    if net.signal[0] == "BUY":
        assert FEES[name].proceeds(interval[0]) > FEES[name].cost(market)


def test_break_even_of_a_round_trip_at_thirteen_percent() -> None:
    fees = FeeSchedule("thirteen", "USD", commission=0.13)
    assert fees.proceeds(1 / (1 - 0.13)) == pytest.approx(fees.cost(1.0))
    assert pytest.approx(0.149, abs=5e-4) == 1 / (1 - 0.13) - 1


def test_policy_is_checked() -> None:
    with pytest.raises(ValueError, match="needs a fee schedule"):
        decide(90, 100, policy="net_of_fees")
    with pytest.raises(ValueError, match="got 'greedy'"):
        decide(90, 100, policy="greedy")  # type: ignore[arg-type]


@given(market=PRICE, fair=PRICE, down=WIDTH, up=WIDTH)
def test_confidence_is_the_probability_that_the_signal_comes_true(
    market: float, fair: float, down: float, up: float
) -> None:
    made = decide(market, fair, fair * np.exp(-down), fair * np.exp(up))
    signal, confidence = made.signal[0], made.confidence[0]
    assert 0.01 <= confidence <= 0.99
    if signal in {"BUY", "SELL"}:
        assert confidence >= 0.5 - 1e-7
    if signal == "BUY" and market < fair * np.exp(-down) * (1 - 1e-9):
        assert confidence >= 0.95 - 1e-6
    if signal == "SELL" and market > fair * np.exp(up) * (1 + 1e-9):
        assert confidence >= 0.95 - 1e-6


def test_confidence_against_simulated_prices() -> None:
    rng = np.random.default_rng(5)
    fair, lower, upper = 100.0, 80.0, 140.0
    z = rng.standard_normal(400_000)
    later = fair * np.exp(z * np.where(z < 0, np.log(fair / lower), np.log(upper / fair)) / Z_95)
    made = decide([88.0, 120.0, 105.0], fair, lower, upper)
    expected = [
        (later > 88).mean(),
        (later < 120).mean(),
        ((later > 105 * 0.9) & (later < 105 * 1.15)).mean(),
    ]
    assert list(made.signal) == ["BUY", "SELL", "HOLD"]
    # Its quantiles are log-normal; between them, the distribution is only nearly so.
    np.testing.assert_allclose(made.confidence, expected, atol=0.015)


@pytest.mark.parametrize(
    ("market", "lower", "upper", "confidence"),
    [
        pytest.param(90, 100, 100, 0.99, id="buy"),
        pytest.param(115, 100, 100, 0.99, id="sell"),
        pytest.param(100, 100, 100, 0.99, id="hold"),
        pytest.param(90, 100, 150, 0.99, id="no width below"),
        pytest.param(90, 0, 150, 0.5, id="boundless below"),
        pytest.param(150, 0, 150, 0.95, id="sell when boundless below"),
        pytest.param(100, np.nan, 110, np.nan, id="half an interval"),
    ],
)
def test_confidence_of_degenerate_intervals(
    market: float, lower: float, upper: float, confidence: float
) -> None:
    np.testing.assert_allclose(
        decide(market, 100, lower, upper).confidence, [confidence], atol=1e-7
    )


def test_shapes_broadcast() -> None:
    assert decide(90, 100).signal.shape == (1,)
    assert decide(np.full((3, 4), 90.0), np.full(4, 100.0)).confidence.shape == (3, 4)
    assert decide([], []).signal.shape == (0,)


def test_the_answer_on_a_row_does_not_depend_on_the_other_rows() -> None:
    draws = np.random.default_rng(11)
    rows = 60
    fair = np.exp(draws.normal(2, 2, rows)).round(2) + 0.01
    market = (fair * np.exp(draws.normal(0, 0.15, rows))).round(2) + 0.01
    market[::11] = np.nan
    lower, upper = fair * 0.7, fair * 1.4
    lower[::7] = np.nan
    logs = np.log(fair)[:, None] + np.sort(draws.normal(0, 0.2, (rows, len(LEVELS))))
    logs[::13, 2:] = logs[::13, 2:3]
    logs[::17, 3] = 99.0
    given = np.column_stack((market, draws.choice([0.0, 0.5], rows), np.full(rows, 0.01), logs))
    given[::5] = np.nan
    status = draws.choice(["ok", "", "stale_price"], rows)

    def answer(part: slice) -> tuple[Decisions, Advice]:
        decisions = decide(
            market[part],
            fair[part],
            lower[part],
            upper[part],
            status[part],
            distribution=Distribution.from_array(given[part]),
            on_fault="hold",
        )
        return decisions, advise(market[part], decisions, FEES["ebay"])

    together = answer(slice(None))
    alone = [answer(slice(row, row + 1)) for row in range(rows)]
    for at, name in (
        (0, "signal"),
        (0, "deviation_pct"),
        (0, "confidence"),
        (0, "reason"),
        (1, "buy_below"),
        (1, "sell_above"),
        (1, "chance_to_earn"),
        (1, "reason"),
    ):
        expected = [getattr(row[at], name).tolist()[0] for row in alone]
        np.testing.assert_array_equal(getattr(together[at], name), expected, err_msg=name)


def test_decisions_without_intervals_have_no_distribution_whether_or_not_a_row_is_invalid() -> None:
    for market in ([90.0, 100.0], [90.0, -1.0]):
        made = decide(market, [100.0, 100.0], on_fault="hold")
        assert made.distribution is None
        assert np.isnan(made.confidence).all()
    assert made.reason.tolist() == ["below_threshold", "invalid_market_price"]


@pytest.mark.parametrize("market", [0.05, 10.0, 12_345.67])
def test_a_price_that_stays_is_neither_a_rise_nor_a_fall(market: float) -> None:
    """It stays with probability 0.6, and rises and falls with 0.2 each."""
    logs = np.log(market) + np.linspace(-1, 1, len(LEVELS))
    given = Distribution(np.array([market]), np.array([0.6]), np.array([0.001]), logs[None])
    for fair, signal in ((0.8, "SELL"), (1.2, "BUY")):
        made = decide(market, market * fair, distribution=given)
        assert made.signal.tolist() == [signal]
        assert made.confidence[0] == pytest.approx(0.2, abs=1e-3)
