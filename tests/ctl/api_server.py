"""An API server for one node's object over TLS, which knows its kubelet by certificate or token."""

from __future__ import annotations

import base64
import http.server
import json
import ssl
import threading
from typing import TYPE_CHECKING, Any

from tools.kube.certificates import Authority

if TYPE_CHECKING:
    from pathlib import Path

TOKEN = "t0ken-s3cret"  # of a test


class ApiServer:
    """`annotations` of node1; `asked` are method, path and user of each request; `status` answers instead."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        authority = Authority(directory)
        authority.issue("server", "api", hosts=("127.0.0.1",))
        authority.issue("kubelet", "system:node:node1", ("system:nodes",))
        self.annotations: dict[str, str] = {"of": "another"}
        self.asked: list[tuple[str, str, str]] = []
        self.status = 200
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(directory / "server.crt", directory / "server.key")
        context.load_verify_locations(directory / "ca.crt")
        context.verify_mode = ssl.CERT_OPTIONAL
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self._server.server_address[1]}"

    def user(self, peer: dict[str, Any] | None, bearer: str) -> str:
        """Who asks, as Kubernetes would say it."""
        names = [
            pair[1] for part in (peer or {}).get("subject", ()) for pair in part if pair[0] == "commonName"
        ]
        return names[0] if names else ("by token" if bearer == f"Bearer {TOKEN}" else "")

    def kubeconfig(self, user: dict[str, str], **cluster: str) -> Path:
        """Write the kubelet's kubeconfig."""
        authority = cluster or {"certificate-authority": "ca.crt"}
        found = {
            "apiVersion": "v1", "kind": "Config", "current-context": "default",
            "clusters": [{"name": "c", "cluster": {"server": self.url, **authority}}],
            "contexts": [{"name": "default", "context": {"cluster": "c", "user": "u"}}],
            "users": [{"name": "u", "user": user}],
        }  # fmt: skip
        path = self.directory / "kubelet.conf"
        path.write_text(json.dumps(found))
        return path

    def data(self, name: str) -> str:
        return base64.b64encode((self.directory / name).read_bytes()).decode()


def _handler(of: ApiServer) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer()

        def do_PATCH(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if self._known() and of.status == 200:
                of.annotations |= body["metadata"]["annotations"]
            self._answer()

        def _known(self) -> str:
            assert isinstance(self.connection, ssl.SSLSocket)
            return of.user(self.connection.getpeercert(), self.headers.get("Authorization", ""))

        def _answer(self) -> None:
            of.asked.append((self.command, self.path, self._known()))
            status = of.status if self._known() else 401
            text = json.dumps({"metadata": {"name": "node1", "annotations": of.annotations}}).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler
