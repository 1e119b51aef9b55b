"""How Metaflow begins runs, and reports and ends the attempts of a step: its classes, amended."""

import signal
import sys
import traceback
from collections.abc import Mapping, Sequence
from copy import copy
from pathlib import Path
from typing import Any

from metaflow import FlowSpec, parameters, runtime
from metaflow._vendor import click
from metaflow.datastore import FlowDataStore, TaskDataStoreSet, flow_datastore
from metaflow.datastore.content_addressed_store import ContentAddressedStore
from metaflow.datastore.datastore_storage import DataStoreStorage
from metaflow.datastore.task_datastore import TaskDataStore
from metaflow.exception import METAFLOW_EXIT_DISALLOW_RETRY, MetaflowException
from metaflow.plugins.cards.card_creator import CardCreator
from metaflow.plugins.datastores.local_storage import LocalStorage
from metaflow.plugins.kubernetes.kubernetes import Kubernetes

from pokewatch.errors import PokeWatchError, storage_remedy
from pokewatch.retention.runs import wait_for_removals
from pokewatch.termination import ending_signals, ignore_ending
from pokewatch.wording import refusal


class CheckedRun(runtime.NativeRuntime):
    """Begins no run whose parameters are refused, and resumes none that ended successfully.

    Metaflow 2.19 registers a run before it reads the parameters. Such a run has no tasks, but would
    be the latest one, which `card view` and `resume` take. The latest run need not be the one that
    failed: of several markets each has its own. A copy of a successful run would look like a cure.
    """

    begins = False

    def __init__(
        self, flow: Any, graph: Any, store: FlowDataStore, *arguments: Any, **options: Any
    ) -> None:
        context = click.get_current_context()
        if context.info_name == "run":
            flow._set_constants(graph, context.params, context.obj.config_options)
            CheckedRun.begins = True
        elif not options["steps_to_rerun"]:
            _require_unfinished(store, options["clone_run_id"])
        super().__init__(flow, graph, store, *arguments, **options)

    def execute(self) -> None:
        """Run the tasks.

        SIGTERM, and SIGHUP of a closed terminal, end them, and the run as Ctrl-C does: no task goes
        on alone.
        """
        for number in ending_signals():
            signal.signal(number, self._stop)
        super().execute()

    def _stop(self, *_: object) -> None:
        ignore_ending()  # once is enough
        for worker in self._workers.values():
            worker._proc.terminate()
        raise KeyboardInterrupt

    def _killall(self) -> None:
        # It takes seconds. Another signal would leave the tasks that are not killed yet.
        ignore_ending()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        super()._killall()


class OriginRun(TaskDataStoreSet):
    """The parameters of the run to resume.

    Metaflow 2.19 ends in a traceback where there is no such run.
    """

    def __init__(self, store: FlowDataStore, run_id: str, **options: Any) -> None:
        _require_run(store, run_id)
        super().__init__(store, run_id, **options)


def amend_stores(flow: type[FlowSpec]) -> None:
    """Make Metaflow use OriginRun and WholeArtifacts, before its commands open a datastore."""
    flow_datastore.ContentAddressedStore = WholeArtifacts
    with parameters.flow_context(flow):
        from metaflow import cli  # reads the options of the flow's class

        cli.TaskDataStoreSet = OriginRun


def _require_run(store: FlowDataStore, run_id: str) -> None:
    if not store.get_task_datastores(run_id, steps=["_parameters"]):
        raise MetaflowException(
            f"There is no run {run_id!r} of {store.flow_name}. A run prints its id when it starts; "
            "without --origin-run-id the last one is resumed."
        )


def _require_unfinished(store: FlowDataStore, run_id: str) -> None:
    # Metaflow's client would look for the artifacts where they were when the run ended.
    if any(end["_task_ok"] for end in store.get_task_datastores(run_id, steps=["end"])):
        raise MetaflowException(
            f"Run {store.flow_name}/{run_id} ended successfully, so there is nothing to resume. "
            "Use --origin-run-id for a run that failed, and `run --market` for a market that "
            "failed among several."
        )


def print_own_errors_without_traceback() -> None:
    """Make Metaflow print a PokeWatchError, and what a full disk raises, as one line."""
    from metaflow import cli  # reads the options of the flow's class, so import it late

    print_unknown = cli.print_unknown_exception

    def print_error(error: Exception) -> None:
        if isinstance(error, PokeWatchError):
            print(f"Error: {error}", file=sys.stderr)
        elif full := _full_disk(error):
            print(f"Error: {full}", file=sys.stderr)
        else:
            print_unknown(error)

    cli.print_unknown_exception = print_error


