"""The commands that run a Metaflow flow: pipeline, backfill and monitor."""

import os
import sys
from collections.abc import Iterator, Sequence

import click

# Every argument goes to Metaflow, --help included.
_PASS_THROUGH = {"ignore_unknown_options": True, "allow_interspersed_args": False}
STEPS_OF_SEVERAL = ("run_market", "show")  # of the flows of several markets, and of no other


@click.command(context_settings=_PASS_THROUGH)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def pipeline(arguments: tuple[str, ...]) -> None:
    """Run the daily pipeline.

    It collects prices, trains and evaluates models, and deploys the one selected; of several
    markets each in a run of its own, and one that fails stops no other. ARGUMENTS are passed to
    Metaflow: run, resume, card view STEP, and their options.

    \b
      pokewatch pipeline run --source tcgcsv
      pokewatch pipeline run --market pokemon-tcgplayer-usd,magic-tcgplayer-usd
      pokewatch pipeline run --help       the parameters
      pokewatch pipeline card view gate   the model chosen, and its evaluation
      pokewatch pipeline card view show   the results of a run of several markets
    """
    _run_flow("markets.py" if _of_several(arguments) else "flow.py", arguments)


@click.command(context_settings=_PASS_THROUGH)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def backfill(arguments: tuple[str, ...]) -> None:
    """Collect historical prices, one month per task.

    ARGUMENTS are passed to Metaflow.

    \b
      pokewatch backfill run --from 2025-01-01 --to 2025-12-31
    """
    _run_flow("backfill.py", arguments)


@click.command(context_settings=_PASS_THROUGH)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def monitor(arguments: tuple[str, ...]) -> None:
    """Compare past estimates with later prices.

    If the models no longer fit the market, they are retrained. ARGUMENTS are passed to Metaflow.

    \b
      pokewatch monitor run
    """
    _run_flow("monitors.py" if _of_several(arguments) else "monitor.py", arguments)


def _of_several(arguments: Sequence[str]) -> bool:
    """Return whether the flow of several markets is meant.

    A run is of several by its options, or else by POKEWATCH_MARKETS; other commands, such as `card
    view`, name a step or its path.
    """
    from pokewatch.settings import MarketSettings, RegistrySettings

    if "run" not in arguments:
        return any(step in STEPS_OF_SEVERAL for step in _steps(arguments))
    given = list(_values(arguments, "--market"))
    if given:
        return "," in given[-1]
    one = RegistrySettings.read().market or any(_values(arguments, "--source"))
    return bool(MarketSettings.read().markets) and not one


def _steps(arguments: Sequence[str]) -> Iterator[str]:
    """Yield what may name a step: parts of paths, and all words of `card` and `resume` alone.

    Metaflow has commands `show` and `logs show`, too.
    """
    of_step = not {"card", "resume"}.isdisjoint(arguments)
    for each in arguments:
        yield from each.split("/")[0 if of_step else 1 :]


def _values(arguments: Sequence[str], option: str) -> Iterator[str]:
    for argument, following in zip(arguments, [*arguments[1:], ""], strict=True):
        name, equals, value = argument.partition("=")
        if name == option:
            yield value if equals else following


def _run_flow(name: str, arguments: Sequence[str]) -> None:
    """Replace this process with the flow's, whose signals and exit code are Metaflow's."""
    from pokewatch.bundled import bundled

    if not arguments:
        raise click.UsageError("no command given: use run, or run --help for the parameters")
    os.execv(sys.executable, [sys.executable, str(bundled("flows") / name), *arguments])  # noqa: S606
