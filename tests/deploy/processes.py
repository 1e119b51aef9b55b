"""Deploys in child processes that can be killed before or after any of their writes."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.context import ForkServerProcess
from typing import Any

_WRITES = (
    "create_model_version",
    "delete_model_version_tag",
    "delete_registered_model_alias",
    "set_model_version_tag",
    "set_registered_model_alias",
    "create_run",
    "log_batch",
    "log_artifacts",
    "log_dict",
    "set_terminated",
)
_FORKSERVER = multiprocessing.get_context("forkserver")
_FORKSERVER.set_forkserver_preload(
    ["mlflow.tracking", "pokewatch.deploy.rollout", "tests.deploy.processes"]
)


class Writes:
    """Counts the writes of the main thread, and kills the process at one of them."""

    def __init__(self, at: int, when: str, how: int = signal.SIGKILL) -> None:
        self.at, self.when, self.how = at, when, how
        self.count = 0

    def install(self) -> None:
        import httpx
        from mlflow.tracking import MlflowClient

        for name in _WRITES:
            setattr(MlflowClient, name, self._counting(getattr(MlflowClient, name)))
        httpx.Client.post = self._counting(httpx.Client.post)  # type: ignore[method-assign]

    def _counting(self, write: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any, **kwargs: Any) -> Any:
            if threading.current_thread() is not threading.main_thread():
                return write(*args, **kwargs)
            self.count += 1
            here = self.count == self.at
            if here and self.when == "before":
                os.kill(os.getpid(), self.how)
            done = write(*args, **kwargs)
            if here and self.when == "after":
                os.kill(os.getpid(), self.how)
            return done

        return counted


def _deploying(
    environment: Mapping[str, str],
    version: str,
    addresses: Sequence[str],
    writes: Writes,
    counted: Any,
) -> None:
    quiet(environment)
    writes.install()
    from pokewatch.deploy.rollout import deploy
    from pokewatch.errors import DeployError
    from pokewatch.registry import Registry

    try:
        deploy(Registry(), version, addresses)
    except DeployError as error:
        counted.put((writes.count, str(error)))
    else:
        counted.put((writes.count, ""))


def quiet(environment: Mapping[str, str]) -> None:
    import warnings

    # A shell starts background jobs with SIGINT ignored, nohup any with SIGHUP, and children
    # inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    warnings.simplefilter("ignore")
    os.environ.update(environment)


def _settings() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith("POKEWATCH_")}


def start(target: Callable[..., None], *args: Any) -> ForkServerProcess:
    """Start `target` in a process that has the settings of this one and has imported MLflow."""
    process = _FORKSERVER.Process(target=target, args=(_settings(), *args))
    process.start()
    return process


def start_deploy(
    version: str, addresses: Sequence[str], writes: Writes | None = None
) -> tuple[ForkServerProcess, Any]:
    """Return a running deploy, and the queue of its count of writes and its error ("" for none)."""
    counted = _FORKSERVER.SimpleQueue()
    process = start(_deploying, version, list(addresses), writes or Writes(0, "never"), counted)
    return process, counted
