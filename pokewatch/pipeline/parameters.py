"""The parameters of the flows, checked before any step runs.

Every check raises SettingsError: the option, the value it was given, and what would do.
"""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from pokewatch.errors import SettingsError
from pokewatch.market.sources import SOURCES, Source, open_source
from pokewatch.market.sources.simulated import MOST_CARDS, MOST_SEED
from pokewatch.settings import listed
from pokewatch.valuation.evaluation.runner import days_needed
from pokewatch.valuation.models import MODELS

MOST_DAYS = 36_500
MOST_HORIZON = 365
MOST_SHARDS = 100  # Metaflow runs no more branches than that
MOST_MONTHS = 100
_MOST_HORIZONS = 10
_FIRST_DAY = date(1996, 1, 1)


def check_daily(
    *, days: int, last_day: str, horizon: int, other_horizons: str, candidates: str, shards: int
) -> None:
    """Check what is the daily flow's own."""
    check_number("--horizon", horizon, 1, MOST_HORIZON)
    check_number("--days", days, 1, MOST_DAYS)
    needed = days_needed(horizon)
    if days < needed:
        raise SettingsError(
            f"--days {days}: too few to judge a horizon of {horizon} days; at least {needed} would do"
        )
    check_number("--shards", shards, 1, MOST_SHARDS)
    parse_horizons(other_horizons)
    parse_candidates(candidates)
    parse_day(last_day)


def check_monitor(*, days: int, last_day: str) -> None:
    """Check what is the monitoring flow's own."""
    check_number("--days", days, 1, MOST_DAYS)
    parse_day(last_day)


def check_backfill(*, first_day: str, last_day: str) -> tuple[date, date]:
    """The first and last day of a backfill."""
    first = parse_day(first_day, "--from", required=True)
    last = parse_day(last_day, required=True)
    if first is None or last is None:
        raise ValueError("a day that is required was read as none")
    if first > last:
        raise SettingsError(f"--from {first}: it is after --to {last}; give the earlier day first")
    if (last.year - first.year) * 12 + last.month - first.month >= MOST_MONTHS:
        raise SettingsError(
            f"--from {first}: more than {MOST_MONTHS} months before --to {last}; use two runs"
        )
    return first, last


def check_source(source: str, *, cards: int, seed: int, file: str) -> None:
    """Check what says which market is meant, without a look at this machine."""
    if source not in SOURCES:
        raise SettingsError(
            f"--source {source!r}: there is no such source; use one of {', '.join(SOURCES)}"
        )
    check_number("--cards", cards, 1, MOST_CARDS)
    check_number("--seed", seed, 0, MOST_SEED)
    if file and source != "file":
        raise SettingsError(f"--file {file!r}: --source {source} reads no file; add --source file")
    if "\0" in file:
        raise SettingsError(f"--file {file!r}: a path has no zero byte; give the path of a file")


def check_machine(
    source: str,
    *,
    cards: int,
    seed: int,
    path: Path | None,
    first: date | None = None,
    last: date | None = None,
) -> None:
    """Check what the source needs on this machine, and the days against those it can have."""
    opened = open_source(source, cards=cards, seed=seed, path=path)
    check_days(opened, first, last)


def check_days(source: Source, first: date | None, last: date | None) -> None:
    """Check the days asked for against those that the source can have."""
    earliest, latest = source.reach() or (_FIRST_DAY, datetime.now(UTC).date())
    for option, day in (("--from", first), ("--to", last)):
        if day and not earliest <= day <= latest:
            raise SettingsError(
                f"{option} {day}: {source.name} has no such day; use one from {earliest} to {latest}"
            )


def check_number(option: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise SettingsError(f"{option} {value}: use a number from {least} to {most}")


def parse_candidates(text: str) -> list[str]:
    """The models named in `text`, comma-separated, each once."""
    names = list(dict.fromkeys(listed(text)))
    unknown = [name for name in names if name not in MODELS]
    if unknown or not names:
        raise SettingsError(
            f"--candidates {text!r}: name one or more of {', '.join(MODELS)}, separated by commas"
        )
    return names


def parse_horizons(text: str) -> list[int]:
    """The numbers of days named in `text`, comma-separated; [] of ""."""
    names = listed(text)
    wrong = [name for name in names if not _is_horizon(name)]
    if wrong or len(names) > _MOST_HORIZONS:
        raise SettingsError(
            f"--other-horizons {text!r}: give at most {_MOST_HORIZONS} numbers of days from 1 to {MOST_HORIZON}, separated by commas"
        )
    return [int(name) for name in names]


def parse_day(text: str, option: str = "--to", *, required: bool = False) -> date | None:
    """The day of `text` as YYYY-MM-DD, None of "" unless a day is required."""
    if not text and not required:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        yesterday = datetime.now(UTC).date() - timedelta(days=1)
        raise SettingsError(f"{option} {text!r}: give a day such as {yesterday}") from None


def _is_horizon(name: str) -> bool:
    return name.isdecimal() and len(name) <= 4 and 1 <= int(name) <= MOST_HORIZON
