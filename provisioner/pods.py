"""The pods that wait for a claim: what is wrong with it is said on them as well, for there one looks first.

They are listed when something is wrong, and never watched. Without the right to list them nothing is lost but
that: the claim says it all the same.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from provisioner.cluster import Away, Refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provisioner.cluster import Cluster, Object

MOST = 20  # pods of one claim that are told
_PENDING = ("fieldSelector", "status.phase=Pending")
_LOG = logging.getLogger(__name__)


class Pods:
    """For one thread."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._forbidden = False

    def waiting(self, claim: Object) -> list[Object]:
        """Return the pods that are pending and use a claim; none when they cannot be listed."""
        metadata = claim["metadata"]
        namespace = metadata.get("namespace")
        if self._forbidden or not namespace:
            return []
        try:
            found, _ = self._cluster.objects(f"/api/v1/namespaces/{namespace}/pods", _PENDING)
        except Refusal as refusal:
            if refusal.status == 403:
                self._forbidden = True
                _LOG.info("Pods are not told what is wrong with their claims: listing them is not allowed")
            return []
        except Away:
            return []
        return [pod for pod in found if metadata["name"] in _claims(pod)][:MOST]


def _claims(pod: Object) -> Iterator[str]:
    """Yield the names of the claims that a pod uses; a pod is anybody's, and may be strange."""
    spec = pod.get("spec")
    volumes = spec.get("volumes") if isinstance(spec, dict) else None
    for volume in volumes if isinstance(volumes, list) else ():
        source = volume.get("persistentVolumeClaim") if isinstance(volume, dict) else None
        if isinstance(source, dict):
            yield str(source.get("claimName"))
