import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pokewatch.contract import UNKNOWN_CARD
from pokewatch.watches.conditions import (
    NO_EARLIER_PRICE,
    NO_PRICE,
    OTHER_CURRENCY,
    REASONS,
    CardDay,
    Condition,
    holds,
    parse_moves,
)


def day(market: float | None = 40.0, **more: Any) -> CardDay:
    fields: dict[str, Any] = {"known": True, "currency": "USD", "market": market, "signal": "HOLD"}
    return CardDay(**fields | more)


@pytest.mark.parametrize(
    ("condition", "card", "expected"),
    [
        (Condition("below", price=40), day(40.0), True),
        (Condition("below", price=40), day(40.01), False),
        (Condition("above", price=40), day(40.0), True),
        (Condition("above", price=40), day(39.99), False),
        (Condition("signal", signal="BUY"), day(signal="BUY"), True),
        (Condition("signal", signal="BUY"), day(signal="SELL"), False),
        (Condition("moves", change=0.1, days=7), day(90.0, earlier=100.0), True),
        (Condition("moves", change=0.1, days=7), day(110.0, earlier=100.0), True),
        (Condition("moves", change=0.1, days=7), day(90.1, earlier=100.0), False),
    ],
)
def test_a_condition_holds_at_its_edge(condition: Condition, card: CardDay, expected: bool) -> None:
    assert holds(condition, "USD", card) is expected


@pytest.mark.parametrize(
    ("condition", "card", "reason"),
    [
        (Condition("below", price=40), day(None), NO_PRICE),
        (Condition("below", price=40), day(known=False, market=None), UNKNOWN_CARD),
        (Condition("below", price=40), day(currency="EUR"), OTHER_CURRENCY),
        (Condition("signal", signal="BUY"), day(None, signal="HOLD"), NO_PRICE),
        (Condition("moves", change=0.1, days=7), day(40.0), NO_EARLIER_PRICE),
        (Condition("moves", change=0.1, days=7), day(40.0, earlier=0.0), NO_EARLIER_PRICE),
    ],
)
def test_what_cannot_be_judged_has_a_reason(
    condition: Condition, card: CardDay, reason: str
) -> None:
    assert holds(condition, "USD", card) == reason
    assert reason in REASONS


def test_a_condition_without_an_amount_holds_in_any_currency() -> None:
    assert holds(Condition("signal", signal="BUY"), None, day(signal="BUY", currency="EUR")) is True


@given(st.floats(0.01, 1e6), st.floats(-0.99, 100), st.floats(0.0001, 100))
def test_a_move_is_judged_as_by_exact_arithmetic(
    earlier: float, moved: float, change: float
) -> None:
    card = day(earlier * (1 + moved), earlier=earlier)
    if abs(abs(moved) - change) > 1e-6:
        assert holds(Condition("moves", change=change, days=7), None, card) is (
            abs(moved) >= change
        )


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 0.0, -1.0, 1e8])
@pytest.mark.parametrize("kind", ["below", "above"])
def test_a_threshold_is_a_finite_price(kind: str, value: float) -> None:
    with pytest.raises(ValueError, match=r"price: got .*, expected a number from 0.001"):
        Condition(kind, price=value)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "fields",
    [
        {"type": "below"},
        {"type": "below", "price": 3, "days": 3},
        {"type": "signal", "price": 3},
        {"type": "signal", "signal": "HOLD"},
        {"type": "moves", "change": 0.1},
        {"type": "moves", "change": math.nan, "days": 7},
        {"type": "moves", "change": 0.1, "days": 0},
        {"type": "moves", "change": 0.1, "days": 366},
    ],
    ids=str,
)
def test_a_condition_has_its_own_values_alone(fields: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"."):
        Condition(**fields)  # type: ignore[arg-type]


def test_moves_are_parsed() -> None:
    assert parse_moves("10%/7d") == Condition("moves", change=0.1, days=7)
    assert parse_moves(" 2.5%/30d ") == Condition("moves", change=0.025, days=30)


@pytest.mark.parametrize(
    "text", ["", "10%", "10/7", "-10%/7d", "nan%/7d", "10%/7w", "0%/7d", "9%/0d"]
)
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        parse_moves(text)


def test_a_condition_is_described_in_words() -> None:
    assert Condition("below", price=1_040).text("USD") == "at or below 1,040.00 USD"
    assert Condition("below", price=1_003.456).text("USD") == "at or below 1,003.456 USD"
    assert Condition("above", price=0.1 + 0.2).text("EUR") == "at or above 0.30 EUR"
    assert Condition("signal", signal="SELL").text(None) == "signal SELL"
    assert parse_moves("10%/7d").text(None) == "moves 10% in 7 days"
    assert parse_moves("10%/1d").text(None) == "moves 10% in 1 day"
