"""Traces of requests and runs, sent to an OpenTelemetry collector.

Tracing is off unless OTEL_EXPORTER_OTLP_ENDPOINT is set. OpenTelemetry's packages, which are those
of the extra `tracing`, are imported only where it is on.
"""

from typing import TYPE_CHECKING

from pokewatch.errors import SettingsError
from pokewatch.settings import TracingSettings

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.id_generator import IdGenerator

    from pokewatch.tracing.tracer import Tracer


def open_tracer(service: str, ids: "IdGenerator | None" = None) -> "Tracer | None":
    """Return the tracer of a service, None where tracing is off. `ids` are random by default.

    Raise SettingsError if OpenTelemetry's packages are not installed.
    """
    settings = TracingSettings.read()
    if not settings.otlp_endpoint:
        return None
    try:
        from pokewatch.tracing.tracer import Tracer
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"{settings.variable('otlp_endpoint')} is set, but {error.name} is not installed; "
            "pip install 'pokewatch[tracing]', or unset it"
        ) from None
    return Tracer(service, settings.otlp_endpoint, ids)
