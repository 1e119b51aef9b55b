"""`pokewatch tidy`."""

from dataclasses import asdict

import click

from pokewatch.cli.options import json_option
from pokewatch.cli.output import format_size, print_json, print_text


@click.command()
@click.option("--dry-run", is_flag=True, help="Only show what would be removed.")
@click.option(
    "--datastore",
    metavar="ROOT",
    help="Root of Metaflow's datastore, a folder or s3://bucket/path. "
    "Default: the one in POKEWATCH_HOME.",
)
@json_option
@click.pass_context
def tidy(ctx: click.Context, dry_run: bool, datastore: str | None, as_json: bool) -> None:
    """Remove what nothing uses any more.

    Price books of former champions, runs of the flows and events older than POKEWATCH_KEEP_DAYS,
    data versions that no kept model refers to, and what interrupted runs left. The daily flow does
    the same. Nothing is removed that is served, that a rollback would serve, or that the monitor
    still judges. Exits with 1 if something could not be removed.
    """
    from pokewatch.retention.tidy import tidy

    removed = list(tidy(dry_run=dry_run, datastore=datastore))
    faults = [each for each in removed if each.fault]
    if as_json:
        print_json([asdict(each) for each in removed])
    else:
        for each in removed:
            print_text(f"{each.name}: {each.fault or format_size(each.size)}")
        total = format_size(sum(each.size for each in removed))
        print_text(f"{total} {'would be freed' if dry_run else 'freed'}")
    ctx.exit(1 if faults else 0)
