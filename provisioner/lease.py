"""Who works: of several provisioners the one that holds the Lease (coordination.k8s.io/v1)."""

from __future__ import annotations

import datetime
import logging
from typing import TYPE_CHECKING, Any

from provisioner.cluster import LEASES, Away, Refusal

if TYPE_CHECKING:
    from provisioner.cluster import Cluster, Object

LEASE_SECONDS = 15.0
RENEW_SECONDS = 5.0
RENEW_DEADLINE = 10.0  # without a renewal for so long the work is given up, before another one begins
RETRY_SECONDS = 2.0
_LOG = logging.getLogger(__name__)


class Lease:
    """The lease `name` in `namespace`, held or wanted by `identity`.

    Expiry goes by the renewal time in the lease, so the clocks of the hosts must agree within a few seconds;
    two that work at once do no harm, since array and API server refuse what was done already.
    """

    def __init__(self, cluster: Cluster, namespace: str, name: str, identity: str) -> None:
        self._cluster = cluster
        self._kinds = LEASES.format(namespace)
        self._path = f"{self._kinds}/{name}"
        self._metadata = {"name": name, "namespace": namespace}
        self._identity = identity
        self._holder = ""
        self._ours: Object | None = None  # the lease as the server stored it when we last wrote it
        self.alone = False  # the cluster has no leases: nobody else can be seen

    def take(self) -> float:
        """Take or renew the lease if it is free or ours; return 0 then, else the seconds until it runs out.

        `Away`, and `Refusal` (rights are missing).
        """
        if self.alone:
            return 0.0
        # Renewing is one request: the lease is read again only when it is no longer as we left it.
        ours, self._ours = self._ours, None
        try:
            return self._take(ours or self._cluster.get(self._path))
        except Refusal as refusal:
            if refusal.status == 409 or (ours and refusal.status == 404):  # somebody changed or removed it
                return RETRY_SECONDS
            if refusal.status == 404 and not refusal.served:
                self.alone = True
                _LOG.warning(
                    "This cluster has no leases (coordination.k8s.io/v1): this provisioner works without "
                    "looking for another one. Do not start a second one."
                )
                return 0.0
            raise

    def release(self) -> None:
        """Let another one work at once."""
        try:
            found = None if self.alone else self._cluster.get(self._path)
            if found is not None and found["spec"].get("holderIdentity") == self._identity:
                found["spec"] |= {"holderIdentity": "", "leaseDurationSeconds": 1}
                self._cluster.replace(self._path, found)
        except (Away, Refusal) as error:
            _LOG.warning("The lease is not released, it runs out in %.0f s: %s", LEASE_SECONDS, error)

    def _take(self, found: Object | None) -> float:
        now = datetime.datetime.now(datetime.UTC)
        if found is None:
            body = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": self._metadata}
            self._ours = self._cluster.create(self._kinds, body | {"spec": self._spec(now, {})})
            return 0.0
        spec = found.get("spec") or {}
        holder = spec.get("holderIdentity") or ""
        left = _left(spec, now)
        if holder and holder != self._identity and left > 0:
            if holder != self._holder:
                _LOG.info("%s works; this provisioner waits", holder)
            self._holder = holder
            return left
        self._ours = self._cluster.replace(self._path, found | {"spec": self._spec(now, spec)})
        return 0.0

    def _spec(self, now: datetime.datetime, old: Object) -> dict[str, Any]:
        text = now.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        ours = old.get("holderIdentity") == self._identity
        return {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": int(LEASE_SECONDS),
            "acquireTime": old.get("acquireTime", text) if ours else text,
            "renewTime": text,
            "leaseTransitions": int(old.get("leaseTransitions") or 0) + (0 if ours or not old else 1),
        }


def _left(spec: Object, now: datetime.datetime) -> float:
    """Return the seconds until a lease runs out, at most its duration whatever the other clock says."""
    try:
        renewed = datetime.datetime.fromisoformat(str(spec.get("renewTime")))
    except ValueError:
        return 0.0
    duration = float(spec.get("leaseDurationSeconds") or LEASE_SECONDS)
    return min(duration, duration - (now - renewed).total_seconds())