def _full_disk(error: Exception) -> str:
    """Return what a full disk refused, "" for another error."""
    remedy = storage_remedy(str(error)) if isinstance(error, OSError) else ""
    return f"{refusal(error)}{remedy}" if remedy else ""


class WholeArtifacts(ContentAddressedStore):
    """Stores an artifact again where a power failure left an empty file of it.

    Metaflow 2.19 does not flush artifacts to disk, and takes an empty one for stored: every later
    run with the same value would fail, as its parameters have.
    """

    def __init__(self, prefix: str, storage: DataStoreStorage) -> None:
        if isinstance(storage, LocalStorage):
            storage = _FilledFiles(storage.datastore_root)
        super().__init__(prefix, storage)


class _FilledFiles(LocalStorage):
    def is_file(self, paths: Sequence[str]) -> list[bool]:
        found = zip(paths, super().is_file(paths), strict=True)
        return [each and self._is_filled(self.full_uri(path)) for path, each in found]

    def _is_filled(self, path: str) -> bool:
        about = Path(f"{path}_meta")  # how it is stored
        return Path(path).stat().st_size > 0 and (not about.exists() or about.stat().st_size > 0)


class ReportedPods(Kubernetes):
    """Prints why a pod failed.

    Metaflow 2.19 may take a pod that was killed for memory for a finished one, and then reports
    only the missing records of the step.
    """

    def wait(self, stdout_location: str, stderr_location: str, echo: Any = None) -> None:
        try:
            super().wait(stdout_location, stderr_location, echo)
        finally:
            code, reason = self._job.reason
            if code:
                cause = (
                    "was killed for memory: @kubernetes(memory=...) is too small"
                    if reason.startswith("OOMKilled")  # its last line of output may follow
                    else f"failed: {reason}"
                )
                echo(f"The pod {cause} (exit code {code}).", "stderr", job_id=self._job.id)
            if str(code) == str(METAFLOW_EXIT_DISALLOW_RETRY):
                sys.exit(METAFLOW_EXIT_DISALLOW_RETRY)


class WaitingTasks(TaskDataStore):
    """Waits for a removal of old runs before a task stores anything.

    A value that is stored already is not written again: the removal must not take it meanwhile.
    """

    def init_task(self) -> None:
        super().init_task()
        try:
            wait_for_removals(self._storage_impl.datastore_root)
        except Exception as error:
            # Of whatever kind the file system raises: a machine that cannot see removals runs, too.
            print(f"removals of old runs cannot be looked for: {error}", file=sys.stderr)


class CardsOfTask(CardCreator):
    """Renders a card in the process of its task.

    Metaflow 2.19 starts another process for each card, which imports everything again.
    """

    def _run_command(
        self,
        cmd: Sequence[str],
        card_uuid: str,
        env: Mapping[str, str],
        wait: bool = True,
        timeout: float | None = None,
    ) -> tuple[bytes, bool]:
        """Run `python FLOW OPTIONS card create ARGUMENTS`. Return its output and whether it failed.

        The arguments hold the timeout, too. It may use the alarm: that of the step is over.
        """
        from metaflow.plugins.cards.card_cli import card  # reads the flow's options

        step = click.get_current_context()
        arguments = list(cmd[3 + len(self._top_level_options) :])
        try:
            with card.make_context("card", arguments, step, obj=_for_cards(step.obj)) as context:
                card.invoke(context)
        except Exception as error:
            # Of whatever kind: as when its own process fails, the step does not.
            return (_full_disk(error) or traceback.format_exc()).encode(), True
        return b"", False


def _for_cards(state: Any) -> Any:
    """Return a copy of what the commands of a flow share, with a datastore of its own.

    The command `card` moves the datastore to where cards are; the task goes on to use its own.
    """
    copied = copy(state)
    copied.flow_datastore = copy(state.flow_datastore)
    copied.flow_datastore._storage_impl = copy(state.flow_datastore._storage_impl)
    return copied


class FinalErrorWorker(runtime.Worker):
    """Fails the run when a task exits with METAFLOW_EXIT_DISALLOW_RETRY.

    Metaflow 2.19 does not retry such a task, but continues and ends with an internal error.
    """

    def terminate(self) -> int:
        code = int(super().terminate())
        if code == METAFLOW_EXIT_DISALLOW_RETRY:
            self.task.user_code_retries = self.task.error_retries = 0
            return 1
        return code
