"""What a process does before it ends by SIGTERM or SIGHUP."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pokewatch.termination import ending_delayed, ending_raises, ending_signals, ignore_ending

pytestmark = pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGHUP], ids=["term", "hup"])


@pytest.fixture(autouse=True)
def heeded() -> Iterator[None]:
    """The tests may have been started under nohup."""
    former = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, former)


def test_the_first_signal_raises_and_later_ones_do_nothing(how: signal.Signals) -> None:
    def survive() -> None:
        with ending_raises():
            try:
                os.kill(os.getpid(), how)
            finally:
                os.kill(os.getpid(), signal.SIGTERM)
                os.kill(os.getpid(), signal.SIGHUP)

    former = signal.getsignal(how)
    with pytest.raises(SystemExit) as raised:
        survive()
    assert raised.value.code == 128 + how
    assert signal.getsignal(how) == former


def test_a_signal_just_before_a_blocking_call_ends_that_call(how: signal.Signals) -> None:
    """As one that another thread receives, it does not interrupt the call."""
    output, child = os.pipe()
    raised, late = threading.Event(), []

    def send() -> None:
        time.sleep(0.2)  # until the other thread reads
        signal.pthread_kill(threading.get_ident(), how)
        if not raised.wait(20):
            late.append("the call was not interrupted")
            os.write(child, b"a line")

    thread = threading.Thread(target=send)

    def read() -> None:
        with ending_raises():
            thread.start()
            os.read(output, 1)

    with pytest.raises(SystemExit):
        read()
    raised.set()
    thread.join()
    os.close(output)
    os.close(child)
    assert late == []


def test_a_block_leaves_no_thread_and_no_descriptor(how: signal.Signals) -> None:
    def held() -> tuple[int, int]:
        return threading.active_count(), len(list(Path("/dev/fd").iterdir()))

    before = held()
    with ending_raises():
        assert held() == (before[0] + 1, before[1] + 2)
    with pytest.raises(SystemExit), ending_raises():
        os.kill(os.getpid(), how)
    assert held() == before
    assert signal.set_wakeup_fd(-1) == -1


def test_a_process_that_ends_already_can_ignore_it(how: signal.Signals) -> None:
    with ending_raises():
        ignore_ending()
        os.kill(os.getpid(), how)


def test_a_delayed_signal_ends_after_the_block(how: signal.Signals) -> None:
    done = []

    def start() -> None:
        with ending_delayed():
            os.kill(os.getpid(), how)
            os.kill(os.getpid(), how)
            done.append("started")

    with pytest.raises(SystemExit) as raised, ending_raises():
        start()
    assert (raised.value.code, done) == (128 + how, ["started"])


def test_other_threads_leave_the_signals_alone(how: signal.Signals) -> None:
    former = signal.getsignal(how)
    found = []

    def look() -> None:
        with ending_raises(), ending_delayed():
            ignore_ending()
            found.append(signal.getsignal(how))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert found == [former]


def test_a_closed_terminal_ends_nothing_under_nohup(how: signal.Signals) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    assert (how in ending_signals()) is (how == signal.SIGTERM)
    with ending_raises():
        os.kill(os.getpid(), signal.SIGHUP)
