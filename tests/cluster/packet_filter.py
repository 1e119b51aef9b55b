"""The rules of this machine's packet filter, as they were before a node ran on it."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise

from tests.tools import require_tool

# of kubelet, kube-proxy and kube-router, and of CNI's plugins
_CHAINS = ("KUBE-", "CNI-")
_SETS = ("KUBE-SRC-", "KUBE-DST-", "kube-router-")
_FAMILIES = ("iptables", "ip6tables")


@dataclass
class Table:
    """The chains of a table and its rules, each as iptables-save writes it."""

    chains: list[str] = field(default_factory=list)
    rules: list[str] = field(default_factory=list)


def tables(saved: str) -> dict[str, Table]:
    """Return the tables that iptables-save printed."""
    found: dict[str, Table] = {}
    for line in saved.splitlines():
        if line.startswith("*"):
            table = found.setdefault(line[1:], Table())
        elif line.startswith(":"):
            table.chains.append(line[1:].split()[0])
        elif line.startswith("-A "):
            table.rules.append(line)
    return found


def removal(before: str, after: str) -> str:
    """Return what iptables-restore --noflush reads to remove a node's chains made in between.

    Rules of other chains are removed where they lead to such a chain.
    """
    known, lines = tables(before), []
    for name, table in tables(after).items():
        kept = set(known[name].chains) if name in known else set()
        gone = [each for each in table.chains if each.startswith(_CHAINS) and each not in kept]
        lines.append(f"*{name}")
        lines += [f"-D{rule[2:]}" for rule in table.rules if _leads_to(rule, gone)]
        lines += [f"-F {each}" for each in gone]
        lines += [f"-X {each}" for each in gone]
        lines.append("COMMIT")
    return "".join(f"{line}\n" for line in lines)


def _leads_to(rule: str, chains: list[str]) -> bool:
    """Return whether a rule of another chain jumps to one of `chains`."""
    words = rule.split()
    targets = [b for a, b in pairwise(words) if a in ("-j", "-g")]
    return words[1] not in chains and not set(targets).isdisjoint(chains)


@contextmanager
def restored_packet_filter() -> Iterator[None]:
    """Remove what the programs of a node leave in the packet filter."""
    require_tool("ipset")
    before = {family: _saved(family) for family in _FAMILIES}
    sets = _sets()
    try:
        yield
    finally:
        for family in _FAMILIES:
            command = [require_tool(f"{family}-restore"), "--noflush"]
            lines = removal(before[family], _saved(family))
            subprocess.run(command, input=lines, text=True, check=True)
        for name in _sets():
            if name.startswith(_SETS) and name not in sets:
                subprocess.run(["ipset", "destroy", name], check=True)


def _saved(family: str) -> str:
    command = [require_tool(f"{family}-save")]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def _sets() -> list[str]:
    command = ["ipset", "list", "-name"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
