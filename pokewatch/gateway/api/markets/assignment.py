"""Which variant of a canary answers a caller."""

from pokewatch.assignment import position
from pokewatch.gateway.canary_metrics import VARIANTS
from pokewatch.gateway.http.middleware import RequestContext
from pokewatch.gateway.http.problems import invalid

VARIANT_HEADER = "X-PokeWatch-Variant"
_HEADER = VARIANT_HEADER.lower().encode()
_CHOICES = frozenset(variant.encode() for variant in VARIANTS)
_MAX_CALLERS = 50_000


class Assignment:
    """The positions of callers in the canary of an id: fixed, and uniform in [0, 1).

    A caller whose position is below the share is answered by the challenger, so one that is stays
    so while the share grows.
    """

    def __init__(self, canary: str) -> None:
        self._canary = canary
        self._positions: dict[str, float] = {}

    def position(self, caller: str) -> float:
        found = self._positions.get(caller)
        if found is None:
            found = position(caller, self._canary)
            if len(self._positions) >= _MAX_CALLERS:
                self._positions.clear()
            self._positions[caller] = found
        return found


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
