"""An API server that answers as a test says: refusals, silence and ends that a true one has on bad days."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qs, urlsplit

import yaml

from provisioner.cluster import Cluster

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable
    from pathlib import Path

    from provisioner.cluster import Object


@dataclass
class Answer:
    """What is sent: a document, or on a watch the events; then it is `held` open for so many seconds."""

    status: int = 200
    document: Object | None = None
    headers: dict[str, str] = field(default_factory=dict)
    events: tuple[Object, ...] = ()
    held: float = 0.0
    cut: bool = False  # the server dies in the middle of it
    text: str = ""  # no document but this: a server that does not know the kind, or something before it


@dataclass(frozen=True)
class Asked:
    """A request: when, what for, with which words and which authorization."""

    at: float
    method: str
    path: str
    words: dict[str, str]
    bearer: str

    @property
    def watch(self) -> bool:
        return "watch" in self.words

    @property
    def whole(self) -> bool:
        """Say whether it lists everything."""
        return self.method == "GET" and not self.watch and self.words.get("limit") != "1"


def status(code: int, message: str = "no", **headers: str) -> Answer:
    document = {"kind": "Status", "status": "Failure", "message": message, "reason": "x", "code": code}
    return Answer(code, document, {name.replace("_", "-"): value for name, value in headers.items()})


def listed(version: int, *objects: Object) -> Answer:
    return Answer(document={"kind": "List", "metadata": {"resourceVersion": str(version)}, "items": objects})


def named(name: str, version: int = 1, **fields: Any) -> Object:
    return {"metadata": {"name": name, "uid": f"uid-{name}", "resourceVersion": str(version)}, **fields}


class ScriptedApi:
    """`with ScriptedApi(answer) as api:` where `answer(asked)` says what each request gets."""

    def __init__(self, answer: Callable[[Asked], Answer], tls: ssl.SSLContext | None = None) -> None:
        self.asked: list[Asked] = []
        self._ended = threading.Event()
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                words = {name: values[0] for name, values in parse_qs(parts.query).items()}
                size = int(self.headers.get("content-length") or 0)
                self.rfile.read(size)
                bearer = self.headers.get("authorization", "")
                asked = Asked(time.monotonic(), self.command, parts.path, words, bearer)
                api.asked.append(asked)
                self._send(answer(asked))

            def __getattr__(self, name: str) -> Any:
                if name in ("do_POST", "do_PUT", "do_PATCH", "do_DELETE"):
                    return self.do_GET
                raise AttributeError(name)

            def _send(self, found: Answer) -> None:
                lines = [found.document] if found.document is not None else found.events
                pieces = (
                    [found.text.encode()]
                    if found.text
                    else [json.dumps(line).encode() + b"\n" for line in lines]
                )
                one = bool(found.text) or found.document is not None
                length = {"Content-Length": str(len(pieces[0]))} if one else {"Transfer-Encoding": "chunked"}
                self.send_response(found.status)
                for name, value in (length | found.headers).items():
                    self.send_header(name, value)
                self.end_headers()
                for piece in pieces:
                    self.wfile.write(piece if one else b"%x\r\n%s\r\n" % (len(piece), piece))
                self.wfile.flush()
                api._ended.wait(found.held)
                if found.cut:
                    self.close_connection = True
                elif not one:
                    self.wfile.write(b"0\r\n\r\n")

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._server.shutdown()
        self._server.server_close()

    def kubeconfig(self, path: Path, user: Object | None = None, **cluster: Any) -> Path:
        """Write the kubeconfig that reaches this server as `user`."""
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "c", "cluster": {"server": self.url, **cluster}}],
            "users": [{"name": "u", "user": user or {}}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "x",
        }
        path.write_text(yaml.safe_dump(document))
        return path

    def cluster(self, directory: Path) -> Cluster:
        return Cluster(self.kubeconfig(directory / "kubeconfig"))

    def lists(self) -> list[Asked]:
        return [asked for asked in self.asked if asked.whole]

    def watches(self) -> list[Asked]:
        return [asked for asked in self.asked if asked.watch]
