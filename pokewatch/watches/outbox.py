"""The deliveries of crossings: claimed, sent, retried for a day, then failed.

A delivery is stored in the transaction of its crossing. Whoever sends it claims it first, for
longer than sending takes; if that process dies, the claim runs out and another process sends the
same delivery again, under the same id.
"""

import random
import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    RowMapping,
    Select,
    and_,
    case,
    delete,
    func,
    or_,
    select,
    tuple_,
    update,
)

from pokewatch.watches.database import DELIVERIES, WATCHES, WatchDatabase

PENDING, SENT, FAILED = "pending", "sent", "failed"
NO_RECEIVER = "none"  # of a watch without a webhook, where no address was set
RETRY_SECONDS = 86_400
KEPT_SECONDS = 90 * 86_400  # after a delivery was sent or has failed
_FIRST_WAIT = 60.0
_JITTER = 0.2


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """A notification of a crossing to one receiver; see the columns of `DELIVERIES`."""

    id: str
    target: str | None
    receiver: str
    title: str
    payload: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """A delivery as stored; times are Unix times. `receiver` is a host, or a digest."""

    id: str
    watch_id: str
    target: str | None
    receiver: str
    title: str
    payload: str
    created_at: float
    state: str
    attempts: int
    due_at: float
    claimed_until: float
    error: str | None
    ended_at: float | None


Queue = tuple[str, str]  # the owner of the watch, "" for an address of the operator; the receiver


@dataclass(frozen=True, slots=True)
class Claim:
    """A delivery that this process may send until `delivery.claimed_until`.

    Those of one `queue` are sent one after the other: an owner's to a host, or all to an address of
    the operator. A host that is slow for one owner, as only that owner's path may be, thus does not
    hold up others.
    """

    delivery: Delivery
    secret: str | None
    queue: Queue


