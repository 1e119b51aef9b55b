"""`pokewatch serve` and `pokewatch gateway`."""

import json
import signal
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

import click

from pokewatch.cli.keys import key_store
from pokewatch.cli.market_choice import champion_book, first_registry
from pokewatch.cli.output import waiting_bar, warn_of_old_prices, warn_of_unknown_settings
from pokewatch.termination import ending_signals

if TYPE_CHECKING:
    from pokewatch.cli.local_stack import Stack
    from pokewatch.registry import RegisteredModel


_in_process = click.option(
    "--in-process",
    is_flag=True,
    help="Hold the models in the gateway's process, without an MLServer.",
)


@click.command()
@_in_process
def serve(in_process: bool) -> None:
    """Start MLServer and the gateway.

    They serve the champion; after a deploy they switch to the new one without a restart. Ctrl-C
    or closing the terminal stops both. Notifications of watches that are due are sent meanwhile.

    Their logs are mlserver.log and gateway.log in POKEWATCH_HOME/logs, or in a folder of it that
    is named by the port of the gateway while another `pokewatch serve` writes there. Those of the
    previous start are renamed to .log.1. POKEWATCH_ACCESS_LOG=true adds a line per request.
    """
    from pokewatch.cli.local_stack import Stack, log_folder
    from pokewatch.gateway.auth.key_lease import Lease
    from pokewatch.pipeline.watches import delivering
    from pokewatch.settings import GatewaySettings, Home, ServingSettings
    from pokewatch.valuation.signals import strongest_signals

    warn_of_unknown_settings()
    registry = first_registry()
    book, champion = champion_book(registry)
    (card,) = strongest_signals(book, 1)
    warn_of_old_prices(book.last_day, registry.market, book.facts.market)
    _stop_on_signals()
    models, api = ServingSettings.read(), GatewaySettings.read()
    lease = None
    try:
        started = "the gateway" if in_process else "MLServer and the gateway"
        with ExitStack() as running:
            logs = running.enter_context(log_folder(Home.read().logs, api.gateway_port))
            stack = Stack(models, api, logs, in_process=in_process)
            click.echo(f"Starting {started}; the logs are in {logs}")
            with waiting_bar("Starting", logs / "start.seconds", 10.0):
                running.enter_context(stack.running())
            running.enter_context(delivering())
            lease = Lease(key_store(), "serve")
            click.echo(_instructions(stack, champion, card, lease.key))
            stack.wait(lease.renew)
    except KeyboardInterrupt:
        with suppress(OSError):  # the terminal may have been closed
            click.echo("stopped")
    finally:
        if lease is not None:
            lease.end()


def _stop_on_signals() -> None:
    """Raise KeyboardInterrupt on SIGINT, and on the signals that end a process.

    A shell that starts this in the background may have set SIGINT to be ignored.
    """
    for number in (signal.SIGINT, *ending_signals()):
        signal.signal(number, signal.default_int_handler)


def _instructions(stack: "Stack", champion: "RegisteredModel", card: str, key: str) -> str:
    body = json.dumps({"card_id": card})
    options = f"-H 'X-API-Key: {key}' -H 'Content-Type: application/json' -d '{body}'"
    url = stack.gateway_url
    versions = f"model version {champion.version}, data version {champion.data_version}"
    models = f"Models    in the same process    {versions}"
    if not stack.in_process:
        models = f"MLServer  {stack.mlserver_url}    {versions}"
    return f"""
Gateway   {url}    documentation: {url}/docs
{models}

Ask for the fair price of a card:

curl -s {url}/fair_price {options}

This key is valid while the servers run; pokewatch keys create NAME makes a lasting one.
Press Ctrl-C to stop."""


@click.command()
@_in_process
def gateway(in_process: bool) -> None:
    """Start the gateway only.

    It calls the MLServer at POKEWATCH_MLSERVER_URL.
    """
    from pokewatch.settings import GatewaySettings, ServingSettings

    settings = GatewaySettings.read()
    if in_process:
        from pokewatch.cli.local_stack import models_folder
        from pokewatch.in_process.server import run_in_process

        run_in_process(settings, models_folder(ServingSettings.read()))
        return
    from pokewatch.gateway.server import run

    run(settings)
