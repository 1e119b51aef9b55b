"""A flow whose step raises the error named by a parameter, and logs each attempt."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "flows"))

from base import PokeWatchSpec
from metaflow import Parameter, kubernetes, project, retry, step


@project(name="pokewatch")
class FailingFlow(PokeWatchSpec):
    error = Parameter("error", required=True)
    attempts = Parameter("attempts", required=True)

    @retry(times=2, minutes_between_retries=0)
    @kubernetes(cpu=0.5, memory=1024, disk=2048)
    @step
    def start(self) -> None:
        from pokewatch import errors

        with Path(self.attempts).open("a") as file:
            file.write("x")
        if self.error == "SourceError":
            raise errors.SourceError("file", "prices.csv", "not today")
        if self.error == "full disk":
            Path("/dev/full").write_text("x")
        if self.error != "none":
            raise getattr(errors, self.error)("as requested")
        self.next(self.end)

    @kubernetes(cpu=0.5, memory=1024, disk=2048)
    @step
    def end(self) -> None:
        pass


if __name__ == "__main__":
    FailingFlow()
