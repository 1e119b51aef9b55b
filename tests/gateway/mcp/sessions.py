"""Sessions of the SDK's client."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx2
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

Json = dict[str, Any]
CALLS: dict[str, Json] = {
    "list_markets": {},
    "search_cards": {"query": "pokemon 4"},
    "fair_price": {"card": "card_4"},
    "judge_listing": {"card": "card_4", "price": 3.5, "condition": "LP", "fees": "ebay"},
    "value_collection": {
        "lines": [
            {"card_id": "card_4", "quantity": 2, "cost": 1.234},
            {"name": "Pokémon 5", "number": "005/100"},
            {"name": "Nothing like it"},
        ]
    },
    "movers": {"price": "low", "limit": 5},
    "track_record": {},
}


@asynccontextmanager
async def http_session(url: str, key: str, mode: Any = "auto") -> AsyncIterator[Client]:
    """Connect to the /mcp of a gateway."""
    async with httpx2.AsyncClient(headers={"Authorization": f"Bearer {key}"}, timeout=30) as http:
        transport = streamable_http_client(f"{url}/mcp", http_client=http)
        async with Client(transport, mode=mode, read_timeout_seconds=60) as client:
            yield client


@asynccontextmanager
async def stdio_session(command: list[str], environment: dict[str, str]) -> AsyncIterator[Client]:
    """Start a command and connect to its standard input and output."""
    parameters = StdioServerParameters(command=command[0], args=command[1:], env=environment)
    async with Client(parameters, read_timeout_seconds=60) as client:
        yield client


async def record(client: Client) -> Json:
    """Return the tools, and the answer of each to its call in CALLS."""
    listed = await client.list_tools()
    found: Json = {"tools": {tool.name: tool for tool in listed.tools}}
    for name, arguments in CALLS.items():
        result = await client.call_tool(name, arguments)
        assert not result.is_error, (name, result.content)
        found[name] = result.structured_content
    return found


async def error_of(client: Client, tool: str, arguments: Json) -> str:
    """Return the text of the error of a call that must fail."""
    result = await client.call_tool(tool, arguments)
    assert result.is_error, result
    return str(result.content[0].text)  # type: ignore[union-attr]


def run(session: Any, use: Callable[[Client], Awaitable[Any]]) -> Any:
    """Return what `use` returns, called with the client of `session`."""

    async def inside() -> Any:
        async with session as client:
            return await use(client)

    return asyncio.run(inside())
