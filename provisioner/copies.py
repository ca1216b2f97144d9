"""What this program knows of the cluster without asking: its classes, PVs and claims."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from provisioner import persistent_volume
from provisioner.claims import class_of
from provisioner.cluster import CLAIMS, CLASSES, VOLUMES
from provisioner.reflection import Reflection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from provisioner.cluster import Cluster, Object

    Changed = Callable[[Object | None, Object | None], None]

_NAME, _CLAIM = "name/", "claim/"  # what a PV is found by


class Copies:
    """Follows the three kinds; tells of changes as a `Reflection` does, one thread for each kind."""

    def __init__(
        self, cluster: Cluster, class_changed: Changed, volume_changed: Changed, claim_changed: Changed
    ) -> None:
        self._classes = Reflection(cluster, CLASSES, class_changed)
        self._volumes = Reflection(cluster, VOLUMES, volume_changed, index=_keys)
        self._claims = Reflection(cluster, CLAIMS, claim_changed, index=lambda claim: (class_of(claim),))
        self.all = (self._classes, self._volumes, self._claims)

    def start(self) -> None:
        """Begin to follow."""
        for reflection in self.all:
            reflection.start()

    def stop(self) -> None:
        """End; no change is told afterwards."""
        for reflection in self.all:
            reflection.stop()

    @property
    def ready(self) -> bool:
        """True after the first list of everything."""
        return all(reflection.listed.is_set() for reflection in self.all)

    @property
    def alive(self) -> bool:
        """False when one of the threads has ended by a defect."""
        return all(reflection.alive for reflection in self.all)

    @property
    def claims_listed(self) -> bool:
        """True after the first list of the claims."""
        return self._claims.listed.is_set()

    def objects(self) -> Iterator[Object]:
        """Yield every claim and PV."""
        return itertools.chain(self._claims.copy.all(), self._volumes.copy.all())

    def claim(self, uid: str) -> Object | None:
        """Return the claim of that UID."""
        return self._claims.copy.get(uid)

    def claim_of(self, volume: Object) -> Object | None:
        """Return the claim that a PV belongs to."""
        return self.claim((volume["spec"].get("claimRef") or {}).get("uid") or "")

    def claims_of(self, class_name: str) -> Iterator[Object]:
        """Yield the claims that name a class."""
        return self._claims.copy.by(class_name)

    def storage_class(self, claim: Object) -> Object | None:
        """Return the class that a claim names."""
        return next(self._classes.copy.by(class_of(claim)), None)

    def volume(self, uid: str) -> Object | None:
        """Return the PV of that UID."""
        return self._volumes.copy.get(uid)

    def volumes_of(self, claim_uid: str) -> list[Object]:
        """Return the PVs whose claimRef is that claim."""
        return list(self._volumes.copy.by(f"{_CLAIM}{claim_uid}"))

    def volumes_for(self, claim: Object) -> list[Object]:
        """Return the PVs of a claim, and the one that it names."""
        named = self.volume_named(str(claim["spec"].get("volumeName") or ""))
        found = self.volumes_of(claim["metadata"]["uid"])
        return [*found, *([named] if named is not None and named not in found else [])]

    def volume_named(self, name: str) -> Object | None:
        """Return the PV of that name."""
        return next(self._volumes.copy.by(f"{_NAME}{name}"), None)

    def bound_volume(self, claim: Object) -> Object | None:
        """Return the PV that a claim is bound to, and that is bound to it."""
        found = self.volume_named(str(claim["spec"].get("volumeName") or ""))
        return found if found in self.volumes_of(claim["metadata"]["uid"]) else None

    def array_of_claim(self, uid: str) -> str:
        """Return the array that a claim's class names, "" for none."""
        claim = self.claim(uid)
        found = self.storage_class(claim) if claim else None
        return str(((found or {}).get("parameters") or {}).get("storageName") or "")

    def array_of_volume(self, uid: str) -> str:
        """Return the array that a PV names, "" for none."""
        volume = self.volume(uid)
        return (persistent_volume.storage(volume) or "") if volume else ""


def _keys(volume: Object) -> tuple[str, ...]:
    claim = (volume["spec"].get("claimRef") or {}).get("uid")
    return (f"{_NAME}{volume['metadata']['name']}", *((f"{_CLAIM}{claim}",) if claim else ()))
