"""What a PV says of itself: whose it is, that its claim is over, what keeps it from being deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nodeagent.diagnosis.event import JOURNAL, proof, told
from nodeagent.diagnosis.foreign import typed
from nodeagent.diagnosis.link import KUBERNETES, NOBODY, RIGHT, UNSEEN, WAITS, WRONG, Link, moment, old
from nodeagent.diagnosis.objects import DRIVER, at, ends

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nodeagent.diagnosis.objects import Object, Objects

NOT_DELETED = ("VolumeFailedDelete", "VolumeDeletionWaits", "VolumeDeletionStuck")


def links(found: Objects) -> Iterator[Link]:
    """Yield what is to be said of the PV, if there is one."""
    volume = found.volume
    if volume is None:
        if "PV" in found.unseen:
            yield Link("PV", UNSEEN, f"The PV could not be read: {found.unseen['PV']}")
        return
    name, phase = at(volume, "metadata", "name"), at(volume, "status", "phase")
    read, created = proof("pv", volume), moment(at(volume, "metadata", "creationTimestamp"))
    driver = at(volume, "spec", "flexVolume", "driver")
    if driver != DRIVER:
        text = f"PV {name} is no volume of this product (driver {driver or 'none'}): look at its own."
        yield Link(
            "PV", WRONG, text, KUBERNETES, typed("kubectl get pv {} -o yaml", str(name)), created, read
        )
    elif ends(volume) and (failed := found.about(volume, *NOT_DELETED)):
        yield told("PV", failed[0], found)
    elif at(volume, "metadata", "deletionTimestamp"):
        since = moment(at(volume, "metadata", "deletionTimestamp"))
        yield _goes(f"PV {name} is being deleted.", since, read)
    elif phase in ("Failed", "Released"):
        yield _released(volume, str(name), str(phase), created, read)
    else:
        array = at(volume, "spec", "flexVolume", "options", "storageName") or "the first array"
        yield Link("PV", RIGHT, f"PV {name} is on {array}.", NOBODY, "", created, read)


def _released(volume: Object, name: str, phase: str, created: float, read: str) -> Link:
    """Return that the claim is over: the provisioner deletes the volume, or somebody makes the PV free."""
    if at(volume, "spec", "persistentVolumeReclaimPolicy") == "Delete":
        text = f"PV {name} is {phase}: its claim is gone, and the provisioner deletes it with its volume."
        return _goes(text, moment(at(volume, "status", "lastPhaseTransitionTime")), read)
    claim = "/".join(str(at(volume, "spec", "claimRef", key)) for key in ("namespace", "name"))
    freed = f"""kubectl patch pv {name} -p '{{"spec":{{"claimRef":{{"uid":null}}}}}}'"""
    text = (
        f"PV {name} is {phase}: its claim is gone, and its volume is kept with its data, as its policy says. "
        f"Nothing need be done. Only if a new claim {claim} is to get the old data: {freed}"
    )
    return Link("PV", WAITS, text, NOBODY, "", created, read)


def _goes(text: str, since: float, read: str) -> Link:
    """Return that the provisioner is at it; when that lasts, or for how long it does is not known, look."""
    text += " If it stays so, the provisioner's journal says why."
    who = NOBODY if since and not old(since) else KUBERNETES
    return Link("PV", WAITS, text, who, JOURNAL, since, read)
