"""Whether a server is ready."""

import asyncio
from functools import partial

import pytest
from mlserver import MLModel
from mlserver.registry import MultiModelRegistry
from mlserver.settings import ModelParameters, ModelSettings, Settings
from prometheus_client import CollectorRegistry, Counter, Summary

from pokewatch.contract import FAIR_PRICE, FAIR_PRICE_CHALLENGER, challenger_model
from pokewatch.serving.mlserver.data_plane import LOADING, CheckedDataPlane


class WaitingModel(MLModel):  # type: ignore[misc]  # MLServer ships no types
    """A model whose load sets one event when it begins, and ends once another is set."""

    async def load(self) -> bool:
        begun, may_end = self.settings.parameters.extra["events"]
        begun.set()
        await may_end.wait()
        return True


@pytest.mark.parametrize(
    ("name", "ready_meanwhile"),
    [
        (FAIR_PRICE_CHALLENGER, True),
        (challenger_model("simulated-1"), True),
        (f"{FAIR_PRICE}-simulated-1", False),
    ],
)
def test_a_challenger_that_is_loaded_does_not_take_the_server_out_of_service(
    name: str, ready_meanwhile: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    metrics = CollectorRegistry()  # that of the process takes each name once
    for kind in (Counter, Summary):
        own = partial(kind, registry=metrics)
        monkeypatch.setattr(f"mlserver.handlers.dataplane.{kind.__name__}", own)

    async def scenario() -> list[bool]:
        registry = MultiModelRegistry()
        plane = CheckedDataPlane(Settings(), registry)

        def load(model: str, *events: asyncio.Event) -> asyncio.Task[MLModel]:
            parameters = ModelParameters(extra={"events": events})
            settings = ModelSettings(name=model, implementation=WaitingModel, parameters=parameters)
            return asyncio.create_task(registry.load(settings))

        begun, may_end, at_once = asyncio.Event(), asyncio.Event(), asyncio.Event()
        at_once.set()
        await load(FAIR_PRICE, asyncio.Event(), at_once)
        plane.not_loaded[name] = LOADING  # as of a model in the folder at start-up
        found = [await plane.ready()]
        loading = load(name, begun, may_end)
        await begun.wait()
        found.append(await plane.ready())
        del plane.not_loaded[name]
        found.append(await plane.ready())
        may_end.set()
        await loading
        return [*found, await plane.ready()]

    assert asyncio.run(scenario()) == [ready_meanwhile] * 3 + [True]
