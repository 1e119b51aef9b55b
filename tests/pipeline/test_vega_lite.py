from datetime import date, timedelta

import pytest

from pokewatch.pipeline.vega_lite import days_axis

FIRST = date(2026, 1, 20)


def days(count: int) -> list[date]:
    return [FIRST + timedelta(days=day) for day in range(count)]


@pytest.mark.parametrize("count", [1, 2, 7, 36, 60, 126, 400])
def test_at_most_seven_days_are_labelled_and_each_is_on_the_axis(count: int) -> None:
    labels = days_axis(days(count))["axis"]["values"]
    assert 1 <= len(labels) <= 7
    assert {*labels} <= {day.isoformat() for day in days(count)}


@pytest.mark.parametrize("step", [1, 17])
def test_days_are_labelled_by_day_and_long_spans_by_month(step: int) -> None:
    short, long = (days_axis(days(count)[::step])["axis"] for count in (40, 400))
    assert (short["values"][0], short["format"]) == ("2026-01-20", "%-d %b")
    assert (long["values"][:2], long["format"]) == (["2026-02-01", "2026-04-01"], "%b %Y")


def test_an_axis_without_days_is_a_days_axis() -> None:
    assert days_axis([])["type"] == "temporal"
