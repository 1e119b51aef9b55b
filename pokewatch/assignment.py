"""Assignment of callers to the two arms of an experiment."""

from hashlib import blake2b


def position(caller_id: str, experiment_id: str) -> float:
    """Return the place of a caller in an experiment, uniform in [0, 1).

    Callers below a share are in the arm of the challenger, so a larger share only adds callers.
    It depends on nothing else: every process gives the same answer at any time, and the places in
    two experiments are independent of each other.
    """
    text = f"{experiment_id}\0{caller_id}".encode()
    digest = blake2b(text, digest_size=8).digest()
    return (int.from_bytes(digest, "big") >> 11) / 2**53  # the digits of a float, so never 1
