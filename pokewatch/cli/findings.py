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
