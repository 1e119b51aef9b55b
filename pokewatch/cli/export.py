"""`pokewatch export`."""

from datetime import date
from pathlib import Path
from typing import Any

import click

from pokewatch.cli.market_choice import champion_book, chosen_registry, market_option
from pokewatch.cli.options import OutputFile, ending_of, json_option
from pokewatch.cli.output import (
    print_json,
    print_wrapped,
    progress_bar,
    warn_of_old_prices,
)
from pokewatch.contract import EXPORT_TYPES, ExportFormat, parse_history
from pokewatch.errors import OutputError
from pokewatch.wording import counted


class DayRange(click.ParamType[tuple[date | None, date | None]]):
    name = "FROM..TO"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return parse_history(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


@click.command()
@click.option(
    "--out",
    type=OutputFile(),
    required=True,
    help="File to write; it appears complete or not at all.",
)
@click.option(
    "--format",
    "file_format",
    type=click.Choice(list(EXPORT_TYPES)),
    help="Default: by the ending of the file's name, parquet without one.",
)
@click.option(
    "--history",
    type=DayRange(),
    help="Days to export; a side left out is open. Default: the latest day.",
)
@market_option
@json_option
def export(
    out: Path,
    file_format: ExportFormat | None,
    history: tuple[date | None, date | None] | None,
    as_json: bool,
) -> None:
    """Export all cards with their prices, fair prices and signals to one file.

    There is a row for each card, or for each card and day of --history, by the champion model.
    Parquet is for programs, CSV for spreadsheets: texts that these would take for a formula get an
    apostrophe.

    \b
      pokewatch export --out cards.csv
      pokewatch export --out january.parquet --history 2026-01-01..2026-01-31
    """
    from pokewatch.valuation.book.export import ExportVersions, exported_days, write_export
    from pokewatch.valuation.signals import configured_thresholds

    file_format = file_format or ending_of(out, "--out", EXPORT_TYPES) or "parquet"
    registry = chosen_registry()
    book, model = champion_book(registry)
    try:
        days = exported_days(book, *(history or (book.last_day, None)))
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    versions = ExportVersions(model.version, model.data_version)
    try:
        with progress_bar(f"Exporting {counted(len(days), 'day')}", len(days)) as advance:
            rows = write_export(
                book, days, out, file_format, versions, configured_thresholds(), advance
            )
    except OSError as error:
        raise OutputError(f"{out} cannot be written: {error.strerror or error}") from error
    first, last = (str(book.dates[day]) for day in days[[0, -1]])
    found = {"file": str(out), "rows": rows, "from": first, "to": last, **versions._asdict()}
    if as_json:
        print_json(found)
    else:
        days_text = last if first == last else f"{first} to {last}"
        print_wrapped(
            f"{counted(rows, 'row')} of {days_text} in {book.facts.currency}, written to {out}"
        )
        print_wrapped(f"model version {model.version}, data version {model.data_version}")
    warn_of_old_prices(book.last_day, registry.market, book.facts.market)
