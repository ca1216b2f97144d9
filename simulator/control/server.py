"""The control socket's server: a thread for each client, one JSON line in, one out."""

import json
import socketserver
import threading
from pathlib import Path
from typing import Any, cast

from simulator.control.verbs import Verbs
from simulator.dataplane.plane import DataPlaneError

STOP_POLL = 0.01  # seconds until a stop is noticed


class _Handler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        server = cast("ControlServer", self.server)
        for line in self.rfile:
            reply = server.reply(line)
            self.wfile.write(json.dumps(reply).encode() + b"\n")


class ControlServer(socketserver.ThreadingUnixStreamServer):
    """Listens on a unix socket from its creation until `stop`."""

    daemon_threads = True

    def __init__(self, path: Path, verbs: Verbs) -> None:
        path.unlink(missing_ok=True)
        super().__init__(str(path), _Handler)
        path.chmod(0o600)
        self._verbs = verbs
        threading.Thread(target=self.serve_forever, args=(STOP_POLL,), daemon=True).start()

    def reply(self, line: bytes) -> dict[str, Any]:
        """Obey one order; errors become replies."""
        try:
            order = json.loads(line)
            if not isinstance(order, dict):
                raise ValueError("an order is a JSON object")
            return {"ok": True, "result": self._verbs.obey(order)}
        except (KeyError, TypeError, ValueError, DataPlaneError) as error:
            return {"ok": False, "error": str(error)}

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401
        """Say nothing: a client that went away is no error."""

    def stop(self) -> None:
        """Stop listening."""
        self.shutdown()
        self.server_close()
