"""Giving up on a source that answers set by set, where too many of its sets fail."""

from collections.abc import Mapping

from pokewatch.errors import SourceError

MOST_IN_A_ROW = 5  # sets that may fail in a row before no more are requested
_LEAST_ANSWERED = 0.5  # share of the sets without which nothing is collected


def too_many(failed: Mapping[str, SourceError], sets: int) -> bool:
    """Return whether so many of the `sets` have failed that nothing is collected."""
    return len(failed) > (1 - _LEAST_ANSWERED) * sets


def not_collected(failed: Mapping[str, SourceError], consequence: str = "") -> SourceError:
    """Return the error of a run that gave up: the cause of the last failure, and their number."""
    last = list(failed.values())[-1]
    others = f" ({len(failed)} sets failed)" if len(failed) > 1 else ""
    return SourceError(last.source, last.url, f"{last.cause}{others}{consequence}", last.status)
