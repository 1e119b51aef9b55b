"""The deploy transaction: recorded first, decided once, then finished or undone.

    BEFORE     the aliases, written before any of them moves; a deploy killed earlier has no effect
    canary     where several MLServers run: the share of callers grows in steps
    champion   moved, the MLServers reloaded and verified; a deploy killed here is undone
    DECISION   deployed: from here on it can only be finished; refused: it can only be undone
    previous   moved if the deploy succeeded; else the champion is restored; the canary ends, and
               the challenger of an experiment has its share of the callers again
    OUTCOME    the deploy has ended

Every step can be repeated. `DeployTransaction.settle` completes a killed deploy from its record.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

import httpx

from pokewatch import notify
from pokewatch.contract import fair_price_model
from pokewatch.deploy.addresses import replica_addresses
from pokewatch.deploy.experiment_traffic import ExperimentTraffic
from pokewatch.deploy.lock import DeployLock
from pokewatch.deploy.publication import Replicas
from pokewatch.deploy.records import (
    BEFORE,
    CHAMPION_AFTER,
    DECISION,
    DEPLOYED,
    OUTCOME,
    AliasesBefore,
    DeployRecord,
    DeployRecords,
    Kind,
)
from pokewatch.deploy.reload import (
    FindFaults,
    ReplicaOutcome,
    is_foreign,
    reload_failures,
    reload_own_server,
    still_serving,
)
from pokewatch.deploy.versions import is_registered, version_of
from pokewatch.errors import DeployError, DeployOutageError, LockLostError, PokeWatchError
from pokewatch.registry import CHAMPION, DEPLOYED_AT, PREVIOUS, REFUSED, Registry
from pokewatch.settings import DeploySettings, ServingSettings
from pokewatch.termination import ending_raises, ignore_ending

# Raises DeployError unless the servers at the addresses pass. The last argument returns whether one
# of them has not been stopped meanwhile.
Verify = Callable[[httpx.Client, Sequence[str], Callable[[str], bool]], None]
# Precedes the move of the champion, as traffic in steps does. The second argument looks up the
# addresses, the last raises LockLostError when another deploy has taken over. Raises DeployError.
Shift = Callable[[httpx.Client, Replicas, Callable[[], None]], None]


@dataclass(slots=True)
class _Move:
    """The progress of a change of champion, by this process or by one that was killed."""

    number: int
    version: str
    before: AliasesBefore
    decision: str = ""


class DeployTransaction:
    """The transaction of the deploy that holds the lock."""

    def __init__(
        self,
        registry: Registry,
        kind: Kind,
        lock: DeployLock,
        client: httpx.Client,
        addresses: Sequence[str],
    ) -> None:
        self._registry = registry
        self._records = DeployRecords(registry)
        self._kind = kind
        self._lock = lock
        self._client = client
        self._addresses = addresses
        self._model = fair_price_model(registry.market)
        self._traffic = ExperimentTraffic(registry, client, self._replicas, lock.check)
        self._move: _Move | None = None

    def run(
        self, version: str, verify: Verify | None = None, shift: Shift | None = None
    ) -> list[ReplicaOutcome]:
        """Make `version` champion, reload every MLServer, and verify them. Raise DeployError.

        With `shift` that precedes, as when it answers a part of the callers first.
        """
        before = AliasesBefore(
            version_of(self._registry, CHAMPION), version_of(self._registry, PREVIOUS)
        )
        self._records.set_tag(self._lock.number, BEFORE, json.dumps(asdict(before)))
        self._move = move = _Move(self._lock.number, version, before)
        if shift is not None:
            shift(self._client, self._replicas, self._lock.check)
        if before.champion != version:
            self._set_alias(CHAMPION, version)
        outcomes = self._reload_all(version)
        serving = [outcome.address for outcome in outcomes if outcome.state == "serving"]
        if verify is not None and serving:
            verify(self._client, serving, self._is_running)
        outcomes += self._reload_started(version, outcomes)
        self._lock.check()
        self._records.set_tag(move.number, DECISION, DEPLOYED)
        move.decision = DEPLOYED
        self._finish(move)
        return outcomes

    def keep(self, version: str) -> list[ReplicaOutcome]:
        """Reload all MLServers with the champion, `version`. End this deploy. Raise DeployError."""
        outcomes = self._reload_all(version)
        self._end(self._lock.number, f"version {version} is champion, as before")
        return outcomes

    def _reload_all(self, version: str) -> list[ReplicaOutcome]:
        # Looked up now: while this deploy waited, some may have started or stopped.
        return [self._reload(address, version) for address in self._replicas()]

    def _reload(self, address: str, version: str) -> ReplicaOutcome:
        try:
            return reload_own_server(self._client, address, version, self._registry)
        except DeployError:
            if self._is_running(address):
                raise
            return ReplicaOutcome(address, "not running")

    def _is_running(self, address: str) -> bool:
        """Return whether a replica that did run has not been stopped since."""
        return address in self._replicas()

    def _replicas(self) -> list[str]:
        return replica_addresses(self._addresses)

    def _reload_started(
        self, version: str, outcomes: Sequence[ReplicaOutcome]
    ) -> list[ReplicaOutcome]:
        """Reload what has started since: it may have loaded the former champion before."""
        known = {outcome.address for outcome in outcomes}
        return [self._reload(each, version) for each in self._replicas() if each not in known]

    def pause_experiment(self) -> None:
        """Have the champion answer the callers of an experiment's challenger, if there is one."""
        self._traffic.pause()

    def reconcile_experiment(self) -> str:
        """Make the callers of an experiment's challenger what its record says. End this deploy.

        Return what was done, "" for nothing.
        """
        done = self._traffic.reconcile()
        self._end(self._lock.number, done or "there was nothing to do")
        return done

    def settle(self, record: DeployRecord) -> None:
        """Finish or undo a deploy that was killed."""
        if record.before is None:
            self._end(record.number, "it ended before any alias was moved")
            return
        move = _Move(record.number, record.target, record.before, record.decision)
        if move.decision == DEPLOYED:
            self._finish(move)
        else:
            restored = self._undo(move, go_on=True)
            _notify_undone(record.kind, move, f"the {record.kind} was killed", restored)

    def abort(self, error: BaseException) -> str:
        """Undo and end a deploy that is not decided. Return what was restored; "" for nothing."""
        move = self._move
        if move is None:
            self._end(self._lock.number, f"refused: {error}")
            return ""
        if move.decision == DEPLOYED:
            return ""  # the next deploy finishes it
        restored = self._undo(move, go_on=isinstance(error, PokeWatchError))
        if self._kind == "deploy":  # a rollback tells of its failures itself
            _notify_undone("deploy", move, str(error) or type(error).__name__, restored)
        return restored

    def refuse(self, reason: str) -> None:
        """Decide against the version, so that no later deploy tries it again.

        Raise LockLostError when another deploy has taken over, which is what decides.
        """
        if self._move is not None and not self._move.decision:
            self._lock.check()
            self._records.set_tag(self._move.number, DECISION, reason)
            self._move.decision = reason

    def _finish(self, move: _Move) -> None:
        former = move.before.champion
        if former not in (None, move.version) and is_registered(self._registry, str(former)):
            self._set_alias(PREVIOUS, str(former))
        self._traffic.end(f"version {move.version} is champion")
        self._traffic.go_on()
        now = datetime.now(UTC).isoformat(timespec="seconds")
        exists = self._set_tag(move.version, DEPLOYED_AT, now)
        since = "is champion" if exists else "was deployed, and has been deleted since"
        self._end(move.number, f"version {move.version} {since}")

    def _undo(self, move: _Move, *, go_on: bool) -> str:
        """Restore the former champion, and with `go_on` the callers of an experiment.

        A process that is about to end leaves these to the next deploy or monitoring run.
        """
        former = move.before.champion
        self._traffic.end(move.decision or f"the deploy of version {move.version} was undone")
        if move.decision and former != move.version:
            self._set_tag(move.version, REFUSED, move.decision)
        if former is not None and is_registered(self._registry, former):
            self._set_alias(CHAMPION, former)
            restored = f"version {former} is champion again"
            faults = self._at_servers(reload_failures, former)
        else:
            self._lock.check()
            self._registry.delete_alias(CHAMPION)
            why = f"version {former} has been deleted" if former else "as before"
            restored = f"no model is champion, {why}"
            faults = self._at_servers(still_serving, move.version)
        restored += f", but {'; '.join(faults)}" if faults else ""
        if go_on:
            self._traffic.go_on()
        self._end(move.number, restored)
        return restored

    def _at_servers(self, find_faults: FindFaults, version: str) -> list[str]:
        try:
            found = self._replicas()
        except DeployError as error:
            return [str(error)]
        addresses = [each for each in found if not is_foreign(self._client, each, self._registry)]
        return list(find_faults(self._client, version, addresses, self._model))

    def _set_alias(self, name: str, version: str) -> None:
        self._lock.check()
        self._registry.set_alias(name, version)

    def _set_tag(self, version: str, name: str, text: str) -> bool:
        """Set a tag of a version, unless it has been deleted. Return whether it is there."""
        if found := is_registered(self._registry, version):
            self._registry.set_tag(version, name, text)
        return found

    def _end(self, number: int, outcome: str) -> None:
        self._records.set_tag(number, CHAMPION_AFTER, version_of(self._registry, CHAMPION) or "")
        self._records.set_tag(number, OUTCOME, outcome)


