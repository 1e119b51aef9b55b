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
    select_branch()
    select_market(flow.named_market())
    yield


def select_market(market: str) -> None:
    """Make this process, and those it starts, work on a market; "" leaves it to the setting."""
    if market:
        os.environ[RegistrySettings.variable("market")] = market


def select_branch() -> None:
    """Make this process, and those it starts, use the aliases of the run's branch.

    A run without a branch uses those of the setting if the registry is a file on this machine.
    """
    if not (current.is_user_branch and RegistrySettings.read().is_embedded()):
        os.environ[RegistrySettings.variable("branch")] = branch_of_aliases()


def branch_of_aliases() -> str:
    """Return the branch of this run's aliases in a shared registry, "" for production."""
    branch = current.branch_name
    return "" if branch == "prod" else re.sub(r"[^\w.-]", "-", branch)


def branch_options() -> list[str]:
    """Return the options that run another flow on the same branch."""
    kind, _, name = current.branch_name.partition(".")
    production = ["--production"] if kind == "prod" else []
    return [*production, *(["--branch", name] if name and kind != "user" else [])]
