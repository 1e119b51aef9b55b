"""Checks of the prices that were collected, each with a suggested fix."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pokewatch.cli.findings import Finding
from pokewatch.contract import MAX_DATA_AGE_HOURS, data_age_hours
from pokewatch.errors import PokeWatchError
from pokewatch.wording import age_in_words, counted

if TYPE_CHECKING:
    from pokewatch.market.lake import Lake


def lake_findings(folder: Path) -> Iterator[Finding]:
    """Yield a finding for the prices of each lake in `folder`."""
    from pokewatch.market.lake import Lake

    roots = sorted(path for path in folder.glob("*") if path.is_dir())
    if not roots:
        yield Finding("prices", "warning", "none collected yet", "pokewatch collect")
    for root in roots:
        try:
            yield _lake(Lake(root))
        except (PokeWatchError, OSError) as error:  # of one lake, beside which others are judged
            yield Finding(f"prices: {root.name}", "fault", str(error))


def _lake(lake: "Lake") -> Finding:
    name, days = f"prices: {lake.root.name}", lake.days()
    collect = _collect_command(lake.root.name)
    if damaged := _damaged(lake):
        remedy = f"{collect}, which restores or replaces them; if it cannot, delete {lake.damaged}"
        return Finding(name, "fault", damaged, remedy)
    if not days:
        return Finding(name, "warning", "no day collected", collect)
    if not lake.has_catalog():
        return Finding(name, "fault", f"{counted(len(days), 'day')} without a catalogue", collect)
    gaps = (days[-1] - days[0]).days + 1 - len(days)
    now = datetime.now(UTC)
    hours = data_age_hours(days[-1], now)
    detail = f"{counted(len(days), 'day')}, {days[0]} to {days[-1]}" + (
        f", {gaps} missing in between" if gaps else ""
    )
    if days[-1] > now.date():
        remedy = (
            "set the clock of this machine, or delete the future days from "
            f"{lake.raw / 'prices'}: the pipeline refuses them"
        )
        return Finding(name, "fault", f"{detail}, in the future", remedy)
    if hours > MAX_DATA_AGE_HOURS:
        remedy = f"{collect} fetches the missing days"
        if lake.root.name.startswith("file-"):
            remedy = "collect a newer file: pokewatch collect --source file --file FILE"
        detail += f"; the last ended {age_in_words(hours)} ago"
        return Finding(name, "warning", detail, remedy)
    return Finding(name, "ok", detail)


def _collect_command(lake: str) -> str:
    """Return the command that collects into the lake of this name."""
    from pokewatch.market.sources import SOURCES

    source, *options = lake.split("-")
    if source == "simulated" and len(options) == 2:
        return f"pokewatch collect --cards {options[0]} --seed {options[1]}"
    if source not in SOURCES:  # a game of the catalogue, such as magic-tcgplayer-usd
        return f"pokewatch collect --market {lake}"
    return f"pokewatch collect --source {source}{' --file FILE' if source == 'file' else ''}"


def _damaged(lake: "Lake") -> str:
    """Return which files of a lake are damaged, "" if none is."""
    unreadable, lost = lake.unreadable(), lake.lost()
    found = [*unreadable, *(lake.damaged / path for path in lost)]
    if not found:
        return ""
    more = f", and {len(found) - 1} more" if len(found) > 1 else ""
    how = "cannot be read" if unreadable else "could not be read, and nothing has replaced it"
    return f"{found[0]} {how}{more}"
