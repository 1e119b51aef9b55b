"""Webhooks after the Standard Webhooks specification (standardwebhooks.com), version 1.

The signature is the HMAC-SHA256 of `<webhook-id>.<webhook-timestamp>.<body>` by the watch's
secret. The id of a crossing stays the same in every attempt, so that receivers can drop repeats.
"""

import hmac
import http.client
import secrets
import socket
import ssl
import threading
import time
from base64 import b64decode, b64encode
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from pokewatch.watches.address_guard import (
    ClosedAddressError,
    Resolver,
    WebhookTarget,
    open_addresses,
    parse_target,
)

_PREFIX = "whsec_"
_SECRET_BYTES = 32
_MAX_RETRY_AFTER = 86_400


class WebhookError(Exception):
    """A webhook was not accepted.

    `answered` is whether the receiver answered at all, `final` whether it wants no more attempts,
    and `wait` the seconds that it wants to be left alone.
    """

    def __init__(
        self, reason: str, *, answered: bool = False, final: bool = False, wait: float = 0.0
    ) -> None:
        super().__init__(reason)
        self.answered = answered
        self.final = final
        self.wait = wait


def new_secret() -> str:
    """Return a new secret, as the specification writes it."""
    return _PREFIX + b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def signed_headers(secret: str, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Return the three headers of a message."""
    key = b64decode(secret.removeprefix(_PREFIX))
    content = b"%s.%d.%s" % (message_id.encode(), timestamp, body)
    signature = b64encode(hmac.digest(key, content, "sha256")).decode()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{signature}",
    }


class WebhookSender:
    """Posts webhooks: over https, to public addresses, without redirects or proxies.

    The whole attempt takes at most `seconds` after the name is resolved. Certificates are checked
    against the authorities of OpenSSL, or those of SSL_CERT_FILE.
    """

    def __init__(
        self,
        seconds: float,
        open_hosts: Collection[str] = (),
        resolve: Resolver = socket.getaddrinfo,
    ) -> None:
        self._seconds = seconds
        self._open_hosts = open_hosts
        self._resolve = resolve
        self._tls = ssl.create_default_context()

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> None:
        """Post a body of JSON. Raise WebhookError unless the answer is a 2xx."""
        try:
            target = parse_target(url, self._open_hosts)
            addresses = open_addresses(target, self._open_hosts, self._resolve)
        except ClosedAddressError as error:
            raise WebhookError(str(error)) from None
        except (OSError, UnicodeError) as error:
            raise WebhookError(f"the name cannot be resolved: {error}") from None
        status, retry_after = self._send(target, addresses, body, headers)
        if 300 <= status < 400:
            detail = f"answered {status}; redirects are not followed"
            raise WebhookError(detail, answered=True)
        if not 200 <= status < 300:
            raise WebhookError(
                f"answered {status}",
                answered=True,
                final=status == http.HTTPStatus.GONE,
                wait=_seconds(retry_after),
            )

    def _send(
        self,
        target: WebhookTarget,
        addresses: list[tuple[Any, ...]],
        body: bytes,
        headers: Mapping[str, str],
    ) -> tuple[int, str]:
        """Return the status of the answer and its Retry-After. Its body is not read."""
        deadline = time.monotonic() + self._seconds
        try:
            with (
                _connected(addresses, deadline) as plain,
                self._tls.wrap_socket(
                    plain, server_hostname=target.host, do_handshake_on_connect=False
                ) as secured,
                _shut_down_at(deadline, secured),
            ):
                secured.settimeout(None)  # the deadline is for the whole, however slow its parts
                secured.do_handshake()
                connection = http.client.HTTPSConnection(
                    target.host, target.port, context=self._tls
                )
                connection.sock = secured
                connection.request("POST", target.path, body, _with_type(headers))
                with connection.getresponse() as answer:
                    if time.monotonic() >= deadline:  # shut down amid the headers
                        raise TimeoutError
                    return answer.status, answer.headers.get("retry-after", "")
        except (OSError, http.client.HTTPException, ValueError) as error:
            late = time.monotonic() >= deadline
            reason = f"no answer within {self._seconds:g} s" if late else _cause(error)
            raise WebhookError(reason) from None


@contextmanager
def _connected(addresses: list[tuple[Any, ...]], deadline: float) -> Iterator[socket.socket]:
    """Connect to the first of the addresses that accepts. Raise OSError if none does.

    One that does not answer takes its share of the time that is left for all of them.
    """
    failure: OSError = OSError("no address")
    for number, address in enumerate(addresses):
        share = (deadline - time.monotonic()) / (len(addresses) - number)
        try:
            connection = _connection(address, max(0.001, share))
        except OSError as error:
            failure = error
            continue
        with connection:
            yield connection
        return
    raise failure


def _connection(place: tuple[Any, ...], seconds: float) -> socket.socket:
    """Return a connection to what `getaddrinfo` has found. Raise OSError."""
    family, kind, protocol, _, address = place
    connection = socket.socket(family, kind, protocol)
    try:
        connection.settimeout(seconds)
        connection.connect(address)
    except OSError:
        connection.close()
        raise
    return connection


@contextmanager
def _shut_down_at(deadline: float, connection: socket.socket) -> Iterator[None]:
    """Shut the connection down at the deadline, which ends every read and write of it."""

    def shut_down() -> None:
        try:
            # The method of SSLSocket would drop the encryption under a read.
            socket.socket.shutdown(connection, socket.SHUT_RDWR)
        except OSError:
            return  # it is closed already

    timer = threading.Timer(max(0.0, deadline - time.monotonic()), shut_down)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _with_type(headers: Mapping[str, str]) -> dict[str, str]:
    return {"content-type": "application/json", "user-agent": "PokeWatch", **headers}


def _cause(error: Exception) -> str:
    """Return the text of an error, which may quote the receiver, without control characters."""
    text = " ".join(str(error).split()) or type(error).__name__
    plain = "".join(letter if letter.isprintable() else "?" for letter in text[:200])
    return f"the connection failed: {plain}"


def _seconds(retry_after: str) -> float:
    """Return the seconds of a Retry-After header, 0 for a date or anything else."""
    digits = retry_after.isascii() and retry_after.isdigit() and len(retry_after) < 10
    return float(min(int(retry_after), _MAX_RETRY_AFTER)) if digits else 0.0