class Outbox:
    """The deliveries of a database."""

    def __init__(
        self,
        database: WatchDatabase,
        clock: Callable[[], float] = time.time,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._database = database
        self._clock = clock
        self._jitter = jitter

    def claim(self, seconds: float, busy: Collection[Queue] = ()) -> Claim | None:
        """Claim the delivery that has been due longest, for `seconds`; None if none is due.

        Those of the queues in `busy` are left out, and owners with fewer of these come first.
        """
        now = self._clock()
        owner = case((DELIVERIES.c.target.is_(None), ""), else_=WATCHES.c.owner)
        counts = Counter(each for each, _ in busy)
        turns = [case(counts, value=owner, else_=0)] if counts else []
        query = (
            _due(select(DELIVERIES, WATCHES.c.secret, owner.label("owner")).join(WATCHES), now)
            .where(tuple_(owner, DELIVERIES.c.receiver).not_in(list(busy)))
            .order_by(*turns, DELIVERIES.c.due_at, DELIVERIES.c.id)
            .limit(1)
            .with_for_update(skip_locked=True, of=DELIVERIES)
        )
        with self._database.transaction() as connection:
            row = connection.execute(query).mappings().first()
            if row is None:
                return None
            until = now + seconds
            claimed = update(DELIVERIES).where(DELIVERIES.c.id == row["id"])
            connection.execute(claimed.values(claimed_until=until))
        fields: dict[str, Any] = {**row, "claimed_until": until}
        secret, queue = fields.pop("secret"), (fields.pop("owner"), row["receiver"])
        return Claim(Delivery(**fields), secret, queue)

    def sent(self, delivery: Delivery) -> None:
        """Record that a claimed delivery was accepted."""
        now = self._clock()
        self._end(delivery, state=SENT, attempts=delivery.attempts + 1, error=None, ended_at=now)

    def refused(
        self, delivery: Delivery, error: str, *, final: bool = False, wait: float = 0.0
    ) -> str:
        """Record that a claimed delivery was not accepted, and return its new state.

        It is due again after a back-off, and after `wait` seconds at least. It fails if the refusal
        is `final`, or comes a day after the crossing or later.
        """
        now = self._clock()
        values = self._after_refusal(delivery, now, error, final, wait)
        self._end(delivery, **values)
        return str(values["state"])

    def unreachable(self, delivery: Delivery, error: str) -> Sequence[str]:
        """Record the same failure for what else is due at the receiver from the same owner.

        Return the new states. A receiver that does not answer thus costs one timeout for an owner,
        however many deliveries wait for it. Other owners' are tried: what one of them cannot reach,
        such as a closed port of a host that many use, must not hold up theirs.
        """
        now = self._clock()
        owner = select(WATCHES.c.owner).where(WATCHES.c.id == delivery.watch_id).scalar_subquery()
        watches = select(WATCHES.c.id).where(WATCHES.c.owner == owner)
        query = _due(select(DELIVERIES), now).where(
            DELIVERIES.c.receiver == delivery.receiver, DELIVERIES.c.watch_id.in_(watches)
        )
        states = []
        with self._database.transaction() as connection:
            rows = connection.execute(query.with_for_update(skip_locked=True)).mappings().all()
            for each in map(_delivery, rows):
                values = self._after_refusal(each, now, error, False, 0.0)
                connection.execute(
                    update(DELIVERIES).where(DELIVERIES.c.id == each.id).values(**values)
                )
                states.append(str(values["state"]))
        return states

    def newest(self, watch_id: str | None = None, limit: int = 20) -> list[Delivery]:
        """Return the newest deliveries, of one watch or of all."""
        query = select(DELIVERIES).order_by(DELIVERIES.c.created_at.desc(), DELIVERIES.c.id)
        if watch_id is not None:
            query = query.where(DELIVERIES.c.watch_id == watch_id)
        return [_delivery(row) for row in self._database.rows(query.limit(limit))]

    def failures(self, owner: str, limit: int = 20) -> list[Delivery]:
        """Return the newest failed deliveries of an owner's watches."""
        query = (
            select(DELIVERIES)
            .join(WATCHES)
            .where(WATCHES.c.owner == owner, DELIVERIES.c.state == FAILED)
            .order_by(DELIVERIES.c.created_at.desc())
        )
        return [_delivery(row) for row in self._database.rows(query.limit(limit))]

    def failed_since(self, seconds: float) -> int:
        """Return the number of deliveries that failed within the last `seconds`."""
        ended = DELIVERIES.c.ended_at > self._clock() - seconds
        query = select(func.count().label("failed")).where(DELIVERIES.c.state == FAILED, ended)
        return sum(row["failed"] for row in self._database.rows(query))

    def pending(self) -> int:
        """Return the number of deliveries that are not sent yet."""
        query = select(func.count()).select_from(DELIVERIES).where(DELIVERIES.c.state == PENDING)
        with self._database.transaction() as connection:
            return connection.scalar(query) or 0

    def prune(self) -> int:
        """Remove the deliveries that ended long ago, and return their number."""
        old = DELIVERIES.c.ended_at < self._clock() - KEPT_SECONDS
        with self._database.transaction() as connection:
            return connection.execute(delete(DELIVERIES).where(old)).rowcount

    def _after_refusal(
        self, delivery: Delivery, now: float, error: str, final: bool, wait: float
    ) -> dict[str, Any]:
        end = min(delivery.created_at, now) + RETRY_SECONDS
        attempts = delivery.attempts + 1
        found = {"attempts": attempts, "error": error, "claimed_until": 0.0}
        if final or now >= end:
            return found | {"state": FAILED, "ended_at": now}
        backoff = _FIRST_WAIT * 2.0 ** min(attempts - 1, 20)
        backoff *= 1 + _JITTER * (2 * self._jitter() - 1)
        return found | {"state": PENDING, "due_at": min(now + max(backoff, wait), end)}

    def _end(self, delivery: Delivery, **values: Any) -> None:
        """Update a delivery unless another process has claimed it meanwhile."""
        claimed = and_(
            DELIVERIES.c.id == delivery.id,
            DELIVERIES.c.state == PENDING,
            DELIVERIES.c.claimed_until == delivery.claimed_until,
        )
        with self._database.transaction() as connection:
            connection.execute(update(DELIVERIES).where(claimed).values(**values))


def _due(query: Select[Any], now: float) -> Select[Any]:
    return query.where(
        DELIVERIES.c.state == PENDING,
        *(_is_past(DELIVERIES.c[time], now) for time in ("due_at", "claimed_until")),
    )


def _is_past(column: ColumnElement[float], now: float) -> ColumnElement[bool]:
    """Whether a time has come, or was set while the clock was ahead: none is over a day away."""
    return or_(column <= now, column > now + RETRY_SECONDS)


def _delivery(row: RowMapping) -> Delivery:
    return Delivery(**row)
