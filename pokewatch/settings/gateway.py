"""Settings of the gateway."""

from ipaddress import ip_address
from typing import Literal

from pydantic import Field, SecretStr

from pokewatch.settings.section import Section
from pokewatch.settings.values import (
    Host,
    HttpUrl,
    MarketUrls,
    Names,
    Networks,
    Origins,
    Port,
    RedisUrl,
)


class GatewaySettings(Section):
    """Gateway."""

    gateway_host: Host = Field("127.0.0.1", description="Address the gateway listens on.")
    gateway_port: Port = Field(8000, description="Port of the gateway.")
    gateway_metrics_host: Host = Field(
        "127.0.0.1", description="Address the gateway's metrics server listens on."
    )
    gateway_metrics_port: Port = Field(8083, description="Port of the gateway's metrics server.")
    mlserver_url: HttpUrl = Field(
        "http://127.0.0.1:8080",
        description="REST address of MLServer, as seen by the gateway.",
    )
    market_urls: MarketUrls = Field(
        (),
        description="Comma-separated markets and the REST addresses of the MLServers that serve "
        "them, as in magic-tcgplayer-usd=http://magic:8080; several markets may have the same "
        "address. Default: the markets that POKEWATCH_MLSERVER_URL lists.",
    )
    trusted_proxies: Networks = Field(
        (),
        description="Comma-separated addresses, or networks such as 10.0.0.0/8, of the proxies in "
        "front of the gateway. Of a request from one, X-Forwarded-For has the client's address. "
        "Default: none.",
    )
    pages: Literal["open", "key", "off"] | None = Field(
        None,
        description="The web pages: `open` to all, for visitors who enter an API key once (`key`), "
        "or `off`. Default: `open` if the gateway listens on a loopback address, else `key`.",
    )
    cors_origins: Origins = Field(
        (),
        description="Comma-separated origins, such as https://shop.example, of sites whose scripts "
        "may call the API from a browser, or `*` for all. Default: none.",
    )
    pictures: bool = Field(
        False,
        description="Show pictures of cards. The gateway downloads them from the addresses in the "
        "catalogue, so their host learns which cards are looked at, but not by whom.",
    )
    picture_hosts: Names = Field(
        ("tcgplayer-cdn.tcgplayer.com",),
        description="Comma-separated hosts that pictures are downloaded from, by https.",
    )
    pictures_mb: int = Field(64, ge=1, le=65_536, description="Memory for pictures, in MiB.")
    redis_url: RedisUrl = Field(
        None,
        description="Redis that holds the rate limits shared by several gateways. Default: in "
        "memory.",
    )
    answer_cache: bool = Field(
        True, description="Cache answers until the model or the data changes."
    )
    answer_cache_mb: int = Field(
        64, ge=1, le=65_536, description="Memory for cached answers, in MiB."
    )
    stale_seconds: float = Field(
        900,
        ge=0,
        allow_inf_nan=False,
        description="Largest age of the answers returned, marked stale, while MLServer is down; "
        "0: none.",
    )
    body_bytes: int = Field(
        262_144,
        ge=1_024,
        description="Largest request body, in bytes; for a single card, at most 16,384.",
    )
    collection_bytes: int = Field(
        4_194_304,
        ge=1_024,
        description="Largest collection that is uploaded, in bytes.",
    )
    collection_seconds: float = Field(
        20,
        gt=0,
        allow_inf_nan=False,
        description="Timeout of valuing a collection.",
    )
    body_seconds: float = Field(
        10,
        gt=0,
        allow_inf_nan=False,
        description="Seconds that the headers of a request, or its body, may take to arrive.",
    )
    connect_seconds: float = Field(
        1, gt=0, allow_inf_nan=False, description="Timeout for connecting to MLServer."
    )
    upstream_seconds: float = Field(
        2,
        gt=0,
        allow_inf_nan=False,
        description="Timeout of one request to MLServer.",
    )
    merge_seconds: float = Field(
        1,
        gt=0,
        allow_inf_nan=False,
        description="Timeout of one market in an answer of several, and of the names of cards on "
        "a page, after which they are left out; a quarter of it if the market did not answer the "
        "last poll.",
    )
    deadline_seconds: float = Field(
        3,
        gt=0,
        allow_inf_nan=False,
        description="Longest wait in the queue, and again for the answer, before a request gets "
        "504.",
    )
    in_flight: int = Field(
        2,
        ge=1,
        le=64,
        description="Concurrent calls to MLServer, of each kind; requests that arrive meanwhile "
        "share the next one.",
    )
    queue_rows: int = Field(
        20_000, ge=1, description="Cards queued or in calls above which requests get 503."
    )
    breaker_failures: int = Field(
        5, ge=1, description="Consecutive failures after which the circuit breaker opens."
    )
    breaker_seconds: float = Field(
        1,
        gt=0,
        allow_inf_nan=False,
        description="Seconds it stays open; every failed retry doubles them, up to 10.",
    )
    failed_key_rate: str = Field(
        "30/minute",
        pattern=r"^(none|[1-9][0-9]{0,8}/(second|minute|hour|day))$",
        description="Rate limit, per client address, of requests without a valid key.",
    )
    watch_seconds: float = Field(
        0.5,
        gt=0,
        le=60,
        description="Seconds between polls of the versions that MLServer serves.",
    )
    canary_seconds: float = Field(
        0.5,
        gt=0,
        allow_inf_nan=False,
        description="Timeout of a request to the challenger of a canary, after which the champion "
        "answers.",
    )
    canary_errors: float = Field(
        0.02,
        ge=0,
        le=1,
        description="Largest share of its calls that the challenger may fail where the champion "
        "does not.",
    )
    canary_signals: float = Field(
        0.2,
        ge=0,
        le=1,
        description="Largest share of the compared cards for which the signals of challenger and "
        "champion may differ.",
    )
    mirror_share: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Share of the champion's answers whose request is also sent to the challenger "
        "while there is a canary; its answers are only compared. 0: none.",
    )
    ready_data_days: int = Field(
        0,
        ge=0,
        description="Age of the newest prices, in days, above which /ready answers 503, so that no "
        "load balancer sends requests and `pokewatch serve` does not start; 0: no limit.",
    )
    access_log: bool = Field(
        True,
        description="Log a JSON line per request to standard output; `pokewatch serve` does so "
        "only if this is set.",
    )
    drain_seconds: float = Field(
        0,
        ge=0,
        allow_inf_nan=False,
        description="Seconds between SIGTERM, after which /ready answers 503, and refusing "
        "connections.",
    )
    stop_seconds: int = Field(
        20, ge=1, description="Seconds that open requests then have to finish."
    )

    def market_addresses(self) -> dict[str, str]:
        """Return the addresses of POKEWATCH_MARKET_URLS by market."""
        pairs = (each.partition("=") for each in self.market_urls)
        return {market: url for market, _, url in pairs}

    def page_access(self) -> Literal["open", "key", "off"]:
        """Return who may see the pages."""
        if self.pages is not None:
            return self.pages
        try:
            loopback = ip_address(self.gateway_host).is_loopback
        except ValueError:
            loopback = self.gateway_host == "localhost"
        return "open" if loopback else "key"


class ClientSettings(Section):
    """Clients of the gateway."""

    gateway_url: HttpUrl = Field(
        "http://127.0.0.1:8000",
        description="Address of the gateway that `pokewatch mcp` calls.",
    )
    api_key: SecretStr | None = Field(None, description="API key that `pokewatch mcp` sends.")
