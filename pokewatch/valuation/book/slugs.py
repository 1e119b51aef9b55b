"""The slugs of a book's cards, which stay in the file that they are mapped from.

As Python objects, those of 50,000 cards would take 5 MB for as long as the book is served.
"""

from collections.abc import Sequence
from typing import Any, overload

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

_FEW = 100  # texts that are read faster one by one than by `take` of Arrow
REMEMBERED = 4_096  # texts, those asked for first: reading the file takes longer
_CHUNK = 8_192  # texts that are Python objects at a time


class Slugs(Sequence[str]):
    """A column of texts, found by their sorted hashes.

    `collisions` are the positions of texts whose hash others have too: they are not found.
    """

    def __init__(self, column: pa.ChunkedArray) -> None:
        chunks = column.combine_chunks()
        self._texts = chunks.chunk(0) if isinstance(chunks, pa.ChunkedArray) else chunks
        self._bytes, self._edges = _buffers(self._texts)
        self._read: dict[int, str] = {}  # texts that were asked for first
        hashes = self._hashed()
        order = np.argsort(hashes)
        self._hashes, self._positions = hashes[order], order.astype(np.int32)
        same = self._hashes[1:] == self._hashes[:-1]
        collisions = np.zeros(len(order), dtype=np.bool_)
        collisions[1:] |= same
        collisions[:-1] |= same
        self.collisions: list[int] = self._positions[collisions].tolist()

    def __len__(self) -> int:
        return len(self._texts)

    @overload
    def __getitem__(self, at: int) -> str: ...
    @overload
    def __getitem__(self, at: slice) -> list[str]: ...
    def __getitem__(self, at: int | slice) -> str | list[str]:
        found = self._texts[at]
        return found.to_pylist() if isinstance(at, slice) else found.as_py()  # type: ignore[no-any-return]

    def take(self, positions: NDArray[np.integer[Any]]) -> list[str]:
        """Return the texts at `positions`."""
        if len(positions) <= _FEW:
            return [self._read.get(at) or self._text(at) for at in positions.tolist()]
        rows = pa.py_buffer(np.ascontiguousarray(positions, dtype=np.int64))
        # `pa.array` of an array would import pandas.
        taken = self._texts.take(pa.Array.from_buffers(pa.int64(), len(positions), [None, rows]))
        return taken.to_pylist()  # type: ignore[no-any-return]

    def positions(self, texts: Sequence[str]) -> NDArray[np.intp]:
        """Return the position of each text, -1 for one that is not there or collides."""
        if not len(self):
            return np.full(len(texts), -1, dtype=np.intp)
        hashes = _hashes(texts)
        at = np.minimum(np.searchsorted(self._hashes, hashes), len(self) - 1)
        likely = np.flatnonzero(self._hashes[at] == hashes)
        found = np.full(len(texts), -1, dtype=np.intp)
        there = self._positions[at[likely]]
        same = [
            texts[row].encode() == text
            for row, text in zip(likely.tolist(), self._encoded(there), strict=True)
        ]
        found[likely[same]] = there[same]
        return found

    def _text(self, at: int) -> str:
        text: str = self._texts[at].as_py()
        if len(self._read) < REMEMBERED:
            self._read[at] = text
        return text

    def _encoded(self, positions: NDArray[np.integer[Any]]) -> list[bytes]:
        """Return the texts at `positions` in UTF-8."""
        starts, ends = self._edges[positions].tolist(), self._edges[positions + 1].tolist()
        content = self._bytes
        return [content[start:end].tobytes() for start, end in zip(starts, ends, strict=True)]

    def _hashed(self) -> NDArray[np.int64]:
        starts = range(0, len(self), _CHUNK)
        parts = [_hashes(self[start : start + _CHUNK]) for start in starts]
        return np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)


def _buffers(texts: pa.StringArray) -> tuple[memoryview, NDArray[np.int32]]:
    """Return the bytes of texts without nulls, and the edges of each."""
    _, edges, content = texts.buffers()
    if edges is None or content is None:
        return memoryview(b""), np.zeros(1, dtype=np.int32)
    found = np.frombuffer(edges, dtype=np.int32)
    return memoryview(content), found[texts.offset : texts.offset + len(texts) + 1]


def _hashes(texts: Sequence[str]) -> NDArray[np.int64]:
    """Return Python's hashes, which differ from process to process."""
    return np.fromiter(map(hash, texts), dtype=np.int64, count=len(texts))
