"""What a process does at SIGTERM before it ends."""

import os
import signal
import threading

import pytest

from pokewatch.termination import ignore_sigterm, sigterm_raises


def test_the_first_sigterm_raises_and_later_ones_do_nothing() -> None:
    def survive() -> None:
        with sigterm_raises():
            try:
                os.kill(os.getpid(), signal.SIGTERM)
            finally:
                os.kill(os.getpid(), signal.SIGTERM)

    former = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as raised:
        survive()
    assert raised.value.code == 143
    assert signal.getsignal(signal.SIGTERM) == former


def test_a_process_that_ends_already_can_ignore_it() -> None:
    with sigterm_raises():
        ignore_sigterm()
        os.kill(os.getpid(), signal.SIGTERM)


def test_other_threads_leave_the_signals_alone() -> None:
    former = signal.getsignal(signal.SIGTERM)
    found = []

    def look() -> None:
        with sigterm_raises():
            ignore_sigterm()
            found.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert found == [former]
