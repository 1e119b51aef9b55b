"""The result of a check of an installation."""

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warning", "fault"]


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of a check. `remedy` is the suggested fix, "" if none is needed."""

    name: str
    state: State
    detail: str
    remedy: str = ""


def not_checked(name: str, error: ModuleNotFoundError) -> Finding:
    """Return the result of a check whose packages are of an extra that this machine may not need.

    The check of the extras says what is missing.
    """
    return Finding(name, "ok", f"not checked: {error.name} is not installed")
