"""Reading members of an untrusted 7z archive in memory, within size and time limits.

A separate process (`unpack`) does the unpacking: the PPMd decoder crashes on some damaged archives,
which must not end the collection.
"""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

_REFUSED = 3
_PROGRAM = Path(__file__).with_name("unpack.py")


class BadArchiveError(ValueError):
    """The archive is truncated, damaged or over a limit."""


@dataclass(frozen=True, slots=True)
class ArchiveLimits:
    """Sizes in bytes, time in seconds.

    A day of every game is 72 MB, unpacked in 3 to 9 s; its largest member is under 1 MB.
    """

    unpacked: int = 1 << 30
    member: int = 32 << 20
    memory: int = 256 << 20  # of the decoder
    seconds: float = 300.0


def read_members(
    path: Path, pattern: str, limits: ArchiveLimits = ArchiveLimits(), program: Path = _PROGRAM
) -> dict[str, bytes]:
    """Return the members whose name matches the regular expression `pattern`.

    Nothing is written to disk, so that no member can be placed outside a folder; checksums are
    verified. Raise BadArchiveError.
    """
    sizes = (str(size) for size in (limits.unpacked, limits.member, limits.memory))
    # -P: the folder of the program has an http.py, which must not be importable
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
            "truncated or damaged 7z archive: the process that unpacks it exited with code "
            f"{done.returncode}{''.join(f' ({line})' for line in last)}"
        )
    return _members(done.stdout)


def _members(output: bytes) -> dict[str, bytes]:
    header, _, bodies = output.partition(b"\n")
    members, start = {}, 0
    for name, size in json.loads(header):
        members[name] = bodies[start : start + size]
        start += size
    return members
