"""The script of the manifest that creates the database of the watches, on a real PostgreSQL."""

import os
import subprocess

import psycopg
import pytest
from sqlalchemy.engine import make_url

from pokewatch.watches.database import WatchDatabase
from pokewatch.watches.store import WatchStore
from tests.k8s.rendering import K8S
from tests.postgres import running as running_postgres
from tests.tools import require_tool


def test_the_watches_have_a_role_that_cannot_reach_the_registry() -> None:
    script = (K8S / "base" / "watches.sh").read_text()
    require_tool("psql")
    with running_postgres("mlflow") as address:
        url = make_url(address)
        environment = {
            "PGHOST": str(url.host),
            "PGPORT": str(url.port),
            "POSTGRES_USER": "mlflow",
            "POSTGRES_DB": "mlflow",
            "WATCHES_PASSWORD": "it's 'quoted'",
        }
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            env=os.environ | environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        watches = url.set(username="watches", password="it's 'quoted'", database="watches")
        database = WatchDatabase(watches)
        assert WatchStore(database).list() == []
        database.close()
        with pytest.raises(psycopg.OperationalError, match="permission denied"):
            psycopg.connect(host=url.host, port=url.port, user="watches", dbname="mlflow")
