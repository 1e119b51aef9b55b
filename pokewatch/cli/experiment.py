"""`pokewatch experiment`."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import click

from pokewatch.cli.market_choice import chosen_registry, market_option
from pokewatch.cli.options import json_option
from pokewatch.cli.output import (
    format_percent,
    format_share,
    print_json,
    print_text,
    print_wrapped,
)
from pokewatch.wording import counted, evidence

_SHOWN = 5
_RATES = {
    "judging": "sessions that judged a price",
    "buy_shown": "BUY of the signals shown",
    "buy_judged": "BUY of the prices judged",
}


@click.group()
def experiment() -> None:
    """Compare another model with the champion's, day by day, before it serves.

    While an experiment runs, the daily pipeline registers a price book of the challenger beside the
    champion's. No server loads it, unless `serve` gives it callers. The monitor compares both with
    the prices that follow, and the challenger is deployed once it is better beyond chance.
    """


@experiment.command("start")
@click.argument("model")
@market_option
@json_option
def start(model: str, as_json: bool) -> None:
    """Start an experiment with MODEL as the challenger, from the next run of the pipeline on."""
    from pokewatch.experiments.standing import Standing
    from pokewatch.pipeline.experiments import start_experiment

    started = start_experiment(chosen_registry(), model)
    if as_json:
        print_json(Standing.of(started, []).to_dict())
        return
    rule = started.plan.rule
    print_wrapped(
        f"experiment {started.number}: {started.plan.challenger} against {started.plan.champion}, "
        f"from the next run of the pipeline on; first results "
        f"{counted(rule.horizon, 'day')} of prices later"
    )


@experiment.command("serve")
@click.option(
    "--share",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.1,
    show_default=True,
    help="Share of the callers, by API key, that the challenger answers.",
)
@click.option(
    "--days",
    type=click.FloatRange(0, 365, min_open=True),
    default=28.0,
    show_default=True,
    help="Days after which the champion answers all of them again.",
)
@market_option
@json_option
def serve(share: float, days: float, as_json: bool) -> None:
    """Have the challenger answer a share of the callers, to compare what they do.

    A caller stays in one arm from day to day. The checks of a canary can stop it at any time, and a
    deploy has the champion answer everybody while it runs. `outcomes` compares the arms.
    """
    from pokewatch.pipeline.experiments import serve_challenger

    found, done = serve_challenger(chosen_registry(), share, days)
    if as_json:
        print_json({"number": found.number, "traffic": found.traffic_facts(), "done": done})
        return
    print_wrapped(f"experiment {found.number}: {done}")


@experiment.command("status")
@market_option
@json_option
def status(as_json: bool) -> None:
    """Show the newest experiments, with the evidence so far."""
    from pokewatch.experiments.update import newest_standings

    found = [each.to_dict() for each in newest_standings(chosen_registry(), _SHOWN)]
    if as_json:
        print_json({"experiments": found})
        return
    if not found:
        print_text("there is no experiment to show")
    for each in found:
        for line in _lines(each):
            print_wrapped(line)


@experiment.command("stop")
@click.option("--reason", default="stopped on request", help="Reason, for the history.")
@click.option("--traffic", is_flag=True, help="Only take the callers away: the comparison goes on.")
@market_option
@json_option
def stop(reason: str, traffic: bool, as_json: bool) -> None:
    """Stop the experiment that runs; the champion stays, and answers all callers."""
    from pokewatch.pipeline.experiments import stop_experiment

    stopped = stop_experiment(chosen_registry(), reason, traffic_only=traffic)
    if as_json:
        print_json({"number": stopped.number, "state": stopped.state, "outcome": stopped.outcome})
        return
    if traffic:
        print_text(f"experiment {stopped.number} goes on without callers: {reason}")
        return
    print_text(f"experiment {stopped.number} is stopped: {stopped.outcome}")


@experiment.command("outcomes")
@json_option
def outcomes(as_json: bool) -> None:
    """Show what callers did in each arm, from the event log of this machine's gateways.

    POKEWATCH_EVENTS=true logs events. The 95% intervals are of one look at the end: do not stop an
    experiment on the first day on which one excludes zero.
    """
    from pokewatch.experiments.event_rates import event_rates
    from pokewatch.settings import Home

    found = [each.to_dict() for each in event_rates(Home.read().events)]
    if as_json:
        print_json({"experiments": found})
        return
    if not found:
        print_text("there are no events; POKEWATCH_EVENTS=true makes the gateway log them")
    for each in found:
        for line in _outcome_lines(each):
            print_wrapped(line)


def _outcome_lines(found: Mapping[str, Any]) -> Iterator[str]:
    name = f"experiment {found['experiment']}" if found["experiment"] else "no experiment"
    days = f"{found['first_day']} to {found['last_day']}"
    market = f" of {found['market']}" if found["market"] else ""  # not known at a gateway's start
    yield f"{name}{market}, {days}: {counted(found['events'], 'event')}"
    for arm in found["arms"]:
        yield (
            f"  {arm['arm']}: {counted(arm['exposures'], 'signal')} shown and "
            f"{counted(arm['outcomes'], 'price')} judged in {counted(arm['sessions'], 'session')}, "
            f"of {counted(arm['callers'], 'caller')} or more"
        )
        for name, words in _RATES.items():
            yield f"    {words} {_rate(arm[name], format_share)}"
    if len(found["arms"]) > 1:
        yield "  the challenger's less the champion's"
        for name, words in _RATES.items():
            yield f"    {words} {_rate(found['differences'][name], format_percent)}"


def _rate(found: Mapping[str, Any], text: Callable[[float | None], str]) -> str:
    if found["low"] is None:
        return text(found["value"])
    return f"{text(found['value'])}, 95% interval {text(found['low'])} to {text(found['high'])}"


def _lines(found: Mapping[str, Any]) -> Iterator[str]:
    state = found["state"] + (f": {found['outcome']}" if found["outcome"] else "")
    yield (
        f"experiment {found['number']}, {found['challenger']} against {found['champion']}, since "
        f"{found['started_on']}: {state}"
    )
    if traffic := found["traffic"]:
        ends = (
            f"ended: {traffic['ended']}" if traffic["ended"] else f"until {traffic['until'][:10]}"
        )
        yield (
            f"  {found['challenger']} answers {traffic['share']:.0%} of the callers since "
            f"{traffic['since'][:10]}, {ends}"
        )
    if not found["days"]:
        days = counted(found["horizon"], "day")
        yield f"  no result yet: the first comes {days} after a pipeline run"
        return
    now, gain = found["series"][-1], found["gain"]
    days, prices = counted(found["days"], "day"), counted(found["forecasts"], "price")
    yield f"  {days} of forecasts compared, {prices}"
    yield (
        f"  evidence that {found['challenger']} is better {evidence(now['e_value'])}, worse "
        f"{evidence(now['e_opposite'])}; {found['threshold']:g} decides"
    )
    yield (
        f"  its error against that of {found['champion']} "
        f"{format_percent(None if gain is None else -gain)}; mean difference {now['mean']:+.3f}, "
        f"95% interval {now['low']:+.3f} to {now['high']:+.3f}"
    )
    yield f"  {format_share(now['coverage'])} of the prices are inside its 90% intervals"
