"""The branch and the market of a step's process."""

import os
import re
from collections.abc import Iterator
from typing import Any

from metaflow import current, user_step_decorator

from pokewatch.settings import RegistrySettings


@user_step_decorator
def on_branch(step_name: str, flow: Any, inputs: Any, attributes: Any) -> Iterator[None]:  # noqa: ARG001
    """Make a step use the aliases of its branch, and the registered model of its market."""
    branch = _branch()
    if branch is not None:
        os.environ[RegistrySettings.variable("branch")] = branch
    select_market(flow.named_market())
    yield


def select_market(market: str) -> None:
    """Make this process, and those it starts, work on a market; "" leaves it to the setting."""
    if market:
        os.environ[RegistrySettings.variable("market")] = market


def _branch() -> str | None:
    """Return the branch whose aliases to use: "" for production, None to leave it to the setting.

    A run without a branch uses production's only if the registry is a file on this machine.
    """
    if current.branch_name == "prod":
        return ""
    if current.is_user_branch and RegistrySettings.read().is_embedded():
        return None
    return re.sub(r"[^\w.-]", "-", current.branch_name)


def branch_options() -> list[str]:
    """Return the options that run another flow on the same branch."""
    kind, _, name = current.branch_name.partition(".")
    production = ["--production"] if kind == "prod" else []
    return [*production, *(["--branch", name] if name and kind != "user" else [])]
