"""Who wants a volume, by name or by UID: every claim and every PV, asked of the API server itself.

A copy may be behind, and what is deleted on its word is gone; so nothing here comes from the copies that the
controller follows. Listing everything is dear (10,000 claims: a second), so deletions share a list, but only
one that began after they asked.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from provisioner.cluster import CLAIMS, VOLUMES
from provisioner.persistent_volume import claim_path, names_in

if TYPE_CHECKING:
    from collections.abc import Iterable

    from provisioner.cluster import Cluster, Object


@dataclass(frozen=True)
class Census:
    """What was there. Claims as they are named in events: metadata with namespace, name, uid, version."""

    naming: dict[str, list[Object]] = field(default_factory=lambda: defaultdict(list))
    """Claims by the PV that they name in spec.volumeName."""
    volumes: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Names of PVs by each text in them that says what disk they are about, in lower case."""

    def claims(self, volume: str) -> list[Object]:
        """Return the claims that name this PV."""
        return self.naming.get(volume, [])

    def others(self, volume: str, *names: str) -> list[str]:
        """Return the PVs beside `volume` that are about a disk of one of these names or UIDs."""
        found = {other for name in (volume, *names) for other in self.volumes.get(name.lower(), ())}
        return sorted(found - {volume})

    def note_claim(self, claim: Object) -> None:
        """Note a claim that names a PV, whether or not it is bound to it."""
        if claim["spec"].get("volumeName"):
            kept = ("namespace", "name", "uid", "resourceVersion")
            metadata = {key: claim["metadata"].get(key, "") for key in kept}
            self.naming[claim["spec"]["volumeName"]].append({"metadata": metadata})

    def note_volume(self, volume: Object) -> None:
        """Note a PV, of whatever driver."""
        for name in names_in(volume):
            self.volumes[name].add(volume["metadata"]["name"])


class Registrar:
    """Takes a census; thread-safe. `Away`, `Refusal`: nothing is known."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._turn = threading.Lock()  # held while one is taken
        self._guard = threading.Lock()
        self._begun = 0
        self._whole = 0
        self._last = Census()

    def census(self) -> Census:
        """Return a census that was begun after this call."""
        with self._guard:
            wanted = self._begun + 1
        with self._turn:
            if self._whole < wanted:
                with self._guard:
                    self._begun += 1
                self._last = self._taken()
                self._whole = self._begun
            return self._last

    def namesake(self, volume: Object) -> list[Object]:
        """Return the claim of the name that a PV has in its claimRef, if it names the PV: one question."""
        path = claim_path(volume)
        claim = self._cluster.get(path) if path else None
        named = claim is not None and claim["spec"].get("volumeName") == volume["metadata"]["name"]
        return [claim] if claim is not None and named else []

    def _taken(self) -> Census:
        found = Census()
        volumes, claims = self._all(VOLUMES), self._all(CLAIMS)
        for volume in volumes:
            found.note_volume(volume)
        for claim in claims:
            found.note_claim(claim)
        return found

    def _all(self, path: str) -> Iterable[Object]:
        return (found for page, _ in self._cluster.pages(path) for found in page)
