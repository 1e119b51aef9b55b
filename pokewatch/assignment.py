"""Assignment of callers to the two arms of an experiment."""

from hashlib import blake2b

_BYTES = 8
_HASHES = 1 << 8 * _BYTES


def arm(caller_id: str, experiment_id: str, share: float) -> bool:
    """Return whether a caller is in the challenger's arm, which has `share` of all callers.

    It depends on nothing else, so every process gives the same answer at any time. A larger share
    only adds callers, and the arms of two experiments are independent of each other.
    """
    text = f"{experiment_id}\0{caller_id}".encode()
    digest = blake2b(text, digest_size=_BYTES).digest()
    return int.from_bytes(digest) < share * _HASHES
