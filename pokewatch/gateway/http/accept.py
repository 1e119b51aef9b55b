"""The choice of a media type by the Accept header (RFC 9110, 12.5.1)."""


def preferred(accept: bytes, kinds: tuple[bytes, bytes]) -> bytes:
    """Return which of two media types a header asks for: the second only if it is named.

    It must have no less weight than the first. Wildcards do not name it: `*/*` is what programs
    send.
    """
    default, other = kinds
    accept = accept.lower()
    if other not in accept:
        return default
    weights = {default: 0.0, other: 0.0}
    for part in accept.split(b","):
        name, _, parameters = part.partition(b";")
        if name.strip() in weights:
            weights[name.strip()] = _weight(parameters)
    return other if 0 < weights[other] >= weights[default] else default


def _weight(parameters: bytes) -> float:
    for parameter in parameters.split(b";"):
        name, _, value = parameter.partition(b"=")
        if name.strip() == b"q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0
