"""A simulated week of several markets: the daily flow, day after day, with planted faults."""

import csv
import math
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

from pokewatch.registry import LAST_DAY, Registry
from pokewatch.settings import RegistrySettings
from tests.integration.flow import FLOW

CARDS, HISTORY = 120, 45
_SMALL_FILE = 16 << 10  # bytes; no database and no file of prices fits


@dataclass
class Week:
    """The markets of a home, valued on one day after another.

    `expected` are the runs whose market had its data and a disk that day, `valued` those of them
    that ended with a champion of that day. `ended` is the exit code of the last run.
    """

    folder: Path
    files: tuple[str, ...]
    simulated: tuple[int, ...]
    first: date
    environment: Mapping[str, str]
    expected: int = 0
    valued: int = 0
    lost: list[str] = field(default_factory=list)
    ended: int = 0
    seconds: float = 0.0

    @property
    def markets(self) -> list[str]:
        return [f"file-{name}" for name in self.files] + [f"simulated-{n}" for n in self.simulated]

    def run(
        self,
        number: int,
        *,
        down: str = "",
        bad: str = "",
        killed: str = "",
        full: bool = False,
    ) -> str:
        """Run the flow on a day of the week; return its output.

        `down` is a file that is missing, `bad` one with absurd prices on that day, `killed` the
        name of a step of which one process is killed, and with `full` no file can be written.
        """
        day = self.first + timedelta(days=number)
        for name in self.files:
            self._write(name, day, absurd=name == bad)
        if down:
            (self.folder / f"{down}.csv").unlink()
        output = self._start(day, killed, full)
        (self.folder / f"day-{number}.log").write_text(output)
        without = {f"file-{name}" for name in (down, bad) if name}
        for market in self.markets:
            if full or market in without:
                continue
            self.expected += 1
            champion = Registry(RegistrySettings.read(market=market)).find()
            if champion and champion.tags.get(LAST_DAY) == day.isoformat():
                self.valued += 1
            else:
                self.lost.append(f"{market} on day {number}")
        sys.stdout.write(
            f"day {number}: {self.valued} of {self.expected} runs, {self.seconds:.0f} s\n"
        )
        return output

    def _write(self, name: str, last: date, *, absurd: bool) -> None:
        """Write the file of a market; a day that was absurd is corrected by the next one."""
        with (self.folder / f"{name}.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["card_id", "date", "market_price"])
            for back in reversed(range(HISTORY)):
                day = last - timedelta(days=back)
                factor = 100 if absurd and not back else 1
                for card in range(CARDS):
                    wave = math.sin(card + day.toordinal() // 3)
                    price = factor * (1 + card / 10) * math.exp(0.02 * wave)
                    writer.writerow([f"{name}-{card}", day, f"{price:.2f}"])

    def _start(self, day: date, killed: str, full: bool) -> str:
        files = ",".join(str(self.folder / f"{name}.csv") for name in self.files)
        command = [
            *(sys.executable, str(FLOW.with_name("markets.py")), "run", "--max-workers", "2"),
            *("--market", ",".join(self.markets), "--to", day.isoformat(), "--shards", "1"),
            *("--cards", str(CARDS), "--days", str(HISTORY), "--candidates", "last,median7"),
            *("--other-horizons", ""),
        ]
        began = time.monotonic()
        with subprocess.Popen(
            command,
            cwd=self.folder,
            env={**self.environment, "POKEWATCH_MARKET_FILES": files},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            preexec_fn=_fill_the_disk if full else None,
        ) as run:
            if killed:
                threading.Thread(target=_kill_one, args=(run, killed), daemon=True).start()
            output = run.communicate()[0]
        self.ended, self.seconds = run.returncode, time.monotonic() - began
        return output


def _fill_the_disk() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (_SMALL_FILE, _SMALL_FILE))


def _kill_one(run: "subprocess.Popen[str]", step: str) -> None:
    """Kill the first process of a step among the descendants of a run."""
    while run.poll() is None:
        for process in _descendants(run.pid):
            with suppress(OSError):
                words = Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0")
                if (b"step", step.encode()) in pairwise(words):
                    subprocess.run(["kill", "-9", str(process)], check=True)
                    return
        time.sleep(0.05)


def _descendants(pid: int) -> list[int]:
    found = []
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                found += [int(child), *_descendants(int(child))]
    return found
