from datetime import UTC, date, datetime

import pytest

from pokewatch.contract import BETTER, NO_BETTER, data_age_hours
from pokewatch.gateway.mcp.caveats import caveats, context_of_answer

MARKET = {
    "id": "a",
    "horizon": 7,
    "source": "tcgcsv",
    "last_day": "2026-01-05",
    "not_evaluated": None,
    "skill": BETTER,
    "currency": "USD",
    "model_version": "7",
    "data_version": "dv",
}
NOW = datetime(2026, 1, 7, 11, 59, tzinfo=UTC)


def test_an_answer_of_a_fresh_real_market_has_one() -> None:
    (only,) = caveats(MARKET, {}, NOW)
    assert "7 days ahead" in only


@pytest.mark.parametrize(
    ("market", "answer", "now", "text"),
    [
        ({"source": "simulated"}, {}, NOW, "simulated"),
        ({"skill": NO_BETTER}, {}, NOW, NO_BETTER),
        ({"not_evaluated": "too young"}, {}, NOW, "too young"),
        ({}, {"stale": True}, NOW, "earlier answer"),
        ({}, {"condition": "LP"}, NOW, "not near mint"),
        (
            {},
            {},
            datetime(2026, 1, 7, 12, 1, tzinfo=UTC),
            "of 2026-01-05, which ended 36 hours ago",
        ),
        ({}, {}, datetime(2027, 2, 4, 1, tzinfo=UTC), "of 2026-01-05, which ended 394 days ago"),
    ],
)
def test_what_limits_an_answer_is_said(
    market: dict[str, str], answer: dict[str, object], now: datetime, text: str
) -> None:
    found = caveats(MARKET | market, answer, now)
    assert len(found) == 2
    assert text in found[1]


def test_the_age_counts_from_the_end_of_the_market_day() -> None:
    assert data_age_hours(date(2026, 1, 5), datetime(2026, 1, 6, 2, tzinfo=UTC)) == 2.0


def test_the_versions_of_an_answer_come_first() -> None:
    found = context_of_answer(MARKET, {"date": "2026-01-02", "model_version": "8"})
    assert found == {
        "market": "a",
        "date": "2026-01-02",
        "currency": "USD",
        "model_version": "8",
        "data_version": "dv",
    }
