"""Whether somebody still wants a volume that is to be deleted, and what he is told.

By UID alone a claim that was restored from a backup is a stranger, and the volume of its PV would go under
it. So names count as much: that of the claim, that of the PV in any claim, and the volume in any other PV.
What is ambiguous waits, and the sentence says both ways on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from instorage.tenancy.grant import UID_OPTION, SignedGrant
from instorage.tenancy.signature import verified
from instorage.wire.fault import Code, Fault
from provisioner.events import Event
from provisioner.persistent_volume import MARK, bind_again, home, is_marked, options

if TYPE_CHECKING:
    from instorage.arrays.model import Volume
    from provisioner.arrays import Arrays
    from provisioner.census import Census, Registrar
    from provisioner.cluster import Object
    from provisioner.events import Events

SHOWN = 5  # claims or PVs in a sentence


class Wanting:
    """Asks for a census, and judges. `own`: the public line of the key that signs here."""

    def __init__(self, registrar: Registrar, arrays: Arrays, events: Events, own: str) -> None:
        self._registrar = registrar
        self._arrays = arrays
        self._events = events
        self._own = own

    def refuse(self, volume: Object, there: Volume | None, array: str) -> None:
        """Raise `Fault(NOT_OURS)` unless nobody wants the volume of this PV; each claim is told as well.

        `there` is what the array shows of it, None when it is gone. A PV that is a copy is refused whoever
        wants the volume, so that everybody is not asked for it: a thousand of them may be restored at once.
        """
        self._require_signed_here(volume, array)
        if not is_marked(volume):
            claims = self._registrar.namesake(volume)
            if not claims:
                raise _copied(volume, there, array)
            self._tell(volume, claims, there, array)
            raise _named(volume, claims, there, array)
        name = volume["metadata"]["name"]
        census = self._registrar.census()
        others = self._others(census, name, options(volume).get(UID_OPTION), there)
        if others:
            raise _kept(
                volume, array, f"the same disk is that of PV {', '.join(others)}", "Remove one of the PVs"
            )
        claims = sorted(census.claims(name), key=lambda claim: not _at_home(volume, claim))
        if claims:
            self._tell(volume, claims, there, array)
            raise _named(volume, claims, there, array)

    def by_whom(self, name: str, there: Volume) -> str:
        """Return who wants a volume that has no PV of its name: claims and PVs, "" for nobody."""
        census = self._registrar.census()
        claims = [_shown(claim) for claim in census.claims(name)[:SHOWN]]
        volumes = [f"PV {other}" for other in self._others(census, name, None, there)]
        return ", ".join([*(f"claim {claim}" for claim in claims), *volumes])

    def volumes(self, there: Volume) -> str:
        """Return which PVs beside that of its name are about a volume, "" for none."""
        found = self._others(self._registrar.census(), there.name, None, there)
        return ", ".join(f"PV {other}" for other in found)

    def _others(self, census: Census, name: str, uid: str | None, there: Volume | None) -> list[str]:
        uids = [found for found in (uid, str(there.uid) if there else None) if found]
        return census.others(name, *uids)[:SHOWN]

    def _require_signed_here(self, volume: Object, array: str) -> None:
        """Raise when another cluster's key signed the PV: several clusters may share an array."""
        signed = SignedGrant.from_options(volume["metadata"]["name"], options(volume))
        keys = self._arrays.configuration().volume_keys
        if signed is None or not keys or verified((*keys, self._own), signed.grant, signed.signature):
            return
        seen = "it is signed by a key that is not under host.volumeKey here, as another cluster's volumes are"
        raise _kept(volume, array, seen, "Add the key of the provisioner that made it, or remove the PV")

    def _tell(self, volume: Object, claims: list[Object], there: Volume | None, array: str) -> None:
        for claim in claims[:SHOWN]:
            message = _of_claim(volume, claim, there, array)
            self._events.say(
                Event(
                    claim, "PersistentVolumeClaim", normal=False, reason="VolumeIsAnothers", message=message
                )
            )


def _of_claim(volume: Object, claim: Object, there: Volume | None, array: str) -> str:
    name = volume["metadata"]["name"]
    former = (volume["spec"].get("claimRef") or {}).get("uid") or "none"
    if there is None:
        return (
            f"PV {name}, which this claim names, belonged to a claim of before (UID {former}), and array "
            f"{array} has no such volume any more: its data cannot come back. Make the claim anew without "
            "volumeName, for a new and empty one."
        )
    if not _at_home(volume, claim):
        return (
            f"This claim names PV {name}, and is of another namespace than {home(volume) or '?'}, where the "
            "data is from: it is not bound to it. Its volume is kept while this claim is there."
        )
    return (
        f"PV {name}, which this claim names, belonged to a claim of before (UID {former}); its volume is "
        f"kept. To bind it to this claim: {bind_again(volume, claim)}"
    )


def _named(volume: Object, claims: list[Object], there: Volume | None, array: str) -> Fault:
    shown = ", ".join(_shown(claim) for claim in claims[:SHOWN])
    seen = f"claim {shown} names this PV in spec.volumeName, which belonged to a claim of before"
    if there is None:
        return _lost(volume, array, seen)
    strangers = [claim for claim in claims if not _at_home(volume, claim)]
    if strangers:
        whose = ", ".join(_shown(claim) for claim in strangers[:SHOWN])
        seen += f" ({whose}: of another namespace than {home(volume) or '?'}, where the data is from)"
    bind = f"To bind it: {bind_again(volume, claims[0])}. " if _at_home(volume, claims[0]) else ""
    again = f"{bind}To have the volume deleted, delete the claim"
    return _kept(volume, array, seen, again + ("" if is_marked(volume) else _marking(volume)))


def _at_home(volume: Object, claim: Object) -> bool:
    return bool(claim["metadata"]["namespace"] == home(volume))


def _copied(volume: Object, there: Volume | None, array: str) -> Fault:
    seen = (
        "this PV has never been bound since it was made: it is a copy, of a backup perhaps, or its claim "
        "went while it was written"
    )
    if there is None:
        return _lost(volume, array, seen)
    again = (
        "To use it, restore the claim with spec.volumeName, and bind it as the claim's event says. To have "
        f"it deleted{_marking(volume)}"
    )
    return _kept(volume, array, seen, again)


def _marking(volume: Object) -> str:
    name, uid = volume["metadata"]["name"], volume["metadata"]["uid"]
    return f"; kubectl annotate --overwrite pv {name} {MARK}={uid} says that this is no copy"


def _lost(volume: Object, array: str, seen: str) -> Fault:
    gone = f"array {array} has no such volume any more, its data cannot come back"
    return _kept(volume, array, f"{seen}; {gone}", "Remove the PV")


def _kept(volume: Object, array: str, seen: str, mend: str) -> Fault:
    name = volume["metadata"]["name"]
    sentence = f"Volume {name} on array {array} is not deleted: {seen}. {mend}."
    return Fault(Code.NOT_OURS, sentence, volume=name, array=array)


def _shown(claim: Object) -> str:
    metadata = claim["metadata"]
    return f"{metadata['namespace']}/{metadata['name']} (UID {metadata['uid']})"
