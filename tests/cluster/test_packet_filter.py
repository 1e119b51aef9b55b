import subprocess
import sys

import pytest

from tests.cluster.named import is_named
from tests.cluster.packet_filter import removal
from tests.tools import require_tool

# Of a machine where another program has chains, one of them named as a node's.
BEFORE = """\
*nat
:PREROUTING ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:CNI-OLD - [0:0]
:DOCKER - [0:0]
-A PREROUTING -j DOCKER
-A POSTROUTING -j CNI-OLD
-A DOCKER -j RETURN
COMMIT
"""
# What CNI, kubelet and kube-proxy add, and meanwhile another program too.
AFTER = """\
*nat
:PREROUTING ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:CNI-OLD - [0:0]
:CNI-1a2b - [0:0]
:CNI-HOSTPORT-DNAT - [0:0]
:DOCKER - [0:0]
:KUBE-SERVICES - [0:0]
:NETAVARK - [0:0]
-A PREROUTING -j DOCKER
-A PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT
-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A POSTROUTING -j CNI-OLD
-A POSTROUTING -s 10.244.0.9/32 -m comment --comment "name: \\"p\\"" -j CNI-1a2b
-A CNI-1a2b -d 10.244.0.0/24 -j ACCEPT
-A CNI-1a2b -j KUBE-SERVICES
-A DOCKER -j RETURN
-A NETAVARK -j ACCEPT
COMMIT
"""
_TRY = """\
import subprocess, sys
from tests.cluster.packet_filter import restored_packet_filter

def restore(lines):
    subprocess.run(["iptables-restore"], input=lines, text=True, check=True)

before, after = sys.argv[1:]
restore(before)
with restored_packet_filter():
    restore(after)
    subprocess.run(["ipset", "create", "KUBE-SRC-1", "hash:ip"], check=True)
    rule = ["-A", "CNI-1a2b", "-m", "set", "--match-set", "KUBE-SRC-1", "src", "-j", "ACCEPT"]
    subprocess.run(["iptables", "--table", "nat", *rule], check=True)
subprocess.run(["iptables-save", "--table", "nat"], check=True)
subprocess.run(["ipset", "list", "-name"], check=True)
"""


def test_what_a_node_made_is_removed_and_nothing_else() -> None:
    assert removal(BEFORE, AFTER).splitlines() == [
        "*nat",
        "-D PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT",
        '-D PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES',
        r'-D POSTROUTING -s 10.244.0.9/32 -m comment --comment "name: \"p\"" -j CNI-1a2b',
        "-F CNI-1a2b",
        "-F CNI-HOSTPORT-DNAT",
        "-F KUBE-SERVICES",
        "-X CNI-1a2b",
        "-X CNI-HOSTPORT-DNAT",
        "-X KUBE-SERVICES",
        "COMMIT",
    ]


def test_a_second_run_removes_nothing() -> None:
    assert removal(BEFORE, BEFORE).splitlines() == ["*nat", "COMMIT"]


@pytest.mark.cluster
def test_a_packet_filter_of_its_own_is_restored() -> None:
    """In a network namespace of its own, with rules that use a set of addresses."""
    if is_named():
        pytest.skip("of the machine that a node of the tests' own runs on")
    for name in ("iptables", "ip6tables", "ipset"):
        require_tool(name)
    command = [require_tool("unshare"), "--net", sys.executable, "-c", _TRY, BEFORE, AFTER]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if line[0] in ":-"]
    kept = [line for line in BEFORE.splitlines() if line[0] in ":-"]
    assert {line.split(" [")[0] for line in lines} == {
        *(line.split(" [")[0] for line in kept),
        ":INPUT ACCEPT",
        ":OUTPUT ACCEPT",
        ":NETAVARK -",
        "-A NETAVARK -j ACCEPT",
    }
    assert "KUBE-SRC-1" not in done.stdout
