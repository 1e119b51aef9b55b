"""Running a flow in a separate process, from another folder."""

import base64
import os
import re
import subprocess
import sys
from pathlib import Path

FLOW = Path(__file__).resolve().parents[2] / "flows" / "flow.py"


def run_flow(
    folder: Path, *arguments: str, flow: Path = FLOW, **settings: str
) -> subprocess.CompletedProcess[str]:
    """Run `python FLOW ARGUMENTS` in `folder`, with its output captured."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("METAFLOW_")
    } | settings
    return subprocess.run(
        [sys.executable, str(flow), *arguments],
        cwd=folder,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )


def last_card(home: Path, step: str) -> str:
    """Return the page of the newest card of a step."""
    cards = sorted(
        (home / ".metaflow").rglob(f"steps/{step}/tasks/*/cards/*.html"),
        key=lambda path: path.stat().st_mtime,
    )
    return cards[-1].read_text()


def card_text(card: str) -> str:
    """Return the content of a card, which Metaflow stores as base64 in the page."""
    (content,) = re.findall(r'__MF_DATA__\["[^"]+"\] = "([A-Za-z0-9+/=]+)"', card)
    return base64.b64decode(content).decode()
