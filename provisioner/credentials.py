"""How this program shows the API server who it is: from a kubeconfig, or from the account of its pod."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import urllib3
from kubernetes.client.api_client import ApiClient
from kubernetes.client.configuration import Configuration
from kubernetes.config import ConfigException, load_incluster_config, load_kube_config

from instorage.wire.fault import Code, Fault

if TYPE_CHECKING:
    from pathlib import Path

_ABSENT = (ssl.SSLError, urllib3.exceptions.SSLError, FileNotFoundError, PermissionError)


def connected(kubeconfig: Path | None, *, insecure: bool, connections: int) -> ApiClient:
    """Read the credentials; nothing is asked of the server yet.

    Whatever is wrong with them is a `Fault`: the client's library raises as its parsers do (seen: YAMLError,
    AttributeError, TypeError), and what an administrator wrote must not end a thread.
    """
    configuration = Configuration()
    try:
        if kubeconfig is None:
            load_incluster_config(client_configuration=configuration)
        else:
            load_kube_config(str(kubeconfig), client_configuration=configuration, persist_config=False)
        if insecure:
            configuration.verify_ssl = False
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)  # one for each request
        configuration.connection_pool_maxsize = connections
        configuration.retries = 0  # what may be repeated is decided by the caller
        return ApiClient(configuration)
    except Exception as error:
        place = kubeconfig or "the service account of this pod"
        raise Fault(
            Code.BAD_CONFIGURATION,
            f"The access to Kubernetes cannot be read from {place} ({reason(error)}): name a kubeconfig "
            "with -kubeconfig, or run in a pod.",
        ) from error


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

    One that admits strangers answers 403 to them, not 401; this program is one after an exec plugin failed,
    of which the client's library only writes a line.
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
