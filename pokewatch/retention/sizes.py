"""The sizes of the folders in POKEWATCH_HOME."""

import os
from contextlib import suppress
from pathlib import Path


def folder_sizes(home: Path) -> dict[str, int]:
    """Return the bytes in each folder of `home`, largest first."""
    sizes = {folder.name: folder_size(folder) for folder in home.glob("*") if folder.is_dir()}
    return dict(sorted(sizes.items(), key=lambda each: (-each[1], each[0])))


def folder_size(folder: Path) -> int:
    """Return the bytes of the files in a folder. A file with two names in it counts twice."""
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):
                total += (Path(root) / name).lstat().st_size
    return total
