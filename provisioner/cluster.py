"""The Kubernetes API as this program uses it: objects as they are on the wire, one error for each outcome.

Built on the official client's credentials, transport and watches (kubeconfig, account in a pod, exec plugins,
TLS), without its models: they cost 25 MiB and a copy of each object, and drop fields newer than the client.
"""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import urllib3
from kubernetes.client.api_client import ApiClient
from kubernetes.client.configuration import Configuration
from kubernetes.client.exceptions import ApiException
from kubernetes.config import ConfigException, load_incluster_config, load_kube_config

from instorage.wire.fault import Code, Fault

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kubernetes.watch import Watch

Object = dict[str, Any]

CLAIMS = "/api/v1/persistentvolumeclaims"
VOLUMES = "/api/v1/persistentvolumes"
CLASSES = "/apis/storage.k8s.io/v1/storageclasses"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/{}/leases"
MERGE = "application/merge-patch+json"
_CONNECT, _READ = 5.0, 30.0  # seconds
_SILENCE = 180.0  # s: a watch has a bookmark a minute, so that a dead connection shows
_WATCH_SECONDS = 1800
_PAGE = 500
_HEADERS = {"accept": "application/json", "user-agent": "instorage-provisioner"}


class Refusal(Exception):
    """The API server said no: `status` is HTTP's, the text is its sentence."""

    def __init__(self, status: int, sentence: str, *, served: bool = True) -> None:
        super().__init__(sentence)
        self.status = status
        self.served = served  # False: the server does not know this kind of object at all


class Away(Exception):
    """No answer: the request may have been carried out or not."""


