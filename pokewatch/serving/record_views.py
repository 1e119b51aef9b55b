"""The `/catalog/track_record` query, and pieces of the files of the record."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import timedelta
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, ValidationError

from pokewatch.errors import TrackRecordError
from pokewatch.serving.catalog_cards import BookQuery, Text
from pokewatch.serving.loaded_books import LoadedBook
from pokewatch.serving.validation import validation_message
from pokewatch.valuation.skill import skill_of
from pokewatch.valuation.track_record import LATE, OTHER_MARKET, TrackRecord


class BookRecordQuery(BookQuery):
    pass


class RecordPieceQuery(BookQuery):
    """Piece `number` of the file `name`; the file "" has no forecasts."""

    name: Text
    format: Literal["csv", "parquet"]
    number: Annotated[int, Field(ge=0, lt=1_000_000)]
    header: bool = False


def track_record(loaded: LoadedBook, _: BookRecordQuery) -> dict[str, Any]:
    """Return the track record, the forecasts that are being served, and the evaluation."""
    record = _record(loaded)
    excluded = [issue.excluded for issue in record.issues]
    return {
        "record": loaded.record.digest(),
        "source": loaded.book.facts.source,
        "measured_on": record.measured_on and record.measured_on.isoformat(),
        "served": _served(loaded),
        "open": [_plain(issue) for issue in record.issues if issue.open],
        "unvalued": sum(issue.unvalued for issue in record.issues if issue.resolved),
        "late": excluded.count(LATE),
        "other_market": excluded.count(OTHER_MARKET),
        "unread": record.unread,
        "horizons": record.summary.get("horizons", []),
        "failed_checks": record.summary.get("failed_checks", []),
        "experiments": record.summary.get("experiments", []),
        "files": [_plain(file) for file in record.files],
        "evaluation": evaluation(loaded),
    }


def evaluation(loaded: LoadedBook) -> dict[str, Any]:
    """Return the walk-forward evaluation of the served model."""
    facts = loaded.book.facts
    metrics = facts.metrics
    return {
        "model": facts.model,
        "horizon": facts.horizon,
        "skill": skill_of(metrics),
        "not_evaluated": facts.not_evaluated or None,
        "card_days": int(metrics["dataset_size"]) if "dataset_size" in metrics else None,
        "periods": metrics.get("windows"),
        "error": _estimate(metrics, "rmae_last"),
        "coverage": _estimate(metrics, "coverage_90"),
        "mape": metrics.get("mape"),
        "bias": metrics.get("bias"),
    }


def record_piece(loaded: LoadedBook, payload: object) -> tuple[int, bytes | dict[str, Any]]:
    """Return the HTTP status and body of a request for a piece of a file of the record.

    200 carries the piece, empty after the last one; 404 and 422 the error.
    """
    try:
        query = RecordPieceQuery.model_validate(payload)
        if not query.name:
            return 200, b"" if query.number else loaded.record.empty(query.format)
        if query.format == "csv":
            return 200, loaded.record.csv(query.name, query.number, header=query.header)
        return 200, loaded.record.parquet(query.name, query.number)
    except ValidationError as error:
        return 422, {"error": validation_message([dict(each) for each in error.errors()])}
    except TrackRecordError as error:
        return 404, {"error": str(error)}


def _record(loaded: LoadedBook) -> TrackRecord:
    """Return the record of the book's market, an empty one if there is none."""
    facts, found = loaded.book.facts, loaded.record.current()
    if found is None or (found.source, found.currency) != (facts.source, facts.currency):
        return TrackRecord(facts.source, facts.currency)
    return found


def _served(loaded: LoadedBook) -> dict[str, Any]:
    book = loaded.book
    due_on = book.last_day + timedelta(days=book.facts.horizon)
    return {
        "model_version": loaded.model_version,
        "issued_on": book.last_day.isoformat(),
        "due_on": due_on.isoformat(),
        "horizon": book.facts.horizon,
        "forecasts": int(np.isfinite(book.latest().fair).sum()),
    }


def _plain(found: Any) -> dict[str, Any]:
    return {
        name: value.isoformat() if hasattr(value, "isoformat") else value
        for name, value in asdict(found).items()
    }


def _estimate(metrics: Mapping[str, float], name: str) -> dict[str, float | None] | None:
    if name not in metrics:
        return None
    ends = {end: metrics.get(f"{name}_{end}") for end in ("low", "high")}
    return {"value": metrics[name], **ends}
