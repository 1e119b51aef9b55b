"""Checks that a track record agrees with itself. They raise ValueError."""

from collections.abc import Mapping
from typing import Any

from pokewatch.gateway.api.experiment_schemas import RecordExperiment
from pokewatch.gateway.api.record_schemas import (
    RecordOfHorizon,
    RecordScores,
    TrackRecordAnswer,
)
from pokewatch.gateway.upstream.reply_checks import check_day, is_card_id


def check_record(found: TrackRecordAnswer, _: Mapping[str, Any]) -> None:
    """Check days, names and sums: no forecast may be missing from a part, or be in two."""
    if found.measured_on is not None:
        check_day("measured_on", found.measured_on)
    for issue in (found.served, *found.open):
        check_day("issued_on", issue.issued_on)
        check_day("due_on", issue.due_on)
    if len({file.month for file in found.files}) != len(found.files):
        raise ValueError("a month has two files")
    for each in found.horizons:
        _check_horizon(each)
    for experiment in found.experiments:
        _check_experiment(experiment)
    rows, forecasts = (
        sum(file.rows for file in found.files),
        sum(each.overall.forecasts for each in found.horizons),
    )
    if rows != forecasts:
        raise ValueError(f"the files have {rows} forecasts, the summary {forecasts}")


def _check_horizon(found: RecordOfHorizon) -> None:
    _check_scores(found.overall)
    for name in ("months", "versions", "price_bands"):
        parts = getattr(found, name)
        for part in parts:
            _check_scores(part)
        total = sum(part.forecasts for part in parts)
        # A forecast of a card without a price is in no price band.
        if total > found.overall.forecasts or (
            name != "price_bands" and total != found.overall.forecasts
        ):
            raise ValueError(f"{name} have {total} of {found.overall.forecasts} forecasts")
    for miss in found.worst_misses:
        check_day("issued_on", miss.issued_on)
        if not (is_card_id(miss.card_id) and is_card_id(miss.slug)):
            raise ValueError(f"{miss.card_id!r} or {miss.slug!r} is neither an id nor a slug")
    for backtest in found.backtests:
        if len(backtest.dates) != len(backtest.equity):
            raise ValueError("the equity does not have a value for every day")
        for day in backtest.dates:
            check_day("dates", day)


def _check_experiment(found: RecordExperiment) -> None:
    check_day("started_on", found.started_on)
    if len(found.series) != found.days:
        raise ValueError(f"the series has {len(found.series)} of {found.days} days")
    for row in found.series:
        check_day("day", row.day)
        if not row.low <= row.mean <= row.high:
            raise ValueError(f"{row.mean} is outside its interval on {row.day}")


def _check_scores(found: RecordScores) -> None:
    check_day("from", found.first)
    check_day("to", found.last)
    if found.judged > found.forecasts:
        raise ValueError(f"{found.judged} of {found.forecasts} forecasts are judged")
    coverage = found.coverage
    if coverage is not None and not 0 <= coverage.value <= 1:
        raise ValueError(f"the coverage is {coverage.value}")
