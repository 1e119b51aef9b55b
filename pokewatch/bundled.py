"""The flows and MLServer's model folder, which a checkout has at its top and a wheel inside."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def bundled(name: str) -> Path:
    """Return the folder `name` of this installation: "flows" or "mlserver_models"."""
    installed = _PACKAGE / "_bundled" / name
    return installed if installed.is_dir() else _PACKAGE.parent / name
