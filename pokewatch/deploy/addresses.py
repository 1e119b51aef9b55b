"""The addresses of MLServer: a deploy reaches each replica, not the load balancer."""

import socket
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from pokewatch.errors import DeployOutageError

_DNS = "dns+"
_NO_ADDRESS = (socket.EAI_NONAME, socket.EAI_NODATA)


def replica_addresses(addresses: Sequence[str]) -> list[str]:
    """Return the addresses, with `dns+http://name:port` replaced by an address per IP of the name.

    The name is that of a headless Service. While it has no address, since no replica runs, it stays
    as it is: see `names_no_replica`. Raise DeployOutageError where the name cannot be looked up.
    """
    return [
        replica
        for address in addresses
        for replica in (_resolved(address) if address.startswith(_DNS) else [address])
    ]


def names_no_replica(address: str) -> bool:
    """Return whether a result of `replica_addresses` is a name behind which nothing runs."""
    return address.startswith(_DNS)


def _resolved(address: str) -> Iterator[str]:
    url = urlsplit(address.removeprefix(_DNS))
    port = url.port or (443 if url.scheme == "https" else 80)
    try:
        answers = socket.getaddrinfo(url.hostname, port, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        if error.errno in _NO_ADDRESS:
            yield address
            return
        raise DeployOutageError(f"{address}: {url.hostname} cannot be looked up: {error}") from None
    for host in sorted({str(answer[4][0]) for answer in answers}):
        yield f"{url.scheme}://{f'[{host}]' if ':' in host else host}:{port}"
