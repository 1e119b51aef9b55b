"""Answers about what is being served."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from pokewatch.contract import Skill
from pokewatch.gateway.api.fields import DataVersion, Market, ModelVersion

_Currency = Annotated[str, Meta(description="The currency of the prices.")]
_Source = Annotated[str, Meta(description="The price source; `simulated` is not a real market.")]
_SkillOfModel = Annotated[
    Skill, Meta(description="The evaluation's result against the last price.")
]


class Alive(msgspec.Struct, frozen=True):
    """The process is running."""

    status: Literal["alive"]


class CanaryCheck(msgspec.Struct, frozen=True):
    """A check that stops a challenger, and what this process has found so far."""

    check: Literal["errors", "latency", "signals"]
    found: str


class CanaryState(msgspec.Struct, frozen=True):
    """A challenger that answers a share of the callers: in a deploy, or in an experiment."""

    experiment: Annotated[
        str, Meta(description="The name by which callers are assigned: `deploy-...` in a deploy.")
    ]
    share: Annotated[float, Meta(ge=0, le=1, description="The share of callers that it answers.")]
    since: Annotated[
        str | None, Meta(description="When it was first given callers; null if that is not known.")
    ]
    champion: ModelVersion | None
    challenger: Annotated[
        ModelVersion | None, Meta(description="Null while it does not answer: the champion does.")
    ]
    checks: Annotated[list[CanaryCheck], Meta(description="Its checks in this process.")]


class MarketState(msgspec.Struct, frozen=True):
    """Whether one market can be answered, and from what."""

    market: Annotated[str, Meta(description="The id of the market; empty if it is not known yet.")]
    ready: bool
    reason: Annotated[str | None, Meta(description="Why it is not ready; null if it is.")]
    model_version: ModelVersion | None
    data_version: DataVersion | None
    last_day: str | None
    data_age_days: Annotated[int | None, Meta(description="The days since `last_day`.")]
    canary: Annotated[
        CanaryState | None,
        Meta(description="The challenger that answers a share of the callers; null if none does."),
    ]


class Ready(msgspec.Struct, frozen=True):
    """The model and data being served: those of the first market that is ready, and all markets."""

    status: Literal["ready"]
    market: Market
    model_version: ModelVersion
    data_version: DataVersion
    run_id: Annotated[str, Meta(description="The MLflow run that trained the model.")]
    model: str
    horizon: Annotated[int, Meta(description="The forecast horizon in days.")]
    source: _Source
    currency: _Currency
    skill: _SkillOfModel
    cards: Annotated[int, Meta(description="The number of cards.")]
    first_day: str
    last_day: str
    not_evaluated: Annotated[
        str | None, Meta(description="Why the model was not evaluated; null if it was.")
    ]
    data_age_days: Annotated[int, Meta(description="The days since `last_day`.")]
    markets: Annotated[
        list[MarketState], Meta(description="Each market; at least one of them is ready.")
    ]
    keys: Annotated[
        Literal["current", "stale"],
        Meta(description="`stale` while the key store is unreadable and cached keys are used."),
    ]


class MarketFacts(msgspec.Struct, frozen=True):
    """A market. What is not known, because it was never read, is null."""

    id: Annotated[str, Meta(description="The id of the market; empty if it is not known yet.")]
    games: Annotated[list[str], Meta(description="The games of its cards.")]
    source: _Source | None
    currency: _Currency | None
    cards: Annotated[int | None, Meta(description="The number of cards.")]
    first_day: str | None
    last_day: Annotated[str | None, Meta(description="The newest market day.")]
    model: str | None
    horizon: Annotated[int | None, Meta(description="The forecast horizon in days.")]
    model_version: ModelVersion | None
    data_version: DataVersion | None
    skill: _SkillOfModel | None
    not_evaluated: Annotated[
        str | None, Meta(description="Why the model was not evaluated; null if it was.")
    ]
    ready: bool
    reason: Annotated[str | None, Meta(description="Why it is not ready; null if it is.")]


class MarketList(msgspec.Struct, frozen=True):
    """The markets, in the order in which they are searched."""

    markets: list[MarketFacts]
