"""A real nginx, which writes only to a folder."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.polling import eventually
from tests.tools import require_tool

_CONFIG = """\
daemon off;
{main}
error_log {folder}/nginx.log;
pid {folder}/nginx.pid;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {http}
}}
"""


def write_config(folder: Path, http: str, main: str = "") -> Path:
    """Write `nginx.conf` with these directives inside of `http` and outside; return its path."""
    path = folder / "nginx.conf"
    path.write_text(_CONFIG.format(folder=folder, http=http, main=main))
    return path


@contextmanager
def running(config: Path, url: str) -> Iterator[None]:
    """Run nginx until the gateway behind it at `url` answers, and to the end of the block."""
    require_tool("nginx")
    with subprocess.Popen(["nginx", "-c", str(config)]) as process:
        try:
            eventually(lambda: _answers(url), bool)
            yield
        finally:
            process.terminate()


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health").status_code == 200
    except httpx.TransportError:
        return False
