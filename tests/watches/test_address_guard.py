import socket
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pokewatch.watches.address_guard import (
    ClosedAddressError,
    WebhookTarget,
    is_public,
    open_addresses,
    parse_target,
)


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "10.1.2.3",
        "100.64.0.1",
        "100.100.100.200",
        "127.0.0.1",
        "127.255.0.9",
        "168.63.129.16",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.9",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.250",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "::ffff:0:127.0.0.1",
        "64:ff9b::10.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b:1::7f00:1",
        "64:ff9b::169.254.169.254",
        "64:ff9b:1::8.8.8.8",
        "100::1",
        "2001::1",
        "2001:0:7f00:1::",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "2001:db8::1",
        "2002:7f00:1::",
        "2002:0a00:1::1",
        "3fff::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fec0::1",
        "ff02::1",
    ],
)
def test_addresses_inside_are_closed(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize(
    "address",
    [
        "1.1.1.1",
        "8.8.8.8",
        "100.63.255.255",
        "100.128.0.0",
        "172.32.0.1",
        "192.0.1.1",
        "223.255.255.255",
        "::ffff:8.8.8.8",
        "64:ff9b::8.8.8.8",
        "2606:4700:4700::1111",
        "2a00:1450:4001:81b::200e",
    ],
)
def test_public_addresses_are_open(address: str) -> None:
    assert is_public(ip_address(address))


@given(st.ip_addresses(v=4))
def test_what_python_calls_private_is_closed(address: Any) -> None:
    if address.is_private or address.is_multicast or address.is_reserved or address.is_loopback:
        assert not is_public(address)
    assert is_public(address) == is_public(ip_address(f"::ffff:{address}"))


@given(st.ip_addresses(v=6))
def test_no_address_beside_the_public_range_is_open(address: Any) -> None:
    inside = address in ip_network("2000::/3")
    if not inside and address.ipv4_mapped is None and address not in ip_network("64:ff9b::/96"):
        assert not is_public(address)
    if address.is_private or address.is_link_local or address.is_multicast:
        assert not is_public(address)


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("http://hooks.example/x", "https://"),
        ("ftp://hooks.example/x", "https://"),
        ("file:///etc/passwd", "https://"),
        ("https:///x", "https://"),
        ("hooks.example", "https://"),
        ("", "https://"),
        ("https://me:secret@hooks.example/", "user name"),
        ("https://me@hooks.example/", "user name"),
        ("https://hooks.example/#x", "fragment"),
        ("https://hooks.example:0/", "port 0"),
        ("https://hooks.example:99999/", "not an address"),
        ("https://hooks.example:x/", "not an address"),
        ("https://[::1/", "not an address"),
        ("https://hooks.example/a b", "printable ASCII"),
        ("https://hooks.example/\r\nHost: other", "printable ASCII"),
        ("https://hooks.example\\@127.0.0.1/", "printable ASCII"),
        ("https://höoks.example/", "printable ASCII"),
        ("https://hooks.example/" + "x" * 2_000, "at most 2,000"),
        ("https://127.0.0.1/", "not at a public address"),
        ("https://[::1]/", "not at a public address"),
        ("https://[::ffff:10.0.0.1]:8443/", "not at a public address"),
        ("https://169.254.169.254/latest/meta-data", "not at a public address"),
    ],
)
def test_other_webhooks_are_refused(url: str, text: str) -> None:
    with pytest.raises(ClosedAddressError, match=text):
        parse_target(url)


def test_the_parts_of_a_webhook() -> None:
    assert parse_target("https://hooks.example") == WebhookTarget("hooks.example", 443, "/")
    found = parse_target("https://Hooks.Example:8443/a?b=c")
    assert found == WebhookTarget("hooks.example", 8443, "/a?b=c")
    assert parse_target("https://[2606:4700::1]/").host == "2606:4700::1"
    assert parse_target("https://10.0.0.1/", {"10.0.0.1"}).host == "10.0.0.1"


@pytest.mark.parametrize("host", ["localhost", "127.1", "2130706433", "0x7f.1", "0177.0.0.1"])
def test_other_spellings_of_inside_are_closed_once_resolved(host: str) -> None:
    target = parse_target(f"https://{host}/")
    with pytest.raises(ClosedAddressError, match="not at a public address"):
        open_addresses(target)
    assert open_addresses(target, {host})


@pytest.mark.parametrize(
    "addresses",
    [["8.8.8.8", "10.0.0.1"], ["10.0.0.1", "8.8.8.8"], ["2606:4700::1", "::1"], ["fe80::1%eth0"]],
    ids=str,
)
def test_one_address_inside_closes_a_name(addresses: list[str]) -> None:
    def resolve(host: str, port: int, **_: Any) -> list[tuple[Any, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in addresses]

    with pytest.raises(
        ClosedAddressError, match=r"hooks\.example is not at a public address"
    ) as error:
        open_addresses(parse_target("https://hooks.example/"), resolve=resolve)
    assert not any(each in str(error.value) for each in addresses), "nothing about the inside"


def test_a_name_without_an_address() -> None:
    with pytest.raises(OSError, match="no address"):
        open_addresses(parse_target("https://hooks.example/"), resolve=lambda *_, **__: [])
