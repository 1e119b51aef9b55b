"""Runs of a flow for several markets: a child process each, or on Argo a workflow each."""

import hashlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from pokewatch.errors import MarketsError, PokeWatchError
from pokewatch.pipeline.argo_workflows import run_workflow
from pokewatch.registry import LAST_DAY, Registry
from pokewatch.settings import RegistrySettings
from pokewatch.termination import ending_delayed, ending_raises

_ERROR = re.compile(r"Error: (.+)")
_LONGEST_TEMPLATE = 50  # characters; Argo takes 63 for a workflow's name


@dataclass(frozen=True, slots=True)
class MarketRun:
    """The end of a market's run, with its champion then; `error` is "" for a success."""

    market: str
    seconds: float
    version: str
    last_day: str
    error: str


@dataclass(frozen=True, slots=True)
class MarketFlow:
    """The flow that runs for each market: its command, and its WorkflowTemplate on Argo.

    `command` are the arguments of Python before `run`, and `run_id` identifies the run that starts
    the others.
    """

    command: Sequence[str]
    template: str
    run_id: str


def run_market(
    market: str, flow: MarketFlow, parameters: Mapping[str, Any], max_workers: int
) -> MarketRun:
    """Run a flow for one market to its end. Nothing that fails in it is raised."""
    started = time.monotonic()
    given = {"market": market, **parameters}
    try:
        if os.environ.get("ARGO_WORKFLOW_TEMPLATE"):
            error = run_workflow(flow.template, _workflow_name(flow, market), given)
        else:
            options = [part for name, value in given.items() for part in (f"--{name}", str(value))]
            workers = ["--max-workers", str(max_workers)]
            error = _run_child([sys.executable, *flow.command, "run", *workers, *options])
    except (OSError, PokeWatchError) as raised:
        error = str(raised)
    return ended_run(market, time.monotonic() - started, error)


def ended_run(market: str, seconds: float, error: str) -> MarketRun:
    """Return the end of a run, with the champion of the market now."""
    try:
        champion = Registry(RegistrySettings.read(market=market)).find()
    except PokeWatchError as raised:
        return MarketRun(market, seconds, "", "", error or str(raised))
    if champion is None:
        return MarketRun(market, seconds, "", "", error or "it ended without a champion")
    return MarketRun(market, seconds, champion.version, champion.tags.get(LAST_DAY, ""), error)


def shared_workers(max_workers: int, markets: int) -> int:
    """Return how many tasks the run of a market may have at once, so that all keep the limit."""
    return max(1, max_workers // max(1, min(max_workers, markets)))


def child_environment() -> dict[str, str]:
    """Return the environment of a run that a step starts.

    By the variables left out Metaflow gives a step its run and configuration; the new run has its
    own, and its market is an option.
    """
    market = RegistrySettings.variable("market")
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("METAFLOW_RUN", "METAFLOW_FLOW", "MF_")) and name != market
    }


@contextmanager
def child_run(command: Sequence[str], **options: Any) -> Iterator[subprocess.Popen[str]]:
    """Start a run, and wait for its end. If this process is ended first, the run is too."""
    with ending_raises(), ExitStack() as stack:

        def end_child(error: type[BaseException] | None, *_: object) -> None:
            if error is not None:
                child.terminate()

        with ending_delayed():  # until the child would be ended too
            child = subprocess.Popen(command, env=child_environment(), **options)
            stack.enter_context(child)
            stack.push(end_child)
        yield child
        child.wait()


def require_success(runs: Sequence[MarketRun]) -> None:
    """Raise MarketsError, with every cause, if a run failed."""
    failed = [run for run in runs if run.error]
    if failed:
        causes = "; ".join(f"{run.market}: {run.error}" for run in failed)
        again = ",".join(run.market for run in failed)
        raise MarketsError(
            f"{len(failed)} of {len(runs)} markets failed: {causes}; when that is mended, run them "
            f"again with --market {again}"
        )


def _run_child(command: Sequence[str]) -> str:
    """Run a command and show its output; return why it failed, "" if it did not."""
    cause = last = ""
    pipe = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with child_run(command, **pipe, text=True, errors="replace") as child:
        for line in child.stdout or ():
            sys.stdout.write(line)
            last = line.strip() or last
            cause = match[1].strip() if (match := _ERROR.search(line)) else cause
    if child.returncode == 0:
        return ""
    return cause or f"it ended with {child.returncode}: {last}"


def _workflow_name(flow: MarketFlow, market: str) -> str:
    """Return the same name for every attempt of the step that runs the market."""
    digest = hashlib.sha256(f"{flow.run_id}\n{market}".encode()).hexdigest()[:12]
    template = flow.template[:_LONGEST_TEMPLATE].rstrip(".")  # no label may begin with a hyphen
    return f"{template}-{digest}"
