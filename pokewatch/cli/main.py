"""The `pokewatch` command.

docs/commands.md lists the exit codes, which `pokewatch.errors` gives to the exceptions.
"""

import errno
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import click

from pokewatch.errors import PokeWatchError
from pokewatch.wording import refusal

# The module of each command; one that is not needed is not imported.
_MODULES = {
    "backfill": "flows",
    "backtest": "evaluate",
    "collect": "collect",
    "collection": "collection",
    "doctor": "doctor",
    "evaluate": "evaluate",
    "experiment": "experiment",
    "export": "export",
    "gateway": "serve",
    "keys": "keys",
    "mcp": "mcp",
    "monitor": "flows",
    "pipeline": "flows",
    "rollback": "rollback",
    "search": "search",
    "serve": "serve",
    "tidy": "tidy",
    "value": "value",
    "watch": "watch",
}


class _LazyGroup(click.Group):
    """The commands, each imported when it is used; expected errors end with one line."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_MODULES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _MODULES:
            return None
        module = import_module(f"pokewatch.cli.{_MODULES[cmd_name]}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        with _reported_errors(ctx):  # --help and --version write, too
            return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        with _reported_errors(ctx):
            return super().invoke(ctx)


@contextmanager
def _reported_errors(ctx: click.Context) -> Iterator[None]:
    try:
        yield
    except PokeWatchError as error:
        from pokewatch.cli.output import without_controls

        click.echo(f"Error: {without_controls(str(error))}", err=True)
        ctx.exit(error.exit_code)
    except OSError as error:
        if error.errno == errno.EPIPE:  # the reader of the output has gone: click ends quietly
            raise
        cause = refusal(error)
        click.echo(f"Error: {cause}; free some space or fix it, then run it again", err=True)
        try:
            if sys.stdout is not None:
                sys.stdout.flush()
        except OSError:
            sys.stdout = None  # otherwise Python writes the rest once more as it exits
        ctx.exit(1)
    except (MemoryError, RuntimeError) as error:
        shortage = _shortage(error)
        if not shortage:
            raise
        click.echo(f"Error: {shortage}, then run it again", err=True)
        ctx.exit(1)


def _shortage(error: Exception) -> str:
    """Return what this machine lacks, and what to do; "" for an error of another kind."""
    if isinstance(error, MemoryError):
        return f"there is not enough memory: {str(error) or 'an allocation failed'}; free some"
    if "can't start new thread" in str(error):
        return (
            "no further thread can be started; raise the limit of processes (ulimit -u, or that of "
            "the container)"
        )
    return ""


@click.group(
    cls=_LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="pokewatch")
def main() -> None:
    """Collect trading-card prices, estimate fair prices, and serve them.

    All state is stored in POKEWATCH_HOME (default: ~/.pokewatch). To try it, without an account
    or a network connection:

    \b
      pokewatch pipeline run          simulated prices, a model and its evaluation
      pokewatch value --sample 5      fair prices of a few cards
      pokewatch serve                 the HTTP API
    """


if __name__ == "__main__":
    main()
