"""Who works: of several provisioners the one that holds the Lease (coordination.k8s.io).

No clock of another host is believed. A lease has run out when nobody was seen to renew it for its duration,
by the time that passed here. One that waits looks every 15 s only; so the holder writes, beside the usual
time, what its own steady clock (CLOCK_MONOTONIC, which nobody sets) showed at the renewal: the difference
between two renewals, counted from when the first of them was seen here, is when the second one was at the
latest.
"""

from __future__ import annotations

import datetime
import logging
import math
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from provisioner.cluster import Away, Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from provisioner.cluster import Cluster, Object

LEASE_SECONDS = 15.0
RENEW_SECONDS = 5.0
RENEW_DEADLINE = 10.0  # without a renewal for so long the work is given up, before another one begins
RETRY_SECONDS = 2.0
GROUP = "coordination.k8s.io"
VERSIONS = ("v1", "v1beta1")  # from Kubernetes 1.14 on, from 1.12 to 1.21; a lease is one in both
STEADY = "inspur.com/renewed-at"  # annotation: seconds of the holder's steady clock
_LOG = logging.getLogger(__name__)


def leases(namespace: str, version: str = VERSIONS[0]) -> str:
    """Return the API path of the leases of a namespace."""
    return f"/apis/{GROUP}/{version}/namespaces/{namespace}/leases"


@dataclass(frozen=True)
class Sight:
    """Another one's lease as it was seen here, in seconds of our steady clock."""

    holder: str
    told: tuple[str, str]  # when it was renewed, by the holder's two clocks: compared, not believed
    seen: float  # when it was first seen so
    renewed: float  # when it was renewed at the latest

    @classmethod
    def of(cls, found: Object, last: Sight | None, now: float) -> Sight:
        """Return what a lease shows now; the one before when nobody has renewed it since."""
        spec = found.get("spec") or {}
        holder = str(spec.get("holderIdentity") or "")
        told = (str(spec.get("renewTime")), _note(found))
        if last is None or last.holder != holder:
            return cls(holder, told, now, now)
        if last.told == told:
            return last
        passed = _seconds(told[1]) - _seconds(last.told[1])  # not a number, when one of them is none
        return cls(holder, told, now, min(now, last.seen + passed) if passed > 0 else now)


