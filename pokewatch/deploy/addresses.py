"""The addresses of MLServer: a deploy reaches each replica, not the load balancer."""

import socket
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from pokewatch.errors import DeployError

_DNS = "dns+"


def replica_addresses(addresses: Sequence[str]) -> list[str]:
    """Return the addresses, with `dns+http://name:port` replaced by an address per IP of the name.

    The name is that of a headless Service. Raise DeployError where it has no address.
    """
    return [
        replica
        for address in addresses
        for replica in (_resolved(address) if address.startswith(_DNS) else [address])
    ]


def _resolved(address: str) -> Iterator[str]:
    url = urlsplit(address.removeprefix(_DNS))
    try:
        answers = socket.getaddrinfo(url.hostname, url.port or 80, type=socket.SOCK_STREAM)
    except OSError as error:
        raise DeployError(f"{address}: no address behind {url.hostname}: {error}") from None
    for host in sorted({str(answer[4][0]) for answer in answers}):
        yield f"{url.scheme}://{f'[{host}]' if ':' in host else host}:{url.port or 80}"
