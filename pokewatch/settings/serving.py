"""Settings of MLServer."""

from pathlib import Path

from pydantic import Field

from pokewatch.settings.section import Section
from pokewatch.settings.values import Host, Names, Port, ReplicaUrls, listed, local_address


class ServingSettings(Section):
    """MLServer."""

    mlserver_host: Host = Field(
        "127.0.0.1",
        description="Address that the MLServer of `pokewatch serve` listens on. `mlserver start` "
        "reads MLSERVER_HOST, and MLSERVER_HTTP_PORT and so on for the ports.",
    )
    mlserver_http_port: Port = Field(8080, description="Its REST port.")
    mlserver_grpc_port: Port = Field(8081, description="Its gRPC port.")
    mlserver_metrics_port: Port = Field(8082, description="Its metrics port.")
    mlserver_names: Names = Field(
        ("*.svc", "*.svc.cluster.local"),
        description="Comma-separated names allowed in the Host header of requests to MLServer; "
        "*.name matches subdomains. IP addresses and names without a dot are always allowed.",
    )
    mlserver_models: Path | None = Field(
        None,
        description="Folder of models that it loads. Default: the one included in PokeWatch.",
    )
    max_rows: int = Field(10_000, ge=1, description="Largest number of rows in a V2 request.")
    max_body_bytes: int = Field(
        8 * 1024 * 1024,
        ge=1024,
        description="Largest decompressed body of a REST request to MLServer, in bytes.",
    )
    max_body_seconds: float = Field(
        10.0,
        gt=0,
        allow_inf_nan=False,
        description="Seconds that the body of such a request may take to arrive.",
    )
    export_rows: int = Field(
        5_000_000,
        ge=1,
        description="Largest number of rows in an export; one day is always allowed.",
    )
    export_mb: int = Field(
        2_048,
        ge=1,
        description="Space that the files of exports may take in POKEWATCH_HOME, in MiB; those "
        "used least recently are removed. The newest two always stay.",
    )
    load_timeout: float = Field(
        120.0,
        gt=0,
        description="Seconds that finding the champion in the registry and fetching its book may "
        "take.",
    )
    mlserver_urls: ReplicaUrls = Field(
        "",
        description="Comma-separated REST addresses of the MLServers that a deploy reloads; "
        "dns+http://name:port stands for every address of that name. Default: that of "
        "POKEWATCH_MLSERVER_HOST and POKEWATCH_MLSERVER_HTTP_PORT.",
    )
    branch_mlserver_urls: ReplicaUrls = Field(
        "", description="The same for deploys of a branch. Default: none."
    )

    @property
    def local_address(self) -> str:
        """Return the REST address of the MLServer of `pokewatch serve`, as seen by this machine."""
        return local_address(self.mlserver_host, self.mlserver_http_port)

    def is_assumed(self, address: str) -> bool:
        """Return whether an address is the default of POKEWATCH_MLSERVER_URLS, which is not set."""
        return not listed(self.mlserver_urls) and address == self.local_address

    def addresses(self, branch: str = "") -> list[str]:
        """Return the REST address of every MLServer that a deploy of the branch reloads."""
        if branch:
            return [address.rstrip("/") for address in listed(self.branch_mlserver_urls)]
        given = [address.rstrip("/") for address in listed(self.mlserver_urls)]
        return given or [self.local_address]
