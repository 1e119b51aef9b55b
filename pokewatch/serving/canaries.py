"""The canary of each market that this process serves: the share of callers its challenger answers.

Gateways read it with the status of the champion's book. A deploy, or an experiment, writes a plan
to the registry and has the challenger loaded, which publishes the plan here.
"""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pokewatch.errors import RegistryError

LONGEST_TIME = "its longest time is over"


@dataclass(frozen=True, slots=True)
class CanaryPlan:
    """A step of a canary: the share of callers, from 0 to 1, that the challenger answers.

    Of two plans of the same `id`, that of the higher `revision` counts. With the revision 0 the
    challenger is loaded, but not published: no MLServer is sent traffic for it before all have it.
    It holds for `seconds` after it was loaded, None for good, so that no challenger keeps its
    traffic when the deploy that watched it has been killed, and not after the Unix time `until`.

    Callers are assigned by the name `experiment`, by default the id: so they stay where they are
    when an experiment goes on with another version, under another id. Its traffic began at `since`,
    an ISO time, "" if that is not known.
    """

    id: str
    share: float
    revision: int = 1
    seconds: float | None = None
    experiment: str = ""
    since: str = ""
    until: float | None = None

    @classmethod
    def parse(cls, found: Mapping[str, Any]) -> "CanaryPlan":
        """Return the plan in a JSON object. Raise RegistryError."""
        try:
            plan = cls(**found)
            valid = (
                bool(plan.id)
                and 0 <= plan.share <= 1
                and plan.revision >= 0
                and (plan.seconds is None or plan.seconds > 0)
                and (plan.until is None or plan.until > 0)
                and isinstance(plan.experiment, str)
                and isinstance(plan.since, str)
            )
        except TypeError:
            valid = False
        if not valid:
            raise RegistryError(f"not the plan of a canary: {json.dumps(found)[:200]}")
        return plan

    @classmethod
    def from_state(cls, text: str) -> "CanaryPlan":
        """Return the plan in a state of the registry. Raise RegistryError."""
        if not text:
            raise RegistryError("no deploy and no experiment gives a challenger traffic")
        try:
            found = json.loads(text)
        except ValueError:
            found = text
        if not isinstance(found, dict):
            raise RegistryError(f"not the plan of a canary: {text[:200]}")
        return cls.parse(found)

    def to_state(self) -> str:
        return json.dumps(asdict(self))


@dataclass(slots=True)
class _Published:
    plan: CanaryPlan
    at: float
    ended: str | None = None


class Canaries:
    """The canaries by market, as the books name them. An ended one stays so until another comes."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        time_of_day: Callable[[], float] = time.time,
    ) -> None:
        self._clock = clock
        self._time_of_day = time_of_day
        self._published: dict[str, _Published] = {}

    def publish(self, market: str, plan: CanaryPlan) -> None:
        """Publish a step, unless its canary has ended or is at a later step."""
        if plan.revision == 0:
            return
        found = self._published.get(market)
        if found is None or found.plan.id != plan.id:
            self._published[market] = _Published(plan, self._clock())
        elif self._status(found) is None and plan.revision >= found.plan.revision:
            found.plan, found.at = plan, self._clock()

    def end(self, market: str, canary: str, reason: str) -> bool:
        """End the canary of this id. Return whether it is the one that was published last."""
        found = self._published.get(market)
        if found is None or found.plan.id != canary:
            return False
        if found.ended is None:
            found.ended = self._status(found) or reason
        return True

    def status(self, market: str) -> dict[str, Any] | None:
        """Return what gateways read of the last canary, None if there was none."""
        found = self._published.get(market)
        if found is None:
            return None
        ended = self._status(found)
        share = found.plan.share if ended is None else 0.0
        return {
            "id": found.plan.id,
            "share": share,
            "revision": found.plan.revision,
            "experiment": found.plan.experiment or found.plan.id,
            "since": found.plan.since,
            "ended": ended,
        }

    def _status(self, found: _Published) -> str | None:
        """Return why a canary has ended, None while it runs."""
        seconds, until = found.plan.seconds, found.plan.until
        if found.ended is None and seconds is not None and self._clock() - found.at > seconds:
            found.ended = f"the deploy did not continue within {seconds:g} s"
        if found.ended is None and until is not None and self._time_of_day() > until:
            found.ended = LONGEST_TIME
        return found.ended


CANARIES = Canaries()
