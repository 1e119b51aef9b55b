"""Which variant of a canary answers a caller."""

from hashlib import blake2b

from pokewatch.gateway.canary_metrics import VARIANTS
from pokewatch.gateway.http.middleware import RequestContext
from pokewatch.gateway.http.problems import invalid

VARIANT_HEADER = "X-PokeWatch-Variant"
_HEADER = VARIANT_HEADER.lower().encode()
_CHOICES = frozenset(variant.encode() for variant in VARIANTS)


def position(caller: str, experiment: str) -> float:
    """Return the place of a caller in the experiment of a name, uniform in [0, 1).

    A caller whose place is below the share is answered by the challenger, so one that is stays so
    while the share grows. It depends on nothing else: every process gives the same answer at any
    time, and the places in two experiments are independent of each other.
    """
    digest = blake2b(f"{experiment}\0{caller}".encode(), digest_size=8).digest()
    return (int.from_bytes(digest, "big") >> 11) / 2**53  # the digits of a float, so never 1


def caller_of(context: RequestContext) -> str:
    """Return who sent a request: the id of its key, else its address."""
    return context.key.id if context.key is not None else context.address


def chosen_variant(context: RequestContext) -> str:
    """Return the variant that the header of a request names, "" for none. Raise ProblemError."""
    given = context.headers.get(_HEADER)
    if given is None:
        return ""
    if given not in _CHOICES:
        text = given.decode("latin-1")[:40]
        raise invalid(VARIANT_HEADER, f"expected {' or '.join(VARIANTS)}, got {text!r}")
    return given.decode()
