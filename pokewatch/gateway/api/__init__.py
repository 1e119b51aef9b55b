"""The routes: one module a group of them, their schemas and the OpenAPI document."""
