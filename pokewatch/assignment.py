"""Assignment of callers to the two arms of an experiment."""

from hashlib import blake2b


def arm(caller_id: str, experiment_id: str, share: float) -> bool:
    """Return whether a caller is in the challenger's arm, which has `share` of all callers.

    It depends on nothing else, so every process gives the same answer at any time. A larger share
    only adds callers, and the arms of two experiments are independent of each other.
    """
    return position(caller_id, experiment_id) < share


def position(caller_id: str, experiment_id: str) -> float:
    """Return the place of a caller in an experiment, uniform in [0, 1)."""
    text = f"{experiment_id}\0{caller_id}".encode()
    digest = blake2b(text, digest_size=8).digest()
    return (int.from_bytes(digest, "big") >> 11) / 2**53  # the digits of a float, so never 1
