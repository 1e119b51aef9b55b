import pytest
from hypothesis import given
from hypothesis import strategies as st

from pokewatch.contract import ADVICE_REASONS, REASONS, STATUSES
from pokewatch.gateway.http.problems import invalid
from pokewatch.gateway.web import formats


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        (1234.5, "USD", "$1,234.50"),
        (0.05, "EUR", "€0.05"),
        (0.125, "EUR", "€0.13"),
        (-0.83 * 0.85 * 10, "USD", "\u2212$7.06"),
        (-0.004, "USD", "$0.00"),
        (3.0, "GBP", "£3.00"),
        (1200.0, "JPY", "1,200.00 JPY"),
        (None, "USD", "\u2013"),
        (float("nan"), "USD", "\u2013"),
    ],
)
def test_money(amount: float | None, currency: str, text: str) -> None:
    assert formats.money(amount, currency) == text


@pytest.mark.parametrize(
    ("fraction", "text"),
    [
        (0.1234, "+12.3%"),
        (-0.05, "\u22125.0%"),
        (12.345, "+1,234.5%"),
        (0.0, "0.0%"),
        (0.0004, "0.0%"),
        (-0.0004, "0.0%"),
        (-0.0006, "\u22120.1%"),
        (None, "\u2013"),
    ],
)
def test_percent(fraction: float | None, text: str) -> None:
    assert formats.signed_percent(fraction) == text


@pytest.mark.parametrize(
    ("probability", "text"),
    [(0.83, "83%"), (0.999, "over 99%"), (1.0, "over 99%"), (0.001, "under 1%"), (None, "\u2013")],
)
def test_a_chance_is_never_certain(probability: float | None, text: str) -> None:
    assert formats.chance(probability) == text


def test_every_status_and_reason_has_words() -> None:
    assert set(STATUSES) <= set(formats.STATUSES)
    named = {name for name in REASONS if not name.startswith("invalid_")} - {"unknown_date"}
    assert named <= set(formats.REASONS)


def test_advice_may_be_missing_where_there_is_an_interval() -> None:
    assert "too few past prices" in formats.advice_text("no_interval")
    assert "too few" not in formats.reason_text("no_interval")
    assert formats.advice_text("stale_price") == formats.reason_text("stale_price")
    assert set(formats.ADVICE) <= ADVICE_REASONS


@pytest.mark.parametrize(
    ("card_id", "address"),
    [
        ("tcgplayer-517045-holofoil", "https://www.tcgplayer.com/product/517045"),
        ("tcgplayer-x-normal", None),
        ("cardmarket-1-normal", None),
        ("card", None),
    ],
)
def test_listing(card_id: str, address: str | None) -> None:
    assert formats.listing_url(card_id) == address


def test_days_and_ages_are_in_words() -> None:
    assert formats.day_text("2026-01-05") == "5 Jan 2026"
    assert formats.later("2026-02-27", 7) == "2026-03-06"
    assert [formats.age_text(days) for days in (-1, 0, 1, 12)] == [
        "today",
        "today",
        "1 day old",
        "12 days old",
    ]
    assert formats.sentence("the end") == "The end"


def test_scores_sizes_and_price_bands_are_in_words() -> None:
    assert (formats.figure(0.966), formats.figure(0.8934, percent=True)) == ("0.97", "89.3%")
    assert [formats.size_text(size) for size in (1, 12_400, 1_000_000, 3_440_000)] == [
        "1 kB",
        "12 kB",
        "1.0 MB",
        "3.4 MB",
    ]
    assert [formats.band_text(band, "USD") for band in ("<1", "1-5", ">100")] == [
        "under $1.00",
        "$1.00 to $5.00",
        "over $100.00",
    ]


def test_problems_name_the_field_of_a_form_in_words() -> None:
    assert (
        formats.problem_text(invalid("/condition/card_id", "too long")) == "The card id: too long"
    )
    assert formats.problem_text(invalid("?card_id", "too long")) == "?card_id: too long"
    assert formats.problem_text(invalid("", "too long")) == "Body: too long"


@given(st.lists(st.none() | st.floats(0, 1e9)), st.sampled_from(["USD", "EUR", "JPY", "A&amp;B"]))
def test_prices_are_amounts_of_money(amounts: list[float | None], currency: str) -> None:
    expected = [formats.money(amount, currency) for amount in amounts]
    assert formats.prices(amounts, currency) == expected
