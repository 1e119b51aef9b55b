"""`pokewatch doctor`."""

from dataclasses import asdict

import click

from pokewatch.cli.options import json_option
from pokewatch.cli.output import print_json, print_text


@click.command()
@json_option
@click.pass_context
def doctor(ctx: click.Context, as_json: bool) -> None:
    """Check this installation and suggest fixes. Exits with 1 if a check fails."""
    from pokewatch.cli.health_checks import run_checks

    findings = list(run_checks())
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            print_text(f"{finding.state:8}{finding.name}: {finding.detail}")
            if finding.remedy:
                print_text(f"{'':8}  -> {finding.remedy}")
    ctx.exit(1 if any(finding.state == "fault" for finding in findings) else 0)
