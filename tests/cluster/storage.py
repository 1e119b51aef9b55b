"""The S3 of the local overlay, as people reach it from outside the cluster."""

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.cluster.control_plane import ControlPlane
from tests.cluster.forwarding import forwarded
from tests.s3 import stored

NAMESPACE = "pokewatch"
SERVICE = "minio"
PORT = 9000


@dataclass(frozen=True)
class Storage:
    plane: ControlPlane

    def stored(self, bucket: str, prefix: str) -> dict[str, str]:
        """Return the objects of a bucket whose keys start with `prefix`, as text."""
        with forwarded(self.plane, NAMESPACE, SERVICE, PORT) as address:
            return stored(f"http://{address}", bucket, prefix, self._credentials())

    @contextmanager
    def environment(self) -> Iterator[dict[str, str]]:
        """Yield the environment in which Metaflow has the addresses that pods use.

        The forwarded port is their proxy here: a server takes requests for its own name as a proxy.
        """
        with forwarded(self.plane, NAMESPACE, SERVICE, PORT) as address:
            yield self._credentials() | {
                "METAFLOW_DATASTORE_SYSROOT_S3": "s3://pokewatch-metaflow/metaflow",
                "METAFLOW_S3_ENDPOINT_URL": f"http://{SERVICE}.{NAMESPACE}.svc:{PORT}",
                "http_proxy": f"http://{address}",
                "no_proxy": "127.0.0.1",
            }

    def _credentials(self) -> dict[str, str]:
        where = ("--namespace", "pokewatch-flows")
        found = self.plane.get("secret", "pokewatch-pipeline", *where)["data"]
        return {
            name: base64.b64decode(value).decode()
            for name, value in found.items()
            if name.startswith("AWS_")
        }
