import socket

import pytest

from pokewatch.deploy.addresses import names_no_replica, replica_addresses
from pokewatch.errors import DeployError
from pokewatch.settings import ServingSettings


def test_a_plain_address_is_itself() -> None:
    assert replica_addresses(["http://a:1", "https://b"]) == ["http://a:1", "https://b"]


def test_a_name_becomes_each_of_its_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        assert (host, port) == ("mlserver-replicas.pokewatch.svc", 8080)
        return [
            (socket.AF_INET, 1, 6, "", (ip, port)) for ip in ("10.0.0.2", "10.0.0.1", "10.0.0.2")
        ] + [(socket.AF_INET6, 1, 6, "", ("fd00::1", port, 0, 0))]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    assert replica_addresses(["dns+http://mlserver-replicas.pokewatch.svc:8080", "http://a:1"]) == [
        "http://10.0.0.1:8080",
        "http://10.0.0.2:8080",
        "http://[fd00::1]:8080",
        "http://a:1",
    ]


@pytest.mark.parametrize(("scheme", "port"), [("http", 80), ("https", 443)])
def test_the_port_is_that_of_the_scheme_where_none_is_named(scheme: str, port: int) -> None:
    assert f"{scheme}://127.0.0.1:{port}" in replica_addresses([f"dns+{scheme}://localhost"])


def test_a_real_name() -> None:
    assert "http://127.0.0.1:8080" in replica_addresses(["dns+http://localhost:8080"])


@pytest.mark.parametrize("error", [socket.EAI_NONAME, socket.EAI_NODATA])
def test_a_name_without_addresses_is_kept(error: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A headless Service without pods: DNS servers differ in how they say so."""

    def answer(*_: object, **__: object) -> None:
        raise socket.gaierror(error, "no address")

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    (found,) = replica_addresses(["dns+http://replicas.pokewatch.svc:8080"])
    assert found == "dns+http://replicas.pokewatch.svc:8080"
    assert names_no_replica(found)
    assert not names_no_replica("http://10.0.0.1:8080")


def test_a_real_name_without_addresses() -> None:
    name = "dns+http://nobody.invalid:8080"
    try:
        found = replica_addresses([name])
    except DeployError:
        pytest.skip("this machine has no DNS server that answers")
    assert found == [name]


def test_dns_that_does_not_answer_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    with pytest.raises(DeployError, match=r"replicas cannot be looked up: .*Temporary failure"):
        replica_addresses(["dns+http://replicas:8080"])


def test_the_addresses_of_the_settings_end_without_a_slash(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ServingSettings.read().addresses() == ["http://127.0.0.1:8080"]
    monkeypatch.setenv("POKEWATCH_MLSERVER_URLS", "http://a:1/, http://b:2")
    assert ServingSettings.read().addresses() == ["http://a:1", "http://b:2"]


@pytest.mark.parametrize(
    ("host", "reached_at"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("0.0.0.0", "127.0.0.1"),
        ("fd00::2", "[fd00::2]"),
        ("::", "[::1]"),
    ],
)
def test_a_deploy_reaches_the_mlserver_of_this_machine_where_it_listens(
    host: str, reached_at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At another address nothing listens, and the deploy would leave the server as it is."""
    monkeypatch.setenv("POKEWATCH_MLSERVER_HOST", host)
    monkeypatch.setenv("POKEWATCH_MLSERVER_HTTP_PORT", "9080")
    assert ServingSettings.read().addresses() == [f"http://{reached_at}:9080"]
