"""The panels of the dashboards: a PromQL query each, with its description."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Quality = Literal["good", "bad"]
Query = tuple[str, str]  # expression, legend

# As in k8s/monitoring/rules/slo.yaml: the probes and the documentation do not count.
COUNTED = 'route!~"/health|/ready|/docs|/openapi.json|/v2/health/.+|/export.+|other"'


@dataclass(frozen=True, slots=True)
class DashboardPanel:
    """A panel of `width` out of 24 columns.

    `limits` are the values from which on the figure is good or bad; below the first it is `below`.
    """

    title: str
    description: str
    queries: Sequence[Query]
    unit: str = "short"
    kind: Literal["timeseries", "stat", "table"] = "timeseries"
    width: int = 8
    limits: Sequence[tuple[float, Quality]] = ()
    below: Quality = "good"
    valued: bool = True


@dataclass(frozen=True, slots=True)
class DashboardRow:
    title: str
    panels: Sequence[DashboardPanel]


def stat(
    title: str,
    description: str,
    expression: str,
    unit: str = "short",
    limits: Sequence[tuple[float, Quality]] = (),
    below: Quality = "good",
    legend: str = "",
) -> DashboardPanel:
    """A panel with one current number, or one of each series that `legend` names."""
    queries = [(expression, legend)]
    return DashboardPanel(title, description, queries, unit, "stat", 6, limits, below)


def rate(metric: str, by: str) -> str:
    return f"sum by ({by}) (rate({metric}[5m]))"


def quantile(share: float, metric: str, by: str = "le", which: str = "") -> str:
    """`which` is a selector in braces, or nothing for all."""
    return f"histogram_quantile({share}, sum by ({by}) (rate({metric}_bucket{which}[5m])))"


def age(moment: str) -> str:
    return f"time() - max by (market) ({moment})"
