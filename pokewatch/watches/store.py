"""The watches: created, listed and removed by their owners, and judged all together.

An owner is the id of an API key, or LOCAL for the watches of the command line. An owner sees no
other's watches.
"""

import json
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from sqlalchemy import Connection, RowMapping, bindparam, delete, func, insert, select, update

from pokewatch.errors import ReusedKeyError, UnknownWatchError, WatchError
from pokewatch.watches.conditions import Condition
from pokewatch.watches.database import DELIVERIES, REQUESTS, WATCHES, WatchDatabase
from pokewatch.watches.outbox import NewDelivery
from pokewatch.watches.webhooks import new_secret

LOCAL = ""
REPLAY_SECONDS = 86_400  # how long a request with an idempotency key is answered the same
SAME_SECONDS = 60  # how long a form that was sent twice is answered the same
JUDGED_TOGETHER = 1_000  # watches in one transaction

WatchState = Literal["armed", "fired", "disarmed"]

_CONDITION_FIELDS = ("type", "price", "signal", "change", "days")


@dataclass(frozen=True, slots=True)
class NewWatch:
    """A watch to create. `currency` is that of the price of its condition, None without one.

    Without a `market` it is of the next one whose book judges the watches.
    """

    card_id: str
    slug: str
    condition: Condition
    currency: str | None
    webhook: str | None = None
    market: str = ""


