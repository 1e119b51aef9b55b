"""No crossing is lost or notified under two ids, wherever a process is killed."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.watches.markets import book_of
from tests.watches.receiver import Receiver


@pytest.mark.slow
def test_each_crossing_is_told_under_one_id_wherever_a_process_is_killed(
    receiver: Receiver, tmp_path: Path
) -> None:
    book = book_of(tmp_path, {4: 3.0})
    next(tmp_path.glob("book-*")).rename(tmp_path / "book")
    (tmp_path / "digest").write_text(book.digest)
    done = subprocess.run(
        [sys.executable, "-m", "tests.watches.killed", str(tmp_path), str(receiver.server_port)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr[-3_000:]
    ends = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(ends) > 40, "points between all writes"
    assert [each["complete"] for each in ends] == [False] * (len(ends) - 1) + [True]
    repeats = 0
    for end in ends:
        ids = Counter(receiver.ids(f"/{end['point']}"))
        expected = {f"{watch_id}-1" for watch_id in end["fired"]}
        assert len(expected) == 2
        assert end["crossings"] == [0, 1, 1]
        assert ids.keys() == expected, end
        assert end["deliveries"] == dict.fromkeys(expected, "sent")
        repeats += sum(ids.values()) - len(ids)
    # The sweep has hit what it is for: between a crossing and its message, and after a message.
    found = [each["middle"]["deliveries"].values() for each in ends]
    assert any("pending" in each and "sent" not in each for each in found)
    assert any("pending" in each and "sent" in each for each in found)
    assert any(not each for each in found)
    assert repeats > 0, "a message whose answer was lost is repeated under its id"
