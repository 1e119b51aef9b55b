"""The program that unpacks a 7z archive from a stranger, in a process of its own: see `archive`. Imports nothing of PokeWatch.

    python unpack.py ARCHIVE PATTERN MOST_UNPACKED MOST_MEMBER MOST_MEMORY

On standard output: one line of JSON, [[name, size], ...], then the bodies of those members in that order. Where the archive
cannot be used, the reason on standard error and exit code 3.
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
    """The members whose name matches `pattern`, their checksums verified. Raises _RefusedError beyond the given sizes in bytes."""
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
                f"member {name!r} would unpack to {size:,} bytes, more than the {member:,} we take"
            )
    if sum(sizes.values()) > unpacked:
        raise _RefusedError(
            f"would unpack to {sum(sizes.values()):,} bytes, more than the {unpacked:,} we take"
        )


def _check_memory(archive: py7zr.SevenZipFile, memory: int) -> None:
    streams = archive.header.main_streams
    folders = streams.unpackinfo.folders if streams else []
    asked = max(
        (_decoder_memory(coder) for folder in folders for coder in folder.coders), default=0
    )
    if asked > memory:
        raise _RefusedError(
            f"asks for {asked:,} bytes of memory to unpack, more than the {memory:,} we give"
        )


def _decoder_memory(coder: dict[str, Any]) -> int:
    """What the coder's properties ask for: PPMd's model and LZMA's dictionary size are little-endian 32-bit numbers after one byte."""
    method, properties = coder["method"], coder.get("properties") or b""
    if method == _PPMD or (method in _LZMA and len(properties) == 5):
        return int.from_bytes(properties[1:5], "little")
    if method in _LZMA and len(properties) == 1:
        bits = int(properties[0])
        return 0xFFFFFFFF if bits >= 40 else (2 | (bits & 1)) << (bits // 2 + 11)
    return 0


def main(path: str, pattern: str, *sizes: str) -> int:
    unpacked, member, memory = map(int, sizes)
    with contextlib.suppress(
        ValueError, OSError
    ):  # a system without this limit, or with a lower one
        resource.setrlimit(resource.RLIMIT_AS, (memory + 2 * member + _OVERHEAD,) * 2)
    try:
        members = unpack(path, pattern, unpacked, member, memory)
    except _RefusedError as error:
        sys.stderr.write(str(error))
        return _REFUSED
    except Exception as error:  # py7zr meets damaged data with errors of many kinds, IndexError and struct.error among them
        sys.stderr.write(f"cut or damaged 7z archive ({type(error).__name__}: {error})")
        return _REFUSED
    sys.stdout.buffer.write(
        json.dumps([[name, len(body)] for name, body in members.items()]).encode() + b"\n"
    )
    for body in members.values():
        sys.stdout.buffer.write(body)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
