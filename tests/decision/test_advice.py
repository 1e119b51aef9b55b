import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pokewatch.contract import ADVICE_REASONS, FEE_CURRENCIES, Fees
from pokewatch.decision import (
    FEES,
    LEVELS,
    Advice,
    Decisions,
    Distribution,
    FeeSchedule,
    advise,
    advise_each,
    break_even,
    decide,
    predictive_cdf,
    predictive_quantile,
)

TCGPLAYER = FEES["tcgplayer"]
NO_FEES = FeeSchedule("none", "USD", commission=0.0)


def decided(
    price: float, fair: float = 100.0, lower: float = 80.0, upper: float = 125.0
) -> tuple[NDArray[np.float64], Decisions]:
    return np.array([price]), decide(price, fair, lower, upper)


@st.composite
def cases(draw: st.DrawFn) -> tuple[NDArray[np.float64], Decisions]:
    """A price, and a distribution with or without an atom at the last quote."""
    fair = draw(st.floats(0.3, 5000))
    lower, upper = fair * draw(st.floats(0.3, 0.98)), fair * draw(st.floats(1.02, 4))
    price = round(fair * draw(st.floats(0.3, 3)), 2) or 0.01
    distribution = None
    if draw(st.booleans()):
        widths = np.linspace(np.log(lower / fair), np.log(upper / fair), len(LEVELS))
        distribution = Distribution(
            np.array([round(fair, 2)]),
            np.array([draw(st.floats(0, 0.95))]),
            np.array([draw(st.floats(0.001, 0.05))]),
            (np.log(fair) + widths)[None],
        )
    return np.array([price]), decide(price, fair, lower, upper, distribution=distribution)


def chance(price: float, decisions: Decisions, fees: FeeSchedule) -> float:
    """Return P(selling at the horizon leaves more than buying at `price` costs)."""
    needed = break_even(np.array([price]), fees) * (1 + 1e-9)
    return float(1 - predictive_cdf(distribution_of(decisions), needed)[0])


def distribution_of(decisions: Decisions) -> Distribution:
    assert decisions.distribution is not None
    return decisions.distribution


@given(cases(), st.sampled_from([*FEES.values(), NO_FEES]), st.floats(0.5, 0.95))
def test_buying_at_buy_below_earns_with_the_probability_and_a_cent_more_does_not(
    case: tuple[NDArray[np.float64], Decisions], fees: FeeSchedule, probability: float
) -> None:
    price, decisions = case
    found = advise(price, decisions, fees, probability).buy_below[0]
    assert found == round(found, 2) >= 0
    if found > 0:
        assert chance(found, decisions, fees) >= probability - 1e-9
    assert chance(found + 0.01, decisions, fees) <= probability + 1e-6


@given(cases(), st.floats(0.5, 0.95))
def test_selling_at_sell_above_beats_keeping_with_the_probability_and_a_cent_less_does_not(
    case: tuple[NDArray[np.float64], Decisions], probability: float
) -> None:
    price, decisions = case
    found = advise(price, decisions, TCGPLAYER, probability).sell_above[0]
    distribution = distribution_of(decisions)
    below = predictive_cdf(distribution, np.array([found]), "left")[0]
    assert below >= probability - 1e-9
    cheaper = round(found - 0.01, 2)
    at_most = predictive_cdf(distribution, np.array([cheaper]), "left")[0]
    assert at_most <= probability + 1e-6 or TCGPLAYER.proceeds(cheaper) <= 0
    kept = predictive_quantile(distribution, np.array([probability]))[0]
    assert TCGPLAYER.proceeds(found) >= TCGPLAYER.proceeds(kept)


@pytest.mark.parametrize("fees", FEES.values(), ids=FEES)
def test_nobody_is_to_sell_a_card_that_is_worth_less_than_the_fees(fees: FeeSchedule) -> None:
    found = advise(*decided(0.05, 0.05, 0.04, 0.06), fees).sell_above[0]
    assert fees.proceeds(found) > 0
    assert fees.proceeds(found - 0.01) <= 0 or found - 0.01 < 0.06


