"""The weights of an Accept or Accept-Encoding header, and the choice of a media type by them."""


def preferred(accept: bytes, kinds: tuple[bytes, bytes]) -> bytes:
    """Return which of two media types a header asks for: the second only if it is named.

    It must have no less weight than the first. Wildcards do not name it: `*/*` is what programs
    send.
    """
    default, other = kinds
    if other not in accept.lower():
        return default
    weights = weights_in(accept)
    return other if 0 < weights.get(other, 0.0) >= weights.get(default, 0.0) else default


def weights_in(header: bytes) -> dict[bytes, float]:
    """Return the weight of each lower-case name of a header (RFC 9110, 12.4.2).

    It is 1 where none is given, and 0 where it is not a number.
    """
    parts = (part.partition(b";") for part in header.lower().split(b","))
    return {name.strip(): _weight(parameters) for name, _, parameters in parts}


def _weight(parameters: bytes) -> float:
    for parameter in parameters.split(b";"):
        name, _, value = parameter.partition(b"=")
        if name.strip() == b"q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0
