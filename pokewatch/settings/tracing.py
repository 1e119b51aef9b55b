"""Settings of tracing."""

from pydantic import Field

from pokewatch.settings.section import Section


class TracingSettings(Section):
    """Tracing (OpenTelemetry)."""

    otlp_endpoint: str = Field(
        "",
        validation_alias="OTEL_EXPORTER_OTLP_ENDPOINT",
        pattern=r"^(https?://[^/\s]+\S*)?$",
        description="Address of an OpenTelemetry collector, such as http://collector:4318, to "
        "which the gateway, the models and the flows send spans by HTTP. The other variables "
        "OTEL_... of OpenTelemetry's SDK apply too. Default: no tracing.",
    )
