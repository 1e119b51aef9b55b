import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pokewatch.decision import FEES, FeeSchedule, fees_for


@pytest.mark.parametrize(
    ("name", "price", "received"),
    [
        ("tcgplayer", 100.0, 100 - 10.75 - 2.5 - 0.30),
        ("tcgplayer", 1000.0, 1000 - 75 - 25 - 0.30),
        ("ebay", 100.0, 100 - 13.25 - 0.30),
        ("cardmarket", 100.0, 95.0),
        ("cardmarket", 3000.0, 2900.0),
    ],
)
def test_fee_schedules(name: str, price: float, received: float) -> None:
    assert FEES[name].proceeds(price) == pytest.approx(received)
    assert FEES[name].cost(price) == price + FEES[name].postage


def test_a_buyer_can_pay_fees_too() -> None:
    auction = FeeSchedule("auction", "USD", commission=0.0, buyer_rate=0.2, postage=5)
    assert auction.cost(100) == pytest.approx(125)
    assert auction.price_at_cost(125) == pytest.approx(100)


@given(st.sampled_from(list(FEES.values())), st.floats(0, 1e6))
def test_the_price_of_given_proceeds_and_costs(fees: FeeSchedule, price: float) -> None:
    assert fees.price_at_proceeds(fees.proceeds(price)) == pytest.approx(price, abs=1e-6)
    assert fees.price_at_cost(fees.cost(price)) == pytest.approx(price, abs=1e-6)


@given(st.sampled_from(list(FEES.values())), st.floats(-10, 1e6))
def test_proceeds_are_inverted_below_zero_too(fees: FeeSchedule, proceeds: float) -> None:
    assert fees.proceeds(fees.price_at_proceeds(proceeds)) == pytest.approx(proceeds, abs=1e-6)


@pytest.mark.parametrize(
    ("fees", "wanted"),
    [
        ({"commission": 1.0}, "less than the price"),
        ({"commission": 0.9, "processing": 0.1}, "less than the price"),
        ({"commission": -0.1}, "at least 0"),
        ({"commission": np.nan}, "at least 0"),
        ({"commission": 0.1, "commission_cap": np.nan}, "at least 0"),
        ({"commission": 0.1, "postage": -1.0}, "at least 0"),
        ({"commission": 0.1, "postage": np.inf}, "finite"),
    ],
)
def test_fees_under_which_no_advice_is_right_are_refused(
    fees: dict[str, float], wanted: str
) -> None:
    with pytest.raises(ValueError, match=wanted):
        FeeSchedule("custom", "USD", **fees)


@pytest.mark.parametrize(
    ("currency", "name", "found"),
    [
        ("USD", None, "tcgplayer"),
        ("EUR", None, "cardmarket"),
        ("USD", "ebay", "ebay"),
        ("EUR", "cardmarket", "cardmarket"),
    ],
)
def test_the_fees_of_a_currency(currency: str, name: str | None, found: str) -> None:
    assert fees_for(currency, name) is FEES[found]


def test_another_postage() -> None:
    fees = fees_for("EUR", postage=2.35)
    assert (fees.name, fees.postage, FEES["cardmarket"].postage) == ("cardmarket", 2.35, 1.25)
    assert fees_for("EUR", postage=0.0).cost(np.array([3.0])).tolist() == [3.0]


@pytest.mark.parametrize(
    ("currency", "name", "message"),
    [
        (
            "EUR",
            "tcgplayer",
            "the fees of tcgplayer are in USD, the prices in EUR: use cardmarket",
        ),
        (
            "USD",
            "cardmarket",
            "the fees of cardmarket are in EUR, the prices in USD: use tcgplayer or ebay",
        ),
        ("GBP", "ebay", "the fees of ebay are in USD, the prices in GBP: there are no fees in GBP"),
        (
            "GBP",
            None,
            r"there is no fee schedule in GBP: there are tcgplayer \(USD\), ebay \(USD\), "
            r"cardmarket \(EUR\)",
        ),
        ("", "ebay", "the fees of ebay are in USD: name the currency of the prices"),
        ("USD", "shop", "fees must be one of tcgplayer, ebay, cardmarket, got 'shop'"),
    ],
)
def test_fees_that_do_not_apply(currency: str, name: str | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fees_for(currency, name)