@given(cases(), st.floats(0.5, 0.9), st.floats(0, 0.05), st.floats(0, 0.1), st.floats(0, 5))
def test_advice_is_monotone_in_the_probability_the_fees_and_the_postage(
    case: tuple[NDArray[np.float64], Decisions],
    probability: float,
    surer: float,
    commission: float,
    postage: float,
) -> None:
    price, decisions = case
    base = advise(price, decisions, NO_FEES, probability)
    sure = advise(price, decisions, NO_FEES, probability + surer)
    costly = FeeSchedule("costly", "USD", commission=commission, postage=postage)
    with_more_fees = advise(price, decisions, costly, probability)
    assert sure.buy_below[0] <= base.buy_below[0]
    assert sure.sell_above[0] >= base.sell_above[0]
    assert sure.chance_to_earn[0] == base.chance_to_earn[0]
    assert with_more_fees.buy_below[0] <= base.buy_below[0]
    assert with_more_fees.sell_above[0] >= base.sell_above[0]
    assert with_more_fees.chance_to_earn[0] <= base.chance_to_earn[0]


@given(cases(), st.sampled_from([*FEES.values(), NO_FEES]))
def test_the_chance_to_earn_is_that_of_the_price_judged(
    case: tuple[NDArray[np.float64], Decisions], fees: FeeSchedule
) -> None:
    price, decisions = case
    found = advise(price, decisions, fees)
    assert found.chance_to_earn[0] == pytest.approx(chance(price[0], decisions, fees), abs=6e-5)
    if price[0] <= found.buy_below[0]:
        assert found.chance_to_earn[0] >= 0.8 - 1e-4


def test_advice_computed_by_hand() -> None:
    """The 20% quantile of fair 100 and lower 80 is 89.21: after TCGplayer's fees 77.09 is left."""
    price, decisions = decided(90.0)
    low = 100 * (80 / 100) ** (0.8416212 / 1.6448536)
    assert low == pytest.approx(89.21, abs=0.01)
    found = advise(price, decisions, TCGPLAYER, 0.8)
    assert found.buy_below[0] == pytest.approx(low * 0.8675 - 0.30 - 1.30, abs=0.02)
    assert found.sell_above[0] == pytest.approx(100 * 1.25 ** (0.8416212 / 1.6448536), abs=0.02)
    assert found.reason.tolist() == ["ok"]


def test_the_atom_at_the_last_quote_counts_for_neither_side() -> None:
    """Nine times of ten the price stays at 10.00: a copy at 10.00 neither earns nor loses."""
    distribution = Distribution(
        np.array([10.0]),
        np.array([0.9]),
        np.array([0.01]),
        np.log(10.0) + np.linspace(-0.2, 0.2, len(LEVELS))[None],
    )
    price = np.array([10.0])
    decisions = decide(price, 10.0, 9.0, 11.0, distribution=distribution)
    found = advise(price, decisions, NO_FEES, 0.8)
    assert (found.buy_below[0], found.sell_above[0]) == (9.99, 10.01)
    assert found.chance_to_earn[0] == pytest.approx(0.05, abs=1e-3)


@pytest.mark.parametrize("fees", [NO_FEES, FEES["cardmarket"]], ids=lambda fees: fees.name)
def test_rounding_does_not_put_the_advice_on_the_atom_of_an_expensive_card(
    fees: FeeSchedule,
) -> None:
    cents = np.random.default_rng(0).integers(200_000, 2_147_483_647, 2_000)
    last, logs = cents / 100, np.linspace(-0.2, 0.2, len(LEVELS))
    atoms = Distribution(
        last, np.full(2_000, 0.6), np.full(2_000, 0.01), np.log(last)[:, None] + logs
    )
    decisions = decide(last, last, last * 0.9, last * 1.1, distribution=atoms)
    found = advise(last, decisions, fees, 0.7)  # the 30% and the 70% quantile are the last price
    taken = round(100 * (fees.commission_cap + fees.postage)) if fees.commission else 0
    assert (np.rint(found.buy_below * 100) == cents - taken - 1).all()
    assert (np.rint(found.sell_above * 100) == cents + 1).all()


