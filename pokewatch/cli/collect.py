"""`pokewatch collect`."""

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from pokewatch.cli.market_choice import market_option
from pokewatch.cli.options import Day, OutputFile, ending_of, json_option
from pokewatch.cli.output import (
    print_json,
    print_text,
    print_wrapped,
    progress_bar,
    warn,
    warn_of_unknown_settings,
    without_controls,
)
from pokewatch.contract import EXPORT_TYPES
from pokewatch.wording import counted

_DETERMINED = {  # by the market
    "source": "--source",
    "seed": "--seed",
    "path": "--file",
    "categories": "--categories",
}

if TYPE_CHECKING:
    from pokewatch.market.collect_report import CollectReport


@click.command()
@click.option(
    "--source",
    default="simulated",
    show_default=True,
    help="simulated, tcgcsv, pokemon_price_tracker or file.",
)
@click.option("--from", "start", type=Day(), help="First day.")
@click.option("--to", "end", type=Day(), help="Last day. Default: the source's latest.")
@click.option(
    "--days",
    type=click.IntRange(1, 36_500),
    help="Number of days, counted back from the last. Default: 30; for a file, all of its days.",
)
@click.option(
    "--cards",
    type=click.IntRange(min=1),
    default=1000,
    show_default=True,
    help="Number of cards in the simulated market.",
)
@click.option(
    "--seed", type=int, default=0, show_default=True, help="Seed of the simulated market."
)
@click.option(
    "--file",
    "path",
    type=click.Path(path_type=Path),
    help="File to read with --source file: text, a workbook or Parquet.",
)
@click.option(
    "--check",
    is_flag=True,
    help="Only show how the file given with --file is understood.",
)
@click.option(
    "--categories",
    help="Comma-separated games to collect with --source tcgcsv, by name or TCGplayer category. "
    "Default: POKEWATCH_TCGCSV_CATEGORIES.",
)
@click.option(
    "--day",
    "named",
    type=Day(),
    multiple=True,
    help="A day to collect, in place of a range. Can be given several times.",
)
@click.option(
    "--refresh",
    is_flag=True,
    help="Collect days again that are already in the lake. One that fails its checks, or that "
    "lacks prices it had, is left as it was.",
)
@click.option(
    "--format",
    "export_format",
    type=click.Choice(list(EXPORT_TYPES)),
    help="Also export the days to one file in this format. Default: by the ending of --output.",
)
@click.option(
    "--output",
    type=OutputFile(),
    help="File to export to. Default: named by source and days, in POKEWATCH_HOME/exports.",
)
@market_option
@json_option
@click.pass_context
def collect(
    ctx: click.Context,
    source: str,
    start: date | None,
    end: date | None,
    days: int | None,
    cards: int,
    seed: int,
    path: Path | None,
    check: bool,
    categories: str | None,
    named: tuple[date, ...],
    refresh: bool,
    export_format: str | None,
    output: Path | None,
    as_json: bool,
) -> None:
    """Collect daily prices into the lake.

    Days that are already in the lake are skipped, so running the same command again resumes an
    interrupted collection.

    \b
      pokewatch collect --days 400
      pokewatch collect --source tcgcsv --from 2025-10-22 --to 2025-10-26
      pokewatch collect --source tcgcsv --day 2025-10-22 --day 2025-10-26 --refresh
      pokewatch collect --source tcgcsv --categories "Magic, One Piece"
      pokewatch collect --market magic-tcgplayer-usd
      pokewatch collect --source file --file my_prices.csv --check
      pokewatch collect --source file --file my_prices.csv --format parquet
    """
    from pokewatch.pipeline.parameters import check_source
    from pokewatch.settings import RegistrySettings

    if named_market := RegistrySettings.read().market:
        source, seed, path, categories = _options_of(ctx, named_market)
    check_source(source, cards=cards, seed=seed, file=str(path or ""), categories=categories or "")
    if output and not export_format:
        export_format = ending_of(output, "--output", EXPORT_TYPES)
    if check:
        _show_file(source, path, as_json)
        return
    market = {"cards": cards, "seed": seed, "path": path, "categories": categories}
    if named and (start or end or days):
        raise click.UsageError("--day cannot be used with --from, --to or --days; use one of them")
    report, lake, collected = _collect(source, market, start, end, days, named, refresh)
    exports = export_format or output
    exported = _export(lake, source, collected, export_format, output) if exports else None
    _print_report(report, lake.root, exported, as_json)
    report.require_no_held()


