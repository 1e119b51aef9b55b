"""The warning that prices are old."""

from datetime import UTC, date, datetime, time, timedelta

import click

from pokewatch.contract import MAX_DATA_AGE_HOURS


def data_age_hours(last_day: date, now: datetime | None = None) -> float:
    """Return the hours since the end of a market day (UTC)."""
    end = datetime.combine(last_day + timedelta(days=1), time(), UTC)
    return ((now or datetime.now(UTC)) - end).total_seconds() / 3_600
