"""Deploys reach real MLServers: those of the serving tests."""

from tests.serving.conftest import book, server

__all__ = ["book", "server"]
