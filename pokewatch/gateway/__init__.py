"""The HTTP gateway: authentication, limits, and an API in front of the model server."""
