"""Every MLServer behind a name: what a deploy must reach one by one, past any balancing."""

import socket
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from pokewatch.errors import DeployError

_EACH = "dns+"


def replicas(addresses: Sequence[str]) -> list[str]:
    """The addresses, with `dns+http://name:port` replaced by one address for each IP of the name (a headless Service).

    Raises DeployError where a name has none: then nobody can tell which servers there are.
    """
    return [
        found
        for address in addresses
        for found in (_resolved(address) if address.startswith(_EACH) else [address])
    ]


def _resolved(address: str) -> Iterator[str]:
    url = urlsplit(address.removeprefix(_EACH))
    try:
        answers = socket.getaddrinfo(url.hostname, url.port or 80, type=socket.SOCK_STREAM)
    except OSError as error:
        raise DeployError(f"{address}: no address behind {url.hostname}: {error}") from None
    for host in sorted({str(answer[4][0]) for answer in answers}):
        yield f"{url.scheme}://{f'[{host}]' if ':' in host else host}:{url.port or 80}"
