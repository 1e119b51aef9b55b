"""`pokewatch rollback`."""

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from pokewatch.cli.market_choice import chosen_registry, market_option
from pokewatch.cli.options import json_option
from pokewatch.cli.output import print_json, print_text, table_lines, waiting_bar

if TYPE_CHECKING:
    from pokewatch.registry import Registry


@click.command()
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@market_option
@json_option
def rollback(yes: bool, as_json: bool) -> None:
    """Restore the previous champion on every MLServer.

    Shows what would change and asks for confirmation; each MLServer must then answer with the
    restored version. A deploy that was killed is undone.
    """
    from pokewatch.deploy.rollout import rollback, rollback_target
    from pokewatch.settings import Home

    registry = chosen_registry()
    target = None
    if not yes:
        target = rollback_target(registry)
        _show_change(registry, target)
        _confirm(f"Make version {target} champion?")
    with waiting_bar("Rolling back", Home.read().logs / "rollback.seconds", 5.0):
        version, outcomes = rollback(registry, target=target)
    if as_json:
        print_json({"model_version": version, "servers": [asdict(outcome) for outcome in outcomes]})
        return
    print_text(f"model version {version} is champion again")
    for outcome in outcomes:
        print_text(f"{outcome.address}: {outcome.state}")


def _show_change(registry: "Registry", target: str) -> None:
    """Print the champion and the version that would replace it on standard error."""
    from pokewatch.deploy.versions import version_of
    from pokewatch.registry import CHAMPION

    champion = version_of(registry, CHAMPION)
    versions = [("champion now", champion), ("after the rollback", target)]
    cells = [(when, *_describe(registry, version)) for when, version in versions if version]
    header = ("", "version", "market", "currency", "cards", "prices of")
    for line in table_lines([header, *cells]):
        click.echo(line, err=True)


def _describe(registry: "Registry", version: str) -> tuple[str, ...]:
    from pokewatch.deploy.compatibility import summarize
    from pokewatch.errors import BookError, RegistryError

    try:
        found = summarize(registry, version)
    except (BookError, RegistryError, OSError) as error:
        return (version, f"unknown: {error}")
    days = f"{found.first_day} to {found.last_day}"
    return (version, found.market, found.currency, f"{found.cards:,}", days)


def _confirm(question: str) -> None:
    if not sys.stdin.isatty():
        raise click.UsageError("there is no terminal to ask for confirmation: add --yes")
    click.confirm(question, err=True, abort=True)
