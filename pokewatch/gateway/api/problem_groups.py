"""The problems that operations of one kind share."""

from pokewatch.gateway.http import problems

AUTHENTICATED = (
    problems.UNAUTHORIZED,
    problems.FORBIDDEN,
    problems.RATE_LIMITED,
    problems.KEYS_UNREADABLE,
)
WITH_BODY = (
    problems.NOT_JSON,
    problems.SLOW_REQUEST,
    problems.TOO_LARGE,
    problems.MEDIA_TYPE,
    problems.INVALID,
)
UPSTREAM = (
    problems.UPSTREAM_FAULT,
    problems.UNAVAILABLE,
    problems.OVERLOADED,
    problems.UPSTREAM_TIMEOUT,
)
READINESS = (problems.KEYS_UNREADABLE, *UPSTREAM)
CATALOG = (*AUTHENTICATED, problems.INVALID, *UPSTREAM)
