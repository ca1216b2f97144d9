"""This node's own access to the API server: the kubeconfig of its kubelet, for its own Node object alone.

Root reads it; the connection is made by the agent's user. Certificates, tokens and files of both are taken;
a program (`exec`) is not started.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import http.client
import itertools
import json
import os
import re
import ssl
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from instorage.wire.fault import Code, Fault

if TYPE_CHECKING:
    from collections.abc import Iterator

PLACES = (
    "/etc/kubernetes/kubelet.conf",
    "/var/lib/kubelet/kubeconfig",
    "/var/lib/rancher/k3s/agent/kubelet.kubeconfig",
    "/var/lib/rancher/rke2/agent/kubelet.kubeconfig",
)
"""Of kubeadm, of many by hand, of k3s and of RKE2; else what kubelet was started with counts.

INSTORAGE_KUBELET_KUBECONFIG names another.
"""
_GROUP = "/system.slice/kubelet.service"
SECONDS = 20.0
_MERGE = "application/merge-patch+json"
_LIMIT = 4 << 20  # bytes of an answer


@dataclass(frozen=True)
class Access:
    """Where the API server is, and how it knows this node; `token` is a secret, or empty."""

    host: str
    port: int
    context: ssl.SSLContext
    token: str = ""

    def __repr__(self) -> str:
        return f"Access({self.host}:{self.port})"

    def annotations(self, node: str) -> dict[str, str]:
        """Return the annotations of this node's object; Fault as `patch`."""
        found = self._call("GET", node, None)
        return dict((found.get("metadata") or {}).get("annotations") or {})

    def annotate(self, node: str, key: str, value: str) -> None:
        """Write one annotation of this node's object.

        `Fault(NOT_ALLOWED)`: the API server refuses it; TIMEOUT, PROTOCOL: it does not answer, or not so.
        """
        self._call("PATCH", node, {"metadata": {"annotations": {key: value}}})

    def _call(self, method: str, node: str, body: dict[str, Any] | None) -> dict[str, Any]:
        where = f"https://{self.host}:{self.port}"
        connection = http.client.HTTPSConnection(self.host, self.port, timeout=SECONDS, context=self.context)
        headers = {"Accept": "application/json"}
        headers |= {"Authorization": f"Bearer {self.token}"} if self.token else {}
        headers |= {"Content-Type": _MERGE} if body else {}
        try:
            connection.request(method, f"/api/v1/nodes/{node}", json.dumps(body) if body else None, headers)
            answer = connection.getresponse()
            text = answer.read(_LIMIT)
        except (OSError, http.client.HTTPException) as error:
            raise Fault(
                Code.TIMEOUT, f"The API server {where} does not answer ({error}).", server=where
            ) from None
        finally:
            connection.close()
        if answer.status != 200:
            sentence = f"The API server {where} refuses {method} of node {node} (status {answer.status})."
            raise Fault(Code.NOT_ALLOWED, sentence, server=where, http=answer.status)
        try:
            return dict(json.loads(text))
        except (ValueError, TypeError):
            raise Fault(Code.PROTOCOL, f"The API server {where} answers what is no object.") from None


def file(proc: Path = Path("/proc")) -> Path | None:
    """Return the kubeconfig of this node's kubelet, None when there is none in a known place."""
    named = os.environ.get("INSTORAGE_KUBELET_KUBECONFIG", "")
    places = iter((named,)) if named else itertools.chain(PLACES, _told(proc))
    return next((Path(one) for one in places if Path(one).is_file()), None)


def _told(proc: Path) -> Iterator[str]:
    """Yield the --kubeconfig of the kubelet that systemd runs: name and words are anybody's, not its group.

    Nor is it enough that root runs it: sudo does, too, under a name and with words of who calls it, and
    what a kubeconfig names root reads and sends. The words of no other process are read: the kernel looks
    for them in its memory, and who reads those of one that hangs may hang with it.
    """
    for process in proc.glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended, or is hidden
            groups = (process / "cgroup").read_text().splitlines()
            if not any(group.endswith(f":{_GROUP}") for group in groups):
                continue
            words = (process / "cmdline").read_bytes().decode(errors="replace")
            if Path(words.partition("\0")[0]).name == "kubelet":
                yield from re.findall(r"\0--?kubeconfig[=\0]([^\0]+)", words)


def read(path: Path) -> Access:
    """Take a kubeconfig, and load what it names; `Fault(BAD_CONFIGURATION)` names what is wrong in it."""
    import yaml

    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
        context = _named(found, "contexts", "context", found["current-context"])
        cluster = _named(found, "clusters", "cluster", context["cluster"])
        user = _named(found, "users", "user", context["user"])
        server = urlsplit(str(cluster["server"]))
        if server.scheme != "https" or not server.hostname:
            raise ValueError(f"server {server.geturl()[:80]} is not https")
        tls = _tls(path, cluster, user)
        return Access(server.hostname, server.port or 443, tls, _token(path, user))
    except (OSError, ValueError, LookupError, TypeError, yaml.YAMLError) as error:
        text = f"{path} cannot be used: {type(error).__name__}: {_one_line(error)}."
        raise Fault(Code.BAD_CONFIGURATION, text, file=str(path)) from None


def _one_line(error: Exception) -> str:
    """Return what may be said of an error: never a part of the file, which holds keys."""
    if isinstance(error, OSError):
        return f"{error.filename or 'a certificate or key'}: {error.strerror or 'cannot be loaded'}"
    return str(error)[:120] if type(error) in (ValueError, LookupError) else "it is not as a kubeconfig is"


def _named(found: dict[str, Any], kind: str, key: str, name: str) -> dict[str, Any]:
    for one in found[kind]:
        if one["name"] == name:
            return dict(one[key])
    raise LookupError(f"{kind} has none that is named {str(name)[:80]}")


def _tls(path: Path, cluster: dict[str, Any], user: dict[str, Any]) -> ssl.SSLContext:
    authority = _decoded(cluster.get("certificate-authority-data"))
    where = cluster.get("certificate-authority")
    context = ssl.create_default_context(
        cafile=str(path.parent / where) if where and not authority else None, cadata=authority or None
    )
    certificate, key = user.get("client-certificate"), user.get("client-key")
    if certificate and key:
        context.load_cert_chain(path.parent / certificate, path.parent / key)
    elif user.get("client-certificate-data"):
        with tempfile.TemporaryDirectory() as folder:  # 0700; ssl takes files alone
            for name in ("certificate", "key"):
                (Path(folder) / name).write_text(_decoded(user.get(f"client-{name}-data")))
            context.load_cert_chain(Path(folder) / "certificate", Path(folder) / "key")
    elif not (user.get("token") or user.get("tokenFile")):
        raise ValueError("the user has neither a certificate nor a token")
    return context


def _token(path: Path, user: dict[str, Any]) -> str:
    if user.get("tokenFile"):
        return (path.parent / str(user["tokenFile"])).read_text(encoding="utf-8").strip()
    return str(user.get("token") or "")


def _decoded(data: object) -> str:
    try:
        return base64.b64decode(str(data), validate=True).decode() if data else ""
    except (binascii.Error, UnicodeDecodeError):
        raise ValueError("a …-data is not base64 of PEM") from None