@dataclass(frozen=True, slots=True)
class Watch:
    """A watch as stored.

    It is `fired` while its condition holds, `crossings` counts how often that began, and `reason`
    says why the latest prices cannot be judged. `judged` identifies the last book that did. Only a
    watch that was just created has its `secret`.
    """

    id: str
    owner: str
    card_id: str
    slug: str
    condition: Condition
    currency: str | None
    webhook: str | None
    secret: str | None
    created_at: float
    fired: bool = False
    reason: str | None = None
    crossings: int = 0
    crossed_on: str | None = None
    judged: str = ""
    market: str = ""

    @property
    def state(self) -> WatchState:
        if self.reason is not None:
            return "disarmed"
        return "fired" if self.fired else "armed"

    @property
    def judged_on(self) -> str | None:
        """The market day of the prices that it was last judged by."""
        return self.judged[:10] or None


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome of judging a watch. With `deliveries` or without, a crossing is `crossed_on`."""

    fired: bool
    reason: str | None = None
    crossed_on: str | None = None
    deliveries: tuple[NewDelivery, ...] = ()


Decide = Callable[[Sequence[Watch]], Sequence[Verdict]]
Idempotency = tuple[str, str] | None
Judged = Sequence[tuple[Watch, Verdict]]


class WatchStore:
    """The watches of all markets. `per_owner` is the largest number of an API key."""

    def __init__(
        self,
        database: WatchDatabase,
        per_owner: int = 100,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._database = database
        self._per_owner = per_owner
        self._clock = clock

    def close(self) -> None:
        """Close the connections to the database."""
        self._database.close()

    def create(
        self, owner: str, new: NewWatch, idempotency: Idempotency = None, *, once: bool = False
    ) -> Watch:
        """Create a watch and return it with its secret.

        `idempotency` is a key and the digest of the request that it came with. For a day the same
        pair creates nothing and returns the same watch. With `once`, an equal watch of the owner is
        returned instead, with its secret if it is at most SAME_SECONDS old. Raise ReusedKeyError
        for the key with another digest, WatchError if the owner has too many watches.
        """
        with self._database.transaction(lock=f"watches of {owner}") as connection:
            if idempotency is not None:
                self._forget_requests(connection)
                if (earlier := _replayed(connection, owner, *idempotency)) is not None:
                    return earlier
            if once and (same := self._same(connection, owner, new)) is not None:
                return same
            self._require_room(connection, owner)
            watch = self._new(owner, new)
            connection.execute(insert(WATCHES), [_columns(watch)])
            if idempotency is not None:
                key, digest = idempotency
                answer = {"answer": json.dumps(asdict(watch)), "created_at": watch.created_at}
                row = {"owner": owner, "idempotency_key": key, "digest": digest, **answer}
                connection.execute(insert(REQUESTS), [row])
        return watch

    def replayed(self, owner: str, key: str, digest: str) -> Watch | None:
        """Return the watch that this request created earlier, or None. Raise ReusedKeyError."""
        with self._database.transaction() as connection:
            self._forget_requests(connection)
            return _replayed(connection, owner, key, digest)

    def list(self, owner: str | None = None) -> list[Watch]:
        """Return the watches of an owner, or of all, the oldest first."""
        query = select(WATCHES).order_by(WATCHES.c.created_at, WATCHES.c.id)
        if owner is not None:
            query = query.where(WATCHES.c.owner == owner)
        return [_watch(row) for row in self._database.rows(query)]

    def get(self, watch_id: str, owner: str | None = None) -> Watch:
        """Return a watch, of any owner if None. Raise UnknownWatchError."""
        with self._database.transaction() as connection:
            return _find(connection, watch_id, owner)

    def secret(self, watch_id: str) -> str | None:
        """Return the secret that signs the webhooks of a watch, None without a webhook."""
        with self._database.transaction() as connection:
            return connection.scalar(select(WATCHES.c.secret).where(WATCHES.c.id == watch_id))

    def remove(self, watch_id: str, owner: str | None = None) -> Watch:
        """Remove a watch with its deliveries, and return it. Raise UnknownWatchError."""
        with self._database.transaction() as connection:
            found = _find(connection, watch_id, owner)
            connection.execute(delete(WATCHES).where(WATCHES.c.id == watch_id))
        return found

    def remove_all(self, owner: str) -> int:
        """Remove all watches of an owner, and return their number."""
        with self._database.transaction() as connection:
            return connection.execute(delete(WATCHES).where(WATCHES.c.owner == owner)).rowcount

    def transfer(self, owner: str, new_owner: str) -> int:
        """Give all watches of an owner to another one, and return their number."""
        statement = update(WATCHES).where(WATCHES.c.owner == owner).values(owner=new_owner)
        with self._database.transaction() as connection:
            return connection.execute(statement).rowcount

    def judge(self, market: str, book: str, after: str, decide: Decide) -> Sequence[Watch]:
        """Judge the next watches of a market, with ids above `after`; return them as they were.

        Each gets its verdict of `decide` and a crossing its deliveries in one transaction, in which
        no other process judges them. `book` sorts after those of earlier books: a watch that was
        judged by a later one is left out.
        """
        query = (
            select(WATCHES)
            .where(WATCHES.c.id > after, WATCHES.c.judged <= book)
            .where(WATCHES.c.market.in_((market, "")))
            .order_by(WATCHES.c.id)
            .limit(JUDGED_TOGETHER)
            .with_for_update()
        )
        with self._database.transaction() as connection:
            watches = [_watch(row) for row in connection.execute(query).mappings()]
            if watches:
                judged = list(zip(watches, decide(watches), strict=True))
                self._record(connection, market, book, judged)
        return watches

    def _record(self, connection: Connection, market: str, book: str, judged: Judged) -> None:
        rows = [
            {
                "of": watch.id,
                "fired": verdict.fired,
                "reason": verdict.reason,
                "crossings": watch.crossings + (verdict.crossed_on is not None),
                "crossed_on": verdict.crossed_on or watch.crossed_on,
                "judged": book,
                "market": market,
            }
            for watch, verdict in judged
        ]
        connection.execute(update(WATCHES).where(WATCHES.c.id == bindparam("of")), rows)
        now = self._clock()
        new = [
            asdict(delivery)
            | {"watch_id": watch.id, "state": "pending", "attempts": 0, "claimed_until": 0.0}
            | {"created_at": now, "due_at": now}
            for watch, verdict in judged
            for delivery in verdict.deliveries
        ]
        if new:
            connection.execute(insert(DELIVERIES), new)

    def _new(self, owner: str, new: NewWatch) -> Watch:
        return Watch(
            id=f"w_{secrets.token_hex(8)}",
            owner=owner,
            card_id=new.card_id,
            slug=new.slug,
            condition=new.condition,
            currency=new.currency,
            webhook=new.webhook,
            secret=new_secret() if new.webhook else None,
            created_at=self._clock(),
            market=new.market,
        )

    def _same(self, connection: Connection, owner: str, new: NewWatch) -> Watch | None:
        wanted = {"owner": owner, "card_id": new.card_id, "market": new.market}
        wanted |= asdict(new.condition) | {"webhook": new.webhook}
        query = select(WATCHES).where(*(WATCHES.c[name] == wanted[name] for name in wanted))
        row = connection.execute(query.order_by(WATCHES.c.created_at)).mappings().first()
        if row is None:
            return None
        recent = row["created_at"] >= self._clock() - SAME_SECONDS
        return replace(_watch(row), secret=row["secret"] if recent else None)

    def _require_room(self, connection: Connection, owner: str) -> None:
        if owner == LOCAL:
            return
        query = select(func.count()).select_from(WATCHES).where(WATCHES.c.owner == owner)
        if (connection.scalar(query) or 0) >= self._per_owner:
            raise WatchError(f"the key has {self._per_owner} watches already: remove one first")

    def _forget_requests(self, connection: Connection) -> None:
        old = REQUESTS.c.created_at < self._clock() - REPLAY_SECONDS
        connection.execute(delete(REQUESTS).where(old))


def _replayed(connection: Connection, owner: str, key: str, digest: str) -> Watch | None:
    query = select(REQUESTS.c.digest, REQUESTS.c.answer).where(
        REQUESTS.c.owner == owner, REQUESTS.c.idempotency_key == key
    )
    row = connection.execute(query).first()
    if row is None:
        return None
    if row.digest != digest:
        raise ReusedKeyError("the idempotency key came with another request before: use a new one")
    stored: dict[str, Any] = json.loads(row.answer)
    return Watch(**stored | {"condition": Condition(**stored["condition"])})


def _find(connection: Connection, watch_id: str, owner: str | None) -> Watch:
    query = select(WATCHES).where(WATCHES.c.id == watch_id)
    if owner is not None:
        query = query.where(WATCHES.c.owner == owner)
    row = connection.execute(query).mappings().first()
    if row is None:
        raise UnknownWatchError(f"no watch has the id {watch_id[:40]!r}")
    return _watch(row)


def _watch(row: RowMapping) -> Watch:
    fields: dict[str, Any] = dict(row)
    condition = Condition(**{name: fields.pop(name) for name in _CONDITION_FIELDS})
    return Watch(condition=condition, **fields | {"secret": None})


def _columns(watch: Watch) -> dict[str, Any]:
    fields = asdict(watch)
    condition: dict[str, Any] = fields.pop("condition")
    return fields | condition
