"""The addresses that webhooks may reach: those of the public internet alone.

Whoever can create a watch chooses where this machine connects to, so a name may point to a service
inside its network, and to another address at the time of the check than at that of the connection.
A name is therefore resolved once, every address that it has is checked, and the connection goes to
one of them.
"""

import socket
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any
from urllib.parse import urlsplit

from pokewatch.contract import MAX_WEBHOOK_LENGTH

Resolver = Callable[..., Sequence[tuple[Any, ...]]]
IpAddress = IPv4Address | IPv6Address

# The special-purpose registries of IANA, where no public receiver is. Not `is_global`: its answers
# differ between patch versions of Python.
_CLOSED_IPV4 = tuple(
    map(
        ip_network,
        (
            "0.0.0.0/8",
            "10.0.0.0/8",
            "100.64.0.0/10",
            "127.0.0.0/8",
            "168.63.129.16/32",  # a public address, at which Azure serves its machines' metadata
            "169.254.0.0/16",
            "172.16.0.0/12",
            "192.0.0.0/24",
            "192.0.2.0/24",
            "192.88.99.0/24",
            "192.168.0.0/16",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "224.0.0.0/4",
            "240.0.0.0/4",
        ),
    )
)
_PUBLIC_IPV6 = ip_network("2000::/3")
_CLOSED_IPV6 = tuple(
    map(ip_network, ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"))
)  # protocols (Teredo, ORCHID, ...), documentation, 6to4
_NAT64 = ip_network("64:ff9b::/96")


class ClosedAddressError(ValueError):
    """A webhook leads to where none may."""


@dataclass(frozen=True, slots=True)
class WebhookTarget:
    """The parts of a webhook's address."""

    host: str
    port: int
    path: str


def parse_target(url: str, open_hosts: Collection[str] = ()) -> WebhookTarget:
    """Return the parts of a webhook's address, without resolving its name.

    Raise ClosedAddressError for anything but https, and for an IP address that is not public unless
    it is one of `open_hosts`.
    """
    if not (url.isascii() and url.isprintable() and " " not in url and "\\" not in url):
        raise ClosedAddressError("a webhook is an address of printable ASCII characters")
    if len(url) > MAX_WEBHOOK_LENGTH:
        raise ClosedAddressError(f"a webhook has at most {MAX_WEBHOOK_LENGTH:,} characters")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise ClosedAddressError(f"the webhook is not an address: {error}") from None
    if parts.scheme != "https" or not host:
        raise ClosedAddressError("a webhook is an https:// address")
    if parts.username is not None or parts.password is not None or parts.fragment or port == 0:
        raise ClosedAddressError("a webhook has no user name, password, fragment or port 0")
    literal = _literal(host)
    if literal is not None and host not in open_hosts:
        _require_public([literal], host)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return WebhookTarget(host, port or 443, path)


def open_addresses(
    target: WebhookTarget,
    open_hosts: Collection[str] = (),
    resolve: Resolver = socket.getaddrinfo,
) -> list[tuple[Any, ...]]:
    """Return the socket addresses of a target, as `getaddrinfo` does.

    Raise ClosedAddressError if one of them is not public, unless the host is one of `open_hosts`;
    OSError if the name cannot be resolved.
    """
    found = list(resolve(target.host, target.port, type=socket.SOCK_STREAM))
    if not found:
        raise OSError(f"{target.host} has no address")
    if target.host not in open_hosts:
        _require_public(
            [ip_address(str(each[4][0]).partition("%")[0]) for each in found], target.host
        )
    return found


def is_public(address: IpAddress) -> bool:
    """Return whether an address is one of the public internet.

    An IPv4 address inside an IPv6 one (mapped, NAT64) counts as itself.
    """
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped
        if inner is None and address in _NAT64:
            inner = IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is None:
            return address in _PUBLIC_IPV6 and not any(address in each for each in _CLOSED_IPV6)
        address = inner
    return not any(address in each for each in _CLOSED_IPV4)


def _require_public(addresses: Sequence[IpAddress], host: str) -> None:
    if not all(map(is_public, addresses)):
        # Not which address: whoever created the watch would learn about the inside.
        raise ClosedAddressError(
            f"{host} is not at a public address; POKEWATCH_WEBHOOK_HOSTS may allow it"
        )


def _literal(host: str) -> IpAddress | None:
    try:
        return ip_address(host)
    except ValueError:
        return None
