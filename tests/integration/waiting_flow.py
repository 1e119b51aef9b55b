"""A flow whose step writes its process id to a file, and waits."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "flows"))

from base import PokeWatchSpec
from metaflow import Parameter, kubernetes, project, step


@project(name="pokewatch")
class WaitingFlow(PokeWatchSpec):
    process = Parameter("process", required=True)

    @kubernetes(cpu=0.5, memory=1024, disk=2048)
    @step
    def start(self) -> None:
        import os
        import time

        file = Path(self.process)
        file.with_suffix(".new").write_text(str(os.getpid()))
        file.with_suffix(".new").replace(file)
        time.sleep(300)
        self.next(self.end)

    @kubernetes(cpu=0.5, memory=1024, disk=2048)
    @step
    def end(self) -> None:
        pass


if __name__ == "__main__":
    WaitingFlow()
