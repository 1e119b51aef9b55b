"""`pokewatch mcp`."""

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
    make_server(HttpApi(settings.gateway_url, settings.api_key.get_secret_value())).run("stdio")
