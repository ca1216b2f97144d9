"""Documents that the programs of a control plane read: kubeconfigs, the audit policy, the way to kubelets."""

from pathlib import Path
from typing import Any, Final

# what service accounts of kube-system ask for, but kube-controller-manager's own: shows which rights are used
AUDIT: Final = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [
        {"level": "None", "users": ["system:kube-controller-manager"]},
        {"level": "Metadata", "userGroups": ["system:serviceaccounts:kube-system"]},
        {"level": "None"},
    ],
}


def kubeconfig(server: str, authority: Path, user: str, login: dict[str, str]) -> dict[str, Any]:
    """Return the kubeconfig of `user`, who shows `login` (a token, or the paths of certificate and key)."""
    cluster = {"server": server, "certificate-authority": str(authority)}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": cluster}],
        "users": [{"name": user, "user": login}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": user}}],
        "current-context": "test",
    }


def way_to_kubelets(proxy: Path) -> dict[str, Any]:
    """Return what leads an API server to kubelets through an HTTP proxy's unix socket."""
    return {
        "apiVersion": "apiserver.k8s.io/v1beta1",
        "kind": "EgressSelectorConfiguration",
        "egressSelections": [
            {
                "name": "cluster",
                "connection": {
                    "proxyProtocol": "HTTPConnect",
                    "transport": {"uds": {"udsName": str(proxy)}},
                },
            }
        ],
    }
