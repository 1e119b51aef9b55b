"""Checks of the flows' parameters, made before any step runs.

Each raises SettingsError with the option, the value and which values are valid.
"""

from datetime import UTC, date, datetime, timedelta
from typing import Unpack

from pokewatch.contract import parse_iso_day
from pokewatch.errors import SettingsError
from pokewatch.market.markets import require_id
from pokewatch.market.sources import SOURCES, Source, SourceOptions, open_source
from pokewatch.market.sources.games import categories_of
from pokewatch.market.sources.simulated import MOST_CARDS, MOST_SEED
from pokewatch.settings import MarketSettings, listed
from pokewatch.valuation.models import MODELS
from pokewatch.valuation.models.boosted import Boosted

MOST_DAYS = 36_500
MOST_HORIZON = 365
MOST_SHARDS = 100  # the most branches that Metaflow runs
MOST_MONTHS = 100
MOST_MARKETS = 100
_MOST_HORIZONS = 10
_FIRST_DAY = date(1996, 1, 1)


def check_daily(
    *, days: int, last_day: str, horizon: int, other_horizons: str, candidates: str, shards: int
) -> None:
    """Check the parameters of the daily flow."""
    check_number("--horizon", horizon, 1, MOST_HORIZON)
    check_number("--days", days, 1, MOST_DAYS)
    check_number("--shards", shards, 1, MOST_SHARDS)
    parse_horizons(other_horizons)
    if candidates:
        parse_candidates(candidates)
    parse_day(last_day)


def check_monitor(*, days: int, last_day: str) -> None:
    """Check the parameters of the monitoring flow."""
    check_number("--days", days, 1, MOST_DAYS)
    parse_day(last_day)


def check_backfill(*, first_day: str, last_day: str) -> tuple[date, date]:
    """Return the first and last day of a backfill."""
    first, last = _day(first_day, "--from"), _day(last_day, "--to")
    if first > last:
        raise SettingsError(f"--from {first}: it is after --to {last}; use an earlier day")
    if (last.year - first.year) * 12 + last.month - first.month >= MOST_MONTHS:
        raise SettingsError(
            f"--from {first}: more than {MOST_MONTHS} months before --to {last}; split it into runs"
        )
    return first, last


def check_source(source: str, *, cards: int, seed: int, file: str, categories: str = "") -> None:
    """Check the parameters of the market that do not depend on this machine."""
    if source not in SOURCES:
        raise SettingsError(f"--source {source!r}: unknown source; use one of {', '.join(SOURCES)}")
    check_number("--cards", cards, 1, MOST_CARDS)
    check_number("--seed", seed, 0, MOST_SEED)
    if file and source != "file":
        raise SettingsError(f"--file {file!r}: --source {source} reads no file; add --source file")
    if categories and source != "tcgcsv":
        raise SettingsError(
            f"--categories {categories!r}: --source {source} has no categories; add --source tcgcsv"
        )
    categories_of(listed(categories))
    if "\0" in file:
        raise SettingsError(f"--file {file!r}: a path must not contain a null byte")


def check_market(
    market: str, *, source: str, cards: int, seed: int, file: str, categories: str
) -> None:
    """Check the id of a market, and that the options which it determines do not contradict it.

    "" and 0 stand for options that are not given.
    """
    require_id(market)
    check_number("--cards", cards, 1, MOST_CARDS)
    given = {"--source": source, "--seed": seed, "--file": file, "--categories": categories}
    for option, value in given.items():
        if value:
            raise SettingsError(
                f"{option} {value}: --market {market} determines it; leave {option} or --market out"
            )


def require_markets(text: str) -> list[str]:
    """Return the markets of a comma-separated list. Raise SettingsError if there are none."""
    names = list(dict.fromkeys(listed(text)))
    if not 1 <= len(names) <= MOST_MARKETS:
        variable = MarketSettings.variable("markets")
        raise SettingsError(
            f"market {text!r}: {len(names)} markets; name 1 to {MOST_MARKETS}, here or in "
            f"{variable}"
        )
    return names


def check_machine(
    source: str,
    *,
    first: date | None = None,
    last: date | None = None,
    **options: Unpack[SourceOptions],
) -> None:
    """Check that the source can be opened on this machine and may have the requested days."""
    opened = open_source(source, **options)
    check_days(opened, first, last)


def check_days(source: Source, first: date | None, last: date | None) -> None:
    """Check that the source may have the requested days."""
    earliest, latest = source.reach() or (_FIRST_DAY, datetime.now(UTC).date())
    for option, day in (("--from", first), ("--to", last)):
        if day and not earliest <= day <= latest:
            raise SettingsError(
                f"{option} {day}: {source.name} has no such day; use a day from {earliest} to "
                f"{latest}"
            )


def check_number(option: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise SettingsError(f"{option} {value}: use a number from {least} to {most}")


def default_candidates(source: str) -> list[str]:
    """Return the models that compete where none are named: of a real market, all of them.

    A simulated market is for trying things out, and `boosted` takes longer than all others.
    """
    return [name for name in MODELS if source != "simulated" or name != Boosted.name]


def parse_candidates(text: str) -> list[str]:
    """Return the models of a comma-separated list, without duplicates."""
    names = list(dict.fromkeys(listed(text)))
    unknown = [name for name in names if name not in MODELS]
    if unknown or not names:
        raise SettingsError(
            f"--candidates {text!r}: use a comma-separated list of {', '.join(MODELS)}"
        )
    return names


def parse_horizons(text: str) -> list[int]:
    """Return the horizons of a comma-separated list, which may be empty."""
    names = listed(text)
    invalid = [name for name in names if not _is_horizon(name)]
    if invalid or len(names) > _MOST_HORIZONS:
        raise SettingsError(
            f"--other-horizons {text!r}: use a comma-separated list of at most {_MOST_HORIZONS} "
            f"numbers of days from 1 to {MOST_HORIZON}"
        )
    return [int(name) for name in names]


def parse_day(text: str) -> date | None:
    """Return the last day, given as YYYY-MM-DD; None for ""."""
    return _day(text, "--to") if text else None


def _day(text: str, option: str) -> date:
    try:
        return parse_iso_day(text)
    except ValueError:
        yesterday = datetime.now(UTC).date() - timedelta(days=1)
        raise SettingsError(f"{option} {text!r}: use a date such as {yesterday}") from None


def _is_horizon(name: str) -> bool:
    return name.isascii() and name.isdecimal() and len(name) <= 4 and 1 <= int(name) <= MOST_HORIZON
