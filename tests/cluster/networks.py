"""Network namespaces of pods and of a host outside the cluster, and connections between them."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.cluster.control_plane import ControlPlane
from tests.k8s.connections import Connection
from tests.polling import eventually

OUTSIDE = "pokewatch-outside"
_HERE, _THERE = "pokewatch1", "eth0"

_LISTEN = """\
import asyncio, sys

async def main():
    for port in map(int, sys.argv[1:]):
        await asyncio.start_server(lambda _, writer: writer.close(), "0.0.0.0", port)
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.read)  # ends with the process that started this one

asyncio.run(main())
"""
_CONNECT = """\
import asyncio, json, sys

async def connects(source, host, port):
    local = (source, 0) if source else None
    try:
        opened = asyncio.open_connection(host, port, local_addr=local)
        _, writer = await asyncio.wait_for(opened, 5)
    except (OSError, TimeoutError, asyncio.TimeoutError):
        return False
    writer.close()
    return True

async def main():
    tried = json.loads(sys.argv[1])
    print(json.dumps(await asyncio.gather(*(connects(*each) for each in tried))))

asyncio.run(main())
"""


@contextmanager
def outside(addresses: Sequence[str]) -> Iterator[str]:
    """Yield the namespace of a host that has `addresses`, to which this machine routes."""
    _remove_leftovers()
    with ExitStack() as stack:
        _ip("netns", "add", OUTSIDE)
        stack.callback(_ip, "netns", "delete", OUTSIDE)
        _ip("link", "add", _HERE, "type", "veth", "peer", "name", _THERE, "netns", OUTSIDE)
        _ip("link", "set", _HERE, "up")
        # an address of this end, since it answers for the way back
        _ip("address", "add", "10.245.1.1/32", "dev", _HERE)
        inside = ("-netns", OUTSIDE)
        _ip(*inside, "link", "set", "lo", "up")
        _ip(*inside, "link", "set", _THERE, "up")
        for each in addresses:
            _ip(*inside, "address", "add", f"{each}/32", "dev", _THERE)
            _ip("route", "add", f"{each}/32", "dev", _HERE)
        _ip(*inside, "route", "add", "10.245.1.1/32", "dev", _THERE)
        _ip(*inside, "route", "add", "default", "via", "10.245.1.1")
        yield OUTSIDE


def _remove_leftovers() -> None:
    """Remove what a run that was killed has left; a process in the namespace keeps its link."""
    for arguments in (("link", "delete", _HERE), ("netns", "delete", OUTSIDE)):
        # fails where there is none
        subprocess.run(["ip", *arguments], capture_output=True, check=False)


def namespace_of(address: str) -> str:
    """Return the network namespace of the pod that has an address."""
    for each in Path("/var/run/netns").iterdir():
        command = ["ip", "-netns", each.name, "-oneline", "-4", "address"]
        # fails for one that is being made or removed
        listed = subprocess.run(command, capture_output=True, text=True, check=False)
        if f"inet {address}/" in listed.stdout:
            return each.name
    raise AssertionError(f"no network namespace has {address}")


def address_of(plane: ControlPlane, namespace: str, name: str) -> str:
    """Return the address of a pod, once it has one."""

    def read() -> str:
        status = plane.get("pod", name, "--namespace", namespace)["status"]
        return str(status.get("podIP", ""))

    return eventually(read, bool, every=1)


@contextmanager
def listening(namespace: str, ports: Sequence[int]) -> Iterator[None]:
    """Accept connections on ports in a namespace."""
    command = [*_inside(namespace), _LISTEN, *map(str, ports)]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)
    try:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        yield
    finally:
        process.terminate()
        process.communicate()


def connects(namespace: str, tried: Sequence[tuple[str, str, int]]) -> list[bool]:
    """Return which connections can be made in a namespace: source address or "", target, port."""
    command = [*_inside(namespace), _CONNECT, json.dumps(tried)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [bool(each) for each in json.loads(done.stdout)]


def wait_for_each(
    passing: Callable[[list[Connection]], list[Connection]],
    tried: list[Connection],
    *,
    made: bool,
    every: float = 1,
) -> None:
    """Wait until each connection was made, or refused: policies are enforced some seconds later.

    `passing` returns those that are made.
    """
    waiting = tried

    def again() -> list[Connection]:
        nonlocal waiting
        found = passing(waiting)
        waiting = [each for each in waiting if (each in found) is not made]
        return waiting

    eventually(again, lambda left: not left, seconds=120, every=every)


def _inside(namespace: str) -> list[str]:
    return ["ip", "netns", "exec", namespace, sys.executable, "-c"]


def _ip(*arguments: str) -> str:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"ip {' '.join(arguments)}: {done.stderr}"
    return done.stdout
