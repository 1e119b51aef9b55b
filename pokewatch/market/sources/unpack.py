"""A program that unpacks an untrusted 7z archive, run by `archive` in a separate process.

    python unpack.py ARCHIVE PATTERN MOST_UNPACKED MOST_MEMBER MOST_MEMORY

It writes one line of JSON to standard output, [[name, size], ...], then the bodies of those members
in that order. If the archive cannot be used, it writes the reason to standard error and exits with
code 3. It imports nothing from PokeWatch.
"""

import contextlib
import json
import re
import resource
import sys
from typing import Any

import py7zr
from py7zr.io import BytesIOFactory

_REFUSED = 3
_PPMD = b"\x03\x04\x01"
_LZMA = (b"\x03\x01\x01", b"\x21")
_OVERHEAD = 1 << 30  # address space for the interpreter and its libraries


class _RefusedError(Exception):
    pass


def unpack(path: str, pattern: str, unpacked: int, member: int, memory: int) -> dict[str, bytes]:
    """Return the members whose name matches `pattern`, checksums verified.

    Raise _RefusedError if one of the limits, in bytes, is exceeded.
    """
    with py7zr.SevenZipFile(path, max_extract_size=unpacked) as archive:
        _check_memory(archive, memory)
        sizes = {
            file.filename: file.uncompressed
            for file in archive.list()
            if file.is_file and re.search(pattern, file.filename)
        }
        _check_sizes(sizes, unpacked, member)
        content = BytesIOFactory(member)
        archive.extract(targets=list(sizes), factory=content)
        return {name: product.read() for name, product in content.products.items()}


def _check_sizes(sizes: dict[str, int], unpacked: int, member: int) -> None:
    for name, size in sizes.items():
        if size > member:
            raise _RefusedError(
                f"member {name!r} would unpack to {size:,} bytes; the limit is {member:,} bytes"
            )
    if sum(sizes.values()) > unpacked:
        raise _RefusedError(
            f"would unpack to {sum(sizes.values()):,} bytes; the limit is {unpacked:,} bytes"
        )


def _check_memory(archive: py7zr.SevenZipFile, memory: int) -> None:
    streams = archive.header.main_streams
    folders = streams.unpackinfo.folders if streams else []
    needed = max(
        (_decoder_memory(coder) for folder in folders for coder in folder.coders), default=0
    )
    if needed > memory:
        raise _RefusedError(
            f"needs {needed:,} bytes of memory to unpack; the limit is {memory:,} bytes"
        )


def _decoder_memory(coder: dict[str, Any]) -> int:
    """Return the memory that a coder's properties require.

    The sizes of PPMd's model and LZMA's dictionary are little-endian 32-bit numbers after one byte.
    """
    method, properties = coder["method"], coder.get("properties") or b""
    if method == _PPMD or (method in _LZMA and len(properties) == 5):
        return int.from_bytes(properties[1:5], "little")
    if method in _LZMA and len(properties) == 1:
        bits = int(properties[0])
        return 0xFFFFFFFF if bits >= 40 else (2 | (bits & 1)) << (bits // 2 + 11)
    return 0


def main(path: str, pattern: str, *sizes: str) -> int:
    unpacked, member, memory = map(int, sizes)
    with contextlib.suppress(ValueError, OSError):  # no such limit here, or a lower one
        resource.setrlimit(resource.RLIMIT_AS, (memory + 2 * member + _OVERHEAD,) * 2)
    try:
        members = unpack(path, pattern, unpacked, member, memory)
    except _RefusedError as error:
        sys.stderr.write(str(error))
        return _REFUSED
    except Exception as error:  # py7zr raises many kinds for damaged data, struct.error among them
        sys.stderr.write(f"truncated or damaged 7z archive ({type(error).__name__}: {error})")
        return _REFUSED
    sys.stdout.buffer.write(
        json.dumps([[name, len(body)] for name, body in members.items()]).encode() + b"\n"
    )
    for body in members.values():
        sys.stdout.buffer.write(body)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
