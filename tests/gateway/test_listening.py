import socket

import pytest

from pokewatch.errors import SettingsError
from pokewatch.gateway.listening import listen


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0", ""])
def test_it_listens(host: str) -> None:
    with listen(host, 0, "HOST", "PORT") as found:
        at = "::1" if found.family == socket.AF_INET6 else "127.0.0.1"
        with socket.create_connection((at, found.getsockname()[1])):
            pass


@pytest.mark.parametrize("host", ["nope.invalid", "192.0.2.1"])
def test_a_host_that_is_not_this_machine_is_named(host: str) -> None:
    with pytest.raises(SettingsError, match=f"^HOST: cannot listen at {host}:0: [A-Z]"):
        listen(host, 0, "HOST", "PORT")


def test_a_port_that_is_taken_is_named() -> None:
    with listen("127.0.0.1", 0, "HOST", "PORT") as taken:
        port = taken.getsockname()[1]
        for host in ("127.0.0.1", "0.0.0.0"):
            reason = f"^PORT: cannot listen at {host}:{port}: Address already in use$"
            with pytest.raises(SettingsError, match=reason):
                listen(host, port, "HOST", "PORT")
