"""Experiments in the answer about the track record."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from pokewatch.gateway.api.fields import Count, Share


class ExperimentDay(msgspec.Struct, frozen=True):
    """The standing of an experiment once another day's forecasts have their outcomes."""

    day: str
    e_value: Annotated[
        float, Meta(ge=0, description="The evidence that the challenger is better; 1 is none.")
    ]
    e_opposite: Annotated[float, Meta(ge=0, description="The evidence that it is worse.")]
    mean: Annotated[
        float,
        Meta(
            ge=-1,
            le=1,
            description="The mean difference of the errors, as a share of the distance of the "
            "forecasts: above 0 the challenger was closer.",
        ),
    ]
    low: Annotated[
        float,
        Meta(ge=-1, le=1, description="The low end of its 95% interval, valid on all days at once"),
    ]
    high: Annotated[float, Meta(ge=-1, le=1)]
    coverage: Annotated[
        Share | None, Meta(description="The share of prices inside the challenger's intervals.")
    ]


class RecordExperiment(msgspec.Struct, frozen=True):
    """A model compared with the champion's on the same cards, on forecasts nobody was served."""

    number: Count
    champion: str
    challenger: str
    started_on: str
    state: Literal["running", "promoted", "aborted", "stopped"]
    outcome: Annotated[str, Meta(description="How it ended; empty while it runs.")]
    horizon: Count
    threshold: Annotated[
        float, Meta(description="The evidence at which the challenger is promoted, or given up.")
    ]
    shortest_days: Annotated[Count, Meta(description="Days before which it is not decided.")]
    longest_days: Annotated[Count, Meta(description="Days after which it is stopped.")]
    days: Annotated[Count, Meta(description="The days of forecasts that were compared.")]
    excluded: Annotated[Count, Meta(description="Days left out, such as those forecast too late.")]
    forecasts: Annotated[Count, Meta(description="The forecasts of each that were compared.")]
    gain: Annotated[
        float | None,
        Meta(description="The share of the champion's error that the challenger does not have."),
    ]
    champion_error: Annotated[
        float | None, Meta(description="Relative to the error of forecasting the last price.")
    ]
    challenger_error: float | None
    series: list[ExperimentDay]
