"""How this program shows the API server who it is: from a kubeconfig, or from the account of its pod."""

from __future__ import annotations

import datetime
import logging
import ssl
import threading
import time
from typing import TYPE_CHECKING, Any

import urllib3
from kubernetes.client.api_client import ApiClient
from kubernetes.client.configuration import Configuration
from kubernetes.config import ConfigException, load_incluster_config
from kubernetes.config.dateutil import parse_rfc3339
from kubernetes.config.kube_config import FileOrData, KubeConfigLoader, KubeConfigMerger

from instorage.wire.fault import Code, Fault
from provisioner.exec_plugin import ExecPlugin

if TYPE_CHECKING:
    from pathlib import Path

REST_SECONDS = (
    30.0  # between two runs of a plugin whose tokens last for less than five minutes, or that fails
)
_PAST = datetime.datetime.min.replace(tzinfo=datetime.UTC)
_LOG = logging.getLogger(__name__)
_Library: Any = KubeConfigLoader  # which has no types
_ABSENT = (ssl.SSLError, urllib3.exceptions.SSLError, FileNotFoundError, PermissionError)


class Access:
    """The client with the credentials of now, of which `connections` may be used at once. Thread-safe.

    `Fault` when there are none to be read. A plugin that fails is no reason not to begin: without its
    credentials the server refuses, and it is run again.
    """

    def __init__(self, kubeconfig: Path | None, *, insecure: bool, connections: int) -> None:
        self._kubeconfig = kubeconfig
        self._insecure = insecure
        self._connections = connections
        self._guard = threading.Lock()
        self._plugin = ExecPlugin()
        try:
            self.client = self._connected(self._plugin)
        except Fault as fault:
            if fault.code is not Code.CREDENTIAL_PLUGIN:
                raise
            _LOG.warning("%s", fault.sentence)
            self.client = self._connected(None)

    def renewed(self, client: ApiClient) -> ApiClient:
        """Read the credentials again, unless another thread has: they are exchanged while this runs."""
        with self._guard:
            if self.client is client:
                self.client = self._connected(self._plugin)
            return self.client

    def _connected(self, plugin: ExecPlugin | None) -> ApiClient:
        """Read the credentials; nothing is asked of the server yet.

        Whatever is wrong with them is a `Fault`: the client's library raises as its parsers do (seen:
        YAMLError, AttributeError, TypeError), and what an administrator wrote must not end a thread.
        """
        configuration = Configuration()
        try:
            if self._kubeconfig is None:
                load_incluster_config(client_configuration=configuration)
            else:
                _Loader(self._kubeconfig, plugin).load_and_set(configuration)
            if self._insecure:
                configuration.verify_ssl = False
                urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)  # one for each request
            configuration.connection_pool_maxsize = self._connections
            configuration.retries = 0  # what may be repeated is decided by the caller
            return ApiClient(configuration)
        except Fault:
            raise
        except Exception as error:
            place = self._kubeconfig or "the service account of this pod"
            raise Fault(
                Code.BAD_CONFIGURATION,
                f"The access to Kubernetes cannot be read from {place} ({reason(error)}): name a kubeconfig "
                "with -kubeconfig, or run in a pod.",
            ) from error


class _Loader(_Library):  # type: ignore[misc]
    """The library's, but for its way with exec plugins (exec_plugin.py). Without `plugin` none is run."""

    def __init__(self, kubeconfig: Path, plugin: ExecPlugin | None) -> None:
        found = KubeConfigMerger(str(kubeconfig)).config
        if found is None:
            raise ConfigException("there is no such file")
        super().__init__(config_dict=found, config_base_path=None)  # paths are meant from the file
        self._plugin = plugin
        self._rests = 0.0  # until then (monotonic) a token that is good is not asked for anew

    def _load_from_exec_plugin(self) -> bool:
        """Give the plugin's credentials, when they are read, and again five minutes before a token ends."""
        if "exec" not in self._user or self._plugin is None:
            return False
        good = getattr(self, "expiry", _PAST) > datetime.datetime.now(datetime.UTC)
        if good and time.monotonic() < self._rests:
            return True
        self._rests = time.monotonic() + REST_SECONDS
        directory = self._get_base_path(self._cluster.path)
        try:
            status = self._plugin.status(self._user["exec"].value, directory, self._cluster.value)
        except Fault as fault:
            if not good:
                raise
            _LOG.warning("%s The token of before is good until %s.", fault.sentence, self.expiry)
            return True
        self._take(status, directory)
        return True

    def _take(self, status: dict[str, Any], directory: str) -> None:
        if status.get("expirationTimestamp"):
            self.expiry = parse_rfc3339(status["expirationTimestamp"])
        if status.get("token"):
            self.token = f"Bearer {status['token']}"
            return
        for ours, theirs in (("cert_file", "clientCertificateData"), ("key_file", "clientKeyData")):
            data = FileOrData(
                status, None, data_key_name=theirs, file_base_path=directory, base64_file_content=False
            )
            setattr(self, ours, data.as_file())


def authority(configuration: Configuration) -> dict[str, str]:
    """Return the header that says who asks; a token is read again here when its time is over.

    `ConfigException` when that cannot be done just now, whatever the library raises then.
    """
    try:
        bearer = configuration.auth_settings().get("BearerToken")
    except Exception as error:
        raise ConfigException(f"the token cannot be read again: {reason(error)}") from error
    return {bearer["key"]: bearer["value"]} if bearer and bearer["value"] else {}


def refused(status: int, configuration: Configuration) -> bool:
    """Say whether the server does not know who asks: other credentials may help.

    One that admits strangers answers 403 to them, not 401; this program is one when its exec plugin failed
    at the start.
    """
    return status == 401 or (status == 403 and not authority(configuration) and not configuration.cert_file)


def outdated(error: BaseException) -> bool:
    """Say whether it was a certificate that failed, or that its file is gone.

    Certificates inside a kubeconfig are kept by the client's library as files in /tmp, which age there.
    """
    inner: BaseException | None = error
    for _ in range(8):  # as deep as libraries nest their errors
        if inner is None or isinstance(inner, _ABSENT):
            break
        shown = getattr(inner, "reason", None)
        inner = shown if isinstance(shown, BaseException) else inner.__cause__ or inner.__context__
    return isinstance(inner, _ABSENT)


def reason(error: BaseException) -> str:
    """Return one line for people, without the chain of nested library errors."""
    inner = getattr(error, "reason", None)
    text = str(inner if isinstance(inner, Exception) else error) or type(error).__name__
    if "object at 0x" in text:
        text = text.rpartition(": ")[2]
    return " ".join(text.split())[:300]
