"""Ending by SIGTERM or SIGHUP as by Ctrl-C: with what there is to undo or to end before."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


def ending_signals() -> list[signal.Signals]:
    """Return SIGTERM, and SIGHUP, which a closed terminal sends, unless nohup ignores it."""
    ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    return [signal.SIGTERM] if ignored else [signal.SIGTERM, signal.SIGHUP]


@contextmanager
def ending_raises() -> Iterator[None]:
    """Raise SystemExit in the block at the first of `ending_signals`; ignore those after it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def exit_once(signum: int, _: FrameType | None) -> None:
        ignore_ending()
        raise SystemExit(128 + signum)

    former = {number: signal.signal(number, exit_once) for number in ending_signals()}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def ignore_ending() -> None:
    """Ignore the signals from here to the end of `ending_raises`: the process is ending already."""
    if threading.current_thread() is threading.main_thread():
        for number in ending_signals():
            signal.signal(number, signal.SIG_IGN)
