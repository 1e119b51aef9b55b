"""The parameters of the daily pipeline."""

import os
from datetime import date
from typing import Any

from base import PokeWatchSpec
from metaflow import FlowMutator, Parameter

from pokewatch.valuation.cpu_count import cpu_count


class WorkersByCpu(FlowMutator):
    """Runs as many tasks at once on this machine as it has CPUs, unless --max-workers is given.

    More would be no faster, and each holds the panel.
    """

    def pre_mutate(self, mutable_flow: Any) -> None:
        if dict(mutable_flow.configs)["deploy"]["target"] == "local":
            for command in ("RUN", "RESUME"):
                os.environ.setdefault(f"METAFLOW_{command}_MAX_WORKERS", str(cpu_count()))


class DailySpec(PokeWatchSpec):
    """Base of the daily pipeline."""

    days = Parameter("days", default=400, help="Days of prices to train on, up to the last.")
    last_day = Parameter(
        "to", default="", help="Last day, YYYY-MM-DD. Default: the source's latest."
    )
    horizon = Parameter("horizon", default=7, help="Days ahead of the fair prices.")
    other_horizons = Parameter(
        "other-horizons",
        default="30,90",
        help="Comma-separated further horizons to evaluate and to forecast at, as far as the "
        "history allows.",
    )
    candidates = Parameter(
        "candidates",
        default="",
        help="Comma-separated models. Default: all; of a simulated market, all but boosted.",
    )
    replace = Parameter(
        "replace",
        default=False,
        help="Allow a model of another market or currency, or without the champion's cards or "
        "newest days.",
    )
    tidy = Parameter("tidy", default=True, help="Remove at the end what is no longer used.")
    shards = Parameter("shards", default=2, help="Shards of the cards, processed in parallel.")

    def check(self) -> tuple[date | None, date | None]:
        from pokewatch.pipeline.parameters import check_daily, parse_day

        check_daily(
            days=self.days,
            last_day=self.last_day,
            horizon=self.horizon,
            other_horizons=self.other_horizons,
            candidates=self.candidates,
            shards=self.shards,
        )
        return None, parse_day(self.last_day)
