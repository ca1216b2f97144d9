"""The Kubernetes API as this program uses it: objects as they are on the wire, one error for each outcome.

Built on the official client's credentials, transport and watches (kubeconfig, account in a pod, exec plugins,
TLS), without its models: they cost 25 MiB and a copy of each object, and drop fields newer than the client.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import urllib3
from kubernetes.client.exceptions import ApiException
from kubernetes.config import ConfigException

from instorage.wire.fault import Fault
from provisioner.credentials import Access, authority, outdated, reason, refused
from provisioner.lean import part

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from kubernetes.client.api_client import ApiClient
    from kubernetes.watch import Watch

    Hook = Callable[[dict[str, Any]], dict[str, Any]]

Object = dict[str, Any]

CLAIMS = "/api/v1/persistentvolumeclaims"
VOLUMES = "/api/v1/persistentvolumes"
CLASSES = "/apis/storage.k8s.io/v1/storageclasses"
MERGE = "application/merge-patch+json"
_CAMEL = {
    "resource_version": "resourceVersion",
    "timeout_seconds": "timeoutSeconds",
    "allow_watch_bookmarks": "allowWatchBookmarks",
}
_CONNECT, _READ = 5.0, 30.0  # seconds
SILENCE = 180.0  # s: a watch has a bookmark a minute, so that a dead connection shows
_WATCH_SECONDS, _PAGE = 1800, 500  # of a watch; objects of a list's page
# The last ones: what the libraries say of a response that another thread has ended, or that is no event.
_BROKEN = (urllib3.exceptions.HTTPError, OSError, ValueError, LookupError, AttributeError, TypeError)
_HEADERS = {"accept": "application/json", "user-agent": "instorage-provisioner"}


class Refusal(Exception):
    """The API server said no: `status` is HTTP's, the text is its sentence.

    `served` is False when it does not know this kind of object at all; `after` are the seconds for which it
    wants to be left alone (Retry-After), 0 when it does not say; `asked` is what it was asked for.
    """

    def __init__(
        self, status: int, sentence: str, *, served: bool = True, after: float = 0.0, asked: str = ""
    ) -> None:
        super().__init__(sentence)
        self.status = status
        self.served = served
        self.after = after
        self.asked = asked


class Away(Exception):
    """No answer: the request may have been carried out or not. `silent`: a watch on which nothing came."""

    def __init__(self, sentence: str, *, silent: bool = False) -> None:
        super().__init__(sentence)
        self.silent = silent


class Cluster:
    """One API server. Thread-safe; `connections` of them may be used at the same time."""

    def __init__(self, kubeconfig: Path | None, *, insecure: bool = False, connections: int = 24) -> None:
        self._access = Access(kubeconfig, insecure=insecure, connections=connections)

    @property
    def url(self) -> str:
        """Where the API server is."""
        return str(self._access.client.configuration.host)

    def get(self, path: str) -> Object | None:
        """Return an object, None when the server says that there is none."""
        try:
            return self._json("GET", path)
        except Refusal as refusal:
            if refusal.status == 404 and refusal.served:
                return None
            raise

    def objects(self, path: str, *words: tuple[str, str]) -> tuple[list[Object], str]:
        """Return all objects of a kind, `words` narrow it, and the resource version to watch from."""
        pages = list(self.pages(path, *words))
        return [found for page, _ in pages for found in page], pages[-1][1]

    def pages(self, path: str, *words: tuple[str, str]) -> Iterator[tuple[list[Object], str]]:
        """Yield page after page what `objects` returns: all of it at once is much memory."""
        query = first = [*words, ("limit", str(_PAGE))]
        while query:
            page = self._json("GET", path, query, hook=part)
            yield page.get("items") or [], _version(page, path)
            more = (page.get("metadata") or {}).get("continue")
            query = [*first, ("continue", more)] if more else []

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
            if refusal.status != 404 or not refusal.served:  # a proxy before the server may send one, too
                raise

    def versions(self, group: str) -> list[str]:
        """Return the versions of an API group that the server has, none when it has not the group."""
        groups = self._json("GET", "/apis").get("groups")
        if not isinstance(groups, list):
            raise Away("what it sent is no list of its API groups")
        return [one["version"] for found in groups if found["name"] == group for one in found["versions"]]

    def version(self, path: str) -> str:
        """Return the resource version at which the server is now with a kind of objects."""
        return _version(self._json("GET", path, [("limit", "1")]), path)

    def watch(self, watch: Watch, path: str, version: str) -> Iterator[Object]:
        """Yield changes, bookmarks included, until the server ends the watch. `Refusal` 410: list again."""
        heard = False

        def opened(**query: Any) -> urllib3.BaseHTTPResponse:  # noqa: ANN401
            del query["_preload_content"]
            words = [(_CAMEL.get(key, key), _word(value)) for key, value in query.items()]
            response = self._open("GET", path, words, silence=SILENCE)
            if response.status != 200:
                _document("watch", path, response)
            return response

        try:
            for event in watch.stream(
                opened, resource_version=version, timeout_seconds=_WATCH_SECONDS, allow_watch_bookmarks=True
            ):
                if not isinstance(event, dict) or not isinstance(event.get("object"), dict):
                    raise Away("what it sent on a watch is cut off")
                heard = True
                yield event
        except ApiException as error:
            raise Refusal(error.status or 0, str(error.reason), asked=f"watch {path}") from None
        except _BROKEN as error:
            silent = not heard and isinstance(error, urllib3.exceptions.ReadTimeoutError)
            raise Away(reason(error), silent=silent) from error

    def _json(
        self, method: str, path: str, query: list[tuple[str, str]] | None = None, *,
        body: Object | None = None, content: str = "application/json", hook: Hook | None = None,
    ) -> Object:  # fmt: skip
        response = self._open(method, path, query or [], body=body, content=content)
        return _document(method, path, response, hook)

    def _open(
        self, method: str, path: str, query: list[tuple[str, str]], *,
        body: Object | None = None, content: str = "application/json", silence: float = _READ,
    ) -> urllib3.BaseHTTPResponse:  # fmt: skip
        """Send a request; with credentials read anew when the server does not take them any more."""
        client = self._access.client
        try:
            response = self._send(client, method, path, query, body, content, silence)
        except Away as away:
            if not outdated(away):
                raise
        else:
            if not refused(response.status, client.configuration):
                return response
            response.drain_conn()
        return self._send(self._renewed(client), method, path, query, body, content, silence)

    def _send(
        self, client: ApiClient, method: str, path: str, query: list[tuple[str, str]],
        body: Object | None, content: str, silence: float,
    ) -> urllib3.BaseHTTPResponse:  # fmt: skip
        # Straight to the transport: the client's own way to it took a third of a request's processor time.
        url = f"{client.configuration.host}{path}" + (f"?{urlencode(query)}" if query else "")
        try:
            return client.rest_client.pool_manager.urlopen(
                method, url, body=None if body is None else json.dumps(body),
                headers=_HEADERS | {"content-type": content} | authority(client.configuration),
                timeout=urllib3.Timeout(connect=_CONNECT, read=silence), preload_content=False,
            )  # fmt: skip
        except (ConfigException, urllib3.exceptions.HTTPError, OSError) as error:
            raise Away(reason(error)) from error

    def _renewed(self, client: ApiClient) -> ApiClient:
        """Have the credentials read again: tokens and certificates are exchanged while this runs.

        That they cannot be read just now is no end: they are written anew, or their plugin is away.
        """
        try:
            return self._access.renewed(client)
        except Fault as fault:
            raise Away(fault.sentence) from fault


def _word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _version(page: Object, path: str) -> str:
    version = (page.get("metadata") or {}).get("resourceVersion")
    if not version:
        raise Away(f"what it sent is no list of {path}")
    return str(version)


def _read(response: urllib3.BaseHTTPResponse) -> bytes:
    try:
        return response.data
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise Away(reason(error)) from error


def _document(method: str, path: str, response: urllib3.BaseHTTPResponse, hook: Hook | None = None) -> Object:
    status, raw = response.status, _read(response)
    try:
        document = json.loads(raw, object_hook=hook)
    except ValueError:
        document = None
    if 200 <= status < 300 and isinstance(document, dict):
        return document
    # a kind that the server does not have is answered by plain text, an object that is not there by a Status
    served = isinstance(document, dict)
    sentence = document.get("message") if isinstance(document, dict) else raw[:200].decode(errors="replace")
    raise Refusal(status, str(sentence), served=served, after=_after(response), asked=f"{method} {path}")


def _after(response: urllib3.BaseHTTPResponse) -> float:
    """Return the seconds of Retry-After; a date, which the API server does not send, counts as none."""
    told = str(response.headers.get("Retry-After", ""))
    return float(told) if told.isascii() and told.isdigit() else 0.0
