"""Ending by SIGTERM as by Ctrl-C: with what there is to undo or to end before."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def sigterm_raises() -> Iterator[None]:
    """Raise SystemExit in the block at the first SIGTERM; ignore those that come later."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def exit_once(signum: int, _: FrameType | None) -> None:
        ignore_sigterm()
        raise SystemExit(128 + signum)

    former = signal.signal(signal.SIGTERM, exit_once)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, former)


def ignore_sigterm() -> None:
    """Ignore SIGTERM from here to the end of `sigterm_raises`: the process is ending already."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
