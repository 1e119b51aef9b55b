"""A program of this environment as a child process that ends when its parent ends, in any way.

`python -m pokewatch.cli.child_process PARENT PROGRAM [ARGUMENT ...]`, with the parent's process id.

A parent that is killed says nothing to its children. PR_SET_PDEATHSIG exists on Linux alone, and
fires when the thread that started the child ends; but on every Unix a process whose parent has
ended is given another parent.
"""

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from importlib.metadata import entry_points

_POLL_SECONDS = 0.5
_STOP_SECONDS = 30.0


def main() -> None:
    """Run the program that the command line names, in this process."""
    parent, name, *arguments = sys.argv[1:]
    _in_background(lambda: _end_with(int(parent)))
    sys.argv = [name, *arguments]
    program = next(iter(entry_points(group="console_scripts", name=name)))
    sys.exit(program.load()())


def _in_background(watch: Callable[[], None]) -> None:
    threading.Thread(target=watch, name="parent", daemon=True).start()


def _end_with(parent: int) -> None:
    """Ask this process to end once its parent is another, and end it where that takes too long."""
    while os.getppid() == parent:
        time.sleep(_POLL_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_STOP_SECONDS)
    os.kill(os.getpid(), signal.SIGKILL)


def _end_with_program() -> None:
    """End a worker process of the program, which ignores other signals, once the program ended."""
    while (parent := multiprocessing.parent_process()) is None:  # set after this module's import
        time.sleep(_POLL_SECONDS)
    parent.join()
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main()
elif __name__ == "__mp_main__":  # its name in a process that multiprocessing has spawned
    _in_background(_end_with_program)
