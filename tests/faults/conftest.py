from tests.gateway.conftest import gateway, make_gateway, mlserver

__all__ = ["gateway", "make_gateway", "mlserver"]
