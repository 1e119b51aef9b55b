"""What killed processes left in a home."""

import os
import time
from datetime import UTC, datetime
from pathlib import Path

from pokewatch.retention.leftovers import remove_leftovers


def make(folder: Path, age_days: float) -> Path:
    folder.mkdir(parents=True)
    (folder / "part").write_text("x" * 1_000)
    then = time.time() - age_days * 86_400
    for path in (folder / "part", folder):
        os.utime(path, (then, then))
    return folder


def test_only_what_nobody_has_written_to_for_a_day_goes(tmp_path: Path) -> None:
    old = [
        make(tmp_path / name, 2)
        for name in (".shard-a", ".month-a", "versions/.checkout-a", "lake/tcgcsv/.version-a")
    ]
    kept = [
        make(tmp_path / name, age)
        for name, age in ((".shard-b", 0.5), ("lake/tcgcsv/raw", 9), ("versions/" + "a" * 32, 9))
    ]
    growing = make(tmp_path / ".shard-c", 2)
    (growing / "new").touch()
    now = datetime.now(UTC)

    assert list(remove_leftovers(tmp_path, now, dry_run=True)) == [
        ("4 folders of interrupted runs", 4_000)
    ]
    assert all(path.exists() for path in old)
    assert [size for _, size in remove_leftovers(tmp_path, now, dry_run=False)] == [4_000]
    assert [path for path in old if path.exists()] == []
    assert all(path.exists() for path in (*kept, growing))
    assert list(remove_leftovers(tmp_path, now, dry_run=False)) == []