def _notify_undone(kind: Kind, move: _Move, why: str, restored: str) -> None:
    if kind == "rollback":
        title = f"the rollback to model version {move.version} failed"
        notify.notify(f"PokeWatch: {title}", f"{why}; {restored}.")
    else:
        title = f"model version {move.version} was rolled back"
        notify.send_once("rolled back", f"version {move.version}", title, f"{why}; {restored}.")


@contextmanager
def deploy_transaction(
    registry: Registry, kind: Kind, version: str, addresses: Sequence[str]
) -> Iterator[DeployTransaction]:
    """Acquire the lock, settle killed deploys, and undo this one on any error.

    The message of a DeployError includes what was restored. SIGTERM, and SIGHUP of a closed
    terminal, end the process after undoing.
    """
    records = DeployRecords(registry)
    record = records.create(kind, version)
    lock = DeployLock(records, record, DeploySettings.read())
    timeout = ServingSettings.read().load_timeout + 10
    with ending_raises(), httpx.Client(timeout=timeout) as client, lock.heartbeat():
        transaction = DeployTransaction(registry, kind, lock, client, addresses)
        try:
            lock.acquire(transaction.settle)
            yield transaction
        except LockLostError:
            raise  # the deploy that took over settles this one
        except DeployError as error:
            ignore_ending()
            if kind == "deploy" and not isinstance(error, DeployOutageError):
                transaction.refuse(str(error))
            restored = transaction.abort(error)
            if not restored:
                raise
            raise type(error)(f"{error}; {restored}") from None
        except BaseException as error:
            ignore_ending()
            transaction.abort(error)
            raise
