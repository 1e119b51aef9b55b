"""Reading a few members of a 7z archive from a stranger: into memory only, and never more than was agreed."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import py7zr
from py7zr.io import BytesIOFactory

_PPMD = b"\x03\x04\x01"
_LZMA = (b"\x03\x01\x01", b"\x21")


class BadArchiveError(ValueError):
    """The archive is cut, damaged, or larger inside than we take."""


@dataclass(frozen=True, slots=True)
class ArchiveLimits:
    """Sizes in bytes. A day of every game is 72 MB unpacked, its largest member under 1 MB."""

    unpacked: int = 1 << 30
    member: int = 32 << 20
    memory: int = 256 << 20  # that the decoder of the archive may ask for


def read_members(path: Path, wanted: Callable[[str], bool], limits: ArchiveLimits = ArchiveLimits()) -> dict[str, bytes]:
    """The content of the members whose name is `wanted`. Raises BadArchiveError.

    Nothing is written to disk, so a member's name cannot lead outside a folder; its checksum is verified.
    """
    try:
        with py7zr.SevenZipFile(path, max_extract_size=limits.unpacked) as archive:
            _check_memory(archive, limits)
            sizes = {member.filename: member.uncompressed for member in archive.list() if member.is_file and wanted(member.filename)}
            _check_sizes(sizes, limits)
            content = BytesIOFactory(limits.member)
            archive.extract(targets=list(sizes), factory=content)
            return {name: product.read() for name, product in content.products.items()}
    except BadArchiveError:
        raise
    except Exception as error:  # the unpacker meets damaged data with errors of many kinds, IndexError and struct.error among them
        raise BadArchiveError(f"cut or damaged 7z archive ({type(error).__name__}: {error})") from error


def _check_sizes(sizes: dict[str, int], limits: ArchiveLimits) -> None:
    for name, size in sizes.items():
        if size > limits.member:
            raise BadArchiveError(f"member {name!r} would unpack to {size:,} bytes, more than the {limits.member:,} we take")
    if sum(sizes.values()) > limits.unpacked:
        raise BadArchiveError(f"would unpack to {sum(sizes.values()):,} bytes, more than the {limits.unpacked:,} we take")


def _check_memory(archive: py7zr.SevenZipFile, limits: ArchiveLimits) -> None:
    streams = archive.header.main_streams
    folders = streams.unpackinfo.folders if streams else []
    asked = max((_decoder_memory(coder) for folder in folders for coder in folder.coders), default=0)
    if asked > limits.memory:
        raise BadArchiveError(f"asks for {asked:,} bytes of memory to unpack, more than the {limits.memory:,} we give")


def _decoder_memory(coder: dict[str, bytes]) -> int:
    """What the coder's properties ask for: PPMd's model and LZMA's dictionary size are little-endian 32-bit numbers after one byte."""
    method, properties = coder["method"], coder.get("properties") or b""
    if method == _PPMD or (method in _LZMA and len(properties) == 5):
        return int.from_bytes(properties[1:5], "little")
    if method in _LZMA and len(properties) == 1:
        bits = properties[0]
        return 0xFFFFFFFF if bits >= 40 else (2 | (bits & 1)) << (bits // 2 + 11)
    return 0