class Cluster:
    """One API server. Thread-safe; `connections` of them may be used at the same time."""

    def __init__(self, kubeconfig: Path | None, *, insecure: bool = False, connections: int = 24) -> None:
        self._kubeconfig = kubeconfig
        self._insecure = insecure
        self._connections = connections
        self._guard = threading.Lock()
        self._client = self._connect()

    @property
    def url(self) -> str:
        """Where the API server is."""
        return str(self._client.configuration.host)

    def get(self, path: str) -> Object | None:
        """Return an object, None when the server says that there is none."""
        try:
            return self._json("GET", path)
        except Refusal as refusal:
            if refusal.status == 404 and refusal.served:
                return None
            raise

    def objects(self, path: str) -> tuple[list[Object], str]:
        """Return all objects of a kind and the resource version to watch from."""
        found: list[Object] = []
        more = ""
        while True:
            query = [("limit", str(_PAGE)), *([("continue", more)] if more else [])]
            page = self._json("GET", path, query)
            found += page.get("items") or []
            more = page["metadata"].get("continue", "")
            if not more:
                return found, page["metadata"]["resourceVersion"]

    def create(self, path: str, body: Object) -> Object:
        """Create an object."""
        return self._json("POST", path, body=body)

    def replace(self, path: str, body: Object) -> Object:
        """Replace an object, if its resource version is still the one in `body`."""
        return self._json("PUT", path, body=body)

    def patch(self, path: str, body: Object) -> Object:
        """Change an object by a JSON merge patch."""
        return self._json("PATCH", path, body=body, content=MERGE)

    def delete(self, path: str, uid: str) -> None:
        """Delete the object if it still is the one of that UID; one that is gone is no error."""
        try:
            self._json("DELETE", path, body={"preconditions": {"uid": uid}})
        except Refusal as refusal:
            if refusal.status != 404:
                raise

    def watch(self, watch: Watch, path: str, version: str) -> Iterator[Object]:
        """Yield changes, bookmarks included, until the server ends the watch. `Refusal` 410: list again."""

        def opened(**query: Any) -> urllib3.BaseHTTPResponse:  # noqa: ANN401
            del query["_preload_content"]
            words = [(_CAMEL.get(key, key), _word(value)) for key, value in query.items()]
            return self._open("GET", path, words, silence=_SILENCE)

        try:
            yield from watch.stream(
                opened, resource_version=version, timeout_seconds=_WATCH_SECONDS, allow_watch_bookmarks=True
            )
        except ApiException as refused:
            raise Refusal(refused.status or 0, str(refused.reason)) from None
        except (urllib3.exceptions.HTTPError, OSError, ValueError, AttributeError) as error:
            # the last two: what urllib3 says of a response that another thread has ended
            raise Away(_reason(error)) from error

    def _json(
        self, method: str, path: str, query: list[tuple[str, str]] | None = None, *,
        body: Object | None = None, content: str = "application/json",
    ) -> Object:  # fmt: skip
        response = self._open(method, path, query or [], body=body, content=content)
        try:
            raw = response.data
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise Away(_reason(error)) from error
        return _document(response.status, raw)

    def _open(
        self, method: str, path: str, query: list[tuple[str, str]], *,
        body: Object | None = None, content: str = "application/json", silence: float = _READ,
    ) -> urllib3.BaseHTTPResponse:  # fmt: skip
        """Send a request; with credentials read anew when the server does not take them any more."""
        for attempt in range(2):
            client = self._client
            response = self._send(client, method, path, query, body, content, silence)
            if response.status != 401 or attempt:
                return response
            response.drain_conn()
            self._renew(client)
        raise AssertionError("two attempts")

    def _send(
        self, client: ApiClient, method: str, path: str, query: list[tuple[str, str]],
        body: Object | None, content: str, silence: float,
    ) -> urllib3.BaseHTTPResponse:  # fmt: skip
        # Straight to the transport: the client's own way to it took a third of a request's processor time.
        url = f"{client.configuration.host}{path}" + (f"?{urlencode(query)}" if query else "")
        try:
            return client.rest_client.pool_manager.urlopen(
                method, url, body=None if body is None else json.dumps(body),
                headers=_HEADERS | {"content-type": content} | _authority(client.configuration),
                timeout=urllib3.Timeout(connect=_CONNECT, read=silence), preload_content=False,
            )  # fmt: skip
        except (ConfigException, urllib3.exceptions.HTTPError, OSError) as error:
            raise Away(_reason(error)) from error

    def _renew(self, refused: ApiClient) -> None:
        """Read the credentials again: tokens and certificates are exchanged while this runs."""
        with self._guard:
            if self._client is refused:
                self._client = self._connect()

    def _connect(self) -> ApiClient:
        configuration = Configuration()
        try:
            if self._kubeconfig is None:
                load_incluster_config(client_configuration=configuration)
            else:
                load_kube_config(
                    str(self._kubeconfig), client_configuration=configuration, persist_config=False
                )
        except (ConfigException, OSError, ValueError) as error:
            place = self._kubeconfig or "the service account of this pod"
            raise Fault(
                Code.BAD_CONFIGURATION,
                f"The access to Kubernetes cannot be read from {place} ({_reason(error)}): name a kubeconfig "
                "with -kubeconfig, or run in a pod.",
            ) from None
        if self._insecure:
            configuration.verify_ssl = False
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)  # one for each request
        configuration.connection_pool_maxsize = self._connections
        configuration.retries = 0  # what may be repeated is decided by the caller
        return ApiClient(configuration)


_CAMEL = {
    "resource_version": "resourceVersion",
    "timeout_seconds": "timeoutSeconds",
    "allow_watch_bookmarks": "allowWatchBookmarks",
}


def _authority(configuration: Configuration) -> dict[str, str]:
    """Return the header that says who asks; a token is read again here when its time is over."""
    bearer = configuration.auth_settings().get("BearerToken")
    return {bearer["key"]: bearer["value"]} if bearer and bearer["value"] else {}


def _word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _reason(error: BaseException) -> str:
    """Return one line for people, without the chain of nested library errors."""
    inner = getattr(error, "reason", None)
    text = str(inner if isinstance(inner, Exception) else error) or type(error).__name__
    return (
        " ".join(text.rpartition(": ")[2].split())[:300]
        if "object at 0x" in text
        else " ".join(text.split())[:300]
    )


def _document(status: int, raw: bytes) -> Object:
    try:
        document = json.loads(raw)
    except ValueError:
        document = None
    if 200 <= status < 300 and isinstance(document, dict):
        return document
    sentence = document.get("message") if isinstance(document, dict) else raw[:200].decode(errors="replace")
    # a kind that the server does not have is answered by plain text, an object that is not there by a Status
    raise Refusal(status, str(sentence), served=isinstance(document, dict))