def _options_of(ctx: click.Context, market: str) -> tuple[str, int, Path | None, str | None]:
    """Return the source of a market and its options, none of which may be given besides."""
    from pokewatch.market.markets import source_of

    for name, option in _DETERMINED.items():
        if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            raise click.UsageError(f"--market {market} determines {option}: leave one of them out")
    found = source_of(market)
    return found.source, found.seed, found.path, found.categories


def _show_file(source: str, path: Path | None, as_json: bool) -> None:
    """Print what is understood of a file, without storing anything."""
    from pokewatch.market.known_cards import other_lakes
    from pokewatch.market.lake import Lake
    from pokewatch.market.sources.file import FileSource
    from pokewatch.market.tabular.summary import summary
    from pokewatch.settings import Home, SourceSettings

    if source != "file":
        raise click.UsageError(f"--check: --source {source} reads no file; add --source file")
    opened = FileSource(SourceSettings.read(), path)
    opened.reach()
    lakes = other_lakes(Lake(Home.read().lakes / opened.lake_name))
    lines = [*summary(opened.table), *filter(None, [opened.scale_fault(lakes)])]
    if as_json:
        print_json({"file": str(opened.path), "summary": lines})
        return
    for line in lines:
        print_text(line)


def _collect(
    source: str,
    market: dict[str, Any],
    start: date | None,
    end: date | None,
    days: int | None,
    named: tuple[date, ...],
    refresh: bool,
) -> tuple[Any, Any, list[date]]:
    from pokewatch.market.collect import collect, requested_days
    from pokewatch.market.lake import Lake
    from pokewatch.market.sources import open_source
    from pokewatch.pipeline.parameters import check_days
    from pokewatch.settings import Home, prepare

    prepare()
    warn_of_unknown_settings()
    opened = open_source(source, **market)
    if named:
        start, end = min(named), max(named)
    check_days(opened, start, end)
    lake = Lake(Home.read().lakes / opened.lake_name)
    if lake.unreadable() or lake.lost():
        from pokewatch.market.latest_version import LatestVersions

        LatestVersions().restore(lake)
    wanted = requested_days(opened, start, end, days)
    wanted = [day for day in wanted if not named or day in named]
    with progress_bar(f"Collecting {counted(len(wanted), 'day')}", len(wanted)) as advance:
        report = collect(opened, lake, wanted, refresh=refresh, progress=advance)
    return report, lake, wanted


def _export(
    lake: Any, source: str, days: list[date], export_format: str | None, output: Path | None
) -> Path:
    from pokewatch.market.export import export
    from pokewatch.settings import Home

    export_format = export_format or "parquet"
    name = f"pokewatch-{source}-{days[0]}-{days[-1]}.{export_format}"
    exported = output or Home.read().exports / name
    export(lake, days, exported, export_format)
    return exported


def _print_report(
    report: "CollectReport", lake: Path, exported: Path | None, as_json: bool
) -> None:
    if as_json:
        print_json(
            report.to_json() | {"lake": str(lake), "exported": str(exported) if exported else None}
        )
        return
    print_wrapped(
        f"{counted(len(report.written), 'day')} written, {len(report.unchanged)} already there: "
        f"{counted(report.rows, 'price')} in {lake}"
    )
    if report.usage:
        print_wrapped(f"{report.usage}")
    for reason, count in sorted(report.quarantined.items()):
        text = f"quarantined: {counted(count, 'row')}, {reason}"
        if first := report.first_quarantined[reason]:
            text += f" (first: {first})"
        click.echo(without_controls(text), err=True)
    for warning in report.warnings:
        warn(str(warning))
    if exported:
        print_wrapped(f"exported to {exported}")
