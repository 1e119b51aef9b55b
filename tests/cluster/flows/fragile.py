"""A flow whose first pod fails and whose second is killed for memory."""

import sys

from base import PokeWatchSpec
from metaflow import catch, current, kubernetes, project, retry, step

from pokewatch.notify import notify_failure, notify_success  # the exit hooks that base names  # noqa: F401


@project(name="pokewatch")
class Fragile(PokeWatchSpec):
    @kubernetes(cpu=0.5, memory=512, disk=1024)
    @retry(times=1, minutes_between_retries=0)
    @step
    def start(self) -> None:
        """Fail at the first attempt."""
        if current.retry_count == 0:
            raise RuntimeError("this node is going down")
        self.attempt = current.retry_count
        self.next(self.greedy)

    @catch(var="fault")
    @kubernetes(cpu=0.5, memory=300, disk=1024)
    @retry(times=0)
    @step
    def greedy(self) -> None:
        """Ask for more memory than there is."""
        self.taken = len(bytearray(b"x") * (2 * 1024**3))
        self.next(self.end)

    @kubernetes(cpu=0.5, memory=512, disk=1024)
    @retry(times=0)
    @step
    def end(self) -> None:
        sys.stdout.write(f"attempt {self.attempt}; {self.fault}\n")


if __name__ == "__main__":
    Fragile()