class Lease:
    """The lease `name` in `namespace`, held or wanted by `identity`.

    Two that work at once do no harm, since array and API server refuse what was done already.
    """

    def __init__(
        self,
        cluster: Cluster,
        namespace: str,
        name: str,
        identity: str,
        clock: Callable[[], float] = time.monotonic,
        date: Callable[[], datetime.datetime] = lambda: datetime.datetime.now(datetime.UTC),
    ) -> None:
        self._cluster = cluster
        self._clock, self._date = clock, date
        self._version = VERSIONS[0]
        self._metadata = {"name": name, "namespace": namespace}
        self._identity = identity
        self._last: Sight | None = None  # another one's
        self._ours: Object | None = None  # the lease as the server stored it when we last wrote it
        self._stored = math.nan  # what our steady clock showed at that renewal
        self.alone = False  # the cluster has no leases: nobody else can be seen
        self.past = False  # our last renewal is not there any more: etcd was restored

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
                return self._elsewhere(refusal)
            raise

    def _elsewhere(self, refusal: Refusal) -> float:
        """Take the version of leases that the server has; 0 when it says itself that it has none at all.

        The 404 alone says nothing: a proxy before the server may send it as well.
        """
        versions = self._cluster.versions(GROUP)
        if not versions:
            self.alone = True
            _LOG.warning(
                "This cluster has no leases (%s): this provisioner works without looking for another one. "
                "Do not start a second one.", GROUP,
            )  # fmt: skip
            return 0.0
        found = next((one for one in VERSIONS if one in versions), self._version)
        if found == self._version:
            raise refusal
        _LOG.info("Leases are %s/%s here", GROUP, found)
        self._version = found
        return RETRY_SECONDS

    @property
    def another(self) -> str:
        """Return who else held it when it was last read, "" since it was last written as ours."""
        return self._last.holder if self._last else ""

    @property
    def _kinds(self) -> str:
        return leases(self._metadata["namespace"], self._version)

    @property
    def _path(self) -> str:
        return f"{self._kinds}/{self._metadata['name']}"

    def mend(self, error: Exception) -> str:
        """Return what to add to a refusal for lack of rights, "" for other errors."""
        if not isinstance(error, Refusal) or error.status != 403:
            return ""
        name = self._metadata["name"]
        return f" (the Role of deploy/provisioner-rbac.yaml must name this lease: resourceNames: [{name}])"

    def release(self) -> None:
        """Let another one work at once."""
        self._stored = math.nan
        try:
            found = None if self.alone else self._cluster.get(self._path)
            if found is not None and found["spec"].get("holderIdentity") == self._identity:
                found["spec"] |= {"holderIdentity": "", "leaseDurationSeconds": 1}
                self._cluster.replace(self._path, found)
        except (Away, Refusal) as error:
            _LOG.warning("The lease is not released, it runs out in %.0f s: %s", LEASE_SECONDS, error)

    def _take(self, found: Object | None) -> float:
        holder = ((found or {}).get("spec") or {}).get("holderIdentity") or ""
        if found and holder and holder != self._identity:
            self._stored = math.nan
            if (left := self._left(found)) > 0:
                return left
        if not math.isnan(self._stored) and not (found and _steady(found) >= self._stored):
            self.past, self._stored = True, math.nan
            return RETRY_SECONDS
        if found is None:
            body = {"apiVersion": f"{GROUP}/{self._version}", "kind": "Lease", "metadata": self._metadata}
            return self._written(self._cluster.create(self._kinds, self._signed(body)))
        return self._written(self._cluster.replace(self._path, self._signed(found)))

    def _written(self, stored: Object) -> float:
        self._ours, self._last, self._stored, self.past = stored, None, _steady(stored), False
        return 0.0

    def _left(self, found: Object) -> float:
        """Return the seconds after which to look again at another one's lease, 0 when it has run out."""
        now, last = self._clock(), self._last
        self._last = sight = Sight.of(found, last, now)
        first = last is None or last.holder != sight.holder
        if first:
            _LOG.info("%s works; this provisioner waits", sight.holder)
        spec = found["spec"]
        duration = float(spec.get("leaseDurationSeconds") or LEASE_SECONDS)
        left = max(0.0, sight.renewed + duration - now)
        return min(left, _best_moment(spec, self._date(), RENEW_SECONDS if first else LEASE_SECONDS))

    def _signed(self, found: Object) -> Object:
        """Return the lease as ours, renewed now."""
        metadata = found["metadata"]
        notes = (metadata.get("annotations") or {}) | {STEADY: f"{self._clock():.3f}"}
        spec = self._spec(self._date(), found.get("spec") or {})
        return found | {"metadata": metadata | {"annotations": notes}, "spec": spec}

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


def _best_moment(spec: Object, now: datetime.datetime, seconds: float) -> float:
    """Return when to look again so as to see a renewal that is about to come, at most `seconds` from now.

    This alone goes by the other one's clock: if that is wrong, a renewal is seen later after it was made.
    """
    try:
        age = now - datetime.datetime.fromisoformat(str(spec["renewTime"]))
        left = seconds - age.total_seconds()
    except (KeyError, ValueError, TypeError, OverflowError):
        return seconds
    return left if max(0.0, seconds - RENEW_DEADLINE) < left < seconds else seconds


def _note(found: Object) -> str:
    return str((found["metadata"].get("annotations") or {}).get(STEADY))


def _steady(found: Object) -> float:
    return _seconds(_note(found))


def _seconds(text: str) -> float:
    return float(text) if re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,9})?", text, re.ASCII) else math.nan
