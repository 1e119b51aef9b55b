"""Metadata and health answers of the V2 protocol."""

from typing import Any

import msgspec


class TensorMetadata(msgspec.Struct, frozen=True, omit_defaults=True):
    """An input or output of a model."""

    name: str
    datatype: str
    shape: list[int]
    parameters: dict[str, Any] | None = None


class ModelMetadata(msgspec.Struct, frozen=True):
    """The inputs and outputs of a model."""

    name: str
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]
    versions: list[str] = []


class ModelReady(msgspec.Struct, frozen=True):
    """The readiness of a model."""

    name: str
    ready: bool


class ServerMetadata(msgspec.Struct, frozen=True):
    """The name and version of the server."""

    name: str
    version: str
    extensions: list[str]


class ServerState(msgspec.Struct, frozen=True, omit_defaults=True):
    """The liveness or readiness of the server."""

    live: bool | None = None
    ready: bool | None = None
