"""Generate the Grafana dashboards.

`python -m tests.dashboards.dashboards k8s/monitoring/dashboards` writes them.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from tests.dashboards.data_panels import DATA
from tests.dashboards.model_panels import MODEL
from tests.dashboards.panels import DashboardPanel, DashboardRow
from tests.dashboards.service_panels import SERVICE

WIDTH = 24  # columns of Grafana's grid
_SOURCE = {"type": "prometheus", "uid": "prometheus"}
_HEIGHTS = {"stat": 4, "timeseries": 8, "table": 8}
_COLORS = {"good": "green", "bad": "red"}


@dataclass(frozen=True, slots=True)
class Dashboard:
    """`name` is the file's and part of the address; `since` is the span shown at first."""

    name: Literal["service", "model", "data"]
    title: str
    description: str
    rows: Sequence[DashboardRow]
    since: str = "now-6h"
    links: Sequence[str] = field(default=("service", "model", "data"))

    def panels(self) -> Iterator[DashboardPanel]:
        for row in self.rows:
            yield from row.panels

    def to_json(self) -> str:
        """What Grafana reads: the same dashboard is always the same text."""
        content = {
            "uid": f"pokewatch-{self.name}",
            "title": self.title,
            "description": self.description,
            "tags": ["pokewatch"],
            "timezone": "utc",
            "schemaVersion": 39,
            "version": 1,
            "editable": False,
            "refresh": "30s",
            "time": {"from": self.since, "to": "now"},
            "links": [_link(name) for name in self.links if name != self.name],
            "panels": list(_placed(self.rows)),
        }
        return json.dumps(content, indent=1) + "\n"


DASHBOARDS = (
    Dashboard(
        "service",
        "PokeWatch: service",
        "Whether customers get answers, how fast, and what they cost.",
        SERVICE,
    ),
    Dashboard(
        "model",
        "PokeWatch: model",
        "Which model serves, how good it was and is, and what it tells people to do.",
        MODEL,
        "now-30d",
    ),
    Dashboard(
        "data",
        "PokeWatch: data",
        "How old the prices are, what the pipeline brought, and what cannot be valued.",
        DATA,
        "now-7d",
    ),
)


def write(folder: Path) -> None:
    """Write every dashboard into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for dashboard in DASHBOARDS:
        (folder / f"{dashboard.name}.json").write_text(dashboard.to_json())


def _link(name: str) -> dict[str, Any]:
    return {"title": name, "type": "link", "url": f"/d/pokewatch-{name}", "keepTime": True}


def _placed(rows: Sequence[DashboardRow]) -> Iterator[dict[str, Any]]:
    """The panels of each row side by side, in as many lines as they need, below a heading."""
    top, number = 0, 0
    for row in rows:
        number += 1
        yield {
            "id": number,
            "type": "row",
            "title": row.title,
            "collapsed": False,
            "panels": [],
            "gridPos": _place(0, top, WIDTH, 1),
        }
        top, left, line = top + 1, 0, 0
        for panel in row.panels:
            number += 1
            height = _HEIGHTS[panel.kind]
            if left + panel.width > WIDTH:
                top, left, line = top + line, 0, 0
            yield _panel(panel, number, _place(left, top, panel.width, height))
            left, line = left + panel.width, max(line, height)
        top += line


def _place(x: int, y: int, w: int, h: int) -> dict[str, int]:
    return {"x": x, "y": y, "w": w, "h": h}


def _panel(panel: DashboardPanel, number: int, place: dict[str, int]) -> dict[str, Any]:
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.description,
        "datasource": _SOURCE,
        "gridPos": place,
        "targets": [
            _target(panel, at, expression, legend)
            for at, (expression, legend) in enumerate(panel.queries)
        ],
        "fieldConfig": {"defaults": _defaults(panel), "overrides": []},
        "options": _options(panel),
        **({"transformations": _columns(panel)} if panel.kind == "table" else {}),
    }


def _target(panel: DashboardPanel, at: int, expression: str, legend: str) -> dict[str, Any]:
    once = panel.kind != "timeseries"
    return {
        "refId": chr(ord("A") + at),
        "datasource": _SOURCE,
        "expr": expression,
        "legendFormat": legend,
        "instant": once,
        "range": not once,
        "format": "table" if panel.kind == "table" else "time_series",
    }


def _defaults(panel: DashboardPanel) -> dict[str, Any]:
    found: dict[str, Any] = {"unit": panel.unit}
    if panel.kind == "timeseries":
        found["custom"] = {
            "drawStyle": "line",
            "lineWidth": 1,
            "fillOpacity": 5,
            "thresholdsStyle": {"mode": "line" if panel.limits else "off"},
        }
    if panel.limits:
        steps: list[dict[str, Any]] = [{"color": _COLORS[panel.below], "value": None}]
        for limit, kind in panel.limits:
            steps.append({"color": _COLORS[kind], "value": limit})
        found["thresholds"] = {"mode": "absolute", "steps": steps}
    return found


def _options(panel: DashboardPanel) -> dict[str, Any]:
    match panel.kind:
        case "stat":
            return {
                "reduceOptions": {"calcs": ["lastNotNull"]},
                "colorMode": "value" if panel.limits else "none",
                "textMode": "auto",
            }
        case "timeseries":
            return {
                "legend": {"displayMode": "list", "placement": "bottom"},
                "tooltip": {"mode": "multi"},
            }
    return {"showHeader": True}


def _columns(panel: DashboardPanel) -> list[dict[str, Any]]:
    """Only the labels that the panel names, and the value where it has one to tell."""
    hidden = dict.fromkeys(("Time", "__name__", "job"), True) | (
        {} if panel.valued else {"Value": True}
    )
    return [
        {
            "id": "organize",
            "options": {"excludeByName": hidden, "indexByName": {}, "renameByName": {}},
        }
    ]


if __name__ == "__main__":
    write(Path(sys.argv[1]))
