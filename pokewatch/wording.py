"""Counts, lists, ages, evidence, errors of the system, and commands in words."""

from collections.abc import Sequence

_LISTED = 5


def counted(count: int, noun: str, plural: str = "") -> str:
    """Return a number of things: `0 days`, `1 day`, `1,200 days`. A regular plural may be ""."""
    return f"{count:,} {noun if count == 1 else plural or f'{noun}s'}"


def listed(items: Sequence[object], noun: str = "", comma: str = ", ") -> str:
    """Return the first five of `items` and the number of the others: `a, b, c, d, e and 2 more`."""
    first, more = comma.join(map(str, items[:_LISTED])), len(items) - _LISTED
    return f"{first} and {more} more {noun}".rstrip() if more > 0 else first


def age_in_words(hours: float) -> str:
    """Return an age in hours, or from two days on in days: `37 hours`, `3 days`.

    The age of a day counts from its end, so it is a day less than by the calendar.
    """
    whole = round(hours)
    return counted(whole, "hour") if whole < 48 else counted(round(hours / 24), "day")


def evidence(ratio: float) -> str:
    """Return evidence, a ratio, to compare with a threshold: `2.33`, `15,700`, `under 0.01`."""
    if not 0.01 <= ratio < 1e6:
        return "under 0.01" if ratio < 0.01 else "over 1,000,000"
    return f"{float(f'{ratio:.3g}'):,.{0 if ratio >= 100 else 2}f}"


def refusal(error: Exception) -> str:
    """Return why the system refused something, and of which file, without the error's number."""
    if not isinstance(error, OSError) or not error.strerror:
        return str(error)
    named = isinstance(error.filename, str)
    return f"{error.filename}: {error.strerror}" if named else error.strerror


def pipeline_command(market: str, valued: str = "", flow: str = "pipeline") -> str:
    """Return the command that collects and values a named market, or the only one for "".

    `valued` is the id of the only one, where it is known: its source, and what the source does not
    choose by default, have to be given. The `flow` "monitor" compares forecasts of the market with
    later prices instead.
    """
    run = f"pokewatch {flow} run"
    if market:
        return f"{run} --market {market}"
    if valued.startswith("file-"):
        return f"{run} --source file --file FILE"
    if valued.endswith("-tcgplayer-usd"):
        games = "" if valued == "pokemon-tcgplayer-usd" else " --categories GAMES"
        return f"{run} --source tcgcsv{games}"
    if valued.endswith("-pricetracker-usd"):
        return f"{run} --source pokemon_price_tracker"
    seed = valued.removeprefix("simulated-")
    return run if seed in (valued, "0") else f"{run} --seed {seed}"
