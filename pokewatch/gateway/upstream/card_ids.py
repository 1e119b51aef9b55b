"""The cards of a market, as hashes of their ids and slugs: which market a card belongs to."""

import json
import logging
import sys
from array import array
from bisect import bisect_left

from pokewatch.contract import HASH_BYTES
from pokewatch.gateway.http.problems import ProblemError
from pokewatch.gateway.upstream.v2_client import RefusedError, V2Client
from pokewatch.gateway.upstream.v2_messages import Versions

logger = logging.getLogger("pokewatch.gateway.upstream.card_ids")

_MAX_HEAD = 4_096


class CardIds:
    """The cards of a market, read again when another version of its model or data is served.

    The last ones stay while the model server is down. `known` is False before the first.
    """

    def __init__(self, upstream: V2Client, catalog: str) -> None:
        self._upstream = upstream
        self._path = f"{catalog}/ids"
        self._hashes = array("Q")
        self._versions: tuple[str, str] | None = None
        self.known = False

    def __len__(self) -> int:
        return len(self._hashes)

    def has(self, number: int) -> bool:
        """Return whether a card has this hash, as a little-endian number."""
        at = bisect_left(self._hashes, number)
        return at < len(self._hashes) and self._hashes[at] == number

    async def refresh(self, versions: Versions | None) -> bool:
        """Read the cards if those here are not of `versions`. Return whether they were read."""
        if versions is None or self._versions == (versions.model_version, versions.data_version):
            return False
        try:
            body = await self._upstream.send(self._path, None)
            self._versions, self._hashes = _decoded(body)
        except RefusedError as refused:
            logger.warning("cards cannot be listed", extra={"cause": str(refused)})
            return False
        except ValueError as error:
            self._upstream.bad_reply(str(error))
            return False
        except ProblemError:
            return False  # the client has logged it, and the next poll tries again
        self.known = True
        return True


def _decoded(body: bytes) -> tuple[tuple[str, str], "array[int]"]:
    """Return the versions of model and data, and the sorted hashes. Raise ValueError."""
    head, newline, binary = body.partition(b"\n")
    if not newline or len(head) > _MAX_HEAD or len(binary) % HASH_BYTES:
        raise ValueError("not a list of cards")
    try:
        found = json.loads(head)
        versions = str(found["model_version"]), str(found["data_version"])
    except (KeyError, TypeError) as error:
        raise ValueError(f"a list of cards without versions: {error}") from error
    hashes = array("Q", binary)
    if sys.byteorder == "big":
        hashes.byteswap()
    return versions, hashes
