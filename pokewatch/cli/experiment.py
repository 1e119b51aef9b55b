"""`pokewatch experiment`."""

from collections.abc import Iterator, Mapping
from typing import Any

import click

from pokewatch.cli.options import json_option
from pokewatch.cli.output import (
    format_number,
    format_percent,
    format_share,
    print_json,
    print_text,
    print_wrapped,
)

_SHOWN = 5


@click.group()
def experiment() -> None:
    """Compare another model with the champion's, day by day, before it serves.

    While an experiment runs, the daily pipeline registers a price book of the challenger beside the
    champion's. No server loads it. The monitor compares both with the prices that follow, and the
    challenger is deployed once it is better beyond chance.
    """


@experiment.command("start")
@click.argument("model")
@json_option
def start(model: str, as_json: bool) -> None:
    """Start an experiment with MODEL as the challenger, from the next run of the pipeline on."""
    from pokewatch.experiments.standing import Standing
    from pokewatch.pipeline.experiments import start_experiment
    from pokewatch.registry import Registry

    started = start_experiment(Registry(), model)
    if as_json:
        print_json(Standing.of(started, []).to_dict())
        return
    rule = started.plan.rule
    print_wrapped(
        f"experiment {started.number}: {started.plan.challenger} against {started.plan.champion}, "
        f"from the next run of the pipeline on; first results {rule.horizon} days of prices later"
    )


@experiment.command("status")
@json_option
def status(as_json: bool) -> None:
    """Show the newest experiments, with the evidence so far."""
    from pokewatch.experiments.update import newest_standings
    from pokewatch.registry import Registry

    found = [each.to_dict() for each in newest_standings(Registry(), _SHOWN)]
    if as_json:
        print_json({"experiments": found})
        return
    if not found:
        print_text("there is no experiment yet")
    for each in found:
        for line in _lines(each):
            print_wrapped(line)


@experiment.command("stop")
@click.option("--reason", default="stopped on request", help="Reason, for the history.")
@json_option
def stop(reason: str, as_json: bool) -> None:
    """Stop the experiment that runs; the champion stays."""
    from pokewatch.experiments.records import ExperimentRecords
    from pokewatch.registry import Registry

    stopped = ExperimentRecords(Registry()).stop(reason)
    if as_json:
        print_json({"number": stopped.number, "state": stopped.state, "outcome": stopped.outcome})
        return
    print_text(f"experiment {stopped.number} is stopped: {stopped.outcome}")


def _lines(found: Mapping[str, Any]) -> Iterator[str]:
    state = found["state"] + (f": {found['outcome']}" if found["outcome"] else "")
    yield (
        f"experiment {found['number']}, {found['challenger']} against {found['champion']}, since "
        f"{found['started_on']}: {state}"
    )
    if not found["days"]:
        yield f"  no result yet: the first comes {found['horizon']} days after a pipeline run"
        return
    now, gain = found["series"][-1], found["gain"]
    yield f"  {found['days']} days of forecasts compared, {found['forecasts']:,} prices"
    yield (
        f"  evidence that {found['challenger']} is better {format_number(now['e_value'])}, worse "
        f"{format_number(now['e_opposite'])}; {format_number(found['threshold'])} decides"
    )
    yield (
        f"  its error against that of {found['champion']} "
        f"{format_percent(None if gain is None else -gain)}; mean difference {now['mean']:+.3f}, "
        f"95% interval {now['low']:+.3f} to {now['high']:+.3f}"
    )
    yield f"  {format_share(now['coverage'])} of the prices are inside its 90% intervals"
