"""SIGTERM and SIGHUP end a process as Ctrl-C does: after it has undone and ended what it must."""

import signal
import socket
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from types import FrameType

_REPEAT_SECONDS = 0.1


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
    handled = threading.Event()

    def exit_once(signum: int, _: FrameType | None) -> None:
        if handled.is_set():
            return
        handled.set()
        ignore_ending()
        raise SystemExit(128 + signum)

    numbers = ending_signals()
    with _repeated(numbers, handled):
        former = {number: signal.signal(number, exit_once) for number in numbers}
        try:
            yield
        finally:
            for number, handler in former.items():
                signal.signal(number, handler)


@contextmanager
def ending_delayed() -> Iterator[None]:
    """Delay signals that would end the process, such as that of Ctrl-C, until after the block.

    What the block starts can then be ended too.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    arrived: list[int] = []
    numbers = (signal.SIGINT, *ending_signals())
    former = {number: signal.getsignal(number) for number in numbers}
    try:
        for number in numbers:
            signal.signal(number, lambda signum, _: arrived.append(signum))
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
        for signum in arrived[:1]:
            signal.raise_signal(signum)


def ignore_ending() -> None:
    """Ignore the signals from here to the end of `ending_raises`: the process is ending already."""
    if threading.current_thread() is threading.main_thread():
        for number in ending_signals():
            signal.signal(number, signal.SIG_IGN)


@contextmanager
def _repeated(numbers: Collection[signal.Signals], handled: threading.Event) -> Iterator[None]:
    """Send each signal that arrives again until its handler has run.

    Python runs a handler between two instructions. A signal that arrives just before a system call
    does not interrupt it, and its handler would run only when the call returns, which may be hours
    later for the output or the end of a child process.
    """
    arrived, wakeup = socket.socketpair()
    wakeup.setblocking(False)
    main = threading.main_thread().ident or 0

    def repeat() -> None:
        while received := arrived.recv(1):
            while received[0] in numbers and not handled.wait(_REPEAT_SECONDS):
                signal.pthread_kill(main, received[0])

    thread = threading.Thread(target=repeat, name="signals", daemon=True)
    with arrived:
        thread.start()
        former = signal.set_wakeup_fd(wakeup.fileno(), warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(former)
            handled.set()
            wakeup.close()
            thread.join()
