"""`pokewatch doctor`."""

import os
from dataclasses import asdict

import click

from pokewatch.cli.options import json_option
from pokewatch.cli.output import print_json, print_text, print_wrapped, wrap

# MLflow's own defaults keep a check of a server that is down waiting for four minutes, or longer.
_MLFLOW = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10"}


@click.command()
@json_option
@click.pass_context
def doctor(ctx: click.Context, as_json: bool) -> None:
    """Check this installation and suggest fixes. Exits with 1 if a check fails."""
    from pokewatch.cli.health_checks import run_checks

    for variable, value in _MLFLOW.items():
        os.environ.setdefault(variable, value)
    findings = list(run_checks())
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            text = wrap(f"{finding.name}: {finding.detail}", " " * 8)
            print_text(f"{finding.state:8}{text[8:]}")
            if finding.remedy:
                print_wrapped(f"-> {finding.remedy}", " " * 10)
    ctx.exit(1 if any(finding.state == "fault" for finding in findings) else 0)
