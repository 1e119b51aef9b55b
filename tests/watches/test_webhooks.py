"""Signatures, and posts over real TLS to receivers that are slow, down, redirect or move."""

import hmac
import socket
from base64 import b64decode, b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pokewatch.watches.webhooks import WebhookError, WebhookSender, new_secret, signed_headers
from tests.watches.receiver import NAME, Internet, Manner, Receiver, receiving

PUBLIC, OTHER = "93.184.215.14", "151.101.1.69"


@pytest.fixture
def internet(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> Iterator[Internet]:
    """The name `hooks.example` leads to the receiver by a public address."""
    found = Internet({PUBLIC: receiver.server_port})
    found.names[NAME] = [[PUBLIC]]
    monkeypatch.setattr(socket, "socket", found.socket_class())
    yield found
    inside = [each for each in found.reached if each not in (PUBLIC, OTHER)]
    assert inside == [], "reached inside"


def sender(internet: Internet, seconds: float = 5.0) -> WebhookSender:
    return WebhookSender(seconds, resolve=internet.resolve)


def refused(sender: WebhookSender, url: str = f"https://{NAME}/hook") -> WebhookError:
    with pytest.raises(WebhookError) as error:
        sender.post(url, b"{}", {})
    return error.value


# Signed by the library of the specification: standardwebhooks 1.1.0 for Python.
@pytest.mark.parametrize(
    ("message_id", "timestamp", "body", "signature"),
    [
        (
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1614265330,
            '{"test": 2432232314}',
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        ),
        (
            "w_0123456789abcdef-1",
            1767225600,
            '{"type":"watch.fired","data":{"name":"Pokémon"}}',
            "v1,HfbyY2f6R6iaPi7om8sUA8HgyBsnbCiWLgTxW+qnanc=",
        ),
    ],
)
def test_signatures_are_those_of_the_specification(
    message_id: str, timestamp: int, body: str, signature: str
) -> None:
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    assert signed_headers(secret, message_id, timestamp, body.encode()) == {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature,
    }


def test_a_secret_has_as_many_random_bytes_as_the_specification_wants() -> None:
    made = {new_secret() for _ in range(20)}
    assert len(made) == 20
    assert all(24 <= len(b64decode(each.removeprefix("whsec_"))) <= 64 for each in made)


def test_a_message_arrives_as_it_was_signed(internet: Internet, receiver: Receiver) -> None:
    secret, body = new_secret(), '{"name": "Pokémon"}'.encode()
    sender(internet).post(
        f"https://{NAME}/hook?a=b", body, signed_headers(secret, "w_1-1", 1_767_225_600, body)
    )
    (message,) = receiver.messages
    assert (message.path, message.body) == ("/hook?a=b", body)
    assert message.headers["content-type"] == "application/json"
    assert message.headers["host"] == NAME, "the name, not the address connected to"
    key = b64decode(secret.removeprefix("whsec_"))
    signed = b"w_1-1.1767225600." + body
    expected = b64encode(hmac.digest(key, signed, "sha256")).decode()
    assert message.headers["webhook-signature"] == f"v1,{expected}"


def test_a_name_that_moves_inside_after_the_check_is_not_followed(
    internet: Internet, receiver: Receiver
) -> None:
    internet.names[NAME] = [[PUBLIC], ["127.0.0.1"]]
    sender(internet).post(f"https://{NAME}/hook", b"{}", {})
    assert internet.resolved == [NAME], "resolved once"
    assert internet.reached == [PUBLIC], "connected to the address that was checked"
    assert "is not at a public address" in str(refused(sender(internet)))
    assert internet.reached == [PUBLIC]


@pytest.mark.parametrize(
    "addresses", [["127.0.0.1"], [PUBLIC, "10.0.0.1"], ["::1"], ["169.254.169.254"]], ids=str
)
def test_a_name_that_leads_inside_is_not_connected_to(
    internet: Internet, receiver: Receiver, addresses: list[str]
) -> None:
    internet.names[NAME] = [addresses]
    error = refused(sender(internet))
    assert str(error) == (
        f"{NAME} is not at a public address; POKEWATCH_WEBHOOK_HOSTS may allow it"
    )
    assert not error.answered
    assert internet.reached == []
    assert receiver.messages == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("target", ["https://127.0.0.1/", "http://10.0.0.1/", f"https://{NAME}/2"])
def test_redirects_are_not_followed(
    internet: Internet, receiver: Receiver, status: int, target: str
) -> None:
    receiver.manner = Manner(status, {"Location": target})
    error = refused(sender(internet))
    assert str(error) == f"answered {status}; redirects are not followed"
    assert error.answered
    assert internet.reached == [PUBLIC]
    assert len(receiver.messages) == 1


def test_environment_proxies_are_not_used(
    internet: Internet, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    sender(internet).post(f"https://{NAME}/hook", b"{}", {})
    assert internet.reached == [PUBLIC]


@pytest.mark.parametrize(
    "manner", [Manner(seconds=3.0), Manner(drips=True)], ids=["silent", "byte by byte"]
)
def test_a_slow_receiver_is_given_up(
    internet: Internet, receiver: Receiver, manner: Manner
) -> None:
    receiver.manner = manner
    error = refused(sender(internet, 0.3))
    assert str(error) == "no answer within 0.3 s"
    assert not error.answered


def test_one_that_never_ends_the_handshake_is_given_up(internet: Internet) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        internet.hosts[PUBLIC] = silent.getsockname()[1]
        assert str(refused(sender(internet, 0.3))) == "no answer within 0.3 s"


@pytest.mark.parametrize("raw", [b"\x1b]0;x\x07\x9b2J\r\n\r\n", b"HTTP/1.1 \x1b[2J no\r\n\r\n"])
def test_what_a_receiver_sends_in_place_of_http_is_shown_without_control_characters(
    internet: Internet, receiver: Receiver, raw: bytes
) -> None:
    receiver.manner = Manner(raw=raw)
    text = str(refused(sender(internet)))
    assert text.startswith("the connection failed: ")
    assert text.isprintable()


@pytest.mark.parametrize(
    ("manner", "final", "wait"),
    [
        (Manner(500), False, 0.0),
        (Manner(404), False, 0.0),
        (Manner(410), True, 0.0),
        (Manner(429, {"Retry-After": "120"}), False, 120.0),
        (Manner(503, {"Retry-After": "999999999"}), False, 86_400.0),
        (Manner(503, {"Retry-After": "Thu, 01 Jan 2026 00:00:00 GMT"}), False, 0.0),
        (Manner(503, {"Retry-After": "-5"}), False, 0.0),
    ],
)
def test_other_statuses_are_refusals(
    internet: Internet, receiver: Receiver, manner: Manner, final: bool, wait: float
) -> None:
    receiver.manner = manner
    error = refused(sender(internet))
    assert (str(error), error.answered) == (f"answered {manner.status}", True)
    assert (error.final, error.wait) == (final, wait)


def test_the_next_address_is_used_when_one_is_down(internet: Internet, receiver: Receiver) -> None:
    internet.names[NAME] = [[OTHER, PUBLIC]]
    sender(internet).post(f"https://{NAME}/hook", b"{}", {})
    assert internet.reached == [OTHER, PUBLIC]


def test_an_address_that_does_not_answer_leaves_time_for_the_next(
    internet: Internet, receiver: Receiver
) -> None:
    internet.silent = {OTHER}
    internet.names[NAME] = [[OTHER, PUBLIC]]
    sender(internet, 2.0).post(f"https://{NAME}/hook", b"{}", {})
    assert internet.reached == [OTHER, PUBLIC]
    assert len(receiver.messages) == 1


def test_an_address_of_a_kind_that_this_machine_lacks_is_passed_over(
    internet: Internet, receiver: Receiver
) -> None:
    def resolve(*given: Any, **more: Any) -> list[tuple[Any, ...]]:
        [found] = internet.resolve(*given, **more)
        return [(255, *found[1:]), found]

    WebhookSender(5.0, resolve=resolve).post(f"https://{NAME}/hook", b"{}", {})
    assert len(receiver.messages) == 1


def test_one_that_is_down(internet: Internet) -> None:
    internet.names[NAME] = [[OTHER]]
    error = refused(sender(internet))
    assert "the connection failed: nothing is at" in str(error)
    assert not error.answered


def test_a_name_that_cannot_be_resolved(receiver: Receiver) -> None:
    def resolve(*_: object, **__: object) -> list[tuple[object, ...]]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    error = refused(WebhookSender(5.0, resolve=resolve))
    assert "cannot be resolved" in str(error)


def test_a_certificate_for_another_name_is_refused(internet: Internet, receiver: Receiver) -> None:
    internet.names["other.example"] = [[PUBLIC]]
    error = refused(sender(internet), "https://other.example/hook")
    assert "CERTIFICATE_VERIFY_FAILED" in str(error)
    assert receiver.messages == []


def test_a_certificate_that_nobody_vouches_for_is_refused(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    with receiving(certificate) as receiver:
        error = refused(WebhookSender(5.0, {"localhost"}), receiver.url())
        assert "CERTIFICATE_VERIFY_FAILED" in str(error)
        assert receiver.messages == []


def test_a_named_host_may_be_inside(receiver: Receiver) -> None:
    WebhookSender(5.0, {"localhost"}).post(receiver.url(), b"{}", {})
    assert len(receiver.messages) == 1
    assert "not at a public address" in str(refused(WebhookSender(5.0), receiver.url()))
