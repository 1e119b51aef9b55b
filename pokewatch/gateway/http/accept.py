"""The weights of an Accept or Accept-Encoding header, and the choice of a media type by them."""


def preferred(accept: bytes, kinds: tuple[bytes, bytes]) -> bytes:
    """Return which of two media types a header asks for: the second only if it is named.

    It must have more weight than the first, or as much and be named before it: generated clients
    name all the types of an answer, in the order of the document. Wildcards do not name it: `*/*`
    is what programs send.
    """
    default, other = kinds
    if other not in accept.lower():
        return default
    weights = weights_in(accept)
    first, second = weights.get(default, 0.0), weights.get(other, 0.0)
    if second == first > 0:
        return min(kinds, key=list(weights).index)
    return other if second > first else default


def weights_in(header: bytes) -> dict[bytes, float]:
    """Return the weight of each lower-case name of a header (RFC 9110, 12.4.2), in its order.

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
