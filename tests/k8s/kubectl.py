"""A kubectl that records its calls, for the scripts of the make targets."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.conftest import ROOT

KUBECTL = """#!{python}
import json, os, pathlib, sys
arguments = sys.argv[1:]
folder = pathlib.Path(os.environ["KUBECTL_FOLDER"])
sent = sys.stdin.read() if "--filename" in arguments else ""
with (folder / "calls").open("a") as file:
    file.write(json.dumps([arguments, sent]) + "\\n")
for words, answer in json.loads((folder / "answers").read_text()).items():
    if words in " ".join(arguments):
        once = folder / "failed"
        if answer["code"] == "first 1" and not once.exists():
            once.touch()
            sys.exit(1)
        sys.stdout.write(answer["out"])
        sys.exit(answer["code"] if answer["code"] != "first 1" else 0)
"""


class Kubectl:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        program = folder / "kubectl"
        program.write_text(KUBECTL.format(python=sys.executable))
        program.chmod(0o755)
        self.answer({})

    def answer(self, answers: dict[str, tuple[str, int | str]]) -> None:
        """Set its output and exit code for arguments with some words; the default is none and 0.

        "first 1" fails the first time.
        """
        content = {words: {"out": out, "code": code} for words, (out, code) in answers.items()}
        (self.folder / "answers").write_text(json.dumps(content))

    def calls(self) -> list[tuple[str, str]]:
        """Arguments and standard input of every call."""
        lines = (self.folder / "calls").read_text().splitlines()
        return [(" ".join(arguments), sent) for arguments, sent in map(json.loads, lines)]

    def run(
        self, script: str, *arguments: str, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a script of k8s/."""
        return self._run([str(ROOT / "k8s" / script), *arguments], variables)

    def make(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return self._run(["make", "--silent", *arguments], variables)

    def _run(
        self, command: Sequence[str], variables: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        env = {
            **os.environ,
            "PATH": f"{self.folder}:{os.environ['PATH']}",
            "KUBECTL_FOLDER": str(self.folder),
            **variables,
        }
        return subprocess.run(
            command, cwd=ROOT, env=env, capture_output=True, text=True, check=False
        )
