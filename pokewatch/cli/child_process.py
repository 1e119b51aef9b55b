"""Run a program as a child process that exits when its parent does, however that happens.

`python -m pokewatch.cli.child_process PARENT PROGRAM [ARGUMENT ...]`, where PARENT is the
parent's process id and PROGRAM a console script of this environment.

A killed parent cannot signal its children. PR_SET_PDEATHSIG exists on Linux only, and fires when
the thread that started the child exits; on every Unix, an orphaned process gets a new parent.
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
    """Run the program named on the command line in this process."""
    parent, name, *arguments = sys.argv[1:]
    _in_background(lambda: _exit_with_parent(int(parent)))
    sys.argv = [name, *arguments]
    program = next(iter(entry_points(group="console_scripts", name=name)))
    sys.exit(program.load()())


def _in_background(target: Callable[[], None]) -> None:
    threading.Thread(target=target, name="parent", daemon=True).start()


def _exit_with_parent(parent: int) -> None:
    """Terminate this process once its parent has changed, and kill it if that takes too long."""
    while os.getppid() == parent:
        time.sleep(_POLL_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_STOP_SECONDS)
    os.kill(os.getpid(), signal.SIGKILL)


def _exit_with_program() -> None:
    """Kill a worker process of the program, which ignores other signals, once that has exited."""
    while (parent := multiprocessing.parent_process()) is None:  # set after this module is imported
        time.sleep(_POLL_SECONDS)
    parent.join()
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main()
elif __name__ == "__mp_main__":  # this module's name in a process spawned by multiprocessing
    _in_background(_exit_with_program)
