"""Configurations of a real nginx, which write only to a folder."""

from pathlib import Path

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
