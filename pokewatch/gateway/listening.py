"""Sockets that listen at the addresses of the settings."""

import errno
import socket

from pokewatch.errors import SettingsError


def listen(host: str, port: int, host_variable: str, port_variable: str) -> socket.socket:
    """Return a socket that listens at the first address of a host.

    Raise SettingsError with the variable at fault if it cannot listen: the host is not an address
    of this machine, or the port is taken or not allowed.
    """
    try:
        found = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        family, *_, address = found[0]
        return socket.create_server(address, family=family)
    except OSError as error:
        elsewhere = isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL
        variable = host_variable if elsewhere else port_variable
        cause = str(error.strerror).partition(" (while attempting")[0]  # which says the address
        raise SettingsError(f"{variable}: cannot listen at {host}:{port}: {cause}") from error
