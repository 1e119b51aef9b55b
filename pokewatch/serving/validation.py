"""Pydantic's validation errors as one line of text."""

from collections.abc import Mapping, Sequence
from typing import Any

_MOST = 5


def validation_message(errors: Sequence[Mapping[str, Any]]) -> str:
    """Return the first errors as `field.path: message`, separated by semicolons."""
    return "; ".join(f"{_location(error)}: {error['msg']}" for error in errors[:_MOST])


def _location(error: Mapping[str, Any]) -> str:
    return ".".join(str(part) for part in error["loc"]) or "the body"