def test_a_card_that_costs_less_than_the_postage_is_bought_at_no_price() -> None:
    price, decisions = decided(0.25, 0.25, 0.2, 0.3)
    assert advise(price, decisions, TCGPLAYER).buy_below[0] == 0


@pytest.mark.parametrize(
    ("market", "fair", "lower", "upper", "reason"),
    [
        (90.0, 100.0, np.nan, np.nan, "no_interval"),
        (np.nan, 100.0, 80.0, 125.0, "no_market_price"),
        (90.0, np.nan, np.nan, np.nan, "no_fair_price"),
        (90.0, 100.0, 110.0, 125.0, "invalid_lower"),
    ],
)
def test_without_an_interval_or_a_decision_there_is_no_advice_but_a_reason(
    market: float, fair: float, lower: float, upper: float, reason: str
) -> None:
    prices = np.array([market, 90.0])
    decisions = decide(prices, [fair, 100], [lower, 80], [upper, 125], on_fault="hold")
    found = advise(prices, decisions, TCGPLAYER)
    assert np.isnan([found.buy_below[0], found.sell_above[0], found.chance_to_earn[0]]).all()
    assert found.reason.tolist() == [reason, "ok"]
    assert set(found.reason) <= ADVICE_REASONS


def test_a_probability_that_the_calibration_cannot_tell_gives_no_advice() -> None:
    """Of nine errors none tells a probability above 90%."""
    distribution = Distribution(
        np.array([10.0]),
        np.array([0.1]),
        np.array([0.1]),
        np.log(10.0) + np.linspace(-0.2, 0.2, len(LEVELS))[None],
    )
    decisions = decide(10.0, 10.0, 9.0, 11.0, distribution=distribution)
    assert advise(np.array([10.0]), decisions, NO_FEES, 0.9).reason.tolist() == ["ok"]
    assert advise(np.array([10.0]), decisions, NO_FEES, 0.95).reason.tolist() == ["no_interval"]


@pytest.mark.parametrize("probability", [0.0, 1.0, np.nan])
def test_an_impossible_probability(probability: float) -> None:
    with pytest.raises(ValueError, match=f"between 0 and 1, got {probability}"):
        advise(*decided(90.0), TCGPLAYER, probability)


def test_each_row_has_its_own_fees() -> None:
    price = np.array([90.0, 80.0, 70.0, np.nan])
    decisions = decide(price, 100.0, 80.0, 125.0, on_fault="hold")
    names: list[FeeSchedule | None] = [TCGPLAYER, None, FEES["ebay"], None]
    found = advise_each(price, decisions, names)
    alone: list[Advice] = [advise(price, decisions, FEES[name]) for name in ("tcgplayer", "ebay")]
    assert found.buy_below[0] == alone[0].buy_below[0]
    assert found.buy_below[2] == alone[1].buy_below[2]
    assert np.isnan(found.buy_below[[1, 3]]).all()
    assert found.reason.tolist() == ["ok", "no_fees", "ok", "no_market_price"]
    same = advise_each(price, decisions, [TCGPLAYER])
    np.testing.assert_array_equal(same.buy_below, alone[0].buy_below)
    empty = np.array([])
    nothing = decide(empty, empty, empty, empty, on_fault="hold")
    assert advise_each(empty, nothing, []).reason.tolist() == []


def test_the_contract_names_every_fee_schedule_and_its_currency() -> None:
    assert {name: fees.currency for name, fees in FEES.items()} == FEE_CURRENCIES
    assert Fees.__args__ == tuple(FEES)  # type: ignore[attr-defined]
