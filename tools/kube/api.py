"""A look at the API server that costs little: polling with kubectl would take the machines' processors."""

import http.client
import json
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Self

from tools.lab.fault import LabFault

Object = dict[str, Any]
NAMESPACE: Final = "/api/v1/namespaces/default"
CLAIMS: Final = f"{NAMESPACE}/persistentvolumeclaims"
PODS: Final = f"{NAMESPACE}/pods"
EVENTS: Final = f"{NAMESPACE}/events"
VOLUMES: Final = "/api/v1/persistentvolumes"
NODES: Final = "/api/v1/nodes"
POLL: Final = 0.2  # seconds
OK: Final = 200
MISSING: Final = 404


class Api:
    """Reads objects as the cluster's administrator, over one connection; for one thread."""

    def __init__(self, port: int, pki: Path) -> None:
        context = ssl.create_default_context(cafile=str(pki / "ca.crt"))
        context.load_cert_chain(pki / "admin.crt", pki / "admin.key")
        self._connection = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=30)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._connection.close()

    def get(self, path: str) -> Object | None:
        """Return an object or a list, None when there is none of that name."""
        try:
            self._connection.request("GET", path)
            answer = self._connection.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            raise
        if answer.status == MISSING:
            return None
        if answer.status != OK:
            raise LabFault("kube-api", f"{path}: {answer.status} {body[-2000:].decode(errors='replace')}")
        found: Object = json.loads(body)
        return found

    def patch_status(self, path: str, status: Object) -> None:
        """Merge fields into an object's status, as its controller may."""
        body = json.dumps({"status": status})
        header = {"Content-Type": "application/merge-patch+json"}
        self._connection.request("PATCH", f"{path}/status", body, header)
        answer = self._connection.getresponse()
        said = answer.read()
        if answer.status != OK:
            raise LabFault(
                "kube-api", f"{path}/status: {answer.status} {said[-2000:].decode(errors='replace')}"
            )

    def answers(self, path: str) -> bool:
        """Whether the path is answered with 200, whatever the body; one try of at most 30 s."""
        try:
            self._connection.request("GET", path)
            answer = self._connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            return False
        return answer.status == OK

    def items(self, path: str) -> list[Object]:
        """Return the objects of a list."""
        found = self.get(path)
        return list(found["items"]) if found else []

    def until(self, path: str, met: Callable[[Object | None], bool], seconds: float, what: str) -> None:
        """Poll an object until `met` of it; raises LabFault with `what` after `seconds`."""
        deadline = time.monotonic() + seconds
        while not met(found := self.get(path)):
            if time.monotonic() > deadline:
                state = json.dumps((found or {}).get("status"), indent=1)
                raise LabFault("kube-wait", f"not within {seconds:.0f} s: {what}; status {state}")
            time.sleep(POLL)


def condition(found: Object | None, kind: str) -> bool:
    """Whether a node's or a pod's condition of that kind is true."""
    conditions = (found or {}).get("status", {}).get("conditions", [])
    return any(one["type"] == kind and one["status"] == "True" for one in conditions)


def phase(found: Object | None) -> str:
    """Return a claim's, a volume's or a pod's phase, "" when it is not there."""
    return str((found or {}).get("status", {}).get("phase", ""))
