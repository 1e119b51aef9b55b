"""Reading a few members of a 7z archive from a stranger: in memory, and never more than was agreed.

The unpacking is done by a process of its own (`unpack`): the PPMd decoder crashes on some damaged archives, and must not
take the collection with it.
"""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

_REFUSED = 3
_PROGRAM = Path(__file__).with_name("unpack.py")


class BadArchiveError(ValueError):
    """The archive is cut, damaged, or larger inside than we take."""


@dataclass(frozen=True, slots=True)
class ArchiveLimits:
    """Sizes in bytes, time in seconds. A day of every game is 72 MB unpacked in 3 to 9 s, its largest member under 1 MB."""

    unpacked: int = 1 << 30
    member: int = 32 << 20
    memory: int = 256 << 20  # that the decoder may ask for
    seconds: float = 300.0


def read_members(
    path: Path, pattern: str, limits: ArchiveLimits = ArchiveLimits(), program: Path = _PROGRAM
) -> dict[str, bytes]:
    """The content of the members whose name matches the regular expression `pattern`. Raises BadArchiveError.

    Nothing is written to disk, so a member's name cannot lead outside a folder; checksums are verified.
    """
    sizes = (str(size) for size in (limits.unpacked, limits.member, limits.memory))
    # -P: the folder of the program, which holds an http.py, stays out of its path
    command = [sys.executable, "-P", str(program), str(path), pattern, *sizes]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=limits.seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise BadArchiveError(f"was not unpacked within {limits.seconds:g} s") from None
    if done.returncode == _REFUSED:
        raise BadArchiveError(done.stderr.decode(errors="replace"))
    if done.returncode:
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise BadArchiveError(
            f"cut or damaged 7z archive (its unpacker ended with code {done.returncode}{': ' if last else ''}{''.join(last)})"
        )
    return _members(done.stdout)


def _members(output: bytes) -> dict[str, bytes]:
    header, _, bodies = output.partition(b"\n")
    members, start = {}, 0
    for name, size in json.loads(header):
        members[name] = bodies[start : start + size]
        start += size
    return members
