"""A flow that prints the alias it would move."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "flows"))

from base import PokeWatchSpec
from branches import branch_options
from metaflow import kubernetes, project, step


@project(name="pokewatch")
class BranchFlow(PokeWatchSpec):
    @kubernetes(cpu=0.5, memory=1024, disk=2048)
    @step
    def start(self) -> None:
        from pokewatch.registry import CHAMPION, Registry

        options = " ".join(branch_options()) or "no option"
        print(f"the aliases are {Registry().branch_name(CHAMPION)}, with {options}")  # noqa: T201
        self.next(self.end)

    @kubernetes(cpu=0.5, memory=1024, disk=2048)
    @step
    def end(self) -> None:
        pass


if __name__ == "__main__":
    BranchFlow()
