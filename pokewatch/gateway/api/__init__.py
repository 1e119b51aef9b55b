"""The endpoints of the API, their schemas and the OpenAPI document."""
