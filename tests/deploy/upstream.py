"""An HTTP server in place of MLServer."""

import json
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Upstream(ThreadingHTTPServer):
    """Answers like MLServer: a load takes `champion()`, unless the server `refuses` it.

    It cannot reach the registry for `outage`, and ends the connection for `hangs_up`. `run_id` is
    that of the registered version, where it answers with one.
    """

    def __init__(
        self,
        champion: Callable[[], str],
        refuses: str = "",
        stuck: bool = False,
        outage: str = "",
        hangs_up: str = "",
        run_id: str = "",
    ) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.champion, self.refuses, self.stuck = champion, refuses, stuck
        self.outage, self.hangs_up = outage, hangs_up
        self.run_id = run_id
        self.serving = champion()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Answers(BaseHTTPRequestHandler):
    server: Upstream

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/v2/repository/models/fair-price/load":
            version = self.server.champion()
            if version == self.server.outage:
                return self._answer(503, {"error": "the registry does not answer"})
            if version == self.server.hangs_up:
                return None
            if version == self.server.refuses:
                return self._answer(500, {"error": "fair.arrow is damaged"})
            self.server.serving = self.server.serving if self.server.stuck else version
            return self._answer(200, {})
        parameters = {"model_version": self.server.serving}
        if self.server.run_id:
            parameters["run_id"] = self.server.run_id
        return self._answer(200, {"parameters": parameters, "outputs": []})

    def do_GET(self) -> None:
        self._answer(200, {"name": "pokewatch", "version": "1.7.1", "extensions": []})

    def _answer(self, status: int, content: object) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass
