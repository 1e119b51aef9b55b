"""The days that a collection is asked for."""

from collections.abc import Callable
from datetime import date

import pytest

from pokewatch.errors import SettingsError
from pokewatch.market.collect import requested_days
from tests.market.three_days import DAYS

LAST = date(2025, 10, 26)


class Offer:
    lake_name = "offer"

    def __init__(
        self, name: str = "tcgcsv", first: date = date(2025, 1, 1), last: date = LAST
    ) -> None:
        self.name = name
        self.available: Callable[[], tuple[date, date]] = lambda: (first, last)


@pytest.mark.parametrize(
    ("name", "start", "end", "days", "first", "last"),
    [
        ("tcgcsv", None, None, None, date(2025, 9, 27), LAST),
        ("tcgcsv", None, None, 2, date(2025, 10, 25), LAST),
        ("tcgcsv", DAYS[0], None, None, DAYS[0], LAST),
        ("tcgcsv", DAYS[0], DAYS[2], None, DAYS[0], DAYS[2]),
        ("tcgcsv", DAYS[0], None, 2, DAYS[0], DAYS[1]),
        ("tcgcsv", None, DAYS[2], 2, DAYS[1], DAYS[2]),
        ("tcgcsv", None, None, 5000, date(2025, 1, 1), LAST),
        ("file", None, None, None, date(2025, 1, 1), LAST),
    ],
)
def test_the_days_asked_for(
    name: str, start: date | None, end: date | None, days: int | None, first: date, last: date
) -> None:
    asked = requested_days(Offer(name), start, end, days)  # type: ignore[arg-type]

    assert (asked[0], asked[-1]) == (first, last)
    assert len(asked) == (last - first).days + 1


@pytest.mark.parametrize(
    ("start", "end", "days", "message"),
    [
        (DAYS[0], DAYS[1], 2, "cannot all be used together; use two of them"),
        (DAYS[1], DAYS[0], None, "there are no days from 2025-10-23 to 2025-10-22"),
        (
            date(2024, 12, 31),
            None,
            None,
            "tcgcsv has no prices before 2025-01-01; use 2025-01-01 or later",
        ),
        (
            date(2026, 1, 1),
            None,
            None,
            "there are no days from 2026-01-01 to 2025-10-26: tcgcsv has 2025-01-01 to 2025-10-26",
        ),
    ],
)
def test_days_that_make_no_sense(
    start: date, end: date | None, days: int | None, message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        requested_days(Offer(), start, end, days)  # type: ignore[arg-type]
