"""`pokewatch mcp`."""

import signal

import click

from pokewatch.errors import SettingsError


@click.command()
def mcp() -> None:
    """Serve the tools of the Model Context Protocol on standard input and output.

    An assistant starts this command, and it answers by calling the gateway at
    POKEWATCH_GATEWAY_URL with the key in POKEWATCH_API_KEY: pokewatch keys create NAME makes one.
    The tools only read. A gateway also serves them at /mcp. Needs the extra `mcp`.

    \b
      {"command": "pokewatch", "args": ["mcp"], "env": {"POKEWATCH_API_KEY": "pw_..."}}
    """
    from pokewatch.gateway.mcp.api import HttpApi
    from pokewatch.settings import ClientSettings

    settings = ClientSettings.read()
    if settings.api_key is None:
        raise SettingsError(
            f"{settings.variable('api_key')} is not set: pokewatch keys create NAME makes a key"
        )
    try:
        from pokewatch.gateway.mcp.tools import make_server
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"{error.name} is not installed: pip install 'pokewatch[mcp]'"
        ) from None
    _end_on_interrupt()
    make_server(HttpApi(settings.gateway_url, settings.api_key.get_secret_value())).run("stdio")


def _end_on_interrupt() -> None:
    """Let Ctrl-C end the process at once, unless a shell has set it to be ignored.

    A thread waits for standard input. It cannot be interrupted, and Python would wait for its end.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
