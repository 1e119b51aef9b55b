"""Types of settings: ports, addresses and comma-separated lists."""

import re
from ipaddress import ip_address, ip_network
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationInfo
from pydantic_settings import NoDecode

from pokewatch.contract import MARKET_FORM, MARKET_PATTERN
from pokewatch.settings.section import PREFIX

_LOOPBACK_OF_ALL = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # not listened on


def local_address(host: str, port: int) -> str:
    """Return the address at which this machine reaches a server that listens on `host`."""
    host = _LOOPBACK_OF_ALL.get(host, host)
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def listed(text: str) -> list[str]:
    """Return the parts of a comma-separated list: "3, 85" as ["3", "85"], "" as []."""
    return [part.strip() for part in text.split(",") if part.strip()]


def not_below(name: str) -> AfterValidator:
    """Return the check that a limit is no less than the setting `name` before it."""

    def checked(value: float, section: ValidationInfo) -> float:
        least = section.data.get(name)  # None where it is at fault itself
        if least is not None and value < least:
            raise ValueError(f"use at least the {least:g} of {PREFIX}{name.upper()}, or lower that")
        return value

    return AfterValidator(checked)


def _listed(value: Any) -> Any:
    return listed(value) if isinstance(value, str) else value


def _lowercase(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name.lower() for name in names)


def _distinct(addresses: tuple[str, ...]) -> tuple[str, ...]:
    markets = [address.partition("=")[0] for address in addresses]
    for market in markets:
        if markets.count(market) > 1:
            raise ValueError(f"the market {market} has several addresses; keep one")
    return addresses


def _market(text: str) -> str:
    if text and not re.fullmatch(MARKET_PATTERN, text):
        raise ValueError(MARKET_FORM)
    return text


def _is_host(name: str) -> bool:
    """Return whether a name or IP address is well-formed."""
    if not name or re.search(r"[\s/@]", name):
        return False
    try:
        # Digits and dots alone are no name, wherever they are looked up.
        _ = ip_address(name) if re.fullmatch(r"[0-9.]+|.*:.*", name) else name.encode("idna")
    except ValueError:
        return False
    return True


def _host(name: str) -> str:
    if not _is_host(name):
        raise ValueError("use an IP address or the name of a host")
    return name


def _has_host(url: str) -> str:
    try:
        valid = _is_host(urlsplit(url).hostname or "") and urlsplit(url).port != 0
    except ValueError:
        valid = False
    if not valid:
        raise ValueError("use an address with a host, and a port up to 65535 if it has one")
    return url


def _optional_url(url: str) -> str:
    if url and not url.startswith(("http://", "https://")):
        raise ValueError("use an address such as http://127.0.0.1:8080")
    return url and _has_host(url)


def _replica_urls(text: str) -> str:
    for address in listed(text):
        _optional_url(address.removeprefix("dns+"))
    return text


def _registry(uri: str) -> str:
    scheme, _, rest = uri.partition("://")
    if scheme in ("http", "https"):
        return _has_host(uri)
    path = rest.removeprefix("/")
    if uri and (scheme != "sqlite" or path in ("", rest) or path.startswith(":memory:")):
        raise ValueError("use sqlite:///PATH, or the http:// address of an MLflow server")
    return uri


def _redis(url: SecretStr | None) -> SecretStr | None:
    text = url.get_secret_value() if url else "unix://"
    if not text.startswith(("redis://", "rediss://", "unix://")):
        raise ValueError("use redis://, rediss:// or unix://")
    try:
        _ = urlsplit(text).port  # without a host it is this machine
    except ValueError:  # whose text may be a password
        raise ValueError("use an address with a port up to 65535, or without one") from None
    return url


def _market_url(text: str) -> str:
    _has_host(text.partition("=")[2])
    return text


def _network(text: str) -> str:
    try:
        return str(ip_network(text))
    except ValueError:
        raise ValueError("use addresses such as 10.0.0.5, or networks such as 10.0.0.0/8") from None


def _each_once(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


def _ascending(shares: tuple[float, ...]) -> tuple[float, ...]:
    if list(shares) != sorted(set(shares)):
        raise ValueError("put the shares in ascending order, each once")
    return shares


Port = Annotated[int, Field(ge=0, le=65535)]
HttpUrl = Annotated[str, Field(pattern=r"^https?://[^/\s]+"), AfterValidator(_has_host)]
Host = Annotated[str, AfterValidator(_host)]
OptionalUrl = Annotated[str, AfterValidator(_optional_url)]
ReplicaUrls = Annotated[str, AfterValidator(_replica_urls)]
RegistryUri = Annotated[str, AfterValidator(_registry)]
RedisUrl = Annotated[SecretStr | None, AfterValidator(_redis)]
Origin = Annotated[str, Field(pattern=r"^(\*|https?://[^\s/,*]+)$")]
Origins = Annotated[tuple[Origin, ...], NoDecode, BeforeValidator(_listed)]
Networks = Annotated[
    tuple[Annotated[str, AfterValidator(_network)], ...], NoDecode, BeforeValidator(_listed)
]
Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed)]
Hosts = Annotated[Names, AfterValidator(_lowercase)]
Market = Annotated[str, AfterValidator(_market)]
Markets = Annotated[
    tuple[Market, ...], NoDecode, BeforeValidator(_listed), AfterValidator(_each_once)
]
MarketUrl = Annotated[
    str,
    Field(pattern=rf"^{MARKET_PATTERN}=https?://[^/\s]+[^\s]*$"),
    AfterValidator(_market_url),
]
MarketUrls = Annotated[
    tuple[MarketUrl, ...], NoDecode, BeforeValidator(_listed), AfterValidator(_distinct)
]
Share = Annotated[float, Field(ge=0, le=1)]
Shares = Annotated[
    tuple[Share, ...],
    NoDecode,
    BeforeValidator(_listed),
    Field(min_length=1),
    AfterValidator(_ascending),
]
