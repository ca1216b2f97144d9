"""A claim that names a PV which it does not get: restored from a backup, or its PV is. Says how to bind it.

kube-controller-manager calls such a claim Lost, or lets it wait without a word.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from instorage.tenancy.grant import NAMESPACE_OPTION
from instorage.wire.fault import Code, Fault
from provisioner.claims import PROVISIONER_NOTES, claim_at, notes
from provisioner.cluster import VOLUMES
from provisioner.persistent_volume import bind_again, claim_path, home, is_ours, options

if TYPE_CHECKING:
    from provisioner.cluster import Cluster, Object


class Rebinding:
    """Looks at claims that name a PV and are not bound; binds nothing itself."""

    def __init__(self, cluster: Cluster, provisioner: str) -> None:
        self._cluster = cluster
        self._provisioner = provisioner

    def concerns(self, claim: Object) -> bool:
        """Say whether a claim names a PV and is not bound to it, by the copy of it here."""
        phase = (claim.get("status") or {}).get("phase")
        return bool(claim["spec"].get("volumeName")) and phase in ("Pending", "Lost")

    def run(self, claim: Object, volume: Object | None) -> None:
        """Raise a `Fault` that says what keeps the claim from its PV, while something does.

        `volume`: the copy of the PV here; the API server is asked only if that does not settle it.
        """
        if volume is not None and (_is_of(volume, claim) or not is_ours(volume, self._provisioner)):
            return
        name, metadata = claim["spec"]["volumeName"], claim["metadata"]
        now = self._cluster.get(claim_at(metadata["namespace"], metadata["name"]))
        if now is None or now["metadata"]["uid"] != metadata["uid"] or not self.concerns(now):
            return
        there = self._cluster.get(f"{VOLUMES}/{name}")
        if there is None:
            self._missing(now, name)
        elif is_ours(there, self._provisioner) and not _is_of(there, now):
            raise self._anothers(now, there)

    def _missing(self, claim: Object, name: str) -> None:
        if any(notes(claim).get(note) == self._provisioner for note in PROVISIONER_NOTES):
            raise Fault(
                Code.VOLUME_MISSING,
                f"The claim names PV {name}, which is not there: restore that PV as well, or make the claim "
                "anew without volumeName, for a new and empty volume.",
                volume=name,
            )

    def _anothers(self, claim: Object, volume: Object) -> Fault:
        name, path = volume["metadata"]["name"], claim_path(volume)
        reference = volume["spec"]["claimRef"]
        owner = self._cluster.get(path) if path else None
        named = "/".join(str(reference.get(key) or "?") for key in ("namespace", "name"))
        whose = f"{named} (UID {reference.get('uid') or 'none'})"
        if owner is not None and owner["metadata"]["uid"] == reference.get("uid"):
            sentence = (
                f"PV {name}, which this claim names, is that of claim {whose}, which is there: name another."
            )
            return Fault(Code.NOT_OURS, sentence, volume=name)
        if home(volume) != claim["metadata"]["namespace"]:
            sentence = (
                f"PV {name}, which this claim names, belonged to claim {whose}, which is gone. This claim is "
                f"of another namespace than {home(volume) or '?'}, where the data is from, and is not bound "
                "to it; the volume is kept while this claim is there."
            )
            return Fault(Code.NOT_OURS, sentence, volume=name)
        sentence = (
            f"PV {name}, which this claim names, belonged to claim {whose}, which is gone; its volume is "
            f"kept while this claim is there. To bind it to this claim: {bind_again(volume, claim)}"
        )
        signed = options(volume).get(NAMESPACE_OPTION)
        if signed and signed != claim["metadata"]["namespace"]:
            sentence += (
                f" (it is signed for pods of namespace {signed}: nodes with host.volumeKey take no others)"
            )
        return Fault(Code.NOT_OURS, sentence, volume=name)


def _is_of(volume: Object, claim: Object) -> bool:
    """Say whether kube-controller-manager can bind the two: the PV is free, or reserved for this claim."""
    reference, metadata = volume["spec"].get("claimRef"), claim["metadata"]
    if not reference:
        return True
    if reference.get("uid"):
        return bool(reference["uid"] == metadata["uid"])
    named = (reference.get("namespace"), reference.get("name")) == (metadata["namespace"], metadata["name"])
    return named and (claim.get("status") or {}).get("phase") != "Lost"  # which only a UID brings back
