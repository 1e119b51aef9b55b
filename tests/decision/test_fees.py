import pytest

from pokewatch.decision import FEES, FeeSchedule


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
    assert FeeSchedule("auction", "USD", commission=0.0, buyer_rate=0.2, postage=5).cost(
        100
    ) == pytest.approx(125)
