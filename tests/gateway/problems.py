"""Assertions about problem responses."""

from typing import Any

import httpx

REQUIRED = {"type", "title", "status", "detail", "request_id"}
ALLOWED = REQUIRED | {"errors", "near", "retry_after", "error"}


def assert_problem(response: httpx.Response, status: int, name: str) -> dict[str, Any]:
    """Assert that the response is the problem `name` with this status. Return its body."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    assert body.keys() >= REQUIRED
    assert body.keys() <= ALLOWED
    assert (body["type"], body["status"]) == (f"/docs#{name}", status)
    assert body["request_id"] == response.headers["x-request-id"]
    if status in {429, 503}:
        assert int(response.headers["retry-after"]) == body["retry_after"] >= 1
    return body
